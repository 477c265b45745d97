"""A policy tried on a whole book: sold lines per second, for more lines and for more rules."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from sqlalchemy import text

from bench import books
from bench.decide import policy_of
from portal import migrations
from portal.db import Actor, Database
from portal.policybook.service import publish
from portal.policybook.simulation import Sample
from portal.returns.simulation import simulate

# A book in which lines differ: days over two years, a few thousand amounts, three countries, parcels of their own.
_MIX = (
    """UPDATE "order" SET
       placed_at = strftime('%Y-%m-%d %H:%M:%f', '2026-11-20 10:15:00', '-' || (id * 7919 % 1051200) || ' minutes'),
       ship_to = json_set(ship_to, '$.country', CASE id % 11 WHEN 0 THEN 'DE' WHEN 1 THEN 'FR' ELSE 'GB' END)""",
    """UPDATE order_line SET gross_minor = 199 + id * 104729 % 19801, list_minor = 199 + id * 104729 % 19801, tax_minor = 0,
       unit_price_minor = 199 + id * 104729 % 19801,
       delivered_at = (SELECT strftime('%Y-%m-%d %H:%M:%f', placed_at, '+' || (1 + order_line.id % 5) || ' days')
                       FROM "order" WHERE "order".id = order_line.order_id)""",
)


def simulated(folder: Path, shipped: str, *, quick: bool) -> Iterator[tuple[str, str]]:
    """(what, measured) for books that grow and for policies that grow."""
    sizes = (20_000, 100_000) if quick else (100_000, 300_000, 1_000_000)
    database = Database(f"sqlite:///{folder / 'simulated.sqlite3'}")
    migrations.upgrade(database.engine)
    with database.transaction(Actor("system", "Bench")) as tx:
        before = publish(tx, shipped, filename="before", author="Bench").number
    changed = shipped.replace("window: {days: 30, from: delivered", "window: {days: 10, from: delivered")
    filled = 0
    for size in sizes:
        books.fill(database, size // 2 - filled, first=filled + 1)
        filled = size // 2
        with database.transaction() as tx:
            for statement in _MIX:
                tx.session.execute(text(statement))
        yield _run(database, changed, before, f"{size:,} lines, shipped policy against another")
    for rules in (5, 20, 100):
        with database.transaction(Actor("system", "Bench")) as tx:
            number = publish(tx, policy_of(rules, shipped), filename="before", author="Bench").number
        later = policy_of(rules, changed)
        yield _run(database, later, number, f"{sizes[-1]:,} lines, {rules} rules against {rules}")
    database.dispose()


def _run(database: Database, source: str, against: int, what: str) -> tuple[str, str]:
    # The peak of all children so far, in KiB: memory must not grow with the book.
    started = time.perf_counter()
    used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    own = time.process_time()
    found = simulate(database, source, against=against, sample=Sample(date(2020, 1, 1)))
    passed = time.perf_counter() - started
    busy = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - used + time.process_time() - own
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)) // 1024
    return (
        f"simulation, {what}",
        f"{found.lines / passed:,.0f} lines/s, {passed:.1f} s ({busy:.1f} s of processor time), {peak} MiB at most",
    )
