"""Which version of a policy an order is held to, and when a later one may be offered instead.

In: published versions, the moment the order was placed. Out: the version that binds, and the decision under it.
Invariants: the version in force at purchase binds; an order older than every version is bound by the first one published; a
later version is offered only where it is marked for open orders and takes back what the binding one refuses, or is in no respect
worse for the customer. What is published for a moment that is still to come changes nothing for any order placed before now.
Never: a stricter version for an old order; a version that was replaced before it started.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Protocol, TypeVar

from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.loader import Policy
from portal.policy.terms import OUTBOUND, REFUND_WHEN, Fee, Grade, ReturnShipping
from portal.policy.terms import REVIEW as REVIEW_WORDS


@dataclass(frozen=True, slots=True)
class Version:
    """A published policy. ``number`` counts from 1, ``effective_at`` is aware."""

    number: int
    effective_at: datetime
    policy: Policy

    @property
    def apply_to_open_orders(self) -> bool:
        return self.policy.apply_to_open_orders


class Numbered(Protocol):
    """A version, with or without its policy."""

    @property
    def number(self) -> int: ...

    @property
    def effective_at(self) -> datetime: ...


V = TypeVar("V", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Bound:
    """The version that binds an order, and the later ones that might be kinder, oldest first."""

    version: Version
    later: tuple[Version, ...] = ()


def in_turn(versions: Iterable[V]) -> list[V]:
    """The versions that start, one after the other. Of several with one start only the last published does."""
    last: dict[datetime, V] = {}
    for version in sorted(versions, key=lambda each: each.number):
        last[version.effective_at] = version
    return [last[start] for start in sorted(last)]


def in_force(versions: Sequence[V], at: datetime | None) -> V:
    """The version in force at that moment. Raises ValueError when nothing was ever published.

    Before every start, and where the moment is not known (it may be before all of them), that is the first one published.
    """
    if not versions:
        raise ValueError("no policy has been published")
    started = [] if at is None else [each for each in in_turn(versions) if each.effective_at <= at]
    return started[-1] if started else min(versions, key=lambda each: each.number)


def bind(versions: Sequence[Version], placed_at: datetime | None) -> Bound:
    """The version in force when the order was placed, as `in_force`, and those that start after that."""
    later = (each for each in in_turn(versions) if placed_at is None or each.effective_at > placed_at)
    version = in_force(versions, placed_at)
    return Bound(version, tuple(each for each in later if each.apply_to_open_orders and each is not version))


def decide_bound(bound: Bound, facts: Facts) -> tuple[Version, Decision]:
    """The decision under the binding version, or under the kindest later one that is offered and already in force.

    Each is measured by what the binding version says, and the best answer among them wins. Where two with the same answer
    are each better in something, the one that started first stands: a customer may have read it.
    """
    held = (bound.version, decide(bound.version.policy, facts))
    started = [each for each in in_turn(bound.later) if facts.at is not None and each.effective_at <= facts.at]
    offers = [(each, decide(each.policy, facts)) for each in started]
    kinder_ones = [offer for offer in offers if kinder(offer[1], held[1])]
    best = max((_ANSWERS.index(decision.answer) for _, decision in kinder_ones), default=0)
    return reduce(
        lambda found, offer: offer if found is held or kinder(offer[1], found[1]) else found,
        (offer for offer in kinder_ones if _ANSWERS.index(offer[1].answer) == best),
        held,
    )


def _covers(new: Sequence[str], old: Sequence[str]) -> bool:
    return set(new) >= set(old)


def _shipping(new: ReturnShipping, old: ReturnShipping) -> bool:
    if new == old or new.paid_by == "merchant":
        return True
    if new.amount is None or old.amount is None or new.amount.currency != old.amount.currency:
        return False
    return new.amount.minor <= old.amount.minor and new.once_per == old.once_per and _covers(new.free_for, old.free_for)


def _fee(new: Fee, old: Fee) -> bool:
    if new.amount is None:
        # A fee that is an amount has no share: only no fee at all is below it, whatever it is counted in.
        return new.bp <= old.bp
    return (
        old.amount is not None and new.amount.currency == old.amount.currency and new.amount.minor <= old.amount.minor
    )


def _grades(new: Mapping[str, Grade] | None, old: Mapping[str, Grade] | None) -> bool:
    mine, theirs = new or {}, old or {}
    return all(mine.get(each, Grade()).bp >= theirs.get(each, Grade()).bp for each in {*mine, *theirs})


# For each term whether the first value is at least as good for the customer as the second. What cannot be compared (a fee in
# another currency, other methods) is not: a promise is not broken on a guess.
_AT_LEAST: Mapping[str, Callable[[Any, Any], bool]] = {
    "window": lambda new, old: bool(new.grace >= old.grace),
    "returnable": operator.ge,
    "resolutions": _covers,
    "review": lambda new, old: REVIEW_WORDS.index(new) <= REVIEW_WORDS.index(old),
    "evidence": lambda new, old: bool(new.photos <= old.photos),
    "ship_with": _covers,
    "return_shipping": _shipping,
    "restocking_fee": _fee,
    "outbound_shipping": lambda new, old: OUTBOUND.index(new) >= OUTBOUND.index(old),
    "credit_bonus": operator.ge,
    "keep_item": operator.ge,
    "refund_when": lambda new, old: REFUND_WHEN.index(new) <= REFUND_WHEN.index(old),
    "ship_by": operator.ge,
    # Terms that need not be set.
    "exchange_bonus": lambda new, old: (new or 0) >= (old or 0),
    "on_inspection": _grades,
}
# What a refusal rests on, beside the last day.
_TAKING = ("returnable", "window", "resolutions")
_ANSWERS = (REFUSE, REVIEW, ACCEPT)


def at_least(term: str, new: Any, old: Any) -> bool:
    """Whether this value of a term is at least as good for the customer as the ``old`` one; False where that can't be told."""
    return _AT_LEAST[term](new, old)


def _at_least(new: Decision, old: Decision, terms: Iterable[str] = _AT_LEAST) -> bool:
    """Whether ``new`` is in nothing worse for the customer than ``old``."""
    gained = _ANSWERS.index(new.answer) - _ANSWERS.index(old.answer)
    last, promised = new.return_by_on, old.return_by_on
    # Where nobody could tell the last day, any day is better that is told with a better answer.
    in_time = (last is None or gained > 0) if promised is None else (last is not None and last >= promised)
    return gained >= 0 and in_time and all(at_least(name, new.value(name), old.value(name)) for name in terms)


def kinder(new: Decision, old: Decision) -> bool:
    """True when ``new`` is better for the customer in something and worse in nothing, nor in anything that cannot be compared.

    What a refused line would get is worth nothing beside an answer that takes it back. Of two that refuse, the one is kinder
    that comes nearer to taking it; only where both are as near do the other terms count, for a person may still say yes.
    """
    if new.refused != old.refused:
        return old.refused
    if new.refused:
        nearer, farther = _at_least(new, old, _TAKING), _at_least(old, new, _TAKING)
        if not (nearer and farther):
            return nearer
    return _at_least(new, old) and not _at_least(old, new)
