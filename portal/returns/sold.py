"""Sold lines in bulk, for the simulation of a policy: what tells them apart, and only so much as some rule asks.

In: which facts the policies ask. Out: the lines of a range of orders, and of each its key, facts and money.
Invariants: facts are made by `returns.facts` from the same columns that a decision about the order reads; two lines with one key
differ in nothing that the policies ask. Never: an object per line, a write.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.conditions import Comparison, compile_condition
from portal.policy.facts import CustomerFacts, Facts
from portal.policy.loader import Policy
from portal.policy.simulate import Lines, Numbers
from portal.returns import facts as gather
from portal.returns.chunks import ORDER, Book, Chunk
from portal.returns.days import Calendar, DayClasses, all_terms, asks_law_for_days
from portal.returns.history import ASKED as HISTORY
from portal.returns.history import History

_EVERY = {"order", "placed", "of", "line", "shipped", "delivered", "gross"}

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
    # What a buyer did before is looked at on the day of asking.
    **dict.fromkeys(HISTORY, ("customer", "email", "currency", "asked")),
}


# Amounts are many, but only on which side of the policies' own amounts they are makes a difference.
_AMOUNTS = {("gross", "currency"), ("price", "currency"), ("total", "currency")}


class SoldLines:
    """How sold lines are read for two policies.

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
        zone = policies[-1].zone
        days = [test for test, _ in tests]
        # A law tests days in UTC.
        zones = [ZoneInfo("UTC")] if any(asks_law_for_days(policy, days) for policy in policies) else []
        self._calendar = Calendar((zone, *(policy.zone for policy in policies), *zones), years)
        self._days = DayClasses(self._calendar, policies, days, asked_after)
        self._history = history
        plain = {*_ALWAYS}
        sorters: dict[tuple[str, ...], list[tuple[Comparison, ZoneInfo]]] = {}
        for fact in sorted({test.fact for test in days}):
            parts = _SORTED.get(fact)
            if parts is None:
                plain |= {*_NEEDS.get(fact, ())}
            else:
                sorters.setdefault(parts, []).extend(each for each in tests if each[0].fact == fact)
        wanted = {*_EVERY, *plain, *(name for parts in sorters for name in parts)}
        if any(gives_shipping_back(policy) for policy in policies):
            wanted |= {"shipping", "alone"}
        if any(charges_by_unit(policy) for policy in policies):
            wanted.add("quantity")
        if "last_delivered" in self._days.counted:
            wanted |= {"last_delivered", "waited_for"}
        self._asks_day = "asked" in wanted
        self._book = Book(wanted)
        self._of_order = sorted(plain.intersection(ORDER))
        self._of_line = sorted(plain.difference(ORDER))
        self._orders = Numbers()
        self._new_order = count()
        self._sorters = [_Sorter(parts, tests) for parts, tests in sorters.items()]

    def read(self, connection: Connection, since: datetime, first: int, last: int, every: int = 1) -> Iterator[Lines]:
        """The lines of the orders with ids from ``first`` to ``last`` that were placed since then; of every n-th order only."""
        for chunk in self._book.read(connection, since, first, last, every):
            yield self._lines(chunk)

    def _lines(self, chunk: Chunk) -> Lines:
        def facts(place: int) -> Facts:
            return self._facts(chunk.row(place))

        if self._asks_day:
            moments = zip(chunk["delivered"], chunk["shipped"], chunk["placed"], strict=True)
            chunk.add("asked", self._calendar.numbers([came or sent or placed for came, sent, placed in moments]))
        orders = self._orders.of(chunk.of_orders(self._of_order), lambda _: next(self._new_order))
        keys = zip(
            chunk.spread(orders),
            self._days.numbers(chunk),
            *(chunk[name] for name in self._of_line),
            *(sorter.numbers(chunk, facts) for sorter in self._sorters),
            strict=True,
        )
        return Lines(
            list(keys), chunk["gross"], chunk["quantity"], chunk["alone"], chunk["shipping"], chunk["line"], facts
        )  # fmt: skip

    def _facts(self, at: Mapping[str, Any]) -> Facts:
        """The facts of a line without reason and wish, of everything that was read of it."""
        moment = self._calendar.moment
        placed, shipped, delivered, last = (
            None if at[name] is None else moment(at[name])
            for name in ("placed", "shipped", "delivered", "last_delivered")
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


class _Sorter:
    """Which class a value belongs to, as a number: values that answer every one of the tests alike are in one.

    ``parts`` name what the value is made of, ``tests`` are those on it, with the zone of their policy.
    """

    def __init__(self, parts: tuple[str, ...], tests: Sequence[tuple[Comparison, ZoneInfo]]) -> None:
        self._parts = parts
        self._holds = [compile_condition(test, zone) for test, zone in tests]
        self._edges = _edges(test for test, _ in tests) if parts in _AMOUNTS else None
        self._numbers = Numbers()
        self._classes: dict[Hashable, int] = {}

    def numbers(self, chunk: Chunk, facts: Callable[[int], Facts]) -> list[int]:
        """The class of each line's value; ``facts`` gives the facts of the line at a place."""
        columns = [chunk[name] for name in self._parts]
        if self._edges is not None:
            columns[0] = list(map(partial(bisect_right, self._edges), columns[0]))

        def learn(place: int) -> int:
            here = facts(place)
            return self._classes.setdefault(tuple(holds(here) for holds in self._holds), len(self._classes))

        return self._numbers.of(list(zip(*columns, strict=True)), learn)


def _edges(tests: Iterable[Comparison]) -> list[int]:
    """The amounts, in minor units, from which on some test may answer differently than for a penny less."""
    values = [test.value if isinstance(test.value, tuple) else (test.value,) for test in tests]
    return sorted({value.minor + more for each in values for value in each for more in (0, 1)})


def gives_shipping_back(policy: Policy) -> bool:
    """True when some rule or law gives outbound shipping back."""
    return any(sets.get("outbound_shipping", "never") != "never" for sets in all_terms(policy))


def charges_by_unit(policy: Policy) -> bool:
    """True when some rule takes a restocking fee for each unit."""
    return any("restocking_fee" in sets and sets["restocking_fee"].amount is not None for sets in all_terms(policy))


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text
