"""Signed webhooks: a background thread delivers queued events until the receiver answers 2xx.

At least once and in no promised order, as at Stripe; each try is signed anew. Source: docs.stripe.com/webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from urllib.parse import urlsplit

from .account import Account, public
from .errors import ApiError, Obj

TIMEOUT = 20
_LONG = 3600.0
_STALE = 3600


def signature(payload: bytes, secrets: list[str], mode: str) -> str | None:
    """The `Stripe-Signature` header: one v1 per secret (two while a secret is being rolled), or a broken one on demand."""
    if mode == "missing":
        return None
    # Signed with this machine's time, not with the account's clock: that is what a receiver compares it with.
    moment = int(time.time()) - (_STALE if mode == "stale" else 0)
    keys = [f"not-{secret}" for secret in secrets] if mode == "wrong" else secrets
    signed = b"%d." % moment + payload
    marks = [f"v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" for key in keys]
    return ",".join([f"t={moment}", *marks])


class Courier(threading.Thread):
    """Delivers what is queued and due, one after the other, until stopped."""

    def __init__(self, account: Account) -> None:
        super().__init__(name="courier", daemon=True)
        self._account = account
        self._stopped = False
        self._busy = False

    def run(self) -> None:
        store, account = self._account.store, self._account
        while not self._stopped:
            seen = account.changes()
            with store.lock:
                rows = store.run(
                    "SELECT seq, event, endpoint, attempts, due FROM deliveries WHERE state = 'queued' ORDER BY due, seq LIMIT 1"
                )
                due = bool(rows) and rows[0][4] <= account.now()
                self._busy = due
            if due:
                self._deliver(*rows[0][:4])
                continue
            account.wait(seen, rows[0][4] - account.now() if rows else _LONG)

    def stop(self) -> None:
        self._stopped = True
        self._account.wake()
        self.join(2)

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until nothing is due or under way; False when that took too long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._account.store.lock:
                sql = "SELECT count(*) FROM deliveries WHERE state = 'queued' AND due <= ?"
                idle = not self._busy and self._account.store.run(sql, self._account.now())[0][0] == 0
            if idle:
                return True
            time.sleep(0.005)
        return False

    def _deliver(self, seq: int, event_id: str, endpoint_id: str, attempts: int) -> None:
        account, store = self._account, self._account.store
        event, endpoint = store.find("event", event_id), store.find("webhook_endpoint", endpoint_id)
        if event is None or endpoint is None:
            store.run("DELETE FROM deliveries WHERE seq = ?", seq)
            return
        payload = json.dumps(public(event)).encode()
        answer = _post(
            endpoint["url"], payload, signature(payload, endpoint["_secrets"], account.settings["webhook_signature"])
        )
        if self._stopped:
            return  # the state may be closed by now; the delivery is still queued and the next start sends it again
        attempts += 1
        delivered = answer.isdecimal() and 200 <= int(answer) < 300
        waits = account.settings["webhook_backoff"]
        state = (
            "delivered"
            if delivered
            else "queued"
            if attempts < account.settings["webhook_tries"] and waits
            else "failed"
        )
        due = account.now() + (waits[min(attempts, len(waits)) - 1] if state == "queued" else 0)
        with store.transaction():
            sql = "UPDATE deliveries SET state = ?, attempts = ?, due = ?, answer = ? WHERE seq = ?"
            store.run(sql, state, attempts, due, answer[:200], seq)
            if (
                delivered
                and event["pending_webhooks"]
                and not store.run("SELECT 1 FROM deliveries WHERE event = ? AND state <> 'delivered' LIMIT 1", event_id)
            ):
                store.save({**event, "pending_webhooks": 0})


def release(account: Account, order: str, only: list[str] | None, seed: int) -> int:
    """Let held deliveries go: in the order of their events (created), the other way round (reverse) or shuffled."""
    if order not in ("created", "reverse", "shuffle"):
        raise ApiError("order must be created, reverse or shuffle.", param="order")
    with account.store.transaction():
        rows = account.store.run("SELECT seq, event FROM deliveries WHERE state = 'held' ORDER BY seq")
        chosen = [seq for seq, event in rows if only is None or event in only]
        if order == "reverse":
            chosen.reverse()
        if order == "shuffle":
            random.Random(seed).shuffle(chosen)
        now = account.now()
        for place, seq in enumerate(chosen):
            # A microsecond apart: the courier goes by the time that is due, and only that tells the wanted order.
            due = now - 1 + place * 1e-6
            account.store.run("UPDATE deliveries SET state = 'queued', due = ? WHERE seq = ?", due, seq)
    account.wake()
    return len(chosen)


def resend(account: Account, event_id: str) -> int:
    """Deliver an event once more to every endpoint, as the Dashboard's button does."""
    with account.store.transaction():
        account.get("event", event_id)
        endpoints = account.store.all("webhook_endpoint")
        for endpoint in endpoints:
            account.queue_delivery(event_id, endpoint["id"])
    account.wake()
    return len(endpoints)


def list_deliveries(account: Account) -> list[Obj]:
    """Every delivery with its state and the receiver's last answer."""
    rows = account.store.run(
        "SELECT d.seq, d.event, o.type, o.source, d.endpoint, d.state, d.attempts, d.answer"
        " FROM deliveries d JOIN objects o ON o.id = d.event ORDER BY d.seq"
    )
    names = ("seq", "event", "type", "object", "endpoint", "state", "attempts", "answer")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _post(url: str, payload: bytes, signed: str | None) -> str:
    """POST to the receiver; its status as text, or what went wrong. Redirects count as failure, as at Stripe."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0 (stand-in)"}
    if signed is not None:
        headers["Stripe-Signature"] = signed
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, payload, headers)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
