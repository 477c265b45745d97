"""Decisions per second of the pure engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from portal.money import Money
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import load_policy


def policy_of(rules: int, shipped: str) -> str:
    """A policy of that many rules over the ``otherwise`` of the shipped one. The rules are of the kinds that shops write; one
    in four speaks about the line that is asked."""
    kinds = (
        "{when: {item.category: {in: [category-%d, other-%d]}}, set: {window: {days: 20, from: delivered}}}",
        "{when: {item.tags: {has_any: [tag-%d, tag-%d-b]}}, set: {restocking_fee: 5%%}}",
        "{when: {all: [{order.country: GB}, {item.price: {over: %d99 GBP}}, {reason: changed-mind}]}, set: {evidence: photo}}",
        "{when: {order.currency: GBP, line.quantity: {at_least: 1}}, "
        "set: {return_shipping: {paid_by: customer, amount: %d.50 GBP}}}",
    )
    lines = ["schema: 1", "name: Bench", "timezone: Europe/London", "rules:"]
    for number in range(rules):
        kind = kinds[number % len(kinds)]
        rule = kind % ((number + 1,) * kind.count("%d"))
        lines.append(f"  - {{rule: Rule {number + 1}, {rule[1:]}")
    return "\n".join([*lines, shipped[shipped.index("\notherwise:") :]])


BURST = 200


def decisions_per_second(source: str, *, seconds: float = 2.0) -> tuple[float, float, int]:
    """Decisions per second of processor time, microseconds of one, and how many rules the policy has.

    The best of many bursts: that is what the code costs, the mean tells of what else the machine does.
    """
    policy = load_policy(source, "bench")
    at = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    asked = Facts(
        order=OrderFacts(
            number="B-1", placed_at=at - timedelta(days=20), country="GB", channel="web", currency="GBP",
            total=Money(8095, "GBP"), tags=(), discount_codes=(), returns_so_far=0, is_gift=False, is_business=False,
        ),
        customer=CustomerFacts(tags=(), email="ada@example.com"),
        item=ItemFacts(
            sku="85123A", product="heart", vendor="", type="", category="decor", tags=(), price=Money(1540, "GBP"),
            paid=Money(1540, "GBP"), discounted=False, quantity=3, delivered_at=at - timedelta(days=12),
        ),
        quantity=1, line_value=Money(1540, "GBP"), return_value=Money(1540, "GBP"), return_items=1, return_is_full=False,
        reason="changed-mind", answers={}, evidence=0, resolution="refund", at=at, is_consumer=True,
    )  # fmt: skip
    best, until = float("inf"), time.process_time() + seconds
    while (started := time.process_time()) < until:
        for _ in range(BURST):
            decide(policy, asked)
        best = min(best, (time.process_time() - started) / BURST)
    return 1 / best, best * 1e6, len(policy.rules)
