"""Stripe's signature on a webhook. Pure.

In: the raw bytes, the ``Stripe-Signature`` header, the endpoint's secrets, the moment. Out: whether Stripe sent it just now.
Invariants: any of several secrets is enough (while one is rolled over); the comparison takes constant time; an old message is
refused. Never: a blank secret, with which anybody could sign. Source: docs.stripe.com/webhooks, "verify manually".
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

TOLERANCE_S = 300
"""How old a signature may be; Stripe signs anew for each try. One of the future only means that our clock is slow."""


def is_signed(raw_body: bytes, header: str, secrets: Sequence[str], now: datetime) -> bool:
    """True when one of ``secrets`` signed exactly these bytes, not longer ago than the tolerance."""
    stamp, signatures = _read(header)
    if stamp is None or not signatures or now.timestamp() - stamp > TOLERANCE_S:
        return False
    signed = str(stamp).encode() + b"." + raw_body
    valid = False
    for secret in secrets:
        if not secret.strip():
            continue
        expected = hmac.new(secret.encode(), signed, sha256).hexdigest().encode()
        for signature in signatures:
            valid |= hmac.compare_digest(expected, signature)
    return valid


def sign(raw_body: bytes, secret: str, now: datetime) -> str:
    """The header with which Stripe would send these bytes; for tests and for trying a webhook out."""
    stamp = int(now.timestamp())
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw_body, sha256).hexdigest()
    return f"t={stamp},v1={signature}"


def _read(header: str) -> tuple[int | None, list[bytes]]:
    stamp: int | None = None
    signatures: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            stamp = int(value)
        elif name == "v1":
            signatures.append(value.encode("utf-8", "replace"))
    return stamp, signatures
