"""Why the policy answered so, and what would have changed it: for a wish, and for a line that was booked.

In: what was assessed or stored, and the book of versions. Out: `WhatIf` values and the floors of laws.
Invariants: everything is decided again under the versions that bind the order, with units at exactly their worth. Never: a write.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.money import Money
from portal.orders.models import Order
from portal.policy.counterfactual import WhatIf, alone, what_if
from portal.policy.decision import Decision
from portal.policy.facts import Facts
from portal.policy.laws import Applied, applied
from portal.policybook.service import Book
from portal.returns import units
from portal.returns.assess import LineAssessment
from portal.returns.models import ReturnLine


def changes_of_wish(
    book: Book, order: Order, line: LineAssessment, *, only: Sequence[str] | None = None, rules: bool = True
) -> tuple[WhatIf, ...]:
    """What would have changed the answer to a wish. ``only`` and ``rules`` are those of `what_if`."""

    def worth(count: int) -> Money:
        taken, _ = units.take(line.units, count)
        return Money(units.worth(line.order_line, taken).gross_minor, order.currency)

    return what_if(book.bound(order.placed_at), line.facts, only=only, rules=rules, worth=worth)


def changes_of_line(book: Book, order: Order, line: ReturnLine) -> tuple[WhatIf, ...]:
    """What would have changed the answer that was stored with a line, at the moment of that answer.

    Under the versions that bind the order; under the one that decided alone, where the order is bound otherwise by now.
    """
    facts, decided = Facts.from_json(line.facts), line.decision["policy"]["hash"]
    bound = book.bound(order.placed_at)
    if book.decide(bound, facts)[1].policy_hash != decided:
        policy = book.of_hash(decided)
        return () if policy is None else what_if(alone(policy), facts)
    return what_if(bound, facts)


def laws_of(book: Book, decision: Decision) -> tuple[Applied, ...]:
    """The floors of laws that set terms of a decision, as they read in the version that decided."""
    policy = book.of_hash(decision.policy_hash)
    return () if policy is None else applied(policy.floors, decision.terms)
