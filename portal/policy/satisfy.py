"""Whether facts exist for which conditions hold together, and facts that show it.

In: demands (a condition and the answers it may give). Out: False only if no facts meet them all; example facts where some do.
Invariants: each fact has finitely many values that its comparisons can tell apart (each constant, just below, just above,
another one, none), so "impossible" is computed and never guessed; what is too large to search, or asks how two facts or
two patterns hang together, is taken as possible. Never: facts that were not tried on the compiled conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.facts import Facts

TRUE, FALSE, NOT_TRUE, NOT_FALSE = "true", "false", "not true", "not false"
_OPPOSITE = {TRUE: FALSE, FALSE: TRUE, NOT_TRUE: NOT_FALSE, NOT_FALSE: NOT_TRUE}
Demand: TypeAlias = tuple[c.Condition, str]
"""A condition, and which of the three answers it may give."""
Literal: TypeAlias = tuple[c.Comparison, str]
Given: TypeAlias = Mapping[str, Any]
"""Values of facts by name; a fact that is not there is unknown."""

MAX_STEPS, MAX_STEPS_ALTOGETHER = 2_000, 400_000
_OTHER = "something else"
_DAY = date(2026, 6, 15)


@dataclass(slots=True)
class _Fact:
    """The values of one fact that its comparisons can tell apart; ``masks`` has, by comparison, the bits of the true and the
    false ones. The lowest bit is "unknown"."""

    values: list[Any]
    masks: dict[c.Comparison, tuple[int, int]]

    @property
    def all(self) -> int:
        return (1 << len(self.values)) - 1

    def allowed(self, literal: Literal) -> int:
        test, wanted = literal
        true, false = self.masks[test]
        if wanted in (TRUE, FALSE):
            return true if wanted == TRUE else false
        # A pattern's answer is not known for a value: it may be both, so that nothing is taken away but the unknown.
        return false | self.all & ~true if wanted == NOT_TRUE else true | self.all & ~false


class Universe:
    """Everything that a set of conditions can tell apart.

    ``steps`` is what all searches together may take; after that everything is possible and has no example.
    """

    def __init__(self, conditions: Iterable[c.Condition], zone: ZoneInfo, steps: int = MAX_STEPS_ALTOGETHER) -> None:
        self.conditions = tuple(conditions)
        self.zone = zone
        self._left = steps

    @cached_property
    def _facts(self) -> dict[str, _Fact]:
        by_fact: dict[str, list[c.Comparison]] = {}
        for condition in self.conditions:
            for test in c.comparisons(condition):
                by_fact.setdefault(test.fact, []).append(test)
        return {
            name: self._fact(spec, tuple(dict.fromkeys(tests)))
            for name, tests in by_fact.items()
            if (spec := c.find_fact(name)) is not None and spec.type != c.TEXTS
        }

    def _fact(self, spec: c.FactSpec, tests: tuple[c.Comparison, ...]) -> _Fact:
        values = [None, *_values(spec, tests)]
        tried = [self.facts({} if value is None else {spec.name: value}) for value in values]
        masks = {}
        for test in tests:
            if test.op == "matches" and not spec.words:
                known = ((1 << len(values)) - 1) & ~1
                masks[test] = (known, known)
                continue
            holds = c.compile_condition(test, self.zone)
            answers = [holds(each) for each in tried]
            masks[test] = tuple(sum(1 << at for at, got in enumerate(answers) if got is side) for side in (True, False))  # type: ignore[assignment]
        return _Fact(values, masks)

    def facts(self, given: Given) -> Facts:
        """The facts with these values. Days are taken at noon; a number of days since counts back from ``today``."""

        def noon(day: date) -> datetime:
            return datetime.combine(day, time(12), tzinfo=self.zone).astimezone(UTC)

        fields: dict[str, dict[str, Any]] = {"order": {}, "customer": {}, "item": {}, "": {}}
        today = given.get("today", _DAY)
        if any(name.startswith("days_since.") for name in given):
            fields[""]["at"] = noon(today)
        answers: dict[str, Any] = {}
        # Counted days first: a date that is given itself wins, and whoever asks tries the facts anyway.
        for name in sorted(given, key=lambda each: not each.startswith("days_since.")):
            spec, value = c.find_fact(name), given[name]
            if spec is None:
                continue
            if name.startswith(c.ANSWER_PREFIX):
                answers[name.removeprefix(c.ANSWER_PREFIX)] = value
                continue
            group, _, field = spec.path.rpartition(".")
            if spec.kind == "days":
                value = noon(today - timedelta(days=value))
            elif spec.type == c.DAY:
                value = noon(value)
            fields[group][field] = value
        blank = Facts(evidence=None)
        return replace(
            blank,
            order=replace(blank.order, **fields["order"]),
            customer=replace(blank.customer, **fields["customer"]),
            item=replace(blank.item, **fields["item"]),
            answers=answers or None,
            **fields[""],
        )

    def possible(self, demands: Sequence[Demand]) -> bool:
        """False only if no facts meet all demands."""
        return next(self._branches(demands), None) is not None

    def example(self, demands: Sequence[Demand], tries: int = 40) -> Given | None:
        """Values that meet all demands, tried on the compiled conditions; None if none were found, which says nothing."""
        for number, branch in enumerate(self._branches(demands)):
            if number >= tries or branch is None:
                return None
            given = self._given(branch)
            if self._meets(self.facts(given), demands):
                return given
        return None

    def _meets(self, facts: Facts, demands: Sequence[Demand]) -> bool:
        for condition, wanted in demands:
            got = c.compile_condition(condition, self.zone)(facts)
            met = {TRUE: got is True, FALSE: got is False, NOT_TRUE: got is not True, NOT_FALSE: got is not False}
            if not met[wanted]:
                return False
        return True

    def _branches(self, demands: Sequence[Demand]) -> Iterator[tuple[Literal, ...] | None]:
        """The ways to meet the demands that contradict no fact; None where the search was given up."""
        steps = 0
        stack: list[tuple[tuple[Demand, ...], tuple[Literal, ...]]] = [(tuple(demands), ())]
        while stack:
            steps += 1
            self._left -= 1
            if steps > MAX_STEPS or self._left < 0:
                yield None
                return
            todo, literals = stack.pop()
            if not todo:
                yield literals
                continue
            (condition, wanted), *rest = todo
            match condition:
                case c.Comparison():
                    more = (*literals, (condition, wanted))
                    if self._agree([each for each in more if each[0].fact == condition.fact]):
                        stack.append((tuple(rest), more))
                case c.Not(part=part):
                    stack.append((((part, _OPPOSITE[wanted]), *rest), literals))
                case c.All(parts=parts) | c.Any_(parts=parts):
                    if isinstance(condition, c.All) == (wanted in (TRUE, NOT_FALSE)):
                        stack.append(((*((part, wanted) for part in parts), *rest), literals))
                    else:
                        stack += [(((part, wanted), *rest), literals) for part in reversed(parts)]

    def _agree(self, literals: Sequence[Literal]) -> bool:
        """Whether some value of the one fact that these are about meets all of them."""
        name = literals[0][0].fact
        self._left -= len(literals)
        if name not in self._facts:
            return _tags(literals) is not False
        return self._mask(name, literals) != 0

    def _mask(self, name: str, literals: Iterable[Literal]) -> int:
        fact = self._facts[name]
        mask = fact.all
        for literal in literals:
            mask &= fact.allowed(literal)
        return mask

    def _given(self, literals: Sequence[Literal]) -> Given:
        given: dict[str, Any] = {}
        for name in dict.fromkeys(test.fact for test, _ in literals):
            own = [each for each in literals if each[0].fact == name]
            if name not in self._facts:
                value = _tags(own)
            else:
                mask = self._mask(name, own)
                # "Unknown" is an example of last resort: people read one with values better.
                known = mask & ~1 or mask
                value = self._facts[name].values[(known & -known).bit_length() - 1]
            if value is not None:
                given[name] = value
        return given


def _tags(literals: Sequence[Literal]) -> tuple[str, ...] | bool | None:
    """A list that meets tests of one list; None if it may be unknown, False if no list can. Sound, and complete enough: an
    answer other than False is a proposal."""
    if all(wanted in (NOT_TRUE, NOT_FALSE) for _, wanted in literals):
        return None
    needed, barred = set[str](), set[str]()
    some: list[set[str]] = []
    lacking: list[set[str]] = []
    for test, wanted in literals:
        words = {each.casefold() for each in (test.value if isinstance(test.value, tuple) else (test.value,))}
        every, holds = test.op == "has_all" or len(words) == 1, wanted in (TRUE, NOT_FALSE)
        if holds and every:
            needed |= words
        elif holds:
            some.append(words)
        elif test.op != "has_all" or len(words) == 1:
            barred |= words
        else:
            lacking.append(words)
    if needed & barred or any(words <= barred for words in some) or any(words <= needed for words in lacking):
        return False
    for words in some:
        if not words & needed:
            needed.add(min(words - barred))
    return tuple(sorted(needed))


def _values(spec: c.FactSpec, tests: Iterable[c.Comparison]) -> list[Any]:
    """One value of every kind that the tests can tell apart."""
    if spec.words:
        return list(spec.words)
    if spec.type == c.YES_NO:
        return [True, False]
    constants: list[Any] = []
    for test in tests:
        if test.op != "matches":
            constants += test.value if isinstance(test.value, tuple) else (test.value,)
    if spec.type == c.TEXT:
        named = {each.casefold(): each for each in reversed(constants)}
        other = _OTHER
        while other.casefold() in named:
            other += "."
        return [*reversed(named.values()), other]
    if spec.type == c.MONEY:
        # Another currency answers "unknown" to every test, as no amount at all does.
        return list(dict.fromkeys(Money(each.minor + step, each.currency) for each in constants for step in (0, 1, -1)))
    if spec.type == c.DAY:
        # Two days away as well: Samoa had no 30 December 2011.
        return list(dict.fromkeys(each + timedelta(days=step) for each in constants for step in (0, 1, -1, 2, -2)))
    return list(dict.fromkeys(each + step for each in constants for step in (0, 1, -1)))
