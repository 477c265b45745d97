"""Writing to the timeline, which is also how an event enters the river."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Event, Tx
from portal.timeline.models import TimelineEntry


def record(
    tx: Tx,
    what: str,
    *,
    return_id: int | None = None,
    order_id: int | None = None,
    refund_id: int | None = None,
    why: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Write the entry and let `flow` write what follows from it, in the same transaction."""
    entry_id = tx.write(
        TimelineEntry,
        at=tx.at,
        what=what,
        return_id=return_id,
        order_id=order_id,
        refund_id=refund_id,
        actor_kind=tx.actor.kind,
        actor_name=tx.actor.name,
        actor_id=tx.actor.id,
        why=why,
        data=data,
    )
    tx.emit(Event(entry_id, what, return_id, order_id, refund_id, data))


def entries_for_return(session: Session, return_id: int) -> list[TimelineEntry]:
    """Everything that happened to one return, oldest first."""
    query = select(TimelineEntry).where(TimelineEntry.return_id == return_id).order_by(TimelineEntry.id)
    return list(session.scalars(query))


def entries_for_refund(session: Session, refund_id: int) -> list[TimelineEntry]:
    """Everything that happened to one refund, oldest first."""
    query = select(TimelineEntry).where(TimelineEntry.refund_id == refund_id).order_by(TimelineEntry.id)
    return list(session.scalars(query))


def last_of_return(session: Session, return_id: int) -> TimelineEntry | None:
    """What happened to one return last."""
    query = select(TimelineEntry).where(TimelineEntry.return_id == return_id)
    return session.scalar(query.order_by(TimelineEntry.id.desc()).limit(1))
