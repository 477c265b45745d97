"""What staff do about a refund."""

from __future__ import annotations

from portal.db import Tx
from portal.refunds.models import Refund


def retry(tx: Tx, public_id: str, note: str) -> Refund:
    """A new refund in place of one that failed or was canceled."""
    raise NotImplementedError


def mark_paid_elsewhere(tx: Tx, public_id: str, note: str) -> Refund:
    """Record that the customer was paid by another way."""
    raise NotImplementedError


def declare_unsent(tx: Tx, public_id: str, note: str) -> Refund:
    """Give up an unknown refund that Stripe does not have, a day after it was sent."""
    raise NotImplementedError
