"""Withdrawing from the contract: tick what it is about, confirm, done. It asks for no reason, no photo and no choice but which.

In: an order that this session may see. Out: a booked return, made by the one service that books; its page is the confirmation.
Invariants: the declaration is taken whatever the policy says (Directive 2011/83/EU,
Article 11); the same press twice is one return. Never: an exchange, store credit or a fee of its own: the money is the policy's
quote of a refund.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal import clock, ids
from portal.errors import Conflict, Invalid
from portal.notices.breakdown import units_of
from portal.orders.models import OrderLine
from portal.policy.decision import ACCEPT
from portal.policy.explain import cause_message
from portal.policy.quote import REFUND
from portal.policy.reasons import CHANGED_MIND
from portal.policybook.service import load_book
from portal.returns import service
from portal.returns.assess import Assessment, Wish, assess
from portal.returns.booking import OWN_WAY
from portal.returns.queries import find_booked_rma
from portal.web.customer import grants
from portal.web.customer.amounts import pay_to, pots, tax_note, together
from portal.web.customer.base import (
    Errors,
    command,
    limit_writes,
    page,
    pages,
    ports,
    read,
    see,
    speech,
    typed_email,
)
from portal.web.customer.basket import Basket, open_basket
from portal.web.customer.items import MOST_IN_A_LIST, name_of
from portal.web.customer.review import is_amount, own_email, shown_email
from portal.web.customer.send import offered_ways, way_words, ways
from portal.web.customer.words import _

Answer = Response | tuple[str, int]
LONGEST_KEY = 28
"""Signs of a key, of five bits each."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One line that the customer withdraws from, and how many of it."""

    line: OrderLine
    quantity: int

    @property
    def name(self) -> str:
        """What the customer calls it and how many of it: the confirmation is their proof."""
        return units_of(name_of(self.line), self.quantity, self.line.quantity, speech(), self.line.variant)


@pages.get("/order/<path:number>/withdraw")
def withdrawal(number: str) -> Answer:
    """Tick what it is about, or take all of it."""
    with read() as session:
        return _choose(open_basket(session, number))


@pages.get("/order/<path:number>/withdraw/confirm")
def confirm_withdrawal(number: str) -> Answer:
    """The second step: what is declared, and the refund."""
    with read() as session:
        basket = open_basket(session, number)
        declared, errors = _declared(basket, request.args)
        return _choose(basket, errors) if errors or not declared else _confirm(basket, declared, request.args)


@pages.post("/order/<path:number>/withdraw/confirm")
def declare_withdrawal(number: str) -> Answer:
    """Take the declaration. The same press again leads to the same return."""
    with read() as session:
        basket = open_basket(session, number)
        key = f"withdrawal:{basket.order.id}:{_key(request.form)}"
        if (rma := find_booked_rma(session, key)) is not None:
            return see("booked", rma=rma)
        declared, errors = _declared(basket, request.form)
        if errors or not declared:
            return _choose(basket, errors)
        email, wrong = typed_email()
        if wrong:
            return _confirm(basket, declared, request.form, wrong)
        found, wishes = _assessed(basket, declared, request.form.get("way", ""))
        shown = request.form.get("shown_total", "")
        limit_writes()
        try:
            with command(basket.order.customer_name if basket.grant.by_email else "") as tx:
                rma = service.book(
                    tx,
                    load_book(tx.session),
                    basket.order.id,
                    wishes,
                    booking_key=key,
                    email=email,
                    ship_with=_way(found, request.form.get("way", "")),
                    shown_total=int(shown) if is_amount(shown) else None,
                    locale=speech().locale,
                    decide_within_hours=ports().shop.decide_within_hours,
                    withdrawal=True,
                    by_postcode=not basket.grant.by_email,
                ).rma
        except Conflict:
            flash(_("The amount has changed since it was shown. Look at the new amount, then confirm."), "amber")
            return see("confirm_withdrawal", number=basket.number, **_fields(declared))
        except Invalid:
            flash(_("Some of this came into a return meanwhile. Select again what you withdraw from."), "amber")
            return see("withdrawal", number=basket.number)
    grants.grant_return(rma, by_email=basket.grant.by_email)
    return see("booked", rma=rma)


def _key(form: Mapping[str, str]) -> str:
    """What the confirming page was drawn with, so that its button pressed twice declares once."""
    key = form.get("key", "")
    return key if key.isascii() and key.isalnum() and len(key) <= LONGEST_KEY else ids.new_code(LONGEST_KEY)


def _declared(basket: Basket, given: MultiDict[str, str]) -> tuple[list[Declared], Errors]:
    left = [line for line in basket.order.lines if line.units_left > 0]
    wanted = given.getlist("line")
    ticked = [line for line in left if str(line.position) in wanted]
    if len(ticked) < len(set(wanted)):
        # What has gone is never made up for by what was not meant.
        first = f"line-{left[0].position}" if left else ""
        return [], [(first, _("Some of this is in a return already. Select again what you withdraw from"))]
    if not ticked and given.get("chosen"):
        first = f"line-{left[0].position}" if left else ""
        return [], [(first, _("Select at least one item, or withdraw from everything"))]
    if not ticked:
        return [Declared(line, line.units_left) for line in left], []
    declared: list[Declared] = []
    errors: Errors = []
    for line in ticked:
        text = given.get(f"quantity-{line.position}", str(line.units_left)).strip()
        quantity = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= quantity <= line.units_left:
            message = _("%(name)s: choose from 1 to %(most)s", name=name_of(line), most=line.units_left)
            errors.append((f"quantity-{line.position}", message))
        declared.append(Declared(line, quantity))
    return declared, errors


def _fields(declared: list[Declared]) -> dict[str, Any]:
    """The choice as the fields of an address or a form."""
    quantities = {f"quantity-{each.line.position}": each.quantity for each in declared}
    return {"line": [each.line.position for each in declared], **quantities}


def _choose(basket: Basket, errors: Errors | None = None) -> tuple[str, int]:
    left = [line for line in basket.order.lines if line.units_left > 0] if basket.book.versions else []
    ticked = request.values.getlist("line")
    return page(
        "withdrawal",
        errors,
        order=basket.order,
        lines=[
            (line, name_of(line), str(line.position) in ticked, request.values.get(f"quantity-{line.position}", line.units_left))
            for line in left
        ],
        gone=[name_of(line) for line in basket.order.lines if line.units_left <= 0],
        most_in_a_list=MOST_IN_A_LIST,
    )  # fmt: skip


def _assessed(basket: Basket, declared: list[Declared], way: str) -> tuple[Assessment, list[Wish]]:
    """What is decided and quoted for the declaration, by the way in which it is to travel."""
    wishes = [Wish(each.line.ref, each.quantity, CHANGED_MIND, REFUND) for each in declared]
    order, now = basket.order, clock.now()
    found = assess(basket.session, basket.book, order, wishes, at=now)
    method = _way(found, way)
    # Which way it travels decides whether a label is paid for.
    return (assess(basket.session, basket.book, order, wishes, at=now, ship_with=method) if method else found), wishes


def _way(found: Assessment, wanted: str) -> str | None:
    """The way that was asked for, else the policy's first, else the customer's own; None where nothing travels."""
    if not found.travelling:
        return None
    return wanted if wanted in offered_ways(found) else next(iter(offered_ways(found)), OWN_WAY)


def _confirm(
    basket: Basket, declared: list[Declared], given: Mapping[str, str], errors: Errors | None = None
) -> tuple[str, int]:
    found, _wishes = _assessed(basket, declared, given.get("way", ""))
    way, quote = _way(found, given.get("way", "")), found.quote
    names = {line.ref: name_of(line) for line in basket.order.lines}
    groups = pots(quote, names, pay_to(basket.order, knows_buyer=basket.grant.by_email))
    fields, address = _fields(declared), basket.order.email
    certain = all(line.decision.answer == ACCEPT for line in found.lines)
    return page(
        "withdrawal_confirm",
        errors,
        order=basket.order,
        declared=[each.name for each in declared],
        whole=sum(each.quantity for each in declared) == sum(line.quantity for line in basket.order.lines),
        certain=certain,
        some_clear=not certain and any(line.decision.answer == ACCEPT for line in found.lines),
        why=_why(found),
        pots=[(pot, pot.with_total(quote.currency)) for pot in groups],
        note=tax_note(quote),
        shown_total=quote.total.minor,
        way=way or "",
        way_words=way_words(way) if way else "",
        other_ways=[
            (ways()[name].title, url_for("customer.confirm_withdrawal", number=basket.number, way=name, **fields))
            for name in offered_ways(found)
            if name != way
        ],
        fields=[(name, each) for name, value in fields.items() for each in (value if isinstance(value, list) else [value])],
        key=given.get("key") or ids.new_code(LONGEST_KEY),
        email=given.get("email") or own_email(basket),
        known_as=shown_email(address, basket.grant.by_email),
        back_url=url_for("customer.withdrawal", number=basket.number, **fields),
    )  # fmt: skip


def _why(found: Assessment) -> list[str]:
    """Why not all is certain: each reason once, after the names of the items that it is about."""
    words, about = speech().wording(), dict[str, list[str]]()
    for line in found.lines:
        for said in dict.fromkeys(cause_message(cause, words) for cause in line.decision.causes):
            about.setdefault(said, []).append(name_of(line.order_line))
    return [f"{together(dict.fromkeys(names))}: {said}" for said, names in about.items()]
