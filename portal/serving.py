"""How gunicorn serves the portal: its settings file (`portal serve` names it).

In: nothing. Out: gunicorn's settings. Invariant: the app is made once and then shared by all server processes, who open
connections of their own. Never: a setting of the portal; those are `config`'s.
"""

from __future__ import annotations

import gc
import socket
import time
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.sync import SyncWorker

SILENCE = 5.0
"""Seconds that a client may say nothing in the middle of a request, or take nothing of an answer. A proxy that buffers never
does; without one, a client that begins requests and does not go on would stop a process for `timeout`."""
WHOLE = 20.0
"""Seconds within which a whole request has to be here; one that comes byte by byte is never silent. Long enough for a phone that
sends its photos without a proxy in between, and short enough to be answered before `timeout`."""

worker_class = "portal.serving.Worker"
timeout = 30
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 8190
"""A list may be filtered by an address of 320 signs, each of which takes up to twelve bytes in a URL."""
loglevel = "warning"
control_socket_disable = True
preload_app = True


def pre_fork(_server: Any, _worker: Any) -> None:
    """Set what the app is made of aside from garbage collection, so that its memory stays shared and is never searched again."""
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, worker: Any) -> None:
    """Forget, without closing them, connections that the app may have opened while it was made: they are the first process's."""
    worker.app.wsgi().extensions["portal"].database.engine.dispose(close=False)


class Worker(SyncWorker):  # type: ignore[misc]
    """Gunicorn's one request at a time, with bounds on silence and on the time that a request takes to come."""

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Take one connection."""
        super().handle(listener, _Client(client), addr)

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        """Let the app answer."""
        req.body.reader = _Body(req.body.reader)
        super().handle_request(listener, req, client, addr)


class _Client(socket.socket):
    """The connection of a client, which it takes over."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(fileno=connection.detach())
        self.settimeout(SILENCE)
        self._until = time.monotonic() + WHOLE

    def recv(self, size: int, flags: int = 0) -> bytes:
        bearable, left = self.gettimeout() or SILENCE, self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not come in time")
        self.settimeout(min(bearable, left))
        try:
            return super().recv(size, flags)
        finally:
            self.settimeout(bearable)


class _Body:
    """Reads a body; one whose chunks are wrong ends like one that broke off, which the app answers as a bad request."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        try:
            piece: bytes = self._reader.read(size)
        except ParseException as error:
            raise NoMoreData from error
        return piece
