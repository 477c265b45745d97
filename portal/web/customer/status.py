"""The page of one return: where it is, what is owed, what to do. Opened by the mailed link, by its number, or after booking."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from flask import request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, ids
from portal.errors import NotFound
from portal.labels import service as labels
from portal.money import Money
from portal.notices.breakdown import why_less
from portal.notices.links import read_status_key
from portal.orders.queries import get_order
from portal.policy.decision import REFUSE, Decision
from portal.policy.explain import customer_summary
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT, Quote
from portal.refunds.corrections import numbers_in
from portal.refunds.credit_notes import number_in
from portal.refunds.gifts import gifts_of_order
from portal.refunds.queries import RELEASED, UNPAID, MoneyView, endings, money_of_return
from portal.refunds.setbacks import DELAYED, setback, setbacks
from portal.returns import lifecycle
from portal.returns.decisions import can_be_canceled
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import WITHDRAWN, goods_outstanding, payable_quote, shortfall
from portal.returns.queries import get_return, is_told_to_buyer, returns_of_order
from portal.returns.questions import is_sum_open
from portal.reviews.service import ASKED, open_reviews
from portal.timeline import entries_for_return
from portal.web.customer import grants
from portal.web.customer.amounts import paid_to, pay_to, pieces_for, pots, tax_note
from portal.web.customer.base import (
    Errors,
    LookupNeeded,
    money,
    page,
    pages,
    ports,
    read,
    see,
    speech,
    today,
)
from portal.web.customer.items import name_of
from portal.web.customer.lookup import track_page
from portal.web.customer.papers import find_own
from portal.web.customer.pieces import at_the_bank, promise_words, state_words
from portal.web.customer.review import shown_email
from portal.web.customer.story import tell
from portal.web.customer.talk import is_for, talk_of, wrote
from portal.web.customer.told import waits_for_bank
from portal.web.customer.words import _
from portal.web.statuses import badge_of, gave, is_partly_here, line_badge

Answer = Response | tuple[str, int]


@pages.get("/returns/<rma>")
def status(rma: str) -> Answer:
    """The return's page. A mailed key opens it for this session and then leaves the address, so that nobody passes it on."""
    if "key" in request.args:
        number = ids.read_rma(rma) or ""
        if number and read_status_key(ports().config, number, request.args["key"]):
            by_email = False
            with read() as session, suppress(NotFound):
                by_email = is_told_to_buyer(get_return(session, number))
            grants.grant_return(number, by_email=by_email, by_link=True)
            return see("status", rma=number)
    with read() as session:
        return_ = find_own(session, rma)
        # A number that does not exist and one that is somebody else's get the very same page.
        return track_page(rma[:20], "") if return_ is None else show(session, return_)


@pages.get("/order/<path:number>/returns")
def returns(number: str) -> Answer:
    """Every return of an order."""
    grant = grants.order_grant(number)
    if grant is None:
        raise LookupNeeded
    with read() as session:
        order = get_order(session, grant.key)
        found = returns_of_order(session, order.id)
        came, late = endings(session, found), setbacks(session, found)
        return page(
            "returns",
            order=order,
            returns=[
                (
                    each,
                    badge_of(each, DELAYED if each.id in late else ""),
                    _outcome(each, came.get(each.id, {})),
                    _names(each),
                )
                for each in found
            ],
            gifts=gifts_of_order(session, order.id),
        )


def show(session: Session, return_: Return, errors: Errors | None = None) -> tuple[str, int]:
    """The page; with ``errors`` that came of an answer, what was typed is on it."""
    shop = ports().shop
    order = get_order(session, return_.order.number)
    known = grants.knows_buyer(return_.rma, order.number)
    view = money_of_return(session, return_.id, bank_days=shop.bank_days)
    view = replace(view, pieces=pieces_for(view.pieces, knows_buyer=known))
    codes = [piece.label for piece in view.pieces if piece.kind == "store_credit"]
    mailed_to = order.email or return_.email
    undecided = open_reviews(session, return_.id)
    reviews = [each for each in undecided if is_for(each, return_, knows_buyer=known)]
    entries = entries_for_return(session, return_.id)
    asked = next((review for review in reviews if review.status == ASKED), None)
    label = labels.find_label(session, return_.id)
    quote = payable_quote(session, return_)
    to = paid_to(view.pieces) or pay_to(order, knows_buyer=known)
    talk = talk_of(session, return_, reviews, knows_buyer=known)
    sum_open = is_sum_open(return_, reviews)
    # A sum that a person is still to decide about is not told, also not among the steps to come.
    told = tell(return_, replace(view, parts=()) if sum_open else view, entries, reviews, shop, clock.now(), to)
    names = {line.order_line.ref: name_of(line.order_line) for line in return_.lines}
    disputed = waits_for_bank(view, reviews)
    delayed = DELAYED if setback(return_, view) else ""
    return page(
        "status",
        errors,
        return_=return_,
        order=order,
        story=told,
        outcome=_outcome(return_, view.came),
        badge="asked" if asked and return_.status not in lifecycle.ENDED else badge_of(return_, delayed),
        money=view,
        owed_words=_("Waits for your bank") if disputed else _owed_words(return_, view),
        facts=_facts(return_, view, quote, to, disputed=disputed),
        # Without an e-mail address the page is the only place where the code can be.
        credit_codes=codes if known or not mailed_to else [],
        code_mailed_to=shown_email(mailed_to, known) if codes and not known else "",
        pots=[(pot, pot.with_total(quote.currency)) for pot in pots(quote, names, to)],
        note=tax_note(quote),
        credit_note=number_in(entries),
        corrections=numbers_in(entries),
        sum_open=sum_open,
        booked_sum=_booked_sum(return_, quote),
        changed="" if sum_open else _changed(return_, quote),
        why_less=why_less(shortfall(return_), names, speech()),
        lines=[
            (line, name_of(line.order_line), _line_words(line), *line_badge(return_, line, view.came, delayed))
            for line in return_.lines
        ],
        refusals=_refusals(return_),
        wrote=wrote(return_, knows_buyer=known),
        talk=talk,
        asked_buyer=asked is None and any(review.status == ASKED for review in undecided),
        answer=request.form.get("answer", talk.begun),
        has_code=label is not None and return_.status == lifecycle.AUTHORIZED,
        rest=is_partly_here(return_) and goods_outstanding(return_) > 0,
        can_cancel=can_be_canceled(return_),
        owner=grants.order_grant(order.number) is not None,
    )


def _outcome(return_: Return, came: Mapping[str, str]) -> str | None:
    """What came of a finished return, for its badge: money first, as people wait for that. ``came`` is `MoneyView.came`."""
    if return_.status != lifecycle.CLOSED:
        return None
    found = {came.get(name, name) for name in gave(return_)}
    return next((name for name in (REFUND, STORE_CREDIT, EXCHANGE, RELEASED, UNPAID) if name in found), None)


def _names(return_: Return) -> str:
    return ", ".join(name_of(line.order_line) for line in return_.lines)


def _owed_words(return_: Return, view: MoneyView) -> str:
    if not view.owed.minor and any(piece.kind == "exchange" for piece in view.pieces):
        return _("Your exchange, nothing to pay")
    if view.unpaid.minor and not view.owed.minor:
        return _("This return is closed")
    if view.never_charged:
        return _("Free again") if view.charged else _("You weren’t charged")
    if view.state == "refunded":
        # Sent is not there: until the bank's days are over, "got" would be more than anybody knows.
        return _("We’ve sent") if at_the_bank(view, today()) else _("You’ve got")
    if not view.owed.minor:
        return _("You get")
    if return_.status in lifecycle.UNDECIDED:
        # A withdrawal is the customer's right, which nobody grants.
        withdrawn = return_.basis.get(WITHDRAWN)
        return _("Your refund, if nothing stands against it") if withdrawn else _("You get, if we accept your return")
    if view.paid.minor:
        # A part of the sum has gone or is ready to spend, so not all of it is still owed.
        return _("You get in all")
    return _("You’re owed")


def _facts(return_: Return, view: MoneyView, quote: Quote, to: str, *, disputed: bool) -> list[tuple[str, str, str]]:
    """Each part of the money: name, what it is doing, amount."""
    currency = view.currency
    if view.planned_at is not None:
        found = []
        for piece in view.pieces:
            amount = money(piece.amount.minor, currency) if piece.amount is not None else _("Exchange")
            name = {
                "store_credit": _("Store credit"),
                "exchange": piece.label,
            }.get(piece.kind, _("Refund to %(method)s", method=piece.label))
            found.append((name, state_words(piece), amount))
        if view.unpaid.minor:
            found.append((_("Closed"), _("not paid"), money(view.unpaid.minor, currency)))
        return found
    when = _("waits for your bank") if disputed else promise_words(return_.refund_when)
    rows: list[tuple[str, str, str]] = []
    if quote.credit_total.minor:
        rows.append((_("Store credit"), when, money(quote.credit_total.minor, currency)))
    if quote.refund_total.minor:
        rows.append((_("Refund to %(method)s", method=to), when, money(quote.refund_total.minor, currency)))
    rows += [(piece.label, state_words(piece), _("Exchange")) for piece in view.pieces if piece.kind == "exchange"]
    return rows


def _booked_sum(return_: Return, quote: Quote) -> str:
    """The amount that was shown at booking."""
    before = return_.basis.get("shown")
    was = Money(before["total"]["amount"], before["total"]["currency"]) if before else quote.total
    return money(was.minor, was.currency)


def _changed(return_: Return, quote: Quote) -> str:
    """The amount that was shown at booking, if it is another one now."""
    was = _booked_sum(return_, quote)
    return was if return_.status not in lifecycle.ENDED and was != money(quote.total.minor, quote.currency) else ""


def _line_words(line: ReturnLine) -> str:
    """``Moss check, size L × 1. Refund``."""
    article = line.order_line
    resolution = {REFUND: _("Refund"), STORE_CREDIT: _("Store credit"), EXCHANGE: _("Exchange")}[line.resolution]
    many = f" × {line.quantity}" if line.quantity > 1 or article.quantity > 1 else ""
    if 0 < line.received_quantity < line.quantity:
        came = _("%(got)s of %(all)s arrived", got=line.received_quantity, all=line.quantity)
        resolution = f"{resolution}. {came}"
    return f"{article.variant}{many}. {resolution}" if article.variant or many else resolution


def _refusals(return_: Return) -> list[tuple[str, str]]:
    """Why items were refused, in the policy's words; where the shop has written its own, that message stands alone."""
    words = speech().wording()
    return [
        (name_of(line.order_line), customer_summary(Decision.from_json(line.decision), words))
        for line in return_.lines
        if line.status == "refused" and line.answer == REFUSE
    ]
