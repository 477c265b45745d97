"""What customers read of terms and laws: a phrase for every value, none of the language's own spelling in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from portal.policy.customer_conditions import customer_condition
from portal.policy.customer_words import label, phrase
from portal.policy.engine import decide
from portal.policy.explain import ENGLISH, length_words
from portal.policy.facts import Facts
from portal.policy.laws import shipped
from portal.policy.loader import load_policy
from portal.policy.promise import Purchase, ordinary
from portal.policy.raised import raised
from portal.policy.rights import laws_told
from portal.policy.term_rows import SHOWN
from portal.policy.terms import Window
from tests.pure.policy.language import values
from tests.pure.policy.samples import document, policy

TOLD = ("returnable", "review", *SHOWN)
HERE = Purchase("GB", "GBP", datetime(2026, 11, 26, tzinfo=UTC), ordinary())


def known(value: object) -> object:
    """A value without what is between the shop and its policy: grace, and what holds while no delivery is known."""
    return replace(value, grace=0, if_undelivered="review") if isinstance(value, Window) else value


@pytest.mark.parametrize("term", TOLD)
def test_every_value_of_a_term_has_a_phrase_of_its_own_in_plain_words(term: str) -> None:
    said: dict[str, object] = {}
    for name, value in values():
        if name != term:
            continue
        words = phrase(term, value, ENGLISH)
        assert words[:1].isupper() or words[:1].isdigit(), words
        assert not re.search(r"[_%{}\[\]](?!\w*%)|\bNone\b(?!$)", words.replace("7%", "")), words
        assert said.setdefault(words, known(value)) == known(value), words
    assert said
    assert not label(term, ENGLISH).islower()


def test_labels_differ() -> None:
    assert len({label(term, ENGLISH) for term in TOLD}) == len(TOLD)


def test_every_floor_of_every_law_is_told_with_its_article() -> None:
    policy = load_policy(document("", extra=f"laws: [{', '.join(shipped())}]\n"))
    told = laws_told(policy, ("DE", "GB", "US"))
    assert [(law.name, law.countries) for law in told] == [("eu-consumer", ("DE",)), ("uk-consumer", ("GB",))]
    for law in told:
        floors = shipped()[law.name].floors
        assert [(right.name, right.cite) for right in law.rights] == [(floor.name, floor.cite) for floor in floors]
        for right, floor in zip(law.rights, floors, strict=True):
            assert length_words(floor.grants["window"].days, ENGLISH) in right.text
            assert not re.search(r"[_{}\[\]]|has_any|custom-made", right.text + right.exempt)
    assert laws_told(policy, ("US",)) == ()
    assert [law.name for law in laws_told(policy, ("GB", "DE"))] == ["uk-consumer", "eu-consumer"], (
        "the shop's own first"
    )


def test_what_a_law_raises_is_told_with_what_the_policy_would_have_given() -> None:
    rules = (
        "- rule: Sale\n  when: {item.tags: {has_any: [sale, outlet]}}\n  set: {returnable: false}\n  say: Sold as it is.\n"
        "- rule: Fee\n  when: {reason: changed-mind}\n  set: {restocking_fee: 10%}\n"
    )
    policy = load_policy(document(rules, extra="laws: [uk-consumer]\n"))
    uk, us = raised(policy, lambda found: lambda facts: decide(found, facts), HERE, ("GB", "US"))
    assert (uk.countries, us.countries, us.changes) == (("GB",), ("US",), ())
    told = [(each.case, each.term, each.given, each.instead, each.rule) for each in uk.changes]
    assert ("A change of mind", "Restocking fee", "None", "10% of the price", "Fee") in told
    assert ("Items with “outlet” or “sale”", "Returns", "Accepted", "Not accepted", "Sale") in told
    # What was refused had no window to be shorter than the law's.
    assert (
        "Items with “outlet” or “sale”",
        "Time to return",
        "14 days from delivery of the last parcel",
        "",
        "Sale",
    ) in told
    assert all("regulations 29, 30, 34 and 35" in each.floor or "Act 2015" in each.floor for each in uk.changes)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("{item.sku: {matches: 'SWIM-.*'}}", "it is one of certain items"),
        ("{item.category: {matches: 'a.*'}}", "it is one of certain items"),
        ("{order.region: {matches: 'N.*'}}", "your order is one of certain orders"),
        ("{customer.email: {matches: '.*@x.example'}}", "you are one of certain customers"),
        ("{answer.why: {matches: 'n.*'}}", "your answer is one of certain answers"),
        ("{reason: {matches: 'f.*'}}", "your return is one of certain returns"),
        ("{item.tags: [a], not: {item.tags: b}}", "it is of the kind a, unless it is of the kind b"),
        ("{any: [{not: {item.tags: a}}, {not: {customer.tags: vip}}]}",
         "either it is not of the kind a or you are not in the group vip"),
    ],
)  # fmt: skip
def test_a_condition_is_said_in_plain_words_and_no_pattern_is_shown_to_customers(when: str, words: str) -> None:
    loaded = policy(f"- rule: R\n  when: {when}\n  set: {{review: always}}\n")
    assert customer_condition(loaded, loaded.rules[0].when, Facts(), ENGLISH) == words
