"""Outbound shipping belongs to the order, not to one of its returns: it goes back once, with its own tax.

In: an order that is locked, one of whose returns has ended, was taken back or lost a line. Out: the quotes of the returns whose
money has not been planned, frozen anew where their part of the shipping has changed, with an entry on their timelines.
Invariants: what all living returns of an order give back of its shipping never exceeds what was paid for it; a return whose
money was planned keeps what it was given; nothing but the shipping (and a label that is taken from it) changes.
Never: a fee that the customer was not shown; a statement more for an order that was sent free of charge.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import set_committed_value

from portal import timeline
from portal.db import Tx
from portal.money import Money
from portal.orders.models import Order
from portal.policy.quote import Quote, ShippingPaid
from portal.returns.lifecycle import ENDED
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import reprice


def share(tx: Tx, order: Order, *, acting: Return | None = None) -> Money | None:
    """Give the order's shipping to the returns that are owed it now, as if they had been booked one after the other.

    A policy that always gives it back gives it with the first such return; one that gives it for a full return gives it with the
    last return, once all units of the order are in returns. The caller has locked the order and its lines are in the session.
    ``acting`` is the return whose command this is: it speaks for itself on the timeline, and its total is given back.
    """
    if order.shipping_minor <= 0:
        return None
    tx.session.flush()
    living = _living(tx, order)
    waiting = [each for each in living if each.payout_planned_at is None]
    amount, tax = order.shipping_minor, order.shipping_tax_minor
    for each in living:
        if each.payout_planned_at is not None:
            given = _given(each)
            amount, tax = amount - given.amount_minor, tax - given.tax_minor
    complete = all(line.units_left <= 0 for line in order.lines)
    for each in waiting:
        basis = {
            "shipping": {"amount": max(amount, 0), "tax": max(tax, 0)},
            "full_return": complete and each is waiting[-1],
        }
        if {name: each.basis[name] for name in basis} != basis:
            each.basis = {**each.basis, **basis}
            _freeze(tx, each, quiet=each is acting)
        given = _given(each)
        amount, tax = amount - given.amount_minor, tax - given.tax_minor
    return Quote.from_json(acting.quote).total if acting is not None else None


def _living(tx: Tx, order: Order) -> list[Return]:
    query = (
        select(Return)
        .where(Return.order_id == order.id, Return.status.not_in(ENDED))
        .options(selectinload(Return.lines).selectinload(ReturnLine.units))
        .order_by(Return.id)
    )
    found = list(tx.session.scalars(query))
    for each in found:
        set_committed_value(each, "order", order)
    return found


def _given(return_: Return) -> ShippingPaid:
    parts = [part for part in Quote.from_json(return_.quote).parts if part.kind == "outbound_shipping"]
    return ShippingPaid(sum(part.amount_minor for part in parts), sum(part.tax_minor for part in parts))


def _freeze(tx: Tx, return_: Return, *, quiet: bool) -> None:
    before = _given(return_)
    was, now = reprice(return_)
    if quiet or _given(return_) == before:
        return
    tx.session.flush()
    timeline.record(
        tx,
        "return.repriced",
        return_id=return_.id,
        order_id=return_.order_id,
        why="Another return of this order has changed, and the delivery costs of the order go back once.",
        data={"was": was.to_json(), "now": now.to_json()},
    )
