"""The return as a story: one sentence that is the answer, who acts next, and the steps below it (`steps`).

In: a return, its money, its timeline and open questions. Out: `Story`. Invariants: "refunded" is said only of money that arrived;
a deadline that has passed is said first. Never: a word about staff, rules or providers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup, escape

from portal import clock, wording
from portal.notices.breakdown import units_of
from portal.receiving.disposition import MISSING
from portal.refunds.queries import MoneyView
from portal.returns import lifecycle as life
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted
from portal.reviews.models import Review
from portal.reviews.service import PAY_ELSEWHERE, REFUND_FAILED
from portal.shop import Shop
from portal.timeline import TimelineEntry
from portal.web.customer.base import money as words_of
from portal.web.customer.base import speech
from portal.web.customer.items import name_of
from portal.web.customer.pieces import (
    Step,
    at_the_bank,
    is_late,
    moment_words,
    strong,
    sums,
)
from portal.web.customer.steps import steps_of
from portal.web.customer.told import Told, bank_asks
from portal.web.customer.words import _


@dataclass(frozen=True, slots=True)
class Story:
    """``late`` is the day that we named and missed."""

    headline: str
    lead: Markup
    steps: tuple[Step, ...]
    late: date | None = None


def tell(
    return_: Return,
    money: MoneyView,
    entries: Sequence[TimelineEntry],
    reviews: Sequence[Review],
    shop: Shop,
    at: datetime,
    pay_to: str,
) -> Story:
    """The story as it stands at the moment ``at``."""
    when: dict[str, datetime] = {}
    for entry in entries:
        when.setdefault(entry.what, entry.at)
    first_came = next(
        (entry.at for entry in entries if entry.what == "return.partly_received" and _brought(entry)), None
    )
    by_bank = any(entry.what == "money.waived" and (entry.data or {}).get("disputed") for entry in entries)
    today = clock.local_date(at, shop.timezone)
    told = Told(return_, money, when, reviews, shop, today, pay_to, first_came, by_bank)
    headline, lead = _headline(told)
    late = None
    named = return_.status in (life.RECEIVED, life.INSPECTED) and money.planned_at is None and not told.disputed
    if named and told.hear_by is not None:
        late = told.hear_by if told.today > told.hear_by else None
    if late is not None:
        lead = strong(
            _("It is taking longer than the day we named. You’ll hear from us by %(day)s."),
            day=_weekday(clock.add_working_days(told.today, 1)),
        )
    return Story(headline, lead, tuple(steps_of(told)), late)


def _brought(entry: TimelineEntry) -> bool:
    """True when goods were counted and not only found missing."""
    return any(count["condition"] != MISSING for count in (entry.data or {}).get("counts", ()))


def _weekday(day: date) -> str:
    return wording.weekday(day, speech().locale)


def _headline(told: Told) -> tuple[str, Markup]:
    return_, money = told.return_, told.money
    calm = escape(_("You don’t need to do anything."))
    if told.asked and return_.status not in life.ENDED:
        return _("We have a question for you"), escape(_("Once you’ve answered, we go on."))
    match return_.status:
        case life.REQUESTED | life.UNDER_REVIEW:
            due = min((review.due_at for review in told.reviews), default=None)
            if "return.withdrawn" in told.when:
                return _("We have your withdrawal"), strong(
                    _("It counts from %(moment)s. We write how to send it back; keep the items until then."),
                    moment=moment_words(told.when["return.withdrawn"])[0],
                )
            if due is None or clock.local_date(due, told.shop.timezone) < told.today:
                return _("We’re looking at your return"), escape(_("You hear from us soon. Send nothing before that."))
            by = _weekday(clock.local_date(due, told.shop.timezone))
            return _("We’re looking at your return"), strong(
                _("You’ll hear from us by %(day)s. Send nothing before that."), day=by
            )
        case life.REJECTED:
            return _("We couldn’t accept this return"), escape(_("Nothing is refunded for it. Below you find why."))
        case life.CANCELED:
            return _("This return is cancelled"), escape(
                _("The items stay with you. You can start again as long as their time limit runs.")
            )
        case life.EXPIRED:
            return _("This return has expired"), escape(
                _("Nothing reached us in time. If you’ve sent it, message us with the receipt.")
            )
    if money.unpaid.minor and money.state == "nothing" and return_.status == life.CLOSED:
        return _("This return is closed"), _unpaid(told)
    if money.planned_at is not None and money.state != "nothing":
        headline, lead = _about_money(told)
        closed = money.unpaid.minor and money.state == "refunded"
        return headline, Markup(" ").join((lead, _unpaid(told))) if closed else lead
    if told.disputed and told.due:
        return _("Your refund waits for your bank"), escape(bank_asks())
    match return_.status:
        case life.AUTHORIZED if told.travels and return_.ship_by_on:
            by = _("Hand it in by %(day)s.") if return_.ship_with == "shop" else _("Send it by %(day)s.")
            return _("Your return is booked"), strong(by, day=_weekday(return_.ship_by_on))
        case life.AUTHORIZED:
            return _("Your return is approved"), calm
        case life.IN_TRANSIT if told.partly:
            return _("A part of your return has arrived"), _partly(told)
        case life.IN_TRANSIT:
            return _("Your parcel is on its way to us"), calm
        case life.RECEIVED:
            return _("We have your parcel and we’re checking it"), _hear(told)
        case life.INSPECTED:
            return _("We’ve checked your parcel"), _hear(told)
        case _closed:
            return _closed_headline(told)


def _partly(told: Told) -> Markup:
    """Which units came, which are awaited, and what happens with the money meanwhile."""

    def named(counts: Iterable[tuple[ReturnLine, int]]) -> str:
        return ", ".join(
            units_of(name_of(line.order_line), count, line.quantity, speech()) for line, count in counts if count > 0
        )

    came = named((line, line.received_quantity) for line in told.coming)
    awaited = named((line, line.quantity - accounted(line)) for line in told.coming)
    said = [strong(_("Arrived: %(items)s."), items=came)] if came else []
    said.append(strong(_("Still awaited: %(items)s."), items=awaited))
    if told.rest_by is not None:
        said.append(strong(_("Send the rest by %(day)s, unless it is on its way."), day=_weekday(told.rest_by)))
    if told.money.owed.minor:
        said.append(escape(_("Your money goes out once all of it has arrived. If the rest can’t come, message us.")))
    return Markup(" ").join(said)


def _hear(told: Told) -> Markup:
    by = told.hear_by or told.today
    return strong(_("You’ll hear from us by %(day)s. You don’t need to do anything."), day=_weekday(by))


def _about_money(told: Told) -> tuple[str, Markup]:
    money = told.money
    amount = words_of(money.owed.minor, money.currency)
    match money.state:
        case "refunded" if money.credited.minor == money.owed.minor:
            return _("Your store credit is ready"), strong(_("%(amount)s, ready to spend."), amount=amount)
        case "refunded" if money.never_charged:
            headline = _("You were charged less") if money.charged else _("You weren’t charged")
            return headline, sums(money, told.today)
        case "refunded":
            under_way = at_the_bank(money, told.today)
            return _("Your refund is on its way") if under_way else _("Your refund is complete"), sums(
                money, told.today
            )
        case "held":
            return _("Your refund is delayed"), _held(told)
        case _under_way:
            if any(piece.state == "needs_you" for piece in money.pieces):
                return _("Your bank details are needed"), escape(_("We’ve sent you an e-mail that says what to do."))
            if any(piece.state == "held" for piece in money.pieces):
                return _("A part of your refund is delayed"), _held(told)
            said = (
                sums(money, told.today),
                _by_hand(told),
                _paused(money),
                escape(_("You don’t need to do anything.")),
            )
            return _all_parts(money, told.today), Markup(" ").join(filter(None, said))


def _by_hand(told: Told) -> Markup:
    """By when somebody pays what the portal can't send; empty where nothing is paid by hand, or that day has gone by."""
    by = _due(told, PAY_ELSEWHERE)
    if by is None or all(piece.state != "by_shop" for piece in told.money.pieces):
        return Markup()
    return strong(_("That is done by %(day)s."), day=_weekday(by))


def _paused(money: MoneyView) -> Markup:
    """That a pause is nobody's fault, where the shop sends no refunds at all; else empty."""
    if all(piece.state != "paused" for piece in money.pieces):
        return Markup()
    return escape(_("The pause is for all refunds of our shop and has nothing to do with yours."))


def _due(told: Told, kind: str) -> date | None:
    """The day by which somebody answers the questions of this kind; None where there is none, or it has gone by."""
    due = min((each.due_at for each in told.reviews if each.kind == kind), default=None)
    by = clock.local_date(due, told.shop.timezone) if due is not None else None
    return by if by is not None and by >= told.today else None


def _unpaid(told: Told) -> Markup:
    """What we have closed and do not pay, why, and what to do about it."""
    amount = words_of(told.money.unpaid.minor, told.money.currency)
    closed = (
        _("Your bank has decided about this payment, so we have closed this return without paying %(amount)s.")
        if told.by_bank
        else _("We have closed this return without paying %(amount)s.")
    )
    return Markup(" ").join((strong(closed, amount=amount), escape(_("If you see it differently, message us."))))


def _held(told: Told) -> Markup:
    """What is done about money that did not get through, and by when: the words and the day of the mail about it."""
    piece = next((each for each in told.money.pieces if each.state == "held"), None)
    what = escape(_(piece.told) if piece and piece.told else _("We’re looking into it. You don’t need to do anything."))
    by = _due(told, REFUND_FAILED)
    if by is None:
        return what
    return Markup(" ").join((strong(_("You’ll hear from us by %(day)s."), day=_weekday(by)), what))


def _all_parts(money: MoneyView, today: date) -> str:
    """What is true of all parts together: nothing is on its way that waits for somebody, and what is late is said first."""
    parts = [piece for piece in money.pieces if piece.amount is not None]
    if any(is_late(piece, today) for piece in parts):
        return _("Your refund takes longer") if len(parts) == 1 else _("A part of your refund takes longer")
    states = {piece.state for piece in parts}
    gone = states & {"sent", "arrived", "credited", "released"}
    if gone and states - gone:
        return _("A part of your money is on its way")
    if gone:
        return _("Your money is on its way")
    if "waits" in states:
        return _("Your refund waits while we check it")
    if "paused" in states:
        return _("We’ve paused all refunds for now")
    return _("Our team pays your refund") if "by_shop" in states else _("We’re preparing your refund")


def _closed_headline(told: Told) -> tuple[str, Markup]:
    ordered = [piece for piece in told.money.pieces if piece.kind == "exchange" and piece.state == "ordered"]
    if ordered:
        sent = all(piece.shipped_at is not None for piece in ordered)
        headline = _("Your exchange is on its way") if sent else _("Your exchange is ordered")
        return headline, escape(_("We’ve sent you its order number by e-mail."))
    return _("This return is complete"), escape(_("You don’t need to do anything."))
