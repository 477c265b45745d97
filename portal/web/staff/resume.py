"""A form that came after its sign-in: kept, and given back filled in to who wrote it, for that person to send once more.

The form of every page names its author, signed, so that a browser without its cookie, or with somebody else's, shows nothing of
it to another person. Given back, it is sent to its own page with ``resume``: the page reads it as ever, `base.command` refuses to
begin, and the page comes back as after any mistake, with all that was typed. So no form needs to be taught this.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from flask import current_app, flash, g, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from portal import edge, ids
from portal.db import Actor
from portal.errors import TooManyTries
from portal.staff import forms
from portal.staff import permissions as may
from portal.web.origin import from_here
from portal.web.staff.base import Resumed, SignInNeeded, find_me, local_path, me, needs, ports, read, staff
from portal.web.staff.text import _

BY, RESUME = "by", "resume"
_OWN = ("csrf_token", BY, RESUME)
"""Fields of a form that say nothing of what somebody meant."""


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(cast(str, current_app.secret_key), salt="form-author")


def author() -> str:
    """The mark of who is signed in, for a form; empty on a page that nobody is signed in for."""
    if "me" not in g:
        return ""
    if "form_author" not in g:
        g.form_author = _signer().dumps(me().id)
    return cast(str, g.form_author)


def _written_by() -> int | None:
    """Whose form this is; None for one that no page of ours has made."""
    try:
        found = _signer().loads(request.form.get(BY, ""))
    except BadSignature:
        return None
    return found if isinstance(found, int) else None


@staff.errorhandler(SignInNeeded)
def sign_in_first(_error: SignInNeeded) -> Response:
    """The sign-in has ended: what was typed is kept until the next one."""
    return _back_by_sign_in(_written_by() if from_here() else None)


@staff.errorhandler(CSRFError)
def not_of_this_sign_in(_error: CSRFError) -> Response:
    """The form was written in a sign-in that is over, while its cookie is gone or belongs to a later one."""
    written_by, who = _written_by() if from_here() else None, find_me()
    if who is None:
        return _back_by_sign_in(written_by)
    if written_by is None:
        return make_response(render_template("errors/400.html", message=None, expired=True), 400)
    if written_by != who.id:
        said = _("Somebody else had written this form, so nothing was carried out.")
        return make_response(render_template("errors/403.html", message=said), 403)
    return redirect(_keep(written_by) or url_for("staff.queue"), 303)


def _back_by_sign_in(written_by: int | None) -> Response:
    kept = None if written_by is None else _keep(written_by)
    return redirect(url_for("staff_door.sign_in", next=kept), 303)


def _keep(written_by: int) -> str | None:
    """Where the form is given back; None when so many were kept for this address that no more are."""
    try:
        edge.limit_writes(ports().database, request.remote_addr or "")
    except TooManyTries:
        return None
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in _OWN and ids.is_text(name) and ids.is_text(value)
    ]
    came_from = urlsplit(request.referrer or "")
    page = local_path(f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path)
    with edge.command(ports().database, Actor("system", "sign-in")) as tx:
        token = forms.keep(tx, written_by, path=local_path(request.path), page=page, fields=fields)
    return url_for("staff.again", token=token)


@staff.get("/again/<token>")
@needs(may.SEE_RETURNS)
def again(token: str) -> Response | str:
    """One press, or a script, brings the form back. Nothing of it is shown to anybody but who wrote it."""
    with read() as session:
        kept = forms.find(session, token, me().id)
        if kept is None:
            flash(_("What was typed before is not yours, or it is older than a day. Nothing was carried out."), "amber")
            return redirect(url_for("staff.queue"), 303)
        return render_template("staff/again.html", kept=kept)


@staff.errorhandler(Resumed)
def nowhere_to_show(error: Resumed) -> Response:
    """A form of buttons alone, which has nothing to fill in: back to its page."""
    flash(error.message, "amber")
    with read() as session:
        kept = forms.find(session, request.form[RESUME], me().id)
        return redirect(kept.page if kept is not None else url_for("staff.queue"), 303)
