"""What a rule takes from a rule below it, or gives beside it, for orders that both are about.

In: a rule, the rules above and below it. Out: findings. Invariants: each was tried: there are facts for which both hold, and the
rules themselves decided so. Never: a finding of rules of which the lower one never holds together with the upper one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from portal.policy import check_words as say
from portal.policy.binding import at_least
from portal.policy.conditions import comparisons
from portal.policy.diagnostics import Diagnostic, Fix
from portal.policy.engine import decide
from portal.policy.explain import value_words
from portal.policy.facts import Facts
from portal.policy.findings import at_rule, demands, example_words
from portal.policy.laws import last_day
from portal.policy.loader import Policy, Rule
from portal.policy.satisfy import TRUE, Given, Universe
from portal.policy.terms import Window


@dataclass(frozen=True, slots=True)
class Overlaps:
    """One rule between those above and those below it."""

    policy: Policy
    universe: Universe
    rule: Rule
    above: Sequence[Rule]
    below: Sequence[Rule]

    def find(self) -> Iterator[Diagnostic]:
        """A shorter window, or else one that a season makes longer; and a way back that costs more."""
        found = self._first("window", self._shorter) or (_is_season(self.rule) and self._first("window", self._kinder))
        if found:
            yield found
        dearer = self._first("return_shipping", self._dearer)
        if dearer is not None:
            yield dearer

    def _first(self, term: str, look: Callable[[str, Rule], Diagnostic | None]) -> Diagnostic | None:
        if term not in self.rule.sets:
            return None
        found = (look(term, other) for other in self.below if term in other.sets)
        return next((each for each in found if each is not None), None)

    def _shorter(self, term: str, other: Rule) -> Diagnostic | None:
        mine, theirs = self.rule.sets[term], other.sets[term]
        met = self._ends_first(other, mine, theirs)
        if met is None:
            return None
        given, when, came_on = met
        name = self.rule.name
        return at_rule(
            self.policy, self.rule,
            f"`{name}` shortens the window of `{other.name}` below it: {_said(mine)} instead of {_said(theirs)}",
            f"move `{other.name}` up if it should win; {example_words(given)}{when}, `{name}` decides `window`",
            Fix("above", other.name, name),
            (f"“{name}” gives less time than “{other.name}” below it: {say.limit(mine)}, not {say.limit(theirs)}",
             f"Move “{other.name}” up if it should win. {say.example(given)}{came_on}, “{name}” decides about the time"),
        )  # fmt: skip

    def _kinder(self, term: str, other: Rule) -> Diagnostic | None:
        """A season is about all goods, so that it wins over a rule for some of them only by where it stands."""
        mine, theirs = self.rule.sets[term], other.sets[term]
        met = self._ends_first(other, theirs, mine) if _is_about_goods(other) else None
        if met is None:
            return None
        given, when, came_on = met
        name = self.rule.name
        return at_rule(
            self.policy, self.rule,
            f"`{name}` lengthens the window of `{other.name}` below it: {_said(mine)} instead of {_said(theirs)}",
            f"move `{other.name}` up if its goods have no season; {example_words(given)}{when}, `{name}` decides `window`",
            # No button: the other order shortens the season, which is to be read as well.
            None,
            (f"“{name}” gives more time than “{other.name}” below it: {say.limit(mine)}, not {say.limit(theirs)}",
             f"Move “{other.name}” up if it should hold in that season too. {say.example(given)}{came_on}, “{name}” decides "
             "about the time"),
        )  # fmt: skip

    def _dearer(self, term: str, other: Rule) -> Diagnostic | None:
        mine, theirs = self.rule.sets[term], other.sets[term]
        if at_least(term, mine, theirs) or not at_least(term, theirs, mine):
            return None
        given = self._met(other, term)
        if given is None or not self._decides(other, term, self.universe.facts(given)):
            return None
        name = self.rule.name
        now, then = value_words(term, mine), value_words(term, theirs)
        return at_rule(
            self.policy, self.rule,
            f"`{name}` takes more for the way back than `{other.name}` below it: `{now}` instead of `{then}`",
            f"move `{other.name}` up if it should win; {example_words(given)}, `{name}` decides `{term}`",
            Fix("above", other.name, name),
            (f"“{name}” takes more for sending it back than “{other.name}” below it: {now}, not {then}",
             f"Move “{other.name}” up if it should win. {say.example(given)}, “{name}” decides about {say.ABOUT[term]}"),
        )  # fmt: skip

    def _ends_first(self, other: Rule, short: Window, long: Window) -> tuple[Given, str, str] | None:
        """Facts for which both rules hold, this one decides and ``short`` ends before ``long``; with the day of the parcel where
        that counts, in the words of the command and of the pages."""
        mixed = (short.until is None) != (long.until is None)
        given = self._met(other, "window") if mixed or _is_shorter(short, long) else None
        if given is None:
            return None
        facts, when, came_on = self.universe.facts(given), "", ""
        if mixed:
            # Days against a date: which ends first depends on the parcel's day, so one is shown for which this does.
            zone = self.policy.zone
            came = facts.item.delivered_at or facts.order.placed_at or _between(short, long, zone)
            day = came.astimezone(zone).date()
            facts, when, came_on = dated(facts, came), f", delivered on {day}", f", delivered on {say.day(day)}"
            first, last = (last_day(each, facts, zone) for each in (short, long))
            if first is None or last is None or first >= last:
                return None
        return (given, when, came_on) if self._decides(other, "window", facts) else None

    def _met(self, other: Rule, term: str) -> Given | None:
        rivals = [each for each in self.above if term in each.sets]
        return self.universe.example([*demands(self.rule, rivals), (other.when, TRUE)])

    def _decides(self, other: Rule, term: str, facts: Facts) -> bool:
        won = decide(replace(self.policy, floors=()), facts).terms[term]
        return won.set_by == self.rule.name and (other.name, other.sets[term]) in won.instead_of


def dated(facts: Facts, came: datetime) -> Facts:
    """``facts`` with a parcel that came then, in an order that was placed and asked about then if no rule says otherwise."""
    return replace(
        facts,
        order=replace(facts.order, placed_at=facts.order.placed_at or came, last_delivered_at=came),
        item=replace(facts.item, delivered_at=came, shipped_at=facts.item.shipped_at or came),
        at=facts.at or came,
    )


def _between(window: Window, longer: Window, zone: ZoneInfo) -> datetime:
    """Noon of a day on which a parcel would have to come so that ``window`` ends before ``longer``, one of which is a date."""
    if window.until is not None:
        day = window.until
    else:
        until = longer.until or date.max
        day = date.fromordinal(max(1, until.toordinal() - (window.days or 0) - 1))
    return datetime.combine(day, time(12), zone).astimezone(UTC)


def _is_shorter(window: Window, other: Window) -> bool:
    """Whether it ends earlier, whatever the order: days from the same moment, or two dates."""
    if window.until is not None and other.until is not None:
        return window.until < other.until
    return window.start == other.start and (window.days or 0) < (other.days or 0)


def _asked(rule: Rule) -> set[str]:
    return {test.fact for test in comparisons(rule.when)}


def _is_season(rule: Rule) -> bool:
    """Whether a rule is about the days of orders, and of nothing in them."""
    return "order.placed" in _asked(rule) and all(fact.startswith("order.") for fact in _asked(rule))


def _is_about_goods(rule: Rule) -> bool:
    return any(fact.startswith("item.") for fact in _asked(rule))


def _said(window: Window) -> str:
    if window.until is not None:
        return f"until `{window.until.isoformat()}`"
    return f"`{window.days} day{'' if window.days == 1 else 's'}`"
