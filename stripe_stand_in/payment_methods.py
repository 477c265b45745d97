"""The test payment methods of Stripe's sandbox, and what each does to a payment and to its refunds."""

from __future__ import annotations

from dataclasses import dataclass

from .account import Account, new_id
from .errors import ApiError, Obj, missing_object


@dataclass(frozen=True)
class Token:
    """One `pm_card_…` token. ``decline`` is (code, decline code, message); ``refund`` and ``dispute`` say what comes later."""

    brand: str = "visa"
    last4: str = "4242"
    country: str = "US"
    funding: str = "credit"
    type: str = "card"
    decline: tuple[str, str | None, str] | None = None
    refund: str = "succeeded"
    dispute: str | None = None
    challenge: bool = False


_DECLINED = "Your card was declined."
TOKENS: dict[str, Token] = {
    "pm_card_visa": Token(),
    "pm_card_visa_debit": Token(last4="5556", funding="debit"),
    "pm_card_mastercard": Token("mastercard", "4444"),
    "pm_card_mastercard_debit": Token("mastercard", "8210", funding="debit"),
    "pm_card_amex": Token("amex", "0005"),
    "pm_card_discover": Token("discover", "1117"),
    "pm_card_jcb": Token("jcb", "0505", "JP"),
    "pm_card_gb": Token(last4="0000", country="GB"),
    "pm_card_de": Token(last4="0016", country="DE"),
    "pm_card_fr": Token(last4="0003", country="FR"),
    "pm_card_bypassPending": Token(last4="0077"),
    "pm_card_refundFail": Token(last4="5126", refund="late_failure"),
    "pm_card_pendingRefund": Token(last4="7726", refund="pending"),
    "pm_card_createDispute": Token(last4="0259", dispute="needs_response"),
    "pm_card_createDisputeInquiry": Token(last4="1976", dispute="warning_needs_response"),
    "pm_card_authenticationRequired": Token(last4="3184", challenge=True),
    "pm_card_threeDSecure2Required": Token(last4="3220", challenge=True),
    "pm_card_chargeDeclined": Token(last4="0002", decline=("card_declined", "generic_decline", _DECLINED)),
    "pm_card_visa_chargeDeclined": Token(last4="0002", decline=("card_declined", "generic_decline", _DECLINED)),
    "pm_card_chargeDeclinedInsufficientFunds": Token(
        last4="9995", decline=("card_declined", "insufficient_funds", "Your card has insufficient funds.")
    ),
    "pm_card_chargeDeclinedExpiredCard": Token(last4="0069", decline=("expired_card", None, "Your card has expired.")),
    "pm_card_chargeDeclinedIncorrectCvc": Token(
        last4="0127", decline=("incorrect_cvc", None, "Your card's security code is incorrect.")
    ),
    "pm_card_chargeDeclinedProcessingError": Token(
        last4="0119",
        decline=("processing_error", None, "An error occurred while processing your card. Try again in a little bit."),
    ),
    # Stripe has no ready-made tokens for these; the stand-in needs one of each kind of refund that cards do not have.
    "pm_konbini": Token("", "", "JP", type="konbini", refund="requires_action"),
    "pm_promptpay": Token("", "", "TH", type="promptpay", refund="requires_action"),
    "pm_sepa_debit": Token("", "3000", "DE", type="sepa_debit", refund="pending"),
}


def resolve(account: Account, id_: str, param: str = "payment_method") -> tuple[Obj, Token]:
    """The payment method of that id; a token makes a new one, as in Stripe's sandbox. Raises `resource_missing`."""
    if id_ in TOKENS:
        made = _build(account, id_, TOKENS[id_])
        account.store.insert(made)
        return made, TOKENS[id_]
    found = account.store.find("payment_method", id_)
    if found is None:
        raise missing_object("payment_method", id_, param)
    return found, TOKENS[found["_token"]]


def retrieve(account: Account, params: Obj, id_: str) -> Obj:
    if id_ in TOKENS:
        with account.transaction():
            return resolve(account, id_)[0]
    return account.get("payment_method", id_)


def refuse_raw_card(data: Obj) -> None:
    """Card numbers never come near the stand-in, just as Stripe refuses them from ordinary accounts."""
    if isinstance(data.get("card"), dict) and "number" in data["card"]:
        raise ApiError(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use test tokens "
            "that map to the test card you are using, see https://stripe.com/docs/testing.",
            status=402,
            type="card_error",
        )


def details(token: Token) -> Obj:
    """`payment_method_details` of a charge made with it."""
    if token.type != "card":
        return {"type": token.type, token.type: {}}
    card = {
        "brand": token.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": token.country,
        "exp_month": 8,
        "exp_year": 2030,
        "fingerprint": f"standin{token.last4}",
        "funding": token.funding,
        "installments": None,
        "last4": token.last4,
        "mandate": None,
        "network": token.brand,
        "three_d_secure": None,
        "wallet": None,
    }
    return {"type": "card", "card": card}


def _build(account: Account, name: str, token: Token) -> Obj:
    empty = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    method: Obj = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": empty, "email": None, "name": None, "phone": None, "tax_id": None},
        "created": int(account.now()),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": token.type,
        "_token": name,
    }
    if token.type == "card":
        shown = details(token)["card"]
        kept = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
        method["card"] = {
            **{name: shown[name] for name in kept},
            "display_brand": token.brand,
            "generated_from": None,
            "networks": {"available": [token.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
        }
    else:
        method[token.type] = {"last4": token.last4} if token.last4 else {}
    return method
