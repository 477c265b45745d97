"""Both sides as they are at one moment: the rows of the portal's tables and what the stand-in for Stripe holds.

In: the portal's SQLite file, read past the portal. Out: `Books`. It shares no code with the portal, so that a mistake there
cannot excuse itself.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

GONE = ("failed", "canceled")
OPEN = ("planned", "submitted", "unknown", "pending", "requires_action")
ENDED = ("rejected", "canceled", "expired")
COUNTING = ("accepted", "review")
UNDECIDED = ("open", "asked")
TABLES = (
    "payment", "refund", "ledger_entry", "store_credit", "return", "return_line", "unit_range", "order", "order_line", "review",
    "exchange", "variant", "timeline_entry", "notice", "receipt", "stripe_event", "goodwill", "goodwill_line", "credit_note",
    "credit_correction", "refund_gate", "policy_version",
)  # fmt: skip
# Stripe's integer for one minor unit here: Stripe counts the crowns of Iceland in hundredths that are always 00.
STRIPE_UNIT = defaultdict(lambda: 1, {"ISK": 100, "UGX": 100})
STEP = {"KWD": 10, "BHD": 10, "JOD": 10, "OMR": 10, "TND": 10}

Row = dict[str, Any]


@dataclass(frozen=True)
class Orders:
    """What the shop has ordered for its refunds; amounts in minor units by currency. Nothing is ordered by default."""

    cap_count: int | None = None
    cap_minor: dict[str, int] = field(default_factory=dict)
    second_above: dict[str, int] = field(default_factory=dict)
    undo_minutes: int = 0
    zone: str = "Europe/London"

    def day(self, moment: str) -> date:
        """The shop's own day of a stored moment."""
        return at(moment).astimezone(ZoneInfo(self.zone)).date()


@dataclass
class Books:
    """One look at both sides."""

    tables: dict[str, list[Row]]
    stripe_refunds: list[Row]
    intents: dict[str, Row]
    """Stripe's payments, by id."""
    ever_succeeded: set[str]
    """Refunds at Stripe that have been `succeeded` at any time."""
    orders: Orders
    first_stock: dict[str, int] = field(default_factory=dict)
    """What was in stock of each article before anything happened."""
    let_go: dict[str, str] = field(default_factory=dict)
    """Payments that the portal canceled, or captured less of, each with the number of the refund that it did so for."""

    _grouped: dict[tuple[str, str], dict[object, list[Row]]] = field(default_factory=dict)

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]

    def by_id(self, table: str) -> dict[int, Row]:
        """The rows of a table by their id."""
        return {row["id"]: row for row in self.tables[table]}

    def of(self, table: str, column: str, key: object) -> list[Row]:
        """The rows of a table that name ``key`` in this column."""
        if (table, column) not in self._grouped:
            groups = self._grouped[table, column] = defaultdict(list)
            for row in self.tables[table]:
                groups[row[column]].append(row)
        return self._grouped[table, column].get(key, [])

    def left_of(self, payment: Row) -> int:
        """What can still be given back of a payment, in any form."""
        orders = next(family for family in self.families().values() if payment["order_id"] in family)
        rows = [row for order_id in orders for row in self.of("payment", "order_id", order_id)]
        credits = [row for order_id in orders for row in self.of("store_credit", "order_id", order_id)]
        own, left = (
            total(each, "captured_minor") - total(each, "refunding_minor") - total(each, "refunded_elsewhere_minor")
            for each in ([payment], rows)
        )
        return min(own, left - sum(row["amount_minor"] - row["bonus_minor"] for row in credits))

    def families(self) -> dict[int, set[int]]:
        """Every order with the replacement orders that go back to it, however far."""
        order_of = {row["id"]: row["order_id"] for row in self["return"]}
        root: dict[int, int] = {}
        for row in self["order"]:
            replaces = row["replaces_return_id"]
            root[row["id"]] = root[order_of[replaces]] if replaces is not None else row["id"]
        found: dict[int, set[int]] = defaultdict(set)
        for order_id, first in root.items():
            found[first].add(order_id)
        return found


class Reader:
    """Reads one file as often as it is asked, every time by the same connection."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = lambda cursor, row: dict(zip(names(cursor), row, strict=True))

    def version(self) -> int:
        """A number that is another one once anybody has committed a change."""
        (found,) = self._connection.execute("PRAGMA data_version").fetchone().values()
        return int(found)

    def read(self) -> dict[str, list[Row]]:
        """Every row of every table that money touches, oldest first."""
        return {table: self._connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall() for table in TABLES}

    def any(self, query: str) -> bool:
        """Whether the query finds a row."""
        return self._connection.execute(query).fetchone() is not None

    def serialize(self) -> bytes:
        """The whole database, as a backup keeps it."""
        with sqlite3.connect(":memory:") as copy:
            self._connection.backup(copy)
            return copy.serialize()

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


def names(cursor: sqlite3.Cursor) -> list[str]:
    """The columns of what was asked."""
    return [column[0] for column in cursor.description]


def total(rows: Iterable[Row], name: str = "amount_minor") -> int:
    """The sum of an amount over rows."""
    return sum(row[name] for row in rows)


def at(moment: str) -> datetime:
    """A moment as SQLite keeps it: UTC without saying so."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def is_stripe(payment: Row) -> bool:
    """Whether the portal itself can send money back to it."""
    return payment["provider"] == "stripe" and bool(payment["payment_intent"])
