"""Taking one's own decision back within minutes: the case is open again as it was before.

In: a return, who asks, and how long a decision may be taken back. Out: the return under review with the same questions.
Invariants: only the last decision, only by who made it, only before the parcel travels, goods have come or money is prepared;
what a "no" had given free is held again, also for some of the items, or nothing changes. Never: a silent end; the customer reads
that it is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.policy.decision import ACCEPT, Decision
from portal.returns import lifecycle, shipping
from portal.returns.decisions import ended_with_it
from portal.returns.holding import hold_again, lock_return, touch
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, accounted, reprice
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.timeline import TimelineEntry, entries_for_return

REOPENED = "return.reopened"
_DECISIONS = {"return.authorized": lifecycle.AUTHORIZED, "return.rejected": lifecycle.REJECTED}
_ENDS_IT = ("return.reinstated", REOPENED)
"""What stands beside or after a decision so that it is no longer the first word on the case."""


def open_until(
    return_: Return, entries: Sequence[TimelineEntry], person: int | None, at: datetime, within: timedelta
) -> datetime | None:
    """Until when (UTC) this person may take the last decision back; None when there is none of theirs, or it is too late.

    ``entries`` are the return's, oldest first; ``within`` is how long after it a decision may be taken back.
    """
    last = next((each for each in reversed(entries) if each.what in (*_DECISIONS, *_ENDS_IT)), None)
    if last is None or last.what not in _DECISIONS or _DECISIONS[last.what] != return_.status:
        return None
    if (last.actor_kind, last.actor_id) != ("staff", person) or (last.data or {}).get("by") != "staff":
        return None
    taken_back = any(each.what == "return.reinstated" and each.at == last.at for each in entries)
    begun = return_.received_at is not None or return_.payout_planned_at is not None
    if taken_back or begun or any(accounted(line) for line in return_.lines):
        return None
    until = last.at + within
    return until if at < until else None


def take_decision_back(tx: Tx, rma: str, within: timedelta) -> Return:
    """Open the case again. The same person's second click changes nothing. Raises `Conflict` when it is too late."""
    return_ = lock_return(tx, rma)
    entries = entries_for_return(tx.session, return_.id)
    if _did(tx, return_, entries):
        return return_
    if open_until(return_, entries, tx.actor.id, tx.at, within) is None:
        raise Conflict("This decision can’t be taken back any more. Nothing was changed.", state=return_.status)
    decided = next(each for each in reversed(entries) if each.what in _DECISIONS)
    refused = return_.status == lifecycle.REJECTED
    withdrawn = any(each.what == "return.withdrawn" for each in entries)
    denied = ended_with_it(return_) if refused else _denied_beside(return_, decided.at)
    for line in denied:
        hold_again(tx, line)
    for line in (*denied, *(each for each in return_.lines if each.status in COUNTING)):
        decision = Decision.from_json(line.decision)
        waits = decision.answer != ACCEPT or (bool(decision.requires) and not withdrawn)
        line.status = "review" if waits else "accepted"
        line.amount_minor = line.disposition = None
    return_.status = lifecycle.move(return_.status, lifecycle.REOPEN)
    return_.authorized_at = return_.ship_by_on = None
    return_.message = ""
    reprice(return_)
    if denied:
        shipping.share(tx, return_.order, acting=return_)
    touch(return_)
    query = select(Review).where(Review.return_id == return_.id, Review.decided_at == decided.at)
    for review in tx.session.scalars(query.where(Review.status.in_((reviews.APPROVED, reviews.REFUSED)))).all():
        reviews.reopen(tx, review)
    tx.session.flush()
    timeline.record(
        tx, REOPENED, return_id=return_.id, order_id=return_.order_id, data={"from": _DECISIONS[decided.what]}
    )
    return return_


def _denied_beside(return_: Return, at: datetime) -> list[ReturnLine]:
    """The lines that the yes of this moment has refused; one that was refused before was given free before."""
    return [
        line
        for line in return_.lines
        if line.status == "refused"
        and max((each.released_at for each in line.units if each.released_at), default=None) == at
    ]


def _did(tx: Tx, return_: Return, entries: Sequence[TimelineEntry]) -> bool:
    last = next((each for each in reversed(entries) if each.what in (*_DECISIONS, *_ENDS_IT)), None)
    mine = last is not None and last.what == REOPENED and last.actor_id == tx.actor.id
    return mine and return_.status == lifecycle.UNDER_REVIEW
