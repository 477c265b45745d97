"""Errors as RFC 9457 problem documents: what happened, and for each field what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, json
from werkzeug.exceptions import HTTPException

from portal.errors import Conflict, Forbidden, Invalid, PortalError, TooManyTries

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
_DETAILS = {
    400: "The body is not valid JSON, or the request is malformed.",
    404: "There is nothing here.",
    405: "Use one of the methods that `Allow` names.",
    413: "Nothing was saved. Send less at once: a body may have 8 MiB.",
    415: "Send JSON with `Content-Type: application/json`.",
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


def from_portal(error: PortalError) -> Response:
    """An error of the house."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyTries) else None
    more: dict[str, Any] = {}
    if isinstance(error, Invalid | Forbidden):
        # Services name a form's field; here body, query and headers are read as one object, so that all are pointers.
        # The empty pointer is the whole body.
        fields = ((f"/{field.lstrip('/')}" if field else "", text) for field, text in error.fields.items())
        more["errors"] = [{"pointer": field, "detail": text} for field, text in fields] or None
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
    return problem(status, _DETAILS.get(status, TITLES.get(status, "The request failed.")), headers=headers)
