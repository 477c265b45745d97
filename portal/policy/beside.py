"""What can be said against a draft that is not in its text: days that its version comes too late for, facts that nobody tells,
currencies that it does not count in.

In: the policy, the version before it, what orders say. Out: findings at their rules. Invariants: a rule that the version before
has as well is not named. Never: a look at a clock or at an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from portal.policy import check_words as say
from portal.policy.conditions import Comparison, Condition
from portal.policy.decision import OTHERWISE
from portal.policy.diagnostics import Diagnostic
from portal.policy.diff import same_rule
from portal.policy.findings import at_rule, listed
from portal.policy.loader import Policy
from portal.policy.written import flat


@dataclass(frozen=True, slots=True)
class Untold:
    """A rule that asks a fact which no order tells; so many ``lines`` of those tried wait for a person because of that."""

    rule: str
    fact: str
    lines: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """A rule with an amount in the currency ``wanted``, for which so many ``lines`` of orders in others wait for a person."""

    rule: str
    wanted: str
    found: tuple[str, ...]
    lines: int


def early(policy: Policy, before: Policy | None, starts: date) -> Iterator[Diagnostic]:
    """The rules that name days before the policy ``starts``: orders of those days keep the version they were placed under.

    ``before`` is the version in force until then, None where nothing was published: then the first one binds older orders too.
    A rule that it has as well is kept for these days, and so is whatever is offered to older orders.
    """
    if before is None or policy.apply_to_open_orders:
        return
    for rule in policy.rules:
        first, last = _days(rule.when)
        there = before.rule(rule.name)
        if first is None or first >= starts or (there is not None and same_rule(rule, there)):
            continue
        if last is not None and last < starts:
            yield at_rule(
                policy, rule, f"`{rule.name}` is for orders placed by {last}, before this version starts on {starts}",
                "such orders keep the version they were placed under; take the rule out, or set `apply_to_open_orders: true`",
                plain=(f"“{rule.name}” comes too late: its last order is placed on {say.day(last)}, before this version starts "
                       f"on {say.day(starts)}",
                       "Such orders keep the version they were placed under. Delete the rule, or offer this version to older "
                       "orders in Settings"),
            )  # fmt: skip
            continue
        yield at_rule(
            policy, rule, f"`{rule.name}` is for orders placed from {first} on, before this version starts on {starts}",
            f"orders placed before {starts} keep the version they were placed under; begin on that day, or set "
            "`apply_to_open_orders: true`",
            plain=(f"“{rule.name}” begins on {say.day(first)}, before this version starts on {say.day(starts)}",
                   f"Orders placed before {say.day(starts)} keep the version they were placed under, whatever the policy page "
                   "says of these days. Begin on that day, or offer this version to older orders in Settings"),
        )  # fmt: skip


def untold(policy: Policy, found: Iterable[Untold | Foreign], lines: int) -> Iterator[Diagnostic]:
    """The rules that send returns to a person for a fact that is known of none of the ``lines`` tried, or for their currency."""
    for each in found:
        rule = policy.rule(each.rule)
        if rule is None and each.rule != OTHERWISE:
            continue
        waits = f"{each.lines:,} of the last {lines:,} items sold would wait"
        if isinstance(each, Foreign):
            counts = f"it counts in {each.wanted}, and there are orders in {listed(each.found)}"
            yield at_rule(
                policy, rule, f"`{each.rule}` sends returns to a person: {counts}",
                f"{waits}; let a rule with an amount ask for its `order.currency` too, and give each currency its own",
                plain=(f"{say.named(each.rule)} sends returns to a person: {counts}",
                       f"{waits}. No amount is converted: let a rule with an amount ask for its currency too, and write one for "
                       "each currency"),
            )  # fmt: skip
            continue
        whose = "item" if each.fact.startswith("item.") else "order"
        yield at_rule(
            policy, rule, f"`{each.rule}` sends returns to a person: `{each.fact}` is not known of any {whose}",
            f"{waits}; import that fact with your orders, or take it out of the rule",
            plain=(f"“{each.rule}” sends returns to a person: {say.called(each.fact)} isn’t known of any {whose}",
                   f"{waits}. Have your shop’s system send it with the orders, or take it out of the rule"),
        )  # fmt: skip


def _days(when: Condition) -> tuple[date | None, date | None]:
    """From which day to which the orders of a rule are placed, as far as it names them."""
    first: date | None = None
    last: date | None = None
    for part in flat(when):
        match part:
            case Comparison("order.placed", "between", (date() as one, date() as other)):
                first, last = max(first or one, one), min(last or other, other)
            case Comparison("order.placed", "is", date() as only):
                first = last = only
            case Comparison("order.placed", "from", date() as one):
                first = max(first or one, one)
            case Comparison("order.placed", "to", date() as other):
                last = min(last or other, other)
    return first, last
