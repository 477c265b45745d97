"""What Stripe has captured of a payment, where the orders that name it say more: an order's own figure is told, not proved.

In: a payment's id at Stripe. Out: its rows lowered until together they say what was captured, so that the ceiling of each row is
one ceiling for all orders that share the payment. Invariants: the newest order's row gives way first, as it came to money that
was spoken for; no row falls below what went back, store credit included, or is promised. Never: a row raised, which would invent
money.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import clock, jobs, timeline
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.money import Money
from portal.orders.models import Payment
from portal.policy.quote import STORE_CREDIT
from portal.refunds import payout
from portal.refunds.gateway import Gateway, PaymentView
from portal.refunds.models import Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import find_payments, is_stripe, lock_orders, order_chain, payments_of
from portal.returns.queries import get_return_by_id
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.wording import said

NOT_ENOUGH = frozenset({"amount_too_large", "charge_already_refunded"})
"""Stripe's refusals that may mean that less was captured than the shop's orders say."""

SHARED = (
    select(Payment.payment_intent)
    .where(Payment.payment_intent.is_not(None))
    .group_by(Payment.payment_intent)
    .having(func.count(Payment.id) > 1)
)
"""The payments that several orders share, or that one order names more than once."""


def to_look_at(session: Session, return_id: int) -> list[str]:
    """The payments of a return that gives store credit, about which no refund would ever ask Stripe; no query for others."""
    return_ = get_return_by_id(session, return_id)
    if not any(line.resolution == STORE_CREDIT for line in return_.lines):
        return []
    payments = payments_of(session, order_chain(session, return_.order_id))
    return sorted({payment.payment_intent or "" for payment in payments if is_stripe(payment)})


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
    """How the rows of a payment say more than Stripe captured, as a sentence for staff; empty when they don't."""
    if _excess(rows, view) <= 0:
        return ""
    if view.status == "canceled":
        return "Stripe shows this payment as canceled: nothing was captured that could be given back."
    told, there = sum(row.captured_minor for row in rows), view.captured_minor + view.released_minor
    say = "the order says" if len({row.order_id for row in rows}) == 1 else "the orders that share it say"
    return f"Stripe captured {said(Money(there, view.currency))} of this payment, {say} {said(Money(told, view.currency))}."


def _excess(rows: list[Payment], view: PaymentView) -> int:
    """By how much the rows say more than Stripe captured. What was authorized and given free counts as captured here: `release`
    has charged the rows with it. Of a canceled payment nothing is left; one that waits for its capture may still get it."""
    if not rows or rows[0].currency != view.currency:
        return 0
    if view.status == "canceled":
        return sum(row.refundable_minor for row in rows)
    told = sum(row.captured_minor for row in rows)
    return told - view.captured_minor - view.released_minor if view.status == "succeeded" else 0


def _lower(tx: Tx, rows: list[Payment], view: PaymentView, sentence: str) -> None:
    excess = _excess(rows, view)
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        chain = order_chain(tx.session, row.order_id)
        # What was given as store credit stands on no payment, and is spoken for all the same.
        less = min(excess, row.refundable_minor, payout.room(tx.session, chain, payments_of(tx.session, chain)))
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
