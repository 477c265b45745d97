"""Holding units for a return and giving them back.

In: return lines in the command's transaction, the order row locked. Out: `UnitRange` rows and the line's counter together.
Invariants: a counter is the size of the ranges that are not released; the database refuses more than were bought.
Never: a range that is deleted; a released one stays as the record of what was returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Select, Table, bindparam, insert, inspect, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified, set_committed_value

from portal import ids
from portal.db import Tx
from portal.errors import Conflict, NotFound
from portal.orders.models import Order, OrderLine
from portal.returns import units
from portal.returns.assess import held_ranges
from portal.returns.models import Return, ReturnLine, UnitRange
from portal.returns.units import Range

Expected = int | str | None
"""The version or the status of a return that somebody saw when they decided."""

# Written once: to build a statement and to find it among the compiled ones costs more than to run it.
_FRESH = {"populate_existing": True}
_LOCKED = select(Order).with_for_update(of=Order).execution_options(**_FRESH)
_BY_ID = _LOCKED.where(Order.id == bindparam("id"))
_BY_RMA = _LOCKED.join(Return, Return.order_id == Order.id).where(Return.rma == bindparam("rma"))
_LINES = (
    select(OrderLine)
    .where(OrderLine.order_id == bindparam("order_id"))
    .order_by(OrderLine.position)
    .execution_options(**_FRESH)
)
_RETURN = (
    select(Return)
    .where(Return.rma == bindparam("rma"), Return.order_id == bindparam("order_id"))
    .execution_options(**_FRESH)
)
_RETURN_LINES = (
    select(ReturnLine)
    .where(ReturnLine.return_id == bindparam("return_id"))
    .order_by(ReturnLine.position)
    .execution_options(**_FRESH)
)
_UNITS = (
    select(UnitRange)
    .where(UnitRange.return_line_id.in_(select(ReturnLine.id).where(ReturnLine.return_id == bindparam("return_id"))))
    .order_by(UnitRange.first)
    .execution_options(**_FRESH)
)
_HOLD = insert(cast(Table, UnitRange.__table__))
_COUNT = (
    update(cast(Table, OrderLine.__table__))
    .where(OrderLine.id == bindparam("line"))
    .values(units_held=OrderLine.units_held + bindparam("more"))
)


def lock_order(tx: Tx, order_id: int) -> Order:
    """The order with its lines, locked for this command and read anew. Raises `NotFound`."""
    return _locked(tx, _BY_ID, {"id": order_id})


def lock_return(tx: Tx, rma: str) -> Return:
    """The return with its order and lines, locked by its order row and read anew, once a command. Raises `NotFound`."""
    number = ids.read_rma(rma)
    if number is None:
        raise NotFound("There is no such return.")
    for known in read_behind_lock(tx.session).values():
        if known.rma == number and "order" not in inspect(known).unloaded:
            return known
    order = _locked(tx, _BY_RMA, {"rma": number})
    # The lines' articles are the order's, which are in the session by now; only return lines and their units are read here.
    # Naming the order on the return keeps it, and them, from being forgotten and read once more for each line.
    found = tx.session.scalars(_RETURN, {"rma": number, "order_id": order.id}).one()
    set_committed_value(found, "order", order)
    _attach_lines(tx.session, found)
    read_behind_lock(tx.session)[found.id] = found
    return found


def _attach_lines(session: Session, return_: Return) -> None:
    """Read lines and units by a query each: half the time of SQLAlchemy's own way to load them behind a row."""
    lines = session.scalars(_RETURN_LINES, {"return_id": return_.id}).all()
    held: dict[int | None, list[UnitRange]] = {}
    for each in session.scalars(_UNITS, {"return_id": return_.id}):
        held.setdefault(each.return_line_id, []).append(each)
    articles = {article.id: article for article in return_.order.lines}
    for line in lines:
        set_committed_value(line, "return_", return_)
        set_committed_value(line, "order_line", articles[line.order_line_id])
        set_committed_value(line, "units", held.get(line.id, []))
    set_committed_value(return_, "lines", list(lines))


def held_orders(session: Session) -> set[int]:
    """The orders whose rows this command holds; they stay held until its transaction ends."""
    found: set[int] = session.info.setdefault("held_orders", set())
    return found


def read_behind_lock(session: Session) -> dict[int, Return]:
    """The returns that this command has read after it held their order: as the session has them, they are true."""
    found: dict[int, Return] = session.info.setdefault("read_behind_lock", {})
    return found


def _locked(tx: Tx, query: Select[Order], wanted: dict[str, Any]) -> Order:
    order = tx.session.scalar(query, wanted)
    if order is None:
        raise NotFound("There is no such return or order.")
    held_orders(tx.session).add(order.id)
    found = tx.session.scalars(_LINES, {"order_id": order.id}).all()
    set_committed_value(order, "lines", list(found))
    return order


def hold(line: ReturnLine, ranges: Sequence[Range]) -> None:
    """Let the return line hold these units."""
    line.order_line.units_held += units.size(ranges)
    for first, last in ranges:
        line.units.append(UnitRange(order_line_id=line.order_line_id, first=first, last=last))


def hold_new(tx: Tx, return_: Return, lines: Sequence[tuple[ReturnLine, OrderLine, Sequence[Range]]]) -> None:
    """Write a new return, its lines and the units that they hold, and let the articles count them."""
    tx.insert(return_)
    written = []
    for line, article, ranges in lines:
        line.return_id = return_.id
        tx.insert(line)
        set_committed_value(line, "return_", return_)
        set_committed_value(line, "order_line", article)
        written += [
            {"return_line_id": line.id, "order_line_id": article.id, "first": first, "last": last}
            for first, last in ranges
        ]
    set_committed_value(return_, "lines", [line for line, _, _ in lines])
    connection = tx.session.connection()
    connection.execute(_HOLD, written)
    connection.execute(_COUNT, [{"line": article.id, "more": units.size(ranges)} for _, article, ranges in lines])
    for _, article, ranges in lines:
        set_committed_value(article, "units_held", article.units_held + units.size(ranges))


def held(line: ReturnLine) -> tuple[Range, ...]:
    """The units that the line holds now."""
    return tuple((each.first, each.last) for each in line.units if each.released_at is None)


def release(tx: Tx, line: ReturnLine) -> None:
    """Give the line's units back to the customer; nothing happens when they were given back before."""
    line.order_line.units_held -= units.size(held(line))
    for each in line.units:
        if each.released_at is None:
            each.released_at = tx.at


def release_last(tx: Tx, line: ReturnLine, count: int) -> None:
    """Give the last ``count`` of the units that the line holds back to the customer; the others stay the ones that were paid."""
    if not count:
        return
    line.order_line.units_held -= count
    for each in sorted(line.units, key=lambda units: units.first, reverse=True):
        if not count:
            return
        if each.released_at is None:
            back = min(count, each.last - each.first + 1)
            if back == each.last - each.first + 1:
                each.released_at = tx.at
            else:
                rest = UnitRange(order_line_id=line.order_line_id, first=each.last - back + 1, last=each.last)
                rest.released_at = tx.at
                line.units.append(rest)
                each.last -= back
            count -= back


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


def check_expected(return_: Return, expected: Expected) -> None:
    """Raises `Conflict` when the return is no longer in the version or status that the caller saw; None asks for nothing."""
    if expected is None:
        return
    found = return_.status if isinstance(expected, str) else return_.version
    if found != expected:
        raise Conflict(
            "This return has changed since you opened it. Nothing was saved. Look again and repeat.",
            state=return_.status,
            version=return_.version,
        )


def touch(return_: Return) -> None:
    """Let the version grow although only rows beside the return have changed."""
    flag_modified(return_, "status")
