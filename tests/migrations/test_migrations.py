"""Migrations go up, down and up again, and end where the models are; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
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
