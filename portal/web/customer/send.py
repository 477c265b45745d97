"""How the parcel comes back: the ways that every item in it allows, with what each costs and by when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import request, url_for
from werkzeug.wrappers import Response

from portal import clock
from portal.policy.quote import REFUND, STORE_CREDIT, WITHOUT_LABEL
from portal.policy.terms import ReturnShipping
from portal.returns.assess import Assessment, assess
from portal.returns.parcel import parcel
from portal.web.customer.amounts import Row
from portal.web.customer.base import Errors, money, page, pages, ports, read, see, today
from portal.web.customer.basket import Basket, booked_as, open_basket, save
from portal.web.customer.words import _, ngettext

Answer = Response | tuple[str, int]


SHOPS_ON_A_CARD = 3
"""So many addresses stand where the way is chosen; the booking names all."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send it, as a choice card."""

    value: str
    title: str
    hint: str
    icon: str
    tag: str = ""


def ways() -> dict[str, Way]:
    """Every way there is, in words."""
    return {
        "qr": Way(
            "qr", _("Show a QR code"), _("They print the label at the drop-off point. You only need your phone."), "qr",
            _("No printer"),
        ),
        "label": Way(
            "label", _("Print the label at home"), _("PDF for a label printer (4 × 6 in) or A4 paper."), "printer"
        ),
        "shop": Way(
            "shop", _("Hand it in at a shop"),
            " ".join([_("Bring the items and your order number. We check them while you wait."),
                      *(f"{each.name}: {each.address}." for each in ports().shop.shops[:SHOPS_ON_A_CARD])]),
            "shop", _("Fastest"),
        ),
        "own": Way(
            "own", _("Send it your own way"), _("With any carrier. You pay for the parcel, and the receipt is your proof."),
            "box",
        ),
    }  # fmt: skip


def way_words(method: str) -> str:
    """A way in a few words, with the carrier where it is the shop's."""
    carrier = ports().shop.carrier.name
    return {
        "qr": _("QR code, %(carrier)s", carrier=carrier),
        "label": _("Printed label, %(carrier)s", carrier=carrier),
        "shop": _("Handed in at a shop"),
        "own": _("Sent your own way"),
    }.get(method, _("Nothing to send"))


def by_words(method: str) -> str:
    """What stands before the last day."""
    return {"own": _("Send it by"), "shop": _("Hand it in by")}.get(method, _("Drop off by"))


def assessed(basket: Basket, ship_with: str = "") -> Assessment:
    """Everything in the basket, decided and quoted together."""
    return assess(
        basket.session, basket.book, basket.order, basket.wishes(), at=clock.now(), ship_with=ship_with or None
    )


def offered_ways(found: Assessment) -> tuple[str, ...]:
    """The ways that the policy allows, without handing in where the shop names no address; that alone is better than no way."""
    known = tuple(way for way in found.ship_with if way != "shop" or ports().shop.shops)
    return known or found.ship_with


def drop_off_by(found: Assessment) -> date | None:
    """The last day to send the parcel, if it is booked today."""
    days = parcel(line.decision for line in found.lines).ship_by_days
    if days is None:
        return None
    return today() + timedelta(days=days)


@pages.get("/order/<path:number>/send")
def send(number: str) -> Answer:
    """Choose how it travels; skipped when nothing does."""
    with read() as session:
        basket = open_basket(session, number)
        return _elsewhere(basket) or _show(basket)


@pages.post("/order/<path:number>/send")
def choose_way(number: str) -> Answer:
    """Keep the way and go to the review."""
    with read() as session:
        basket = open_basket(session, number)
        if (away := _elsewhere(basket)) is not None:
            return away
        chosen = request.form.get("method", "")
        if chosen not in offered_ways(assessed(basket)):
            return _show(basket, [("method", _("Select how you will send it back"))])
        save(basket, replace(basket.plan, ship_with=chosen))
        return see("review", number=basket.number)


def _elsewhere(basket: Basket) -> Response | None:
    if rma := booked_as(basket):
        return see("booked", rma=rma)
    if not basket.plan.choices:
        return see("items", number=basket.number)
    for choice in basket.plan.choices:
        if not choice.answered:
            return see("item", number=basket.number, position=basket.line(choice.line).position)
    if not assessed(basket).travelling:
        return see("review", number=basket.number)
    return None


def _show(basket: Basket, errors: Errors | None = None) -> tuple[str, int]:
    found = assessed(basket)
    known = ways()
    offered = [_without_fee(known[name], found) for name in offered_ways(found)]
    chosen = basket.plan.ship_with or (offered[0].value if len(offered) == 1 else "")
    errors = [(f"method-{offered[0].value}" if offered else field, message) for field, message in errors or []]
    last = basket.plan.choices[-1]
    count = sum(line.wish.quantity for line in found.travelling)
    back = {"back": "review"} if request.args.get("back") == "review" else {}
    return page(
        "send",
        errors,
        order=basket.order,
        ways=offered,
        chosen=chosen,
        lead=one_parcel(count),
        by=drop_off_by(found),
        fee_title=_("%(carrier)s drop-off", carrier=ports().shop.carrier.drop_off),
        fee=_fee(found),
        rows=so_far(found),
        message=errors[0][1] if errors else "",
        back_url=url_for("customer.review", number=basket.number)
        if back
        else url_for("customer.item", number=basket.number, position=basket.line(last.line).position),
    )


def one_parcel(count: int) -> str:
    """How many items share the parcel."""
    if count == 1:
        return _("It goes in one parcel.")
    return _("Both items go in one parcel.") if count == 2 else _("All items go in one parcel.")


def _without_fee(way: Way, found: Assessment) -> Way:
    """Says so where a way needs no label and the others cost one."""
    charged = any(part.kind == "return_shipping" and part.amount_minor for part in found.quote.parts)
    if way.value in WITHOUT_LABEL and charged and len(found.ship_with) > 1:
        free = _("No label needed, so nothing comes off for it.")
        return replace(way, hint=f"{way.hint} {free}")
    return way


def _fee(found: Assessment) -> str:
    """What sending it costs, and for whom it is free."""
    currency = found.order.currency
    taken = -sum(part.amount_minor for part in found.quote.parts if part.kind == "return_shipping")
    terms: list[ReturnShipping] = [line.decision.value("return_shipping") for line in found.travelling]
    if taken > 0:
        text = _("%(amount)s comes off for the label.", amount=money(taken, currency))
        free = {each for one in terms for each in one.free_for}
        if {"exchange", "store_credit"} <= free:
            text += " " + _("Store credit and exchanges send free.")
        return text
    if all(one.paid_by == "customer" and one.amount is None and one.bp is None for one in terms):
        return _("You choose the carrier and pay for the way back.")
    return _("The label is free.")


def so_far(found: Assessment) -> list[Row]:
    """The return in three or four rows: each pot before the label, the label, the sum."""
    quote = found.quote
    rows = []
    for pot, name in ((STORE_CREDIT, _("Store credit")), (REFUND, _("Refund"))):
        amount = sum(
            part.amount_minor for part in quote.all_parts() if part.into == pot and part.kind != "return_shipping"
        )
        if amount:
            rows.append(Row(name, money(amount, quote.currency)))
    label = sum(part.amount_minor for part in quote.all_parts() if part.kind == "return_shipping")
    if label:
        rows.append(Row(_("Return label"), money(label, quote.currency)))
    exchanged = sum(line.quantity for line in quote.lines if line.resolution == "exchange")
    if exchanged:
        rows.append(Row(_("Exchange"), ngettext("%(num)s item", "%(num)s items", exchanged)))
    rows.append(Row(_("You get"), money(quote.total.minor, quote.currency), "total"))
    return rows
