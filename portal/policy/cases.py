"""Cases beside a policy: facts in, answer out. A merchant's tests, in the words of the language.

In: the text of a cases file. Out: `Case` values, and for each the differences between what is expected and what is decided.
Invariants: facts are written with the names that conditions use; a case says only what it cares about.
Never: a fact that is filled in silently; what a case does not give is unknown, as it is for `decide`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from portal.policy import conditions as c
from portal.policy.decision import REFUSING, REQUIRING, REVIEWING, Decision
from portal.policy.diagnostics import PolicyErrors
from portal.policy.document import Findings, Listing, Mapping_, Node, Scalar, TooManyErrors, entries, parse, shown
from portal.policy.engine import decide
from portal.policy.explain import customer_summary, value_words
from portal.policy.facts import Facts
from portal.policy.loader import Policy
from portal.policy.read_conditions import read_value
from portal.policy.read_terms import read_terms
from portal.policy.schema import is_understood, read_date, read_list, read_text, read_word

ANSWERS = ("accept", "review", "refuse")
_EXPECTED = ("answer", "causes", "requires", "until", "terms", "set_by", "says")


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``expect`` holds only the keys that were given, typed."""

    name: str
    line: int
    facts: Facts
    expect: Mapping[str, Any]


def load_cases(text: str, policy: Policy, filename: str = "policy.cases.yaml") -> tuple[Case, ...]:
    """The cases of a document. Moments without an offset are in the policy's timezone. Raises `PolicyErrors`."""
    findings = Findings(filename)
    cases: tuple[Case, ...] = ()
    try:
        root = parse(text, findings)
        if root is not None:
            cases = _read_cases(root, policy, findings)
        elif not findings.failed:
            findings.at(1, 1, "the document is empty", "start with `cases:`")
    except TooManyErrors:
        pass
    if findings.failed:
        raise PolicyErrors(findings.found, text)
    return cases


def run_case(policy: Policy, case: Case) -> list[str]:
    """What differs, one line each; nothing when the case holds."""
    decision = decide(policy, case.facts)
    found: list[str] = []
    for key, wanted in case.expect.items():
        if key in ("terms", "set_by"):
            found += _term_differences(key, wanted, decision)
            continue
        got = _observed(key, decision)
        same = wanted in got if key == "says" else wanted == got
        if not same:
            found.append(f"{key}: expected {_text(wanted)}, got {_text(got)}")
    return found


def _observed(key: str, decision: Decision) -> Any:
    match key:
        case "answer":
            return decision.answer
        case "until":
            return decision.return_by_on
        case "says":
            return customer_summary(decision)
        case "causes":
            return tuple(cause.code for cause in decision.causes)
        case _requires:
            return tuple(cause.code for cause in decision.requires)


def _term_differences(key: str, wanted: Mapping[str, Any], decision: Decision) -> list[str]:
    found = []
    for name, value in wanted.items():
        term = decision.terms.get(name)
        if term is None:
            found.append(f"{name}: expected a value, but nothing sets it")
        elif key == "set_by" and term.set_by != value:
            found.append(f"{name}: expected to be set by `{value}`, got `{term.set_by}`")
        elif key == "terms" and term.value != value:
            found.append(f"{name}: expected {value_words(name, value)}, got {value_words(name, term.value)}")
    return found


def _text(value: Any) -> str:
    return "[" + ", ".join(value) + "]" if isinstance(value, tuple) else f"`{value}`"


def _read_cases(root: Node, policy: Policy, findings: Findings) -> tuple[Case, ...]:
    if not isinstance(root, Mapping_):
        findings.error(root, f"expected cases, not {shown(root)}", "start with `cases:`")
        return ()
    given, listed = Facts(evidence=None), None
    for key, value in entries(root, findings):
        if key.text == "given":
            given = read_facts(value, given, policy.zone, findings)
        elif key.text == "cases":
            listed = value
        else:
            findings.error(key, f"unknown key {shown(key)}", known=("given", "cases"))
    if not isinstance(listed, Listing) or not listed.items:
        findings.error(root, "no case is given", "list them under `cases:`, each with `case`, `facts` and `expect`")
        return ()
    read = [_read_case(item, given, policy, findings) for item in listed.items]
    return tuple(case for case in read if case is not None)


def _read_case(node: Node, given: Facts, policy: Policy, findings: Findings) -> Case | None:
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected a case, not {shown(node)}", "write it like `- case: its name`")
        return None
    name, facts, expect = None, given, None
    for key, value in entries(node, findings):
        match key.text:
            case "case":
                name = read_text(value, findings, "a name")
            case "facts":
                facts = read_facts(value, given, policy.zone, findings)
            case "expect":
                expect = _read_expect(value, findings)
            case _other:
                findings.error(key, f"unknown key {shown(key)}", known=("case", "facts", "expect"))
    if name is None or not expect:
        findings.error(
            node,
            "a case needs `case` (its name) and `expect`",
            "write it like `- case: late` with `expect: {answer: refuse}`",
        )
        return None
    if facts.order.last_delivered_at is None:
        # A case that tells of one parcel means an order of one parcel.
        facts = replace(facts, order=replace(facts.order, last_delivered_at=facts.item.delivered_at))
    return Case(name, node.line, facts, expect)


def _read_expect(node: Node, findings: Findings) -> dict[str, Any]:
    expect: dict[str, Any] = {}
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected an answer, not {shown(node)}", "write it like `{answer: accept}`")
        return expect
    for key, value in entries(node, findings):
        match key.text:
            case "answer":
                expect["answer"] = read_word(value, findings, ANSWERS, "answer")
            case "causes":
                expect["causes"] = _codes(value, findings, (*REFUSING, *REVIEWING))
            case "requires":
                expect["requires"] = _codes(value, findings, REQUIRING)
            case "until":
                expect["until"] = read_date(value, findings)
            case "terms":
                expect["terms"] = read_terms(value, findings) or {}
            case "says":
                expect["says"] = read_text(value, findings)
            case "set_by" if isinstance(value, Mapping_):
                expect["set_by"] = {term.text: read_text(rule, findings) for term, rule in entries(value, findings)}
            case _other:
                findings.error(key, f"unknown key {shown(key)}", known=_EXPECTED)
    return expect


def _codes(node: Node, findings: Findings, known: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(node, Listing) and not node.items:
        return ()
    items = read_list(node, findings, "a list of codes") or []
    return tuple(code for item in items if (code := read_word(item, findings, known, "code")))


def read_facts(node: Node, base: Facts, zone: ZoneInfo, findings: Findings) -> Facts:
    """``base`` with the facts of a mapping like ``{item.tags: [final-sale], at: 2026-11-12 18:00}``."""
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected facts, not {shown(node)}", "write them like `{reason: faulty}`")
        return base
    own: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {"order": {}, "customer": {}, "item": {}}
    answers = dict(base.answers or {})
    for key, value in entries(node, findings):
        spec = c.FACTS["today"] if key.text == "at" else c.find_fact(key.text)
        if spec is None or spec.kind == "days":
            known = ("at", *(name for name, each in c.FACTS.items() if each.kind != "days"))
            findings.error(key, f"unknown fact {shown(key)}", known=known)
            continue
        got = _fact(spec, value, zone, findings)
        group, _, field = spec.path.partition(".")
        if group == "answer":
            answers[field] = got
        elif field:
            groups[group][field] = got
        else:
            own[group] = got
    return replace(
        base,
        order=replace(base.order, **groups["order"]),
        customer=replace(base.customer, **groups["customer"]),
        item=replace(base.item, **groups["item"]),
        answers=answers or base.answers,
        **own,
    )


def _fact(spec: c.FactSpec, node: Node, zone: ZoneInfo, findings: Findings) -> Any:
    if isinstance(node, Scalar) and node.text == "unknown" and not node.quoted:
        return None
    if spec.type == c.DAY:
        return _moment(node, zone, findings)
    if spec.type == c.TEXTS:
        if isinstance(node, Listing) and not node.items:
            return ()
        items = read_list(node, findings, "a list")
        return None if items is None else tuple(read_text(item, findings) or "" for item in items)
    return read_value(spec, node, findings)


def _moment(node: Node, zone: ZoneInfo, findings: Findings) -> datetime | None:
    """``2026-11-12`` (noon), ``2026-11-12 18:00`` in the policy's timezone, or with ``Z`` or an offset."""
    if isinstance(node, Scalar) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", node.text):
        day = read_date(node, findings)
        return None if day is None else datetime.combine(day, time(12), tzinfo=zone).astimezone(UTC)
    try:
        moment = datetime.fromisoformat(node.text if isinstance(node, Scalar) else "")
    except ValueError:
        findings.error(node, f"expected a moment, not {shown(node)}", "write it like `2026-11-12 18:00`")
        return None
    if not is_understood(moment, node, findings):
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
