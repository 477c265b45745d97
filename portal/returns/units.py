"""Units of an order line: which are free, and what exactly these are worth. Pure.

In: how many units were bought, and the ranges that are held. Out: ranges and amounts in minor units.
Invariants: the lowest free units are taken; any way to take a line apart sums to what was charged for it.
Never: a unit in two returns at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from portal.money import units_worth

Range: TypeAlias = tuple[int, int]


class Line(Protocol):
    """What is known of an order line: amounts of all its units, frozen at import."""

    @property
    def quantity(self) -> int: ...
    @property
    def gross_minor(self) -> int: ...
    @property
    def tax_minor(self) -> int: ...
    @property
    def list_minor(self) -> int: ...
    @property
    def tax_included(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Worth:
    """What some units cost: ``gross_minor``, which includes ``tax_minor``.

    ``list_minor - discount_minor`` is the gross amount where the shop shows prices with tax, and the gross amount without its
    tax where it shows them without.
    """

    gross_minor: int
    tax_minor: int
    list_minor: int
    discount_minor: int


def free(quantity: int, held: Iterable[Range]) -> list[Range]:
    """The ranges of units that nobody holds, lowest first."""
    found: list[Range] = []
    start = 1
    for first, last in sorted(held):
        if first > start:
            found.append((start, first - 1))
        start = max(start, last + 1)
    if start <= quantity:
        found.append((start, quantity))
    return found


def take(ranges: Iterable[Range], count: int) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """The first ``count`` units of ``ranges``, and what is left. Raises ValueError when there are fewer."""
    taken: list[Range] = []
    left: list[Range] = []
    for first, last in ranges:
        here = min(count, last - first + 1)
        if here:
            taken.append((first, first + here - 1))
        if first + here <= last:
            left.append((first + here, last))
        count -= here
    if count:
        raise ValueError(f"{count} units are missing")
    return tuple(taken), tuple(left)


def size(ranges: Iterable[Range]) -> int:
    """How many units there are in the ranges."""
    return sum(last - first + 1 for first, last in ranges)


def worth(line: Line, ranges: Sequence[Range], *, gross: int | None = None, tax: int | None = None) -> Worth:
    """What these units cost, by cumulative floor (`money.units_worth`). Tax and discount are read, never recomputed.

    ``gross`` and ``tax`` are given where they were frozen before.
    """

    def part(amount: int) -> int:
        return sum(units_worth(amount, line.quantity, first, last) for first, last in ranges)

    gross = part(line.gross_minor) if gross is None else gross
    tax = part(line.tax_minor) if tax is None else tax
    on_top = 0 if line.tax_included else tax
    listed = part(line.list_minor if line.tax_included else max(line.list_minor - line.tax_minor, 0))
    # Only a list price that its units do not divide can fall below the gross amount by the floor; no discount is shown then.
    listed = max(listed, gross - on_top)
    return Worth(gross, tax, listed, listed - (gross - on_top))
