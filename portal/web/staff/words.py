"""What staff read about codes: deadlines, timeline entries, kinds of questions, conditions.

In: stored codes and moments. Out: text in the reader's language. Invariant: every code that a stage writes has words; an unknown
one is shown as it is. Never: a word about a customer that was not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time

from portal import wording
from portal.notices.speech import Speech
from portal.policy import explain
from portal.policy.explain import Wording
from portal.reviews import service as reviews
from portal.web.render import locale
from portal.web.staff.text import _, ngettext
from portal.web.statuses import deadline_state


@dataclass(frozen=True, slots=True)
class Deadline:
    """``state`` is overdue, soon, plain or paused; ``words`` say it; ``since`` says how long it has been waiting."""

    state: str
    words: str
    since: str
    at: datetime


def deadline(
    due_at: datetime,
    opened_at: datetime,
    now: datetime,
    zone: str,
    *,
    paused: bool,
    answered_at: datetime | None = None,
) -> Deadline:
    """The deadline of a question as the queue shows it; since its answer, where the customer has given one."""
    state = deadline_state(due_at, now, paused=paused)
    if state == "paused":
        return Deadline(state, _("Paused"), _("Waiting for the customer"), due_at)
    if state == "overdue":
        words = _("%(span)s overdue", span=span(now - due_at))
    elif state == "soon":
        words = _("Due in %(span)s", span=span(due_at - now, exact=True))
    else:
        words = when(due_at, now, zone)
    since = (
        _("Waiting %(span)s", span=span(now - opened_at))
        if answered_at is None
        else _("Answered %(span)s ago", span=span(now - answered_at))
    )
    return Deadline(state, words, since, due_at)


def span(length: timedelta, *, exact: bool = False) -> str:
    """``5 h``, ``1 h 45 m`` (exact), ``3 days``."""
    minutes = max(int(length.total_seconds() // 60), 0)
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return ngettext("%(num)s day", "%(num)s days", hours // 24)
    if not hours:
        return _("%(minutes)s min", minutes=rest)
    if exact and rest:
        return _("%(hours)s h %(minutes)s m", hours=hours, minutes=rest)
    return _("%(hours)s h", hours=hours)


def when(moment: datetime, now: datetime, zone: str) -> str:
    """``Today, 16:15`` or ``Sat 21 Nov, 04:15``, in the shop's zone."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    found = wording.locale_of(locale())
    clock = format_time(local, "HH:mm", locale=found)
    if local.date() == today.date():
        return _("Today, %(time)s", time=clock)
    pattern = "EEE d MMM, HH:mm" if local.year == today.year else "EEE d MMM y, HH:mm"
    return format_datetime(local, pattern, locale=found)


def staff_wording() -> Wording:
    """How the sentences of `policy.explain` speak to this reader."""
    return Speech.of(locale(), "UTC").wording()


def term_label(term: str) -> str:
    """What a setting of the policy is called."""
    return explain.term_label(term, staff_wording())


def amount(minor: int, currency: str, *, signed: bool = False) -> str:
    """``£72.00``."""
    return wording.money(minor, currency, locale(), signed=signed)


def kind(code: str) -> str:
    """A question's kind as the filter names it."""
    return {
        reviews.POLICY: _("A rule asks for a person"),
        reviews.ASKED_US: _("The customer asks us"),
        reviews.RECEIPT: _("Goods differ"),
        reviews.OUT_OF_STOCK: _("Out of stock"),
        reviews.REFUND_FAILED: _("Refund failed"),
        reviews.REFUND_UNKNOWN: _("Refund unsure"),
        reviews.DISPUTE: _("Dispute"),
        reviews.PAY_ELSEWHERE: _("To pay by hand"),
        reviews.BALANCE_LOW: _("Balance too low"),
        reviews.DAILY_CAP: _("Above the daily cap"),
        reviews.SECOND_PERSON: _("Needs a second person"),
        reviews.REFUND_LATE: _("Later than banks need"),
        reviews.GOODS_MISSING: _("Paid ahead, goods missing"),
    }.get(code, code)


def condition(code: str) -> tuple[str, str]:
    """A condition's word and what it means at the bench."""
    return {
        "as_new": (_("As new"), _("Can be sold again")),
        "opened": (_("Opened"), _("Unworn, packing opened")),
        "used": (_("Used"), _("Worn or marked")),
        "damaged": (_("Damaged"), _("Broken or torn")),
        "wrong_item": (_("Wrong item"), _("Not what was announced")),
        "missing": (_("Missing"), _("Not in the parcel")),
    }[code]


def disposition(code: str) -> str:
    """Where goods go, in words."""
    return {
        "restock": _("Back to stock"),
        "refurbish": _("Clean or repair"),
        "return_to_vendor": _("Set aside to send back"),
        "recycle": _("Recycle"),
        "donate": _("Donate"),
        "dispose": _("Throw away"),
        "missing": _("Nothing to put away"),
    }.get(code, code)


def resolution(code: str) -> str:
    """What the customer gets."""
    return {"refund": _("Refund"), "store_credit": _("Store credit"), "exchange": _("Exchange")}.get(code, code)


def account(code: str) -> str:
    """An account of the ledger."""
    return {
        "owed": _("Promised to the customer"),
        "reserved": _("Reserved at a payment"),
        "refunded": _("Refunded"),
        "store_credit": _("Store credit"),
    }.get(code, code)


def ledger_kind(code: str) -> str:
    """What a row of the ledger is."""
    return {
        "item": _("Price"),
        "discount": _("Discount share"),
        "tax": _("Tax"),
        "inspection": _("After the check"),
        "restocking_fee": _("Restocking fee"),
        "credit_bonus": _("Credit bonus"),
        "replacement": _("Replacement"),
        "return_shipping": _("Return label"),
        "outbound_shipping": _("Delivery costs"),
        "adjustment": _("Changed by us"),
        "goodwill": _("Goodwill"),
        "carried": _("Kept for the next payment, too small to send"),
        "waived": _("Closed, nothing more is owed"),
        "reserve": _("Reserved"),
        "release": _("Free again, it was not sent"),
        "paid": _("Paid"),
        "paid_elsewhere": _("Paid another way"),
        "released": _("Given free, never charged"),
        "reversed": _("Came back"),
        "elsewhere": _("Made outside the portal"),
        "issued": _("Issued"),
    }.get(code, code)


TONES: Mapping[str, str] = {
    "return.answered": "amber",
    "return.review_opened": "amber",
    "review.opened": "amber",
    "return.questioned": "amber",
    "refund.unknown": "amber",
    "refund.failed": "red",
    "refund.contradicted": "red",
    "notice.failed": "red",
    "return.rejected": "red",
    "dispute.opened": "red",
    "return.authorized": "green",
    "refund.succeeded": "green",
    "return.closed": "green",
}
"""The colour of an entry's dot; grey for all others."""


def event(what: str, data: Mapping[str, Any] | None) -> str:
    """What happened, without who and when."""
    known = data or {}
    match what:
        case "return.booked":
            return ngettext("Booked, %(num)s item", "Booked, %(num)s items", int(known.get("units", 1)))
        case "return.withdrawn":
            number = int(known.get("items", 1))
            return ngettext(
                "Withdrew from the contract, %(num)s item", "Withdrew from the contract, %(num)s items", number
            )
        case "return.authorized" if known.get("by") == "policy":
            return _("Approved by the policy")
        case "return.resolution_changed":
            return _(
                "Changed from %(before)s to %(after)s",
                before=resolution(str(known.get("from", ""))).lower(),
                after=resolution(str(known.get("to", ""))).lower(),
            )
        case "return.canceled":
            return _("Cancelled by the customer") if known.get("by") == "customer" else _("Cancelled")
        case "return.received" | "return.partly_received" | "return.inspected" | "return.questioned":
            return _goods(what, known)
        case "notice.sent" | "notice.failed":
            kind_ = notice(str(known.get("kind", "")))
            sent = what == "notice.sent"
            return _("E-mail sent: %(kind)s", kind=kind_) if sent else _("E-mail not sent: %(kind)s", kind=kind_)
        case "review.assigned":
            return _("Assigned to %(name)s", name=known["to"]) if known.get("to") else _("Owner removed")
        case "return.answered" if known.get("photos"):
            photos = ngettext("%(num)s photo", "%(num)s photos", int(known["photos"]))
            return _("The customer answered, %(photos)s", photos=photos)
    return _plain().get(what, what)


def notice(code: str) -> str:
    """What an e-mail is about."""
    return {
        "withdrawn": _("withdrawal confirmed"),
        "under_review": _("we look at it"),
        "asked": _("our question"),
        "booked": _("approved, with the next steps"),
        "refused": _("denied, with the reason"),
        "expired": _("expired"),
        "received": _("received"),
        "credit_issued": _("store credit"),
        "exchange_sent": _("replacement on its way"),
        "refund_sent": _("refund sent"),
        "refund_failed": _("refund delayed"),
        "payment_released": _("never charged"),
        "refund_needs_you": _("bank details needed"),
        "refund_late": _("refund takes longer"),
        "goodwill_sent": _("goodwill refund sent"),
    }.get(code, code)


def _goods(what: str, known: Mapping[str, Any]) -> str:
    if what == "return.inspected" and known.get("by") == "staff":
        return _("Goods accepted")
    words = {
        "return.received": _("Parcel received"),
        "return.partly_received": _("Part of it received"),
        "return.inspected": _("Checked"),
        "return.questioned": _("Checked, and sent to exceptions"),
    }[what]
    counted = ", ".join(
        _("%(count)s × %(condition)s", count=each["quantity"], condition=condition(each["condition"])[0].lower())
        for each in known.get("counts", ())
    )
    return _("%(what)s: %(counted)s", what=words, counted=counted) if counted else words


def _plain() -> dict[str, str]:
    return {
        "return.authorized": _("Approved"),
        "return.review_opened": _("Sent to exceptions"),
        "review.opened": _("Sent to exceptions"),
        "return.asked": _("The customer was asked"),
        "return.answered": _("The customer answered"),
        "return.rejected": _("Denied"),
        "return.reinstated": _("Taken back into work"),
        "return.expired": _("Expired, nothing was sent"),
        "return.repriced": _("Delivery costs moved between returns of the order"),
        "return.in_transit": _("Handed to the carrier"),
        "return.closed": _("Closed"),
        "payout.planned": _("Payment prepared"),
        "credit_note.issued": _("Credit note issued"),
        "refund.planned": _("Refund prepared"),
        "refund.handed_to_staff": _("To be paid by hand"),
        "refund.accepted": _("Refund accepted by the payment provider"),
        "refund.succeeded": _("Refund sent"),
        "refund.failed": _("Refund failed"),
        "refund.unknown": _("Refund without an answer"),
        "refund.paid_elsewhere": _("Paid another way"),
        "refund.needs_customer": _("The customer’s bank details are needed"),
        "refund.uncaptured": _("The payment is not captured, so it is given free"),
        "refund.released": _("Given free, never charged"),
        "refund.held_back": _("Above the daily cap, waits for a person"),
        "refund.let_through": _("Sent anyway"),
        "refund.needs_second": _("Waits for a second person"),
        "refund.seconded": _("Approved by a second person"),
        "refund.taken_back": _("Taken back before it was sent"),
        "payout.taken_back": _("To be decided again"),
        "refund.contradicted": _("Ended here, and alive at Stripe"),
        "refund.late": _("Later than banks need"),
        "goodwill.given": _("Goodwill refund given"),
        "money.resumed": _("What is left is sent"),
        "money.paid_elsewhere": _("The missing part paid another way"),
        "claim.ended": _("Left at that, the money stays with the customer"),
        "money.waived": _("Closed, nothing more is owed"),
        "refunds.stopped": _("All refunds stopped"),
        "refunds.resumed": _("Refunds flow again"),
        "refund.imported": _("Refund made outside the portal"),
        "credit.issued": _("Store credit issued"),
        "exchange.ordered": _("Replacement ordered"),
        "dispute.opened": _("The bank took the payment back"),
        "dispute.closed": _("Dispute closed"),
        "label.incomplete": _("The label could not show everything"),
        "slip.incomplete": _("The packing slip could not show everything"),
        "note.added": _("Note"),
    }


def paid_to(method: str, provider: str) -> str:
    """The card or account that a payment came from; its provider's name where nothing nearer is known."""
    if method:
        return method
    name = provider.replace("_", " ")
    return name[:1].upper() + name[1:]
