"""What a caller sent, checked against its model: body, query, size and content type."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from portal import edge
from portal.errors import Invalid
from portal.orders.schema import pointer_of

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 8 * 1024 * 1024
"""An order of the most lines that one may have, each with every field filled, is about five million bytes."""
MAX_ERRORS = 500
_SAYINGS = {
    "missing": "is missing",
    "extra_forbidden": "is no key that this call knows; leave it out or correct its spelling",
    "timezone_aware": "has no time zone; write it like 2026-10-01T08:26:00Z",
}


def read_body(model: type[Model]) -> Model:
    """The body as ``model``; no body at all is an empty object.

    Raises `Invalid` with a pointer per field (for a key that is there twice as well: which of its values is meant, nobody can
    say), and werkzeug's errors for what is no JSON (400), too large (413) or sent as something else (415). The parser of
    pydantic stops at a depth of 200, and takes no NaN, no lone surrogate and no number of thousands of digits, all of which
    Python's own would let through or break at.
    """
    raw = _raw()
    if not raw.strip():
        raw = b"{}"
    elif request.mimetype and not request.is_json:
        raise UnsupportedMediaType
    try:
        found = model.model_validate_json(raw)
        if twice := _twice(_pairs(raw)):
            raise Invalid(f"`{twice}` is there twice.", {twice: "is there twice; leave one of them out"})
        return found
    except ValidationError as error:
        if error.error_count() == 1 and error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise BadRequest from None
        raise _invalid(error) from None


class _Object(list[tuple[str, Any]]):
    """A JSON object with every key that was written."""


def _pairs(raw: bytes) -> Any:
    # Pydantic has read it already, so it is JSON of bounded depth; numbers are of no interest here.
    return json.loads(raw, object_pairs_hook=_once, parse_int=str, parse_float=str)


def _once(pairs: list[tuple[str, Any]]) -> Any:
    """A dictionary where no key repeats, which is the usual case and fast; else every pair."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Object(pairs)


def _twice(value: Any, at: tuple[str | int, ...] = ()) -> str:
    """The pointer of the first key that is there twice; empty when there is none."""
    if isinstance(value, _Object):
        keys = [key for key, _ in value]
        return pointer_of((*at, next(key for key in keys if keys.count(key) > 1)))
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, each in inside if (found := _twice(each, (*at, key)))), "")


def _raw() -> bytes:
    # A body without a stated length is cut at the limit, so one byte more than is taken shows that it was too long.
    request.max_content_length = MAX_BYTES + 1
    try:
        raw = request.get_data()
        if len(raw) > MAX_BYTES:
            raise RequestEntityTooLarge
    except RequestEntityTooLarge:
        edge.drain(request.environ["wsgi.input"], request.content_length)
        raise
    return raw


def read_query(model: type[Model]) -> Model:
    """The query as ``model``. Raises `Invalid` with a pointer per parameter."""
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> Invalid:
    """Every field at once, and nothing of what was sent but the names of fields."""
    if error.error_count() > MAX_ERRORS:
        # To list them would cost more than the body did, and nobody reads such a list.
        return Invalid("Too many fields are wrong to name them.", {"": f"has more than {MAX_ERRORS} mistakes"})
    fields: dict[str, str] = {}
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        said = _SAYINGS.get(each["type"]) or each["msg"].removeprefix("Value error, ")
        fields.setdefault(pointer_of(each["loc"]), said[:1].lower() + said[1:])
    return Invalid("Some fields are missing or wrong.", fields)
