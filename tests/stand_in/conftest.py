"""One stand-in for all of these tests, emptied before each; and a receiver that keeps what arrives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from tests.stand_in_fixture import StandInHandle, running_stand_in


@pytest.fixture(scope="package")
def _shared() -> Iterator[StandInHandle]:
    with running_stand_in() as handle:
        yield handle


@pytest.fixture
def stand_in(_shared: StandInHandle) -> StandInHandle:
    """An empty stand-in that sends webhooks nowhere."""
    _shared.reset()
    return _shared


@pytest.fixture
def client(stand_in: StandInHandle) -> stripe.StripeClient:
    return stand_in.client()


@dataclass
class Receiver:
    """What a webhook endpoint was sent: (signature header, raw body) in order of arrival. ``answers`` are given first."""

    url: str
    got: list[tuple[str | None, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def events(self, secret: str) -> list[stripe.Event]:
        """Everything that arrived, each checked by stripe-python's own verification."""
        return [stripe.Webhook.construct_event(body, mark, secret) for mark, body in self.got]

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook endpoint on this machine that answers 200 unless told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = made.answers.pop(0) if made.answers else 200
            made.got.append((self.headers["Stripe-Signature"], body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks/stripe")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hooked(stand_in: StandInHandle, receiver: Receiver) -> Iterator[StandInHandle]:
    """A stand-in that sends its webhooks to the receiver."""
    stand_in.set_webhook(receiver.url)
    yield stand_in
    for endpoint in stand_in.client().v1.webhook_endpoints.list().data:
        stand_in.client().v1.webhook_endpoints.delete(endpoint.id)
