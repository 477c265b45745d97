"""Two policies asked the same questions about the past: what changes, for how many, and for how much money.

In: two ways to decide and sold lines or past requests as values. Out: a `Comparison` of tallies that adds up over batches.
Invariants: exactly what deciding one by one gives. Lines that no rule of either policy can tell apart are decided once: those
on the same calendar days whose facts answer every test alike. Amounts come from `quote` and are never estimated.
Never: an order that is refused in one sum and paid in another; a database, a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias, cast

from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision, Term
from portal.policy.facts import Facts
from portal.policy.quote import REFUND, Quote, QuoteLine, ShippingPaid, quote
from portal.policy.tally import Comparison, moved, sums_of

Ask: TypeAlias = Callable[[Facts], Decision]
# The terms that a quote of money reads. Two decisions that agree in these give the same amounts.
_PRICED = ("return_shipping", "restocking_fee", "outbound_shipping", "credit_bonus", "keep_item")


Cell: TypeAlias = tuple[int, int, bool, int]
"""What the money of a sold line depends on besides its terms: gross, units, whether it is its whole order, shipping paid."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The money side of a decision. ``number`` is the same for equal terms; ``waits`` for a person. From the amount
    ``even_from`` on, a penny more paid is a penny more refunded and all else stays; infinite where a share is taken."""

    number: int
    waits: bool
    by_unit: bool
    even_from: float
    outbound: str
    terms: Mapping[str, Term]


class Prices:
    """Quotes of one line alone for a refund, each different one made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], dict[tuple[int, int, int], tuple[int, int]]] = {}
        self._terms: dict[tuple[Any, ...], int] = {}

    def priced(self, decision: Decision) -> Priced | None:
        """What of a decision the money depends on; None when it gives nothing."""
        if decision.answer == REFUSE:
            return None
        terms = decision.terms
        values = tuple(terms[name].value for name in _PRICED)
        number = self._terms.setdefault(values, len(self._terms))
        fee, label = terms["restocking_fee"].value, terms["return_shipping"].value
        # A share is taken of the whole line, whatever its units.
        by_unit = fee.amount is not None
        fixed = 0 if label.amount is None else label.amount.minor
        even_from = inf if by_unit or fee.bp or label.bp else fixed
        return Priced(number, decision.answer == REVIEW, by_unit, even_from, terms["outbound_shipping"].value, terms)

    def total(self, of: Priced, currency: str, cells: Mapping[Cell, int], more: int) -> dict[str, int]:
        """What so many lines of each kind add to the tally of the policy that decided so. ``more`` is what was paid for them
        beyond the amounts of the cells, and is refunded penny by penny."""
        refunded, kept = more, 0
        known = self._known.setdefault((of.number, currency), {})
        if len(known) > MAX_KNOWN:
            known.clear()
        by_unit, always, whole = of.by_unit, of.outbound == "always", of.outbound == "full_return"
        for (gross, quantity, alone, paid), times in cells.items():
            key = (gross, quantity if by_unit else 1, paid if always or (whole and alone) else 0)
            sums = known.get(key)
            if sums is None:
                sums = known[key] = _quoted(of, currency, *key)
            refunded += sums[0] * times
            kept += sums[1] * times
        return {"waiting": refunded} if of.waits else {"refund": refunded, "fees": kept}


def _quoted(of: Priced, currency: str, gross: int, quantity: int, shipping: int) -> tuple[int, int]:
    """Refund and fees of one line; for a refund there is neither credit nor a replacement."""
    line = QuoteLine("1", quantity, gross, 0, gross, 0, REFUND, of.terms)
    # Shipping is passed where it goes back only: as a full return.
    made = sums_of(quote([line], currency, shipping=ShippingPaid(shipping), full_return=True))
    return made["refund"], made["fees"]


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
            ship_with=asked.ship_with,
        )

    made = of(ACCEPT)
    sums = sums_of(made)
    if any(decision.answer == REVIEW for decision in decisions):
        sums["waiting"] = of(ACCEPT, REVIEW).total.minor - made.total.minor
    return sums


MAX_KNOWN = 200_000
"""So many values are remembered of a kind; then they are learnt again, so that memory is bounded whatever the book holds."""


class Numbers:
    """A number for each value, learnt when the value is first met. Many values are looked up at once, which costs less than
    deciding anything about each of them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, values: Sequence[Hashable], learn: Callable[[int], int]) -> list[int]:
        """The number of every value. ``learn`` gives that of a new one by the first place where it stands."""
        known = self._known
        if len(known) > MAX_KNOWN:
            known.clear()
        found = list(map(known.get, values))
        if None in found:
            for place, value in enumerate(values):
                if found[place] is None:
                    number = known.get(value)
                    if number is None:
                        number = known[value] = learn(place)
                    found[place] = number
        return cast("list[int]", found)


@dataclass(frozen=True, slots=True)
class Question:
    """One question that is put to every line: a reason, and a refund as the wish."""

    name: str
    reason: str


QUESTIONS = (Question("ordinary", "changed-mind"), Question("fault", "faulty"))


Outcome: TypeAlias = tuple[Decision, Decision]
_Counted: TypeAlias = tuple[int, int | None, int, bool, int]
"""A kind and a `Cell` of it; no amount where only the sum of amounts matters."""


Money: TypeAlias = tuple[Priced | None, Priced | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Lines with one outcome: the currency, both decisions on each question, and what of them the money depends on.

    From ``even_from`` on, a penny more paid is a penny more refunded, whatever is answered.
    """

    currency: str
    decided: tuple[Outcome, ...]
    priced: tuple[Money, ...]
    even_from: float


@dataclass(frozen=True, slots=True)
class Lines:
    """Sold lines, column by column. ``keys`` differ for lines that the policies can tell apart; then what money depends on, as
    in a `Cell`; ``ids`` name them; ``facts`` makes the facts of the line at a place, without a reason."""

    keys: Sequence[Hashable]
    gross: Sequence[int]
    units: Sequence[int]
    alone: Sequence[bool]
    shipping: Sequence[int]
    ids: Sequence[int]
    facts: Callable[[int], Facts]


class LineTrial:
    """Both policies asked about sold lines, each whole line on its own, once for an ordinary reason and once for a fault."""

    def __init__(self, before: Ask, after: Ask, met: Callable[[Facts], None] = lambda facts: None) -> None:
        """``met`` is told of every kind of line there is, by the facts of its first one."""
        self._before, self._after, self._met = before, after, met
        self._numbers = Numbers()
        self._by_outcome: dict[Hashable, int] = {}
        self._kinds: list[_Kind] = []
        self._prices = Prices()
        self.examples: list[tuple[int, dict[str, tuple[str, str]]]] = []
        """Of the last batch, the first line for each way in which answers change, with those before and after by question."""

    def run(self, batch: Iterable[Lines]) -> dict[str, Comparison]:
        """Decide a batch. What was learnt about kinds of lines is kept for the next one."""
        found = {question.name: Comparison() for question in QUESTIONS}
        counts: Counter[_Counted] = Counter()
        paid: list[int] = []
        firsts: dict[int, int] = {}
        for lines in batch:
            numbers = self._number(lines)
            # Only the sum is kept of amounts that are refunded penny by penny, so that nearly all lines of a kind are alike.
            even_from = [kind.even_from for kind in self._kinds]
            told = [
                None if gross >= even_from[number] else gross
                for number, gross in zip(numbers, lines.gross, strict=True)
            ]
            counts.update(zip(numbers, told, lines.units, lines.alone, lines.shipping, strict=True))
            paid += [0] * (len(self._kinds) - len(paid))
            for number, gross in zip(numbers, lines.gross, strict=True):
                paid[number] += gross
            for place in sorted(numbers.index(number) for number in set(numbers).difference(firsts)):
                firsts[numbers[place]] = lines.ids[place]
            if len(counts) > MAX_KNOWN:
                self._add(found, counts, paid)
                counts.clear()
                paid.clear()
        self._add(found, counts, paid)
        self.examples = self._examples(firsts)
        return found

    def _number(self, lines: Lines) -> list[int]:
        return self._numbers.of(lines.keys, lambda place: self._decide(lines.facts(place)))

    def _cells(self, counts: Mapping[_Counted, int]) -> dict[int, dict[Cell, int]]:
        """What was counted, by kind."""
        found: dict[int, dict[Cell, int]] = {}
        for (number, told, units, alone, shipping), times in counts.items():
            gross = int(self._kinds[number].even_from) if told is None else told
            cell = (gross, units, alone, shipping)
            cells = found.setdefault(number, {})
            cells[cell] = cells.get(cell, 0) + times
        return found

    def _examples(self, firsts: Mapping[int, int]) -> list[tuple[int, dict[str, tuple[str, str]]]]:
        found: dict[tuple[tuple[str, str], ...], int] = {}
        for kind, line in firsts.items():
            answers = tuple((was.answer, now.answer) for was, now in self._kinds[kind].decided)
            if any(was != now for was, now in answers):
                found.setdefault(answers, line)
        names = [question.name for question in QUESTIONS]
        return [(line, dict(zip(names, answers, strict=True))) for answers, line in found.items()]

    def _decide(self, facts: Facts) -> int:
        self._met(facts)
        currency = facts.order.currency or ""
        decided, priced = [], []
        outcome: list[Hashable] = [currency]
        for question in QUESTIONS:
            asked = facts.asking(reason=question.reason, resolution=REFUND)
            was, now = self._before(asked), self._after(asked)
            money = self._prices.priced(was), self._prices.priced(now)
            decided.append((was, now))
            priced.append(money)
            outcome += [was.answer, now.answer, moved(was, now), *(each and each.number for each in money)]
        number = self._by_outcome.setdefault(tuple(outcome), len(self._kinds))
        if number == len(self._kinds):
            even_from = max((each.even_from for pair in priced for each in pair if each is not None), default=0)
            self._kinds.append(_Kind(currency, tuple(decided), tuple(priced), even_from))
        return number

    def _add(self, found: Mapping[str, Comparison], counts: Mapping[_Counted, int], paid: Sequence[int]) -> None:
        for number, cells in self._cells(counts).items():
            kind, times = self._kinds[number], sum(cells.values())
            # What was paid for these lines above the amounts that stand in their cells.
            more = paid[number] - sum(cell[0] * count for cell, count in cells.items())
            # Where both policies or both questions give the same, it is summed once.
            totals: dict[tuple[int, bool], dict[str, int]] = {}
            for question, decided, priced in zip(QUESTIONS, kind.decided, kind.priced, strict=True):
                here = found[question.name]
                here.count(*decided, times)
                for tally, of in zip((here.before, here.after), priced, strict=True):
                    if of is not None:
                        total = totals.get((of.number, of.waits))
                        if total is None:
                            total = totals[of.number, of.waits] = self._prices.total(of, kind.currency, cells, more)
                        tally.add(kind.currency, total)


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
