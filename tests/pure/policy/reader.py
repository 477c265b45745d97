"""Somebody who reads the policy's page for a purchase of theirs, and knows nothing but what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from portal.policy.customer_words import label
from portal.policy.decision import REFUSE, REVIEW, Decision
from portal.policy.explain import ENGLISH
from portal.policy.facts import Facts
from portal.policy.page import Different, Market, PolicyPage
from portal.policy.reasons import FAULTS, REASONS
from portal.policy.rights import goods_words

WRONG = "If something is wrong with it"
IF_WRONG = ", if something is wrong with it"
SILENT = ("Not needed", "None", "Nothing on top", "At the same price", "Comes back to us", "Nothing more to do")
"""What asks, takes or gives nothing is not told."""
_SAME = ("", "Nothing is different.", "The same terms as for everything else.", "Returns are accepted.",
         "Returns are accepted without a check by a person.")  # fmt: skip
_PERSON = "A person in our team checks this before we answer."
_FAULT_SENTENCES = (
    "The same holds if something is wrong with it.",
    "If something is wrong with it, this can’t be returned.",
    "If something is wrong with it, a person in our team checks it before we answer.",
    "If something is wrong with it, you can send it back all the same.",
)


@dataclass(frozen=True)
class Reading:
    """What is read: ``refused`` or ``person`` (neither: accepted), and the terms by their labels."""

    refused: bool
    person: bool
    rows: dict[str, str]


def chain(page: PolicyPage, country: str, currency: str) -> list[Market]:
    """The parts that somebody reads, the most special one first, as the parts say of themselves."""
    parts = [each for each in page.markets if country in each.countries and currency in each.currencies]
    assert len(parts) == 1, (country, currency)
    found = [parts[0]]
    if found[0].beside == "currency":
        own = page.markets[0].currencies[0]
        found += [each for each in page.markets if country in each.countries and own in each.currencies]
    if found[-1].beside == "first":
        found.append(page.markets[0])
    assert found[-1].beside == ""
    return found


def titles_of(page: PolicyPage, country: str, currency: str) -> list[str]:
    """The titles of what can change something, in the parts that somebody reads."""
    return [each.name for part in chain(page, country, currency) for each in part.changes]


def read(page: PolicyPage, facts: Facts, placed_on: date, *, change: str = "") -> Reading:
    """What somebody reads of these facts: an item of at most one kind, a reason, a wish; ``change`` is the title of what holds of
    the changes."""
    parts = chain(page, facts.order.country or "", facts.order.currency or "")
    faulty = facts.reason in FAULTS
    said: dict[str, str] = {}
    sentence = ""
    for part in reversed(parts):
        said |= dict(part.rows)
        sentence = part.text or sentence
    layers = [
        lambda each: _is_reason(each.name, facts.reason or ""),
        lambda each: each.name == f"If you choose {_WISHES[facts.resolution or '']}",
        lambda each: _is_season(each.name, placed_on),
    ]
    usual, wrong = dict(said), sentence
    for part in parts:
        alike = [each.name for each in part.cases if _is_reason(each.name, facts.reason or "")]
        assert len(alike) <= 1, f"one part tells a reason twice: {alike}"
    for layer in layers:
        found = [each for part in parts for each in part.cases if layer(each)]
        said, wrong = _over(found, said, wrong, faulty, sentence)
        if layer is layers[0]:
            own = {name for name, words in said.items() if usual.get(name) != words}
    goods = [*(facts.item.tags or ()), facts.item.category or "", facts.item.type or ""]
    kinds = [each for part in parts for each in part.kinds if any(_names(each.name, value) for value in goods if value)]
    kept = {name: said[name] for name in own} if faulty else {}
    said, wrong = _over(kinds, said, wrong, faulty, sentence)
    changes = [each for part in parts for each in part.changes if each.name == change]
    said, wrong = _over(changes, said, wrong, faulty, sentence)
    if faulty:
        # What faults have of their own is not what is said of a change of mind.
        special = [name for each in (*kinds, *changes) for name, _words in each.rows if name.endswith(IF_WRONG)]
        said |= {name: words for name, words in kept.items() if name + IF_WRONG not in special}
    for name, words in _by_season(kinds, placed_on, faulty):
        said[name] = words
    return Reading(_refuses(wrong, faulty), _asks(wrong, faulty), said)


_WISHES = {"refund": "a refund", "exchange": "an exchange", "store_credit": "store credit", "": ""}


def _is_reason(title: str, reason: str) -> bool:
    return (title == WRONG and reason in FAULTS) or (title.startswith("If you say") and f"“{REASONS[reason]}”" in title)


def _is_season(title: str, placed_on: date) -> bool:
    days = [date(int(y), _MONTHS.index(m) + 1, int(d)) for d, m, y in re.findall(r"(\d+) ([A-Z]\w+) (\d{4})", title)]
    if title.startswith("Bought by"):
        return placed_on <= days[0]
    return title.startswith("Bought from") and days[0] <= placed_on <= days[1]


_MONTHS = "January February March April May June July August September October November December".split()


def _names(title: str, value: str) -> bool:
    words = goods_words(value, ENGLISH).casefold()
    return words in re.split(", | and ", title.casefold()) or words == title.casefold()


def _over(
    found: list[Different], said: dict[str, str], sentence: str, faulty: bool, usual: str
) -> tuple[dict[str, str], str]:
    """What is read after these, of which the first is the most special one."""
    out = dict(said)
    for each in reversed(found):
        rows = {name: words for name, words in each.rows if not name.endswith(IF_WRONG) and ", bought" not in name}
        wrong = {
            name.removesuffix(IF_WRONG): words
            for name, words in each.rows
            if name.endswith(IF_WRONG) and ", bought" not in name
        }
        out |= rows | (wrong if faulty else {})
        if each.text and (faulty or _of_all(each.text)):
            sentence = usual if each.text == "The same terms as for everything else." else each.text
        elif rows and _refuses(sentence, faulty):
            sentence = ""
    return out, sentence


def _by_season(kinds: list[Different], placed_on: date, faulty: bool) -> Iterator[tuple[str, str]]:
    for each in kinds:
        for name, words in each.rows:
            term, found, days = name.rpartition(", bought ")
            if found and _is_season("Bought " + days, placed_on):
                if not term.endswith(IF_WRONG):
                    yield term, words
                elif faulty:
                    yield term.removesuffix(IF_WRONG), words


def _refuses(sentence: str, faulty: bool) -> bool:
    said = _of_faults(sentence) if faulty else _of_all(sentence)
    return said not in _SAME and not said.startswith(("A person", "If something is wrong with it, a person"))


def _asks(sentence: str, faulty: bool) -> bool:
    said = _of_faults(sentence) if faulty else _of_all(sentence)
    return "erson in our team checks" in said


def _of_all(sentence: str) -> str:
    for each in _FAULT_SENTENCES:
        sentence = sentence.replace(each, "")
    return sentence.strip()


def _of_faults(sentence: str) -> str:
    for each in _FAULT_SENTENCES[1:]:
        if each in sentence:
            return "" if each.endswith("all the same.") else each
    return _of_all(sentence)


def stated(words: str, delivered_on: date, asked_on: date) -> str:
    """A term on the day of asking: ``None (for 14 days from delivery). After that: 15%`` is one or the other. The order came in
    one parcel."""
    found = re.fullmatch(r"(.*?) \(for (\d+) (days?|years?) from [^)]*\)\. After that: (.*)", words)
    if found is None:
        return words
    first, count, unit, later = found.groups()
    days = int(count) if unit.startswith("day") else {1: 366, 2: 731}[int(count)]
    return first if asked_on <= delivered_on + timedelta(days=days) else stated(later, delivered_on, asked_on)


def agrees(
    read_: Reading, decision: Decision, names: tuple[str, ...], phrase_of: dict[str, str], day: tuple[date, date]
) -> None:
    """Hold what was read to what is decided on a day: ``day`` is that of the delivery and that of the question."""
    if decision.answer == REFUSE:
        assert read_.refused, read_
        return
    assert not read_.refused, (read_, decision.causes)
    assert read_.person == (decision.answer == REVIEW), (read_, decision.causes)
    for name in names:
        words, shown = phrase_of[name], read_.rows.get(label(name, ENGLISH))
        here = None if shown is None else stated(shown, *day)
        if name in ("resolutions", "ship_with"):
            assert _set(str(here)) == _set(words), (name, shown, words)
        else:
            assert _one_parcel(here) == _one_parcel(words) or (here is None and words in SILENT), (name, shown, words)


def _one_parcel(words: str | None) -> str | None:
    """The words for an order that came in one parcel, which is its last one."""
    return None if words is None else words.replace(" of the last parcel", "")


def _set(words: str) -> list[str]:
    return sorted(re.split(", | or ", words.lower()))
