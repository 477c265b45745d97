"""Outbound shipping goes back once per order with its own tax: whichever of its returns is canceled, refused or taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.db import Database, Tx
from portal.errors import Conflict, Invalid
from portal.orders.models import Order
from portal.policy.quote import Quote
from portal.policybook.service import Book
from portal.returns import service
from portal.returns.lifecycle import ENDED
from portal.returns.models import Return
from tests.stages.returns.trade import (
    CUSTOMER,
    MAYA,
    Item,
    add_order,
    book_return,
    command,
    counting,
    later,
    look,
    open_shop,
    rows,
    timeline_of,
    wish,
)


@pytest.fixture
def shop(database: Database) -> Book:
    return open_shop(database)


def shipping_of(database: Database, rma: str) -> tuple[int, int]:
    """What a return gives back of the shipping: amount and the tax in it."""
    quote = Quote.from_json(look(database, rma).quote)
    parts = [part for part in quote.parts if part.kind == "outbound_shipping"]
    return sum(part.amount_minor for part in parts), sum(part.tax_minor for part in parts)


def do(database: Database, act: Callable[[Tx], Any], hours: float = 1) -> None:
    with command(database, MAYA, later(hours)) as tx:
        act(tx)


def cancel(database: Database, rma: str, hours: float = 1) -> None:
    do(database, lambda tx: service.cancel(tx, rma, by="customer"), hours)


def refuse(database: Database, rma: str, hours: float = 1) -> None:
    do(database, lambda tx: service.refuse(tx, rma, message="No."), hours)


def reinstate(database: Database, rma: str, hours: float = 2) -> None:
    do(database, lambda tx: service.authorize(tx, rma, note="Let it come."), hours)


def expire(database: Database, rma: str) -> None:
    do(database, lambda tx: service.expire(tx, rma))


class TestAlwaysGiven:
    """A faulty item: the policy always gives the shipping back, with the first return of the order."""

    @pytest.fixture
    def two(self, database: Database, shop: Book) -> tuple[str, str, int]:
        order = add_order(database, [Item(3, 30_00)], shipping=5_00, shipping_tax=83)
        first = book_return(database, shop, order, wish(reason="faulty"), ask_us=True)
        second = book_return(database, shop, order, wish(reason="faulty"), ask_us=True)
        assert (shipping_of(database, first), shipping_of(database, second)) == ((5_00, 83), (0, 0))
        return first, second, order

    def test_the_other_return_inherits_it_when_its_bearer_is_canceled(
        self, database: Database, two: tuple[str, str, int]
    ) -> None:
        first, second, _order = two
        cancel(database, first)
        assert shipping_of(database, second) == (5_00, 83)
        entry = timeline_of(database, second)[-1]
        assert entry.what == "return.repriced"
        assert (entry.data or {})["was"]["amount"] == 10_00
        assert (entry.data or {})["now"]["amount"] == 15_00

    def test_it_is_not_given_twice_when_its_bearer_is_taken_back(
        self, database: Database, two: tuple[str, str, int]
    ) -> None:
        first, second, _order = two
        refuse(database, first)
        assert shipping_of(database, second) == (5_00, 83)
        reinstate(database, first)
        assert sum(shipping_of(database, rma)[0] for rma in (first, second)) == 5_00

    def test_a_return_that_was_paid_meanwhile_keeps_it(
        self, database: Database, shop: Book, two: tuple[str, str, int]
    ) -> None:
        first, second, _order = two
        refuse(database, first)
        with database.transaction(at=later(1.5)) as tx:
            paid = tx.session.scalars(select(Return).where(Return.rma == second)).one()
            paid.payout_planned_at = tx.at
        reinstate(database, first)
        assert (shipping_of(database, first), shipping_of(database, second)) == ((0, 0), (5_00, 83))

    def test_a_sibling_keeps_its_own_quote_where_nothing_about_shipping_changes(
        self, database: Database, two: tuple[str, str, int]
    ) -> None:
        first, second, _order = two
        version = look(database, first).version
        cancel(database, second)
        assert shipping_of(database, first) == (5_00, 83)
        assert look(database, first).version == version


class TestGivenForTheWholeOrder:
    """A change of mind: the shipping comes with the return that brings the order's last unit back."""

    @pytest.fixture
    def two(self, database: Database, shop: Book) -> tuple[str, str]:
        order = add_order(database, [Item(2, 20_00)], shipping=5_00, shipping_tax=83)
        first, second = book_return(database, shop, order), book_return(database, shop, order)
        assert (shipping_of(database, first), shipping_of(database, second)) == ((0, 0), (5_00, 83))
        return first, second

    @pytest.mark.parametrize("end", [cancel, expire])
    def test_nobody_gets_it_by_keeping_a_part_after_all(
        self, database: Database, two: tuple[str, str], end: Callable[[Database, str], None]
    ) -> None:
        first, second = two
        end(database, first)
        assert shipping_of(database, second) == (0, 0)

    def test_it_comes_back_when_the_missing_part_is_taken_back(
        self, database: Database, shop: Book, two: tuple[str, str]
    ) -> None:
        first, second = two
        expire(database, first)
        reinstate(database, first)
        assert sum(shipping_of(database, rma)[0] for rma in (first, second)) == 5_00

    def test_it_comes_with_the_booking_that_completes_the_order_again(
        self, database: Database, shop: Book, two: tuple[str, str]
    ) -> None:
        first, second = two
        cancel(database, first)
        third = book_return(database, shop, look(database, second).order_id, at=later(2))
        assert [shipping_of(database, rma)[0] for rma in (second, third)] == [0, 5_00]

    def test_a_line_that_is_refused_keeps_it_from_the_others(self, database: Database, shop: Book) -> None:
        order = add_order(database, [Item(gross=200_00), Item(gross=200_00), Item(gross=10_00)], shipping=5_00)
        asking = book_return(database, shop, order, wish("1"), wish("2"))
        last = book_return(database, shop, order, wish("3"))
        assert shipping_of(database, last) == (5_00, 0)
        do(database, lambda tx: service.authorize(tx, asking, lines=["1"], message="Worn."))
        assert shipping_of(database, last) == (0, 0)


def test_an_order_without_shipping_costs_no_statement_more(database: Database, shop: Book) -> None:
    order = add_order(database, [Item(3, 30_00)])
    spent = []
    for _ in range(2):
        rma = book_return(database, shop, order)
        with counting(database) as seen:
            cancel(database, rma)
        spent.append(len(seen))
        book_return(database, shop, order)
    assert spent[0] == spent[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["book", "book_faulty", "cancel", "refuse", "expire", "reinstate", "pay"]),
            st.integers(0, 5),
        ),
        min_size=3,
        max_size=12,
    )
)
def test_whatever_happens_the_shipping_is_promised_at_most_once(
    database: Database, shop: Book, steps: list[tuple[str, int]]
) -> None:
    order = add_order(database, [Item(3, 30_00)], shipping=5_00, shipping_tax=83)
    booked: list[str] = []
    acts: dict[str, Callable[[str], Any]] = {
        "cancel": lambda rma: cancel(database, rma),
        "refuse": lambda rma: refuse(database, rma),
        "expire": lambda rma: expire(database, rma),
        "reinstate": lambda rma: reinstate(database, rma),
        "pay": lambda rma: _pay(database, rma),
    }
    for act, which in steps:
        try:
            if act == "book":
                booked.append(book_return(database, shop, order))
            elif act == "book_faulty":
                booked.append(book_return(database, shop, order, wish(reason="faulty"), ask_us=True))
            elif booked:
                acts[act](booked[which % len(booked)])
        except (Conflict, Invalid):
            continue
        living = [row for row in rows(database, select(Return).where(Return.order_id == order)) if _owes(row)]
        parts = [
            part for row in living for part in Quote.from_json(row.quote).parts if part.kind == "outbound_shipping"
        ]
        assert [(part.amount_minor, part.tax_minor) for part in parts] in ([], [(5_00, 83)])
        (known,) = rows(database, select(Order).where(Order.id == order))
        always = any(line_is_faulty(database, row.rma) for row in living if row.payout_planned_at is None)
        if always or (living and _units(database, order) == 3 and any(r.payout_planned_at is None for r in living)):
            assert parts, f"{known.number}: the shipping is lost"


def line_is_faulty(database: Database, rma: str) -> bool:
    return any(line.reason == "faulty" for line in look(database, rma).lines)


def _units(database: Database, order_id: int) -> int:
    from tests.stages.returns.trade import held

    return sum(held(database, order_id))


def _owes(row: Return) -> bool:
    return row.status not in ENDED


def _pay(database: Database, rma: str) -> None:
    with database.transaction(CUSTOMER, at=later(3)) as tx:
        row = tx.session.scalars(select(Return).where(Return.rma == rma)).one()
        if row.status not in ENDED and row.payout_planned_at is None:
            row.payout_planned_at = tx.at
