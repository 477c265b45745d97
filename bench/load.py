"""A load generator small enough not to be what is measured: raw sockets, one connection a request, threads."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run showed. Times are milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int
    count: int


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def figures(times: list[float], seconds: float, errors: int) -> Figures:
    """Figures of ``times`` (seconds each) that took ``seconds`` together."""
    milliseconds = [value * 1000 for value in times]
    return Figures(
        len(times) / seconds if seconds else 0.0,
        statistics.median(milliseconds) if milliseconds else float("nan"),
        percentile(milliseconds, 0.99),
        errors,
        len(times),
    )


def send(address: tuple[str, int], request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own; status and everything that came."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    data = b"".join(chunks)
    return int(data[9:12] or b"0"), data


def build(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[tuple[str, int], bytes]:
    """The address and the bytes of a request."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    head = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return (parts.hostname or "", parts.port or 80), "\r\n".join(head).encode() + b"\r\n\r\n" + body


def run(
    requests: Iterator[tuple[tuple[str, int], bytes]],
    *,
    concurrency: int,
    seconds: float = 0,
    fine: Callable[[int], bool] = lambda status: status < 400,
) -> Figures:
    """Send ``requests`` from ``concurrency`` threads until they end, or for ``seconds``."""
    lock = threading.Lock()
    times: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds if seconds else float("inf")

    def work() -> None:
        nonlocal errors
        mine: list[float] = []
        wrong = 0
        while time.perf_counter() < end:
            with lock:
                wanted = next(requests, None)
            if wanted is None:
                break
            started = time.perf_counter()
            status, _ = send(*wanted)
            mine.append(time.perf_counter() - started)
            wrong += not fine(status)
        with lock:
            times.extend(mine)
            errors += wrong

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return figures(times, time.perf_counter() - started, errors)
