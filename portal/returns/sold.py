"""Sold lines in bulk, for the simulation of a policy: plain columns instead of objects, and only those that some rule asks.

In: which facts the policies ask. Out: the rows of the lines of a range of orders, and of each its key, facts and money.
Invariants: facts are made by `returns.facts` from the same columns that a decision about the order reads; two rows with one key
differ in nothing that the policies ask. Never: an object per line, a write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from math import inf
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, Text, func, literal, null, select, type_coerce
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import aliased

from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.conditions import Comparison, compile_condition
from portal.policy.facts import CustomerFacts, Facts, ItemFacts
from portal.policy.loader import Policy
from portal.policy.simulate import Row, Sorter, remember
from portal.returns import facts as gather
from portal.returns.days import Calendar, DayClasses, all_terms, all_windows, asks_law_for_days
from portal.returns.history import ASKED as HISTORY
from portal.returns.history import History

# The columns of a row: what is learnt of an order from its lines, its own columns, then those of the line. A column that no
# rule needs is NULL.
LEARNT = ("group", "last", "alone")
ORDER = (
    "order placed currency shipping country business channel total number region order_tags order_facts listed_all off_all "
    "customer_tags email customer replaces"
).split()
LINE = "of line shipped delivered gross quantity price off waited_for tags sku product vendor type category line_facts".split()
COLUMNS = (*LEARNT, *ORDER, *LINE)
_AT = {name: index for index, name in enumerate(COLUMNS)}
_MOMENTS = itemgetter(*(_AT[name] for name in ("placed", "last", "shipped", "delivered")))
LINE_ID = _AT["line"]
_OF = itemgetter(LINE.index("of"))
_WAITED_FOR, _DELIVERED = LINE.index("waited_for"), LINE.index("delivered")
FETCHED = 5_000
_EVERY = {"order", "placed", "currency", "shipping", "of", "line", "shipped", "delivered", "gross", "quantity"}

# What facts need beyond the columns that every simulation reads.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "order.number": ("number",),
    "order.region": ("region",),
    "order.tags": ("order_tags",),
    "order.discount_codes": ("order_facts",),
    "order.payment_method": ("order_facts",),
    "order.is_gift": ("order_facts",),
    "order.fulfilment": ("order_facts",),
    "order.discount_percent": ("listed_all", "off_all"),
    "customer.tags": ("customer_tags",),
    "customer.email": ("email",),
    "item.sku": ("sku",),
    "item.product": ("product",),
    "item.vendor": ("vendor",),
    "item.type": ("type",),
    "item.category": ("category",),
    "item.weight": ("line_facts",),
    "item.hazardous": ("line_facts",),
    "item.is_exchange": ("line_facts", "replaces"),
    "return.is_full": ("alone",),
    **dict.fromkeys(HISTORY, ("customer", "email")),
}
# What laws ask besides rules.
_ALWAYS = ("currency", "country", "business", "channel", "tags")
# Facts of so many values that only the answers to the tests count; what each is made of.
_SORTED: Mapping[str, tuple[str, ...]] = {
    "line.value": ("gross", "currency"),
    "return.value": ("gross", "currency"),
    "item.price": ("price", "currency"),
    "item.paid": ("gross", "quantity", "currency"),
    "item.discounted": ("off",),
    "order.total": ("total", "currency"),
    "order.discount_percent": ("listed_all", "off_all"),
    "order.number": ("number",),
    "item.sku": ("sku",),
    "customer.email": ("email",),
    "line.quantity": ("quantity",),
    "return.items": ("quantity",),
    "item.quantity": ("quantity",),
}


class SoldLines:
    """How lines are read for two policies: the `rows` of a range of order ids, and `key`, `facts` and `money` of a row.

    A line is asked about at noon, ``asked_after`` days after the day it was delivered (shipped or placed, where that is not
    known): all its units, alone, as the first return of its order.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        tests: Sequence[tuple[Comparison, ZoneInfo]],
        *,
        asked_after: int,
        years: int,
        history: History | None,
    ) -> None:
        self._zone = policies[-1].zone
        days = [test for test, _ in tests]
        # A law tests days in UTC.
        zones = [ZoneInfo("UTC")] if any(asks_law_for_days(policy, days) for policy in policies) else []
        self._calendar = Calendar((self._zone, *(policy.zone for policy in policies), *zones), years)
        self._days = DayClasses(self._calendar, policies, days, asked_after)
        self._history = history
        asked = {test.fact for test, _ in tests}
        self._columns = {
            *_EVERY, *_ALWAYS, "price", "off", "total", *(name for fact in asked for name in _NEEDS.get(fact, ()))
        }  # fmt: skip
        self._knows_alone = "return.is_full" in asked or any(uses_full_return(policy) for policy in policies)
        self._knows_last = "order.last_delivered" in asked or any(map(counts_from_last_parcel, policies))
        if self._knows_last:
            self._columns.add("waited_for")
        plain = [*_ALWAYS]
        groups: dict[tuple[str, ...], list[Callable[[Facts], object]]] = {}
        for fact in sorted(asked):
            holds = [compile_condition(test, zone) for test, zone in tests if test.fact == fact]
            if fact in HISTORY:
                groups.setdefault(("customer", "email", "currency", "placed", "shipped", "delivered"), []).extend(holds)
            elif fact in _SORTED:
                groups.setdefault(_SORTED[fact], []).extend(holds)
            else:
                plain += [name for name in _NEEDS.get(fact, ()) if name not in plain]
        self._of_order = itemgetter(*(ORDER.index(name) for name in plain if name in ORDER))
        of_line = [name for name in plain if name not in ORDER]
        self._of_line = itemgetter(*(_AT[name] for name in of_line))
        self._groups: dict[Hashable, int] = {}
        self._sorters = [
            Sorter(itemgetter(*(_AT[name] for name in parts)), holds, _BARE.get(parts, self.facts))
            for parts, holds in groups.items()
        ]
        # Everything that the sorters and the line's own columns look at, together.
        goods = sorted({*of_line, *(name for parts in groups for name in parts)})
        self._goods = itemgetter(*(_AT[name] for name in goods))
        self._known: dict[Hashable, int] = {}
        self._classes: dict[Hashable, int] = {}
        self._parcel: tuple[Any, ...] = ()
        self._parcel_days = 0
        self.money = itemgetter(*(_AT[name] for name in ("currency", "gross", "quantity", "alone", "shipping")))

    def rows(self, connection: Connection, since: datetime, first: int, last: int, every: int = 1) -> Iterator[Row]:
        """The lines of the orders with ids from ``first`` to ``last`` that were placed since then; of every n-th order only.

        Orders and lines pass side by side in the order of the orders' ids. So what the lines of an order have in common is
        looked at once, and what hangs on all of them is learnt without asking the database again.
        """
        sqlite = connection.dialect.name == "sqlite"
        nth, nth_of = ([Order.id % every == 0], [OrderLine.order_id % every == 0]) if every > 1 else ([], [])
        orders = select(*self._order_columns(sqlite)).where(
            Order.id.between(first, last), Order.placed_at >= since, *nth
        )
        lines = select(*self._line_columns(sqlite)).where(OrderLine.order_id.between(first, last), *nth_of)
        by_order = groupby(fetch(connection, lines.order_by(OrderLine.order_id, OrderLine.id)), _OF)
        owner, its = next(by_order, _NO_MORE)
        for order in fetch(connection, orders.order_by(Order.id)):
            while owner < order[0]:
                owner, its = next(by_order, _NO_MORE)
            if owner == order[0]:
                mine = list(its)
                group = self._of_order(order)
                head = (
                    self._groups.setdefault(group, len(self._groups)),
                    _last_parcel(mine) if self._knows_last else None,
                    len(mine) == 1 if self._knows_alone else None,
                    *order,
                )
                for line in mine:
                    yield head + line

    def _order_columns(self, sqlite: bool) -> list[ColumnElement[Any]]:
        table = Order.__table__.c
        line = aliased(OrderLine)

        def total(what: Any) -> ColumnElement[Any]:
            return select(func.sum(what)).where(line.order_id == Order.id).correlate(Order).scalar_subquery()

        return self._chosen(
            ORDER,
            {
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
            },
        )

    def _line_columns(self, sqlite: bool) -> list[ColumnElement[Any]]:
        table = OrderLine.__table__.c
        return self._chosen(
            LINE,
            {
                "of": table.order_id,
                "line": table.id,
                "shipped": _moment(table.shipped_at, sqlite),
                "delivered": _moment(table.delivered_at, sqlite),
                "gross": table.gross_minor,
                "quantity": table.quantity,
                "price": table.unit_price_minor,
                "off": table.discount_minor,
                "waited_for": table.units_gone < table.quantity,
                "tags": _text(table.tags),
                "sku": table.sku,
                "product": table.product,
                "vendor": table.vendor,
                "type": table.type,
                "category": table.category,
                "line_facts": _text(table.facts),
            },
        )

    def _chosen(self, names: Sequence[str], columns: Mapping[str, ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        return [(columns[name] if name in self._columns else null()).label(f"c_{name}") for name in names]

    def key(self, row: Row) -> Hashable:
        """Equal for lines that no rule tells apart."""
        parcel = _MOMENTS(row)
        if parcel != self._parcel:
            # Lines of one order mostly came in one parcel.
            self._parcel, self._parcel_days = parcel, self._days.number(parcel)
        goods = self._goods(row)
        number = self._known.get(goods)
        if number is None:
            classes = (self._of_line(row), *(sorter.number(row) for sorter in self._sorters))
            number = self._classes.setdefault(classes, len(self._classes))
            remember(self._known, goods, number)
        return (row[0], self._parcel_days, number)

    def facts(self, row: Row) -> Facts:
        """The facts of a line without reason and wish."""
        at = dict(zip(COLUMNS, row, strict=True))
        moment = self._calendar.moment
        placed, shipped, delivered, last = (
            None if at[name] is None else moment(at[name]) for name in ("placed", "shipped", "delivered", "last")
        )
        business = {"is_business": at["business"] == "true"} if at["business"] in ("true", "false") else {}
        # One line that stands for all: their sums, and the last of their days.
        sums = SimpleNamespace(
            list_minor=int(at["listed_all"] or 0), discount_minor=int(at["off_all"] or 0), delivered_at=last,
            units_gone=0, quantity=1,
        )  # fmt: skip
        order = cast(
            Order,
            SimpleNamespace(
                number=at["number"], placed_at=placed, ship_to={"country": at["country"], "region": at["region"]},
                channel=at["channel"], currency=at["currency"], total_minor=at["total"], tags=_json(at["order_tags"]),
                facts=(_json(at["order_facts"]) or {}) | business, lines=[sums], replaces_return_id=at["replaces"],
            ),
        )  # fmt: skip
        line = cast(
            OrderLine,
            SimpleNamespace(
                sku=at["sku"], product=at["product"], vendor=at["vendor"], type=at["type"], category=at["category"],
                tags=_json(at["tags"]), facts=_json(at["line_facts"]), unit_price_minor=at["price"],
                gross_minor=at["gross"], quantity=at["quantity"], discount_minor=at["off"], shipped_at=shipped,
                delivered_at=delivered,
            ),
        )  # fmt: skip
        days = self._calendar.days
        asked_at = self._days.asked_on(days(at["placed"]), days(at["shipped"]), days(at["delivered"]))
        customer = CustomerFacts(tags=gather.texts(_json(at["customer_tags"])), email=at["email"] or None)
        if self._history is not None:
            customer = self._history.add_to(customer, at["customer"], at["email"], at["currency"], asked_at)
        value = Money(at["gross"], at["currency"])
        return Facts(
            order=gather.order_facts(order, gather.Earlier()),
            customer=customer,
            item=gather.item_facts(order, line),
            quantity=at["quantity"],
            line_value=value,
            return_value=value,
            return_items=at["quantity"],
            return_is_full=bool(at["alone"]),
            answers={},
            evidence=0,
            at=asked_at,
            is_consumer=gather.is_consumer(order),
        )


_NO_MORE: tuple[float, Iterable[Row]] = (inf, ())


def _last_parcel(lines: Sequence[Row]) -> str | None:
    """When the last goods of an order came, as `returns.facts` has it: nothing until all of them have."""
    came = [line[_DELIVERED] for line in lines if line[_WAITED_FOR]]
    return None if None in came else max(came, default=None)


def _gross(row: Row) -> Facts:
    value = Money(row[_AT["gross"]], row[_AT["currency"]])
    return Facts(line_value=value, return_value=value)


def _price(row: Row) -> Facts:
    return Facts(item=ItemFacts(price=Money(row[_AT["price"]], row[_AT["currency"]])))


# Amounts are many, and their tests need nothing else: facts with the amount alone are enough to sort them.
_BARE: Mapping[tuple[str, ...], Callable[[Row], Facts]] = {("gross", "currency"): _gross, ("price", "currency"): _price}


def uses_full_return(policy: Policy) -> bool:
    """True when some rule or law gives outbound shipping back for a full return."""
    return any(sets.get("outbound_shipping") == "full_return" for sets in all_terms(policy))


def counts_from_last_parcel(policy: Policy) -> bool:
    """True when some window of a rule or a law begins with the last parcel of an order."""
    return any(window.start == "last_delivered" for window in all_windows(policy))


def fetch(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    """Rows as the driver gives them; a row object for each would cost as much as its decision."""
    cursor: Any = connection.execute(query).cursor
    return chain.from_iterable(iter(lambda: cursor.fetchmany(FETCHED), []))


def _moment(column: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """A moment in UTC as text, the same from both databases."""
    if sqlite:
        return type_coerce(column, Text)
    return func.to_char(func.timezone("UTC", column), literal("YYYY-MM-DD HH24:MI:SS.US"))


def _text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sql_cast(type_coerce(column, Text), Text)


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text
