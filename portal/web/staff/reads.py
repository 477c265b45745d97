"""Looks across stages that only the staff's pages need. Each is a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from portal.orders.models import Order, OrderLine, Payment
from portal.paging import page
from portal.receiving.disposition import MISSING
from portal.receiving.models import Receipt
from portal.refunds import lifecycle as refund_life
from portal.refunds.ledger import REFUNDED, STORE_CREDIT
from portal.refunds.models import Exchange, LedgerEntry, Refund, RefundGate, StoreCredit
from portal.refunds.settle import ELSEWHERE, RELEASE
from portal.returns.lifecycle import ENDED
from portal.returns.models import Return, ReturnLine
from portal.reviews.models import Review
from portal.reviews.service import UNDECIDED
from portal.timeline import TimelineEntry


def needs_somebody() -> ColumnElement[bool]:
    """The refunds that do not go on by themselves: lost and not replaced, without an answer, above the daily cap, waiting for the
    shop's balance, or to be paid by hand."""
    later = aliased(Refund)
    replaced = exists().where(later.replaces_id == Refund.id)
    by_hand = exists().where(
        Payment.id == Refund.payment_id,
        or_(Payment.provider != "stripe", func.coalesce(Payment.payment_intent, "") == ""),
    )
    return or_(
        and_(
            Refund.status.in_(refund_life.LOST),
            Refund.failure_code.not_in(refund_life.DECIDED_ANEW),
            Refund.paid_elsewhere_by == "",
            Refund.cause != ELSEWHERE,
            ~replaced,
        ),
        Refund.status.in_((refund_life.UNKNOWN, refund_life.REQUIRES_ACTION)),
        # Only the shop can end this wait.
        and_(Refund.status == refund_life.PENDING, Refund.pending_reason == "insufficient_funds"),
        and_(Refund.status == refund_life.PLANNED, or_(by_hand, Refund.held_at.is_not(None))),
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """What the menu counts: open questions, parcels that wait to be checked, refunds that need somebody; and, while all refunds
    are stopped, who stopped them and why."""

    exceptions: int
    parcels: int
    refunds: int
    stopped: tuple[str, str] | None


def nav_counts(session: Session) -> Counted:
    """The figures of the menu: one query."""

    def count(of: Any, *where: Any) -> Any:
        return select(func.count()).select_from(of).where(*where).scalar_subquery()

    found = session.execute(
        select(
            count(Review, Review.status.in_(UNDECIDED)),
            count(Return, *at_the_dock()),
            count(Refund, needs_somebody()),
            select(RefundGate.stopped_by).where(RefundGate.stopped_at.is_not(None)).scalar_subquery(),
            select(RefundGate.reason).where(RefundGate.stopped_at.is_not(None)).scalar_subquery(),
        )
    ).one()
    return Counted(found[0], found[1], found[2], None if found[3] is None else (found[3], found[4]))


def at_the_dock() -> tuple[ColumnElement[bool], ...]:
    """The returns that have arrived and wait to be checked before money goes."""
    return Return.status == "received", Return.refund_when == "inspected", Return.payout_planned_at.is_(None)


def oldest_at_the_dock(session: Session) -> tuple[int, datetime | None]:
    """How many parcels wait to be checked, and since when the first one does."""
    found = session.execute(select(func.count(), func.min(Return.received_at)).where(*at_the_dock())).one()
    return found[0], found[1]


def start_of_day(now: datetime, zone: str) -> datetime:
    """The last midnight in the shop's zone."""
    local = now.astimezone(ZoneInfo(zone))
    return datetime.combine(local.date(), time.min, ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class Today:
    """What was counted since midnight: parcels, units that came, questions that arose."""

    parcels: int
    items: int
    exceptions: int


def today_at_the_bench(session: Session, since: datetime, by: str) -> Today:
    """What this person has done since ``since``: two queries."""
    parcels, items = session.execute(
        select(
            # The first row of each count stands for its parcel; the rest of a return that is given up is none.
            func.count().filter(Receipt.command_key.like("%:0"), Receipt.command_key.not_like("rest:%")),
            func.coalesce(func.sum(Receipt.quantity).filter(Receipt.condition != MISSING), 0),
        ).where(Receipt.at >= since, Receipt.stage == "received", Receipt.by == by)
    ).one()
    asked = select(func.count(func.distinct(TimelineEntry.return_id))).where(
        TimelineEntry.what.in_(("review.opened", "return.questioned")),
        TimelineEntry.actor_kind == "staff",
        TimelineEntry.actor_name == by,
        TimelineEntry.at >= since,
    )
    return Today(int(parcels), int(items), session.scalar(asked) or 0)


def was_counted(session: Session, rma: str, command_key: str) -> bool:
    """Whether the bench form with this key has counted something of this return before."""
    query = (
        select(Receipt.id)
        .join(ReturnLine, ReturnLine.id == Receipt.return_line_id)
        .join(Return, Return.id == ReturnLine.return_id)
        .where(Return.rma == rma, Receipt.command_key == f"{command_key}:0")
    )
    return session.scalar(query.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Buyer:
    """One customer over all orders of one currency. ``spent_minor`` is what was charged less what went back."""

    since: datetime
    orders: int
    bought: int
    returned: int
    returns: int
    spent_minor: int
    currency: str


def buyer_of(session: Session, order: Order) -> Buyer:
    """Who bought: found by the shop's own number of the customer, else by the e-mail address. Five queries."""
    if order.customer_ref:
        same = Order.customer_ref == order.customer_ref
    elif order.email_key:
        same = Order.email_key == order.email_key
    else:
        same = Order.id == order.id
    since, count, charged = session.execute(
        select(
            func.min(Order.placed_at),
            func.count(),
            func.coalesce(func.sum(Order.total_minor).filter(Order.currency == order.currency), 0),
        ).where(same)
    ).one()
    ids = select(Order.id).where(same)
    bought = session.scalar(select(func.coalesce(func.sum(OrderLine.quantity), 0)).where(OrderLine.order_id.in_(ids)))
    returns, returned = session.execute(
        select(func.count(func.distinct(Return.id)), func.coalesce(func.sum(ReturnLine.quantity), 0))
        .select_from(Return)
        .join(ReturnLine, ReturnLine.return_id == Return.id)
        .where(Return.order_id.in_(ids), Return.status.not_in(ENDED), ReturnLine.status.in_(("accepted", "review")))
    ).one()
    never_came = session.scalar(
        select(func.coalesce(func.sum(Receipt.quantity), 0))
        .join(ReturnLine, ReturnLine.id == Receipt.return_line_id)
        .join(Return, Return.id == ReturnLine.return_id)
        .where(
            Return.order_id.in_(ids),
            Return.status.not_in(ENDED),
            ReturnLine.status.in_(("accepted", "review")),
            Receipt.stage == "received",
            Receipt.condition == MISSING,
        )
    )
    returned -= never_came or 0
    gone = session.scalar(
        select(func.coalesce(func.sum(LedgerEntry.amount_minor), 0)).where(
            LedgerEntry.order_id.in_(ids),
            LedgerEntry.account.in_((REFUNDED, STORE_CREDIT)),
            LedgerEntry.currency == order.currency,
        )
    )
    return Buyer(since, count, int(bought or 0), int(returned), returns, int(charged) - int(gone or 0), order.currency)


def list_needing(session: Session, limit: int, after: int = 0) -> list[Refund]:
    """The refunds that need somebody, the oldest first, with payment, return and order; those behind the one with the row id
    ``after``. One query."""
    query = _refunds().where(needs_somebody(), Refund.id > after)
    return list(session.scalars(query.order_by(Refund.id).limit(limit)))


def list_with_status(
    session: Session, statuses: tuple[str, ...], cursor: str | None, limit: int, *, going: bool = False
) -> tuple[list[Refund], str | None]:
    """A page of the refunds of these statuses, as `paging.page` gives it; with ``going`` only those that need nobody."""
    query = _refunds().where(Refund.status.in_(statuses))
    return page(session, query.where(~needs_somebody()) if going else query, Refund.id, cursor, limit)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many refunds there are of one kind, and what they are worth, by currency."""

    count: int = 0
    worth: tuple[tuple[str, int], ...] = ()


FAILED, UNSURE, ASKED, WAITING, SENDING = "failed", "unsure", "asked", "waiting", "sending"


def standings(session: Session) -> dict[str, Standing]:
    """The refunds that have not come to their end: failed, unsure, otherwise for somebody to look at, waiting to be sent, being
    sent. One query."""
    kind = case(
        (and_(needs_somebody(), Refund.status.in_(refund_life.LOST)), FAILED),
        (and_(needs_somebody(), Refund.status == refund_life.UNKNOWN), UNSURE),
        (needs_somebody(), ASKED),
        (Refund.status == refund_life.PLANNED, WAITING),
        (Refund.status.in_((refund_life.SUBMITTED, refund_life.PENDING)), SENDING),
        else_="",
    ).label("kind")
    query = (
        select(kind, Refund.currency, func.count(), func.sum(Refund.amount_minor))
        .where(Refund.status != refund_life.SUCCEEDED)
        .group_by(kind, Refund.currency)
        .order_by(Refund.currency)
    )
    found = dict.fromkeys((FAILED, UNSURE, ASKED, WAITING, SENDING), Standing())
    for name, currency, count, total in session.execute(query):
        if name:
            before = found[name]
            found[name] = Standing(before.count + count, (*before.worth, (currency, int(total))))
    return found


def sent_since(session: Session, since: datetime) -> tuple[list[Refund], list[Any], list[Any]]:
    """What left the shop since ``since``: refunds, store credit (with its return), replacements (with line and order)."""
    left = or_(Refund.submitted_at >= since, and_(Refund.paid_elsewhere_by != "", Refund.settled_at >= since))
    statuses = (refund_life.PENDING, refund_life.SUCCEEDED, refund_life.SUBMITTED)
    moved = _refunds().where(Refund.status.in_(statuses), Refund.way != RELEASE, left)
    refunds = list(session.scalars(moved.order_by(Refund.id.desc()).limit(200)))
    credits = session.execute(
        select(StoreCredit, Return.rma, Order.customer_name, Order.email)
        .join(Return, Return.id == StoreCredit.return_id)
        .join(Order, Order.id == Return.order_id)
        .where(StoreCredit.issued_at >= since)
        .order_by(StoreCredit.id.desc())
        .limit(200)
    ).all()
    replacement = aliased(Order)
    exchanges = session.execute(
        select(Exchange, Return.rma, Order.customer_name, Order.email, replacement.number, OrderLine.name)
        .join(ReturnLine, ReturnLine.id == Exchange.return_line_id)
        .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
        .join(Return, Return.id == ReturnLine.return_id)
        .join(Order, Order.id == Return.order_id)
        .outerjoin(replacement, replacement.id == Exchange.replacement_order_id)
        .where(Exchange.ordered_at >= since)
        .order_by(Exchange.id.desc())
        .limit(200)
    ).all()
    return refunds, list(credits), list(exchanges)


def count_by_status(session: Session) -> dict[str, int]:
    """How many returns there are of each status: one query."""
    found = session.execute(select(Return.status, func.count()).group_by(Return.status))
    return {status: int(number) for status, number in found}


def _refunds() -> Any:
    return select(Refund).options(
        joinedload(Refund.payment).joinedload(Payment.order), joinedload(Refund.return_).joinedload(Return.order)
    )
