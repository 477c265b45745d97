"""Two policies asked the same questions about the past: what changes, for how many, and for how much money.

In: two ways to decide and sold lines or past requests as values. Out: a `Comparison` of tallies that adds up over batches.
Invariants: exactly what deciding one by one gives. Lines that no rule of either policy can tell apart are decided once: those
on the same calendar days whose facts answer every test alike. Amounts come from `quote` and are never estimated.
Never: an order that is refused in one sum and paid in another; a database, a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision, Term
from portal.policy.facts import Facts
from portal.policy.quote import REFUND, Quote, QuoteLine, ShippingPaid, quote

Ask: TypeAlias = Callable[[Facts], Decision]
Row: TypeAlias = tuple[Any, ...]
ANSWERS = (ACCEPT, REVIEW, REFUSE)
MONEY = ("refund", "credit", "exchange", "fees", "waiting")
"""What a tally sums: paid back, given as credit, worth of replacements, fees kept, and what waits for a person."""

# The terms that a quote of money reads. Two decisions that agree in these give the same amounts.
_PRICED = ("return_shipping", "restocking_fee", "outbound_shipping", "credit_bonus", "keep_item")


@dataclass(slots=True)
class Tally:
    """What one policy says to all questions: answers by line, and money by currency in minor units."""

    answers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANSWERS, 0))
    money: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, currency: str, sums: Mapping[str, int], times: int = 1) -> None:
        """Count ``sums`` so many times."""
        pots = self.money.get(currency)
        if pots is None:
            pots = self.money[currency] = dict.fromkeys(MONEY, 0)
        for name, minor in sums.items():
            pots[name] += minor * times

    def given_back(self, currency: str) -> int:
        """Refunds and credit together, in minor units."""
        pots = self.money.get(currency, {})
        return pots.get("refund", 0) + pots.get("credit", 0)

    def merge(self, other: Tally) -> None:
        """Take the counts of another batch in."""
        for answer, count in other.answers.items():
            self.answers[answer] += count
        for currency, sums in other.money.items():
            self.add(currency, sums)

    def to_json(self) -> dict[str, Any]:
        return {"answers": dict(self.answers), "money": {name: self.money[name] for name in sorted(self.money)}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        return cls(dict(data["answers"]), {name: dict(sums) for name, sums in data["money"].items()})


def moved(before: Decision, after: Decision) -> int:
    """1 when the last day to send it back is later, -1 when it is earlier, else 0."""
    was, now = before.return_by_on, after.return_by_on
    return 0 if was is None or now is None else (now > was) - (now < was)


@dataclass(slots=True)
class Comparison:
    """The same questions under two policies. ``turned`` counts lines by (answer before, answer after) where they differ;
    ``later`` and ``earlier`` count lines whose last day moved."""

    before: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    turned: dict[tuple[str, str], int] = field(default_factory=dict)
    later: int = 0
    earlier: int = 0

    @property
    def asked(self) -> int:
        """How many lines were asked about."""
        return sum(self.before.answers.values())

    @property
    def changed(self) -> int:
        """How many lines get another answer."""
        return sum(self.turned.values())

    def count(self, before: Decision, after: Decision, times: int = 1) -> None:
        """Count the two answers to one question, asked for so many lines."""
        self.before.answers[before.answer] += times
        self.after.answers[after.answer] += times
        if before.answer != after.answer:
            turn = (before.answer, after.answer)
            self.turned[turn] = self.turned.get(turn, 0) + times
        way = moved(before, after)
        self.later += times if way > 0 else 0
        self.earlier += times if way < 0 else 0

    def merge(self, other: Comparison) -> None:
        """Take the counts of another batch in."""
        self.before.merge(other.before)
        self.after.merge(other.after)
        for turn, count in other.turned.items():
            self.turned[turn] = self.turned.get(turn, 0) + count
        self.later += other.later
        self.earlier += other.earlier

    def to_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "turned": [{"from": a, "to": b, "count": self.turned[a, b]} for a, b in sorted(self.turned)],
            "later": self.later,
            "earlier": self.earlier,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        return cls(
            Tally.from_json(data["before"]),
            Tally.from_json(data["after"]),
            {(each["from"], each["to"]): each["count"] for each in data["turned"]},
            data["later"],
            data["earlier"],
        )


def sums_of(found: Quote) -> dict[str, int]:
    """What a quote adds to a tally: both pots, the worth of replacements, and the fees that were taken off."""
    parts = found.all_parts()
    return {
        "refund": found.refund_total.minor,
        "credit": found.credit_total.minor,
        "exchange": -sum(part.amount_minor for part in parts if part.kind == "replacement"),
        "fees": -sum(part.amount_minor for part in parts if part.kind in ("return_shipping", "restocking_fee")),
    }


class Prices:
    """Quotes of one line alone for a refund, each different one made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], dict[str, int]] = {}
        self._terms: dict[tuple[Any, ...], int] = {}

    def priced(self, decision: Decision) -> Priced | None:
        """What of a decision the money depends on; None when it gives nothing."""
        if decision.answer == REFUSE:
            return None
        terms = decision.terms
        values = tuple(terms[name].value for name in _PRICED)
        number = self._terms.setdefault(values, len(self._terms))
        # A share is taken of the whole line, whatever its units.
        by_unit = terms["restocking_fee"].value.amount is not None
        return Priced(number, decision.answer == REVIEW, by_unit, terms["outbound_shipping"].value, terms)

    def sums(self, of: Priced, currency: str, gross: int, quantity: int, full: bool, shipping: int) -> dict[str, int]:
        """What the line adds to the tally of the policy that decided so."""
        if of.outbound == "never" or (of.outbound == "full_return" and not full):
            shipping = 0
        key = (of.number, of.waits, currency, gross, quantity if of.by_unit else 1, shipping)
        known = self._known.get(key)
        if known is None:
            line = QuoteLine("1", key[4], gross, 0, gross, 0, REFUND, of.terms)
            made = sums_of(quote([line], currency, shipping=ShippingPaid(shipping), full_return=full))
            known = self._known[key] = {"waiting": made["refund"]} if of.waits else made
        return known


@dataclass(frozen=True, slots=True)
class Priced:
    """The money side of a decision. ``number`` is the same for equal terms; ``waits`` for a person."""

    number: int
    waits: bool
    by_unit: bool
    outbound: str
    terms: Mapping[str, Term]


Line: TypeAlias = tuple[str, int, str, int, int, Facts]
"""One line of a past request: ref, quantity, resolution, gross and tax in minor units, and the facts it was decided on."""


@dataclass(frozen=True, slots=True)
class Request:
    """A past request with everything its quote is made of besides the decisions."""

    currency: str
    lines: tuple[Line, ...]
    shipping: ShippingPaid
    full_return: bool
    fee_charged: bool
    ship_with: str


def request_sums(asked: Request, decisions: Sequence[Decision]) -> dict[str, int]:
    """The money of a request under one policy: the quote of its accepted lines, and what its lines in review would add."""

    def of(*answers: str) -> Quote:
        lines = [
            QuoteLine(ref, quantity, gross, tax, gross, 0, resolution, decision.terms)
            for (ref, quantity, resolution, gross, tax, _), decision in zip(asked.lines, decisions, strict=True)
            if decision.answer in answers
        ]
        return quote(
            lines,
            asked.currency,
            shipping=asked.shipping,
            full_return=asked.full_return and len(lines) == len(asked.lines),
            fee_already_charged=asked.fee_charged,
            ship_with=asked.ship_with or None,
        )

    made = of(ACCEPT)
    sums = sums_of(made)
    if any(decision.answer == REVIEW for decision in decisions):
        sums["waiting"] = of(ACCEPT, REVIEW).total.minor - made.total.minor
    return sums


class Sorter:
    """Which class a value belongs to, as a number: values that answer every one of the tests alike are in one.

    ``parts`` picks from a row what the value is made of, ``tests`` are compiled conditions on the fact; ``known`` has what was
    sorted already.
    """

    __slots__ = ("_classes", "_facts", "_tests", "known", "parts")

    def __init__(
        self,
        parts: Callable[[Row], Hashable],
        tests: Sequence[Callable[[Facts], object]],
        facts: Callable[[Row], Facts],
    ) -> None:
        self.parts = parts
        self.known: dict[Hashable, int] = {}
        self._tests = tests
        self._facts = facts
        self._classes: dict[Hashable, int] = {}

    def learn(self, row: Row) -> int:
        """Sort the value of a row that is not known yet."""
        facts = self._facts(row)
        answers = tuple(test(facts) for test in self._tests)
        found = self.known[self.parts(row)] = self._classes.setdefault(answers, len(self._classes))
        return found


@dataclass(frozen=True, slots=True)
class Question:
    """One question that is put to every line: a reason, and a refund as the wish."""

    name: str
    reason: str


QUESTIONS = (Question("ordinary", "changed-mind"), Question("fault", "faulty"))


Outcome: TypeAlias = tuple[Decision, Decision]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Lines with one outcome: the currency, both decisions on each question, and what of them the money depends on."""

    currency: str
    decided: tuple[Outcome, ...]
    priced: tuple[tuple[Priced | None, Priced | None], ...]


class LineTrial:
    """Both policies asked about sold lines, each whole line on its own, once for an ordinary reason and once for a fault.

    ``key`` must differ for rows that the policies can tell apart; ``facts`` makes the facts of a row without a reason;
    ``money`` gives (currency, gross, quantity, alone, shipping) with amounts in minor units.
    """

    def __init__(
        self,
        before: Ask,
        after: Ask,
        *,
        key: Callable[[Row], Hashable],
        facts: Callable[[Row], Facts],
        money: Callable[[Row], tuple[str, int, int, bool, int]],
    ) -> None:
        self._before, self._after = before, after
        self._key, self._facts, self._money = key, facts, money
        self._by_key: dict[Hashable, int] = {}
        self._by_outcome: dict[Hashable, int] = {}
        self._kinds: list[_Kind] = []
        self._by_unit: list[bool] = []
        self._prices = Prices()
        self.examples: list[tuple[Row, dict[str, tuple[str, str]]]] = []
        """Of the last batch, the first line for each way in which answers change, with those before and after by question."""

    def run(self, rows: Iterable[Row]) -> dict[str, Comparison]:
        """Decide a batch. What was learnt about kinds of lines is kept for the next one."""
        counts: dict[tuple[Any, ...], int] = {}
        firsts: dict[int, Row] = {}
        known, key_of, money, by_unit = self._by_key, self._key, self._money, self._by_unit
        for row in rows:
            key = key_of(row)
            kind = known.get(key)
            if kind is None:
                kind = known[key] = self._decide(row)
            _, gross, quantity, alone, shipping = money(row)
            # What cannot change the money of this kind is left out, so that more lines are alike.
            cell = (kind, gross, quantity if by_unit[kind] else 1, alone if shipping else 0, shipping)
            times = counts.get(cell)
            if times is None:
                counts[cell] = 1
                firsts.setdefault(kind, row)
            else:
                counts[cell] = times + 1
        self.examples = self._examples(firsts)
        return self._sum(counts)

    def _examples(self, firsts: Mapping[int, Row]) -> list[tuple[Row, dict[str, tuple[str, str]]]]:
        found: dict[tuple[tuple[str, str], ...], Row] = {}
        for kind, row in firsts.items():
            answers = tuple((was.answer, now.answer) for was, now in self._kinds[kind].decided)
            if any(was != now for was, now in answers):
                found.setdefault(answers, row)
        names = [question.name for question in QUESTIONS]
        return [(row, dict(zip(names, answers, strict=True))) for answers, row in found.items()]

    def _decide(self, row: Row) -> int:
        facts = self._facts(row)
        currency = self._money(row)[0]
        decided, priced = [], []
        outcome: list[Hashable] = [currency]
        for question in QUESTIONS:
            asked = facts.asking(reason=question.reason, resolution=REFUND)
            was, now = self._before(asked), self._after(asked)
            money = self._prices.priced(was), self._prices.priced(now)
            decided.append((was, now))
            priced.append(money)
            outcome += [was.answer, now.answer, moved(was, now), *(each and each.number for each in money)]
        kind = self._by_outcome.setdefault(tuple(outcome), len(self._kinds))
        if kind == len(self._kinds):
            self._kinds.append(_Kind(currency, tuple(decided), tuple(priced)))
            self._by_unit.append(any(each is not None and each.by_unit for pair in priced for each in pair))
        return kind

    def _sum(self, counts: Mapping[tuple[Any, ...], int]) -> dict[str, Comparison]:
        found = {question.name: Comparison() for question in QUESTIONS}
        sums_of_line = self._prices.sums
        times_of: dict[int, int] = {}
        for (number, gross, quantity, alone, shipping), times in counts.items():
            times_of[number] = times_of.get(number, 0) + times
            kind = self._kinds[number]
            for question, (before, after) in zip(QUESTIONS, kind.priced, strict=True):
                here = found[question.name]
                for tally, priced in ((here.before, before), (here.after, after)):
                    if priced is not None:
                        sums = sums_of_line(priced, kind.currency, gross, quantity, bool(alone), shipping)
                        tally.add(kind.currency, sums, times)
        for number, times in times_of.items():
            for question, (was, now) in zip(QUESTIONS, self._kinds[number].decided, strict=True):
                found[question.name].count(was, now, times)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """One past request that changes: answers of its lines (ref, before, after) and what it gives back, in minor units, with what
    waits for a person."""

    before_minor: int
    after_minor: int
    lines: tuple[tuple[str, str, str], ...]


class RequestTrial:
    """Both policies asked about past requests, line by line with the facts that were stored."""

    def __init__(self, before: Ask, after: Ask) -> None:
        self._before, self._after = before, after
        self.comparison = Comparison()

    def run(self, asked: Request) -> Change | None:
        """Count one request; the change when any line's answer or the money differs."""
        was = [self._before(line[-1]) for line in asked.lines]
        now = [self._after(line[-1]) for line in asked.lines]
        turned = []
        for line, before, after in zip(asked.lines, was, now, strict=True):
            self.comparison.count(before, after)
            if before.answer != after.answer:
                turned.append((line[0], before.answer, after.answer))
        sums = request_sums(asked, was), request_sums(asked, now)
        self.comparison.before.add(asked.currency, sums[0])
        self.comparison.after.add(asked.currency, sums[1])
        if not turned and sums[0] == sums[1]:
            return None
        was_worth, now_worth = (each["refund"] + each["credit"] + each.get("waiting", 0) for each in sums)
        return Change(was_worth, now_worth, tuple(turned))
