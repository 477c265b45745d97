"""The language as one JSON Schema, so that an editor completes, explains and underlines while a document is written.

In: the tables of `conditions` and `terms`. Out: `json_schema()`, of a policy, of its cases and of a law: `policies/schema.json`.
Invariants: what the loader accepts the schema accepts; what it refuses for its shape the schema refuses, as far as a schema
can say so (it cannot compare two values). Never: a word, a fact or a term that is not taken from the tables.

An editor reads YAML 1.2: ``30`` is a number there, ``true`` no text, ``2026-11-30`` a text. The language reads texts itself, so
that a text may look like a number to the editor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from babel.core import get_global

from portal.money import exponent
from portal.policy import conditions as c
from portal.policy import phrases
from portal.policy import terms as t
from portal.policy.cases import ANSWERS
from portal.policy.decision import REFUSING, REQUIRING, REVIEWING
from portal.policy.explain import term_label
from portal.policy.laws import GRANTABLE, shipped
from portal.policy.loader import MAX_NAME, MAX_RULES
from portal.policy.read_terms import MAX_CHOICES, MAX_PHOTOS, MAX_QUESTIONS, QUESTION_NAME
from portal.policy.schema import MAX_COUNT, MAX_DAYS, ZONE

Schema: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest dialect that the YAML plugins of common editors read."""

_TURNS = "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f\\u061c\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff"
_TAKEN = r"^\s*(?:[Oo][Tt][Hh][Ee][Rr][Ww][Ii][Ss][Ee]\s*$|[Ll][Aa][Ww]:)"
_DATE = r"(?:19[7-9][0-9]|2[01][0-9]{2})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _words(words: tuple[str, ...]) -> Schema:
    return {"enum": list(words)}


def _one_or_many(item: Schema, **more: Any) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, **more}]}


def _number(highest: int) -> Schema:
    whole = {"type": "integer", "minimum": 0, "maximum": highest}
    return {"anyOf": [whole, {"type": "string", "pattern": "^[0-9]{1,18}$"}]}


def _object(properties: Mapping[str, Any], *required: str, **more: Any) -> Schema:
    out: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}
    return out | ({"required": list(required)} if required else {})


def _amount() -> Schema:
    by_digits: dict[int, list[str]] = {}
    for code in sorted(get_global("all_currencies")):
        by_digits.setdefault(exponent(code), []).append(code)
    patterns = []
    for digits, listed in sorted(by_digits.items()):
        fraction = rf"(?:\.[0-9]{{1,{digits}}}0*)?" if digits else r"(?:\.0+)?"
        number, codes = f"[0-9]+{fraction}", "|".join(listed)
        patterns.append(rf"(?:{number}\s*(?:{codes})|(?:{codes})\s*{number})")
    return {
        "type": "string",
        "maxLength": 24,
        "pattern": rf"^\s*(?:{'|'.join(patterns)})\s*$",
        "description": "an amount with its currency, like 300 GBP",
    }


def _share() -> Schema:
    return {
        "type": "string",
        "pattern": r"^\s*(?:0{0,2}100(?:\.0{0,2})?|0{0,3}[0-9]{1,2}(?:\.[0-9]{0,2})?)\s*%\s*$",
        "description": "a percentage up to 100%, like 10% or 12.5%",
    }


_TEXT: Schema = {
    "description": "a text",
    "anyOf": [
        # Blanks around a text do not count, so a long one is refused by the loader alone.
        {"type": "string", "pattern": f"^[^{_TURNS}]*[^\\s{_TURNS}][^{_TURNS}]*$"},
        {"type": ["number", "boolean"]},
    ],
}


def _primitives() -> dict[str, Schema]:
    return {
        "text": _TEXT,
        "name": {"allOf": [_ref("text")], "maxLength": MAX_NAME, "not": {"pattern": _TAKEN}},
        "number": _number(MAX_COUNT),
        "days": {"anyOf": [_number(MAX_DAYS), {"type": "string", "pattern": r"^[0-9]{1,18}\s+days?$"}]},
        "flag": {"type": "boolean"},
        "share": _share(),
        "amount": _amount(),
        "weight": {
            "type": "string",
            "pattern": r"^[0-9]{1,7}(?:\s*g|(?:\.[0-9]{1,3})?\s*kg)$",
            "description": "a weight, like 500 g or 2.5 kg",
        },
        "date": {"type": "string", "pattern": f"^{_DATE}$", "description": "a date, like 2026-11-30"},
        "moment": {
            "type": "string",
            "pattern": "^[0-9]{4}-",
            "description": "a moment in the policy’s time zone, like 2026-11-30 18:00; a date alone is its noon",
        },
        "country": {"type": "string", "pattern": "^[A-Z]{2}$", "not": {"const": "UK"}, "description": "like GB or DE"},
        "currency": _words(tuple(sorted(get_global("all_currencies")))),
        "pattern": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 200}, {"type": ["number", "boolean"]}]},
        "version": {"enum": [1, "1"], "description": "the version of the language"},
    }  # fmt: skip


_OF_TYPE = {
    c.TEXT: "text",
    c.TEXTS: "text",
    c.NUMBER: "number",
    c.MONEY: "amount",
    c.YES_NO: "flag",
    c.SHARE: "share",
    c.WEIGHT: "weight",
    c.DAY: "date",
}


def _kind(spec: c.FactSpec) -> str:
    """The definition of one value of the fact; empty where it has words of its own."""
    return "" if spec.words else spec.kind if spec.kind in ("country", "currency") else _OF_TYPE[spec.type]


def _value(spec: c.FactSpec) -> Schema:
    """One value that the fact is compared with."""
    return _words(spec.words) if spec.words else _ref(_kind(spec))


def _test_name(spec: c.FactSpec) -> str:
    return f"test_of_{'tags' if spec.type == c.TEXTS else _kind(spec)}"


def _tests(spec: c.FactSpec) -> Schema:
    """What follows a fact: a value alone, a list where the type has one, or operators."""
    value, operators = _value(spec), c.OPERATORS[spec.type]
    listed = _one_or_many(value) if {"in", "has_any"} & set(operators) else value

    def operand(op: str) -> Schema:
        if op == "between":
            return {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
        return _ref("pattern") if op == "matches" else _one_or_many(value) if op in c.LIST_OPERATORS else value

    tests = {op: {**operand(op), "title": phrases.OPERATOR_WORDS[op][0]} for op in operators}
    return {"anyOf": [listed, _object(tests, minProperties=1)]}


def _fact(spec: c.FactSpec) -> Schema:
    words = phrases.FACT_WORDS.get(spec.name)
    label, takes = words.label if words else "A customer’s answer", ", ".join(c.OPERATORS[spec.type])
    said = f"{label}: {c.TYPE_WORDS[spec.type]}; takes {takes}"
    return {"description": said} | (_tests(spec) if spec.words else {"allOf": [_ref(_test_name(spec))]})


def _answer() -> c.FactSpec:
    return c.FactSpec(f"{c.ANSWER_PREFIX}question", c.TEXT, "")


_ANSWERS_PATTERN = rf"^{c.ANSWER_PREFIX.rstrip('.')}\..+"


def _condition() -> Schema:
    several = {"type": "array", "items": _ref("condition"), "minItems": 1}
    return _object(
        {
            **{name: _fact(spec) for name, spec in c.FACTS.items()},
            "all": {**several, "description": "every part holds"},
            "any": {**several, "description": "at least one part holds"},
            "not": {"allOf": [_ref("condition")], "minProperties": 1, "description": "the part does not hold"},
        },
        patternProperties={_ANSWERS_PATTERN: _fact(_answer())},
    )


def _window(spec: t.TermSpec) -> Schema:
    more = {"grace": _ref("days"), "ends_on": _words(t.ENDS_ON)}
    fallback = _object({"days": _ref("days"), "from": _words(("placed", "shipped"))}, "days", "from")
    counted = _object(
        {
            "days": _ref("days"),
            "from": _words(t.STARTS),
            "if_undelivered": {"anyOf": [_words(("review", "refuse")), fallback]},
            **more,
        },
        "days",
        allOf=[
            {
                "if": {"properties": {"from": {"const": "placed"}}, "required": ["from"]},
                "then": {"properties": {"if_undelivered": False}},
            },
            {
                "if": {"properties": {"from": {"const": "shipped"}}, "required": ["from"]},
                "then": {"properties": {"if_undelivered": {"properties": {"from": {"const": "placed"}}}}},
            },
        ],
    )
    return {"anyOf": [counted, _object({"until": _ref("date"), **more}, "until")]}


def _shipping(spec: t.TermSpec) -> Schema:
    customer = _object(
        {
            "paid_by": {"const": "customer"},
            "amount": _ref("amount"),
            "share": _ref("share"),
            "free_for": _one_or_many(_words(t.RESOLUTIONS), uniqueItems=True),
            "once_per": _words(("return", "order")),
        },
        "paid_by",
        **{"not": {"required": ["amount", "share"]}},
    )
    return {"anyOf": [_object({"paid_by": {"const": "merchant"}}, "paid_by"), customer]}


def _evidence(spec: t.TermSpec) -> Schema:
    photos = {**_number(MAX_PHOTOS), "not": {"enum": [0, "0"]}}
    return {"anyOf": [_words(("none", "photo")), _object({"photos": photos, "of": _ref("text")})]}


def _grades(spec: t.TermSpec) -> Schema:
    grade = {"anyOf": [_ref("share"), _object({"refund": _ref("share"), "review": _words(t.REVIEW)})]}
    return _object(dict.fromkeys(spec.words, grade))


def _questions(spec: t.TermSpec) -> Schema:
    choices = {"type": "array", "items": _ref("text"), "minItems": 2, "maxItems": MAX_CHOICES, "uniqueItems": True}
    name = {"type": "string", "pattern": f"^{QUESTION_NAME}$"}
    question = _object({"name": name, "ask": _ref("text"), "choices": choices}, "name", "ask")
    return {"type": "array", "items": question, "minItems": 1, "maxItems": MAX_QUESTIONS}


_OF_TERM: Mapping[str, Callable[[t.TermSpec], Schema]] = {
    t.YES_NO.name: lambda spec: _ref("flag"),
    t.WORD.name: lambda spec: _words(spec.words),
    t.WORDS.name: lambda spec: _one_or_many(_words(spec.words), uniqueItems=True),
    t.TEXT.name: lambda spec: _ref("text"),
    t.WINDOW.name: _window,
    t.EVIDENCE.name: _evidence,
    t.SHARE.name: lambda spec: _ref("share"),
    t.FEE.name: lambda spec: {"anyOf": [_ref("share"), _ref("amount")]},
    t.SHIPPING.name: _shipping,
    t.DAYS.name: lambda spec: _ref("days"),
    t.GRADES.name: _grades,
    t.QUESTIONS.name: _questions,
}


def _terms(names: tuple[str, ...] = tuple(t.TERMS)) -> dict[str, Schema]:
    return {
        name: {"description": term_label(name), **_OF_TERM[t.TERMS[name].type.name](t.TERMS[name])} for name in names
    }


def _rule() -> Schema:
    return _object(
        {
            "rule": {**_ref("name"), "description": "its name; answers refer to it"},
            "when": {**_ref("condition"), "description": "what must hold; always, where it is left out"},
            "set": {"allOf": [_ref("terms")], "minProperties": 1, "description": "the terms that it decides"},
            "say": {**_ref("text"), "description": "the sentence that a customer reads"},
        },
        "rule",
        "set",
    )


def _policy() -> Schema:
    return _object(
        {
            "schema": _ref("version"),
            "name": _ref("text"),
            "timezone": {"type": "string", "pattern": f"^{ZONE}$", "description": "like Europe/London"},
            "rules": {
                "type": "array",
                "items": _ref("rule"),
                "maxItems": MAX_RULES,
                "description": "read from the top: for each term, the first rule that matches and sets it wins",
            },
            "otherwise": {
                "allOf": [_ref("terms")],
                "required": list(t.REQUIRED_TERMS),
                "description": "what holds when no rule speaks",
            },
            "laws": {"anyOf": [_one_or_many(_words(tuple(shipped()))), {"type": "array", "maxItems": 0}]},
            "apply_to_open_orders": _ref("flag"),
        },
        "schema",
        "name",
        "timezone",
        "otherwise",
    )


def _facts() -> Schema:
    unknown = {"const": "unknown"}

    def given(spec: c.FactSpec) -> Schema:
        value = _ref("moment") if spec.type == c.DAY else _value(spec)
        if spec.type == c.TEXTS:
            return {"anyOf": [unknown, value, {"type": "array", "items": value}]}
        return {"anyOf": [unknown, value]}

    asked = {name: given(spec) for name, spec in c.FACTS.items() if spec.kind != "days"}
    return _object({"at": asked["today"], **asked}, patternProperties={_ANSWERS_PATTERN: given(_answer())})


def _case() -> Schema:
    def codes(words: tuple[str, ...]) -> Schema:
        return {"anyOf": [_one_or_many(_words(words)), {"type": "array", "maxItems": 0}]}

    expect = _object(
        {
            "answer": _words(ANSWERS),
            "causes": codes((*REFUSING, *REVIEWING)),
            "requires": codes(REQUIRING),
            "until": _ref("date"),
            "terms": _ref("terms"),
            "set_by": {"type": "object", "additionalProperties": _ref("text")},
            "says": _ref("text"),
        },
        minProperties=1,
    )
    return _object({"case": _ref("text"), "facts": _ref("facts"), "expect": expect}, "case", "expect")


def _law() -> Schema:
    grant = _object(
        {
            **_terms(GRANTABLE),
            "restocking_fee": {"type": "string", "pattern": r"^\s*0+(?:\.0{0,2})?\s*%\s*$"},
            "return_shipping": _object({"paid_by": {"const": "merchant"}}, "paid_by"),
        },
        "window",
    )
    floor = _object(
        {
            "floor": _ref("text"),
            "cite": _ref("text"),
            "when": _ref("condition"),
            "unless": _ref("condition"),
            "grant": grant,
        },
        "floor",
        "cite",
        "grant",
    )
    return _object(
        {
            "schema": _ref("version"),
            "law": _ref("text"),
            "title": _ref("text"),
            "checked": _ref("date"),
            "note": _ref("text"),
            "applies": _ref("condition"),
            "floors": {"type": "array", "items": floor, "minItems": 1},
        },
        "schema",
        "law",
        "title",
        "checked",
        "applies",
        "floors",
    )


def json_schema() -> Schema:
    """The schema of every document of the language; which of the three kinds one is, its own keys say."""
    return {
        "$schema": DIALECT,
        "title": "The policy language",
        "description": "A return policy, the cases beside it, or a law under it. policies/README.md describes every word.",
        "if": {"required": ["cases"]},
        "then": _ref("cases"),
        "else": {"if": {"required": ["law"]}, "then": _ref("law"), "else": _ref("policy")},
        "definitions": {
            "policy": _policy(),
            "cases": _object(
                {"given": _ref("facts"), "cases": {"type": "array", "items": _case(), "minItems": 1}}, "cases"
            ),
            "law": _law(),
            "rule": _rule(),
            "condition": _condition(),
            "terms": _object(_terms()),
            "facts": _facts(),
            **{_test_name(spec): _tests(spec) for spec in c.FACTS.values() if not spec.words},
            **_primitives(),
        },
    }


def schema_text() -> str:
    """`json_schema` as `policies/schema.json` holds it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
