"""Check and book: everything chosen, the money in two groups, one button. What is booked is what was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import flash, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from portal.errors import Conflict, Invalid
from portal.notices.breakdown import item_name
from portal.orders.keys import email_key
from portal.orders.models import Variant
from portal.policy.quote import EXCHANGE, STORE_CREDIT, Quote
from portal.policy.reasons import REASONS
from portal.policybook.service import load_book
from portal.returns import drafts, service
from portal.returns.assess import Assessment, LineAssessment
from portal.returns.parcel import parcel
from portal.returns.queries import returns_of_order
from portal.web.customer import grants
from portal.web.customer.amounts import Pot, gives_nothing, line_total, pay_to, pots, tax_note
from portal.web.customer.base import (
    Errors,
    command,
    limit_writes,
    money,
    page,
    pages,
    ports,
    read,
    see,
    speech,
    typed_email,
)
from portal.web.customer.basket import Basket, booked_as, open_basket, save
from portal.web.customer.items import held_by, is_given, name_of
from portal.web.customer.plan import Plan
from portal.web.customer.send import assessed, by_words, drop_off_by, offered_ways, way_words
from portal.web.customer.words import _, ngettext
from portal.wording import masked_email

Answer = Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One item of the review."""

    name: str
    about: str
    why: str
    gets: str
    change_url: str
    asks: bool


@pages.get("/order/<path:number>/review")
def review(number: str) -> Answer:
    """Everything once more, with a way back to each answer."""
    with read() as session:
        basket = open_basket(session, number)
        found = assessed(basket) if basket.plan.choices and basket.book.versions else None
        return _elsewhere(basket, found) or _show(basket)


@pages.post("/order/<path:number>/review")
def book(number: str) -> Answer:
    """Book it. The same press again leads to the same return; a total that changed meanwhile books nothing."""
    with read() as session:
        basket = open_basket(session, number)
        if (rma := booked_as(basket)) is not None:
            return see("booked", rma=rma)
        found = assessed(basket) if basket.plan.choices and basket.book.versions else None
        if basket.plan.gone:
            flash(_("%(why)s Nothing was booked.", why=_booked_meanwhile(basket)), "amber")
            save(basket, basket.plan)
            return see("review" if basket.plan.choices else "items", number=basket.number)
        if (away := _elsewhere(basket, found)) is not None:
            return away
        draft = basket.draft
        if draft is None or request.form.get("draft", "") != draft.token[:16]:
            # An old tab of a return that is booked or was begun anew: show what would be booked now.
            return see("review", number=basket.number)
        shown = request.form.get("shown_total", "")
        return book_now(basket, int(shown) if is_amount(shown) else -1)


def is_question(plan: Plan) -> bool:
    """True when all of it is a question to a person, with nothing left to choose."""
    return bool(plan.choices) and all(choice.ask and choice.answered for choice in plan.choices)


def book_now(basket: Basket, shown_total: int | None) -> Response:
    """Book everything in the basket; without ``shown_total`` no amount was shown that could have changed."""
    draft = basket.draft
    if draft is None:
        return see("items", number=basket.number)
    limit_writes()
    name = basket.order.customer_name if basket.grant.by_email else ""
    try:
        with command(name) as tx:
            return_ = service.book(
                tx,
                load_book(tx.session),
                basket.order.id,
                basket.wishes(),
                booking_key=drafts.booking_key(draft),
                email=basket.plan.email,
                ship_with=basket.plan.ship_with or None,
                ask_us=any(choice.ask for choice in basket.plan.choices),
                photo_keys=[photo.key for given in basket.photos.values() for photo in given],
                shown_total=shown_total,
                locale=speech().locale,
                decide_within_hours=ports().shop.decide_within_hours,
                by_postcode=not basket.grant.by_email,
            )
            drafts.mark_booked(tx, draft.token, return_)
            rma = return_.rma
    except Conflict as error:
        return _after_conflict(basket, error)
    except Invalid as error:
        if "/ship_with" in error.fields:
            return see("send", number=basket.number)
        flash(_changed(error), "red")
        return see("item", number=basket.number, position=_position(basket, error))
    grants.grant_return(rma, by_email=basket.grant.by_email)
    return see("booked", rma=rma)


@pages.get("/order/<path:number>/updates")
def updates(number: str) -> Answer:
    """Where e-mails about this return go."""
    with read() as session:
        basket = open_basket(session, number)
        return _elsewhere(basket, None) or _ask_email(basket, basket.plan.email or own_email(basket))


@pages.post("/order/<path:number>/updates")
def change_updates(number: str) -> Answer:
    """Keep the address for this return; the order's own stays as it is."""
    with read() as session:
        basket = open_basket(session, number)
        if (away := _elsewhere(basket, None)) is not None:
            return away
        email, wrong = typed_email()
        if wrong:
            return _ask_email(basket, email, wrong)
        if not email and not basket.order.email:
            return _ask_email(basket, email, [("email", _("Enter your e-mail address"))])
        save(basket, replace(basket.plan, email=email))
        return see("review", number=basket.number)


def _ask_email(basket: Basket, email: str, errors: Errors | None = None) -> tuple[str, int]:
    return page("updates", errors, order=basket.order, email=email)


def own_email(basket: Basket) -> str:
    """The order's address, if this session has shown that it knows it."""
    return basket.order.email if basket.grant.by_email else ""


def shown_email(email: str, known: bool) -> str:
    """The address, or enough of it to recognise for those who know it: ``p•••@example.com``."""
    return email if known else masked_email(email)


def is_amount(text: str) -> bool:
    """True for minor units as a form carries them."""
    return text.isascii() and text.isdigit() and len(text) < 16


def _elsewhere(basket: Basket, found: Assessment | None) -> Response | None:
    """Where to go while something is missing: the booked return, the items, the first open question, the way to send."""
    number = basket.number
    if rma := booked_as(basket):
        return see("booked", rma=rma)
    if not basket.plan.choices:
        return see("items", number=number)
    for index, choice in enumerate(basket.plan.choices):
        refused = found is not None and found.lines[index].decision.refused and not choice.ask
        lacking = found is not None and found.lines[index].decision.requires and not choice.ask
        if not choice.answered or refused or lacking:
            return see("item", number=number, position=basket.line(choice.line).position)
    if found is not None and found.travelling and basket.plan.ship_with not in offered_ways(found):
        return see("send", number=number)
    return None


def _after_conflict(basket: Basket, error: Conflict) -> Response:
    """Nothing was booked: say why, and show where it can be mended."""
    if error.state == "changed":
        flash(
            _("The amount has changed since it was shown. Nothing was booked. Check the new amount, then book."),
            "amber",
        )
        return see("review", number=basket.number)
    if error.state == "out_of_stock":
        flash(_("What you chose has sold out meanwhile. Nothing was booked. Choose something else."), "amber")
        sku = error.details.get("sku")
        line = next(
            (each.line for each in basket.plan.choices if each.exchange_sku == sku), basket.plan.choices[0].line
        )
        return see("item", number=basket.number, position=basket.line(line).position, back="review")
    raise error


def _booked_meanwhile(basket: Basket) -> str:
    """Which of the chosen items are in a return by now, and in which; empty when none is."""
    if not basket.plan.gone:
        return ""
    earlier = returns_of_order(basket.session, basket.order.id)
    said = []
    for ref in basket.plan.gone:
        line = basket.line(ref)
        held = held_by(earlier, line)
        inside = ", ".join(found.rma for found, _line in held)
        said.append(
            _("%(item)s is in a return already (%(rma)s).", item=name_of(line), rma=inside)
            if inside
            else _("%(item)s is refunded already.", item=name_of(line))
            if is_given(line, held)
            else _("%(item)s has come back already.", item=name_of(line))
        )
    return " ".join(said)


def _changed(error: Invalid) -> str:
    """What has become impossible since it was chosen, in the customer's words; the pointers are a program's."""
    said = {
        "quantity": _("Fewer of these can be returned than when you chose them. Choose how many again."),
        "photos": _("Add the photo that we asked for."),
        "answers": _("Answer the questions about this item."),
        "exchange_sku": _("What you chose instead isn’t offered any more. Choose something else."),
    }
    found = {pointer.rpartition("/")[2] for pointer in error.fields}
    told = [sentence for field, sentence in said.items() if field in found]
    return " ".join([_("Nothing was booked."), *(told or [_("Check your answers for this item, then book.")])])


def _position(basket: Basket, error: Invalid) -> int:
    """The item that the first pointer names (``/lines/0/photos``)."""
    for pointer in error.fields:
        parts = pointer.split("/")
        if len(parts) > 2 and parts[1] == "lines" and parts[2].isdigit():
            return basket.line(basket.plan.choices[int(parts[2])].line).position
    return basket.line(basket.plan.choices[0].line).position


def _show(basket: Basket) -> tuple[str, int]:
    found = assessed(basket, basket.plan.ship_with)
    quote, currency = found.quote, basket.order.currency
    names = {line.ref: name_of(line) for line in basket.order.lines}
    to = pay_to(basket.order, knows_buyer=basket.grant.by_email)
    asks = any(choice.ask for choice in basket.plan.choices)
    person = asks or found.answer != "accept"
    email = basket.plan.email or basket.order.email
    groups = pots(quote, names, to)
    draft = basket.draft
    articles = _articles(basket)
    return page(
        "review",
        order=basket.order,
        draft=draft.token[:16] if draft is not None else "",
        items=[_item(basket, line, quote, articles) for line in found.lines],
        pots=[(pot, pot.with_total(currency)) for pot in groups],
        exchanges=[line for line in quote.lines if line.resolution == EXCHANGE],
        note=tax_note(quote),
        nothing=gives_nothing() if groups and not quote.total.minor else "",
        short=_short_of(groups, currency),
        total=money(quote.total.minor, currency) if groups else _("Nothing to pay"),
        shown_total=quote.total.minor,
        way=way_words(basket.plan.ship_with) if found.travelling else "",
        keeps=len(found.travelling) < len(found.lines),
        gives_away=any(line.keeps_item and line.decision.value("donate") for line in found.lines),
        by=drop_off_by(found) if found.travelling else None,
        by_words=by_words(basket.plan.ship_with),
        email=shown_email(email, basket.grant.by_email or bool(basket.plan.email)),
        code_to=shown_email(basket.order.email, basket.grant.by_email)
        if quote.credit_total.minor and basket.order.email and email_key(email) != email_key(basket.order.email)
        else "",
        person=person,
        gone=_booked_meanwhile(basket),
        when_money=_when_money(found, quote, basket.plan.ship_with) if quote.total.minor else "",
        back_url=url_for("customer.send" if found.travelling else "customer.items", number=basket.number),
    )


def _when_money(found: Assessment, quote: Quote, way: str) -> str:
    """When the money moves, and how long banks take to show it."""
    shop = ports().shop
    moment = parcel(line.decision for line in found.lines).refund_when if found.travelling else "authorized"
    said = speech().when_sent(moment, shop.check_within_days, by_hand=way == "shop")
    if quote.refund_total.minor <= 0:
        return said
    days = speech().working_days(shop.bank_days.least, shop.bank_days.most)
    return f"{said} {_('Banks take %(days)s.', days=days)}"


def _short_of(groups: Sequence[Pot], currency: str) -> str:
    """What stands before the total: the name of the one pot, or each of several with its own sum."""
    names = [_("Credit") if pot.pot == STORE_CREDIT else _("Refund") for pot in groups]
    if len(groups) < 2:
        return "".join(names)
    return " · ".join(f"{name} {money(pot.total_minor, currency)}" for name, pot in zip(names, groups, strict=True))


def _item(basket: Basket, found: LineAssessment, quote: Quote, articles: dict[str, str]) -> Reviewed:
    line, wish = found.order_line, found.wish
    choice = basket.plan.find(line.ref)
    photos = len(basket.photos.get(line.id, ()))
    about = [line.variant] if line.variant else []
    if line.quantity > 1:
        about.append(_("Sending %(count)s of %(all)s", count=wish.quantity, all=line.quantity))
    why = _(REASONS[wish.reason]) + "."
    if photos:
        why += " " + ngettext("%(num)s photo added.", "%(num)s photos added.", photos)
    amount = money(line_total(quote, line.ref), basket.order.currency)
    gets = {
        EXCHANGE: _(
            "Exchange for %(what)s",
            what=item_name(articles.get(wish.exchange_sku or "", ""), "", wish.quantity, speech()),
        ),
        STORE_CREDIT: _("Store credit %(amount)s", amount=amount),
    }.get(wish.resolution, _("Refund %(amount)s", amount=amount))
    return Reviewed(
        name=name_of(line),
        about=". ".join(about),
        why=why,
        gets=gets,
        change_url=url_for("customer.item", number=basket.number, position=line.position, back="review"),
        asks=bool(choice and choice.ask),
    )


def _articles(basket: Basket) -> dict[str, str]:
    """What is sent in exchange, in words: one query, none without an exchange."""
    skus = [choice.exchange_sku for choice in basket.plan.choices if choice.resolution == EXCHANGE]
    if not skus:
        return {}
    rows = basket.session.scalars(select(Variant).where(Variant.sku.in_(skus)))
    return {row.sku: row.label or row.name or row.sku for row in rows}
