"""The policy in a few plain sentences, for the page on which a customer starts ("How returns work here").

In: a policy and a `Wording`. Out: points with a title and a text.
Invariants: every point is computed from what holds when no special rule speaks, so that page and decision say the same.
Never: a promise that only a rule for some orders or some items makes, unless the sentence says for which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.policy.conditions import All, Comparison, Condition
from portal.policy.explain import ENGLISH, Wording
from portal.policy.loader import Policy
from portal.policy.reasons import FAULTS
from portal.policy.terms import ReturnShipping, Window, percent


@dataclass(frozen=True, slots=True)
class Point:
    """One point. ``icon`` is a name of the sprite: calendar, exchange, qr, label, card."""

    icon: str
    title: str
    text: str


def policy_lines(
    policy: Policy, wording: Wording = ENGLISH, *, currency: str | None = None, refund_days: int = 5
) -> tuple[Point, ...]:
    """Four points. ``currency`` is the shop's own: a rule for all orders in it counts as the general case. Without it, the
    first currency that has such a rule is taken.

    ``refund_days`` are the working days that a bank takes; they are no part of the policy.
    """
    terms = general_terms(policy, currency)
    return (
        _time(terms["window"], wording),
        _cost(terms, _faults_are_free(policy), wording),
        _way(terms["ship_with"], wording),
        _money(terms["refund_when"], refund_days, wording),
    )


def general_terms(policy: Policy, currency: str | None) -> dict[str, Any]:
    """The terms of an ordinary item in the shop's currency: rules without a condition or with that currency alone, then
    `otherwise`."""
    terms: dict[str, Any] = {}
    if currency is None:
        currency = next(filter(None, (_own_currency(rule.when) for rule in policy.rules)), None)
    for rule in policy.rules:
        if _is_general(rule.when, currency):
            for name, value in rule.sets.items():
                terms.setdefault(name, value)
    return {**policy.otherwise, **terms}


def _own_currency(when: Condition) -> str | None:
    match when:
        case Comparison("order.currency", "is", str(value)):
            return value
        case _:
            return None


def _is_general(when: Condition, currency: str | None) -> bool:
    match when:
        case All(()):
            return True
        case Comparison("order.currency", "is", value):
            return bool(value == currency)
        case Comparison("order.currency", "in", values):
            return currency in values
        case _:
            return False


def _faults_are_free(policy: Policy) -> bool:
    """True when the first rule that speaks of return shipping does so for faults, and the merchant pays there."""
    for rule in policy.rules:
        terms = rule.sets.get("return_shipping")
        if terms is None:
            continue
        match rule.when:
            case Comparison("reason", "is" | "in", value):
                reasons = value if isinstance(value, tuple) else (value,)
                return bool("faulty" in reasons and set(reasons) <= set(FAULTS) and terms.paid_by == "merchant")
        return False
    return False


def _time(window: Window, wording: Wording) -> Point:
    _ = wording.gettext
    if window.until is not None:
        title = _("Open until %(date)s") % {"date": wording.date(window.until)}
        return Point("calendar", title, _("The last day counts in full."))
    title = wording.ngettext("%(count)d day to decide", "%(count)d days to decide", window.days or 0) % {
        "count": window.days
    }
    text = {
        "delivered": _("Counted from the day your parcel was delivered."),
        "shipped": _("Counted from the day your parcel was sent."),
        "placed": _("Counted from the day you ordered."),
    }[window.start]
    return Point("calendar", title, text)


def _cost(terms: Mapping[str, Any], faults_free: bool, wording: Wording) -> Point:
    _ = wording.gettext
    shipping: ReturnShipping = terms["return_shipping"]
    free = [each for each in ("exchange", "store_credit") if each in terms["resolutions"]]
    if shipping.paid_by == "merchant":
        title, text = _("Free returns"), _("We pay for the way back.")
    elif shipping.amount is None and shipping.bp is None:
        title, text = _("You send it back"), _("You choose the carrier and pay for the way back.")
    else:
        price = wording.money(shipping.amount) if shipping.amount is not None else percent(shipping.bp or 0)
        free = [each for each in free if each in shipping.free_for]
        if free == ["exchange", "store_credit"]:
            title = _("Free exchanges and store credit")
        elif free == ["exchange"]:
            title = _("Free exchanges")
        elif free == ["store_credit"]:
            title = _("Free with store credit")
        else:
            title = _("The return label costs %(price)s") % {"price": price}
        if free:
            text = _("A refund takes %(price)s off for the return label.") % {"price": price}
        else:
            text = _("It comes off what you get back.")
    if faults_free and shipping.paid_by != "merchant":
        text += " " + _("Faulty items are always free.")
    fee = terms["restocking_fee"]
    if fee.bp or fee.amount is not None:
        amount = percent(fee.bp) if fee.amount is None else wording.money(fee.amount)
        text += " " + _("A restocking fee of %(amount)s comes off a refund.") % {"amount": amount}
    return Point("exchange", title, text)


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
