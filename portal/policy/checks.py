"""Everything that can be said against a policy before it is published, as the editor and the publish page list it.

In: the text of a draft. Out: checks, the worst first. Invariants: an error blocks publishing, a warning has to be read, a note
does nothing; a check names the rule that it is about wherever it is about one. Never: a check of its own: the loader and
the analysis find them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from portal.policy.analysis import analyse
from portal.policy.diagnostics import ERROR, WARNING, Diagnostic, PolicyErrors
from portal.policy.loader import Policy, recall_policy

NOTE = "note"
__all__ = ["ERROR", "NOTE", "WARNING", "Check", "check_policy", "check_text", "spoken"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``rule`` is the rule it is about (None: the document); ``key`` names it from one page to the next."""

    severity: str
    title: str
    help: str
    rule: str | None
    line: int
    column: int
    text: str = ""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.severity} {self.title}".encode()).hexdigest()[:12]


@lru_cache(maxsize=16)
def check_text(text: str, countries: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """The checks of a text, whether it is a policy or not, for a shop that sells to these countries."""
    try:
        return check_policy(recall_policy(text), countries)
    except PolicyErrors as errors:
        return _checks(errors.diagnostics, None)


def check_policy(policy: Policy, countries: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """The checks of a policy that loads: what the loader saw, and what the analysis computed."""
    return _checks((*policy.warnings, *analyse(policy, countries=countries)), policy)


def _checks(found: Iterable[Diagnostic], policy: Policy | None) -> tuple[Check, ...]:
    rank = {ERROR: 0, WARNING: 1}
    told = [_check(each, policy) for each in found]
    return tuple(sorted(told, key=lambda each: (rank.get(each.severity, 2), each.line, each.column)))


def spoken(message: str) -> str:
    """A diagnostic's message as a page says it: with a capital, and the merchant's words in the quotes of prose."""
    text = re.sub(r"`([^`]*)`", "“\\1”", message)
    return text[:1].upper() + text[1:]


def _check(found: Diagnostic, policy: Policy | None) -> Check:
    rule = None
    for each in policy.rules if policy is not None else ():
        if each.line <= found.line and found.message.startswith(f"`{each.name}`"):
            rule = each.name
    return Check(
        found.severity,
        spoken(found.message),
        spoken(found.help_line),
        rule,
        found.line,
        found.column,
        found.text,
    )
