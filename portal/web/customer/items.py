"""Which items come back: every line of the order, what can and what can't, each with its date and reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from flask import request
from werkzeug.wrappers import Response

from portal import clock
from portal.money import exponent
from portal.orders.models import OrderLine
from portal.policy.counterfactual_words import customer_sentences
from portal.policy.explain import Wording, cause_message
from portal.policy.reasons import CHANGED_MIND, REASONS
from portal.returns.assess import LineOptions, line_options
from portal.returns.explaining import told_of_line
from portal.returns.models import Return, ReturnLine
from portal.returns.parcel import parcel
from portal.returns.payable import COUNTING, WITHDRAWN
from portal.returns.queries import returns_of_order
from portal.web.customer.base import Errors, money, page, pages, ports, read, see, speech
from portal.web.customer.basket import Basket, booked_as, open_basket, save
from portal.web.customer.plan import Choice, Plan
from portal.web.customer.words import _, ngettext

MOST_IN_A_LIST = 20
"""Quantities up to here are chosen from a list, larger ones are typed."""
MOST_IN_THE_ASIDE = 40
_CHOSEN_LATER = ("resolution", "method", "answer.")
"""Facts that the pages after this one ask for."""
Answer = Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """One line as the page shows it. ``price`` is what was paid, ``bold`` the reason of a refusal, ``more`` the sentences after
    it, ``inside`` the numbers of the returns that hold units of it."""

    line: OrderLine
    name: str
    about: str
    price: str
    units_left: int
    selected: bool
    quantity: int
    sold: str = ""
    inside: tuple[str, ...] = ()
    hint: str = ""
    bold: str = ""
    more: str = ""
    may_report: bool = False
    may_ask: bool = False
    each_minor: int | None = None
    """What one unit cost, where several can be chosen and cost the same."""
    included: bool = False
    """It can't simply come back, but is in the return as a fault or as a question to a person."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that may come back until the same day; ``until`` is None when a person decides."""

    until: date | None
    days_left: int
    lines: tuple[Shown, ...]


@pages.get("/order/<path:number>/items")
def items(number: str) -> Answer:
    """Choose what comes back."""
    with read() as session:
        basket = fresh(open_basket(session, number))
        return _show(basket, basket.plan)


@pages.post("/order/<path:number>/items")
def choose_items(number: str) -> Answer:
    """Keep what was ticked, and go on to the first item that has no answers yet."""
    with read() as session:
        basket = fresh(open_basket(session, number))
        plan, errors = _read(basket)
        if errors:
            return _show(basket, plan, errors)
        save(basket, plan)
        wanted = _position(request.form.get("report", "") or request.form.get("ask", ""))
        if wanted is not None:
            return see("item", number=basket.number, position=wanted)
        return next_page(basket, plan)


def fresh(basket: Basket) -> Basket:
    """The basket as it is before anything is chosen, when its draft has become a return: the next return starts anew."""
    return replace(basket, draft=None, plan=Plan(), photos={}) if booked_as(basket) else basket


def next_page(basket: Basket, plan: Plan, after: str = "") -> Response:
    """The first item without answers behind the one just done, else any other, else how to send it, else the review."""
    refs = [choice.line for choice in plan.choices]
    start = refs.index(after) + 1 if after in refs else 0
    waiting = [choice for choice in (*plan.choices[start:], *plan.choices[:start]) if not choice.answered]
    if waiting:
        return see("item", number=basket.number, position=basket.line(waiting[0].line).position)
    return see("review" if plan.ship_with else "send", number=basket.number)


def _position(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _read(basket: Basket) -> tuple[Plan, Errors]:
    ticked = {_position(value) for value in request.form.getlist("line")}
    reported, asked = _position(request.form.get("report", "")), _position(request.form.get("ask", ""))
    refused = _refused(basket) if asked is not None else set()
    choices: list[Choice] = []
    errors: Errors = []
    for line in basket.order.lines:
        if line.units_left <= 0 or line.position not in ticked | {reported, asked}:
            continue
        before = basket.plan.find(line.ref) or Choice(line.ref)
        if line.position in (reported, asked):
            before = replace(
                before,
                ask=line.position == asked and line.ref in refused,
                fault=line.position == reported,
                reason="",
                resolution="",
            )
            if before.ask:
                before = before.asking()
        text = request.form.get(f"quantity-{line.position}", "1").strip()
        quantity = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= quantity <= line.units_left:
            message = _("%(name)s: choose from 1 to %(most)s", name=name_of(line), most=line.units_left)
            errors.append((f"quantity-{line.position}", message))
            quantity = before.quantity
        choices.append(replace(before, quantity=quantity))
    if not choices:
        first = next((line.position for line in basket.order.lines if line.units_left > 0), 0)
        errors.append((f"line-{first}" if first else "", _("Select at least one item")))
    return replace(basket.plan, choices=tuple(choices)), errors


def _refused(basket: Basket) -> set[str]:
    """The lines that can't simply come back: only about these is anything to be asked, whatever an old form says."""
    if not basket.book.versions:
        return set()
    options = line_options(basket.session, basket.book, basket.order, at=clock.now())
    return {each.order_line.ref for each in options if each.state != "returnable"}


def name_of(line: OrderLine) -> str:
    """What the customer calls it."""
    return line.name or line.variant or line.sku or _("Item %(number)s", number=line.position)


def _show(basket: Basket, plan: Plan, errors: Errors | None = None) -> tuple[str, int]:
    at = clock.now()
    options = line_options(basket.session, basket.book, basket.order, at=at) if basket.book.versions else []
    today = clock.local_date(at, ports().shop.timezone)
    can: dict[date | None, list[Shown]] = {}
    cannot: list[Shown] = []
    earlier = returns_of_order(basket.session, basket.order.id) if any(x.units_held for x in basket.order.lines) else []
    for each in options:
        shown = _shown(basket, plan, each, held_by(earlier, each.order_line))
        if each.state == "returnable":
            can.setdefault(each.return_by_on, []).append(shown)
        else:
            cannot.append(shown)
    groups = [
        Group(until, (until - today).days if until else 0, tuple(lines))
        for until, lines in sorted(can.items(), key=lambda item: item[0] or date.max)
    ]
    chosen = [shown for group in groups for shown in group.lines]
    return page(
        "items",
        errors,
        order=basket.order,
        digits=exponent(basket.order.currency),
        groups=groups,
        cannot=cannot,
        faults=bool(cannot) and all(shown.may_report for shown in cannot),
        way_out=any(shown.may_report or shown.may_ask for shown in cannot),
        send_days=_send_days(options),
        several=len([group for group in groups if group.until]) > 1 and _parcels(basket) > 1,
        chosen=chosen if len(chosen) <= MOST_IN_THE_ASIDE else [],
        count=sum(choice.quantity for choice in plan.choices),
        most_in_a_list=MOST_IN_A_LIST,
        earlier=earlier,
        refunded=any(payment.refunding_minor for payment in basket.order.payments),
    )


def _send_days(options: list[LineOptions]) -> int | None:
    """How many days there are to send the parcel once the return is booked; None where nothing can simply come back."""
    plain = [each.by_reason[CHANGED_MIND] for each in options if each.state == "returnable"]
    return parcel(plain).ship_by_days


def _parcels(basket: Basket) -> int:
    return len({line.delivered_at for line in basket.order.lines if line.delivered_at})


def held_by(earlier: list[Return], line: OrderLine) -> list[tuple[Return, ReturnLine]]:
    """The returns that hold units of the line, the oldest first, each with its part of them."""
    return [
        (found, each)
        for found in reversed(earlier)
        for each in found.lines
        if each.order_line_id == line.id and each.status in COUNTING
    ]


def is_given(line: OrderLine, held: list[tuple[Return, ReturnLine]]) -> bool:
    """Whether units of the line were refunded without a return, and stay with the customer."""
    return line.units_held > sum(each.quantity for _return, each in held)


def _told_of(held: list[tuple[Return, ReturnLine]]) -> str:
    """When and why it went into each return."""
    zone = ports().shop.timezone
    return " ".join(
        _("Withdrawn on %(day)s.", day=speech().wording().date(clock.local_date(found.booked_at, zone)))
        if found.basis.get(WITHDRAWN)
        else _(
            "Booked on %(day)s: %(reason)s.",
            day=speech().wording().date(clock.local_date(found.booked_at, zone)),
            reason=_(REASONS[line.reason]),
        )
        for found, line in held
    )


def _price(line: OrderLine, currency: str) -> tuple[str, str]:
    """What one unit cost after discounts, and how that is said of several; all of them where they can't be divided evenly."""
    each, rest = divmod(line.gross_minor, line.quantity)
    if rest:
        return money(line.gross_minor, currency), _("%(count)s together", count=line.quantity)
    price = money(each, currency)
    return price, _("%(price)s each", price=price) if line.quantity > 1 else ""


def _shown(basket: Basket, plan: Plan, options: LineOptions, held: list[tuple[Return, ReturnLine]]) -> Shown:
    inside = tuple(found.rma for found, _line in held)
    line, words = options.order_line, speech().wording()
    choice = plan.find(line.ref)
    price, counted = _price(line, basket.order.currency)
    each_minor = line.gross_minor // line.quantity if line.gross_minor % line.quantity == 0 else None
    if each_minor is not None and options.units_left > 1:
        # Several can be chosen: the amount itself says that it is for one.
        price, counted = counted, ""
    about = ". ".join(part for part in (line.variant, counted) if part)
    changes = customer_sentences(told_of_line(basket.book, basket.order, options), words) if options.causes else ()
    bold, more = _reason(options, words, held, changes)
    causes = options.causes
    gone = line.quantity - options.units_left
    return Shown(
        line=line,
        name=name_of(line),
        about=about,
        price=price,
        units_left=options.units_left,
        selected=choice is not None and options.state == "returnable",
        quantity=choice.quantity if choice else 1,
        sold=_gone(line, gone, held) if gone and options.units_left else "",
        inside=inside,
        hint=" ".join(dict.fromkeys((*_why(options, words), *changes))) if options.state == "returnable" else "",
        bold=bold,
        more=more,
        each_minor=each_minor,
        included=choice is not None and options.state != "returnable",
        may_report=options.state == "only_faulty",
        may_ask=options.state in ("no", "only_faulty") and bool(causes),
    )  # fmt: skip


def _gone(line: OrderLine, gone: int, held: list[tuple[Return, ReturnLine]]) -> str:
    if is_given(line, held):
        return ngettext(
            "%(num)s of %(all)s is refunded or in a return already.",
            "%(num)s of %(all)s are refunded or in a return already.",
            gone, all=line.quantity,
        ) if held else ngettext(
            "%(num)s of %(all)s is refunded already.", "%(num)s of %(all)s are refunded already.",
            gone, all=line.quantity,
        )  # fmt: skip
    if held:
        return ngettext(
            "%(num)s of %(all)s is in a return already.", "%(num)s of %(all)s are in a return already.",
            gone, all=line.quantity,
        )  # fmt: skip
    return ngettext(
        "%(num)s of %(all)s has come back already.", "%(num)s of %(all)s have come back already.",
        gone, all=line.quantity,
    )  # fmt: skip


def _why(options: LineOptions, words: Wording) -> list[str]:
    """The causes in words, without those of what the customer has not chosen yet."""
    return [
        cause_message(cause, words)
        for cause in options.causes
        if cause.code != "unknown_fact" or not cause.params["fact"].startswith(_CHOSEN_LATER)
    ]


def _reason(
    options: LineOptions, words: Wording, held: list[tuple[Return, ReturnLine]], changes: tuple[str, ...]
) -> tuple[str, str]:
    """Why it can't come back: the first sentence stands out, the date it turned is in it or follows."""
    if options.state == "returnable":
        return "", ""
    if options.state == "already_returned":
        if held:
            return _("In a return already."), _told_of(held)
        if is_given(options.order_line, held):
            return _("It’s refunded already."), _("You don’t need to send it back.")
        return _("It has come back already."), ""
    text = " ".join(dict.fromkeys((*(cause_message(cause, words) for cause in options.causes), *changes)))
    first, dot, rest = text.partition(". ")
    return (first + ".", rest) if dot else (text, "")
