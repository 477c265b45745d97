"""Random policies about few values, so that rules meet, hide each other and stand at each other's limits; and facts for them."""

from __future__ import annotations

from hypothesis import strategies as st

from portal.money import Money
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.reasons import REASONS
from portal.policy.terms import METHODS, RESOLUTIONS
from tests.pure.policy.samples import policy, utc

_TESTS = st.sampled_from([
    "order.country: GB", "order.country: {not_in: [GB, DE]}", "customer.orders: {over: 1}", "customer.orders: {between: [1, 2]}",
    "return.value: {over: 300 GBP}", "line.value: {at_most: 100 GBP}", "line.quantity: {over: 1}", "return.items: {at_least: 3}",
    "item.tags: a", "item.tags: {has_all: [a, b]}", "item.tags: [a, c]", "order.placed: {from: 2026-10-09}",
    "order.delivered: {to: 2026-10-29}", "today: {between: [2026-11-17, 2026-12-01]}", "today: {from: 2026-11-29}",
    "days_since.delivered: {over: 10}", "days_since.placed: {at_most: 39}", "reason: faulty", "reason: {not_in: [faulty, other]}",
    "item.sku: {matches: 'WH.*'}", "order.is_gift: true", "order.is_business: true", "customer.is_consumer: true",
    "evidence: {at_least: 1}", "resolution: {in: [refund, exchange]}", "method: shop", "answer.worn: 'yes'",
    "order.last_delivered: {from: 2026-10-29}", "item.price: {over: 75 GBP}", "return.is_full: true",
])  # fmt: skip
_WHENS = st.one_of(
    st.just(""),
    _TESTS,
    st.lists(_TESTS, min_size=2, max_size=3).map(lambda parts: "all: [" + ", ".join(f"{{{p}}}" for p in parts) + "]"),
    st.lists(_TESTS, min_size=2, max_size=3).map(lambda parts: "any: [" + ", ".join(f"{{{p}}}" for p in parts) + "]"),
    _TESTS.map(lambda part: f"not: {{{part}}}"),
)
_SETS = st.sampled_from([
    "returnable: false", "returnable: true", "review: always", "review: never", "window: {days: 10}",
    "window: {until: 2026-11-20}",
    "window: {days: 5, from: placed, grace: 3, ends_on: business_day}",
    "window: {days: 20, if_undelivered: {days: 30, from: placed}}",
    "window: {days: 9, if_undelivered: refuse}", "resolutions: [exchange]", "evidence: photo", "restocking_fee: 5 EUR",
    "questions: [{name: worn, ask: Worn?, choices: ['yes', 'no']}]",
])  # fmt: skip
POLICIES_OF_FEW_WORDS = st.builds(
    lambda rules, laws: policy(
        "".join(
            f"- rule: R{at}\n" + (f"  when: {{{when}}}\n" if when else "") + f"  set: {{{sets}}}\n"
            for at, (when, sets) in enumerate(rules)
        ),
        extra=laws,
    ),
    st.lists(st.tuples(_WHENS, _SETS), max_size=5),
    st.sampled_from(["", "laws: [uk-consumer, eu-consumer]\n"]),
)


def _maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), values)


_DELIVERED = st.sampled_from([utc(2026, 10, 29, 11), utc(2026, 11, 6, 23, 30), utc(2026, 10, 12, 1)])
FACTS_OF_FEW_WORDS = st.builds(
    Facts,
    order=st.builds(
        OrderFacts,
        placed_at=_maybe(st.just(utc(2026, 10, 9, 8))),
        country=_maybe(st.sampled_from(["GB", "de", "US"])),
        currency=st.just("GBP"),
        is_gift=_maybe(st.booleans()),
        is_business=_maybe(st.booleans()),
        last_delivered_at=_maybe(st.just(utc(2026, 11, 7, 9))),
    ),
    customer=st.builds(CustomerFacts, orders=_maybe(st.integers(0, 3))),
    item=st.builds(
        ItemFacts,
        tags=_maybe(st.lists(st.sampled_from(["A", "b", "c", "d"]), max_size=2, unique=True).map(tuple)),
        sku=_maybe(st.sampled_from(["WH-1", "X"])),
        price=_maybe(st.sampled_from([Money(75_00, "GBP"), Money(76_00, "GBP"), Money(1, "EUR")])),
        delivered_at=_maybe(_DELIVERED),
    ),
    quantity=st.integers(1, 3),
    line_value=_maybe(st.sampled_from([Money(100_00, "GBP"), Money(290_00, "GBP")])),
    return_value=_maybe(st.sampled_from([Money(300_00, "GBP"), Money(300_01, "GBP"), Money(5, "EUR")])),
    return_items=st.integers(3, 4),
    return_is_full=_maybe(st.booleans()),
    reason=_maybe(st.sampled_from(list(REASONS))),
    answers=_maybe(st.sampled_from([{}, {"worn": "yes"}])),
    evidence=_maybe(st.integers(0, 2)),
    resolution=_maybe(st.sampled_from(RESOLUTIONS)),
    method=_maybe(st.sampled_from(METHODS)),
    at=_maybe(st.sampled_from([utc(2026, 11, 17, 9), utc(2026, 11, 30, 0), utc(2027, 1, 5, 23)])),
    is_consumer=_maybe(st.booleans()),
)
