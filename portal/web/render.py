"""What every template may use: languages, amounts, dates, the shop; and errors as pages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask_babel import Babel, get_locale, gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portal import edge, i18n, wording
from portal.errors import Invalid, PortalError, TooManyTries
from portal.flow import Ports
from portal.notices.speech import Speech
from portal.shop import Shop
from portal.web import statuses

log = structlog.get_logger(__name__)


def locale() -> str:
    """The locale of this request: the shop's own when the visitor reads its language, else the best shipped one."""
    return str(get_locale() or "en_GB")


def set_up(app: Flask, ports: Ports) -> None:
    """Give templates their filters and globals, and errors their pages."""
    shop = ports.shop

    def choose() -> str:
        best = request.accept_languages.best_match(sorted(i18n.languages())) if request else None
        return shop.locale if best is None or shop.locale.startswith(best) else best

    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(i18n.FOLDER)
    Babel(app, locale_selector=choose, timezone_selector=lambda: shop.timezone)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.add_extension("jinja2.ext.do")
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    statuses.init_app(app)

    @app.template_filter("money")
    def money(minor: int, currency: str, signed: bool = False) -> str:
        return wording.money(minor, currency, locale(), signed=signed)

    @app.template_filter("day")
    def day(value: date) -> str:
        return wording.day(_date(value), locale())

    @app.template_filter("weekday")
    def weekday(value: date) -> str:
        return wording.weekday(_date(value), locale())

    @app.template_filter("short_day")
    def short_day(value: date) -> str:
        return wording.short_day(_date(value), locale())

    @app.template_filter("moment")
    def moment(value: datetime) -> str:
        return wording.moment(value, shop.timezone, locale())

    def _date(value: date) -> date:
        return value.astimezone(_zone).date() if isinstance(value, datetime) else value

    from zoneinfo import ZoneInfo

    _zone = ZoneInfo(shop.timezone)
    view = shop_view(shop)

    @app.context_processor
    def globals_() -> dict[str, Any]:
        found = locale()
        within = Speech.of(i18n.reader(found, shop.locale), shop.timezone).answer_within(shop.decide_within_hours)
        return {
            "shop": view | {"answer_within": within},
            "lang": found.replace("_", "-"),
            "language_name": wording.language_name(found),
        }

    register_errors(app)


def shop_view(shop: Shop) -> dict[str, Any]:
    """The shop as layouts need it."""
    return {
        "name": shop.name,
        "email": shop.email,
        "url": shop.links.shop,
        "help_url": shop.links.help or f"mailto:{shop.email}",
        "policy_url": "/policy",
        "withdraw_url": "/withdraw",
        "privacy_url": shop.links.privacy,
        "contact_url": shop.links.contact or f"mailto:{shop.email}",
        "order_hint": shop.order_hint,
        "carrier": shop.carrier,
        "timezone": shop.timezone,
    }


def _form_url() -> str | None:
    """The page of the form that was sent: of the same address, else the page of this site that the browser names."""
    try:
        current_app.create_url_adapter(request).match(method="GET")  # type: ignore[union-attr]
    except RequestRedirect:
        return None
    except HTTPException:
        came_from = urlsplit(request.referrer or "")
        is_ours = came_from.netloc == request.host and came_from.path[:1] == "/" and came_from.path[:2] != "//"
        return came_from.path if is_ours else None
    return request.full_path.removesuffix("?")


def register_errors(app: Flask) -> None:
    """Answer every error with a page that says what happened, what is safe and what to do; the API answers its own way."""

    def page(status: int, **context: Any) -> Response:
        known = status if status in (400, 403, 404, 409, 413, 429, 500) else (400 if status < 500 else 500)
        return make_response(render_template(f"errors/{known}.html", **context), status)

    def answered_by_api(error: Exception) -> Response | None:
        if not f"{request.path}/".startswith("/api/"):
            return None
        answer: Response = app.extensions["portal_api_error"](error)
        return answer

    @app.errorhandler(PortalError)
    def portal_error(error: PortalError) -> Response:
        if (answer := answered_by_api(error)) is not None:
            return answer
        g.portal_error = error
        # Stages say their errors in English; constant sentences are message ids, see docs/architecture.md.
        context: dict[str, Any] = {"message": gettext(error.message)}
        if isinstance(error, TooManyTries):
            response = page(429, retry_after=error.retry_after, **context)
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        status = 400 if isinstance(error, Invalid) else error.status
        return page(status, state=getattr(error, "state", None), **context)

    @app.errorhandler(CSRFError)
    def csrf_error(error: CSRFError) -> Response:
        return page(400, message=None, expired=True)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if (answer := answered_by_api(error)) is not None:
            return answer
        if error.code == 413:
            edge.drain(request.environ["wsgi.input"], request.content_length)
        response = page(error.code or 500, message=None, form_url=_form_url() if error.code == 413 else None)
        if error.code == 405 and getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
        if error.code in (301, 302, 303, 307, 308):
            return error.get_response()  # type: ignore[return-value]
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        if (answer := answered_by_api(error)) is not None:
            return answer
        log.exception("a request broke", path=request.path, method=request.method)
        return page(500)
