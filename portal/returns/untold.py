"""Facts that a policy asks and the shop's system never tells, and amounts in another currency than that of some orders, so that
returns wait for a person who knows no more.

In: a policy and the orders of late. Out: `Untold`, `Foreign`. Invariants: said of a fact that none of the last lines sold
tells, or of a currency, where at least one of them, asked about with everything else known, is put to a person for it; what
becomes of the other lines hides nothing. Never: a guess from the rule alone; a write.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.beside import Foreign, Untold
from portal.policy.conditions import find_fact, getter
from portal.policy.decision import OTHERWISE, REVIEW
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts
from portal.policy.loader import Policy
from portal.policy.reasons import CHANGED_MIND
from portal.returns import facts as gather

ORDERS = 30
"""So many of the newest orders are tried: who tells a fact at all tells it of one of these."""
_IN_ANOTHER = ("other_currency", "fee_currency")
_TOLD = ("order.", "item.", "customer.tags", "customer.email")


def untold(session: Session, policy: Policy, at: datetime) -> tuple[list[Untold | Foreign], int]:
    """What is asked and never told or counted in another currency, in the order of the rules, and how many lines were tried.
    Costs two queries."""
    query = select(Order).options(selectinload(Order.lines)).order_by(Order.id.desc()).limit(ORDERS)
    tried = [_facts(order, line, at) for order in session.scalars(query) for line in order.lines]
    waiting: Counter[tuple[str, str]] = Counter()
    foreign: dict[tuple[str, str], list[str]] = {}
    for facts in tried:
        decision = decide(policy, facts)
        if decision.answer == REVIEW:
            waiting.update(
                {(cause.rule, str(cause.params["fact"])) for cause in decision.causes if cause.code == "unknown_fact"}
            )
            for rule, wanted in {
                (cause.rule, str(cause.params["wanted"])) for cause in decision.causes if cause.code in _IN_ANOTHER
            }:
                foreign.setdefault((rule, wanted), []).append(facts.order.currency or "")
    places = {name: place for place, name in enumerate([*(rule.name for rule in policy.rules), OTHERWISE])}
    found: list[Untold | Foreign] = [
        Foreign(rule, wanted, tuple(sorted(set(codes))), len(codes))
        for (rule, wanted), codes in foreign.items()
        if rule in places
    ]
    found += [
        Untold(rule, fact, lines)
        for (rule, fact), lines in waiting.items()
        if rule in places and fact.startswith(_TOLD) and not any(_tells(facts, fact) for facts in tried)
    ]
    return sorted(found, key=lambda each: (places[each.rule], str(each))), len(tried)


def _tells(facts: Facts, name: str) -> bool:
    spec = find_fact(name)
    return spec is not None and getter(spec)(facts) is not None


def _facts(order: Order, line: OrderLine, at: datetime) -> Facts:
    """One line sent back whole for a change of mind, as the first return of a buyer whom nobody knows yet."""
    value = Money(line.gross_minor, order.currency)
    nothing = Money(0, order.currency)
    return Facts(
        order=gather.order_facts(order, gather.Earlier()),
        customer=CustomerFacts(
            tags=gather.texts(order.customer_tags), email=order.email_key or None, orders=1, returns=0, kept_items=0,
            failed_inspections=0, return_rate_bp=0, refunded_90_days=nothing, credit_received=nothing,
        ),
        item=gather.item_facts(order, line),
        reason=CHANGED_MIND, resolution="refund", method="label", quantity=line.quantity, line_value=value,
        return_value=value, return_items=line.quantity, return_is_full=len(order.lines) == 1, answers={}, evidence=9, at=at,
        is_consumer=gather.is_consumer(order),
    )  # fmt: skip
