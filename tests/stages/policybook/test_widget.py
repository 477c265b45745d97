"""The widget says what is decided: for every completion of what a product page knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config import ROOT
from portal.policy.decision import ACCEPT, REFUSE
from portal.policy.engine import decide
from portal.policy.explain import ENGLISH
from portal.policy.loader import Policy, load_policy
from portal.policy.promise import promise
from portal.policy.reasons import CHANGED_MIND, FAULTY
from portal.policybook import widget
from portal.policybook.promises import promises_of
from portal.policybook.service import asking
from portal.shop import load
from tests.pure.policy.test_promise import (
    EXAMPLES,
    NOW,
    PHASES,
    SOLD_TO,
    completions,
    meets_none,
    policies,
    text_of,
    worth,
)

SHOP = load(ROOT / "policies" / "shop.yaml")
questions = st.fixed_dictionaries(
    {"country": st.sampled_from(SOLD_TO)},
    optional={
        "currency": st.sampled_from(["GBP", "EUR"]),
        "category": st.sampled_from(["", "shoes", "food"]),
        "type": st.sampled_from(["", "card", "sample"]),
        "tags": st.sampled_from(["", "final-sale", "heavy,final-sale", "heavy"]),
        "price": st.sampled_from(["1000", "9000"]),
        "delivered": st.sampled_from(["2026-11-21", "2026-12-01"]),
    },
)


@settings(max_examples=EXAMPLES * 3, deadline=None, phases=PHASES)
@given(policies, questions, st.data())
def test_the_widget_says_what_is_decided(policy: Policy, asked: dict[str, str], data: st.DataObject) -> None:
    found = promises_of(policy, SHOP, NOW, number=7)
    purchase = widget.read_purchase(asked, found)
    said = widget.answer(found, purchase, ENGLISH, refund_days=5, url="https://returns.example/policy")
    for name, reason in (("ordinary", CHANGED_MIND), ("faulty", FAULTY)):
        told = promise(policy, asking, purchase, reason)
        facts = data.draw(completions(purchase, reason, told.resolution, 0))
        if purchase.item.delivered_at is not None:
            facts = replace(facts, item=replace(facts.item, delivered_at=purchase.item.delivered_at))
            facts = facts.asking(at=purchase.item.delivered_at)
        if not meets_none(told, facts):
            continue
        decision, case = decide(policy, facts), said[name]
        if case["answer"] == REFUSE:
            assert decision.answer == REFUSE
            continue
        if decision.answer == REFUSE:
            # A window that doesn't begin with the delivery may be over when the parcel comes.
            assert [cause.code for cause in decision.causes] == ["window_closed"]
            assert case["from"] != "delivered"
            continue
        assert decision.answer == case["answer"]
        if case["until"] is not None:
            assert decision.return_by_on == date.fromisoformat(case["until"])
        elif case["from"] == "delivered":
            assert facts.item.delivered_at is not None
            delivered_on = facts.item.delivered_at.astimezone(policy.zone).date()
            assert decision.return_by_on == delivered_on + timedelta(days=case["days"])
        assert set(case["ship_with"]) == (set() if decision.value("keep_item") else set(decision.value("ship_with")))
        assert case["resolutions"] == [each for each in case["resolutions"] if each in decision.value("resolutions")]
        if decision.answer != ACCEPT or facts.item.price is None:
            continue
        fees, cost = worth(decision, facts, told.resolution), case["cost"]
        left = facts.item.price.minor - fees["restocking_fee"]
        if cost["amount"] is not None:
            assert fees["return_shipping"] == min(cost["amount"]["amount"], left)
        elif cost["share"] is None:
            assert fees["return_shipping"] == 0
        assert bool(fees["restocking_fee"]) == bool(cost["restocking_fee"])
        for resolution in cost["free_for"]:
            other = decide(policy, facts.asking(resolution=resolution))
            assert worth(other, facts, resolution)["return_shipping"] == 0


def test_a_fee_that_a_law_lifts_is_told_with_the_last_day_of_that_and_what_comes_after() -> None:
    rule = "- {rule: gadget_v2, when: {item.category: gadgets}, set: {restocking_fee: 15%}}"
    policy = load_policy(text_of([rule]).replace("rules:", "laws: [eu-consumer, uk-consumer]\nrules:", 1))
    found = promises_of(policy, SHOP, NOW)
    # The tags are not known: the law's exemptions stand under what it depends on, and nobody is sent to a person for them.
    purchase = widget.read_purchase({"country": "DE", "category": "gadgets", "delivered": "2026-11-25"}, found)
    said = widget.answer(found, purchase, ENGLISH, refund_days=5, url="https://returns.example/policy")
    cost, (later,) = said["ordinary"]["cost"], said["ordinary"]["later"]
    assert said["answer"] == "yes"
    assert (cost["restocking_fee"], cost["until"], cost["for_days"]) == (None, "2026-12-09", 14)
    assert (later["restocking_fee"], later["until"]) == ("15%", None)
    assert any("EU right of withdrawal: Not for" in each["message"] for each in said["ordinary"]["depends"])
    assert "No restocking fee for 14 days" in said["points"][1]["text"]
    assert "gadget_v2" not in repr(said)


def test_why_a_photo_is_asked_for_is_said_after_what_is_asked_for_and_no_pattern_is_shown() -> None:
    rules = [
        "- {rule: Dear, when: {item.price: {over: 75 GBP}}, set: {evidence: {photos: 1, of: the tags}}, say: For our records.}",
        "- {rule: Odd, when: {item.sku: {matches: 'SWIM-.*'}}, set: {review: always}}",
    ]
    found = promises_of(load_policy(text_of(rules)), SHOP, NOW)
    said = widget.answer(
        found, widget.read_purchase({}, found), ENGLISH, refund_days=5, url="https://returns.example/policy"
    )
    assert [each["message"] for each in said["ordinary"]["depends"]] == [
        "If it cost more than 75.00 GBP: We need a photo of the tags. For our records.",
        "Something else may hold if it is one of certain items.",
    ]


def test_days_of_a_law_are_counted_from_the_last_parcel() -> None:
    policy = load_policy(text_of([], days=14).replace("rules:", "laws: [eu-consumer, uk-consumer]\nrules:", 1))
    found = promises_of(policy, SHOP, NOW)
    purchase = widget.read_purchase({"country": "DE", "tags": "", "delivered": "2026-11-25"}, found)
    said = widget.answer(found, purchase, ENGLISH, refund_days=5, url="https://returns.example/policy")
    assert [said["ordinary"][name] for name in ("days", "from", "until")] == [14, "last_delivered", "2026-12-09"]
    assert said["points"][0]["text"] == "Counted from the day the last parcel of your order was delivered."
