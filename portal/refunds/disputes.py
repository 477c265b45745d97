"""Chargebacks: while one is open or lost, nothing of its payment is refunded, and staff know.

In: a hint that a payment is disputed. Out: the payment frozen or thawed, a question for staff for each open return of the
order and of the replacement orders that go back to it. Invariants: an inquiry freezes nothing; what a dispute held back goes on
by itself when it ends well. Never: a refund of a payment that the bank has taken back already, which would pay twice.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from portal import clock, jobs, timeline
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.orders.models import Payment
from portal.refunds.gateway import Gateway, PaymentView
from portal.refunds.models import Refund
from portal.refunds.settle import DECIDE_WITHIN, STRIPE
from portal.refunds.tenders import find_payments, lock_payment_and_family
from portal.returns import lifecycle as returns
from portal.returns.models import Return
from portal.reviews import service as reviews
from portal.reviews.models import Review


def look(database: Database, gateway: Gateway, payment_intent: str) -> str:
    """Ask the gateway about the payment's disputes and freeze or thaw it. Returns what was done, as a sentence."""
    with database.read() as session:
        known = [payment.id for payment in find_payments(session, payment_intent)]
    if not known:
        return "no order has this payment"
    view = gateway.read_payment(payment_intent)
    changed = False
    for payment_id in known:
        with database.transaction(STRIPE) as tx:
            payment, family = lock_payment_and_family(tx.session, payment_id)
            if view.frozen and payment.disputed_at is None:
                _freeze(tx, payment, family, view)
                changed = True
            elif not view.frozen and payment.disputed_at is not None:
                _thaw(tx, payment, family, view)
                changed = True
    word = "frozen" if view.frozen else "free"
    return f"{'now' if changed else 'still'} {word} ({view.dispute_status or 'no dispute'})"


def look_again(database: Database, gateway: Gateway, payment_intent: str) -> None:
    """Look without having been told. Raises `jobs.Later` when Stripe cannot be reached now."""
    try:
        look(database, gateway, payment_intent)
    except UpstreamError as error:
        if not error.retryable:
            _say(database, payment_intent, error.staff_message)
            return
        pause = timedelta(seconds=error.retry_after or 60)
        raise jobs.Later(clock.now() + pause, f"{error.code}: {error.staff_message}") from error


def _say(database: Database, payment_intent: str, fact: str) -> None:
    """Stripe does not show the payment, and asking again would not help: the open questions about its dispute say so."""
    with database.transaction(STRIPE) as tx:
        query = select(Review).where(Review.kind == reviews.DISPUTE, Review.status.in_(reviews.UNDECIDED))
        for review in tx.session.scalars(query).all():
            if (review.data or {}).get("payment_intent") == payment_intent:
                review.fact = fact


def _freeze(tx: Tx, payment: Payment, family: list[int], view: PaymentView) -> None:
    payment.disputed_at = tx.at
    tx.session.flush()
    open_ = _open_returns(tx, family)
    told: list[int | None] = [*open_] or [None]
    for told_of in told:
        timeline.record(tx, "dispute.opened", return_id=told_of, order_id=payment.order_id, why=view.dispute_status)
    for return_id in open_:
        reviews.open_review(
            tx,
            kind=reviews.DISPUTE,
            why="The customer disputes the payment, and the bank holds the money until that is decided. Refunds of this order "
            "wait; refunding now could pay the customer twice.",
            fact=view.dispute_status,
            return_id=return_id,
            data={"payment_intent": view.payment_intent},
            due_at=tx.at + DECIDE_WITHIN,
        )


_HOW = {"won": ", the shop has won", "warning_closed": " without a chargeback", "prevented": " before it began"}
"""How a dispute ended, by Stripe's status of it."""


def _thaw(tx: Tx, payment: Payment, family: list[int], view: PaymentView) -> None:
    payment.disputed_at = None
    tx.session.flush()
    ended = f"The dispute has ended{_HOW.get(view.dispute_status, '')}."
    note = f"{ended} Refunds go on."
    for return_id in _open_returns(tx, family):
        query = select(Review).where(
            Review.return_id == return_id,
            Review.kind == reviews.DISPUTE,
            Review.refund_id.is_(None),
            Review.status.in_(reviews.UNDECIDED),
        )
        for review in tx.session.scalars(query).all():
            reviews.settle(tx, review, reviews.SETTLED, note=note)
        timeline.record(tx, "dispute.closed", return_id=return_id, order_id=payment.order_id, why=view.dispute_status)
    refused = (
        select(Review)
        .join(Refund, Refund.id == Review.refund_id)
        .where(Refund.payment_id == payment.id, Review.kind == reviews.DISPUTE, Review.status.in_(reviews.UNDECIDED))
    )
    for review in tx.session.scalars(refused).all():
        # Stripe had refused it; a new one needs a person's word.
        review.why = f"{ended} The refund that it stopped may be sent again now."


def _open_returns(tx: Tx, order_ids: list[int]) -> list[int]:
    query = (
        select(Return.id)
        .where(Return.order_id.in_(order_ids), Return.status.in_(returns.HOLDING - {returns.CLOSED}))
        .order_by(Return.id)
    )
    return list(tx.session.scalars(query))
