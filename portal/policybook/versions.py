"""The published versions as people handle them: listed, given back as files, published again.

In: the rows of `policy_version`. Out: heads for lists, one version by number. Invariants: a version is never changed; going back
to one publishes its document once more. Never: a second way to publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, NotFound
from portal.policybook import service
from portal.policybook.models import PolicyVersion


@dataclass(frozen=True, slots=True)
class Head:
    """One published version without its text. ``state`` is live, coming or retired; ``until`` is when the next one starts."""

    number: int
    state: str
    name: str
    content_hash: str
    author: str
    note: str
    since: datetime
    until: datetime | None
    published_at: datetime

    def to_json(self) -> dict[str, Any]:
        """JSON values; moments are UTC."""
        return {
            "number": self.number,
            "state": self.state,
            "name": self.name,
            "hash": self.content_hash,
            "author": self.author,
            "note": self.note,
            "starts_at": self.since.isoformat(),
            "ends_at": None if self.until is None else self.until.isoformat(),
            "published_at": self.published_at.isoformat(),
        }


def heads(session: Session, now: datetime, most: int | None = None) -> tuple[list[Head], int]:
    """The versions, newest first (at most ``most``), and how many there are. Never reads their texts."""
    v = PolicyVersion
    query = select(v.number, v.name, v.content_hash, v.author, v.note, v.effective_at, v.published_at).order_by(
        v.number.desc()
    )
    rows = session.execute(query if most is None else query.limit(most)).all()
    live = next((row.number for row in rows if row.effective_at <= now), rows[-1].number if rows else 0)
    found: list[Head] = []
    later: datetime | None = None
    for number, name, content_hash, author, note, since, published in rows:
        # One that starts together with its successor never binds an order.
        coming = number > live and since != later
        state = "live" if number == live else "coming" if coming else "retired"
        found.append(Head(number, state, name, content_hash, author, note, since, later, published))
        later = since
    # Numbers have no gaps, so the newest is the count.
    return found, rows[0].number if rows else 0


def find_version(session: Session, number: int | None = None) -> PolicyVersion:
    """One version, the newest if no number is given. Raises `NotFound`."""
    if number is not None:
        return service.get_version(session, number)
    newest = session.scalar(select(PolicyVersion).order_by(PolicyVersion.number.desc()).limit(1))
    if newest is None:
        raise NotFound("No policy has been published yet. Publish one with `portal policy publish FILE`.")
    return newest


def roll_back(tx: Tx, number: int, *, author: str, note: str, newest: int | None = None) -> PolicyVersion:
    """Publish the document of version ``number`` once more, comments and all, as the next version.

    It starts now. Where a version is published that is still to come, it starts with that one and takes its place. The laws
    are those of today, as for everything that is published. ``newest`` is the newest version that the caller has seen.
    Raises `NotFound`, `Conflict` when another version was published since or ``number`` is the newest itself.
    """
    old = service.get_version(tx.session, number)
    there = find_version(tx.session)
    if newest is not None and newest != there.number:
        raise Conflict(
            f"Version {there.number} was published meanwhile. Look at the changes again.", state=str(there.number)
        )
    if number == there.number:
        raise Conflict(f"Version {number} is the newest already. There is nothing to go back to.", state=str(number))
    starts = max(tx.at, there.effective_at)
    return service.publish(tx, old.source, filename=f"version {number}", author=author, note=note, effective_at=starts)
