"""Arranging the rules changes what a decision costs and nothing else: the plan finds what asking every rule finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.conditions import All, Any_, Comparison, Condition, Not, Unknown, compile_condition
from portal.policy.decision import OTHERWISE, Term
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.plan import Plan, arrange
from tests.pure.policy.language import comparisons
from tests.pure.policy.samples import JUMPER, LONDON, item, utc

conditions = st.recursive(
    st.sampled_from(comparisons()),
    lambda inner: st.one_of(
        st.builds(lambda parts: All(tuple(parts)), st.lists(inner, max_size=4)),
        st.builds(lambda parts: Any_(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
words = st.sampled_from([None, "7", "8", "gb", "GB", "EUR", "faulty"])
lists = st.sampled_from([None, (), ("7",), ("8", "7"), ("x", "7", "7")])
amounts = st.sampled_from([None, Money(700, "GBP"), Money(900, "EUR")])
facts = st.builds(
    lambda order, customer, goods, **more: Facts(order=order, customer=customer, item=goods, **more),
    st.builds(OrderFacts, country=words, currency=words, channel=words, tags=lists, discount_codes=lists, total=amounts),
    st.builds(CustomerFacts, email=words, tags=lists),
    st.builds(ItemFacts, sku=words, category=words, tags=lists, price=amounts, discounted=st.sampled_from([None, True])),
    reason=words, resolution=words, quantity=st.sampled_from([None, 7, 9]), at=st.sampled_from([None, utc(2026, 11, 8)]),
    answers=st.sampled_from([None, {}, {"7": "8"}, {"7": True}]),
)  # fmt: skip


def plan_of(*rules: Condition) -> Plan:
    """The plan of rules that are called by their place and set nothing that matters here."""
    return arrange(
        tuple((str(place), when, compile_condition(when, LONDON), {}) for place, when in enumerate(rules)), {}, LONDON
    )


def asked(plan: Plan, about: Facts) -> list[tuple[str, object]]:
    found = [(rule, left is None or left(about)) for rule, _, left in plan.candidates(about)]
    return [(rule, answer) for rule, answer in found if answer is not False]


@given(st.lists(conditions, max_size=12), st.lists(facts, min_size=1, max_size=4))
@settings(max_examples=60)
def test_a_plan_finds_the_rules_that_asking_each_from_the_top_finds_and_the_same_unknowns(rules, questions):
    plan = plan_of(*rules)
    for about in questions:
        answers = [(str(place), compile_condition(when, LONDON)(about)) for place, when in enumerate(rules)]
        assert asked(plan, about) == [(rule, answer) for rule, answer in answers if answer is not False]


CATEGORY = Comparison("item.category", "in", ("hats", "Shoes"))
TAGS = Comparison("item.tags", "has_any", ("sale", "worn"))
ABROAD = Comparison("order.country", "is", "DE")
DEAR = Comparison("item.price", "over", Money(1000, "GBP"))


@pytest.mark.parametrize(
    ("when", "about", "candidates"),
    [
        (CATEGORY, item(JUMPER, category="SHOES"), 1),
        (CATEGORY, item(JUMPER, category="scarves"), 0),
        (CATEGORY, item(JUMPER, category=None), 1),  # a missing fact rules nothing out
        (TAGS, item(JUMPER, tags=("new", "Worn")), 1),
        (TAGS, item(JUMPER, tags=("sale", "worn")), 1),  # found twice, asked once
        (TAGS, item(JUMPER, tags=()), 0),
        (All((DEAR, All((TAGS,)))), item(JUMPER, tags=("new",)), 0),
        (All((ABROAD, CATEGORY)), item(JUMPER, category="hats"), 1),  # found by the goods, whatever the country
        (Any_((CATEGORY, DEAR)), item(JUMPER, category="scarves"), 1),  # it can do without the category
        (Not(CATEGORY), item(JUMPER, category="scarves"), 1),
        (DEAR, item(JUMPER, price=Money(1, "GBP")), 1),
    ],
)
def test_only_a_word_that_a_rule_cannot_do_without_rules_it_out(when, about, candidates):
    assert len(plan_of(when).candidates(about)) == candidates


def test_what_is_known_by_the_word_is_not_asked_again():
    alone, more, always = plan_of(CATEGORY, All((CATEGORY, DEAR)), All(())).candidates(item(JUMPER, category="hats"))
    assert alone.left is None
    assert more.left is not None
    assert more.left(item(JUMPER, category=None, price=Money(5000, "GBP"))) is True
    assert always.left is None


def test_where_the_word_is_missing_the_rule_is_asked_in_full():
    (blind,) = plan_of(CATEGORY).candidates(item(JUMPER, category=None))
    assert blind.left is not None
    assert isinstance(blind.left(item(JUMPER, category=None)), Unknown)


def test_a_term_knows_what_holds_otherwise_and_what_to_say_where_it_is_overruled():
    holds = compile_condition(CATEGORY, LONDON)
    plan = arrange((("Hats", CATEGORY, holds, {"message": "m", "ship_by": 7}),), {"ship_by": 14}, LONDON)
    ((rule, sets, _),) = plan.candidates(item(JUMPER, category="hats"))
    assert rule == "Hats"
    assert sets == (
        ("message", Term("m", "Hats"), ("Hats", "m")),
        ("ship_by", Term(7, "Hats", ((OTHERWISE, 14),)), ("Hats", 7)),
    )


def test_rules_on_one_fact_share_one_look():
    plan = plan_of(CATEGORY, DEAR, replace(CATEGORY, value=("bags",)), TAGS)
    assert (len(plan.lookups), list(plan.always)) == (2, [1])
