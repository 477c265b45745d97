"""The session of a command: changed columns are written by plain updates, with the promises of the unit of work kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Update, event, select, update
from sqlalchemy.orm.exc import StaleDataError

from portal.db import Database
from portal.orders.models import Order, OrderLine, Variant
from portal.returns.models import Return
from portal.timeline import TimelineEntry
from tests.blank import trust_the_machine

AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def _order(database: Database, lines: int = 3) -> int:
    with database.transaction() as tx:
        made = Order(
            number="A-1", number_key="A-1", currency="EUR", placed_at=AT, total_minor=900, content_hash="-",
            imported_at=AT, updated_at=AT,
        )  # fmt: skip
        made.lines = [
            OrderLine(position=at, ref=str(at), quantity=2, unit_price_minor=100, list_minor=200, gross_minor=200)
            for at in range(lines)
        ]
        tx.session.add(made)
        tx.session.flush()
        return made.id


def _return(database: Database, order_id: int) -> int:
    with database.transaction() as tx:
        made = Return(
            rma="R-1", order_id=order_id, booking_key="k", status="authorized", currency="EUR", quote={"parts": []},
            booked_at=AT,
        )  # fmt: skip
        tx.insert(made)
        return made.id


def _written(database: Database) -> list[str]:
    """What is sent to the database from now on, but for its reading."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("SELECT", "BEGIN")):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    return seen


def test_an_inserted_row_has_its_defaults_and_changes_like_one_that_was_read(any_database: Database) -> None:
    order_id = _order(any_database)
    with any_database.transaction() as tx:
        made = Return(
            rma="R-1", order_id=order_id, booking_key="k", status="authorized", currency="EUR", quote={"parts": []},
            booked_at=AT,
        )  # fmt: skip
        tx.insert(made)
        assert (made.version, made.note, made.basis, made.closed_at) == (1, "", {}, None)
        assert tx.session.get(Return, made.id) is made
        made.status = "received"
    with any_database.read() as session:
        found = session.scalars(select(Return)).one()
        assert (found.status, found.version, found.order.number) == ("received", 2, "A-1")


def test_rows_are_written_by_table_and_key_whatever_changed_and_in_whatever_order(any_database: Database) -> None:
    order_id = _order(any_database)
    return_id = _return(any_database, order_id)
    written: list[tuple[str, int]] = []

    def note(connection: Any, statement: Any, many: Any, one: Any, options: Any) -> None:
        if isinstance(statement, Update):
            written.extend((statement.entity_description["name"], each["known_id"]) for each in many or [one])

    with any_database.transaction() as tx:
        found, order = tx.session.get_one(Return, return_id), tx.session.get_one(Order, order_id)
        lines = list(tx.session.scalars(select(OrderLine).order_by(OrderLine.id.desc())))
        found.note = "last"
        for at, line in enumerate(lines):
            # Every other row has another column changed, so that one statement cannot write them all.
            line.units_held, line.name = (1, line.name) if at % 2 else (line.units_held, "changed")
        order.customer_name = "first"
        event.listen(any_database.write_engine, "before_execute", note)
        tx.session.flush()
        event.remove(any_database.write_engine, "before_execute", note)
    assert written == [
        ("order", order_id),
        *(("order_line", line.id) for line in reversed(lines)),
        ("return", return_id),
    ]


def test_only_what_changed_is_written_and_the_version_grows(any_database: Database) -> None:
    return_id = _return(any_database, _order(any_database))
    seen = _written(any_database)
    with any_database.transaction() as tx:
        found = tx.session.get_one(Return, return_id)
        found.status, found.quote, found.note = "received", {"parts": [1]}, found.note
        tx.session.flush()
        assert found.version == 2
        tx.session.flush()
    assert len(seen) == 1
    assert all(f"{name}=" in seen[0] for name in ("status", "quote", "version"))
    assert "note" not in seen[0]
    with any_database.read() as session:
        found = session.get_one(Return, return_id)
        assert (found.status, found.quote, found.version) == ("received", {"parts": [1]}, 2)


def test_a_row_that_somebody_else_has_changed_is_refused(any_database: Database) -> None:
    return_id = _return(any_database, _order(any_database))

    def change_what_is_stale() -> None:
        with any_database.transaction() as tx:
            found = tx.session.get_one(Return, return_id)
            tx.session.connection().execute(update(Return).values(version=Return.version + 1))
            found.status = "received"

    with pytest.raises(StaleDataError):
        change_what_is_stale()
    with any_database.read() as session:
        found = session.get_one(Return, return_id)
        assert (found.status, found.version) == ("authorized", 1)


def test_many_rows_of_one_change_are_one_statement(any_database: Database) -> None:
    order_id = _order(any_database, lines=5)
    seen = _written(any_database)
    with any_database.transaction() as tx:
        for line in tx.session.scalars(select(OrderLine).where(OrderLine.order_id == order_id)):
            line.units_held = line.position % 2 + 1
    assert len(seen) == 1
    with any_database.read() as session:
        found = session.execute(select(OrderLine.position, OrderLine.units_held)).all()
    assert {tuple(row) for row in found} == {(at, at % 2 + 1) for at in range(5)}


def test_what_names_a_new_row_is_written_after_it(any_database: Database) -> None:
    order_id = _order(any_database)
    with any_database.transaction() as tx:
        order = tx.session.get_one(Order, order_id)
        order.tags = ["vip"]
        order.lines.append(OrderLine(position=9, ref="9", quantity=1, unit_price_minor=1, list_minor=1, gross_minor=1))
        tx.write(TimelineEntry, at=tx.at, what="x", order_id=order.id, actor_kind="system", actor_name="", why="")
    with any_database.read() as session:
        order = session.get_one(Order, order_id)
        assert (order.tags, [line.ref for line in order.lines]) == (["vip"], ["0", "1", "2", "9"])


def test_a_row_is_found_by_the_key_that_its_table_has(any_database: Database) -> None:
    with any_database.transaction() as tx:
        tx.session.add(Variant(sku="S-1", product="p", name="n", currency="EUR", price_minor=1, stock=3, updated_at=AT))
    with any_database.transaction() as tx:
        tx.session.get_one(Variant, "S-1").stock = 4
    with any_database.read() as session:
        assert session.get_one(Variant, "S-1").stock == 4


def test_what_a_shop_has_written_is_on_the_disk_before_anybody_is_told(tmp_path: Path) -> None:
    # The databases of tests wait for no disk, see `blank.trust_the_machine`.
    made = Database(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    with made.engine.connect() as connection:
        journal, synchronous = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        )
    made.dispose()
    assert (journal, synchronous) == ("wal", 2), "a power cut must lose nothing that was answered"


@pytest.mark.parametrize(("trusting", "levels"), [(False, (2, 1)), (True, (0, 0))])
def test_a_test_waits_for_no_disk_and_a_shop_does(tmp_path: Path, trusting: bool, levels: tuple[int, int]) -> None:
    made = Database(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    if trusting:
        trust_the_machine(made)
    found = []
    for engine in (made.write_engine, made.relaxed_engine):
        with engine.begin() as connection:
            found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())
    made.dispose()
    assert tuple(found) == levels
