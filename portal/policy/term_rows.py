"""The terms of a promise as rows for customers: a label and a phrase, in one order, alone or beside another promise.

In: promises and a `Wording`. Out: rows and the sentence before them. Invariants: every row is made from a decision; two
promises that read alike have no rows between them. Never: a term that is the shop's own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.policy.customer_words import label, phrase
from portal.policy.decision import REFUSE, REVIEW, Decision
from portal.policy.explain import ENGLISH, Wording, customer_summary
from portal.policy.promise import Promise
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
    values = ((name, value_of(told.decision, name)) for name in SHOWN)
    return tuple(
        (label(name, wording), phrase(name, value, wording))
        for name, value in values
        if value != _QUIET.get(name, told)
    )


def value_of(decision: Decision, name: str) -> Any:
    """A shown term; one that nothing sets asks, takes or gives nothing."""
    value = decision.value(name)
    return _QUIET.get(name) if value is None else value


def whole_of(told: Promise, wording: Wording) -> Rows:
    """Every term, also those that ask, take or give nothing: what is compared."""
    if told.decision.answer == REFUSE:
        return ()
    return tuple((label(name, wording), phrase(name, value_of(told.decision, name), wording)) for name in SHOWN)


def differences(told: Promise, usual: Promise, wording: Wording) -> Rows:
    """The terms that differ from the usual ones, as they were decided."""
    if told.decision.answer == REFUSE:
        return ()
    if usual.decision.answer == REFUSE:
        return rows_of(told, wording)
    return tuple(
        (label(name, wording), phrase(name, value_of(told.decision, name), wording))
        for name in SHOWN
        if _read(name, told) != _read(name, usual)
    )


def _read(name: str, told: Promise) -> Any:
    """A term as customers compare it: the order of a choice does not count, nor what is not told."""
    value = value_of(told.decision, name)
    return frozenset(value) if isinstance(value, tuple) else phrase(name, value, ENGLISH)
