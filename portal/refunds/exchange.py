"""Exchanges: another variant of the same product, swapped evenly, held at booking, sent when the goods have come.

In: the exchange lines of a return. Out: stock held, given back, or a replacement order that the API lists.
Invariants: a unit is held for one return only (the database refuses more than there is); a replacement is ordered once, for
the units that came; its lines are worth exactly what was paid for the units they replace. Never: money.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.money import units_worth
from portal.orders.keys import number_key
from portal.orders.models import Order, OrderLine, Variant
from portal.refunds.models import Exchange
from portal.refunds.tenders import lock_return
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, NOT_PAID, keeps_item
from portal.returns.queries import get_return_by_id

EXCHANGE = "exchange"
RESERVED, ORDERED, RELEASED = "reserved", "ordered", "released"


def reserve(tx: Tx, return_id: int) -> None:
    """Hold stock for the exchange lines of a booked return. Raises `Conflict` naming the article when it has gone."""
    lines = [
        line
        for line in get_return_by_id(tx.session, return_id).lines
        if line.resolution == EXCHANGE and line.exchange_sku and line.status in COUNTING
    ]
    if not lines:
        return
    known = {each.return_line_id: each for each in _exchanges(tx.session, return_id)}
    # A return that had ended and was taken back holds its goods anew.
    missing = [line for line in lines if line.id not in known or known[line.id].status == RELEASED]
    variants = _lock_variants(tx.session, [line.exchange_sku or "" for line in missing])
    for line in missing:
        variant = variants.get(line.exchange_sku or "")
        free = variant.stock - variant.reserved if variant else 0
        if variant is None or free < line.quantity:
            name = (variant.label or variant.name or variant.sku) if variant else line.exchange_sku
            raise Conflict(
                f"Of {name} only {free} are left, and {line.quantity} are wanted. "
                "Choose another size or colour, store credit or a refund.",
                state="out_of_stock",
                sku=line.exchange_sku,
                available=free,
            )
        variant.reserved += line.quantity
        again = known.get(line.id)
        if again is not None:
            again.status, again.quantity = RESERVED, line.quantity
            continue
        tx.session.add(
            Exchange(return_line_id=line.id, sku=variant.sku, quantity=line.quantity, status=RESERVED, created_at=tx.at)
        )
    tx.session.flush()


def release(tx: Tx, return_id: int) -> None:
    """Give back what is still held for a return that ended. Safe to repeat."""
    held = [each for each in _exchanges(tx.session, return_id) if each.status == RESERVED]
    variants = _lock_variants(tx.session, [each.sku for each in held])
    for each in held:
        variants[each.sku].reserved -= each.quantity
        each.status = RELEASED
    tx.session.flush()


def order_replacements(tx: Tx, return_id: int) -> Order | None:
    """Write the replacement order for what came back, and let go what is held for the rest. None when nothing is held.

    Its number is the order's with ``-X1`` (``-X2`` …); it has no payment: a return of it goes back to the original's.
    """
    return_, _chain = lock_return(tx.session, return_id)
    held = [each for each in _exchanges(tx.session, return_id) if each.status == RESERVED]
    if not held:
        return None
    lines = {line.id: line for line in _lines(tx.session, return_id)}
    variants = _lock_variants(tx.session, [each.sku for each in held])
    ready: list[tuple[Exchange, ReturnLine, int]] = []
    for each in held:
        line = lines[each.return_line_id]
        units = _units_due(line, each.quantity)
        variant = variants[each.sku]
        variant.reserved -= each.quantity
        variant.stock -= units
        if units:
            ready.append((each, line, units))
        else:
            each.status = RELEASED
    tx.session.flush()
    if not ready:
        return None
    order = _write_order(tx, return_, ready, variants)
    for each, _line, units in ready:
        each.status, each.ordered_at, each.replacement_order_id = ORDERED, tx.at, order.id
        each.quantity = units
    tx.session.flush()
    timeline.record(
        tx,
        "exchange.ordered",
        return_id=return_id,
        order_id=order.id,
        data={"order": order.number, "lines": len(ready)},
    )
    return order


def exchanges_of(session: Session, return_id: int) -> list[tuple[Exchange, Variant, str | None, datetime | None]]:
    """Each exchange of a return, by line, with its variant, its replacement order's number, and when that says it was sent."""
    sent = (
        select(func.max(func.coalesce(OrderLine.shipped_at, OrderLine.delivered_at)))
        .where(OrderLine.order_id == Exchange.replacement_order_id, OrderLine.sku == Exchange.sku)
        .correlate(Exchange)
        .scalar_subquery()
    )
    query = (
        select(Exchange, Variant, Order.number, sent)
        .join(ReturnLine, ReturnLine.id == Exchange.return_line_id)
        .join(Variant, Variant.sku == Exchange.sku)
        .outerjoin(Order, Order.id == Exchange.replacement_order_id)
        .where(ReturnLine.return_id == return_id)
        .order_by(ReturnLine.position)
    )
    return [(exchange, variant, number, shipped_at) for exchange, variant, number, shipped_at in session.execute(query)]


def ordered(session: Session, return_ids: Sequence[int]) -> frozenset[int]:
    """Those of these returns for which a replacement was ordered, or is still held."""
    query = select(ReturnLine.return_id).join(Exchange, Exchange.return_line_id == ReturnLine.id)
    return frozenset(session.scalars(query.where(ReturnLine.return_id.in_(return_ids), Exchange.status != RELEASED)))


def has_held(session: Session, return_id: int) -> bool:
    """True while goods are held that still have to be sent or let go. Costs no query where no line was an exchange."""
    lines = get_return_by_id(session, return_id).lines
    return any(line.exchange_sku for line in lines) and any(
        each.status == RESERVED for each in _exchanges(session, return_id)
    )


def _units_due(line: ReturnLine, held: int) -> int:
    """How many units are sent: those that came and are the right ones. None when staff chose another resolution meanwhile."""
    if line.status not in COUNTING or line.resolution != EXCHANGE:
        return 0
    if keeps_item(line):
        return held
    found = line.found or {}
    came = sum(count for condition, count in found.items() if condition not in NOT_PAID)
    return min(held, came if found else line.received_quantity)


def _lines(session: Session, return_id: int) -> list[ReturnLine]:
    query = select(ReturnLine).where(ReturnLine.return_id == return_id).order_by(ReturnLine.position)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _exchanges(session: Session, return_id: int) -> list[Exchange]:
    query = (
        select(Exchange)
        .join(ReturnLine, ReturnLine.id == Exchange.return_line_id)
        .where(ReturnLine.return_id == return_id)
        .order_by(Exchange.id)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def _lock_variants(session: Session, skus: Sequence[str]) -> dict[str, Variant]:
    # In one order for everybody, so that two returns never wait for each other.
    query = (
        select(Variant)
        .where(Variant.sku.in_(set(skus)))
        .order_by(Variant.sku)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {variant.sku: variant for variant in session.scalars(query)} if skus else {}


def _write_order(
    tx: Tx, return_: Return, ready: list[tuple[Exchange, ReturnLine, int]], variants: dict[str, Variant]
) -> Order:
    origin = tx.session.get_one(Order, return_.order_id)
    number = _next_number(tx.session, origin)
    lines = [_order_line(position, *each, variants[each[0].sku]) for position, each in enumerate(ready, start=1)]
    order = Order(
        number=number,
        number_key=number_key(number),
        email=origin.email,
        email_key=origin.email_key,
        postcode_key=origin.postcode_key,
        currency=origin.currency,
        placed_at=tx.at,
        customer_ref=origin.customer_ref,
        customer_name=origin.customer_name,
        customer_tags=list(origin.customer_tags),
        locale=origin.locale,
        channel="exchange",
        source=origin.source,
        ship_to=dict(origin.ship_to),
        tags=["exchange"],
        facts={},
        total_minor=sum(line.gross_minor for line in lines),
        content_hash=hashlib.sha256(f"exchange:{return_.rma}:{number}".encode()).hexdigest(),
        replaces_return_id=return_.id,
        imported_at=tx.at,
        updated_at=tx.at,
        lines=lines,
    )
    tx.session.add(order)
    tx.session.flush()
    return order


def _next_number(session: Session, origin: Order) -> str:
    taken = session.scalar(
        select(func.count(Order.id))
        .join(Return, Order.replaces_return_id == Return.id)
        .where(Return.order_id == origin.id)
    )
    count = (taken or 0) + 1
    while True:
        number = f"{origin.number[:58]}-X{count}"
        if session.scalar(select(Order.id).where(Order.number_key == number_key(number))) is None:
            return number
        count += 1


def _order_line(position: int, exchange: Exchange, line: ReturnLine, units: int, variant: Variant) -> OrderLine:
    returned = line.order_line
    gross = units_worth(line.gross_minor, line.quantity, 1, units)
    listed = max(variant.price_minor * units, gross)
    return OrderLine(
        position=position,
        ref=str(position),
        sku=variant.sku,
        name=variant.name or returned.name,
        variant=variant.label,
        product=variant.product,
        vendor=returned.vendor,
        category=returned.category,
        type=returned.type,
        tags=list(returned.tags),
        facts={**returned.facts, "is_exchange": True},
        quantity=units,
        unit_price_minor=variant.price_minor,
        list_minor=listed,
        discount_minor=listed - gross,
        gross_minor=gross,
        tax_minor=units_worth(line.tax_minor, line.quantity, 1, units),
        tax_included=returned.tax_included,
    )
