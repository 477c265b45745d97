"""Runs a policy over the past, in batches on several processes.

In: the draft, the version it is compared with, and the sample. Out: a `policybook.simulation.Simulation`, and progress.
Invariants: memory is bounded by the batch, whatever the book holds; the result is the same for any number of processes and
any size of batches. Never: a write to the book; progress and result of a job are stored by short transactions of their own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Connection, Select, func, select

from portal import clock
from portal.db import Database
from portal.orders.models import Order, OrderLine
from portal.policy.facts import Facts
from portal.policy.loader import load_policy
from portal.policy.quote import ShippingPaid
from portal.policy.simulate import QUESTIONS, LineTrial, Request, RequestTrial
from portal.policy.tally import Comparison
from portal.policybook import simulation as stored
from portal.policybook.service import asking, get_version, read_laws
from portal.policybook.simulation import LineChange, ReturnChange, Sample, Simulation
from portal.returns.days import first_day, move
from portal.returns.history import ASKED as HISTORY
from portal.returns.history import History
from portal.returns.models import Return, ReturnLine
from portal.returns.past import standing
from portal.returns.sold import SoldLines

Progress = Callable[[int, int], None]
BATCH = 25_000
RETURNS_BATCH = 5_000
SMALL = 30_000
"""Up to so many orders and returns a second process costs more than it saves."""
MAX_CHANGES = 1_000
STORE_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a process needs to know to work on any part of it."""

    url: str
    before: str
    before_laws: dict[str, str]
    """The texts of the laws of the version before; the draft has those of this release."""
    after: str
    sample: Sample
    every: int


@dataclass(frozen=True, slots=True)
class Part:
    """Orders or returns with ids from ``first`` to ``last``; ``kind`` is ``lines``, those of the orders, or ``returns``."""

    kind: str
    first: int
    last: int


@dataclass(slots=True)
class Batch:
    """What came out of one part."""

    sold: dict[str, Comparison] = field(default_factory=dict)
    requests: Comparison = field(default_factory=Comparison)
    examples: list[tuple[int, dict[str, tuple[str, str]]]] = field(default_factory=list)
    changes: list[ReturnChange] = field(default_factory=list)
    changed: int = 0
    lines: int = 0
    returns: int = 0
    unused: frozenset[str] = frozenset()
    """The rules of the draft that could have held for nothing that the process has read so far."""


class Reader:
    """Works on parts. Kinds of lines that one part has met are known to the next."""

    def __init__(self, plan: Plan, database: Database) -> None:
        self._database = database
        self._plan = plan
        policies = load_policy(plan.before, "before", read_laws(plan.before_laws)), load_policy(plan.after, "after")
        tests = [(test, policy.zone) for policy in policies for test in policy.comparisons()]
        history = None
        if not HISTORY.isdisjoint(test.fact for test, _ in tests):
            with database.read() as session:
                history = History(session)
        sample = plan.sample
        self._asks = asking(policies[0]), asking(policies[1])
        self._sold = SoldLines(
            policies, tests, asked_after=sample.asked_after, years=sample.years, history=history
        )  # fmt: skip
        self._since = first_day(sample.since, policies[1].zone)
        self._unused = policies[1].rules
        self._trial = LineTrial(*self._asks, self._meet)

    def _meet(self, facts: Facts) -> None:
        """A kind of line. What is not known of it before anybody asks for anything might have let a rule hold."""
        known = standing(facts)
        self._unused = tuple(rule for rule in self._unused if rule.holds(known) is False)

    def work(self, part: Part) -> Batch:
        """One part of the book."""
        with self._database.engine.connect() as connection:
            return self._lines(connection, part) if part.kind == "lines" else self._returns(connection, part)

    def _lines(self, connection: Connection, part: Part) -> Batch:
        batch = Batch()
        lines = self._sold.read(connection, self._since, part.first, part.last, self._plan.every)
        batch.sold = self._trial.run(lines)
        batch.lines = batch.sold[QUESTIONS[0].name].asked
        batch.examples = self._trial.examples
        batch.unused = frozenset(rule.name for rule in self._unused)
        return batch

    def _returns(self, connection: Connection, part: Part) -> Batch:
        trial = RequestTrial(*self._asks)
        batch = Batch(requests=trial.comparison)
        query = (
            select(
                Return.id, Return.rma, Return.currency, Return.basis, Return.ship_with, OrderLine.ref,
                ReturnLine.quantity, ReturnLine.resolution, ReturnLine.gross_minor, ReturnLine.tax_minor, ReturnLine.facts,
            )
            .join(ReturnLine, ReturnLine.return_id == Return.id)
            .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
            .join(Order, Order.id == Return.order_id)
            .where(Return.id.between(part.first, part.last), Order.placed_at >= self._since)
            .order_by(Return.id, ReturnLine.position)
        )  # fmt: skip
        if self._plan.every > 1:
            query = query.where(Order.id % self._plan.every == 0)
        for rma, asked in _requests(connection.execute(query), self._plan.sample.years):
            change = trial.run(asked)
            batch.returns += 1
            if change is None:
                continue
            batch.changed += 1
            if len(batch.changes) < MAX_CHANGES:
                batch.changes.append(
                    ReturnChange(rma, asked.currency, change.before_minor, change.after_minor, change.lines)
                )
        return batch


def _requests(rows: Any, years: int) -> Iterator[tuple[str, Request]]:
    current: int | None = None
    head: Any = None
    lines: list[tuple[str, int, str, int, int, Facts]] = []

    def made() -> tuple[str, Request]:
        basis = head.basis
        shipping = basis.get("shipping", {})
        return head.rma, Request(
            head.currency,
            tuple(lines),
            ShippingPaid(shipping.get("amount", 0), shipping.get("tax", 0)),
            bool(basis.get("full_return")),
            bool(basis.get("fee_charged")),
            head.ship_with,
        )

    for row in rows:
        if row.id != current:
            if current is not None:
                yield made()
            current, head, lines = row.id, row, []
        facts = Facts.from_json(row.facts if not years else _moved(row.facts, years))
        lines.append((row.ref, row.quantity, row.resolution, row.gross_minor, row.tax_minor, facts))
    if current is not None:
        yield made()


def _moved(facts: dict[str, Any], years: int) -> dict[str, Any]:
    """Stored facts with every moment moved on."""

    def move_text(text: str) -> str:
        return move(datetime.fromisoformat(text), years).isoformat()

    moved = {**facts, "order": dict(facts.get("order", {})), "item": dict(facts.get("item", {}))}
    for group, name in ((moved["order"], "placed_at"), (moved["item"], "shipped_at"), (moved["item"], "delivered_at")):
        if group.get(name):
            group[name] = move_text(group[name])
    if moved.get("at"):
        moved["at"] = move_text(moved["at"])
    return moved


_reader: Reader | None = None


def _start(plan: Plan) -> None:
    global _reader
    os.nice(5)
    _reader = Reader(plan, Database(plan.url, pool_size=1))


def _work(part: Part) -> Batch:
    if _reader is None:
        raise RuntimeError("the process was not started for a simulation")
    return _reader.work(part)


def simulate(
    database: Database,
    text: str,
    *,
    against: int,
    sample: Sample,
    progress: Progress = lambda done, total: None,
    processes: int = 2,
    batch: int = BATCH,
) -> Simulation:
    """Try the policy ``text`` on the past, compared with the version ``against``.

    Raises `PolicyErrors` when the text is no policy, `Invalid` for a sample without sense, `NotFound` for an unknown version.
    """
    sample.check()
    policy = load_policy(text, "draft")
    with database.read() as session:
        before = get_version(session, against)
        before_source, before_laws = before.source, before.laws or {}
        since = first_day(sample.since, policy.zone)
        placed = select(func.count()).select_from(Order).where(Order.placed_at >= since)
        every = max(1, -(-session.scalar(placed) // sample.orders)) if sample.orders else 1  # type: ignore[operator]
        orders = session.scalar(placed if every == 1 else placed.where(Order.id % every == 0)) or 0
        parts = [
            *_parts("lines", session.execute(_ends(Order, since)).one(), batch),
            *_parts("returns", session.execute(_ends(Return, since)).one(), min(RETURNS_BATCH, batch)),
        ]
    total = sum(part.last - part.first + 1 for part in parts)
    plan = Plan(database.url, before_source, before_laws, text, sample, every)
    names = [rule.name for rule in policy.rules]
    whole = Batch(sold={question.name: Comparison() for question in QUESTIONS}, unused=frozenset(names))
    done = 0
    progress(0, total)
    with ExitStack() as stack:
        for part, found in zip(parts, _run(plan, database, parts, total, processes, stack), strict=True):
            _take_in(whole, found)
            if part.kind == "lines":
                whole.unused &= found.unused
            done += part.last - part.first + 1
            progress(done, total)
    return Simulation(
        policy.name,
        policy.content_hash,
        against,
        sample,
        orders,
        whole.lines,
        whole.returns,
        whole.requests,
        whole.sold["ordinary"],
        whole.sold["fault"],
        whole.changed,
        tuple(whole.changes),
        _examples(database, whole.examples),
        # Where nothing was sold, nothing is said of any rule.
        tuple(name for name in names if name in whole.unused and whole.lines),
    )


def _ends(table: type[Order] | type[Return], since: datetime) -> Select[int, int]:
    ends = select(func.min(table.id), func.max(table.id)).where(Order.placed_at >= since)
    return ends if table is Order else ends.join(Order, Order.id == Return.order_id)


def _parts(kind: str, ends: Any, size: int) -> list[Part]:
    first, last = ends
    if first is None:
        return []
    return [Part(kind, start, min(start + size - 1, last)) for start in range(first, last + 1, size)]


def _run(
    plan: Plan, database: Database, parts: Sequence[Part], total: int, processes: int, stack: ExitStack
) -> Iterator[Batch]:
    if processes < 2 or total <= SMALL:
        reader = Reader(plan, database) if parts else None
        return (reader.work(part) for part in parts if reader is not None)
    # A fresh interpreter and not a fork: the caller may hold threads and connections.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start, initargs=(plan,))
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    return pool.map(_work, parts)


def _take_in(whole: Batch, found: Batch) -> None:
    for name, comparison in found.sold.items():
        whole.sold[name].merge(comparison)
    whole.requests.merge(found.requests)
    known = [answers for _, answers in whole.examples]
    whole.examples += [each for each in found.examples if each[1] not in known]
    whole.changes += found.changes[: MAX_CHANGES - len(whole.changes)]
    whole.changed += found.changed
    whole.lines += found.lines
    whole.returns += found.returns


def _examples(database: Database, found: Sequence[tuple[int, dict[str, tuple[str, str]]]]) -> tuple[LineChange, ...]:
    with database.read() as session:
        query = (
            select(OrderLine.id, Order.number, OrderLine.ref, OrderLine.name)
            .join(Order, Order.id == OrderLine.order_id)
            .where(OrderLine.id.in_([line for line, _ in found]))
        )
        known = {row.id: row for row in session.execute(query)}
    return tuple(
        LineChange(known[line].number, known[line].ref, known[line].name, answers)
        for line, answers in found
        if line in known
    )


def run(database: Database, number: int) -> None:
    """Do the job of a simulation that staff asked for: show progress while it works, then store the result."""
    with database.transaction() as tx:
        row = stored.get(tx.session, number)
        if row.state == "done":
            return
        row.state, row.done = "running", 0
        text, against, sample = row.source, row.against, Sample.from_json(row.sample)
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last < STORE_EVERY:
            return
        last = time.monotonic()
        with database.transaction() as tx:
            here = stored.get(tx.session, number)
            here.done, here.total = done, total

    try:
        outcome = simulate(database, text, against=against, sample=sample, progress=progress)
    except Exception:
        # Whatever it was goes on to the worker, which logs it and tries again; until then the page must not show progress.
        with database.transaction() as tx:
            stored.get(tx.session, number).state = "failed"
        raise
    with database.transaction() as tx:
        row = stored.get(tx.session, number)
        row.state, row.result, row.finished_at = "done", json.loads(json.dumps(outcome.to_json())), clock.now()
        row.done = row.total
