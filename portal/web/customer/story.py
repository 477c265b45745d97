"""The return as a story: one sentence that is the answer, who acts next, and what happened when.

In: a return, its money, its timeline and open questions. Out: `Story`. Invariants: "refunded" is said only of money that arrived;
a deadline that has passed is said first. Never: a word about staff, rules or providers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup, escape

from portal import clock, wording
from portal.notices.breakdown import units_of
from portal.policy.decision import REFUSE
from portal.receiving.disposition import MISSING
from portal.refunds.queries import MoneyView, add_working_days
from portal.returns import lifecycle as life
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted, expected_lines
from portal.reviews.models import Review
from portal.reviews.service import ASKED, DISPUTE, REFUND_FAILED
from portal.shop import Shop
from portal.timeline import TimelineEntry
from portal.web.customer.base import money as words_of
from portal.web.customer.base import speech
from portal.web.customer.items import name_of
from portal.web.customer.pieces import (
    DONE,
    NEXT,
    NOW,
    Step,
    at_the_bank,
    moment_words,
    piece_step,
    short_day,
    strong,
    sums,
)
from portal.web.customer.words import _, ngettext


@dataclass(frozen=True, slots=True)
class Story:
    """``late`` is the day that we named and missed."""

    headline: str
    lead: Markup
    steps: tuple[Step, ...]
    late: date | None = None


@dataclass(frozen=True)
class _Told:
    """Everything the sentences are made of."""

    return_: Return
    money: MoneyView
    when: Mapping[str, datetime]
    reviews: Sequence[Review]
    shop: Shop
    today: date
    pay_to: str
    first_came: datetime | None
    """When the first goods were counted, if not all came at once."""

    @property
    def travels(self) -> bool:
        return bool(self.return_.ship_with)

    @property
    def coming(self) -> list[ReturnLine]:
        """The lines whose goods travel."""
        return expected_lines(self.return_)

    @property
    def partly(self) -> bool:
        """True while some of it has come and more is awaited."""
        return self.came > 0 and any(accounted(line) < line.quantity for line in self.coming)

    @property
    def came(self) -> int:
        """How many units have come; what was found missing has not."""
        return sum(line.received_quantity for line in self.coming)

    @property
    def asked(self) -> bool:
        return any(review.status == ASKED for review in self.reviews)

    @property
    def disputed(self) -> bool:
        """True while a chargeback keeps back money that was not prepared yet."""
        return waits_for_bank(self.money, self.reviews)

    @property
    def due(self) -> bool:
        """True once nothing is to be done with the goods before the money goes."""
        checked = self.return_.status == life.RECEIVED and self.return_.refund_when != life.INSPECTED
        return checked or self.return_.status == life.INSPECTED

    @property
    def hear_by(self) -> date | None:
        """The day by which we said to have checked the goods."""
        arrived = self.return_.received_at
        if arrived is None:
            return None
        return add_working_days(clock.local_date(arrived, self.shop.timezone), self.shop.check_within_days)


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
    told = _Told(return_, money, when, reviews, shop, clock.local_date(at, shop.timezone), pay_to, first_came)
    headline, lead = _headline(told)
    late = None
    named = return_.status in (life.RECEIVED, life.INSPECTED) and money.planned_at is None and not told.disputed
    if named and told.hear_by is not None:
        late = told.hear_by if told.today > told.hear_by else None
    if late is not None:
        lead = strong(
            _("It is taking longer than the day we named. You’ll hear from us by %(day)s."),
            day=_weekday(add_working_days(told.today, 1)),
        )
    return Story(headline, lead, tuple(_steps(told)), late)


def _brought(entry: TimelineEntry) -> bool:
    """True when goods were counted and not only found missing."""
    return any(count["condition"] != MISSING for count in (entry.data or {}).get("counts", ()))


def waits_for_bank(money: MoneyView, reviews: Sequence[Review]) -> bool:
    """True while nothing of the money is prepared because the customer's bank looks into the payment."""
    return money.planned_at is None and any(review.kind == DISPUTE for review in reviews)


def bank_asks() -> str:
    """What the customer is told then, as of a refund that the bank refused."""
    return _("Your bank is looking into this payment. We wait for its answer before we send anything.")


def _weekday(day: date) -> str:
    return wording.weekday(day, speech().locale)


def _headline(told: _Told) -> tuple[str, Markup]:
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
    if money.planned_at is not None and money.state != "nothing":
        return _about_money(told)
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


def _partly(told: _Told) -> Markup:
    """Which units came, which are awaited, and what happens with the money meanwhile."""

    def named(counts: Iterable[tuple[ReturnLine, int]]) -> str:
        return ", ".join(
            units_of(name_of(line.order_line), count, line.quantity, speech()) for line, count in counts if count > 0
        )

    came = named((line, line.received_quantity) for line in told.coming)
    awaited = named((line, line.quantity - accounted(line)) for line in told.coming)
    said = [strong(_("Arrived: %(items)s."), items=came)] if came else []
    said.append(strong(_("Still awaited: %(items)s."), items=awaited))
    if told.money.owed.minor:
        said.append(escape(_("Your money goes out once all of it has arrived. If the rest can’t come, message us.")))
    return Markup(" ").join(said)


def _hear(told: _Told) -> Markup:
    by = told.hear_by or told.today
    return strong(_("You’ll hear from us by %(day)s. You don’t need to do anything."), day=_weekday(by))


def _about_money(told: _Told) -> tuple[str, Markup]:
    money = told.money
    amount = words_of(money.owed.minor, money.currency)
    match money.state:
        case "refunded" if money.credited.minor == money.owed.minor:
            return _("Your store credit is ready"), strong(_("%(amount)s, ready to spend."), amount=amount)
        case "refunded" if money.never_charged:
            return _("You weren’t charged"), strong(_("%(amount)s was only reserved and is free again."), amount=amount)
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
            return _all_parts(money), Markup(" ").join(
                (sums(money, told.today), escape(_("You don’t need to do anything.")))
            )


def _held(told: _Told) -> Markup:
    """What is done about money that did not get through, and by when: the words and the day of the mail about it."""
    piece = next((each for each in told.money.pieces if each.state == "held"), None)
    what = escape(_(piece.told) if piece and piece.told else _("We’re looking into it. You don’t need to do anything."))
    due = min((each.due_at for each in told.reviews if each.kind == REFUND_FAILED), default=None)
    by = clock.local_date(due, told.shop.timezone) if due is not None else None
    if by is None or by < told.today:
        return what
    return Markup(" ").join((strong(_("You’ll hear from us by %(day)s."), day=_weekday(by)), what))


def _all_parts(money: MoneyView) -> str:
    """What is true of all parts together: nothing is on its way that waits for somebody."""
    states = {piece.state for piece in money.pieces if piece.amount is not None}
    gone = states & {"sent", "arrived", "credited", "released"}
    if gone and states - gone:
        return _("A part of your money is on its way")
    if gone:
        return _("Your money is on its way")
    if "waits" in states:
        return _("Your refund waits while we check it")
    return _("Our team pays your refund") if "by_shop" in states else _("We’re preparing your refund")


def _closed_headline(told: _Told) -> tuple[str, Markup]:
    if any(piece.kind == "exchange" and piece.state == "ordered" for piece in told.money.pieces):
        return _("Your exchange is on its way"), escape(_("We’ve sent you its order number by e-mail."))
    return _("This return is complete"), escape(_("You don’t need to do anything."))


def _done(what: str, at: datetime, detail: str = "") -> Step:
    when, iso = moment_words(at)
    return Step(DONE, what, when, iso, detail)


def _steps(told: _Told) -> list[Step]:
    return_ = told.return_
    units = sum(line.quantity for line in return_.lines)
    way = {
        "qr": _("QR code"),
        "label": _("Printed label"),
        "shop": _("Handed in at a shop"),
        "own": _("Sent your own way"),
    }.get(return_.ship_with, "")
    items = ngettext("%(num)s item", "%(num)s items", units)
    looked_at = "return.review_opened" in told.when
    # Nothing is booked, and no way chosen for good, while a person is still to say yes.
    begun = (
        _("Withdrawal received")
        if "return.withdrawn" in told.when
        else _("Question sent")
        if all(line.answer == REFUSE for line in return_.lines)
        else _("Request sent")
        if looked_at
        else _("Booked")
    )
    steps = [_done(begun, return_.booked_at, f"{items}, {way}" if way and not looked_at else items)]
    if looked_at:
        if return_.status in (life.REQUESTED, life.UNDER_REVIEW):
            detail = (
                _("We wait for your answer.")
                if told.asked
                else _("We write how to send it back.")
                if "return.withdrawn" in told.when
                else _("A person looks at what you’ve asked.")
            )
            steps.append(Step(NOW, _("Being looked at"), _("Now"), "", detail))
        elif return_.authorized_at is not None:
            steps.append(_done(_("Approved"), return_.authorized_at, way))
    ended = {
        life.REJECTED: ("return.rejected", _("Denied")),
        life.CANCELED: ("return.canceled", _("Cancelled")),
        life.EXPIRED: ("return.expired", _("Expired")),
    }
    if return_.status in ended:
        if return_.received_at is not None:
            steps.append(_done(_("Arrived with us"), return_.received_at))
        event, what = ended[return_.status]
        at = told.when.get(event)
        return [*steps, _done(what, at) if at else Step(DONE, what)]
    if told.travels:
        steps += _way_back(told)
    return steps + _money_steps(told)


def _way_back(told: _Told) -> list[Step]:
    return_, status = told.return_, told.return_.status
    steps = []
    dropped = told.when.get("return.in_transit")
    # What came without a scan on the way was not seen when it was dropped off.
    if dropped is not None and dropped not in (return_.received_at, told.when.get("return.partly_received")):
        steps.append(_done(_("Dropped off"), dropped))
    elif status == life.AUTHORIZED:
        by = _("By %(day)s", day=short_day(return_.ship_by_on)) if return_.ship_by_on else ""
        waiting = _("Waiting for your items") if return_.ship_with == "shop" else _("Waiting for your parcel")
        steps.append(Step(NOW, waiting, by, "", _("Keep the receipt until you have your money.")))
    elif status in life.UNDECIDED:
        steps.append(Step(NEXT, _("Drop it off")))
    if return_.received_at is not None:
        steps.append(_done(_("Arrived with us"), return_.received_at))
    else:
        if told.came and told.first_came is not None:
            so_far = _(
                "%(count)s of %(all)s items so far", count=told.came, all=sum(each.quantity for each in told.coming)
            )
            steps.append(_done(_("A part has arrived"), told.first_came, so_far))
        now = status == life.IN_TRANSIT
        steps.append(
            Step(NOW if now else NEXT, _("On its way to us") if now else _("Arrives with us"), _("Now") if now else "")
        )
    if return_.inspected_at is not None:
        steps.append(_done(_("Checked"), return_.inspected_at))
    elif told.money.planned_at is None and not (told.disputed and told.due):
        looking = status in (life.RECEIVED, life.INSPECTED)
        within = ngettext(
            "Usually done within %(num)s working day.", "Usually done within %(num)s working days.",
            told.shop.check_within_days,
        )  # fmt: skip
        # Where money goes before the check, a step "we check it" in front of it would be wrong.
        if looking or return_.refund_when == "inspected":
            what = _("Being checked") if looking else _("We check it")
            steps.append(Step(NOW if looking else NEXT, what, _("Now") if looking else "", "", within))
    return steps


def _money_steps(told: _Told) -> list[Step]:
    money = told.money
    if money.planned_at is not None:
        # What is done stands before what is under way.
        return sorted((piece_step(piece) for piece in money.pieces), key=lambda step: step.state != DONE)
    if told.disputed:
        state, when = (NOW, _("Now")) if told.due else (NEXT, "")
        return [Step(state, _("Your refund waits for your bank"), when, "", bank_asks())]
    by = told.hear_by
    expected = _("Expected by %(day)s", day=short_day(by)) if by and by >= told.today else ""
    steps = []
    quote = {
        into: sum(part.amount_minor for part in money.parts if part.into == into) for into in ("store_credit", "refund")
    }
    if quote["store_credit"]:
        amount = words_of(quote["store_credit"], money.currency)
        detail = _("%(amount)s by e-mail, ready to spend straight away", amount=amount)
        steps.append(Step(NEXT, _("Store credit sent"), expected, "", detail))
    if quote["refund"]:
        steps.append(Step(NEXT, _("Refund sent"), expected, "", _bank(told, quote["refund"], told.pay_to)))
    if any(piece.kind == "exchange" for piece in money.pieces):
        names = ", ".join(piece.label for piece in money.pieces if piece.kind == "exchange")
        steps.append(Step(NEXT, _("Exchange sent"), expected, "", names))
    return steps


def _bank(told: _Told, minor: int, to: str) -> str:
    days = speech().working_days(told.shop.bank_days.least, told.shop.bank_days.most)
    amount = words_of(minor, told.money.currency)
    return _("%(amount)s to %(to)s, then %(days)s at your bank", amount=amount, to=to, days=days)
