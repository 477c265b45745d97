"""What a rule may ask: one table of facts, one table of operators per type, and conditions that answer in three values.

In: `Comparison`, `All`, `Any_`, `Not` trees that `read_conditions` made. Out: a function of `Facts`: True, False or `Unknown`.
Invariants: a missing fact or an amount in another currency is `Unknown`, never a guess; texts are compared without regard
to case; `all` is False as soon as one part is, `any` True as soon as one part is, whatever else is unknown.
Never: a date that is not taken in the policy's timezone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from portal.money import Money
from portal.policy.facts import Facts
from portal.policy.reasons import REASONS
from portal.policy.terms import METHODS, RESOLUTIONS


@dataclass(frozen=True, slots=True)
class Miss:
    """One fact that could not be used: ``why`` is ``missing`` or ``other_currency`` (then both currencies are known)."""

    fact: str
    why: str
    found: str = ""
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The third answer of a condition, with everything that stood in the way of the other two."""

    misses: tuple[Miss, ...]


Answer: TypeAlias = "bool | Unknown"
Condition: TypeAlias = "Comparison | All | Any_ | Not"
Holds: TypeAlias = Callable[[Facts], Answer]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact against one value. The value is typed as the fact is (a tuple of such for the operators that take lists)."""

    fact: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


ALWAYS, NEVER = All(()), Any_(())

# The types a fact can have. The names are those of the messages.
TEXT, TEXTS, NUMBER, MONEY, YES_NO, SHARE, WEIGHT, DAY = (
    "text",
    "list",
    "number",
    "amount",
    "true or false",
    "percentage",
    "weight",
    "date",
)
TYPE_WORDS: Mapping[str, str] = {
    TEXT: "a text",
    TEXTS: "a list",
    NUMBER: "a number",
    MONEY: "an amount",
    YES_NO: "true or false",
    SHARE: "a percentage",
    WEIGHT: "a weight",
    DAY: "a date",
}
_SIZES = ("is", "over", "under", "at_least", "at_most", "between")
OPERATORS: Mapping[str, tuple[str, ...]] = {
    TEXT: ("is", "in", "not_in", "matches"),
    TEXTS: ("has", "has_any", "has_all"),
    NUMBER: (*_SIZES, "in", "not_in"),
    MONEY: _SIZES,
    YES_NO: ("is",),
    SHARE: _SIZES,
    WEIGHT: _SIZES,
    DAY: ("is", "from", "to", "between"),
}
ALL_OPERATORS = tuple(dict.fromkeys(op for ops in OPERATORS.values() for op in ops))
LIST_OPERATORS = frozenset({"in", "not_in", "has_any", "has_all"})


@dataclass(frozen=True, slots=True)
class FactSpec:
    """A fact that a rule may ask. ``path`` is where `Facts` keeps it; ``words`` are the only texts it can be, if there are such.

    ``kind`` says how the value is read or compared beyond its type: ``country``, ``currency``, or ``days`` (counted from the
    moment at ``path`` to the moment of asking).
    """

    name: str
    type: str
    path: str
    words: tuple[str, ...] = ()
    kind: str = ""


def _group(prefix: str, type_: str, names: str) -> list[FactSpec]:
    return [FactSpec(f"{prefix}.{name}", type_, f"{prefix}.{name}") for name in names.split()]


FACTS: Mapping[str, FactSpec] = {
    spec.name: spec
    for spec in (
        FactSpec("order.placed", DAY, "order.placed_at"),
        FactSpec("order.shipped", DAY, "item.shipped_at"),
        FactSpec("order.delivered", DAY, "item.delivered_at"),
        FactSpec("order.last_delivered", DAY, "order.last_delivered_at"),
        FactSpec("days_since.placed", NUMBER, "order.placed_at", kind="days"),
        FactSpec("days_since.shipped", NUMBER, "item.shipped_at", kind="days"),
        FactSpec("days_since.delivered", NUMBER, "item.delivered_at", kind="days"),
        FactSpec("today", DAY, "at"),
        FactSpec("order.country", TEXT, "order.country", kind="country"),
        FactSpec("order.currency", TEXT, "order.currency", kind="currency"),
        *_group("order", TEXT, "number region channel payment_method fulfilment"),
        *_group("order", TEXTS, "tags discount_codes"),
        *_group("order", MONEY, "total"),
        FactSpec("order.discount_percent", SHARE, "order.discount_percent_bp"),
        *_group("order", NUMBER, "returns_so_far"),
        *_group("order", YES_NO, "is_gift is_business"),
        *_group("customer", TEXT, "email"),
        *_group("customer", TEXTS, "tags"),
        *_group("customer", NUMBER, "orders returns kept_items failed_inspections"),
        FactSpec("customer.return_rate", SHARE, "customer.return_rate_bp"),
        *_group("customer", MONEY, "refunded_90_days credit_received"),
        FactSpec("customer.is_consumer", YES_NO, "is_consumer"),
        *_group("item", TEXT, "sku product vendor type category"),
        *_group("item", TEXTS, "tags"),
        *_group("item", MONEY, "price paid"),
        *_group("item", YES_NO, "discounted hazardous is_exchange"),
        *_group("item", NUMBER, "quantity"),
        FactSpec("item.weight", WEIGHT, "item.weight_g"),
        FactSpec("line.value", MONEY, "line_value"),
        FactSpec("line.quantity", NUMBER, "quantity"),
        FactSpec("return.value", MONEY, "return_value"),
        FactSpec("return.items", NUMBER, "return_items"),
        FactSpec("return.is_full", YES_NO, "return_is_full"),
        FactSpec("reason", TEXT, "reason", words=tuple(REASONS)),
        FactSpec("evidence", NUMBER, "evidence"),
        FactSpec("resolution", TEXT, "resolution", words=RESOLUTIONS),
        FactSpec("method", TEXT, "method", words=METHODS),
    )
}
ANSWER_PREFIX = "answer."


def find_fact(name: str) -> FactSpec | None:
    """The fact of that name; ``answer.<question>`` is a text for every question."""
    if name.startswith(ANSWER_PREFIX) and name != ANSWER_PREFIX:
        return FactSpec(name, TEXT, name)
    return FACTS.get(name)


def get_fact(name: str) -> FactSpec:
    """The fact of that name. Raises ValueError where there is none."""
    spec = find_fact(name)
    if spec is None:
        raise ValueError(f"`{name}` is no fact")
    return spec


def getter(spec: FactSpec) -> Callable[[Facts], Any]:
    """Where a fact's value is read, None where it is not known; of a span of days both of its ends."""
    if spec.path.startswith(ANSWER_PREFIX):
        question = spec.path[len(ANSWER_PREFIX) :]

        def answer(facts: Facts) -> str | None:
            given = None if facts.answers is None else facts.answers.get(question)
            if given is None:
                return None
            return str(given).lower() if isinstance(given, bool) else str(given)

        return answer
    moment = attrgetter(spec.path)
    if spec.kind != "days":
        return moment

    def span(facts: Facts) -> tuple[datetime, datetime] | None:
        start, at = moment(facts), facts.at
        return None if start is None or at is None else (start, at)

    return span


def value_json(value: Any) -> Any:
    """A test's value as JSON, one spelling for one meaning."""
    if isinstance(value, tuple):
        return [value_json(each) for each in value]
    if isinstance(value, Money):
        return value.to_json()
    return value.isoformat() if isinstance(value, date) else value


def condition_json(condition: Condition) -> Any:
    """The condition as JSON, for the content hash and for tools."""
    match condition:
        case Comparison(fact, op, value):
            return {"fact": fact, "op": op, "value": value_json(value)}
        case All(parts):
            return {"all": [condition_json(part) for part in parts]}
        case Any_(parts):
            return {"any": [condition_json(part) for part in parts]}
        case Not(part):
            return {"not": condition_json(part)}


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every test in a condition."""
    match condition:
        case Comparison():
            yield condition
        case Not(part=part):
            yield from comparisons(part)
        case All(parts=parts) | Any_(parts=parts):
            for part in parts:
                yield from comparisons(part)


def compile_condition(condition: Condition, zone: ZoneInfo) -> Holds:
    """The condition as a function. Built once when the policy is loaded; calling it allocates nothing but an `Unknown`."""
    match condition:
        case Comparison():
            return _compile_test(condition, zone)
        case Not(part):
            inner = compile_condition(part, zone)

            def negated(facts: Facts) -> Answer:
                got = inner(facts)
                return got if isinstance(got, Unknown) else not got

            return negated
        case All(parts) | Any_(parts):
            compiled = tuple(compile_condition(part, zone) for part in parts)
            if len(compiled) == 1:
                return compiled[0]
            # For `all` one False settles it, for `any` one True; an unknown part only counts when nothing settles it.
            settles = isinstance(condition, Any_)
            goes_on = not settles

            def combined(facts: Facts) -> Answer:
                misses: tuple[Miss, ...] = ()
                for part in compiled:
                    got = part(facts)
                    if got is settles:
                        return settles
                    if got is not goes_on:
                        misses += got.misses  # type: ignore[union-attr]
                return Unknown(tuple(dict.fromkeys(misses))) if misses else goes_on

            return combined


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "over": operator.gt,
    "under": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}


def _compile_test(test: Comparison, zone: ZoneInfo) -> Holds:
    spec = get_fact(test.fact)
    get, missing = getter(spec), Unknown((Miss(test.fact, "missing"),))
    if spec.type == DAY:
        return _day_test(get, missing, test, zone)
    if spec.type == MONEY:
        return _money_test(get, missing, test)
    if spec.kind == "days":
        get = _days(get, zone)
    return _common_test(get, missing, test) or _rare_test(get, missing, _predicate(spec.type, test.op, test.value))


def _days(span: Callable[[Facts], tuple[datetime, datetime] | None], zone: ZoneInfo) -> Callable[[Facts], int | None]:
    def days(facts: Facts) -> int | None:
        ends = span(facts)
        if ends is None:
            return None
        start, at = ends
        return (at.astimezone(zone).date() - start.astimezone(zone).date()).days

    return days


def words_of(test: Comparison) -> frozenset[str] | None:
    """The words, casefolded, of which a text must be one or a list must have one; None for a test of another kind."""
    asks_words = {TEXT: ("is", "in"), TEXTS: ("has", "has_any")}
    if test.op not in asks_words.get(get_fact(test.fact).type, ()):
        return None
    given = test.value if isinstance(test.value, tuple) else (test.value,)
    return frozenset(each.casefold() for each in given)


def _common_test(get: Callable[[Facts], Any], missing: Unknown, test: Comparison) -> Holds | None:
    """The tests that most rules are made of, in one call instead of two: they are what a decision's time is spent on."""
    words, compare, bound = words_of(test), _COMPARE.get(test.op), test.value

    def is_one(facts: Facts) -> Answer:
        text = get(facts)
        return missing if text is None else text.casefold() in words  # type: ignore[operator]

    def has_one(facts: Facts) -> Answer:
        held = get(facts)
        return missing if held is None else not words.isdisjoint(map(str.casefold, held))  # type: ignore[union-attr]

    def is_so(facts: Facts) -> Answer:
        value = get(facts)
        return missing if value is None else compare(value, bound)  # type: ignore[misc]

    if words is not None:
        return is_one if test.op in ("is", "in") else has_one
    return None if compare is None else is_so


def _rare_test(get: Callable[[Facts], Any], missing: Unknown, predicate: Callable[[Any], bool]) -> Holds:
    def holds(facts: Facts) -> Answer:
        value = get(facts)
        return missing if value is None else predicate(value)

    return holds


def _predicate(type_: str, op: str, value: Any) -> Callable[[Any], bool]:
    if op == "matches":
        fits = re.compile(value, re.IGNORECASE).fullmatch
        return lambda text: fits(text[:MAX_SUBJECT]) is not None
    if op == "between":
        low, high = value
        return lambda found: bool(low <= found <= high)
    if op == "in":
        return frozenset(value).__contains__
    if type_ == TEXTS:
        wanted = frozenset(map(str.casefold, value))
        return lambda tags: wanted.issubset(map(str.casefold, tags))
    if type_ == TEXT:
        words = frozenset(map(str.casefold, value))
        return lambda text: text.casefold() not in words
    known = frozenset(value)
    return lambda found: found not in known


# A pattern sees at most so many characters. With the limits on repeats in `schema` this bounds the time of a match.
MAX_SUBJECT = 200


def _money_test(get: Callable[[Facts], Any], missing: Unknown, test: Comparison) -> Holds:
    low, high = test.value if test.op == "between" else (test.value, test.value)
    currency, low_minor, high_minor = low.currency, low.minor, high.minor
    compare = None if test.op == "between" else _COMPARE[test.op]

    def holds(facts: Facts) -> Answer:
        amount = get(facts)
        if amount is None:
            return missing
        if amount.currency != currency:
            return Unknown((Miss(test.fact, "other_currency", amount.currency, currency),))
        minor = amount.minor
        return compare(minor, low_minor) if compare is not None else low_minor <= minor <= high_minor

    return holds


def _day_test(get: Callable[[Facts], Any], missing: Unknown, test: Comparison, zone: ZoneInfo) -> Holds:
    """Days become the two moments between which they lie, so that a test is a comparison and no calendar arithmetic."""
    first, last = test.value if test.op == "between" else (test.value, test.value)
    low = None if test.op == "to" else _midnight(first, zone)
    high = None if test.op == "from" else _midnight(last + timedelta(days=1), zone)

    def holds(facts: Facts) -> Answer:
        moment = get(facts)
        if moment is None:
            return missing
        return (low is None or moment >= low) and (high is None or moment < high)

    return holds


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day. Where clocks jump over midnight, this is the moment of the jump."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
