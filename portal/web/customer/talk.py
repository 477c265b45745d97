"""What the shop asked about a return and what the customer answered, as the return's page shows it.

In: a return and its open questions. Out: `Talk`. Invariant: an answer that was sent is shown to whom the return is told, and to
nobody else who may see the page: who got a present does not read what its buyer wrote, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from portal.policy.decision import REFUSE
from portal.returns.models import Photo, Return
from portal.returns.photos import MAX_PER_LINE
from portal.returns.queries import is_told_to_buyer, photos_of, unsent_photos
from portal.returns.questions import lines_to_show
from portal.reviews.models import Review
from portal.reviews.service import ASKED, turns
from portal.web.customer.items import name_of
from portal.web.customer.photos import tile


def is_for(review: Review, return_: Return, *, knows_buyer: bool) -> bool:
    """Whether who looks may read this question and answer it. Where money may go says only who has proved to be the buyer, and is
    the one that was asked: whoever knows the postcode could name an account of their own."""
    return review.refund_id is None or (knows_buyer and is_told_to_buyer(return_))


PHOTO = "photo-"
"""What the file fields of an answer begin with; the id of the return line follows."""


@dataclass(frozen=True, slots=True)
class Said:
    """A question that is answered. Without ``shown``, that there is an answer is all that is told."""

    question: str
    shown: bool
    answer: str
    photos: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One item and the photos of it in an answer that is not sent yet."""

    field: str
    name: str
    photos: list[dict[str, object]]
    room: bool


@dataclass(frozen=True, slots=True)
class Talk:
    """``question`` waits for an answer (empty: none does), of which ``begun`` and the photos of ``items`` are there."""

    said: list[Said] = field(default_factory=list)
    question: str = ""
    begun: str = ""
    items: list[Shown] = field(default_factory=list)
    most_photos: int = MAX_PER_LINE


def wrote(return_: Return, *, knows_buyer: bool) -> list[tuple[str, str]]:
    """What the customer asked a person about items that the policy refuses, each with its words; for whom the return is told."""
    own = is_told_to_buyer(return_) == knows_buyer
    asked = [line for line in return_.lines if line.answer == REFUSE and line.note]
    return [(name_of(line.order_line), line.note) for line in asked] if own else []


def talk_of(session: Session, return_: Return, reviews: Sequence[Review], *, knows_buyer: bool) -> Talk:
    """The talk about what is undecided. ``knows_buyer``: whether whoever looks has proved to be the buyer."""
    if not any(turns(review) for review in reviews):
        return Talk()
    own = is_told_to_buyer(return_) == knows_buyer
    sent = {photo.id: photo for each in photos_of(session, return_).values() for photo in each}
    said = [
        Said(
            turn["question"],
            own,
            turn["answer"] if own else "",
            [tile(sent[each]) for each in turn.get("photos", ()) if each in sent] if own else [],
        )
        for review in reviews
        for turn in turns(review)
        if "answer" in turn
    ]
    asked = next((review for review in reviews if review.status == ASKED), None)
    if asked is None:
        return Talk(said)
    unsent = unsent_photos(session, asked.id)
    begun = turns(asked)[-1].get("begun", "")
    return Talk(said, asked.message, begun, _items(return_, unsent))


def _items(return_: Return, unsent: dict[int, list[Photo]]) -> list[Shown]:
    found = []
    for line in lines_to_show(return_):
        photos = [tile(each, removable=True) for each in unsent.get(line.order_line_id, ())]
        found.append(Shown(f"{PHOTO}{line.id}", name_of(line.order_line), photos, len(photos) < MAX_PER_LINE))
    return found
