"""What a policy promises before anything is bought: to a country, for a kind of item, in a season. Page, search engines and the
widget of product pages all say what is computed here, and it is computed by deciding.

In: a policy, a way to decide, and what is known of a purchase. Out: a `Promise`: the decision that holds, and the rules that
could still change it. Invariants: whatever completes the known facts without meeting one of those rules is decided just so;
nothing is read from a rule that the decision does not say. Never: a clock; a promise about an order that exists already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

from portal.money import Money
from portal.policy.conditions import Unknown, comparisons
from portal.policy.decision import REFUSE, Decision
from portal.policy.facts import Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy, Rule
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.terms import RESOLUTIONS, Fee, ReturnShipping, Window

Asks: TypeAlias = Callable[[Policy], Callable[[Facts], Decision]]
"""Gives the way in which a policy decides, laws included."""
FAR = timedelta(days=400)
"""How far ahead seasons are told."""
UNKNOWN_ITEM = ItemFacts()
ITEM_FACTS = ("item.category", "item.type", "item.tags")
"""What a kind of item is known by."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is known of a purchase: where it goes, in which currency, when, and as much of the item as a product page knows.

    ``tags`` None means that they are not known, an empty tuple that there are none. The buyer is a consumer.
    """

    country: str
    currency: str
    placed_at: datetime
    item: ItemFacts = UNKNOWN_ITEM

    def facts(self, reason: str, resolution: str | None = None) -> Facts:
        """The facts as far as they are known."""
        return Facts(
            order=OrderFacts(placed_at=self.placed_at, country=self.country, currency=self.currency, is_business=False),
            item=self.item,
            reason=reason,
            resolution=resolution,
            evidence=None,
            is_consumer=True,
        )


@dataclass(frozen=True, slots=True)
class Shipping:
    """What the way back costs: ``kind`` is free, label (``amount`` or ``share_bp`` of the value comes off) or own (the customer
    pays the carrier)."""

    kind: str
    amount: Money | None = None
    share_bp: int | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds for one reason. ``decision`` is that for ``resolution``, the first one of refund, store credit and exchange
    that is offered; ``shipping`` and ``fee`` are its costs, ``free_for`` the other offers that cost nothing to send back.

    ``depends`` are the rules that may still change it, by facts that are not known.
    """

    reason: str
    resolution: str
    decision: Decision
    shipping: Shipping
    fee: Fee
    resolutions: tuple[str, ...]
    free_for: tuple[str, ...]
    depends: tuple[Rule, ...]

    @property
    def window(self) -> Window:
        """How long the customer has."""
        found: Window = self.decision.value("window")
        return found

    @property
    def methods(self) -> tuple[str, ...]:
        """The ways to send it back; none where the customer keeps it."""
        return () if self.decision.value("keep_item") else tuple(self.decision.value("ship_with"))

    def same_terms(self, other: Promise) -> bool:
        """Whether a customer is promised the same, whichever rule says so."""
        return self.told() == other.told()

    def told(self) -> tuple[Any, ...]:
        """Everything that a customer is told, to be compared."""
        answer, decided = self.decision.answer, self.decision
        if answer == REFUSE:
            return (answer,)
        return (
            answer, self.window, self.shipping, self.fee, frozenset(self.resolutions), frozenset(self.free_for),
            frozenset(self.methods), decided.value("evidence"), decided.value("credit_bonus"), decided.value("refund_when"),
            decided.value("outbound_shipping"), decided.value("keep_item"),
        )  # fmt: skip


def promise(policy: Policy, asks: Asks, purchase: Purchase, reason: str) -> Promise:
    """What is promised to a customer with this reason."""
    found = {resolution: _decide(policy, asks, purchase, reason, resolution) for resolution in RESOLUTIONS}
    offered = tuple(name for name, (decision, _) in found.items() if name in decision.value("resolutions"))
    order = [name for name in ("refund", "store_credit", "exchange") if name in offered] or ["refund"]
    first = order[0]
    decision, depends = found[first]
    shipping = shipping_cost(decision, first)
    free = tuple(name for name in order[1:] if shipping_cost(found[name][0], name).kind == "free")
    fee: Fee = decision.value("restocking_fee") if first != "exchange" else Fee()
    return Promise(
        reason, first, decision, shipping, fee, offered, () if shipping.kind == "free" else free, depends
    )  # fmt: skip


def _decide(
    policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str
) -> tuple[Decision, tuple[Rule, ...]]:
    decide, asked, depends = _asked(policy, asks, purchase, reason, resolution)
    found = decide(asked)
    # What a law gives for its own days alone is no promise for the whole time: the last day tells what always holds.
    last = found.return_by if found.accepted else None
    return found if last is None else decide(replace(asked, at=last)), depends


def on_arrival(policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str = "refund") -> Decision:
    """What is decided on the day on which the parcel comes: it also shows what a law gives for its own days alone."""
    decide, asked, _ = _asked(policy, asks, purchase, reason, resolution)
    return decide(asked)


def _asked(
    policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str
) -> tuple[Callable[[Facts], Decision], Facts, tuple[Rule, ...]]:
    """The way to decide by the rules that hold for certain, the facts for it, and the rules that could still change it."""
    known = purchase.facts(reason, resolution)
    held: list[Rule] = []
    depends: list[Rule] = []
    decided: set[str] = set()
    for rule in policy.rules:
        holds = rule.holds(known)
        if holds is True:
            held.append(rule)
            decided |= rule.sets.keys()
        elif isinstance(holds, Unknown) and not rule.sets.keys() <= decided:
            depends.append(rule)
    # The rules that hold are asked again with a parcel that came at once and a question on the same day: whatever is left
    # unknown is asked by none of them.
    placed = purchase.placed_at
    came = purchase.item.delivered_at or placed
    asked = replace(
        known,
        order=replace(known.order, last_delivered_at=came),
        item=replace(purchase.item, shipped_at=placed, delivered_at=came),
        evidence=0,
        at=placed,
    )
    return asks(replace(policy, rules=tuple(held))), asked, tuple(depends)


def shipping_cost(decision: Decision, resolution: str) -> Shipping:
    """What the customer pays for the way back, as `quote` takes it off."""
    terms: ReturnShipping = decision.value("return_shipping")
    free = terms.paid_by == "merchant" or resolution in terms.free_for or decision.value("keep_item")
    if free:
        return Shipping("free")
    if terms.amount is None and terms.bp is None:
        return Shipping("own")
    if resolution == "exchange":
        # No money moves that the label could be taken from.
        return Shipping("free")
    return Shipping("label", terms.amount, terms.bp)


def _values(policy: Policy, fact: str) -> tuple[str, ...]:
    found: list[str] = []
    for rule in policy.rules:
        for test in comparisons(rule.when):
            if test.fact == fact and test.op != "matches":
                found += test.value if isinstance(test.value, tuple) else (test.value,)
    return tuple(dict.fromkeys(str(each) for each in found))


def countries(policy: Policy) -> tuple[str, ...]:
    """The countries that a rule names."""
    return tuple(sorted(_values(policy, "order.country")))


def kin(policy: Policy, country: str) -> Any:
    """All that rules and laws can tell a country by: whatever is asked of two with the same kin is decided alike."""
    named = [test for rule in policy.rules for test in comparisons(rule.when) if test.fact == "order.country"]
    if country in countries(policy) or any(test.op == "matches" for test in named):
        return country
    facts = Facts(order=OrderFacts(country=country))
    return tuple(law.holds(facts) is True for law in policy.floors)


def currencies(policy: Policy) -> tuple[str, ...]:
    """The currencies that a rule names."""
    return tuple(sorted(_values(policy, "order.currency")))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of item that a rule names: ``fact`` is item.category, item.type or item.tags."""

    fact: str
    value: str

    def item(self) -> ItemFacts:
        """An item of which no more is known; one with a tag has no other tag."""
        match self.fact:
            case "item.category":
                return ItemFacts(category=self.value)
            case "item.type":
                return ItemFacts(type=self.value)
            case _tags:
                return ItemFacts(tags=(self.value,))


def kinds(policy: Policy) -> tuple[Kind, ...]:
    """Every kind of item that a rule names, in the order of the rules."""
    return tuple(Kind(fact, value) for fact in ITEM_FACTS for value in _values(policy, fact))


def ordinary(item: ItemFacts = UNKNOWN_ITEM) -> ItemFacts:
    """An item that is of none of the named kinds, as far as ``item`` does not say so: no tag, no category, no type."""
    return replace(
        item,
        tags=() if item.tags is None else item.tags,
        category="" if item.category is None else item.category,
        type="" if item.type is None else item.type,
    )


@dataclass(frozen=True, slots=True)
class Season:
    """Days of purchase, both inclusive, on which something else is promised: ``promise`` for a change of mind, ``faulty`` for a
    fault. Either may be that of all other days."""

    first: date
    last: date
    promise: Promise
    faulty: Promise

    def told(self) -> tuple[Any, ...]:
        """What is promised in it, to be compared."""
        return self.promise.told(), self.faulty.told()


def seasons(policy: Policy, asks: Asks, purchase: Purchase) -> tuple[Promise, Promise, tuple[Season, ...]]:
    """What is promised outside of seasons, for a change of mind and for a fault, and the seasons from the purchase on in which
    something else is.

    Outside means: for purchases after the last day that a rule names. Days are those of the policy's calendar.
    """
    today = purchase.placed_at.astimezone(policy.zone).date()
    edges: set[date] = set()
    for rule in policy.rules:
        for test in comparisons(rule.when):
            if test.fact != "order.placed":
                continue
            first, last = test.value if isinstance(test.value, tuple) else (test.value, test.value)
            edges |= set() if test.op == "to" else {first}
            edges |= set() if test.op == "from" else {last + timedelta(days=1)}
    edges |= {
        value.until + timedelta(days=1)
        for sets in (policy.otherwise, *(rule.sets for rule in policy.rules))
        if isinstance(value := sets.get("window"), Window) and value.until is not None
    }
    # The season of today began at the last edge; nothing changes between that day and today.
    began = max((edge for edge in edges if edge <= today), default=today)
    ahead = [began, *sorted(edge for edge in edges if edge > today)]

    def on(day: date) -> tuple[Promise, Promise]:
        bought = replace(purchase, placed_at=_noon(day, policy))
        return promise(policy, asks, bought, CHANGED_MIND), promise(policy, asks, bought, FAULTY)

    usual, faulty = on(ahead[-1])
    found: list[Season] = []
    for first, following in pairwise(ahead):
        here = Season(first, following - timedelta(days=1), *on(first))
        if here.told() == (usual.told(), faulty.told()):
            continue
        if found and found[-1].last == first - timedelta(days=1) and found[-1].told() == here.told():
            found[-1] = replace(found[-1], last=here.last)
        elif first <= today + FAR:
            found.append(here)
    return usual, faulty, tuple(found)


def _noon(day: date, policy: Policy) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=policy.zone)


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything that is promised for purchases of one kind to some countries, the same for all of them."""

    countries: tuple[str, ...]
    currency: str
    usual: Promise
    faulty: Promise
    seasons: tuple[Season, ...]

    def told(self) -> tuple[Any, ...]:
        """Everything that a customer is told, to be compared."""
        return (
            self.usual.told(), self.faulty.told(), tuple((each.first, each.last, each.told()) for each in self.seasons)
        )  # fmt: skip


def offer(policy: Policy, asks: Asks, purchase: Purchase) -> Offer:
    """What is promised for a purchase, for a change of mind and for a fault."""
    usual, faulty, found = seasons(policy, asks, purchase)
    return Offer((purchase.country,), purchase.currency, usual, faulty, found)


def offers(policy: Policy, asks: Asks, purchase: Purchase, sold_to: Sequence[str]) -> tuple[Offer, ...]:
    """One offer for all countries to which the same is promised, in the order of the countries."""
    grouped: dict[tuple[Any, ...], Offer] = {}
    akin: dict[Any, list[str]] = {}
    for country in sold_to:
        akin.setdefault(kin(policy, country), []).append(country)
    for group in akin.values():
        found = offer(policy, asks, replace(purchase, country=group[0]))
        known = grouped.get(found.told())
        grouped[found.told()] = replace(found, countries=(*(known.countries if known is not None else ()), *group))
    order = {country: place for place, country in enumerate(sold_to)}
    told = [replace(each, countries=tuple(sorted(each.countries, key=order.__getitem__))) for each in grouped.values()]
    return tuple(sorted(told, key=lambda each: order[each.countries[0]]))
