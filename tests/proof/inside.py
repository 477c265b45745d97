"""The stand-in for Stripe inside this process: the same API, control and faults, without sockets.

In: HTTP as stripe-python sends it. Out: what the stand-in would answer, broken connections included. A real socket is used by all
other tests; here a step must cost a millisecond.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from stripe_stand_in import settle
from stripe_stand_in.account import Account, public
from stripe_stand_in.api import Answer, Api, Request
from stripe_stand_in.control import Control
from stripe_stand_in.faults import Faults
from stripe_stand_in.store import Store
from stripe_stand_in.webhooks import Courier

KEY, URL, SECRET = "sk_test_inside", "http://stripe.inside", "whsec_inside_0123456789"


class Session:
    """What stripe-python needs of a session of `requests`: it sends and gets an answer, or the connection breaks."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer

    def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, data: Any = None, **_: Any
    ) -> requests.Response:
        """See `requests.Session.request`. Raises its ConnectionError."""
        parts = urlsplit(url)
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        answer = self._answer(Request(method.upper(), parts.path, parts.query, lower, data or ""))
        if answer.drop or answer.cut is not None:
            raise requests.exceptions.ConnectionError("connection reset by peer")
        response = requests.Response()
        response.status_code, response._content = answer.status, answer.body
        response.headers = CaseInsensitiveDict({"Content-Type": answer.content_type, **answer.headers})
        return response

    def close(self) -> None:
        """Nothing is open."""


class InsideStripe:
    """One account. ``boundary`` is called before and after each request of the portal that really reaches it."""

    def __init__(self, boundary: Callable[[str], None]) -> None:
        self.account = Account(Store(":memory:"), key=KEY)
        self.faults = Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=5000)
        self.api = Api(self.account, self.faults)
        self._control = Control(self.account, self.faults, self.log, Courier(self.account))
        self._boundary = boundary
        self.let_go: dict[str, str] = {}
        """What the portal has captured or canceled, see `books.Books`."""
        self.session: Any = Session(self._answer)

    def _answer(self, asked: Request) -> Answer:
        self._boundary(f"before {asked.method} {asked.path}")
        noted: dict[str, Any] = {
            "method": asked.method,
            "path": asked.path,
            "key": asked.headers.get("idempotency-key"),
        }
        self.log.append(noted)
        held = self._held(asked)
        answer = self.api.answer(asked, noted)
        if held and not self._held(asked):
            self.let_go[held] = noted["key"].split(":")[1]
        self._boundary(f"after {asked.method} {asked.path}")
        return answer

    def _held(self, asked: Request) -> str:
        """The payment that the portal is about to capture or cancel, while it is only authorized."""
        if asked.method != "POST" or not asked.path.endswith(("/capture", "/cancel")):
            return ""
        id_ = asked.path.split("/")[3]
        held = {each["id"] for each in self.objects("payment_intent") if each["status"] == "requires_capture"}
        return id_ if id_ in held else ""

    def reset(self) -> None:
        """An empty account."""
        self.let_go.clear()
        self.faults.clear()
        self.account.reset()
        self.log.clear()

    def control(self, call: str, method: str = "POST", /, **body: Any) -> dict[str, Any]:
        """One call under ``/_control/``; a refusal is returned with its ``error``."""
        return json.loads(self._control.answer(Request(method, f"/_control/{call}", "", {}, json.dumps(body))).body)

    def call(self, path: str, **form: object) -> dict[str, Any]:
        """A POST by the shop's own system, which no fault meets. Raises AssertionError with Stripe's refusal."""
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/x-www-form-urlencoded"}
        faults, self.api.faults = self.api.faults, Faults()
        try:
            answer = self.api.answer(Request("POST", f"/v1/{path}", "", headers, urlencode(form)), {})
        finally:
            self.api.faults = faults
        found: dict[str, Any] = json.loads(answer.body)
        assert answer.status == 200, found
        return found

    def pay(self, amount: int, currency: str, card: str, *, hold: bool = False) -> str:
        """A confirmed PaymentIntent, only authorized if ``hold``; its id."""
        made = self.call(
            "payment_intents", amount=amount, currency=currency.lower(), payment_method=card, confirm="true",
            capture_method="manual" if hold else "automatic",
            **{"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"},
        )  # fmt: skip
        return str(made["id"])

    def version(self) -> int:
        """A number that grows with every change."""
        return self.account.store.version()

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """Everything of a kind, oldest first."""
        return [public(found) for found in self.account.store.all(kind)]

    def ever_succeeded(self) -> set[str]:
        """Refunds that have been `succeeded` at any time: there is an event of each such moment."""
        rows = self.account.store.run(
            "SELECT DISTINCT json_extract(body, '$.data.object.id') FROM objects WHERE kind = 'event' "
            "AND json_extract(body, '$.data.object.object') = 'refund' "
            "AND json_extract(body, '$.data.object.status') = 'succeeded'"
        )
        return {id_ for (id_,) in rows}

    def run_due(self) -> None:
        """Let happen what is due by the clock."""
        settle.run_due(self.account)
