"""When a session has ended in the middle of a form: what is safe, what was written, and the way back to the same page.

In: a request that came too late, or without its cookie. Out: the look-up, which leads back, or a page that shows what was typed.
Never: a word about the order, which this session may not see; text that another site has sent.
"""

from __future__ import annotations

from flask import flash, request, session, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from portal.web.customer.base import LookupNeeded, page, pages, see
from portal.web.customer.words import _
from portal.web.origin import from_here

LONGEST = 4_000


@pages.errorhandler(LookupNeeded)
def ask_to_look_up(_error: LookupNeeded) -> Response | tuple[str, int]:
    """One answer for an order that is unknown, foreign, or was opened too long ago."""
    if texts := _typed():
        return _explain(texts, 403)
    flash(_("Find your order to go on. For your safety we ask for it again after two hours."), "blue")
    return see("lookup", **_way_back())


@pages.errorhandler(CSRFError)
def form_without_session(_error: CSRFError) -> tuple[str, int]:
    """The form's cookie is gone: it was deleted, or the session has ended."""
    return _explain(_typed(), 400)


def _explain(texts: list[str], status: int) -> tuple[str, int]:
    given = request.view_args or {}
    if "rma" in given:
        link, number = url_for("customer.track", **{"return": str(given["rma"])}), ""  # type: ignore[arg-type]
    else:
        number = str(given.get("number", ""))
        link = url_for("customer.lookup", order=number, then=_way_back()["then"]) if number else request.path
    return page("again", status=status, texts=texts, link=link, number=number, kept="drafts" in session)


def _way_back() -> dict[str, str]:
    """The order's number and the page below it, for the look-up's address."""
    number = str((request.view_args or {}).get("number", ""))
    if not number:
        return {}
    return {"order": number, "then": request.path.removeprefix(f"/order/{number}/")}


def _typed() -> list[str]:
    """What somebody wrote in sentences."""
    if request.method != "POST" or not from_here():
        return []
    names = [name for name in list(request.form)[:50] if name in ("note", "answer") or name.startswith("answer-")]
    return [text for name in names if (text := request.form[name].strip()[:LONGEST])]
