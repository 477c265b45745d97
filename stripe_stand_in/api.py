"""What happens to one API request, in Stripe's order: limiter, key of the account, idempotency, parameters, effect."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from . import API_VERSION, forms, idempotency, lists, routes
from .account import Account, Caller, new_id
from .errors import ApiError, Obj
from .faults import Fault, Faults

_UNKNOWN_ERROR = {"error": {"message": "An unknown error occurred", "type": "api_error"}}


@dataclass(frozen=True)
class Request:
    """An HTTP request, already read. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str


@dataclass
class Answer:
    """What goes back. ``drop`` closes the connection unanswered; ``cut`` sends only so many bytes of the body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    drop: bool = False
    cut: int | None = None


class Api:
    """Stripe's side of the conversation."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self.account = account
        self.faults = faults
        self.keys = idempotency.Keys(account)
        self._window: tuple[int, int] = (0, 0)

    def answer(self, request: Request, noted: Obj) -> Answer:
        """The answer to a request; ``noted`` collects what the request log shows."""
        id_ = new_id("req").replace("req_3", "req_", 1)
        noted["request"] = id_
        try:
            found = self._answer(request, id_, noted)
        except ApiError as error:
            found = Answer(error.status, _encode(error.body(id_)), dict(error.headers))
        found.headers = {"Request-Id": id_, "Stripe-Version": API_VERSION, **found.headers}
        if "idempotency-key" in request.headers:
            found.headers.setdefault("Idempotency-Key", _printable(request.headers["idempotency-key"]))
        return found

    def _answer(self, request: Request, id_: str, noted: Obj) -> Answer:
        params = forms.parse(request.body if request.method == "POST" else request.query)
        noted["params"] = params
        fault = self.faults.take(request.method, request.path, params)
        noted["fault"] = fault.kind if fault else None
        self._limit()
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if fault and (early := _before_everything(fault, key)):
            return early
        self._authorize(request.headers)
        if (
            request.method not in ("GET", "POST", "DELETE")
            or (found := routes.find(request.method, request.path)) is None
        ):
            raise ApiError(
                f"Unrecognized request URL ({request.method}: {request.path}). If you are trying to list objects, remove the "
                "trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) "
                "identifier in your code.", status=404,
            )  # fmt: skip
        route, ids = found
        if key is None:
            answer = self._run(route, ids, params, None, id_, fault)
        else:
            saved = self.keys.begin(key, request.path, params)
            if saved:
                noted["replayed"] = True
                headers = {"Idempotent-Replayed": "true", "Original-Request": saved.request}
                answer = Answer(saved.status, saved.body, headers)
            else:
                try:
                    answer = self._run(route, ids, params, key, id_, fault)
                finally:
                    self.keys.end(key)
        return _after_everything(fault, answer) if fault else answer

    def _run(
        self, route: routes.Route, ids: tuple[str, ...], params: Obj, key: str | None, id_: str, fault: Fault | None
    ) -> Answer:
        typed = forms.check(params, route.spec)
        if fault:
            _wait(fault, "before")
        if latency := self.account.settings["latency_ms"]:
            time.sleep(latency / 1000)
        if fault and fault.kind == "error" and fault.get("when", "before") == "before":
            return self._save_500(key, id_)
        if route.method == "GET":
            with self.account.store.lock:
                body = route.handler(self.account, typed, *ids)
                return Answer(200, _encode(lists.expand(self.account, body, typed["expand"])))
        answer = self._effect(route, ids, typed, key, id_, fault)
        if fault:
            _wait(fault, "after")
        return answer

    def _effect(
        self, route: routes.Route, ids: tuple[str, ...], typed: Obj, key: str | None, id_: str, fault: Fault | None
    ) -> Answer:
        """Run the endpoint and save its answer under the key, in one transaction."""
        refusal: ApiError | None = None
        try:
            with self.account.transaction(Caller(id_, key)):
                try:
                    body = lists.expand(self.account, route.handler(self.account, typed, *ids), typed["expand"])
                    answer = Answer(200, _encode(body))
                except ApiError as error:
                    if not error.keep_effects:
                        raise
                    answer = Answer(error.status, _encode(error.body(id_)))
                if fault and fault.kind == "error":
                    answer = Answer(500, _encode(_UNKNOWN_ERROR))
                if key is not None:
                    self.keys.save(key, answer.status, answer.body, id_)
                return answer
        except ApiError as error:
            refusal = error
        answer = Answer(refusal.status, _encode(refusal.body(id_)))
        if key is not None and refusal.saved:
            with self.account.store.transaction():
                self.keys.save(key, answer.status, answer.body, id_)
        return answer

    def _save_500(self, key: str | None, id_: str) -> Answer:
        answer = Answer(500, _encode(_UNKNOWN_ERROR))
        if key is not None:
            with self.account.store.transaction():
                self.keys.save(key, answer.status, answer.body, id_)
        return answer

    def _authorize(self, headers: dict[str, str]) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[0]
            except ValueError:
                given = ""
        given = given.strip()
        if not given or scheme.lower() not in ("bearer", "basic"):
            raise ApiError(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
                "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').", status=401,
            )  # fmt: skip
        if not hmac.compare_digest(given.encode(), self.account.key.encode()):
            raise ApiError(f"Invalid API Key provided: {given[:8]}{'*' * 8}{given[-4:]}", status=401)

    def _limit(self) -> None:
        limit = self.account.settings["rate_limit"]
        if limit is None:
            return
        second = int(time.monotonic())
        with self.account.store.lock:
            count = self._window[1] + 1 if self._window[0] == second else 1
            self._window = (second, count)
        if count > limit:
            raise too_many(1, "global-rate")


def too_many(retry_after: int, reason: str) -> ApiError:
    """429. An empty reason is contention on one object (`lock_timeout`), which names no limit."""
    headers = {"Retry-After": str(retry_after)}
    if not reason:
        message = (
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it."
        )
        return ApiError(message, status=429, code="lock_timeout", headers=headers, saved=False)
    headers["Stripe-Rate-Limited-Reason"] = reason
    return ApiError("Request rate limit exceeded.", status=429, code="rate_limit", headers=headers, saved=False)


def _before_everything(fault: Fault, key: str | None) -> Answer | None:
    """What answers instead of the API, with nothing done."""
    if fault.kind == "drop_before":
        return Answer(0, b"", drop=True)
    if fault.kind == "conflict":
        raise idempotency.in_use(key or "")
    if fault.kind == "rate_limit":
        raise too_many(fault.get("retry_after", 1), fault.get("reason", "global-rate"))
    if fault.kind == "answer":
        error = {"error": fault.get("error", {"message": "Answered on demand.", "type": "api_error"})}
        return Answer(fault.get("status", 400), _encode(error), _headers(fault))
    if fault.kind == "gateway" and fault.get("when", "before") == "before":
        return _gateway(fault)
    return None


def _after_everything(fault: Fault, answer: Answer) -> Answer:
    """What becomes of an answer on its way back."""
    if fault.kind == "timeout_after":
        time.sleep(fault.get("hang_ms", 0) / 1000)
        return Answer(0, b"", drop=True)
    if fault.kind == "gateway":
        return _gateway(fault)
    if fault.kind == "malformed":
        answer.body = answer.body[: len(answer.body) // 2]
    if fault.kind == "truncated":
        answer.cut = len(answer.body) // 2
    answer.headers.update(_headers(fault))
    return answer


def _gateway(fault: Fault) -> Answer:
    page = b"<html><head><title>Bad gateway</title></head><body>upstream did not answer</body></html>"
    return Answer(fault.get("status", 502), page, _headers(fault), content_type="text/html")


def _wait(fault: Fault, side: str) -> None:
    """The wait of `delay` and `hold`, on the asked side of the effect."""
    if fault.kind not in ("delay", "hold") or side != fault.get("when", "before"):
        return
    if fault.kind == "delay":
        time.sleep(fault.get("ms", 0) / 1000)
    else:
        fault.hold()


def _headers(fault: Fault) -> dict[str, str]:
    return {str(name): _printable(str(value)) for name, value in fault.get("headers", {}).items()}


def _printable(value: str) -> str:
    return "".join(c for c in value if 32 <= ord(c) < 127)[:300]


def _encode(body: Any) -> bytes:
    return json.dumps(body).encode()
