"""The bell: tells a worker at once that there may be work, and costs nothing while there is none.

In: a commit that has written jobs. Out: `Bell.wait` comes back within a fraction of a millisecond. Invariants: the bell only
saves waiting, the jobs are in the database; a ring that is lost is made up for by the look that a worker takes anyway.
Never: a job in a message.

PostgreSQL sends the NOTIFY that was written with the jobs. For SQLite the committing process sends an empty datagram to an
address that exists in the kernel's memory only (Linux: an abstract socket), so there is no file to clean up or to back up. Where
that does not reach, as between two containers, the worker sees foreign commits in ``PRAGMA data_version``: a read of shared
memory, no lock, every 50 ms.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

from portal.db import Database

CHANNEL = "portal_jobs"
NOTIFY = text(f"NOTIFY {CHANNEL}")
PLACES = 8
"""How many workers of one SQLite file have a bell of their own; further ones look every `STEP` seconds."""
STEP = 0.05
"""Such a look sees every commit of anybody, and a thread then looks for a job, nearly always in vain: it stays a rare one."""


@cache
def ringer(path: str) -> Callable[[], None]:
    """What rings for the workers of the SQLite file at ``path``; the same function each time, so that it rings once a commit."""
    addresses = _addresses(path)
    if not addresses:
        return lambda: None
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)

    def ring() -> None:
        for address in addresses:
            # Nobody is there, or the bell is ringing already.
            with contextlib.suppress(OSError):
                sender.sendto(b"", address)

    return ring


def _addresses(path: str) -> list[bytes]:
    if not sys.platform.startswith("linux"):
        return []
    name = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:32]
    return [f"\0portal-bell-{name}-{place}".encode() for place in range(PLACES)]


class Bell:
    """One worker's bell."""

    def __init__(self, database: Database) -> None:
        self._wait: Callable[[float], bool]
        self._connection = database.engine.raw_connection()
        driver: Any = self._connection.driver_connection
        self._driver = driver
        self._socket: socket.socket | None = None
        if database.is_sqlite:
            self._seen = self._version()
            self._socket = _bind(_addresses(str(database.engine.url.database)))
            self._wait = self._wait_sqlite
        else:
            self._driver.autocommit = True
            self._driver.execute(f"LISTEN {CHANNEL}")
            self._wait = self._wait_postgresql

    def wait(self, timeout: float) -> bool:
        """Sleep until a commit or until ``timeout`` seconds have gone; True when there was a commit."""
        return self._wait(timeout)

    def close(self) -> None:
        """Give the connection up."""
        self._connection.invalidate()
        if self._socket is not None:
            self._socket.close()

    def _version(self) -> int:
        version: int = self._driver.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _wait_sqlite(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while True:
            rung = self._drain()
            version = self._version()
            if rung or version != self._seen:
                self._seen = version
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            select.select([] if self._socket is None else [self._socket], [], [], min(STEP, left))

    def _drain(self) -> bool:
        rung = False
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                self._socket.recv(1)
                rung = True
        return rung

    def _wait_postgresql(self, timeout: float) -> bool:
        # psycopg hands out notifications that arrived meanwhile; the socket tells about later ones.
        ready, _, _ = select.select([self._driver.fileno()], [], [], timeout)
        if not ready:
            return False
        for _ in self._driver.notifies(timeout=0):
            pass
        return True


def _bind(addresses: list[bytes]) -> socket.socket | None:
    """A socket at the first place that is free; None when there is none."""
    for address in addresses:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            continue
        listener.setblocking(False)
        return listener
    return None
