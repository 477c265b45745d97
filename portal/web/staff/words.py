"""What staff read about codes: deadlines, kinds of questions, conditions; the timeline's entries are `log_words`.

In: stored codes and moments. Out: text in the reader's language. Invariant: every code that a stage writes has words; an unknown
one is shown as it is. Never: a word about a customer that was not stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time

from portal import wording
from portal.notices.speech import Speech
from portal.orders.models import OrderLine, Payment
from portal.policy import explain
from portal.policy.explain import Wording
from portal.refunds.tenders import BY_HAND, is_stripe, tender_name
from portal.returns.models import Return
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


def when(moment: datetime, now: datetime, zone: str, *, inside: bool = False) -> str:
    """``Today, 16:15`` or ``Sat 21 Nov, 04:15``, in the shop's zone; ``today, 16:15`` inside a sentence."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    found = wording.locale_of(locale())
    clock = format_time(local, "HH:mm", locale=found)
    if local.date() == today.date():
        return _("today, %(time)s", time=clock) if inside else _("Today, %(time)s", time=clock)
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
        reviews.GOODS_MISSING: _("Goods missing"),
        reviews.PAID_BEFORE: _("Paid before the backup"),
    }.get(code, code)


_SAY_THEMSELVES = (
    reviews.POLICY,
    reviews.ASKED_US,
    reviews.RECEIPT,
    reviews.OUT_OF_STOCK,
    reviews.GOODS_MISSING,
)
"""The questions whose reason is a heading and whose fact is a sentence; of the others the fact is a code."""


def question(code: str, why: str, fact: str) -> tuple[str, str]:
    """Why a question is in the queue: a short line, and the sentence that tipped it."""
    return (why, fact) if code in _SAY_THEMSELVES else (kind(code), why)


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
        "bonus_lapsed": _("Bonus of a store credit that was not given"),
        "reserve": _("Reserved"),
        "release": _("Free again, it was not sent"),
        "paid": _("Paid"),
        "paid_elsewhere": _("Paid another way"),
        "released": _("Given free, never charged"),
        "reversed": _("Came back"),
        "elsewhere": _("Made outside the portal"),
        "issued": _("Issued"),
    }.get(code, code)


OWN_WAY = "own"
"""In forms: by the way of the payment itself."""


def ways_by_hand(payment: Payment | None = None) -> list[tuple[str, str]]:
    """The ways by which staff pay a customer themselves, for a choice; the customer is told the one that was taken. A ``payment``
    that the portal cannot send money to comes first."""
    own = (
        [(OWN_WAY, paid_to(payment.method, payment.provider))] if payment is not None and not is_stripe(payment) else []
    )
    ways = [(way, paid_to("", way)) for way in BY_HAND]
    return own + [each for each in ways if each[1] not in [name for _way, name in own]]


def paid_to(method: str, provider: str) -> str:
    """The card or account that a payment came from, as a heading; its provider's name where nothing nearer is known."""
    known = {
        "bank": _("Bank transfer"),
        "bank_transfer": _("Bank transfer"),
        "cash": _("Cash"),
        "cod": _("Cash on delivery"),
        "gift_card": _("Gift card"),
        "other": _("Another way"),
        # Stripe passes the money on; whether it came from a card is not known where only the payment's number is.
        "stripe": _("Card or account that paid"),
    }
    return method or known.get(provider.casefold(), tender_name(method, provider))


def name_of(line: OrderLine) -> str:
    """What an article is called."""
    return line.name or line.sku or line.ref


def first_name(return_: Return) -> str:
    """What a form calls the customer: the first word of the order's name, or the address where it has none."""
    return (return_.order.customer_name.split() or return_.email.split() or [_("the customer")])[0]
