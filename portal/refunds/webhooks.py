"""Stripe's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from portal.db import Database
from portal.errors import Invalid
from portal.refunds.gateway import Gateway


class Rejected(Invalid):
    """A message that Stripe did not sign, or that is no message."""

    status = 400
    code = "bad_signature"


def store(database: Database, secrets: Sequence[str], raw_body: bytes, signature_header: str, now: datetime) -> bool:
    """Keep a signed message once and enqueue its work. False when it was known. Raises `Rejected`."""
    raise NotImplementedError


def work(database: Database, gateway: Gateway, event_id: str) -> None:
    """Look at what the message hints at."""
    raise NotImplementedError
