"""What would have changed the answer: every change here was really made, and decided again.

In: the versions that bind an order, and the facts of one question. Out: `WhatIf` values, the smallest changes first.
Invariants: a change that is told gives exactly the answer that it tells; a limit ("up to 300.00 GBP", "until 12 November") is
exact, one step beyond it the answer is another; one fact is changed before two are, two only where one does not help.
Never: a guess; a change of two facts that hang together in one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import chain, combinations, groupby, islice
from typing import Any, TypeAlias, cast

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.binding import Bound, Version, decide_bound
from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision
from portal.policy.facts import Facts
from portal.policy.laws import PREFIX
from portal.policy.loader import Policy
from portal.policy.other_facts import ORDERED, TODAY, UNITS, Others, value_of
from portal.policy.terms import value_to_json

RANK = {answer: rank for rank, answer in enumerate((REFUSE, REVIEW, ACCEPT))}
MOST_TRIES = 400
"""How many pairs of changes are decided at most, and how many sets of rules without all of which."""
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
        found += islice(search.together(names), MOST_PAIRS)
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
        spec = c.get_fact(name)
        tried = self._try(others, name)
        now = value_of(others.facts, name, self.policies[0])
        if spec.type in ORDERED:
            for runs, run, nearest in _ranges(now, _Tried(now, others.facts, here), tried):
                yield _range(spec, others, runs, run), nearest
        elif spec.type == c.TEXTS:
            for each in tried:
                yield _list_condition(name, now, each.value, others), each
        elif spec.type == c.YES_NO:
            for each in tried:
                yield c.Comparison(name, "is", each.value), each
        else:
            yield from _texts(spec, now, others.other(name), tried)

    def together(self, names: Iterable[str]) -> Iterator[WhatIf]:
        """Two facts at once, each of which takes away some cause but not all."""
        before = _causes(self.before)
        halves: list[tuple[str, _Tried]] = []
        for name in names:
            nearest: dict[frozenset[Any], _Tried] = {}
            for tried in self._by_nearness(name):
                causes = _causes(tried.decision)
                if before - causes:
                    nearest.setdefault(causes, tried)
            halves += [(name, each) for each in nearest.values()]
        pairs = ((one, other) for one, other in combinations(halves, 2) if one[0] != other[0])
        for (one, first), (two, second) in islice(pairs, MOST_TRIES):
            others = Others(self.policies, first.facts, self.worth, self.turns)
            if not others.can_be(two, second.value):
                continue
            both = others.with_value(two, second.value)
            decision = decide_bound(self.bound, both)[1]
            if RANK[decision.answer] > RANK[self.before.answer]:
                yield self._made(tuple(self._said(both, decision, name) for name in (one, two)), both, decision)

    def _by_nearness(self, name: str) -> list[_Tried]:
        tried = self._try(self.others, name)
        now = value_of(self.others.facts, name, self.policies[0])
        if c.get_fact(name).type not in ORDERED or now is None:
            return tried
        return sorted(tried, key=lambda each: abs(_step(each.value) - _step(now)))

    def _said(self, facts: Facts, decision: Decision, name: str) -> c.Condition:
        """How far this fact may move with everything else as it is in ``facts``."""
        spec = c.get_fact(name)
        now = value_of(facts, name, self.policies[0])
        before = value_of(self.others.facts, name, self.policies[0])
        if spec.type in ORDERED:
            others = Others(self.policies, facts, self.worth, self.turns)
            own = _Tried(now, facts, decision)
            runs = _alike([*self._try(others, name), own])
            return _range(spec, others, runs, next(run for run in runs if own in run))
        if spec.type == c.TEXTS:
            return _list_condition(name, before, now, self.others)
        if now == self.others.other(name):
            barred = [each for each in (*self.others.values(name), before) if each not in (now, None)]
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
            causes = {cause.rule for cause in self.before.causes}
            refusing = [name for name in names if name in causes]
            sets = chain.from_iterable(combinations(refusing, size) for size in (2, 3, 4))
            for _, alike in groupby(islice(sets, MOST_TRIES), key=len):
                found = [each for some in alike if (each := self._without(some, ())) is not None]
                if found:
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


def _step(value: Any) -> Any:
    """What has a before and an after: the minor units of an amount, a number or a day as it is."""
    return value.minor if isinstance(value, Money) else value


_Run: TypeAlias = list[_Tried]


def _alike(tried: Iterable[_Tried]) -> list[_Run]:
    """The values in their order, neighbours that are decided alike together."""
    line = sorted(tried, key=lambda each: _step(each.value))
    return [list(run) for _, run in groupby(line, key=lambda each: each.outcome)]


def _range(spec: c.FactSpec, others: Others, runs: Sequence[_Run], run: _Run) -> c.Condition:
    """One of the runs as a condition."""
    low, high = run[0].value, run[-1].value
    below, above = ("to", "from") if spec.type == c.DAY else ("at_most", "at_least")
    if len(runs) == 1 and spec.name != UNITS:
        # Whatever it is, the answer is this one: what counts is that it is known. (Of units only fewer are tried.)
        return _known(spec, others)
    if run is runs[0]:
        # Less than nothing there is not.
        least = spec.type != c.DAY and _step(high) == 0
        return c.Comparison(spec.name, "is" if least else below, high)
    if run is runs[-1]:
        return c.Comparison(spec.name, above, low)
    if low == high:
        return c.Comparison(spec.name, "is", low)
    return c.Comparison(spec.name, "between", (low, high))


def _known(spec: c.FactSpec, others: Others) -> c.Condition:
    """The condition that such a fact is known at all."""
    if spec.type == c.MONEY:
        # Amounts are only tried in a currency that is known.
        return c.Comparison(spec.name, "at_least", Money(0, cast(str, others.facts.order.currency)))
    if spec.type != c.DAY:
        return c.Comparison(spec.name, "at_least", 0)
    low, high = others.bounds(spec.name)
    if low == date.min:
        return c.Comparison(spec.name, "to", high)
    return c.Comparison(spec.name, "between", (low, high))


def _ranges(now: Any, here: _Tried, tried: Sequence[_Tried]) -> Iterator[tuple[list[_Run], _Run, _Tried]]:
    """All runs, one of them, and its value nearest to the one that the fact has. Of a value that is known: on each side the
    nearest run for each outcome. Of one that is not: every run."""
    if now is None:
        runs = _alike(tried)
        yield from ((runs, run, run[-1]) for run in runs)
        return
    runs = _alike([*tried, here])
    at = next(at for at, run in enumerate(runs) if here in run)
    for side in ([(run, run[-1]) for run in reversed(runs[:at])], [(run, run[0]) for run in runs[at + 1 :]]):
        nearest: dict[tuple[int, bool], tuple[_Run, _Tried]] = {}
        for run, each in side:
            nearest.setdefault(each.outcome, (run, each))
        yield from ((runs, run, each) for run, each in nearest.values())


def _list_condition(name: str, now: tuple[str, ...] | None, value: tuple[str, ...], others: Others) -> c.Condition:
    """How a list would be otherwise: one word more, one less, or (where it is not known) none of those that are asked."""
    held = now or ()
    more = [each for each in value if each not in held]
    if more:
        return c.Comparison(name, "has", more[0])
    if now is None:
        return c.Not(c.Comparison(name, "has_any", tuple(word for each in others.values(name) for word in each)))
    return c.Not(c.Comparison(name, "has", next(each for each in now if each not in value)))


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
        elif len(words) == 1:
            yield c.Comparison(spec.name, "is", words[0]), group[0]
        else:
            yield c.Comparison(spec.name, "in", words), group[0]
