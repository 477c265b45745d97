"""State in one SQLite database behind one lock: every effect is a transaction, and transactions run one at a time."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import Obj

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    payment_intent TEXT, charge TEXT, customer TEXT, type TEXT, source TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_payment ON objects (payment_intent, kind, seq) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_charge ON objects (charge, kind, seq) WHERE charge IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_waiting ON objects (seq)
    WHERE kind = 'refund' AND json_extract(body, '$.pending_reason') = 'insufficient_funds';
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, params TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
    request TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, due REAL NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, answer TEXT);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due, seq);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS transitions (seq INTEGER PRIMARY KEY, refund TEXT NOT NULL, due REAL NOT NULL, change TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS transitions_due ON transitions (due);
CREATE TABLE IF NOT EXISTS balances (currency TEXT PRIMARY KEY, available INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_TABLES = ("objects", "keys", "deliveries", "transitions", "balances", "meta")
_FILTERS = ("payment_intent", "charge", "customer", "type", "source")


class Store:
    """Objects as JSON bodies with the columns that lists filter by. All calls hold the lock; use it from any thread."""

    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA busy_timeout = 1000")
        if path != ":memory:":
            # Two stand-ins on one file would each believe to be alone; the second one must fail to start.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One effect: committed when the block ends, undone when it raises."""
        with self.lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Any statement of the modules beside this one, with its rows."""
        with self.lock:
            return self._db.execute(sql, values).fetchall()

    def insert(self, body: Obj) -> None:
        """A new object; ``object`` in the body is its kind. A column may come from a hidden ``_name`` of the body."""
        found = [body.get(name, body.get(f"_{name}")) for name in _FILTERS]
        columns = [value if isinstance(value, str) else None for value in found]
        self.run(
            "INSERT INTO objects (id, kind, created, payment_intent, charge, customer, type, source, body)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            body["id"], body["object"], body["created"], *columns, json.dumps(body, separators=(",", ":")),
        )  # fmt: skip

    def save(self, body: Obj) -> None:
        """The changed body of an object that is there. What lists filter by never changes."""
        self.run("UPDATE objects SET body = ? WHERE id = ?", json.dumps(body, separators=(",", ":")), body["id"])

    def find(self, kind: str, id_: str) -> Obj | None:
        rows = self.run("SELECT body FROM objects WHERE id = ? AND kind = ?", id_, kind)
        return json.loads(rows[0][0]) if rows else None

    def find_any(self, id_: str) -> Obj | None:
        """The object of that id whatever its kind: what `expand` needs."""
        rows = self.run("SELECT body FROM objects WHERE id = ?", id_)
        return json.loads(rows[0][0]) if rows else None

    def all(self, kind: str, **equal: str) -> list[Obj]:
        """Every object of a kind, oldest first, whose columns equal what is asked."""
        sql = "SELECT body FROM objects WHERE kind = ?"
        for name in equal:
            sql += f" AND {name} = ?"
        return [json.loads(row[0]) for row in self.run(f"{sql} ORDER BY seq", kind, *equal.values())]

    def page(
        self, kind: str, where: list[tuple[str, Any]], limit: int, after: int | None = None, before: int | None = None
    ) -> list[Obj]:
        """Up to ``limit`` objects, newest first; ``after`` and ``before`` are positions from `position`."""
        sql = "SELECT body FROM objects WHERE kind = ?"
        values: list[Any] = [kind]
        for condition, value in where:
            sql, values = f"{sql} AND {condition}", [*values, value]
        if after is not None:
            sql, values = f"{sql} AND seq < ?", [*values, after]
        if before is not None:
            rows = self.run(f"{sql} AND seq > ? ORDER BY seq ASC LIMIT ?", *values, before, limit)[::-1]
        else:
            rows = self.run(f"{sql} ORDER BY seq DESC LIMIT ?", *values, limit)
        return [json.loads(row[0]) for row in rows]

    def get_type(self, event: str) -> str:
        """The type of a stored event."""
        return str(self.run("SELECT type FROM objects WHERE id = ?", event)[0][0])

    def position(self, kind: str, id_: str) -> int | None:
        rows = self.run("SELECT seq FROM objects WHERE id = ? AND kind = ?", id_, kind)
        return rows[0][0] if rows else None

    def get_meta(self, name: str) -> Any:
        rows = self.run("SELECT value FROM meta WHERE name = ?", name)
        return json.loads(rows[0][0]) if rows else None

    def set_meta(self, name: str, value: Any) -> None:
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, json.dumps(value))

    def version(self) -> int:
        """A number that grows with every row that is written."""
        return self._db.total_changes

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in _TABLES:
                self.run("DELETE FROM " + table)  # noqa: S608 names of this module, never a caller's

    def close(self) -> None:
        with self.lock:
            self._db.close()
