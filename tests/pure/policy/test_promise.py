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

from portal.config import ROOT
from portal.money import Money
from portal.policy.conditions import comparisons
from portal.policy.customer_words import label, phrase
from portal.policy.decision import ACCEPT, REFUSE, Decision
from portal.policy.engine import decide
from portal.policy.explain import ENGLISH, window_words
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy, load_policy
from portal.policy.offers import Offer, offer, offers
from portal.policy.page import PolicyPage, policy_page
from portal.policy.promise import Purchase, kin, kinds, ordinary, promise
from portal.policy.publish import json_ld
from portal.policy.quote import QuoteLine, quote
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policy.term_rows import SHOWN, value_of
from portal.policy.terms import Window
from portal.policybook.service import asking
from tests.pure.policy.google import TABLE, minor, validate

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
    listed = published["hasMerchantReturnPolicy"]
    # A link alone names no countries: it is for those that no other entry names.
    named = [each for each in listed if country in each.get("applicableCountry", ())]
    entry = (named or [each for each in listed if "applicableCountry" not in each])[0]
    if "returnPolicyCategory" not in entry:
        known = [told.usual, *(each.promise for each in told.seasons)]
        assert any(
            each.decision.answer not in (ACCEPT, REFUSE)
            or each.window.start != "delivered"
            or each.shipping.share_bp
            or each.uncertain("return_shipping")
            or each.uncertain("restocking_fee")
            for each in known
        )
        return
    more_agrees(policy, entry, replace(shop, country=country, placed_at=NOW + timedelta(days=900)))
    placed_on = data.draw(st.dates(date(2026, 11, 21), date(2027, 9, 1)))
    placed_at = datetime(placed_on.year, placed_on.month, placed_on.day, 12, tzinfo=policy.zone)
    season = next(
        (each for each in entry.get("returnPolicySeasonalOverride", ())
         if each["startDate"] <= placed_on.isoformat() <= each["endDate"]), None,
    )  # fmt: skip
    says = {**entry, **(season or {})}
    seasonal = [each for each in told.seasons if not each.promise.same_terms(told.usual)]
    assert (season is None) == all(not each.first <= placed_on <= each.last for each in seasonal)
    here = replace(shop, country=country, placed_at=placed_at)
    assert days_for_faults(entry, placed_on) in (
        days_of(promise(policy, asks, here, FAULTY)),
        entry["merchantReturnLink"],
    )
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


def days_for_faults(entry: dict[str, Any], placed_on: date) -> Any:
    """What somebody reads of faults for an order of this day: what is said for its season, else of faults, else of everything."""
    more = {each["name"]: each["value"] for each in entry.get("additionalProperty", ())}
    said = more.get("itemDefectMerchantReturnDays", entry.get("merchantReturnDays", entry["returnPolicyCategory"]))
    for season in entry.get("returnPolicySeasonalOverride", ()):
        if season["startDate"] <= placed_on.isoformat() <= season["endDate"]:
            said = more.get("itemDefectMerchantReturnDays", season.get("merchantReturnDays", said))
    for name, value in more.items():
        found = re.fullmatch(r"itemDefectMerchantReturnDays from (\S+) to (\S+)", name)
        if found is not None and found[1] <= placed_on.isoformat() <= found[2]:
            said = value
    return said


def days_of(told: Any) -> Any:
    """The same of a promise."""
    if told.decision.answer == REFUSE:
        return "https://schema.org/MerchantReturnNotPermitted"
    return told.window.days if told.window.until is None else told.window.until.isoformat()


def more_agrees(policy: Policy, entry: dict[str, Any], usual: Purchase) -> None:
    """Whether what stands beside the vocabulary is what is promised outside of seasons, for faults and in another currency."""
    more = {each["name"]: each["value"] for each in entry.get("additionalProperty", ())}
    wrong = promise(policy, asks, usual, FAULTY)
    if wrong.decision.answer == ACCEPT and wrong.window.start == "delivered" and wrong.window.until is None:
        assert more.get("itemDefectMerchantReturnDays", entry.get("merchantReturnDays")) == wrong.window.days
    else:
        assert type(more.get("itemDefectMerchantReturnDays")) is not int
    if (fee := more.get("returnFees of orders in EUR")) is not None:
        euro = promise(policy, asks, replace(usual, currency="EUR"), CHANGED_MIND).shipping
        if fee == entry["merchantReturnLink"]:
            assert promise(policy, asks, replace(usual, currency="EUR"), CHANGED_MIND).uncertain("return_shipping")
        elif isinstance(fee, dict):
            assert euro.amount is not None
            assert (minor(fee), fee["currency"]) == (euro.amount.minor, euro.amount.currency)
        else:
            assert fee.rpartition("/")[2] == (
                "ReturnFeesCustomerResponsibility" if euro.kind == "own" else "FreeReturn"
            )


def best(says: dict[str, Any]) -> str:
    names = [each.rpartition("/")[2] for each in says.get("refundType", ["FullRefund"])]
    return next(name for name in ("FullRefund", "StoreCreditRefund", "ExchangeRefund") if name in names)


def published_by(policy: Policy, shop: Purchase) -> dict[str, Any]:
    found = json_ld(
        offers(policy, asks, shop, SOLD_TO), name="Wren & Harbour", url="https://wren.example",
        link="https://returns.wren.example/policy", returned_to="GB",
        foreign=offers(policy, asks, replace(shop, currency="EUR"), SOLD_TO),
    )  # fmt: skip
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


WRONG = "If something is wrong with it"
SILENT = ("Not needed", "None", "Nothing on top", "At the same price", "Comes back to us", "Nothing more to do")
"""What asks, takes or gives nothing is not told."""


def read(page: PolicyPage, country: str, currency: str) -> tuple[str, dict[str, str], str, dict[str, str]]:
    """What somebody in this country reads of an ordinary purchase, and of one with a fault: the part of the currency over that of
    the country over the first one, as the parts say of themselves."""
    parts = [each for each in page.markets if country in each.countries and currency in each.currencies]
    assert len(parts) == 1, (country, currency)
    chain = [parts[0]]
    if chain[0].beside == "currency":
        chain += [each for each in page.markets if country in each.countries and "GBP" in each.currencies]
    if chain[-1].beside == "first":
        chain.append(page.markets[0])
    assert chain[-1].beside == ""
    text = next((each.text for each in chain if each.text and each.text != "Nothing is different."), "")
    said = {name: words for each in reversed(chain) for name, words in each.rows}
    cases = [case for each in chain for case in each.cases if case.name == WRONG or "“It’s faulty”" in case.name]
    wrong = next((case.text for case in cases), text)
    return text, said, wrong, said | {name: words for case in reversed(cases) for name, words in case.rows}


def agrees(said: dict[str, str], decision: Decision) -> None:
    """Whether the rows say every term of the decision."""
    for name in SHOWN:
        value = value_of(decision, name)
        words, shown = phrase(name, value, ENGLISH), said.get(label(name, ENGLISH))
        if name == "resolutions":
            assert sorted(re.split(", | or ", str(shown).lower())) == sorted(re.split(", | or ", words.lower()))
        else:
            assert shown == words or (shown is None and words in SILENT), (name, shown, words)
    if decision.value("window").until is None:
        assert f"{decision.value('window').days} day" in said["Time to return"]


CHRISTMAS = """\
  - rule: Christmas orders
    when: {order.placed: {from: 2026-11-01, to: 2026-12-24}}
    set: {window: {until: 2027-01-31}}
"""
FEE = """\
  - rule: Gadget fee
    when: {item.category: gadgets}
    set: {restocking_fee: 15%}
"""


def shops_own() -> Policy:
    """The shipped policy as a shop changed it: Christmas orders above everything, a fee for one category below everything."""
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    rules, last = text.split("\notherwise:")
    return load_policy(rules.replace("rules:\n", f"rules:\n{CHRISTMAS}\n") + f"\n{FEE}\notherwise:" + last)


@pytest.mark.parametrize(
    ("country", "in_season", "later"),
    [("GB", 184, 365), ("US", date(2027, 1, 31), 365), ("DE", 731, 731)],
)
def test_page_data_and_decision_say_the_same_of_faults_in_a_season_and_out_of_it(
    country: str, in_season: int | date, later: int
) -> None:
    policy = shops_own()
    shop = Purchase("GB", "GBP", NOW, ordinary())
    page = policy_page(policy, asking, shop, sold_to=SOLD_TO, currencies=("GBP", "EUR"))
    _text, _said, _sentence, wrong = read(page, country, "GBP")
    season = seasonal(page, country)
    listed = json_ld(
        offers(policy, asking, shop, SOLD_TO),
        name="x",
        url="https://x.example",
        link="https://x.example/p",
        returned_to="GB",
    )["hasMerchantReturnPolicy"]
    (entry,) = [each for each in listed if country in each["applicableCountry"]]
    for placed_at, expected in ((NOW, in_season), (NOW + timedelta(days=90), later)):
        facts = Facts(
            order=OrderFacts(placed_at=placed_at, country=country, currency="GBP", is_business=False, last_delivered_at=placed_at,
                             tags=(), returns_so_far=0),
            item=replace(ordinary(ItemFacts(category="shirts", price=Money(2000, "GBP"))), delivered_at=placed_at),
            reason=FAULTY, resolution="refund", evidence=1, return_value=Money(2000, "GBP"), return_items=1, at=placed_at,
            is_consumer=True,
        )  # fmt: skip
        decision = decide(policy, facts)
        last = expected if isinstance(expected, date) else placed_at.date() + timedelta(days=expected)
        assert (decision.answer, decision.return_by_on) == (ACCEPT, last)
        told = promise(policy, asking, replace(shop, country=country, placed_at=placed_at), FAULTY)
        words = phrase("window", told.window, ENGLISH)
        assert days_of(told) == (expected.isoformat() if isinstance(expected, date) else expected)
        assert days_for_faults(entry, placed_at.date()) == days_of(told)
        if placed_at == NOW:
            assert season["Time to return, if something is wrong with it"] == words
        else:
            assert wrong["Time to return"] == words


def seasonal(page: PolicyPage, country: str) -> dict[str, str]:
    """What the boxes of the first season say to somebody in this country: of the first part, then of its own."""
    parts = [
        page.markets[0],
        *(each for each in page.markets[1:] if country in each.countries and "GBP" in each.currencies),
    ]
    boxes = [case for part in parts for case in part.cases if case.name.startswith("Bought by")]
    return {name: words for box in boxes for name, words in box.rows}


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


def label_from(amount: str) -> str:
    """A policy whose label costs £3.50, and nothing for what is worth that much or more."""
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    return text.replace(
        "rules:\n", f"rules:\n  - rule: Large\n    when: {{order.total: {{at_least: {amount}}}}}\n"
        "    set: {return_shipping: {paid_by: merchant}}\n", 1,
    )  # fmt: skip


def test_structured_data_name_no_fee_that_hangs_on_the_order() -> None:
    shop = Purchase("GB", "GBP", NOW, ordinary())
    for entry in published_by(load_policy(label_from("100 GBP")), shop)["hasMerchantReturnPolicy"]:
        assert "returnFees" not in entry
        assert "returnShippingFeesAmount" not in entry
        assert "customerRemorseReturnFees" not in entry
        assert entry["returnLabelSource"], "the rest is said"


def test_structured_data_leave_a_fee_to_the_page_that_hangs_on_the_order_in_one_currency_alone() -> None:
    rule = """- rule: Euros
    when: {order.currency: EUR, return.value: {over: 10 EUR}}
    set: {return_shipping: {paid_by: customer, amount: 9 EUR}}"""
    policy = load_policy(text_of([rule]))
    (entry, *_rest) = published_by(policy, Purchase("GB", "GBP", NOW, ordinary()))["hasMerchantReturnPolicy"]
    assert "returnFees" in entry
    more = {each["name"]: each["value"] for each in entry["additionalProperty"]}
    assert more["returnFees of orders in EUR"] == entry["merchantReturnLink"]


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
    assert dict(market.kinds[0].rows) == {
        "Time to return": "60 days from delivery",
        "Restocking fee": "5% of the price",
    }
    assert [each.name for each in market.changes] == [
        "If it cost more than 75.00 GBP", "If the number of your orders is more than 3",
    ]  # fmt: skip
    assert market.changes[0].text.startswith("A person in our team checks this before we answer.")
    assert dict(market.changes[0].rows) == {"Photo": "We need a photo"}
    assert {kind.value for kind in kinds(policy)} == {"shoes", "final-sale"}


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_a_rule_is_told_once_to_each_market_and_says_nothing_that_a_law_makes_untrue(name: str) -> None:
    policy = load_policy((ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8"))
    shop = Purchase("GB", "GBP", NOW, ordinary())
    page = policy_page(policy, asking, shop, sold_to=SOLD_TO, currencies=("GBP",))
    for market in page.markets:
        titles = [title for kind in market.kinds for title in kind.name.split(", ")]
        assert len(titles) == len(set(titles)), titles
        here = replace(shop, country=market.countries[0])
        for kind in kinds(policy):
            if promise(policy, asking, replace(here, item=kind.item()), CHANGED_MIND).decision.answer == REFUSE:
                continue
            # Whoever may send it back reads nowhere that such goods can't be returned.
            for rule in policy.rules:
                named = {str(each).casefold() for test in comparisons(rule.when) for each in _listed(test.value)}
                if rule.say and rule.sets.get("returnable") is False and kind.value in named:
                    assert all(rule.say not in told.text for told in market.kinds), (kind, rule.name)


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(
    ("days", "said"),
    [(30, "30 days"), (365, "365 days"), (366, "1 year"), (730, "730 days"), (731, "2 years"), (1096, "3 years"),
     (1461, "4 years"), (1826, "1826 days"), (1827, "5 years")],
)  # fmt: skip
def test_days_that_hold_whole_years_are_told_as_years(days: int, said: str) -> None:
    window = Window(days=days, start="delivered")
    assert phrase("window", window, ENGLISH) == f"{said} from delivery"
    assert window_words(window) == said, "staff read the same"
    # No customer is told of a day that the decision does not give, whichever leap days lie between.
    years = int(said.split()[0]) if "year" in said else 0
    for start in (date(2023, 3, 1), date(2024, 2, 28), date(2027, 6, 1)):
        assert start + timedelta(days=days) >= start.replace(year=start.year + years)


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_the_shipped_policies_publish_what_google_asks_and_recommends(name: str) -> None:
    text = (ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    policy = load_policy(text, name)
    shop = Purchase("GB", "GBP", NOW, ordinary())
    published = published_by(policy, shop)
    validate(published)
    told = {
        key: value
        for entry in published["hasMerchantReturnPolicy"]
        if "applicableCountry" in entry
        for key, value in entry.items()
    }
    if not told:
        return
    wanted = {key for key, rule in TABLE["policy"]["properties"].items() if rule.get("recommended")}
    usual = offer(policy, asks, shop).usual
    silent = set(TABLE["not_told"])
    silent |= {"restockingFee"} if usual.fee.bp == 0 and usual.fee.amount is None else set()
    # A share of the value is an amount that nobody knows before the order.
    silent |= {"returnFees", "customerRemorseReturnFees"} if usual.shipping.share_bp is not None else set()
    assert wanted - silent <= set(told)


def test_the_table_refuses_what_google_would_refuse() -> None:
    fine = published_by(load_policy(text_of([RULES[8]])), Purchase("GB", "GBP", NOW, ordinary()))
    validate(fine)
    for wrong in (
        {"returnPolicyCategory": "https://schema.org/MerchantReturnUnspecified"},
        {"merchantReturnDays": "2027-01-31"},
        {"merchantReturnDays": 30.5},
        {"applicableCountry": ["UK1"]},
        {"applicableCountry": ["GB"] * 51},
        {"returnFees": "https://schema.org/FreeReturn"},
        {"returnShippingFeesAmount": {"@type": "MonetaryAmount", "value": "0.00", "currency": "GBP"}},
        {"returnMethod": ["https://schema.org/KeepProduct"]},
        {"refundType": "FullRefund"},
        {"restockingFee": 101},
        {"merchantReturnDay": 30},
    ):
        entry = {**fine["hasMerchantReturnPolicy"][0], **wrong}
        with pytest.raises(AssertionError):
            validate({**fine, "hasMerchantReturnPolicy": [entry]})


@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES)
@given(policies, st.sampled_from(["DE", "FR", "US", "JP", "AU"]), st.sampled_from(["CA", "JP", "AU", "DE"]))
def test_countries_that_nothing_can_tell_apart_are_promised_the_same(policy: Policy, one: str, other: str) -> None:
    shop = Purchase("GB", "GBP", NOW, ordinary())
    if kin(policy, one) == kin(policy, other):
        assert (
            offer(policy, asks, replace(shop, country=one)).told()
            == offer(policy, asks, replace(shop, country=other)).told()
        )
    together = offers(policy, asks, shop, (one, "GB", other) if one != other else (one, "GB"))
    for found in together:
        for country in found.countries:
            assert offer(policy, asks, replace(shop, country=country)).told() == found.told()
