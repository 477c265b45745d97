"""Planning a payout."""

from __future__ import annotations

from portal.db import Tx
from portal.shop import Shop


def plan_when_due(tx: Tx, return_id: int, moment: str, shop: Shop) -> None:
    """Write the refunds, credit and replacement that are due at ``moment`` (authorized, in_transit, received, inspected)."""
    raise NotImplementedError


def resume(tx: Tx, return_id: int, shop: Shop) -> None:
    """Plan what is due by the return's present status, after a review that held it back was settled."""
    raise NotImplementedError


def close_when_settled(tx: Tx, return_id: int) -> None:
    """Close the return once goods are in and every part of its money has succeeded."""
    raise NotImplementedError
