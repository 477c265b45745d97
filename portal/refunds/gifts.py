"""Goodwill as pages show it: what was given, where each part of it is, and its credit note. Reads only.

In: an order, or the number of a gift. Out: `GiftView` in the codes of `queries.Piece`. Invariants: a fixed number of queries; a
part that was sent again shows once. Never: in a `GiftView`, the reason that staff wrote, which is for staff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from portal.errors import NotFound
from portal.money import Money
from portal.orders.models import Order, Payment
from portal.refunds import corrections
from portal.refunds.credit_note_models import CreditNote
from portal.refunds.models import Goodwill, Refund
from portal.refunds.queries import Piece, pieces_of, standing
from portal.shop import BankDays


@dataclass(frozen=True, slots=True)
class GiftView:
    """One gift. ``pieces`` are its refunds, one for each payment; ``credit_note`` is a number or empty while there is none;
    ``corrections`` are the numbers of what lowered it since."""

    public_id: str
    order_number: str
    amount: Money
    given_at: datetime
    pieces: tuple[Piece, ...]
    credit_note: str
    corrections: tuple[str, ...]


def gifts_of_order(session: Session, order_id: int) -> list[Goodwill]:
    """What was given for the order and not taken back, the newest first."""
    query = select(Goodwill).where(Goodwill.order_id == order_id, Goodwill.ended_at.is_(None))
    return list(session.scalars(query.order_by(Goodwill.id.desc())))


def given_beside(session: Session, order_id: int, bank_days: BankDays) -> list[tuple[Goodwill, Piece]]:
    """Each part of what was given for the order and not taken back, with its gift, the oldest first: one query, and one more
    while something is prepared."""
    query = _PARTS.join(Goodwill, Goodwill.id == Refund.goodwill_id).options(contains_eager(Refund.goodwill))
    refunds = session.scalars(query.where(Goodwill.order_id == order_id, Goodwill.ended_at.is_(None))).all()
    shown = standing(refunds)
    pieces = pieces_of(session, shown, bank_days)
    return [(each.goodwill, piece) for each, piece in zip(shown, pieces, strict=True) if each.goodwill is not None]


def without_return(session: Session, payments: Sequence[Payment]) -> list[Refund]:
    """The refunds of these payments that belong to no return, each with its gift, if it is one, the newest first: one query."""
    query = select(Refund).where(Refund.payment_id.in_([each.id for each in payments]), Refund.return_id.is_(None))
    return list(session.scalars(query.options(joinedload(Refund.goodwill)).order_by(Refund.id.desc())))


def parts_of(session: Session, goodwill_id: int) -> list[Refund]:
    """The refunds of a gift with their payments: one query."""
    return list(session.scalars(_PARTS.where(Refund.goodwill_id == goodwill_id)))


def is_used(session: Session, command_key: str) -> bool:
    """Whether something was given by this form already."""
    return session.scalar(select(Goodwill.id).where(Goodwill.command_key == command_key)) is not None


def get_gift(session: Session, public_id: str, bank_days: BankDays) -> GiftView:
    """One gift with its parts. Raises `NotFound`, also when all of it was taken back before it was sent."""
    found = session.execute(
        select(Goodwill, Order.number)
        .join(Order, Order.id == Goodwill.order_id)
        .where(Goodwill.public_id == public_id, Goodwill.ended_at.is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such refund.")
    gift, number = found
    refunds = parts_of(session, gift.id)
    shown = standing(refunds)
    ids = [refund.id for refund in refunds]
    note = session.scalar(select(CreditNote.number).where(CreditNote.refund_id.in_(ids)))
    lowered = corrections.numbers_of_gifts(session, [gift.id]).get(gift.id, [])
    pieces = tuple(pieces_of(session, shown, bank_days))
    total = Money(sum(refund.amount_minor for refund in shown), gift.currency)
    return GiftView(gift.public_id, number, total, gift.given_at, pieces, note or "", tuple(lowered))


_PARTS = select(Refund).options(joinedload(Refund.payment, innerjoin=True)).order_by(Refund.id)
