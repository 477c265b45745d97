"""A refund's life as a table. Pure.

    planned -> submitted -> pending | requires_action -> succeeded | failed | canceled,   unknown between a call and its answer

In: the status of our row and what the gateway says. Out: what to do about it. Invariants: nothing that ended without money
comes back to life; ``succeeded`` never returns to ``pending`` and may still turn into ``failed``. Never: a guess.
"""

from __future__ import annotations

from enum import Enum, auto

PLANNED, SUBMITTED, UNKNOWN = "planned", "submitted", "unknown"
PENDING, REQUIRES_ACTION, SUCCEEDED = "pending", "requires_action", "succeeded"
FAILED, CANCELED = "failed", "canceled"

STATUSES = (PLANNED, SUBMITTED, UNKNOWN, PENDING, REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED)
OPEN = frozenset({PLANNED, SUBMITTED, UNKNOWN, PENDING, REQUIRES_ACTION})
"""Money is promised and not there yet."""
ACCEPTED = frozenset({PENDING, REQUIRES_ACTION, SUCCEEDED})
"""The gateway has it."""
LOST = frozenset({FAILED, CANCELED})
"""Ended without money; what was reserved is free again."""
HOLDING = frozenset(STATUSES) - LOST
"""Counts against the payment."""
SENDABLE = frozenset({PLANNED, SUBMITTED, UNKNOWN})
"""No answer has been recorded yet: it may be sent, with its own key."""
TAKEN_BACK = "taken_back"
"""The code of a refund that staff took back before it was sent, and whose payout is decided anew."""
GIVEN_UP = "given_up"
"""The code of a refund that failed, is sent no more, and whose amount is decided with the rest of its return."""
DECIDED_ANEW = frozenset({TAKEN_BACK, GIVEN_UP})
"""The codes of refunds whose amount other rows stand for, or nothing."""


class Step(Enum):
    """What an observation does to a row. An old one and a doubled one are normal and are kept apart from an impossible one."""

    MOVE = auto()
    SAME = auto()
    OLD = auto()


_NEXT: dict[str, frozenset[str]] = {
    # A planned row cannot be at the gateway, except when a backup was restored over a newer database.
    PLANNED: frozenset({PENDING, REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED}),
    SUBMITTED: frozenset({PENDING, REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED}),
    UNKNOWN: frozenset({PENDING, REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED}),
    PENDING: frozenset({REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED}),
    REQUIRES_ACTION: frozenset({PENDING, SUCCEEDED, FAILED, CANCELED}),
    # A bank may give the money back weeks later, and card refunds can be canceled by hand for a short while.
    SUCCEEDED: frozenset({FAILED, CANCELED}),
    FAILED: frozenset(),
    CANCELED: frozenset(),
}


def read_status(word: str) -> str:
    """The gateway's status as one of ours. A word of the future counts as ``pending``: it holds money and says nothing."""
    return word if word in (PENDING, REQUIRES_ACTION, SUCCEEDED, FAILED, CANCELED) else PENDING


def observe(status: str, seen: str) -> Step:
    """What to do with a row in ``status`` when the gateway shows the refund as ``seen`` (one of `read_status`)."""
    if status == seen:
        return Step.SAME
    return Step.MOVE if seen in _NEXT[status] else Step.OLD
