"""The policy in plain sentences: the points on the page where a customer starts, and the whole policy page.

In: promises (see `promise`) and a `Wording`. Out: titles, texts and rows. Invariants: every sentence is made from what the
decision says, so that page and decision say the same; what may be different is told with its condition.
Never: a promise that only a rule for some orders or some items makes, unless the sentence says for which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from portal.policy.decision import REFUSE, REVIEW
from portal.policy.explain import ENGLISH, Wording, customer_summary, term_label, value_words
from portal.policy.loader import Policy, Rule
from portal.policy.promise import Asks, Offer, Promise, Purchase, kinds, offer, offers, promise
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.sentences import condition_words, plain
from portal.policy.terms import Evidence, Fee, Window, percent

SHOWN = (
    "window", "resolutions", "evidence", "ship_with", "ship_by", "return_shipping", "restocking_fee", "credit_bonus",
    "outbound_shipping", "keep_item", "refund_when",
)  # fmt: skip
"""What customers ask about; who decides and where parcels go is the shop's own business."""
_QUIET: Mapping[str, Any] = {"restocking_fee": Fee(), "credit_bonus": 0, "keep_item": False, "evidence": Evidence()}

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One point. ``icon`` is a name of the sprite: calendar, exchange, qr, label, card."""

    icon: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Different:
    """What is different in some case: its name, the merchant's or the policy's words, and the terms that differ."""

    name: str
    text: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Market:
    """What holds for some countries and currencies: in general, for faults, in seasons, and for kinds of items."""

    countries: tuple[str, ...]
    currencies: tuple[str, ...]
    text: str
    rows: Rows
    faults: Different | None
    seasons: tuple[Different, ...]
    kinds: tuple[Different, ...]


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The whole page. ``exceptions`` are rules that hold by what is only known of an order or a request."""

    points: tuple[Point, ...]
    markets: tuple[Market, ...]
    exceptions: tuple[Different, ...]


def policy_page(
    policy: Policy,
    asks: Asks,
    purchase: Purchase,
    *,
    sold_to: Sequence[str],
    currencies: Sequence[str],
    wording: Wording = ENGLISH,
    refund_days: int = 5,
) -> PolicyPage:
    """The policy for purchases from the moment of ``purchase`` on, in each country and currency that the shop sells to.

    ``purchase`` is of an ordinary item in the shop's own country and currency: the points and exceptions are told for it.
    """
    grouped: dict[tuple[Any, ...], tuple[Offer, list[str]]] = {}
    items = [kind.item() for kind in kinds(policy)]
    for currency in currencies:
        for found in offers(policy, asks, replace(purchase, currency=currency), sold_to, items):
            grouped.setdefault((found.countries, found.told()), (found, []))[1].append(currency)
    markets: list[Market] = []
    first: Offer | None = None
    for found, known in grouped.values():
        made = _market(policy, asks, purchase, found, tuple(known), first, wording)
        if markets:
            # What the first market says already is not said again.
            said = (markets[0].faults, *markets[0].seasons, *markets[0].kinds)
            made = replace(
                made,
                faults=None if made.faults in said else made.faults,
                seasons=tuple(each for each in made.seasons if each not in said),
                kinds=tuple(each for each in made.kinds if each not in said),
            )
        first = first or found
        markets.append(made)
    told = [each for found, _ in grouped.values() for each in (found.usual, found.faulty)]
    depends = {rule.name for each in told for rule in each.depends}
    exceptions = tuple(_exception(rule, wording) for rule in policy.rules if rule.name in depends)
    points = policy_points(policy, asks, purchase, wording, refund_days=refund_days)
    return PolicyPage(points, tuple(markets), exceptions)


def _market(
    policy: Policy,
    asks: Asks,
    purchase: Purchase,
    found: Offer,
    currencies: tuple[str, ...],
    first: Offer | None,
    wording: Wording,
) -> Market:
    """One market; after the ``first`` one only what differs from it."""
    _ = wording.gettext
    here = replace(purchase, country=found.countries[0], currency=currencies[0])
    special: dict[tuple[str, Rows], list[str]] = {}
    for kind in kinds(policy):
        other = offer(policy, asks, replace(here, item=kind.item()))
        if other.told() != found.told():
            special.setdefault(_kind(found, other, wording), []).append(_name(kind.value))
    faults = None
    if not found.faulty.same_terms(found.usual):
        rows = differences(found.faulty, found.usual, wording)
        faults = Different(_("If something is wrong with it"), _answer(found.faulty, wording), rows)
    seasons = tuple(
        Different(
            _("Bought from %(first)s to %(last)s")
            % {"first": wording.date(season.first), "last": wording.date(season.last)},
            _answer(season.promise, wording),
            differences(season.promise, found.usual, wording),
        )
        for season in found.seasons
    )
    rows = rows_of(found.usual, wording) if first is None else differences(found.usual, first.usual, wording)
    return Market(
        found.countries, currencies, _answer(found.usual, wording), rows, faults, seasons,
        tuple(Different(_list(names), text, changed) for (text, changed), names in special.items()),
    )  # fmt: skip


def _name(word: str) -> str:
    """A tag or category as people read it: ``final-sale`` as "final sale"."""
    return word.replace("-", " ").replace("_", " ").strip()


def _list(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text[:1].upper() + text[1:]


def _kind(usual: Offer, other: Offer, wording: Wording) -> tuple[str, Rows]:
    _ = wording.gettext
    texts = [_answer(other.usual, wording)]
    rows = differences(other.usual, usual.usual, wording)
    if not other.faulty.same_terms(usual.faulty) and not other.faulty.same_terms(other.usual):
        faulty = _answer(other.faulty, wording)
        texts.append(_("If it is faulty: %(sentence)s") % {"sentence": faulty} if faulty else "")
        rows += tuple(
            (_("%(term)s, if faulty") % {"term": label}, words)
            for label, words in differences(other.faulty, usual.faulty, wording)
        )
    elif other.usual.decision.answer == REFUSE and other.faulty.decision.answer != REFUSE:
        texts.append(_("If something is wrong with it, you can send it back all the same."))
    return " ".join(text for text in texts if text), rows


def _answer(told: Promise, wording: Wording) -> str:
    """A sentence where it is not simply accepted."""
    if told.decision.answer == REFUSE:
        return customer_summary(told.decision, wording)
    if told.decision.answer == REVIEW:
        return wording.gettext("A person in our team checks this before we answer.")
    return ""


def rows_of(told: Promise, wording: Wording) -> Rows:
    """Every term that a customer asks about, as it was decided; none for what can't come back."""
    if told.decision.answer == REFUSE:
        return ()
    return tuple(
        (term_label(name, wording), _words(name, told, wording))
        for name in SHOWN
        if told.decision.value(name) is not None and told.decision.value(name) != _QUIET.get(name, told)
    )


def differences(told: Promise, usual: Promise, wording: Wording) -> Rows:
    """The terms that differ from the usual ones, as they were decided."""
    if told.decision.answer == REFUSE:
        return ()
    return tuple(
        (term_label(name, wording), _words(name, told, wording))
        for name in SHOWN
        if told.decision.value(name) is not None
        and (usual.decision.answer == REFUSE or told.decision.value(name) != usual.decision.value(name))
    )


def _words(name: str, told: Promise, wording: Wording) -> str:
    value = told.decision.value(name)
    if isinstance(value, Window):
        return _window(value, wording)
    return value_words(name, value, wording)


def _window(window: Window, wording: Wording) -> str:
    _ = wording.gettext
    if window.until is not None:
        return value_words("window", window, wording)
    counted = {
        "delivered": _("%(days)s from delivery"),
        "shipped": _("%(days)s from the day it was sent"),
        "placed": _("%(days)s from the day you ordered"),
        "last_delivered": _("%(days)s from delivery of the last parcel"),
    }[window.start]
    return counted % {"days": value_words("window", window, wording)}


def _exception(rule: Rule, wording: Wording) -> Different:
    when = plain(condition_words(rule.when, wording))
    text = wording.gettext("This holds when %(condition)s.") % {"condition": when}
    rows = tuple(
        (term_label(name, wording), value_words(name, rule.sets[name], wording))
        for name in ("returnable", "review", *SHOWN)
        if name in rule.sets
    )
    return Different(rule.name, f"{rule.say} {text}" if rule.say else text, rows)


def policy_points(
    policy: Policy, asks: Asks, purchase: Purchase, wording: Wording = ENGLISH, *, refund_days: int = 5
) -> tuple[Point, ...]:
    """Four points for a purchase of this moment: how long, what it costs, how it travels, when the money comes.

    ``refund_days`` are the working days that a bank takes; they are no part of the policy.
    """
    usual, faulty = (promise(policy, asks, purchase, reason) for reason in (CHANGED_MIND, FAULTY))
    return points_of(usual, faulty, wording, refund_days=refund_days)


def points_of(
    usual: Promise, faulty: Promise, wording: Wording = ENGLISH, *, refund_days: int = 5
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
        _cost(usual, faulty, wording),
        _way(usual.methods, wording),
        _money(usual.decision.value("refund_when"), refund_days, wording),
    )


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
        "last_delivered": _("Counted from the day the last parcel of your order was delivered."),
    }[window.start]
    return Point("calendar", title, text)


def _cost(usual: Promise, faulty: Promise, wording: Wording) -> Point:
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
        if free:
            text = _("A refund takes %(price)s off for the return label.") % {"price": price}
        else:
            text = _("It comes off what you get back.")
    if shipping.kind != "free" and faulty.decision.answer != REFUSE and faulty.shipping.kind == "free":
        text += " " + _("Faulty items are always free.")
    fee = usual.fee
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
