"""HTTP/1.1 with keep-alive on the loopback: one thread per connection, one write per answer."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
import traceback
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .account import Account
from .api import Answer, Api, Request
from .control import Control
from .errors import Obj
from .faults import Faults
from .page import Page
from .settle import Ticker
from .webhooks import Courier

LARGEST_BODY = 1_000_000
REMEMBERED_REQUESTS = 20_000


class StandIn:
    """The whole thing: account, API, control, page, background threads, listener."""

    def __init__(self, account: Account, port: int) -> None:
        self.account = account
        faults = Faults()
        self.log: deque[Obj] = deque(maxlen=REMEMBERED_REQUESTS)
        self.api = Api(account, faults)
        self.courier = Courier(account)
        self.control = Control(account, faults, self.log, self.courier)
        self.page = Page(account)
        self._ticker = Ticker(account)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stand_in = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Serve until `stop` is called from another thread."""
        self.courier.start()
        self._ticker.start()
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop listening and the background threads. State in a file is complete at every moment."""
        self._server.shutdown()
        self._server.server_close()
        self._ticker.stop()
        self.courier.stop()

    def answer(self, request: Request) -> Answer:
        """Whatever the path belongs to: the API, its control, or the page."""
        if request.path.startswith("/_control"):
            return self.control.answer(request)
        if not request.path.startswith("/v"):
            return self.page.answer(request)
        started = time.perf_counter()
        noted: Obj = {
            "at": self.account.now(), "method": request.method, "path": request.path,
            "idempotency_key": request.headers.get("idempotency-key"), "replayed": False, "fault": None, "status": None,
            "params": {},
        }  # fmt: skip
        self.log.append(noted)
        try:
            answer = self.api.answer(request, noted)
            noted["status"] = None if answer.drop else answer.status
            return answer
        finally:
            noted["ms"] = round((time.perf_counter() - started) * 1000, 2)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    stand_in: StandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is what the fault tests are about, not something to print.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    server: _Server
    disable_nagle_algorithm = True
    timeout = 300

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(_problem(413, f"A body must come with a Content-Length of at most {LARGEST_BODY} bytes."))
            return
        body = self.rfile.read(int(length)) if int(length) else b""
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, body.decode("utf-8", "replace"))
        try:
            answer = self.server.stand_in.answer(request)
        except Exception:
            # A bug here must not look like a fault that somebody asked for: say so where the person sees it.
            traceback.print_exc()
            answer = _problem(500, "The stand-in itself failed; see its output.")
        self._send(answer)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def _send(self, answer: Answer) -> None:
        if answer.drop:
            self._hang_up()
            return
        body = b"" if self.command == "HEAD" else answer.body
        reason = self.responses.get(answer.status, ("",))[0]
        lines = [f"HTTP/1.1 {answer.status} {reason}", f"Content-Type: {answer.content_type}"]
        lines += [
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        self.wfile.write(whole + (body if answer.cut is None else body[: answer.cut]))
        if answer.cut is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        """Close without a word. Lingering for no time makes it a reset, which is what a lost peer looks like."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: `GET /_control/requests` is the log."""


def _problem(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error": {"message": message, "type": "api_error"}}).encode())


def start_in_thread(stand_in: StandIn) -> threading.Thread:
    """Serve from a thread of its own, so that the main one can wait for signals."""
    thread = threading.Thread(target=stand_in.serve, name="server", daemon=True)
    thread.start()
    return thread
