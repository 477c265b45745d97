"""What would have changed the answer: every change here was really made, and decided again.

In: the versions that bind an order, and the facts of one question. Out: `WhatIf` values, the smallest changes first.
Invariants: a change that is told gives exactly the answer that it tells; a limit ("up to 300.00 GBP", "until 12 November") is
exact, one step beyond it the answer is another; one fact is changed before two are, two only where one does not help.
Never: a guess; a change of two facts that hang together in one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations, pairwise
from typing import Any

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.binding import Bound, Version, decide_bound
from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision
from portal.policy.facts import Facts
from portal.policy.laws import PREFIX
from portal.policy.loader import Policy
from portal.policy.other_facts import ORDERED, TODAY, UNITS, Others, value_of
from portal.policy.terms import value_to_json

RANK = {REFUSE: 0, REVIEW: 1, ACCEPT: 2}
MOST_TRIES = 400
"""How many pairs of changes are decided at most."""
MOST_PAIRS = 3

FOR_CUSTOMERS = (TODAY, "resolution", "method", UNITS, "return.value", "return.items")
"""Facts that a customer may be told of: a day, an amount, or what they can still choose. Never the reason, nor an answer that was
given: those are theirs to say as they are."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One change, and the answer that it gives.

    ``when`` are the facts that would be otherwise, as conditions of the language (every one of them holds for ``facts``);
    ``without`` the rules that would not be there, or laws (``law: eu-consumer``); ``called`` how these are called. Either stands
    alone. ``open_`` is true where something is still asked of the customer (a photo, an answer). ``facts`` are those that were
    decided, ``before`` what was decided with the real ones, ``asked``.
    """

    when: tuple[c.Condition, ...]
    without: tuple[str, ...]
    called: tuple[str, ...]
    answer: str
    open_: bool
    facts: Facts = field(repr=False)
    decision: Decision = field(repr=False)
    before: Decision = field(repr=False)
    asked: Facts = field(repr=False)

    @property
    def better(self) -> bool:
        """Whether it is better for the customer than what was decided."""
        return _outcome(self.decision) > _outcome(self.before)

    @property
    def names(self) -> tuple[str, ...]:
        """The facts that would be otherwise."""
        return tuple(dict.fromkeys(test.fact for condition in self.when for test in c.comparisons(condition)))

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms with another value than in what was decided."""
        now, then = self.decision.terms, self.before.terms
        return tuple(name for name in now if name not in then or now[name].value != then[name].value)

    def to_json(self) -> dict[str, Any]:
        """The documented shape: ``if`` holds conditions as `condition_json` writes them."""
        return {
            "if": [c.condition_json(each) for each in self.when],
            "without": list(self.without),
            "answer": self.answer,
            "requires": [cause.code for cause in self.decision.requires],
            "terms": {
                name: {
                    "value": value_to_json(name, self.decision.terms[name].value),
                    "set_by": self.decision.terms[name].set_by,
                }
                for name in self.terms
            },
        }


def alone(policy: Policy) -> Bound:
    """A policy that binds by itself, without other versions."""
    return Bound(Version(0, datetime.min.replace(tzinfo=UTC), policy))


def what_if(bound: Bound, facts: Facts, *, worth: Callable[[int], Money] | None = None) -> tuple[WhatIf, ...]:
    """Every smallest change of facts, then of rules and laws, that changes the answer or what is still asked for.

    All are decided under the versions that bind the order. ``worth`` says what was paid for so many of the units; without it,
    fewer units are tried only where no rule asks an amount.
    """
    search = _Search(bound, facts, worth)
    names = search.others.names()
    found = [each for name in names for each in search.fact(name)]
    if not search.before.accepted and not any(_answers_better(each) for each in found):
        found += search.together(names)
    found += search.rules()
    # Python sorts stably: what helps the customer first, in the order in which rules ask.
    return tuple(sorted(found, key=lambda each: (not _answers_better(each), not each.better, bool(each.without))))


def for_customer(bound: Bound, facts: Facts, *, worth: Callable[[int], Money] | None = None) -> tuple[WhatIf, ...]:
    """The changes that a customer may be told of: of those facts in `FOR_CUSTOMERS` that some rule asks.

    The end of a window is not among them, as the refusal says it already. Costs a few decisions, for pages with many lines.
    """
    tests = {test.fact for version in (bound.version, *bound.later) for test in version.policy.comparisons()}
    if any(name.startswith("days_since.") for name in tests):
        tests.add(TODAY)
    if {"line.value", "return.value", "return.items"} & tests:
        tests.add(UNITS)
    names = [name for name in FOR_CUSTOMERS if name in tests]
    if not names:
        return ()
    search = _Search(bound, facts, worth)
    return tuple(each for name in names for each in search.fact(name))


def _answers_better(found: WhatIf) -> bool:
    return RANK[found.answer] > RANK[found.before.answer]


def _outcome(decision: Decision) -> tuple[int, bool]:
    return RANK[decision.answer], not decision.requires


@dataclass(frozen=True, slots=True)
class _Tried:
    """A value of a fact, and what is decided with it."""

    value: Any
    facts: Facts
    decision: Decision

    @property
    def outcome(self) -> tuple[int, bool]:
        return _outcome(self.decision)


class _Search:
    def __init__(self, bound: Bound, facts: Facts, worth: Callable[[int], Money] | None) -> None:
        self.bound = bound
        self.worth = worth
        self.policies = tuple(version.policy for version in (bound.version, *bound.later))
        self.turns = tuple(each.effective_at for each in bound.later)
        self.others = Others(self.policies, facts, worth, self.turns)
        self.before = decide_bound(bound, facts)[1]

    def _try(self, others: Others, name: str) -> list[_Tried]:
        found = []
        for value in others.values(name):
            facts = others.with_value(name, value)
            found.append(_Tried(value, facts, decide_bound(self.bound, facts)[1]))
        return found

    def fact(self, name: str) -> Iterator[WhatIf]:
        """The changes of one fact that change the answer."""
        for condition, tried in self._runs(self.others, name, self.before):
            if tried.outcome != _outcome(self.before):
                yield self._made((condition,), tried.facts, tried.decision)

    def _made(
        self,
        when: tuple[c.Condition, ...],
        facts: Facts,
        decision: Decision,
        without: tuple[str, ...] = (),
        called: tuple[str, ...] = (),
    ) -> WhatIf:
        return WhatIf(
            when, without, called, decision.answer, bool(decision.requires), facts, decision, self.before,
            self.others.facts,
        )  # fmt: skip

    def _runs(self, others: Others, name: str, here: Decision) -> Iterator[tuple[c.Condition, _Tried]]:
        """The values of a fact, those that are decided alike as one condition; ``here`` is what the value it has gives."""
        spec = c.find_fact(name)
        tried = self._try(others, name)
        if spec is None or not tried:
            return
        now = value_of(others.facts, name, self.policies[0])
        if spec.type in ORDERED:
            found = _ranges(spec, now, _Tried(now, others.facts, here), tried)
            if len(found) == 1 and now is None:
                # Whatever it is, the answer is this one: what counts is that it is known.
                known = _known(spec, others)
                yield from ((known, each) for _, each in found if known is not None)
            else:
                yield from found
        elif spec.type == c.TEXTS:
            for each in tried:
                yield _list_condition(name, now, each.value, tried), each
        elif spec.type == c.YES_NO:
            for each in tried:
                yield c.Comparison(name, "is", each.value), each
        else:
            yield from _texts(spec, now, others.other(name), tried)

    def together(self, names: Iterable[str]) -> list[WhatIf]:
        """Two facts at once, each of which takes away some cause but not all."""
        before = _causes(self.before)
        halves: list[tuple[str, _Tried]] = []
        for name in names:
            nearest: dict[frozenset[Any], _Tried] = {}
            for tried in self._by_nearness(name):
                causes = _causes(tried.decision)
                if causes != before and before - causes:
                    nearest.setdefault(causes, tried)
            halves += [(name, each) for each in nearest.values()]
        found: list[WhatIf] = []
        tries = 0
        for (one, first), (two, second) in combinations(halves, 2):
            if one == two:
                continue
            tries += 1
            if tries > MOST_TRIES or len(found) == MOST_PAIRS:
                break
            both = Others(self.policies, first.facts, self.worth, self.turns).with_value(two, second.value)
            decision = decide_bound(self.bound, both)[1]
            if RANK[decision.answer] > RANK[self.before.answer]:
                when = tuple(self._said(both, decision, name) for name in (one, two))
                found.append(self._made(when, both, decision))
        return found

    def _by_nearness(self, name: str) -> list[_Tried]:
        tried = self._try(self.others, name)
        spec = c.find_fact(name)
        now = value_of(self.others.facts, name, self.policies[0])
        if spec is None or spec.type not in ORDERED or now is None:
            return tried
        return sorted(tried, key=lambda each: abs(_step(each.value) - _step(now)))

    def _said(self, facts: Facts, decision: Decision, name: str) -> c.Condition:
        """How far this fact may move with everything else as it is in ``facts``."""
        spec = c.find_fact(name)
        now = value_of(facts, name, self.policies[0])
        if spec is not None and spec.type in ORDERED:
            others = Others(self.policies, facts, self.worth, self.turns)
            own = _Tried(now, facts, decision)
            tried = self._try(others, name)
            return _range(spec, *_ends(own, sorted([*tried, own], key=lambda each: _step(each.value))))
        if spec is not None and spec.type == c.TEXTS:
            before = value_of(self.others.facts, name, self.policies[0])
            return _list_condition(name, before, now, ())
        if now == self.others.other(name):
            tried = [each for each in self._try(self.others, name) if each.value != now]
            before = value_of(self.others.facts, name, self.policies[0])
            barred = [each.value for each in tried] + ([] if before is None else [before])
            return c.Comparison(name, "not_in", tuple(sorted(barred)))
        return c.Comparison(name, "is", now)

    def rules(self) -> Iterator[WhatIf]:
        """The rules and laws without which the answer would be another; several at once where one alone is not enough."""
        names = [
            rule.name for policy in self.policies for rule in policy.rules if rule.holds(self.others.facts) is not False
        ]
        names = list(dict.fromkeys(names))
        laws = {law.name: law.title for policy in self.policies for law in policy.floors}
        found = [each for name in names if (each := self._without((name,), ())) is not None]
        if not found:
            refusing = [name for name in names if any(cause.rule == name for cause in self.before.causes)]
            for size in range(2, len(refusing) + 1):
                found = [
                    each for some in combinations(refusing, size) if (each := self._without(some, ())) is not None
                ][:MOST_PAIRS]  # fmt: skip
                if found or size > 3:
                    break
        yield from found
        for law, title in laws.items():
            each = self._without((), (law,), (title,))
            if each is not None:
                yield each

    def _without(self, rules: tuple[str, ...], laws: tuple[str, ...], titles: tuple[str, ...] = ()) -> WhatIf | None:
        def less(version: Version) -> Version:
            policy = version.policy
            return replace(
                version,
                policy=replace(
                    policy,
                    rules=tuple(rule for rule in policy.rules if rule.name not in rules),
                    floors=tuple(law for law in policy.floors if law.name not in laws),
                ),
            )

        bound = Bound(less(self.bound.version), tuple(less(each) for each in self.bound.later))
        decision = decide_bound(bound, self.others.facts)[1]
        if _outcome(decision) == _outcome(self.before):
            return None
        without = (*rules, *(PREFIX + law for law in laws))
        return self._made((), self.others.facts, decision, without, titles or rules)


def _causes(decision: Decision) -> frozenset[Any]:
    return frozenset((cause.code, cause.rule, cause.params.get("fact")) for cause in decision.causes)


def _step(value: Any) -> int:
    """The place of a value in its order: minor units, grams, or the number of a day."""
    if isinstance(value, Money):
        return value.minor
    return value if isinstance(value, int) else value.toordinal()


def _ends(own: _Tried, tried: Sequence[_Tried]) -> tuple[_Tried, _Tried, bool, bool]:
    """The neighbours of ``own`` that are decided as it is: first, last, and whether nothing else comes before or after."""
    at = tried.index(own)
    first = last = at
    while first > 0 and tried[first - 1].outcome == own.outcome:
        first -= 1
    while last < len(tried) - 1 and tried[last + 1].outcome == own.outcome:
        last += 1
    return tried[first], tried[last], first == 0, last == len(tried) - 1


def _range(spec: c.FactSpec, first: _Tried, last: _Tried, opens: bool, goes_on: bool) -> c.Condition:
    low, high = first.value, last.value
    below, above = ("to", "from") if spec.type == c.DAY else ("at_most", "at_least")
    if opens and not goes_on:
        return c.Comparison(spec.name, below, high)
    if goes_on and not opens:
        return c.Comparison(spec.name, above, low)
    if low == high:
        return c.Comparison(spec.name, "is", low)
    return c.Comparison(spec.name, "between", (low, high))


def _known(spec: c.FactSpec, others: Others) -> c.Condition | None:
    """The condition that such a fact is known at all."""
    if spec.type == c.MONEY:
        currency = others.facts.order.currency
        return None if currency is None else c.Comparison(spec.name, "at_least", Money(0, currency))
    if spec.type != c.DAY:
        return c.Comparison(spec.name, "at_least", 0)
    low, high = others.bounds(spec.name)
    if low is not None and high is not None:
        return c.Comparison(spec.name, "between", (low, high))
    if low is not None:
        return c.Comparison(spec.name, "from", low)
    return None if high is None else c.Comparison(spec.name, "to", high)


def _ranges(spec: c.FactSpec, now: Any, here: _Tried, tried: Sequence[_Tried]) -> list[tuple[c.Condition, _Tried]]:
    """Neighbours that are decided alike as one range each. Of a value that is known: on each side the nearest range for each
    outcome, with its value nearest to it. Of one that is not: every range."""
    line = sorted([*tried, *([here] if now is not None else [])], key=lambda each: _step(each.value))
    runs: list[list[_Tried]] = [[line[0]]]
    for before, each in pairwise(line):
        if each.outcome == before.outcome:
            runs[-1].append(each)
        else:
            runs.append([each])
    own = next((at for at, run in enumerate(runs) if any(each is here for each in run)), None)
    if own is None:
        order = [(run, run[-1]) for run in runs]
    else:
        order = [(run, run[-1]) for run in reversed(runs[:own])] + [(run, run[0]) for run in runs[own + 1 :]]
    told: set[tuple[bool, tuple[int, bool]]] = set()
    found = []
    for run, nearest in order:
        side = (own is not None and _step(nearest.value) < _step(now), nearest.outcome)
        if own is not None and side in told:
            continue
        told.add(side)
        found.append((_range(spec, run[0], run[-1], run is runs[0], run is runs[-1]), nearest))
    return found


def _list_condition(
    name: str, now: tuple[str, ...] | None, value: tuple[str, ...], tried: Sequence[_Tried]
) -> c.Condition:
    """How a list would be otherwise: one word more, one less, or (where it is not known) none of those that are asked."""
    held = {each.casefold() for each in now or ()}
    more = [each for each in value if each.casefold() not in held]
    if more:
        return c.Comparison(name, "has", more[0])
    if now is None:
        named = tuple(word for each in tried for word in each.value)
        return c.Not(c.Comparison(name, "has_any", named))
    kept = {each.casefold() for each in value}
    return c.Not(c.Comparison(name, "has", next(each for each in now if each.casefold() not in kept)))


def _texts(
    spec: c.FactSpec, now: str | None, other: str | None, tried: Sequence[_Tried]
) -> Iterator[tuple[c.Condition, _Tried]]:
    """Words that are decided alike as one condition; ``other`` stands for all that no rule names."""
    alike: dict[tuple[int, bool], list[_Tried]] = {}
    for each in tried:
        alike.setdefault(each.outcome, []).append(each)
    for group in alike.values():
        words = tuple(sorted(each.value for each in group if each.value != other))
        barred = [each.value for each in tried if each.outcome != group[0].outcome] + ([] if now is None else [now])
        if len(words) < len(group) and barred:
            yield c.Comparison(spec.name, "not_in", tuple(sorted(barred))), group[0]
        elif words:
            yield (
                c.Comparison(spec.name, "in" if len(words) > 1 else "is", words if len(words) > 1 else words[0]),
                group[0],
            )
