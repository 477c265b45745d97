"""The customer's pages: find the order, choose, see the money, book, follow.

In: forms and links of somebody who has named an order. Out: pages that work without JavaScript; 303 after every command.
Invariants: nothing about an order or a return before its number and its e-mail or postcode (or the mailed link) matched in this
session; unknown and foreign things look the same; a GET never writes; what somebody typed is kept when a page comes back.
Never: an amount, a date or a refusal of its own; the stages decide, these pages ask and show.

    lookup -> items -> item (one page each) -> send -> review -> booked -> status
"""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from portal.flow import Ports
from portal.web.customer.base import pages

VIEWS = (
    "again",
    "kept",
    "lookup",
    "policy",
    "withdrawal",
    "items",
    "item",
    "photos",
    "send",
    "review",
    "booked",
    "papers",
    "status",
    "answer",
    "gifts",
)
"""The modules with views, in the order in which a customer meets them."""


def register(app: Flask, ports: Ports) -> None:
    """Give ``app`` the customer's pages."""
    for name in VIEWS:
        # Importing a module adds its views to the blueprint.
        import_module(f"portal.web.customer.{name}")
    app.register_blueprint(pages)
