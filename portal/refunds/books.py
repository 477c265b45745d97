"""What must be true of money and units inside the database alone, asked of the rows themselves.

In: a session. Out: a `Difference` for each rule that a row breaks; none in a sound shop. Invariants: it changes nothing; every
counter that the portal keeps is held against the rows that it counts. Never: a rule that needs Stripe (see `report`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal.orders.models import Order, OrderLine, Payment
from portal.refunds import ledger, lifecycle
from portal.refunds.models import LedgerEntry, Refund, StoreCredit
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import families_of
from portal.returns import lifecycle as returns
from portal.returns.models import Return, ReturnLine, UnitRange
from portal.returns.payable import COUNTING


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it must be. ``what`` is a code; ``refund`` is our number or, without one, Stripe's or a return's;
    ``payment_intent`` is empty where no payment of Stripe's is concerned."""

    what: str
    refund: str
    payment_intent: str
    sentence: str


def check_books(session: Session) -> list[Difference]:
    """Every rule over every row. A few queries, whatever the size of the shop."""
    return [
        *_payments(session),
        *_returns(session),
        *_credits(session),
        *_families(session),
        *_units(session),
        *_overlaps(session),
    ]


def _sum(condition: Any, amount: Any = Refund.amount_minor) -> Any:
    return func.coalesce(func.sum(case((condition, amount), else_=0)), 0)


def _payments(session: Session) -> Iterator[Difference]:
    """A payment's counters are the sums of its rows, its ledger says the same, and together they never exceed what came in."""
    holding = Refund.status.in_(lifecycle.HOLDING)
    rows = (
        select(
            Refund.payment_id.label("payment_id"),
            _sum(and_(holding, Refund.cause != ELSEWHERE)).label("ours"),
            _sum(and_(holding, Refund.cause == ELSEWHERE)).label("theirs"),
        )
        .group_by(Refund.payment_id)
        .subquery()
    )
    booked = (
        select(LedgerEntry.payment_id.label("payment_id"), func.sum(LedgerEntry.amount_minor).label("booked"))
        .where(LedgerEntry.payment_id.is_not(None), LedgerEntry.account.in_((ledger.RESERVED, ledger.REFUNDED)))
        .group_by(LedgerEntry.payment_id)
        .subquery()
    )
    query = (
        select(
            Payment.id,
            Order.number,
            Payment.payment_intent,
            Payment.captured_minor,
            Payment.refunding_minor,
            Payment.refunded_elsewhere_minor,
            func.coalesce(rows.c.ours, 0),
            func.coalesce(rows.c.theirs, 0),
            func.coalesce(booked.c.booked, 0),
        )
        .join(Order, Order.id == Payment.order_id)
        .outerjoin(rows, rows.c.payment_id == Payment.id)
        .outerjoin(booked, booked.c.payment_id == Payment.id)
        .where(or_(rows.c.payment_id.is_not(None), Payment.refunding_minor != 0, booked.c.payment_id.is_not(None)))
    )
    for _id, number, intent, captured, refunding, elsewhere, ours, theirs, in_ledger in session.execute(query):
        name = f"payment {intent or 'outside Stripe'} of order {number}"
        if refunding != ours:
            yield Difference(
                "counter", number, intent or "", f"The {name} counts {refunding}; its refunds sum to {ours}."
            )
        if elsewhere < min(theirs, captured - refunding):
            yield Difference(
                "counter", number, intent or "",
                f"The {name} counts {elsewhere} refunded elsewhere; those refunds sum to {theirs}.",
            )  # fmt: skip
        if ours + theirs > captured:
            yield Difference(
                "over_captured",
                number,
                intent or "",
                f"The {name} took {captured}; {ours + theirs} went back or is promised.",
            )
        if in_ledger != ours + theirs:
            yield Difference(
                "ledger",
                number,
                intent or "",
                f"The ledger of the {name} sums to {in_ledger}; its refunds to {ours + theirs}.",
            )


def _returns(session: Session) -> Iterator[Difference]:
    """For every return, what the ledger calls reserved and refunded are its open and its succeeded refunds."""
    rows = (
        select(
            Refund.return_id.label("return_id"),
            _sum(Refund.status.in_(lifecycle.OPEN)).label("open"),
            _sum(Refund.status == lifecycle.SUCCEEDED).label("paid"),
        )
        .where(Refund.return_id.is_not(None), Refund.cause != ELSEWHERE)
        .group_by(Refund.return_id)
        .subquery()
    )
    amount = LedgerEntry.amount_minor
    booked = (
        select(
            LedgerEntry.return_id.label("return_id"),
            _sum(LedgerEntry.account == ledger.RESERVED, amount).label("reserved"),
            _sum(LedgerEntry.account == ledger.REFUNDED, amount).label("refunded"),
        )
        # What staff paid although no payment had it left is in the ledger and is no refund's.
        .where(LedgerEntry.return_id.is_not(None), LedgerEntry.payment_id.is_not(None))
        .group_by(LedgerEntry.return_id)
        .subquery()
    )
    opened, paid = func.coalesce(rows.c.open, 0), func.coalesce(rows.c.paid, 0)
    reserved, refunded = func.coalesce(booked.c.reserved, 0), func.coalesce(booked.c.refunded, 0)
    query = (
        select(Return.rma, opened, reserved, paid, refunded)
        .outerjoin(rows, rows.c.return_id == Return.id)
        .outerjoin(booked, booked.c.return_id == Return.id)
        .where(or_(opened != reserved, paid != refunded))
    )
    for rma, open_, in_reserve, succeeded, in_ledger in session.execute(query):
        yield Difference(
            "ledger", rma, "",
            f"The ledger of return {rma} has {in_reserve} reserved and {in_ledger} refunded, "
            f"its refunds {open_} and {succeeded}.",
        )  # fmt: skip


def _credits(session: Session) -> Iterator[Difference]:
    booked = func.coalesce(func.sum(LedgerEntry.amount_minor), 0)
    query = (
        select(StoreCredit.id, Return.rma, StoreCredit.amount_minor, booked)
        .join(Return, Return.id == StoreCredit.return_id)
        .outerjoin(
            LedgerEntry, and_(LedgerEntry.credit_id == StoreCredit.id, LedgerEntry.account == ledger.STORE_CREDIT)
        )
        .group_by(StoreCredit.id, Return.rma, StoreCredit.amount_minor)
        .having(booked != StoreCredit.amount_minor)
    )
    for _id, rma, amount, in_ledger in session.execute(query):
        yield Difference("ledger", rma, "", f"The credit of return {rma} is {amount}; its ledger sums to {in_ledger}.")


def _families(session: Session) -> Iterator[Difference]:
    """Credit without its bonus and the portal's refunds are together never more than the payments of an order and of its
    replacements took. What somebody refunds by hand after the credit was given is no fault of these rows."""
    up = select(StoreCredit.order_id.label("id")).cte("up", recursive=True)
    up = up.union(
        select(Return.order_id).join(Order, Order.replaces_return_id == Return.id).join(up, up.c.id == Order.id)
    )
    family = families_of(Order.id.in_(select(up.c.id)), Order.replaces_return_id.is_(None))
    paid = (
        select(
            family.c.root,
            func.sum(Payment.captured_minor).label("captured"),
            func.sum(Payment.refunding_minor).label("refunds"),
        )
        .join(Payment, Payment.order_id == family.c.id)
        .group_by(family.c.root)
        .subquery()
    )
    given = (
        select(family.c.root, func.sum(StoreCredit.amount_minor - StoreCredit.bonus_minor).label("credit"))
        .join(StoreCredit, StoreCredit.order_id == family.c.id)
        .group_by(family.c.root)
        .subquery()
    )
    query = (
        select(Order.number, paid.c.captured, paid.c.refunds, given.c.credit)
        .join(paid, paid.c.root == Order.id)
        .join(given, given.c.root == Order.id)
        .where(paid.c.refunds + given.c.credit > paid.c.captured)
    )
    for number, captured, refunds, credit in session.execute(query):
        yield Difference(
            "over_captured", number, "",
            f"Order {number} was paid {captured}; {refunds} go back and {credit} were given as store credit.",
        )  # fmt: skip


def _units(session: Session) -> Iterator[Difference]:
    """Held units are exactly those of lines in returns that count, and the order line's counter is their sum.

    A return that closed may have given back some that never came: these it has held until then.
    """
    size = UnitRange.last - UnitRange.first + 1
    later = aliased(UnitRange)
    # A "no" gives units free too; what was taken back afterwards, even in the same moment, is held by a newer row.
    taken_again = exists().where(
        later.return_line_id == UnitRange.return_line_id,
        later.id > UnitRange.id,
        later.first <= UnitRange.last,
        later.last >= UnitRange.first,
    )
    given_back = and_(ReturnLine.status.in_(COUNTING), UnitRange.released_at == Return.closed_at, ~taken_again)
    held = (
        select(UnitRange.return_line_id.label("line_id"), func.sum(size).label("units"))
        .join(ReturnLine, ReturnLine.id == UnitRange.return_line_id)
        .join(Return, Return.id == ReturnLine.return_id)
        .where(or_(UnitRange.released_at.is_(None), given_back))
        .group_by(UnitRange.return_line_id)
        .subquery()
    )
    counts = and_(ReturnLine.status.in_(COUNTING), Return.status.in_(returns.HOLDING))
    due = case((counts, ReturnLine.quantity), else_=0)
    units = func.coalesce(held.c.units, 0)
    query = (
        select(Return.rma, ReturnLine.position, due, units)
        .join(Return, Return.id == ReturnLine.return_id)
        .outerjoin(held, held.c.line_id == ReturnLine.id)
        .where(due != units)
    )
    for rma, position, wanted, found in session.execute(query):
        yield Difference(
            "units", rma, "", f"Line {position} of return {rma} should hold {wanted} units and holds {found}."
        )
    per_line = (
        select(UnitRange.order_line_id.label("line_id"), func.sum(size).label("units"))
        .where(UnitRange.released_at.is_(None))
        .group_by(UnitRange.order_line_id)
        .subquery()
    )
    total = func.coalesce(per_line.c.units, 0)
    lines = (
        select(Order.number, OrderLine.ref, OrderLine.units_held, total)
        .join(Order, Order.id == OrderLine.order_id)
        .outerjoin(per_line, per_line.c.line_id == OrderLine.id)
        .where(or_(OrderLine.units_held > 0, per_line.c.line_id.is_not(None)), OrderLine.units_held != total)
    )
    for number, ref, counted, found in session.execute(lines):
        yield Difference(
            "units", number, "", f"Line {ref} of order {number} counts {counted} held units; returns hold {found}."
        )


def _overlaps(session: Session) -> Iterator[Difference]:
    one, other = aliased(UnitRange), aliased(UnitRange)
    query = (
        select(Order.number, OrderLine.ref)
        .select_from(one)
        .join(
            other,
            and_(
                other.order_line_id == one.order_line_id,
                other.id > one.id,
                other.first <= one.last,
                one.first <= other.last,
            ),
        )
        .join(OrderLine, OrderLine.id == one.order_line_id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(one.released_at.is_(None), other.released_at.is_(None))
        .distinct()
    )
    for number, ref in session.execute(query):
        yield Difference("units", number, "", f"A unit of line {ref} of order {number} is in two returns.")
