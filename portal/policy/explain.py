"""Sentences for decisions: for the customer with the date or amount that counted, for staff with rule and fact.

In: causes and terms, and a `Wording` (translation, dates, money). Out: text.
Invariants: every code of `decision` has a sentence of both kinds; everything is a message id with named parameters.
Never: a rule's number, a reconstruction: what is said stands in the decision's own record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

from portal.money import Money
from portal.policy.conditions import ANSWER_PREFIX
from portal.policy.decision import OTHERWISE, Cause, Decision
from portal.policy.laws import PREFIX
from portal.policy.phrases import ANSWER_LABEL, FACT_WORDS
from portal.policy.terms import SHARE, TERMS, Evidence, Fee, Grade, Questions, ReturnShipping, Window, percent

_MONTHS = ("January February March April May June July August September October November December").split()


def _english_date(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _english_plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


@dataclass(frozen=True, slots=True)
class Wording:
    """How a reader is spoken to: translation of message ids, and how dates and amounts are written.

    ``gettext`` and ``ngettext`` return the message with its named placeholders still in it (as those of
    `gettext.NullTranslations` do; a function that fills them in at once would not find their values).
    """

    gettext: Callable[[str], str] = str
    ngettext: Callable[[str, str, int], str] = _english_plural
    date: Callable[[date], str] = _english_date
    money: Callable[[Money], str] = str


ENGLISH = Wording()


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _join(words: Sequence[str], wording: Wording) -> str:
    if len(words) < 2:
        return words[0]
    return wording.gettext("%(first)s or %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}


def resolution_words(resolution: str, wording: Wording = ENGLISH) -> str:
    """``store_credit`` as "store credit"."""
    _ = wording.gettext
    return {"refund": _("a refund"), "exchange": _("an exchange"), "store_credit": _("store credit")}.get(
        resolution, resolution
    )


def cause_message(cause: Cause, wording: Wording = ENGLISH) -> str:
    """What the customer reads: one or two plain sentences. The merchant's own words (``say``) come first, but after a wish for a
    photo."""
    return " ".join(_sentences(cause, wording))


def _sentences(cause: Cause, wording: Wording) -> tuple[str, ...]:
    said = cause.params.get("say")
    if said and cause.code in ("not_returnable", "review_rule"):
        return (str(said),)
    sentence = _customer(cause, wording)
    if cause.code == "photo_required":
        # The merchant's sentence says why a photo is asked for, and is read after what is asked for.
        return (sentence, str(said)) if said else (sentence,)
    return (str(said), sentence) if said else (sentence,)


def _customer(cause: Cause, wording: Wording) -> str:
    _ = wording.gettext
    params = cause.params
    match cause.code:
        case "not_returnable":
            return _("This item can’t be returned.")
        case "window_closed":
            return _window_closed(cause, wording)
        case "not_delivered" if params["from"] == "shipped":
            return _("It hasn’t been sent yet. You can return it when it has arrived.")
        case "not_delivered":
            return _("It hasn’t been delivered yet. You can return it when it has arrived.")
        case "resolution_not_offered":
            offered = _join([resolution_words(each, wording) for each in params["offered"]], wording)
            return _("We don’t offer %(wish)s for this item. You can choose %(offered)s.") % {
                "wish": resolution_words(params["resolution"], wording),
                "offered": offered,
            }
        case "photo_required":
            count, of = params["photos"], params.get("of")
            if of is not None:
                message = wording.ngettext("Add a photo of %(what)s.", "Add %(count)d photos of %(what)s.", count)
                return message % {"count": count, "what": of}
            return wording.ngettext("Add a photo.", "Add %(count)d photos.", count) % {"count": count}
        case "question_unanswered":
            return _("Answer the question: %(ask)s") % {"ask": params["ask"]}
        case "no_start_date":
            if params["from"] == "placed":
                return _("We don’t know when it was ordered, so a person checks this first.")
            if params["from"] == "shipped":
                return _("We don’t know yet when it was sent, so a person checks this first.")
            if params["from"] == "last_delivered":
                return _("Not all of the order has been delivered yet, so a person checks this first.")
            return _("We don’t know yet when it was delivered, so a person checks this first.")
        case _other:
            return _("A person in our team checks this before we answer.")


def _window_closed(cause: Cause, wording: Wording) -> str:
    params = cause.params
    ended = wording.date(_day(params["ended_on"]))
    if "days" not in params:
        return wording.gettext("Returns were open until %(date)s.") % {"date": ended}
    if years := years_of(params["days"]):
        one, many, count = "The %(count)d year ended on %(date)s.", "The %(count)d years ended on %(date)s.", years
    else:
        one, many, count = (
            "The %(count)d day ended on %(date)s.",
            "The %(count)d days ended on %(date)s.",
            params["days"],
        )
    first = wording.ngettext(one, many, count) % {"count": count, "date": ended}
    started = {"date": wording.date(_day(params["started_on"]))}
    match params["from"]:
        case "placed":
            second = wording.gettext("It was ordered on %(date)s.") % started
        case "last_delivered":
            second = wording.gettext("The last parcel of the order was delivered on %(date)s.") % started
        case "shipped":
            second = wording.gettext("It was sent on %(date)s.") % started
        case _other:
            second = wording.gettext("It was delivered on %(date)s.") % started
    return f"{first} {second}"


def years_of(days: int) -> int:
    """So many years, where days are written that hold them however their leap days fall: 366, 731, 1096. Else 0.

    The laws give years, and a window counts days; said as years it promises no day more than is decided.
    """
    years = days // 365
    return years if days == 365 * years + (years + 3) // 4 else 0


def length_words(days: int, wording: Wording) -> str:
    """``30 days``, ``2 years``."""
    years = years_of(days)
    if years:
        return wording.ngettext("%(count)d year", "%(count)d years", years) % {"count": years}
    return wording.ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def counting_photos(cause: Cause, photos: int) -> Cause:
    """The same cause where ``photos`` are there by now; any other cause than a missing photo as it is."""
    return replace(cause, params={**cause.params, "given": photos}) if cause.code == "photo_required" else cause


def staff_message(cause: Cause, wording: Wording = ENGLISH) -> str:
    """What staff read: which rule, which fact, what happened."""
    _ = wording.gettext
    params: dict[str, Any] = {**cause.params, "rule": rule_words(cause.rule.removeprefix(PREFIX), wording)}
    if "fact" in params:
        params["fact"] = _fact_words(params["fact"], wording)
    match cause.code:
        case "not_returnable":
            return _("“%(rule)s” says that this can’t be returned.") % params
        case "window_closed":
            return _("“%(rule)s” sets the time limit. %(sentence)s") % {
                **params,
                "sentence": _window_closed(cause, wording),
            }
        case "not_delivered":
            return _("“%(rule)s” refuses as long as nothing was delivered.") % params
        case "resolution_not_offered":
            return _("“%(rule)s” doesn’t offer %(wish)s.") % {
                **params,
                "wish": resolution_words(params["resolution"], wording),
            }
        case "review_rule":
            return _("“%(rule)s” asks for a person to decide.") % params
        case "unknown_fact":
            return _("“%(rule)s” could not be checked: %(fact)s is not known.") % params
        case "other_currency":
            return (
                _("“%(rule)s” could not be checked: %(fact)s is in %(found)s, the rule counts in %(wanted)s.") % params
            )
        case "no_start_date":
            day = {
                "placed": _("the day of the order"),
                "shipped": _("the day it was sent"),
                "last_delivered": _("the day the last parcel came"),
            }.get(params["from"], _("the day of delivery"))
            return _("We don’t know %(day)s, and “%(rule)s” counts the time limit from it.") % {**params, "day": day}
        case "fee_currency":
            return _("“%(rule)s” takes a fee in %(wanted)s, but the order was charged in another currency.") % params
        case "question_unanswered":
            return _("“%(rule)s” asks a question that was not answered: %(ask)s") % params
        case "photo_required":
            return _("“%(rule)s” asks for a photo: %(photos)d needed, %(given)d given.") % params
        case other:
            return other


def _fact_words(name: str, wording: Wording) -> str:
    """A fact as the editor calls it: ``“Item price”``, ``Answer to “worn”``; one of another release by its name."""
    if name.startswith(ANSWER_PREFIX):
        return wording.gettext(ANSWER_LABEL) % {"question": name.removeprefix(ANSWER_PREFIX)}
    return wording.gettext("“%(fact)s”") % {
        "fact": wording.gettext(FACT_WORDS[name].label) if name in FACT_WORDS else name
    }


def rule_words(rule: str, wording: Wording = ENGLISH) -> str:
    """A rule by its name; `otherwise` by the word the editor uses."""
    return wording.gettext("Default") if rule == OTHERWISE else rule


def customer_summary(decision: Decision, wording: Wording = ENGLISH) -> str:
    """All of the decision's causes as the customer reads them, each sentence once."""
    sentences = (sentence for cause in decision.causes for sentence in _sentences(cause, wording))
    return " ".join(dict.fromkeys(sentences))


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row of "which rule set what": setting, result, set by, and the different values that others would have set."""

    term: str
    label: str
    result: str
    set_by: str
    instead_of: tuple[tuple[str, str], ...]  # (result, rule) of everything overruled that differs


def trace(decision: Decision, wording: Wording = ENGLISH) -> tuple[TraceRow, ...]:
    """The staff's table, in the order of the language."""
    return tuple(
        TraceRow(
            name,
            term_label(name, wording),
            value_words(name, term.value, wording),
            rule_words(term.set_by, wording),
            tuple(
                (value_words(name, value, wording), rule_words(rule, wording))
                for rule, value in term.instead_of
                if value != term.value
            ),
        )
        for name, term in sorted(decision.terms.items(), key=lambda entry: _ORDER[entry[0]])
    )


_ORDER = {name: position for position, name in enumerate(TERMS)}


def term_label(term: str, wording: Wording = ENGLISH) -> str:
    """The name of a term for staff."""
    _ = wording.gettext
    return {
        "returnable": _("Can it come back?"),
        "window": _("Time limit"),
        "resolutions": _("What we offer"),
        "review": _("Who decides"),
        "evidence": _("Photo"),
        "ship_with": _("Ways to send it"),
        "return_shipping": _("Return label"),
        "restocking_fee": _("Restocking fee"),
        "outbound_shipping": _("Delivery costs back"),
        "credit_bonus": _("Store credit bonus"),
        "keep_item": _("Customer keeps the item"),
        "refund_when": _("Money is sent"),
        "ship_by": _("Send it within"),
        "exchange_for": _("Exchange for"),
        "exchange_bonus": _("Dearer replacement"),
        "donate": _("Give it away"),
        "on_inspection": _("After the check"),
        "questions": _("Questions"),
        "destination": _("Send it to"),
        "message": _("Message"),
    }[term]


def value_words(term: str, value: Any, wording: Wording = ENGLISH) -> str:
    """A term's value in words."""
    _ = wording.gettext
    match value:
        case bool():
            return _("Yes") if value else _("No")
        case Window():
            return window_words(value, wording)
        case ReturnShipping():
            return _shipping_words(value, wording)
        case Fee():
            return wording.money(value.amount) if value.amount is not None else percent(value.bp)
        case Evidence():
            if not value.photos:
                return _("Not needed")
            return _("Needed") if value.of is None else _("Needed, of %(what)s") % {"what": value.of}
        case Questions():
            return " ".join(each.ask for each in value.items)
        case int() if TERMS[term].type is SHARE:
            return percent(value)
        case int():
            return length_words(value, wording)
        case tuple():
            return ", ".join(_word(term, each, wording) for each in value)
        case str():
            return _word(term, value, wording)
        case _grades:
            return ", ".join(_grade_words(name, grade, wording) for name, grade in value.items())


def window_words(window: Window, wording: Wording = ENGLISH) -> str:
    """``30 days`` or ``Until 31 January 2027``."""
    if window.days is None:
        return wording.gettext("Until %(date)s") % {"date": wording.date(cast(date, window.until))}
    days = length_words(window.days, wording)
    # Grace is between the shop and its policy: who knew of it would count on it.
    return days if window.ends_on == "day" else wording.gettext("%(days)s, to a business day") % {"days": days}


def _shipping_words(value: ReturnShipping, wording: Wording) -> str:
    _ = wording.gettext
    if value.paid_by == "merchant":
        return _("Free")
    if value.amount is not None:
        price = wording.money(value.amount)
    elif value.bp is not None:
        price = percent(value.bp)
    else:
        return _("Customer posts it")
    if not value.free_for:
        return price
    free = _join([resolution_words(each, wording) for each in value.free_for], wording)
    return _("%(price)s, free for %(resolutions)s") % {"price": price, "resolutions": free}


def _grade_words(condition: str, grade: Grade, wording: Wording) -> str:
    text = f"{condition.replace('_', ' ')}: {percent(grade.bp)}"
    return f"{text} ({wording.gettext('a person decides')})" if grade.review else text


def _word(term: str, word: str, wording: Wording) -> str:
    _ = wording.gettext
    words = {
        ("review", "never"): _("Automatic"),
        ("review", "always"): _("A person"),
        ("resolutions", "refund"): _("Refund"),
        ("resolutions", "exchange"): _("Exchange"),
        ("resolutions", "store_credit"): _("Store credit"),
        ("ship_with", "label"): _("Label to print"),
        ("ship_with", "qr"): _("QR code"),
        ("ship_with", "shop"): _("Hand in at a shop"),
        ("ship_with", "own"): _("Customer posts it"),
        ("outbound_shipping", "never"): _("Never"),
        ("outbound_shipping", "full_return"): _("When everything comes back"),
        ("outbound_shipping", "always"): _("Always"),
        ("refund_when", "authorized"): _("When approved"),
        ("refund_when", "in_transit"): _("When handed to the carrier"),
        ("refund_when", "received"): _("When received"),
        ("refund_when", "inspected"): _("After the check"),
        ("exchange_for", "same_price"): _("The same product at the same price"),
    }
    return words.get((term, word), word)
