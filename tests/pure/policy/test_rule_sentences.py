"""The rules as sentences: what each says, that nothing of the language is without words, and what changed is struck out."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from portal.policy import conditions as c
from portal.policy import phrases
from portal.policy import terms as t
from portal.policy.explain import Wording
from portal.policy.loader import Rule
from portal.policy.reasons import REASONS
from portal.policy.sentences import (
    Piece,
    condition_words,
    effects,
    fact_label,
    otherwise_sentence,
    plain,
    rule_sentence,
    term_words,
    weight,
)
from tests.pure.policy.language import comparisons, values
from tests.pure.policy.samples import policy, shipped


def rule(text: str) -> Rule:
    return policy(text).rules[0]


def marked(pieces: tuple[Piece, ...]) -> str:
    """``[x]`` for a value, ``-x-`` for what is struck out."""
    return "".join((f"-{p.old}-" if p.old is not None else "") + (f"[{p.text}]" if p.value else p.text) for p in pieces)


@pytest.mark.parametrize(
    ("when", "sets", "sentence"),
    [
        ("{}", "{review: always}", "Always ask [a person] to decide."),
        (
            "{reason: {in: [faulty, damaged]}}",
            "{returnable: true, window: {days: 365}, evidence: photo, return_shipping: {paid_by: merchant}}",
            "When the reason is [damaged or faulty], accept it for [365 days] after delivery, ask for [a photo] and "
            "make the label [free].",
        ),
        (
            "{order.placed: {from: 2026-11-01, to: 2026-12-24}}",
            "{window: {until: 2027-01-31}}",
            "When the order was placed [from 1 November 2026 to 24 December 2026], accept returns "
            "[until 31 January 2027].",
        ),
        (
            "{order.placed: 2026-11-01}",
            "{returnable: true}",
            "When the order was placed on [1 November 2026], [accept it].",
        ),
        (
            "{item.price: {over: 75 GBP}, order.currency: GBP}",
            "{evidence: {photos: 2, of: the tags}}",
            "When the item cost more than [75.00 GBP] and the order’s currency is [GBP], ask for [2 photos of the tags].",
        ),
        (
            "{order.total: {between: [100 GBP, 500 GBP]}, customer.refunded_90_days: {over: 50 GBP}}",
            "{review: always}",
            "When the order’s total is [from 100.00 GBP to 500.00 GBP] and the customer’s refunds in 90 days are more than "
            "[50.00 GBP], ask [a person] to decide.",
        ),
        (
            "{item.tags: sale, not: {customer.tags: {has_all: [vip, gold]}}}",
            "{resolutions: [store_credit]}",
            "When the item has the tag [sale], except when the customer has the tags [gold and vip], offer [store credit].",
        ),
        (
            "{any: [{not: {item.tags: [a, b]}}, {not: {order.discount_codes: X}}, {not: {item.tags: {has_all: [a, b]}}}]}",
            "{review: never}",
            "When either the item doesn’t have the tag [a or b], the order didn’t use the discount code [X] or it is not so that "
            "the item has the tags [a and b], approve [automatically].",
        ),
        (
            "{not: {any: [{order.is_gift: true}, {item.weight: {under: 1.5 kg}}]}}",
            "{keep_item: true}",
            "Except when either the order is [a gift] or the item’s weight is less than [1.5 kg], let the customer [keep it].",
        ),
        (
            "{any: [{order.currency: GBP, return.value: {over: 300 GBP}}, {order.currency: EUR}]}",
            "{review: never}",
            "When either the order’s currency is [GBP] and the return is worth more than [300.00 GBP], "
            "or the order’s currency is [EUR], approve [automatically].",
        ),
        (
            "{method: qr, any: [{reason: other}, {all: [{answer.worn: 'no'}, {any: [{item.type: A}, {item.type: B}]}]}]}",
            "{message: Hello}",
            "When the customer sends it with [a QR code] and either the reason is [something else], or the answer to “worn” "
            "is [no] and (either the product type is [A] or the product type is [B]), tell the customer [“Hello”].",
        ),
        (
            "{any: [{not: {resolution: exchange}}, {customer.return_rate: {at_most: 12.5%}}]}",
            "{return_shipping: {paid_by: customer, share: 10%, free_for: [exchange], once_per: order}}",
            "When either it is not so that the customer wants [an exchange] or the customer’s return rate is [12.5% or less], "
            "take off [10%] of the value for the label [once per order] (free with [an exchange]).",
        ),
        (
            "{customer.returns: {at_least: 4}, order.country: {not_in: [GB, IE]}}",
            "{window: {days: 14, from: shipped, if_undelivered: {days: 1, from: placed}}, restocking_fee: 2 GBP}",
            "When the customer’s number of returns is [4 or more] and the country is not [GB or IE], accept returns for "
            "[14 days] after it was sent (or [1 day] after the order while that day isn’t known) and take a restocking fee "
            "of [2.00 GBP] for each unit.",
        ),
        (
            "{item.sku: {matches: 'A.*'}}",
            "{on_inspection: {used: 70%, damaged: {refund: 50%, review: always}}, return_shipping: {paid_by: customer}}",
            "When the SKU is of the pattern [A.*], let [the customer] post it and pay the carrier and after the check give "
            "[70%] for used and [50%] for damaged after a person has looked.",
        ),
    ],
)
def test_a_rule_reads_as_one_sentence(when: str, sets: str, sentence: str) -> None:
    assert marked(rule_sentence(rule(f"- rule: R\n  when: {when}\n  set: {sets}"))) == sentence


def test_otherwise_leaves_out_what_asks_takes_and_gives_nothing() -> None:
    assert plain(otherwise_sentence(policy().otherwise)) == (
        "Otherwise accept it for 30 days after delivery, offer refunds, exchanges and store credit, approve automatically, "
        "let customers use a label to print or a QR code, make the label free, pay delivery costs back when everything comes "
        "back, send the money when it arrives and give 14 days to send it."
    )


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "when: {reason: other}\n  set: {credit_bonus: 10%}",
            "when: {reason: other}\n  set: {credit_bonus: 12%}",
            "When the reason is [something else], add -10%-[12%] to store credit.",
        ),
        (
            "when: {item.tags: a}\n  set: {review: always}",
            "when: {item.tags: {has_any: [a, b]}}\n  set: {review: always}",
            "When the item has the tag -a-[a or b], ask [a person] to decide.",
        ),
        (
            "when: {item.tags: a}\n  set: {review: always}",
            "when: {reason: other}\n  set: {review: always}",
            "-When the item has the tag a,- When the reason is [something else], ask [a person] to decide.",
        ),
        (
            "set: {review: always, credit_bonus: 5%}",
            "set: {review: always, keep_item: true}",
            "Always ask [a person] to decide, -add 5% to store credit- and let the customer [keep it].",
        ),
    ],
)
def test_what_was_different_before_is_struck_out(before: str, after: str, sentence: str) -> None:
    old, new = rule(f"- rule: R\n  {before}"), rule(f"- rule: R\n  {after}")
    assert marked(rule_sentence(new, before=old)) == sentence
    assert marked(rule_sentence(new, before=new)) == marked(rule_sentence(new))


def test_a_default_that_was_given_up_is_struck_out_too() -> None:
    old = policy().otherwise
    told = marked(
        otherwise_sentence(
            {**old, "credit_bonus": 1200, "evidence": t.Evidence()}, before={**old, "evidence": t.Evidence(1)}
        )
    )
    assert "add -no bonus-[12%] to store credit" in told
    assert "ask for -a photo-[no photo]" in told


# What follows walks the tables of the language: whoever adds a fact, an operator, a term or a word has to add its words.


def test_every_fact_and_operator_and_word_of_the_language_has_words() -> None:
    assert set(phrases.FACT_WORDS) == set(c.FACTS)
    assert set(phrases.OPERATOR_WORDS) == set(c.ALL_OPERATORS)
    assert set(phrases.REASON_WORDS) == set(REASONS)
    assert set(phrases.METHOD_WORDS) == set(t.METHODS)
    assert set(phrases.OFFER_WORDS) == set(t.RESOLUTIONS)
    assert set(phrases.CONDITION_WORDS) == set(t.CONDITIONS)
    yes_no = {name for name, spec in c.FACTS.items() if spec.type == c.YES_NO}
    assert {name for name, words in phrases.FACT_WORDS.items() if words.yes and words.no} == yes_no
    assert len({fact_label(name) for name in c.FACTS}) == len(c.FACTS)


def test_no_two_tests_read_alike() -> None:
    told: dict[str, c.Comparison] = {}
    for test in comparisons():
        words = plain(condition_words(test))
        alike = told.setdefault(words, test)
        # A list of one word and the word itself are the same thing said twice.
        assert (alike.fact, alike.value) == (test.fact, test.value), words


def test_no_two_values_of_a_term_read_alike() -> None:
    told = [(name, value, plain(term_words(name, value))) for name, value in values()]
    for (name, value, words), (other, beside, same) in combinations(told, 2):
        assert words != same or (name, value) == (other, beside), words
    assert {name for name, _, _ in told} == set(t.TERMS)
    assert {name for name, _ in values() if not effects({name: dict(values())[name]})} == set()


CODES = ("item.weight", "order.country", "order.currency")  # their values are letters in every language
PLACES = re.compile(r"(%\(\w+\)[sd]|[\[\]])")


def foreign(message: str) -> str:
    """A translation in which no Latin letter is left outside of the places."""
    return "".join(part if PLACES.fullmatch(part) else re.sub("[A-Za-z]", "ж", part) for part in PLACES.split(message))


def test_every_word_goes_through_the_translation() -> None:
    wording = Wording(
        gettext=foreign,
        ngettext=lambda one, many, count: foreign(one if count == 1 else many),
        date=lambda day: str(day.day),
        money=lambda money: str(money.minor),
    )
    told = [plain(condition_words(each, wording)) for each in comparisons() if each.fact not in CODES]
    # A question and its name are the merchant's own words.
    told += [plain(term_words(name, value, wording)) for name, value in values() if name != "questions"]
    told += [fact_label(name, wording) for name in c.FACTS]
    left = {text for text in told if re.search("[A-Za-z]", text)}
    assert left == set()


@pytest.mark.parametrize(
    ("grams", "text"), [(0, "0 g"), (999, "999 g"), (1000, "1 kg"), (2500, "2.5 kg"), (1001, "1.001 kg")]
)
def test_weights_read_as_they_are_written(grams: int, text: str) -> None:
    assert weight(grams) == text


def test_percent_signs_and_brackets_of_the_merchant_stay_as_they_are() -> None:
    told = marked(
        rule_sentence(rule("- rule: R\n  when: {item.tags: '[50%] %(x)s'}\n  set: {message: '100% [sure] %s'}"))
    )
    assert told == "When the item has the tag [[50%] %(x)s], tell the customer [“100% [sure] %s”]."


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_every_shipped_rule_has_a_sentence_of_its_own(name: str) -> None:
    found = shipped(name)
    told = [plain(rule_sentence(each)) for each in found.rules]
    assert len(set(told)) == len(told)
    assert all(text.endswith(".") and "  " not in text for text in told)
