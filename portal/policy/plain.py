"""The policy in four plain points, for the page where a customer starts, the policy page and product pages.

In: promises (see `promise`) and a `Wording`. Out: titles and texts. Invariants: every sentence is made from what the
decision says, so that page and decision say the same; what may be different is told with its condition.
Never: a promise that only a rule for some orders or some items makes, unless the sentence says for which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from portal.policy.customer_conditions import customer_condition
from portal.policy.customer_words import window
from portal.policy.decision import REFUSE, REVIEW
from portal.policy.explain import ENGLISH, Wording, customer_summary, length_words
from portal.policy.loader import Policy
from portal.policy.offers import offer
from portal.policy.promise import Asks, Promise, Purchase, promise
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.terms import Fee, Window, percent

COSTS = {"return_shipping", "restocking_fee"}


@dataclass(frozen=True, slots=True)
class Point:
    """One point. ``icon`` is a name of the sprite: calendar, exchange, qr, label, card."""

    icon: str
    title: str
    text: str


def policy_points(
    policy: Policy, asks: Asks, purchase: Purchase, wording: Wording = ENGLISH, *, refund_days: int = 5
) -> tuple[Point, ...]:
    """Four points for a purchase of this moment: how long, what it costs, how it travels, when the money comes.

    ``refund_days`` are the working days that a bank takes; they are no part of the policy.
    """
    usual, faulty = (promise(policy, asks, purchase, reason) for reason in (CHANGED_MIND, FAULTY))
    first, *more = points_of(policy, purchase, usual, faulty, wording, refund_days=refund_days)
    return (replace(first, text=" ".join(filter(None, (first.text, _bought(policy, asks, purchase, wording))))), *more)


def _bought(policy: Policy, asks: Asks, purchase: Purchase, wording: Wording) -> str:
    """For which days of purchase the first point holds, where others have another time: readers have bought already."""
    found = offer(policy, asks, purchase)
    for season in found.seasons:
        here, usual = season.promise, found.usual
        if season.first <= found.day <= season.last and (here.decision.answer, here.window) != (
            usual.decision.answer,
            usual.window,
        ):
            days = {"first": wording.date(season.first), "last": wording.date(season.last)}
            return wording.gettext("It holds for orders placed from %(first)s to %(last)s.") % days
    return ""


def points_of(
    policy: Policy,
    purchase: Purchase,
    usual: Promise,
    faulty: Promise,
    wording: Wording = ENGLISH,
    *,
    refund_days: int = 5,
) -> tuple[Point, ...]:
    """The same of promises that are there; one point where it can't come back or a person decides."""
    _ = wording.gettext
    if usual.decision.answer == REFUSE:
        text = customer_summary(usual.decision, wording)
        if faulty.decision.answer == REFUSE:
            return (Point("calendar", _("No returns"), text),)
        return (Point("calendar", _("Only if something is wrong with it"), text),)
    if usual.decision.answer == REVIEW:
        return (Point("help", _("Ask us"), _("A person in our team checks this before we answer.")),)
    return (
        _time(usual.window, wording),
        _cost(usual, faulty, wording, _otherwise(policy, purchase, usual, wording)),
        _way(usual.methods, wording),
        _money(usual.decision.value("refund_when"), refund_days, wording),
    )


def _time(window: Window, wording: Wording) -> Point:
    _ = wording.gettext
    if window.until is not None:
        title = _("Open until %(date)s") % {"date": wording.date(window.until)}
        return Point("calendar", title, _("The last day counts in full."))
    title = _("%(days)s to decide") % {"days": length_words(window.days or 0, wording)}
    text = {
        "delivered": _("Counted from the day your parcel was delivered."),
        "shipped": _("Counted from the day your parcel was sent."),
        "placed": _("Counted from the day you ordered."),
        "last_delivered": _("Counted from the day the last parcel of your order was delivered."),
    }[window.start]
    return Point("calendar", title, text)


def _otherwise(policy: Policy, purchase: Purchase, usual: Promise, wording: Wording) -> str:
    """When it costs something else, by facts that nobody knows before the order: a sentence for each such rule."""
    _ = wording.gettext
    known = purchase.facts(usual.reason, usual.resolution)
    said, above = [], set[str]()
    for rule in usual.depends:
        costs = {term for term in COSTS if usual.changed(rule, term)}
        # A rule above it may set the price of the label too, and that one is read first.
        free = costs == {"return_shipping"} and not costs & above and rule.sets["return_shipping"].paid_by == "merchant"
        if costs:
            told = (
                _("The way back is free if %(condition)s.")
                if free
                else _("It may cost something else if %(condition)s.")
            )
            said.append(told % {"condition": customer_condition(policy, rule.when, known, wording)})
        above |= rule.sets.keys()
    return " ".join(dict.fromkeys(said))


def _cost(usual: Promise, faulty: Promise, wording: Wording, otherwise: str) -> Point:
    _ = wording.gettext
    shipping, free = usual.shipping, list(usual.free_for)
    if shipping.kind == "free":
        title, text = _("Free returns"), _("We pay for the way back.")
    elif shipping.kind == "own":
        title, text = _("You send it back"), _("You choose the carrier and pay for the way back.")
    else:
        price = wording.money(shipping.amount) if shipping.amount is not None else percent(shipping.share_bp or 0)
        if set(free) == {"exchange", "store_credit"}:
            title = _("Free exchanges and store credit")
        elif free == ["exchange"]:
            title = _("Free exchanges")
        elif free == ["store_credit"]:
            title = _("Free with store credit")
        else:
            title = _("The return label costs %(price)s") % {"price": price}
        spared = [each for each in usual.resolutions if each not in free and each != usual.resolution]
        if free and not spared:
            text = _("A refund takes %(price)s off for the return label.") % {"price": price}
        elif free:
            text = _("Otherwise %(price)s comes off what you get back, for the return label.") % {"price": price}
        else:
            text = _("It comes off what you get back.")
    if (
        shipping.kind != "free"
        and faulty.decision.answer != REFUSE
        and all(each.shipping.kind == "free" for each in faulty.costs)
        and not faulty.uncertain("return_shipping")
    ):
        text += " " + _("Faulty items are always free.")
    if fees := _fees(usual, wording):
        text += " " + fees
    if otherwise:
        text += " " + otherwise
    return Point("exchange", title, text)


def _fees(usual: Promise, wording: Wording) -> str:
    """The fee for restocking, and for how long a law lifts it; nothing where there is none."""
    _ = wording.gettext
    fee = usual.fee
    if fee == Fee():
        return ""
    amount = percent(fee.bp) if fee.amount is None else wording.money(fee.amount)
    free = [each.stage for each in usual.costs if each.fee == Fee() and each.stage is not None]
    if not free:
        return _("A restocking fee of %(amount)s comes off what you get back.") % {"amount": amount}
    said = {"days": window(free[-1].within, wording), "amount": amount}
    return _("No restocking fee for %(days)s. After that, %(amount)s comes off what you get back.") % said


def _way(methods: tuple[str, ...], wording: Wording) -> Point:
    _ = wording.gettext
    if "qr" in methods:
        return Point("qr", _("No printer needed"), _("Show a QR code at the drop-off point and they print the label."))
    if "label" in methods:
        return Point("label", _("A label to print"), _("You get it at once. Put it on the parcel and drop it off."))
    if "shop" in methods:
        return Point("shop", _("Hand it in at a shop"), _("Bring the items and your order number."))
    return Point("parcel", _("Send it your way"), _("Any carrier will do. Keep the receipt."))


def _money(when: str, days: int, wording: Wording) -> Point:
    _ = wording.gettext
    title = wording.ngettext(
        "Money back in about %(count)d working day", "Money back in about %(count)d working days", days
    ) % {"count": days}
    text = {
        "authorized": _("From the moment we agree."),
        "in_transit": _("From the day you drop it off."),
        "received": _("From the day your parcel reaches us."),
        "inspected": _("From the day we have checked your parcel."),
    }[when]
    return Point("card", title, text)
