"""The pages: customers' and staff's, health and metrics.

In: forms and links. Out: HTML that works without JavaScript, redirects (303) after every command.
Invariants: a GET never writes; every POST carries a CSRF token; a strict Content-Security-Policy without inline code; nothing
personal before an order was matched. Never: a rule of the trade; views parse, call one service, and answer.
"""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from portal.flow import Ports
from portal.web import health, render, security

csrf = CSRFProtect()


def register(app: Flask, ports: Ports) -> None:
    """Give ``app`` the pages of the portal."""
    security.set_up(app, ports.config)
    csrf.init_app(app)
    render.set_up(app, ports)
    health.register(app, ports)
    from portal.web import customer, mailbox, staff, widget

    customer.register(app, ports)
    staff.register(app, ports)
    mailbox.register(app, ports)
    widget.register(app, ports)
