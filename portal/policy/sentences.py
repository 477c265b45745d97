"""The rules of a policy as sentences: what a merchant reads who never opens the document.

In: the parsed policy and a `Wording`. Out: pieces of text; those that are values are marked, with the value before if it changed.
Invariants: generated, never typed; a value that differs reads differently; every fact, operator and term of the language has
words. Never: a rule's number; HTML (a template puts chips behind the values).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from portal.money import Money
from portal.policy import conditions as c
from portal.policy import phrases as p
from portal.policy import terms as t
from portal.policy.explain import ENGLISH, Wording, resolution_words
from portal.policy.loader import Rule
from portal.policy.pieces import Piece, Pieces, fill, listed, listed_words, plain, with_old
from portal.policy.term_words import term_words, window_clause

__all__ = ["Piece", "Pieces", "plain", "term_words"]  # what a caller of the sentences needs of its neighbours


Facts = Mapping[str, p.FactWords]
"""How facts are spoken of: `phrases.FACT_WORDS` to staff."""


def condition_words(condition: c.Condition, wording: Wording = ENGLISH, facts: Facts = p.FACT_WORDS) -> Pieces:
    """A condition as a clause: "the item cost more than £75.00 and the reason is faulty". Empty for one that always holds."""
    return _clause(condition, wording, 0, facts)


def _clause(condition: c.Condition, wording: Wording, depth: int, facts: Facts = p.FACT_WORDS) -> Pieces:
    match condition:
        case c.Comparison():
            return _test_words(condition, wording, facts)
        case c.Not(c.Comparison(fact, "has" | "has_any") as test) if (
            known := facts.get(fact)
        ) is not None and known.none:
            return _test_words(test, wording, {**facts, fact: replace(known, lead=known.none)})
        case c.Not(part):
            inner = _clause(part, wording, depth + 1, facts)
            return fill(wording.gettext("it is not so that %(condition)s"), condition=inner)
        case c.All():
            return listed([_clause(part, wording, depth + 1, facts) for part in _flat(condition)], wording)
        case c.Any_(parts):
            told = [_clause(part, wording, depth + 1, facts) for part in parts]
            last = "comma or" if any(isinstance(part, c.All) and len(_flat(part)) > 1 for part in parts) else "or"
            clause = fill(wording.gettext("either %(conditions)s"), conditions=listed(told, wording, last=last))
            # Brackets where "or" and "and" would otherwise run into each other.
            return (Piece("("), *clause, Piece(")")) if depth > 1 else clause


def _flat(condition: c.Condition) -> list[c.Condition]:
    """The parts that must all hold, `all` within `all` laid flat, a `from` and its `to` as one test."""
    if not isinstance(condition, c.All):
        return [condition]
    parts = [each for part in condition.parts for each in _flat(part)]
    out: list[c.Condition] = []
    for part in parts:
        match part, out[-1] if out else None:
            case c.Comparison(fact, "to", last), c.Comparison(before, "from", first) if (
                fact == before and first <= last
            ):
                out[-1] = c.Comparison(fact, "between", (first, last))
            case _:
                out.append(part)
    return out


def fact_label(name: str, wording: Wording = ENGLISH) -> str:
    """A fact's name in a form."""
    known = p.FACT_WORDS.get(name)
    if known is not None:
        return wording.gettext(known.label)
    if name.startswith(c.ANSWER_PREFIX):
        return wording.gettext(p.ANSWER_LABEL) % {"question": name[len(c.ANSWER_PREFIX) :]}
    return name


def _lead(name: str, op: str, wording: Wording, facts: Facts) -> str:
    known = facts.get(name)
    if known is not None:
        return wording.gettext(known.many if op == "has_all" and known.many else known.lead)
    if name.startswith(c.ANSWER_PREFIX):
        return wording.gettext(p.ANSWER_LEAD) % {"question": name[len(c.ANSWER_PREFIX) :]}
    return wording.gettext(p.OTHER_LEAD) % {"fact": name}


def _test_words(test: c.Comparison, wording: Wording, facts: Facts) -> Pieces:
    _ = wording.gettext
    spec = c.find_fact(test.fact)
    lead = _lead(test.fact, test.op, wording, facts)
    known = facts.get(test.fact)
    if isinstance(test.value, bool):
        yes, no = (known.yes, known.no) if known is not None and known.yes else ("true", "false")
        return fill(_(p.OPERATOR_WORDS["is"][1]), lead=lead, value=_(yes if test.value else no))
    message = p.OPERATOR_WORDS[test.op][1]
    if test.op == "between":
        low, high = test.value
        return fill(_(message), lead=lead, value=_value(low, spec, wording), last=_value(high, spec, wording))
    if test.op == "is" and spec is not None and spec.type == c.DAY:
        message = p.ON_A_DAY
    if isinstance(test.value, tuple):
        joined = "and" if test.op == "has_all" else "or"
        text = listed_words([_value(each, spec, wording) for each in test.value], wording, last=joined)
    else:
        text = _value(test.value, spec, wording)
    return fill(_(message), lead=lead, value=text)


def _value(value: Any, spec: c.FactSpec | None, wording: Wording) -> str:
    """One value of a test in words."""
    match value:
        case Money():
            return wording.money(value)
        case date():
            return wording.date(value)
    if spec is not None and spec.type == c.SHARE:
        return t.percent(value)
    if spec is not None and spec.type == c.WEIGHT:
        return weight(value)
    return fact_word(spec.name if spec is not None else "", str(value), wording)


def fact_word(fact: str, word: str, wording: Wording = ENGLISH) -> str:
    """One of a fact's own words as people say it; any other text as it stands."""
    if fact == "resolution":
        return resolution_words(word, wording)
    known = {"reason": p.REASON_WORDS, "method": p.METHOD_WORDS}.get(fact, {})
    return wording.gettext(known[word]) if word in known else word


def weight(grams: int, unit: str = "kg") -> str:
    """``500 g``, ``2.5 kg``; ``unit`` g: in grams."""
    kilos, rest = divmod(grams, 1000)
    return (
        f"{grams} g"
        if not kilos or unit == "g"
        else f"{kilos} kg"
        if not rest
        else f"{kilos}.{rest:03d}".rstrip("0") + " kg"
    )


# Rules

# What these terms say when they ask, take or give nothing; left out of the long sentence of `otherwise`.
_QUIET: Mapping[str, Any] = {
    "evidence": t.Evidence(),
    "restocking_fee": t.Fee(),
    "credit_bonus": 0,
    "keep_item": False,
    "donate": False,
    "exchange_bonus": 0,
}


def effects(sets: Mapping[str, Any], wording: Wording = ENGLISH) -> dict[str, Pieces]:
    """The clause of each term that is set, in the order of the language. Being accepted and the time limit are one clause."""
    found: dict[str, Pieces] = {}
    for term in t.TERMS:
        if term not in sets or (term == "returnable" and sets[term] is True and "window" in sets):
            continue
        if term == "window":
            found[term] = window_clause(sets[term], wording, returnable=sets.get("returnable") is True)
        else:
            found[term] = term_words(term, sets[term], wording)
    return found


def rule_sentence(rule: Rule, wording: Wording = ENGLISH, before: Rule | None = None) -> Pieces:
    """The whole rule. With ``before``, what was different then stands struck out in front of what took its place."""
    _ = wording.gettext
    now = _when(rule.when, wording)
    if before is not None and before.when != rule.when:
        now = with_old(now, _when(before.when, wording))
    then = listed(_changed(rule.sets, None if before is None else before.sets, wording), wording)
    return fill(_("%(when)s %(effects)s."), when=now, effects=then)


def otherwise_sentence(
    otherwise: Mapping[str, Any], wording: Wording = ENGLISH, before: Mapping[str, Any] | None = None
) -> Pieces:
    """What holds when no rule speaks. Terms that ask, take or give nothing are left out unless they changed."""
    _ = wording.gettext
    told = {
        term: value
        for term, value in otherwise.items()
        if _QUIET.get(term) != value or (before is not None and before.get(term) != value)
    }
    then = listed(_changed(told, before, wording), wording)
    return fill(_("Otherwise %(effects)s."), effects=then)


def _when(when: c.Condition, wording: Wording) -> Pieces:
    """``When A and B, except when C,``."""
    _ = wording.gettext
    parts = _flat(when)
    holds = [_clause(part, wording, 1) for part in parts if not isinstance(part, c.Not)]
    excepted = [_clause(part.part, wording, 1) for part in parts if isinstance(part, c.Not)]
    if not parts:
        return fill(_("Always"))
    if not excepted:
        return fill(_("When %(conditions)s,"), conditions=listed(holds, wording))
    exceptions = listed(excepted, wording, last="or")
    if not holds:
        return fill(_("Except when %(exceptions)s,"), exceptions=exceptions)
    return fill(
        _("When %(conditions)s, except when %(exceptions)s,"), conditions=listed(holds, wording), exceptions=exceptions
    )


def _changed(sets: Mapping[str, Any], before: Mapping[str, Any] | None, wording: Wording) -> list[Pieces]:
    now = effects(sets, wording)
    if before is None:
        return list(now.values())
    then = effects(before, wording)
    out = []
    for term in t.TERMS:
        if term in now:
            out.append(now[term] if then.get(term, now[term]) == now[term] else with_old(now[term], then[term]))
        elif (
            term in then
            and term not in sets
            and not (term in _QUIET and term in before and before[term] == _QUIET[term])
        ):
            out.append((Piece("", old=plain(then[term])),))
    return out
