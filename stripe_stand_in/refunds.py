"""Refunds: what refuses one, what a new one starts as, and what it may become later.

Invariant: a charge's `amount_refunded` is the sum of its refunds that are not failed or canceled, and never more than its
amount. Money leaves the balance with a balance transaction and comes back with a failure balance transaction.
"""

from __future__ import annotations

import json

from . import balance
from .account import Account, new_id
from .currencies import check_step, show
from .errors import ApiError, Obj, invalid
from .forms import merge_metadata
from .payment_methods import TOKENS

STATUSES = ("pending", "requires_action", "succeeded", "failed", "canceled")
GONE = ("failed", "canceled")
FAILURES = (
    "lost_or_stolen_card", "expired_or_canceled_card", "charge_for_pending_refund_disputed", "insufficient_funds", "declined",
    "merchant_request", "unknown",
)  # fmt: skip
PENDING_REASONS = ("processing", "insufficient_funds", "charge_pending")
_PAID: Obj = {"status": "succeeded"}
_DAYS_TO_ACT = 45


def create(account: Account, params: Obj) -> Obj:
    """POST /v1/refunds: by PaymentIntent (its charge that succeeded) or by charge."""
    if "payment_intent" not in params and "charge" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            "parameter_missing", "payment_intent",
        )  # fmt: skip
    for name in ("currency", "customer", "origin"):
        if name in params:
            raise ApiError(f"You may only specify `{name}` when refunding a customer's cash balance.", param=name)
    return make(account, refundable_charge(account, params), params)


def refundable_charge(account: Account, params: Obj) -> Obj:
    """The charge a refund would be of. Raises Stripe's refusals in Stripe's order: unknown, unpaid, disputed, spent."""
    if "payment_intent" in params:
        intent = account.get("payment_intent", params["payment_intent"], "payment_intent")
        charge = account.store.find("charge", intent["latest_charge"]) if intent["latest_charge"] else None
        if "charge" in params and (charge is None or params["charge"] != charge["id"]):
            raise ApiError("The provided charge does not belong to the provided PaymentIntent.", param="charge")
    else:
        charge = account.get("charge", params["charge"], "charge")
    if charge is None or charge["status"] != "succeeded" or not charge["captured"]:
        id_ = params.get("payment_intent") or (charge and charge["payment_intent"])
        raise ApiError(
            f"This PaymentIntent ({id_}) does not have a successful charge to refund.", param="payment_intent"
        )
    if charge["_charged_back"]:
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if charge["amount"] == charge["amount_refunded"]:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["_refund_failed"] and account.settings["refund_after_failure"] == "refuse":
        raise ApiError(f"A previous attempt to refund {charge['id']} to card {charge['payment_method']} failed")
    for name in ("reverse_transfer", "refund_application_fee"):
        if params.get(name) and charge["transfer_data"] is None:
            raise ApiError(f"You cannot use `{name}` on a charge without a connected account.", param=name)
    return charge


def make(account: Account, charge: Obj, params: Obj) -> Obj:
    """A refund of ``params['amount']`` (default: all that is left) of a refundable charge, with its events."""
    currency, left = charge["currency"], charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if amount > left:
        raise ApiError(
            f"Refund amount ({show(amount, currency)}) is greater than unrefunded amount on charge ({show(left, currency)})",
            param="amount",
        )
    check_step(amount, currency, "amount")
    token = TOKENS[charge["_token"]]
    status, later = account.take_planned_status() or token.refund, ""
    if status == "late_failure":
        status, later = "succeeded", "failed"
    elif status == "pending":
        later = "succeeded"
    refund = _build(account, charge, amount, params)
    short = status != "requires_action" and balance.available(account, currency) < amount
    if short and account.settings["short_balance"] == "refuse":
        raise ApiError("Insufficient funds in your Stripe balance to refund this amount.", code="balance_insufficient")
    if short and token.type == "card":
        refund.update(status="pending", pending_reason="insufficient_funds", _waiting=[status, later])
    elif short:
        refund.update(status="failed", failure_reason="insufficient_funds")
    elif status == "requires_action":
        refund.update(status=status, next_action=_next_action(account, params, charge))
    else:
        refund["status"] = status
        if status == "pending":
            refund["pending_reason"] = "processing"
        if status in GONE:
            refund["failure_reason"] = "unknown" if status == "failed" else "merchant_request"
        else:
            refund["balance_transaction"] = _pay(account, refund)
    _describe_destination(account, refund, charge)
    account.store.insert(refund)
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    if refund["status"] not in GONE:
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.store.save(charge)
    account.emit("refund.created", refund)
    if refund["status"] in GONE:
        account.emit("refund.failed", refund)
    else:
        account.emit("charge.refunded", charge, {k: v for k, v in before.items() if charge[k] != v})
    if not short:
        schedule(account, refund, {"status": later} if later else None)
    return refund


def release(account: Account, charge: Obj, amount: int) -> Obj:
    """What an authorisation gives back uncaptured; Stripe shows it as a Refund although no money moved."""
    refund = _build(account, charge, amount, {})
    refund["status"] = "succeeded"
    before = {"amount_refunded": charge["amount_refunded"]}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.store.insert(refund)
    account.emit("refund.created", refund)
    account.emit("charge.refunded", charge, before)
    return refund


def retrieve(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("refund", id_)


def update(account: Account, params: Obj, id_: str) -> Obj:
    """Only metadata can be changed afterwards."""
    refund = account.get("refund", id_)
    if "metadata" in params:
        before = refund["metadata"]
        refund["metadata"] = merge_metadata(before, params["metadata"])
        account.store.save(refund)
        _announce(account, refund, {"metadata": before})
    return refund


def cancel(account: Account, params: Obj, id_: str) -> Obj:
    """Only while the customer's bank details are awaited."""
    return change(
        account, _awaiting(account, id_, "canceled"), {"status": "canceled", "failure_reason": "merchant_request"}
    )


def expire(account: Account, params: Obj, id_: str) -> Obj:
    """Test helper: the customer never gave bank details, and the time for it ran out."""
    return change(account, _awaiting(account, id_, "expired"), {"status": "failed", "failure_reason": "unknown"})


def change(account: Account, refund: Obj, wanted: Obj) -> Obj:
    """Move a refund on: ``wanted`` may carry status, failure_reason, pending_reason, reference. Emits what Stripe would.

    Raises ApiError for what never happens at Stripe: a failed or canceled refund coming back to life, other statuses.
    """
    status = wanted.get("status", refund["status"])
    if status not in STATUSES:
        raise ApiError(f"A refund's status is one of {', '.join(STATUSES)}.", param="status")
    if refund["status"] in GONE and status != refund["status"]:
        raise ApiError(
            f"Refund {refund['id']} is {refund['status']}; its money is back and it stays so.", param="status"
        )
    charge = account.get("charge", refund["charge"])
    before = {name: refund.get(name) for name in ("status", "failure_reason", "pending_reason", "destination_details")}
    if status in GONE and refund["status"] not in GONE:
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        charge["_refund_failed"] = True
        account.store.save(charge)
        refund["failure_reason"] = wanted.get("failure_reason") or "unknown"
        if refund["balance_transaction"]:
            kind = "refund_failure" if refund["id"].startswith("re_") else "payment_failure_refund"
            refund["failure_balance_transaction"] = balance.move(account, kind, refund["amount"], refund)
    elif _leaves_now(refund, status, wanted):
        refund["balance_transaction"] = _pay(account, refund)
    refund["status"] = status
    refund.pop("pending_reason", None)
    if status == "pending":
        refund["pending_reason"] = wanted.get("pending_reason") or before["pending_reason"] or "processing"
    refund["next_action"] = refund["next_action"] if status == "requires_action" else None
    if before["status"] != status or "reference" in wanted:
        _describe_destination(account, refund, charge, wanted.get("reference"))
    account.store.save(refund)
    changed = {name: value for name, value in before.items() if refund.get(name) != value}
    if changed:
        _announce(account, refund, changed)
    if before["status"] != status:
        if status == "succeeded":
            schedule(account, refund, None)
        if status in GONE:
            pay_waiting(account, refund["currency"])
    return refund


def pay_waiting(account: Account, currency: str) -> None:
    """Refunds that waited for balance go out, oldest first, as far as the balance reaches."""
    rows = account.store.run(
        "SELECT id FROM objects WHERE kind = 'refund' AND json_extract(body, '$.pending_reason') = 'insufficient_funds'"
        " AND json_extract(body, '$.currency') = ? ORDER BY seq", currency,
    )  # fmt: skip
    for (id_,) in rows:
        refund = account.get("refund", id_)
        if balance.available(account, currency) >= refund["amount"]:
            status, later = refund.pop("_waiting", ["succeeded", ""])
            change(
                account, refund, {"status": "pending", "pending_reason": "processing"} if status == "pending" else _PAID
            )
            if later:
                schedule(account, refund, {"status": later})


def schedule(account: Account, refund: Obj, later: Obj | None) -> None:
    """Note what happens to the refund by itself, if the settings give it a time."""
    delay = account.settings["settle_after"]
    if later and delay is not None:
        if later["status"] == "failed":
            later = {**later, "failure_reason": "expired_or_canceled_card"}
        _note(account, refund, delay, later)
    delay = account.settings["reference_after"]
    card = (refund.get("destination_details") or {}).get("card", {})
    if (
        delay is not None
        and refund["status"] == "succeeded"
        and not later
        and card.get("reference_status") == "pending"
    ):
        _note(account, refund, delay, {"reference": new_reference(refund)})


def new_reference(refund: Obj) -> str:
    """A bank reference (ARN) of the usual 23 digits, the same for the same refund."""
    return "7" + f"{int.from_bytes(refund['id'].encode()[-9:], 'big') % 10**22:022d}"


def _leaves_now(refund: Obj, status: str, wanted: Obj) -> bool:
    """Whether this change is the moment at which the refund's money leaves the balance."""
    if refund["balance_transaction"] or status not in ("succeeded", "pending"):
        return False
    starts = refund["status"] != status or "pending_reason" in wanted
    return starts and (status == "succeeded" or wanted.get("pending_reason") != "insufficient_funds")


def _note(account: Account, refund: Obj, delay: float, wanted: Obj) -> None:
    due = account.now() + delay
    sql = "INSERT INTO transitions (refund, due, change) VALUES (?,?,?)"
    account.store.run(sql, refund["id"], due, json.dumps(wanted))


def _awaiting(account: Account, id_: str, verb: str) -> Obj:
    refund = account.get("refund", id_)
    if refund["status"] != "requires_action":
        message = f"Refund {id_} cannot be {verb}: its status is {refund['status']}, not requires_action."
        raise ApiError(message)
    return refund


def _announce(account: Account, refund: Obj, changed: Obj) -> None:
    if "status" in changed and refund["status"] == "failed":
        account.emit("refund.failed", refund)
    account.emit("refund.updated", refund, changed)
    account.emit("charge.refund.updated", refund, changed)


def _pay(account: Account, refund: Obj) -> str:
    type_ = "refund" if refund["id"].startswith("re_") else "payment_refund"
    return balance.move(account, type_, -refund["amount"], refund)


def _build(account: Account, charge: Obj, amount: int, params: Obj) -> Obj:
    refund: Obj = {
        "id": new_id("re" if charge["id"].startswith("ch_") else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(account.now()),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": None,
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "next_action": None,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    if params.get("instructions_email"):
        refund["instructions_email"] = params["instructions_email"]
    return refund


def _next_action(account: Account, params: Obj, charge: Obj) -> Obj:
    now = int(account.now())
    to = params.get("instructions_email") or charge["receipt_email"]
    sent = {"email_sent_at": now, "email_sent_to": to}
    details = {"email_sent": sent, "expires_at": now + _DAYS_TO_ACT * 86400}
    return {"type": "display_details", "display_details": details}


def _describe_destination(account: Account, refund: Obj, charge: Obj, reference: str | None = None) -> None:
    type_ = charge["payment_method_details"]["type"]
    if type_ != "card":
        refund["destination_details"] = {"type": type_, type_: {}}
        return
    # Whether it is a reversal is decided when the refund is made: only then is the charge young.
    reversal = refund["created"] - charge["created"] < account.settings["reversal_within"]
    if refund["status"] == "pending":
        card: Obj = {"type": "pending"}
    elif reversal:
        card = {"type": "reversal"}
    else:
        kept = ((refund.get("destination_details") or {}).get("card") or {}).get("reference")
        card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
        if reference or kept:
            card = {"reference": reference or kept, **card, "reference_status": "available"}
        elif refund["status"] in GONE:
            card["reference_status"] = "unavailable"
    refund["destination_details"] = {"card": card, "type": "card"}
