"""The order of a request with what was chosen of it, loaded in a fixed number of queries, and the writing of it.

In: an order number and this session's grants. Out: `Basket`. Invariants: without a grant there is no basket, and the database is
not asked; a booked draft is never changed. Never: a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.errors import Conflict, NotFound
from portal.orders.models import Order, OrderLine
from portal.orders.queries import get_order
from portal.policybook.service import Book, load_book
from portal.returns import drafts
from portal.returns.assess import Wish
from portal.returns.models import Draft, Photo, Return
from portal.web.customer import grants
from portal.web.customer.base import LookupNeeded, command
from portal.web.customer.grants import Grant
from portal.web.customer.plan import Choice, Plan, read_plan


@dataclass(frozen=True)
class Basket:
    """One order in the hands of its customer."""

    session: Session
    grant: Grant
    order: Order
    order_id: int
    book: Book
    draft: Draft | None
    open_draft: str
    """The draft's token while nothing was booked with it; empty when the next choice begins a new one."""
    plan: Plan
    photos: dict[int, list[Photo]]
    """Photos of the draft by order line id."""

    @property
    def number(self) -> str:
        """The order's number, for addresses."""
        return self.order.number

    def line(self, ref: str) -> OrderLine:
        """The order line of a choice."""
        return next(line for line in self.order.lines if line.ref == ref)

    def photos_of(self, choice: Choice) -> list[Photo]:
        """The photos given for a choice, oldest first."""
        return self.photos.get(self.line(choice.line).id, [])

    def wish(self, choice: Choice, resolution: str = "") -> Wish:
        """The wish of a choice with the photos that were really given."""
        return choice.wish(len(self.photos_of(choice)), resolution)

    def wishes(self) -> list[Wish]:
        """The wishes of every choice."""
        return [self.wish(choice) for choice in self.plan.choices]


def open_basket(session: Session, number: str) -> Basket:
    """The order and its draft. Raises `LookupNeeded` without a grant, for known and unknown orders alike."""
    grant = grants.order_grant(number)
    if grant is None:
        raise LookupNeeded
    try:
        order = get_order(session, grant.key)
    except NotFound:
        raise LookupNeeded from None
    draft = drafts.find(session, grant.draft)
    if draft is not None and draft.order_id != order.id:
        draft = None
    photos: dict[int, list[Photo]] = {}
    if draft is not None:
        for photo in drafts.photos(session, draft):
            photos.setdefault(photo.order_line_id, []).append(photo)
    plan = read_plan(draft.data, order) if draft is not None else Plan()
    open_draft = draft.token if draft is not None and draft.return_id is None else ""
    return Basket(session, grant, order, order.id, load_book(session), draft, open_draft, plan, photos)


def booked_as(basket: Basket) -> str | None:
    """The number of the return that the draft has become; None while it is open."""
    if basket.draft is None or basket.draft.return_id is None:
        return None
    found = basket.session.get(Return, basket.draft.return_id)
    return found.rma if found is not None else None


def save(basket: Basket, plan: Plan) -> str:
    """Keep what was chosen and give the draft's token. The first choice makes the draft; so does one after it was booked.

    Needs no open session: nothing of the database is held while it is called after reading.
    """
    token = basket.open_draft
    with command() as tx:
        if token:
            try:
                drafts.update(tx, token, plan.to_json())
            except Conflict:
                token = ""
        if not token:
            token = drafts.create(tx, basket.order_id, plan.to_json()).token
    if token != basket.grant.draft:
        grants.keep_draft(basket.grant, token)
    return token
