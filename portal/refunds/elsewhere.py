"""Refunds that somebody made by hand at the gateway: they reduce what is left.

In: a `RefundView` without a row of ours. Out: a row with cause ``elsewhere``. Invariant: known once by the gateway's id, and a
payment never counts more than it captured. Never: a notice to the customer; whoever made it speaks for it.
"""

from __future__ import annotations

from sqlalchemy import select

from portal import timeline
from portal.db import Tx
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import ledger, lifecycle
from portal.refunds.gateway import RefundView
from portal.refunds.models import Refund
from portal.refunds.settle import DECIDE_WITHIN, ELSEWHERE
from portal.refunds.tenders import count_elsewhere
from portal.returns import lifecycle as returns
from portal.returns.models import Return
from portal.reviews import service as reviews
from portal.wording import said


def take_in(tx: Tx, payment: Payment, view: RefundView) -> bool:
    """Write the row of ``view``. The caller holds the order's lock and has made sure that there is none yet.

    False when a refund of ours that is still under way has promised the same money: then the gateway will refuse ours
    (or has done so already), which frees the promise, and this is to be tried again.
    """
    status = lifecycle.read_status(view.status)
    counted = 0 if status in lifecycle.LOST else view.amount_minor
    if counted > payment.refundable_minor:
        under_way = tx.session.scalar(
            select(Refund.id)
            .where(Refund.payment_id == payment.id, Refund.status.in_(lifecycle.OPEN), Refund.cause != ELSEWHERE)
            .limit(1)
        )
        if under_way is not None:
            return False
    refund = Refund(
        public_id=f"elsewhere-{view.id}"[:40],
        payment_id=payment.id,
        cause=ELSEWHERE,
        amount_minor=view.amount_minor,
        currency=view.currency,
        status=status,
        idempotency_key=f"elsewhere:{view.id}",
        params={},
        stripe_refund_id=view.id,
        failure_code=view.failure_reason[:60],
        bank_reference=view.bank_reference,
        planned_at=view.created_at,
        settled_at=None if status in lifecycle.OPEN else tx.at,
        checked_at=tx.at,
    )
    tx.session.add(refund)
    count_elsewhere(tx.session, payment)
    if counted:
        ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, ELSEWHERE, counted)
    timeline.record(
        tx,
        "refund.imported",
        order_id=payment.order_id,
        refund_id=refund.id,
        data={"refund": view.id, "amount": view.amount_minor, "currency": view.currency},
    )
    if counted:
        _ask_before_paying_again(tx, view)
    return True


def _ask_before_paying_again(tx: Tx, view: RefundView) -> None:
    """It names a refund of ours that is not here: the database was restored from a backup that is older than its decision, and
    the return that it was made for looks unpaid. Nothing is paid for that one before somebody has looked."""
    number, rma = view.metadata.get("refund"), view.metadata.get("return")
    if not number or tx.session.scalar(select(Refund.id).where(Refund.public_id == number)) is not None:
        return
    return_ = tx.session.scalar(select(Return).where(Return.rma == rma))
    if return_ is None or return_.status in returns.ENDED:
        return
    amount = said(Money(view.amount_minor, view.currency))
    reviews.open_review(
        tx,
        kind=reviews.PAID_BEFORE,
        why=f"The portal has sent {amount} for this return as {number} ({view.id} at Stripe), and this database, restored from "
        "an older backup, does not know it. Close the money of the return if that was all; send only what is missing.",
        fact=view.id,
        return_id=return_.id,
        data={"refund": view.id, "amount": view.amount_minor, "currency": view.currency},
        due_at=tx.at + DECIDE_WITHIN,
    )


def count_again(tx: Tx, order_id: int) -> None:
    """The order was brought in anew and may have captured more: what found no room before is counted now. The caller holds its
    lock."""
    query = (
        select(Payment)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.order_id == order_id, Refund.cause == ELSEWHERE)
        .order_by(Payment.id)
        .distinct()
    )
    for payment in tx.session.scalars(query).all():
        count_elsewhere(tx.session, payment)
