"""What happened to a return and what is to come, in order: the list below the sentence that is the answer.

In: `Told`. Out: steps that are done, under way or to come. Invariant: a step of the money stands as done only when it is.
Never: a word about staff, rules or providers.
"""

from __future__ import annotations

from datetime import datetime

from portal.policy.decision import REFUSE
from portal.returns import lifecycle as life
from portal.web.customer.base import money as words_of
from portal.web.customer.base import speech
from portal.web.customer.pieces import DONE, NEXT, NOW, Step, moment_words, piece_step, short_day
from portal.web.customer.told import Told, bank_asks
from portal.web.customer.words import _, ngettext


def _done(what: str, at: datetime, detail: str = "") -> Step:
    when, iso = moment_words(at)
    return Step(DONE, what, when, iso, detail)


def steps_of(told: Told) -> list[Step]:
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


def _way_back(told: Told) -> list[Step]:
    return_, status = told.return_, told.return_.status
    steps = []
    dropped = told.when.get("return.in_transit")
    # What came without a scan on the way was not seen when it was dropped off.
    if dropped is not None and dropped not in (return_.received_at, told.when.get("return.partly_received")):
        steps.append(_done(_("Dropped off"), dropped))
    elif status == life.AUTHORIZED:
        by = _("By %(day)s", day=short_day(return_.ship_by_on)) if return_.ship_by_on else ""
        waiting = _("Waiting for your items") if return_.ship_with == "shop" else _("Waiting for your parcel")
        receipt = (
            _("Keep the receipt until you have your money.")
            if told.money.owed.minor
            else _("Keep the receipt until it has reached us.")
        )
        steps.append(Step(NOW, waiting, by, "", receipt))
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
        if told.partly:
            by = _("By %(day)s", day=short_day(told.rest_by)) if told.rest_by else _("Now")
            steps.append(Step(NOW, _("Waiting for the rest"), by))
        else:
            now = status == life.IN_TRANSIT
            what = _("On its way to us") if now else _("Arrives with us")
            steps.append(Step(NOW if now else NEXT, what, _("Now") if now else ""))
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


def _money_steps(told: Told) -> list[Step]:
    money = told.money
    if money.planned_at is not None:
        steps = [piece_step(piece, told.today) for piece in money.pieces]
        if money.unpaid.minor and "money.waived" in told.when:
            unpaid = _("%(amount)s not paid", amount=words_of(money.unpaid.minor, money.currency))
            steps.append(_done(_("Closed"), told.when["money.waived"], unpaid))
        # What is done stands before what is under way.
        return sorted(steps, key=lambda step: step.state != DONE)
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


def _bank(told: Told, minor: int, to: str) -> str:
    days = speech().working_days(told.shop.bank_days.least, told.shop.bank_days.most)
    amount = words_of(minor, told.money.currency)
    return _("%(amount)s to %(to)s, then %(days)s at your bank", amount=amount, to=to, days=days)
