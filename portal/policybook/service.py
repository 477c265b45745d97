"""Publishing a policy, and the book of all versions as decisions use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Invalid, NotFound
from portal.policy.binding import Bound, Version, bind, decide_bound, in_force, in_turn
from portal.policy.conditions import compile_condition
from portal.policy.decision import Decision
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.laws import Law, load_law
from portal.policy.loader import Policy, load_policy, recall_policy
from portal.policy.reasons import REASONS
from portal.policybook.models import PolicyVersion


@dataclass(frozen=True, slots=True)
class Book:
    """Every published version, loaded; immutable, so that threads share it."""

    versions: tuple[Version, ...]
    _asked: dict[int, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)
    _alike: dict[tuple[int, ...], dict[str, str]] = field(default_factory=dict, repr=False, compare=False)

    def live(self, at: datetime) -> Version | None:
        """The version in force at that moment; None when nothing was ever published."""
        return in_force(self.versions, at) if self.versions else None

    def coming(self, at: datetime) -> tuple[Version, ...]:
        """The versions that are published and start after that moment, the next one first."""
        live = self.live(at)
        return tuple(each for each in in_turn(self.versions) if each.effective_at > at and each is not live)

    def offered(self, at: datetime) -> tuple[int, ...]:
        """The numbers of the versions that are offered to orders placed before them, and have started by then."""
        turns = in_turn(self.versions)
        # What was published first binds all that was ordered before every start: there is nobody to offer it to.
        moot = turns[0] if turns and turns[0] is self.versions[0] else None
        started = (each for each in turns if each.effective_at <= at and each is not moot)
        return tuple(each.number for each in started if each.apply_to_open_orders)

    @property
    def newest(self) -> int:
        """The highest number that was given, 0 for none. The version may be in force, over, or still to come."""
        return self.versions[-1].number if self.versions else 0

    def bound(self, placed_at: datetime | None) -> Bound:
        """The version that binds an order of that moment, and later ones that may be offered. Raises `NotFound` if empty."""
        if not self.versions:
            raise NotFound("No policy has been published yet. Publish one with `portal policy publish FILE`.")
        return bind(self.versions, placed_at)

    def binding(self, placed_at: datetime | None) -> tuple[int, Policy]:
        """Number and policy of the version that binds an order placed at that moment."""
        version = self.bound(placed_at).version
        return version.number, version.policy

    def of_hash(self, content_hash: str) -> Policy | None:
        """The policy of this hash; None when no version has it. Versions with one hash decide alike."""
        return next((each.policy for each in self.versions if each.policy.content_hash == content_hash), None)

    def current(self, at: datetime | None = None) -> tuple[int, Policy]:
        """Number and policy that bind an order placed ``at`` that moment (None: placed after everything published so far)."""
        moment = at or max((version.effective_at for version in self.versions), default=None)
        return self.binding(moment)

    def decide(self, bound: Bound, facts: Facts) -> tuple[int, Decision]:
        """The decision for these facts, and the number of the version that made it (a kinder later one may have)."""
        version, decision = decide_bound(bound, facts)
        return version.number, decision

    def asks(self, bound: Bound) -> frozenset[str]:
        """The names of all facts that some rule of these versions asks, so that nobody gathers what nobody needs."""
        names: frozenset[str] = frozenset()
        for version in (bound.version, *bound.later):
            if version.number not in self._asked:
                self._asked[version.number] = frozenset(each.fact for each in version.policy.comparisons())
            names |= self._asked[version.number]
        return names

    def decide_each_reason(self, bound: Bound, facts: Facts) -> dict[str, Decision]:
        """The decision for every reason. Reasons that no rule tells apart share theirs, which is why a long order is quick."""
        key = (bound.version.number, *(version.number for version in bound.later))
        alike = self._alike.get(key)
        if alike is None:
            alike = self._alike[key] = _alike_reasons([bound.version.policy, *(each.policy for each in bound.later)])
        found: dict[str, Decision] = {}
        for reason, first in alike.items():
            found[reason] = found[first] if first in found else self.decide(bound, facts.asking(reason=reason))[1]
        return found


def asking(policy: Policy) -> Callable[[Facts], Decision]:
    """How one policy decides, without a look at other versions: what simulations compare and pages promise."""
    return lambda facts: decide(policy, facts)


def _alike_reasons(policies: Sequence[Policy]) -> dict[str, str]:
    """For each reason the first one that every comparison of these policies answers in the same way."""
    tests = [
        compile_condition(each, policy.zone)
        for policy in policies
        for each in policy.comparisons()
        if each.fact == "reason"
    ]
    first: dict[tuple[Any, ...], str] = {}
    return {reason: first.setdefault(tuple(test(Facts(reason=reason)) for test in tests), reason) for reason in REASONS}


_books: dict[tuple[str, int, str, datetime], Book] = {}
_lock = threading.Lock()


_NEWEST = (
    select(PolicyVersion.number, PolicyVersion.content_hash, PolicyVersion.effective_at)
    .order_by(PolicyVersion.number.desc())
    .limit(1)
)


def load_book(session: Session) -> Book:
    """The book as of now. Costs one tiny query while nothing new was published; loaded policies are kept per process."""
    newest = session.connection().execute(_NEWEST).first()
    if newest is None:
        return Book(())
    # Hash and start are part of the key, so that a database made anew under the same address is not taken for the old one, nor
    # a version that was never kept for the one that got its number.
    key = (_address(session), newest.number, newest.content_hash, newest.effective_at)
    book = _books.get(key)
    if book is None:
        rows = session.scalars(select(PolicyVersion).order_by(PolicyVersion.number)).all()
        book = Book(tuple(_load(rows)))
        with _lock:
            for old in [old for old in _books if old[0] == key[0]]:
                del _books[old]
            _books[key] = book
    return book


def _address(session: Session) -> str:
    bind_: Engine | Connection = session.get_bind()
    return str(bind_.engine.url)


def _load(rows: Sequence[PolicyVersion]) -> list[Version]:
    return [Version(row.number, row.effective_at, load_version(row)) for row in rows]


def load_version(version: PolicyVersion) -> Policy:
    """The policy of a version, with the laws as they were when it was published: it decides for ever as it did then."""
    return _recall(version.source, f"version {version.number}", tuple((version.laws or {}).items()))


@lru_cache(maxsize=64)
def _recall(source: str, name: str, laws: tuple[tuple[str, str], ...]) -> Policy:
    # A version never changes, so that the book of a new one costs one reading and not one for each version before it.
    return load_policy(source, name, read_laws(dict(laws)))


def read_laws(texts: Mapping[str, str]) -> dict[str, Law]:
    """The laws of these texts, by name."""
    return {name: _law(text) for name, text in texts.items()}


@cache
def _law(text: str) -> Law:
    return load_law(text)


def list_versions(session: Session) -> list[PolicyVersion]:
    """Every version, newest first."""
    return list(session.scalars(select(PolicyVersion).order_by(PolicyVersion.number.desc())))


def get_version(session: Session, number: int) -> PolicyVersion:
    """One version. Raises `NotFound`."""
    found = session.get(PolicyVersion, number)
    if found is None:
        raise NotFound("There is no such version of the policy.")
    return found


def publish(
    tx: Tx, text: str, *, filename: str, author: str, note: str = "", effective_at: datetime | None = None
) -> PolicyVersion:
    """Publish the policy as the next version. The very text that is in force now, or that starts at the very ``effective_at``,
    changes nothing and gives that version, unless a law that it names reads differently by now.

    ``effective_at`` (default now) is the moment from which orders are bound by it, until the next start: a version that is
    published and still to come starts all the same, unless this one has the very same start and so takes its place. Raises
    `policy.PolicyErrors` when the text is no policy, `Invalid` when it would bind orders that were placed before now.
    """
    policy = recall_policy(text, filename)
    starts = effective_at or tx.at
    if starts < tx.at:
        raise Invalid(
            "A policy can’t start in the past: orders keep the terms they were placed under.",
            {"effective_at": "choose a moment from now on"},
        )
    book = load_book(tx.session)
    there = book.live(starts)
    same = there is not None and there.policy.content_hash == policy.content_hash
    # A start of its own counts even where the text is in force by then: what is planned before it may still be replaced.
    if there is not None and same and (effective_at is None or there.effective_at == starts):
        row = get_version(tx.session, there.number)
        if row.source == text:
            return row
    version = PolicyVersion(
        number=book.newest + 1,
        name=policy.name,
        content_hash=policy.content_hash,
        source=text,
        effective_at=starts,
        published_at=tx.at,
        author=author,
        note=note,
        laws={law.name: law.source for law in policy.floors},
    )
    tx.session.add(version)
    tx.session.flush()
    timeline.record(
        tx,
        "policy.published",
        why=note,
        data={"version": version.number, "hash": version.content_hash, "name": version.name},
    )
    return version


def ensure_first(tx: Tx, path: Path) -> PolicyVersion | None:
    """Publish the policy of ``path`` when nothing was ever published; None when something was."""
    if tx.session.scalar(select(PolicyVersion.number).limit(1)) is not None:
        return None
    return publish(tx, path.read_text(encoding="utf-8"), filename=path.name, author=tx.actor.name, note="First version")
