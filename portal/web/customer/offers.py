"""What the customer is offered for one item and one reason, each outcome with the money it gives.

In: a basket and one choice. Out: `Offer`. Invariants: every amount is the policy's own quote of this item; an outcome that the
policy refuses is not offered; the number of queries does not depend on the order. Never: a decision of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from portal.orders.models import Variant
from portal.orders.stock import siblings
from portal.policy import quote as sums
from portal.policy.counterfactual import WhatIf
from portal.policy.decision import Cause, Decision
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT, Quote, ShippingPaid
from portal.policy.reasons import FAULTS, REASONS
from portal.policy.terms import Evidence, Question
from portal.returns.assess import Assessment, LineAssessment, assess, quote_line
from portal.returns.explaining import told_of_wish
from portal.web.customer.basket import Basket
from portal.web.customer.plan import Choice

ORDER = (EXCHANGE, STORE_CREDIT, REFUND)
"""Outcomes stand in this order on every page."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way to end well: what it gives for this item alone."""

    resolution: str
    decision: Decision
    quote: Quote

    @property
    def total_minor(self) -> int:
        """What it gives, in minor units."""
        return self.quote.total.minor


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything for one item and reason. ``refusal`` is the decision when nothing is offered; ``evidence`` how many photos of
    what the policy asks, ``photo_cause`` the rule's words for it; ``in_stock`` the articles that can be sent now. ``keeps`` says
    that nothing has to be sent, ``gives_away`` that the customer is asked to pass it on."""

    outcomes: tuple[Outcome, ...]
    refusal: Decision | None
    review: tuple[Cause, ...]
    evidence: Evidence
    questions: tuple[Question, ...]
    photo_cause: Cause | None
    message: str
    keeps: bool
    gives_away: bool
    variants: tuple[Variant, ...]
    in_stock: tuple[Variant, ...]
    changes: tuple[WhatIf, ...] = ()

    def outcome(self, resolution: str) -> Outcome | None:
        """The outcome of this name, if it is offered."""
        return next((each for each in self.outcomes if each.resolution == resolution), None)


def offer_for(basket: Basket, choice: Choice, at: datetime) -> Offer:
    """What is offered for ``choice`` beside everything else that is in the return."""
    found = {resolution: _assess(basket, choice, resolution, at) for resolution in ORDER}
    lines = {resolution: each.lines[0] for resolution, each in found.items()}
    wanted = lines[REFUND].decision.value("resolutions")
    offered = [name for name in ORDER if name in wanted and (choice.ask or not lines[name].decision.refused)]
    variants: tuple[Variant, ...] = ()
    if EXCHANGE in offered:
        bonus = lines[EXCHANGE].decision.value("exchange_bonus") or 0
        bought = basket.line(choice.line)
        # The very same article is an exchange only where the one that was sent is at fault.
        variants = tuple(
            each
            for each in siblings(basket.session, bought, bonus)
            if each.sku != bought.sku or choice.reason in FAULTS
        )
    in_stock = tuple(each for each in variants if each.stock - each.reserved >= choice.quantity)
    if EXCHANGE in offered and not in_stock:
        offered.remove(EXCHANGE)
    alone = len(basket.plan.choices) == 1
    shown = lines[offered[0]] if offered else lines[REFUND]
    evidence: Evidence = shown.decision.value("evidence") or Evidence()
    return Offer(
        outcomes=tuple(Outcome(name, lines[name].decision, _by_itself(basket, found[name], alone)) for name in offered),
        refusal=None if offered else lines[REFUND].decision,
        review=shown.decision.causes if offered and not choice.ask else (),
        evidence=evidence,
        questions=questions.items if (questions := shown.decision.value("questions")) is not None else (),
        photo_cause=_photo_cause(basket, choice, shown, at) if evidence.photos else None,
        keeps=bool(offered) and shown.keeps_item,
        gives_away=bool(offered) and shown.keeps_item and bool(shown.decision.value("donate")),
        message=shown.decision.value("message") or "" if offered else "",
        variants=variants,
        in_stock=in_stock,
        changes=() if shown.decision.accepted else told_of_wish(basket.book, basket.order, shown),
    )


def needs_asking(basket: Basket, choice: Choice, at: datetime) -> bool:
    """Whether ``choice`` was asked as a question and is one: what the policy does not refuse is booked as usual."""
    return choice.ask and offer_for(basket, replace(choice, ask=False), at).refusal is not None


def _assess(basket: Basket, choice: Choice, resolution: str, at: datetime, photos: int | None = None) -> Assessment:
    wish = basket.wish(choice, resolution)
    if photos is not None:
        wish = replace(wish, photos=photos)
    others = [basket.wish(each) for each in basket.plan.choices if each.line != choice.line]
    method = basket.plan.ship_with or None
    return assess(basket.session, basket.book, basket.order, [wish, *others], at=at, ship_with=method)


def _by_itself(basket: Basket, found: Assessment, alone: bool) -> Quote:
    """The money of this item without the others, its label counted: together with other items the sum can only rise."""
    line = found.lines[0]
    return sums.quote(
        [quote_line(line.wish, line.worth, line.decision)],
        basket.order.currency,
        shipping=found.basis.shipping if alone else ShippingPaid(),
        full_return=found.basis.full_return,
        fee_already_charged=found.basis.fee_charged,
        ship_with=basket.plan.ship_with or None,
    )


def _photo_cause(basket: Basket, choice: Choice, line: LineAssessment, at: datetime) -> Cause | None:
    """The rule's own words for the photo; once it is there, they are asked for as if it were not."""
    if line.wish.photos and all(cause.code != "photo_required" for cause in line.decision.requires):
        line = _assess(basket, choice, line.wish.resolution, at, photos=0).lines[0]
    return next((cause for cause in line.decision.requires if cause.code == "photo_required"), None)


def reasons_for(choice: Choice) -> tuple[str, ...]:
    """The reasons that the page asks: all of them, or only faults where a fault is reported."""
    return tuple(reason for reason in REASONS if not choice.fault or reason in FAULTS)


def is_answered(question: Question, choice: Choice) -> bool:
    """True when the customer has said something that counts as an answer."""
    said = choice.answers.get(question.name, "")
    return said in question.choices if question.choices else bool(said)


def missing(offer: Offer, choice: Choice, photos: int) -> tuple[str, ...]:
    """Everything that the choice still lacks, as ids of fields in the order of the page: reason, question, note, photo, outcome,
    variant."""
    if not choice.reason:
        return ("reason",)
    wrong = {
        "question": not choice.ask and not all(is_answered(question, choice) for question in offer.questions),
        "note": choice.ask and not choice.note,
        "photo": not choice.ask and photos < offer.evidence.photos,
        "outcome": offer.outcome(choice.resolution) is None,
        "variant": choice.resolution == EXCHANGE and choice.exchange_sku not in {each.sku for each in offer.in_stock},
    }
    return tuple(field for field, lacks in wrong.items() if lacks)
