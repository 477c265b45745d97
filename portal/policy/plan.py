"""The rules of a policy arranged for deciding: those that one known word already rules out are not asked.

In: rules, and what holds otherwise. Out: the rules that may hold for some facts, from the top, with what is left to ask of each.
Invariants: exactly what asking every rule from the top gives; a rule is left out only where a test that it cannot do without
is False, and a missing fact leaves nothing out. Never: an answer of its own; what is unknown is for the rule itself to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from portal.policy.conditions import (
    TEXTS,
    All,
    Comparison,
    Condition,
    Holds,
    compile_condition,
    get_fact,
    getter,
    words_of,
)
from portal.policy.decision import OTHERWISE, Term
from portal.policy.facts import Facts


class Candidate(NamedTuple):
    """A rule that may hold. ``left`` is what is still to be asked, None when nothing is and it holds; ``sets`` has each of its
    terms as a decision carries it where no other rule sets it, and where a rule above sets it (rule, value)."""

    rule: str
    sets: tuple[tuple[str, Term, tuple[str, Any]], ...]
    left: Holds | None


Found: TypeAlias = dict[int, Candidate]
"""Candidates by their place among the rules."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The rules that can only hold for some words of one fact: ``by_word`` those of a word, ``blind`` all of them, to be asked
    in full where the fact is not known."""

    get: Callable[[Facts], Any]
    many: bool
    by_word: Mapping[str, Found]
    blind: Found


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rules of a policy are asked. ``always`` are those that no single word rules out."""

    always: Found
    lookups: tuple[Lookup, ...]

    def candidates(self, facts: Facts) -> list[Candidate]:
        """The rules that may hold, from the top."""
        found = self.always.copy()
        for lookup in self.lookups:
            value = lookup.get(facts)
            if value is None:
                found |= lookup.blind
                continue
            for word in value if lookup.many else (value,):
                more = lookup.by_word.get(word.casefold())
                if more is not None:
                    found |= more
        return [found[place] for place in sorted(found)]


def arrange(
    rules: tuple[tuple[str, Condition, Holds, Mapping[str, Any]], ...], otherwise: Mapping[str, Any], zone: ZoneInfo
) -> Plan:
    """The plan for rules given as (name, when, compiled when, terms), from the top."""
    always: Found = {}
    blind: dict[str, Found] = {}
    by_word: dict[str, dict[str, Found]] = {}
    for place, (name, when, holds, values) in enumerate(rules):
        sets = tuple(
            (term, Term(value, name, ((OTHERWISE, otherwise[term]),) if term in otherwise else ()), (name, value))
            for term, value in values.items()
        )
        parts = _needed(when)
        found = _key(parts)
        if found is None:
            always[place] = Candidate(name, sets, None if not parts else holds)
            continue
        key, words = found
        rest = tuple(part for part in parts if part is not key)
        candidate = Candidate(name, sets, compile_condition(All(rest), zone) if rest else None)
        blind.setdefault(key.fact, {})[place] = Candidate(name, sets, holds)
        of_fact = by_word.setdefault(key.fact, {})
        for word in words:
            of_fact.setdefault(word, {})[place] = candidate
    return Plan(always, tuple(_lookup(fact, by_word[fact], blind[fact]) for fact in blind))


def _needed(when: Condition) -> tuple[Condition, ...]:
    """The parts of a condition that must all hold."""
    return tuple(part for each in when.parts for part in _needed(each)) if isinstance(when, All) else (when,)


def _key(parts: tuple[Condition, ...]) -> tuple[Comparison, frozenset[str]] | None:
    """The test by which a rule is found, and the words of it. What is said of the goods tells more lines apart than what is
    said of the order."""
    tests = [part for part in parts if isinstance(part, Comparison)]
    keys = [(test, words) for test in tests if (words := words_of(test)) is not None]
    return min(keys, key=lambda key: key[0].fact.startswith("order."), default=None)


def _lookup(fact: str, by_word: Mapping[str, Found], blind: Found) -> Lookup:
    spec = get_fact(fact)
    return Lookup(getter(spec), spec.type == TEXTS, by_word, blind)
