"""The exceptions queue as a page shows it: a fixed number of queries, however long the queue is.

Reviews import neither orders nor anything further down the river; those rows are reached by the names of their tables.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from portal.db import Base
from portal.errors import Invalid
from portal.money import Money
from portal.reviews.models import Review
from portal.reviews.service import (
    ASKED,
    DISPUTE,
    KINDS,
    OPEN,
    REFUND_FAILED,
    UNDECIDED,
)
from portal.staff.models import User

VIEWS = ("all", "mine", "overdue", "answered", "refund_failed", "waiting")
SORTS = ("deadline", "newest", "value")
PER_PAGE = 25
MAX_PAGE = 100_000
MAX_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One question in the list. ``value`` is what the refund or the return is about, as quoted; ``items`` counts units."""

    id: int
    kind: str
    status: str
    why: str
    fact: str
    opened_at: datetime
    due_at: datetime
    answered_at: datetime | None
    owner_id: int | None
    owner_name: str
    return_id: int | None
    rma: str
    return_status: str
    version: int
    refund_id: int | None
    refund: str
    """The number of the refund that it is about, if it is about one."""
    order_number: str
    customer_name: str
    country: str
    items: int
    value: Money | None

    @property
    def paused(self) -> bool:
        """True while the customer has to answer."""
        return self.status == ASKED

    @property
    def answered(self) -> bool:
        """True when the customer has answered and staff have not decided since."""
        return self.status == OPEN and self.answered_at is not None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the queue. ``counts`` has one number per view, without search and filters; ``total`` is with them."""

    rows: tuple[QueueRow, ...]
    counts: dict[str, int]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.per_page))


def queue(
    session: Session,
    *,
    at: datetime,
    view: str = "all",
    me: int | None = None,
    owner: int | str | None = None,
    kind: str | None = None,
    search: str = "",
    value_from: int | None = None,
    value_to: int | None = None,
    sort: str = "deadline",
    page: int = 1,
    per_page: int = PER_PAGE,
) -> Page:
    """The undecided questions, oldest deadline first unless ``sort`` says ``newest`` or ``value``.

    ``me`` is who looks (view ``mine``), ``owner`` a member of staff, ``me`` or ``nobody``, ``value_from`` and ``value_to`` minor
    units (both included), ``search`` a part of the return's or order's number, name, e-mail or of why it is here. Raises
    `Invalid` for words it does not know.
    """
    wrong = {}
    if view not in VIEWS:
        wrong["view"] = f"choose one of {', '.join(VIEWS)}"
    if kind is not None and kind not in KINDS:
        wrong["kind"] = f"choose one of {', '.join(KINDS)}"
    if sort not in SORTS:
        wrong["sort"] = f"choose one of {', '.join(SORTS)}"
    if isinstance(owner, str) and owner not in ("me", "nobody"):
        wrong["owner"] = "choose a member of staff, `me` or `nobody`"
    for name, number in (("value_from", value_from), ("value_to", value_to), ("owner", owner)):
        if isinstance(number, int) and abs(number) > MAX_NUMBER:
            wrong[name] = "choose a smaller number"
    if wrong:
        raise Invalid("The queue can't be shown like this.", wrong)
    page = min(max(page, 1), MAX_PAGE)
    tables = _Tables()
    conditions = [Review.status.in_(UNDECIDED), *_view(view, me, at)]
    if kind is not None:
        conditions.append(Review.kind == kind)
    if owner == "nobody":
        conditions.append(Review.owner_id.is_(None))
    elif owner is not None:
        conditions.append(Review.owner_id == (me if owner == "me" else owner))
    conditions += tables.filters(search, value_from, value_to)
    base = tables.joined(select(func.count(Review.id))).where(*conditions)
    total = session.scalar(base) or 0
    order: list[Any] = [Review.due_at, Review.id]
    if sort == "newest":
        order = [Review.opened_at.desc(), Review.id.desc()]
    elif sort == "value":
        order = [func.coalesce(tables.value, -1).desc(), Review.id]
    query = tables.joined(select(*tables.columns())).where(*conditions).order_by(*order)
    found = session.execute(query.limit(per_page).offset((page - 1) * per_page))
    rows = tuple(_row(each) for each in found)
    return Page(rows, counts(session, me=me, at=at), total, page, per_page)


def rows_of(session: Session, review_ids: Collection[int], *, decided: bool = False) -> list[QueueRow]:
    """These questions as the queue shows them, the oldest deadline first: one query. With ``decided``, the answered ones too."""
    tables = _Tables()
    query = tables.joined(select(*tables.columns())).where(Review.id.in_(review_ids))
    if not decided:
        query = query.where(Review.status.in_(UNDECIDED))
    return [_row(each) for each in session.execute(query.order_by(Review.due_at, Review.id))]


def counts(session: Session, *, at: datetime, me: int | None = None) -> dict[str, int]:
    """How many undecided questions each view has: one query."""
    columns = [func.count(Review.id).filter(and_(True, *_view(view, me, at))).label(view) for view in VIEWS]
    found = session.execute(select(*columns).where(Review.status.in_(UNDECIDED))).one()
    return dict(zip(VIEWS, (int(number) for number in found), strict=True))


def reviews_of(session: Session, return_id: int) -> list[Review]:
    """Every question that was ever put about a return, the newest first."""
    return list(session.scalars(select(Review).where(Review.return_id == return_id).order_by(Review.id.desc())))


def neighbours(session: Session, review_id: int) -> tuple[int | None, int | None]:
    """The questions before and after this one in the order of deadlines, for the page's arrows."""
    here = session.get(Review, review_id)
    query = select(Review.id).where(Review.status.in_(UNDECIDED)).limit(1)
    if here is None or here.status not in UNDECIDED:
        return None, session.scalar(query.order_by(Review.due_at, Review.id))
    due, same = Review.due_at, Review.due_at == here.due_at
    before = query.where(or_(due < here.due_at, and_(same, Review.id < here.id))).order_by(due.desc(), Review.id.desc())
    after = query.where(or_(due > here.due_at, and_(same, Review.id > here.id))).order_by(due, Review.id)
    return session.scalar(before), session.scalar(after)


def next_open(session: Session) -> str | None:
    """The number of the return whose question falls due first; questions that wait for the customer are passed over."""
    returns = _Tables().returns
    query = select(returns.c.rma).join(Review, Review.return_id == returns.c.id).where(Review.status == OPEN)
    return session.scalar(query.order_by(Review.due_at, Review.id).limit(1))


def _view(view: str, me: int | None, at: datetime) -> list[ColumnElement[bool]]:
    if view == "mine":
        # Nobody signed in owns nothing: compared with NULL no row is mine.
        return [Review.owner_id == me] if me is not None else [Review.id.is_(None)]
    if view == "overdue":
        return [and_(Review.status == OPEN, Review.due_at <= at)]
    if view == "refund_failed":
        # A chargeback stops refunds before they are sent; only where it names a refund has one failed.
        stopped = and_(Review.kind == DISPUTE, Review.refund_id.is_not(None))
        return [or_(Review.kind == REFUND_FAILED, stopped)]
    if view == "answered":
        return [and_(Review.status == OPEN, Review.answered_at.is_not(None))]
    if view == "waiting":
        return [Review.status == ASKED]
    return []


class _Tables:
    """The tables of other stages, by name."""

    def __init__(self) -> None:
        known = Base.metadata.tables
        self.orders: FromClause = known["order"]
        self.returns: FromClause = known["return"]
        self.lines: FromClause = known["return_line"]
        self.refunds: FromClause = known["refund"]
        self.payments: FromClause = known["payment"]
        total: Any = self.returns.c.quote["total"]["amount"]
        self.value: ColumnElement[Any] = func.coalesce(self.refunds.c.amount_minor, total.as_integer())

    def columns(self) -> list[Any]:
        items = (
            select(func.coalesce(func.sum(self.lines.c.quantity), 0))
            .where(self.lines.c.return_id == self.returns.c.id)
            .correlate(self.returns)
            .scalar_subquery()
        )
        return [
            *(
                getattr(Review, name)
                for name in "id kind status why fact opened_at due_at answered_at owner_id".split()
            ),
            func.coalesce(func.nullif(User.name, ""), User.email, "").label("owner_name"),
            self.returns.c.id.label("return_id"),
            self.returns.c.rma,
            self.returns.c.status.label("return_status"),
            self.returns.c.version,
            Review.refund_id,
            self.refunds.c.public_id.label("refund"),
            self.orders.c.number,
            self.orders.c.customer_name,
            self.orders.c.email,
            self.orders.c.ship_to,
            items.label("items"),
            self.value.label("value"),
            func.coalesce(self.refunds.c.currency, self.orders.c.currency).label("currency"),
        ]

    def joined(self, query: Select[Any]) -> Select[Any]:
        # A question about a refund may name no return of its own; its refund does. Goodwill has none: its payment's order counts.
        subject = func.coalesce(Review.return_id, self.refunds.c.return_id)
        order_id = func.coalesce(self.returns.c.order_id, self.payments.c.order_id)
        return (
            query.select_from(Review)
            .outerjoin(self.refunds, self.refunds.c.id == Review.refund_id)
            .outerjoin(self.returns, self.returns.c.id == subject)
            .outerjoin(self.payments, self.payments.c.id == self.refunds.c.payment_id)
            .outerjoin(self.orders, self.orders.c.id == order_id)
            .outerjoin(User, User.id == Review.owner_id)
        )

    def filters(self, search: str, value_from: int | None, value_to: int | None) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        words = search.strip()[:100]
        if words and not words.isprintable():
            # A NUL or half of a surrogate pair is no text to any database, and nothing contains it.
            found.append(Review.id.is_(None))
        elif words:
            like = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            columns = (
                self.returns.c.rma,
                self.orders.c.number,
                self.orders.c.customer_name,
                self.orders.c.email,
                Review.why,
                Review.fact,
            )
            found.append(or_(*(column.ilike(like, escape="\\") for column in columns)))
        if value_from is not None:
            found.append(self.value >= value_from)
        if value_to is not None:
            found.append(self.value <= value_to)
        return found


def _row(found: Any) -> QueueRow:
    return QueueRow(
        id=found.id,
        kind=found.kind,
        status=found.status,
        why=found.why,
        fact=found.fact,
        opened_at=found.opened_at,
        due_at=found.due_at,
        answered_at=found.answered_at,
        owner_id=found.owner_id,
        owner_name=found.owner_name,
        return_id=found.return_id,
        rma=found.rma or "",
        return_status=found.return_status or "",
        version=found.version or 0,
        refund_id=found.refund_id,
        refund=found.refund or "",
        order_number=found.number or "",
        customer_name=found.customer_name or found.email or "",
        country=(found.ship_to or {}).get("country", ""),
        items=int(found.items or 0),
        value=None if found.value is None else Money(int(found.value), found.currency),
    )
