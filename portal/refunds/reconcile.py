"""Comparing with Stripe."""

from __future__ import annotations

from dataclasses import dataclass

from portal.db import Database
from portal.refunds.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same on both sides."""

    what: str
    refund: str
    payment_intent: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found."""

    refunds: int
    payments: int
    differences: tuple[Difference, ...]


def check(database: Database, gateway: Gateway, refund_id: int) -> None:
    """Ask the gateway about one refund and take over what it says."""
    raise NotImplementedError


def sweep(database: Database, gateway: Gateway) -> None:
    """Enqueue a check for every refund that has been silent too long."""
    raise NotImplementedError


def report(database: Database, gateway: Gateway) -> Report:
    """Hold every refund against the gateway, both ways."""
    raise NotImplementedError
