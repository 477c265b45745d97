"""Stripe as the portal's `Gateway`.

In: requests in the order's minor units. Out: views in the same units; every failure as `UpstreamError` by Stripe's own code.
Invariants: no retry here (the job engine sends again, with the same key and parameters); what may have taken effect is
marked `effect_unknown`. Never: `reason=fraudulent` (it blocks the card), an `expand` on a refund, telemetry, the key in a log.
Source of the rules: docs.stripe.com on refunds, idempotent requests, low-level errors; stripe-python 16.1.0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
import stripe
import structlog

from portal.adapters.stripe_money import AmountNotPayable, from_stripe, to_stripe
from portal.errors import UpstreamError
from portal.refunds.gateway import PaymentView, RefundRequest, RefundView, Span

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT, READ_TIMEOUT = 3.0, 20.0
PAGE = 100
RELEASED_REFUND = "released_refund"
"""The key in a payment's metadata that names the refund in whose place less was captured."""
NEUTRAL = "The payment service could not be reached or refused. Nobody has to do anything twice; we look after it."

# An inquiry (warning_…) takes no money and forbids nothing; a chargeback that was won or prevented gave the money back.
_HARMLESS_DISPUTES = frozenset({"won", "prevented", "warning_needs_response", "warning_under_review", "warning_closed"})
_BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover", "jcb": "JCB"}

# Telemetry writes an id into the home directory and sends platform data; a self-hosted product does neither.
stripe.enable_telemetry = False

Answer = TypeVar("Answer")


class StripeGateway:
    """One Stripe account. ``api_base`` points to Stripe or to its stand-in; ``session`` may bring another way to carry HTTP."""

    def __init__(
        self,
        api_key: str,
        api_base: str,
        *,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
        session: requests.Session | None = None,
    ) -> None:
        self._key = api_key
        self._client: stripe.StripeClient | None = None
        if api_key:
            self._client = stripe.StripeClient(
                api_key,
                base_addresses={"api": api_base.rstrip("/")},
                max_network_retries=0,
                http_client=stripe.RequestsClient(timeout=timeout, session=session),
            )

    def create_refund(self, request: RefundRequest) -> RefundView:
        """See `Gateway`. The amount is always sent: without it Stripe would pay out whatever happens to be left."""
        form: dict[str, Any] = {
            "payment_intent": request.payment_intent,
            "amount": _payable(request.amount_minor, request.currency),
            "reason": "requested_by_customer",
            "metadata": dict(request.metadata),
        }
        options = {"idempotency_key": request.idempotency_key}
        refunds = self._v1().refunds
        view = _refund_view(_ask(lambda: refunds.create(params=form, options=options)))
        if view.unreadable:
            raise _unknown("unreadable_amount", view.unreadable)
        return view

    def read_refund(self, refund_id: str) -> RefundView:
        """See `Gateway`."""
        refunds = self._v1().refunds
        return _refund_view(_ask(lambda: refunds.retrieve(refund_id)))

    def list_refunds(self, of: str | Span) -> list[RefundView]:
        """See `Gateway`."""
        refunds = self._v1().refunds
        wanted: dict[str, Any] = {"payment_intent": of} if isinstance(of, str) else {"created": _created(of)}

        def all_pages() -> list[stripe.Refund]:
            first = refunds.list(params={**wanted, "limit": PAGE})
            return list(first.auto_paging_iter())

        return [_refund_view(refund) for refund in _ask(all_pages)]

    def read_payment(self, payment_intent: str) -> PaymentView:
        """See `Gateway`."""
        v1 = self._v1()
        intent = _ask(
            lambda: v1.payment_intents.retrieve(payment_intent, params={"expand": ["latest_charge"]})
        ).to_dict()
        disputes = _ask(
            lambda: list(v1.disputes.list(params={"payment_intent": payment_intent, "limit": PAGE}).auto_paging_iter())
        )
        statuses = [str(dispute.status) for dispute in disputes]
        harmful = [status for status in statuses if status not in _HARMLESS_DISPUTES]
        currency = intent["currency"].upper()
        charge = intent.get("latest_charge") or {}
        captured = charge.get("amount_captured") or 0
        # What was given free looks like a refund there: the rest of a capture, or all of a payment that was canceled.
        ended = captured or intent["status"] == "canceled"
        released = (charge.get("amount") or 0) - captured if ended and charge.get("status") == "succeeded" else 0
        return PaymentView(
            payment_intent=payment_intent,
            status=intent["status"],
            currency=currency,
            captured_minor=_readable(captured, currency),
            refunded_minor=_readable(max((charge.get("amount_refunded") or 0) - released, 0), currency),
            released_minor=_readable(released, currency),
            method=_method_label(charge.get("payment_method_details") or {}),
            frozen=bool(harmful),
            dispute_status=(harmful or statuses or [""])[0],
            capturable_minor=_readable(intent.get("amount_capturable") or 0, currency),
            released_for=(intent.get("metadata") or {}).get(RELEASED_REFUND, ""),
        )

    def cancel_payment(self, payment_intent: str, key: str) -> PaymentView:
        """See `Captures`."""
        form = {"cancellation_reason": "requested_by_customer"}
        intents = self._v1().payment_intents
        _ask(lambda: intents.cancel(payment_intent, params=form, options={"idempotency_key": key}))
        return self.read_payment(payment_intent)

    def capture_payment(
        self, payment_intent: str, amount_minor: int, currency: str, key: str, *, instead_of: str
    ) -> PaymentView:
        """See `Captures`."""
        form = {"amount_to_capture": _payable(amount_minor, currency), "metadata": {RELEASED_REFUND: instead_of}}
        intents = self._v1().payment_intents
        _ask(lambda: intents.capture(payment_intent, params=form, options={"idempotency_key": key}))
        return self.read_payment(payment_intent)

    def check(self) -> str:
        """One harmless call that needs the permission refunds need; for `doctor`. Returns what was reached."""
        refunds = self._v1().refunds
        _ask(lambda: refunds.list(params={"limit": 1}))
        mode = "test" if self._key.startswith(("sk_test_", "rk_test_")) else "live"
        return f"Stripe answers, {mode} mode"

    def _v1(self) -> Any:
        if self._client is None:
            raise UpstreamError(
                "no_api_key",
                retryable=True,
                public_message=NEUTRAL,
                staff_message="PORTAL_STRIPE_API_KEY is not set, so no refund can be sent.",
            )
        return self._client.v1


def _created(span: Span) -> dict[str, int]:
    return {"gte": int(span.since.timestamp()), "lt": int(span.until.timestamp())}


def _payable(amount_minor: int, currency: str) -> int:
    """The amount in Stripe's unit. Raises `UpstreamError` for one that Stripe cannot pay."""
    try:
        return to_stripe(amount_minor, currency)
    except AmountNotPayable as error:
        raise UpstreamError(
            "amount_not_payable",
            retryable=False,
            public_message=NEUTRAL,
            staff_message=str(error),
        ) from error


def _readable(amount: int, currency: str) -> int:
    """Stripe's amount in our unit. Raises `UpstreamError` for one that is between two of them: asking again would not help."""
    try:
        return from_stripe(amount, currency)
    except AmountNotPayable as error:
        raise UpstreamError(
            "unreadable_amount", retryable=False, public_message=NEUTRAL, staff_message=str(error)
        ) from error


def _ask(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except stripe.StripeError as error:
        raise _upstream(error) from error


def _unknown(code: str, sentence: str, retry_after: float | None = None) -> UpstreamError:
    return UpstreamError(
        code,
        retryable=True,
        public_message=NEUTRAL,
        staff_message=sentence,
        effect_unknown=True,
        retry_after=retry_after,
    )


def _upstream(error: stripe.StripeError) -> UpstreamError:
    """Stripe's failure as ours, by class, status and code; never by the wording of its message."""
    sentence = error.user_message or str(error)
    # The SDK copies the code onto some of its classes only; the error body has it always.
    status, code = error.http_status, error.code or getattr(error.error, "code", None) or ""
    retry_after = _retry_after(error)
    if isinstance(error, stripe.APIConnectionError):
        found = _unknown("no_answer", "Stripe did not answer in time or the connection broke.")
    elif isinstance(error, stripe.IdempotencyError):
        # The key was used with other parameters or elsewhere: something of ours was sent under it. Look, never send again.
        found = UpstreamError(
            "idempotency_error",
            retryable=False,
            public_message=NEUTRAL,
            staff_message=sentence,
            effect_unknown=True,
        )
    elif isinstance(error, stripe.RateLimitError) or status == 429:
        # Without this header a 429 is about one object that another request holds; all others may go on.
        account_wide = "stripe-rate-limited-reason" in _headers(error)
        found = _no_effect(code or ("rate_limit" if account_wide else "lock_timeout"), sentence, retry_after)
        found.slow_down = account_wide
    elif isinstance(error, stripe.AuthenticationError):
        found = _no_effect("authentication", f"Stripe does not accept PORTAL_STRIPE_API_KEY: {sentence}", retry_after)
    elif isinstance(error, stripe.PermissionError):
        found = _no_effect("permission", f"PORTAL_STRIPE_API_KEY lacks a permission: {sentence}", retry_after)
    elif status == 409:
        found = _unknown(code or "conflict", sentence, retry_after)
    elif isinstance(error, stripe.InvalidRequestError | stripe.CardError):
        found = UpstreamError(
            _refusal_code(error, code, sentence),
            retryable=False,
            public_message=NEUTRAL,
            staff_message=sentence,
        )
    else:
        # 5xx, a body that is no JSON, a status nobody has heard of: it may have been done.
        found = _unknown(code or f"http_{status or 0}", sentence, retry_after)
        found.slow_down = retry_after is not None
    log.warning("stripe refused", code=found.code, request_id=error.request_id, http_status=status)
    return found


def _no_effect(code: str, sentence: str, retry_after: float | None) -> UpstreamError:
    return UpstreamError(
        code,
        retryable=True,
        public_message=NEUTRAL,
        staff_message=sentence,
        retry_after=retry_after,
    )


def _refusal_code(error: stripe.InvalidRequestError | stripe.CardError, code: str, sentence: str) -> str:
    """Stripe's code; the two refusals of a refund that have none get one of ours by their parameter."""
    if code:
        return code
    if error.param == "amount":
        return "amount_too_large"
    # The only refusal of a refund that can be told by nothing but its words; a wrong guess changes only the help staff read.
    return "not_captured" if "does not have a successful charge" in sentence else "refused"


def _headers(error: stripe.StripeError) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(error.headers or {}).items()}


def _retry_after(error: stripe.StripeError) -> float | None:
    try:
        return max(0.0, min(float(_headers(error)["retry-after"]), 3600.0))
    except (KeyError, ValueError):
        return None


def _refund_view(refund: stripe.Refund) -> RefundView:
    data = refund.to_dict()
    currency = data["currency"].upper()
    amount_minor, unreadable = 0, ""
    try:
        amount_minor = from_stripe(data["amount"], currency)
    except AmountNotPayable as error:
        # One amount that nobody can count hides no other refund of a list.
        unreadable = str(error)
    card = (data.get("destination_details") or {}).get("card") or {}
    return RefundView(
        id=data["id"],
        status=data.get("status") or "pending",
        amount_minor=amount_minor,
        currency=currency,
        payment_intent=data.get("payment_intent") or "",
        created_at=datetime.fromtimestamp(data["created"], UTC),
        metadata=dict(data.get("metadata") or {}),
        failure_reason=data.get("failure_reason") or "",
        pending_reason=data.get("pending_reason") or "",
        bank_reference=card.get("reference") or "",
        reversal=card.get("type") == "reversal",
        reference_status=card.get("reference_status") or "",
        unreadable=unreadable,
    )


def _method_label(details: dict[str, Any]) -> str:
    card = details.get("card")
    if card and card.get("last4"):
        brand = card.get("brand") or ""
        return f"{_BRANDS.get(brand, brand.capitalize() or 'Card')} ending {card['last4']}"
    return str(details.get("type") or "").replace("_", " ").capitalize()
