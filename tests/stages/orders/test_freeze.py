"""What was charged is frozen exactly: cases 22 to 34, and the sums for any order at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.money import units_worth
from portal.orders.incoming import MAX_AMOUNT, Extra, IncomingLine, IncomingOrder, freeze

PLACED = datetime(2026, 10, 1, tzinfo=UTC)


def line(ref: str, quantity: int, price: int, **more: Any) -> IncomingLine:
    return IncomingLine(ref, "", "", quantity, price, more.pop("list_minor", price * quantity), **more)


def order(*lines: IncomingLine, **more: Any) -> IncomingOrder:
    return IncomingOrder("1", PLACED, more.pop("currency", "GBP"), lines, **more)


CASES = {
    "22: three at 100.00 with 10.00 off": (
        order(line("1", 3, 10_000, discount_minor=1000)),
        [29_000], [[9666, 9667, 9667]],
    ),
    "24: the order's discount is spread once": (
        order(line("1", 1, 5000), line("2", 1, 3000), line("3", 1, 2000), discount_minor=1000),
        [4500, 2700, 1800], [[4500], [2700], [1800]],
    ),
    "26: a voucher is not taken off the first item returned": (
        order(line("1", 1, 8000), line("2", 1, 2000), discount_minor=1000),
        [7200, 1800], [[7200], [1800]],
    ),
    "28: the charged amount counts, not the rounded price": (
        order(line("1", 9, 1396, list_minor=12_561)),
        [12_561], [None],
    ),
    "30: tax is read after the discount": (
        order(line("1", 1, 10_000, tax_included=False, tax_minor=2000), discount_minor=2000),
        [10_000], [[10_000]],
    ),
    "32: a discount on a price with tax": (
        order(line("1", 1, 11_900, discount_minor=1190, tax_minor=1710)),
        [10_710], [[10_710]],
    ),
    "34: a percentage over a mixed cart": (
        order(line("1", 3, 1999), line("2", 1, 2500), discount_minor=850),
        [5397, 2250], [[1799, 1799, 1799], [2250]],
    ),
    "ten at 23.90 less 25 %": (
        order(line("1", 10, 2390, discount_minor=5975)),
        [17_925], [[1792, 1793, 1792, 1793, 1792, 1793, 1792, 1793, 1792, 1793]],
    ),
    "38: yen have no decimals": (order(line("1", 1, 9899), currency="JPY"), [9899], [[9899]]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_case_is_charged_and_returned_to_the_unit(name: str) -> None:
    incoming, gross, singles = CASES[name]
    frozen = freeze(incoming)
    assert [each.gross_minor for each in frozen.lines] == gross
    assert frozen.rounding_minor == 0
    assert frozen.total_minor == sum(gross)
    for each, amounts, expected in zip(incoming.lines, frozen.lines, singles, strict=True):
        worth = [units_worth(amounts.gross_minor, each.quantity, unit, unit) for unit in range(1, each.quantity + 1)]
        assert sum(worth) == amounts.gross_minor
        assert expected is None or worth == expected


def test_the_tax_inside_a_discounted_gross_price_is_the_one_that_was_charged() -> None:
    assert freeze(CASES["32: a discount on a price with tax"][0]).lines[0].tax_minor == 1710


def test_what_the_source_charged_beyond_its_parts_is_kept_apart() -> None:
    frozen = freeze(order(line("1", 1, 1000), total_minor=1002, shipping_minor=0))
    assert (frozen.rounding_minor, frozen.total_minor, frozen.lines[0].gross_minor) == (2, 1002, 1000)


def test_a_line_that_takes_no_order_discount_keeps_its_price() -> None:
    frozen = freeze(order(line("1", 1, 5000, discountable=False), line("2", 1, 5000), discount_minor=1000))
    assert [each.gross_minor for each in frozen.lines] == [5000, 4000]


WRONG = [
    ("/number", {"number": " # "}),
    ("/currency", {"currency": "GBX"}),
    ("/placed_at", {"placed_at": datetime(2026, 10, 1)}),  # noqa: DTZ001
    ("/placed_at", {"placed_at": datetime(1, 1, 1, tzinfo=UTC)}),
    ("/discount", {"discount_minor": 1001}),
    ("/discount", {"discount_minor": -1}),
    ("/shipping/amount", {"shipping_minor": -1}),
    ("/shipping/tax", {"shipping_minor": 100, "shipping_tax_minor": 101}),
    ("/total", {"total_minor": MAX_AMOUNT + 1}),
    ("/extras/0", {"extras": (Extra("tip", "", 5, 6),)}),
    ("/lines", {"lines": ()}),
    ("/lines/1/id", {"lines": (line("1", 1, 1), line("1", 1, 1))}),
    ("/lines/0/id", {"lines": (line("", 1, 1),)}),
    ("/lines/0/quantity", {"lines": (line("1", 0, 1),)}),
    ("/lines/0/quantity", {"lines": (line("1", 1_000_001, 1),)}),
    ("/lines/0/discount", {"lines": (line("1", 1, 1, discount_minor=2),)}),
    ("/lines/0/tax", {"lines": (line("1", 1, 1000, tax_minor=1001),)}),
    ("/lines/0/returned", {"lines": (line("1", 1, 1000, units_gone=2),)}),
    ("/lines/0/unit_price", {"lines": (line("1", 1, -5, list_minor=0),)}),
    ("/lines", {"lines": (line("1", 1, MAX_AMOUNT), line("2", 1, MAX_AMOUNT))}),
]


@pytest.mark.parametrize(("pointer", "change"), WRONG)
def test_what_makes_no_sense_is_refused_with_its_pointer(pointer: str, change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"number": "1", "placed_at": PLACED, "currency": "GBP", "lines": (line("1", 1, 1000),)}
    with pytest.raises(Invalid) as error:
        freeze(IncomingOrder(**(values | change)))
    assert pointer in error.value.fields


@st.composite
def orders(draw: st.DrawFn) -> IncomingOrder:
    lines = []
    for ref in range(draw(st.integers(1, 6))):
        quantity, price = draw(st.integers(1, 30)), draw(st.integers(0, 50_000))
        off = draw(st.integers(0, quantity * price))
        included = draw(st.booleans())
        tax = draw(st.integers(0, 500)) if not included else 0
        lines.append(line(str(ref), quantity, price, discount_minor=off, tax_included=included, tax_minor=tax))
    left = sum(each.list_minor - each.discount_minor for each in lines)
    return order(
        *lines,
        discount_minor=draw(st.integers(0, left)),
        shipping_minor=draw(st.integers(0, 2000)),
        extras=tuple(Extra("fee", "", amount) for amount in draw(st.lists(st.integers(0, 900), max_size=3))),
        total_minor=draw(st.none() | st.integers(0, 3_000_000)),
    )


@given(orders())
def test_the_parts_of_any_order_sum_to_what_was_charged(incoming: IncomingOrder) -> None:
    frozen = freeze(incoming)
    parts = sum(each.gross_minor for each in frozen.lines) + incoming.shipping_minor + frozen.extras_minor
    assert parts + frozen.rounding_minor == frozen.total_minor
    assert sum(each.order_discount_minor for each in frozen.lines) == incoming.discount_minor
    for each in frozen.lines:
        assert each.list_minor - each.discount_minor == each.gross_minor >= each.tax_minor >= 0
    if incoming.total_minor is None:
        assert frozen.rounding_minor == 0
