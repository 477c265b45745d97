"""A module with one gap in its tests, for the test of the mutation tests themselves."""

from __future__ import annotations


def deposit(price: int, share: int = 10) -> int:
    """That share of a price, at least 5 of anything that costs something."""
    if price <= 0:
        return 0
    return max(price * share // 100, 5)
