"""Migrations go up, down and up again, and end where the models are; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, inspect
from sqlalchemy.exc import IntegrityError

from portal import migrations, rows
from portal.db import Database, schema_revision


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    make: Callable[[], str] = request.getfixturevalue("make_pg")
    return Database(make())


def test_up_down_and_up_again(empty: Database) -> None:
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        assert schema_revision(connection) == migrations.head()
    migrations.downgrade(empty.engine, "base")
    assert set(inspect(empty.engine).get_table_names()) <= {"alembic_version"}
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        assert schema_revision(connection) == migrations.head()
    empty.dispose()


def test_tables_that_others_refer_to_keep_their_rows_up_and_down(empty: Database) -> None:
    moment = "2026-11-26 12:00:00+00:00" if not empty.is_sqlite else "2026-11-26 12:00:00"
    migrations.upgrade(empty.engine, "e2b8f03c6a17")
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO api_token (id, name, digest, scopes, created_at) VALUES (1, 'shop', 'x', '[]', '{moment}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO idempotent_answer (id, token_id, key, fingerprint, status, body, created_at)"
            f" VALUES (1, 1, 'k', 'f', 201, '{{}}', '{moment}')"
        )
    for move, target in ((migrations.upgrade, "head"), (migrations.downgrade, "e2b8f03c6a17")):
        move(empty.engine, target)
        with empty.engine.connect() as connection:
            joined = "SELECT t.name, a.key FROM idempotent_answer a JOIN api_token t ON t.id = a.token_id"
            assert connection.exec_driver_sql(joined).all() == [("shop", "k")]
            if empty.is_sqlite:
                assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    empty.dispose()


def plain_row(connection: Connection, table: str, **values: Any) -> None:
    """A row of a schema as it was; what must be filled and is not named is empty."""
    found = Table(table, MetaData(), autoload_with=connection, resolve_fks=False)
    empty_of: dict[type, Any] = {int: 0, str: "", datetime: datetime(2026, 11, 26, 12, tzinfo=UTC), object: {}}
    filled = {each.name: empty_of[each.type.python_type] for each in found.columns if not each.nullable}
    connection.execute(found.insert().values({**filled, **values}))


def test_what_was_paid_by_hand_before_the_way_was_asked_is_not_said_to_have_gone_to_the_card(empty: Database) -> None:
    migrations.upgrade(empty.engine, "b3e60f1d7c28")
    payments = (("stripe", "pi_1"), ("stripe", None), ("bank", None), ("stripe", "pi_2"))
    with empty.engine.begin() as connection:
        plain_row(connection, "order", id=1, currency="GBP")
        for key, (provider, intent) in enumerate(payments, 1):
            by = "" if intent == "pi_2" else "Ben"
            money = {"currency": "GBP", "id": key}
            plain_row(
                connection, "payment", order_id=1, position=key, provider=provider, payment_intent=intent,
                captured_minor=500, **money,
            )  # fmt: skip
            plain_row(
                connection, "refund", payment_id=key, amount_minor=500, public_id=f"re_{key}", idempotency_key=f"k{key}",
                status="succeeded", paid_elsewhere_by=by, **money,
            )  # fmt: skip
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT paid_elsewhere_how FROM refund ORDER BY id").scalars().all()
    assert found == ["other", "", "", ""]
    empty.dispose()


def test_the_database_refuses_a_bonus_that_is_no_part_of_its_credit(empty: Database) -> None:
    migrations.upgrade(empty.engine)
    for bonus in (-1, 101):
        with pytest.raises(IntegrityError, match="ck_store_credit_bonus"), empty.engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO store_credit (code, return_id, order_id, amount_minor, currency, bonus_minor, issued_at)"
                f" VALUES ('x', 1, 1, 100, 'GBP', {bonus}, '2026-11-26 12:00:00+00')"
            )
    empty.dispose()


def test_the_head_is_what_the_models_say(empty: Database) -> None:
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "render_as_batch": empty.is_sqlite}
        )
        assert compare_metadata(context, rows.metadata) == []
    empty.dispose()
