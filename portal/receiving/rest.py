"""The rest of a return of which a part has come, and that nothing was paid for yet: asked about, never waited for in silence.

In: returns whose first parcel came long ago. Out: one open question of kind ``goods_missing``, which the rest answers itself when
it comes; or staff give the rest up, or wait longer. Invariants: what came is then paid as it is when the rest is counted as
missing, once, and nobody is asked a second time whether something is missing. Never: a return closed without its money.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select

from portal import clock, timeline
from portal.db import Database, Tx
from portal.errors import Conflict, Invalid
from portal.receiving.differences import GIVEN_UP
from portal.receiving.disposition import MISSING
from portal.receiving.models import Receipt
from portal.receiving.service import Count, receive
from portal.returns import claims, questions, texts
from portal.returns.holding import lock_return
from portal.returns.lifecycle import IN_TRANSIT
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted, expected_lines, goods_outstanding
from portal.reviews import service as reviews
from portal.reviews.models import Review

WAIT = timedelta(days=14)
"""How long after its first parcel a return waits for the others, and again after somebody has said to wait longer. What came may
not be held back for ever: a shop withholds a refund until it has the goods (Directive 2011/83/EU, Article 13(3))."""


def ask_overdue(database: Database, hours: int, *, at: datetime | None = None) -> int:
    """Ask about every return of which a part came and the rest did not, once its last day to ship and some days are over too.

    Gives how many. One transaction each.
    """
    moment = at or clock.now()
    asked = exists().where(
        Review.return_id == Return.id,
        Review.kind == reviews.GOODS_MISSING,
        or_(Review.status.in_(reviews.UNDECIDED), Review.decided_at > moment - WAIT),
    )
    query = (
        select(Return.rma)
        .join(ReturnLine, ReturnLine.return_id == Return.id)
        .join(Receipt, Receipt.return_line_id == ReturnLine.id)
        .where(
            Return.status == IN_TRANSIT,
            Return.payout_planned_at.is_(None),
            or_(Return.ship_by_on.is_(None), Return.ship_by_on < (moment - claims.GRACE).date()),
            ~asked,
        )
        .group_by(Return.id, Return.rma)
        .having(func.min(Receipt.at) < moment - WAIT)
        .order_by(Return.id)
        .limit(claims.BATCH)
    )
    with database.read() as session:
        due = session.scalars(query).all()
    done = 0
    for rma in due:
        with database.transaction(at=at) as tx:
            return_ = lock_return(tx, rma)
            if not is_waiting(return_):
                continue
            _ask_staff(tx, return_, hours)
            done += 1
    return done


def is_waiting(return_: Return) -> bool:
    """Whether a part has come, the rest is waited for, and nothing was paid."""
    some = any(accounted(line) for line in return_.lines)
    return (
        return_.status == IN_TRANSIT and return_.payout_planned_at is None and some and goods_outstanding(return_) > 0
    )


def _ask_staff(tx: Tx, return_: Return, hours: int) -> None:
    units = sum(line.quantity for line in expected_lines(return_))
    fact = f"{goods_outstanding(return_)} of {units} units are still to come"
    claims.ask(tx, return_, "A part has come, and the rest has not", fact, hours)


def ask_customer(tx: Tx, rma: str, message: str, *, decide_within_hours: int) -> Return:
    """Ask the customer about the rest, also before staff were asked themselves. The same question sent twice is one.

    Raises `Invalid` without a question, and `Conflict` when nothing is waited for.
    """
    return_ = _waiting(tx, rma)
    if not reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING):
        _ask_staff(tx, return_, decide_within_hours)
    (asked,) = reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING)
    return questions.ask(tx, rma, message=message, about=asked.id)


def give_up(tx: Tx, rma: str, note: str, *, decide_within_hours: int) -> Return:
    """Count the rest as missing: the return is received, and what came is paid when its policy says. A second click is refused.

    What came and is not as agreed puts its question as ever. Raises `Invalid` without a note, and `Conflict` when nothing is
    waited for.
    """
    _check_note(note)
    return_ = _waiting(tx, rma)
    return_.basis = {**return_.basis, GIVEN_UP: True}
    claims.settle(tx, return_, note)
    timeline.record(tx, "rest.given_up", return_id=return_.id, order_id=return_.order_id, why=note)
    counts = [
        Count(line.order_line.ref, line.quantity - accounted(line), MISSING)
        for line in expected_lines(return_)
        if line.quantity > accounted(line)
    ]
    return receive(
        tx, rma, counts, command_key=f"rest:{return_.id}", note=note, decide_within_hours=decide_within_hours
    )


def wait_longer(tx: Tx, rma: str, note: str) -> Return:
    """Leave it open; asked again after `WAIT`. Raises `Invalid` without a note, and `Conflict` when nothing is asked."""
    _check_note(note)
    return_ = _waiting(tx, rma)
    if not reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING):
        raise Conflict("Nothing about the rest of this return is open. Nothing was changed.", state=return_.status)
    claims.settle(tx, return_, note)
    timeline.record(tx, "rest.awaited", return_id=return_.id, order_id=return_.order_id, why=note)
    return return_


def _check_note(note: str) -> None:
    if not texts.note(note, "note"):
        raise Invalid("Say why.", {"note": "Write a note for your colleagues."})


def _waiting(tx: Tx, rma: str) -> Return:
    return_ = lock_return(tx, rma)
    if not is_waiting(return_):
        raise Conflict(
            "Nothing more is waited for, or its money went ahead. Nothing was changed.",
            state=return_.status,
        )
    return return_
