"""YAML text as a tree of nodes that remember where they stood.

In: text of any origin. Out: `Scalar`, `Listing` and `Mapping_` nodes, or diagnostics.
Invariants: bounded time and memory: the text, its depth and its number of nodes are limited before anything is built;
scalars stay text, so that ``NO`` is Norway and ``NaN`` is nothing but three letters.
Never: an alias, an anchor, a tag, a merge key, a second document, a key that is not a plain word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from portal.policy.diagnostics import ERROR, WARNING, Diagnostic, nearest
from portal.policy.unreadable import explained

MAX_BYTES = 256 * 1024
MAX_LINES = 5_000
MAX_DEPTH = 16
MAX_NODES = 20_000
MAX_ERRORS = 50

# Marks that change the direction or the look of what follows: a rule name that contains one reads differently than it is.
_HIDDEN = frozenset("Cc Cf Co Cn Zl Zp".split())
_ALLOWED_HIDDEN = frozenset("\n\t\u200c\u200d")  # joiners are letters' business in Indic scripts and Persian


@dataclass(slots=True)
class Scalar:
    text: str
    quoted: bool
    line: int
    column: int
    span: str = ""  # as written, quotes included


@dataclass(slots=True)
class Listing:
    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping_:
    line: int
    column: int
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)


Node: TypeAlias = Scalar | Listing | Mapping_


class TooManyErrors(Exception):
    """Enough was found to know that this is no policy; reading on would only repeat it."""


class Findings:
    """Collects diagnostics of one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Diagnostic] = []

    @property
    def failed(self) -> bool:
        return any(each.severity == ERROR for each in self.found)

    def error(self, node: Node, message: str, help: str = "", known: tuple[str, ...] | None = None) -> None:
        """Add an error at a node; ``known`` are the words that would have been right there."""
        self._add(ERROR, node, message, help, known)

    def warning(self, node: Node, message: str, help: str = "", plain: tuple[str, str] = ("", "")) -> None:
        """Add a warning at a node; ``plain`` says it to who never saw the document."""
        self._add(WARNING, node, message, help, None, plain)

    def at(self, line: int, column: int, message: str, help: str = "") -> None:
        """Add an error at a place that has no node."""
        self.error(Scalar("", False, line, column), message, help)

    def _add(
        self,
        severity: str,
        node: Node,
        message: str,
        help: str,
        known: tuple[str, ...] | None,
        plain: tuple[str, str] = ("", ""),
    ) -> None:
        text = (node.span or node.text) if isinstance(node, Scalar) else ""
        near = nearest(node.text, known) if known and isinstance(node, Scalar) else ""
        if known and not near and not help:
            help = "known: " + ", ".join(f"`{word}`" for word in known[:12]) + (", …" if len(known) > 12 else "")
        self.found.append(
            Diagnostic(severity, message, self.file, node.line, node.column, text[:200], help, near, plain=plain)
        )
        if severity == ERROR and sum(each.severity == ERROR for each in self.found) >= MAX_ERRORS:
            raise TooManyErrors


def shown(node: Node) -> str:
    """The merchant's words for a message, short enough for one line."""
    if isinstance(node, Scalar):
        text = " ".join(node.text.split())
        return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"
    return "a list" if isinstance(node, Listing) else "a mapping"


def parse(text: str, findings: Findings) -> Node | None:
    """The root node, or None when the text could not be read; what is wrong is in ``findings``."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        findings.at(1, 1, f"the document is larger than {MAX_BYTES // 1024} kB", "a policy has some hundred lines")
        return None
    if text.count("\n") > MAX_LINES:
        findings.at(1, 1, f"the document has more than {MAX_LINES} lines", "a policy has some hundred lines")
        return None
    text = text.removeprefix("\ufeff")
    if not _printable(text, findings):
        return None
    before = len(findings.found)
    try:
        root = _compose(text, findings)
    except MarkedYAMLError as error:
        findings.at(*explained(error))
        return None
    except (YAMLError, RecursionError, ValueError):
        findings.at(1, 1, "this can’t be read: it is not YAML", "check quotes, colons and indentation")
        return None
    return root if len(findings.found) == before else None


def _printable(text: str, findings: Findings) -> bool:
    if text.isascii() and text.isprintable():
        return True
    for number, line in enumerate(text.split("\n"), 1):
        if line.isprintable():
            continue
        for column, char in enumerate(line, 1):
            if char == "\r" and column == len(line):
                continue
            if unicodedata.category(char) in _HIDDEN | {"Cs"} and char not in _ALLOWED_HIDDEN:
                findings.at(
                    number,
                    column,
                    f"hidden character U+{ord(char):04X}",
                    "delete it; text that changes its direction or hides letters cannot be checked by reading",
                )
                return False
    return True


def _compose(text: str, findings: Findings) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    root: Node | None = None
    stack: list[Listing | Mapping_] = []
    keys: list[Scalar | None] = []  # the key waiting for its value, one per open mapping
    documents = nodes = 0
    for event in _events(yaml, text):
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                findings.at(
                    line, column, "a second document starts here", "one file holds one policy; delete the `---`"
                )
                return None
            continue
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            stack.pop()
            keys.pop()
            continue
        if isinstance(event, AliasEvent):
            findings.at(
                line, column, "aliases are not part of the language", f"write out what `*{event.anchor}` stands for"
            )
            return None
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            continue
        if event.anchor:
            findings.at(line, column, "anchors are not part of the language", f"delete `&{event.anchor}`")
            return None
        if getattr(event, "tag", None):
            findings.at(line, column, f"tags are not part of the language: `{event.tag}`", "delete the tag")
            return None
        nodes += 1
        if nodes > MAX_NODES or len(stack) >= MAX_DEPTH:
            deep = f"the document is nested deeper than {MAX_DEPTH} levels"
            many = f"the document has more than {MAX_NODES} values"
            findings.at(line, column, deep if len(stack) >= MAX_DEPTH else many, "a policy has some hundred lines")
            return None
        node: Node
        if isinstance(event, ScalarEvent):
            span = text[mark.index : event.end_mark.index] if event.end_mark.line == mark.line else ""
            node = Scalar(event.value, event.style is not None, line, column, span)
        elif isinstance(event, MappingStartEvent):
            node = Mapping_(line, column)
        else:
            node = Listing(line, column)
        if not stack:
            root = node
        else:
            parent = stack[-1]
            if isinstance(parent, Listing):
                parent.items.append(node)
            elif keys[-1] is None:
                if not isinstance(node, Scalar):
                    findings.at(line, column, f"a key is a word, not {shown(node)}", "write it like `key: value`")
                    return None
                keys[-1] = node
            else:
                parent.entries.append((keys[-1], node))
                keys[-1] = None
        if not isinstance(node, Scalar):
            stack.append(node)
            keys.append(None)
    return root


def _events(yaml: YAML, text: str) -> Iterator[Event]:
    yield from yaml.parse(text)


def entries(node: Mapping_, findings: Findings) -> Iterator[tuple[Scalar, Node]]:
    """The entries of a mapping; a key given twice is an error and only its first value counts."""
    seen: dict[str, Scalar] = {}
    for key, value in node.entries:
        if key.text in seen:
            first = seen[key.text]
            findings.error(
                key, f"`{key.text}` is given twice", f"it stands on line {first.line} already; keep one of them"
            )
            continue
        seen[key.text] = key
        yield key, value
