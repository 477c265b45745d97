"""Stripe's error bodies as exceptions. Messages are worded as stripe-facts and public integrations quote them."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


class ApiError(Exception):
    """A refusal in Stripe's shape.

    ``saved`` says whether the answer is kept under the request's idempotency key: Stripe keeps what the endpoint answered
    once it began executing, and forgets parameter errors. ``keep_effects`` is for the decline, which leaves a failed charge.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        keep_effects: bool = False,
        extra: Obj | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.type, self.code, self.param = message, status, type, code, param
        self.saved, self.keep_effects, self.extra, self.headers = saved, keep_effects, extra or {}, headers or {}

    def body(self, request_id: str) -> Obj:
        """The JSON that goes out, with the request's id in the log address as Stripe does."""
        error: Obj = {"message": self.message, "type": self.type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**error, **self.extra}}


def invalid(message: str, code: str | None, param: str | None) -> ApiError:
    """A parameter error: found before execution, so it is not saved under the key."""
    return ApiError(message, code=code, param=param, saved=False)


def missing_object(kind: str, id_: str, param: str = "id") -> ApiError:
    """404 ``resource_missing``: unknown here, or of the other mode or another account."""
    name = {"payment_intent": "payment_intent", "payment_method": "PaymentMethod"}.get(kind, kind)
    return ApiError(f"No such {name}: '{id_}'", status=404, code="resource_missing", param=param)
