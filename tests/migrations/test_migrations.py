"""Migrations go up, down and up again, and end where the models are; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

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


def test_the_head_is_what_the_models_say(empty: Database) -> None:
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "render_as_batch": empty.is_sqlite}
        )
        assert compare_metadata(context, rows.metadata) == []
    empty.dispose()
