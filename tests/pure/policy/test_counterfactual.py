"""What is said to have changed the answer really changes it, and just there: every change is decided again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.binding import Bound, Version, decide_bound
from portal.policy.counterfactual import FOR_CUSTOMERS, MOST_TRIES, RANK, WhatIf, alone, for_customer, what_if
from portal.policy.counterfactual_words import customer_sentences, staff_sentence, staff_sentences
from portal.policy.decision import ACCEPT
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts, OrderFacts
from portal.policy.laws import PREFIX
from portal.policy.loader import Policy, load_policy
from portal.policy.other_facts import ORDERED, UNITS, Others, value_of, with_value
from portal.policy.reasons import REASONS
from tests.pure.policy.few_words import FACTS_OF_FEW_WORDS, POLICIES_OF_FEW_WORDS
from tests.pure.policy.samples import JUMPER, OTHERWISE, document, item, order, policy, shipped, utc

SALE = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {returnable: false}\n  say: It was on sale.\n"
BIG = "- rule: Big\n  when: {return.value: {over: 300 GBP}}\n  set: {review: always}\n"
FAULTY = "- rule: Faulty\n  when: {reason: {in: [faulty, damaged]}}\n  set: {returnable: true, window: {days: 365}}\n"
SEASON = (
    "- rule: Season\n  when: {today: {from: 2026-12-01, to: 2026-12-31}}\n  set: {returnable: false}\n  say: Not now.\n"
)
CREDIT = "- rule: Credit\n  when: {item.tags: {has: sale}}\n  set: {resolutions: [store_credit, exchange]}\n"
SHOP = "- rule: Heavy\n  when: {method: {not_in: [shop]}}\n  set: {returnable: false}\n  say: Too heavy.\n"
ODD = "- rule: Odd\n  when: {customer.orders: {in: [1, 3, 5]}}\n  set: {returnable: false}\n"
BONUS = "- rule: Bonus\n  when: {{{}}}\n  set: {{credit_bonus: 5%}}\n"
LATE = utc(2026, 12, 20, 9)
THREE = JUMPER.asking(
    quantity=3, line_value=Money(450_00, "GBP"), return_value=Money(460_00, "GBP"), return_items=4, return_is_full=True
)


def known(**of_customer: Any) -> Facts:
    return replace(JUMPER, customer=replace(JUMPER.customer, **of_customer))


def said(found: Iterable[WhatIf], *, better: bool = True) -> list[str]:
    return [staff_sentence(each) for each in found if each.better or not better]


def everything(rules: str, facts: Facts, **rest: Any) -> tuple[WhatIf, ...]:
    return what_if(alone(policy(rules)), facts, **rest)


@pytest.mark.parametrize(
    ("rules", "facts", "wanted"),
    [
        pytest.param("", JUMPER.asking(at=LATE), [
            "If the customer asks until 28 November 2026: accepted.",
            "If the item was delivered from 20 November 2026 on: accepted.",
        ], id="a date that has passed"),
        pytest.param(SEASON, JUMPER.asking(at=utc(2026, 12, 24, 9), reason="other") , [
            "If the customer asks until 28 November 2026: accepted.",
        ], id="two causes, and one change that takes both away"),
        pytest.param(SEASON + "- rule: Long\n  set: {window: {days: 365}}", JUMPER.asking(at=utc(2026, 12, 24, 9)), [
            "If the customer asks until 30 November 2026: accepted.",
            "If the customer asks from 1 January 2027 to 29 October 2027: accepted.",
            "Without “Season”: accepted.",
        ], id="a date that has passed and one that comes"),
        pytest.param(BIG, replace(JUMPER, return_value=Money(300_01, "GBP")), [
            "If the return is worth 300.00 GBP or less: accepted.",
            "Without “Big”: accepted.",
        ], id="an amount"),
        pytest.param(CREDIT, item(JUMPER, tags=("sale",)), [
            "If the item doesn’t have the tag sale: accepted.",
            "If the customer wants an exchange or store credit: accepted.",
            "Without “Credit”: accepted.",
        ], id="another wish"),
        pytest.param(SHOP, JUMPER.asking(method="label"), [
            "If the customer sends it with a shop’s counter: accepted.",
            "Without “Heavy”: accepted.",
        ], id="another way to send it"),
        pytest.param("- rule: Look\n  when: {evidence: {under: 2}}\n  set: {review: always}", JUMPER, [
            "If the number of photos given is 2 or more: accepted.",
            "Without “Look”: accepted.",
        ], id="photos"),
        pytest.param("- rule: Photo\n  set: {evidence: {photos: 2}}", JUMPER, [
            "If the number of photos given is 2 or more: accepted.",
            "Without “Photo”: accepted.",
        ], id="photos that are only asked for"),
        pytest.param("", item(JUMPER, delivered_at=None, shipped_at=None), [
            "If the item was delivered from 18 October 2026 on: accepted.",
        ], id="a delivery date that is not known"),
        pytest.param("- rule: New\n  when: {customer.orders: {under: 3}}\n  set: {review: always}", JUMPER, [
            "If the customer’s number of orders is 3 or more: accepted.",
            "Without “New”: accepted.",
        ], id="a fact that is missing"),
        pytest.param(SALE + FAULTY, item(JUMPER, tags=("Sale", "red")), [
            "If the item doesn’t have the tag Sale: accepted.",
            "Without “Sale”: accepted.",
        ], id="a tag"),
        pytest.param(FAULTY + SALE, item(JUMPER, tags=("sale",)), [
            "If the reason is damaged or faulty: accepted.",
            "If the item doesn’t have the tag sale: accepted.",
            "Without “Sale”: accepted.",
        ], id="another reason"),
        pytest.param(SALE + SALE.replace("Sale", "Again"), item(JUMPER, tags=("sale",)), [
            "If the item doesn’t have the tag sale: accepted.",
            "Without “Sale” and “Again”: accepted.",
        ], id="two rules that refuse"),
        pytest.param(SALE, item(JUMPER, tags=("sale",)).asking(at=LATE), [
            "If the item doesn’t have the tag sale and the customer asks until 28 November 2026: accepted.",
            "If the item doesn’t have the tag sale and the item was delivered from 20 November 2026 on: accepted.",
        ], id="two facts at once where one alone is not enough"),
        pytest.param("- rule: Abroad\n  when: {order.country: {not_in: [GB, DE]}}\n  set: {review: always}",
                     order(JUMPER, country="FR"), [
            "If the country is DE or GB: accepted.",
            "Without “Abroad”: accepted.",
        ], id="a word among several"),
        pytest.param("- rule: Not here\n  when: {order.country: {in: [GB, DE]}}\n  set: {review: always}", JUMPER, [
            "If the country is not DE or GB: accepted.",
            "Without “Not here”: accepted.",
        ], id="any other word"),
        pytest.param("- rule: Quick\n  when: {days_since.delivered: {over: 10}}\n  set: {review: always}", JUMPER, [
            "If the customer asks until 8 November 2026: accepted.",
            "If the item was delivered from 7 November 2026 on: accepted.",
            "Without “Quick”: accepted.",
        ], id="days since"),
        pytest.param(ODD, known(orders=3), [
            "If the customer’s number of orders is 2: accepted.",
            "If the customer’s number of orders is 4: accepted.",
            "Without “Odd”: accepted.",
        ], id="the nearest range on each side"),
        pytest.param(ODD, JUMPER, [
            "If the customer’s number of orders is 0: accepted.",
            "If the customer’s number of orders is 2: accepted.",
            "If the customer’s number of orders is 4: accepted.",
            "If the customer’s number of orders is 6 or more: accepted.",
            "Without “Odd”: accepted.",
        ], id="every range of a number that is not known"),
        pytest.param(BONUS.format("customer.orders: {under: 3}"), JUMPER, [
            "If the customer’s number of orders is 0 or more: accepted.",
            "Without “Bonus”: accepted.",
        ], id="any number, if it is known"),
        pytest.param(BONUS.format("item.price: {over: 75 GBP}"), item(JUMPER, price=None), [
            "If the item cost 0.00 GBP or more: accepted.",
            "Without “Bonus”: accepted.",
        ], id="any amount, if it is known"),
        pytest.param(BONUS.format("order.placed: {from: 2026-10-01}"), order(JUMPER, placed_at=None), [
            "If the order was placed until 27 October 2026: accepted.",
            "Without “Bonus”: accepted.",
        ], id="any day before the others, if it is known"),
        pytest.param(BONUS.format("order.shipped: {from: 2026-10-01}"), item(JUMPER, shipped_at=None), [
            "If the item was sent from 9 October 2026 to 29 October 2026: accepted.",
            "Without “Bonus”: accepted.",
        ], id="any day between the others, if it is known"),
        pytest.param(BONUS.format("order.is_gift: true"), JUMPER, [
            "If the order is a gift: accepted.",
            "If the order is not a gift: accepted.",
            "Without “Bonus”: accepted.",
        ], id="yes or no, if it is known"),
        pytest.param(BONUS.format("order.country: {in: [GB, DE]}"), order(JUMPER, country=None), [
            "If the country is DE or GB: accepted.",
            "Without “Bonus”: accepted.",
        ], id="a word, if it is known"),
        pytest.param("- rule: Not here\n  when: {order.country: {in: [GB, DE]}}\n  set: {returnable: false}",
                     order(JUMPER, country=None), [
            "If the country is not DE or GB: accepted.",
            "Without “Not here”: accepted.",
        ], id="a word that is not known and must be none of these"),
        pytest.param("- rule: Not here\n  when: {order.country: {in: [GB, DE]}}\n  set: {review: always}",
                     order(JUMPER, country="DE"), [
            "If the country is not DE or GB: accepted.",
            "Without “Not here”: accepted.",
        ], id="words in the order of the alphabet"),
        pytest.param(SALE, item(JUMPER, tags=("red", "Sale")), [
            "If the item doesn’t have the tag Sale: accepted.",
            "Without “Sale”: accepted.",
        ], id="one tag of several"),
        pytest.param(SALE, item(JUMPER, tags=None), [
            "If the item doesn’t have the tag sale: accepted.",
            "Without “Sale”: accepted.",
        ], id="tags that are not known"),
        pytest.param("".join(SALE.replace("Sale", f"S{at}") for at in range(3)), item(JUMPER, tags=("sale",)), [
            "If the item doesn’t have the tag sale: accepted.",
            "Without “S0”, “S1” and “S2”: accepted.",
        ], id="three rules that refuse"),
        pytest.param("".join(SALE.replace("Sale", f"S{at}") for at in range(4)), item(JUMPER, tags=("sale",)), [
            "If the item doesn’t have the tag sale: accepted.",
            "Without “S0”, “S1”, “S2” and “S3”: accepted.",
        ], id="four rules that refuse"),
        pytest.param("".join(SALE.replace("Sale", f"S{at}") for at in range(5)), item(JUMPER, tags=("sale",)), [
            "If the item doesn’t have the tag sale: accepted.",
        ], id="more rules at once are not tried"),
        pytest.param(BONUS.format("customer.orders: 1") + "- rule: More\n  when: {customer.returns: 1}\n  set: {donate: true}\n"
                     "- rule: Photo\n  set: {evidence: photo}", JUMPER, [
            "If the customer’s number of orders is 0 or more and the customer’s number of returns is 0 or more: "
            "accepted, once what is asked for is there.",
            "If the number of photos given is 1 or more: a person decides.",
            "Without “Photo”: a person decides.",
        ], id="several rules only where no one alone changes anything"),
        pytest.param("- rule: A\n  set: {review: always}\n- rule: B\n  set: {review: always}\n"
                     "- rule: Fee\n  set: {restocking_fee: 5 EUR}", JUMPER, [],
                     id="a rule that is no cause is not left out together with others"),
        pytest.param("- rule: No\n  set: {returnable: false}\n"
                     "- rule: Yes\n  when: {order.is_gift: true, order.region: X}\n  set: {returnable: true}\n",
                     order(JUMPER, is_gift=False, region="Y"), ["Without “No”: accepted."],
                     id="what takes no cause away by itself is no half of a change"),
    ],
)  # fmt: skip
def test_what_would_have_helped_is_said_with_its_date_or_amount(rules: str, facts: Facts, wanted: list[str]) -> None:
    assert said(everything(rules, facts)) == wanted


def test_what_is_accepted_says_until_when_and_by_what_it_would_not_have_been() -> None:
    found = said(everything(BIG + SALE + FAULTY, JUMPER), better=False)
    assert found == [
        "If the return is worth 300.01 GBP or more: a person decides.",
        "If the item has the tag sale: refused.",
        "If the customer asks from 29 November 2026 on: refused.",
    ]


def test_fewer_units_are_worth_less_and_the_rest_of_the_return_stays() -> None:
    found = [each for each in everything(BIG, THREE, worth=lambda units: Money(150_00 * units, "GBP")) if each.better]
    assert said(found)[1] == "If the number of units to return is 1 or less: accepted."
    assert found[1].names == (UNITS,)
    asked = found[1].facts
    assert (asked.quantity, asked.line_value, asked.return_value, asked.return_items, asked.return_is_full) == (
        1, Money(150_00, "GBP"), Money(160_00, "GBP"), 2, False,
    )  # fmt: skip
    # Two units are still above the limit by the rest of the return; without their worth nothing is claimed of them.
    assert [each.names for each in everything(BIG, THREE) if each.better and each.when] == [("return.value",)]


def test_a_law_that_helps_is_named_and_one_of_another_country_is_found() -> None:
    hard = OTHERWISE.replace("returnable: true", "returnable: false")
    loaded = load_policy(document(otherwise=hard, extra="laws: [eu-consumer, uk-consumer]\n"))
    helped = what_if(alone(loaded), JUMPER.asking(at=utc(2026, 11, 5, 9)))
    worse = said(helped, better=False)
    assert "Without the law “UK consumer law”: refused." in worse
    assert "If the order is from a business: refused." in worse
    assert "If the customer asks from 13 November 2026 on: refused." in worse
    abroad = order(JUMPER, country="US").asking(at=utc(2026, 11, 5, 9))
    found = [each for each in what_if(alone(loaded), abroad) if each.better and each.names == ("order.country",)]
    assert [("DE" in each.when[0].value, "GB" in each.when[0].value) for each in found] == [(True, True)]
    assert found[0].terms == ("returnable", "window")


def test_the_answer_is_that_of_all_versions_that_bind_the_order() -> None:
    old = policy(SALE)
    kinder = load_policy(document(extra="apply_to_open_orders: true\n"))
    bound = Bound(Version(1, utc(2026, 1, 1), old), (Version(2, utc(2026, 12, 1), kinder),))
    found = what_if(bound, item(JUMPER, tags=("sale",)))
    # Were it asked when the kinder version is in force, while the window is still open: never; without one rule: yes.
    assert said(found) == [
        "If the item doesn’t have the tag sale: accepted.",
        "Without “Sale”: accepted.",
    ]
    longer = load_policy(
        document(otherwise=OTHERWISE.replace("days: 30", "days: 60"), extra="apply_to_open_orders: true\n")
    )
    bound = Bound(Version(1, utc(2026, 1, 1), policy()), (Version(2, utc(2026, 12, 1), longer),))
    (later,) = [each for each in what_if(bound, JUMPER) if each.names == ("today",)]
    assert staff_sentence(later) == "If the customer asks from 29 November 2026 to 30 November 2026: refused."


def test_tags_that_give_one_answer_share_a_sentence_and_nothing_else_does():
    worn = "- rule: Worn\n  when: {item.tags: {has: worn}}\n  set: {returnable: false}\n  say: It was worn.\n"
    made = "- rule: Made\n  when: {item.tags: {has: made}}\n  set: {review: always}\n"
    assert staff_sentences(everything(SALE + BIG + worn + made, JUMPER)) == (
        (False, "If the item has the tag sale or worn: refused."),
        (False, "If the item has the tag made: a person decides."),
        (False, "If the return is worth 300.01 GBP or more: a person decides."),
        (False, "If the customer asks from 29 November 2026 on: refused."),
    )
    coded = "- rule: Coded\n  when: {order.tags: {has_any: [a, b]}}\n  set: {returnable: false}\n  say: No.\n"
    without = [told for told in staff_sentences(everything(SALE + coded, item(JUMPER, tags=("sale",)))) if told[0]]
    assert without == [
        (True, "If the item doesn’t have the tag sale: accepted."),
        (True, "Without “Sale”: accepted."),
    ]


@pytest.mark.parametrize(
    ("rules", "facts", "wanted"),
    [
        (SEASON + "- rule: Long\n  set: {window: {days: 365}}", JUMPER.asking(at=utc(2026, 12, 24, 9)),
         ("It would have been accepted until 30 November 2026.", "You can return it from 1 January 2027.")),
        (BIG, replace(JUMPER, return_value=Money(450_00, "GBP")), ("A return of up to 300.00 GBP needs no check by a person.",)),
        (BIG, THREE, ("1 of them needs no check by a person.", "A return of up to 300.00 GBP needs no check by a person.")),
        ("- rule: Many\n  when: {line.quantity: {over: 2}}\n  set: {returnable: false}\n  say: No.", THREE,
         ("Up to 2 of them can come back.",)),
        ("- rule: Some\n  when: {return.items: {over: 3}}\n  set: {review: always}", THREE,
         ("Up to 2 of them need no check by a person.", "A return of up to 3 items needs no check by a person.")),
        (BIG.replace("review: always", "returnable: false"), THREE.asking(quantity=1, line_value=Money(150_00, "GBP")),
         ("It can come back in a return of up to 300.00 GBP.",)),
        (BIG.replace("review: always", "returnable: false"), THREE.asking(quantity=1),
         ("Up to 300.00 GBP it could have come back.",)),
        # The line alone is worth exactly the limit, or nobody knows what it is worth.
        (BIG.replace("review: always", "returnable: false"), THREE.asking(quantity=1, line_value=Money(300_00, "GBP")),
         ("It can come back in a return of up to 300.00 GBP.",)),
        (BIG.replace("review: always", "returnable: false"), THREE.asking(quantity=1, line_value=None),
         ("Up to 300.00 GBP it could have come back.",)),
        # Numbers in the middle are no "up to"; more is nothing to ask for.
        ("- rule: Odd\n  when: {line.quantity: {in: [1, 3]}}\n  set: {returnable: false}\n  say: No.", THREE, ()),
        ("- rule: Middle\n  when: {return.value: {between: [200 GBP, 500 GBP]}}\n  set: {review: always}",
         THREE.asking(quantity=1), ("A return of up to 199.99 GBP needs no check by a person.",)),
        ("- rule: Middle\n  when: {return.items: {between: [2, 5]}}\n  set: {review: always}", THREE.asking(quantity=1),
         ("A return of 1 item needs no check by a person.",)),
        ("- rule: Full\n  when: {return.items: {over: 3}}\n  set: {returnable: false}\n  say: No.", THREE.asking(quantity=1), ()),
        ("- rule: One\n  when: {line.quantity: {over: 1}}\n  set: {returnable: false}\n  say: No.", THREE,
         ("1 of them can come back.",)),
        # What would only bring it before a person, or would be worse, is not told.
        ("- rule: Big\n  when: {return.value: {over: 300 GBP}}\n  set: {returnable: false}\n  say: No.\n"
         "- rule: Look\n  set: {review: always}", THREE.asking(quantity=1), ()),
        ("- rule: Cheap\n  when: {return.value: {under: 300 GBP}}\n  set: {returnable: false}\n  say: No.\n"
         "- rule: Look\n  set: {review: always}", THREE.asking(quantity=1), ()),
        # Two sentences at most, those that can still be chosen first.
        ("- rule: Wish\n  when: {resolution: exchange}\n  set: {returnable: true}\n"
         + SEASON + "- rule: Long\n  set: {window: {days: 90}}",
         JUMPER.asking(at=utc(2026, 12, 24, 9)),
         ("It would have been accepted until 30 November 2026.", "You can return it from 1 January 2027.")),
        (SHOP + "- rule: Ways\n  set: {ship_with: [shop, label]}", JUMPER.asking(method="label"),
         ("You can return it with a shop’s counter.",)),
        # A way that the policy does not offer is nothing that can be chosen.
        (SHOP, JUMPER.asking(method="label"), ()),
        ("- rule: No refund\n  when: {resolution: refund}\n  set: {returnable: false}\n  say: No.", JUMPER,
         ("You can return it for an exchange or store credit.",)),
        # Said by the cause itself already.
        (CREDIT, item(JUMPER, tags=("sale",)), ()),
        ("", JUMPER.asking(at=LATE), ()),
        # Another reason, another answer to a question, another country, a tag: never.
        (FAULTY + SALE, item(JUMPER, tags=("sale",)), ()),
        ("- rule: Worn\n  when: {answer.worn: \"yes\"}\n  set: {returnable: false}\n  say: Worn.\n- rule: Ask\n"
         "  set: {questions: [{name: worn, ask: Worn?, choices: [\"yes\", \"no\"]}]}",
         JUMPER.asking(answers={"worn": "yes"}), ()),
        ("- rule: Abroad\n  when: {order.country: GB}\n  set: {returnable: false}\n  say: No.", JUMPER, ()),
    ],
)  # fmt: skip
def test_a_customer_is_told_what_is_still_theirs_to_do_and_plain_facts(
    rules: str, facts: Facts, wanted: tuple[str, ...]
) -> None:
    found = for_customer(alone(policy(rules)), facts, worth=lambda units: Money(150_00 * units, "GBP"))
    assert customer_sentences(found) == wanted


def test_of_everything_that_would_have_helped_a_customer_is_told_the_same_part() -> None:
    sale = item(JUMPER, tags=("sale",))
    assert customer_sentences(everything(CREDIT, sale)) == (), "another wish: the refusal names those that are offered"
    late = everything(SALE, sale.asking(at=LATE))
    assert any(len(each.when) == 2 and each.answer == ACCEPT for each in late)
    assert customer_sentences(late) == (), "a tag and a date together are nobody's to choose"
    tagged = everything(SALE + SEASON, item(JUMPER, tags=("sale",)))
    assert customer_sentences(tagged) == ()


def test_two_facts_at_once_are_the_nearest_few_and_cost_a_bounded_search(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = SALE + SEASON + "- rule: Long\n  set: {window: {days: 90}}"
    asked = item(JUMPER, tags=("sale",)).asking(at=utc(2026, 12, 24, 9))
    pairs = [each for each in everything(rules, asked) if len(each.when) == 2]
    # New year is nearer than the day before the season began.
    assert said(pairs) == [
        "If the item doesn’t have the tag sale and the customer asks from 1 January 2027 to 27 January 2027: accepted."
    ]
    three = SALE + "".join(
        f"- rule: {name}\n  when: {{{fact}: {value}}}\n  set: {{returnable: false}}\n  say: No.\n"
        for name, fact, value in (
            ("A", "order.is_gift", "true"),
            ("B", "order.region", "X"),
            ("C", "item.category", "a"),
        )
    )
    known = order(item(JUMPER, tags=("sale",), category="b"), is_gift=True, region="Y")
    assert [len(each.when) for each in everything(three, known) if each.better and each.when] == [2]
    many = BIG + "".join(
        f"- rule: R{at}\n  when: {{item.tags: t{at}, order.country: GB, customer.orders: 1}}\n  set: {{returnable: false}}\n"
        for at in range(2)
    )
    tagged = replace(
        item(JUMPER, tags=("t0", "t1")), customer=CustomerFacts(orders=1), return_value=Money(400_00, "GBP")
    )
    found = [each for each in everything(many, tagged.asking(at=LATE)) if len(each.when) == 2]
    assert len(found) == 3, "there would be a fourth"
    # Two values of one fact are no pair, and cost no try.
    monkeypatch.setattr("portal.policy.counterfactual.MOST_TRIES", 1)
    season_first = SEASON + "- rule: Long\n  set: {window: {days: 90}}\n" + SALE
    assert len([each for each in everything(season_first, asked) if len(each.when) == 2]) == 1
    monkeypatch.setattr("portal.policy.counterfactual.MOST_TRIES", 0)
    assert [each for each in everything(rules, asked) if len(each.when) == 2] == []


NOT_HERE = "- rule: Not here\n  when: {order.country: {in: [GB, DE]}}\n  set: {returnable: false}\n"
LOOK = SALE.replace("returnable: false", "review: always")
COSTLY = "- rule: Costly\n  when: {return.value: {between: [300 GBP, 500 GBP]}}\n  set: {returnable: false}\n"
LOOK_THERE = NOT_HERE.replace("returnable: false", "review: always")
SOLD = item(JUMPER, tags=("sale",))


def with_return(minor: int) -> Facts:
    return replace(SOLD, return_value=Money(minor, "GBP"))


@pytest.mark.parametrize(
    ("rules", "facts", "wanted"),
    [
        (SALE + NOT_HERE, order(SOLD, country="DE"), "no sale tag and the country is not DE or GB"),
        (LOOK + NOT_HERE, order(SOLD, country=None), "no sale tag and the country is not DE or GB"),
        (LOOK_THERE + SALE, item(JUMPER, tags=None), "the country is not DE or GB and no sale tag"),
        (SALE + NOT_HERE.replace("in: [GB, DE]", "not_in: [FR, DE]"), SOLD, "no sale tag and the country is DE"),
        (SALE + COSTLY, with_return(350_00), "no sale tag and the return is worth 299.99 GBP or less"),
        (SALE + COSTLY, with_return(450_00), "no sale tag and the return is worth 500.01 GBP or more"),
        (LOOK + BONUS.format("customer.orders: {under: 3}"), SOLD,
         "no sale tag and the customer’s number of orders is 0 or more"),
        (SALE + "- rule: Many\n  when: {line.quantity: {over: 2}}\n  set: {returnable: false}\n", item(THREE, tags=("sale",)),
         "no sale tag and the number of units to return is 2 or less"),
        # One rule that two facts together decide: each of them takes away its own part of the cause.
        (BONUS.format("all: [{any: [{customer.orders: {over: 1}}, {order.is_gift: true}]}, "
                      "{any: [{customer.returns: {over: 1}}, {order.region: X}]}]"), JUMPER,
         "the customer’s number of orders is 1 or less and the order is not a gift"),
    ],
)  # fmt: skip
def test_of_two_facts_each_is_said_as_far_as_it_may_move(rules: str, facts: Facts, wanted: str) -> None:
    told = [each for each in said(everything(rules, facts)) if not each.startswith("Without")]
    assert told[0].replace("the item doesn’t have the tag sale", "no sale tag") == f"If {wanted}: accepted."


def test_two_facts_never_make_days_that_cannot_be() -> None:
    rules = (
        "- rule: Quick\n  set: {window: {days: 5, from: placed}}\n"
        "- rule: Old\n  when: {order.delivered: {to: 2026-10-29}, order.country: GB}\n  set: {returnable: false}\n"
    )
    nothing = {"placed_at": None, "last_delivered_at": None, "country": None}
    found = everything(rules, order(item(JUMPER, delivered_at=None, shipped_at=None), **nothing))
    # Ordered on 12 November, so as to be in time, it was not delivered on 30 October.
    assert [each.names for each in found if len(each.when) == 2] == [("order.country", "order.placed")]


def test_a_change_is_the_nearest_of_its_range_and_one_word_is_told_as_one() -> None:
    under = "- rule: New\n  when: {customer.orders: {under: 3}}\n  set: {review: always}"
    over = "- rule: Old\n  when: {customer.orders: {over: 3}}\n  set: {review: always}"
    assert everything(under, known(orders=1))[0].facts.customer.orders == 3
    assert everything(over, known(orders=9))[0].facts.customer.orders == 3
    (shop,) = [each.when for each in everything(SHOP, JUMPER.asking(method="label")) if each.when and each.better]
    assert shop == (c.Comparison("method", "is", "shop"),)
    (fault,) = [each for each in everything(FAULTY + SALE, SOLD) if each.names == ("reason",)]
    assert fault.when == (c.Comparison("reason", "in", ("damaged", "faulty")),)
    assert fault.facts.reason == next(each for each in REASONS if each in ("damaged", "faulty"))


def test_pairs_and_sets_of_rules_cost_a_bounded_number_of_decisions_and_none_where_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decided: list[Facts] = []

    def counting(bound: Bound, facts: Facts) -> Any:
        decided.append(facts)
        return decide_bound(bound, facts)

    def cost(rules: str, facts: Facts, most: int) -> int:
        decided.clear()
        monkeypatch.setattr("portal.policy.counterfactual.MOST_TRIES", most)
        everything(rules, facts)
        return len(decided)

    monkeypatch.setattr("portal.policy.counterfactual.decide_bound", counting)
    many = range(30)
    rules = "".join(f'- rule: R{at}\n  when: {{answer.q{at}: "yes"}}\n  set: {{returnable: false}}\n' for at in many)
    asked = JUMPER.asking(answers={f"q{at}": "yes" for at in many})
    # As many pairs of facts, and as many sets of rules.
    assert cost(rules, asked, MOST_TRIES) - cost(rules, asked, 0) == 400 + 400 < 30 * 29
    accepted = Others((policy(SALE + BIG),), JUMPER)
    assert cost(SALE + BIG, JUMPER, 400) == 1 + sum(len(accepted.values(name)) for name in accepted.names())


def test_what_leaves_less_to_ask_comes_before_what_makes_it_worse_and_a_new_term_is_told() -> None:
    rules = SALE + "- rule: Photo\n  set: {evidence: photo, review: always}\n"
    assert said(everything(rules, JUMPER), better=False) == [
        "Without “Photo”: accepted.",
        "If the number of photos given is 1 or more: a person decides.",
        "If the item has the tag sale: refused.",
        "If the customer asks from 29 November 2026 on: refused.",
    ]
    depot = "- rule: Far\n  when: {order.country: DE}\n  set: {review: always, destination: Depot 4}\n"
    assert [each.terms for each in everything(depot, JUMPER) if each.names == ("order.country",)] == [
        ("review", "destination")
    ]


def test_a_customer_s_days_are_looked_at_only_where_a_rule_asks_them() -> None:
    quick = "- rule: Quick\n  when: {days_since.delivered: {over: 10}}\n  set: {review: always}\n"
    days = for_customer(alone(policy(quick + BIG)), JUMPER)
    assert customer_sentences(days) == ("It would have been accepted until 8 November 2026.",)
    assert for_customer(alone(policy(BIG)), JUMPER.asking(at=LATE)) == ()
    dear = BIG.replace("return.value", "line.value")
    assert customer_sentences(
        for_customer(alone(policy(dear)), THREE, worth=lambda units: Money(150_00 * units, "GBP"))
    ) == ("Up to 2 of them need no check by a person.",)


def test_a_policy_that_asks_nothing_a_customer_may_be_told_of_costs_no_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("a page with many lines waits for this")

    monkeypatch.setattr("portal.policy.counterfactual.decide_bound", never)
    assert for_customer(alone(policy(SALE + FAULTY)), THREE) == ()


def test_what_is_still_asked_for_is_said_with_the_answer() -> None:
    (found,) = [each for each in everything(SALE + "- rule: Photo\n  set: {evidence: photo}", item(JUMPER, tags=("sale",)))
                if each.without == ("Sale",)]  # fmt: skip
    assert staff_sentence(found) == "Without “Sale”: accepted, once what is asked for is there."


def test_grace_is_found_for_staff_and_never_told_to_a_customer() -> None:
    loaded = alone(load_policy(document(otherwise=OTHERWISE.replace("{days: 30,", "{days: 30, grace: 2,"))))
    found = what_if(loaded, JUMPER.asking(at=LATE))
    assert said(found)[0] == "If the customer asks until 30 November 2026: accepted."
    assert customer_sentences(found) == ()
    # A rule that asks the day makes the day worth looking at; that the window has closed says its end still.
    seasonal = document("- rule: Early\n  when: {today: {to: 2026-11-01}}\n  set: {credit_bonus: 5%}").replace(
        "days: 30", "days: 30, grace: 2"
    )
    assert customer_sentences(for_customer(alone(load_policy(seasonal)), JUMPER.asking(at=LATE))) == ()


def test_the_shape_is_the_documented_one() -> None:
    (found,) = [
        each
        for each in everything(BIG, replace(JUMPER, return_value=Money(450_00, "GBP")))
        if each.when and each.better
    ]
    assert found.to_json() == {
        "if": [{"fact": "return.value", "op": "at_most", "value": {"amount": 30000, "currency": "GBP"}}],
        "without": [],
        "answer": "accept",
        "requires": [],
        "terms": {"review": {"value": "never", "set_by": "otherwise"}},
    }


def outcome(decision: Any) -> tuple[str, bool]:
    return decision.answer, bool(decision.requires)


LAST_PARCEL = policy(
    "- rule: R\n  when: {all: [{order.country: GB}, {order.last_delivered: {from: 2026-10-29}}]}\n  set: {returnable: false}\n"
)
ALMOST_NOTHING = Facts(order=OrderFacts(currency="GBP"), quantity=1, return_items=3, at=utc(2026, 11, 17, 9))


@settings(max_examples=60)
@given(POLICIES_OF_FEW_WORDS, FACTS_OF_FEW_WORDS)
# A later day of this parcel is one of the last parcel too, whose day the rule asks.
@example(LAST_PARCEL, ALMOST_NOTHING)
def test_every_change_that_is_told_gives_its_answer_and_its_limit_is_the_limit(loaded: Policy, facts: Facts) -> None:
    base = decide(loaded, facts)
    for each in what_if(alone(loaded), facts):
        if each.without:
            names = {name for name in each.without if not name.startswith(PREFIX)}
            laws = {name.removeprefix(PREFIX) for name in each.without if name.startswith(PREFIX)}
            less = replace(
                loaded,
                rules=tuple(rule for rule in loaded.rules if rule.name not in names),
                floors=tuple(law for law in loaded.floors if law.name not in laws),
            )
            assert outcome(decide(less, facts)) == (each.answer, each.open_) != outcome(base)
            continue
        # What is told is what was changed: the conditions hold for the changed facts, and not for the real ones.
        assert outcome(decide(loaded, each.facts)) == (each.answer, each.open_) != outcome(base)
        assert Facts.from_json(each.facts.to_json()) == each.facts
        for condition in each.when:
            holds = c.compile_condition(condition, loaded.zone)
            assert holds(each.facts) is True
            assert holds(facts) is not True
        assert_exact(loaded, facts, each)
        if len(each.when) == 2:
            assert RANK[each.answer] > RANK[base.answer]
            assert [name for name in each.names if not _possible(each.facts, name, None, loaded)] == []


def assert_exact(loaded: Policy, facts: Facts, each: WhatIf) -> None:
    """Both ends of a range give the answer, and one step beyond an end another: the day before and the day after flip. Of two
    facts each of them, with the other changed."""
    for condition in each.when:
        assert_limit(loaded, facts if len(each.when) == 1 else each.facts, each, condition)


def assert_limit(loaded: Policy, facts: Facts, each: WhatIf, test: c.Condition) -> None:
    if not isinstance(test, c.Comparison) or test.fact == UNITS or c.get_fact(test.fact).type not in ORDERED:
        return
    low, high = test.value if test.op == "between" else (test.value, test.value)
    ends = {"at_most": [(high, 1)], "to": [(high, 1)], "at_least": [(low, -1)], "from": [(low, -1)]}.get(
        test.op, [(low, -1), (high, 1)]
    )
    for end, step in ends:
        assert outcome(decide(loaded, with_value(facts, test.fact, end, loaded))) == (each.answer, each.open_)
        beyond = _beyond(end, step)
        now = value_of(facts, test.fact, loaded)
        if beyond is None or not _possible(facts, test.fact, beyond, loaded):
            continue
        changed = facts if beyond == now else with_value(facts, test.fact, beyond, loaded)
        assert outcome(decide(loaded, changed)) != (each.answer, each.open_), (
            test,
            beyond,
            loaded.source,
            facts.to_json(),
        )


def _beyond(end: Any, step: int) -> Any:
    if isinstance(end, Money):
        return Money(end.minor + step, end.currency) if end.minor + step >= 0 else None
    if isinstance(end, int):
        return end + step if end + step >= 0 else None
    return end + timedelta(days=step)


def _possible(facts: Facts, name: str, value: Any, loaded: Policy) -> bool:
    """Whether the order of events allows this day: nothing is delivered before it was ordered, nor asked for before it came."""
    if name == "return.items":
        return value is None or value >= (facts.quantity or 0)
    line = ("order.placed", "order.shipped", "order.delivered", "order.last_delivered", "today")
    if name not in line:
        return True
    value = value or value_of(facts, name, loaded)
    days = [value if each == name else value_of(facts, each, loaded) for each in line]
    if name == "order.delivered":
        days.pop(3)
    if name == "today" and (asked := value_of(facts, "today", loaded)) is not None:
        days = [day for day in days[:4] if day is not None and day <= asked] + [value]
    known = [day for day in days if day is not None]
    return known == sorted(known)


@settings(max_examples=25)
@given(POLICIES_OF_FEW_WORDS, FACTS_OF_FEW_WORDS)
def test_customers_are_never_told_of_another_reason_nor_of_anything_about_themselves(
    loaded: Policy, facts: Facts
) -> None:
    found = for_customer(alone(loaded), facts)
    assert all(set(each.names) <= set(FOR_CUSTOMERS) and not each.without for each in found)
    assert len(customer_sentences(found)) <= 2
    if decide(loaded, facts).answer == ACCEPT:
        assert customer_sentences(found) == ()


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_the_shipped_policies_answer_it_exactly(name: str) -> None:
    loaded = shipped(name)
    known = replace(JUMPER, customer=CustomerFacts(tags=(), orders=9, returns=1, return_rate_bp=2_000))
    known = order(item(known, type="", category="decor", discounted=False, is_exchange=False), is_gift=False)
    told = 0
    for facts in (known, item(known, tags=("final-sale",)), known.asking(at=utc(2027, 6, 1)), THREE):
        found = what_if(alone(loaded), facts)
        told += len(found)
        for each in found:
            assert_exact(loaded, facts, each)
    assert told > 3
