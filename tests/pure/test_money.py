"""Money is whole minor units, is divided without losing one, and is never mixed or rounded in silence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import CurrencyMismatch, Money, exponent, is_currency, share_bp, spread, units_worth

# ISO 4217, list one, for every currency of which CLDR shows fewer digits because nobody uses the coins.
COARSER_IN_CLDR = (
    "AFN ALL AMD COP CRC CZK DKK GYD HUF IDR IRR KPW LAK LBP LUF MMK MNT MRU MUR NOK PKR RSD RUB SEK SLE SLL SOS STD STN "
    "SYP TWD TZS UZS YER ZMK"
)


@pytest.mark.parametrize(
    ("digits", "currencies"),
    [(2, f"GBP EUR USD {COARSER_IN_CLDR}"), (0, "JPY KRW CLP ISK UGX VND XAF"), (3, "KWD BHD JOD OMR TND"), (4, "CLF")],
)
def test_a_currency_has_the_digits_that_payment_systems_count_in(digits: int, currencies: str) -> None:
    assert {currency: exponent(currency) for currency in currencies.split()} == dict.fromkeys(
        currencies.split(), digits
    )


def test_a_currency_is_a_code_of_iso_4217_in_capitals() -> None:
    assert [is_currency(code) for code in ("GBP", "DEM", "gbp", "XXQ", "")] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("300 GBP", Money(30_000, "GBP")),
        ("GBP 3.50", Money(350, "GBP")),
        (" 3.5GBP ", Money(350, "GBP")),
        ("-0.01 GBP", Money(-1, "GBP")),
        ("1000 JPY", Money(1000, "JPY")),
        ("1.335 KWD", Money(1335, "KWD")),
        ("1.200 GBP", Money(120, "GBP")),
    ],
)
def test_an_amount_is_read_with_its_currency_before_or_after_it(text: str, money: Money) -> None:
    assert Money.parse(text) == money


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        *((text, f"`{text}` is no amount; write it like `300 GBP`")
          for text in ("", "300", "GBP", "GBP 3 GBP", "3,50 GBP", ".5 GBP", "3. GBP", "1e3 GBP", "3 gbp", "+3 GBP")),
        ("3 XXQ", "`XXQ` is no ISO 4217 currency"),
        ("3.005 GBP", "`3.005` has more digits than GBP has"),
        ("3.5 JPY", "`3.5` has more digits than JPY has"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_what_to_do(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        Money.parse(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("some", "`some` is no amount"),
        ("NaN", "`NaN` has more digits than GBP has"),
        (Decimal("Infinity"), "`Infinity` has more digits than GBP has"),
        (Decimal("0.001"), "`0.001` has more digits than GBP has"),
    ],
)
def test_a_decimal_that_is_no_whole_number_of_pence_is_refused(amount: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        Money.from_decimal(amount, "GBP")
    assert str(refused.value) == sentence


def test_a_fraction_of_a_minor_unit_is_no_money() -> None:
    for minor in (1.0, True, Decimal(1), "1"):
        with pytest.raises(TypeError) as refused:
            Money(minor, "GBP")  # type: ignore[arg-type]
        assert str(refused.value) == f"an amount is a whole number of minor units, not {minor!r}"


@pytest.mark.parametrize(
    ("money", "shown"), [(Money(350, "GBP"), "3.50 GBP"), (Money(-7, "JPY"), "-7 JPY"), (Money(5, "KWD"), "0.005 KWD")]
)
def test_an_amount_is_shown_with_all_digits_of_its_currency(money: Money, shown: str) -> None:
    assert (str(money), Money.parse(shown)) == (shown, money)
    assert money.decimal == Decimal(shown.split()[0])


def test_an_amount_on_the_wire_is_its_minor_units_and_its_code() -> None:
    assert Money(-350, "GBP").to_json() == {"amount": -350, "currency": "GBP"}


def test_amounts_of_one_currency_are_added_and_compared() -> None:
    five, three = Money(500, "GBP"), Money(300, "GBP")
    assert (five + three, five - three, -five) == (Money(800, "GBP"), Money(200, "GBP"), Money(-500, "GBP"))
    assert three < five
    assert not five < five
    assert five >= three


def test_amounts_of_two_currencies_are_neither_added_nor_compared() -> None:
    pounds, euros = Money(500, "GBP"), Money(500, "EUR")
    for mixed in (lambda: pounds + euros, lambda: pounds - euros, lambda: pounds < euros, lambda: pounds >= euros):
        with pytest.raises(CurrencyMismatch, match=r"^GBP and EUR cannot be compared or added$"):
            mixed()
    assert pounds != euros


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (100, [1, 1, 1], (34, 33, 33)),  # what is left goes to the first of equals
        (100, [1, 1, 4], (17, 17, 66)),  # and to whom the division took most from: 16 2/3, 16 2/3, 66 2/3
        (101, [1, 2, 4], (14, 29, 58)),
        (-100, [1, 1, 1], (-34, -33, -33)),
        (5, [0, 1, 0], (0, 5, 0)),
        (7, [0, 0, 0], (7, 0, 0)),
        (0, [3, 4], (0, 0)),
        (0, [], ()),
    ],
)
def test_an_amount_is_spread_by_the_largest_remainder(amount: int, weights: list[int], shares: tuple[int, ...]) -> None:
    assert spread(amount, weights) == shares


@given(st.integers(-10_000, 10_000), st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_what_is_spread_sums_to_the_amount_and_no_share_is_a_unit_off(amount: int, weights: list[int]) -> None:
    shares, total = spread(amount, weights), sum(weights)
    assert sum(shares) == amount
    if total:
        assert all(abs(share * total - amount * weight) < total for share, weight in zip(shares, weights, strict=True))


@pytest.mark.parametrize(
    ("amount", "weights", "sentence"),
    [(1, [], "there is nothing to spread the amount over"), (1, [2, -1], "weights are not negative")],
)
def test_an_amount_is_spread_over_nothing_negative(amount: int, weights: list[int], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        spread(amount, weights)


@pytest.mark.parametrize(
    ("first", "last", "worth"), [(1, 1, 33), (2, 2, 33), (3, 3, 34), (1, 2, 66), (2, 3, 67), (1, 3, 100)]
)
def test_units_are_worth_what_is_left_of_those_before_them(first: int, last: int, worth: int) -> None:
    assert units_worth(100, 3, first, last) == worth


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (3, 4), (4, 4)])
def test_units_that_were_not_bought_are_worth_nothing_and_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=f"^units {first} to {last} are not among 1 to 3$"):
        units_worth(100, 3, first, last)


@pytest.mark.parametrize(
    ("amount", "bp", "share"),
    [
        (1000, 1250, 125),
        (100, 50, 1),  # half a unit is rounded up
        (100, 49, 0),
        (-100, 50, -1),
        (-100, 49, 0),
        (333, 10_000, 333),
        (333, 0, 0),
        (1, 5_000, 1),
        (0, 5_000, 0),
        (4_999, 1, 0),
        (5_000, 1, 1),
    ],
)
def test_a_share_is_rounded_half_up_on_either_side_of_nothing(amount: int, bp: int, share: int) -> None:
    assert share_bp(amount, bp) == share
