"""What every call shares: who calls, one transaction, one shape of answers, and its entry in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, current_app, g, json, request
from pydantic import BaseModel

from portal import edge, limiter
from portal.api import idempotency, problems
from portal.api.schemas import Problem
from portal.api.tokens import Caller, find_caller
from portal.db import Actor, Tx
from portal.flow import Ports

View = TypeVar("View", bound=Callable[..., Any])
api = APIBlueprint("v1", __name__, url_prefix="/api/v1")
FAILED_TOKENS = limiter.limit("60/minute")
_SAID = {
    400: "The body is not JSON, or the request is malformed",
    401: "No token, or one that is unknown or revoked",
    403: "The token lacks the scope",
    404: "Unknown, or somebody else's",
    409: "The state is another one; `state` says which was found",
    413: "The body is too large",
    422: "Some fields make no sense; `errors` has a pointer for each",
    429: "Too many tries; `Retry-After` says when to come back",
}


def ports() -> Ports:
    """The ports of the app that answers."""
    found: Ports = current_app.extensions["portal"]
    return found


def caller() -> Caller:
    """Who calls; known after `call` let the request in."""
    found: Caller = g.caller
    return found


def call(
    scope: str, *, body: type[BaseModel] | None = None, query: type[BaseModel] | None = None, says: str = "",
    answers: type[BaseModel] | None = None, status: int = 200, also: dict[int, str] | None = None, media_type: str = "",
) -> Callable[[View], View]:  # fmt: skip
    """Document a view, let only tokens with ``scope`` in, and give it ``data`` (body) or ``query``, checked.

    Must stand right under the route. Views return a `Response`, so that a known shape is not validated a second time.
    """

    def decorate(view: View) -> View:
        made: Any = view
        if query is not None:
            made = api.input(query, location="query", arg_name="query")(made)
        if body is not None:
            made = api.input(body, location="json", arg_name="data")(made)
        if answers is not None:
            made = api.output(answers, status_code=status)(made)
        elif media_type:
            binary = FileSchema(type="string", format="binary")
            made = api.output(binary, status_code=200, content_type=media_type)(made)
        errors = {code: text for code, text in _SAID.items() if code not in (409, 413) or body is not None}
        responses = {code: {"description": text, "content": _PROBLEM} for code, text in errors.items()}
        for code, text in (also or {}).items():
            responses[code] = {"description": text, "content": _schema(answers)}
        made = api.doc(
            summary=(view.__doc__ or "").strip().split("\n")[0].rstrip("."),
            description=f"Scope `{scope}`. {says}".strip(),
            responses=responses,  # type: ignore[arg-type]
            security="token",
        )(made)

        @wraps(made)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if (refusal := _let_in(scope)) is not None:
                return refusal
            return made(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def _schema(model: type[BaseModel] | None) -> dict[str, Any]:
    name = model.__name__ if model else "Problem"
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


_PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}


def _let_in(scope: str) -> Response | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    found = None
    if kind.lower() == "bearer" and token.isascii():
        with ports().database.read() as session:
            found = find_caller(session, token.strip())
    if found is None:
        limiter.hit(ports().database, [(FAILED_TOKENS, f"token:{request.remote_addr}")])
        return problems.problem(
            401, "Send `Authorization: Bearer <token>` with a living token.", headers={"WWW-Authenticate": "Bearer"}
        )
    if not found.may(scope):
        return problems.problem(403, f"This token lacks the scope `{scope}`.")
    g.caller = found
    return None


def answer(body: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status, headers, content_type="application/json")


def perform(act: Callable[[Tx], idempotency.Answer]) -> Response:
    """Run one command in its transaction, once per ``Idempotency-Key``."""
    who = caller()
    with edge.command(ports().database, Actor("api", who.name, who.token_id)) as tx:
        (status, body), replayed = idempotency.once(tx, who.token_id, request, lambda: act(tx))
    response = answer(body, status)
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response
