"""The database: engine, base of all rows, and the one way to write.

In: a database URL. Out: `Database` with `read()` and `transaction()`. SQLite and PostgreSQL from one code.
Invariants: a write transaction on SQLite begins IMMEDIATE, so that two of them never both decide on stale rows; foreign keys
are on; times are aware and UTC. Never: a network call, a mail or a PDF inside `transaction()`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from itertools import groupby
from typing import Any, cast

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    inspect,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, Session, make_transient_to_detached
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.schema import DDLElement
from sqlalchemy.types import TypeDecorator

from portal import clock

BUSY_TIMEOUT_MS = 15_000
FIRST_PAUSE, LONGEST_PAUSE = 0.0002, 0.005
"""Seconds between two tries for SQLite's write lock: a twentieth of the wait so far, within these bounds. Its own handler
pauses up to 100 ms, longer than most writers write."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC moment. SQLite has no zones, so they are put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment must be aware of its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# JSONB on PostgreSQL, text on SQLite; None is stored as SQL NULL, never as the JSON word null.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


# 64 bits everywhere: an amount in a currency of small units outgrows 32. SQLite's own INTEGER already has them.
BigInt = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Base of every row. Names of constraints are fixed, so that SQLite migrations can drop them later."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: BigInt, datetime: UTCDateTime(), dict[str, Any]: Json, list[Any]: Json}


_REFUSAL = "a row of %(table)s is never changed or removed; add one that reverses it"
_SQLITE_GUARD = f"""
CREATE TRIGGER %(table)s_no_{{verb}} BEFORE {{verb}} ON %(table)s
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""
_POSTGRESQL_GUARD = f"""
CREATE OR REPLACE FUNCTION %(table)s_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER %(table)s_append_only BEFORE UPDATE OR DELETE ON %(table)s
FOR EACH ROW EXECUTE FUNCTION %(table)s_append_only()"""


def append_only(table: Table) -> None:
    """Let the database itself refuse to update or delete rows of ``table``, whoever asks, on SQLite and PostgreSQL.

    This guards databases that are made from the models; the migration that guards those of a shop carries its own copy.
    """
    for verb in ("update", "delete"):
        event.listen(table, "after_create", _when("sqlite", _SQLITE_GUARD.format(verb=verb)))
    event.listen(table, "after_create", _when("postgresql", _POSTGRESQL_GUARD))


def _when(dialect: str, statement: str) -> DDLElement:
    made: DDLElement = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
    return made


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a change: ``kind`` is customer, staff, api, stripe, system; ``name`` is what the timeline shows."""

    kind: str
    name: str
    id: int | None = None


SYSTEM = Actor("system", "Portal")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened and is being written in this very transaction; ``id`` is its timeline entry."""

    id: int
    what: str
    return_id: int | None = None
    order_id: int | None = None
    refund_id: int | None = None
    data: dict[str, Any] | None = None


River = Callable[["Tx", Event], None]


class _Session(Session):
    """Writes changed columns by plain updates and leaves to SQLAlchemy's unit of work what has an order to be found: new rows,
    deleted ones, and relationships. Finding out that there is none costs it more than the updates themselves."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write what has changed. Raises `StaleDataError` for a row that somebody else has changed meanwhile."""
        changes = None if objects or self.new or self.deleted else self._changed_columns()
        if changes is None:
            super().flush(objects)
            return
        # In one order everywhere, by table and then by key, so that no two commands wait for each other.
        changes.sort(key=lambda change: (change[0].local_table.name, change[2].identity))
        for (mapper, names), group in groupby(changes, key=lambda change: change[:2]):
            states = [state for _mapper, _names, state in group]
            if names:
                self._update(mapper, names, states)
            for state in states:
                # There is no public word for "is written".
                state._commit_all(state.dict, self.identity_map)

    def _changed_columns(self) -> list[tuple[Any, tuple[str, ...], Any]] | None:
        """Each changed row as its mapper, the names of what has changed, and its state; None when that is more than columns."""
        found = []
        for row in self.dirty:
            state = inspect(row)
            was = state.committed_state
            if not all(name in state.mapper.column_attrs for name in was):
                return None
            # An expired row that was written to and not read again knows no key and no version.
            if not all(key in state.dict for key in _keys_of(state.mapper)):
                return None
            names = tuple(sorted(name for name in was if state.dict[name] != was[name]))
            found.append((state.mapper, names, state))
        return found

    def _update(self, mapper: Any, names: tuple[str, ...], states: list[Any]) -> None:
        keys, version = _keys_of(mapper), mapper.version_id_col
        wanted = [
            {name: state.dict[name] for name in names} | {f"known_{key}": state.dict[key] for key in keys}
            for state in states
        ]
        done = self.connection().execute(_update_of(mapper, names, keys), wanted)
        if done.rowcount != len(states):
            raise StaleDataError(f"{mapper.local_table.name}: a row was changed or removed by somebody else")
        if version is not None:
            for state in states:
                state.dict[version.key] += 1


@cache
def _keys_of(mapper: Any) -> tuple[str, ...]:
    version = [] if mapper.version_id_col is None else [mapper.version_id_col]
    return tuple(column.key for column in (*mapper.primary_key, *version))


@cache
def _update_of(mapper: Any, names: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    table, version = mapper.local_table, mapper.version_id_col
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    if version is not None:
        values[version.key] = version + 1
    return update(table).where(*(table.c[key] == bindparam(f"known_{key}") for key in keys)).values(values)


class Tx:
    """One command's transaction. Services take it and never commit; what they record flows on through the river."""

    __slots__ = ("_river", "actor", "after_commit", "at", "session")

    def __init__(self, session: Session, actor: Actor, at: datetime, river: River) -> None:
        self.session = session
        self.actor = actor
        self.at = at
        self.after_commit: set[Callable[[], None]] = set()
        """What is called once all is safely written. It only hurries others up: a crash before it must lose nothing."""
        self._river = river

    def write(self, model: type[Base], **values: Any) -> int:
        """Insert one row that nobody changes afterwards, such as an entry of a record; its id.

        What the session holds is written first, so that the row may refer to it. A fifth of the time that the same row takes
        as an object of the session, which is why booking and receiving are quick.
        """
        self.session.flush()
        made: Any = self.session.connection().execute(_insert_into(model), values)
        row: int = made.inserted_primary_key[0]
        return row

    def insert(self, row: Base) -> None:
        """Insert ``row`` at once and let the session have it as if it had been read: it may change later in the command.

        The row names others by their ids and no relationship is set on it yet; `set_committed_value` sets those afterwards. A
        third of the time that the session's unit of work needs, which has to find out the order of things first.
        """
        self.session.flush()
        state = inspect(row)
        columns = [attribute.key for attribute in state.mapper.column_attrs]
        made: Any = self.session.connection().execute(
            _insert_into(type(row)), {key: state.dict[key] for key in columns if key in state.dict}
        )
        # What was not given is the column's default, or nothing.
        known = dict.fromkeys(columns) | made.last_inserted_params() | {"id": made.inserted_primary_key[0]}
        vars(row).update(known)
        make_transient_to_detached(row)
        self.session.add(row)

    def write_all(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
        """Insert many such rows, all with the same columns, by one statement."""
        self.session.flush()
        if rows:
            self.session.connection().execute(_insert_into(model), rows)

    def write_new(self, model: type[Base], **values: Any) -> int | None:
        """The same, unless a unique column of the model holds its value already: None then, and nothing is written."""
        self.session.flush()
        connection = self.session.connection()
        row: int | None = connection.execute(_insert_new(model, connection.dialect.name), values).scalar()
        return row

    def emit(self, happened: Event) -> None:
        """Let `flow` write, in this transaction, what the event leads to. Called by `timeline.record` alone."""
        self._river(self, happened)


@cache
def _insert_into(model: type[Base]) -> Any:
    # The same statement each time, so that its key in the cache of compiled statements is worked out once.
    return insert(cast(Table, model.__table__))


@cache
def _insert_new(model: type[Base], dialect: str) -> Any:
    table = cast(Table, model.__table__)
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return make(table).on_conflict_do_nothing().returning(table.c.id)


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transaction handling is switched off; the dialect writes BEGIN itself, IMMEDIATE for writers.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16000")
    cursor.close()


def _begin(dbapi_connection: PoolProxiedConnection) -> None:
    driver: Any = dbapi_connection.driver_connection
    driver.execute("BEGIN")


def _begin_immediate(dbapi_connection: PoolProxiedConnection, synchronous: str) -> None:
    """Take the write lock, waiting for other writers in short pauses. Raises ``database is locked`` after `BUSY_TIMEOUT_MS`."""
    driver: Any = dbapi_connection.driver_connection
    begun = time.monotonic()
    driver.execute(f"PRAGMA synchronous = {synchronous}")
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - begun
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > BUSY_TIMEOUT_MS / 1000:
                    raise
            time.sleep(min(max(waited / 20, FIRST_PAUSE), LONGEST_PAUSE))
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def make_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine with the portal's rules for ``url`` (``sqlite:///file`` or ``postgresql://…``)."""
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg" + url[len("postgresql") :]
    if url.startswith("sqlite"):
        engine = create_engine(url, pool_size=pool_size, max_overflow=10, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _on_sqlite_connect)
        # Not by an event: one listener makes SQLAlchemy look for others at every step of every statement.
        engine.dialect.do_begin = _begin  # type: ignore[method-assign]
        return engine
    return create_engine(url, pool_size=pool_size, max_overflow=10, pool_pre_ping=True)


class Database:
    """The engine and the two ways to use it: `read` for pages, `transaction` for commands."""

    def __init__(self, url: str, *, pool_size: int = 5, river: River | None = None) -> None:
        self.url = url
        self.engine = make_engine(url, pool_size=pool_size)
        self.river: River = river or (lambda tx, happened: None)
        self.synchronous = "FULL"
        """How SQLite's commits wait for the disk. Only what may lose all in a power cut, such as a test, sets ``OFF``."""

    @cached_property
    def write_engine(self) -> Engine:
        """The same connections for who changes something: on SQLite a transaction begins with the write lock in hand."""
        made = self.engine.execution_options()
        if self.is_sqlite:
            with self.engine.connect():
                # With its first connection the dialect learns about SQLite what its copy has to know too.
                made.dialect = copy(self.engine.dialect)
            made.dialect.do_begin = partial(self._begin, relaxed=False)  # type: ignore[method-assign]
        return made

    @cached_property
    def relaxed_engine(self) -> Engine:
        """The same for what a power cut may take back, because all of it is found out again: who has which job in hand.

        On SQLite such a commit does not wait for the disk. It is whole, never half, and no later commit is kept without it, so
        that whoever acts outside on a `transaction` of his own has this behind him as well. PostgreSQL lets all commits of a
        moment wait together.
        """
        made = self.write_engine.execution_options()
        if self.is_sqlite:
            made.dialect = copy(self.write_engine.dialect)
            made.dialect.do_begin = partial(self._begin, relaxed=True)  # type: ignore[method-assign]
        return made

    def _begin(self, dbapi_connection: PoolProxiedConnection, *, relaxed: bool) -> None:
        _begin_immediate(dbapi_connection, "NORMAL" if relaxed and self.synchronous == "FULL" else self.synchronous)

    @property
    def is_sqlite(self) -> bool:
        """True when the whole database is one file on this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one consistent state and is always rolled back."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def transaction(self, actor: Actor = SYSTEM, at: datetime | None = None) -> Iterator[Tx]:
        """One command: everything inside is written, or nothing is."""
        with _Session(self.write_engine, expire_on_commit=False) as session:
            with session.begin():
                tx = Tx(session, actor, at or clock.now(), self.river)
                yield tx
            for call in tx.after_commit:
                call()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def schema_revision(connection: Connection) -> str | None:
    """The newest migration that the database has; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision
