"""Migrations: every step of the schema, run by `portal db upgrade`.

In: a database of any earlier release. Out: the schema of this one. Invariants: up, down and up again works on SQLite and
PostgreSQL; head equals the models. Never: an import of a stage (a migration outlives the code it was written for).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

FOLDER = Path(__file__).parent


def _config() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s")
    return config


@cache
def head() -> str:
    """The newest step of this release."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


@contextmanager
def _steps(engine: Engine) -> Iterator[Connection]:
    """The transaction in which steps run.

    SQLite changes a table by making it anew and dropping the old one, which its foreign keys forbid once a row refers to it.
    So they are off meanwhile, as SQLite's own procedure has it, and all of them are checked before anything is kept.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection
            connection.commit()
            return
        # Inside of a transaction the pragma does nothing; SQLAlchemy's connection would begin one.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection
            if wrong := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise RuntimeError(f"rows would refer to nothing after this step: {wrong[:5]}")
            connection.commit()
        finally:
            connection.rollback()
            driver.execute("PRAGMA foreign_keys = ON")


def upgrade(engine: Engine, target: str = "head") -> None:
    """Bring the schema up to ``target``."""
    config = _config()
    with _steps(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def downgrade(engine: Engine, target: str) -> None:
    """Take the schema back to ``target`` (``base`` is nothing at all)."""
    config = _config()
    with _steps(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, target)


def new_step(engine: Engine, slug: str) -> None:
    """Write a step that turns the schema of ``engine`` into that of the models."""
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message=slug, autogenerate=True)
