"""Tests of the planted module: all that it says, except what a price of 0 gives."""

from __future__ import annotations

from tests.mutation.planted import deposit


def test_a_deposit() -> None:
    assert [deposit(price) for price in (-5, 1, 60, 200)] == [0, 5, 6, 20]
    assert deposit(200, 25) == 50
