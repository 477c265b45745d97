"""Facts and decisions survive storage without loss, and equal ones are equal bytes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import permutations
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.decision import Decision
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts, canonical
from portal.policy.loader import load_policy
from portal.policy.reasons import REASONS
from portal.policy.satisfy import NOT_FALSE, TRUE, Universe
from portal.policy.terms import RESOLUTIONS
from tests.pure.policy.few_words import FACTS_OF_FEW_WORDS, POLICIES_OF_FEW_WORDS
from tests.pure.policy.samples import JUMPER, LONDON, ROOT, document, shipped, utc

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MONEY = st.builds(Money, st.integers(0, 10**9), st.sampled_from(["GBP", "INR", "JPY", "USD"]))
MOMENT = st.datetimes(utc(2000, 1, 1).replace(tzinfo=None), timezones=st.just(UTC))
TEXTS = st.lists(st.sampled_from(["sale", "final-sale", "socks", "VIP"]) | TEXT, max_size=3).map(tuple)


def maybe(strategy):
    return st.none() | strategy


COUNT, YES_NO = st.integers(0, 1000), st.booleans()
ORDERS = st.builds(
    OrderFacts,
    number=maybe(TEXT),
    placed_at=maybe(MOMENT),
    country=maybe(st.sampled_from(["GB", "DE", "US"])),
    currency=maybe(st.sampled_from(["GBP", "INR", "USD"])),
    total=maybe(MONEY),
    tags=maybe(TEXTS),
    discount_codes=maybe(TEXTS),
    discount_percent_bp=maybe(COUNT),
    returns_so_far=maybe(COUNT),
    is_gift=maybe(YES_NO),
    is_business=maybe(YES_NO),
)
CUSTOMERS = st.builds(
    CustomerFacts, tags=maybe(TEXTS), email=maybe(TEXT), orders=maybe(COUNT), return_rate_bp=maybe(COUNT)
)
ITEMS = st.builds(
    ItemFacts,
    sku=maybe(TEXT),
    type=maybe(TEXT),
    category=maybe(TEXT),
    tags=maybe(TEXTS),
    price=maybe(MONEY),
    paid=maybe(MONEY),
    weight_g=maybe(COUNT),
    hazardous=maybe(YES_NO),
    shipped_at=maybe(MOMENT),
    delivered_at=maybe(MOMENT),
)
FACTS = st.builds(
    Facts,
    order=ORDERS,
    customer=CUSTOMERS,
    item=ITEMS,
    quantity=maybe(COUNT),
    line_value=maybe(MONEY),
    return_value=maybe(MONEY),
    return_items=maybe(COUNT),
    return_is_full=maybe(YES_NO),
    reason=maybe(st.sampled_from(list(REASONS))),
    answers=maybe(st.dictionaries(TEXT, TEXT | YES_NO | COUNT, max_size=2)),
    evidence=maybe(st.integers(0, 5)),
    resolution=maybe(st.sampled_from(RESOLUTIONS)),
    method=maybe(TEXT),
    at=maybe(MOMENT),
    is_consumer=maybe(YES_NO),
)
POLICIES = [shipped(name) for name in ("default", "apparel", "electronics", "gifts")]


@given(FACTS)
def test_facts_come_back_from_json_exactly(facts):
    stored = json.loads(facts.to_bytes())
    assert Facts.from_json(stored) == facts
    assert Facts.from_json(stored).to_bytes() == facts.to_bytes()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(FACTS, st.sampled_from(POLICIES))
def test_any_facts_are_decided_the_same_twice_and_the_decision_comes_back_from_json(facts, policy):
    decision = decide(policy, facts)
    assert decide(policy, facts).to_bytes() == decision.to_bytes()
    assert decide(load_policy(policy.source), Facts.from_json(facts.to_json())).to_bytes() == decision.to_bytes()
    again = Decision.from_json(json.loads(decision.to_bytes()))
    assert again == decision
    assert again.to_bytes() == decision.to_bytes()


DECIDE = """
import hashlib, sys
from tests.pure.policy.samples import JUMPER, item, shipped
from portal.policy.engine import decide
said = b"".join(
    decide(shipped(name), item(JUMPER, tags=tags).asking(reason=reason, resolution=wish)).to_bytes()
    for name in ("default", "apparel", "electronics", "gifts")
    for tags in ((), ("final-sale", "hygiene", "socks"))
    for reason in ("faulty", "changed-mind")
    for wish in ("refund", "exchange", None)
)
sys.stdout.write(hashlib.sha256(said).hexdigest())
"""


def test_another_process_gives_the_same_bytes():
    """No order of a set and no address has a say: processes that hash differently decide alike."""
    said = {
        subprocess.run(
            [sys.executable, "-c", DECIDE], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1
    assert len(said.pop()) == 64


@given(FACTS, st.sampled_from(POLICIES))
def test_an_answer_always_has_its_causes(facts, policy):
    decision = decide(policy, facts)
    assert (decision.answer == "accept") == (decision.causes == ())
    assert set(decision.terms) >= set(policy.otherwise)


def overlap(rules, zone):
    """Which rules set a term in common while some facts let both of them hold, or leave one of them open."""
    there = Universe([rule.when for rule in rules], zone)
    return {
        (one.name, other.name)
        for one, other in permutations(rules, 2)
        if set(one.sets) & set(other.sets)
        and (
            there.possible([(one.when, TRUE), (other.when, NOT_FALSE)])
            or there.possible([(other.when, TRUE), (one.when, NOT_FALSE)])
        )
    }


@st.composite
def shuffled(draw):
    """A policy, and the same with rules that do not overlap in another order: neighbours that do not are swapped again and again,
    which gives every order that may not change anything."""
    loaded = draw(POLICIES_OF_FEW_WORDS)
    rules = list(loaded.rules)
    fixed = overlap(rules, loaded.zone)
    for at in draw(st.lists(st.integers(0, max(len(rules) - 2, 0)), max_size=12)):
        pair = rules[at : at + 2]
        if len(pair) == 2 and (pair[0].name, pair[1].name) not in fixed:
            rules[at : at + 2] = reversed(pair)
    return loaded, replace(loaded, rules=tuple(rules))


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(shuffled(), FACTS_OF_FEW_WORDS)
def test_shuffling_rules_that_do_not_overlap_changes_no_term_and_no_answer(both, facts):
    usual, other = (decide(each, facts) for each in both)
    assert (other.answer, other.terms, other.return_by) == (usual.answer, usual.terms, usual.return_by)
    assert other.requires == usual.requires
    # Causes stand in the order of the rules, which is all that a shuffle may change.
    assert sorted(map(repr, other.causes)) == sorted(map(repr, usual.causes))


APART = """
- rule: Gifts
  when: {order.is_gift: true}
  set: {returnable: false, evidence: photo}
- rule: Two
  when: {order.is_gift: false, line.quantity: 2}
  set: {returnable: false, credit_bonus: 5%}
- rule: Three
  when: {order.is_gift: false, line.quantity: 3}
  set: {review: always, credit_bonus: 7%}
- rule: Everyone
  set: {window: {days: 3}}
"""


def test_what_overlaps_is_told_from_what_does_not():
    apart = load_policy(document(APART))
    assert overlap(apart.rules, apart.zone) == set()
    more = load_policy(document(APART + "- rule: Many\n  when: {line.quantity: {over: 1}}\n  set: {returnable: true}"))
    assert overlap(more.rules, more.zone) == {
        ("Gifts", "Many"), ("Many", "Gifts"), ("Two", "Many"), ("Many", "Two"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"colour": "red"}, "`facts.colour` is no fact"),
        ({"order": {"colour": "red"}}, "`order.colour` is no fact"),
        ({"order": "x"}, "`order` is not a mapping"),
        ({"customer": 3}, "`customer` is not a mapping"),
        ({"item": []}, "`item` is not a mapping"),
        ({"order": {"number": 7}}, "`order.number` is not a text"),
        ({"return_value": {"amount": 1, "currency": 2}}, "`facts.return_value` is not a text"),
        ({"return_value": {"amount": 1, "currency": "GBP", "was": 2}}, "`facts.return_value` is not like"),
        ({"item": {"tags": ["sale", 3]}}, "`item.tags` is not a text"),
        ({"quantity": "2"}, "`facts.quantity` is not a whole number"),
        ({"quantity": True}, "`facts.quantity` is not a whole number"),
        ({"return_is_full": 1}, "`facts.return_is_full` is neither true nor false"),
        ({"return_value": 300}, '`facts.return_value` is not like {"amount": 1299, "currency": "GBP"}'),
        ({"return_value": {"amount": 1.5, "currency": "GBP"}}, "`facts.return_value` is not a whole number"),
        ({"at": "2026-01-01T00:00:00"}, "`facts.at` needs a time zone"),
        ({"at": "yesterday"}, "`facts.at` "),
        ({"item": {"tags": "sale"}}, "`item.tags` is not a list of texts"),
        ({"answers": "no"}, "`facts.answers` is not a mapping of answers"),
        ({"answers": {"a": [1]}}, "`facts.answers` is not a mapping of answers"),
    ],
)
def test_stored_facts_that_make_no_sense_are_named(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Facts.from_json(data)


def test_what_is_stored_as_nothing_is_unknown_and_hides_nothing_after_it():
    facts = Facts.from_json({"evidence": None, "order": {"number": None, "country": "GB"}, "reason": "faulty"})
    assert facts == Facts(OrderFacts(country="GB"), reason="faulty", evidence=None)
    assert Facts.from_json({}).evidence is None
    assert Facts.from_json({"evidence": 0}).evidence == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda moment: Facts(at=moment),
        lambda moment: OrderFacts(placed_at=moment),
        lambda moment: ItemFacts(delivered_at=moment),
        lambda moment: ItemFacts(shipped_at=moment),
    ],
)
def test_a_moment_without_a_timezone_is_refused(make):
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="needs a time zone"):
        make(naive)


def test_asking_changes_what_is_named_and_shares_the_rest():
    asked = JUMPER.asking(reason="faulty", resolution=None, evidence=2)
    assert (asked.reason, asked.resolution, asked.evidence) == ("faulty", None, 2)
    assert asked.order is JUMPER.order
    assert asked.item is JUMPER.item
    assert asked.asking(reason=JUMPER.reason, resolution=JUMPER.resolution, evidence=0) == JUMPER


WHOLE = replace(
    JUMPER, answers={"worn": "no"}, evidence=1, method="label", quantity=2, return_items=2, return_is_full=True,
    is_consumer=True,
)  # fmt: skip
ASKED = {
    "quantity": 1,
    "line_value": Money(1, "GBP"),
    "return_value": Money(2, "GBP"),
    "return_items": 3,
    "return_is_full": False,
    "reason": "faulty",
    "answers": {"worn": "yes"},
    "evidence": 4,
    "resolution": "exchange",
    "method": "qr",
    "at": utc(2026, 12, 1),
}


@pytest.mark.parametrize(("name", "value"), ASKED.items())
def test_each_part_of_a_question_is_kept_changed_or_made_unknown(name, value):
    assert None not in (getattr(WHOLE, each) for each in ASKED)
    assert WHOLE.asking() == WHOLE
    assert WHOLE.asking(**{name: value}) == replace(WHOLE, **{name: value}) != WHOLE
    assert WHOLE.asking(**{name: None}) == replace(WHOLE, **{name: None})


def test_a_question_is_all_of_the_facts_but_whom_and_what_they_are_about():
    assert {field.name for field in fields(Facts)} - set(ASKED) == {"order", "customer", "item", "is_consumer"}


def test_facts_are_stored_as_plain_json_without_what_is_unknown():
    summer = datetime(2026, 7, 1, 1, 30, tzinfo=LONDON)
    facts = Facts(
        order=OrderFacts(number="1", placed_at=summer, tags=(), discount_codes=("a", "b")),
        line_value=Money(5, "GBP"), answers=MappingProxyType({"worn": True}), evidence=None, quantity=0, return_is_full=False,
    )  # fmt: skip
    stored = facts.to_json()
    assert stored == {
        "order": {"number": "1", "placed_at": "2026-07-01T00:30:00Z", "tags": [], "discount_codes": ["a", "b"]},
        "line_value": {"amount": 5, "currency": "GBP"},
        "answers": {"worn": True},
        "quantity": 0,
        "return_is_full": False,
    }
    assert type(stored["answers"]) is dict
    assert Facts.from_json(stored) == facts


def test_equal_values_are_equal_bytes_however_they_were_written():
    assert (
        canonical({"b": "é", "a": [1, None]})
        == canonical({"a": [1, None], "b": "é"})
        == '{"a":[1,null],"b":"é"}'.encode()
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))
