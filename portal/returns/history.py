"""What all buyers did before, read at once: the bulk form of `returns.facts.customer_facts`.

In: the whole order book. Out: `CustomerFacts` of any buyer at any moment, without another query.
Invariant: the same figures as `customer_facts` gives for the same order and moment. Never: a figure for a buyer without a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.facts import CustomerFacts
from portal.returns.facts import HISTORY as ASKED
from portal.returns.lifecycle import ENDED, REJECTED
from portal.returns.models import Return, ReturnLine

__all__ = ["ASKED", "History"]


@dataclass(slots=True)
class _Buyer:
    orders: int = 0
    units: int = 0
    returns: int = 0
    taken: int = 0
    kept: int = 0
    failed: int = 0
    paid: list[tuple[str, datetime, int, int]] = field(default_factory=list)
    """(currency, planned at, refunded, given as credit) of each return whose money was planned."""


class History:
    """Every buyer by the shop's own id and by e-mail, as `customer_facts` finds them."""

    def __init__(self, session: Session) -> None:
        self._by_ref: dict[str, _Buyer] = {}
        self._by_email: dict[str, _Buyer] = {}
        for column, buyers in ((Order.customer_ref, self._by_ref), (Order.email_key, self._by_email)):
            bought = (
                select(column, func.sum(OrderLine.quantity), func.count(func.distinct(OrderLine.order_id)))
                .join(OrderLine, OrderLine.order_id == Order.id)
                .where(column != "")
                .group_by(column)
            )
            for name, units, orders in session.execute(bought):
                buyers[name] = _Buyer(orders=orders, units=units)
            self._add_returns(session, column, buyers)

    def _add_returns(self, session: Session, column: object, buyers: dict[str, _Buyer]) -> None:
        found = select(
            column, Return.status, Return.quote, Return.currency, Return.payout_planned_at, Return.received_at  # type: ignore[call-overload]
        ).join(Order, Order.id == Return.order_id).where(column != "")  # fmt: skip
        for name, status, quote, currency, planned_at, received_at in session.execute(found):
            buyer = buyers.setdefault(name, _Buyer())
            buyer.failed += status == REJECTED and received_at is not None
            if status in ENDED:
                continue
            buyer.returns += 1
            if planned_at is not None:
                pots = quote["refund_total"]["amount"], quote["credit_total"]["amount"]
                buyer.paid.append((currency, planned_at, *pots))
        lines = (
            select(column, ReturnLine.quantity, ReturnLine.decision["terms"]["keep_item"]["value"].as_boolean())  # type: ignore[call-overload]
            .join(Return, Return.id == ReturnLine.return_id)
            .join(Order, Order.id == Return.order_id)
            .where(column != "", Return.status.not_in(ENDED), ReturnLine.status == "accepted")
        )
        for name, quantity, keep in session.execute(lines):
            buyer = buyers.setdefault(name, _Buyer())
            buyer.taken += quantity
            buyer.kept += quantity if keep else 0

    def add_to(self, known: CustomerFacts, ref: str, email: str, currency: str, at: datetime) -> CustomerFacts:
        """``known`` with the history of the buyer of an order in ``currency``, as of ``at``."""
        buyer = self._by_ref.get(ref) if ref else self._by_email.get(email) if email else None
        if buyer is None:
            return known
        since = at - timedelta(days=90)
        paid = [each for each in buyer.paid if each[0] == currency]
        return replace(
            known,
            orders=buyer.orders,
            returns=buyer.returns,
            return_rate_bp=buyer.taken * 10_000 // buyer.units if buyer.units else 0,
            refunded_90_days=Money(sum(each[2] for each in paid if each[1] >= since), currency),
            kept_items=buyer.kept,
            credit_received=Money(sum(each[3] for each in paid), currency),
            failed_inspections=buyer.failed,
        )
