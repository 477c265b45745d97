"""The OpenAPI 3.1 document, completed: what every call has in common stands here once.

In: the document as the decorators of `base.call` describe it. Out: the same with errors, headers, constraints and tags.
Invariant: every answer that the API can give to a documented call is in it. Never: a page, or the address it was asked under.
"""

from __future__ import annotations

from typing import Any

from portal.api.answers import Problem
from portal.api.idempotency import HEADER, MAX_KEY
from portal.api.problems import MEDIA_TYPE

PREFIX = "/api/v1/"
TAGS = {
    "orders": "What the shop tells the portal, and what is left to return",
    "variants": "Articles that can be sent in exchange",
    "decisions": "What the policy says; changes nothing",
    "returns": "Opened by programs, worked by programs, with the rules and records of the pages",
    "returnable": "What a product page may promise before anything is bought; needs no token",
    "refunds": "Money on its way back, with Stripe's ids and status",
}
_ERRORS = {
    400: ("BadRequest", "The body is not JSON, or the request is malformed"),
    401: ("Unauthorized", "No token, or one that is unknown or revoked"),
    403: ("Forbidden", "The token lacks the scope, or its owner the right to decide this"),
    404: ("NotFound", "Unknown, or somebody else's"),
    405: ("MethodNotAllowed", "This address does not take this method; `Allow` names those it takes"),
    409: ("Conflict", "The state is another one; `state` says which was found"),
    413: ("TooLarge", "The body is too large"),
    415: ("NotJson", "The body is sent as something else than JSON"),
    422: ("Invalid", "Some fields make no sense; `errors` has a pointer for each"),
    429: ("TooManyTries", "Too many tries; `Retry-After` says in how many seconds to come back"),
}
_WITH_BODY = (409, 413, 415)
_WITH_TOKEN = (401, 403)
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750"}},
    403: {
        "WWW-Authenticate": {
            "schema": {"type": "string"},
            "description": "RFC 6750; names the scope that lacks, if one does",
        }
    },
    405: {"Allow": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
}
_ARGUMENTS = {
    "rma": ("The return's number; spaces, case and a missing hyphen are forgiven", "R-7K4Q92M"),
    "number": ("The order's number; case, spaces and a leading # are forgiven", "WH-20418"),
    "sku": ("The article's number", "WH-MJ-M-NAV"),
    "place": ("Which of them, counted from 1", 1),
}
_KEY = {
    "name": HEADER,
    "in": "header",
    "description": "For 24 hours the same call with the same key gives the first answer again; another call with it is a 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}
_REPLAYED = {
    "Idempotent-Replayed": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "Present when this is the first answer, given again",
    }
}


def complete(spec: Any) -> Any:
    """The document of the API alone."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    spec["components"]["responses"] = {
        name: {"description": text, "content": content} | ({"headers": _HEADERS[code]} if code in _HEADERS else {})
        for code, (name, text) in _ERRORS.items()
    }
    spec["servers"] = [{"url": "/"}]
    spec["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    spec["paths"] = {path: each for path, each in spec["paths"].items() if path.startswith(PREFIX)}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _complete(path.removeprefix(PREFIX).split("/")[0], method, operation)
    return spec


def _complete(tag: str, method: str, operation: dict[str, Any]) -> None:
    operation["tags"] = [tag]
    operation["operationId"] = operation["operationId"].partition("_v1_")[2]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            text, example = _ARGUMENTS[parameter["name"]]
            parameter |= {"description": text, "example": example}
            parameter["schema"] |= {"minLength" if parameter["schema"]["type"] == "string" else "minimum": 1}
    body = operation.get("requestBody")
    public = not operation.get("security")
    for code, (name, _) in _ERRORS.items():
        if (body or code not in _WITH_BODY) and not (public and code in _WITH_TOKEN):
            operation["responses"][str(code)] = {"$ref": f"#/components/responses/{name}"}
    # The server in front refuses such an address before the program sees it, so that this one is no problem document.
    operation["responses"]["414"] = {"description": "The address is longer than 8,190 bytes"}
    if body:
        schema = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        # An action may be sent without any body; every key of theirs may be left out.
        body["required"] = schema not in ("NoteIn", "CountsIn")
        operation["parameters"].append(_KEY)
        for code, response in operation["responses"].items():
            if code.startswith("2"):
                response["headers"] = _REPLAYED
    operation["responses"] = dict(sorted(operation["responses"].items()))
