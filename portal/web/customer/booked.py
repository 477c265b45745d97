"""The confirmation of a booking, and taking it back until the parcel is dropped off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote as quoted

from flask import flash, url_for
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock
from portal.errors import Conflict, Forbidden
from portal.labels import service as labels
from portal.labels.models import Label
from portal.notices.breakdown import units_of
from portal.orders.queries import get_order
from portal.policy.quote import EXCHANGE, Quote
from portal.returns import lifecycle, service
from portal.returns.models import Return
from portal.returns.payable import (
    COUNTING,
    expected_lines,
    gives_away,
    goods_outstanding,
    message_of,
    payable_quote,
)
from portal.returns.queries import is_told_to_buyer
from portal.reviews.service import open_reviews
from portal.timeline import TimelineEntry, entries_for_return
from portal.web.customer import grants
from portal.web.customer.amounts import gives_nothing, pay_to
from portal.web.customer.base import command, limit_writes, money, page, pages, ports, read, see, speech
from portal.web.customer.items import name_of
from portal.web.customer.lookup import track_page
from portal.web.customer.papers import find_own, own
from portal.web.customer.review import shown_email
from portal.web.customer.send import by_words
from portal.web.customer.words import _, ngettext
from portal.web.statuses import is_partly_here

Answer = Response | tuple[str, int]


@pages.get("/returns/<rma>/booked")
def booked(rma: str) -> Answer:
    """Reference, code, deadline, next steps. A reload shows it again and books nothing."""
    with read() as session:
        return_ = find_own(session, rma)
        if return_ is None:
            return track_page(rma[:20], "")
        if return_.status not in (*lifecycle.UNDECIDED, lifecycle.AUTHORIZED) and not is_partly_here(return_):
            return see("status", rma=return_.rma)
        return _show(session, return_)


@pages.get("/returns/<rma>/cancel")
def cancel(rma: str) -> Answer:
    """Ask once more before it is cancelled."""
    with read() as session:
        return_ = find_own(session, rma)
        if return_ is None:
            return track_page(rma[:20], "")
        if not service.can_be_canceled(return_):
            if return_.status not in lifecycle.ENDED:
                flash(_("%(why)s Nothing was changed.", why=_why_not(return_)), "amber")
            return see("status", rma=return_.rma)
        return _ask_to_cancel(session, return_)


@pages.post("/returns/<rma>/cancel")
def cancel_it(rma: str) -> Answer:
    """Cancel; twice is once. A return that can't be cancelled any more is a 409 that says why."""
    limit_writes()
    with read() as session:
        return_ = find_own(session, rma)
        if return_ is None:
            return track_page(rma[:20], "")
        if not _may_cancel(session, return_):
            html, _status = _ask_to_cancel(session, return_)
            return html, Forbidden.status
        number, name = return_.rma, return_.order.customer_name
    try:
        with command(name) as tx:
            service.cancel(tx, number, by="customer")
    except Conflict as error:
        with read() as session:
            # It is told from what holds now; what was read before the command may be what has changed.
            now = own(session, number)
            raise Conflict(error.message if service.can_be_canceled(now) else _why_not(now), now.status) from error
    flash(_("Your return is cancelled."), "green")
    return see("status", rma=number)


def _ask_to_cancel(session: Session, return_: Return) -> tuple[str, int]:
    lines = [line for line in return_.lines if line.status in COUNTING]
    return page("cancel", return_=return_, lines=lines, may=_may_cancel(session, return_))


def _may_cancel(session: Session, return_: Return) -> bool:
    """True for the buyer, for whom its mails go to, and for everybody who sees it where it was booked by the postcode alone.

    Order number and postcode stand on every parcel: they let somebody send a present back, and undo nothing of the buyer's.
    """
    if grants.knows_buyer(return_.rma, return_.order.number) or grants.has_link(return_.rma):
        return True
    booked_so = any((entry.data or {}).get("by_postcode") for entry in entries_for_return(session, return_.id))
    return booked_so or not return_.order.email_key


def _why_not(return_: Return) -> str:
    """Why a return can't be cancelled, or need not be."""
    match return_.status:
        case lifecycle.REJECTED:
            return _("We couldn’t accept this return, so there is nothing to cancel.")
        case lifecycle.EXPIRED:
            return _("This return has expired, so there is nothing to cancel.")
        case lifecycle.CLOSED:
            return _("This return is complete, so it can’t be cancelled any more.")
        case lifecycle.AUTHORIZED if return_.payout_planned_at is not None:
            return _("Your money is prepared already, so this return can’t be cancelled any more.")
    return _("Your parcel is on its way or has arrived, so this return can’t be cancelled any more.")


def _show(session: Session, return_: Return) -> tuple[str, int]:
    shop = ports().shop
    label = labels.find_label(session, return_.id)
    order = get_order(session, return_.order.number)
    quote = payable_quote(session, return_)
    review = return_.status in lifecycle.UNDECIDED
    travelling = expected_lines(return_)
    known = grants.knows_buyer(return_.rma, order.number)
    to = pay_to(order, knows_buyer=known)
    due = min((each.due_at for each in open_reviews(session, return_.id)), default=None)
    today = clock.local_date(clock.now(), shop.timezone)
    return page(
        "booked",
        return_=return_,
        order=order,
        label=label,
        code=labels.short_code(label) if label is not None else return_.rma,
        review=review,
        rest=is_partly_here(return_),
        sum=money(quote.total.minor, quote.currency) if quote.total.minor else "",
        answer_by=clock.local_date(due, shop.timezone) if due else None,
        email=shown_email(return_.email, known),
        code_to=shown_email(order.email, known) if quote.credit_total.minor and not is_told_to_buyer(return_) else "",
        carrier=shop.carrier,
        to=labels.goes_to(return_, shop),
        told=_told(return_),
        by=return_.ship_by_on,
        by_words=by_words(return_.ship_with),
        stores=shop.shops if return_.ship_with == "shop" else (),
        days_left=(return_.ship_by_on - today).days if return_.ship_by_on else 0,
        travels=bool(travelling) and bool(return_.ship_with),
        steps=_steps(return_, label, quote, to, goods_outstanding(return_)),
        can_cancel=service.can_be_canceled(return_),
        owner=grants.order_grant(order.number) is not None,
        withdrawn=withdrawn_at(entries_for_return(session, return_.id)),
        declared=[
            units_of(
                name_of(each.order_line), each.quantity, each.order_line.quantity, speech(), each.order_line.variant
            )
            for each in return_.lines
        ],
    )


def withdrawn_at(entries: Sequence[TimelineEntry]) -> datetime | None:
    """The moment at which the customer withdrew from the contract; None for a return that was only wished for."""
    return next((entry.at for entry in entries if entry.what == "return.withdrawn"), None)


def _told(return_: Return) -> list[tuple[str, str]]:
    """What the policy has to say to the customer about each item."""
    lines = [line for line in return_.lines if line.status in COUNTING]
    said = [
        (name_of(line.order_line), _("Please give it to somebody who can use it."))
        for line in lines
        if gives_away(line)
    ]
    return said + [(name_of(line.order_line), say) for line in lines if (say := message_of(line))]


def _steps(return_: Return, label: Label | None, quote: Quote, to: str, units: int) -> list[tuple[str, str | Markup]]:
    shop = ports().shop
    steps: list[tuple[str, str | Markup]] = []
    if units and return_.ship_with:
        steps.append(_pack(return_, units))
        steps.append(_send(return_, label))
        when = return_.refund_when
        if return_.ship_with == "shop":
            steps.append((_("We check it"), _("In the shop, while you wait.")))
        else:
            steps.append((_("It reaches us"), _("Usually in 2 to 4 working days.")))
    else:
        when = "authorized"
        steps.append((_("Keep the items"), _("You don’t need to send anything back.")))
    steps.append(
        _get(
            quote,
            to,
            return_.email,
            speech().when_sent(when, shop.check_within_days, by_hand=return_.ship_with == "shop"),
        )
    )
    return steps


def _pack(return_: Return, units: int) -> tuple[str, str | Markup]:
    many = (
        _("Pack both items in one parcel") if units == 2 else _("Pack all %(count)s items in one parcel", count=units)
    )
    if return_.ship_with == "shop":
        bring = ngettext("Bring the item", "Bring all %(num)s items", units)
        return bring, _("Keep the tags on. A bag will do.")
    what = _("Pack it well") if units == 1 else many
    slip = url_for("customer.packing_slip", rma=return_.rma)
    text = Markup('{} <a href="{}">{}</a>').format(
        _("Keep the tags on. Any strong bag or box will do."), slip, _("Packing slip to put in")
    )
    return what, text


def _send(return_: Return, label: Label | None) -> tuple[str, str | Markup]:
    shop = ports().shop
    if return_.ship_with == "shop":
        return _("Bring it to one of our shops"), _("Show this page or say your return number.")
    if label is None:
        to = labels.goes_to(return_, shop)
        address = ", ".join(part for part in (to.name, *to.lines, to.city, to.postcode, to.country) if part)
        return _("Send it to us and keep the receipt"), address
    where: str | Markup = _("At any %(place)s counter or locker.", place=shop.carrier.drop_off)
    if shop.carrier.find_url:
        near = str((return_.order.ship_to or {}).get("postcode") or "")
        link = _("Find one near %(postcode)s", postcode=near) if near else _("Find one near you")
        address = shop.carrier.find_url.replace("{postcode}", quoted(near, safe=""))
        where = Markup('{} <a href="{}">{}</a>').format(where, address, link)
    return _("Drop it off and get a receipt"), where


def _get(quote: Quote, to: str, email: str, when_sent: str) -> tuple[str, str]:
    currency, shop = quote.currency, ports().shop
    credit, refund = quote.credit_total.minor, quote.refund_total.minor
    if not quote.total.minor and all(line.resolution != EXCHANGE for line in quote.lines):
        return _("You get %(amount)s", amount=money(0, currency)), gives_nothing()
    parts = []
    if credit:
        said = (
            _("%(amount)s store credit by e-mail.")
            if email
            else _("%(amount)s store credit, its code on the return’s page.")
        )
        parts.append(said % {"amount": money(credit, currency)})
    if refund:
        parts.append(_("%(amount)s to %(to)s.", amount=money(refund, currency), to=to))
    parts.append(when_sent)
    if refund:
        parts.append(_("Banks take %(days)s.", days=speech().working_days(shop.bank_days.least, shop.bank_days.most)))
    if any(line.resolution == EXCHANGE for line in quote.lines):
        parts += [_("Your exchange comes with its own e-mail.")] if email else []
    title = _("You get %(amount)s", amount=money(quote.total.minor, currency))
    return title if quote.total.minor else _("You get your exchange"), " ".join(parts)
