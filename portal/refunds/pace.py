"""A gateway that keeps to the speed its service allows, whatever number of workers calls it.

In: any `Gateway` or `Captures`. Out: the same answers, each call when it is its turn. Invariants: all workers together stay below
the shop's ``refunds.per_second`` (every process takes an equal share of it); when the service asks for silence (429 for the
account), every worker of every process keeps it, not only the one that was told. Never: a call dropped or repeated; a wait inside
a transaction.
Source: docs.stripe.com/rate-limits; a 429 for one locked object concerns that object alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from portal import clock, jobs
from portal.db import Database
from portal.errors import UpstreamError
from portal.refunds import gate
from portal.refunds.gateway import Captures, Gateway, PaymentView, RefundRequest, RefundView, Span

SHORT_SILENCE = timedelta(seconds=1)
COUNT_AGAIN = 10.0
"""Seconds after which the workers that share the speed are counted anew."""
Answer = TypeVar("Answer")


class Pace:
    """The speed of one process. ``sleep`` and ``now`` (seconds) are given by tests."""

    def __init__(
        self,
        database: Database,
        per_second: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._per_second = database, per_second
        self._sleep, self._now = sleep, now
        self._lock = threading.Lock()
        self._next = 0.0
        self._sharing, self._counted_at = 1, float("-inf")

    def ask(self, call: Callable[[], Answer], *, looked: bool = False) -> Answer:
        """Make the call when it is its turn. ``looked`` says that the caller has looked at the gate itself."""
        if not looked:
            self._check_silence()
        self._wait_turn()
        try:
            return call()
        except UpstreamError as error:
            if error.slow_down:
                pause = timedelta(seconds=error.retry_after) if error.retry_after else SHORT_SILENCE
                gate.be_quiet(self._database, clock.now() + pause)
            raise

    def _wait_turn(self) -> None:
        with self._lock:
            now = self._now()
            if now - self._counted_at > COUNT_AGAIN:
                with self._database.read() as session:
                    self._sharing = max(jobs.alive(session, clock.now()), 1)
                self._counted_at = now
            turn = max(now, self._next)
            self._next = turn + self._sharing / self._per_second
        if turn > now:
            self._sleep(turn - now)

    def _check_silence(self) -> None:
        with self._database.read() as session:
            until = gate.read(session).quiet_until
        left = (until - clock.now()).total_seconds() if until else 0.0
        if left > 0:
            raise UpstreamError(
                "quiet",
                retryable=True,
                public_message="The payment service is busy. We try again by ourselves.",
                staff_message="Stripe has asked for silence; the portal comes back by itself.",
                retry_after=left,
            )


class PacedGateway:
    """A `Gateway` at this pace."""

    def __init__(self, real: Gateway, pace: Pace) -> None:
        self._real, self._pace = real, pace

    def create_refund(self, request: RefundRequest) -> RefundView:
        """See `Gateway`. Whoever claimed the refund has looked at the gate."""
        return self._pace.ask(lambda: self._real.create_refund(request), looked=True)

    def read_refund(self, refund_id: str) -> RefundView:
        """See `Gateway`."""
        return self._pace.ask(lambda: self._real.read_refund(refund_id))

    def list_refunds(self, of: str | Span) -> list[RefundView]:
        """See `Gateway`."""
        return self._pace.ask(lambda: self._real.list_refunds(of))

    def read_payment(self, payment_intent: str) -> PaymentView:
        """See `Gateway`."""
        return self._pace.ask(lambda: self._real.read_payment(payment_intent))

    def check(self) -> str:
        """See `Gateway`."""
        return self._pace.ask(self._real.check, looked=True)


class PacedCaptures:
    """`Captures` at this pace."""

    def __init__(self, real: Captures, pace: Pace) -> None:
        self._real, self._pace = real, pace

    def cancel_payment(self, payment_intent: str, key: str) -> PaymentView:
        """See `Captures`."""
        return self._pace.ask(lambda: self._real.cancel_payment(payment_intent, key), looked=True)

    def capture_payment(
        self, payment_intent: str, amount_minor: int, currency: str, key: str, *, instead_of: str
    ) -> PaymentView:
        """See `Captures`."""
        return self._pace.ask(
            lambda: self._real.capture_payment(payment_intent, amount_minor, currency, key, instead_of=instead_of),
            looked=True,
        )
