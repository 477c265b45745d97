"""JSON files of orders: one document, or one order per line. What the readers of all JSON formats share.

In: a path, and under which keys a document may hold its orders. Out: each order as parsed JSON with its line.
Invariants: numbers with a point are `Decimal`; a key that stands twice, NaN and nesting without end are refused. Never: a float.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from portal.errors import Invalid
from portal.orders.incoming import IncomingOrder
from portal.orders.source import BadRow, FoundOrder, Reading, UnreadableFile, open_text

MAX_DOCUMENT = 256 * 1024 * 1024
"""A document is parsed in memory; beyond this size it has to come as JSON Lines."""
LOOKED_AT = 20
"""How many lines are tried to tell JSON Lines from one document."""
_BLANK = " \t\r\n"

Document = tuple[int, Any]
"""The line an order begins on, and the order; a `ValueError` in its place when that line is no JSON."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key in found if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key `{twice[:60]}` stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_no_constant)


def parse(text: str) -> Any:
    """One JSON value. Raises ValueError with a short sentence."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} at sign {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def looks_like_json(head: str) -> bool:
    """Whether a file that begins like this may be JSON at all."""
    return head.lstrip(_BLANK)[:1] in ("{", "[")


def read_orders(
    path: Path,
    keys: Sequence[str],
    convert: Callable[[dict[str, Any]], IncomingOrder],
    *,
    what: str,
    telling: Sequence[str],
) -> Reading:
    """Read the file: each order through ``convert``, which raises `Invalid` or ValueError for one that is none.

    ``keys`` are those under which a document or a line may wrap its orders; ``telling`` are keys of which every order has one;
    ``what`` names the format in messages.
    Raises `UnreadableFile` when the file is no JSON or holds something else.
    """
    lines, is_one_per_line = _survey(path, keys, telling)
    if is_one_per_line:
        reading = Reading(rows=lines, items=iter(()))
        documents = _lines(path)
    else:
        held = list(_document(path, keys, what, telling))
        reading = Reading(rows=len(held), items=iter(()))
        documents = iter(held)
    reading.items = _convert(path, documents, keys, convert, reading)
    return reading


def _convert(
    path: Path,
    documents: Iterator[Document],
    keys: Sequence[str],
    convert: Callable[[dict[str, Any]], IncomingOrder],
    reading: Reading,
) -> Iterator[FoundOrder | BadRow]:
    for line, value in documents:
        reading.done += 1
        for each in _unwrap(value, keys):
            try:
                if isinstance(each, ValueError):
                    raise each
                if not isinstance(each, dict):
                    raise ValueError("is no JSON object")
                yield FoundOrder(convert(each), line)
            except Invalid as error:
                yield BadRow(path.name, line, error.message)
            except (ValueError, ArithmeticError, RecursionError) as error:
                yield BadRow(path.name, line, str(error) or "makes no sense")


def _unwrap(value: Any, keys: Sequence[str]) -> list[Any]:
    if isinstance(value, dict):
        for key in keys:
            inner = value.get(key)
            if isinstance(inner, list):
                return inner
            if isinstance(inner, dict):
                return [inner]
    return [value]


def _survey(path: Path, keys: Sequence[str], telling: Sequence[str]) -> tuple[int, bool]:
    """How many lines hold something, and whether the file is JSON Lines, however many of its lines may be broken.

    It is when its first line is an object by itself, or two of the first ones are orders: in a document that goes over several
    lines, an order on a line of its own is followed by a comma, save the last.
    The whole file is run through, so that a damaged one is refused before anything is written.
    """
    count = orders = 0
    begins_whole = False
    with open_text(path) as file:
        for line in file:
            if line.strip(_BLANK):
                count += 1
                if count <= LOOKED_AT:
                    value = _object(line)
                    begins_whole |= count == 1 and value is not None
                    orders += value is not None and _has_orders(_unwrap(value, keys), telling)
    return count, count > 1 and (begins_whole or orders > 1)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = parse(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _has_orders(found: Sequence[Any], telling: Sequence[str]) -> bool:
    return any(isinstance(each, dict) and any(key in each for key in telling) for each in found)


def _lines(path: Path) -> Iterator[Document]:
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip(_BLANK):
                try:
                    yield number, parse(line)
                except ValueError as error:
                    yield number, error


def _document(path: Path, keys: Sequence[str], what: str, telling: Sequence[str]) -> Iterator[Document]:
    with open_text(path) as file:
        text = file.read(MAX_DOCUMENT + 1)
    if len(text) > MAX_DOCUMENT:
        raise UnreadableFile(f"{path} is too large for one JSON document; write one order per line (JSON Lines)")
    try:
        value = parse(text)
    except ValueError as error:
        raise UnreadableFile(f"{path} {error}") from None
    found = value if isinstance(value, list) else _unwrap(value, keys)
    if not _has_orders(found, telling):
        raise UnreadableFile(f"{path} holds no {what} orders")
    starts = _starts(text, keys)
    if len(starts) != len(found):
        starts = [1] * len(found)
    yield from zip(starts, found, strict=True)


def _starts(text: str, keys: Sequence[str]) -> list[int]:
    """The line on which each order of the document begins; the text is known to be JSON."""
    at = _skip(text, 0)
    if text[at] == "{":
        inner = _value_of(text, at, keys)
        if inner is None:
            return [text.count("\n", 0, at) + 1]
        at = inner
    if text[at] != "[":
        return [text.count("\n", 0, at) + 1]
    starts = []
    line, counted = 1, 0
    at = _skip(text, at + 1)
    while text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        starts.append(line)
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return starts


def _value_of(text: str, at: int, keys: Sequence[str]) -> int | None:
    """Where the value of the first of ``keys`` begins in the object at ``at``."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key in keys and text[at] in "[{":
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
