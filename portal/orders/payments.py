"""Paying for imported orders with test money, so that a copied order book has payments that can be refunded (port).

In: an amount and an order's number. Out: the payment's id at the service. Invariant: the same order is paid once, however often
it is asked for. Never: real money; an adapter refuses a key that could move any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from portal.errors import ConfigError
from portal.orders.incoming import IncomingOrder, IncomingPayment
from portal.orders.prepare import Prepared

PAYABLE = frozenset({"stripe", "external"})
"""Providers whose part is paid anew: Stripe without an id, and money of which nobody knows where it was taken."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that succeeded: its id, and what the customer calls it."""

    payment_intent: str
    method: str


class PaymentMaker(Protocol):
    """Something that can create and confirm a payment in test mode."""

    def pay(self, amount_minor: int, currency: str, order_number: str, *, key: str) -> Paid:
        """Pay ``amount_minor``. The same ``key`` pays once. Raises `UpstreamError` when it was refused."""
        ...


def no_payment_maker() -> PaymentMaker:
    """What stands in where none is set up. Raises `ConfigError`."""
    raise ConfigError("this installation cannot make test payments")


def pay_order(maker: PaymentMaker, ready: Prepared) -> Prepared:
    """The order with its payments made. Parts that were paid otherwise (a gift card, cash) stay as they are."""
    order = ready.order
    if not order.payments and ready.frozen.total_minor:
        order = replace(order, payments=(IncomingPayment("external", ready.frozen.total_minor),))
    payments = tuple(
        _pay(maker, order, payment, ready.digest, at) for at, payment in enumerate(order.payments, start=1)
    )
    return ready._replace(order=replace(order, payments=payments))


def _pay(maker: PaymentMaker, order: IncomingOrder, payment: IncomingPayment, digest: str, at: int) -> IncomingPayment:
    if payment.provider not in PAYABLE or payment.payment_intent or not payment.captured_minor:
        return payment
    # The digest keeps the keys of two imports apart that share numbers but not content (a sample shop made anew).
    key = f"order-payment:{order.number}:{digest[:16]}:{at}"
    paid = maker.pay(payment.captured_minor, order.currency, order.number, key=key)
    return replace(payment, provider="stripe", payment_intent=paid.payment_intent, method=paid.method, reference="")
