"""Idempotency keys as Stripe's API v1 treats them.

Saved: status and body of the first request once its endpoint began executing, 500s included. Not saved: parameter errors and
requests that collide with one in progress. A key lives 24 hours; after that the same key runs again.
Sources: docs.stripe.com/api/idempotent_requests, docs.stripe.com/error-low-level.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from .account import Account
from .errors import ApiError, Obj

LIFE = 24 * 3600
LONGEST = 255


@dataclass(frozen=True)
class Saved:
    """The answer of the first request with a key, and that request's id."""

    status: int
    body: bytes
    request: str


class Keys:
    """Which keys ran, with which parameters, and which are running now. A running key does not survive the process."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: dict[str, tuple[str, str]] = {}

    def begin(self, key: str, endpoint: str, params: Obj) -> Saved | None:
        """The saved answer, or None after marking the key as running: then `save` or `forget`, and `end`, must follow.

        Raises 400 `idempotency_error` for other parameters or another endpoint, 409 while the first request runs.
        """
        if not key or len(key) > LONGEST:
            raise ApiError(
                f"Idempotency keys must be between 1 and {LONGEST} characters long.",
                type="idempotency_error",
                saved=False,
            )
        asked = (endpoint, _fingerprint(params))
        store = self._account.store
        with store.lock:
            if key in self._running:
                _same(key, asked, self._running[key])
                raise in_use(key)
            rows = store.run("SELECT endpoint, params, status, body, request, created FROM keys WHERE key = ?", key)
            if rows and self._account.now() - rows[0][5] < LIFE:
                _same(key, asked, rows[0][:2])
                return Saved(*rows[0][2:5])
            self._running[key] = asked
            return None

    def save(self, key: str, status: int, body: bytes, request: str) -> None:
        """Keep the answer; call it inside the transaction of the effect."""
        endpoint, params = self._running[key]
        values = (key, endpoint, params, status, body, request, self._account.now())
        self._account.store.run("INSERT OR REPLACE INTO keys VALUES (?,?,?,?,?,?,?)", *values)

    def end(self, key: str) -> None:
        """The request with this key is over, however it ended."""
        with self._account.store.lock:
            self._running.pop(key, None)


def in_use(key: str) -> ApiError:
    """409: somebody is at it."""
    return ApiError(
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, "
        f"and the other request is still going through): {key}. Please try again later.",
        status=409, code="idempotency_key_in_use", saved=False,
    )  # fmt: skip


def _same(key: str, asked: tuple[str, str], first: tuple[str, str]) -> None:
    if asked[0] != first[0]:
        only = f"for the same endpoint they were first used for ('{first[0]}' vs '{asked[0]}')"
    elif asked[1] != first[1]:
        only = "with the same parameters they were first used with"
    else:
        return
    raise ApiError(
        f"Keys for idempotent requests can only be used {only}. Try using a key other than '{key}' if you meant to execute a "
        "different request.", type="idempotency_error", saved=False,
    )  # fmt: skip


def _fingerprint(params: Obj) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
