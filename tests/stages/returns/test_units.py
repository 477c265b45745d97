"""Units: taken apart in any order, a line gives back exactly what was paid for it, and nothing is in two returns at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.db import Database
from portal.errors import Invalid, PortalError
from portal.policy.quote import Quote
from portal.policybook.service import Book
from portal.returns import service, units
from portal.returns.lifecycle import ENDED
from tests.blank import make_new
from tests.stages.returns.trade import (
    CUSTOMER,
    MAYA,
    Item,
    add_order,
    book_return,
    held,
    later,
    look,
    open_shop,
    wish,
)


@dataclass(frozen=True)
class Line:
    """What `units.worth` needs to know of an order line."""

    quantity: int
    gross_minor: int
    tax_minor: int = 0
    list_minor: int = 0
    tax_included: bool = True


@pytest.mark.parametrize(
    ("quantity", "held_ranges", "free"),
    [
        (5, [], [(1, 5)]),
        (5, [(1, 5)], []),
        (5, [(2, 3)], [(1, 1), (4, 5)]),
        (5, [(4, 5), (1, 1)], [(2, 3)]),
        (1, [], [(1, 1)]),
    ],
)
def test_free_units_are_those_nobody_holds(quantity: int, held_ranges: list, free: list) -> None:
    assert units.free(quantity, held_ranges) == free


def test_the_lowest_units_are_taken_first_over_the_gaps() -> None:
    assert units.take([(1, 1), (4, 6)], 3) == (((1, 1), (4, 5)), ((6, 6),))
    with pytest.raises(ValueError):
        units.take([(1, 1)], 2)


# gross of all units -> what each of them is worth, alone
SINGLES = [
    pytest.param(3, 290_00, 300_00, [96_66, 96_67, 96_67], id="case 22: 3 x 100.00 with 10.00 off"),
    pytest.param(9, 125_61, 125_61, [13_95, 13_96, 13_96, 13_95, 13_96, 13_96, 13_95, 13_96, 13_96], id="case 28"),
    pytest.param(3, 53_97, 59_97, [17_99, 17_99, 17_99], id="case 34: 3 x 19.99 less 10%"),
    pytest.param(10, 179_25, 239_00, [17_92, 17_93, 17_92, 17_93, 17_92, 17_93, 17_92, 17_93, 17_92, 17_93], id="10"),
    pytest.param(3, 9899, 9899, [3299, 3300, 3300], id="yen"),
]


@pytest.mark.parametrize(("quantity", "gross", "listed", "singles"), SINGLES)
def test_singles_are_worth_what_the_cumulative_floor_says(
    quantity: int, gross: int, listed: int, singles: list
) -> None:
    line = Line(quantity, gross, 0, listed)
    assert [units.worth(line, [(n, n)]).gross_minor for n in range(1, quantity + 1)] == singles
    assert sum(singles) == gross


@given(
    quantity=st.integers(1, 60),
    gross=st.integers(0, 10**7),
    discount=st.integers(0, 10**5),
    included=st.booleans(),
    cut=st.lists(st.integers(1, 20)),
)
def test_any_partition_of_a_line_sums_to_what_was_paid(
    quantity: int, gross: int, discount: int, included: bool, cut: list[int]
) -> None:
    line = Line(quantity, gross, gross // 6, gross + discount, included)
    left: tuple[units.Range, ...] = ((1, quantity),)
    parts = []
    for count in cut:
        if units.size(left) < count:
            break
        taken, left = units.take(left, count)
        parts.append(units.worth(line, taken))
    parts.append(units.worth(line, left))
    assert sum(part.gross_minor for part in parts) == gross
    assert sum(part.tax_minor for part in parts) == line.tax_minor
    for part in parts:
        shown = part.gross_minor if included else part.gross_minor - part.tax_minor
        assert part.list_minor - part.discount_minor == shown
        assert part.discount_minor >= 0
        assert 0 <= part.tax_minor <= part.gross_minor


def test_prices_without_tax_show_the_tax_as_a_row_of_its_own(database: Database) -> None:
    """Case 30: net 100.00, 20.00 off, 25% tax on what is left: 100.00 was paid and goes back."""
    from tests.stages.returns.trade import OrderLine

    shop = open_shop(database)
    order = add_order(database, [Item(gross=100_00, tax=20_00, listed=120_00)])
    with database.transaction() as tx:
        tx.session.scalars(select(OrderLine)).one().tax_included = False
    quote = Quote.from_json(look(database, book_return(database, shop, order)).quote)
    assert [(part.kind, part.amount_minor) for part in quote.all_parts()] == [
        ("item", 100_00),
        ("discount", -20_00),
        ("tax", 20_00),
    ]
    assert quote.tax_minor == 20_00


class TestMoneyOfPartialReturns:
    """What the customer is offered, return by return."""

    def _offered(self, database: Database, shop: Book, order: int, *wishes: object) -> int:
        rma = book_return(database, shop, order, *wishes)  # type: ignore[arg-type]
        return Quote.from_json(look(database, rma).quote).refund_total.minor

    def test_case_22_one_at_a_time(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(3, 290_00, listed=300_00)])
        assert [self._offered(database, shop, order) for _ in range(3)] == [96_66, 96_67, 96_67]

    def test_case_24_the_discount_stays_where_it_was(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(
            database,
            [Item(gross=45_00, listed=50_00), Item(gross=27_00, listed=30_00), Item(gross=18_00, listed=20_00)],
        )
        assert [self._offered(database, shop, order, wish(line)) for line in "123"] == [45_00, 27_00, 18_00]

    def test_case_26_a_voucher_is_shared(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(gross=72_00, listed=80_00), Item(gross=18_00, listed=20_00)])
        assert self._offered(database, shop, order, wish("2")) == 18_00

    def test_case_28_all_units_give_what_was_charged(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(9, 125_61)])
        assert self._offered(database, shop, order, wish(quantity=9)) == 125_61

    def test_case_34_a_mixed_cart(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(3, 53_97, listed=59_97), Item(gross=22_50, listed=25_00)])
        offered = [self._offered(database, shop, order, wish("1")) for _ in range(3)]
        offered.append(self._offered(database, shop, order, wish("2")))
        assert offered == [17_99, 17_99, 17_99, 22_50]
        assert sum(offered) == 76_47

    def test_releasing_the_middle_keeps_the_sum_exact(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(3, 290_00)])
        first, middle, last = (book_return(database, shop, order) for _ in range(3))
        with database.transaction(CUSTOMER, at=later(1)) as tx:
            service.cancel(tx, middle, by="customer")
        again = book_return(database, shop, order)
        total = sum(look(database, rma).lines[0].gross_minor for rma in (first, again, last))
        assert total == 290_00

    def test_gaps_are_filled_as_one_return(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(5, 100_03)])
        numbers = [book_return(database, shop, order) for _ in range(5)]
        for rma in (numbers[0], numbers[3]):
            with database.transaction(CUSTOMER, at=later(1)) as tx:
                service.cancel(tx, rma, by="customer")
        line = look(database, book_return(database, shop, order, wish(quantity=2))).lines[0]
        assert [(each.first, each.last) for each in line.units] == [(1, 1), (4, 4)]
        assert line.gross_minor == 100_03 * 1 // 5 + (100_03 * 4 // 5 - 100_03 * 3 // 5)


class TestShipping:
    def test_case_36_shipping_goes_back_once_with_the_last_unit(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(2, 40_00)], shipping=12_00, shipping_tax=2_00)
        first, second = (look(database, book_return(database, shop, order)) for _ in range(2))
        assert Quote.from_json(first.quote).total.minor == 20_00
        quote = Quote.from_json(second.quote)
        assert quote.total.minor == 32_00
        assert quote.tax_minor == second.lines[0].tax_minor + 2_00

    def test_shipping_that_is_on_its_way_back_is_not_promised_again(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(3, 30_00)], shipping=5_00)
        book_return(database, shop, order, wish(reason="faulty"), ask_us=True)  # always gives the shipping back
        rest = look(database, book_return(database, shop, order, wish(quantity=2)))
        assert Quote.from_json(rest.quote).total.minor == 20_00

    def test_a_return_that_ended_frees_the_shipping(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(1, 30_00)], shipping=5_00)
        rma = book_return(database, shop, order)
        with database.transaction(CUSTOMER, at=later(1)) as tx:
            service.cancel(tx, rma, by="customer")
        assert Quote.from_json(look(database, book_return(database, shop, order)).quote).total.minor == 35_00


def test_case_62_an_ended_return_gives_its_units_back(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(tags=("final-sale",))])
    rejected = book_return(database, shop, order, ask_us=True)
    assert held(database, order) == [1]
    with database.transaction(MAYA, at=later(1)) as tx:
        service.refuse(tx, rejected, message="It was worn.")
    assert held(database, order) == [0]
    canceled = book_return(database, shop, order, ask_us=True)
    with database.transaction(CUSTOMER, at=later(2)) as tx:
        service.cancel(tx, canceled, by="customer")
    assert held(database, order) == [0]
    assert book_return(database, shop, order, ask_us=True)


def test_case_64_one_row_with_what_is_left(database: Database) -> None:
    from portal.returns.assess import line_options
    from tests.stages.returns.trade import BOOKED, Order

    shop = open_shop(database)
    order = add_order(database, [Item(5, 50_00)])
    for quantity in (1, 2):
        book_return(database, shop, order, wish(quantity=quantity))
    with database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        (row,) = line_options(session, shop, found, at=BOOKED)
        assert (row.units_left, row.state) == (2, "returnable")
    with pytest.raises(Invalid) as refused:
        book_return(database, shop, order, wish(quantity=3))
    assert refused.value.fields["/lines/0/quantity"] == "only 2 of 5 can still be returned"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(st.tuples(st.integers(1, 7), st.integers(0, 99_999)), min_size=1, max_size=3),
    moves=st.lists(st.tuples(st.sampled_from(["book", "cancel"]), st.integers(0, 2), st.integers(1, 4)), max_size=14),
)
def test_any_sequence_of_returns_and_releases_sums_to_what_was_paid(
    one_sqlite: Database, lines: list[tuple[int, int]], moves: list[tuple[str, int, int]]
) -> None:
    database = one_sqlite
    make_new(database)
    shop = open_shop(database)
    order = add_order(database, [Item(quantity, gross, tags=("trusted",)) for quantity, gross in lines])
    alive: list[str] = []
    for what, which, count in moves:
        if what == "cancel":
            if alive:
                with database.transaction(CUSTOMER, at=later(1)) as tx:
                    service.cancel(tx, alive.pop(which % len(alive)), by="customer")
            continue
        try:
            ref = str(which % len(lines) + 1)
            alive.append(book_return(database, shop, order, wish(ref, count), ask_us=True))
        except PortalError:
            pass
        _check_sums(database, order, lines, alive)
    # Whatever is still with the customer comes back now, unit by unit.
    for position, (quantity, _) in enumerate(lines):
        while held(database, order)[position] < quantity:
            alive.append(book_return(database, shop, order, wish(str(position + 1)), ask_us=True))
    _check_sums(database, order, lines, alive, complete=True)


def _check_sums(
    database: Database, order: int, lines: list[tuple[int, int]], alive: list[str], *, complete: bool = False
) -> None:
    owed = dict.fromkeys((str(n) for n in range(1, len(lines) + 1)), 0)
    count = dict.fromkeys(owed, 0)
    for rma in alive:
        found = look(database, rma)
        assert found.status not in ENDED
        for line in found.lines:
            owed[line.order_line.ref] += line.gross_minor
            count[line.order_line.ref] += line.quantity
    assert held(database, order) == list(count.values())
    for (quantity, gross), ref in zip(lines, owed, strict=True):
        # No prefix exceeds its share: k of n units never give more than the dearest k units.
        assert owed[ref] <= gross
        assert owed[ref] <= -(-gross * count[ref] // quantity) + count[ref]
        if complete:
            assert owed[ref] == gross
