"""Empty databases with all tables, made by copying: to lay them anew for each of a thousand tests takes minutes.

In: a database that nobody has opened yet, or that a test has left. Out: the same with every table, all of them empty. Never: a
row that the test before has written.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import text

from portal import rows
from portal.db import Database
from portal.policybook import service as policybook


def lay_tables(database: Database) -> None:
    """Give a database that is still empty its tables; an SQLite file must not exist yet."""
    path = database.engine.url.database
    if not database.is_sqlite or path is None or Path(path).exists():
        rows.metadata.create_all(database.write_engine)
        return
    Path(path).write_bytes(_sqlite_file())


def quick_folder() -> Path:
    """Where files cost no disk: in memory where the machine has two gigabytes of it to spare for them, else with all that is
    temporary."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    return memory if roomy else Path(tempfile.gettempdir())


def trust_the_machine(database: Database) -> None:
    """Let nothing wait for the disk. What is written outlives a process, however it dies, but no power cut."""
    database.synchronous = "OFF"


def make_new(database: Database) -> None:
    """Empty a database that other tests have used; its engine stays, and what that has compiled. Events flow nowhere."""
    database.dispose()
    database.river = lambda tx, happened: None
    # Books are kept by the address of their database, which is always the same one here.
    policybook._books.clear()
    if database.is_sqlite:
        put(database, _sqlite_file())
    else:
        _empty(database)


def keep(database: Database) -> bytes:
    """A whole SQLite database as it is now, for `put`."""
    # Closing the last connection folds the write-ahead log into the file.
    database.dispose()
    return Path(str(database.engine.url.database)).read_bytes()


def put(database: Database, content: bytes) -> None:
    """Let an SQLite database be this one."""
    database.dispose()
    path = Path(str(database.engine.url.database))
    for left in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        left.unlink(missing_ok=True)
    path.write_bytes(content)


def _empty(database: Database) -> None:
    """Remove every row from PostgreSQL and start its numbers anew. TRUNCATE would lay new files for every table and index, full
    or empty, which takes the server seven times as long."""
    names = [f'"{table.name}"' for table in rows.metadata.tables.values()]
    with database.write_engine.begin() as connection:
        # A test that left a transaction open is found out, instead of holding up all others.
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
        connection.execute(text(f"LOCK TABLE {', '.join(names)}"))
        # Neither foreign keys nor the guards of append-only tables are asked.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.exec_driver_sql("; ".join(f"DELETE FROM {name}" for name in names))
        connection.execute(text("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"))


@functools.cache
def _sqlite_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Database(f"sqlite:///{folder}/blank.sqlite3")
        rows.metadata.create_all(made.write_engine)
        return keep(made)
