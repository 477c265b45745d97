"""A program that calls the API: a token, a test client, and orders to return."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from portal import clock
from portal.api import tokens
from portal.flow import Ports
from portal.returns.queries import moment

PROBLEM = "application/problem+json"
_numbers = itertools.count(1)


def order(**changes: Any) -> dict[str, Any]:
    """An order in the contract's shape, delivered three days ago: two jumpers at 20.00, a hat at 15.00, socks at 8.00."""
    delivered = moment(clock.now() - timedelta(days=3))
    common = {"discount": 0, "tax": 0, "tax_included": True, "delivered_at": delivered}
    made: dict[str, Any] = {
        "number": f"API-{next(_numbers)}",
        "placed_at": moment(clock.now() - timedelta(days=6)),
        "email": "ada@example.com",
        "currency": "GBP",
        "customer": {"id": "17850", "name": "Ada Example", "tags": []},
        "locale": "en-GB",
        "channel": "web",
        "ship_to": {
            "name": "Ada Example",
            "lines": ["1 High Street"],
            "city": "Leeds",
            "postcode": "LS1 1AA",
            "country": "GB",
        },
        "lines": [
            {"id": "1", "sku": "JUMPER-M", "name": "Jumper", "quantity": 2, "unit_price": 2000, **common},
            {"id": "2", "sku": "HAT", "name": "Hat", "quantity": 1, "unit_price": 1500, **common},
            {
                "id": "3",
                "sku": "SOCKS",
                "name": "Socks",
                "quantity": 1,
                "unit_price": 800,
                "tags": ["hygiene"],
                **common,
            },
        ],
        "discount": 0,
        "shipping": {"amount": 450, "tax": 75},
    }
    made["payments"] = [{"provider": "stripe", "payment_intent": f"pi_{made['number']}", "captured": 6750}]
    return made | changes


def wish(line: str = "1", quantity: int = 1, **more: Any) -> dict[str, Any]:
    """One entry of ``lines``."""
    return {"line": line, "quantity": quantity, "reason": "changed-mind", "resolution": "refund"} | more


class Api:
    """Calls in process, with an admin token unless another is given."""

    def __init__(self, app: Flask, ports: Ports) -> None:
        self.client, self.ports = app.test_client(), ports
        self.admin = self.token("admin")

    def token(self, *scopes: str) -> str:
        """A fresh token."""
        with self.ports.database.transaction() as tx:
            return tokens.create(tx, name=f"token-{next(_numbers)}", scopes=scopes)

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", token: str | None = None, **more: Any
    ) -> TestResponse:
        """One call; ``token`` empty sends none."""
        headers = dict(more.pop("headers", {}))
        if token != "":
            headers["Authorization"] = f"Bearer {token or self.admin}"
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            more |= {"data": json.dumps(body), "content_type": "application/json"}
        path = path if path.startswith("/api") else f"/api/v1{path}"
        return self.client.open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """A GET."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        """A POST."""
        return self.call("POST", path, body, **more)

    def new_order(self, **changes: Any) -> str:
        """Send an order; its number."""
        made = order(**changes)
        response = self.post("/orders", made)
        assert response.status_code == 201, response.text
        return str(made["number"])

    def book(self, number: str = "", *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Open a return of one jumper, or of ``lines``; what the API answers."""
        body = {"order": number or self.new_order(), "lines": list(lines) or [wish()], **more}
        response = self.post("/returns", body)
        assert response.status_code == 201, response.text
        return dict(response.json)


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The problem document of ``response``, which has that status."""
    assert (response.status_code, response.content_type) == (status, PROBLEM), response.text
    found: dict[str, Any] = response.json
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
