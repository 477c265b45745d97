"""A second person for large refunds: nobody's decision alone sends them, neither a policy's nor one member of staff's.

In: a prepared refund, the shop's threshold, and who approves. Out: the refund on its way, or taken back (see `undo`).
Invariants: what counts is the whole payout, the store credit beside a refund too, or all that goodwill has given for the order
and its replacements, so that no amount slips through in parts; whoever had a part in the decision, also by a token of theirs, is
never the second. Never: a refund that two people have to want and that is paid another way meanwhile. A return that is paid in
store credit alone has no refund to hold: its credit is given at once, whatever its amount, within the limit of who approves.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, Forbidden
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import lifecycle, settle
from portal.refunds.actions import find_refund, read_note
from portal.refunds.credit import find_credit
from portal.refunds.models import Goodwill, Refund
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import lock_refund, order_chain, order_family
from portal.reviews import service as reviews
from portal.staff.models import ApiToken
from portal.timeline import TimelineEntry
from portal.wording import said

DECIDING = (
    "return.authorized", "return.inspected", "return.reinstated", "return.resolution_changed", "refund.planned",
    "goodwill.given",
)  # fmt: skip
"""Who did one of these had a part in the decision."""


def is_needed(tx: Tx, refund: Refund, payment: Payment, above: Callable[[str], int | None]) -> str:
    """Why ``refund`` waits for a second person, as a sentence for staff; empty when it does not, or has had one."""
    most = above(refund.currency)
    if most is None or refund.seconded_by or refund.cause == ELSEWHERE:
        return ""
    total = _together(tx.session, refund, payment)
    if total <= most:
        return ""
    owed, above_it = said(Money(total, refund.currency)), said(Money(most, refund.currency))
    return f"{owed} is to be paid, and above {above_it} two people decide."


def approve(tx: Tx, public_id: str, note: str) -> Refund:
    """Let the refund go, and the other parts of the same payout. The second click changes nothing.

    Raises `Conflict` when it does not wait for this, `Forbidden` for whoever had a part in the decision.
    """
    note = read_note(note)
    refund, _payment = lock_refund(tx.session, find_refund(tx.session, public_id).id)
    if refund.seconded_by and refund.seconded_by == tx.actor.name:
        return refund
    if refund.held_for != reviews.SECOND_PERSON or refund.status != lifecycle.PLANNED:
        raise Conflict(
            f"Refund {refund.public_id} is {refund.status} and waits for no second person.", state=refund.status
        )
    if had_a_part(tx.session, refund, tx.actor.id):
        raise Forbidden("You had a part in this decision. Somebody else has to approve it.")
    for part in _parts(tx.session, refund):
        waited = part.held_for == reviews.SECOND_PERSON
        part.seconded_by = tx.actor.name
        if waited:
            part.held_at, part.held_for = None, ""
        tx.session.flush()
        settle.settle_reviews(tx, part, note)
        if waited:
            settle.record(tx, "refund.seconded", part, part.payment, why=note)
    return refund


def had_a_part(session: Session, refund: Refund, person: int | None) -> bool:
    """Whether the person, by the number of the account, decided what the refund pays, by hand or by a program of theirs."""
    return person is None or person in people_in(session, refund)


def people_in(session: Session, refund: Refund) -> frozenset[int]:
    """The accounts of everybody who decided what the refund pays, by hand or by a program of theirs: one query."""
    about = [TimelineEntry.refund_id == refund.id]
    if refund.return_id is not None:
        about.append(TimelineEntry.return_id == refund.return_id)
    by_hand = TimelineEntry.actor_kind == "staff"
    by_program = and_(TimelineEntry.actor_kind == "api", ApiToken.id == TimelineEntry.actor_id)
    query = (
        select(case((by_hand, TimelineEntry.actor_id), else_=ApiToken.owner_id))
        .outerjoin(ApiToken, by_program)
        .where(or_(*about), TimelineEntry.what.in_(DECIDING), or_(by_hand, by_program))
        .distinct()
    )
    return frozenset(person for person in session.scalars(query) if person is not None)


def _parts(session: Session, refund: Refund) -> list[Refund]:
    same = Refund.id == refund.id
    if refund.goodwill_id is not None:
        same = Refund.goodwill_id == refund.goodwill_id
    elif refund.return_id is not None:
        same = Refund.return_id == refund.return_id
    query = select(Refund).where(same, Refund.status == lifecycle.PLANNED, Refund.cause != ELSEWHERE)
    return list(session.scalars(query.order_by(Refund.id)))


def _together(session: Session, refund: Refund, payment: Payment) -> int:
    held = (Refund.status.in_(lifecycle.HOLDING), Refund.cause != ELSEWHERE, Refund.currency == refund.currency)
    query = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(*held)
    if refund.return_id is not None:
        credit = find_credit(session, refund.return_id)
        refunds = int(session.scalar(query.where(Refund.return_id == refund.return_id)) or 0)
        return refunds + (credit.amount_minor if credit is not None else 0)
    gift_order = session.scalar(select(Goodwill.order_id).where(Goodwill.id == refund.goodwill_id))
    # What is given for a replacement goes back to the first order's payment: all of them are one purchase.
    family = order_family(session, order_chain(session, gift_order or payment.order_id)[-1])
    given = query.join(Goodwill, Goodwill.id == Refund.goodwill_id).where(Goodwill.order_id.in_(family))
    return int(session.scalar(given) or 0)
