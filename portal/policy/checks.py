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

from portal.policy import edit
from portal.policy.analysis import analyse
from portal.policy.diagnostics import ERROR, NOTE, WARNING, Diagnostic, Fix, PolicyErrors
from portal.policy.laws import shipped
from portal.policy.loader import Policy, recall_policy

__all__ = ["ERROR", "NOTE", "WARNING", "Check", "check_policy", "check_text", "mended", "spoken", "with_more"]


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
    fix: Fix | None = None
    """What mends it for certain. Besides those of a diagnostic, ``word`` writes the known word ``subject`` in its place."""

    @property
    def mend(self) -> str:
        """What the fix is about, as it is called: a law by its title, a rule by its name, a word as it is written."""
        if self.fix is None:
            return ""
        return shipped()[self.fix.subject].title if self.fix.kind == "law" else self.fix.subject

    @property
    def advice(self) -> str:
        """How to mend it, as a sentence: a question has its own stop. Empty where there is nothing to say."""
        return self.help if not self.help or self.help.endswith(("?", ".", "!")) else f"{self.help}."

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


def with_more(checks: Iterable[Check], policy: Policy, found: Iterable[Diagnostic]) -> tuple[Check, ...]:
    """The checks with what was found besides, which is not in the text alone: in the versions before it, in the orders."""
    return _sorted([*checks, *(_check(each, policy) for each in found)])


def _checks(found: Iterable[Diagnostic], policy: Policy | None) -> tuple[Check, ...]:
    return _sorted([_check(each, policy) for each in found])


def _sorted(found: list[Check]) -> tuple[Check, ...]:
    rank = {ERROR: 0, WARNING: 1, NOTE: 2}
    return tuple(sorted(found, key=lambda each: (rank[each.severity], each.line, each.column)))


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
        found.plain[0] or spoken(found.message),
        found.plain[1] or spoken(found.help_line),
        rule,
        found.line,
        found.column,
        found.text,
        found.fix or (Fix("word", found.near) if found.near and found.text else None),
    )


def mended(text: str, check: Check) -> str:
    """The document with a check's fix made. Raises `PolicyErrors` or `NoSuchRule` where the document is no longer what it was."""
    match check.fix:
        case Fix("law", name):
            laws = recall_policy(text).laws
            return text if name in laws else edit.change_head(text, laws=[*laws, name])
        case Fix("above", name, target):
            names = [rule.name for rule in recall_policy(text).rules]
            there, here = names.index(target), names.index(name)
            return edit.move_rule(text, name, there if here > there else there - 1)
        case Fix("word", word):
            lines = text.splitlines(keepends=True)
            line = lines[check.line - 1]
            at = line.find(check.text, max(check.column - 1, 0))
            if at < 0:
                return text
            lines[check.line - 1] = line[:at] + word + line[at + len(check.text) :]
            return "".join(lines)
    return text
