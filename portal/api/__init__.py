"""The API: the same services as the pages, for programs.

In: JSON with a bearer token. Out: the shapes of the contract, problem documents for every error.
Invariants: every answer is documented in `/api/v1/openapi.json`; an `Idempotency-Key` gives the first answer again.
Never: a 5xx for anything that a client sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Blueprint


def register(app: APIFlask) -> tuple[Blueprint, ...]:
    """Give ``app`` the API under `/api/v1`, its description, and Stripe's hook; their blueprints."""
    from portal.api import description

    return description.register(app)
