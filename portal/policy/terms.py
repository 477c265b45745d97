"""The values that the terms of a decision take, and their JSON.

In: values read from a document by `schema`. Out: frozen values for `decide`, `quote` and the sentences.
Invariants: shares are basis points, periods are whole days, money carries its currency; `to_json` and `from_json` are exact.
Never: a decision; this is what is decided, not how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from portal.money import Money

RESOLUTIONS = ("refund", "exchange", "store_credit")
METHODS = (
    "label",
    "qr",
    "shop",
    "own",
)  # a PDF to print, a code to show, handed in at a shop, posted at one's own cost
CONDITIONS = ("as_new", "opened", "used", "damaged", "wrong_item", "missing")  # from the best to the worst
ENDS_ON = ("day", "business_day")
OUTBOUND = ("never", "full_return", "always")
REFUND_WHEN = ("authorized", "in_transit", "received", "inspected")
STARTS = ("placed", "shipped", "delivered", "last_delivered")
REVIEW = ("never", "always")
EXCHANGE_FOR = ("same_price",)
NOT_OFFERED: Mapping[str, str] = {
    "any_variant": "what a cheaper one leaves over is not paid out; `exchange_bonus` lets the replacement cost more",
    "any_product": "there is no catalogue to choose from; give `store_credit` instead",
    "instant_exchange": "a replacement leaves when the goods have come: nothing could be charged if they never did",
}
"""Words that other products have and this one refuses until they can be kept as promises, each with the reason."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long the customer has: ``days`` counted from a moment, or ``until`` a day, both to the end of that day.

    ``grace`` days more are accepted and not told: the day to show stays the last one. ``ends_on`` ``business_day`` moves a
    last day that is a Saturday or a Sunday to the Monday after it.

    ``last_delivered`` is the day on which the last of the order's goods came; it is not known before all of them have.

    ``if_undelivered`` says what holds when the moment is not known: ``review``, ``refuse``, or another window that is
    counted from an earlier moment.
    """

    days: int | None = None
    until: date | None = None
    start: str = "delivered"
    if_undelivered: str | Window = "review"
    grace: int = 0
    ends_on: str = "day"


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many photos the customer is asked for, and of what (in the merchant's words)."""

    photos: int = 0
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """A share of the price (basis points) or an amount for each unit."""

    bp: int = 0
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class ReturnShipping:
    """Who pays for the way back.

    ``customer`` with an ``amount`` or a share of the value (``bp``): the shop's label, its price taken off. ``customer``
    with neither: the customer posts the parcel and pays the carrier, the shop makes no label.
    """

    paid_by: str = "merchant"
    amount: Money | None = None
    bp: int | None = None
    free_for: tuple[str, ...] = ()
    once_per: str = "return"  # return | order


@dataclass(frozen=True, slots=True)
class Question:
    """One question on the item's page. Rules call the answer ``answer.<name>``; without ``choices`` it is a text of any kind."""

    name: str
    ask: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Questions:
    """What the customer is asked about an item, in this order."""

    items: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    """What a condition found on inspection means: the share of the price still given, and whether a person decides."""

    bp: int = 10_000
    review: bool = False


def percent(bp: int) -> str:
    """Basis points as the language writes them: 1000 is ``10%``, 1250 is ``12.5%``."""
    whole, rest = divmod(bp, 100)
    return f"{whole}%" if not rest else f"{whole}.{rest:02d}".rstrip("0") + "%"


_PERCENTAGE = re.compile(r"\s*([0-9]{1,5})(?:\.([0-9]{0,2}))?\s*%\s*")


def basis_points(text: str) -> int:
    """``12.5%`` as 1250. Raises ValueError for anything finer than a hundredth of a percent."""
    found = _PERCENTAGE.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no percentage; write it like `12.5%`")
    whole, rest = found.groups("")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


def _money(value: Mapping[str, Any]) -> Money:
    return Money(value["amount"], value["currency"])


def _window_json(value: Window) -> dict[str, Any]:
    # What is not set is left out, so that a policy that never used it keeps its hash.
    more: dict[str, Any] = ({"grace": value.grace} if value.grace else {}) | (
        {"ends_on": value.ends_on} if value.ends_on != "day" else {}
    )
    if value.until is not None:
        return {"until": value.until.isoformat()} | more
    fallback = value.if_undelivered
    return {
        "days": value.days,
        "from": value.start,
        "if_undelivered": fallback if isinstance(fallback, str) else _window_json(fallback),
    } | more


def _window(data: Mapping[str, Any]) -> Window:
    more = {"grace": data.get("grace", 0), "ends_on": data.get("ends_on", "day")}
    if "until" in data:
        return Window(until=date.fromisoformat(data["until"]), **more)
    fallback = data["if_undelivered"]
    return Window(
        days=data["days"],
        start=data["from"],
        if_undelivered=fallback if isinstance(fallback, str) else _window(fallback),
        **more,
    )


def _evidence_json(value: Evidence) -> Any:
    if not value.photos:
        return "none"
    if value.photos == 1 and value.of is None:
        return "photo"
    return {"photos": value.photos} | ({"of": value.of} if value.of is not None else {})


def _evidence(data: Any) -> Evidence:
    if isinstance(data, str):
        return Evidence(1 if data == "photo" else 0)
    return Evidence(data["photos"], data.get("of"))


def _fee_json(value: Fee) -> Any:
    return percent(value.bp) if value.amount is None else value.amount.to_json()


def _fee(data: Any) -> Fee:
    return Fee(bp=basis_points(data)) if isinstance(data, str) else Fee(amount=_money(data))


def _shipping_json(value: ReturnShipping) -> dict[str, Any]:
    out: dict[str, Any] = {"paid_by": value.paid_by}
    if value.amount is not None:
        out["amount"] = value.amount.to_json()
    if value.bp is not None:
        out["share"] = percent(value.bp)
    if value.free_for:
        out["free_for"] = list(value.free_for)
    if value.once_per != "return":
        out["once_per"] = value.once_per
    return out


def _shipping(data: Mapping[str, Any]) -> ReturnShipping:
    return ReturnShipping(
        data["paid_by"],
        _money(data["amount"]) if "amount" in data else None,
        basis_points(data["share"]) if "share" in data else None,
        tuple(data.get("free_for", ())),
        data.get("once_per", "return"),
    )


def _grades_json(value: Mapping[str, Grade]) -> dict[str, Any]:
    return {
        condition: {"refund": percent(grade.bp), "review": "always"} if grade.review else percent(grade.bp)
        for condition, grade in value.items()
    }


def _grades(data: Mapping[str, Any]) -> dict[str, Grade]:
    return {
        condition: Grade(basis_points(each)) if isinstance(each, str) else Grade(basis_points(each["refund"]), True)
        for condition, each in data.items()
    }


def _questions_json(value: Questions) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "ask": each.ask} | ({"choices": list(each.choices)} if each.choices else {})
        for each in value.items
    ]


def _questions(data: list[Mapping[str, Any]]) -> Questions:
    return Questions(tuple(Question(each["name"], each["ask"], tuple(each.get("choices", ()))) for each in data))


@dataclass(frozen=True, slots=True)
class TermType:
    """One kind of term value: how it becomes JSON and back."""

    name: str
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


YES_NO = TermType("true or false", _same, _same)
WORD = TermType("one of its words", _same, _same)
WORDS = TermType("a list", list, tuple)
TEXT = TermType("a text", _same, _same)
WINDOW = TermType("a window", _window_json, _window)
EVIDENCE = TermType("evidence", _evidence_json, _evidence)
SHARE = TermType("a percentage", percent, basis_points)
FEE = TermType("a percentage or an amount", _fee_json, _fee)
SHIPPING = TermType("return shipping", _shipping_json, _shipping)
DAYS = TermType("days", lambda days: f"{days} days", lambda text: int(text.split()[0]))
GRADES = TermType("grades", _grades_json, _grades)
QUESTIONS = TermType("questions", _questions_json, _questions)


@dataclass(frozen=True, slots=True)
class TermSpec:
    """One term of the language. ``required`` ones must be given in ``otherwise``."""

    name: str
    type: TermType
    words: tuple[str, ...] = ()
    required: bool = True


TERMS: Mapping[str, TermSpec] = {
    spec.name: spec
    for spec in (
        TermSpec("returnable", YES_NO),
        TermSpec("window", WINDOW),
        TermSpec("resolutions", WORDS, RESOLUTIONS),
        TermSpec("review", WORD, REVIEW),
        TermSpec("evidence", EVIDENCE),
        TermSpec("ship_with", WORDS, METHODS),
        TermSpec("return_shipping", SHIPPING),
        TermSpec("restocking_fee", FEE),
        TermSpec("outbound_shipping", WORD, OUTBOUND),
        TermSpec("credit_bonus", SHARE),
        TermSpec("keep_item", YES_NO),
        TermSpec("refund_when", WORD, REFUND_WHEN),
        TermSpec("ship_by", DAYS),
        # Optional ones: a decision carries them only where the policy sets them.
        TermSpec("exchange_for", WORD, EXCHANGE_FOR, required=False),
        TermSpec("exchange_bonus", SHARE, required=False),
        TermSpec("donate", YES_NO, required=False),
        TermSpec("on_inspection", GRADES, CONDITIONS, required=False),
        TermSpec("questions", QUESTIONS, required=False),
        TermSpec("destination", TEXT, required=False),
        TermSpec("message", TEXT, required=False),
    )
}

REQUIRED_TERMS = tuple(name for name, spec in TERMS.items() if spec.required)


def value_to_json(term: str, value: Any) -> Any:
    """A term's value as JSON, shares as ``10%``, money as ``{"amount", "currency"}``."""
    return TERMS[term].type.to_json(value)


def value_from_json(term: str, data: Any) -> Any:
    """The value that `value_to_json` wrote."""
    return TERMS[term].type.from_json(data)
