"""A question of staff's to the customer about a return, and the answer.

In: a return with something undecided, and words. Out: the question kept with its review, whose deadline stands still until the
answer. Invariants: one question waits at a time; the same words again change nothing. Never: an answer that nobody asked for.
"""

from __future__ import annotations

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid
from portal.returns import texts
from portal.returns.holding import Expected, check_expected, lock_return, touch
from portal.returns.models import Return
from portal.reviews import service as reviews


def ask(tx: Tx, rma: str, *, message: str, note: str = "", expected: Expected = None) -> Return:
    """Put a question to the customer; the deadline stands still until the answer comes. Raises `Invalid` without a question."""
    message, note = texts.note(message, "message"), texts.note(note, "note")
    if not message:
        raise Invalid("There is no question.", {"message": "write what the customer should answer"})
    return_ = lock_return(tx, rma)
    check_expected(return_, expected)
    waiting = reviews.open_reviews(tx.session, return_.id)
    if not waiting:
        raise Conflict("Nothing about this return waits for a decision.", state=return_.status)
    for review in waiting:
        if review.status == reviews.OPEN:
            reviews.ask(tx, review, message, note)
            break
    else:
        if waiting[0].message == message:
            return return_
        raise Conflict("The customer was asked already and has not answered yet.", state="asked")
    return_.message = message
    tx.session.flush()
    timeline.record(tx, "return.asked", return_id=return_.id, order_id=return_.order_id, why=note)
    return return_


def answer_question(tx: Tx, rma: str, text: str) -> Return:
    """The customer answers; the question is open for staff again. Raises `Conflict` when nothing was asked."""
    text = texts.note(text, "answer")
    if not text:
        raise Invalid("There is no answer.", {"answer": "write your answer"})
    return_ = lock_return(tx, rma)
    for review in reviews.open_reviews(tx.session, return_.id):
        if review.status == reviews.ASKED:
            reviews.answer(tx, review, text)
            touch(return_)
            tx.session.flush()
            timeline.record(tx, "return.answered", return_id=return_.id, order_id=return_.order_id)
            return return_
    raise Conflict("Nothing was asked that still needs an answer.", state=return_.status)
