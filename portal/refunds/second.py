"""A second person for large refunds: nobody's decision alone sends them, neither a policy's nor one member of staff's.

In: a prepared refund, the shop's threshold, and who approves. Out: the refund on its way, or taken back (see `undo`).
Invariants: whoever had a part in the decision is never the second (`two_people`). Never: a refund that two people have to want
and that is paid another way meanwhile. A return that is paid in store credit alone has no refund to hold: its credit is given at
once, whatever its amount, within the limit of who approves.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, Forbidden
from portal.refunds import lifecycle, settle
from portal.refunds.actions import find_refund, read_note
from portal.refunds.models import Refund
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import lock_refund
from portal.refunds.two_people import had_a_part
from portal.reviews import service as reviews
from portal.timeline import TimelineEntry


def approve(tx: Tx, public_id: str, note: str) -> Refund:
    """Let the refund go, and the other parts of the same payout. The second click of the same account changes nothing.

    Raises `Conflict` when it does not wait for this, `Forbidden` for whoever had a part in the decision.
    """
    note = read_note(note)
    refund, _payment = lock_refund(tx.session, find_refund(tx.session, public_id).id)
    if refund.status not in lifecycle.LOST and _has_approved(tx, refund):
        return refund
    if refund.waits_for != reviews.SECOND_PERSON:
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


def _has_approved(tx: Tx, refund: Refund) -> bool:
    query = select(TimelineEntry.id).where(
        TimelineEntry.refund_id == refund.id,
        TimelineEntry.what == "refund.seconded",
        TimelineEntry.actor_kind == tx.actor.kind,
        TimelineEntry.actor_id == tx.actor.id,
    )
    return tx.session.scalar(query.limit(1)) is not None


def _parts(session: Session, refund: Refund) -> list[Refund]:
    same = Refund.id == refund.id
    if refund.goodwill_id is not None:
        same = Refund.goodwill_id == refund.goodwill_id
    elif refund.return_id is not None:
        same = Refund.return_id == refund.return_id
    query = select(Refund).where(same, Refund.status == lifecycle.PLANNED, Refund.cause != ELSEWHERE)
    return list(session.scalars(query.order_by(Refund.id)))
