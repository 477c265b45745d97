"""Money that was paid ahead of its goods, and goods that do not come or come otherwise: a question for staff, never silence.

In: a locked return whose payout was planned before anything had arrived. Out: one open question of kind ``goods_missing``,
settled by itself when all of it comes as agreed. Invariants: goods that were never sent are asked about once, whatever staff
then say. Never: money that is taken back; what staff do about it ends in `refunds.claims`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, exists, or_, select

from portal import clock, timeline
from portal.db import Database, Tx
from portal.returns.holding import lock_return
from portal.returns.lifecycle import AUTHORIZED, IN_TRANSIT, TRAVELLING
from portal.returns.models import Return
from portal.returns.payable import goods_outstanding
from portal.reviews import service as reviews
from portal.reviews.models import Review

AHEAD = ("authorized", "in_transit")
"""The moments of a payout that come before the goods."""
GRACE = timedelta(days=7)
"""How long after the last day to ship a return still waits: a parcel handed in on that day takes some days to be scanned."""
ON_THE_WAY = timedelta(days=21)
"""How much longer a parcel may be under way that the carrier has."""
WITHOUT_DAY = timedelta(days=30)
"""How long after the approval goods are waited for where the policy names no last day."""
BATCH = 500


def was_paid_ahead(return_: Return) -> bool:
    """True when the money of the return went, or was prepared, before its goods had to be here."""
    return return_.payout_planned_at is not None and return_.refund_when in AHEAD


def ask(tx: Tx, return_: Return, why: str, fact: str, hours: int) -> None:
    """Put the question, or its new facts where it is open already."""
    known = reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING)
    due_at = tx.at + timedelta(hours=hours)
    reviews.open_review(tx, kind=reviews.GOODS_MISSING, why=why, fact=fact, return_id=return_.id, due_at=due_at)
    if not known:
        data = {"kind": reviews.GOODS_MISSING}
        timeline.record(tx, "review.opened", return_id=return_.id, order_id=return_.order_id, why=why, data=data)


def settle(tx: Tx, return_: Return, note: str) -> None:
    """Everything has come as agreed: an open question answers itself."""
    for review in reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING):
        reviews.settle(tx, review, reviews.SETTLED, note=note)


def ask_overdue(database: Database, hours: int, *, at: datetime | None = None) -> int:
    """Ask about every return that was paid ahead and whose goods should be here by now; gives how many. One transaction each."""
    moment = at or clock.now()
    asked = exists().where(Review.return_id == Return.id, Review.kind == reviews.GOODS_MISSING)
    query = select(Return.rma).where(
        # While goods travel, money that is planned went ahead of them: by the policy, or recorded by staff.
        Return.payout_planned_at.is_not(None),
        Return.ship_with != "",
        or_(
            and_(Return.status == AUTHORIZED, Return.ship_by_on < (moment - GRACE).date()),
            and_(Return.status == IN_TRANSIT, Return.ship_by_on < (moment - GRACE - ON_THE_WAY).date()),
            and_(
                Return.status.in_(TRAVELLING), Return.ship_by_on.is_(None), Return.authorized_at < moment - WITHOUT_DAY
            ),
        ),
        ~asked,
    )
    with database.read() as session:
        due = session.scalars(query.order_by(Return.id).limit(BATCH)).all()
    done = 0
    for rma in due:
        with database.transaction(at=at) as tx:
            return_ = lock_return(tx, rma)
            missing = goods_outstanding(return_)
            if return_.status not in TRAVELLING or not missing:
                continue
            ask(
                tx,
                return_,
                "Paid ahead, and the goods have not come",
                f"{missing} of {sum(line.quantity for line in return_.lines)} units are still to come",
                hours,
            )
            done += 1
    return done
