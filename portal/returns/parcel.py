"""What the lines of one return mean for its parcel. Pure.

In: the decisions of the lines that stay in the return. Out: whether anything travels, by when, how, where, and when money is
sent.
Invariant: one parcel has one answer. Never: a look at anything but the decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.policy.decision import Decision
from portal.policy.terms import REFUND_WHEN


@dataclass(frozen=True, slots=True)
class Parcel:
    """``refund_when`` is the latest moment that any travelling line asks for, because the parcel is looked at as a whole;
    ``ship_by_days`` is the shortest of their terms. What the customer keeps waits for nothing: it only counts when nothing
    travels, and then money is sent once the return is authorized."""

    travels: bool
    refund_when: str
    ship_by_days: int | None
    methods: tuple[str, ...]
    """The ways to send it that every line allows, in the first line's order; none where lines go to different places."""
    destination: str = ""
    """Where in the warehouse it goes, in the merchant's words; empty: nowhere in particular."""


def keeps_item(decision: Decision) -> bool:
    """True when the goods need not come back."""
    return bool(decision.value("keep_item"))


def parcel(decisions: Iterable[Decision]) -> Parcel:
    """The parcel of these lines."""
    travelling = [decision for decision in decisions if not keeps_item(decision)]
    if not travelling:
        return Parcel(False, REFUND_WHEN[0], None, ())
    moments = [REFUND_WHEN.index(decision.value("refund_when")) for decision in travelling]
    return Parcel(
        True,
        REFUND_WHEN[max(moments)],
        min(decision.value("ship_by") for decision in travelling),
        _methods(travelling),
        travelling[0].value("destination") or "",
    )


def _methods(travelling: Sequence[Decision]) -> tuple[str, ...]:
    if len({decision.value("destination") for decision in travelling}) > 1:
        return ()
    offered = [tuple(decision.value("ship_with")) for decision in travelling]
    return tuple(method for method in offered[0] if all(method in each for each in offered))
