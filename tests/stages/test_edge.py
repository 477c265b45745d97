"""Whom a limit counts as one visitor, and what becomes of a command that collides."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from sqlalchemy import insert, update
from structlog.testing import capture_logs

from portal import edge
from portal.db import SYSTEM, Base, Database
from portal.errors import Conflict, TooManyTries
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


def _look_up(database: Database, address: str) -> None:
    edge.limit_lookup(database, address, "20418")


def _track(database: Database, address: str) -> None:
    if not edge.limit_tracking(database, address, f"typed by {address}", "20418"):
        raise TooManyTries("silently", retry_after=1)


def _sign_in(database: Database, address: str) -> None:
    edge.limit_sign_in(database, address, "maya@example.com")


@pytest.mark.parametrize("door", [_look_up, _track, _sign_in])
@pytest.mark.parametrize(
    "addresses",
    [["192.0.2.7"], [f"2001:db8:7:{n:x}::1" for n in range(5)], ["192.0.2.7", "192.0.2.8", "192.0.2.9"]],
    ids=["one address", "one provider's /48", "three addresses"],
)
def test_a_stranger_or_a_few_who_try_all_day_lock_nobody_out(
    database: Database, door: Callable[[Database, str], None], addresses: list[str]
) -> None:
    with time_machine.travel(AT, tick=False) as moment:
        for _quarter in range(12):
            for address in addresses:
                for _try in range(10):
                    with suppress(TooManyTries):
                        door(database, address)
            moment.shift(timedelta(minutes=15))
        door(database, "198.51.100.1")
        with pytest.raises(TooManyTries):
            door(database, addresses[0])


@pytest.mark.parametrize(
    "door",
    [
        lambda database, address, which: edge.limit_lookup(database, address, f"2{which}"),
        lambda database, address, which: edge.limit_tracking(database, address, f"R-{which}", f"2{which}"),
        lambda database, address, which: edge.limit_sign_in(database, address, f"maya{which}@example.com"),
    ],
    ids=["look-up", "tracking", "sign-in"],
)
def test_guesses_at_many_things_from_all_over_one_provider_s_block_are_bounded(
    database: Database, door: Callable[[Database, str, int], None]
) -> None:
    passed = 0
    with time_machine.travel(AT, tick=False):
        for which in range(300):
            with suppress(TooManyTries):
                door(database, f"2001:db8:7:{which:x}::1", which)
                passed += 1
        assert passed == 200
        door(database, "2001:db8:8:1::1", 1)


def test_neighbours_who_find_their_orders_use_up_nothing_of_their_block(database: Database) -> None:
    with time_machine.travel(AT, tick=False):
        for which in range(250):
            address = f"2001:db8:7:{which:x}::1"
            edge.limit_lookup(database, address, f"2{which}")
            edge.forgive_lookup(database, address, f"2{which}")


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
