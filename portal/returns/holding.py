"""Holding units for a return and giving them back.

In: return lines in the command's transaction, the order row locked. Out: `UnitRange` rows and the line's counter together.
Invariants: a counter is the size of the ranges that are not released; the database refuses more than were bought.
Never: a range that is deleted; a released one stays as the record of what was returned.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import set_committed_value

from portal import ids
from portal.db import Tx
from portal.errors import Conflict, NotFound
from portal.orders.models import Order, OrderLine
from portal.returns import units
from portal.returns.assess import held_ranges
from portal.returns.models import Return, ReturnLine, UnitRange
from portal.returns.units import Range


def lock_order(tx: Tx, order_id: int) -> Order:
    """The order with its lines, locked for this command and read anew. Raises `NotFound`."""
    return _locked(tx, select(Order).where(Order.id == order_id))


def lock_return(tx: Tx, rma: str) -> Return:
    """The return with its order and lines, locked by its order row and read anew. Raises `NotFound`."""
    number = ids.read_rma(rma)
    if number is None:
        raise NotFound("There is no such return.")
    query = select(Order).join(Return, Return.order_id == Order.id).where(Return.rma == number)
    order = _locked(tx, query)
    # The lines' articles are the order's, which are in the session by now; only return lines and their units are read here.
    # Naming the order on the return keeps it, and them, from being forgotten and read once more for each line.
    found = tx.session.scalars(
        select(Return)
        .where(Return.rma == number, Return.order_id == order.id)
        .options(selectinload(Return.lines).selectinload(ReturnLine.units))
        .execution_options(populate_existing=True)
    ).one()
    set_committed_value(found, "order", order)
    return found


def _locked(tx: Tx, query: Select[Order]) -> Order:
    order = tx.session.scalar(query.with_for_update(of=Order).execution_options(populate_existing=True))
    if order is None:
        raise NotFound("There is no such return or order.")
    lines = select(OrderLine).where(OrderLine.order_id == order.id).order_by(OrderLine.position)
    found = tx.session.scalars(lines.execution_options(populate_existing=True)).all()
    set_committed_value(order, "lines", list(found))
    return order


def hold(line: ReturnLine, ranges: Sequence[Range]) -> None:
    """Let the return line hold these units."""
    line.order_line.units_held += units.size(ranges)
    for first, last in ranges:
        line.units.append(UnitRange(order_line_id=line.order_line_id, first=first, last=last))


def hold_new(tx: Tx, lines: Sequence[tuple[ReturnLine, Sequence[Range]]]) -> None:
    """Let return lines that have just been written hold these units: two statements for all of them."""
    written = []
    for line, ranges in lines:
        line.order_line.units_held += units.size(ranges)
        for first, last in ranges:
            written.append(
                {"return_line_id": line.id, "order_line_id": line.order_line_id, "first": first, "last": last}
            )
    tx.session.execute(insert(UnitRange), written)


def held(line: ReturnLine) -> tuple[Range, ...]:
    """The units that the line holds now."""
    return tuple((each.first, each.last) for each in line.units if each.released_at is None)


def release(tx: Tx, line: ReturnLine) -> None:
    """Give the line's units back to the customer; nothing happens when they were given back before."""
    line.order_line.units_held -= units.size(held(line))
    for each in line.units:
        if each.released_at is None:
            each.released_at = tx.at


def hold_again(tx: Tx, line: ReturnLine) -> None:
    """Take the units of a return back that had ended: the same ones if they are free, else the lowest free ones.

    The line's amounts become those of the units taken. Raises `Conflict` when other returns hold them by now.
    """
    order_line = line.order_line
    taken = held_ranges(tx.session, [order_line]).get(order_line.id, [])
    free = units.free(order_line.quantity - order_line.units_gone, taken)
    if units.size(free) < line.quantity:
        raise Conflict(f"The units of “{order_line.name or order_line.sku}” are in another return by now.")
    last_time = max((each.released_at for each in line.units if each.released_at is not None), default=None)
    before = tuple((each.first, each.last) for each in line.units if each.released_at == last_time)
    same = all(any(low <= first and last <= high for low, high in free) for first, last in before)
    ranges = before if same and units.size(before) == line.quantity else units.take(free, line.quantity)[0]
    cost = units.worth(order_line, ranges)
    line.gross_minor, line.tax_minor = cost.gross_minor, cost.tax_minor
    hold(line, ranges)
