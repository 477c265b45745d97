"""What every customer page stands on: the ports, how the reader is spoken to, and the way back to the look-up."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import date
from typing import Any, cast

from babel.dates import format_date
from email_validator import EmailNotValidError, validate_email
from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, edge, i18n
from portal.db import Actor, Tx
from portal.flow import Ports
from portal.notices.speech import Speech
from portal.returns.photos import KINDS
from portal.web.render import locale

pages = Blueprint("customer", __name__)
LONGEST_EMAIL = 320
Errors = list[tuple[str, str]]
"""(id of the control, message) in the order of the page; the summary and the fields show the same words."""


class LookupNeeded(Exception):
    """This session may not see the order or return; whether it exists is not said."""


def ports() -> Ports:
    """Everything outside the program."""
    return cast(Ports, current_app.extensions["portal"])


def read() -> AbstractContextManager[Session]:
    """A session that only reads."""
    return ports().database.read()


def command(name: str = "") -> AbstractContextManager[Tx]:
    """The one transaction of a customer's command; ``name`` is what the timeline shows."""
    return edge.command(ports().database, Actor("customer", name or "Customer"))


def limit_writes() -> None:
    """Count a command that leaves something behind against the visitor's address. Raises `TooManyTries`."""
    edge.limit_writes(ports().database, request.remote_addr or "")


def speech() -> Speech:
    """Words, amounts and dates for the reader of this request."""
    if "speech" not in g:
        shop = ports().shop
        g.speech = Speech.of(i18n.reader(locale(), shop.locale), shop.timezone)
    return cast(Speech, g.speech)


def money(minor: int, currency: str, *, signed: bool = False) -> str:
    """An amount as the page shows it."""
    return speech().money(minor, currency, signed=signed)


def today() -> date:
    """The day in the shop's calendar."""
    return clock.local_date(clock.now(), ports().shop.timezone)


def see(endpoint: str, anchor: str = "", **values: Any) -> Response:
    """The answer to every command: look at this page now."""
    return redirect(url_for(f"customer.{endpoint}", _anchor=anchor or None, **values), 303)


def page(template: str, errors: Errors | None = None, status: int = 200, **values: Any) -> tuple[str, int]:
    """A page; with ``errors`` it is 422, its title says so and its summary lists them."""
    found = errors or []
    html = render_template(f"customer/{template}.html", errors=found, wrong=dict(found), photo_kinds=KINDS, **values)
    return html, 422 if found and status == 200 else status


def typed(name: str, longest: int) -> str:
    """A field's text without what no database stores and without blanks around it, cut at ``longest`` signs."""
    text = request.form.get(name, "")
    return "".join(sign for sign in text if sign >= " " or sign in "\n\t").strip()[:longest]


def typed_email() -> tuple[str, Errors]:
    """The address that was typed, in its normal form; as it was typed, with what is wrong, when it is none."""
    email = typed("email", LONGEST_EMAIL)
    try:
        return (validate_email(email, check_deliverability=False).normalized if email else ""), []
    except EmailNotValidError:
        return email, [("email", speech().gettext("Enter an e-mail address in the right form, like name@example.com"))]


@pages.app_template_filter("month")
def month(value: date) -> str:
    """``Dec``, for the leaf of a calendar."""
    return format_date(value, "MMM", speech().locale)
