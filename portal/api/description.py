"""The API's place in the app: routes, errors as problem documents, and the OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

import structlog
from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Blueprint, Response, json, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from portal.api import decisions, orders, problems, refunds, returns, schemas
from portal.api.base import api
from portal.api.hooks import hooks
from portal.errors import PortalError

log = structlog.get_logger(__name__)
MODULES = (orders, decisions, returns, refunds)
DESCRIPTION = """Orders in, decisions out, returns and refunds in between.

Money is `{"amount": 1299, "currency": "GBP"}` in minor units. Every POST accepts an `Idempotency-Key`: within 24 hours the same
call gives the first answer again. Errors are RFC 9457 problem documents. Lists go on with `cursor`."""


def register(app: APIFlask) -> tuple[Blueprint, ...]:
    """Mount the API and describe it; the blueprints that take no CSRF token because they take no cookie.

    ``MODULES`` have hung their routes on the blueprint when they were imported.
    """
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        DESCRIPTION=DESCRIPTION,
        AUTO_OPERATION_ID=True,
        SPEC_FORMAT="json",
        SYNC_LOCAL_SPEC=False,
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer"}},
    )
    app.register_blueprint(api)
    app.register_blueprint(hooks)

    @app.spec_processor
    def complete(spec: Any) -> Any:
        spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = schemas.Problem.model_json_schema()
        return spec

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

    def refused(error: HTTPError) -> Response:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            return problems.from_validation(cause.errors(include_input=False, include_url=False, include_context=False))
        return problems.problem(error.status_code, str(error.message))

    # Set directly: the decorator `error_processor` would also answer the pages' own 404 with JSON.
    app.error_callback = refused

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
