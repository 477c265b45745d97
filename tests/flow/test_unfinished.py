"""Requests that never end or are no requests: they keep nobody else waiting for long. Against the portal's real server."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from portal.serving import SILENCE, WHOLE
from tests.live import LivePortal

UNFINISHED = {
    "a head without an end": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a body that is not sent": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\norder_number=",
    "a body in chunks": b"POST /api/v1/returns HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
}


@pytest.fixture
def address(live: LivePortal) -> tuple[str, int]:
    """Where the portal listens."""
    parts = urlsplit(live.url)
    return parts.hostname or "", parts.port or 80


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """Closes every connection that a test opens."""
    with ExitStack() as opened:
        yield opened


def answer(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_requests_that_do_not_go_on_are_let_go_of_and_the_next_is_answered(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    for begun in UNFINISHED.values():
        connections.enter_context(socket.create_connection(address, timeout=5)).sendall(begun)
    time.sleep(0.1)
    # Two processes take one after the other, each for as long as silence is borne.
    with urllib.request.urlopen(f"{live.url}/healthz", timeout=SILENCE * 3) as found:
        assert found.status == 200


def test_requests_that_go_on_byte_by_byte_hold_nobody_up_until_their_process_is_ended(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    head = UNFINISHED["a head without an end"]
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    body = UNFINISHED["a body that is not sent"].replace(b"Content-Length", kind + b"Content-Length")
    slow = []
    for begun in (head, body):
        slow.append(connections.enter_context(socket.create_connection(address, timeout=5)))
        slow[-1].sendall(begun)
    time.sleep(0.1)
    over = threading.Event()

    def dribble() -> None:
        while not over.wait(SILENCE / 5):
            for connection in slow:
                with suppress(OSError):
                    connection.sendall(b"x")

    began = time.monotonic()
    sending = threading.Thread(target=dribble)
    sending.start()
    try:
        with urllib.request.urlopen(f"{live.url}/healthz", timeout=40) as found:
            assert found.status == 200
    finally:
        over.set()
        sending.join()
    assert time.monotonic() - began < WHOLE + SILENCE


def test_a_body_that_comes_in_pieces_is_read_whole(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    token = live.token("decisions:write")
    connection = connections.enter_context(socket.create_connection(address, timeout=5))
    head = f"POST /api/v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in (
        head.encode(),
        b'12\r\n{"order":"no-such"',
        b"\r\n",
        b'c\r\n,"lines":[',
        b"]}\r\n0\r",
        b"\n\r",
        b"\n",
    ):
        connection.sendall(piece)
        time.sleep(0.01)
    assert answer(connection).startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("chunks", [b"b\r\n0123456789abc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"2;\x00=\r\n{}\r\n0\r\n\r\n"])
def test_chunks_that_are_wrong_are_a_bad_request(
    address: tuple[str, int], connections: ExitStack, chunks: bytes
) -> None:
    connection = connections.enter_context(socket.create_connection(address, timeout=5))
    connection.sendall(b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_who_asks_before_sending_a_body_is_told_to_go_on(address: tuple[str, int], connections: ExitStack) -> None:
    connection = connections.enter_context(socket.create_connection(address, timeout=5))
    connection.sendall(b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"{}")
    assert b"HTTP/1.1 400 " in answer(connection)
