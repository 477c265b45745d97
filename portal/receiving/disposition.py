"""Where goods go, by the condition they came in, and whether that is what was agreed. Pure.

In: conditions counted by staff, and what the policy says about them. Out: a disposition, a verdict.
Invariants: only goods that are as new go back to stock by themselves; what the policy does not grade is a person's question.
Never: an amount.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from portal.policy.terms import CONDITIONS, Grade

AS_NEW, OPENED, USED, DAMAGED, WRONG_ITEM, MISSING = CONDITIONS

RESTOCK, NOWHERE = "restock", "missing"
DISPOSITIONS = (RESTOCK, "refurbish", "return_to_vendor", "recycle", "donate", "dispose", NOWHERE)

_USUAL: Mapping[str, str] = {
    AS_NEW: RESTOCK,
    OPENED: "refurbish",
    USED: "refurbish",
    DAMAGED: "dispose",
    WRONG_ITEM: "return_to_vendor",
    MISSING: NOWHERE,
}


class Verdict(Enum):
    """As agreed; different, and the policy says what that means; different, and a person has to say."""

    AS_AGREED = auto()
    GRADED = auto()
    QUESTION = auto()


def usual(condition: str) -> str:
    """The disposition that is proposed for a condition. Raises KeyError for an unknown one."""
    return _USUAL[condition]


def fits(condition: str, disposition: str) -> bool:
    """False for what cannot be: goods that did not come can go nowhere, and what came cannot be missing."""
    return (condition == MISSING) == (disposition == NOWHERE)


def worst(conditions: Mapping[str, int]) -> str | None:
    """The worst condition that was found at all: the one word that stands for a whole line."""
    found = [condition for condition, count in conditions.items() if count]
    return max(found, key=CONDITIONS.index, default=None)


def verdict(conditions: Mapping[str, int], grades: Mapping[str, Grade]) -> Verdict:
    """What these findings mean for one line; ``grades`` is the policy's ``on_inspection``, empty when it says nothing."""
    result = Verdict.AS_AGREED
    for condition, count in conditions.items():
        if not count or (condition == AS_NEW and condition not in grades):
            continue
        grade = grades.get(condition)
        if grade is None or grade.review:
            return Verdict.QUESTION
        result = Verdict.GRADED
    return result
