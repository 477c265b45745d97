"""The report that says "0 differences", or which: every refund of ours against every refund at Stripe, both ways.

In: the database and the gateway. Out: a `Report`. Ours to theirs: each payment that has a refund here is listed there, all
pages, and matched by id and by our number in the metadata. Theirs to ours: the whole account is listed by time, in windows, and
what is on a payment that an order has must be here. The books inside the database are checked as well (`books`).
Invariants: comparing changes nothing; what another process was just moving is looked at a second time before it counts.
Never: a difference explained away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock, jobs
from portal.db import Database
from portal.errors import UpstreamError
from portal.money import Money
from portal.orders.models import Order, Payment
from portal.refunds import captured, lifecycle
from portal.refunds.books import Difference, check_books
from portal.refunds.gateway import Gateway, RefundView
from portal.refunds.models import LedgerEntry, Reconciliation, Refund
from portal.refunds.reconcile import catch_up, known_intents, released_there, windows
from portal.refunds.settle import RELEASE
from portal.refunds.submit import LEASE
from portal.refunds.tenders import find_payments
from portal.returns.models import Return
from portal.wording import said

BATCH = 200
NIGHT = time(3, 10)
"""When the comparison runs, in the shop's own time."""
LOOK_BACK = timedelta(days=35)
"""A little more than the thirty days in which a bank may send a refund back."""
KEPT = 500
"""How many differences are stored with a report; the number of all is stored too."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found, and how much was compared: our refunds, their payments, and what Stripe listed by time."""

    started_at: datetime
    since: datetime
    refunds: int
    payments: int
    listed: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    """What is no difference and good to know: payments that several orders share."""


def run(database: Database, gateway: Gateway, *, since: datetime | None = None) -> Report:
    """Compare and store the report, where staff see it. Raises `UpstreamError`; nothing is stored then."""
    report = compare(database, gateway, since=since)
    with database.transaction() as tx:
        tx.session.add(
            Reconciliation(
                started_at=report.started_at,
                ended_at=tx.at,
                since=report.since,
                refunds=report.refunds,
                payments=report.payments,
                listed=report.listed,
                differences=[asdict(each) for each in report.differences[:KEPT]],
                difference_count=len(report.differences),
                notes=list(report.notes[:KEPT]),
            )
        )
    return report


def nightly(database: Database, gateway: Gateway) -> None:
    """The night's job: take in what was refunded by hand lately and what was captured of shared payments, then compare and store.

    Raises `UpstreamError`, or `jobs.Later` when Stripe cannot be reached now.
    """
    catch_up(database, gateway, LOOK_BACK)
    captured.look_at_shared(database, gateway)
    run(database, gateway)


def plan_night(database: Database, zone: str) -> None:
    """Write the job for the next night, once for each, however many workers ask."""
    now = clock.now()
    night = datetime.combine(clock.local_date(now, zone), NIGHT, ZoneInfo(zone))
    if night <= now:
        night = datetime.combine(clock.local_date(now, zone) + timedelta(days=1), NIGHT, ZoneInfo(zone))
    with database.transaction() as tx:
        jobs.enqueue(tx, "reconcile_night", {}, key=f"reconcile_night:{night.date()}", run_at=night)


def last_report(session: Session) -> Reconciliation | None:
    """The newest stored report."""
    return session.scalar(select(Reconciliation).order_by(Reconciliation.id.desc()).limit(1))


def compare(database: Database, gateway: Gateway, *, since: datetime | None = None) -> Report:
    """Hold both sides against each other. Raises `UpstreamError` when the gateway cannot be read.

    ``since`` is how far back the account is listed by time (default: `LOOK_BACK`); payments with a refund here are compared
    whatever their age.
    """
    began = clock.now()
    since = since or began - LOOK_BACK
    refunds = 0
    compared: set[str] = set()
    differences: list[Difference] = []
    for intent in _intents(database):
        count, found = _compare_payment(database, gateway, intent)
        refunds += count
        differences += found
        compared.add(intent)
    listed = 0
    for window in windows(since, began):
        views = gateway.list_refunds(window)
        listed += len(views)
        differences += _strangers(database, views)
        for intent in sorted(known_intents(database, views) - compared):
            count, found = _compare_payment(database, gateway, intent)
            refunds += count
            differences += found
            compared.add(intent)
    differences += _captured(database, gateway, since)
    with database.read() as session:
        differences += check_books(session)
        notes = tuple(_shared(session))
    return Report(began, since, refunds, len(compared), listed, tuple(differences), notes)


def _captured(database: Database, gateway: Gateway, since: datetime) -> Iterator[Difference]:
    """Payments of which Stripe captured less than the orders say: those that are shared, and those of orders that got anything
    since then, store credit too, about which nothing else asks Stripe. A replacement's payments are those of the original."""
    lately = select(LedgerEntry.order_id.label("id")).where(LedgerEntry.at >= since).cte("lately", recursive=True)
    replaced = (
        select(Return.order_id).join(Order, Order.replaces_return_id == Return.id).join(lately, lately.c.id == Order.id)
    )
    which = select(lately.union(replaced).c.id)
    paid = select(Payment.payment_intent).where(Payment.provider == "stripe", Payment.order_id.in_(which)).distinct()
    with database.read() as session:
        intents = {intent for query in (captured.SHARED, paid) for intent in session.scalars(query) if intent}
    for intent in sorted(intents):
        try:
            view = gateway.read_payment(intent)
        except UpstreamError as error:
            if error.retryable:
                raise
            if error.code == "resource_missing":
                yield Difference(
                    "unknown_there", "", intent, f"Stripe does not show this payment. {error.staff_message}"
                )
            continue
        with database.read() as session:
            sentence = captured.disagreement(find_payments(session, intent), view)
        if sentence:
            yield Difference("captured", "", intent, sentence)


def _shared(session: Session) -> Iterator[str]:
    """Payments of several orders, such as one order that its shop has split: Stripe knows one sum for all of them."""
    query = (
        select(Payment.payment_intent, Order.number)
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.payment_intent.in_(captured.SHARED))
        .distinct()
        .order_by(Payment.payment_intent, Order.number)
    )
    for intent, rows in groupby(session.execute(query), key=lambda row: row.payment_intent):
        yield f"Payment {intent} is shared by the orders {', '.join(row.number for row in rows)}."


def _strangers(database: Database, views: Iterable[RefundView]) -> Iterator[Difference]:
    """Refunds that carry one of our numbers and are on a payment that is not that refund's."""
    numbered = [view for view in views if view.metadata.get("refund")]
    for start in range(0, len(numbered), BATCH):
        some = numbered[start : start + BATCH]
        with database.read() as session:
            query = (
                select(Refund.public_id, Payment.payment_intent)
                .join(Payment, Payment.id == Refund.payment_id)
                .where(Refund.public_id.in_([view.metadata["refund"] for view in some]))
            )
            ours = {row.public_id: row.payment_intent for row in session.execute(query)}
        for view in some:
            number = view.metadata["refund"]
            if number in ours and ours[number] != view.payment_intent:
                yield Difference(
                    "other_payment", number, view.payment_intent,
                    f"{number} belongs to payment {ours[number]} here; {view.id} at Stripe is on {view.payment_intent}.",
                )  # fmt: skip


def _compare_payment(database: Database, gateway: Gateway, intent: str) -> tuple[int, list[Difference]]:
    """How many refunds the payment has here, and what differs: only what a second look finds as well."""
    found = _look(database, gateway, intent)
    if found[1]:
        # A worker may have sent or settled one between the two readings.
        again = _look(database, gateway, intent)
        found = again[0], [each for each in again[1] if each in found[1]]
    return found


def _look(database: Database, gateway: Gateway, intent: str) -> tuple[int, list[Difference]]:
    views = gateway.list_refunds(intent)
    with database.read() as session:
        rows = _rows(session, intent)
        session.expunge_all()
    unknown = [view for view in views if view.id not in {row.stripe_refund_id for row in rows}]
    released = released_there(gateway, intent) if unknown else 0
    return len(rows), list(_differences(intent, rows, views, released))


def _intents(database: Database) -> Iterator[str]:
    """Every intent with a refund of ours, in batches, so that no transaction stays open while the gateway is asked."""
    last = ""
    while True:
        with database.read() as session:
            query = (
                select(Payment.payment_intent)
                .join(Refund, Refund.payment_id == Payment.id)
                .where(Payment.provider == "stripe", Payment.payment_intent > last)
                .distinct()
                .order_by(Payment.payment_intent)
                .limit(BATCH)
            )
            found = [intent for intent in session.scalars(query) if intent]
        if not found:
            return
        yield from found
        last = found[-1]


def _rows(session: Session, intent: str) -> list[Refund]:
    query = select(Refund).join(Payment, Payment.id == Refund.payment_id).where(Payment.payment_intent == intent)
    return list(session.scalars(query.order_by(Refund.id)))


def _differences(intent: str, rows: list[Refund], views: list[RefundView], released: int) -> Iterator[Difference]:
    by_id = {view.id: view for view in views}
    ours = {row.stripe_refund_id for row in rows if row.stripe_refund_id}
    for row in rows:
        yield from _of_row(intent, row, by_id)
    for view in views:
        if view.id in ours:
            continue
        if released and view.amount_minor == released:
            released = 0
            continue
        amount = f"({view.unreadable})" if view.unreadable else f"over {said(Money(view.amount_minor, view.currency))}"
        yield Difference("unknown_here", view.id, intent, f"{view.id} {amount} is at Stripe and not here.")
    numbers = Counter(view.metadata["refund"] for view in views if view.metadata.get("refund"))
    for number, count in numbers.items():
        if count > 1:
            yield Difference("twice", number, intent, f"{number} was made {count} times at Stripe.")


def _of_row(intent: str, row: Refund, by_id: dict[str, RefundView]) -> Iterator[Difference]:
    name = row.public_id
    if row.stripe_refund_id is None:
        if row.status == lifecycle.SUBMITTED and row.submitted_at and row.submitted_at > clock.now() - LEASE:
            return  # it is on its way at this moment
        if row.status in (lifecycle.UNKNOWN, lifecycle.SUBMITTED):
            yield Difference("unsure", name, intent, f"{name} was sent and has no answer yet.")
        elif row.status in lifecycle.ACCEPTED and not row.paid_elsewhere_by and row.way != RELEASE:
            yield Difference("no_id", name, intent, f"{name} is {row.status} here and names no refund at Stripe.")
        return
    view = by_id.get(row.stripe_refund_id)
    if view is None:
        yield Difference(
            "missing_there", name, intent, f"{name} is {row.status} here; Stripe lists no {row.stripe_refund_id}."
        )
        return
    if (view.amount_minor, view.currency) != (row.amount_minor, row.currency):
        there, here = said(Money(view.amount_minor, view.currency)), said(Money(row.amount_minor, row.currency))
        yield Difference("amount", name, intent, f"{name} is {here} here and {there} at Stripe.")
    seen = lifecycle.read_status(view.status)
    if seen != row.status and not row.paid_elsewhere_by:
        yield Difference("status", name, intent, f"{name} is {row.status} here and {seen} at Stripe.")
    if row.paid_elsewhere_by and seen not in lifecycle.LOST:
        yield Difference("paid_twice", name, intent, f"{name} was paid another way, and it is {seen} at Stripe.")
