"""Orders and their lines read in chunks, column by column: what a simulation looks at a million times.

In: the names of the columns that are wanted, and a range of orders. Out: `Chunk`s of whole orders.
Invariants: moments are text in UTC, the same from both databases; a chunk holds every line of its orders, so that what an order
learns from its lines needs no further query. Never: an object per line, a write.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress
from operator import itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, Select, Text, func, literal, select, type_coerce
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import aliased

from portal.orders.models import Order, OrderLine

ORDERS_AT_ONCE, LINES_AT_ONCE = 500, 1_000
"""So many are looked at at once. With more, the columns leave the processor's cache before they are done."""

# What is read of an order and of a line when somebody wants it, and what stands there where it was not read.
ORDER: Mapping[str, Any] = dict.fromkeys(
    "order placed currency country business channel number region order_tags order_facts listed_all off_all customer_tags "
    "email customer replaces".split()
) | {"shipping": 0, "total": 0}
LINE: Mapping[str, Any] = dict.fromkeys(
    "of line shipped delivered waited_for gross tags sku product vendor type category line_facts".split()
) | {"quantity": 1, "price": 0, "off": 0}
LEARNT: Mapping[str, Any] = {"alone": False, "last_delivered": None}
"""What an order learns from its lines: is it the only one, and when came the last goods? That needs ``waited_for``."""
_NOT_READ = {**ORDER, **LINE, **LEARNT}
_NOT_YET = "~"
"""How a parcel that has not come sorts: after every moment."""

_ORDER_ID = itemgetter(0)
"""The first column of orders and of lines."""

Columns: TypeAlias = dict[str, Sequence[Any]]


class Chunk:
    """Some orders and all of their lines. ``wanted`` names what is asked of `LEARNT`."""

    def __init__(self, orders: Columns, lines: Columns, wanted: set[str]) -> None:
        place = {order: at for at, order in enumerate(orders["order"])}
        owners = list(map(place.get, lines["of"]))
        if None in owners:
            # Between the orders that count stand some that were placed too early.
            kept = [owner is not None for owner in owners]
            lines = {name: list(compress(column, kept)) for name, column in lines.items()}
            owners = list(compress(owners, kept))
        self._owners = cast("list[int]", owners)
        self._orders = orders
        self._columns = lines
        if "alone" in wanted:
            lines_of = Counter(owners)
            orders["alone"] = [lines_of[at] == 1 for at in range(len(place))]
        if "last_delivered" in wanted:
            orders["last_delivered"] = self._last_delivered(len(place))

    def _last_delivered(self, orders: int) -> list[str | None]:
        """When the last goods of each order came: nothing until all have that are waited for, as `returns.facts` has it."""
        last = [""] * orders
        for owner, came, waits in zip(self._owners, self["delivered"], self["waited_for"], strict=True):
            if waits and (came is None or came > last[owner]):
                last[owner] = came or _NOT_YET
        return [None if moment in ("", _NOT_YET) else moment for moment in last]

    def __getitem__(self, name: str) -> Sequence[Any]:
        """A column with a value for each line; what belongs to the order is given for each of its lines."""
        found = self._columns.get(name)
        if found is None:
            of_orders = self._orders.get(name)
            found = [_NOT_READ[name]] * len(self._owners) if of_orders is None else self.spread(of_orders)
            self._columns[name] = found
        return found

    def add(self, name: str, column: Sequence[Any]) -> None:
        """A column that was made of others."""
        self._columns[name] = column

    def spread(self, of_orders: Sequence[Any]) -> list[Any]:
        """What each order has, for each line."""
        return [of_orders[owner] for owner in self._owners]

    def of_orders(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """These columns together, with a value for each order."""
        return list(zip(*(self._orders[name] for name in names), strict=True))

    def row(self, place: int) -> dict[str, Any]:
        """All that is known of one line."""
        return {name: self[name][place] for name in _NOT_READ}


class Book:
    """The chunks of a book with the columns that are ``wanted``."""

    def __init__(self, wanted: set[str]) -> None:
        self._wanted = wanted

    def read(self, connection: Connection, since: datetime, first: int, last: int, every: int = 1) -> Iterator[Chunk]:
        """The orders with ids from ``first`` to ``last`` that were placed since then; of those every n-th only."""
        sqlite = connection.dialect.name == "sqlite"
        of_order, of_line = self._chosen(_order_columns(sqlite)), self._chosen(_line_columns(sqlite))
        orders = select(*of_order.values()).where(Order.id.between(first, last), Order.placed_at >= since)
        lines = select(*of_line.values()).where(OrderLine.order_id.between(first, last))
        if every > 1:
            orders, lines = orders.where(Order.id % every == 0), lines.where(OrderLine.order_id % every == 0)
        # Both pass side by side as the driver gives them: a row object for each would cost as much as its decision.
        heads = _cursor(connection, orders.order_by(Order.id))
        bodies = _cursor(connection, lines.order_by(OrderLine.order_id, OrderLine.id))
        waiting: list[Any] = []
        while here := heads.fetchmany(ORDERS_AT_ONCE):
            newest = _ORDER_ID(here[-1])
            while (not waiting or _ORDER_ID(waiting[-1]) <= newest) and (more := bodies.fetchmany(LINES_AT_ONCE)):
                waiting += more
            end = bisect_right(waiting, newest, key=_ORDER_ID)
            mine, waiting = waiting[:end], waiting[end:]
            if mine:
                yield Chunk(_columns(of_order, here), _columns(of_line, mine), self._wanted)

    def _chosen(self, columns: dict[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
        return {name: column.label(f"c_{name}") for name, column in columns.items() if name in self._wanted}


def _cursor(connection: Connection, query: Select[Any]) -> Any:
    return connection.execute(query).cursor


def _columns(names: Iterable[str], rows: Sequence[Any]) -> Columns:
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _order_columns(sqlite: bool) -> dict[str, ColumnElement[Any]]:
    table = Order.__table__.c
    line = aliased(OrderLine)

    def total(what: Any) -> ColumnElement[Any]:
        return select(func.sum(what)).where(line.order_id == Order.id).correlate(Order).scalar_subquery()

    return {
        "order": table.id,
        "placed": _moment(table.placed_at, sqlite),
        "currency": table.currency,
        "shipping": table.shipping_minor,
        "country": Order.ship_to["country"].as_string(),
        # The JSON type tells a true from a 1, as `returns.facts` does.
        "business": func.json_type(table.facts, "$.is_business")
        if sqlite
        else sql_cast(Order.facts["is_business"], Text),
        "channel": table.channel,
        "total": table.total_minor,
        "number": table.number,
        "region": Order.ship_to["region"].as_string(),
        "order_tags": _text(table.tags),
        "order_facts": _text(table.facts),
        "listed_all": total(line.list_minor),
        "off_all": total(line.discount_minor),
        "customer_tags": _text(table.customer_tags),
        "email": table.email_key,
        "customer": table.customer_ref,
        "replaces": table.replaces_return_id,
    }


def _line_columns(sqlite: bool) -> dict[str, ColumnElement[Any]]:
    table = OrderLine.__table__.c
    return {
        "of": table.order_id,
        "line": table.id,
        "shipped": _moment(table.shipped_at, sqlite),
        "delivered": _moment(table.delivered_at, sqlite),
        "waited_for": table.units_gone < table.quantity,
        "gross": table.gross_minor,
        "quantity": table.quantity,
        "price": table.unit_price_minor,
        "off": table.discount_minor,
        "tags": _text(table.tags),
        "sku": table.sku,
        "product": table.product,
        "vendor": table.vendor,
        "type": table.type,
        "category": table.category,
        "line_facts": _text(table.facts),
    }


def _moment(column: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """A moment in UTC as text, the same from both databases."""
    if sqlite:
        return type_coerce(column, Text)
    return func.to_char(func.timezone("UTC", column), literal("YYYY-MM-DD HH24:MI:SS.US"))


def _text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sql_cast(type_coerce(column, Text), Text)
