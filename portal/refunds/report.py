"""The report that says "0 differences", or which: every refund of ours against every refund at the gateway, both ways.

In: the database and the gateway. Out: a `Report`. Invariant: it changes nothing. Never: a difference explained away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Database
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import lifecycle
from portal.refunds.gateway import Gateway, RefundView
from portal.refunds.models import Refund

BATCH = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same on both sides. ``what`` is a code; ``refund`` is our number or, without one, theirs."""

    what: str
    refund: str
    payment_intent: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found, and how much was compared."""

    refunds: int
    payments: int
    differences: tuple[Difference, ...]


def compare(database: Database, gateway: Gateway) -> Report:
    """Hold every Stripe payment that has a refund against the gateway. Raises `UpstreamError` when it cannot be read."""
    refunds = payments = 0
    differences: list[Difference] = []
    for intent in _intents(database):
        views = gateway.list_refunds(intent)
        with database.read() as session:
            rows = _rows(session, intent)
            session.expunge_all()
        unknown = [view for view in views if view.id not in {row.stripe_refund_id for row in rows}]
        released = gateway.read_payment(intent).released_minor if unknown else 0
        differences += _differences(intent, rows, views, released)
        refunds += len(rows)
        payments += 1
    return Report(refunds, payments, tuple(differences))


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
        amount = Money(view.amount_minor, view.currency)
        yield Difference("unknown_here", view.id, intent, f"{view.id} over {amount} is at Stripe and not here.")
    numbers = Counter(view.metadata["refund"] for view in views if view.metadata.get("refund"))
    for number, count in numbers.items():
        if count > 1:
            yield Difference("twice", number, intent, f"{number} was made {count} times at Stripe.")


def _of_row(intent: str, row: Refund, by_id: dict[str, RefundView]) -> Iterator[Difference]:
    name = row.public_id
    if row.stripe_refund_id is None:
        if row.status in (lifecycle.UNKNOWN, lifecycle.SUBMITTED):
            yield Difference("unsure", name, intent, f"{name} was sent and has no answer yet.")
        elif row.status in lifecycle.ACCEPTED and not row.paid_elsewhere_by:
            yield Difference("no_id", name, intent, f"{name} is {row.status} here and names no refund at Stripe.")
        return
    view = by_id.get(row.stripe_refund_id)
    if view is None:
        yield Difference(
            "missing_there", name, intent, f"{name} is {row.status} here; Stripe lists no {row.stripe_refund_id}."
        )
        return
    if (view.amount_minor, view.currency) != (row.amount_minor, row.currency):
        there, here = Money(view.amount_minor, view.currency), Money(row.amount_minor, row.currency)
        yield Difference("amount", name, intent, f"{name} is {here} here and {there} at Stripe.")
    seen = lifecycle.read_status(view.status)
    if seen != row.status and not row.paid_elsewhere_by:
        yield Difference("status", name, intent, f"{name} is {row.status} here and {seen} at Stripe.")
