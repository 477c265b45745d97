"""Returns whose goods were never sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal import clock
from portal.db import Database
from portal.returns.claims import BATCH, GRACE
from portal.returns.decisions import expire
from portal.returns.lifecycle import AUTHORIZED
from portal.returns.models import Return


def expire_due(database: Database, *, at: datetime | None = None) -> int:
    """Let every authorized return end whose last day to ship is more than `GRACE` ago; gives how many did.

    One transaction each, so that a long list stands in nobody's way. A return whose money was sent in advance is a question for
    staff instead (`claims.ask_overdue`): its units stay taken.
    """
    moment = at or clock.now()
    with database.read() as session:
        due = session.scalars(
            select(Return.rma)
            .where(
                Return.status == AUTHORIZED,
                Return.ship_by_on < (moment - GRACE).date(),
                Return.payout_planned_at.is_(None),
            )
            .order_by(Return.id)
            .limit(BATCH)
        ).all()
    ended = 0
    for rma in due:
        with database.transaction(at=at) as tx:
            ended += expire(tx, rma).status == "expired"
    return ended
