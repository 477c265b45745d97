"""Errors as RFC 9457 problem documents: what happened, and for each field what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from flask import Response, json
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from portal.errors import Conflict, Invalid, PortalError, TooManyTries

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request cannot be read",
    401: "A token is needed",
    403: "The token may not do this",
    404: "There is no such thing",
    405: "This address does not take this method",
    409: "The state is another one",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The request makes no sense",
    429: "Too many tries",
    500: "The portal has a fault",
}


def problem(
    status: int, detail: str, *, code: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """One problem document. ``errors`` is a list of ``{"pointer", "detail"}``."""
    body = {
        "type": "about:blank",
        "title": TITLES.get(status, TITLES[400] if status < 500 else TITLES[500]),
        "status": status,
        "detail": detail,
    }
    if code:
        body["code"] = code
    body.update({key: value for key, value in more.items() if value is not None})
    return Response(json.dumps(body), status, dict(headers or {}), content_type=MEDIA_TYPE)


def pointer(location: Iterable[int | str]) -> str:
    """A location as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def from_validation(errors: Iterable[ErrorDetails]) -> Response:
    """A body or a query that does not fit its model: every field at once, without repeating what was sent."""
    found = [{"pointer": pointer(error["loc"]), "detail": error["msg"]} for error in errors]
    return problem(422, "Some fields are missing or wrong.", code="invalid", errors=found)


def from_portal(error: PortalError) -> Response:
    """An error of the house."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyTries) else None
    more: dict[str, Any] = {}
    if isinstance(error, Invalid):
        more["errors"] = [{"pointer": field, "detail": text} for field, text in error.fields.items()] or None
    if isinstance(error, Conflict):
        more["state"] = error.state
    more |= {key: value for key, value in error.details.items() if key == "decision"}
    return problem(error.status, error.message, code=error.code, headers=headers, **more)


def from_http(error: HTTPException) -> Response:
    """An error of the web server: unknown address, wrong method, unreadable body."""
    status = error.code or 500
    headers = {}
    if status == 405 and getattr(error, "valid_methods", None):
        headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    detail = {400: "The body is not valid JSON, or the request is malformed.", 404: "There is nothing here."}
    return problem(status, detail.get(status, TITLES.get(status, "The request failed.")), headers=headers)
