"""A trial of a draft in words: the card on the policy's page (design 10), and its line on the page that publishes.

In: a simulation that a job has stored, the draft and the version in force. Out: a `Card`, the context ``simulation`` of
``staff/_simulation.html``. Invariants: the headline is the gravest change; figures are those of the result. Never: a simulation
during a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.lists import format_list
from babel.numbers import format_decimal
from flask import url_for
from sqlalchemy.orm import Session

from portal import clock, wording
from portal.money import exponent
from portal.policy.binding import Version
from portal.policy.decision import ACCEPT, REFUSE, REVIEW
from portal.policy.loader import Policy
from portal.policy.tally import Comparison, Tally
from portal.policybook import simulation
from portal.policybook.service import load_book
from portal.policybook.simulation import PolicySimulation, Sample, Simulation
from portal.staff import permissions as may
from portal.web.render import locale
from portal.web.staff.base import me, ports
from portal.web.staff.text import _, ngettext

YEAR = 365
BAR = 317
"""The bars are as wide as the card's inside in the design; the picture scales."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One policy's answers as a bar: words, and the widths of its accepted, waiting and refused part."""

    label: str
    words: str
    segments: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One question that was put to many lines: bars and a table of counts and money."""

    title: str
    asked: str
    bars: tuple[Bar, ...]
    rows: tuple[tuple[str, str, str, str, bool], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What the card shows. ``state`` is none, waiting, running, failed or done; ``percent`` is how far the job is."""

    state: str
    since: date
    sample: str = ""
    years: int = 0
    asked_after: int = simulation.ASKED_AFTER
    percent: int = 0
    tried: str = ""
    headline: str = ""
    sub: str = ""
    main: Part | None = None
    more: tuple[Part, ...] = ()
    href: str = ""
    changed: int = 0
    returns: int = 0
    may_ask: bool = False
    broken: bool = False
    """The draft has errors, so that nothing can be asked."""
    old: str = ""
    """Why the result is not about the draft and the version of today any more."""


def card(session: Session, policy: Policy | None) -> Card:
    """The newest simulation of this draft against the version in force, or the invitation to make one."""
    live = load_book(session).live(clock.now())
    found = None
    if policy is not None and live is not None:
        found = simulation.find_latest(session, policy.content_hash, live.number)
    return show(found, policy, live)


def show(found: PolicySimulation | None, policy: Policy | None, live: Version | None) -> Card:
    """A stored simulation in words. Another can be asked for unless the draft has errors (``policy`` is None)."""
    broken = policy is None
    may_ask = me().may(may.EDIT_POLICY) and not broken and live is not None
    day = simulation.ASKED_AFTER if policy is None or live is None else simulation.telling_day(live.policy, policy)
    if found is None:
        since = clock.local_date(clock.now(), ports().shop.timezone)
        first = date.fromordinal(since.toordinal() - YEAR)
        return Card("none", first, asked_after=day, may_ask=may_ask, broken=broken)
    sample = Sample.from_json(found.sample)
    old = _old(found, policy, live)
    base: dict[str, Any] = {
        "since": sample.since,
        "sample": str(sample.orders or ""),
        "years": sample.years,
        "asked_after": day if old else sample.asked_after,
        "may_ask": may_ask,
        "broken": broken,
        "old": old,
        "href": url_for("staff.policy_simulation", number=found.id),
    }
    outcome = found.outcome
    if outcome is None:
        return Card(found.state, percent=found.done * 100 // found.total if found.total else 0, **base)
    return Card("done", **base, **_told(outcome))


def _old(found: PolicySimulation, policy: Policy | None, live: Version | None) -> str:
    if policy is None or policy.content_hash != found.content_hash:
        return _("The draft was changed after this was tried.")
    if live is None or live.number != found.against:
        return _("It’s compared with version %(number)s, which isn’t live any more.", number=found.against)
    return ""


def _told(outcome: Simulation) -> dict[str, Any]:
    currency = ports().shop.currency
    parts = [
        _part(_("Past returns"), outcome.requests, outcome.against),
        _part(_("Every item sold, for a change of mind"), outcome.ordinary, outcome.against),
        _part(_("Every item sold, as faulty"), outcome.fault, outcome.against),
    ]
    if not outcome.requests.asked:
        parts = parts[1:]
    return {
        "tried": _tried(outcome),
        "headline": _headline(outcome, currency),
        "sub": " ".join(_what_changes(outcome, currency)),
        "main": parts[0],
        "more": tuple(parts[1:]),
        "changed": outcome.changed_returns,
        "returns": outcome.returns,
    }


def _asked(outcome: Simulation) -> list[tuple[str, Comparison]]:
    """What was asked, each question with the words that begin what is said of it."""
    return [
        (_("Past returns:"), outcome.requests),
        (_("For a change of mind:"), outcome.ordinary),
        (_("As faulty:"), outcome.fault),
    ]


def _headline(outcome: Simulation, currency: str) -> str:
    """The gravest change: money, unless most lines of some question would come to wait for a person, or would be answered
    otherwise while the money that is given back for past returns stays the same."""
    if not outcome.asked:
        return _("Nothing to try it on")
    first = outcome.requests if outcome.requests.asked else outcome.ordinary
    same = first.after.given_back(currency) == first.before.given_back(currency)
    grave = [
        (count / comparison.asked, after == REVIEW, count, title, comparison, after)
        for title, comparison in _asked(outcome)
        for after, count in _turns(comparison).items()
        if same or (after == REVIEW and 2 * count >= comparison.asked)
    ]
    if not grave:
        return _given_back(first, currency)
    *_rank, title, comparison, after = max(grave, key=lambda each: each[:3])
    counts = {"count": _count(_turns(comparison)[after]), "all": _count(comparison.asked)}
    would = {
        REVIEW: ngettext(
            "%(count)s of %(all)s item would be sent to a person",
            "%(count)s of %(all)s items would be sent to a person",
            comparison.asked, **counts,
        ),
        REFUSE: ngettext(
            "%(count)s of %(all)s item would be denied", "%(count)s of %(all)s items would be denied",
            comparison.asked, **counts,
        ),
        ACCEPT: ngettext(
            "%(count)s of %(all)s item would be accepted", "%(count)s of %(all)s items would be accepted",
            comparison.asked, **counts,
        ),
    }  # fmt: skip
    return f"{title} {would[after]}"


def _turns(comparison: Comparison) -> dict[str, int]:
    """How many lines get each answer that they did not get before."""
    found: dict[str, int] = {}
    for (_before, after), count in comparison.turned.items():
        found[after] = found.get(after, 0) + count
    return found


def _given_back(first: Comparison, currency: str) -> str:
    more = first.after.given_back(currency) - first.before.given_back(currency)
    # Whole amounts are for the eye; what is less than one would read as nothing.
    figure = wording.whole_money if abs(more) >= 10 ** exponent(currency) else wording.money
    amount = figure(abs(more), currency, locale())
    if more > 0:
        return _("%(amount)s more given back", amount=amount)
    return _("%(amount)s less given back", amount=amount) if more < 0 else _("The same amount given back")


def _what_changes(outcome: Simulation, currency: str) -> list[str]:
    """Whatever is not the same afterwards, in sentences, and what the figures stand on."""
    if not outcome.asked:
        return [_("No order was placed since then. Choose an earlier day.")]
    money = _given_back(outcome.requests if outcome.requests.asked else outcome.ordinary, currency)
    said = [] if money == _headline(outcome, currency) else [f"{money}."]
    changes = [
        f"{title} {change}"
        for title, comparison in _asked(outcome)
        for change in (_turned(comparison, outcome.against), _moved(comparison))
        if change
    ]
    said += changes or [_("No answer and no last day changes.")]
    if not outcome.requests.asked:
        said.append(_("There was no return in this time, so only what was sold is asked about."))
    if outcome.unused:
        said.append(
            ngettext(
                "No order of these could have met %(rules)s. Check its words against those of your goods.",
                "No order of these could have met %(rules)s. Check their words against those of your goods.",
                len(outcome.unused),
                rules=format_list([f"“{name}”" for name in outcome.unused], "or", locale=wording.locale_of(locale())),
            )
        )
    return said


def _tried(outcome: Simulation) -> str:
    sample = outcome.sample
    said = ngettext(
        "Tried on %(count)s order placed since %(since)s.",
        "Tried on %(count)s orders placed since %(since)s.",
        outcome.orders, count=_count(outcome.orders), since=wording.day(sample.since, locale()),
    )  # fmt: skip
    if sample.orders:
        said += " " + _("The orders are chosen evenly from all of that time.")
    if sample.years:
        said += " " + ngettext("Dates moved on a year.", "Dates moved on %(num)s years.", sample.years)
    said += " " + ngettext(
        "Every item sold was asked about %(num)s day after it was delivered, for a change of mind and as faulty.",
        "Every item sold was asked about %(num)s days after it was delivered, for a change of mind and as faulty.",
        sample.asked_after,
    )
    if outcome.returns:
        said += " " + ngettext(
            "The %(count)s return of these was asked about as it was booked.",
            "The %(count)s returns of these were asked about as they were booked.",
            outcome.returns, count=_count(outcome.returns),
        )  # fmt: skip
    return said


def _turned(comparison: Comparison, against: int) -> str:
    """The largest change of answers in a sentence; empty when no answer changes."""
    if not comparison.turned:
        return ""
    (before, after), count = max(comparison.turned.items(), key=lambda entry: (entry[1], entry[0]))
    was = {"accept": _("accepted"), "review": _("sent to a person"), "refuse": _("denied")}
    values = {"before": was[before], "after": was[after], "version": against}
    return ngettext(
        "%(count)s item that version %(version)s %(before)s would be %(after)s.",
        "%(count)s items that version %(version)s %(before)s would be %(after)s.",
        count, count=_count(count), **values,
    )  # fmt: skip


def _moved(comparison: Comparison) -> str:
    """How many last days move, and which way; empty when none does."""
    later, earlier = comparison.later, comparison.earlier
    if later and earlier:
        return _(
            "the last day is later for %(later)s items and earlier for %(earlier)s.",
            later=_count(later), earlier=_count(earlier),
        )  # fmt: skip
    if later:
        return ngettext(
            "the last day is later for %(count)s item.", "the last day is later for %(count)s items.",
            later, count=_count(later),
        )  # fmt: skip
    if earlier:
        return ngettext(
            "the last day is earlier for %(count)s item.", "the last day is earlier for %(count)s items.",
            earlier, count=_count(earlier),
        )  # fmt: skip
    return ""


def _part(title: str, comparison: Comparison, against: int) -> Part:
    before, after = comparison.before, comparison.after
    bars = (_bar(_("Version %(version)s", version=against), before), _bar(_("This draft"), after))
    rows = []
    for name, label in (("accept", _("Accepted")), ("review", _("Sent to a person")), ("refuse", _("Denied"))):
        was, now = before.answers[name], after.answers[name]
        rows.append((label, _count(was), _count(now), _signed(now - was), False))
    for currency in sorted({*before.money, *after.money}):
        rows += _money_rows(before, after, currency)
    note = _moved(comparison)
    note = note[:1].upper() + note[1:]
    asked = ngettext("%(count)s item", "%(count)s items", comparison.asked, count=_count(comparison.asked))
    return Part(title, asked, bars, tuple(rows), note)


def _money_rows(before: Tally, after: Tally, currency: str) -> list[tuple[str, str, str, str, bool]]:
    was, now = before.money.get(currency, {}), after.money.get(currency, {})
    pots = [
        (_("Refunds"), was.get("refund", 0), now.get("refund", 0), False),
        (_("Store credit with bonus"), was.get("credit", 0), now.get("credit", 0), False),
        (_("Given back"), before.given_back(currency), after.given_back(currency), True),
        (_("Fees kept"), was.get("fees", 0), now.get("fees", 0), False),
        (_("Kept by exchanges"), was.get("exchange", 0), now.get("exchange", 0), False),
        (_("Waiting for a person"), was.get("waiting", 0), now.get("waiting", 0), False),
    ]

    def whole(minor: int, signed: bool = False) -> str:
        return wording.whole_money(minor, currency, locale(), signed=signed)

    foreign = "" if currency == ports().shop.currency else f" ({currency})"
    return [
        (label + foreign, whole(old), whole(new), whole(new - old, True), strong)
        for label, old, new, strong in pots
        if old or new or strong
    ]


def _bar(label: str, tally: Tally) -> Bar:
    total = sum(tally.answers.values()) or 1
    segments, at = [], 0.0
    for name in ("accept", "review", "refuse"):
        width = round(BAR * tally.answers[name] / total, 1)
        if width:
            # Two pixels of ground between two parts.
            segments.append((name, round(at, 1), max(width - 2, 0.5)))
        at += width
    words = _(
        "%(accepted)s accepted, %(person)s person, %(denied)s denied",
        accepted=_count(tally.answers["accept"]), person=_count(tally.answers["review"]), denied=_count(tally.answers["refuse"]),
    )  # fmt: skip
    return Bar(label, words, tuple(segments))


def _count(number: int) -> str:
    return str(format_decimal(number, locale=wording.locale_of(locale())))


def _signed(number: int) -> str:
    return ("+" if number > 0 else wording.MINUS if number < 0 else "") + _count(abs(number))
