"""What two policies say to the same questions, as counts and money.

In: decisions and quotes. Out: a `Comparison` of tallies, to and from JSON.
Invariants: tallies add up over batches, in any order; amounts are minor units by currency.
Never: an amount that no `quote` made; a sum over currencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision
from portal.policy.quote import REFUND, Quote

ANSWERS = (ACCEPT, REVIEW, REFUSE)
MONEY = ("refund", "credit", "exchange", "fees", "waiting")
"""What a tally sums: paid back, given as credit, worth of replacements, fees kept, and what waits for a person."""


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
    sums = dict.fromkeys(MONEY[:4], 0)
    for part in found.all_parts():
        if part.into == REFUND:
            sums["refund"] += part.amount_minor
        else:
            sums["credit"] += part.amount_minor
        if part.kind == "replacement":
            sums["exchange"] -= part.amount_minor
        elif part.kind in ("return_shipping", "restocking_fee"):
            sums["fees"] -= part.amount_minor
    return sums
