"""Stripe's form encoding (`metadata[order]=7`, `expand[0]=charge`) and the checks on parameters before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from .errors import ApiError, Obj, invalid

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_INTEGER = re.compile(r"^-?[0-9]{1,18}$")
_MOST_PARAMETERS = 1000
_DEEPEST = 6

Kind = Callable[[str, Any], Any]
Spec = Mapping[str, Kind]


def parse(encoded: str) -> Obj:
    """The nested dictionaries that ``encoded`` spells. Lists stay dictionaries of positions until their kind is known."""
    found: Obj = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise invalid(f"A request may carry at most {_MOST_PARAMETERS} parameters.", None, None) from None
    for name, value in pairs:
        match = _NAME.match(name)
        keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else [name]
        if len(keys) > _DEEPEST:
            raise invalid(f"Invalid hash: {keys[0]} is nested too deeply", "parameter_invalid_hash", keys[0])
        place = found
        for key in keys[:-1]:
            place = place.setdefault(key or str(len(place)), {})
            if not isinstance(place, dict):
                raise invalid(f"Invalid hash: {name}", "parameter_invalid_hash", keys[0])
        if isinstance(place.get(keys[-1]), dict):
            raise invalid(f"Invalid hash: {name}", "parameter_invalid_hash", keys[0])
        place[keys[-1] or str(len(place))] = value
    return found


def check(params: Obj, spec: Spec) -> Obj:
    """``params`` as typed values. Raises ``parameter_unknown`` and its siblings, none of which are saved under a key."""
    unknown = [name for name in params if name not in spec and name != "expand"]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise invalid(f"Received unknown parameter{plural}: {', '.join(unknown)}", "parameter_unknown", unknown[0])
    typed = {name: spec[name](name, value) for name, value in params.items() if name != "expand"}
    typed["expand"] = list_of_text("expand", params.get("expand", {}))
    return typed


def require(params: Obj, *names: str) -> None:
    """Raises ``parameter_missing`` for the first of ``names`` that is absent."""
    for name in names:
        if name not in params:
            raise invalid(f"Missing required param: {name}.", "parameter_missing", name)


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {value}", "parameter_invalid_string", name)
    if value == "":
        raise invalid(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however "
            f"'{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value.",
            "parameter_invalid_empty",
            name,
        )
    if len(value) > 5000:
        raise invalid(
            f"Invalid string: '{name}' is longer than 5000 characters.", "parameter_invalid_string_long", name
        )
    return value


def text_or_empty(name: str, value: Any) -> str | None:
    return None if value == "" else text(name, value)


def whole(name: str, value: Any) -> int:
    if not isinstance(value, str) or not _INTEGER.match(value):
        if value == "":
            text(name, value)
        raise invalid(f"Invalid integer: {value}", "parameter_invalid_integer", name)
    return int(value)


def positive(name: str, value: Any) -> int:
    number = whole(name, value)
    if number < 1:
        raise invalid("This value must be greater than or equal to 1.", "parameter_invalid_integer", name)
    return number


def page_size(name: str, value: Any) -> int:
    number = positive(name, value)
    if number > 100:
        raise invalid("This value must be less than or equal to 100.", "parameter_invalid_integer", name)
    return number


def flag(name: str, value: Any) -> bool:
    if value not in ("true", "false", "True", "False", "1", "0"):
        raise invalid(f"Invalid boolean: {value}", "parameter_invalid_boolean", name)
    return value in ("true", "True", "1")


def flag_or_text(name: str, value: Any) -> bool | str:
    return flag(name, value) if value in ("true", "false", "True", "False") else text(name, value)


def one_of(*allowed: str) -> Kind:
    def choose(name: str, value: Any) -> str:
        if value not in allowed:
            listed = " or ".join(allowed) if len(allowed) < 3 else ", ".join(allowed[:-1]) + f", or {allowed[-1]}"
            raise invalid(f"Invalid {name}: must be one of {listed}", None, name)
        return str(value)

    return choose


def anything(name: str, value: Any) -> Any:
    return value


def mapping(name: str, value: Any) -> Obj:
    if not isinstance(value, dict):
        raise invalid(f"Invalid hash: {value}", "parameter_invalid_hash", name)
    return value


def list_of_text(name: str, value: Any) -> list[str]:
    if not isinstance(value, dict) or not all(key.isdecimal() and len(key) < 5 for key in value):
        raise invalid("Invalid array", "parameter_invalid_array", name)
    return [text(name, value[key]) for key in sorted(value, key=int)]


def metadata(name: str, value: Any) -> dict[str, str] | None:
    """The pairs to set; an empty value unsets its key, an empty ``metadata`` unsets all (None here)."""
    if value == "":
        return None
    if not isinstance(value, dict):
        raise invalid("Invalid hash", "parameter_invalid_hash", name)
    for key, item in value.items():
        if not isinstance(item, str):
            raise invalid("Metadata values must be strings.", "parameter_invalid_string", f"{name}[{key}]")
        if len(key) > 40:
            raise invalid(
                f"Metadata keys can have up to 40 characters, but you passed in a key that is {len(key)} characters. "
                f"Invalid key: {key}",
                None,
                name,
            )
        if len(item) > 500:
            raise invalid(
                f"Metadata values can have up to 500 characters, but you passed in a value that is {len(item)} characters. "
                f"Invalid value: {item}",
                None,
                name,
            )
    if len(value) > 50:
        raise invalid("Metadata can have up to 50 keys.", None, name)
    return value


def merge_metadata(current: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """What an update leaves: changed keys replaced, emptied ones gone, the others kept."""
    if change is None:
        return {}
    merged = {key: value for key, value in {**current, **change}.items() if value != ""}
    if len(merged) > 50:
        raise ApiError("Metadata can have up to 50 keys.", param="metadata")
    return merged


def interval(name: str, value: Any) -> list[tuple[str, int]]:
    """A ``created`` filter: a moment, or bounds by gt, gte, lt, lte (seconds since 1970)."""
    operators = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    if isinstance(value, str):
        return [("=", whole(name, value))]
    for key in value:
        if key not in operators:
            raise invalid(f"Received unknown parameter: {name}[{key}]", "parameter_unknown", f"{name}[{key}]")
    return [(operators[key], whole(f"{name}[{key}]", item)) for key, item in value.items()]


LISTING: Spec = {"limit": page_size, "starting_after": text, "ending_before": text, "created": interval}
"""What every list takes."""
