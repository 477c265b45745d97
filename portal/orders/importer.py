"""Importing a file of orders.

In: a path. Out: `ImportReport`. Invariants: what is good is kept and what is bad is named; one transaction per batch, so that
memory and locks stay small and a killed import is simply run again; the same file imported twice changes nothing.
Never: a payment made inside a transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import DataError, IntegrityError

from portal.db import SYSTEM, Actor, Database
from portal.errors import Invalid, PortalError, UpstreamError
from portal.orders.incoming import IncomingOrder
from portal.orders.payments import PaymentMaker, pay_order
from portal.orders.prepare import Prepared, prepare
from portal.orders.service import PutResult, known_keys, put_many
from portal.orders.source import BadRow, FoundOrder, OrderSource, UnreadableFile, choose

BATCH_ORDERS, BATCH_LINES = 1_000, 10_000
SHOWN = 20
PAYING_AT_ONCE = 4

OF_GOODS = ("vendor", "category", "type", "tags")
"""What a shop's system may say of goods and may leave out."""

Progress = Callable[[int, int], None]
"""Called with rows read so far and rows in all."""


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would have done (``dry_run``)."""

    file: str
    format: str
    dry_run: bool = False
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """created, updated, unchanged."""
    lines: int = 0
    """Lines of all these orders."""
    told: set[str] = field(default_factory=set)
    """Which of `OF_GOODS` at least one of these lines says."""
    paid: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    bad: list[BadRow] = field(default_factory=list)
    """The first of the bad rows; ``bad_count`` has them all."""
    bad_count: int = 0

    @property
    def good(self) -> int:
        """How many orders the portal holds because of this file."""
        return sum(self.outcomes.values())

    def add_bad(self, row: BadRow) -> None:
        """Count a bad row, and keep it if it is among the first."""
        self.bad_count += 1
        if len(self.bad) < SHOWN:
            self.bad.append(row)


class _DryRun(Exception):
    """Ends the transaction of a dry run without writing; it is no error."""


def import_file(
    database: Database,
    path: Path,
    sources: Mapping[str, OrderSource],
    *,
    format: str | None = None,
    zone: str = "UTC",
    delivered_after: timedelta | None = None,
    maker: PaymentMaker | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    actor: Actor = SYSTEM,
) -> ImportReport:
    """Import every order of the file. Raises `UnreadableFile` when it is refused whole.

    ``delivered_after`` sets the delivery of lines that have none, counted from their dispatch or else from the order.
    ``maker`` pays for the orders that are new here. ``zone`` is for times that name none.
    """
    source = choose(dict(sources), path, format)
    reading = source.open(path, zone)
    report = ImportReport(path.name, source.name, dry_run)
    batch = _Batch(database, report, maker, actor)
    for item in reading.items:
        if isinstance(item, BadRow):
            report.add_bad(item)
        else:
            batch.add(item, delivered_after)
        if progress:
            progress(reading.done, reading.rows)
    batch.flush()
    if progress:
        progress(reading.rows, reading.rows)
    report.rows = reading.rows
    report.skipped, report.notes = reading.skipped, report.notes + reading.notes
    return report


class _Batch:
    """Orders that are written together."""

    def __init__(self, database: Database, report: ImportReport, maker: PaymentMaker | None, actor: Actor) -> None:
        self._database, self._report, self._maker, self._actor = database, report, maker, actor
        self._ready: dict[str, tuple[Prepared, int]] = {}
        self._lines = 0

    def add(self, found: FoundOrder, delivered_after: timedelta | None) -> None:
        order = found.order if delivered_after is None else _delivered(found.order, delivered_after)
        try:
            ready = prepare(order)
        except Invalid as error:
            self._bad(order.number, found.line, error.message)
            return
        if ready.key in self._ready:
            # The same number again: the later one is a change of the earlier, as it would be in a later file.
            self.flush()
        if abs(ready.frozen.rounding_minor) > len(order.lines) + 1:
            self._report.notes[
                "orders whose total is not the sum of their parts; the difference is kept as rounding"
            ] += 1
        self._ready[ready.key] = (ready, found.line)
        self._lines += len(order.lines)
        if len(self._ready) >= BATCH_ORDERS or self._lines >= BATCH_LINES:
            self.flush()

    def flush(self) -> None:
        batch = list(self._ready.values())
        self._ready, self._lines = {}, 0
        if self._maker is not None and not self._report.dry_run:
            batch = self._pay(batch, self._maker)
        if batch:
            self._write(batch)

    def _write(self, batch: list[tuple[Prepared, int]]) -> None:
        answers: list[PutResult | PortalError] = []
        try:
            with self._database.transaction(self._actor) as tx:
                answers = put_many(tx, [ready for ready, _ in batch])
                if self._report.dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        except (DataError, IntegrityError) as error:
            # One order that the database refuses must not take a thousand others with it: they are written one by one.
            if len(batch) > 1:
                for one in batch:
                    self._write([one])
                return
            answers = [Invalid(f"the database refused it: {error.orig}")]
        for (ready, line), answer in zip(batch, answers, strict=True):
            if isinstance(answer, PortalError):
                self._bad(ready.order.number, line, answer.message)
            else:
                self._report.outcomes[answer.outcome] += 1
                self._report.lines += len(ready.order.lines)
                self._note_told(ready.order)

    def _note_told(self, order: IncomingOrder) -> None:
        for name in OF_GOODS:
            if name not in self._report.told and any(getattr(line, name) for line in order.lines):
                self._report.told.add(name)

    def _pay(self, batch: list[tuple[Prepared, int]], maker: PaymentMaker) -> list[tuple[Prepared, int]]:
        with self._database.read() as session:
            known = known_keys(session, [ready.key for ready, _ in batch])
        # A few at a time: every payment is a request to another system, which limits how many it takes at once.
        with ThreadPoolExecutor(PAYING_AT_ONCE) as pool:
            asked = [None if ready.key in known else pool.submit(pay_order, maker, ready) for ready, _ in batch]
        kept = []
        for (ready, line), payment in zip(batch, asked, strict=True):
            try:
                paid = payment.result() if payment else ready
                kept.append((paid, line))
                self._report.paid += paid.order.payments != ready.order.payments
            except UpstreamError as error:
                self._bad(ready.order.number, line, f"was not paid: {error.staff_message}")
        return kept

    def _bad(self, number: str, line: int, message: str) -> None:
        self._report.add_bad(BadRow(self._report.file, line, f"order {number[:64]}: {message}"))


def _delivered(order: IncomingOrder, after: timedelta) -> IncomingOrder:
    """``order`` with a delivery for each line that has none."""
    try:
        lines = tuple(
            line if line.delivered_at else replace(line, delivered_at=(line.shipped_at or order.placed_at) + after)
            for line in order.lines
        )
    except OverflowError:
        return order
    return replace(order, lines=lines)


__all__ = ["ImportReport", "Progress", "UnreadableFile", "import_file"]
