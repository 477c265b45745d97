"""Page, JSON-LD and promises say what `decide` gives: for every completion of what is known, in season and out of it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from portal.money import Money, exponent
from portal.policy.decision import ACCEPT, REFUSE, Decision
from portal.policy.engine import decide
from portal.policy.explain import ENGLISH, value_words
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy, load_policy
from portal.policy.plain import policy_page
from portal.policy.promise import Offer, Purchase, kinds, offer, offers, ordinary, promise
from portal.policy.publish import json_ld
from portal.policy.quote import QuoteLine, quote
from portal.policy.reasons import CHANGED_MIND, FAULTY

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
# A counterexample is two policies of a few lines already; making it smaller takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
EXAMPLES = int(os.environ.get("PROMISE_EXAMPLES", "25"))
SOLD_TO = ("GB", "DE", "FR", "US")

RULES = """
- {rule: Faults, when: {reason: {in: [faulty, damaged]}}, set: {returnable: true, window: {days: 365}}}
- {rule: Final, when: {item.tags: {has: final-sale}}, set: {returnable: false}, say: Sold as final sale.}
- {rule: Shoes, when: {item.category: shoes}, set: {window: {days: 60, from: delivered}, restocking_fee: 5%}}
- {rule: Not shoes, when: {not: {item.category: shoes}}, set: {ship_by: 10 days}}
- {rule: Far, when: {order.country: {in: [DE]}}, set: {window: {days: 45}, return_shipping: {paid_by: customer, amount: 7 GBP}}}
- {rule: Overseas, when: {order.country: US}, set: {returnable: false}, say: We can’t take it back from there.}
- {rule: Christmas, when: {order.placed: {from: 2026-11-01, to: 2026-12-24}}, set: {window: {until: 2027-01-31}}}
- {rule: Sale, when: {order.placed: {between: [2026-12-27, 2027-01-10]}}, set: {restocking_fee: 10%, resolutions: [store_credit]}}
- {rule: Label, when: {order.currency: GBP}, set: {return_shipping: {paid_by: customer, amount: 3.50 GBP, free_for: [exchange]}}}
- {rule: Pays for refunds, when: {resolution: refund}, set: {return_shipping: {paid_by: customer, amount: 2.00 GBP}}}
- {rule: Share, when: {order.country: FR}, set: {return_shipping: {paid_by: customer, share: 8%}}}
- {rule: Own, when: {order.country: GB}, set: {ship_with: [own, shop], return_shipping: {paid_by: customer}}}
- {rule: Dear, when: {item.price: {over: 75 GBP}}, set: {evidence: photo, review: always}}
- {rule: Unit fee, when: {item.tags: {has: heavy}}, set: {restocking_fee: 4.00 GBP}}
- {rule: Regular, when: {customer.orders: {over: 3}}, set: {window: {days: 90, from: delivered}}}
- {rule: Late, when: {days_since.delivered: {over: 20}}, set: {restocking_fee: 20%}}
- {rule: Person, when: {item.type: card}, set: {review: always}}
- {rule: Keep, when: {item.type: sample}, set: {keep_item: true}}
- {rule: Counted from order, when: {item.category: food}, set: {window: {days: 9, from: placed}}}
""".strip().splitlines()
OTHERWISE = """
otherwise:
  returnable: %s
  window: {days: %d, from: delivered, if_undelivered: review}
  resolutions: %s
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%%
  outbound_shipping: full_return
  credit_bonus: 10%%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""


def text_of(rules: list[str], days: int = 30, returnable: str = "true", resolutions: str = "[refund, exchange, store_credit]",
            zone: str = "Europe/London") -> str:  # fmt: skip
    listed = "rules:\n" + "\n".join(f"  {rule}" for rule in rules) if rules else "rules: []"
    return f"schema: 1\nname: Tried\ntimezone: {zone}\n{listed}\n{OTHERWISE % (returnable, days, resolutions)}"


policies = st.builds(
    text_of,
    st.lists(st.sampled_from(RULES), unique=True, max_size=8),
    days=st.sampled_from([0, 14, 30]),
    returnable=st.sampled_from(["true", "true", "false"]),
    resolutions=st.sampled_from(["[refund, exchange, store_credit]", "[exchange]", "[store_credit, exchange]"]),
    zone=st.sampled_from(["Europe/London", "America/New_York", "Pacific/Auckland"]),
).map(load_policy)


def asks(policy: Policy) -> Any:
    return lambda facts: decide(policy, facts)


items = st.builds(
    ItemFacts,
    sku=st.none() | st.just("A-1"),
    category=st.sampled_from([None, "", "shoes", "food"]),
    type=st.sampled_from([None, "", "card", "sample"]),
    tags=st.sampled_from([None, (), ("final-sale",), ("heavy",), ("heavy", "final-sale")]),
    price=st.sampled_from([None, Money(1000, "GBP"), Money(9000, "GBP")]),
)
purchases = st.builds(
    Purchase,
    country=st.sampled_from(SOLD_TO),
    currency=st.sampled_from(["GBP", "EUR"]),
    placed_at=st.integers(-60, 200).map(lambda days: NOW + timedelta(days=days)),
    item=items,
)


@st.composite
def completions(draw: Any, purchase: Purchase, reason: str, resolution: str, days: int) -> Facts:
    """Everything that was not known, drawn."""

    def known(value: Any, drawn: Any) -> Any:
        return draw(drawn) if value is None else value

    item, currency = purchase.item, purchase.currency
    delivered = purchase.placed_at + timedelta(days=draw(st.integers(0, 9)), hours=draw(st.integers(0, 23)))
    price = known(item.price, st.sampled_from([Money(900, currency), Money(20_000, currency)]))
    return Facts(
        order=OrderFacts(
            number="1", placed_at=purchase.placed_at, country=purchase.country, region="", channel="web", currency=currency,
            total=price, tags=(), discount_codes=(), discount_percent_bp=0, payment_method="card", returns_so_far=0,
            is_gift=False, is_business=False, fulfilment="fulfilled",
        ),
        customer=CustomerFacts(orders=draw(st.sampled_from([1, 9])), tags=()),
        item=ItemFacts(
            sku=known(item.sku, st.just("B-2")), product="", vendor="",
            type=known(item.type, st.sampled_from(["", "card", "sample"])),
            category=known(item.category, st.sampled_from(["", "shoes", "food"])),
            tags=known(item.tags, st.sampled_from([(), ("final-sale",), ("heavy",)])),
            price=price, paid=price, discounted=False, quantity=1, weight_g=1, hazardous=False, is_exchange=False,
            shipped_at=purchase.placed_at, delivered_at=delivered,
        ),
        quantity=1, line_value=price, return_value=price, return_items=1, return_is_full=True, reason=reason, answers={},
        evidence=3, resolution=resolution, method="label", at=delivered + timedelta(days=days), is_consumer=True,
    )  # fmt: skip


def meets_none(told: Any, facts: Facts) -> bool:
    """Whether no rule has a say that the promise named as able to change it."""
    return all(rule.holds(facts) is False for rule in told.depends)


@settings(max_examples=EXAMPLES * 4, deadline=None, phases=PHASES)
@given(policies, purchases, st.sampled_from([CHANGED_MIND, FAULTY, "too-small"]), st.data())
def test_whatever_completes_a_purchase_is_decided_as_promised(
    policy: Policy, purchase: Purchase, reason: str, data: st.DataObject
) -> None:
    told = promise(policy, asks, purchase, reason)
    facts = data.draw(completions(purchase, reason, told.resolution, 0))
    if not meets_none(told, facts):
        return
    decision = decide(policy, facts)
    mine = {name: term.value for name, term in told.decision.terms.items()}
    assert {name: term.value for name, term in decision.terms.items()} == mine
    if told.decision.answer == ACCEPT and told.window.until is None and told.window.start == "delivered":
        assert decision.answer == ACCEPT
    if told.decision.answer == REFUSE and not [c for c in told.decision.causes if c.code == "window_closed"]:
        assert decision.answer == REFUSE


def worth(decision: Decision, facts: Facts, resolution: str) -> dict[str, int]:
    """The fees that a quote takes, in minor units."""
    value = facts.item.price or Money(0, "GBP")
    line = QuoteLine("1", 1, value.minor, 0, value.minor, 0, resolution, decision.terms)
    parts = quote([line], value.currency).all_parts()
    return {
        kind: -sum(p.amount_minor for p in parts if p.kind == kind) for kind in ("return_shipping", "restocking_fee")
    }


@settings(max_examples=EXAMPLES * 2, deadline=None, phases=PHASES)
@given(policies, st.sampled_from(SOLD_TO), st.data())
def test_structured_data_promise_what_is_decided(policy: Policy, country: str, data: st.DataObject) -> None:
    shop = Purchase("GB", "GBP", NOW, ordinary())
    published = published_by(policy, shop)
    validate(published)
    told = offer(policy, asks, replace(shop, country=country))
    entry = next(
        each for each in published["hasMerchantReturnPolicy"] if country in each.get("applicableCountry", [country])
    )
    if "returnPolicyCategory" not in entry:
        known = [told.usual, *(each.promise for each in told.seasons)]
        assert any(
            each.decision.answer not in (ACCEPT, REFUSE) or each.window.start != "delivered" or each.shipping.share_bp
            for each in known
        )
        return
    placed_on = data.draw(st.dates(date(2026, 11, 21), date(2027, 9, 1)))
    placed_at = datetime(placed_on.year, placed_on.month, placed_on.day, 12, tzinfo=policy.zone)
    season = next(
        (each for each in entry.get("returnPolicySeasonalOverride", ())
         if each["startDate"] <= placed_on.isoformat() <= each["endDate"]), None,
    )  # fmt: skip
    says = {**entry, **(season or {})}
    assert (season is None) == all(not each.first <= placed_on <= each.last for each in told.seasons)
    here = replace(shop, country=country, placed_at=placed_at)
    resolution = {"Full": "refund", "Stor": "store_credit", "Exch": "exchange"}[best(says)[:4]]
    known = promise(policy, asks, here, CHANGED_MIND)
    facts = data.draw(completions(here, CHANGED_MIND, resolution, 0))
    if not meets_none(known, facts):
        return
    decision = decide(policy, facts)
    if says["returnPolicyCategory"].endswith("NotPermitted"):
        assert decision.answer == REFUSE
        return
    assert decision.answer == ACCEPT
    days = says["merchantReturnDays"]
    assert facts.item.delivered_at is not None
    if isinstance(days, int):
        assert decision.return_by_on == facts.item.delivered_at.astimezone(policy.zone).date() + timedelta(days=days)
        assert decide(policy, facts.asking(at=decision.return_by)).answer == ACCEPT
    else:
        assert decision.return_by_on == date.fromisoformat(days)
    assert facts.item.price is not None
    fees, price = worth(decision, facts, resolution), facts.item.price.minor
    if says.get("returnFees", "").endswith("/ReturnShippingFees"):
        left = price - fees["restocking_fee"]
        assert fees["return_shipping"] == min(minor(says["returnShippingFeesAmount"]), left)
    elif "returnFees" in says:
        assert fees["return_shipping"] == 0
    if not says.get("restockingFee"):
        assert fees["restocking_fee"] == 0
    elif not isinstance(says["restockingFee"], dict):
        assert abs(fees["restocking_fee"] * 10_000 - price * int(float(says["restockingFee"]) * 100)) <= 10_000
    methods = {"label": "ReturnByMail", "qr": "ReturnByMail", "own": "ReturnByMail", "shop": "ReturnInStore"}
    if not decision.value("keep_item"):
        assert {each.rpartition("/")[2] for each in says["returnMethod"]} == {
            methods[each] for each in decision.value("ship_with")
        }
    defect = decide(policy, replace(facts, reason=FAULTY))
    if entry.get("itemDefectReturnFees", "").endswith("FreeReturn") and season is None and defect.answer == ACCEPT:
        assert worth(defect, facts, resolution)["return_shipping"] == 0


def best(says: dict[str, Any]) -> str:
    names = [each.rpartition("/")[2] for each in says.get("refundType", ["FullRefund"])]
    return next(name for name in ("FullRefund", "StoreCreditRefund", "ExchangeRefund") if name in names)


def minor(amount: dict[str, Any]) -> int:
    return Money.parse(f"{amount['value']} {amount['currency']}").minor


def published_by(policy: Policy, shop: Purchase) -> dict[str, Any]:
    found = json_ld(
        offers(policy, asks, shop, SOLD_TO), name="Wren & Harbour", url="https://wren.example",
        link="https://returns.wren.example/policy", returned_to="GB",
    )  # fmt: skip
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


# Google's documentation of MerchantReturnPolicy under an organization (developers.google.com/search/docs/appearance/
# structured-data/return-policy, read in 2026): either merchantReturnLink alone, or applicableCountry and returnPolicyCategory;
# merchantReturnDays is required for a finite window; amounts are required beside ReturnShippingFees and only there; an override
# needs its dates and its category. The enumerations are those of schema.org.
FEES = {"FreeReturn", "ReturnFeesCustomerResponsibility", "ReturnShippingFees"}
CATEGORIES = {"MerchantReturnFiniteReturnWindow", "MerchantReturnNotPermitted", "MerchantReturnUnlimitedWindow"}
LABELS = {"ReturnLabelCustomerResponsibility", "ReturnLabelDownloadAndPrint", "ReturnLabelInBox"}
ENUMERATIONS = {
    "returnPolicyCategory": CATEGORIES,
    "refundType": {"ExchangeRefund", "FullRefund", "StoreCreditRefund"},
    "returnMethod": {"ReturnAtKiosk", "ReturnByMail", "ReturnInStore"},
    **{f"{prefix}Fees": FEES for prefix in ("return", "customerRemorseReturn", "itemDefectReturn")},
    **{f"{prefix}LabelSource": LABELS for prefix in ("return", "customerRemorseReturn", "itemDefectReturn")},
}
AMOUNTS = {
    f"{prefix}ShippingFeesAmount": f"{prefix}Fees" for prefix in ("return", "customerRemorseReturn", "itemDefectReturn")
}
COUNTRIES = ("applicableCountry", "returnPolicyCountry")


def validate(document: dict[str, Any]) -> None:
    """Hold a document to Google's requirements."""
    assert document["@context"] == "https://schema.org"
    assert document["@type"] in ("Organization", "OnlineStore")
    assert document["name"]
    assert document["url"].startswith("https://")
    assert document["hasMerchantReturnPolicy"]
    for policy in document["hasMerchantReturnPolicy"]:
        assert policy["@type"] == "MerchantReturnPolicy"
        known = {"@type", "merchantReturnLink", "merchantReturnDays", "restockingFee", "returnPolicySeasonalOverride",
                 *COUNTRIES, *ENUMERATIONS, *AMOUNTS}  # fmt: skip
        assert set(policy) <= known, set(policy) - known
        assert policy["merchantReturnLink"].startswith("https://")
        if "applicableCountry" not in policy:
            assert set(policy) == {"@type", "merchantReturnLink"}
            continue
        assert 1 <= len(policy["applicableCountry"]) <= 50
        for country in (*policy["applicableCountry"], policy["returnPolicyCountry"]):
            assert re.fullmatch("[A-Z]{2}", country)
        _validate_terms(policy)
        for override in policy.get("returnPolicySeasonalOverride", ()):
            assert override["@type"] == "MerchantReturnPolicySeasonalOverride"
            assert date.fromisoformat(override["startDate"]) <= date.fromisoformat(override["endDate"])
            _validate_terms(override)


def _validate_terms(policy: dict[str, Any]) -> None:
    category = policy["returnPolicyCategory"].removeprefix("https://schema.org/")
    assert ("merchantReturnDays" in policy) == (category == "MerchantReturnFiniteReturnWindow")
    if isinstance(days := policy.get("merchantReturnDays"), str):
        date.fromisoformat(days)
    elif days is not None:
        assert type(days) is int
        assert days >= 0
    for name, words in ENUMERATIONS.items():
        for value in (
            policy.get(name, []) if isinstance(policy.get(name), list) else [policy[name]] if name in policy else []
        ):
            assert value.removeprefix("https://schema.org/") in words, (name, value)
    for name, fees in AMOUNTS.items():
        assert (name in policy) == policy.get(fees, "").endswith("/ReturnShippingFees")
        if name in policy:
            assert _validate_amount(policy[name]) > 0
    if "restockingFee" in policy and not isinstance(fee := policy["restockingFee"], dict):
        assert 0 <= float(fee) <= 100
    elif "restockingFee" in policy:
        _validate_amount(policy["restockingFee"])


def _validate_amount(amount: dict[str, Any]) -> int:
    assert set(amount) == {"@type", "value", "currency"}
    assert amount["@type"] == "MonetaryAmount"
    assert exponent(amount["currency"]) >= 0
    return minor(amount)


@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES)
@given(policies, st.data())
def test_the_page_says_what_is_decided(policy: Policy, data: st.DataObject) -> None:
    shop = Purchase("GB", "GBP", NOW, ordinary())
    page = policy_page(policy, asks, shop, sold_to=SOLD_TO, currencies=("GBP", "EUR"))
    assert {(c, m) for market in page.markets for c in market.countries for m in market.currencies} == {
        (country, currency) for country in SOLD_TO for currency in ("GBP", "EUR")
    }
    first = page.markets[0]
    said = dict(first.rows)
    usual = offer(policy, asks, replace(shop, country=first.countries[0], currency=first.currencies[0])).usual
    here = replace(shop, country=first.countries[0], currency=first.currencies[0], placed_at=NOW + timedelta(days=900))
    facts = data.draw(completions(here, CHANGED_MIND, usual.resolution, 0))
    if not meets_none(promise(policy, asks, here, CHANGED_MIND), facts):
        return
    decision = decide(policy, facts)
    if decision.answer == REFUSE:
        assert said == {}
        assert first.text
        return
    assert said["Time limit"].startswith(value_words("window", decision.value("window"), ENGLISH))
    assert said["What we offer"] == value_words("resolutions", decision.value("resolutions"), ENGLISH)
    assert said["Return label"] == value_words("return_shipping", decision.value("return_shipping"), ENGLISH)
    assert said.get("Restocking fee", "0%") == value_words("restocking_fee", decision.value("restocking_fee"), ENGLISH)


def told(rules: list[str], **purchase: Any) -> Offer:
    """What is promised by these rules, in Britain unless said otherwise."""
    return offer(load_policy(text_of(rules)), asks, replace(Purchase("GB", "GBP", NOW, ordinary()), **purchase))


def test_a_season_of_purchase_is_told_with_its_days() -> None:
    found = told([RULES[6], RULES[7]])
    assert [(season.first, season.last) for season in found.seasons] == [
        (date(2026, 11, 1), date(2026, 12, 24)),
        (date(2026, 12, 27), date(2027, 1, 10)),
    ]
    assert found.seasons[0].promise.window.until == date(2027, 1, 31)
    assert (found.seasons[1].promise.resolution, found.seasons[1].promise.fee.bp) == ("store_credit", 1000)
    assert found.usual.window.days == 30
    (entry,) = published_by(load_policy(text_of([RULES[6], RULES[7]])), Purchase("GB", "GBP", NOW, ordinary()))[
        "hasMerchantReturnPolicy"
    ]
    assert [each["merchantReturnDays"] for each in entry["returnPolicySeasonalOverride"]] == ["2027-01-31", 30]
    assert entry["returnPolicySeasonalOverride"][1]["restockingFee"] == 10


@pytest.mark.parametrize(
    ("rule", "country", "expected"),
    [
        (
            RULES[4],
            "DE",
            {
                "merchantReturnDays": 45,
                "returnShippingFeesAmount": {"@type": "MonetaryAmount", "value": "7.00", "currency": "GBP"},
            },
        ),
        (RULES[5], "US", {"returnPolicyCategory": "https://schema.org/MerchantReturnNotPermitted"}),
        (RULES[8], "GB", {"returnFees": "https://schema.org/ReturnShippingFees"}),
        (
            RULES[11],
            "GB",
            {
                "returnFees": "https://schema.org/ReturnFeesCustomerResponsibility",
                "returnMethod": ["https://schema.org/ReturnByMail", "https://schema.org/ReturnInStore"],
            },
        ),
        (RULES[0], "GB", {"itemDefectReturnFees": "https://schema.org/FreeReturn"}),
    ],
)
def test_structured_data_by_country(rule: str, country: str, expected: dict[str, Any]) -> None:
    published = published_by(load_policy(text_of([rule])), Purchase("GB", "GBP", NOW, ordinary()))
    entry = next(each for each in published["hasMerchantReturnPolicy"] if country in each["applicableCountry"])
    assert expected.items() <= entry.items()


@pytest.mark.parametrize(
    "change",
    [
        ("review: never", "review: always"),
        ("days: 30, from: delivered, if_undelivered: review", "days: 30, from: placed"),
    ],
)
def test_what_the_vocabulary_cannot_say_is_a_link(change: tuple[str, str]) -> None:
    published = published_by(load_policy(text_of([]).replace(*change)), Purchase("GB", "GBP", NOW, ordinary()))
    assert published["hasMerchantReturnPolicy"] == [
        {"@type": "MerchantReturnPolicy", "merchantReturnLink": "https://returns.wren.example/policy"}
    ]


def test_more_countries_than_one_policy_may_name_become_several() -> None:
    many = tuple(f"{a}{b}" for a in "ABCDEFGHI" for b in "ABCDEFG")
    found = offers(load_policy(text_of([])), asks, Purchase("AA", "GBP", NOW, ordinary()), many)
    published = json_ld(found, name="x", url="https://x.example", link="https://x.example/p", returned_to="GB")
    listed = [each["applicableCountry"] for each in published["hasMerchantReturnPolicy"]]
    assert [len(each) for each in listed] == [50, 13]
    assert [code for each in listed for code in each] == list(many)


def test_kinds_of_items_and_exceptions_are_told_apart_from_the_general() -> None:
    policy = load_policy(text_of([RULES[1], RULES[2], RULES[12], RULES[14]]))
    page = policy_page(policy, asks, Purchase("GB", "GBP", NOW, ordinary()), sold_to=("GB",), currencies=("GBP",))
    (market,) = page.markets
    assert [(kind.name, kind.text) for kind in market.kinds] == [
        ("Shoes", ""), ("Final sale", "Sold as final sale."),
    ]  # fmt: skip
    assert dict(market.kinds[0].rows) == {"Time limit": "60 days from delivery", "Restocking fee": "5%"}
    assert [each.name for each in page.exceptions] == ["Dear", "Regular"]
    assert page.exceptions[0].text == "This holds when the item cost more than 75.00 GBP."
    assert {kind.value for kind in kinds(policy)} == {"shoes", "final-sale"}
