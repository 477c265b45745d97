"""What a policy does without meaning to: rules without effect, limits that get shorter, terms below the law.

In: a loaded policy, the countries that the shop sells to, orders of the past. Out: findings at their rules, in reading order.
Invariants: computed and never guessed: "never" holds for all facts there can be, and whatever is shown as an example was tried
on the rules themselves; what is too large to compute is not said. Never: an error; a look at the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from portal.policy import check_words as say
from portal.policy.conditions import Comparison, Condition
from portal.policy.decision import OTHERWISE
from portal.policy.diagnostics import NOTE, Diagnostic, Fix
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.findings import at_rule, demands, example_words, listed, none_of
from portal.policy.laws import Floor, Law, nearest_first, shipped
from portal.policy.loader import Policy, Rule
from portal.policy.overlaps import Overlaps, dated
from portal.policy.satisfy import FALSE, TRUE, Demand, Given, Universe
from portal.policy.written import flat


def analyse(
    policy: Policy, *, countries: Sequence[str] = (), past: Iterable[tuple[Facts, int]] = ()
) -> tuple[Diagnostic, ...]:
    """Every finding. ``countries`` are those that the shop sells to (ISO 3166-1 alpha-2); ``past`` the facts of lines that were
    sold, each with the number of lines it stands for."""
    laws = nearest_first([law for name, law in shipped().items() if name not in policy.laws], countries)
    asked = [rule.when for rule in policy.rules]
    for law in (*laws, *(policy.floors if any(map(_refuses, policy.rules)) else ())):
        asked += [law.applies, *(each for floor in law.floors for each in (floor.when, floor.unless))]
    asked += [_in(country) for country in countries]
    ends = [rule.sets["window"].until for rule in policy.rules if "window" in rule.sets]
    asked += [_placed_by(day) for day in ends if day is not None]
    there = _Analysis(policy, Universe(asked, policy.zone))
    found = [*there.rules(), *there.laws(laws, countries), *there.lifted(countries), *there.unused(past)]
    return tuple(sorted(found, key=lambda each: (each.line, each.column)))


def _in(country: str) -> Comparison:
    return Comparison("order.country", "is", country)


@dataclass(frozen=True, slots=True)
class _Analysis:
    policy: Policy
    universe: Universe

    def rules(self) -> Iterator[Diagnostic]:
        """What can be said of each rule by the rules around it."""
        dead: set[str] = set()
        for at, rule in enumerate(self.policy.rules):
            if not self.universe.possible([(rule.when, TRUE)]):
                dead.add(rule.name)
                why, plain = _contradiction(rule.when)
                yield at_rule(
                    self.policy,
                    rule,
                    f"`{rule.name}` can never hold",
                    why,
                    plain=(f"“{rule.name}” never applies", plain),
                )
                continue
            above = [each for each in self.policy.rules[:at] if each.name not in dead]
            stands = self._stands(rule, above)
            if stands:
                dead.add(rule.name)
                names = listed([f"`{each.name}`" for each in stands])
                does, decides = ("does", "decides first") if len(stands) == 1 else ("do", "decide first")
                lost, plain = self._lost(rule)
                yield at_rule(
                    self.policy, rule, f"`{rule.name}` never decides anything: {names} above it always {does}",
                    "; ".join(part for part in ("move it up", lost) if part), Fix("above", rule.name, stands[0].name),
                    (f"“{rule.name}” changes nothing: {listed([f'“{one.name}”' for one in stands])} above it always {decides}",
                     ". ".join(part for part in ("Move it up", plain) if part)),
                )  # fmt: skip
                continue
            late = self._too_late(rule)
            if late is not None:
                yield late
                continue
            yield from Overlaps(self.policy, self.universe, rule, above, self.policy.rules[at + 1 :]).find()

    def _stands(self, rule: Rule, above: Sequence[Rule]) -> list[Rule]:
        """The rules above that decide whatever this one sets, as few as it takes; none if it can decide something."""
        needed: list[Rule] = []
        for term in rule.sets:
            rivals = [each for each in above if term in each.sets]
            if not rivals or self._free(rule, rivals):
                return []
            # What is needed for another term already stands in the way here as well, so that is dropped last.
            for each in sorted(rivals, key=lambda rival: rival in needed):
                fewer = [rival for rival in rivals if rival is not each]
                if fewer and not self._free(rule, fewer):
                    rivals = fewer
            needed += [each for each in rivals if each not in needed]
        return [each for each in above if each in needed]

    def _free(self, rule: Rule, rivals: Sequence[Rule]) -> bool:
        """Whether the rule can hold while none of the rivals does."""
        return self.universe.possible(demands(rule, rivals))

    def _lost(self, rule: Rule) -> tuple[str, str]:
        """An example in which the rule holds and every one of its terms is decided above it, and the same in plain words."""
        given = self.universe.example([(rule.when, TRUE)])
        if given is None:
            return "", ""
        facts = self.universe.facts(given)
        term = next(iter(rule.sets))
        by = _winner(self.policy.rules, facts, term)
        if by is None or by.name == rule.name:
            return "", ""
        plain = f"{say.example(given)}, “{by.name}” decides about {say.ABOUT[term]}"
        return f"{example_words(given)}, `{by.name}` decides `{term}`", plain

    def _too_late(self, rule: Rule) -> Diagnostic | None:
        """A last day that is over before any order of its rule can be placed."""
        window = rule.sets.get("window")
        if window is None or window.until is None:
            return None
        if self.universe.possible([(rule.when, TRUE), (_placed_by(window.until), TRUE)]):
            return None
        last = window.until.isoformat()
        return at_rule(
            self.policy, rule, f"`{rule.name}` takes nothing back: its window ends on `{last}`, before its orders are placed",
            "write the last day of the window after the days on which the orders are placed",
            plain=(f"“{rule.name}” takes nothing back: its time ends on {say.day(window.until)}, before its orders are placed",
                   "Choose a last day that is after the days on which the orders are placed"),
        )  # fmt: skip

    def laws(self, laws: Iterable[Law], countries: Sequence[str]) -> Iterator[Diagnostic]:
        """The rules, and `otherwise`, that give less than a law which the policy does not name."""
        for law in laws:
            # One floor of a law tells enough of a rule: naming the law mends all of them.
            told: set[str] = set()
            for country in countries:
                for floor in law.floors:
                    for at, rule in enumerate((*self.policy.rules, None)):
                        name = OTHERWISE if rule is None else rule.name
                        if name in told:
                            continue
                        finding = self._below(law, floor, country, rule, self.policy.rules[:at])
                        if finding is not None:
                            told.add(name)
                            yield finding

    def unused(self, past: Iterable[tuple[Facts, int]]) -> Iterator[Diagnostic]:
        """The rules that could have held for nothing that was sold. Where a fact is not known, the rule could have held."""
        left, lines = list(self.policy.rules), 0
        for facts, times in past:
            lines += times
            left = [rule for rule in left if rule.holds(facts) is False]
        for rule in left:
            if lines and self.universe.possible([(rule.when, TRUE)]):
                yield at_rule(
                    self.policy, rule, f"`{rule.name}` holds for no order of the past",
                    f"tried on {lines:,} sold line{'' if lines == 1 else 's'}; check its words against those of your goods",
                )  # fmt: skip

    def lifted(self, countries: Sequence[str]) -> Iterator[Diagnostic]:
        """The rules that refuse what a law of the policy lets come back all the same."""
        for at, rule in enumerate(self.policy.rules):
            found = self._lifts(rule, self.policy.rules[:at], countries) if _refuses(rule) else None
            if found is None:
                continue
            law, floor, given = found
            yield at_rule(
                self.policy, rule, f"`{rule.name}` does not hold against `{law.name}`: `returnable` ({floor.cite})",
                f"only goods that the law exempts stay refused; {example_words(given)}, the law decides `returnable`",
                plain=(f"“{rule.name}” is overruled by law where the law lets customers send it back ({law.title}: {floor.cite})",
                       f"Only goods that the law exempts stay refused. {say.example(given)}, it can come back all the same"),
                severity=NOTE,
            )  # fmt: skip

    def _lifts(self, rule: Rule, above: Sequence[Rule], countries: Sequence[str]) -> tuple[Law, Floor, Given] | None:
        bare = replace(self, policy=replace(self.policy, floors=()))
        for law in nearest_first(self.policy.floors, countries):
            for floor in law.floors:
                for country in countries if "returnable" in floor.grants else ():
                    given = bare._met(law, floor, country, rule, "returnable", above)
                    if given is not None and bare._raises(
                        law, floor, "returnable", rule.name, self.universe.facts(given)
                    ):
                        return law, floor, given
        return None

    def _below(
        self, law: Law, floor: Floor, country: str, rule: Rule | None, above: Sequence[Rule]
    ) -> Diagnostic | None:
        sets = self.policy.otherwise if rule is None else rule.sets
        for term in [term for term in floor.grants if term in sets]:
            given = self._met(law, floor, country, rule, term, above)
            if given is None:
                continue
            below = self._raises(law, floor, term, OTHERWISE if rule is None else rule.name, self.universe.facts(given))
            if below:
                name = OTHERWISE if rule is None else rule.name
                return at_rule(
                    self.policy, rule,
                    f"`{name}` gives less than the law of `{country}` asks: `{term}` ({floor.cite})",
                    f"add `{law.name}` to `laws`, which raises it; {example_words(given)}", Fix("law", law.name),
                    (f"{say.named(name)} gives less than the law asks about {say.ABOUT[term]} "
                     f"({say.country(country)}: {floor.cite})",
                     f"Choose “{law.title}” among the laws in Settings, and customers get what it asks. {say.example(given)}"),
                )  # fmt: skip
        return None

    def _met(
        self, law: Law, floor: Floor, country: str, rule: Rule | None, term: str, above: Sequence[Rule]
    ) -> Given | None:
        """An example of a parcel to that country for which the floor holds, and this very rule sets the term."""
        asked: list[Demand] = [
            (law.applies, TRUE), (_in(country), TRUE), (floor.when, TRUE), (floor.unless, FALSE),
        ]  # fmt: skip
        rivals = [each for each in above if term in each.sets]
        return self.universe.example([*asked, *([] if rule is None else [(rule.when, TRUE)]), *none_of(rivals)])

    def _raises(self, law: Law, floor: Floor, term: str, name: str, facts: Facts) -> bool:
        """Whether this very floor raises the term of that rule, for a parcel that came on the day of asking or long before."""
        came = facts.item.delivered_at or facts.order.last_delivered_at or facts.at or _CAME
        asked = replace(dated(facts, came), is_consumer=True)
        won = dict(decide(self.policy, asked).terms)
        if won[term].set_by != name:
            return False
        replace(law, floors=(floor,)).raise_terms(asked, won, self.policy.zone)
        return won[term].set_by != name


_CAME = datetime(2026, 6, 15, 12, tzinfo=UTC)
"""A day for a parcel of which no rule asks the day."""


def _placed_by(day: date) -> Comparison:
    return Comparison("order.placed", "to", day)


def _winner(rules: Iterable[Rule], facts: Facts, term: str) -> Rule | None:
    return next((rule for rule in rules if term in rule.sets and rule.holds(facts) is True), None)


def _contradiction(condition: Condition) -> tuple[str, str]:
    """Why a condition never holds, for who has to mend it: a span of days that ends before it begins is named. Also in plain
    words."""
    parts = flat(condition)
    for part in parts:
        match part:
            case Comparison(fact, "between", (date() as first, date() as last)) if last < first:
                return _backwards(fact, first, last)
            case Comparison(fact, "from", first):
                for other in parts:
                    match other:
                        case Comparison(same, "to", last) if same == fact and last < first:
                            return _backwards(fact, first, last)
    return "its conditions contradict each other", "Its conditions contradict each other: no order can meet all of them"


def _backwards(fact: str, first: date, last: date) -> tuple[str, str]:
    plain = f"{say.called(fact)} begins on {say.day(first)} and ends before that, on {say.day(last)}. Swap the two days"
    return (
        f"`{fact}` begins on {first.isoformat()} and ends before that, on {last.isoformat()}; swap the two days",
        plain,
    )


def _refuses(rule: Rule) -> bool:
    return rule.sets.get("returnable") is False
