"""What every staff page stands on: who is signed in, what they may do, the frame around the page.

A view names the permission it needs with `needs`; a view without one is refused, so that a forgotten line never opens a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from flask import Blueprint, current_app, flash, g, redirect, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, edge
from portal.db import Actor, Tx
from portal.errors import Forbidden, Invalid
from portal.flow import Ports
from portal.money import Money
from portal.staff import permissions as may
from portal.web.staff import reads, words
from portal.web.staff.text import _

staff = Blueprint("staff", __name__, url_prefix="/staff")
View = TypeVar("View", bound=Callable[..., Any])
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"


class SignInNeeded(Exception):
    """A form came, and its sign-in has ended."""


class Resumed(Invalid):
    """The form is one that was kept while its author signed in again: it is shown, and not carried out."""

    def __init__(self) -> None:
        text = _(
            "You had been signed out, so nothing was carried out. Look at it once more, then press the button again"
        )
        super().__init__(text)


@dataclass(frozen=True)
class Me:
    """Who is signed in."""

    id: int
    email: str
    name: str
    roles: tuple[str, ...]

    @cached_property
    def permissions(self) -> frozenset[str]:
        """Everything this person may do."""
        return may.allowed(self.roles)

    def may(self, permission: str) -> bool:
        """Whether this person has the permission."""
        return permission in self.permissions

    @property
    def actor(self) -> Actor:
        """Who the timeline names."""
        return Actor("staff", self.name, self.id)

    @property
    def initials(self) -> str:
        """``MO`` for Maya Okafor."""
        return initials(self.name)

    @property
    def role(self) -> str:
        """The role in words; the first one of several."""
        words = {
            "owner": _("Owner"),
            "lead": _("Returns lead"),
            "agent": _("Returns agent"),
            "merchant": _("Merchant"),
            "warehouse": _("Warehouse"),
        }
        return next((words[role] for role in self.roles if role in words), "")


def initials(name: str) -> str:
    """The first letters of the first and the last word: ``MO``."""
    words = [word for word in re.split(r"[\s.@_-]+", name) if word]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def ports() -> Ports:
    """Everything outside the program."""
    return cast(Ports, current_app.extensions["portal"])


def me() -> Me:
    """Who is signed in; only pages that need a permission ask."""
    found: Me = g.me
    return found


def read() -> AbstractContextManager[Session]:
    """A session that only reads."""
    return ports().database.read()


def resumed() -> bool:
    """Whether this form is only given back."""
    return "resume" in request.form


def command() -> AbstractContextManager[Tx]:
    """The one transaction of a command of the person who is signed in. Raises `Resumed` for a form that is only given back."""
    if resumed():
        raise Resumed
    return edge.command(ports().database, me().actor)


def limit_minor(currency: str) -> int | None:
    """The most that the person who is signed in gives at once, in minor units; None for any amount."""
    return ports().shop.refunds.limit_minor(me().roles, currency)


def above_limit(total: Money) -> str | None:
    """Why the person who is signed in may not give ``total`` at once; None when they may."""
    most = limit_minor(total.currency)
    if most is None or total.minor <= most:
        return None
    said = words.amount(most, total.currency)
    return _("Your role approves at most %(amount)s. Ask somebody whose role may approve more.", amount=said)


def check_limit(total: Money) -> None:
    """Raises `Forbidden` when the person who is signed in gives less than ``total`` at once."""
    if why := above_limit(total):
        raise Forbidden(why)


MOST_LINKS = 40
"""So many names stand in one message, which travels in the cookie."""


def say(
    title: str,
    tone: str = "green",
    *,
    text: str = "",
    links: Sequence[tuple[str, str]] = (),
    undo: dict[str, Any] | None = None,
) -> None:
    """Say on the next page what was done: a bold sentence, a plain one, what it is about (name and address), and a way back."""
    shown = [list(each) for each in links[:MOST_LINKS]]
    left = max(len(links) - MOST_LINKS, 0)
    # Flask's message is any value that the session can hold.
    flash(cast(str, {"title": title, "text": text, "links": shown, "more": left, "undo": undo}), tone)


def see_other(endpoint: str, **values: Any) -> Response:
    """The answer to every command: look at this page now."""
    return redirect(url_for(endpoint, **values), 303)


_PATH = re.compile(r"/staff(?:/[\w.,:;=@%&?~/+-]*)?(?:\?[\w.,:;=@%&?~/+-]*)?", re.ASCII)


def local_path(text: str | None, default: str = "/staff/") -> str:
    """``text`` if it is a path of the staff's pages, else ``default``: a form may never send people to another site."""
    return text if text and len(text) < 1000 and "//" not in text and _PATH.fullmatch(text) else default


def needs(permission: str, section: str = "") -> Callable[[View], View]:
    """Name the permission of a view, and the entry of the menu it belongs to."""
    if permission not in may.PERMISSIONS:
        raise KeyError(permission)

    def mark(view: View) -> View:
        view.needs_permission = permission  # type: ignore[attr-defined]
        view.menu_section = section  # type: ignore[attr-defined]
        return view

    return mark


def light_menu(*, asked: bool) -> None:
    """Every page about a return lights the exceptions while something is ``asked`` about it, and otherwise all returns."""
    g.menu_section = "exceptions" if asked and me().may(may.SEE_QUEUE) else "returns"


def find_me() -> Me | None:
    """Who is signed in, if anybody is."""
    if not current_user.is_authenticated:
        return None
    roles = tuple(sorted(role.name for role in current_user.roles))
    return Me(current_user.id, current_user.email, current_user.name or current_user.email, roles)


@staff.before_request
def guard() -> Response | None:
    """Only people who are signed in and may see it come further."""
    view = current_app.view_functions[request.endpoint or ""]
    found = find_me()
    if found is None and request.method == "POST":
        raise SignInNeeded
    if found is None:
        here = local_path(request.full_path if request.query_string else request.path)
        target = url_for("staff_door.sign_in", next=here) if here != "/staff/" else url_for("staff_door.sign_in")
        return redirect(target, 303)
    g.me = found
    permission = getattr(view, "needs_permission", None)
    if permission is None or not found.may(permission):
        raise Forbidden(_("Your role, %(role)s, doesn’t have the permission for this.", role=found.role or "–"))
    return None


@staff.context_processor
def frame() -> dict[str, Any]:
    """What the staff's layout needs around a page."""
    if "me" not in g:
        return {"theme": theme()}
    found = me()
    return {
        "me": found,
        "user": {"name": found.name, "role": found.role, "initials": found.initials},
        "nav": Menu(found),
        "theme": theme(),
        "search_url": url_for("staff.search") if found.may(may.SEE_RETURNS) else None,
        "scan_url": url_for("staff.bench") if found.may(may.RECEIVE) else None,
        "switch_url": url_for("staff.switch") if found.may(may.STOP_REFUNDS) else None,
        "help_url": url_for("staff.help_page"),
        "theme_url": url_for("staff_door.set_theme"),
        "sign_out_url": url_for("staff_door.sign_out"),
        "now": clock.now(),
    }


def theme() -> str:
    """The colours this browser asked for."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def counted() -> reads.Counted:
    """The figures of the menu, asked for once a page."""
    if "counted" not in g:
        with read() as session:
            g.counted = reads.nav_counts(session)
    found: reads.Counted = g.counted
    return found


class Menu:
    """The groups of the menu, counted when the layout first asks: an error page asks nothing of the database."""

    def __init__(self, who: Me) -> None:
        self._who = who

    @cached_property
    def _groups(self) -> list[dict[str, Any]]:
        return [group for group in _groups(self._who, counted()) if group["entries"]]

    @property
    def stopped(self) -> tuple[str, str] | None:
        """Who has stopped all refunds, and why; None while they flow."""
        return counted().stopped

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._groups)


def _groups(found: Me, figures: reads.Counted) -> list[dict[str, Any]]:
    section = g.get("menu_section") or getattr(
        current_app.view_functions.get(request.endpoint or ""), "menu_section", ""
    )
    work = (
        (may.SEE_QUEUE, "exceptions", _("Exceptions"), "inbox", "staff.queue", figures.exceptions, None),
        (may.SEE_RETURNS, "returns", _("All returns"), "box", "staff.returns", None, None),
        (may.RECEIVE, "receiving", _("Receiving"), "scan", "staff.bench", figures.parcels, None),
        (may.SEE_REFUNDS, "refunds", _("Refunds"), "card", "staff.refunds", None, figures.refunds),
    )
    manage = ((may.SEE_POLICY, "policy", _("Policy"), "list-check", "staff.policy", None, None),)
    return [
        {
            "title": title,
            "entries": [
                {
                    "text": text,
                    "href": url_for(endpoint),
                    "icon": icon,
                    "count": count,
                    "alert": _("%(count)s to fix", count=alert) if alert else None,
                    "current": section == name,
                }
                for permission, name, text, icon, endpoint, count, alert in known
                if found.may(permission)
            ],
        }
        for title, known in ((None, work), (_("Manage"), manage))
    ]
