"""What a later import of a known order may change.

In: known orders with their new content. Out: for each, whether anything changed, or why it must not.
Invariants: a line with units in returns keeps its quantity and amounts, because those returns were cut from them; nothing falls
below what is held or refunded; a delivery or a payment that is known is never forgotten because a later file does not repeat it.
Never: half a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.orm import selectinload

from portal import timeline
from portal.db import Base, Tx
from portal.errors import Conflict, Invalid, PortalError
from portal.money import Money
from portal.orders.incoming import IncomingPayment
from portal.orders.models import Order, OrderLine, Payment
from portal.orders.prepare import Prepared, line_columns, order_columns, payment_columns

_AMOUNTS = (
    "quantity",
    "list_minor",
    "discount_minor",
    "order_discount_minor",
    "gross_minor",
    "tax_minor",
    "tax_included",
)
_KEPT_WHEN_NOT_SAID = ("shipped_at", "delivered_at")


def change_orders(tx: Tx, batch: Sequence[tuple[int, Prepared]]) -> list[bool | PortalError]:
    """Bring known orders up to their new content: True when something changed, False when nothing had to."""
    if not batch:
        return []
    # Locked newest first, as everything that holds several orders does, so that two of them never wait for each other.
    query = (
        select(Order)
        .where(Order.id.in_([order_id for order_id, _ in batch]))
        .order_by(Order.id.desc())
        .with_for_update(of=Order)
        .options(selectinload(Order.lines), selectinload(Order.payments))
        .execution_options(populate_existing=True)
    )
    orders = {order.id: order for order in tx.session.scalars(query)}
    leaving = [
        line.id
        for order_id, ready in batch
        for line in orders[order_id].lines
        if line.ref not in {each.ref for each in ready.order.lines}
    ]
    named = _named_elsewhere(tx, leaving)
    outcomes: list[bool | PortalError] = []
    changes: dict[int, list[str]] = {}
    for order_id, ready in batch:
        order = orders[order_id]
        wrong = _forbidden(order, ready, named)
        if wrong:
            sentence = "; ".join(f"{pointer} {message}" for pointer, message in wrong.items())
            outcomes.append(Invalid(sentence, wrong))
        elif ready.order.currency != order.currency:
            outcomes.append(
                Conflict(f"{order.number} was charged in {order.currency}; that cannot change", state=order.currency)
            )
        elif _lowers(order, ready):
            outcomes.append(_lower(tx, order, ready))
        else:
            changes[order_id] = _change(tx, order, ready)
            outcomes.append(bool(changes[order_id]))
    # Written together, a thousand orders are a few statements; the timeline comes after, because each entry is one of its own.
    tx.session.flush()
    for order_id, changed in changes.items():
        if changed:
            timeline.record(tx, "order.updated", order_id=order_id, data={"changed": changed[:50]})
    return outcomes


def _lowers(order: Order, ready: Prepared) -> bool:
    matched = _match(order, ready.order.payments)
    return any(
        known is not None and not _keeps_capture(payment, known) and payment.captured_minor < known.captured_minor
        for payment, known in matched
    )


def _lower(tx: Tx, order: Order, ready: Prepared) -> bool | PortalError:
    """The change of one order of which less was captured than was known: what later stages have given may forbid it, and then
    this order alone is left as it was."""
    tx.session.flush()
    try:
        with tx.session.begin_nested():
            changed = _change(tx, order, ready)
            tx.session.flush()
            data = {"changed": changed[:50], "captured_lowered": True}
            timeline.record(tx, "order.updated", order_id=order.id, data=data)
    except Conflict as refused:
        return refused
    return True


def _forbidden(order: Order, ready: Prepared, named: frozenset[int]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    by_ref = {line.ref: line for line in order.lines}
    for index, (incoming, amounts) in enumerate(zip(ready.order.lines, ready.frozen.lines, strict=True)):
        line = by_ref.pop(incoming.ref, None)
        if line is None or not line.units_held:
            continue
        columns = line_columns(incoming, amounts, index + 1)
        different = [name for name in _AMOUNTS if getattr(line, name) != columns[name]]
        if "quantity" in different:
            wrong[f"/lines/{index}/quantity"] = (
                f"cannot become {incoming.quantity}: {line.units_held} of {line.quantity} units are in returns"
            )
        elif different:
            wrong[f"/lines/{index}"] = (
                f"cannot change what was charged: {line.units_held} of {line.quantity} units are in returns"
            )
        if line.units_held + incoming.units_gone > line.quantity:
            wrong[f"/lines/{index}/returned"] = (
                f"cannot be {incoming.units_gone}: {line.units_held} of {line.quantity} units are in returns here"
            )
    for line in by_ref.values():
        if line.units_held or line.id in named:
            wrong["/lines"] = f"lack `{line.ref}`, which is in a return; it cannot be taken out of the order"
    for index, (payment, known) in enumerate(_match(order, ready.order.payments)):
        if known is None or _keeps_capture(payment, known):
            continue
        back = known.refunding_minor + known.refunded_elsewhere_minor
        if payment.captured_minor < back:
            given = Money(back, order.currency)
            wrong[f"/payments/{index}/captured"] = (
                f"cannot be {payment.captured_minor}: {given} of it went back or is promised"
            )
    return wrong


def _match(order: Order, payments: Sequence[IncomingPayment]) -> list[tuple[IncomingPayment, Payment | None]]:
    """Each incoming payment with the known one: by Stripe's id, else by its place."""
    free = list(order.payments)
    by_intent = {known.payment_intent: known for known in free if known.payment_intent}
    found: list[Payment | None] = []
    for payment in payments:
        known = by_intent.pop(payment.payment_intent, None) if payment.payment_intent else None
        if known is not None:
            free.remove(known)
        found.append(known)
    for index, payment in enumerate(payments):
        if found[index] is None:
            same = (known for known in free if known.position == index + 1)
            known = next(same, None)
            if known is not None and not (payment.payment_intent and known.payment_intent):
                free.remove(known)
                found[index] = known
    return list(zip(payments, found, strict=True))


def _keeps_capture(payment: IncomingPayment, known: Payment) -> bool:
    # Paid through Stripe after an import that knew no payment id: what Stripe captured is what was captured.
    return known.payment_intent is not None and payment.payment_intent is None


def _assign(row: Order | OrderLine | Payment, columns: Mapping[str, Any]) -> list[str]:
    changed = [name for name, value in columns.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, columns[name])
    return changed


def _change(tx: Tx, order: Order, ready: Prepared) -> list[str]:
    """Give the order its new content; what changed, in words."""
    changed = _assign(order, order_columns(ready))
    by_ref = {line.ref: line for line in order.lines}
    for position, (incoming, amounts) in enumerate(zip(ready.order.lines, ready.frozen.lines, strict=True), start=1):
        columns = line_columns(incoming, amounts, position)
        line = by_ref.pop(incoming.ref, None)
        if line is None:
            tx.session.add(OrderLine(order_id=order.id, units_held=0, **columns))
            changed.append(f"line {incoming.ref}")
            continue
        for name in _KEPT_WHEN_NOT_SAID:
            if columns[name] is None:
                del columns[name]
        changed += [f"line {line.ref} {name}" for name in _assign(line, columns)]
    for line in by_ref.values():
        tx.session.delete(line)
        changed.append(f"line {line.ref}")
    last = max((known.position for known in order.payments), default=0)
    for payment, known in _match(order, ready.order.payments):
        if known is None:
            last += 1
            columns = payment_columns(payment, last, order.currency)
            tx.session.add(Payment(order_id=order.id, refunding_minor=0, **columns))
            changed.append(f"payment {last}")
        else:
            changed += [f"payment {known.position} {name}" for name in _assign(known, _payment_columns(payment, known))]
    order.content_hash = ready.digest
    if changed:
        order.updated_at = tx.at
    return changed


def _payment_columns(payment: IncomingPayment, known: Payment) -> dict[str, Any]:
    columns = payment_columns(payment, known.position, known.currency)
    if _keeps_capture(payment, known):
        for name in ("provider", "payment_intent", "captured_minor", "method", "reference"):
            del columns[name]
    # What the shop's system calls refunded may be the very refund that the portal sent, so it never counts beyond the rest.
    room = columns.get("captured_minor", known.captured_minor) - known.refunding_minor
    told = max(known.refunded_at_source_minor, min(payment.refunded_minor, room))
    columns["refunded_at_source_minor"] = told
    columns["refunded_elsewhere_minor"] = max(known.refunded_elsewhere_minor, told)
    return columns


def _named_elsewhere(tx: Tx, line_ids: Sequence[int]) -> frozenset[int]:
    """Those of the lines that any row of a later stage points to, found by the tables' own foreign keys."""
    if not line_ids:
        return frozenset()
    own = OrderLine.__table__.c.id
    found: set[int] = set()
    for table in Base.metadata.tables.values():
        for column in _pointing_to(table, own):
            query = select(column).where(column.in_(line_ids)).distinct()
            found.update(value for value in tx.session.scalars(query) if value is not None)
    return frozenset(found)


def _pointing_to(table: Table, own: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [column for column in table.columns if any(key.column is own for key in column.foreign_keys)]
