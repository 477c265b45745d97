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
from portal.api.read import read_body, read_query
from portal.api.tokens import Caller, find_caller
from portal.db import Actor, Tx
from portal.flow import Ports

View = TypeVar("View", bound=Callable[..., Any])
api = APIBlueprint("v1", __name__, url_prefix="/api/v1")
FAILED_TOKENS = limiter.limit("60/minute")


def ports() -> Ports:
    """The ports of the app that answers."""
    found: Ports = current_app.extensions["portal"]
    return found


def caller() -> Caller:
    """Who calls; known after `call` let the request in."""
    found: Caller = g.caller
    return found


def call(
    scope: str, *, answers: type[BaseModel] | None = None, body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None, status: int = 200, also: dict[int, str] | None = None, says: str = "",
    example: dict[str, Any] | None = None, media_type: str = "",
) -> Callable[[View], View]:  # fmt: skip
    """Document a view, let only tokens with ``scope`` in, and give it ``data`` (body) or ``query``, checked.

    An empty ``scope`` lets everybody in.

    Must stand right under the route. Views return a `Response`, so that a known shape is not validated a second time.
    ``also`` are further answers of the same shape as ``answers``; `description` adds what all calls have in common.
    """

    def decorate(view: View) -> View:
        described = _describe(view)

        @wraps(described)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if scope and (refusal := _let_in(scope)) is not None:
                return refusal
            if body is not None:
                kwargs["data"] = read_body(body)
            if query is not None:
                kwargs["query"] = read_query(query)
            return view(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    def _describe(view: View) -> Any:
        # The library's decorators write the document here; reading a request is `portal.api.read`'s, which is stricter.
        made: Any = view
        if query is not None:
            made = api.input(query, location="query")(made)
        if body is not None:
            made = api.input(body, location="json", example=example)(made)
        if answers is not None:
            made = api.output(answers, status_code=status, description="Done")(made)
        elif media_type:
            binary = FileSchema(type="string", format="binary")
            made = api.output(binary, status_code=200, content_type=media_type, description="The document")(made)
        responses: dict[int, Any] = {}
        for code, text in (also or {}).items():
            name = answers.__name__ if answers else "Problem"
            schema = {"$ref": f"#/components/schemas/{name}"}
            responses[code] = {"description": text, "content": {"application/json": {"schema": schema}}}
        return api.doc(
            summary=(view.__doc__ or "").strip().split("\n")[0].rstrip("."),
            description=(f"Scope `{scope}`. {says}" if scope else f"Public: no token is needed. {says}").strip(),
            responses=responses,
            security="token" if scope else None,
        )(made)

    return decorate


def _let_in(scope: str) -> Response | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    found = None
    if kind.lower() == "bearer" and token.isascii():
        with ports().database.engine.connect() as connection:
            found = find_caller(connection, token.strip())
    if found is None:
        limiter.hit(ports().database, [(FAILED_TOKENS, f"token:{edge.network(request.remote_addr or '')}")])
        why = "Bearer" if not token else 'Bearer error="invalid_token"'
        return problems.problem(
            401, "Send `Authorization: Bearer <token>` with a living token.", headers={"WWW-Authenticate": why}
        )
    if not found.may(scope):
        why = f'Bearer error="insufficient_scope", scope="{scope}"'
        return problems.problem(403, f"This token lacks the scope `{scope}`.", headers={"WWW-Authenticate": why})
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
