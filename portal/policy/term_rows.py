"""The terms of a promise as rows for customers: a label and a phrase, in one order, alone or beside another promise.

In: promises and a `Wording`. Out: rows and the sentence before them. Invariants: every row is made from a decision; two
promises that read alike have no rows between them. Never: a term that is the shop's own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from portal.policy.customer_words import label, phrase, window
from portal.policy.decision import REFUSE, REVIEW, Decision
from portal.policy.explain import ENGLISH, Wording, customer_summary
from portal.policy.promise import Promise, Stage
from portal.policy.terms import Evidence, Fee

SHOWN = (
    "window", "resolutions", "evidence", "return_shipping", "restocking_fee", "ship_with", "ship_by", "refund_when",
    "outbound_shipping", "credit_bonus", "exchange_bonus", "keep_item", "donate",
)  # fmt: skip
"""What customers ask about; who decides and where parcels go is the shop's own business."""
_QUIET: Mapping[str, Any] = {
    "restocking_fee": Fee(), "credit_bonus": 0, "exchange_bonus": 0, "keep_item": False, "donate": False,
    "evidence": Evidence(),
}  # fmt: skip

Rows = tuple[tuple[str, str], ...]


def answer_of(told: Promise, wording: Wording) -> str:
    """A sentence where it is not simply accepted."""
    if told.decision.answer == REFUSE:
        return customer_summary(told.decision, wording)
    if told.decision.answer == REVIEW:
        return wording.gettext("A person in our team checks this before we answer.")
    return ""


def rows_of(told: Promise, wording: Wording) -> Rows:
    """Every term that a customer asks about, as it was decided; none for what can't come back."""
    if told.decision.answer == REFUSE:
        return ()
    return tuple(
        (label(name, wording), words_of(told, name, wording))
        for name in SHOWN
        if _speaks(name, told) and any(value != _QUIET.get(name, told) for _, value in course_of(told, name))
    )


def value_of(decision: Decision, name: str) -> Any:
    """A shown term; one that nothing sets asks, takes or gives nothing."""
    value = decision.value(name)
    return _QUIET.get(name) if value is None else value


def course_of(told: Promise, name: str) -> tuple[tuple[Stage | None, Any], ...]:
    """A shown term from the first day on: each value with the days of the law that end it, the last one with None."""
    stages: tuple[tuple[Stage | None, Decision], ...] = tuple((stage, stage.decision) for stage in told.stages)
    found = [(stage, value_of(decision, name)) for stage, decision in (*stages, (None, told.decision))]
    return (*(here for here, then in pairwise(found) if _key(name, here[1]) != _key(name, then[1])), found[-1])


def words_of(told: Promise, name: str, wording: Wording) -> str:
    """A term as it is told: ``None (for 14 days from delivery). After that: 10% of the price`` where a law lifts it."""
    *lifted, (_last, value) = course_of(told, name)
    said = phrase(name, value, wording)
    for stage, before in reversed(lifted):
        if stage is not None:
            words = {"first": phrase(name, before, wording), "days": window(stage.within, wording), "later": said}
            said = wording.gettext("%(first)s (for %(days)s). After that: %(later)s") % words
    return said


def whole_of(told: Promise, wording: Wording) -> Rows:
    """Every term, also those that ask, take or give nothing: what is compared."""
    if told.decision.answer == REFUSE:
        return ()
    return tuple((label(name, wording), words_of(told, name, wording)) for name in SHOWN if _speaks(name, told))


def differences(told: Promise, usual: Promise, wording: Wording) -> Rows:
    """The terms that differ from the usual ones, as they were decided."""
    if told.decision.answer == REFUSE:
        return ()
    if usual.decision.answer == REFUSE:
        return rows_of(told, wording)
    return tuple(
        (label(name, wording), words_of(told, name, wording))
        for name in SHOWN
        if _speaks(name, told) and _read(name, told) != _read(name, usual)
    )


def beyond(
    faulty: Promise, mine: Promise, wrong: Promise, usual: Promise, wording: Wording, *, replaces: bool = False
) -> Rows:
    """The terms of a fault that nobody could read from those told of a change of mind (``mine``) and from what is usual: a term
    that faults usually have of their own is taken to hold here too, any other one to be as for a change of mind.

    ``replaces``: what is told of a change of mind here is read in the place of what faults have of their own.
    """
    if faulty.decision.answer == REFUSE:
        return ()

    def taken(name: str) -> Promise:
        own = _read(name, wrong) != _read(name, usual)
        return mine if not own or (replaces and _read(name, mine) != _read(name, usual)) else wrong

    return tuple(
        (label(name, wording), words_of(faulty, name, wording))
        for name in SHOWN
        if _speaks(name, faulty) and _read(name, faulty) != _read(name, taken(name))
    )


_SENT = ("return_shipping", "ship_with", "ship_by")


def _speaks(name: str, told: Promise) -> bool:
    """Whether the term is a question at all: what stays with the customer travels no way back."""
    return name not in _SENT or not told.decision.value("keep_item")


def _read(name: str, told: Promise) -> Any:
    """A term as customers compare it: the order of a choice does not count, nor what is not told."""
    if not _speaks(name, told):
        return None
    return tuple((stage and stage.within, _key(name, value)) for stage, value in course_of(told, name))


def _key(name: str, value: Any) -> Any:
    return frozenset(value) if isinstance(value, tuple) else phrase(name, value, ENGLISH)
