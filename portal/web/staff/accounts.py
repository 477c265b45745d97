"""The door: sign in, stay signed in for a while, sign out. Flask-Security compares passwords and keeps the cookie's part.

The library's own pages are not registered: of them only two are wanted, and both have more to do here (limits, sign-ins that
end on the server). Auth tokens, "remember me" and JSON sign-in are off.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import cast

from flask import (
    Blueprint,
    Flask,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_security import Security, UserDatastore, login_user, logout_user
from flask_security.forms import LoginForm
from flask_security.mail_util import EmailValidateException
from flask_wtf.csrf import CSRFError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal import clock, edge
from portal.db import Actor, Database
from portal.flow import Ports
from portal.staff import queries, service
from portal.staff.models import Role, User
from portal.web.origin import from_here
from portal.web.staff.base import THEME_COOKIE, THEMES, find_me, local_path, ports, theme
from portal.web.staff.text import _

IDLE = timedelta(hours=2)
"""Who has not looked at a page for so long is signed out."""
ABSOLUTE = timedelta(hours=12)
"""And so is everybody after this, however busy."""
TOUCH_SECONDS = 60
"""How exactly idleness is known; the cookie is written anew once a minute at most."""

door = Blueprint("staff_door", __name__, url_prefix="/staff")


class People(UserDatastore):
    """Our people as Flask-Security asks for them; every look is a short session of its own, and a page never writes."""

    def __init__(self, database: Database) -> None:
        super().__init__(User, Role)
        self.database = database

    def find_user(self, case_insensitive: bool = False, **by: object) -> User | None:
        """A person by ``email`` or ``fs_uniquifier``."""
        with self.database.read() as rows:
            if "email" in by:
                found = queries.find_by_email(rows, str(by["email"]))
            else:
                found = queries.find_by_uniquifier(rows, str(by["fs_uniquifier"]))
            rows.expunge_all()
            return found

    def find_role(self, role: str) -> Role | None:
        """A role by its name."""
        with self.database.read() as rows:
            found = queries.find_role(rows, role)
            rows.expunge_all()
            return found

    def put(self, model: User) -> User:
        """Keep a password whose hash was renewed at sign-in; nothing else of a person changes through the library."""
        with self.database.transaction() as tx:
            user = tx.session.get_one(User, model.id)
            user.password = model.password
        return model

    def commit(self) -> None:
        """`put` is whole by itself."""


class SignInForm(LoginForm):
    """E-mail and password. A cookie that outlives the browser is not offered."""

    remember = None

    def validate_next(self, field: object) -> None:
        """Where to go on is not the form's business; `local_path` decides."""


def set_up(app: Flask, given: Ports) -> None:
    """Give the app its door. Argon2 alone, answers that don't say which part was wrong, no cookie but the session's."""
    app.config.update(
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 (a scheme, no password)
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_PASSWORD_SINGLE_HASH={"argon2"},
        SECURITY_PASSWORD_LENGTH_MIN=service.PASSWORD_MIN,
        SECURITY_PASSWORD_NORMALIZE_FORM=service.NORMAL_FORM,
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_DEFAULT_REMEMBER_ME=False,
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"test_environment": True},
        SECURITY_FLASH_MESSAGES=False,
        SECURITY_CLI_USERS_NAME="",
        SECURITY_CLI_ROLES_NAME="",
    )
    security = Security(app, People(given.database), register_blueprint=False, login_form=SignInForm)
    security.login_manager.request_loader(None)
    security.login_manager.user_loader(lambda uniquifier: _signed_in(given.database, str(uniquifier)))
    # Roles are asked of the person, not of Flask-Principal, which would look at the cookie on every page of the portal.
    security.principal.identity_loaders.clear()
    app.register_blueprint(door)
    app.after_request(_keep_alive)


def _signed_in(database: Database, uniquifier: str) -> User | None:
    token, seen = session.get("staff"), session.get("seen")
    now = int(time.time())
    if not isinstance(token, str) or not isinstance(seen, int) or now - seen > IDLE.total_seconds():
        return None
    with database.read() as rows:
        found = queries.find_signed_in(rows, uniquifier, token, begun_after=clock.now() - ABSOLUTE)
        rows.expunge_all()
        return found


def _keep_alive(response: Response) -> Response:
    if request.blueprint == "staff" and "me" in g and int(time.time()) - session.get("seen", 0) > TOUCH_SECONDS:
        session["seen"] = int(time.time())
    return response


@door.get("/sign-in")
def sign_in() -> Response | str:
    """The form; who is signed in already goes on."""
    if find_me() is not None:
        return redirect(local_path(request.args.get("next")), 303)
    return _form(local_path(request.args.get("next")))


@door.post("/sign-in")
def try_sign_in() -> Response | str:
    """Compare, and begin a sign-in. Every try that fails counts against the account and the address, known or not."""
    email = request.form.get("email", "").strip()[:320]
    target = local_path(request.form.get("next"))
    looked_up = _looked_up(email)
    edge.limit_sign_in(ports().database, request.remote_addr or "", looked_up.casefold())
    if len(request.form.get("password", "")) > service.PASSWORD_MAX:
        return make_response(_form(target, email, wrong=True), 422)
    form = SignInForm(MultiDict({**request.form.to_dict(), "email": looked_up}))
    if not form.validate():
        missing = {
            field: text
            for field, text in (("email", _("Enter your e-mail address")), ("password", _("Enter your password")))
            if not request.form.get(field, "").strip()
        }
        return make_response(_form(target, email, wrong=not missing, missing=missing), 422)
    user = cast(User, form.user)
    with edge.command(ports().database, Actor("staff", user.name or user.email, user.id)) as tx:
        token = service.sign_in(tx, user.id)
    edge.forgive_sign_in(ports().database, request.remote_addr or "", looked_up.casefold())
    # Whatever was in the cookie before belongs to somebody who had not signed in, the form's token too.
    session.clear()
    g.pop("csrf_token", None)
    login_user(user, remember=False)
    session["staff"], session["seen"] = token, int(time.time())
    return redirect(target, 303)


@door.errorhandler(CSRFError)
def form_without_session(_error: CSRFError) -> Response:
    """The page was open so long that its cookie is gone. The sign-in comes back, good for a try; who is signed out stays so."""
    if request.endpoint == "staff_door.try_sign_in" and from_here():
        email = request.form.get("email", "").strip()[:320]
        return make_response(_form(local_path(request.form.get("next")), email, late=True), 400)
    if find_me() is None:
        return redirect(url_for("staff_door.sign_in"), 303)
    return make_response(render_template("errors/400.html", message=None, expired=True), 400)


@door.post("/sign-out")
def sign_out() -> Response:
    """End the sign-in on the server too, so that a copy of the cookie is worth nothing."""
    token = session.get("staff")
    if isinstance(token, str):
        with edge.command(ports().database, Actor("staff", "sign-out")) as tx:
            service.sign_out(tx, token)
    logout_user()
    session.clear()
    flash(_("You’re signed out."), "green")
    return redirect(url_for("staff_door.sign_in"), 303)


@door.post("/theme")
def set_theme() -> Response:
    """Remember light, dark or the device's own colours on this browser."""
    chosen = request.form.get("theme", "")
    response = redirect(local_path(request.form.get("next")), 303)
    response.set_cookie(
        THEME_COOKIE,
        chosen if chosen in THEMES else "auto",
        max_age=365 * 24 * 3600,
        path="/staff",
        secure=ports().config.https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _looked_up(email: str) -> str:
    """The address as the form looks it up: many spellings of a domain are one account, and are counted as one.

    What is no address stays as it was typed; the form refuses it.
    """
    try:
        return str(current_app.extensions["security"].mail_util.normalize(email))
    except EmailValidateException:
        return email


def _form(
    target: str, email: str = "", *, wrong: bool = False, late: bool = False, missing: dict[str, str] | None = None
) -> str:
    return render_template(
        "security/sign_in.html",
        target=target,
        email=email,
        wrong=wrong,
        late=late,
        missing=missing or {},
        theme=theme(),
        user=None,
    )
