"""Goods sent in place of goods returned."""

from __future__ import annotations

from portal.db import Tx


def reserve(tx: Tx, return_id: int) -> None:
    """Hold stock for the exchange lines of a booked return. Raises `Conflict` when it has gone."""
    raise NotImplementedError


def release(tx: Tx, return_id: int) -> None:
    """Give held stock back."""
    raise NotImplementedError


def order_replacements(tx: Tx, return_id: int) -> None:
    """Write the replacement order once the goods have come."""
    raise NotImplementedError
