"""Can this be returned, until when, at what cost: the question of a product page, before anything is bought.

In: what the page knows of the item, as texts. Out: a `Purchase`, and the answer as JSON values and sentences.
Invariants: every word is made from `Promises`; what is not known is not guessed but listed under ``depends``; a cost that a law
lifts for its own days is told for these days and for those after them.
Never: anything about an order, a customer, or a thing that only the shop knows, such as the name of a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from portal.errors import Invalid, TooManyTries
from portal.limiter import limit
from portal.money import Money, is_currency
from portal.policy.customer_conditions import customer_condition
from portal.policy.customer_words import phrase
from portal.policy.decision import ACCEPT, REFUSE, REVIEW
from portal.policy.explain import Wording, cause_message
from portal.policy.facts import ItemFacts
from portal.policy.loader import Policy, Rule
from portal.policy.plain import points_of
from portal.policy.promise import Cost, Promise, Purchase, promise
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.rights import exempt_words
from portal.policy.terms import Fee, Window, percent
from portal.policybook.promises import Promises
from portal.policybook.service import asking

PARAMETERS = (
    "country",
    "currency",
    "sku",
    "product",
    "vendor",
    "category",
    "type",
    "tags",
    "price",
    "delivered",
    "lang",
)
MAX_TEXT = 100
MAX_TAGS = 50
MAX_AGE = 300
"""Seconds for which an answer may be kept: a new version of the policy is on every product page after that time."""
EVERYBODY = limit("120/minute")
_counter = FixedWindowRateLimiter(MemoryStorage())


def count(address: str, item: RateLimitItem = EVERYBODY) -> None:
    """Count a question of ``address``; raises `TooManyTries`. Kept in this process: a public question must not write."""
    if not _counter.hit(item, "returnable", address):
        ends, _ = _counter.get_window_stats(item, "returnable", address)
        wait = int(ends - datetime.now(UTC).timestamp()) + 1
        raise TooManyTries("Too many questions. Keep answers for as long as `Cache-Control` allows.", max(wait, 1))


def read_purchase(given: Mapping[str, str], found: Promises) -> Purchase:
    """The purchase that the parameters describe. Raises `Invalid` naming each one that makes no sense."""
    wrong = {name: "is no parameter of this question" for name in given if name not in PARAMETERS}
    own = found.purchase

    def code(name: str, pattern: str, default: str, like: str) -> str:
        text = given.get(name, default)
        if not re.fullmatch(pattern, text):
            wrong[name] = f"write it like {like}"
        return text

    def text(name: str) -> str | None:
        value = given.get(name)
        if value is not None and (len(value) > MAX_TEXT or not value.isprintable()):
            wrong[name] = f"write at most {MAX_TEXT} printable signs"
        return value

    country = code("country", "[A-Z]{2}", own.country, "GB")
    currency = code("currency", "[A-Z]{3}", own.currency, "GBP")
    tags: tuple[str, ...] | None = None
    if "tags" in given:
        tags = tuple(dict.fromkeys(tag for each in given["tags"].split(",") if (tag := each.strip())))
        if len(tags) > MAX_TAGS or any(len(tag) > MAX_TEXT or not tag.isprintable() for tag in tags):
            wrong["tags"] = f"write at most {MAX_TAGS} tags of {MAX_TEXT} printable signs with commas between them"
    item = ItemFacts(
        sku=text("sku"), product=text("product"), vendor=text("vendor"), category=text("category"), type=text("type"),
        tags=tags,
    )  # fmt: skip
    price = given.get("price")
    if price is not None and not re.fullmatch(r"[0-9]{1,15}", price):
        wrong["price"] = "write the price of one unit in minor units, like 1299"
    delivered = _delivered(given.get("delivered"), own.placed_at, found, wrong)
    if (lang := given.get("lang")) is not None and not re.fullmatch(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?", lang):
        wrong["lang"] = "write a language like en or en-GB"
    if not is_currency(currency):
        wrong.setdefault("currency", "name a currency of ISO 4217, like GBP")
    if wrong:
        raise Invalid("Some parameters make no sense.", wrong)
    if price is not None:
        item = replace(item, price=Money(int(price), currency))
    return replace(own, country=country, currency=currency, item=replace(item, delivered_at=delivered))


def _delivered(text: str | None, placed_at: datetime, found: Promises, wrong: dict[str, str]) -> datetime | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    today = placed_at.astimezone(found.policy.zone).date()
    if day is None or not today <= day <= date(today.year + 2, 12, 31):
        wrong["delivered"] = f"write the expected day like {today.isoformat()}, not before today"
        return None
    return datetime.combine(day, time(12), tzinfo=found.policy.zone)


def answer(found: Promises, purchase: Purchase, wording: Wording, *, refund_days: int, url: str) -> dict[str, Any]:
    """The answer: ``answer`` is yes, ask (a person decides), only_if_faulty or no; ``points`` are its sentences."""
    usual, faulty = (promise(found.policy, asking, purchase, reason) for reason in (CHANGED_MIND, FAULTY))
    points = points_of(found.policy, purchase, usual, faulty, wording, refund_days=refund_days)
    return {
        "answer": _answer(usual, faulty),
        "points": [{"title": point.title, "text": point.text} for point in points],
        "ordinary": _told(usual, purchase, found.policy, wording),
        "faulty": _told(faulty, purchase, found.policy, wording),
        "policy": {"version": found.number, "hash": found.policy.content_hash, "url": url},
    }


def _answer(usual: Promise, faulty: Promise) -> str:
    if usual.decision.answer == ACCEPT:
        return "yes"
    if usual.decision.answer == REVIEW:
        return "ask"
    return "no" if faulty.decision.answer == REFUSE else "only_if_faulty"


def _told(told: Promise, purchase: Purchase, policy: Policy, wording: Wording) -> dict[str, Any]:
    decision, window = told.decision, told.window
    out: dict[str, Any] = {
        "answer": decision.answer,
        "causes": [{"code": cause.code, "message": cause_message(cause, wording)} for cause in decision.causes],
        "depends": [{"message": each} for each in _depends(told, purchase, policy, wording)],
    }
    if decision.answer == REFUSE:
        return out
    costs = [_cost(each, told, purchase) for each in told.costs]
    return out | {
        "days": window.days,
        "from": _start(window),
        "until": _day(window, decision.return_by_on, purchase),
        "cost": costs[0],
        "later": costs[1:],
        "resolutions": list(told.resolutions),
        "ship_with": list(told.methods),
    }


def _depends(told: Promise, purchase: Purchase, policy: Policy, wording: Wording) -> Iterator[str]:
    """A sentence for each rule that may still change the answer, and for each right that a law may not give for this item."""
    known = purchase.facts(told.reason, told.resolution)
    for rule in told.depends:
        condition = customer_condition(policy, rule.when, known, wording)
        said = wording.gettext("If %(condition)s: %(sentence)s")
        other = wording.gettext("Something else may hold if %(condition)s.")
        yield (said if rule.say else other) % {"condition": condition, "sentence": _sentence(rule, wording)}
    for floor in told.exempt:
        yield f"{floor.name}: {exempt_words(floor, wording)}"


def _sentence(rule: Rule, wording: Wording) -> str:
    """The merchant's sentence; after what photo is asked for, where it says why."""
    evidence = rule.sets.get("evidence")
    photo = f"{phrase('evidence', evidence, wording)}. " if evidence is not None and evidence.photos else ""
    return f"{photo}{rule.say}"


def _cost(cost: Cost, told: Promise, purchase: Purchase) -> dict[str, Any]:
    """What it costs for some days: ``for_days`` from ``for_from``, to ``until``; all of them None for what holds to the end."""
    within, shipping = None if cost.stage is None else cost.stage.within, cost.shipping
    return {
        "for_days": None if within is None else within.days,
        "for_from": None if within is None else _start(within),
        "until": None if cost.stage is None else _day(cost.stage.within, cost.stage.last_on, purchase),
        "shipping": shipping.kind,
        "amount": shipping.amount.to_json() if shipping.amount is not None else None,
        "share": percent(shipping.share_bp) if shipping.share_bp is not None else None,
        "restocking_fee": _fee(cost.fee),
        "free_for": list(told.free_for) if shipping.kind != "free" else [],
    }


def _start(window: Window) -> str | None:
    return None if window.until is not None else window.start


def _day(window: Window, last: date | None, purchase: Purchase) -> str | None:
    """The last day of a window, where it can be known: a parcel that comes on the expected day is taken for the last one."""
    known = window.until is not None or window.start == "placed"
    known = known or (window.start in ("delivered", "last_delivered") and purchase.item.delivered_at is not None)
    return last.isoformat() if known and last is not None else None


def _fee(fee: Fee) -> Any:
    if fee == Fee():
        return None
    return percent(fee.bp) if fee.amount is None else fee.amount.to_json()
