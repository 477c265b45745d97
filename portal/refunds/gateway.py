"""The port to whoever holds the captured money (Stripe).

In: a `RefundRequest` that was stored before the call and is sent unchanged on every try. Out: what the gateway says now.
Invariants: amounts are minor units of the order's currency on this side, whatever unit the vendor counts in; every method
raises `UpstreamError` and nothing else. Never: a retry inside the adapter (the job engine retries, with the same key), a
vendor's object, a call inside a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """One refund to be made. ``metadata`` names our row, so that it is found again without its id at the gateway."""

    payment_intent: str
    amount_minor: int
    currency: str
    idempotency_key: str
    metadata: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.amount_minor <= 0:
            raise ValueError("a refund is a positive number of minor units")

    def to_params(self) -> dict[str, Any]:
        """What is stored beside the key and never changes."""
        return {
            "payment_intent": self.payment_intent,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_params(cls, params: Mapping[str, Any], idempotency_key: str) -> RefundRequest:
        """The request that `to_params` stored."""
        return cls(
            params["payment_intent"],
            params["amount_minor"],
            params["currency"],
            idempotency_key,
            dict(params["metadata"]),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """From ``since`` up to but not including ``until``, by the gateway's own clock, in whole seconds."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund as the gateway shows it. ``status`` is its own word: pending, requires_action, succeeded, failed, canceled …"""

    id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent: str
    created_at: datetime
    metadata: Mapping[str, str]
    failure_reason: str = ""
    pending_reason: str = ""
    bank_reference: str = ""
    """The acquirer reference number (ARN), once the bank has given it."""
    reversal: bool = False
    """The charge vanishes from the statement instead of a credit appearing; there is no bank reference then."""
    reference_status: str = ""
    """pending, available, unavailable; empty where the way of payment knows no such number."""
    unreadable: str = ""
    """Why its amount is no amount of the currency; ``amount_minor`` is 0 then, and nothing is counted."""


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as the gateway shows it. ``released_minor`` was authorized and never captured; the gateway shows it as if it
    had been refunded, and no customer was paid with it."""

    payment_intent: str
    status: str
    currency: str
    captured_minor: int
    refunded_minor: int
    released_minor: int
    method: str
    """What the customer calls it: ``Visa ending 4242``."""
    frozen: bool
    """A chargeback is open or lost: nothing may be refunded."""
    dispute_status: str = ""
    capturable_minor: int = 0
    """Authorized and still to be captured; nothing of it was taken from the customer yet."""
    released_for: str = ""
    """The number of the refund in whose place `Captures.capture_payment` took less; kept by the gateway with the payment."""


class Gateway(Protocol):
    """What the portal needs of a payment service."""

    def create_refund(self, request: RefundRequest) -> RefundView:
        """Ask for the refund. The same request with the same key never makes a second one while the key lives (24 h)."""

    def read_refund(self, refund_id: str) -> RefundView:
        """One refund as it is now."""

    def list_refunds(self, of: str | Span) -> list[RefundView]:
        """Every refund of a payment (by its id), or of the whole account in a span of time; all pages, newest first."""

    def read_payment(self, payment_intent: str) -> PaymentView:
        """One payment as it is now, with its disputes."""

    def check(self) -> str:
        """One harmless call that needs what refunds need; says what was reached. For `portal doctor`."""


class Captures(Protocol):
    """What is done with money that was authorized and not captured: it is given free instead of refunded."""

    def cancel_payment(self, payment_intent: str, key: str) -> PaymentView:
        """Give all of it free. ``key`` makes a repeated call the same call."""

    def capture_payment(
        self, payment_intent: str, amount_minor: int, currency: str, key: str, *, instead_of: str
    ) -> PaymentView:
        """Take ``amount_minor`` and give the rest free ``instead_of`` the refund of this number, which the payment then names.
        It can be done once only."""
