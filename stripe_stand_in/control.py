"""`/_control/`: what tests and people order about. JSON in, JSON out; README.md of this folder lists every call."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from . import balance, disputes, faults, payment_intents, people, refunds, settle, webhooks
from .account import Account, public
from .api import Answer, Request
from .currencies import SUPPORTED
from .errors import ApiError, Obj

_LONGEST_JUMP = 400 * 86400


class Control:
    """One method per call; `_TABLE` at the end says which path is which."""

    def __init__(self, account: Account, faults_: faults.Faults, log: deque[Obj], courier: webhooks.Courier) -> None:
        self.account = account
        self.faults = faults_
        self.log = log
        self.courier = courier

    def answer(self, request: Request) -> Answer:
        """The answer to a control request; a refusal is 400 or 404 with a sentence."""
        try:
            for method, pattern, call in _TABLE:
                match = re.fullmatch(pattern, request.path.removeprefix("/_control"))
                if match and method == request.method:
                    return _json(200, call(self, _body(request), *match.groups()))
            raise ApiError(f"No control call {request.method} {request.path}; README.md lists them.", status=404)
        except ApiError as error:
            return _json(error.status, {"error": {"message": error.message, "param": error.param, "code": error.code}})

    # -- looking -------------------------------------------------------------------------------------------------

    def health(self, body: Obj) -> Obj:
        return {"ok": True, "now": self.account.now(), "settings": self.account.settings}

    def objects(self, body: Obj, kind: str) -> Obj:
        """Everything of a kind, oldest first, unpaged."""
        name = {"payments": "payment_intent"}.get(kind, kind.removesuffix("s"))
        return {"data": [public(found) for found in self.account.store.all(name)]}

    def requests(self, body: Obj) -> Obj:
        return {"data": list(self.log)}

    def forget_requests(self, body: Obj) -> Obj:
        self.log.clear()
        return {}

    def deliveries(self, body: Obj) -> Obj:
        return {"data": webhooks.list_deliveries(self.account)}

    # -- faults --------------------------------------------------------------------------------------------------

    def add_fault(self, body: Obj) -> Obj:
        return self.faults.add(body)

    def list_faults(self, body: Obj) -> Obj:
        return {"data": self.faults.show_all()}

    def clear_faults(self, body: Obj) -> Obj:
        self.faults.clear()
        return {}

    def release_held(self, body: Obj) -> Obj:
        return {"released": self.faults.release(_field(body, "id", int, None))}

    # -- webhooks ------------------------------------------------------------------------------------------------

    def set_endpoint(self, body: Obj) -> Obj:
        """Replace all endpoints by one; several secrets sign as during a roll."""
        secrets = _field(body, "secrets", list, None) or [_field(body, "secret", str)]
        with self.account.store.transaction():
            for old in self.account.store.all("webhook_endpoint"):
                people.delete_endpoint(self.account, {}, old["id"])
            endpoint = people.add_endpoint(self.account, _field(body, "url", str), [str(s) for s in secrets], {})
        return public(endpoint)

    def release_webhooks(self, body: Obj) -> Obj:
        only = _field(body, "only", list, None)
        order, seed = _field(body, "order", str, "created"), _field(body, "seed", int, 0)
        return {"released": webhooks.release(self.account, order, only, seed)}

    def wait_for_webhooks(self, body: Obj) -> Obj:
        return {"idle": self.courier.wait_until_idle(min(_field(body, "seconds", int, 10), 60))}

    def resend_event(self, body: Obj, id_: str) -> Obj:
        return {"queued": webhooks.resend(self.account, id_)}

    # -- money ---------------------------------------------------------------------------------------------------

    def set_balance(self, body: Obj) -> Obj:
        currency, amount = _currency(body), _field(body, "available", int)
        with self.account.transaction():
            balance.set_available(self.account, currency, amount)
            refunds.pay_waiting(self.account, currency)
        return {"currency": currency, "available": balance.available(self.account, currency)}

    def refund_by_hand(self, body: Obj) -> Obj:
        """A refund made in the Dashboard: the same rules, and an event that names no request."""
        params = {k: v for k, v in body.items() if k in ("payment_intent", "charge", "amount", "reason", "metadata")}
        if "amount" in params and _field(params, "amount", int) < 1:
            raise ApiError("amount must be at least 1 minor unit.", param="amount")
        for name in ("payment_intent", "charge", "reason"):
            _field(params, name, str, None)
        with self.account.transaction():
            if not {"payment_intent", "charge"} & set(params):
                raise ApiError("Name the payment_intent or the charge to refund.", param="payment_intent")
            return public(refunds.make(self.account, refunds.refundable_charge(self.account, params), params))

    def change_refund(self, body: Obj, id_: str) -> Obj:
        wanted: Obj = {
            name: _field(body, name, str) for name in ("status", "failure_reason", "pending_reason") if name in body
        }
        if wanted.get("failure_reason", "unknown") not in refunds.FAILURES:
            raise ApiError(f"failure_reason must be one of {', '.join(refunds.FAILURES)}.", param="failure_reason")
        if wanted.get("pending_reason", "processing") not in refunds.PENDING_REASONS:
            raise ApiError(
                f"pending_reason must be one of {', '.join(refunds.PENDING_REASONS)}.", param="pending_reason"
            )
        with self.account.transaction():
            refund = self.account.get("refund", id_)
            if body.get("reference"):
                wanted["reference"] = (
                    refunds.new_reference(refund) if body["reference"] is True else str(body["reference"])
                )
            return public(refunds.change(self.account, refund, wanted))

    def open_dispute(self, body: Obj) -> Obj:
        with self.account.transaction():
            id_ = _field(body, "charge", str, None)
            if id_ is None:
                id_ = self.account.get("payment_intent", _field(body, "payment_intent", str))["latest_charge"]
            charge = self.account.get("charge", id_ or "")
            status, reason = _field(body, "status", str, "needs_response"), _field(body, "reason", str, "fraudulent")
            amount = _field(body, "amount", int, None)
            return public(disputes.open_dispute(self.account, charge, status, amount, reason))

    def change_dispute(self, body: Obj, id_: str) -> Obj:
        with self.account.transaction():
            return public(disputes.change(self.account, id_, _field(body, "status", str)))

    def authenticate(self, body: Obj, id_: str) -> Obj:
        with self.account.transaction():
            return public(payment_intents.authenticate(self.account, id_, bool(body.get("passed", True))))

    # -- the whole -----------------------------------------------------------------------------------------------

    def configure(self, body: Obj) -> Obj:
        self.account.configure(body)
        return self.account.settings

    def advance_clock(self, body: Obj) -> Obj:
        seconds = _field(body, "seconds", int)
        if not 0 <= seconds <= _LONGEST_JUMP:
            raise ApiError(f"seconds must be from 0 to {_LONGEST_JUMP}; the clock only goes forward.", param="seconds")
        with self.account.store.lock:  # so that the ticker does not take a part of what this answer counts
            self.account.advance(seconds)
            return {"now": self.account.now(), "happened": settle.run_due(self.account)}

    def run_due(self, body: Obj) -> Obj:
        return {"happened": settle.run_due(self.account)}

    def reset(self, body: Obj) -> Obj:
        """Forget everything except the webhook endpoints; settings and clock as at the start."""
        self.faults.clear()
        with self.account.store.lock:
            endpoints = self.account.store.all("webhook_endpoint")
            self.account.reset()
            for endpoint in endpoints:
                self.account.store.insert(endpoint)
        self.log.clear()
        return {}


def _body(request: Request) -> Obj:
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise ApiError("The body must be JSON.") from None
    if not isinstance(body, dict):
        raise ApiError("The body must be a JSON object.")
    return body


_REQUIRED = object()


def _field(body: Obj, name: str, type_: type[Any], default: Any = _REQUIRED) -> Any:
    value = body.get(name)
    if value is None and default is not _REQUIRED:
        return default
    wrong = not isinstance(value, type_) or isinstance(value, bool)
    if wrong or (isinstance(value, int) and abs(value) >= 2**60):
        raise ApiError(f"{name} must be given as {type_.__name__}.", param=name)
    return value


def _currency(body: Obj) -> str:
    currency = str(_field(body, "currency", str)).lower()
    if currency not in SUPPORTED:
        raise ApiError(f"Unknown currency {currency!r}.", param="currency")
    return currency


def _json(status: int, body: Obj) -> Answer:
    return Answer(status, json.dumps(body, indent=2).encode())


_ID = r"([A-Za-z0-9_]{1,100})"
_TABLE: list[tuple[str, str, Callable[..., Obj]]] = [
    ("GET", "/health", Control.health),
    ("GET", "/(payments|charges|refunds|disputes|events|balance_transactions|customers)", Control.objects),
    ("GET", "/requests", Control.requests),
    ("DELETE", "/requests", Control.forget_requests),
    ("GET", "/deliveries", Control.deliveries),
    ("POST", "/faults", Control.add_fault),
    ("GET", "/faults", Control.list_faults),
    ("DELETE", "/faults", Control.clear_faults),
    ("POST", "/faults/release", Control.release_held),
    ("POST", "/webhooks", Control.set_endpoint),
    ("POST", "/webhooks/release", Control.release_webhooks),
    ("POST", "/webhooks/wait", Control.wait_for_webhooks),
    ("POST", f"/events/{_ID}/resend", Control.resend_event),
    ("POST", "/balance", Control.set_balance),
    ("POST", "/refunds", Control.refund_by_hand),
    ("POST", f"/refunds/{_ID}", Control.change_refund),
    ("POST", "/disputes", Control.open_dispute),
    ("POST", f"/disputes/{_ID}", Control.change_dispute),
    ("POST", f"/payment_intents/{_ID}/authenticate", Control.authenticate),
    ("POST", "/settings", Control.configure),
    ("POST", "/clock", Control.advance_clock),
    ("POST", "/clock/due", Control.run_due),
    ("POST", "/reset", Control.reset),
]
