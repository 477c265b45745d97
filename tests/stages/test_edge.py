"""Whom a limit counts as one visitor, and what becomes of a command that collides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import insert, update
from structlog.testing import capture_logs

from portal import edge
from portal.db import SYSTEM, Base, Database
from portal.errors import Conflict
from portal.jobs import Job, WorkerBeat
from portal.orders.models import Order, OrderLine
from tests.stages.test_session import AT


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:7:1::1", "2001:db8:7:1::/64"),
        ("2001:DB8:7:1:ffff:ffff:ffff:ffff", "2001:db8:7:1::/64"),
        ("2001:0db8:0007:0001:0000:0000:0000:0001", "2001:db8:7:1::/64"),
        ("2001:db8:7:2::1", "2001:db8:7:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_a_limit_counts_one_connection_as_one_visitor(address: str, counted: str) -> None:
    assert edge.network(address) == counted


def test_of_two_commands_that_wait_for_each_other_one_is_told_to_try_again(pg_database: Database) -> None:
    with pg_database.transaction() as tx:
        for name in ("a", "b"):
            tx.session.execute(insert(WorkerBeat).values(worker=name, beat_at=AT))
    both = Barrier(2, timeout=10)

    def touch(first: str, second: str) -> str:
        try:
            with edge.command(pg_database, SYSTEM) as tx:
                tx.session.execute(update(WorkerBeat).where(WorkerBeat.worker == first).values(beat_at=tx.at))
                both.wait()
                tx.session.execute(update(WorkerBeat).where(WorkerBeat.worker == second).values(beat_at=tx.at))
        except Conflict as conflict:
            return conflict.message
        return "done"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(touch, ("a", "b"), ("b", "a")))
    assert said == ["The portal is very busy. Nothing was saved. Try again.", "done"]


def test_a_row_that_is_there_already_is_somebody_elses_and_a_broken_rule_is_logged(any_database: Database) -> None:
    def add(row: Base) -> None:
        with edge.command(any_database, SYSTEM) as tx:
            tx.session.add(row)

    add(Job(key="once", name="x", args={}, run_at=AT, created_at=AT))
    with capture_logs() as logged, pytest.raises(Conflict):
        add(Job(key="once", name="x", args={}, run_at=AT, created_at=AT))
    assert logged == []
    order = Order(number="A", number_key="A", currency="EUR", placed_at=AT, total_minor=1, content_hash="-",
                  imported_at=AT, updated_at=AT)  # fmt: skip
    held = {"units_held": 9, "quantity": 1}
    order.lines = [OrderLine(position=0, ref="0", unit_price_minor=1, list_minor=1, gross_minor=1, **held)]
    with capture_logs() as logged, pytest.raises(Conflict):
        add(order)
    assert [each["event"] for each in logged] == ["the database refused a command"]
