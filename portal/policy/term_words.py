"""What a rule sets, as clauses that follow "when …,": "take off £3.50 for the label".

In: typed values of terms and a `Wording`. Out: pieces. Invariants: every term and each of its words has a clause, and no two
values of a term read alike. Never: a word about when it holds; that is `sentences`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portal.policy import phrases as p
from portal.policy import terms as t
from portal.policy.explain import ENGLISH, Wording, resolution_words
from portal.policy.pieces import Pieces, fill, listed, listed_words


def term_words(term: str, value: Any, wording: Wording = ENGLISH) -> Pieces:
    """What a term does, as a clause that follows "when …,": "take off £3.50 for the label"."""
    _ = wording.gettext
    match value:
        case bool():
            return fill(_(p.YES_NO_PHRASES[term][0 if value else 1]))
        case t.Window():
            return window_clause(value, wording)
        case t.Evidence() | t.Fee() | t.ReturnShipping() | t.Questions():
            return _RICH[type(value)](value, wording)
        case tuple():
            return _offers(term, value, wording)
        case Mapping():
            return _grades(value, wording)
        case str() if (term, value) in p.WORD_PHRASES:
            return fill(_(p.WORD_PHRASES[term, value]))
        case 0 if term == "credit_bonus":
            return fill(_("add [no bonus] to store credit"))
        case int() if t.TERMS[term].type is t.SHARE:
            return fill(_(p.VALUE_PHRASES[term]), value=t.percent(value))
        case int():
            return fill(_(p.VALUE_PHRASES[term]), value=days_words(value, wording))
        case _text:
            return fill(_(p.VALUE_PHRASES[term]), value=str(value))


def days_words(days: int, wording: Wording) -> str:
    """``1 day``, ``30 days``."""
    return wording.ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def window_clause(window: t.Window, wording: Wording = ENGLISH, *, returnable: bool = False) -> Pieces:
    """The time limit as a clause; ``returnable`` where the same rule also says that the item is accepted."""
    _ = wording.gettext
    clause = _until_or_for(window, wording, returnable)
    if window.ends_on == "business_day":
        clause = fill(_("%(clause)s, ending [on a business day]"), clause=clause)
    if window.grace:
        clause = fill(_("%(clause)s, with [%(days)s] of grace"), clause=clause, days=days_words(window.grace, wording))
    return clause


def _until_or_for(window: t.Window, wording: Wording, returnable: bool) -> Pieces:
    _ = wording.gettext
    if window.until is not None:
        message = _("accept it [until %(date)s]") if returnable else _("accept returns [until %(date)s]")
        return fill(message, date=wording.date(window.until))
    days = days_words(window.days or 0, wording)
    if returnable:
        message = {
            "delivered": _("accept it for [%(days)s] after delivery"),
            "shipped": _("accept it for [%(days)s] after it was sent"),
            "placed": _("accept it for [%(days)s] after the order"),
            "last_delivered": _("accept it for [%(days)s] after the last parcel of the order"),
        }[window.start]
    else:
        message = {
            "delivered": _("accept returns for [%(days)s] after delivery"),
            "shipped": _("accept returns for [%(days)s] after it was sent"),
            "placed": _("accept returns for [%(days)s] after the order"),
            "last_delivered": _("accept returns for [%(days)s] after the last parcel of the order"),
        }[window.start]
    clause = fill(message, days=days)
    if window.if_undelivered == "refuse":
        return fill(_("%(clause)s ([refuse] while that day isn’t known)"), clause=clause)
    if isinstance(window.if_undelivered, t.Window):
        other = window.if_undelivered
        fallback = {
            "placed": _("%(clause)s (or [%(days)s] after the order while that day isn’t known)"),
            "shipped": _("%(clause)s (or [%(days)s] after it was sent while that day isn’t known)"),
        }[other.start]
        return fill(fallback, clause=clause, days=days_words(other.days or 0, wording))
    return clause


def _evidence(value: t.Evidence, wording: Wording) -> Pieces:
    _ = wording.gettext
    if not value.photos:
        return fill(_("ask for [no photo]"))
    photos = wording.ngettext("a photo", "%(count)d photos", value.photos) % {"count": value.photos}
    if value.of is None:
        return fill(_("ask for [%(photos)s]"), photos=photos)
    return fill(_("ask for [%(photos)s of %(what)s]"), photos=photos, what=value.of)


def _fee(value: t.Fee, wording: Wording) -> Pieces:
    _ = wording.gettext
    if value.amount is not None:
        return fill(_("take a restocking fee of [%(fee)s] for each unit"), fee=wording.money(value.amount))
    if not value.bp:
        return fill(_("take [no] restocking fee"))
    return fill(_("take a restocking fee of [%(fee)s]"), fee=t.percent(value.bp))


def _shipping(value: t.ReturnShipping, wording: Wording) -> Pieces:
    _ = wording.gettext
    if value.paid_by == "merchant":
        clause = fill(_("make the label [free]"))
    elif value.amount is not None:
        clause = fill(_("take off [%(price)s] for the label"), price=wording.money(value.amount))
    elif value.bp is not None:
        clause = fill(_("take off [%(share)s] of the value for the label"), share=t.percent(value.bp))
    else:
        clause = fill(_("let [the customer] post it and pay the carrier"))
    if value.once_per == "order":
        clause = fill(_("%(clause)s [once per order]"), clause=clause)
    if value.free_for:
        free = listed_words([resolution_words(each, wording) for each in value.free_for], wording)
        clause = fill(_("%(clause)s (free with [%(wishes)s])"), clause=clause, wishes=free)
    return clause


def _questions(value: t.Questions, wording: Wording) -> Pieces:
    asked = listed_words([_asked(each) for each in value.items], wording, last="and")
    return fill(wording.gettext("ask [%(questions)s]"), questions=asked)


def _asked(question: t.Question) -> str:
    """``worn: “Have you worn it?” (yes, no)``, the name that rules use first: what differs reads differently."""
    choices = f" ({', '.join(question.choices)})" if question.choices else ""
    return f"{question.name}: “{question.ask}”{choices}"


_RICH: Mapping[type, Callable[[Any, Wording], Pieces]] = {
    t.Evidence: _evidence,
    t.Fee: _fee,
    t.ReturnShipping: _shipping,
    t.Questions: _questions,
}


def _offers(term: str, words: tuple[str, ...], wording: Wording) -> Pieces:
    _ = wording.gettext
    if term == "ship_with":
        ways = listed_words([_(p.METHOD_WORDS[word]) for word in words], wording)
        return fill(_("let customers use [%(ways)s]"), ways=ways)
    offers = listed_words([_(p.OFFER_WORDS[word]) for word in words], wording, last="and")
    return fill(_("offer [%(offers)s]"), offers=offers)


def _grades(grades: Mapping[str, t.Grade], wording: Wording) -> Pieces:
    _ = wording.gettext
    alike: dict[t.Grade, list[str]] = {}
    for condition, grade in grades.items():
        alike.setdefault(grade, []).append(_(p.CONDITION_WORDS[condition]))
    parts = []
    for grade, conditions in alike.items():
        message = (
            _("[%(share)s] for %(conditions)s after a person has looked")
            if grade.review
            else _("[%(share)s] for %(conditions)s")
        )
        parts.append(fill(message, share=t.percent(grade.bp), conditions=listed_words(conditions, wording)))
    return fill(_("after the check give %(shares)s"), shares=listed(parts, wording))
