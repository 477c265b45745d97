"""PaymentIntents: create, update, confirm, capture, cancel. Charges come into being here and nowhere else."""

from __future__ import annotations

import secrets

from . import charges, disputes, payment_methods, refunds
from .account import Account, new_id, public
from .currencies import SUPPORTED, check_amount, check_step, show
from .errors import ApiError, Obj, invalid
from .forms import merge_metadata, require

CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
_TEXTS = (
    "customer", "customer_account", "description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_group", "setup_future_usage", "on_behalf_of", "confirmation_method",
)  # fmt: skip
_HASHES = ("shipping", "transfer_data", "payment_method_options")
_UNEXPECTED = "You cannot {verb} this PaymentIntent because it has a status of {status}. {only}"


def create(account: Account, params: Obj) -> Obj:
    require(params, "amount", "currency")
    currency = params["currency"].lower()
    if currency not in SUPPORTED:
        listed = ", ".join(sorted(SUPPORTED))
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {listed}", None, "currency"
        )
    check_amount(params["amount"], currency)
    if params.get("confirm") is not True:
        for name in ("off_session", "return_url"):
            if name in params:
                raise invalid(f"You cannot set `{name}` unless `confirm` is true.", None, name)
    if "customer" in params:
        account.get("customer", params["customer"], "customer")
    allowed = params.get("allowed_payment_method_types")
    intent: Obj = {
        "id": (id_ := new_id("pi")),
        "object": "payment_intent",
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": params.get("application_fee_amount"),
        "automatic_payment_methods": _automatic(params, allowed),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{id_}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": int(account.now()),
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": allowed or ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    _take(account, intent, params)
    account.store.insert(intent)
    account.emit("payment_intent.created", intent)
    return _confirm(account, intent, params) if params.get("confirm") else intent


def update(account: Account, params: Obj, id_: str) -> Obj:
    intent = account.get("payment_intent", id_, "intent")
    fixed = {"amount", "currency", "payment_method", "capture_method"} & set(params)
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action") and fixed:
        raise _unexpected(intent, "update", "Only a PaymentIntent that is not yet confirmed can change its money.")
    if "amount" in params:
        check_amount(params["amount"], intent["currency"])
        intent["amount"] = params["amount"]
    _take(account, intent, params)
    account.store.save(intent)
    return intent


def confirm(account: Account, params: Obj, id_: str) -> Obj:
    intent = account.get("payment_intent", id_, "intent")
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        if intent["status"] == "succeeded":
            raise _unexpected(intent, "confirm", "It has already succeeded after being previously confirmed.")
        raise _unexpected(
            intent, "confirm", "Only a PaymentIntent that awaits a payment method or confirmation can be."
        )
    _take(account, intent, params)
    return _confirm(account, intent, params)


def capture(account: Account, params: Obj, id_: str) -> Obj:
    intent = account.get("payment_intent", id_, "intent")
    if intent["status"] != "requires_capture":
        only = "Only a PaymentIntent with one of the following statuses may be captured: requires_capture."
        raise _unexpected(intent, "capture", only)
    charge = account.get("charge", intent["latest_charge"])
    amount: int = params["amount_to_capture"] if "amount_to_capture" in params else charge["amount"]
    if amount > charge["amount"]:
        raise ApiError(
            f"The amount to capture ({show(amount, charge['currency'])}) is greater than the amount that can be captured "
            f"({show(charge['amount'], charge['currency'])}).", code="amount_too_large", param="amount_to_capture",
        )  # fmt: skip
    check_step(amount, charge["currency"], "amount_to_capture")
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    charges.book_capture(account, charge, amount)
    if amount < charge["amount"]:
        # Stripe shows what was released as if it had been refunded: amount_refunded and a Refund of it, no money moved.
        refunds.release(account, charge, charge["amount"] - amount)
    account.store.save(charge)
    account.emit("charge.captured", charge)
    _succeed(account, intent, charge)
    return intent


def cancel(account: Account, params: Obj, id_: str) -> Obj:
    intent = account.get("payment_intent", id_, "intent")
    if intent["status"] not in CANCELABLE:
        only = "Only a PaymentIntent with one of the following statuses may be canceled: " + ", ".join(CANCELABLE) + "."
        raise _unexpected(intent, "cancel", only)
    if intent["status"] == "requires_capture":
        charge = account.get("charge", intent["latest_charge"])
        refunds.release(account, charge, charge["amount"])
        account.store.save(charge)
    intent.update(
        status="canceled", canceled_at=int(account.now()), amount_capturable=0, next_action=None,
        cancellation_reason=params.get("cancellation_reason"),
    )  # fmt: skip
    account.store.save(intent)
    account.emit("payment_intent.canceled", intent)
    return intent


def retrieve(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("payment_intent", id_, "intent")


def authenticate(account: Account, id_: str, passed: bool) -> Obj:
    """What the customer does in the bank's window: pass it, or fail it and be asked for another payment method."""
    intent = account.get("payment_intent", id_, "intent")
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "authenticate", "Only one that requires an action can be.")
    method = account.get("payment_method", intent["payment_method"])
    if passed:
        return _charge(account, intent, method, payment_methods.TOKENS[method["_token"]])
    error = {
        "code": "payment_intent_authentication_failure",
        "message": "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        "type": "invalid_request_error",
    }
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
    account.store.save(intent)
    account.emit("payment_intent.payment_failed", intent)
    return intent


def _take(account: Account, intent: Obj, params: Obj) -> None:
    for name in (*_TEXTS, *_HASHES):
        if name in params:
            intent[name] = params[name]
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    payment_methods.refuse_raw_card(params.get("payment_method_data", {}))
    if "payment_method" in params:
        method, _ = payment_methods.resolve(account, params["payment_method"])
        if method["type"] not in intent["payment_method_types"] and intent["automatic_payment_methods"] is None:
            raise ApiError(
                f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Please provide one of "
                f"the allowed types ({', '.join(intent['payment_method_types'])}).", param="payment_method",
            )  # fmt: skip
        intent.update(payment_method=method["id"], payment_method_types=[method["type"]])
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"


def _automatic(params: Obj, allowed: list[str] | None) -> Obj | None:
    asked = params.get("automatic_payment_methods")
    if asked is None:
        return None if allowed else {"allow_redirects": "always", "enabled": True}
    if asked.get("enabled") not in ("true", "True", "false", "False"):
        raise invalid("Missing required param: automatic_payment_methods[enabled].", "parameter_missing",
                      "automatic_payment_methods[enabled]")  # fmt: skip
    if asked["enabled"] in ("false", "False"):
        return None
    return {"allow_redirects": asked.get("allow_redirects", "always"), "enabled": True}


def _confirm(account: Account, intent: Obj, params: Obj) -> Obj:
    if intent["payment_method"] is None:
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
            "method or ConfirmationToken.", code="payment_intent_unexpected_state",
        )  # fmt: skip
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and not params.get("return_url"):
        raise ApiError(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
            "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't "
            "want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        )  # fmt: skip
    method = account.get("payment_method", intent["payment_method"])
    token = payment_methods.TOKENS[method["_token"]]
    if token.challenge:
        if params.get("off_session"):
            message = "Your card was declined. This transaction requires authentication."
            raise _refused(
                account, intent, method, token, ("authentication_required", "authentication_required", message)
            )
        redirect = {"return_url": params.get("return_url"), "url": f"/payments/{intent['id']}"}
        intent.update(status="requires_action", next_action={"type": "redirect_to_url", "redirect_to_url": redirect})
        account.store.save(intent)
        account.emit("payment_intent.requires_action", intent)
        return intent
    if token.decline:
        charge = charges.build(account, intent, method, token)
        charges.decline(charge, token.decline)
        account.store.insert(charge)
        account.emit("charge.failed", charge)
        intent["latest_charge"] = charge["id"]
        raise _refused(account, intent, method, token, token.decline)
    return _charge(account, intent, method, token)


def _charge(account: Account, intent: Obj, method: Obj, token: payment_methods.Token) -> Obj:
    charge = charges.build(account, intent, method, token)
    intent.update(latest_charge=charge["id"], next_action=None, last_payment_error=None)
    if intent["capture_method"] == "manual":
        account.store.insert(charge)
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        account.store.save(intent)
        account.emit("charge.succeeded", charge)
        account.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    charges.book_capture(account, charge, charge["amount"])
    account.store.insert(charge)
    account.emit("charge.succeeded", charge)
    _succeed(account, intent, charge)
    if token.dispute:
        disputes.open_dispute(account, charge, status=token.dispute)
    return intent


def _succeed(account: Account, intent: Obj, charge: Obj) -> None:
    intent.update(status="succeeded", amount_received=charge["amount_captured"], amount_capturable=0)
    account.store.save(intent)
    account.emit("payment_intent.succeeded", intent)
    refunds.pay_waiting(account, intent["currency"])


def _refused(
    account: Account, intent: Obj, method: Obj, token: payment_methods.Token, decline: tuple[str, str | None, str]
) -> ApiError:
    """The decline as the 402 it is; the intent waits for another payment method and the failed charge stays."""
    code, decline_code, message = decline
    error: Obj = {"charge": intent["latest_charge"], "payment_method": public(method)}
    if decline_code:
        error["decline_code"] = decline_code
    remembered = {**error, "code": code, "message": message, "type": "card_error"}
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=remembered)
    account.store.save(intent)
    account.emit("payment_intent.payment_failed", intent)
    extra = {**error, "payment_intent": dict(intent)}
    return ApiError(message, status=402, type="card_error", code=code, keep_effects=True, extra=extra)


def _unexpected(intent: Obj, verb: str, only: str) -> ApiError:
    message = _UNEXPECTED.format(verb=verb, status=intent["status"], only=only)
    return ApiError(message, code="payment_intent_unexpected_state", extra={"payment_intent": dict(intent)})
