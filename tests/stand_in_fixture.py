"""Start the stand-in for Stripe as its own process, talk to its control, and stop it: what every test with Stripe uses.

In: where webhooks go. Out: a `StandInHandle`. Invariants: one process per handle, stopped with the test process at the latest.
Never: a stand-in on an address or a port that somebody else may use.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stripe

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk_test_standin"
WEBHOOK_SECRET = "whsec_standin_0123456789abcdef"
START_LINE = "stand-in for Stripe listening on "


class ControlRefused(AssertionError):
    """A control call was answered with an error; the sentence is the stand-in's."""


class StandInHandle:
    """A running stand-in. ``url`` is the API base, ``key`` the secret key it accepts, ``webhook_secret`` what it signs with."""

    def __init__(self, process: subprocess.Popen[str], url: str, key: str, webhook_secret: str) -> None:
        self.process, self.url, self.key, self.webhook_secret = process, url, key, webhook_secret

    def client(self, **options: Any) -> stripe.StripeClient:
        """stripe-python pointed at it, without retries of its own unless ``options`` say otherwise."""
        options.setdefault("max_network_retries", 0)
        return stripe.StripeClient(self.key, base_addresses={"api": self.url}, **options)

    def control(self, call: str, method: str | None = None, /, **body: Any) -> dict[str, Any]:
        """One call under `/_control/`: POST when there is a body, else GET unless ``method`` says otherwise.

        Raises ControlRefused with the stand-in's sentence.
        """
        verb = method or ("POST" if body else "GET")
        data = json.dumps(body).encode() if verb == "POST" else None
        request = urllib.request.Request(f"{self.url}/_control/{call}", data=data, method=verb)
        try:
            with urllib.request.urlopen(request, timeout=70) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ControlRefused(f"{call}: {error.read().decode()}") from None

    def pay(self, amount: int, currency: str = "gbp", payment_method: str = "pm_card_visa", **more: Any) -> Any:
        """A confirmed PaymentIntent of ``amount`` minor units with its `latest_charge` expanded."""
        params: dict[str, Any] = {
            "amount": amount,
            "currency": currency,
            "payment_method": payment_method,
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "expand": ["latest_charge"],
            **more,
        }
        return self.client().v1.payment_intents.create(params)

    def fault(self, kind: str, /, **how: Any) -> dict[str, Any]:
        """Ask for a fault on the next matching request; fields as in the stand-in's README."""
        return self.control("faults", kind=kind, **how)

    def refunds(self, payment_intent: str | None = None) -> list[dict[str, Any]]:
        """Every refund there is, oldest first; those of one PaymentIntent if it is named."""
        found = self.control("refunds")["data"]
        return [refund for refund in found if payment_intent in (None, refund["payment_intent"])]

    def requests(self, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """The API requests it saw, oldest first, with their idempotency keys."""
        seen = self.control("requests")["data"]
        return [one for one in seen if method in (None, one["method"]) and path in (None, one["path"])]

    def set_webhook(self, url: str, *secrets: str) -> None:
        """Send events there from now on (one receiver); two secrets sign as during a roll."""
        self.control("webhooks", url=url, secrets=list(secrets or (self.webhook_secret,)))

    def wait_for_webhooks(self, seconds: int = 10) -> None:
        """Return when every due delivery was tried."""
        assert self.control("webhooks/wait", seconds=seconds)["idle"], "deliveries are still waiting"

    def reset(self) -> None:
        """Forget everything but the webhook receiver."""
        self.control("reset", "POST")

    def stop(self) -> None:
        """Stop the process and wait for its end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_stand_in(
    webhook_url: str | None = None,
    webhook_secret: str = WEBHOOK_SECRET,
    *,
    key: str = KEY,
    state: str = ":memory:",
    port: int = 0,
    settle_after: float | None = None,
) -> StandInHandle:
    """Start a stand-in on a free port and wait for the line that says where. It ends with this process."""
    command = [sys.executable, "-m", "stripe_stand_in", "--port", str(port), "--key", key, "--state", state]
    command += ["--until-stdin-closes"]
    if webhook_url:
        command += ["--webhook-url", webhook_url, "--webhook-secret", webhook_secret]
    if settle_after is not None:
        command += ["--settle-after", str(settle_after)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line.startswith(START_LINE):
        process.kill()
        raise RuntimeError(f"the stand-in did not start: {line!r}")
    return StandInHandle(process, line.removeprefix(START_LINE), key, webhook_secret)


@contextmanager
def running_stand_in(*args: Any, **options: Any) -> Iterator[StandInHandle]:
    """`start_stand_in` that stops when the block ends."""
    handle = start_stand_in(*args, **options)
    try:
        yield handle
    finally:
        handle.stop()
