"""What was sold, before anybody asks for anything: the facts that a rule could have met in the past.

In: a policy and the day from which orders count. Out: facts with the number of lines they stand for.
Invariants: what a customer chooses, and what depends on the day of asking, is unknown; lines that no rule tells apart are one
entry, so that memory is bounded by what the rules ask. Never: a write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import func, select

from portal.db import Database
from portal.orders.models import Order
from portal.policy.facts import CustomerFacts, Facts
from portal.policy.loader import Policy
from portal.returns.days import first_day
from portal.returns.sold import SoldLines

BATCH = 25_000
STANDING = ("order.", "item.", "customer.tags", "customer.email", "customer.is_consumer")
"""The facts that stand when an order was delivered begin so."""
_LATER = "order.returns_so_far"


def sold_facts(
    database: Database, policy: Policy, since: date, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[tuple[Facts, int]]:
    """Every kind of line of the orders placed since that day (in the policy's calendar), and how many lines are of it."""
    tests = [
        (test, policy.zone)
        for test in policy.comparisons()
        if test.fact.startswith(STANDING) and test.fact != _LATER
    ]  # fmt: skip
    sold = SoldLines((policy,), tests, asked_after=0, years=0, history=None)
    start = first_day(since, policy.zone)
    kinds: dict[Hashable, tuple[Facts, int]] = {}
    with database.engine.connect() as connection:
        placed = select(func.min(Order.id), func.max(Order.id)).where(Order.placed_at >= start)
        ends: Any = connection.execute(placed).one()
        first, last = ends
        if first is None:
            return []
        for low in range(first, last + 1, BATCH):
            for lines in sold.read(connection, start, low, min(low + BATCH - 1, last)):
                for key, times in Counter(lines.keys).items():
                    known = kinds.get(key) or (standing(lines.facts(lines.keys.index(key))), 0)
                    kinds[key] = known[0], known[1] + times
            progress(min(low + BATCH, last + 1) - first, last + 1 - first)
    return list(kinds.values())


def standing(facts: Facts) -> Facts:
    """What is known of a line while nobody has asked for anything."""
    return Facts(
        order=replace(facts.order, returns_so_far=None),
        customer=CustomerFacts(tags=facts.customer.tags, email=facts.customer.email),
        item=facts.item,
        evidence=None,
        is_consumer=facts.is_consumer,
    )
