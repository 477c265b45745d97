"""Which endpoint takes which parameters and is answered by which function: the whole API on one page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import balance, charges, disputes, lists, payment_intents, payment_methods, people, refunds
from .account import Account
from .errors import Obj
from .forms import (
    LISTING,
    Spec,
    anything,
    flag,
    flag_or_text,
    list_of_text,
    mapping,
    metadata,
    one_of,
    positive,
    text,
    text_or_empty,
)

Handler = Callable[..., Obj]


@dataclass(frozen=True)
class Route:
    """One endpoint. ``path`` is matched whole; its groups go to ``handler`` after the account and the parameters."""

    method: str
    path: re.Pattern[str]
    spec: Spec
    handler: Handler


_INTENT: Spec = {
    "amount_details": mapping, "application_fee_amount": positive, "customer": text, "customer_account": text,
    "description": text_or_empty, "metadata": metadata, "payment_method": text, "payment_method_data": mapping,
    "payment_method_options": mapping, "receipt_email": text_or_empty, "setup_future_usage": one_of("on_session", "off_session"),
    "shipping": mapping, "statement_descriptor": text, "statement_descriptor_suffix": text, "transfer_data": mapping,
    "transfer_group": text, "allowed_payment_method_types": list_of_text, "excluded_payment_method_types": list_of_text,
    "payment_method_configuration": text, "payment_details": mapping,
    "capture_method": one_of("automatic", "automatic_async", "manual"),
}  # fmt: skip
_CONFIRM: Spec = {
    "return_url": text, "off_session": flag_or_text, "mandate": text, "mandate_data": anything, "use_stripe_sdk": flag,
    "error_on_requires_action": flag, "confirmation_token": text, "radar_options": mapping,
}  # fmt: skip
_CREATE_INTENT: Spec = {
    **_INTENT, **_CONFIRM, "amount": positive, "currency": text, "confirm": flag, "automatic_payment_methods": mapping,
    "on_behalf_of": text, "confirmation_method": one_of("automatic", "manual"),
}  # fmt: skip
_CONFIRM_INTENT: Spec = {
    name: kind for name, kind in {**_INTENT, **_CONFIRM}.items()
    if name not in ("customer", "customer_account", "description", "metadata", "transfer_data", "transfer_group")
}  # fmt: skip
_CAPTURE: Spec = {
    "amount_to_capture": positive, "final_capture": flag, "metadata": metadata, "application_fee_amount": positive,
    "statement_descriptor": text, "statement_descriptor_suffix": text, "transfer_data": mapping, "amount_details": mapping,
    "payment_details": mapping,
}  # fmt: skip
_CANCEL_REASONS = one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_REFUND: Spec = {
    "amount": positive, "charge": text, "payment_intent": text, "metadata": metadata, "instructions_email": text,
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"), "refund_application_fee": flag,
    "reverse_transfer": flag, "currency": text, "customer": text, "origin": one_of("customer_balance"),
}  # fmt: skip
_CUSTOMER: Spec = {
    "address": anything, "description": text, "email": text, "name": text, "phone": text, "metadata": metadata,
    "shipping": anything, "payment_method": text, "preferred_locales": list_of_text,
}  # fmt: skip
_ENDPOINT: Spec = {
    "url": text, "enabled_events": list_of_text, "api_version": text, "description": text_or_empty, "metadata": metadata,
    "connect": flag,
}  # fmt: skip
_EVENTS: Spec = {**LISTING, "type": text, "types": list_of_text, "delivery_success": flag}


def _list(kind: str, url: str, *filters: str) -> Handler:
    def answer(account: Account, params: Obj) -> Obj:
        return lists.collect(account, kind, url, params, *filters)

    return answer


def _filters(*names: str) -> Spec:
    return {**LISTING, **dict.fromkeys(names, text)}


def _refunds_of_charge(account: Account, params: Obj, id_: str) -> Obj:
    account.get("charge", id_)
    return lists.collect(account, "refund", f"/v1/charges/{id_}/refunds", {**params, "charge": id_}, "charge")


def _event(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("event", id_)


_TABLE: list[tuple[str, str, Spec, Handler]] = [
    ("POST", "/v1/payment_intents", _CREATE_INTENT, payment_intents.create),
    ("GET", "/v1/payment_intents", _filters("customer"), _list("payment_intent", "/v1/payment_intents", "customer")),
    ("GET", "/v1/payment_intents/:id", {"client_secret": text}, payment_intents.retrieve),
    ("POST", "/v1/payment_intents/:id", {**_INTENT, "amount": positive}, payment_intents.update),
    ("POST", "/v1/payment_intents/:id/confirm", _CONFIRM_INTENT, payment_intents.confirm),
    ("POST", "/v1/payment_intents/:id/capture", _CAPTURE, payment_intents.capture),
    ("POST", "/v1/payment_intents/:id/cancel", {"cancellation_reason": _CANCEL_REASONS}, payment_intents.cancel),
    (
        "GET", "/v1/charges", _filters("customer", "payment_intent", "transfer_group"),
        _list("charge", "/v1/charges", "customer", "payment_intent"),
    ),
    ("GET", "/v1/charges/:id", {}, charges.retrieve),
    ("POST", "/v1/charges/:id", {"metadata": metadata, "description": text, "receipt_email": text}, charges.update),
    ("GET", "/v1/charges/:id/refunds", LISTING, _refunds_of_charge),
    ("POST", "/v1/refunds", _REFUND, refunds.create),
    (
        "GET", "/v1/refunds", _filters("charge", "payment_intent"),
        _list("refund", "/v1/refunds", "charge", "payment_intent"),
    ),
    ("GET", "/v1/refunds/:id", {}, refunds.retrieve),
    ("POST", "/v1/refunds/:id", {"metadata": metadata}, refunds.update),
    ("POST", "/v1/refunds/:id/cancel", {}, refunds.cancel),
    ("POST", "/v1/test_helpers/refunds/:id/expire", {}, refunds.expire),
    (
        "GET", "/v1/disputes", _filters("charge", "payment_intent"),
        _list("dispute", "/v1/disputes", "charge", "payment_intent"),
    ),
    ("GET", "/v1/disputes/:id", {}, disputes.retrieve),
    ("POST", "/v1/disputes/:id", {"metadata": metadata, "evidence": mapping, "submit": flag}, disputes.update),
    ("POST", "/v1/disputes/:id/close", {}, disputes.close),
    ("GET", "/v1/balance", {}, balance.retrieve),
    (
        "GET", "/v1/balance_transactions", _filters("type", "source", "currency", "payout"),
        _list("balance_transaction", "/v1/balance_transactions", "type", "source"),
    ),
    ("GET", "/v1/balance_transactions/:id", {}, balance.retrieve_transaction),
    ("GET", "/v1/events", _EVENTS, lists.events),
    ("GET", "/v1/events/:id", {}, _event),
    ("GET", "/v1/payment_methods/:id", {}, payment_methods.retrieve),
    ("POST", "/v1/customers", _CUSTOMER, people.create_customer),
    ("GET", "/v1/customers", {**LISTING, "email": text}, _list("customer", "/v1/customers")),
    ("GET", "/v1/customers/:id", {}, people.retrieve_customer),
    ("POST", "/v1/webhook_endpoints", _ENDPOINT, people.create_endpoint),
    ("GET", "/v1/webhook_endpoints", LISTING, _list("webhook_endpoint", "/v1/webhook_endpoints")),
    ("GET", "/v1/webhook_endpoints/:id", {}, people.retrieve_endpoint),
    ("DELETE", "/v1/webhook_endpoints/:id", {}, people.delete_endpoint),
]  # fmt: skip

ROUTES = [
    Route(method, re.compile(path.replace(":id", r"([A-Za-z0-9_.\-]{1,255})")), spec, handler)
    for method, path, spec, handler in _TABLE
]


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The endpoint of a request and the ids in its path."""
    for route in ROUTES:
        if route.method == method and (match := route.path.fullmatch(path)):
            return route, match.groups()
    return None
