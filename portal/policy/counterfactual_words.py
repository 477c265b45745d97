"""Counterfactuals as sentences: for staff every one of them, for a customer what is still theirs to do and plain facts.

In: `WhatIf` values and a `Wording`. Out: text. Invariants: a sentence says what was decided again and nothing more; a customer is
told a day, an amount, or what they can still choose. Never: to a customer, another reason, an answer that they gave, the days of
grace, or anything about who they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, cast

from portal.policy import conditions as c
from portal.policy.counterfactual import WhatIf
from portal.policy.decision import ACCEPT, REVIEW
from portal.policy.explain import ENGLISH, Wording, resolution_words
from portal.policy.laws import PREFIX
from portal.policy.pieces import fill, listed, listed_words, plain
from portal.policy.sentences import condition_words, fact_word

MOST_FOR_CUSTOMERS = 2


def change_words(found: WhatIf, wording: Wording = ENGLISH) -> str:
    """What would be otherwise: "If the return is worth £300.00 or less", "Without “Final sale”"."""
    _ = wording.gettext
    if found.when:
        conditions = listed([condition_words(each, wording) for each in found.when], wording)
        return plain(fill(_("If %(conditions)s"), conditions=conditions))
    named = listed_words([_("“%(rule)s”") % {"rule": name} for name in found.called], wording, last="and")
    law = found.without[0].startswith(PREFIX)
    return (_("Without the law %(names)s") if law else _("Without %(names)s")) % {"names": named}


def answer_words(found: WhatIf, wording: Wording = ENGLISH) -> str:
    """The answer that it would give."""
    _ = wording.gettext
    if found.answer == ACCEPT:
        return _("accepted, once what is asked for is there") if found.open_ else _("accepted")
    return _("a person decides") if found.answer == REVIEW else _("refused")


def staff_sentence(found: WhatIf, wording: Wording = ENGLISH) -> str:
    """``If the return is worth £300.00 or less: accepted.``"""
    return wording.gettext("%(change)s: %(answer)s.") % {
        "change": change_words(found, wording),
        "answer": answer_words(found, wording),
    }


def staff_sentences(found: Iterable[WhatIf], wording: Wording = ENGLISH) -> tuple[tuple[bool, str], ...]:
    """Each sentence with whether it is better for the customer. Tags that would give the same answer share one: a law exempts a
    dozen of them, and a dozen lines would hide the rest."""
    grouped: dict[object, list[WhatIf]] = {}
    for place, each in enumerate(found):
        match each.when:
            case (c.Comparison("item.tags", "has", _),):
                key: object = (each.answer, each.open_, each.better)
            case _:
                key = place
        grouped.setdefault(key, []).append(each)
    return tuple((group[0].better, staff_sentence(_together(group), wording)) for group in grouped.values())


def _together(group: list[WhatIf]) -> WhatIf:
    if len(group) == 1:
        return group[0]
    tags = tuple(test.value for each in group for test in each.when if isinstance(test, c.Comparison))
    return replace(group[0], when=(c.Comparison("item.tags", "has_any", tags),))


def customer_sentences(found: Iterable[WhatIf], wording: Wording = ENGLISH) -> tuple[str, ...]:
    """At most two plain sentences: until when it would have been accepted, from when it is, what can be chosen instead."""
    helping = [each for each in found if each.answer == ACCEPT != each.before.answer and len(each.when) == 1]
    said = (sentence for each in helping for sentence in _customer(each, wording))
    return tuple(dict.fromkeys(said))[:MOST_FOR_CUSTOMERS]


def _customer(found: WhatIf, wording: Wording) -> Iterator[str]:
    condition = found.when[0]
    if not isinstance(condition, c.Comparison):
        return
    codes = {cause.code for cause in found.before.causes}
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    match condition.fact:
        case "today":
            yield from _day(found, condition, "window_closed" in codes, wording)
        case "resolution" if "resolution_not_offered" not in codes:
            wishes = listed_words([resolution_words(each, wording) for each in values], wording)
            yield wording.gettext("You can return it for %(wishes)s.") % {"wishes": wishes}
        case "method":
            yield from _ways(found, values, wording)
        case "line.quantity" if condition.op == "at_most":
            yield _units(found, values[-1], wording)
        case "return.value" if condition.op == "at_most":
            yield _amount(found, values[0], wording)
        case "return.items" if condition.op == "at_most" and found.before.answer == REVIEW:
            yield wording.ngettext(
                "A return of %(count)d item needs no check by a person.",
                "A return of up to %(count)d items needs no check by a person.",
                values[0],
            ) % {"count": values[0]}


def _units(found: WhatIf, most: int, wording: Wording) -> str:
    if found.before.answer == REVIEW:
        message = wording.ngettext(
            "%(count)d of them needs no check by a person.", "Up to %(count)d of them need no check by a person.", most
        )
    else:
        message = wording.ngettext("%(count)d of them can come back.", "Up to %(count)d of them can come back.", most)
    return message % {"count": most}


def _amount(found: WhatIf, most: Any, wording: Wording) -> str:
    _, line = wording.gettext, found.asked.line_value
    if found.before.answer == REVIEW:
        message = _("A return of up to %(amount)s needs no check by a person.")
    elif line is not None and line.minor <= most.minor:
        message = _("It can come back in a return of up to %(amount)s.")
    else:
        message = _("Up to %(amount)s it could have come back.")
    return message % {"amount": wording.money(most)}


def _day(found: WhatIf, condition: c.Comparison, told: bool, wording: Wording) -> Iterator[str]:
    """The day on which the answer turned, or turns. That a window closed says its day already, and its grace is not told."""
    # Another day is tried only where the moment of asking is known.
    asked, then = cast(datetime, found.asked.at), cast(datetime, found.facts.at)
    days: Sequence[date] = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if then > asked:
        yield wording.gettext("You can return it from %(date)s.") % {"date": wording.date(days[0])}
    elif not told:
        yield wording.gettext("It would have been accepted until %(date)s.") % {"date": wording.date(days[-1])}


def _ways(found: WhatIf, methods: Sequence[Any], wording: Wording) -> Iterator[str]:
    offered = [each for each in methods if each in found.decision.value("ship_with")]
    if offered:
        ways = listed_words([fact_word("method", each, wording) for each in offered], wording)
        yield wording.gettext("You can return it with %(ways)s.") % {"ways": ways}
