"""What is promised over time and to whom: seasons of purchase, and countries that are promised the same.

In: a policy, a way to decide, a purchase, countries. Out: `Offer`: promises outside of seasons, and the seasons from today on.
Invariants: a season holds no day on which another version of the policy binds; two countries of one offer are told the same.
Never: a clock; a season that is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from portal.policy.conditions import comparisons
from portal.policy.loader import Policy
from portal.policy.promise import Asks, Promise, Purchase, kin, promise
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.terms import Window

FAR = timedelta(days=400)
"""How far ahead seasons are told."""


@dataclass(frozen=True, slots=True)
class Season:
    """Days of purchase, both inclusive, on which something else is promised: ``promise`` for a change of mind, ``faulty`` for a
    fault. Either may be that of all other days. ``bought`` is a purchase of such a day."""

    first: date
    last: date
    promise: Promise
    faulty: Promise
    bought: Purchase

    def told(self) -> tuple[Any, ...]:
        """What is promised in it, to be compared."""
        return self.promise.told(), self.faulty.told()


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything that is promised for purchases of one kind to some countries, the same for all of them.

    ``usual`` and ``faulty`` hold outside of seasons: for purchases after the last day that a rule names, and before another
    version binds; ``bought`` is such a purchase. Seasons are those from ``day`` on, which is today.
    """

    countries: tuple[str, ...]
    currency: str
    usual: Promise
    faulty: Promise
    seasons: tuple[Season, ...]
    bought: Purchase
    day: date

    def told(self) -> tuple[Any, ...]:
        """Everything that a customer is told, to be compared."""
        return (
            self.usual.told(), self.faulty.told(), tuple((each.first, each.last, each.told()) for each in self.seasons)
        )  # fmt: skip


def offer(policy: Policy, asks: Asks, purchase: Purchase) -> Offer:
    """What is promised for a purchase, for a change of mind and for a fault, from its day on."""
    today = purchase.placed_at.astimezone(policy.zone).date()
    edges = _edges(policy)
    # The season of today began at the last edge or with this version; nothing changes between that day and today.
    began = max((edge for edge in edges if edge <= today), default=today)
    began = max(began, min(purchase.since or began, today))
    ahead = [began, *sorted(edge for edge in edges if edge > today and edge < (purchase.before or date.max))]

    def on(day: date) -> tuple[Promise, Promise, Purchase]:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=policy.zone)
        bought = replace(purchase, placed_at=noon)
        return promise(policy, asks, bought, CHANGED_MIND), promise(policy, asks, bought, FAULTY), bought

    usual, faulty, outside = on(ahead[-1])
    found: list[Season] = []
    for first, following in pairwise(ahead):
        here = Season(first, following - timedelta(days=1), *on(first))
        if here.told() == (usual.told(), faulty.told()):
            continue
        if found and found[-1].last == first - timedelta(days=1) and found[-1].told() == here.told():
            found[-1] = replace(found[-1], last=here.last)
        elif first <= today + FAR:
            found.append(here)
    return Offer((purchase.country,), purchase.currency, usual, faulty, tuple(found), outside, today)


def _edges(policy: Policy) -> set[date]:
    """The first days of purchase on which a rule or a last day may change what is promised."""
    edges: set[date] = set()
    for rule in policy.rules:
        for test in comparisons(rule.when):
            if test.fact != "order.placed":
                continue
            first, last = test.value if isinstance(test.value, tuple) else (test.value, test.value)
            edges |= set() if test.op == "to" else {first}
            edges |= set() if test.op == "from" else {last + timedelta(days=1)}
    return edges | {
        value.until + timedelta(days=1)
        for sets in (policy.otherwise, *(rule.sets for rule in policy.rules))
        if isinstance(value := sets.get("window"), Window) and value.until is not None
    }


def offers(policy: Policy, asks: Asks, purchase: Purchase, sold_to: Sequence[str]) -> tuple[Offer, ...]:
    """One offer for all countries to which the same is promised, in the order of the countries."""
    grouped: dict[tuple[Any, ...], Offer] = {}
    akin: dict[Any, list[str]] = {}
    for country in sold_to:
        akin.setdefault(kin(policy, country), []).append(country)
    for group in akin.values():
        found = offer(policy, asks, replace(purchase, country=group[0]))
        known = grouped.get(found.told())
        grouped[found.told()] = replace(found, countries=(*(known.countries if known is not None else ()), *group))
    order = {country: place for place, country in enumerate(sold_to)}
    told = [replace(each, countries=tuple(sorted(each.countries, key=order.__getitem__))) for each in grouped.values()]
    return tuple(sorted(told, key=lambda each: order[each.countries[0]]))
