"""A promise term by term, as a shop says it to its customers: "£3.50, taken off your refund".

In: terms as they were decided and a `Wording`. Out: a label and a phrase for each. Invariants: two values that differ for a
customer read differently; whole phrases are translated, never halves of them. Never: a word of the staff's pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.policy.explain import Wording, length_words, resolution_words, term_label, value_words
from portal.policy.pieces import listed_words
from portal.policy.terms import Evidence, Fee, ReturnShipping, Window, percent


def _(message: str) -> str:
    """Mark a message id for the extractor; it is translated when it is said."""
    return message


_LABELS: Mapping[str, str] = {
    "returnable": _("Returns"),
    "window": _("Time to return"),
    "resolutions": _("You can choose"),
    "review": _("Who decides"),
    "evidence": _("Photo"),
    "ship_with": _("How to send it back"),
    "ship_by": _("Send it within"),
    "return_shipping": _("Cost of sending it back"),
    "restocking_fee": _("Restocking fee"),
    "credit_bonus": _("Extra with store credit"),
    "outbound_shipping": _("Delivery costs you paid"),
    "keep_item": _("The item"),
    "exchange_bonus": _("Another size or colour"),
    "donate": _("If you needn’t send it"),
    "refund_when": _("When we pay"),
}
_WORDS: Mapping[tuple[str, Any], str] = {
    ("returnable", True): _("Accepted"),
    ("returnable", False): _("Not accepted"),
    ("review", "never"): _("Answered at once"),
    ("review", "always"): _("A person in our team"),
    ("outbound_shipping", "never"): _("Not paid back"),
    ("outbound_shipping", "full_return"): _("Paid back when the whole order comes back"),
    ("outbound_shipping", "always"): _("Paid back"),
    ("keep_item", True): _("Yours to keep, nothing to send"),
    ("keep_item", False): _("Comes back to us"),
    ("donate", True): _("Please give it to somebody who can use it"),
    ("donate", False): _("Nothing more to do"),
    ("refund_when", "authorized"): _("As soon as we agree"),
    ("refund_when", "in_transit"): _("When you’ve handed the parcel over"),
    ("refund_when", "received"): _("When your parcel has reached us"),
    ("refund_when", "inspected"): _("When we’ve checked your parcel"),
}
_WAYS: Mapping[str, str] = {
    "label": _("a label to print"),
    "qr": _("a QR code to show"),
    "shop": _("a visit to a shop"),
    "own": _("any carrier you like"),
}


def label(term: str, wording: Wording) -> str:
    """What the customer is told about."""
    return wording.gettext(_LABELS[term]) if term in _LABELS else term_label(term, wording)


def phrase(term: str, value: Any, wording: Wording) -> str:
    """What is promised of it."""
    if isinstance(value, bool | str) and (term, value) in _WORDS:
        return wording.gettext(_WORDS[term, value])
    match value:
        case Window():
            return window(value, wording)
        case ReturnShipping():
            return _shipping(value, wording)
        case Evidence():
            return _photos(value, wording)
        case Fee():
            return _fee(value, wording)
        case tuple() if term == "resolutions":
            return _capital(listed_words([resolution_words(each, wording) for each in value], wording))
        case tuple() if term == "ship_with":
            return _capital(listed_words([wording.gettext(_WAYS[each]) for each in value], wording))
        case int() if term == "ship_by":
            return wording.ngettext("%(count)d day after booking", "%(count)d days after booking", value) % {
                "count": value
            }
        case int() if term == "credit_bonus" and value:
            return wording.gettext("%(share)s on top") % {"share": percent(value)}
        case int() if term == "exchange_bonus" and not value:
            return wording.gettext("At the same price")
        case int() if term == "exchange_bonus":
            return wording.gettext("May cost up to %(share)s more, with nothing to pay") % {"share": percent(value)}
        case int() if term == "credit_bonus":
            return wording.gettext("Nothing on top")
    return value_words(term, value, wording)


def window(value: Window, wording: Wording) -> str:
    """``30 days from delivery``. Grace is between the shop and its policy: who knew of it would count on it."""
    gettext = wording.gettext
    if value.until is not None:
        return gettext("Until %(date)s") % {"date": wording.date(value.until)}
    days = length_words(value.days or 0, wording)
    counted = {
        "delivered": gettext("%(days)s from delivery"),
        "shipped": gettext("%(days)s from the day it was sent"),
        "placed": gettext("%(days)s from the day you ordered"),
        "last_delivered": gettext("%(days)s from delivery of the last parcel"),
    }[value.start] % {"days": days}
    if value.ends_on == "business_day":
        return gettext("%(window)s, or the working day after a weekend") % {"window": counted}
    return counted


def _shipping(value: ReturnShipping, wording: Wording) -> str:
    gettext = wording.gettext
    if value.paid_by == "merchant":
        return gettext("Free")
    if value.amount is not None:
        price = {"price": wording.money(value.amount)}
        once = gettext("%(price)s once for the whole order, taken off what you get back")
        said = (once if value.once_per == "order" else gettext("%(price)s, taken off what you get back")) % price
    elif value.bp is not None:
        said = gettext("%(share)s of the value, taken off what you get back") % {"share": percent(value.bp)}
    else:
        said = gettext("You pay the carrier")
    if not value.free_for:
        return said
    free = listed_words([resolution_words(each, wording) for each in value.free_for], wording)
    return gettext("%(cost)s. Free with %(wishes)s") % {"cost": said, "wishes": free}


def _photos(value: Evidence, wording: Wording) -> str:
    if not value.photos:
        return wording.gettext("Not needed")
    params = {"count": value.photos, "what": value.of}
    if value.of is None:
        return wording.ngettext("We need a photo", "We need %(count)d photos", value.photos) % params
    one, many = "We need a photo of %(what)s", "We need %(count)d photos of %(what)s"
    return wording.ngettext(one, many, value.photos) % params


def _fee(value: Fee, wording: Wording) -> str:
    if value.amount is not None and value.amount.minor:
        return wording.gettext("%(price)s for each item") % {"price": wording.money(value.amount)}
    return (
        wording.gettext("%(share)s of the price") % {"share": percent(value.bp)}
        if value.bp
        else wording.gettext("None")
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
