"""What a policy promises before anything is bought: to a country, for a kind of item, for a reason. Page, search engines and the
widget of product pages all say what is computed here, and it is computed by deciding.

In: a policy, a way to decide, and what is known of a purchase. Out: a `Promise`: the decision that holds, what a law gives
before it, and the rules and exemptions that could still change it. Invariants: whatever completes the known facts without
meeting one of those is decided just so on every day; nothing is read from a rule that the decision does not say.
Never: a clock; a promise about an order that exists already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeAlias

from portal.money import Money
from portal.policy.conditions import ALWAYS, Unknown, comparisons
from portal.policy.decision import REFUSE, Decision, Term
from portal.policy.engine import end_of_day
from portal.policy.facts import Facts, ItemFacts, OrderFacts
from portal.policy.laws import START_OF, Floor, last_day
from portal.policy.loader import Policy, Rule
from portal.policy.schema import COUNTRIES
from portal.policy.terms import RESOLUTIONS, Fee, ReturnShipping, Window

Asks: TypeAlias = Callable[[Policy], Callable[[Facts], Decision]]
"""Gives the way in which a policy decides, laws included."""
UNKNOWN_ITEM = ItemFacts()
ITEM_FACTS = ("item.category", "item.type", "item.tags")
"""What a kind of item is known by."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is known of a purchase: where it goes, in which currency, when, and as much of the item as a product page knows.

    ``tags`` None means that they are not known, an empty tuple that there are none. The buyer is a consumer. ``since`` is the
    first day of purchase that the policy binds, ``before`` the first one that another version binds; None: there is no such.
    """

    country: str
    currency: str
    placed_at: datetime
    item: ItemFacts = UNKNOWN_ITEM
    since: date | None = None
    before: date | None = None

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
class Stage:
    """Days in which a law gives more than the policy alone: ``within`` is the law's window, ``last_on`` its last day for a parcel
    that comes when the promise takes it to come, ``decision`` what holds in it."""

    within: Window
    last_on: date
    decision: Decision


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs to send it back: ``stage`` says until when, None: to the end of the window."""

    stage: Stage | None
    shipping: Shipping
    fee: Fee


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds for one reason. ``decision`` is that for ``resolution``, the first one of refund, store credit and exchange
    that is offered, on the last day; ``shipping`` and ``fee`` are its costs, ``free_for`` the other offers that cost nothing to
    send back. ``stages`` come before it, each with what a law gives for its own days.

    ``depends`` are the rules that may still change it, by facts that are not known, ``exempt`` the rights of a law that it does
    not give for some goods, where it is not known whether this is one of them.
    """

    reason: str
    resolution: str
    decision: Decision
    shipping: Shipping
    fee: Fee
    resolutions: tuple[str, ...]
    free_for: tuple[str, ...]
    depends: tuple[Rule, ...]
    stages: tuple[Stage, ...] = ()
    exempt: tuple[Floor, ...] = ()

    @property
    def window(self) -> Window:
        """How long the customer has."""
        found: Window = self.decision.value("window")
        return found

    @property
    def methods(self) -> tuple[str, ...]:
        """The ways to send it back; none where the customer keeps it."""
        return () if self.decision.value("keep_item") else tuple(self.decision.value("ship_with"))

    def uncertain(self, term: str) -> bool:
        """Whether facts that are not known may still change this term."""
        return any(self.changed(rule, term) for rule in self.depends)

    def changed(self, rule: Rule, term: str) -> bool:
        """Whether a rule sets another value of this term than the one that is promised."""
        return term in rule.sets and rule.sets[term] != self.decision.value(term)

    def same_terms(self, other: Promise) -> bool:
        """Whether a customer is promised the same, whichever rule says so."""
        return self.told() == other.told()

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What it costs from the first day to the last; more than one where a law makes it cheaper for its own days."""
        found = [Cost(each, *_cost(each.decision, self.resolution)) for each in self.stages]
        found.append(Cost(None, self.shipping, self.fee))
        return (
            *(here for here, then in pairwise(found) if (here.shipping, here.fee) != (then.shipping, then.fee)),
            found[-1],
        )

    def told(self) -> tuple[Any, ...]:
        """Everything that a customer is told, to be compared."""
        if self.decision.answer == REFUSE:
            return (REFUSE,)
        return (
            self.resolution, frozenset(self.resolutions), frozenset(self.free_for), _said(self.decision),
            tuple((each.within, _said(each.decision)) for each in self.stages),
        )  # fmt: skip


def _said(decided: Decision) -> tuple[Any, ...]:
    """What a customer reads of one decision, to be compared."""
    named = ("window", "return_shipping", "restocking_fee", "evidence", "credit_bonus", "refund_when", "outbound_shipping",
             "keep_item", "ship_by", "exchange_bonus", "donate")  # fmt: skip
    lists = (frozenset(decided.value(name)) for name in ("resolutions", "ship_with"))
    return (decided.answer, *(decided.value(name) for name in named), *lists)


def promise(
    policy: Policy,
    asks: Asks,
    purchase: Purchase,
    reason: str,
    *,
    resolution: str | None = None,
    assumed: Collection[str] = (),
) -> Promise:
    """What is promised to a customer with this reason.

    ``resolution`` asks for this one in the place of the first one that is offered; of the rules named ``assumed`` those hold
    whose facts are not known.
    """
    found = {each: _decide(policy, asks, purchase, reason, each, assumed) for each in RESOLUTIONS}
    offered = tuple(name for name, each in found.items() if name in each.decision.value("resolutions"))
    order: list[str] = [name for name in ("refund", "store_credit", "exchange") if name in offered] or ["refund"]
    if resolution is not None:
        order = [resolution, *(name for name in order if name != resolution)]
    first = found[order[0]]
    shipping, fee = _cost(first.decision, order[0])
    free = tuple(name for name in order[1:] if shipping_cost(found[name].decision, name).kind == "free")
    return Promise(
        reason, order[0], first.decision, shipping, fee, offered, () if shipping.kind == "free" else free, first.depends,
        first.stages, first.exempt,
    )  # fmt: skip


def _cost(decision: Decision, resolution: str) -> tuple[Shipping, Fee]:
    fee: Fee = decision.value("restocking_fee") if resolution != "exchange" else Fee()
    return shipping_cost(decision, resolution), Fee() if fee.amount is not None and not fee.amount.minor else fee


@dataclass(frozen=True, slots=True)
class _Found:
    decision: Decision
    stages: tuple[Stage, ...]
    depends: tuple[Rule, ...]
    exempt: tuple[Floor, ...]


def _decide(
    policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str, assumed: Collection[str]
) -> _Found:
    decide, asked, depends = _asked(policy, asks, purchase, reason, resolution, assumed)
    arrival = decide(asked)
    last, last_on = arrival.return_by, arrival.return_by_on
    if arrival.answer == REFUSE or last is None or last_on is None:
        return _Found(arrival, (), depends, _exempt(policy, purchase.facts(reason, resolution), (arrival,)))
    # What a law gives for its own days alone ends with them, so each of these ends is a day to ask for.
    ends = {day: within for day, within in sorted(_legal_ends(policy, asked), key=lambda end: end[0]) if day < last_on}
    stages = [
        Stage(within, day, decide(replace(asked, at=end_of_day(day, policy.zone)))) for day, within in ends.items()
    ]
    final = decide(replace(asked, at=last))
    decided = [*(each.decision for each in stages), final]
    kept = tuple(stage for stage, then in zip(stages, decided[1:], strict=True) if _said(stage.decision) != _said(then))
    return _Found(final, kept, depends, _exempt(policy, purchase.facts(reason, resolution), decided))


def _legal_ends(policy: Policy, asked: Facts) -> Iterator[tuple[date, Window]]:
    for law in policy.floors:
        for floor in law.floors if law.holds(asked) is True else ():
            within: Window = floor.grants["window"]
            day = last_day(within, asked, policy.zone) if floor.holds(asked) is True else None
            if day is not None:
                yield day, within


def _exempt(policy: Policy, known: Facts, decided: Collection[Decision]) -> tuple[Floor, ...]:
    """The floors that set something here and that their law may not give for this item, by what is not known of it."""
    setters = {term.set_by for each in decided for term in each.terms.values()}
    return tuple(
        floor
        for law in policy.floors
        for floor in law.floors
        if floor.label in setters and isinstance(floor.exempt(known), Unknown)
    )


def on_arrival(policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str = "refund") -> Decision:
    """What is decided on the day on which the parcel comes: it also shows what a law gives for its own days alone."""
    decide, asked, _ = _asked(policy, asks, purchase, reason, resolution)
    return decide(asked)


def _asked(
    policy: Policy, asks: Asks, purchase: Purchase, reason: str, resolution: str, assumed: Collection[str] = ()
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
        elif isinstance(holds, Unknown) and is_foreign(rule, holds, purchase.currency):
            held.append(rule)
        elif isinstance(holds, Unknown) and rule.name in assumed:
            held.append(replace(rule, when=ALWAYS, holds=_always))
            decided |= rule.sets.keys()
        elif isinstance(holds, Unknown) and not rule.sets.keys() <= decided:
            depends.append(rule)
    # The rules that hold are asked again with a parcel that came at once and a question on the same day: whatever is left
    # unknown is asked by none of them. A law is asked of goods for which it makes no exemption, unless a tag says otherwise.
    placed = purchase.placed_at
    came = purchase.item.delivered_at or placed
    # Amounts are in the currency of the order, and none of these rules compares them in it.
    worth = Money(0, purchase.currency)
    item = replace(purchase.item, shipped_at=placed, delivered_at=came, tags=purchase.item.tags or ())
    asked = replace(
        known,
        order=replace(known.order, last_delivered_at=came, total=worth),
        customer=replace(known.customer, refunded_90_days=worth, credit_received=worth),
        item=replace(item, price=item.price or worth, paid=item.paid or worth),
        line_value=worth,
        return_value=worth,
        evidence=0,
        at=placed,
    )
    decide = asks(replace(policy, rules=tuple(held)))
    return lambda facts: _from_the_later_start(policy, facts, decide(facts)), asked, tuple(depends)


def _from_the_later_start(policy: Policy, facts: Facts, decided: Decision) -> Decision:
    """The decision with the window of a law in the place of one that has as many days from an earlier moment. They end on one day
    here only because all of an order is taken to come at once; an order that comes in two parcels has the law's days."""
    term, starts = decided.terms["window"], tuple(START_OF)
    given: Window = term.value
    for law in policy.floors:
        for floor in law.floors if law.holds(facts) is True else ():
            granted: Window = floor.grants["window"]
            as_long = (granted.until, granted.days, granted.ends_on) == (given.until, given.days, given.ends_on)
            if (
                as_long
                and starts.index(granted.start) > starts.index(given.start)
                and floor.holds(facts) is True
                and floor.exempt(facts) is False
            ):
                later = Term(granted, floor.label, ((term.set_by, given), *term.instead_of))
                return replace(decided, terms={**decided.terms, "window": later})
    return decided


def is_foreign(rule: Rule, why: Unknown, currency: str) -> bool:
    """Whether all that keeps a rule from being evaluated are amounts that it counts in other currencies than this one: no order
    in it can ever be told by the rule, so a person decides each."""

    def counted(fact: str) -> set[str]:
        return {
            amount.currency
            for test in comparisons(rule.when)
            if test.fact == fact
            for amount in (test.value if isinstance(test.value, tuple) else (test.value,))
            if isinstance(amount, Money)
        }

    # The first fact that is no amount settles it: rules of many alternatives lack many facts at once.
    return all((found := counted(miss.fact)) and currency not in found for miss in why.misses)


def _always(_facts: Facts) -> bool:
    return True


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
    return tuple(sorted(each for each in _values(policy, "order.country") if each in COUNTRIES))


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


def exempt_kinds(policy: Policy) -> tuple[Kind, ...]:
    """Every kind of item to which a law under the policy does not extend one of its rights."""
    found = [
        Kind(test.fact, value)
        for law in policy.floors
        for floor in law.floors
        for test in comparisons(floor.unless)
        if test.fact in ITEM_FACTS
        for value in (test.value if isinstance(test.value, tuple) else (test.value,))
    ]
    return tuple(dict.fromkeys(found))


def ordinary(item: ItemFacts = UNKNOWN_ITEM) -> ItemFacts:
    """An item that is of none of the named kinds, as far as ``item`` does not say so: no tag, no category, no type."""
    return replace(
        item,
        tags=() if item.tags is None else item.tags,
        category="" if item.category is None else item.category,
        type="" if item.type is None else item.type,
    )
