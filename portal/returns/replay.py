"""Every stored decision made once more: from its stored facts, by the version whose hash it names.

In: the database. Out: `Replay`: how many were made again, and each that is not what was stored.
Invariants: read in batches by key, so that memory is bounded whatever the book holds; what is compared is the canonical JSON of
the whole record without its sentences, which are made of it and may be worded anew by a later release.
Never: a write; a repair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from portal.db import Database
from portal.policy.engine import decide
from portal.policy.facts import Facts, canonical
from portal.policy.loader import Policy
from portal.policybook.models import PolicyVersion
from portal.policybook.service import load_version
from portal.returns.models import Return, ReturnLine

BATCH = 1_000
MAX_LISTED = 1_000
"""How many differences are kept; all are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored decision that is not what its facts and its version give. ``what`` names the parts that differ."""

    rma: str
    position: int
    what: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"rma": self.rma, "position": self.position, "what": list(self.what)}


@dataclass(slots=True)
class Replay:
    """What came out. ``reworded`` decisions are the same, and this release says them in other words."""

    decisions: int = 0
    reworded: int = 0
    different: int = 0
    listed: list[Difference] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The documented shape."""
        return {
            "decisions": self.decisions,
            "differences": self.different,
            "reworded": self.reworded,
            "listed": [each.to_json() for each in self.listed],
        }


def replay(
    database: Database,
    *,
    since: datetime | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Make every decision of the returns booked ``since`` (None: of all of them) again, and compare."""
    found = Replay()
    versions = _Versions(database)
    wanted = select(ReturnLine.id).join(Return, Return.id == ReturnLine.return_id)
    if since is not None:
        wanted = wanted.where(Return.booked_at >= since)
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    progress(0, total)
    for row in _rows(database, since):
        found.decisions += 1
        what, said = _compare(versions, row)
        found.reworded += not what and not said
        if what:
            found.different += 1
            if len(found.listed) < MAX_LISTED:
                found.listed.append(Difference(row.rma, row.position, what))
        if found.decisions % BATCH == 0:
            progress(found.decisions, total)
    progress(found.decisions, max(total, found.decisions))
    return found


def _rows(database: Database, since: datetime | None) -> Iterator[Any]:
    last = 0
    while True:
        query = (
            select(
                ReturnLine.id, Return.rma, ReturnLine.position, ReturnLine.answer, ReturnLine.facts, ReturnLine.decision
            )
            .join(Return, Return.id == ReturnLine.return_id)
            .where(ReturnLine.id > last)
            .order_by(ReturnLine.id)
            .limit(BATCH)
        )
        if since is not None:
            query = query.where(Return.booked_at >= since)
        with database.read() as session:
            rows = session.execute(query).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].id


class _Versions:
    """The policies by hash, each loaded when the first decision names it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Policy | None] = {}

    def of(self, content_hash: str) -> Policy | None:
        if content_hash not in self._known:
            query = select(PolicyVersion).where(PolicyVersion.content_hash == content_hash).limit(1)
            with self._database.read() as session:
                row = session.scalar(query)
                self._known[content_hash] = None if row is None else load_version(row)
        return self._known[content_hash]


def _compare(versions: _Versions, row: Any) -> tuple[tuple[str, ...], bool]:
    """The parts that differ, and whether the sentences are the stored ones."""
    stored: Mapping[str, Any] = row.decision
    try:
        facts = Facts.from_json(row.facts)
        if canonical(facts.to_json()) != canonical(row.facts):
            return ("facts",), True
        policy = versions.of(stored["policy"]["hash"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return (f"cannot be read: {error}",), True
    if policy is None:
        return (f"no version has the hash {str(stored['policy']['hash'])[:12]}",), True
    made = decide(policy, facts).to_json()
    what = tuple(_parts(_silent(stored), _silent(made)))
    if row.answer != made["answer"]:
        what = ("answer of the line", *what)
    return what, canonical(stored) == canonical(made)


def _silent(decision: Mapping[str, Any]) -> dict[str, Any]:
    """The record without its sentences."""

    def without(causes: Any) -> Any:
        if not isinstance(causes, list) or not all(isinstance(each, Mapping) for each in causes):
            return causes
        return [{key: value for key, value in each.items() if key != "message"} for each in causes]

    return {key: without(value) if key in ("causes", "requires") else value for key, value in decision.items()}


def _parts(stored: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """The keys that differ, those of terms by their names."""
    for key in sorted({*stored, *made}):
        one, other = stored.get(key), made.get(key)
        if canonical(one) == canonical(other):
            continue
        if key == "terms" and isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (
                f"terms.{name}"
                for name in sorted({*one, *other})
                if canonical(one.get(name)) != canonical(other.get(name))
            )
        else:
            yield key
