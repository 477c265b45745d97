"""How values of the language are written: typed terms and conditions as YAML text that reads back to the same.

In: typed values. Out: trees of plain values (`Tree`) and their text in flow style.
Invariant: what is written here is read back to the very value (a property test proves it). Never: a layout; that is `layout`.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any, TypeAlias

from portal.money import Money
from portal.policy import conditions as c
from portal.policy import terms as t
from portal.policy.sentences import weight

Tree: TypeAlias = "str | bool | int | list[Tree] | dict[str, Tree]"

# What needs no quotes in any place: letters, figures, and signs that YAML gives no meaning within a word.
_PLAIN = re.compile(r"[^\W_](?:[\w ./’'()£€$%+@–-]*[\w.’)%])?")


def scalar(value: str | bool | int) -> str:
    """One value as text, quoted where YAML asks for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _PLAIN.fullmatch(text) and "\n" not in text else json.dumps(text, ensure_ascii=False)


def flow(tree: Tree) -> str:
    """A tree on one line: ``{days: 30, from: delivered}``."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(flow(each) for each in tree) + "]"
    return scalar(tree)


def term_tree(term: str, value: Any) -> Tree:
    """A term's value as the document writes it; what is left out is what the language takes then anyway."""
    if isinstance(value, t.Window):
        return _window(value)
    return _amounts(t.value_to_json(term, value))


def _window(window: t.Window) -> Tree:
    more: dict[str, Tree] = {}
    if window.grace:
        more["grace"] = window.grace
    if window.ends_on != "day":
        more["ends_on"] = window.ends_on
    if window.until is not None:
        return {"until": window.until.isoformat(), **more}
    out: dict[str, Tree] = {"days": window.days or 0, "from": window.start}
    if isinstance(window.if_undelivered, t.Window):
        out["if_undelivered"] = {"days": window.if_undelivered.days or 0, "from": window.if_undelivered.start}
    elif window.if_undelivered != "review":
        out["if_undelivered"] = window.if_undelivered
    return out | more


def _amounts(data: Any) -> Tree:
    """The wire form of a value with its amounts written as people write them."""
    if isinstance(data, dict):
        if set(data) == {"amount", "currency"}:
            return str(Money(data["amount"], data["currency"]))
        return {key: _amounts(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_amounts(each) for each in data]
    return data if isinstance(data, bool | int) else str(data)


def condition_tree(condition: c.Condition) -> dict[str, Tree]:
    """A condition as the mapping after ``when``."""
    match condition:
        case c.Comparison(fact, op, value):
            spec = c.find_fact(fact)
            if op == "between" and spec is not None and spec.type == c.DAY:
                # Two days read best as a span, and it is how the documents of the language write it.
                return {fact: {"from": value[0].isoformat(), "to": value[1].isoformat()}}
            written = _operand(spec, value)
            short = op == "is" or (op == "has" and spec is not None and spec.type == c.TEXTS)
            return {fact: written if short else {op: written}}
        case c.Not(part):
            return {"not": condition_tree(part)}
        case c.Any_(parts):
            return {"any": [condition_tree(part) for part in parts]}
        case c.All():
            return _all(flat(condition))


def _all(parts: list[c.Condition]) -> dict[str, Tree]:
    """Tests of different facts stand side by side, two of one fact share its key; what collides goes under ``all``."""
    out: dict[str, Tree] = {}
    rest: list[Tree] = []
    for part in parts:
        ((key, value),) = condition_tree(part).items()
        there = out.get(key)
        if there is None:
            out[key] = value
        elif isinstance(there, dict) and isinstance(value, dict) and "." in key and not set(there) & set(value):
            out[key] = {**there, **value}
        else:
            rest.append({key: value})
    return {**out, "all": rest} if rest else out


def flat(condition: c.Condition) -> list[c.Condition]:
    """The parts that must all hold, `all` within `all` laid flat."""
    if not isinstance(condition, c.All):
        return [condition]
    return [each for part in condition.parts for each in flat(part)]


def meaning(condition: c.Condition) -> str:
    """One text for one meaning: the order of parts that must all hold, or of which one must, does not count.

    From one day to another is the same as between them.
    """
    match condition:
        case c.Comparison(_, "between", (date(), date())):
            return meaning(c.All(tuple(_span(condition))))
        case c.Comparison():
            return json.dumps(c.condition_json(condition), sort_keys=True)
        case c.Not(part):
            return f"not({meaning(part)})"
        case c.Any_(parts):
            return "any(" + " ".join(sorted(meaning(part) for part in parts)) + ")"
        case c.All():
            spans = [_span(part) for part in flat(condition)]
            return "all(" + " ".join(sorted(meaning(part) for span in spans for part in span)) + ")"


def _span(part: c.Condition) -> list[c.Condition]:
    match part:
        case c.Comparison(fact, "between", (date() as first, date() as last)):
            return [c.Comparison(fact, "from", first), c.Comparison(fact, "to", last)]
    return [part]


def _operand(spec: c.FactSpec | None, value: Any) -> Tree:
    match value:
        case tuple():
            return [_operand(spec, each) for each in value]
        case Money():
            return str(value)
        case date():
            return value.isoformat()
    if spec is not None and spec.type == c.SHARE:
        return t.percent(value)
    if spec is not None and spec.type == c.WEIGHT:
        return weight(value)
    written: Tree = value
    return written
