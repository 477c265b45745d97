"""The whole policy for people: one part for each market in which something else is promised, with what can change it.

In: a policy, a way to decide, where and in which currencies the shop sells. Out: `PolicyPage`: titles, sentences, rows.
Invariants: every row is made from a decision; a part tells what is different from the part that it names, and all of that; what
may be different is told with its condition. Never: a promise that only a rule for some orders or some items makes, unless the
sentence says for which; a rule's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from portal.policy.explain import ENGLISH, Wording
from portal.policy.loader import Policy
from portal.policy.page_cases import Case, Told, reasons_title, tell
from portal.policy.pieces import listed_words
from portal.policy.plain import Point, policy_points
from portal.policy.promise import Asks, Kind, Purchase, kin
from portal.policy.term_rows import Rows, differences


@dataclass(frozen=True, slots=True)
class Different:
    """What is different in some case: its title, the merchant's or the policy's words, and the terms that differ."""

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
    """Faults, other reasons and wishes, then seasons."""
    kinds: tuple[Different, ...]
    changes: tuple[Different, ...]
    """Rules that hold by what is only known of an order or a request."""

    @property
    def contested(self) -> bool:
        """Whether two changes say something different of one term, so that the order of their rules decides where both hold."""
        told = {row for each in self.changes for row in each.rows}
        return len(told) > len({term for term, _words in told})

    @property
    def said(self) -> tuple[Any, ...]:
        """All that is said in it."""
        return self.text, self.rows, self.cases, self.kinds, self.changes


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The whole page."""

    points: tuple[Point, ...]
    markets: tuple[Market, ...]


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

    ``purchase`` is of an ordinary item in the shop's own country and currency: the points are told for it.
    """
    akin: dict[Any, str] = {}
    for each in sold_to:
        akin.setdefault(kin(policy, each), each)
    same = {each: akin[kin(policy, each)] for each in sold_to}

    @cache
    def asked(country: str, currency: str) -> Told:
        return tell(policy, asks, replace(purchase, country=country, currency=currency), wording)

    def told(country: str, currency: str) -> Told:
        return asked(same[country], currency)

    markets, read = _countries(told, sold_to, currencies[0], wording)
    markets = _currencies(told, read, sold_to, currencies, markets, wording)
    return PolicyPage(policy_points(policy, asks, purchase, wording, refund_days=refund_days), markets)


_Tell = Callable[[str, str], Told]


def _countries(
    told: _Tell, sold_to: Sequence[str], currency: str, wording: Wording
) -> tuple[tuple[Market, ...], dict[str, Told]]:
    """One part for all countries that are told the same; after the first one only what differs from it. Also what each country
    has read by then: its own part over the first one."""
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
            _kinds(first.kinds, wording),
            _named(first.changes),
        )
    ]
    read = dict.fromkeys(groups[0], first)
    for group in groups[1:]:
        here = told(group[0], currency)
        part = _beside(here, first, "first", wording)
        made += [replace(part, countries=tuple(group), currencies=(currency,))]
        read |= dict.fromkeys(group, _read_over(here, first, wording))
    return tuple(made), read


def _currencies(
    told: _Tell,
    read: Mapping[str, Told],
    sold_to: Sequence[str],
    currencies: Sequence[str],
    markets: tuple[Market, ...],
    wording: Wording,
) -> tuple[Market, ...]:
    """Parts for the other currencies, each beside the same country in the shop's own; where nothing differs, none."""
    same: dict[str, list[str]] = {country: [] for country in sold_to}
    parts: dict[tuple[Any, ...], tuple[Market, list[str], list[str]]] = {}
    for currency in currencies[1:]:
        alike: dict[tuple[Any, ...], tuple[Market, list[str]]] = {}
        for country in sold_to:
            here = _beside(told(country, currency), read[country], "currency", wording)
            if not any(here.said):
                same[country].append(currency)
                continue
            alike.setdefault(here.said, (here, []))[1].append(country)
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
        out.append(Market(rest, (currency,), "currency", wording.gettext("Nothing is different."), (), (), (), ()))
    return tuple(out)


def _beside(here: Told, there: Told, beside: str, wording: Wording) -> Market:
    """What is told here and not there, and what is told there and does not hold here; for no country yet."""
    _ = wording.gettext
    text = here.text
    if text == there.text:
        text = ""
    elif not text:
        text = _("Returns are accepted without a check by a person.") if there.rows else _("Returns are accepted.")
    cases, special, changes = (
        _besides(here, mine, theirs, wording)
        for mine, theirs in ((here.cases, there.cases), (here.kinds, there.kinds), (here.changes, there.changes))
    )
    rows = differences(here.usual, there.usual, wording)
    return Market((), (), beside, text, rows, _named(cases), _kinds(special, wording), _named(changes))


def _read_over(here: Told, there: Told, wording: Wording) -> Told:
    """What somebody has read who knows the part ``there`` and then that of ``here`` beside it."""
    return replace(
        here,
        cases=_over(there.cases, _besides(here, here.cases, there.cases, wording)),
        kinds=_over(there.kinds, _besides(here, here.kinds, there.kinds, wording)),
        changes=_over(there.changes, _besides(here, here.changes, there.changes, wording)),
    )


_Key = TypeVar("_Key")


def _over(there: Mapping[_Key, Case], told: Mapping[_Key, Case]) -> dict[_Key, Case]:
    out = dict(there)
    for key, case in told.items():
        for other in [
            each for each in out if each != key and out[each].about and set(out[each].about) <= set(case.about)
        ]:
            del out[other]
        before = there.get(key)
        same = before is not None and before.title == case.title
        out[key] = (
            replace(case, rows=tuple({**dict((*before.implied, *before.rows)), **dict(case.rows)}.items()))
            if before and same
            else case
        )
    return out


def _besides(here: Told, mine: Mapping[_Key, Case], theirs: Mapping[_Key, Case], wording: Wording) -> dict[_Key, Case]:
    """What has to be said of each case, also of those that are told there and are none here."""
    same = wording.gettext("The same terms as for everything else.")
    found: dict[_Key, Case | None] = {}
    covered = {reason for case in mine.values() for reason in case.about}
    for key, case in mine.items():
        told = theirs.get(key)
        # A condition that reads otherwise here, such as an amount in another currency, is one of which nothing was read yet.
        told = told if told is not None and told.title == case.title else None
        found[key] = _regrouped(case, theirs, here) if told is None else case.beside(told, here.both)
    for key, told in theirs.items():
        left = tuple(reason for reason in told.about if reason not in covered)
        if key not in mine and (left or not told.about):
            title = reasons_title(left, wording) if told.about else told.title
            found[key] = Case(title, same, (), here.both).beside(told, here.both)
    return {key: case for key, case in found.items() if case is not None}


def _regrouped(case: Case, theirs: Mapping[_Key, Case], here: Told) -> Case | None:
    """A case that is told nowhere else, or there for other groups of its reasons: whatever these say otherwise is said again."""
    others = [each for each in theirs.values() if set(each.about) & set(case.about)]
    first = case.beside(None, here.both)
    again = {
        name for each in others for name, words in (*each.implied, *each.rows) if dict(case.whole).get(name) != words
    }
    names = again | ({name for name, _words in first.rows} if first is not None else set())
    if first is None and not names:
        return None
    text = case.text or (case.answer if any(each.text for each in others) else "")
    return replace(case, text=text, rows=tuple((name, words) for name, words in case.whole if name in names))


def _named(cases: Mapping[str, Case]) -> tuple[Different, ...]:
    return tuple(Different(case.title, *case.said) for case in cases.values())


def _kinds(special: Mapping[Kind, Case], wording: Wording) -> tuple[Different, ...]:
    """Kinds of which the same is said, together."""
    alike: dict[tuple[str, Rows], list[str]] = {}
    for case in special.values():
        titles = alike.setdefault(case.said, [])
        titles += [case.title] if case.title not in titles else []
    return tuple(Different(_listed(titles, wording), *said) for said, titles in alike.items())


def _listed(titles: Sequence[str], wording: Wording) -> str:
    """``Socks, underwear and sealed media``."""
    first, *others = titles
    return listed_words([first, *(each[:1].lower() + each[1:] for each in others)], wording, last="and")
