"""Which payments two people have to want, and who has had a part in them already.

In: a refund or a return's money, the shop's threshold, who acts. Out: whether somebody else is needed. Invariants: what counts is
the whole payout, the store credit beside a refund too, or all that goodwill has given for the order and its replacements, so that
no amount slips through in parts; a token acts for its owner; who decided what was taken back may second what another decides
anew. Never: a large payment that one person decides and records alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, Forbidden
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import lifecycle
from portal.refunds.credit import find_credit
from portal.refunds.models import Goodwill, Refund
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import is_stripe, order_chain, order_family
from portal.staff.models import ApiToken
from portal.timeline import TimelineEntry
from portal.wording import said

Above = Callable[[str], int | None]
"""The amount of a currency, in minor units, above which a second person is needed; None for never."""


def never(currency: str) -> int | None:
    """The threshold of a shop that asks for no second person."""
    return None


DECIDING = (
    "return.authorized", "return.inspected", "return.reinstated", "return.resolution_changed", "refund.planned",
    "refund.handed_to_staff", "goodwill.given",
)  # fmt: skip
"""Who did one of these had a part in the decision."""
_DECIDED = ("return.authorized", "return.inspected", "return.reinstated")
_TAKEN_BACK = "payout.taken_back"
_SOMEBODY_ELSE = "You had a part in this decision. Somebody else has to record how it was paid."


def is_needed(tx: Tx, refund: Refund, payment: Payment, above: Above) -> str:
    """Why ``refund`` waits for a second person, as a sentence for staff; empty when it does not, or has had one."""
    most = above(refund.currency)
    if most is None or refund.seconded_by or refund.cause == ELSEWHERE:
        return ""
    total = _together(tx.session, refund, payment)
    return _too_much(total, most, refund.currency) if total > most else ""


def _too_much(total: int, most: int, currency: str) -> str:
    owed, above = said(Money(total, currency)), said(Money(most, currency))
    return f"{owed} is to be paid, and above {above} two people decide."


def check_recorded(tx: Tx, refund: Refund, payment: Payment, above: Above) -> None:
    """Refuse that a large refund is recorded as paid another way by whoever decided it; somebody else is the second person.

    Raises `Conflict` for one that Stripe would pay, which waits for the approval itself, `Forbidden` for who had a part in it.
    """
    why = is_needed(tx, refund, payment, above)
    if why and refund.status == lifecycle.PLANNED and is_stripe(payment):
        raise Conflict(f"{why} It waits for a second person.", state=refund.status)
    if why and had_a_part(tx.session, refund, tx.actor.id):
        raise Forbidden(f"{why} {_SOMEBODY_ELSE}")


def check_recorded_for(tx: Tx, return_id: int, owed: Money, above: Above) -> None:
    """The same for money of a return that no refund stands for; ``owed`` is that money. Raises `Forbidden`."""
    most = above(owed.currency)
    total = _of_return(tx.session, return_id, owed.currency) + owed.minor
    person = tx.actor.id
    if most is not None and total > most and (person is None or person in _people(tx.session, return_id, None)):
        why = _too_much(total, most, owed.currency)
        raise Forbidden(f"{why} {_SOMEBODY_ELSE}")


def had_a_part(session: Session, refund: Refund, person: int | None) -> bool:
    """Whether the person, by the number of the account, decided what the refund pays, by hand or by a program of theirs."""
    return person is None or person in people_in(session, refund)


def people_in(session: Session, refund: Refund) -> frozenset[int]:
    """The accounts of everybody who decided what the refund pays, by hand or by a program of theirs: one query.

    A payout that was taken back is decided anew, as a whole: who had decided it before has no part in that.
    """
    return _people(session, refund.return_id, refund.id)


def _people(session: Session, return_id: int | None, refund_id: int | None) -> frozenset[int]:
    about = [] if refund_id is None else [TimelineEntry.refund_id == refund_id]
    if return_id is not None:
        about.append(TimelineEntry.return_id == return_id)
    by_hand = TimelineEntry.actor_kind == "staff"
    by_program = and_(TimelineEntry.actor_kind == "api", ApiToken.id == TimelineEntry.actor_id)
    query = (
        select(TimelineEntry.what, case((by_hand, TimelineEntry.actor_id), else_=ApiToken.owner_id))
        .outerjoin(ApiToken, by_program)
        .where(or_(*about), TimelineEntry.what.in_((*DECIDING, _TAKEN_BACK)), or_(by_hand, by_program))
        .order_by(TimelineEntry.id)
    )
    return deciders([(what, person) for what, person in session.execute(query) if person is not None])


def deciders(entries: Sequence[tuple[str, int]]) -> frozenset[int]:
    """Who had a part in what holds now, of what people did in its order: name of the entry, and account."""
    last_back = max((place for place, (what, _person) in enumerate(entries) if what == _TAKEN_BACK), default=0)
    # Without a new decision by a person the old one stands, and so do those who had a part in it.
    decided_anew = any(what in _DECIDED for what, _person in entries[last_back:])
    counted = entries[last_back:] if decided_anew else entries
    return frozenset(person for what, person in counted if what != _TAKEN_BACK)


def _together(session: Session, refund: Refund, payment: Payment) -> int:
    if refund.return_id is not None:
        return _of_return(session, refund.return_id, refund.currency)
    gift_order = session.scalar(select(Goodwill.order_id).where(Goodwill.id == refund.goodwill_id))
    # What is given for a replacement goes back to the first order's payment: all of them are one purchase.
    family = order_family(session, order_chain(session, gift_order or payment.order_id)[-1])
    given = _held(refund.currency).join(Goodwill, Goodwill.id == Refund.goodwill_id)
    return int(session.scalar(given.where(Goodwill.order_id.in_(family))) or 0)


def _of_return(session: Session, return_id: int, currency: str) -> int:
    credit = find_credit(session, return_id)
    refunds = int(session.scalar(_held(currency).where(Refund.return_id == return_id)) or 0)
    return refunds + (credit.amount_minor if credit is not None else 0)


def _held(currency: str) -> Select[int]:
    held = (Refund.status.in_(lifecycle.HOLDING), Refund.cause != ELSEWHERE, Refund.currency == currency)
    return select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(*held)
