"""The staff's pages: exceptions, returns, the bench, refunds.

In: people of the shop who are signed in. Out: pages that work without JavaScript, redirects (303) after every command.
Invariants: every view names its permission; every command carries the state that the person saw; what somebody typed is kept
when a page comes back. Never: a rule of the trade; the stages decide, these pages ask and show.
"""

from __future__ import annotations

from flask import Flask

from portal.flow import Ports


def register(app: Flask, ports: Ports) -> None:
    """Give ``app`` the staff's pages and their door."""
    # Importing a module gives the blueprint its pages.
    from portal.web.staff import (  # noqa: F401
        accounts,
        base,
        bulk,
        claims,
        decide,
        detail,
        goodwill,
        help,
        kept,
        ledger,
        queue,
        receive,
        reconciliation,
        refund,
        refunds,
        resume,
        returns,
        shortage,
        simulation,
        switch,
    )
    from portal.web.staff.policy import commands, pages, publish, settings  # noqa: F401

    accounts.set_up(app, ports)
    app.jinja_env.globals["form_author"] = resume.author
    app.register_blueprint(base.staff)
