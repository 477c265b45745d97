"""Sending one refund."""

from __future__ import annotations

from portal.db import Database
from portal.refunds.gateway import Gateway


def submit(database: Database, gateway: Gateway, refund_id: int) -> None:
    """Send the refund once, or raise `jobs.Later`."""
    raise NotImplementedError
