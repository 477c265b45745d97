"""Empty databases with all tables, made by copying: to lay them anew for each of a thousand tests takes minutes.

In: a database that nobody has opened yet. Out: the same with every table. Never: a copy that two tests share.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from portal import rows
from portal.db import Database


def lay_tables(database: Database) -> None:
    """Give a database that is still empty its tables; an SQLite file must not exist yet."""
    path = database.engine.url.database
    if not database.is_sqlite or path is None or Path(path).exists():
        rows.metadata.create_all(database.write_engine)
        return
    Path(path).write_bytes(_sqlite_file())


@functools.cache
def _sqlite_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blank.sqlite3"
        made = Database(f"sqlite:///{path}")
        rows.metadata.create_all(made.write_engine)
        # Closing the last connection folds the write-ahead log into the file.
        made.dispose()
        return path.read_bytes()
