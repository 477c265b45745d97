"""The form of a rule's condition: rows of fact, operator and value, in groups of which all or one must hold.

In: a condition, or what a form holds. Out: rows for the page, or the condition.
Every row has a path (``0``, ``2-1``); the names of its controls begin with ``when-`` and the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.policy import conditions as c
from portal.policy import phrases as p
from portal.policy.sentences import fact_label, fact_word, weight
from portal.policy.written import flat
from portal.web.staff import words
from portal.web.staff.policy.fields import Data, Field, Holder, Options, decimal, percentage
from portal.web.staff.text import _

ANSWER = c.ANSWER_PREFIX
"""What the list of facts holds for every answer; which question is asked for beside it."""
MAX_ROWS, MAX_DEPTH = 60, 5
_NAME = re.compile(r"when((?:-\d{1,3})+)-([a-z]+)")


@dataclass(slots=True)
class Row:
    """One row. ``kind`` is test, any or all; ``data`` holds a test's controls by their short names."""

    kind: str
    negated: bool = False
    data: Data = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def rows_of(condition: c.Condition) -> list[Row]:
    """The rows of a condition: those that must all hold."""
    parts: list[c.Condition] = []
    for part in flat(condition):
        match part, parts[-1] if parts else None:
            case c.Comparison(fact, "to", last), c.Comparison(before, "from", first) if (
                fact == before and first <= last
            ):
                parts[-1] = c.Comparison(fact, "between", (first, last))
            case _:
                parts.append(part)
    return [_row(part) for part in parts]


def _row(part: c.Condition) -> Row:
    match part:
        case c.Comparison():
            return Row("test", data=_show(part))
        case c.Not(inner):
            row = _row(inner)
            return Row("all", True, rows=[row]) if row.negated else Row(row.kind, True, row.data, row.rows)
        case c.Any_(parts):
            return Row("any", rows=[_row(each) for each in parts])
        case c.All():
            return Row("all", rows=rows_of(part))


def _show(test: c.Comparison) -> Data:
    spec = c.find_fact(test.fact)
    out: Data = {"fact": [test.fact], "op": [test.op]}
    if test.fact.startswith(ANSWER):
        out |= {"fact": [ANSWER], "question": [test.fact[len(ANSWER) :]]}
    if spec is None:
        return out
    if test.op == "between":
        # One unit stands for both ends: the smaller one, where they are not written in the same.
        unit = min(_unit(each) for each in test.value) if spec.type == c.WEIGHT else ""
        low, high = (_typed(spec, each, unit) for each in test.value)
        return {**out, **low, "last": high["value"]}
    if isinstance(test.value, tuple):
        typed = [_typed(spec, each)["value"][0] for each in test.value]
        return {**out, "value": typed if spec.words else ["\n".join(typed)]}
    return {**out, **_typed(spec, test.value)}


def _unit(grams: int) -> str:
    """The unit that a weight is read in: as the rule's sentence says it, as long as a decimal is no thousand."""
    return "kg" if grams >= 1000 and grams % 10 == 0 else "g"


def _typed(spec: c.FactSpec, value: Any, unit: str = "") -> Data:
    match spec.type:
        case c.MONEY:
            return {"value": [decimal(value)], "currency": [value.currency]}
        case c.SHARE:
            return {"value": [percentage(value)]}
        case c.WEIGHT:
            unit = unit or _unit(value)
            return {"value": [weight(value, unit).partition(" ")[0]], "unit": [unit]}
        case c.YES_NO:
            return {"value": ["yes" if value else "no"]}
    return {"value": [str(value)]}


def write_rows(rows: Sequence[Row], path: str = "when") -> Data:
    """What the controls of these rows hold, under their whole names."""
    out: Data = {}
    for position, row in enumerate(rows):
        here = f"{path}-{position}"
        out[f"{here}-kind"] = [row.kind]
        out[f"{here}-not"] = ["1"] if row.negated else [""]
        if row.kind == "test":
            out |= {f"{here}-{name}": held for name, held in row.data.items()}
        else:
            out |= write_rows(row.rows, here)
    return out


def read_rows(data: Data) -> list[Row]:
    """The rows that a form holds. More than a rule can have, or deeper ones, are not looked at."""
    found: dict[tuple[int, ...], Data] = {}
    for name, held in data.items():
        match = _NAME.fullmatch(name)
        if match is not None:
            path = tuple(int(each) for each in match[1][1:].split("-"))
            if len(path) <= MAX_DEPTH:
                found.setdefault(path, {})[match[2]] = held
    top: list[Row] = []
    made: dict[tuple[int, ...], Row] = {}
    for path in sorted(found)[:MAX_ROWS]:
        controls = found[path]
        kind = controls.pop("kind", [""])[0]
        parent = made.get(path[:-1])
        if kind not in ("test", "any", "all") or (len(path) > 1 and (parent is None or parent.kind == "test")):
            continue
        row = made[path] = Row(kind, controls.pop("not", [""])[0] == "1", controls if kind == "test" else {})
        (top if parent is None else parent.rows).append(row)
    return top


def change_rows(rows: list[Row], act: str, path: str) -> list[Row]:
    """What a button of the form does: ``add`` a test to a group, ``either`` a group of two, ``wrap`` a row, ``drop`` it."""
    places = [int(each) for each in path.split("-") if each.isascii() and each.isdigit()]
    held, parent = rows, rows
    for place in places:
        if place >= len(held):
            return rows
        parent, row = held, held[place]
        held = row.rows
    if act == "add":
        held.append(Row("test"))
    elif act == "either":
        held.append(Row("any", rows=[Row("test"), Row("test")]))
    elif places and act == "wrap":
        parent[places[-1]] = Row("all", rows=[parent[places[-1]], Row("test")])
    elif places and act == "drop":
        del parent[places[-1]]
    return _without_empty(rows)


def _without_empty(rows: list[Row]) -> list[Row]:
    for row in rows:
        row.rows = _without_empty(row.rows)
    return [row for row in rows if row.kind == "test" or row.rows]


def read_condition(rows: Sequence[Row], held: Holder, path: str = "when") -> c.Condition | None:
    """The condition of these rows, or None with what is wrong in the holder."""
    parts = [_read_row(row, held, f"{path}-{position}") for position, row in enumerate(rows)]
    if any(part is None for part in parts):
        return None
    read = tuple(part for part in parts if part is not None)
    return read[0] if len(read) == 1 else c.All(read)


def _read_row(row: Row, held: Holder, path: str) -> c.Condition | None:
    part: c.Condition | None
    if row.kind == "test":
        part = _read_test(held.at(f"{path}-"))
    elif row.kind == "all":
        part = read_condition(row.rows, held, path)
    else:
        parts = [_read_row(each, held, f"{path}-{position}") for position, each in enumerate(row.rows)]
        part = (
            None if any(each is None for each in parts) else c.Any_(tuple(each for each in parts if each is not None))
        )
    return c.Not(part) if part is not None and row.negated else part


def find_spec(held: Holder) -> c.FactSpec | None:
    """The fact that a row asks."""
    fact = held.get("fact")
    return c.find_fact(ANSWER + held.get("question")) if fact == ANSWER else c.find_fact(fact)


def _read_test(held: Holder) -> c.Comparison | None:
    if held.get("fact") == ANSWER and not re.fullmatch(r"[\w-]{1,60}", held.get("question")):
        held.fail("question", _("Enter the question’s name, one word"))
        return None
    spec = find_spec(held)
    if spec is None:
        held.fail("fact", _("Choose what the rule looks at"))
        return None
    op = held.get("op")
    if op not in c.OPERATORS[spec.type]:
        held.fail("op", _("Choose how to compare"))
        return None
    value = _read_value(spec, op, held)
    return None if value is None else c.Comparison(spec.name, op, value)


def _read_value(spec: c.FactSpec, op: str, held: Holder) -> Any:
    if op == "between":
        low, high = (_one(spec, held, name) for name in ("value", "last"))
        if low is None or high is None:
            return None
        # Of days written backwards the checks warn, as they do when the document says so: the rule can never hold.
        if high < low and spec.type != c.DAY:
            held.fail("last", _("Enter a second value that is not below the first"))
            return None
        return low, high
    if op in c.LIST_OPERATORS:
        if spec.words:
            found = held.words("value", spec.words, _("Tick at least one"))
            return None if found is None else tuple(sorted(found))
        lines = held.lines("value")
        if not lines:
            held.fail("value", _("Enter at least one, each on its own line"))
            return None
        read = [
            _one(spec, Holder({**held.data, held.prefix + "value": [line]}, held.errors, held.prefix)) for line in lines
        ]
        return None if any(each is None for each in read) else tuple(sorted(set(read)))
    return _one(spec, held, op=op)


def _one(spec: c.FactSpec, held: Holder, name: str = "value", op: str = "is") -> Any:
    """One value of the fact's type."""
    if spec.words and op != "matches":
        return held.word(name, spec.words, _("Choose one from the list"))
    readers: dict[str, Callable[[], Any]] = {
        c.NUMBER: lambda: held.number(name, _("Enter a whole number, like 5")),
        c.MONEY: lambda: held.money(name, "currency"),
        c.SHARE: lambda: held.share(name),
        c.WEIGHT: lambda: held.weight(name, "unit"),
        c.DAY: lambda: held.day(name),
    }
    if spec.type == c.YES_NO:
        found = held.word(name, ("yes", "no"), _("Choose one of the two"))
        return None if found is None else found == "yes"
    if spec.type in readers:
        return readers[spec.type]()
    if op == "matches":
        return held.pattern(name)
    if spec.kind == "country":
        return held.country(name)
    if spec.kind == "currency":
        return held.currency(name)
    return held.text(name, _("Enter a text"))


# What the page shows of a row.


@dataclass(frozen=True, slots=True)
class Shown:
    """A row with its controls, ready for the page. ``joins`` are the two words of which the first negates nothing."""

    path: str
    kind: str
    negated: bool
    joins: tuple[tuple[str, str], ...]
    fields: tuple[Field, ...]
    rows: tuple[Shown, ...]
    within: str


def show_rows(rows: Sequence[Row], held: Holder, path: str = "when", within: str = "all") -> tuple[Shown, ...]:
    """The rows as the page shows them. ``within`` says of which kind the group around them is."""
    return tuple(_shown(row, held, f"{path}-{at}", at, within, path == "when") for at, row in enumerate(rows))


def _shown(row: Row, held: Holder, path: str, position: int, within: str, top: bool) -> Shown:
    if position == 0 and top:
        yes, no = _("When"), _("Except when")
    elif position == 0:
        yes, no = (_("either"), _("either not")) if within == "any" else (_("that"), _("that not"))
    elif within == "any":
        yes, no = _("or"), _("or not")
    else:
        yes, no = _("and"), _("and not")
    fields = _fields(held.at(f"{path}-")) if row.kind == "test" else ()
    return Shown(
        path.removeprefix("when-"),
        row.kind,
        row.negated,
        (("", yes), ("1", no)),
        tuple(fields),
        show_rows(row.rows, held, path, row.kind),
        within,
    )


def fact_options() -> Options:
    """Every fact by its name in the form, under what it is a fact of."""
    wording = words.staff_wording()
    groups = {
        "order": _("The order"),
        "item": _("The item"),
        "customer": _("The customer"),
        "": _("The return"),
        "days_since": _("Days and dates"),
    }
    found: dict[str, list[tuple[str, str]]] = {group: [] for group in groups}
    for name, spec in c.FACTS.items():
        owner = "days_since" if spec.type == c.DAY or name.startswith("days_since.") else name.partition(".")[0]
        found[owner if owner in groups else ""].append((name, fact_label(name, wording)))
    found[""].append((ANSWER, _("An answer of the customer")))
    return [("", _("Choose…")), *((name, found[group]) for group, name in groups.items())]


def named_in(data: Data, control: str) -> str:
    """The fact that the row of a control looks at, by its name in the form; empty when none is chosen."""
    fact = Holder(data, {}, control.rpartition("-")[0] + "-").get("fact")
    return fact_label(fact, words.staff_wording()) if fact in c.FACTS else ""


def _fields(held: Holder) -> list[Field]:
    found = [held.field("fact", _("What"), "select", options=fact_options(), refresh=True)]
    if held.get("fact") == ANSWER:
        found.append(held.field("question", _("Question"), width="sm"))
    spec = find_spec(held) or (c.find_fact(ANSWER + "x") if held.get("fact") == ANSWER else None)
    if spec is None:
        return found
    ops = [(op, _(p.OPERATOR_WORDS[op][0])) for op in c.OPERATORS[spec.type]]
    found.append(held.field("op", _("Compared"), "select", options=ops, refresh=len(ops) > 1))
    op = held.get("op")
    return [*found, *_value_fields(spec, op if op in c.OPERATORS[spec.type] else c.OPERATORS[spec.type][0], held)]


def _value_fields(spec: c.FactSpec, op: str, held: Holder) -> list[Field]:
    wording = words.staff_wording()
    if spec.words:
        options = [(word, fact_word(spec.name, word, wording)) for word in spec.words]
        if op == "matches":
            return [held.field("value", _("Pattern"))]
        return [held.field("value", _("Value"), "checks" if op in c.LIST_OPERATORS else "select", options=options)]
    if op in c.LIST_OPERATORS:
        return [held.field("value", _("Values, one on each line"), "area")]
    hints = {"country": _("Two letters, like GB"), "currency": _("Three letters, like GBP")}
    label, hint = (_("Pattern"), "") if op == "matches" else (_("Value"), hints.get(spec.kind, ""))
    match spec.type:
        case c.YES_NO:
            known = p.FACT_WORDS[spec.name]
            return [held.field("value", label, "select", options=(("yes", _(known.yes)), ("no", _(known.no))))]
        case c.MONEY:
            last = [held.field("last", _("to"), width="sm")] if op == "between" else []
            return [
                held.field("value", _("Amount"), width="sm"),
                *last,
                held.field("currency", _("Currency"), width="xs"),
            ]
        case c.WEIGHT:
            last = [held.field("last", _("to"), width="xs")] if op == "between" else []
            units = (("g", "g"), ("kg", "kg"))
            return [
                held.field("value", label, width="xs"),
                *last,
                held.field("unit", _("Unit"), "select", options=units),
            ]
        case c.SHARE:
            kind, more = "text", {"affix": "%", "width": "xs"}
        case c.NUMBER:
            kind, more = "number", {"width": "xs"}
        case c.DAY:
            kind, more = "date", {}
        case _text:
            kind, more = "text", {"hint": hint}
    last = [held.field("last", _("to"), kind, **more)] if op == "between" else []
    return [held.field("value", label, kind, **more), *last]
