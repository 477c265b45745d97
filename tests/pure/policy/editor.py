"""A document as an editor sees it: YAML 1.2 as JSON values, checked against the language's schema."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs

from portal.policy.document import Findings, Listing, Node, Scalar, parse
from portal.policy.editors import json_schema

_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def seen(node: Node) -> Any:
    """The core schema of YAML 1.2, which the YAML plugins of editors read."""
    if isinstance(node, Listing):
        return [seen(item) for item in node.items]
    if not isinstance(node, Scalar):
        return {key.text: seen(value) for key, value in node.entries}
    text = node.text
    if node.quoted:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.casefold() in ("true", "false") and text in (text.lower(), text.upper(), text.title()):
        return text.casefold() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def read(text: str) -> Any:
    """The values of a text that is YAML."""
    findings = Findings("test")
    root = parse(text, findings)
    assert root is not None, findings.found
    return seen(root)


@cache
def _validator(definition: str) -> jsonschema_rs.Draft7Validator:
    schema = json_schema()
    if definition:
        schema = {"$ref": f"#/definitions/{definition}", "definitions": schema["definitions"]}
    return jsonschema_rs.Draft7Validator(schema)


def complaints(text: str, definition: str = "") -> list[str]:
    """What an editor underlines in a document, or in a part of one that is named by its definition."""
    return [
        f"{json.dumps(list(each.instance_path))}: {each.message}"
        for each in _validator(definition).iter_errors(read(text))
    ]
