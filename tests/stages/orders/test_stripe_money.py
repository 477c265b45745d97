"""Amounts reach Stripe in Stripe's own unit, exactly, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.adapters.stripe_money import (
    AmountNotPayable,
    from_stripe,
    stripe_exponent,
    stripe_step,
    to_stripe,
)

CURRENCIES = "GBP EUR USD JPY KRW VND ISK UGX HUF TWD BHD JOD KWD OMR TND CLP MGA XPF INR STD".split()


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (1299, "GBP", 1299),
        (9899, "JPY", 9899),  # case 38: yen are not multiplied
        (500, "JPY", 500),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (12_345, "HUF", 12_345),
        (800, "TWD", 800),
        (12_340, "KWD", 12_340),
        (0, "GBP", 0),
        (9_863_300, "INR", 9_863_300),
    ],
)
def test_each_currency_goes_to_stripe_in_stripes_unit_and_comes_back(minor: int, currency: str, amount: int) -> None:
    assert to_stripe(minor, currency) == amount
    assert from_stripe(amount, currency) == minor


@pytest.mark.parametrize(("minor", "currency", "step"), [(1234, "KWD", "0.010 KWD"), (1, "TND", "0.010 TND")])
def test_a_thousandth_that_stripe_cannot_move_is_refused_with_the_step(minor: int, currency: str, step: str) -> None:
    with pytest.raises(AmountNotPayable, match=f"steps of {step}"):
        to_stripe(minor, currency)


def test_half_a_krona_from_stripe_is_refused() -> None:
    with pytest.raises(AmountNotPayable):
        from_stripe(550, "ISK")


@given(st.sampled_from(CURRENCIES), st.integers(-(2**53), 2**53))
def test_whatever_is_accepted_is_exact_both_ways(currency: str, minor: int) -> None:
    try:
        amount = to_stripe(minor, currency)
    except AmountNotPayable:
        assert stripe_step(currency) > 1
        return
    assert from_stripe(amount, currency) == minor
    assert amount % stripe_step(currency) == 0
    assert stripe_exponent(currency) in (0, 2, 3)
