"""The API's place in the app: routes, errors as problem documents, and the OpenAPI 3.1 document."""

from __future__ import annotations

import structlog
from apiflask import APIFlask
from flask import Blueprint, Response, json, request
from werkzeug.exceptions import HTTPException

from portal.api import decisions, document, orders, problems, refunds, returnable, returns
from portal.api.base import api
from portal.api.hooks import hooks
from portal.errors import PortalError

log = structlog.get_logger(__name__)
MODULES = (orders, decisions, returns, refunds, returnable)
DESCRIPTION = """Orders in, decisions out, returns and refunds in between.

Money is `{"amount": 1299, "currency": "GBP"}` in minor units; an order, and a part of a quote, have plain minor units beside
their `currency`. Every POST accepts an `Idempotency-Key`: within 24 hours the same call gives the first answer again. Errors
are RFC 9457 problem documents. Lists go on with `cursor`. Answers may gain keys; a body with a key that is not known is
refused."""


def register(app: APIFlask) -> tuple[Blueprint, ...]:
    """Mount the API and describe it; the blueprints that take no CSRF token because they take no cookie.

    ``MODULES`` have hung their routes on the blueprint when they were imported.
    """
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        DESCRIPTION=DESCRIPTION,
        AUTO_OPERATION_ID=True,
        SPEC_FORMAT="json",
        SYNC_LOCAL_SPEC=False,
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer"}},
    )
    # The router would answer an address with two slashes by a redirect; an order's number may hold them, and what is left is 404.
    app.url_map.merge_slashes = False
    app.register_blueprint(api)
    app.register_blueprint(hooks)
    app.spec_processor(document.complete)
    described: list[str] = []

    @app.get("/api/v1/openapi.json")
    @app.doc(hide=True)
    def openapi() -> Response:
        if not described:
            # APIFlask asks every blueprint whether it is described; only its own kind knows the answer.
            for blueprint in app.blueprints.values():
                vars(blueprint).setdefault("enable_openapi", False)
            described.append(json.dumps(app.spec))
        return Response(described[0], content_type="application/json")

    def answer_error(error: Exception) -> Response:
        if isinstance(error, PortalError):
            return problems.from_portal(error)
        if isinstance(error, HTTPException):
            return problems.from_http(error)
        log.exception("an API call broke", path=request.path, method=request.method)
        return problems.problem(500, "Nothing was half-written. Try again; if it stays, tell whoever runs the portal.")

    # An address under /api/ that leads nowhere belongs to no blueprint; the pages' handlers ask for this answer then.
    app.extensions["portal_api_error"] = answer_error
    return api, hooks
