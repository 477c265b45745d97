"""A postal address and the order of its lines in each country.

In: the parts of an address as the shop or the customer gave them. Out: printable lines, the postcode's line marked.
Invariants: every part that is not empty is printed exactly once; the name comes first.
Never: a check whether an address exists, nor a part made up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Who and where. ``country`` is an ISO 3166-1 code of two letters (or empty); every other part may be empty too."""

    name: str
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
