"""What staff do about one refund. Each needs a note; each happens once, however often it is clicked.

In: a refund's public id and a note. Out: the row that holds now. Invariants: while nobody knows what became of a refund,
nothing is sent in its place; a failed one is replaced by a new row with a key of its own. Never: an amount typed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, Invalid, NotFound
from portal.orders.models import Order, Payment
from portal.refunds import lifecycle, payout, settle
from portal.refunds.models import Goodwill, Refund
from portal.refunds.planning import plan_refund
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import is_stripe, lock_refund, order_chain, payments_of
from portal.refunds.two_people import Above, check_recorded, never
from portal.returns import questions
from portal.returns.models import Return
from portal.returns.queries import is_told_to_buyer
from portal.reviews import service as reviews
from portal.reviews.models import Review

KEY_IS_DEAD = timedelta(hours=24)
"""After that a request that was lost on its way can no longer be replayed by its key."""
MAX_NOTE = 2000
ASKS_CUSTOMER = (reviews.REFUND_FAILED, reviews.PAY_ELSEWHERE)
"""The questions that the customer can help to answer: by which other way the money may come."""
LESS_LEFT = "Less is left of what was paid: part of it went back by another way, or was given as store credit."


def retry(tx: Tx, public_id: str, note: str) -> Refund:
    """Send a new refund in place of one that failed or was canceled. The second click gets the first one's row.

    Raises `Conflict` while the old one may still arrive, or when the payment has less left or is disputed.
    """
    note = read_note(note)
    refund, payment = _locked(tx, public_id)
    final = refund.cause == ELSEWHERE or refund.failure_code in lifecycle.DECIDED_ANEW
    if refund.status not in lifecycle.LOST or final or (refund.return_id is None and refund.goodwill_id is None):
        raise _conflict(refund, "Only a refund that failed or was canceled is sent again.")
    later = find_replacement(tx.session, refund)
    if later is not None:
        return later
    check_not_contradicted(tx.session, refund)
    if payment.disputed_at is not None:
        raise _conflict(refund, "The payment is disputed; refunding it now could pay the customer twice.")
    if refund.amount_minor > left_for(tx.session, refund, payment):
        raise _conflict(refund, LESS_LEFT)
    return_ = tx.session.get_one(Return, refund.return_id) if refund.return_id is not None else None
    order = tx.session.get_one(Order, return_.order_id if return_ is not None else payment.order_id)
    goodwill = tx.session.get_one(Goodwill, refund.goodwill_id) if refund.goodwill_id is not None else None
    made = plan_refund(
        tx, return_, order, payment, refund.amount_minor, cause="retry", replaces=refund, why=note,
        goodwill=goodwill, tax_minor=refund.tax_minor,
    )  # fmt: skip
    settle.settle_reviews(tx, refund, note)
    return made


def send_anyway(tx: Tx, public_id: str, note: str) -> Refund:
    """Let a refund go that is above the day's cap. The second click changes nothing; a stop still holds it.

    Raises `Conflict` when it does not wait for that.
    """
    note = read_note(note)
    refund, payment = _locked(tx, public_id)
    if refund.let_through_by:
        return refund
    if refund.waits_for != reviews.DAILY_CAP:
        raise _conflict(refund, "Only a refund above the daily cap is let through.")
    refund.held_at, refund.held_for, refund.let_through_by = None, "", tx.actor.name
    tx.session.flush()
    settle.settle_reviews(tx, refund, note)
    settle.record(tx, "refund.let_through", refund, payment, why=note)
    return refund


def mark_paid_elsewhere(tx: Tx, public_id: str, note: str, above: Above = never, how: str = "") -> Refund:
    """Record that the customer got this amount by another way: a bank transfer, the gift card's own system, cash. ``how`` is the
    way that the customer is told, see `settle.paid_elsewhere`.

    Above the shop's threshold ``above`` somebody records it who had no part in the decision. Raises `Forbidden` for others,
    `Conflict` while the refund is at Stripe or may be, or when another was sent in its place.
    """
    note = read_note(note)
    refund, payment = _locked(tx, public_id)
    if refund.paid_elsewhere_by:
        return refund
    if refund.failure_code in lifecycle.DECIDED_ANEW:
        raise _conflict(refund, "It was taken back or given up; what is owed now is decided anew.")
    if refund.waits_for == reviews.SECOND_PERSON:
        raise _conflict(refund, "It waits for a second person.")
    if refund.cause == ELSEWHERE:
        raise _conflict(refund, "This refund was made in Stripe by hand; there is nothing to record.")
    if refund.status not in lifecycle.LOST and refund.status != lifecycle.PLANNED:
        raise _conflict(refund, "It is at Stripe or may be; paying it by another way could pay the customer twice.")
    if find_replacement(tx.session, refund) is not None:
        raise _conflict(refund, "Another refund was sent in its place; record it on that one.")
    check_not_contradicted(tx.session, refund)
    if refund.status in lifecycle.LOST and refund.amount_minor > left_for(tx.session, refund, payment):
        raise _conflict(refund, LESS_LEFT)
    check_recorded(tx, refund, payment, above)
    settle.paid_elsewhere(tx, refund, payment, note, how)
    return refund


def declare_unsent(tx: Tx, public_id: str, note: str) -> Refund:
    """Give up a refund that was sent and never answered, and is not at Stripe. It then counts as failed and may be retried.

    Raises `Conflict` earlier than a day after it was sent, or before Stripe's list was read since then without finding it.
    """
    note = read_note(note)
    refund, payment = _locked(tx, public_id)
    if refund.failure_code == "never_arrived":
        return refund
    begun = refund.first_submitted_at
    if refund.status != lifecycle.UNKNOWN or begun is None or not is_stripe(payment):
        raise _conflict(refund, "Only a refund without an answer is declared unsent.")
    if refund.way == settle.RELEASE:
        raise _conflict(
            refund, "Its payment was not captured; Stripe is asked every few minutes what has become of that."
        )
    if refund.checked_at is None or refund.checked_at < begun + KEY_IS_DEAD:
        raise _conflict(refund, "It may still arrive. Wait until Stripe was looked at a day after it was sent.")
    settle.lose(tx, refund, payment, status=lifecycle.FAILED, code="never_arrived", sentence=note)
    return refund


def open_question(session: Session, refund: Refund) -> Review | None:
    """The open question about a refund; the first of several."""
    query = select(Review).where(Review.refund_id == refund.id, Review.status.in_(reviews.UNDECIDED))
    return session.scalars(query.order_by(Review.id)).first()


def ask_customer(tx: Tx, public_id: str, message: str) -> Return:
    """Ask the customer where to pay a refund instead; they answer on the page of their return.

    Raises `Invalid` without a question, `Conflict` when nothing about it is open that they could answer, when it is no return's
    and has no such page, or when that page is told to somebody who may not be the one who paid.
    """
    refund, _payment = _locked(tx, public_id)
    asked = open_question(tx.session, refund)
    if asked is None or asked.kind not in ASKS_CUSTOMER or refund.return_ is None:
        raise _conflict(refund, "Nothing about it is open that the customer could answer on the page of a return.")
    if not is_told_to_buyer(refund.return_):
        email = refund.return_.order.email
        raise _conflict(refund, f"The e-mails about this return go to somebody else than the buyer. Write to {email}.")
    return questions.ask(tx, refund.return_.rma, message=message, about=asked.id)


def hand_over(tx: Tx, public_id: str, people: Sequence[int]) -> Review:
    """Give the open question about a refund to whoever of ``people`` has the fewest; it stays with one of them who has it.

    Raises `Conflict` when nothing is asked about it, or nobody may do the next step.
    """
    refund, _payment = _locked(tx, public_id)
    asked = open_question(tx.session, refund)
    if asked is None:
        raise _conflict(refund, "Nothing about it is open.")
    if not people:
        raise _conflict(refund, "Nobody else may do the next step. Ask the owner of the portal.")
    if asked.owner_id in people:
        return asked
    return reviews.assign(tx, asked.id, reviews.least_busy(tx.session, people))


def find_refund(session: Session, public_id: str) -> Refund:
    """The refund with this number. Raises `NotFound`."""
    found = session.scalar(select(Refund).where(Refund.public_id == public_id))
    if found is None:
        raise NotFound("There is no such refund.")
    return found


def _locked(tx: Tx, public_id: str) -> tuple[Refund, Payment]:
    return lock_refund(tx.session, find_refund(tx.session, public_id).id)


def left_for(session: Session, refund: Refund, payment: Payment) -> int:
    """What the payment still has, and no more than credit has left of all payments of its orders. Their lock is held."""
    order_id = payment.order_id
    if refund.return_id is not None:
        order_id = session.get_one(Return, refund.return_id).order_id
    chain = order_chain(session, order_id)
    return min(payment.refundable_minor, payout.room(session, chain, payments_of(session, chain)))


def check_not_contradicted(session: Session, refund: Refund) -> None:
    """Raises `Conflict` while Stripe shows as alive what has ended here: the customer may have it."""
    if refund.status in lifecycle.LOST and settle.contradiction(session, refund) is not None:
        raise _conflict(refund, "Stripe shows it as paid or on its way: look there first, then answer that question.")


def find_replacement(session: Session, refund: Refund) -> Refund | None:
    """The refund that was sent in its place."""
    return session.scalar(select(Refund).where(Refund.replaces_id == refund.id))


def read_note(note: str) -> str:
    """The note without blanks around it. Raises `Invalid` when there is none or it is too long."""
    note = note.strip()
    if not note:
        raise Invalid("Say why.", {"note": "Write a note for your colleagues."})
    if len(note) > MAX_NOTE:
        raise Invalid("The note is too long.", {"note": f"Write at most {MAX_NOTE} characters."})
    return note


def _conflict(refund: Refund, why: str) -> Conflict:
    return Conflict(f"Refund {refund.public_id} is {refund.status}. {why}", state=refund.status)
