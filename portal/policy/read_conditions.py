"""Reads the ``when`` of a rule into a tree of tests.

In: nodes. Out: a `Condition`, or None with the errors in `Findings`.
Invariants: every fact and operator is checked against the tables of `conditions`; a mapping means "all of these".
Never: a value whose type is not the fact's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.money import is_currency
from portal.policy import conditions as c
from portal.policy.document import Findings, Listing, Mapping_, Node, Scalar, entries, shown
from portal.policy.schema import (
    read_country,
    read_date,
    read_list,
    read_money,
    read_number,
    read_pattern,
    read_scalar,
    read_share,
    read_text,
    read_weight,
    read_word,
    read_yes_no,
)

_COMPOSERS = ("all", "any", "not")
_KNOWN = (*c.FACTS, *_COMPOSERS)


def read_condition(node: Node, findings: Findings) -> c.Condition | None:
    """A mapping of facts to tests; all of them must hold. An empty mapping holds always."""
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected conditions, not {shown(node)}", "write them like `{reason: faulty}`")
        return None
    parts: list[c.Condition] = []
    failed = False
    for key, value in entries(node, findings):
        part = _composed(key, value, findings) if key.text in _COMPOSERS else _tests(key, value, findings)
        failed = failed or part is None
        if part is not None:
            parts.append(part)
    if failed:
        return None
    return parts[0] if len(parts) == 1 else c.All(tuple(parts))


def _composed(key: Scalar, value: Node, findings: Findings) -> c.Condition | None:
    if key.text == "not":
        part = read_condition(value, findings)
        if part == c.ALWAYS:
            findings.error(value, "`not` of nothing never holds", "name what must not hold, or delete `not`")
            return None
        return None if part is None else c.Not(part)
    if not isinstance(value, Listing) or not value.items:
        findings.error(
            value, f"expected a list of conditions after `{key.text}`", f"write it like `{key.text}: [{{…}}, {{…}}]`"
        )
        return None
    parts = [read_condition(item, findings) for item in value.items]
    if any(part is None for part in parts):
        return None
    read = tuple(part for part in parts if part is not None)
    return c.All(read) if key.text == "all" else c.Any_(read)


def _tests(key: Scalar, value: Node, findings: Findings) -> c.Condition | None:
    spec = c.find_fact(key.text)
    if spec is None:
        findings.error(key, f"unknown condition {shown(key)}", known=_KNOWN)
        return None
    if isinstance(value, Mapping_):
        if not value.entries:
            findings.error(value, f"no test is given for `{key.text}`", _usage(spec))
            return None
        tests = [_test(spec, op, operand, findings) for op, operand in entries(value, findings)]
        if any(test is None for test in tests):
            return None
        read = tuple(test for test in tests if test is not None)
        return read[0] if len(read) == 1 else c.All(read)
    # The short forms: a value means `is` (`has` for lists), a list of values means `in` (`has_any`).
    listed = isinstance(value, Listing)
    short = ("has_any" if listed else "has") if spec.type == c.TEXTS else ("in" if listed else "is")
    if short not in c.OPERATORS[spec.type]:
        findings.error(value, f"`{key.text}` takes no list", _usage(spec))
        return None
    return _operand(spec, short, value, findings)


def _usage(spec: c.FactSpec) -> str:
    return f"`{spec.name}` takes " + ", ".join(f"`{op}`" for op in c.OPERATORS[spec.type])


def _test(spec: c.FactSpec, op: Scalar, operand: Node, findings: Findings) -> c.Condition | None:
    allowed = c.OPERATORS[spec.type]
    if op.text not in allowed:
        if op.text in c.ALL_OPERATORS:
            kind = c.TYPE_WORDS[spec.type]
            findings.error(op, f"`{op.text}` does not fit `{spec.name}`, which is {kind}", _usage(spec))
        else:
            findings.error(op, f"unknown operator {shown(op)}", _usage(spec), known=c.ALL_OPERATORS)
        return None
    return _operand(spec, op.text, operand, findings)


def _operand(spec: c.FactSpec, op: str, operand: Node, findings: Findings) -> c.Comparison | None:
    read = _reader(spec, op)
    if op == "between":
        return _between(spec, operand, read, findings)
    if op in c.LIST_OPERATORS:
        items = read_list(operand, findings, f"a list for `{op}`")
        values = None if items is None else [read(item, findings) for item in items]
        if values is None or any(value is None for value in values):
            return None
        # Order and doubles mean nothing in a set of words; one spelling keeps the content hash of a policy steady.
        return c.Comparison(spec.name, op, tuple(sorted(set(values))))
    value = read(operand, findings)
    return None if value is None else c.Comparison(spec.name, op, value)


def _between(
    spec: c.FactSpec, operand: Node, read: Callable[[Node, Findings], Any], findings: Findings
) -> c.Comparison | None:
    if not isinstance(operand, Listing) or len(operand.items) != 2:
        findings.error(
            operand, "`between` takes two values", "write it like `between: [1, 10]`; both ends are included"
        )
        return None
    low, high = (read(item, findings) for item in operand.items)
    if low is None or high is None:
        return None
    if spec.type == c.MONEY and low.currency != high.currency:
        findings.error(operand, f"`between` compares {low.currency} with {high.currency}", "use one currency")
        return None
    # Two days are the same as `from` and `to`: that such a rule can never hold is the analysis's to say, however it is written.
    if high < low and spec.type != c.DAY:
        findings.error(operand, "`between` holds for nothing: the second value is below the first", "swap them")
        return None
    return c.Comparison(spec.name, "between", (low, high))


def read_value(spec: c.FactSpec, node: Node, findings: Findings) -> Any:
    """One value of a fact's type, as a case gives it."""
    return _reader(spec, "is")(node, findings)


def _reader(spec: c.FactSpec, op: str) -> Callable[[Node, Findings], Any]:
    if op == "matches":
        return read_pattern
    if spec.words:
        return lambda node, findings: read_word(node, findings, spec.words, spec.name)
    if spec.kind == "country":
        return read_country
    if spec.kind == "currency":
        return _read_currency
    readers: dict[str, Callable[[Node, Findings], Any]] = {
        c.TEXT: read_text,
        c.TEXTS: read_text,
        c.NUMBER: read_number,
        c.MONEY: read_money,
        c.YES_NO: read_yes_no,
        c.SHARE: read_share,
        c.WEIGHT: read_weight,
        c.DAY: read_date,
    }
    return readers[spec.type]


def _read_currency(node: Node, findings: Findings) -> str | None:
    scalar = read_scalar(node, findings, "a currency")
    if scalar is None:
        return None
    if not is_currency(scalar.text):
        findings.error(node, f"{shown(node)} is no currency", "write three capital letters, like `GBP`")
        return None
    return scalar.text
