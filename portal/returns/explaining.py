"""Why the policy answered so, and what would have changed it: for a wish, and for a line that was booked.

In: what was assessed or stored, and the book of versions. Out: `WhatIf` values and the floors of laws.
Invariants: everything is decided again under the versions that bind the order, with units at exactly their worth. Never: a write.
"""

from __future__ import annotations

from collections.abc import Callable

from portal.money import Money
from portal.orders.models import Order
from portal.policy.counterfactual import WhatIf, alone, for_customer, what_if
from portal.policy.decision import Decision
from portal.policy.facts import Facts
from portal.policy.laws import Applied, applied
from portal.policybook.service import Book
from portal.returns import units
from portal.returns.assess import LineAssessment, LineOptions
from portal.returns.models import ReturnLine


def changes_of_wish(book: Book, order: Order, line: LineAssessment) -> tuple[WhatIf, ...]:
    """What would have changed the answer to a wish."""
    return what_if(book.bound(order.placed_at), line.facts, worth=_worth(order, line))


def told_of_wish(book: Book, order: Order, line: LineAssessment) -> tuple[WhatIf, ...]:
    """What of that a customer may be told."""
    return for_customer(book.bound(order.placed_at), line.facts, worth=_worth(order, line))


def told_of_line(book: Book, order: Order, options: LineOptions) -> tuple[WhatIf, ...]:
    """What a customer may be told of a line before a wish: for one unit that goes back for a change of mind."""
    return () if options.facts is None else for_customer(book.bound(order.placed_at), options.facts)


def _worth(order: Order, line: LineAssessment) -> Callable[[int], Money]:
    def worth(count: int) -> Money:
        taken, _ = units.take(line.units, count)
        return Money(units.worth(line.order_line, taken).gross_minor, order.currency)

    return worth


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
