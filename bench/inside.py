"""What a call costs inside one process: processor time and statements, which a busy machine blurs least.

In: the app on a database of its own. Out: milliseconds of processor time and statements per call. Never: a server or a network.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench import books
from portal import bootstrap, clock, flow, migrations
from portal.api import tokens
from portal.config import ROOT, Config
from portal.flow import Ports
from portal.policybook import service as policybook
from portal.refunds import submit
from portal.refunds.gateway import Gateway, RefundRequest, RefundView
from portal.refunds.models import Refund


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of a kind costs. ``milliseconds`` is the processor time of this thread that nine of ten calls
    exceed: what the code costs without its neighbours on the machine."""

    name: str
    milliseconds: float
    statements: int


class _AtOnce(Gateway):
    """Answers as the payment service does when all is well, without a way to it: what is measured is the portal's own part."""

    def create_refund(self, request: RefundRequest) -> RefundView:
        return RefundView(
            id=f"re_{request.idempotency_key}",
            status="succeeded",
            amount_minor=request.amount_minor,
            currency=request.currency,
            payment_intent=request.payment_intent,
            created_at=clock.now(),
            metadata=request.metadata,
        )


class Inside:
    """The app, a token, orders ``B-1`` … and a way to call."""

    def __init__(self, folder: Path, orders: int = 2000) -> None:
        self.ports: Ports = bootstrap.make_ports(
            Config(
                secret_key="s" * 40,
                database_url=f"sqlite:///{folder / 'inside.sqlite3'}",
                stripe_api_key="sk_test_unused",
                stripe_webhook_secrets=("whsec_unused_unused",),
                mail_url=f"file:{folder / 'mail'}",
                storage_url=f"file:{folder / 'files'}",
                log_level="WARNING",
            )
        )
        migrations.upgrade(self.ports.database.engine)
        with self.ports.database.transaction() as tx:
            policybook.ensure_first(tx, ROOT / "policies" / "default.yaml")
            self.token = tokens.create(tx, name="bench", scopes=("admin",))
        books.fill(self.ports.database, orders)
        self.app = bootstrap.create_app(ports=self.ports)
        self.bodies: list[bytes] = []
        self.seen: list[str] = []

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Callable[[], bytes]:
        """A call, ready to be made; it gives the body of the answer."""
        data = b"" if body is None else json.dumps(body).encode()
        environ = EnvironBuilder(
            path=path, method=method, data=data or None, headers=headers,
            content_type="application/json" if data else None,
        ).get_environ()  # fmt: skip

        def run() -> bytes:
            answer, status, _ = run_wsgi_app(self.app, environ)
            found = b"".join(answer)
            if not status.startswith(("200", "201", "303")):
                raise AssertionError(f"{method} {path}: {status} {found[:500]!r}")
            return found

        return run

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Callable[[], bytes]:
        """The same through the API, with a token."""
        return self.call(method, f"/api/v1{path}", body, Authorization=f"Bearer {self.token}")

    def create(self, number: int) -> Callable[[], bytes]:
        """Open a return for one order."""
        line = {"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"}
        return self.api("POST", "/returns", {"order": f"B-{number}", "lines": [line], "ship_with": "qr"})

    def receive(self, rma: str) -> Callable[[], bytes]:
        """Receive its parcel."""
        counted = {"lines": [{"line": "1", "quantity": 1, "condition": "as_new"}]}
        return self.api("POST", f"/returns/{rma}/receive", counted)

    def send(self, refund: int) -> Callable[[], bytes]:
        """Send a refund as the worker's job does: claimed, called, settled, its return closed, the mail queued."""

        def run() -> bytes:
            submit.submit(self.ports.database, _AtOnce(), refund, flow.limits(self.ports.shop))
            return b""

        return run

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements that run inside, without the beginnings of transactions."""
        seen: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                seen.append(statement)

        event.listen(self.ports.database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.ports.database.engine, "before_cursor_execute", note)

    def cost(self, name: str, calls: list[Callable[[], bytes]], warm: int = 20) -> Cost:
        """Make the calls; the first ``warm`` of them are not counted."""
        self.bodies = [call() for call in calls[:warm]]
        with self.counted() as seen:
            self.bodies.append(calls[warm]())
        times = []
        for call in calls[warm + 1 :]:
            started = time.thread_time()
            self.bodies.append(call())
            times.append(time.thread_time() - started)
        self.seen = seen
        return Cost(name, sorted(times)[len(times) // 10] * 1000, len(seen))

    def all(self, count: int = 150) -> Iterator[Cost]:
        """Every kind of call."""
        n = count + 21
        yield self.cost("nothing (health)", [self.call("GET", "/healthz")] * n)
        yield self.cost("read an order", [self.api("GET", "/orders/B-7")] * n)
        yield self.cost("look-up page", [self.call("GET", "/")] * n)
        yield self.cost("create a return", [self.create(number) for number in range(1, n + 1)])
        rmas = [str(json.loads(body)["rma"]) for body in self.bodies]
        yield self.cost("read a return", [self.api("GET", f"/returns/{rmas[0]}")] * n)
        yield self.cost("receive its parcel", [self.receive(rma) for rma in rmas])
        yield self.cost("list its refunds", [self.api("GET", f"/returns/{rmas[0]}/refunds")] * n)
        with self.ports.database.read() as session:
            refunds = session.scalars(select(Refund.id).order_by(Refund.id)).all()
        yield self.cost("send its refund, without the call", [self.send(refund) for refund in refunds])


def calibration() -> float:
    """Milliseconds of processor time of a fixed piece of Python, to compare one machine or hour with another."""
    found = []
    for _ in range(5):
        started = time.thread_time()
        json.loads(json.dumps([{"n": n, "text": str(n)} for n in range(10_000)]))
        found.append(time.thread_time() - started)
    return min(found) * 1000
