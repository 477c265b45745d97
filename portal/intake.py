"""How a web process takes requests in: whole, before anybody works on them.

In: connections. Out: requests with head and body in memory, for the threads of gunicorn's threaded worker.
Invariants: a thread never waits for what a client has yet to send, so no number of unfinished requests stops the others; what is
kept of unfinished requests is bounded in time, in number and in bytes. Never: a judgement of a request, which is gunicorn's.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.gthread import ThreadWorker

SECONDS = 60.0
"""How long a request may take to arrive: enough for three photos over a slow phone's line."""
STOPPING_SECONDS = 2.0
"""The same, for a process that was told to stop; and how long a client with its answer may take to close."""
ANSWER_SECONDS = 20.0
"""How long a client may take to fetch one piece of an answer."""
ANSWER_AHEAD = 256 * 1024
"""What the kernel holds of an answer: a whole page, so that a slow reader keeps no thread."""
MOST_BYTES = 160 * 1024 * 1024
"""What all unfinished requests of one process hold together."""
HEAD_BYTES = 128 * 1024
BODY_BYTES = 36 * 1024 * 1024
"""A little above `security.MAX_BODY`, so that the app is the one that refuses what is larger; what is above is thrown away."""
SWALLOWED = 64 * 1024 * 1024
"""What is read of a body that is too large: a client that could not finish would never read why it was refused."""
_PIECE = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_EXPECTED = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Gathered:
    """One request on its way in. `add` says when nothing more is to come of it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.waits_for_word = False
        """The client sends its body only after an interim answer."""
        self._seen = 0
        self._body = 0
        self._left: int | None = None
        """Bytes of the body still to come; None while they are not known: no whole head yet, or chunks."""
        self._at = 0
        """Where the next chunk begins."""

    def add(self, piece: bytes) -> bool:
        """Take ``piece``; True when the request is whole, or so wrong that gunicorn should refuse it now."""
        if self._left is not None:
            room = max(0, self._body + BODY_BYTES - len(self.data))
            self.data += piece[:room]
            self._left -= len(piece)
            return self._left <= 0
        self.data += piece
        return self._chunks_end() if self._body else self._head_ends()

    def pieces(self) -> Iterator[bytes]:
        """The whole request, in pieces that are cheap to read one after another."""
        for start in range(0, len(self.data), _PIECE):
            yield bytes(self.data[start : start + _PIECE])

    def _head_ends(self) -> bool:
        end = self.data.find(b"\r\n\r\n", max(0, self._seen - 3))
        self._seen = len(self.data)
        if end < 0:
            return len(self.data) > HEAD_BYTES
        self._body = self._at = end + 4
        head = bytes(self.data[: end + 2])
        self.waits_for_word = _EXPECTED.search(head) is not None
        if _CHUNKED.search(head):
            return self._chunks_end()
        length = _LENGTH.search(head)
        self._left = min(int(length[1]) if length else 0, SWALLOWED) - (len(self.data) - self._body)
        return self._left <= 0

    def _chunks_end(self) -> bool:
        """Go from chunk to chunk, each looked at once, to the empty one and the trailers behind it."""
        while self._at < len(self.data):
            end = self.data.find(b"\r\n", self._at, self._at + 1024)
            if end < 0:
                return len(self.data) - self._at > 1024
            size = bytes(self.data[self._at : end]).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
                return True
            if int(size, 16) == 0:
                trailers = self.data.find(b"\r\n\r\n", end, end + HEAD_BYTES)
                return trailers >= 0 or len(self.data) - end > HEAD_BYTES
            self._at = end + 2 + int(size, 16) + 2
        return len(self.data) - self._body > BODY_BYTES


class _Sound:
    """Reads a body; one whose chunks are wrong ends like one that broke off, which the app answers as a bad request."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        try:
            piece: bytes = self._reader.read(size)
        except ParseException as error:
            raise NoMoreData from error
        return piece


class WholeRequests(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, whose threads are given whole requests only. One request a connection."""

    def init_process(self) -> None:
        """See gunicorn."""
        self.coming: dict[Any, tuple[Gathered, float]] = {}
        """Connections whose request has not come whole, the oldest first, and when each began."""
        self.leaving: dict[Any, float] = {}
        """Connections that have their answer and have not closed, the oldest first, and when each got it."""
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Called with a new connection: gather its request first."""
        conn.sock.setblocking(False)
        self.coming[conn] = (Gathered(), time.monotonic())
        self.poller.register(conn.sock, EVENT_READ, partial(self._receive, conn))
        # gunicorn stops to accept when it is full; whoever has not finished makes room for who comes.
        if self.nr_conns >= self.worker_connections:
            self._drop(next(iter(self.leaving or self.coming)))

    def _receive(self, conn: Any, _socket: socket.socket) -> None:
        gathered, _ = self.coming[conn]
        try:
            piece = conn.sock.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._drop(conn)
        elif gathered.add(piece):
            self._forget(conn)
            self._hand_on(conn, gathered)
        elif gathered.waits_for_word:
            gathered.waits_for_word = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif sum(len(each.data) for each, _ in self.coming.values()) > MOST_BYTES:
            self._drop(max(self.coming, key=lambda each: len(self.coming[each][0].data)))

    def _hand_on(self, conn: Any, gathered: Gathered) -> None:
        conn.initialized = True
        # Read from memory alone: what a wrong length or an unread body would still wait for is simply the end.
        conn.parser = http.get_parser(self.cfg, gathered.pieces(), conn.client)
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Let the app answer, with a bound on how slowly the answer may be fetched."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ANSWER_AHEAD)
        conn.sock.settimeout(ANSWER_SECONDS)
        req.body.reader = _Sound(req.body.reader)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, _done: Any) -> None:
        """Called when a connection has its answer. Gunicorn would wait here, and all with it, until the client closes."""
        self.leaving[conn] = time.monotonic()
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, EVENT_READ, partial(self._see_off, conn))
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)

    def _see_off(self, conn: Any, _socket: socket.socket) -> None:
        # What still comes is read, or the client would lose the end of its answer.
        try:
            more = conn.sock.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            more = b""
        if not more:
            self._drop(conn)

    def murder_pending(self) -> None:
        """Called about once a second: let go of who takes too long."""
        now = time.monotonic()
        late = now - (SECONDS if self.alive else STOPPING_SECONDS)
        slow = [conn for conn, (_, begun) in self.coming.items() if begun < late]
        for conn in [*slow, *(conn for conn, since in self.leaving.items() if since < now - STOPPING_SECONDS)]:
            self._drop(conn)

    def _forget(self, conn: Any) -> None:
        self.coming.pop(conn, None)
        self.leaving.pop(conn, None)
        self.poller.unregister(conn.sock)

    def _drop(self, conn: Any) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()
