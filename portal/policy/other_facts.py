"""What a fact could have been: the values that a policy can tell apart, and facts that have one of them instead.

In: the policies that bind an order, and the facts of one question. Out: for each fact that can matter, the values to try.
Invariants: between two neighbouring values of an amount, a number or a day that stand here the policies decide alike, so a limit
that is found is the exact one; facts that hang together move together (fewer units are worth less, who is a business is no
consumer). Never: a day that cannot be (a delivery before the order, a question before the delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any, cast

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.facts import Facts
from portal.policy.laws import START_OF, last_day
from portal.policy.loader import Policy
from portal.policy.terms import Window

TODAY, UNITS = "today", "line.quantity"
ORDERED = frozenset({c.NUMBER, c.MONEY, c.SHARE, c.WEIGHT, c.DAY})
"""Types whose values have a before and an after."""
MOST_UNITS = 200
"""Up to so many units every smaller number of them is tried."""
_START_FACTS: Mapping[str, str] = {start: f"order.{start}" for start in START_OF}
_DAYS = ("order.placed", "order.shipped", "order.delivered", "order.last_delivered", TODAY)
"""Days in the order in which they come."""
_NEVER = ("order.currency",)
"""An order in another currency has other amounts: that would be another order, not another fact."""
_CALENDAR = range(date.min.toordinal() + 1, date.max.toordinal())
"""Days whose noon is a moment in every timezone."""


@dataclass(frozen=True, slots=True)
class Others:
    """The other values of every fact. ``worth`` says what was paid for so many of the units (None: it is not known, and fewer
    units are tried only where no amount is asked); ``turns`` are moments at which another version comes into force."""

    policies: tuple[Policy, ...]
    facts: Facts
    worth: Callable[[int], Money] | None = None
    turns: tuple[datetime, ...] = ()
    _tests: dict[str, tuple[c.Comparison, ...]] = field(init=False, repr=False)
    _windows: tuple[Window, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tests: dict[str, list[c.Comparison]] = {}
        for policy in self.policies:
            for test in policy.comparisons():
                tests.setdefault(test.fact, []).append(test)
        object.__setattr__(self, "_tests", {name: tuple(dict.fromkeys(found)) for name, found in tests.items()})
        object.__setattr__(self, "_windows", tuple(_windows(self._values_of("window"))))

    def _values_of(self, term: str) -> list[Any]:
        """Every value that some rule, some law or `otherwise` gives a term."""
        found = []
        for policy in self.policies:
            givers = [policy.otherwise, *(rule.sets for rule in policy.rules)]
            givers += [floor.grants for law in policy.floors for floor in law.floors]
            found += [sets[term] for sets in givers if term in sets]
        return found

    def names(self) -> tuple[str, ...]:
        """The facts whose value can matter, those that rules ask first."""
        asked = [name for name in self._tests if not name.startswith("days_since.") and name not in _NEVER]
        more = [TODAY, *(_START_FACTS[each.start] for each in self._windows), "resolution"]
        # A day counted to is asked of the day it is counted from.
        more += [name.replace("days_since.", "order.") for name in self._tests if name.startswith("days_since.")]
        if any(value.photos for value in self._values_of("evidence")):
            more.append("evidence")
        if "customer.is_consumer" not in asked and any(policy.floors for policy in self.policies):
            more.append("order.is_business")
        if {"line.value", "return.value", "return.items"} & set(self._tests):
            more.append(UNITS)
        more += [f"{c.ANSWER_PREFIX}{each.name}" for each in self._questions()]
        return tuple(dict.fromkeys(asked + more))

    def _questions(self) -> list[Any]:
        return [each for value in self._values_of("questions") for each in value.items]

    def values(self, name: str) -> tuple[Any, ...]:
        """The values to try in place of the one that the fact has: days as dates of the shop's calendar, in order."""
        spec = c.get_fact(name)
        tests = self._tests.get(name, ())
        now = value_of(self.facts, name, self.policies[0])
        found: Iterable[Any]
        if name == UNITS:
            found = self._fewer()
        elif spec.type == c.DAY:
            found = self._days(name)
        elif spec.words:
            found = spec.words
        elif spec.type == c.YES_NO:
            found = (True, False)
        elif spec.type == c.TEXTS:
            found = _lists(tests, now)
        elif spec.type == c.TEXT:
            found = [*self._named(name).values(), *([other] if (other := self.other(name)) is not None else [])]
        elif spec.type == c.MONEY:
            found = self._amounts(name, tests, now)
        else:
            found = self._numbers(name, tests)
        if spec.type == c.TEXT and now is not None:
            return tuple(each for each in found if str(each).casefold() != now.casefold())
        return tuple(each for each in found if each != now)

    def other(self, name: str) -> str | None:
        """A text that stands for every one that no rule names; None where there is none, or patterns could tell them apart."""
        named = self._named(name)
        if not named or self._choices(name):
            return None
        return None if any(test.op == "matches" for test in self._tests[name]) else another(named)

    def _named(self, name: str) -> dict[str, str]:
        """The texts that rules name, and the choices that the customer has."""
        texts: Iterable[Any] = _constants(test for test in self._tests.get(name, ()) if test.op != "matches")
        words = [word for word in texts if isinstance(word, str)]
        named: dict[str, str] = {}
        for word in (*words, *self._choices(name)):
            named.setdefault(word.casefold(), word)
        return named

    def _choices(self, name: str) -> list[str]:
        return [
            choice for each in self._questions() if f"{c.ANSWER_PREFIX}{each.name}" == name for choice in each.choices
        ]

    def _amounts(self, name: str, tests: Sequence[c.Comparison], now: Money | None) -> list[Money]:
        currency = now.currency if now is not None else self.facts.order.currency
        constants = [each for each in _constants(tests) if each.currency == currency]
        found = {minor for each in constants for minor in _beside(each.minor) if minor >= 0}
        line = self.facts.line_value
        if found and name == "return.value" and line is not None and line.currency == currency:
            # Less than what this line alone is worth is less of the line too; see `with_value`.
            found.add(line.minor)
        return [Money(minor, cast(str, currency)) for minor in sorted(found)]

    def _numbers(self, name: str, tests: Sequence[c.Comparison]) -> list[int]:
        constants = list(_constants(tests))
        if name == "evidence":
            constants += [each.photos for each in self._values_of("evidence")]
        lowest = (self.facts.quantity or 0) if name == "return.items" else 0
        return sorted({number for each in constants for number in _beside(each) if number >= lowest})

    def _fewer(self) -> list[int]:
        units = self.facts.quantity
        if units is None or units > MOST_UNITS:
            return []
        if self.worth is None and {"line.value", "return.value"} & set(self._tests):
            return []
        return list(range(1, units))

    def _days(self, name: str) -> list[date]:
        facts, zone = self.facts, self.policies[0].zone
        if facts.at is None:
            return []
        asked = facts.at.astimezone(zone).toordinal()
        # The last parcel is not earlier than this one, so a day asked of the last one is a day of this one; see `with_value`.
        days = (name, "order.last_delivered") if name == "order.delivered" else (name,)
        tests = [test for day in days for test in self._tests.get(day, ())]
        found = {day for each in _constants(tests) for day in _beside(each.toordinal())}
        ends = {each: last.toordinal() for each in self._windows if (last := last_day(each, facts, zone)) is not None}
        if name == TODAY:
            found |= {day for turn in self.turns for day in _beside(turn.astimezone(zone).toordinal())}
            for window, end in ends.items():
                found |= {end + late + step for late in (0, window.grace) for step in (0, 1)}
            found |= {day for days, start in self._counted() for each in days for day in _beside(start + each)}
        else:
            for window in self._windows:
                if window.days is not None and _START_FACTS[window.start] in days:
                    # A window that starts with this day ends on one of these days when it starts so many days before, and up
                    # to two days more where its end moves to a business day.
                    for end in (asked, *ends.values()):
                        for length in (window.days, window.days + window.grace):
                            found |= {end - length + step for step in (-3, -2, -1, 0, 1)}
            counted = _constants(self._tests.get(name.replace("order.", "days_since."), ()))
            found |= {day for each in counted for day in _beside(asked - each)}
            found |= {each.toordinal() for each in self.bounds(name)}
        return [day for each in sorted(found) if each in _CALENDAR and self.can_be(name, day := date.fromordinal(each))]

    def _counted(self) -> Iterator[tuple[list[int], int]]:
        """What rules count days since, and the day they are counted from."""
        for name, tests in self._tests.items():
            if name.startswith("days_since."):
                day = value_of(self.facts, name.replace("days_since.", "order."), self.policies[0])
                if day is not None:
                    yield list(_constants(tests)), day.toordinal()

    def can_be(self, name: str, value: Any) -> bool:
        """Whether the other days allow this one; what is no day always can be."""
        if c.get_fact(name).type != c.DAY:
            return True
        low, high = self.bounds(name)
        return bool(low <= value <= high)

    def bounds(self, name: str) -> tuple[date, date]:
        """Between which days the day of this name lies, by the others that are known and the day of asking, which has to be;
        `date.min` and `date.max` where nothing bounds it."""
        days = {each: value_of(self.facts, each, self.policies[0]) for each in _DAYS}
        at = _DAYS.index(name)
        # A later parcel moves the day of the last one; see `with_value`.
        after = _DAYS[at + 1 :] if name != "order.delivered" else (TODAY,)
        before = [
            day for each in _DAYS[:at] if (day := days[each]) is not None and (name != TODAY or day <= days[name])
        ]
        return max(before, default=date.min), min(
            (day for each in after if (day := days[each]) is not None), default=date.max
        )

    def with_value(self, name: str, value: Any) -> Facts:
        """The facts with this value, and with what hangs on it."""
        return with_value(self.facts, name, value, self.policies[0], self.worth)


def with_value(
    facts: Facts, name: str, value: Any, policy: Policy, worth: Callable[[int], Money] | None = None
) -> Facts:
    """The facts in which the fact has this value; a day is taken at noon in the policy's timezone."""
    spec = c.get_fact(name)
    if name.startswith(c.ANSWER_PREFIX):
        return facts.asking(answers={**(facts.answers or {}), name.removeprefix(c.ANSWER_PREFIX): value})
    if name == UNITS:
        return _with_units(facts, value, worth)
    if spec.type == c.DAY:
        value = datetime.combine(value, time(12), tzinfo=policy.zone)
    group, _, field_ = spec.path.rpartition(".")
    changed = _put(facts, group, field_, value)
    line, whole, last = facts.line_value, facts.return_value, facts.order.last_delivered_at
    match name:
        case "order.delivered" if last is not None:
            return _put(changed, "order", "last_delivered_at", max(last, value))
        case "order.is_business":
            return replace(changed, is_consumer=not value)
        case "customer.is_consumer" if not value or facts.order.is_business:
            return _put(changed, "order", "is_business", not value)
        case "return.value" if line is not None and line.currency == value.currency:
            return replace(changed, line_value=min(line, value))
        case "line.value" if whole is not None and whole.currency == value.currency:
            return replace(changed, return_value=max(whole, value))
    return changed


def _put(facts: Facts, group: str, name: str, value: Any) -> Facts:
    if not group:
        return replace(facts, **{name: value})
    return replace(facts, **{group: replace(getattr(facts, group), **{name: value})})


def _with_units(facts: Facts, units: int, worth: Callable[[int], Money] | None) -> Facts:
    """So many of the units instead, fewer than there are, everything else of the return as it is."""
    less = cast(int, facts.quantity) - units
    line, whole = facts.line_value, facts.return_value
    if worth is not None:
        if line is not None and whole is not None:
            whole = whole - (line - worth(units))
        line = worth(units)
    return facts.asking(
        quantity=units,
        line_value=line,
        return_value=whole,
        return_items=None if facts.return_items is None else facts.return_items - less,
        return_is_full=None if facts.return_is_full is None else False,
    )


def value_of(facts: Facts, name: str, policy: Policy) -> Any:
    """The value that the fact has, a moment as its day in the policy's calendar; None when it is not known."""
    spec = c.get_fact(name)
    found = c.getter(spec)(facts)
    return _local(found, policy) if spec.type == c.DAY else found


def another(named: Container[str]) -> str:
    """A text that no rule names."""
    other = "something else"
    while other in named:
        other += "."
    return other


def _beside(limit: int) -> range:
    """A limit and its neighbours."""
    return range(limit - 1, limit + 2)


def _local(moment: datetime | None, policy: Policy) -> date | None:
    return None if moment is None else moment.astimezone(policy.zone).date()


def _constants(tests: Iterable[c.Comparison]) -> Iterator[Any]:
    for test in tests:
        yield from test.value if isinstance(test.value, tuple) else (test.value,)


def _windows(given: Iterable[Window]) -> Iterator[Window]:
    """Each window and the one that holds in its place where its start is not known, with its own grace."""
    found: dict[Window, None] = {}
    for window in given:
        found[window] = None
        if isinstance(window.if_undelivered, Window):
            found[replace(window.if_undelivered, grace=window.grace, ends_on=window.ends_on)] = None
    yield from found


def _lists(tests: Iterable[c.Comparison], now: tuple[str, ...] | None) -> list[tuple[str, ...]]:
    """The list with one more of the words that rules name, or with one of them less."""
    named = {word.casefold(): word for word in _constants(tests)}
    if now is None:
        return [(), *((word,) for word in named.values())]
    held = {each.casefold() for each in now}
    found = []
    for key, word in named.items():
        found.append(tuple(each for each in now if each.casefold() != key) if key in held else (*now, word))
    return found
