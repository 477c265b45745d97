"""What can be said about an item before the customer says why: returnable, only for some reasons, or not at all.

In: a policy and facts without a reason. Out: one decision per reason and the standing that the item list shows.
Invariants: the list and the item page use the same `decide`; no reason is left out. Never: a guess from one reason about another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from portal.policy.decision import REFUSE, REVIEW, Cause, Decision
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.loader import Policy
from portal.policy.reasons import FAULTS, REASONS

RETURNABLE, ONLY_IF_FAULTY, NOT_RETURNABLE = (
    "returnable",
    "only_if_faulty",
    "not_returnable",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One item before a reason is given.

    ``kind`` is ``returnable`` (some ordinary reason is not refused), ``only_if_faulty`` (only reasons that are the seller’s
    fault are not refused), or ``not_returnable``. ``decision`` is the one to show: the kindest among ordinary reasons.
    ``open_reasons`` are those that are not refused.
    """

    kind: str
    decision: Decision
    by_reason: Mapping[str, Decision]
    open_reasons: tuple[str, ...]

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why an ordinary reason is refused; nothing when it is not."""
        return self.decision.causes if self.decision.answer == REFUSE else ()


_ORDINARY = tuple(reason for reason in REASONS if reason not in FAULTS)
_RANK = {REFUSE: 0, REVIEW: 1}


def decide_each(facts: Facts, reasons: Sequence[str], ask: Callable[[Facts], Decision]) -> dict[str, Decision]:
    """One decision per reason. ``ask`` decides; pass a function of your own to bind versions."""
    return {reason: ask(facts.asking(reason=reason)) for reason in reasons}


def survey(
    policy: Policy,
    facts: Facts,
    *,
    reasons: Sequence[str] = tuple(REASONS),
    ask: Callable[[Facts], Decision] | None = None,
) -> Standing:
    """The standing of an item, asked for every reason."""
    by_reason = decide_each(facts, reasons, ask or (lambda asked: decide(policy, asked)))
    open_reasons = tuple(reason for reason, decision in by_reason.items() if decision.answer != REFUSE)
    ordinary = [by_reason[reason] for reason in reasons if reason in _ORDINARY] or list(by_reason.values())
    shown = max(ordinary, key=lambda decision: _RANK.get(decision.answer, 2))
    faulty_only = ONLY_IF_FAULTY if open_reasons else NOT_RETURNABLE
    kind = faulty_only if shown.answer == REFUSE else RETURNABLE
    return Standing(kind, shown, by_reason, open_reasons)
