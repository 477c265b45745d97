"""Simulations of a policy on the past: what was asked, how far it is, and what came out. `returns.simulation` runs them.

In: the text of a draft, and which orders to try it on. Out: a job, its progress, and a frozen `Simulation` with its sample.
Invariants: a GET only reads what a job has stored; the result names its sample. Never: a change to an order, a return, a version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import jobs
from portal.db import Base, Tx
from portal.errors import Invalid, NotFound
from portal.policy.decision import OTHERWISE
from portal.policy.loader import Policy, load_policy
from portal.policy.tally import Comparison
from portal.policybook.service import load_book

MAX_YEARS = 20
MAX_ASKED_AFTER = 3650
ASKED_AFTER = 14
"""Days after delivery at which sold lines are asked about where nothing else suggests itself."""


def telling_day(before: Policy, after: Policy) -> int:
    """So many days after delivery a sold line is asked about, unless somebody says otherwise, so that the answers tell most
    of two policies: on the last day of the longest window that only one of them gives, else of the one that both usually give.

    A day inside the legal withdrawal would tell nothing: the laws raise both policies to the same there.
    """
    said = [
        {OTHERWISE: each.otherwise["window"]} | {rule.name: rule.sets.get("window") for rule in each.rules}
        for each in (before, after)
    ]
    names = [name for name in said[0] | said[1] if said[0].get(name) != said[1].get(name)] or [OTHERWISE]
    windows = [window for each in said for name in names if (window := each.get(name)) is not None]
    last = max((window.days + window.grace for window in windows if window.days is not None), default=ASKED_AFTER)
    return min(last, MAX_ASKED_AFTER)


@dataclass(frozen=True, slots=True)
class Sample:
    """On what a policy is tried: orders placed ``since`` a day, about ``orders`` of them (None: all), every date moved
    ``years`` on, sold lines asked about ``asked_after`` days after delivery."""

    since: date
    orders: int | None = None
    years: int = 0
    asked_after: int = ASKED_AFTER

    def check(self) -> None:
        """Raises `Invalid` naming each part that makes no sense."""
        wrong: dict[str, str] = {}
        if not 1970 <= self.since.year < 2200:
            wrong["since"] = "choose a day from 1970 to 2199"
        if self.orders is not None and not 0 < self.orders <= 1_000_000_000:
            wrong["sample"] = "choose at least 1 order"
        if not 0 <= self.years <= MAX_YEARS:
            wrong["years"] = f"choose from 0 to {MAX_YEARS} years"
        if not 0 <= self.asked_after <= MAX_ASKED_AFTER:
            wrong["asked_after"] = f"choose from 0 to {MAX_ASKED_AFTER} days"
        if wrong:
            raise Invalid("The policy can’t be tried like this.", wrong)

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "orders": self.orders,
            "years": self.years,
            "asked_after": self.asked_after,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sample:
        return cls(date.fromisoformat(data["since"]), data["orders"], data["years"], data["asked_after"])


@dataclass(frozen=True, slots=True)
class ReturnChange:
    """A past return that changes: its number, its money in minor units (with what waits for a person), and (line, answer before,
    answer after)."""

    rma: str
    currency: str
    before_minor: int
    after_minor: int
    lines: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class LineChange:
    """One of the kinds of sold lines that change, by an example: order number, line, name, and question -> answers."""

    order: str
    line: str
    name: str
    answers: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a policy would have changed. ``requests`` are the lines of past returns, replayed with their stored facts;
    ``ordinary`` and ``fault`` are all sold lines, asked about for a change of mind and for a fault.

    ``against`` is the number of the version it is compared with. ``changes`` lists the first `changed_returns` of them.
    ``unused`` are the rules that could have held for no line that was sold, whatever had been asked for it.
    """

    name: str
    content_hash: str
    against: int
    sample: Sample
    orders: int
    lines: int
    returns: int
    requests: Comparison
    ordinary: Comparison
    fault: Comparison
    changed_returns: int
    changes: tuple[ReturnChange, ...]
    examples: tuple[LineChange, ...]
    unused: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many lines were asked about, past returns and sold ones together."""
        return self.requests.asked + self.ordinary.asked

    def to_json(self) -> dict[str, Any]:
        return {
            "policy": {"name": self.name, "hash": self.content_hash},
            "against": self.against,
            "sample": {**self.sample.to_json(), "found": self.orders, "lines": self.lines, "returns": self.returns},
            "returns": {
                **self.requests.to_json(),
                "changed": self.changed_returns,
                "changes": [
                    {
                        "rma": each.rma,
                        "currency": each.currency,
                        "before": each.before_minor,
                        "after": each.after_minor,
                        "lines": [{"line": line, "from": a, "to": b} for line, a, b in each.lines],
                    }
                    for each in self.changes
                ],
            },
            "sold_lines": {
                "ordinary": self.ordinary.to_json(),
                "fault": self.fault.to_json(),
                "examples": [
                    {
                        "order": each.order,
                        "line": each.line,
                        "name": each.name,
                        "answers": {name: list(pair) for name, pair in each.answers.items()},
                    }
                    for each in self.examples
                ],
                "unused_rules": list(self.unused),
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Simulation:
        returns, sold, sample = data["returns"], data["sold_lines"], data["sample"]
        return cls(
            data["policy"]["name"],
            data["policy"]["hash"],
            data["against"],
            Sample.from_json(sample),
            sample["found"],
            sample["lines"],
            sample["returns"],
            Comparison.from_json(returns),
            Comparison.from_json(sold["ordinary"]),
            Comparison.from_json(sold["fault"]),
            returns["changed"],
            tuple(
                ReturnChange(
                    each["rma"],
                    each["currency"],
                    each["before"],
                    each["after"],
                    tuple((line["line"], line["from"], line["to"]) for line in each["lines"]),
                )
                for each in returns["changes"]
            ),
            tuple(
                LineChange(
                    each["order"],
                    each["line"],
                    each["name"],
                    {name: (pair[0], pair[1]) for name, pair in each["answers"].items()},
                )
                for each in sold["examples"]
            ),
            tuple(sold.get("unused_rules", ())),
        )


class PolicySimulation(Base):
    """One simulation. ``state``: waiting, running, done or failed."""

    __tablename__ = "policy_simulation"
    __table_args__ = (Index("ix_policy_simulation_hash", "content_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    source: Mapped[str]
    against: Mapped[int]
    sample: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    """Rows looked at and to be looked at, for the progress bar; 0 before it is known."""
    result: Mapped[dict[str, Any] | None]
    asked_by: Mapped[str] = mapped_column(String(120))
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @property
    def outcome(self) -> Simulation | None:
        """The result, once it is there."""
        return None if self.result is None else Simulation.from_json(self.result)


def ask(tx: Tx, text: str, *, filename: str, sample: Sample) -> PolicySimulation:
    """Let a job try the draft ``text`` against the version in force. While the same question is being tried, asking it is asking
    for that; once it is answered, it is tried anew on what was sold and sent back by then.

    Raises `policy.PolicyErrors` when the text is no policy, `Invalid` for a sample without sense, `NotFound` when nothing was
    ever published.
    """
    policy = load_policy(text, filename)
    sample.check()
    against, _ = load_book(tx.session).current(tx.at)
    same = select(PolicySimulation).where(
        PolicySimulation.content_hash == policy.content_hash,
        PolicySimulation.against == against,
        PolicySimulation.asked_at >= tx.at.replace(hour=0, minute=0, second=0, microsecond=0),
        PolicySimulation.state.in_(("waiting", "running")),
    )
    for known in tx.session.scalars(same):
        if known.sample == sample.to_json():
            return known
    made = PolicySimulation(
        content_hash=policy.content_hash,
        source=text,
        against=against,
        sample=sample.to_json(),
        asked_by=tx.actor.name,
        asked_at=tx.at,
    )
    tx.session.add(made)
    tx.session.flush()
    jobs.enqueue(tx, "simulate_policy", {"simulation": made.id}, key=f"simulation:{made.id}")
    return made


def get(session: Session, number: int) -> PolicySimulation:
    """One simulation. Raises `NotFound`."""
    found = session.get(PolicySimulation, number)
    if found is None:
        raise NotFound("There is no such simulation.")
    return found


def find_latest(session: Session, content_hash: str, against: int) -> PolicySimulation | None:
    """The newest simulation of a policy with this meaning, compared with that version, or None."""
    return session.scalar(
        select(PolicySimulation)
        .where(PolicySimulation.content_hash == content_hash, PolicySimulation.against == against)
        .order_by(PolicySimulation.id.desc())
        .limit(1)
    )
