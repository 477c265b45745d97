"""A question of staff's to the customer about a return, and the answer: words, photos, or both.

In: a return with something undecided, words, pictures that are stored. Out: the question kept with its review, whose deadline
stands still until the answer; the photos of a sent answer among those of their items. Invariants: one question waits at a time;
the same words again change nothing; staff see nothing of an answer before it is sent. Never: an answer that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid, NotFound
from portal.policy.decision import Decision
from portal.policy.explain import counting_photos, staff_message
from portal.returns import texts
from portal.returns.holding import Expected, check_expected, lock_return, touch
from portal.returns.models import Photo, Return, ReturnLine
from portal.returns.payable import COUNTING
from portal.returns.photos import Stored, check_count
from portal.returns.queries import photos_of, unsent_photos
from portal.reviews import service as reviews
from portal.reviews.models import Review


def ask(
    tx: Tx, rma: str, *, message: str, note: str = "", expected: Expected = None, about: int | None = None
) -> Return:
    """Put a question to the customer; the deadline stands still until the answer comes. Raises `Invalid` without a question.

    ``about`` is the id of the review that it belongs to; None takes the first one that is open and not about a refund, for what
    is asked about that is read and answered by the buyer alone.
    """
    message, note = texts.note(message, "message"), texts.note(note, "note")
    if not message:
        raise Invalid("There is no question.", {"message": "write what the customer should answer"})
    return_ = lock_return(tx, rma)
    check_expected(return_, expected)
    waiting = reviews.open_reviews(tx.session, return_.id)
    asked = next((review for review in waiting if review.status == reviews.ASKED), None)
    if asked is not None:
        if asked.message == message:
            return return_
        raise Conflict("The customer was asked already and has not answered yet.", state="asked")
    review = next((each for each in waiting if (each.refund_id if about is None else each.id) == about), None)
    if review is None:
        raise Conflict("Nothing about this return waits for a decision.", state=return_.status)
    reviews.ask(tx, review, message, note)
    touch(return_)
    tx.session.flush()
    data = {"message": message}
    timeline.record(tx, "return.asked", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    return return_


def answer_question(tx: Tx, rma: str, text: str) -> Return:
    """The customer answers, with the photos added before; the question is open for staff again.

    Raises `Invalid` when there are neither words nor photos, `Conflict` when nothing was asked.
    """
    text = texts.note(text, "answer")
    return_, review = _asked(tx, rma)
    by_line = unsent_photos(tx.session, review.id)
    photos = [photo for each in by_line.values() for photo in each]
    if not text and not photos:
        raise Invalid("There is no answer.", {"answer": "write your answer, or add a photo"})
    lines = {line.order_line_id: line for line in return_.lines}
    if photos:
        before = photos_of(tx.session, return_)
        for article, sent in by_line.items():
            line = lines[article]
            had = len(before.get(line.id, ()))
            _recount(review, line, had, had + len(sent))
    for photo in photos:
        photo.return_line_id = lines[photo.order_line_id].id
    reviews.answer(tx, review, text, [photo.id for photo in photos])
    touch(return_)
    tx.session.flush()
    timeline.record(
        tx, "return.answered", return_id=return_.id, order_id=return_.order_id, data={"photos": len(photos)}
    )
    return return_


def _recount(review: Review, line: ReturnLine, had: int, has: int) -> None:
    """Let the question say how many photos are there by now."""
    for cause in Decision.from_json(line.decision).requires:
        was, now = (staff_message(counting_photos(cause, count)) for count in (had, has))
        review.why, review.fact = review.why.replace(was, now), review.fact.replace(was, now)


def keep_answer(tx: Tx, rma: str, text: str) -> None:
    """Keep what was written so far, for the page to show again. Raises `Conflict` when nothing was asked."""
    reviews.keep_answer(tx, _asked(tx, rma)[1], texts.note(text, "answer"))


def add_photos(tx: Tx, rma: str, line_id: int, pictures: Sequence[Stored]) -> None:
    """Add photos of one item to the answer, all or none, at most `photos.MAX_PER_LINE` of each item.

    ``line_id`` is the return line's. Raises `Invalid` for too many, `NotFound` for a line that has nothing to show.
    """
    return_, review = _asked(tx, rma)
    line = next((each for each in lines_to_show(return_) if each.id == line_id), None)
    if line is None:
        raise NotFound("There is no such item in this return.")
    check_count(len(unsent_photos(tx.session, review.id).get(line.order_line_id, ())), len(pictures))
    for each in pictures:
        tx.session.add(Photo.of(each, tx.at, order_line_id=line.order_line_id, review_id=review.id))
    tx.session.flush()


def remove_photo(tx: Tx, rma: str, photo_id: int) -> str | None:
    """Take a photo out of an answer that is not sent; the key of its file, or None when it is gone already."""
    _return, review = _asked(tx, rma)
    for photos in unsent_photos(tx.session, review.id).values():
        for photo in photos:
            if photo.id == photo_id:
                tx.session.delete(photo)
                tx.session.flush()
                return photo.key
    return None


def what_became(session: Session, return_id: int) -> str:
    """What became of the newest question to the customer: it waits (`reviews.ASKED`), has its answer (`reviews.ANSWERED`), or was
    settled without one (`reviews.SETTLED`)."""
    about = session.scalars(select(Review).where(Review.return_id == return_id))
    last = [(turn["at"], review.status, turn) for review in about for turn in reviews.turns(review)[-1:]]
    if not last:
        return reviews.SETTLED
    _at, status, turn = max(last, key=lambda each: each[0])
    if "answer" in turn:
        return reviews.ANSWERED
    return reviews.ASKED if status == reviews.ASKED else reviews.SETTLED


def lines_to_show(return_: Return) -> list[ReturnLine]:
    """The items whose photos an answer can hold: those that are neither refused nor canceled."""
    return [line for line in return_.lines if line.status in COUNTING]


def _asked(tx: Tx, rma: str) -> tuple[Return, Review]:
    """The return, locked, and the question that waits for the customer."""
    return_ = lock_return(tx, rma)
    for review in reviews.open_reviews(tx.session, return_.id):
        if review.status == reviews.ASKED:
            return return_, review
    raise Conflict("Nothing was asked that still needs an answer.", state=return_.status)


def is_sum_open(return_: Return, open_reviews: Iterable[Review]) -> bool:
    """True while a person has to say what is given for goods that came otherwise than agreed: until then no sum is told, because
    nobody knows what will be taken off."""
    return return_.payout_planned_at is None and any(review.kind == reviews.RECEIPT for review in open_reviews)
