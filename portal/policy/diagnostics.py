"""What is wrong with a policy document, in a compiler's manner.

In: places in a text. Out: `Diagnostic` values that render with line, column, the offending text and a help line.
Invariants: messages are lower case, end without a full stop, and put the merchant's own words in backticks; all errors of a
document are collected before any is raised. Never: a traceback for a merchant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from portal.errors import Invalid

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True)
class Fix:
    """An edit that mends a finding for certain. ``kind`` is ``law`` (name ``subject`` in the document's laws) or ``above`` (move
    the rule ``subject`` to the place above the rule ``target``)."""

    kind: str
    subject: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``line`` and ``column`` count from 1; ``text`` is what stands there; ``near`` the nearest known word."""

    severity: str
    message: str
    file: str
    line: int
    column: int
    text: str = ""
    help: str = ""
    near: str = ""
    fix: Fix | None = None
    plain: tuple[str, str] = ("", "")
    """The message and the help for who never saw the document, where it can be said without its words."""

    def to_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "text": self.text,
            "help": self.help_line,
        }

    @property
    def help_line(self) -> str:
        """The help with the nearest known word in front of it."""
        guess = f"did you mean `{self.near}`?" if self.near else ""
        return "; ".join(part for part in (guess, self.help) if part)

    def __str__(self) -> str:
        tail = f" ({self.help_line})" if self.help_line else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}{tail}"


def render(diagnostic: Diagnostic, source: str) -> str:
    """The finding with its line of the document and a row of carets under the offending text."""
    number = str(diagnostic.line)
    margin = " " * len(number)
    rows = [
        f"{diagnostic.severity}: {diagnostic.message}",
        f"{margin}--> {diagnostic.file}:{diagnostic.line}:{diagnostic.column}",
    ]
    lines = source.splitlines()
    if 0 < diagnostic.line <= len(lines):
        # A mark that turns what follows around would turn the reader's own screen around.
        shown = "".join(
            char if char.isprintable() else "�" for char in lines[diagnostic.line - 1][:200].replace("\t", " ")
        )
        width = max(1, min(len(diagnostic.text.split("\n")[0]), len(shown) - diagnostic.column + 1))
        rows += [
            f"{margin} |",
            f"{number} | {shown}",
            f"{margin} | {' ' * (diagnostic.column - 1)}{'^' * width}",
        ]
    if diagnostic.help_line:
        rows.append(f"{margin} = help: {diagnostic.help_line}")
    return "\n".join(rows)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a slip of the finger most likely meant, or an empty text."""
    found = get_close_matches(word.casefold()[:60], list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


class PolicyErrors(Invalid):
    """The document is no policy. ``diagnostics`` holds every error (and the warnings found on the way), in reading order."""

    code = "policy_errors"

    def __init__(self, diagnostics: Sequence[Diagnostic], source: str = "") -> None:
        self.diagnostics = tuple(diagnostics)
        self.source = source
        errors = [each for each in self.diagnostics if each.severity == ERROR]
        first = str(errors[0]) if errors else "the policy has errors"
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(first + more, {f"{each.line}:{each.column}": each.message for each in errors})

    def rendered(self) -> str:
        """All findings as a compiler prints them."""
        return "\n\n".join(render(each, self.source) for each in self.diagnostics)
