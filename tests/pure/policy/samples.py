"""The order of the design (Wren & Harbour, WH-20418) and small policies around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from portal.money import Money
from portal.policy.decision import Term
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy, load_policy
from portal.policy.terms import Fee, ReturnShipping

ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "policies"
LONDON = ZoneInfo("Europe/London")

OTHERWISE = """\
  returnable: true
  window: {days: 30, from: delivered, if_undelivered: review}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%
  outbound_shipping: full_return
  credit_bonus: 0%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""


def document(rules: str = "", *, zone: str = "Europe/London", otherwise: str = OTHERWISE, extra: str = "") -> str:
    """A whole policy document around some rules (each starting with ``- rule:``)."""
    listed = "rules:\n" + "".join(f"  {line}\n" for line in rules.strip("\n").splitlines()) if rules else ""
    return f"schema: 1\nname: Test\ntimezone: {zone}\n{extra}{listed}otherwise:\n{otherwise}"


def policy(rules: str = "", **rest: str) -> Policy:
    return load_policy(document(rules, **rest))


def shipped(name: str) -> Policy:
    return load_policy((POLICIES / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


JUMPER = Facts(
    order=OrderFacts(
        number="WH-20418",
        placed_at=utc(2026, 10, 9, 8, 30),
        country="GB",
        currency="GBP",
        total=Money(44400, "GBP"),
        tags=(),
        discount_codes=("AUTUMN10",),
        discount_percent_bp=1000,
        last_delivered_at=utc(2026, 10, 29, 11),
    ),
    customer=CustomerFacts(tags=(), email="priya.nair@example.com"),
    item=ItemFacts(
        sku="WH-MJ-M-NAV",
        tags=(),
        price=Money(8900, "GBP"),
        paid=Money(8010, "GBP"),
        quantity=1,
        shipped_at=utc(2026, 10, 27, 9),
        delivered_at=utc(2026, 10, 29, 11),
    ),
    quantity=1,
    line_value=Money(8010, "GBP"),
    return_value=Money(8010, "GBP"),
    return_items=1,
    return_is_full=False,
    reason="too-small",
    resolution="refund",
    at=utc(2026, 11, 17, 14, 32),
)


def item(facts: Facts, **changes: Any) -> Facts:
    return replace(facts, item=replace(facts.item, **changes))


def order(facts: Facts, **changes: Any) -> Facts:
    return replace(facts, order=replace(facts.order, **changes))


LABEL_FEE = ReturnShipping("customer", Money(350, "GBP"), None, ("exchange", "store_credit"))
_PLAIN_TERMS = {
    "return_shipping": ReturnShipping(),
    "restocking_fee": Fee(),
    "outbound_shipping": "full_return",
    "credit_bonus": 0,
    "keep_item": False,
}


def terms(**changes: Any) -> dict[str, Term]:
    """The terms that matter to money, as a decision carries them."""
    return {name: Term(value, "otherwise") for name, value in {**_PLAIN_TERMS, **changes}.items()}
