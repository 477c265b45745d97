"""Races, with real threads on both databases: units are promised once, a key books once, a decision is made once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from sqlalchemy import func, select

from portal import edge
from portal.db import Database
from portal.errors import Conflict, Invalid, PortalError
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.returns import service
from portal.returns.models import Return
from tests.stages.returns.trade import (
    BENCH,
    CUSTOMER,
    JONAS,
    MAYA,
    Item,
    add_order,
    add_variant,
    book_return,
    events_of,
    held,
    look,
    open_shop,
    rows,
    wish,
)

THREADS = 20


def together(work: Callable[[int], object], count: int = THREADS) -> list[object]:
    """Run ``work(0)``…``work(count - 1)`` at the same moment; gives what each gave, or the error it raised."""
    gate = threading.Barrier(count)
    outcome: list[object] = [None] * count

    def one(index: int) -> None:
        gate.wait()
        try:
            outcome[index] = work(index)
        except Exception as error:
            outcome[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unexpected = [each for each in outcome if isinstance(each, Exception) and not isinstance(each, PortalError)]
    assert not unexpected, unexpected
    return outcome


def _book(database: Database, shop: object, order: int, key: str, quantity: int = 1) -> str:
    with edge.command(database, CUSTOMER) as tx:
        tx.at = look_at()
        return service.book(tx, shop, order, [wish(quantity=quantity)], booking_key=key).rma  # type: ignore[arg-type]


def look_at() -> object:
    from tests.stages.returns.trade import BOOKED

    return BOOKED


def test_the_last_units_are_promised_to_one(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(2, 20_00)])
    outcome = together(lambda index: _book(any_database, shop, order, f"key-{index}", 2))
    won = [each for each in outcome if isinstance(each, str)]
    assert len(won) == 1
    assert all(isinstance(each, Invalid | Conflict) for each in outcome if each not in won)
    assert held(any_database, order) == [2]
    assert rows(any_database, select(func.count(Return.id))) == [1]


def test_units_for_all_are_shared_out_once_each(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(THREADS, 333_33)])
    outcome = together(lambda index: _book(any_database, shop, order, f"key-{index}"))
    won = [each for each in outcome if isinstance(each, str)]
    assert len(won) == THREADS
    lines = [look(any_database, rma).lines[0] for rma in won]
    assert sorted(line.units[0].first for line in lines) == list(range(1, THREADS + 1))
    assert sum(line.gross_minor for line in lines) == 333_33


def test_one_key_books_one_return(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(THREADS, 20_00)])
    outcome = together(lambda _: _book(any_database, shop, order, "once"))
    assert set(outcome) == {outcome[0]}
    assert held(any_database, order) == [1]
    assert events_of(any_database, str(outcome[0])).count("return.booked") == 1


def test_one_key_on_two_orders_books_one_of_them(any_database: Database) -> None:
    shop = open_shop(any_database)
    orders = [add_order(any_database, [Item(5, 20_00)]) for _ in range(2)]
    outcome = together(lambda index: _book(any_database, shop, orders[index % 2], "once"), 8)
    assert len({each for each in outcome if isinstance(each, str)}) == 1
    assert any(isinstance(each, Conflict) for each in outcome)
    assert rows(any_database, select(func.count(Return.id))) == [1]


def test_a_yes_and_a_no_at_once_leave_one_answer(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(gross=400_00)])
    rma = book_return(any_database, shop, order)

    def decide(index: int) -> str:
        with edge.command(any_database, MAYA if index % 2 else JONAS) as tx:
            if index % 2:
                return service.authorize(tx, rma, expected="under_review").status
            return service.refuse(tx, rma, expected="under_review").status

    outcome = together(decide, 8)
    said = Counter(each for each in outcome if isinstance(each, str))
    assert len(said) == 1
    assert all(isinstance(each, Conflict) for each in outcome if not isinstance(each, str))
    status = look(any_database, rma).status
    assert set(said) == {status}
    assert held(any_database, order) == [1 if status == "authorized" else 0]
    assert sum(what in ("return.authorized", "return.rejected") for what in events_of(any_database, rma)) == 1


def test_one_scan_sent_many_times_counts_once(any_database: Database) -> None:
    shop = open_shop(any_database)
    add_variant(any_database, "SKU-1", stock=0)
    rma = book_return(any_database, shop, add_order(any_database, [Item(2, 20_00)]), wish(quantity=2))

    def scan(_: int) -> str:
        with edge.command(any_database, BENCH) as tx:
            return receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key="scan").status

    assert set(together(scan, 10)) == {"in_transit"}
    line = look(any_database, rma).lines[0]
    assert (line.received_quantity, line.restocked_quantity) == (1, 1)


def test_two_benches_never_count_more_than_was_announced(any_database: Database) -> None:
    shop = open_shop(any_database)
    rma = book_return(any_database, shop, add_order(any_database, [Item(3, 30_00)]), wish(quantity=3))

    def scan(index: int) -> str:
        with edge.command(any_database, BENCH) as tx:
            return receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=f"scan-{index}").status

    outcome = together(scan, 10)
    assert sum(isinstance(each, str) for each in outcome) == 3
    assert look(any_database, rma).lines[0].received_quantity == 3
    assert events_of(any_database, rma).count("return.received") == 1


def test_staff_say_yes_or_no_while_the_customer_cancels(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(gross=400_00)])
    for _round in range(3):
        rma = book_return(any_database, shop, order)

        def act(index: int, rma: str = rma) -> str:
            if index % 3 == 0:
                with edge.command(any_database, CUSTOMER) as tx:
                    return service.cancel(tx, rma, by="customer", expected="under_review").status
            with edge.command(any_database, MAYA) as tx:
                decide = service.authorize if index % 3 == 1 else service.refuse
                return decide(tx, rma, expected="under_review").status

        outcome = together(act, 9)
        status = look(any_database, rma).status
        assert {each for each in outcome if isinstance(each, str)} == {status}, "one of them won, the others were told"
        ends = [what for what in events_of(any_database, rma) if what != "return.booked"]
        assert len([what for what in ends if what.startswith("return.") and "review" not in what]) == 1, ends
        assert held(any_database, order) == [1 if status == "authorized" else 0]
        if status == "authorized":
            with edge.command(any_database, MAYA) as tx:
                service.cancel(tx, rma, by="staff")


def test_goods_are_counted_while_the_customer_cancels(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(3, 30_00)])
    for _round in range(3):
        rma = book_return(any_database, shop, order)

        def act(index: int, rma: str = rma) -> str:
            if index % 2:
                with edge.command(any_database, CUSTOMER) as tx:
                    return service.cancel(tx, rma, by="customer").status
            with edge.command(any_database, BENCH) as tx:
                return receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key="scan").status

        together(act, 8)
        events = events_of(any_database, rma)
        assert ("return.canceled" in events) != ("return.received" in events), events
        received = look(any_database, rma).lines[0].received_quantity
        assert received == (1 if "return.received" in events else 0)
