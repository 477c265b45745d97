"""The whole language as samples: every fact with every operator, every term with values of its type."""

from __future__ import annotations

from datetime import date

from portal.money import Money
from portal.policy import conditions as c
from portal.policy import terms as t

_SAMPLES = {
    c.TEXT: ("7", "8"),
    c.TEXTS: ("7", "8"),
    c.NUMBER: (7, 8),
    c.MONEY: (Money(700, "GBP"), Money(800, "GBP")),
    c.YES_NO: (True, False),
    c.SHARE: (700, 800),
    c.WEIGHT: (7, 8),
    c.DAY: (date(2026, 11, 7), date(2026, 11, 8)),
}
_KINDS = {"country": ("GB", "DE"), "currency": ("EUR", "GBP")}


def comparisons() -> list[c.Comparison]:
    """Every fact with every operator that it takes, and with each of its own words."""
    found = []
    for spec in [*c.FACTS.values(), c.find_fact("answer.7")]:
        assert spec is not None
        low, high = spec.words[:2] or _KINDS.get(spec.kind) or _SAMPLES[spec.type]
        for op in c.OPERATORS[spec.type]:
            both = tuple(sorted((low, high))) if op in c.LIST_OPERATORS else (low, high)
            found.append(c.Comparison(spec.name, op, both if op in c.LIST_OPERATORS or op == "between" else low))
        found += [c.Comparison(spec.name, "is", word) for word in spec.words]
        if spec.type == c.YES_NO:
            found.append(c.Comparison(spec.name, "is", high))
    return found


def values() -> list[tuple[str, object]]:
    """Every term with values of its type, each of its own words among them."""
    pounds = Money(700, "GBP")
    by_type: dict[t.TermType, tuple[object, ...]] = {
        t.YES_NO: (True, False),
        t.TEXT: ("7",),
        t.SHARE: (0, 700),
        t.DAYS: (1, 7),
        t.FEE: (t.Fee(), t.Fee(bp=700), t.Fee(amount=pounds)),
        t.EVIDENCE: (t.Evidence(), t.Evidence(1), t.Evidence(7), t.Evidence(1, "7"), t.Evidence(7, "7")),
        t.WINDOW: (
            t.Window(until=date(2026, 11, 7)),
            t.Window(until=date(2026, 11, 7), grace=2),
            t.Window(days=7, grace=3, ends_on="business_day"),
            t.Window(days=7, if_undelivered=t.Window(8, start="placed"), ends_on="business_day"),
            *(t.Window(days=7, start=start) for start in t.STARTS),
            *(t.Window(days=7, if_undelivered=other) for other in ("refuse", t.Window(8, start="placed"))),
            t.Window(days=7, if_undelivered=t.Window(8, start="shipped")),
        ),
        t.SHIPPING: (
            t.ReturnShipping(),
            t.ReturnShipping("customer"),
            t.ReturnShipping("customer", pounds),
            t.ReturnShipping("customer", bp=700),
            t.ReturnShipping("customer", pounds, once_per="order"),
            *(t.ReturnShipping("customer", pounds, free_for=(wish,)) for wish in t.RESOLUTIONS),
        ),
        t.QUESTIONS: (
            t.Questions((t.Question("worn", "Have you worn it?", ("yes", "no")),)),
            t.Questions(
                (t.Question("worn", "Have you worn it?", ("never", "once")), t.Question("why", "What is wrong?"))
            ),
        ),
        t.GRADES: tuple({word: t.Grade(700, review)} for word in t.CONDITIONS for review in (False, True)),
    }
    found: list[tuple[str, object]] = []
    for name, spec in t.TERMS.items():
        if spec.type is t.WORD:
            found += [(name, word) for word in spec.words]
        elif spec.type is t.WORDS:
            found += [(name, (word,)) for word in spec.words] + [(name, spec.words)]
        else:
            found += [(name, value) for value in by_type[spec.type]]
    return found
