"""The first answer to an ``Idempotency-Key``, given again; written in the same transaction as what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Request
from sqlalchemy import delete, select

from portal.api.models import IdempotentAnswer
from portal.db import Tx
from portal.errors import Invalid

HEADER = "Idempotency-Key"
MAX_KEY = 255
LIFE = timedelta(hours=24)
FORGOTTEN_AT_ONCE = 10
Answer = tuple[int, dict[str, Any]]


def key_of(request: Request) -> str | None:
    """The caller's key. Raises `Invalid` for one that is empty, too long or not printable."""
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
        raise Invalid("The Idempotency-Key is unusable.", {HEADER: f"send 1 to {MAX_KEY} printable characters"})
    return key


def once(tx: Tx, token_id: int, request: Request, act: Callable[[], Answer]) -> tuple[Answer, bool]:
    """The remembered answer of this call, or that of ``act``, remembered. The flag says that it is a replay.

    A key that comes back with another method, path or body is `Invalid`. Two calls with one key at the same moment: the
    unique row lets one through, the other becomes a 409 at the edge. An error is not remembered, because nothing was done.
    """
    key = key_of(request)
    if key is None:
        return act(), False
    content = b"\n".join((request.method.encode(), request.path.encode(), request.get_data()))
    fingerprint = hashlib.sha256(content).hexdigest()
    mine = (IdempotentAnswer.token_id == token_id, IdempotentAnswer.key == key)
    tx.session.execute(delete(IdempotentAnswer).where(*mine, IdempotentAnswer.created_at < tx.at - LIFE))
    _forget_oldest(tx)
    found = tx.session.scalar(select(IdempotentAnswer).where(*mine))
    if found is not None:
        if found.fingerprint != fingerprint:
            raise Invalid("This Idempotency-Key was used for another call.", {HEADER: "use a new key for a new call"})
        return (found.status, found.body), True
    row = IdempotentAnswer(token_id=token_id, key=key, fingerprint=fingerprint, status=0, body={}, created_at=tx.at)
    tx.session.add(row)
    # Flushed before the work, so that the second of two equal calls waits here and not after half of it.
    tx.session.flush()
    row.status, row.body = act()
    return (row.status, row.body), False


def _forget_oldest(tx: Tx) -> None:
    # Each new key removes more old answers than it adds, so the table holds about a day. The oldest have the lowest ids, which
    # needs no index of its own; rows that another call is removing are left to it instead of being waited for.
    oldest = select(IdempotentAnswer.id).order_by(IdempotentAnswer.id).limit(FORGOTTEN_AT_ONCE)
    tx.session.execute(
        delete(IdempotentAnswer)
        .where(
            IdempotentAnswer.id.in_(oldest.with_for_update(skip_locked=True)),
            IdempotentAnswer.created_at < tx.at - LIFE,
        )
        .execution_options(synchronize_session=False)
    )
