"""A return's life as a table. Pure.

    requested -> under_review -> authorized -> in_transit -> received -> inspected -> closed
    ends: rejected, canceled, expired; staff may take a rejection or an expiry back

In: the status found and a command. Out: what the command does there. Invariants: every pair of status and command has one
answer; a command that was done already is told apart from one that comes too late and from one that makes no sense.
Never: a status that is not in the table, a second effect of a second click.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from portal.errors import Conflict

REQUESTED, UNDER_REVIEW, AUTHORIZED = "requested", "under_review", "authorized"
IN_TRANSIT, RECEIVED, INSPECTED, CLOSED = "in_transit", "received", "inspected", "closed"
REJECTED, CANCELED, EXPIRED = "rejected", "canceled", "expired"

STATUSES = (
    REQUESTED,
    UNDER_REVIEW,
    AUTHORIZED,
    IN_TRANSIT,
    RECEIVED,
    INSPECTED,
    CLOSED,
    REJECTED,
    CANCELED,
    EXPIRED,
)
ENDED = frozenset({REJECTED, CANCELED, EXPIRED})
"""Nothing is owed any more and the units are the customer's again."""
HOLDING = frozenset(STATUSES) - ENDED
"""The return holds its units."""
UNDECIDED = frozenset({REQUESTED, UNDER_REVIEW})
TRAVELLING = frozenset({AUTHORIZED, IN_TRANSIT})
"""Goods are expected."""
ARRIVED = frozenset({RECEIVED, INSPECTED, CLOSED})


class Effect(Enum):
    """What a command does: it moves the return, it was done already, it comes too late and is ignored, or it is refused."""

    MOVE = auto()
    DOUBLE = auto()
    IGNORED = auto()
    INVALID = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The effect, and the status that holds afterwards."""

    effect: Effect
    status: str


REVIEW, AUTHORIZE, REFUSE, CANCEL, EXPIRE = "review", "authorize", "refuse", "cancel", "expire"
SHIP, RECEIVE, INSPECT, ACCEPT_GOODS, REFUSE_GOODS, REOPEN, CLOSE = (
    "ship",
    "receive",
    "inspect",
    "accept_goods",
    "refuse_goods",
    "reopen",
    "close",
)

# command -> status found -> status afterwards
MOVES: dict[str, dict[str, str]] = {
    REVIEW: {REQUESTED: UNDER_REVIEW},
    AUTHORIZE: {
        REQUESTED: AUTHORIZED,
        UNDER_REVIEW: AUTHORIZED,
        # Staff take a refusal back, or let a parcel come that was posted late.
        REJECTED: AUTHORIZED,
        EXPIRED: AUTHORIZED,
    },
    REFUSE: {REQUESTED: REJECTED, UNDER_REVIEW: REJECTED},
    CANCEL: {REQUESTED: CANCELED, UNDER_REVIEW: CANCELED, AUTHORIZED: CANCELED},
    EXPIRE: {AUTHORIZED: EXPIRED},
    SHIP: {AUTHORIZED: IN_TRANSIT},
    RECEIVE: {IN_TRANSIT: RECEIVED},
    INSPECT: {RECEIVED: INSPECTED},
    # A person has decided about goods that are not as agreed; a refusal of goods may be taken back.
    ACCEPT_GOODS: {RECEIVED: INSPECTED, INSPECTED: INSPECTED, REJECTED: INSPECTED},
    REFUSE_GOODS: {RECEIVED: REJECTED, INSPECTED: REJECTED},
    # A kept item closes without a parcel, and money may be complete while goods still travel.
    # The money of a decision was taken back before it was sent, or the decision by who made it: it is open again.
    REOPEN: {AUTHORIZED: UNDER_REVIEW, REJECTED: UNDER_REVIEW},
    CLOSE: {AUTHORIZED: CLOSED, IN_TRANSIT: CLOSED, RECEIVED: CLOSED, INSPECTED: CLOSED},
}

# command -> statuses in which its effect holds already: the same person's second click gets the same answer
DOUBLES: dict[str, frozenset[str]] = {
    REVIEW: frozenset({UNDER_REVIEW}),
    AUTHORIZE: frozenset({AUTHORIZED, IN_TRANSIT, RECEIVED, INSPECTED, CLOSED}),
    REFUSE: frozenset({REJECTED}),
    CANCEL: frozenset({CANCELED}),
    EXPIRE: frozenset({EXPIRED}),
    SHIP: frozenset({IN_TRANSIT}),
    RECEIVE: frozenset({RECEIVED}),
    INSPECT: frozenset({INSPECTED}),
    ACCEPT_GOODS: frozenset({CLOSED}),
    REFUSE_GOODS: frozenset({REJECTED}),
    REOPEN: frozenset({UNDER_REVIEW}),
    CLOSE: frozenset({CLOSED}),
}

# command -> statuses in which it is merely late: a scan of the carrier that arrives after the parcel
LATE: dict[str, frozenset[str]] = {
    SHIP: frozenset({RECEIVED, INSPECTED, CLOSED}),
    EXPIRE: frozenset({IN_TRANSIT, RECEIVED, INSPECTED, CLOSED, CANCELED, REJECTED}),
}

COMMANDS = tuple(MOVES)


def step(status: str, command: str) -> Step:
    """What ``command`` does to a return in ``status``. Raises KeyError for a word that is not in the table."""
    if status not in HOLDING and status not in ENDED:
        raise KeyError(status)
    if status in MOVES[command]:
        return Step(Effect.MOVE, MOVES[command][status])
    if status in DOUBLES[command]:
        return Step(Effect.DOUBLE, status)
    if status in LATE.get(command, frozenset()):
        return Step(Effect.IGNORED, status)
    return Step(Effect.INVALID, status)


def refusal(status: str, command: str) -> Conflict:
    """The answer to a command that the status does not allow."""
    words = f"This return is {_IS.get(status, status).replace('_', ' ')}, so it can't be {_DONE[command]}. Nothing was changed."
    return Conflict(words, state=status)


_IS = {AUTHORIZED: "approved", REJECTED: "denied"}
"""Statuses that people call by another word."""
_DONE = {
    REVIEW: "reviewed",
    AUTHORIZE: "approved",
    REFUSE: "denied",
    CANCEL: "canceled",
    EXPIRE: "expired",
    SHIP: "marked as on its way",
    RECEIVE: "received",
    INSPECT: "inspected",
    ACCEPT_GOODS: "settled",
    REFUSE_GOODS: "denied",
    REOPEN: "decided again",
    CLOSE: "closed",
}


def move(status: str, command: str) -> str:
    """The status after ``command``. Raises `Conflict` with the status found where the command does not move the return."""
    found = step(status, command)
    if found.effect is not Effect.MOVE:
        raise refusal(status, command)
    return found.status
