"""Refunds that banks hold longer than they should: they raise themselves, and the customer hears it from the shop first.

In: refunds that Stripe has accepted and not finished. Out: for each whose expected day has gone by, once, a question for staff
and an event that tells the customer the new day. Invariants: it says nothing that Stripe did not say; a refund that moves on
settles its question. Never: a refund sent again because it is late.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.db import Database
from portal.refunds import lifecycle, settle
from portal.refunds.models import Refund
from portal.refunds.settle import DECIDE_WITHIN, ELSEWHERE
from portal.refunds.tenders import lock_refund
from portal.reviews import service as reviews

BATCH = 500


def raise_late(database: Database, bank_days: int, zone: str, *, at: datetime | None = None) -> int:
    """Raise every refund that is pending beyond ``bank_days`` working days (`BankDays.most`); gives how many.

    One transaction each. What waits for the shop's own balance is a question already and is not the bank's.
    """
    at = at or clock.now()
    query = (
        select(Refund.id, Refund.submitted_at)
        .where(
            Refund.status == lifecycle.PENDING,
            Refund.late_at.is_(None),
            Refund.cause != ELSEWHERE,
            Refund.pending_reason != "insufficient_funds",
            Refund.submitted_at < at - timedelta(days=bank_days),
        )
        .order_by(Refund.id)
        .limit(BATCH)
    )
    with database.read() as session:
        waiting = [(row.id, row.submitted_at) for row in session.execute(query) if row.submitted_at is not None]
    today = clock.local_date(at, zone)
    late = [
        refund_id
        for refund_id, sent in waiting
        if clock.add_working_days(clock.local_date(sent, zone), bank_days) < today
    ]
    return sum(_raise(database, refund_id) for refund_id in late)


def _raise(database: Database, refund_id: int) -> int:
    with database.transaction() as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        if refund.status != lifecycle.PENDING or refund.late_at is not None:
            return 0
        refund.late_at = tx.at
        tx.session.flush()
        why = "Stripe has accepted this refund and it is still pending, longer than banks need. The customer was told a new day."
        reviews.open_review(
            tx,
            kind=reviews.REFUND_LATE,
            why=f"{why} Look at it in Stripe.",
            fact=refund.pending_reason,
            return_id=refund.return_id,
            refund_id=refund.id,
            data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency},
            due_at=tx.at + DECIDE_WITHIN,
        )
        settle.record(tx, "refund.late", refund, payment)
        return 1
