"""Charges: one per try to take money; the one that succeeded is what refunds and disputes are about."""

from __future__ import annotations

from . import balance, payment_methods
from .account import Account, new_id
from .errors import Obj
from .forms import merge_metadata
from .payment_methods import Token


def build(account: Account, intent: Obj, method: Obj, token: Token) -> Obj:
    """A charge of the intent's amount, not yet captured and not yet stored."""
    prefix = "ch" if token.type == "card" else "py"
    return {
        "id": new_id(prefix),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "STAND-IN",
        "captured": False,
        "created": int(account.now()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": intent["on_behalf_of"],
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": payment_methods.details(token),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded",
        "transfer_data": intent["transfer_data"],
        "transfer_group": intent["transfer_group"],
        "_token": method["_token"],
        # A chargeback that was not won forbids refunds; an inquiry does not.
        "_charged_back": False,
        "_refund_failed": False,
    }


def decline(charge: Obj, refusal: tuple[str, str | None, str]) -> None:
    """Mark the charge as refused by the card's bank."""
    code, decline_code, message = refusal
    charge.update(status="failed", paid=False, failure_code=code, failure_message=message)
    charge["outcome"].update(
        network_status="declined_by_network",
        reason=decline_code or code,
        seller_message="The bank did not return any further details with this decline.",
        type="issuer_declined",
    )


def book_capture(account: Account, charge: Obj, amount: int) -> None:
    """Take ``amount`` of an authorised charge into the balance; the charge is changed, not saved."""
    charge.update(captured=True, amount_captured=amount)
    type_ = "charge" if charge["id"].startswith("ch_") else "payment"
    charge["balance_transaction"] = balance.move(account, type_, amount, charge, charge["description"])


def retrieve(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("charge", id_)


def update(account: Account, params: Obj, id_: str) -> Obj:
    charge = account.get("charge", id_)
    if "metadata" in params:
        charge["metadata"] = merge_metadata(charge["metadata"], params["metadata"])
    if "description" in params:
        charge["description"] = params["description"]
    account.store.save(charge)
    account.emit("charge.updated", charge)
    return charge
