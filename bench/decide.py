"""Decisions per second of the pure engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from portal.money import Money
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import load_policy


def decisions_per_second(path: Path, *, seconds: float = 2.0) -> tuple[float, float, int]:
    """Decisions per second, microseconds of one, and how many rules the policy has."""
    policy = load_policy(path.read_text(encoding="utf-8"), path.name)
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
    count = 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        for _ in range(200):
            decide(policy, asked)
        count += 200
    return count / passed, passed / count * 1e6, len(policy.rules)
