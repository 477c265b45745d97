"""Holding our refunds against the gateway's, without needing a single webhook.

In: what the gateway shows. Out: rows moved along, refunds made by hand taken in, a `Report` of what differs. Invariants: a
refund is found by its id or by our number in its metadata; what is at the gateway and not here is taken in; looking twice
changes nothing. Never: a refund created, a call inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from portal import clock, jobs
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.orders.models import Payment
from portal.refunds import elsewhere, gate, lifecycle, settle
from portal.refunds.gateway import Gateway, PaymentView, RefundView, Span
from portal.refunds.models import Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import find_payments, is_stripe, lock_payment, lock_refund
from portal.reviews import service as reviews
from portal.reviews.models import Review

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MAY_STILL_FAIL = timedelta(days=40)
"""A bank can send a refund back for up to thirty days; ten more are for workers that stood still when it did."""
STAFF_KNOW = timedelta(hours=26)
"""A refund that was without an answer for so long is a question to staff by now."""
WINDOW = 7 * DAY
"""How much of the account is listed at a time; a week of a busy shop fits into memory, and a quiet one costs few calls."""
MANY = 200
"""How many payments one query asks for."""
AT_ONCE = 1000
"""How many jobs of a kind one sweep writes."""


@dataclass(slots=True)
class Seen:
    """What one look did: ids of refunds moved and taken in, and those that have to wait for ours to be settled."""

    moved: list[str] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Made by hand, in an amount or a currency that the payment here does not have: not counted, named by the nightly report."""

    def __str__(self) -> str:
        said = [
            f"{word} {', '.join(ids)}"
            for word, ids in (
                ("moved", self.moved),
                ("imported", self.imported),
                ("waiting", self.waiting),
                ("can't be counted", self.strange),
            )
            if ids
        ]
        return "; ".join(said) or "nothing new"


def check(database: Database, gateway: Gateway, refund_id: int) -> None:
    """Ask the gateway about one refund and take over what it says. Raises `jobs.Later` when it cannot be reached now.

    A refund that may still fail is looked at together with everything else on its payment, so that refunds made by hand
    are found too.
    """
    with database.read() as session:
        refund = session.get_one(Refund, refund_id)
        if not is_stripe(session.get_one(Payment, refund.payment_id)):
            return
        known = refund.stripe_refund_id if refund.status != lifecycle.SUCCEEDED else None
    try:
        if known:
            began = clock.now()
            take_in(database, gateway.read_refund(known), Seen(), read_at=began)
        else:
            look(database, gateway, refund_id)
    except UpstreamError as error:
        if not error.retryable:
            # Asking again would not help: staff hear of it, and of nothing more while the question is open.
            with database.transaction(STRIPE) as tx:
                refund, _payment = lock_refund(tx.session, refund_id)
                settle.ask_staff(tx, refund, f"Stripe does not show what became of this refund. {error.staff_message}")
            return
        pause = timedelta(seconds=error.retry_after or 60)
        raise jobs.Later(clock.now() + pause, f"{error.code}: {error.staff_message}") from error


def look(database: Database, gateway: Gateway, refund_id: int) -> Seen:
    """List the refunds of this refund's payment and take over all of them. Raises `UpstreamError`."""
    with database.read() as session:
        intent = session.scalar(
            select(Payment.payment_intent).join(Refund, Refund.payment_id == Payment.id).where(Refund.id == refund_id)
        )
    return look_at_payment(database, gateway, intent) if intent else Seen()


def look_at_payment(database: Database, gateway: Gateway, payment_intent: str) -> Seen:
    """List the refunds of a payment (every page) and take over all of them. Raises `UpstreamError`."""
    seen = Seen()
    with database.read() as session:
        if not find_payments(session, payment_intent):
            return seen
    began = clock.now()
    views = gateway.list_refunds(payment_intent)
    with database.read() as session:
        strange = [view for view in views if _match(session, view) is None]
    if strange and (payment := _readable(gateway, payment_intent)):
        released = _released(strange, payment.released_minor)
        views = [view for view in views if view is not released]
        _settle_let_go(database, payment, seen)
    for view in sorted(views, key=lambda view: view.created_at):
        take_in(database, view, seen, read_at=began)
    with database.transaction() as tx:
        ours = select(Payment.id).where(Payment.payment_intent == payment_intent)
        tx.session.execute(
            update(Refund)
            .where(Refund.payment_id.in_(ours))
            .values(checked_at=tx.at)
            .execution_options(synchronize_session=False)
        )
    return seen


def released_there(gateway: Gateway, payment_intent: str) -> int:
    """What of the payment was authorized and never captured; 0 where its amounts cannot be read: less is given then, not more."""
    payment = _readable(gateway, payment_intent)
    return payment.released_minor if payment else 0


def _readable(gateway: Gateway, payment_intent: str) -> PaymentView | None:
    try:
        return gateway.read_payment(payment_intent)
    except UpstreamError as error:
        if error.code != "unreadable_amount":
            raise
        return None


def _settle_let_go(database: Database, view: PaymentView, seen: Seen) -> None:
    """Settle what the payment shows as given free, such as what a restored backup takes for never sent: nobody may pay it in
    another form, and sent to a payment of which less was captured it would be paid."""
    query = (
        select(Refund.id, Refund.public_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.payment_intent == view.payment_intent, Refund.status.in_(lifecycle.SENDABLE))
    )
    with database.read() as session:
        waiting = [row.id for row in session.execute(query) if settle.is_let_go(view, row.public_id)]
    for refund_id in waiting:
        with database.transaction(STRIPE) as tx:
            refund, payment = lock_refund(tx.session, refund_id)
            if refund.status in lifecycle.SENDABLE:
                settle.released(tx, refund, payment, view.captured_minor)
                seen.moved.append(refund.public_id)


def take_in(database: Database, view: RefundView, seen: Seen, *, read_at: datetime) -> None:
    """Take over one refund of the gateway, asked for at ``read_at``: move our row, or write one for a refund made by hand."""
    with database.transaction(STRIPE) as tx:
        found = _match(tx.session, view)
        if found is not None:
            refund, payment = lock_refund(tx.session, found)
            waits = refund.status in lifecycle.SENDABLE
            if refund.stripe_refund_id == view.id or (refund.stripe_refund_id is None and waits):
                if settle.take_over(tx, refund, payment, view, read_at=read_at) is lifecycle.Step.MOVE:
                    seen.moved.append(view.id)
                return
        _import(tx, view, seen)


def _import(tx: Tx, view: RefundView, seen: Seen) -> None:
    payments = find_payments(tx.session, view.payment_intent)
    if not payments:
        return
    roomy = next((payment for payment in payments if payment.refundable_minor >= view.amount_minor), payments[0])
    payment = lock_payment(tx.session, roomy.id)
    if _by_id(tx.session, view.id) is not None:
        return
    if view.unreadable or view.currency != payment.currency:
        seen.strange.append(view.id)
        return
    (seen.imported if elsewhere.take_in(tx, payment, view) else seen.waiting).append(view.id)


def catch_up(database: Database, gateway: Gateway, back: timedelta) -> Seen:
    """List the whole account's refunds of the last while and look at every payment of ours that has one which no row here names.

    Refunds made by hand are found without a message and without a refund of ours, and so is what a restored backup still shows
    as prepared although it was sent. Raises `UpstreamError`.
    """
    seen = Seen()
    now = clock.now()
    for window in windows(now - back, now):
        strange = _named_by_no_row(database, gateway.list_refunds(window))
        for intent in sorted(known_intents(database, strange)):
            found = look_at_payment(database, gateway, intent)
            seen.moved += found.moved
            seen.imported += found.imported
            seen.waiting += found.waiting
            seen.strange += found.strange
    return seen


def _named_by_no_row(database: Database, views: list[RefundView]) -> list[RefundView]:
    named: set[str | None] = set()
    for start in range(0, len(views), MANY):
        ids = [view.id for view in views[start : start + MANY]]
        with database.read() as session:
            named.update(session.scalars(select(Refund.stripe_refund_id).where(Refund.stripe_refund_id.in_(ids))))
    return [view for view in views if view.id not in named]


def windows(since: datetime, until: datetime) -> Iterator[Span]:
    """The time from ``since`` until a second after ``until`` in spans of a week; the gateway counts in whole seconds."""
    start, end = since.replace(microsecond=0), until.replace(microsecond=0) + timedelta(seconds=1)
    while start < end:
        yield Span(start, min(start + WINDOW, end))
        start += WINDOW


def known_intents(database: Database, views: Iterable[RefundView]) -> set[str]:
    """Those of the views' payments that an order here was paid with."""
    intents = sorted({view.payment_intent for view in views if view.payment_intent})
    known: set[str] = set()
    for start in range(0, len(intents), MANY):
        some = intents[start : start + MANY]
        with database.read() as session:
            query = select(Payment.payment_intent).where(Payment.provider == "stripe", Payment.payment_intent.in_(some))
            known |= {intent for intent in session.scalars(query) if intent}
    return known


def is_known(database: Database, view: RefundView) -> bool:
    """Whether ``view`` is a refund of ours or one that was taken in before."""
    with database.read() as session:
        return _match(session, view) is not None


def _by_id(session: Session, stripe_refund_id: str) -> int | None:
    return session.scalar(select(Refund.id).where(Refund.stripe_refund_id == stripe_refund_id))


def _match(session: Session, view: RefundView) -> int | None:
    """The row that ``view`` is about: by its id, else by our number, if that row still waits for its answer."""
    known = _by_id(session, view.id)
    number = view.metadata.get("refund")
    if known is not None or not number:
        return known
    query = (
        select(Refund.id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.public_id == number,
            Refund.stripe_refund_id.is_(None),
            Refund.status.in_(lifecycle.SENDABLE),
            Payment.payment_intent == view.payment_intent,
        )
    )
    return session.scalar(query)


def _released(strange: Iterable[RefundView], released_minor: int) -> RefundView | None:
    """The entry that stands for what was authorized and never captured: no money went to anyone with it."""
    candidates = [view for view in strange if released_minor and view.amount_minor == released_minor]
    return min(candidates, key=lambda view: view.created_at, default=None)


def sweep(database: Database, gateway: Gateway) -> None:
    """Write a job for every refund that has been silent too long; finds what a webhook or the job engine lost.

    It only writes jobs (one per refund and span of time, however many workers sweep), so it is quick and calls nobody.
    """
    del gateway
    with database.transaction() as tx:
        for name, every, ids in (
            ("submit_refund", 10 * MINUTE, _forgotten(tx.session, tx.at, settle.REFUND)),
            ("release_payment", 10 * MINUTE, _forgotten(tx.session, tx.at, settle.RELEASE)),
            ("check_refund", 5 * MINUTE, _unsure(tx.session, tx.at)),
            ("check_refund", HOUR, _under_way(tx.session, tx.at)),
            ("check_refund", DAY, _may_still_fail(tx.session, tx.at)),
        ):
            span = int(tx.at.timestamp() // every.total_seconds())
            for refund_id in ids:
                key = f"sweep:{name}:{refund_id}:{every.total_seconds():.0f}:{span}"
                jobs.enqueue(tx, name, {"refund": refund_id}, key=key)
        hour = int(tx.at.timestamp() // HOUR.total_seconds())
        for intent in _in_dispute(tx.session):
            jobs.enqueue(tx, "look_at_dispute", {"payment_intent": intent}, key=f"sweep:dispute:{intent}:{hour}")


def _in_dispute(session: Session) -> list[str]:
    """The payments that open questions about disputes name: they are frozen and thawed without a message from Stripe too."""
    query = (
        select(Review.data).where(Review.kind == reviews.DISPUTE, Review.status.in_(reviews.UNDECIDED)).limit(AT_ONCE)
    )
    named = [(data or {}).get("payment_intent") for data in session.scalars(query)]
    return sorted({intent for intent in named if intent})


def _forgotten(session: Session, at: datetime, way: str) -> list[int]:
    """Waiting to be sent, and nobody has tried for longer than the longest pause between two tries. While all refunds are
    stopped, what waits has its job already."""
    if gate.read(session).stopped_at is not None:
        return []
    query = (
        select(Refund.id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.status.in_(lifecycle.SENDABLE),
            Payment.payment_intent.is_not(None),
            Payment.provider == "stripe",
            # A disputed payment's refund waits by itself, hour by hour.
            Payment.disputed_at.is_(None),
            Refund.held_at.is_(None),
            Refund.way == way,
            Refund.planned_at < at - 5 * MINUTE,
            or_(Refund.first_submitted_at.is_(None), Refund.first_submitted_at > at - STAFF_KNOW),
            or_(Refund.submitted_at.is_(None), Refund.submitted_at < at - 30 * MINUTE),
        )
    )
    return _first(session, query)


def _unsure(session: Session, at: datetime) -> list[int]:
    query = select(Refund.id).where(
        Refund.status.in_((lifecycle.UNKNOWN, lifecycle.SUBMITTED)),
        Refund.submitted_at < at - MINUTE,
        Refund.first_submitted_at > at - STAFF_KNOW,
        _silent_since(at - 4 * MINUTE),
    )
    return _first(session, query)


def _under_way(session: Session, at: datetime) -> list[int]:
    """With the bank, unknown for so long that staff were asked, or ended here and alive at Stripe."""
    open_ = (lifecycle.PENDING, lifecycle.REQUIRES_ACTION, lifecycle.UNKNOWN)
    asked = select(Review.refund_id).where(
        Review.kind == reviews.REFUND_UNKNOWN, Review.fact == settle.CONTRADICTED, Review.status.in_(reviews.UNDECIDED)
    )
    lasting = or_(Refund.status.in_(open_), Refund.id.in_(asked))
    query = select(Refund.id).where(lasting, _silent_since(at - 55 * MINUTE))
    return _first(session, query)


def _may_still_fail(session: Session, at: datetime) -> list[int]:
    """One refund per payment: the look at it covers the payment's others."""
    query = (
        select(func.min(Refund.id))
        .where(
            Refund.status == lifecycle.SUCCEEDED,
            Refund.settled_at > at - MAY_STILL_FAIL,
            Refund.paid_elsewhere_by == "",
            _silent_since(at - 23 * HOUR),
        )
        .group_by(Refund.payment_id)
    )
    return [refund_id for refund_id in session.scalars(query.limit(AT_ONCE)) if refund_id is not None]


def _silent_since(moment: datetime):  # type: ignore[no-untyped-def]
    return or_(Refund.checked_at.is_(None), Refund.checked_at < moment)


def _first(session: Session, query) -> list[int]:  # type: ignore[no-untyped-def]
    return list(session.scalars(query.order_by(Refund.id).limit(AT_ONCE)))
