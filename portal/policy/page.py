"""The whole policy for people: one part for each market in which something else is promised, then what can change it.

In: a policy, a way to decide, where and in which currencies the shop sells. Out: `PolicyPage`: titles, sentences, rows.
Invariants: every row is made from a decision; a part tells what is different from the part that it names, and all of that; what
may be different is told with its condition. Never: a promise that only a rule for some orders or some items makes, unless the
sentence says for which; a tag where the rule has a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from portal.policy.conditions import comparisons
from portal.policy.customer_words import label, phrase
from portal.policy.decision import REFUSE, REVIEW
from portal.policy.explain import ENGLISH, Wording
from portal.policy.facts import Facts
from portal.policy.loader import Policy, Rule
from portal.policy.pieces import listed_words
from portal.policy.plain import Point, policy_points
from portal.policy.promise import Asks, Kind, Offer, Promise, Purchase, kin, kinds, offer
from portal.policy.rights import goods_words
from portal.policy.sentences import condition_words, plain
from portal.policy.term_rows import SHOWN, Rows, answer_of, differences, rows_of, whole_of


@dataclass(frozen=True, slots=True)
class Different:
    """What is different in some case: its name, the merchant's or the policy's words, and the terms that differ."""

    name: str
    text: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Market:
    """What holds for some countries and currencies. ``beside`` says what it is different from: nothing (the first part),
    ``first`` (the first part), or ``currency`` (the part of the same country in the shop's own currency)."""

    countries: tuple[str, ...]
    currencies: tuple[str, ...]
    beside: str
    text: str
    rows: Rows
    cases: tuple[Different, ...]
    """Faults, then seasons."""
    kinds: tuple[Different, ...]


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The whole page. ``exceptions`` are rules that hold by what is only known of an order or a request."""

    points: tuple[Point, ...]
    markets: tuple[Market, ...]
    exceptions: tuple[Different, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """One case: a sentence, the terms that differ from the usual ones, and all of its terms. ``plain`` is the sentence without
    the merchant's words, for where a law makes them untrue of some of the things that they name."""

    text: str
    rows: Rows
    whole: Rows
    plain: str = ""

    @property
    def said(self) -> tuple[str, Rows]:
        return self.text, self.rows

    def beside(self, there: _Case | None, usual: Rows) -> _Case | None:
        """What has to be said of this case to somebody who has read of it ``there``, in the light of the ``usual`` terms here;
        None where nothing has to be said."""
        read = {**dict(usual), **dict(there.rows if there is not None else ())}
        rows = tuple((name, words) for name, words in self.whole if read.get(name) != words)
        if not rows and self.text == (there.text if there is not None else ""):
            return None
        return _Case(self.text, rows, self.whole, self.plain)


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything that is said to one country in one currency. ``whole`` are all usual terms, also those that ask for nothing;
    ``both`` are these and those of faults."""

    usual: Promise
    text: str
    rows: Rows
    whole: Rows
    both: Rows
    cases: Mapping[str, _Case]
    kinds: Mapping[Kind, _Case]

    def key(self) -> tuple[Any, ...]:
        return self.text, self.rows, tuple(self.cases.items()), tuple(self.kinds.items())


def policy_page(
    policy: Policy,
    asks: Asks,
    purchase: Purchase,
    *,
    sold_to: Sequence[str],
    currencies: Sequence[str],
    wording: Wording = ENGLISH,
    refund_days: int = 5,
) -> PolicyPage:
    """The policy for purchases from the moment of ``purchase`` on, in each country and currency that the shop sells to.

    ``purchase`` is of an ordinary item in the shop's own country and currency: the points and exceptions are told for it.
    """
    depends: set[str] = set()

    akin: dict[Any, str] = {}
    for each in sold_to:
        akin.setdefault(kin(policy, each), each)
    same = {each: akin[kin(policy, each)] for each in sold_to}

    def told(country: str, currency: str) -> _Told:
        return asked(same[country], currency)

    @cache
    def asked(country: str, currency: str) -> _Told:
        here = replace(purchase, country=country, currency=currency)
        found = offer(policy, asks, here)
        depends.update(rule.name for each in (found.usual, found.faulty) for rule in each.depends)
        special = {
            kind: case
            for kind in kinds(policy)
            if (case := _of_kind(found, offer(policy, asks, replace(here, item=kind.item())), wording)) is not None
        }
        return _Told(
            found.usual, answer_of(found.usual, wording), rows_of(found.usual, wording), whole_of(found.usual, wording),
            _both(found, wording), _cases(found, wording), special,
        )  # fmt: skip

    markets = _countries(policy, told, sold_to, currencies[0], wording)
    markets = _currencies(policy, told, sold_to, currencies, markets, wording)
    exceptions = tuple(_exception(rule, bool(policy.floors), wording) for rule in policy.rules if rule.name in depends)
    points = policy_points(policy, asks, purchase, wording, refund_days=refund_days)
    return PolicyPage(points, markets, exceptions)


_Tell = Callable[[str, str], _Told]


def _countries(
    policy: Policy, told: _Tell, sold_to: Sequence[str], currency: str, wording: Wording
) -> tuple[Market, ...]:
    """One part for all countries that are told the same; after the first one only what differs from it."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for country in sold_to:
        alike.setdefault(told(country, currency).key(), []).append(country)
    groups = list(alike.values())
    first = told(groups[0][0], currency)
    made = [
        Market(
            tuple(groups[0]),
            (currency,),
            "",
            first.text,
            first.rows,
            _named(first.cases),
            _kinds(policy, first.kinds, wording),
        )
    ]
    for group in groups[1:]:
        part = _beside(policy, told(group[0], currency), first, "first", wording)
        made += [replace(part, countries=tuple(group), currencies=(currency,))]
    return tuple(made)


def _currencies(
    policy: Policy, told: _Tell, sold_to: Sequence[str], currencies: Sequence[str], markets: tuple[Market, ...], wording: Wording
) -> tuple[Market, ...]:  # fmt: skip
    """Parts for the other currencies, each beside the same country in the shop's own; where nothing differs, none."""
    same: dict[str, list[str]] = {country: [] for country in sold_to}
    parts: dict[tuple[Any, ...], tuple[Market, list[str], list[str]]] = {}
    for currency in currencies[1:]:
        alike: dict[tuple[Any, ...], tuple[Market, list[str]]] = {}
        for country in sold_to:
            here = _beside(policy, told(country, currency), told(country, currencies[0]), "currency", wording)
            if (here.text, here.rows, here.cases, here.kinds) == ("", (), (), ()):
                same[country].append(currency)
                continue
            alike.setdefault((here.text, here.rows, here.cases, here.kinds), (here, []))[1].append(country)
        for key, (part, countries) in alike.items():
            parts.setdefault((key, tuple(countries)), (part, countries, []))[2].append(currency)
    out = []
    for market in markets:
        shared = [each for each in currencies[1:] if all(each in same[country] for country in market.countries)]
        out.append(replace(market, currencies=(*market.currencies, *shared)))
    for part, countries, known in parts.values():
        out.append(replace(part, countries=tuple(countries), currencies=tuple(known)))
    said = {(country, currency) for each in out for country in each.countries for currency in each.currencies}
    left = [currency for currency in currencies if any((country, currency) not in said for country in sold_to)]
    for currency in left:
        # The same as in the shop's own currency for some countries of a part that has others.
        rest = tuple(country for country in sold_to if (country, currency) not in said)
        out.append(Market(rest, (currency,), "currency", wording.gettext("Nothing is different."), (), (), ()))
    return tuple(out)


def _beside(policy: Policy, here: _Told, there: _Told, beside: str, wording: Wording) -> Market:
    """What is told here and not there, and what is told there and does not hold here; for no country yet."""
    _ = wording.gettext
    usual = _Case(_("The same terms as for everything else."), (), here.whole)
    ordinary = replace(usual, whole=here.both)
    # That of faults is beside the usual terms, a season beside these and those of faults.
    wrong = _("If something is wrong with it")
    cases = {
        name: here.cases.get(name, usual if name == wrong else ordinary).beside(
            there.cases.get(name), here.whole if name == wrong else here.both
        )
        for name in (*here.cases, *there.cases)
    }
    special = {
        kind: here.kinds.get(kind, ordinary).beside(there.kinds.get(kind), here.both)
        for kind in (*here.kinds, *there.kinds)
    }
    text = here.text
    if text == there.text:
        text = ""
    elif not text:
        text = _("Returns are accepted without a check by a person.") if there.rows else _("Returns are accepted.")
    return Market(
        (), (), beside, text, differences(here.usual, there.usual, wording),
        _named({name: case for name, case in cases.items() if case is not None}),
        _kinds(policy, {kind: case for kind, case in special.items() if case is not None}, wording),
    )  # fmt: skip


def _cases(found: Offer, wording: Wording) -> dict[str, _Case]:
    _ = wording.gettext
    cases: dict[str, _Case] = {}
    if not found.faulty.same_terms(found.usual):
        cases[_("If something is wrong with it")] = _case(found.faulty, found.usual, wording)
    for season in found.seasons:
        days = {"first": wording.date(season.first), "last": wording.date(season.last)}
        # It replaces what is said of faults as well, so it says what it puts there.
        cases[_("Bought from %(first)s to %(last)s") % days] = _pair(
            (season.promise, season.faulty), (found.usual, found.faulty), wording
        )
    return {name: case for name, case in cases.items() if any(case.said)}


def _case(told: Promise, usual: Promise, wording: Wording) -> _Case:
    return _Case(answer_of(told, wording), differences(told, usual, wording), whole_of(told, wording))


def _named(cases: Mapping[str, _Case]) -> tuple[Different, ...]:
    return tuple(Different(name, *case.said) for name, case in cases.items())


def _of_kind(usual: Offer, other: Offer, wording: Wording) -> _Case | None:
    """What is different for a kind of items, for changes of mind and for faults; None where nothing is."""
    if other.told() == usual.told():
        return None
    case = _pair((other.usual, other.faulty), (usual.usual, usual.faulty), wording)
    return case if any(case.said) else None


_Pair = tuple[Promise, Promise]
"""What is promised for a change of mind, and for a fault."""


def _pair(here: _Pair, there: _Pair, wording: Wording) -> _Case:
    """What is different here from there, for both: a fault is told where it is not told as there, nor simply as everything."""
    _ = wording.gettext
    (mine, faulty), (usual, wrong) = here, there
    first = _case(mine, usual, wording)
    texts, rows = [first.text], first.rows
    if not faulty.same_terms(wrong) and not (faulty.same_terms(mine) and wrong.same_terms(usual)):
        if faulty.decision.answer == REFUSE:
            texts.append(
                _("The same holds if something is wrong with it.")
                if mine.decision.answer == REFUSE
                else _("If something is wrong with it, this can’t be returned.")
            )
        elif faulty.decision.answer == REVIEW:
            texts.append(_("If something is wrong with it, a person in our team checks it before we answer."))
        rows += _if_wrong(differences(faulty, wrong, wording), wording)
    elif mine.decision.answer == REFUSE and faulty.decision.answer != REFUSE:
        texts.append(_("If something is wrong with it, you can send it back all the same."))
    said, told = " ".join(each for each in texts if each), texts
    if mine.decision.answer == REFUSE:
        told = [_("If you change your mind, this can’t be returned."), *texts[1:]]
    whole = whole_of(mine, wording) + _if_wrong(whole_of(faulty, wording), wording)
    return _Case(said, rows, whole, " ".join(each for each in told if each))


def _both(found: Offer, wording: Wording) -> Rows:
    return whole_of(found.usual, wording) + _if_wrong(whole_of(found.faulty, wording), wording)


def _if_wrong(rows: Rows, wording: Wording) -> Rows:
    said = wording.gettext("%(term)s, if something is wrong with it")
    return tuple((said % {"term": name}, words) for name, words in rows)


def _kinds(policy: Policy, special: Mapping[Kind, _Case], wording: Wording) -> tuple[Different, ...]:
    """Kinds under the names of the rules that name them, each name once. Where a law tells apart what one rule names, the goods
    are told apart as well, and the rule's own sentence, which speaks of all of them, is left out."""
    ruled: dict[str, dict[tuple[str, Rows], list[tuple[Kind, _Case]]]] = {}
    for kind, case in special.items():
        ruled.setdefault(_rule_of(policy, kind), {}).setdefault(case.said, []).append((kind, case))
    alike: dict[tuple[str, Rows], list[str]] = {}
    for name, groups in ruled.items():
        said = _apart(list(groups.values()), wording) if len(groups) > 1 else next(iter(groups))
        alike.setdefault(said, []).append(name)
    return tuple(Different(", ".join(names), *said) for said, names in alike.items())


def _apart(groups: Sequence[Sequence[tuple[Kind, _Case]]], wording: Wording) -> tuple[str, Rows]:
    """What one rule names and the law tells apart: a sentence and rows for each part, with the goods that it is about."""
    texts: list[str] = []
    rows: list[tuple[str, str]] = []
    for group in groups:
        goods = listed_words([goods_words(kind.value, wording) for kind, _case in group], wording, last="and")
        goods, case = goods[:1].upper() + goods[1:], group[0][1]
        if case.plain:
            texts.append(wording.gettext("%(goods)s: %(sentence)s") % {"goods": goods, "sentence": case.plain})
        rows += [
            (wording.gettext("%(goods)s: %(term)s") % {"goods": goods, "term": term}, words)
            for term, words in case.rows
        ]
    return " ".join(texts), tuple(rows)


def _rule_of(policy: Policy, kind: Kind) -> str:
    """The name of the first rule that is for this kind."""
    for rule in policy.rules:
        for test in comparisons(rule.when):
            value = test.value if isinstance(test.value, tuple) else (test.value,)
            if test.fact == kind.fact and kind.value in value and rule.holds(Facts(item=kind.item())) is not False:
                return rule.name
    return kind.value.capitalize()


def _exception(rule: Rule, lawful: bool, wording: Wording) -> Different:
    when = plain(condition_words(rule.when, wording))
    text = wording.gettext("This applies when %(condition)s.") % {"condition": when}
    rows = tuple(
        (label(name, wording), phrase(name, rule.sets[name], wording))
        for name in ("returnable", "review", *SHOWN)
        if name in rule.sets
    )
    if lawful and rule.sets.get("returnable") is False:
        # The rule says no to everybody; the law says yes to some of them, and the engine obeys the law.
        text += " " + wording.gettext("Where the law of your country lets you send it back all the same, that holds.")
    return Different(rule.name, f"{rule.say} {text}" if rule.say else text, rows)
