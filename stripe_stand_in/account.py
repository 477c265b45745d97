"""The one account behind the stand-in: its clock, its settings, its events, and transactions that tie them together."""

from __future__ import annotations

import random
import string
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import API_VERSION
from .errors import ApiError, Obj, missing_object
from .store import Store

_LOOK_AGAIN = 0.5
_LETTERS = string.ascii_letters + string.digits

SETTINGS: Obj = {
    # Seconds until a pending refund succeeds and a refund to pm_card_refundFail fails; None: only by a control call.
    "settle_after": None,
    # Seconds until a succeeded card refund shows its bank reference (ARN); None: only by a control call.
    "reference_after": None,
    # A refund made within so many seconds of its charge is a reversal and never has a reference.
    "reversal_within": 0,
    # Statuses of the next refunds, used up one by one: pending, succeeded, requires_action, failed …
    "next_refunds": [],
    # What an empty balance does to a card refund: "pending" as cards usually do, or "refuse" (balance_insufficient).
    "short_balance": "pending",
    # Whether a card whose refund failed may be refunded again: "allow", or "refuse" as some accounts report.
    "refund_after_failure": "allow",
    # Every API call takes so many milliseconds, its idempotency key being in use meanwhile.
    "latency_ms": 0,
    # Calls per second before 429; None: no limit.
    "rate_limit": None,
    # Webhooks: delivery on, hold (kept for a release) or off (never sent, still listed); signature good, wrong, stale or
    # missing; copies of each delivery; clone: two Event objects for one change; reverse: a request's events last first.
    "webhook_delivery": "on",
    "webhook_signature": "good",
    "webhook_copies": 1,
    "webhook_clone": False,
    "webhook_reverse": False,
    # Waits between tries, in seconds; the last one repeats until the tries are used up.
    "webhook_backoff": [0.5, 1, 2, 5, 10, 30, 60],
    "webhook_tries": 16,
}
CHOICES: dict[str, tuple[str, ...]] = {
    "short_balance": ("pending", "refuse"),
    "refund_after_failure": ("allow", "refuse"),
    "webhook_delivery": ("on", "hold", "off"),
    "webhook_signature": ("good", "wrong", "stale", "missing"),
}


def new_id(prefix: str) -> str:
    """An id in Stripe's look; nothing but its prefix means anything."""
    return f"{prefix}_3" + "".join(random.choices(_LETTERS, k=23))


@dataclass(frozen=True)
class Caller:
    """Which API request an event names as its cause; both None for what happened by itself or in the Dashboard."""

    request: str | None = None
    idempotency_key: str | None = None


class Account:
    """State, clock and settings. Whoever changes something does so inside `transaction`."""

    def __init__(self, store: Store, *, key: str, defaults: Obj | None = None) -> None:
        self.store = store
        self.key = key
        self._changed = threading.Condition()
        self._changes = 0
        self._defaults = {**SETTINGS, **(defaults or {})}
        self.settings = {**self._defaults, **(store.get_meta("settings") or {})}
        self._offset = float(store.get_meta("clock_offset") or 0)
        self._caller = Caller()
        self._emitted: list[str] = []

    # -- clock ---------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since 1970 by the stand-in's own clock, which a control call can move forward."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock on; what became due happens by the background threads or `settle.run_due`."""
        with self.store.transaction():
            self._offset += seconds
            self.store.set_meta("clock_offset", self._offset)
        self.wake()

    def wake(self) -> None:
        """Tell the background threads to look again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def changes(self) -> int:
        """How often something changed; read it before looking, so that `wait` misses nothing that comes after."""
        return self._changes

    def wait(self, seen: int, seconds: float) -> None:
        """Wait for a change after the ``seen``-th, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, min(max(seconds, 0.001), _LOOK_AGAIN))

    # -- settings ------------------------------------------------------------------------------------------------

    def configure(self, changes: Obj) -> None:
        """Set some of `SETTINGS`; remembered with the state. Raises ApiError naming an unknown or impossible one."""
        for name, value in changes.items():
            if name not in SETTINGS:
                raise ApiError(f"Unknown setting {name!r}; there are: {', '.join(sorted(SETTINGS))}.", param=name)
            if name in CHOICES and value not in CHOICES[name]:
                raise ApiError(f"{name} must be one of {', '.join(CHOICES[name])}.", param=name)
            if not _fits(SETTINGS[name], value):
                raise ApiError(f"{name} cannot be {value!r}.", param=name)
        with self.store.transaction():
            self.settings.update(changes)
            self._remember_settings()
        self.wake()

    def take_planned_status(self) -> str | None:
        """The status that a control call wants the next refund to start as; it counts once."""
        planned = self.settings["next_refunds"]
        if not planned:
            return None
        self.settings["next_refunds"] = planned[1:]
        self._remember_settings()
        return str(planned[0])

    def _remember_settings(self) -> None:
        changed = {name: value for name, value in self.settings.items() if value != self._defaults[name]}
        self.store.set_meta("settings", changed)

    def reset(self) -> None:
        """An empty account with the start's settings and today's clock. Webhook endpoints are the caller's to restore."""
        with self.store.lock:
            self.store.clear()
            self.settings = dict(self._defaults)
            self._offset = 0.0

    # -- objects -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, caller: Caller | None = None) -> Iterator[None]:
        """One change with its events: all of it is committed or none. Deliveries are queued with it."""
        with self.store.transaction():
            self._caller, self._emitted = caller or Caller(), []
            try:
                yield
                self._queue_deliveries()
                emitted = bool(self._emitted)
            finally:
                self._caller, self._emitted = Caller(), []
        if emitted:
            self.wake()

    def get(self, kind: str, id_: str, param: str = "id") -> Obj:
        """The object, or 404 as Stripe words it."""
        found = self.store.find(kind, id_)
        if found is None:
            raise missing_object(kind, id_, param)
        return found

    def emit(self, type_: str, subject: Obj, previous: Obj | None = None) -> None:
        """Store an Event (two when clones are asked for) showing ``subject`` as it is now."""
        data: Obj = {"object": public(subject)}
        if previous is not None:
            data["previous_attributes"] = previous
        endpoints = len(self.store.all("webhook_endpoint"))
        for _ in range(2 if self.settings["webhook_clone"] else 1):
            event = {
                "id": new_id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": int(self.now()),
                "data": data,
                "livemode": False,
                "pending_webhooks": endpoints,
                "request": {"id": self._caller.request, "idempotency_key": self._caller.idempotency_key},
                "type": type_,
                # So that events can be found by what they are about; never shown.
                "_source": subject["id"],
            }
            self.store.insert(event)
            self._emitted.append(event["id"])

    def _queue_deliveries(self) -> None:
        mode = self.settings["webhook_delivery"]
        events = self._emitted[::-1] if self.settings["webhook_reverse"] else self._emitted
        endpoints = self.store.all("webhook_endpoint") if events and mode != "off" else []
        for event in events:
            for endpoint in endpoints:
                wanted = endpoint["enabled_events"]
                if "*" in wanted or self.store.get_type(event) in wanted:
                    for _ in range(self.settings["webhook_copies"]):
                        self.queue_delivery(event, endpoint["id"], "held" if mode == "hold" else "queued")

    def queue_delivery(self, event: str, endpoint: str, state: str = "queued") -> None:
        """One more delivery of an event to an endpoint, due now."""
        self.store.run(
            "INSERT INTO deliveries (event, endpoint, due, state) VALUES (?,?,?,?)", event, endpoint, self.now(), state
        )


def public(body: Obj) -> Obj:
    """The object without what only the stand-in knows about it (names that start with an underscore)."""
    return {name: value for name, value in body.items() if not name.startswith("_")}


def _fits(example: Any, value: Any) -> bool:
    if isinstance(example, bool):
        return isinstance(value, bool)
    if isinstance(example, str):
        return isinstance(value, str)
    if isinstance(example, list):
        return isinstance(value, list) and all(isinstance(item, str | int | float) for item in value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**9
    return number or (example is None and value is None)
