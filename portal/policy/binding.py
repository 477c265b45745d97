"""Which version of a policy an order is held to, and when a later one may be offered instead.

In: published versions, the moment the order was placed. Out: the version that binds, and the decision under it.
Invariants: the version in force at purchase binds; an order older than every version is bound by the first one published; a
later version is offered only where it is marked for open orders and is in no respect worse for the customer.
Never: a stricter version for an old order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.loader import Policy
from portal.policy.terms import OUTBOUND, REFUND_WHEN, ReturnShipping


@dataclass(frozen=True, slots=True)
class Version:
    """A published policy. ``number`` counts from 1, ``effective_at`` is aware."""

    number: int
    effective_at: datetime
    policy: Policy

    @property
    def apply_to_open_orders(self) -> bool:
        return self.policy.apply_to_open_orders


@dataclass(frozen=True, slots=True)
class Bound:
    """The version that binds an order, and the later ones that might be kinder, oldest first."""

    version: Version
    later: tuple[Version, ...] = ()


def bind(versions: Sequence[Version], placed_at: datetime | None) -> Bound:
    """The version in force when the order was placed. Raises ValueError when nothing was ever published.

    An order whose date is not known is held to the first version: it may be older than all of them.
    """
    if not versions:
        raise ValueError("no policy has been published")
    ordered = sorted(versions, key=lambda version: (version.effective_at, version.number))
    position = 0
    if placed_at is not None:
        for index, version in enumerate(ordered):
            if version.effective_at <= placed_at:
                position = index
    later = tuple(version for version in ordered[position + 1 :] if version.apply_to_open_orders)
    return Bound(ordered[position], later)


def decide_bound(bound: Bound, facts: Facts) -> tuple[Version, Decision]:
    """The decision under the binding version, or under the kindest later one that is offered and already in force."""
    version, decision = bound.version, decide(bound.version.policy, facts)
    for candidate in bound.later:
        if facts.at is None or candidate.effective_at > facts.at:
            continue
        other = decide(candidate.policy, facts)
        if kinder(other, decision):
            version, decision = candidate, other
    return version, decision


_RANK = {REFUSE: 0, REVIEW: 1, ACCEPT: 2}


def _cost(value: ReturnShipping) -> tuple[Any, ...] | None:
    """What the way back costs, as far as two values can be compared: free is below any flat amount of one currency."""
    if value.paid_by == "merchant":
        return (0, 0)
    if value.amount is not None:
        return (value.amount.minor, 0)
    return None


def _shipping(new: ReturnShipping, old: ReturnShipping) -> int | None:
    if new == old:
        return 0
    if new.amount is not None and old.amount is not None and new.amount.currency != old.amount.currency:
        return None
    mine, theirs = _cost(new), _cost(old)
    if new.paid_by == "merchant":
        return 1
    if mine is None or theirs is None or new.once_per != old.once_per:
        return None
    if not set(new.free_for) >= set(old.free_for):
        return None if mine < theirs else -1
    return _order(theirs, mine) or 1


def _order(a: Any, b: Any) -> int:
    return 1 if a > b else -1 if a < b else 0


def _fee(new: Any, old: Any) -> int | None:
    if new == old:
        return 0
    if new.amount is None and old.amount is None:
        return _order(old.bp, new.bp)
    if new.amount is not None and old.amount is not None and new.amount.currency == old.amount.currency:
        return _order(old.amount.minor, new.amount.minor)
    return 1 if new.amount is None and new.bp == 0 else None


def _superset(new: Any, old: Any) -> int | None:
    mine, theirs = set(new), set(old)
    if mine == theirs:
        return 0
    return 1 if mine > theirs else -1 if mine < theirs else None


def _grades(new: Any, old: Any) -> int | None:
    signs = {_order(new[c].bp if c in new else 10_000, old[c].bp if c in old else 10_000) for c in {*new, *old}}
    return 0 if signs <= {0} else 1 if signs <= {0, 1} else -1 if signs <= {0, -1} else None


# For each term: 1 when the new value is better for the customer, 0 when equal, -1 when worse, None when nobody can say.
_BETTER: dict[str, Callable[[Any, Any], int | None]] = {
    "returnable": _order,
    "resolutions": _superset,
    "review": lambda new, old: _order(old == "always", new == "always"),
    "evidence": lambda new, old: _order(old.photos, new.photos),
    "ship_with": _superset,
    "return_shipping": _shipping,
    "restocking_fee": _fee,
    "outbound_shipping": lambda new, old: _order(OUTBOUND.index(new), OUTBOUND.index(old)),
    "credit_bonus": _order,
    "keep_item": _order,
    "refund_when": lambda new, old: _order(REFUND_WHEN.index(old), REFUND_WHEN.index(new)),
    "ship_by": _order,
    "exchange_bonus": _order,
    "on_inspection": _grades,
}
# What holds where an optional term is not set.
_UNSET: dict[str, Any] = {"on_inspection": {}, "exchange_bonus": 0}


def _by(new: date | None, old: date | None) -> int | None:
    return 0 if new == old else None if new is None or old is None else _order(new, old)


def kinder(new: Decision, old: Decision) -> bool:
    """True when ``new`` is better for the customer in something and worse in nothing that can be compared.

    A term that cannot be compared (a fee in another currency, other methods) counts as worse: a promise is not broken on a guess.
    """
    signs: list[int | None] = [_order(_RANK[new.answer], _RANK[old.answer])]
    if new.return_by_on != old.return_by_on:
        # Where the old version could not tell the last day, a day that the new one accepts is better already by the answer.
        unknown_before = old.return_by_on is None and signs[0] == 1
        signs.append(0 if unknown_before else _by(new.return_by_on, old.return_by_on))
    signs.append(_order(new.value("window").grace, old.value("window").grace))
    for term, better in _BETTER.items():
        unset = _UNSET.get(term)
        mine, theirs = new.value(term), old.value(term)
        mine, theirs = unset if mine is None else mine, unset if theirs is None else theirs
        if mine is not None and theirs is not None:
            signs.append(better(mine, theirs))
    return all(sign is not None and sign >= 0 for sign in signs) and any(sign == 1 for sign in signs)
