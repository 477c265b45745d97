"""The stand-in for Stripe inside this process: the same API, control and faults, carried by `requests` without sockets.

In: HTTP as stripe-python sends it. Out: what the stand-in would answer, broken connections included. A real socket is used by all
other tests; here a step must cost a millisecond.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from stripe_stand_in import settle
from stripe_stand_in.account import Account, public
from stripe_stand_in.api import Api, Request
from stripe_stand_in.control import Control
from stripe_stand_in.faults import Faults
from stripe_stand_in.store import Store
from stripe_stand_in.webhooks import Courier

KEY, URL, SECRET = "sk_test_inside", "http://stripe.inside", "whsec_inside_0123456789"


class InsideStripe(BaseAdapter):
    """One account. ``boundary`` is called before and after each request that really reaches it."""

    def __init__(self, boundary: Callable[[str], None]) -> None:
        super().__init__()
        self.account = Account(Store(":memory:"), key=KEY)
        self.faults = Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=5000)
        self.api = Api(self.account, self.faults)
        self._control = Control(self.account, self.faults, self.log, Courier(self.account))
        self._boundary = boundary
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount(URL, self)
        self.client = stripe.StripeClient(
            KEY, base_addresses={"api": URL}, max_network_retries=0,
            http_client=stripe.RequestsClient(session=self.session),
        )  # fmt: skip

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer as the network would."""
        body = request.body or b""
        parts = urlsplit(request.url or "")
        asked = Request(
            request.method or "GET", parts.path, parts.query, {k.lower(): v for k, v in request.headers.items()},
            body.decode() if isinstance(body, bytes) else body,
        )  # fmt: skip
        self._boundary(f"before {asked.method} {asked.path}")
        noted: dict[str, Any] = {
            "method": asked.method,
            "path": asked.path,
            "key": asked.headers.get("idempotency-key"),
        }
        self.log.append(noted)
        answer = self.api.answer(asked, noted)
        self._boundary(f"after {asked.method} {asked.path}")
        if answer.drop or answer.cut is not None:
            raise requests.exceptions.ConnectionError("connection reset by peer")
        response = requests.Response()
        response.status_code = answer.status
        response._content = answer.body
        response.headers = CaseInsensitiveDict({"Content-Type": answer.content_type, **answer.headers})
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Nothing is open."""

    def reset(self) -> None:
        """An empty account."""
        self.faults.clear()
        self.account.reset()
        self.log.clear()

    def control(self, call: str, method: str = "POST", /, **body: Any) -> dict[str, Any]:
        """One call under ``/_control/``; a refusal is returned with its ``error``."""
        return json.loads(self._control.answer(Request(method, f"/_control/{call}", "", {}, json.dumps(body))).body)

    def pay(self, amount: int, currency: str, card: str) -> str:
        """A confirmed PaymentIntent; its id."""
        made = self.client.v1.payment_intents.create(
            {
                "amount": amount, "currency": currency.lower(), "payment_method": card, "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )  # fmt: skip
        return made.id

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
