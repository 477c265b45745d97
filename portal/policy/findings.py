"""What a finding of the analysis is made of: its place at a rule, and an example in the words of the document.

In: a policy, a rule, facts as the analysis gives them. Out: diagnostics and text. Never: a finding of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from portal.money import Money
from portal.policy.conditions import SHARE, WEIGHT, find_fact
from portal.policy.decision import OTHERWISE
from portal.policy.diagnostics import WARNING, Diagnostic, Fix
from portal.policy.loader import Policy, Rule
from portal.policy.satisfy import NOT_TRUE, TRUE, Demand, Given
from portal.policy.terms import percent


def at_rule(
    policy: Policy,
    rule: Rule | None,
    message: str,
    help_: str,
    fix: Fix | None = None,
    plain: tuple[str, str] = ("", ""),
    severity: str = WARNING,
) -> Diagnostic:
    """A finding where the rule begins; for no rule, at ``otherwise``."""
    lines = policy.source.splitlines()
    if rule is None:
        line = next((at for at, text in enumerate(lines, 1) if re.match(r"[\"']?otherwise\b", text)), 1)
        return Diagnostic(severity, message, policy.file, line, 1, OTHERWISE, help_, fix=fix, plain=plain)
    return Diagnostic(severity, message, policy.file, rule.line, rule.column, "", help_, fix=fix, plain=plain)


def example_words(given: Given) -> str:
    if not given:
        return "for example, whatever the order is"
    return "for example, with " + listed([f"`{name}: {_value(name, value)}`" for name, value in sorted(given.items())])


def _value(name: str, value: Any) -> str:
    """A value as a case beside the policy writes it."""
    spec = find_fact(name)
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return "[" + ", ".join(value) + "]"
        case Money():
            return f"{value.decimal} {value.currency}"
        case date():
            return value.isoformat()
        case int() if spec is not None and spec.type == SHARE:
            return percent(value) if value >= 0 else f"-{percent(-value)}"
        case int() if spec is not None and spec.type == WEIGHT:
            return f"{value} g"
        case _:
            return str(value)


def listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def demands(rule: Rule, rivals: Iterable[Rule]) -> list[Demand]:
    return [(rule.when, TRUE), *none_of(rivals)]


def none_of(rivals: Iterable[Rule]) -> list[Demand]:
    return [(each.when, NOT_TRUE) for each in rivals]
