"""Drafts: what a customer has chosen so far, under an unguessable token.

A draft holds wishes and nothing personal, but its photos may show anything; it is nothing but a proposal until `booking.book` has
decided it anew, and is forgotten when nobody comes back to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from portal import ids, jobs
from portal.db import Database, Tx
from portal.errors import Conflict, NotFound
from portal.returns.models import Draft, Photo, Return

LIFE = timedelta(days=7)
BATCH = 500


def create(tx: Tx, order_id: int, data: Mapping[str, Any] | None = None) -> Draft:
    """A new draft for the order. ``draft.token`` opens it."""
    draft = Draft(token=ids.new_token(), order_id=order_id, data=dict(data or {}), created_at=tx.at, updated_at=tx.at)
    tx.session.add(draft)
    tx.session.flush()
    return draft


def find(session: Session, token: str) -> Draft | None:
    """The draft of this token, booked or not; None for an unknown one."""
    if not token or len(token) > 64 or not token.isascii():
        return None
    return session.scalar(select(Draft).where(Draft.token == token))


def get(session: Session, token: str) -> Draft:
    """The draft of this token. Raises `NotFound`."""
    draft = find(session, token)
    if draft is None:
        raise NotFound("There is no such draft.")
    return draft


def update(tx: Tx, token: str, data: Mapping[str, Any]) -> Draft:
    """Replace what was chosen. Raises `NotFound`, and `Conflict` when the draft has become a return."""
    draft = _lock(tx, token)
    if draft.return_id is not None:
        raise Conflict("This return is booked already.", state="booked")
    draft.data = dict(data)
    draft.updated_at = tx.at
    tx.session.flush()
    return draft


def mark_booked(tx: Tx, token: str, return_: Return) -> Draft:
    """The draft has become this return; its page leads there from now on."""
    draft = _lock(tx, token)
    draft.return_id = return_.id
    draft.updated_at = tx.at
    tx.session.flush()
    return draft


def booking_key(draft: Draft) -> str:
    """The key under which a draft is booked: a reload books nothing twice."""
    return f"draft:{draft.id}:{draft.token[:32]}"


def photos(session: Session, draft: Draft) -> list[Photo]:
    """The photos of the draft, oldest first."""
    return list(session.scalars(select(Photo).where(Photo.draft_id == draft.id).order_by(Photo.id)))


def forget(database: Database, *, at: datetime | None = None) -> None:
    """Delete what nobody has touched for `LIFE`: drafts, and photos of drafts, that have not become a return.

    The rows go with the job that deletes the files: whatever is killed between the two, no file stays behind.
    """
    while True:
        with database.transaction(at=at) as tx:
            unsent = select(Photo.id).where(Photo.draft_id == Draft.id, Photo.return_line_id.is_(None)).exists()
            old = list(
                tx.session.scalars(
                    select(Draft.id)
                    .where(Draft.updated_at < tx.at - LIFE, or_(Draft.return_id.is_(None), unsent))
                    .limit(BATCH)
                    .with_for_update(skip_locked=True)
                )
            )
            keys = tx.session.scalars(
                delete(Photo).where(Photo.draft_id.in_(old), Photo.return_line_id.is_(None)).returning(Photo.key)
            ).all()
            tx.session.execute(delete(Draft).where(Draft.id.in_(old), Draft.return_id.is_(None)))
            if keys:
                jobs.enqueue(tx, "forget_photos", {"keys": list(keys)}, key=f"forget_photos:{ids.new_token()}")
        if len(old) < BATCH:
            return


def _lock(tx: Tx, token: str) -> Draft:
    draft = find(tx.session, token)
    if draft is None:
        raise NotFound("There is no such draft.")
    locked = tx.session.get(Draft, draft.id, with_for_update=True, populate_existing=True)
    if locked is None:
        raise NotFound("There is no such draft.")
    return locked
