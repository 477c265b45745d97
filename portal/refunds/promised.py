"""What open returns of an order and its replacements will still be paid, beside what the payments have left.

In: an order, or one of its returns. Out: sums in minor units of their currency. Invariants: only returns that are neither ended
nor planned count, a store credit without its bonus; nothing is written. Never: a promise that a page shows and no payment keeps.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.money import Money
from portal.refunds import payout
from portal.refunds.tenders import order_chain, order_family, payments_of
from portal.returns import lifecycle
from portal.returns.models import Return
from portal.returns.payable import payable_quote


def to_come(session: Session, order_id: int, currency: str) -> list[tuple[str, int]]:
    """The number of each open return of the order and its family, and what it will be paid, oldest first."""
    family = order_family(session, order_chain(session, order_id)[-1])
    query = select(Return).where(
        Return.order_id.in_(family),
        Return.currency == currency,
        Return.status.in_(lifecycle.HOLDING),
        Return.payout_planned_at.is_(None),
    )
    found = session.scalars(query.order_by(Return.id)).all()
    return [(each.rma, minor) for each in found if (minor := in_money(session, each))]


def endangered(session: Session, order_id: int, currency: str) -> tuple[Money, Money] | None:
    """What the open returns of the order were promised, and what is left for them; None where that is enough."""
    owed = sum(minor for _rma, minor in to_come(session, order_id, currency))
    chain = order_chain(session, order_id)
    left = payout.room(session, chain, payments_of(session, chain))
    return (Money(owed, currency), Money(left, currency)) if owed > left else None


def in_money(session: Session, return_: Return) -> int:
    """What the return will be paid, a store credit without its bonus."""
    quote = payable_quote(session, return_)
    return max(quote.refund_total.minor + quote.credit_total.minor - quote.bonus_minor, 0)


def missing(session: Session, return_: Return) -> int:
    """How much of what the return promises the payments no longer have; zero once its payout is planned."""
    if return_.payout_planned_at is not None or return_.status not in lifecycle.HOLDING:
        return 0
    chain = order_chain(session, return_.order_id)
    return max(in_money(session, return_) - payout.room(session, chain, payments_of(session, chain)), 0)
