"""A policy document as a frozen `Policy`, or all of its errors.

In: text. Out: `Policy` with compiled rules, the hash of its meaning and the warnings that were cheap to find.
Invariants: two documents that mean the same have the same hash, whatever their comments, quotes and key order; the order of
rules is meaning. Never: a policy from a document with an error; a look at the file system.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from portal.policy.conditions import (
    ALWAYS,
    FACTS,
    TEXT,
    TEXTS,
    Comparison,
    Condition,
    Holds,
    comparisons,
    compile_condition,
    condition_json,
)
from portal.policy.decision import OTHERWISE, Term
from portal.policy.diagnostics import Diagnostic, PolicyErrors
from portal.policy.document import Findings, Mapping_, Node, TooManyErrors, entries, parse, shown
from portal.policy.facts import canonical
from portal.policy.laws import Law, shipped
from portal.policy.plan import Plan, arrange
from portal.policy.read_conditions import read_condition
from portal.policy.read_terms import read_terms
from portal.policy.schema import COUNTRIES, read_list, read_number, read_text, read_word, read_yes_no, read_zone
from portal.policy.terms import REQUIRED_TERMS, value_to_json

SCHEMA_VERSION = 1
MAX_RULES = 500
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``sets`` holds the typed terms; ``holds`` is the compiled ``when``."""

    name: str
    when: Condition
    sets: Mapping[str, Any]
    say: str | None
    line: int
    holds: Holds = field(repr=False, compare=False)
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a shop's policy. Equal hashes mean equal decisions."""

    name: str
    timezone: str
    zone: ZoneInfo = field(repr=False)
    rules: tuple[Rule, ...]
    otherwise: Mapping[str, Any]
    laws: tuple[str, ...]
    floors: tuple[Law, ...]  # of the laws, in their order
    apply_to_open_orders: bool
    content_hash: str  # sha256 in hex of the canonical JSON of the meaning
    source: str = field(repr=False)
    warnings: tuple[Diagnostic, ...] = ()
    file: str = field(default="policy.yaml", repr=False, compare=False)
    # The terms of `otherwise` as a decision carries them, made once because most decisions take most of them.
    defaults: Mapping[str, Term] = field(default_factory=dict, repr=False, compare=False)
    # The merchant's sentences by rule.
    says: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    # How the rules are asked.
    plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = tuple((rule.name, rule.when, rule.holds, rule.sets) for rule in self.rules)
        object.__setattr__(self, "plan", arrange(rules, self.otherwise, self.zone))

    def rule(self, name: str) -> Rule | None:
        """The rule of that name, or None (for `otherwise` and for laws)."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def comparisons(self) -> Iterator[Comparison]:
        """Every test of every rule and of every law."""
        for rule in self.rules:
            yield from comparisons(rule.when)
        for law in self.floors:
            yield from comparisons(law.applies)
            for floor in law.floors:
                yield from comparisons(floor.when)
                yield from comparisons(floor.unless)

    def meaning(self) -> dict[str, Any]:
        """What the document says, as JSON in one spelling; the hash is taken of this."""
        return {
            "schema": SCHEMA_VERSION,
            "name": self.name,
            "timezone": self.timezone,
            "rules": [
                {
                    "rule": rule.name,
                    "when": condition_json(rule.when),
                    "set": {name: value_to_json(name, value) for name, value in rule.sets.items()},
                    "say": rule.say,
                }
                for rule in self.rules
            ],
            "otherwise": {name: value_to_json(name, value) for name, value in self.otherwise.items()},
            # Versions of a time when laws were names alone keep their hash; since then a law's own text is part of the meaning.
            "laws": {law.name: law.content_hash for law in self.floors} if self.floors else sorted(self.laws),
            "apply_to_open_orders": self.apply_to_open_orders,
        }


def load_policy(text: str, filename: str = "policy.yaml", laws: Mapping[str, Law] | None = None) -> Policy:
    """The policy of a document. Raises `PolicyErrors` with every error of it; warnings are on the policy.

    ``laws`` are those that it may name, by name: those of this release if left out. A published version is loaded with the laws
    that it was published with.
    """
    findings = Findings(filename)
    policy: Policy | None = None
    try:
        root = parse(text, findings)
        if root is not None:
            policy = _read_policy(root, text, findings, shipped() if laws is None else laws)
        elif not findings.failed:
            findings.at(1, 1, "the document is empty", "start with `schema: 1` and `name: …`")
    except TooManyErrors:
        policy = None
    if policy is None or findings.failed:
        found = sorted(findings.found, key=lambda each: (each.line, each.column))
        raise PolicyErrors(found, text)
    return policy


@lru_cache(maxsize=16)
def recall_policy(text: str, filename: str = "draft") -> Policy:
    """`load_policy` of a text that is asked for again and again: a draft by its page, its checks, each of its edits."""
    return load_policy(text, filename)


_KEYS = ("schema", "name", "timezone", "rules", "otherwise", "laws", "apply_to_open_orders")


def _read_policy(root: Node, text: str, findings: Findings, shelf: Mapping[str, Law]) -> Policy | None:
    if not isinstance(root, Mapping_):
        findings.error(root, f"expected a policy, not {shown(root)}", "start with `schema: 1` and `name: …`")
        return None
    given: dict[str, Node] = {}
    keys: dict[str, Node] = {}
    for key, value in entries(root, findings):
        if key.text not in _KEYS:
            findings.error(key, f"unknown key {shown(key)}", known=_KEYS)
        given[key.text], keys[key.text] = value, key
    for key_name in ("schema", "name", "timezone", "otherwise"):
        if key_name not in given:
            findings.error(root, f"`{key_name}` is missing", "every policy needs it")
    if "schema" in given and (version := read_number(given["schema"], findings)) not in (None, SCHEMA_VERSION):
        findings.error(given["schema"], f"schema {version} is not known", f"this program reads schema {SCHEMA_VERSION}")
    name = read_text(given["name"], findings, "a name") if "name" in given else None
    zone_name = read_zone(given["timezone"], findings) if "timezone" in given else None
    zone = ZoneInfo(zone_name or "UTC")
    rules = _read_rules(given["rules"], zone, findings) if "rules" in given else ()
    otherwise = _read_otherwise(keys["otherwise"], given["otherwise"], findings) if "otherwise" in given else None
    laws = _read_laws(given["laws"], shelf, findings) if "laws" in given else ()
    open_orders = False
    if "apply_to_open_orders" in given:
        open_orders = bool(read_yes_no(given["apply_to_open_orders"], findings))
    if findings.failed or name is None or zone_name is None or otherwise is None:
        return None
    floors = tuple(shelf[law] for law in laws if law in shelf)
    draft = Policy(name, zone_name, zone, rules, otherwise, laws, floors, open_orders, "", text)
    return replace(
        draft,
        content_hash=hashlib.sha256(canonical(draft.meaning())).hexdigest(),
        warnings=tuple(findings.found),
        file=findings.file,
        defaults={term: Term(value, OTHERWISE) for term, value in otherwise.items()},
        says={rule.name: rule.say for rule in rules if rule.say is not None},
    )


def _read_laws(node: Node, shelf: Mapping[str, Law], findings: Findings) -> tuple[str, ...]:
    items = read_list(node, findings, "a list of laws") if not _is_empty_list(node) else []
    # A version that was published before laws were applied names them and has none.
    laws = [read_word(item, findings, tuple(shelf or shipped()), "law") for item in items or []]
    return tuple(dict.fromkeys(law for law in laws if law is not None))


def _is_empty_list(node: Node) -> bool:
    return getattr(node, "items", None) == []


def _read_otherwise(key: Node, node: Node, findings: Findings) -> dict[str, Any] | None:
    terms = read_terms(node, findings)
    if isinstance(node, Mapping_):
        given = {entry.text for entry, _ in node.entries}
        for term in REQUIRED_TERMS:
            if term not in given:
                findings.error(
                    key, f"`otherwise` does not say `{term}`", "every term needs a value for when no rule speaks"
                )
    return terms


def _read_rules(node: Node, zone: ZoneInfo, findings: Findings) -> tuple[Rule, ...]:
    if _is_empty_list(node):
        return ()
    if isinstance(node, Mapping_):
        findings.error(node, "expected a list of rules, not a mapping", "start every rule with `- rule: its name`")
        return ()
    items = read_list(node, findings, "a list of rules") or []
    if len(items) > MAX_RULES:
        findings.error(items[MAX_RULES], f"more than {MAX_RULES} rules", "split the shop’s goods by tags, not by rules")
        return ()
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    for item in items:
        rule = _read_rule(item, zone, findings)
        if rule is None:
            continue
        if rule.name.casefold() in lines:
            findings.error(
                item, f"two rules are called `{rule.name}`", f"the other one is on line {lines[rule.name.casefold()]}"
            )
        lines.setdefault(rule.name.casefold(), item.line)
        _doubt(rule, item, findings)
        rules.append(rule)
    return tuple(rules)


def _doubt(rule: Rule, item: Node, findings: Findings) -> None:
    """What is hardly meant, as the rule alone shows it."""
    if rule.sets.get("returnable") is False and rule.say is None:
        help_ = "add `say:` so that customers read why they are refused"
        plain = (
            f"“{rule.name}” refuses and gives customers no reason",
            "Write what customers read, so that they know why it can’t come back",
        )
        findings.warning(item, f"`{rule.name}` refuses without a sentence", help_, plain)
    if rule.sets.get("donate") is True and rule.sets.get("keep_item") is not True:
        message = f"`{rule.name}` asks to give away what it does not let customers keep"
        plain = (
            f"“{rule.name}” asks to give away what customers have to send back",
            "Also let the customer keep it: what has to come back can’t be given away",
        )
        findings.warning(item, message, "add `keep_item: true`; what has to come back is not given away", plain)
    for fact, value in _asked(rule.when):
        if fact == "order.country" and value not in COUNTRIES:
            help_ = "no order goes there; write the two letters of a country, and those of each country of a union"
            plain = (
                f"“{rule.name}” asks for “{value}”, which is no country",
                "No order goes there. Write the two letters of a country, and those of each country of a union",
            )
            findings.warning(item, f"`{rule.name}` asks for `{value}`, which is no country", help_, plain)
        if FACTS[fact].type == TEXTS and "," in value:
            message = f"`{rule.name}` asks for one `{value}` in `{fact}`"
            plain = (
                f"“{rule.name}” asks for one tag or code that is called “{value}”",
                "If these are several, choose “has one of” and write each on its own line",
            )
            findings.warning(item, message, f"for one of several write `{{has_any: [{value}]}}`", plain)


def _asked(when: Condition) -> Iterator[tuple[str, str]]:
    """Every text that a condition names, with its fact, once."""
    found = [
        (test.fact, value)
        for test in comparisons(when)
        if test.fact in FACTS and FACTS[test.fact].type in (TEXT, TEXTS) and test.op != "matches"
        for value in (test.value if isinstance(test.value, tuple) else (test.value,))
    ]
    yield from dict.fromkeys(found)


_RULE_KEYS = ("rule", "when", "set", "say")


def _read_rule(node: Node, zone: ZoneInfo, findings: Findings) -> Rule | None:
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected a rule, not {shown(node)}", "write it like `- rule: Final sale`")
        return None
    given: dict[str, Node] = {}
    for key, value in entries(node, findings):
        if key.text not in _RULE_KEYS:
            findings.error(key, f"unknown key {shown(key)}", known=_RULE_KEYS)
        given[key.text] = value
    name = _read_name(node, given, findings)
    when = read_condition(given["when"], findings) if "when" in given else ALWAYS
    sets: dict[str, Any] | None = None
    if "set" not in given and any(key not in _RULE_KEYS for key in given):
        pass  # the key that is not known was most likely meant to be this one, and is reported already
    elif "set" not in given:
        findings.error(node, f"`{name}` sets nothing" if name else "the rule sets nothing", "add `set:` with its terms")
    else:
        sets = read_terms(given["set"], findings)
        if sets == {}:
            findings.error(given["set"], "`set` is empty", "name at least one term")
    say = read_text(given["say"], findings, "a sentence") if "say" in given else None
    if name is None or when is None or not sets:
        return None
    return Rule(name, when, sets, say, node.line, compile_condition(when, zone), node.column)


def _read_name(node: Node, given: Mapping[str, Node], findings: Findings) -> str | None:
    if "rule" not in given:
        findings.error(node, "the rule has no name", "start it with `rule: its name`; answers refer to rules by name")
        return None
    name = read_text(given["rule"], findings, "a name")
    if name is None:
        return None
    if len(name) > MAX_NAME:
        findings.error(given["rule"], f"a name of {len(name)} characters", f"at most {MAX_NAME} are allowed")
        return None
    if name.casefold() == OTHERWISE or name.casefold().startswith("law:"):
        findings.error(
            given["rule"],
            f"{shown(given['rule'])} is no name for a rule",
            "the language itself uses it",
        )
        return None
    return name
