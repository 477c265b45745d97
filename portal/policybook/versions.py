"""The published versions as people handle them: listed, given back as files, published again.

In: the rows of `policy_version`. Out: heads for lists, one version by number. Invariants: a version is never changed; going back
to one publishes its document once more. Never: a second way to publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from portal.db import Tx
from portal.errors import Conflict
from portal.policy.binding import Version, in_force, in_turn
from portal.policy.carry import forgotten, has_all
from portal.policy.loader import Policy
from portal.policybook import service
from portal.policybook.models import PolicyVersion
from portal.policybook.service import Book

LIVE, COMING, RETIRED, REPLACED = "live", "coming", "retired", "replaced"


@dataclass(frozen=True, slots=True)
class Head:
    """One published version without its text. ``state`` is live, coming, retired, or replaced: another took its very start, so
    that it was never in force. ``until`` is when the next one starts. ``early``: it is live before its own start, as the first
    version is when nothing else has started."""

    number: int
    state: str
    name: str
    content_hash: str
    author: str
    note: str
    since: datetime
    until: datetime | None
    published_at: datetime
    early: bool

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


def heads(session: Session, now: datetime) -> tuple[list[Head], int]:
    """Every version, the one that starts last first, and how many there are. Never reads their texts."""
    unread = (defer(each, raiseload=True) for each in (PolicyVersion.source, PolicyVersion.laws))
    rows = session.scalars(select(PolicyVersion).options(*unread)).all()
    if not rows:
        return [], 0
    turns = in_turn(rows)
    live, first = in_force(rows, now), min(row.number for row in rows)
    ends = {old.number: new.effective_at for old, new in pairwise(turns)}
    started = {row.number for row in turns}

    def state(row: PolicyVersion) -> str:
        if row is live:
            return LIVE
        # The first one binds what was ordered before every start, whoever takes its own.
        if row.number not in started and row.number != first:
            return REPLACED
        return COMING if row.effective_at > now and row.number in started else RETIRED

    return [
        Head(
            row.number, state(row), row.name, row.content_hash, row.author, row.note, row.effective_at,
            ends.get(row.number, None if row.number in started else row.effective_at), row.published_at,
            row is live and row.effective_at > now,
        )
        for row in sorted(rows, key=lambda each: (each.effective_at, each.number), reverse=True)
    ], len(rows)  # fmt: skip


def find_version(session: Session, at: datetime, number: int | None = None) -> PolicyVersion:
    """One version, the one in force ``at`` that moment if no number is given. Raises `NotFound`."""
    if number is None:
        number = service.load_book(session).current(at)[0]
    return service.get_version(session, number)


def start_in_place_of(session: Session, number: int, at: datetime) -> datetime:
    """The start of version ``number``, so that another can take its place. Raises `NotFound`, `Conflict` unless it is to come."""
    service.get_version(session, number)
    for version in service.load_book(session).coming(at):
        if version.number == number:
            return version.effective_at
    raise Conflict(
        f"Version {number} is not to come any more: it has started or was replaced. Choose the start again.",
        state=str(number),
    )


def forgetful(book: Book, number: int, at: datetime) -> tuple[Version, Policy] | None:
    """The version that takes over from version ``number`` without knowing what that changed, as it was published earlier; and its
    policy with these changes put in. None where nothing is lost, or the version is over or was never in force."""
    turns = in_turn(book.versions)
    mine = next((each for each in turns if each.number == number), None)
    earlier = [each for each in book.versions if each.number < number]
    if mine is None or not earlier or (mine.effective_at <= at and book.live(at) is not mine):
        return None
    after = [each for each in turns if each.effective_at > max(mine.effective_at, at)]
    if not after or after[0].number > number:
        return None
    with_it = forgotten(after[0].policy, in_force(earlier, mine.effective_at).policy, mine.policy)
    return None if with_it is None else (after[0], with_it)


def meant_for(book: Book, draft: Policy, at: datetime) -> Version | None:
    """The version to come whose place a draft takes: the last one with changes that the draft has and what is live has not."""
    live, found = book.live(at), None
    for each in book.coming(at):
        earlier = [one for one in book.versions if one.number < each.number]
        if live is None or not earlier:
            continue
        before = in_force(earlier, each.effective_at).policy
        if has_all(draft, before, each.policy) and not has_all(live.policy, before, each.policy):
            found = each
    return found


def roll_back(
    tx: Tx,
    number: int,
    *,
    author: str,
    note: str,
    instead_of: int | None = None,
    seen: tuple[int, int] | None = None,
) -> PolicyVersion:
    """Publish the document of version ``number`` once more, comments and all, as the next version.

    It starts now, or takes the place of version ``instead_of``, which is still to come. The laws are those of today, as for
    everything that is published. ``seen`` are the newest version and the one in force that the caller has looked at. Raises
    `NotFound`, `Conflict` when these are others by now or when this document is in force at that start anyway.
    """
    old = service.get_version(tx.session, number)
    book = service.load_book(tx.session)
    live, _ = book.current(tx.at)
    if seen is not None and seen != (book.newest, live):
        other = book.newest if seen[0] != book.newest else live
        raise Conflict(
            f"Version {other} was published or started meanwhile. Look at the changes again.", state=str(other)
        )
    starts = None if instead_of is None else start_in_place_of(tx.session, instead_of, tx.at)
    there, _ = book.current(starts or tx.at)
    if number != there:
        made = service.publish(
            tx, old.source, filename=f"version {number}", author=author, note=note, effective_at=starts
        )
        if made.number > book.newest:
            return made
        there = made.number
    raise Conflict(
        f"Version {there} is in force then and says the same. There is nothing to go back to.", state=str(there)
    )
