"""What Stripe has captured of a payment, where the orders that name it say more: an order's own figure is told, not proved.

In: a payment's id at Stripe. Out: its rows lowered until together they say what was captured, so that the ceiling of each row is
one ceiling for all orders that share the payment. Invariants: the newest order's row gives way first, as it came to money that
was spoken for; no row falls below what went back or is promised. Never: a row raised, which would invent money.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from portal import clock, jobs, timeline
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds.gateway import Gateway, PaymentView
from portal.refunds.models import Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import find_payments, lock_orders
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.wording import said

NOT_ENOUGH = frozenset({"amount_too_large", "charge_already_refunded"})
"""Stripe's refusals that may mean that less was captured than the shop's orders say."""

SHARED = (
    select(Payment.payment_intent)
    .where(Payment.payment_intent.is_not(None))
    .group_by(Payment.payment_intent)
    .having(func.count(Payment.order_id.distinct()) > 1)
)
"""The payments that several orders share."""


def look_at_shared(database: Database, gateway: Gateway) -> None:
    """`look` at each payment that several orders share: one that was only authorized when they came may be captured by now."""
    with database.read() as session:
        intents = sorted(intent for intent in session.scalars(SHARED) if intent)
    for intent in intents:
        look(database, gateway, intent)


def look(database: Database, gateway: Gateway, payment_intent: str) -> None:
    """Ask what was captured and hold the rows to it. Raises `jobs.Later` when Stripe cannot be reached now."""
    try:
        view = gateway.read_payment(payment_intent)
    except UpstreamError as error:
        if not error.retryable:
            return
        pause = timedelta(seconds=error.retry_after or 60)
        raise jobs.Later(clock.now() + pause, f"{error.code}: {error.staff_message}") from error
    with database.transaction(STRIPE) as tx:
        orders = select(Payment.order_id).where(Payment.payment_intent == payment_intent)
        lock_orders(tx.session, list(tx.session.scalars(orders)))
        rows = find_payments(tx.session, payment_intent)
        sentence = disagreement(rows, view)
        if sentence:
            _lower(tx, rows, view, sentence)
            _tell(tx, rows, sentence)


def disagreement(rows: list[Payment], view: PaymentView) -> str:
    """How the rows of a payment say more than Stripe captured, as a sentence for staff; empty when they don't.

    What was authorized and given free counts as captured here: `release` has charged the rows with it.
    """
    told, there = sum(row.captured_minor for row in rows), view.captured_minor + view.released_minor
    if view.status != "succeeded" or not rows or rows[0].currency != view.currency or told <= there:
        return ""
    say = "the order says" if len({row.order_id for row in rows}) == 1 else "the orders that share it say"
    return f"Stripe captured {said(Money(there, view.currency))} of this payment, {say} {said(Money(told, view.currency))}."


def _lower(tx: Tx, rows: list[Payment], view: PaymentView, sentence: str) -> None:
    excess = sum(row.captured_minor for row in rows) - view.captured_minor - view.released_minor
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        less = min(excess, row.refundable_minor)
        if less <= 0:
            continue
        excess -= less
        row.captured_minor -= less
        tx.session.flush()
        now = said(Money(row.captured_minor, row.currency))
        timeline.record(
            tx, "payment.captured_less", order_id=row.order_id, why=f"{sentence} Of this order, {now} counts from now on.",
            data={"payment_intent": view.payment_intent, "captured": row.captured_minor, "currency": row.currency},
        )  # fmt: skip


def _tell(tx: Tx, rows: list[Payment], sentence: str) -> None:
    """The open questions about refunds that found too little say why."""
    asked = (
        select(Review)
        .join(Refund, Refund.id == Review.refund_id)
        .where(
            Refund.payment_id.in_([row.id for row in rows]),
            Refund.failure_code.in_(NOT_ENOUGH),
            Review.kind == reviews.REFUND_FAILED,
            Review.status.in_(reviews.UNDECIDED),
        )
    )
    for review in tx.session.scalars(asked).all():
        if sentence not in review.why:
            review.why = f"{review.why} {sentence}"
