"""Opening, assigning and settling a question. The caller records what it means on the timeline.

Who decides a return calls `returns.service`, which settles its reviews; who retries a refund calls `refunds.actions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid, NotFound
from portal.reviews.models import Review
from portal.staff import permissions
from portal.staff.models import User

POLICY, ASKED_US, RECEIPT = "policy", "asked_us", "receipt"
REFUND_FAILED, REFUND_UNKNOWN, DISPUTE, OUT_OF_STOCK = "refund_failed", "refund_unknown", "dispute", "out_of_stock"
PAY_ELSEWHERE, BALANCE_LOW, DAILY_CAP = "pay_elsewhere", "balance_low", "daily_cap"
SECOND_PERSON, REFUND_LATE = "second_person", "refund_late"
GOODS_MISSING = "goods_missing"
PAID_BEFORE = "paid_before"
"""The portal has paid something for the return that this database, restored from an older backup, does not know."""
KINDS = (
    POLICY, ASKED_US, REFUND_FAILED, REFUND_UNKNOWN, DISPUTE, PAY_ELSEWHERE, BALANCE_LOW, DAILY_CAP, RECEIPT,
    OUT_OF_STOCK, SECOND_PERSON, REFUND_LATE, GOODS_MISSING, PAID_BEFORE,
)  # fmt: skip
ON_THE_RETURN = (POLICY, ASKED_US, RECEIPT)
"""What a decision on the return answers, before which no money goes; the other questions are ended in ways of their own."""
DECIDE_AGAIN = "decide_again"
"""Marks in its data a question that only a decision on the return answers: looking at the goods once more doesn't."""

OPEN, ASKED = "open", "asked"
ANSWERED = "answered"
"""What a question to the customer became; the review itself is open again then."""
APPROVED, REFUSED, SETTLED = "approved", "refused", "settled"
UNDECIDED = (OPEN, ASKED)


def open_review(
    tx: Tx,
    *,
    kind: str,
    why: str,
    fact: str = "",
    return_id: int | None = None,
    refund_id: int | None = None,
    data: dict[str, Any] | None = None,
    due_at: datetime,
) -> Review:
    """Put one question to staff; while one of this kind is open for the subject, that one is given back with the new facts.

    ``why`` is a sentence for staff, ``fact`` what tipped it, ``due_at`` the deadline (UTC). The subject is the refund where one
    is named, else the return.
    """
    subject = f"refund:{refund_id}" if refund_id is not None else f"return:{return_id}"
    key = f"{subject}:{kind}"
    found = tx.session.scalar(select(Review).where(Review.open_key == key))
    if found is not None:
        found.why, found.fact = why, fact or found.fact
        found.data = {**(found.data or {}), **(data or {})} or None
        tx.session.flush()
        return found
    review = Review(
        return_id=return_id,
        refund_id=refund_id,
        kind=kind,
        open_key=key,
        why=why,
        fact=fact,
        data=data,
        status=OPEN,
        opened_at=tx.at,
        due_at=due_at,
    )
    tx.session.add(review)
    tx.session.flush()
    return review


_OPEN = (
    select(Review).where(Review.return_id == bindparam("return_id"), Review.status.in_(UNDECIDED)).order_by(Review.id)
)
_OPEN_OF_KINDS = _OPEN.where(Review.kind.in_(bindparam("kinds", expanding=True)))


def open_reviews(session: Session, return_id: int, *kinds: str) -> list[Review]:
    """The undecided questions about a return (of these ``kinds``, or of any), oldest first."""
    if kinds:
        return list(session.scalars(_OPEN_OF_KINDS, {"return_id": return_id, "kinds": kinds}))
    return list(session.scalars(_OPEN, {"return_id": return_id}))


def least_busy(session: Session, people: Sequence[int]) -> int:
    """Which of these members of staff has the fewest undecided questions; the first of several."""
    query = (
        select(Review.owner_id, func.count())
        .where(Review.owner_id.in_(people), Review.status.in_(UNDECIDED))
        .group_by(Review.owner_id)
    )
    busy: dict[int | None, int] = {row[0]: row[1] for row in session.execute(query)}
    return min(people, key=lambda person: busy.get(person, 0))


def settle(tx: Tx, review: Review, status: str, message: str = "", note: str = "") -> Review:
    """Answer a question: ``status`` is approved, refused or settled. Raises `Conflict` when it was answered before."""
    if review.status not in UNDECIDED:
        raise Conflict("This question was answered already. Nothing was changed.", state=review.status)
    review.status = status
    review.open_key = None
    review.decided_at = tx.at
    review.decided_by = tx.actor.name
    if message:
        review.message = message
    if note:
        review.note = note
    tx.session.flush()
    return review


def reopen(tx: Tx, review: Review) -> Review:
    """Put a question again whose answer was taken back: as it stood, with its deadline, its owner and what was said."""
    if review.status in UNDECIDED:
        return review
    asked = turns(review)
    review.status = ASKED if asked and "answer" not in asked[-1] else OPEN
    subject = f"refund:{review.refund_id}" if review.refund_id is not None else f"return:{review.return_id}"
    review.open_key = f"{subject}:{review.kind}"
    review.decided_at = review.decided_by = None
    review.message = ""
    tx.session.flush()
    return review


def ask(tx: Tx, review: Review, message: str, note: str = "") -> Review:
    """The customer has to answer first; the deadline stands still until then."""
    if review.status != OPEN:
        raise Conflict("This question does not wait for staff. Nothing was changed.", state=review.status)
    asked = [*turns(review), {"at": tx.at.isoformat(), "by": tx.actor.name, "question": message}]
    review.status = ASKED
    review.answered_at = None
    review.message = message
    review.note = note or review.note
    review.data = {**(review.data or {}), "asked": asked}
    tx.session.flush()
    return review


def answer(tx: Tx, review: Review, text: str, photos: Sequence[int] = ()) -> Review:
    """The customer has answered: the question is open again, its deadline later by the time that the answer took.

    ``photos`` are the ids of the photos that were sent with it.
    """
    begun = _last_turn(review)
    begun.pop("begun", None)
    _set_last_turn(review, {**begun, "answer": text, "photos": list(photos), "answered_at": tx.at.isoformat()})
    review.due_at += max(tx.at - datetime.fromisoformat(begun["at"]), timedelta(0))
    review.status = OPEN
    review.answered_at = tx.at
    tx.session.flush()
    return review


def keep_answer(tx: Tx, review: Review, text: str) -> Review:
    """Keep what the customer has written so far; staff see an answer only once it is sent."""
    _set_last_turn(review, {**_last_turn(review), "begun": text})
    tx.session.flush()
    return review


def turns(review: Review) -> list[dict[str, Any]]:
    """What was asked and answered, the oldest first: ``question``, ``by``, ``at``, and with an answer ``answer``, ``photos``
    (ids) and ``answered_at``; ``begun`` is an answer that was not sent yet."""
    return [dict(each) for each in (review.data or {}).get("asked", ())]


def _last_turn(review: Review) -> dict[str, Any]:
    if review.status != ASKED:
        raise Conflict("Nothing was asked that still needs an answer.", state=review.status)
    return turns(review)[-1]


def _set_last_turn(review: Review, turn: dict[str, Any]) -> None:
    review.data = {**(review.data or {}), "asked": [*turns(review)[:-1], turn]}


def assign(tx: Tx, review_id: int, owner_id: int | None) -> Review:
    """Give the question to a member of staff who may decide, or to nobody.

    Raises `NotFound`, `Conflict` when it was answered already, and `Invalid` for somebody who may not decide.
    """
    review = tx.session.get(Review, review_id, with_for_update=True)
    if review is None:
        raise NotFound("There is no such question.")
    if review.status not in UNDECIDED:
        raise Conflict("This question was answered already. Nothing was changed.", state=review.status)
    if review.owner_id == owner_id:
        return review
    name = ""
    if owner_id is not None:
        owner = tx.session.get(User, owner_id)
        if owner is None or not owner.active:
            raise NotFound("There is no such member of staff.")
        if not permissions.allows([role.name for role in owner.roles], permissions.DECIDE):
            raise Invalid("Nobody was chosen.", {"owner": f"choose somebody who may decide; {owner.name} may not"})
        name = owner.name or owner.email
    review.owner_id = owner_id
    timeline.record(
        tx,
        "review.assigned",
        return_id=review.return_id,
        refund_id=review.refund_id,
        data={"owner": owner_id, "to": name},
    )
    return review
