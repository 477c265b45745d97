"""Requests that never end: whoever sends them keeps nobody else waiting. Against the portal's real server."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.intake import BODY_BYTES, Gathered
from tests.live import LivePortal

UNFINISHED = {
    "a head without an end": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a body that is not sent": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\norder_number=",
    "a body in chunks": b"POST /api/v1/returns HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a body that is far too large": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\nx",
    "not a byte": b"",
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


@pytest.mark.parametrize("begun", UNFINISHED.values(), ids=UNFINISHED)
def test_forty_unfinished_requests_keep_nobody_waiting(
    live: LivePortal, address: tuple[str, int], connections: ExitStack, begun: bytes
) -> None:
    for _ in range(40):
        connections.enter_context(socket.create_connection(address, timeout=5)).sendall(begun)
    time.sleep(0.1)
    for _ in range(4):
        with urllib.request.urlopen(f"{live.url}/healthz", timeout=5) as found:
            assert found.status == 200


def test_who_has_the_answer_and_does_not_close_keeps_nobody_waiting(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    for _ in range(10):
        connection = connections.enter_context(socket.create_connection(address, timeout=5))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 200 ")
    begun = time.monotonic()
    for _ in range(4):
        with urllib.request.urlopen(f"{live.url}/healthz", timeout=5) as found:
            assert found.status == 200
    assert time.monotonic() - begun < 1.5


def test_more_unfinished_requests_than_the_server_keeps_make_room_for_the_next(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    for _ in range(900):
        connections.enter_context(socket.create_connection(address, timeout=5)).sendall(b"POST / HTTP/1.1\r\n")
    with urllib.request.urlopen(f"{live.url}/healthz", timeout=5) as found:
        assert found.status == 200


def test_a_body_that_comes_in_pieces_is_read_whole(
    live: LivePortal, address: tuple[str, int], connections: ExitStack
) -> None:
    connection = connections.enter_context(socket.create_connection(address, timeout=5))
    token = live.token("decisions:write")
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


def test_a_body_that_is_too_large_is_refused_with_an_answer_that_can_be_read(
    address: tuple[str, int], connections: ExitStack
) -> None:
    connection = connections.enter_context(socket.create_connection(address, timeout=20))
    size = BODY_BYTES + 4_000_000
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // 1_000_000):
        connection.sendall(b"x" * 1_000_000)
    connection.sendall(b"x" * (size % 1_000_000))
    assert answer(connection).startswith(b"HTTP/1.1 413 ")


bodies = st.binary(max_size=200)


@given(bodies, st.lists(st.integers(1, 60), max_size=30), st.sampled_from(["length", "chunked"]), st.data())
def test_a_request_is_whole_with_its_last_byte_and_not_before(
    body: bytes, cuts: list[int], framing: str, data: st.DataObject
) -> None:
    if framing == "length":
        sent = b"POST / HTTP/1.1\r\nContent-length:  %d\r\nX: y\r\n\r\n" % len(body) + body
    else:
        sent, left = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", body
        while left:
            size = data.draw(st.integers(1, len(left)))
            sent, left = sent + b"%X;a=b\r\n" % size + left[:size] + b"\r\n", left[size:]
        sent += data.draw(st.sampled_from([b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n"]))
    gathered, rest, whole = Gathered(), sent, False
    for cut in [*cuts, len(sent)]:
        piece, rest = rest[:cut], rest[cut:]
        if piece:
            whole = gathered.add(piece)
            assert whole == (not rest)
    assert whole
    assert b"".join(gathered.pieces()) == sent
