"""The values that are tried in place of a fact's own: each limit and its neighbours, and no fact that could not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from portal.money import Money
from portal.policy.facts import CustomerFacts, Facts
from portal.policy.loader import Policy, load_policy
from portal.policy.other_facts import MOST_UNITS, Others, another, value_of, with_value
from tests.pure.policy.samples import JUMPER, LONDON, document, item, order, policy, utc

PLAIN = policy()
ONE = replace(JUMPER, customer=CustomerFacts(tags=(), orders=1))
"""The jumper was ordered on 9 October, sent on 27 October, delivered on 29 October, and is asked about on 17 November."""


def others(rules: str, facts: Facts = JUMPER, **rest: Any) -> Others:
    return Others((policy(rules),), facts, **rest)


def rule(when: str, sets: str = "review: always") -> str:
    return f"- rule: R {when.replace(':', ' ')[:40]}\n  when: {{{when}}}\n  set: {{{sets}}}\n"


def pounds(*minor: int) -> tuple[Money, ...]:
    return tuple(Money(each, "GBP") for each in minor)


def days(*texts: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(f"2026-{each}") for each in texts)


def window(written: str) -> str:
    return f"- rule: Window\n  when: {{item.tags: never}}\n  set: {{window: {{{written}}}}}\n"


BASE = ("today", "order.delivered", "resolution")


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ("", BASE),
        (rule("reason: faulty"), ("reason", *BASE)),
        # An order in another currency would be another order.
        (rule("order.currency: GBP") + rule("order.region: X"), ("order.region", *BASE)),
        # A day counted to is asked of the day it is counted from.
        (rule("days_since.placed: {over: 3}") + rule("order.region: X"), ("order.region", *BASE, "order.placed")),
        (window("days: 9, from: shipped, if_undelivered: {days: 9, from: placed}"),
         ("item.tags", "today", "order.delivered", "order.shipped", "order.placed", "resolution")),
        ("- rule: Photo\n  set: {evidence: photo}", (*BASE, "evidence")),
        (rule("line.value: {over: 3 GBP}"), ("line.value", *BASE, "line.quantity")),
        (rule("return.value: {over: 3 GBP}"), ("return.value", *BASE, "line.quantity")),
        (rule("return.items: {over: 3}"), ("return.items", *BASE, "line.quantity")),
        ("- rule: Ask\n  set: {questions: [{name: worn, ask: Worn?}]}", (*BASE, "answer.worn")),
    ],
)  # fmt: skip
def test_the_facts_that_can_matter_are_those_that_rules_and_terms_ask(rules: str, wanted: tuple[str, ...]) -> None:
    assert others(rules).names() == wanted


def test_who_is_a_business_matters_where_a_policy_names_laws_and_asks_nothing_of_consumers() -> None:
    lawful = load_policy(document(extra="laws: [uk-consumer]\n"))
    asking = load_policy(document(rule("customer.is_consumer: true"), extra="laws: [uk-consumer]\n"))
    assert "order.is_business" in Others((lawful,), JUMPER).names()
    assert "order.is_business" in Others((PLAIN, lawful), JUMPER).names()
    # Who is told of the consumer is told of the business with it.
    assert "order.is_business" not in Others((asking,), JUMPER).names()
    assert "order.is_business" not in others("").names()


WORN = (
    "- rule: Ask\n  set: {questions: [{name: worn, ask: Worn?, choices: [fine, torn]}, "
    "{name: how, ask: How?, choices: [so, not]}]}\n"
)
EUROS = rule("return.value: {over: 300 EUR}")
PHOTOS = "- rule: Photo\n  set: {evidence: {photos: 4}}\n"


@pytest.mark.parametrize(
    ("rules", "facts", "name", "wanted"),
    [
        # A word that rules name, however they write it, and one that stands for all others.
        (rule("item.vendor: {in: [acme, Other]}") + rule("item.vendor: Acme"), JUMPER, "item.vendor",
         ("Other", "acme", "something else")),
        (rule("item.vendor: {in: [Acme, Other]}"), item(JUMPER, vendor="ACME"), "item.vendor", ("Other", "something else")),
        (rule("item.vendor: Acme"), item(JUMPER, vendor="something else"), "item.vendor", ("Acme",)),
        # A pattern could tell apart what no rule names, and is no word itself.
        (rule("item.sku: {matches: 'WH.*'}") + rule("item.sku: X1"), JUMPER, "item.sku", ("X1",)),
        (rule("item.sku: {matches: 'WH.*'}"), JUMPER, "item.sku", ()),
        ("", JUMPER, "item.vendor", ()),
        (rule("resolution: refund"), JUMPER, "resolution", ("exchange", "store_credit")),
        (rule("order.is_gift: true"), JUMPER, "order.is_gift", (True, False)),
        (rule("order.is_gift: true"), order(JUMPER, is_gift=False), "order.is_gift", (True,)),
        # The choices of its own question, and nothing that cannot be chosen.
        (WORN, JUMPER, "answer.worn", ("fine", "torn")),
        (WORN + rule("answer.worn: Torn"), JUMPER.asking(answers={"worn": "fine"}), "answer.worn", ("Torn",)),
        (rule("item.tags: {has_any: [Sale, red]}") + rule("item.tags: SALE"), item(JUMPER, tags=None), "item.tags",
         ((), ("SALE",), ("red",))),
        (rule("item.tags: {has_any: [sale, red]}"), item(JUMPER, tags=("Sale", "b")), "item.tags",
         (("Sale", "b", "red"), ("b",))),
        # Amounts: the limit and its neighbours in the currency that the fact has, or the order's; none below nothing.
        (rule("item.price: {over: 75 GBP}") + rule("item.price: {over: 3 EUR}"), JUMPER, "item.price",
         pounds(74_99, 75_00, 75_01)),
        (rule("item.price: {over: 0 GBP}"), item(JUMPER, price=None), "item.price", pounds(0, 1)),
        (rule("item.price: {over: 75 GBP}"), order(item(JUMPER, price=None), currency=None), "item.price", ()),
        # Of the return also what this line is worth: below it the line is worth less.
        (rule("return.value: {over: 300 GBP}"), replace(JUMPER, return_value=Money(9, "GBP")), "return.value",
         pounds(80_10, 299_99, 300_00, 300_01)),
        (rule("return.value: {over: 300 GBP}"), replace(JUMPER, return_value=Money(9, "GBP"), line_value=None), "return.value",
         pounds(299_99, 300_00, 300_01)),
        (EUROS, replace(JUMPER, return_value=Money(9, "GBP")), "return.value", ()),
        (EUROS, replace(JUMPER, return_value=Money(9, "EUR")), "return.value",
         tuple(Money(each, "EUR") for each in (299_99, 300_00, 300_01))),
        # Numbers: none below nothing, and no return of fewer items than the line has units.
        (rule("customer.orders: {in: [9, 0]}") + PHOTOS, JUMPER, "customer.orders", (0, 1, 8, 9, 10)),
        (rule("customer.orders: {over: 2}"), ONE, "customer.orders", (2, 3)),
        (rule("customer.orders: {over: 8}"), ONE, "customer.orders", (7, 8, 9)),
        (rule("return.items: {over: 2}"), JUMPER.asking(quantity=2, return_items=9), "return.items", (2, 3)),
        (rule("return.items: {over: 0}"), JUMPER.asking(quantity=None, return_items=9), "return.items", (0, 1)),
        (PHOTOS, JUMPER.asking(evidence=4), "evidence", (0, 1, 3, 5)),
        # Fewer units, where it is known what they are worth or nothing asks.
        (rule("line.quantity: {over: 1}"), JUMPER.asking(quantity=3), "line.quantity", (1, 2)),
        (rule("line.quantity: {over: 1}"), JUMPER, "line.quantity", ()),
        (rule("line.quantity: {over: 1}"), JUMPER.asking(quantity=None), "line.quantity", ()),
        (rule("line.value: {over: 1 GBP}"), JUMPER.asking(quantity=3), "line.quantity", ()),
        (rule("return.value: {over: 1 GBP}"), JUMPER.asking(quantity=3), "line.quantity", ()),
    ],
)  # fmt: skip
def test_the_values_to_try(rules: str, facts: Facts, name: str, wanted: tuple[Any, ...]) -> None:
    assert others(rules, facts).values(name) == wanted


def test_fewer_units_are_tried_up_to_a_limit_and_with_amounts_only_where_their_worth_is_known() -> None:
    most = others("", JUMPER.asking(quantity=MOST_UNITS))
    assert most.values("line.quantity") == tuple(range(1, 200))
    assert others("", JUMPER.asking(quantity=MOST_UNITS + 1)).values("line.quantity") == ()
    priced = others(
        rule("line.value: {over: 1 GBP}"), JUMPER.asking(quantity=3), worth=lambda units: Money(units, "GBP")
    )
    assert priced.values("line.quantity") == (1, 2)


UNDELIVERED = item(order(JUMPER, last_delivered_at=None), delivered_at=None)
UNSENT = item(UNDELIVERED, shipped_at=None)
LONELY = order(UNSENT, placed_at=None)


@pytest.mark.parametrize(
    ("rules", "facts", "name", "wanted"),
    [
        # Today: the last day of each window and the day after, of its grace too; never before the delivery.
        ("", JUMPER, "today", days("11-28", "11-29")),
        (window("days: 10, from: placed, grace: 3"), JUMPER, "today", days("11-28", "11-29")),
        (window("days: 30, from: placed, grace: 3"), JUMPER, "today",
         days("11-08", "11-09", "11-11", "11-12", "11-28", "11-29")),
        # The window in place of one whose start is not known has its grace, and the same end on a business day.
        (window("days: 5, if_undelivered: {days: 36, from: placed}, grace: 2, ends_on: business_day"), UNDELIVERED, "today",
         days("11-16", "11-18", "11-19")),
        (rule("today: {from: 2026-11-05}"), JUMPER, "today", days("11-04", "11-05", "11-06", "11-28", "11-29")),
        (rule("today: {from: 2026-10-29}"), JUMPER, "today", days("10-29", "10-30", "11-28", "11-29")),
        (rule("days_since.placed: {over: 30}"), JUMPER, "today", days("11-07", "11-08", "11-09", "11-28", "11-29")),
        (rule("days_since.shipped: {over: 7}"), JUMPER, "today", days("11-02", "11-03", "11-04", "11-28", "11-29")),
        (rule("days_since.delivered: {over: 7}"), JUMPER, "today", days("11-04", "11-05", "11-06", "11-28", "11-29")),
        (rule("days_since.delivered: {over: 7}"), UNDELIVERED, "today", ()),
        # What is known only after the day of asking does not bound it.
        (rule("today: {from: 2026-11-05}"), item(JUMPER, delivered_at=utc(2026, 11, 20)), "today",
         days("11-04", "11-05", "11-06", "12-20", "12-21")),
        # The first day of a window: that with which it ends today, or when another one ends, its grace and business days allowed.
        ("", JUMPER, "order.delivered", days("10-27", "10-28", "10-30", "11-17")),
        ("", LONELY, "order.delivered", days("10-15", "10-16", "10-17", "10-18", "10-19", "11-17")),
        (window("days: 9, from: placed, grace: 2"), LONELY, "order.placed",
         days("11-03", "11-04", "11-05", "11-06", "11-07", "11-08", "11-09", "11-17")),
        (window("days: 9, from: placed, grace: 2"), JUMPER, "order.placed",
         days("10-04", "10-05", "10-06", "10-07", "10-08", "10-10", "10-27")),
        # A later delivery is a later last parcel too.
        (window("days: 9, from: last_delivered"), LONELY, "order.delivered",
         days("10-15", "10-16", "10-17", "10-18", "10-19", "11-05", "11-06", "11-07", "11-08", "11-09", "11-17")),
        (window("days: 9, from: last_delivered"), LONELY, "order.placed", days("11-17")),
        (window("until: 2026-11-20"), LONELY, "order.placed", days("11-17")),
        (rule("days_since.shipped: {over: 7}"), LONELY, "order.shipped", days("11-09", "11-10", "11-11", "11-17")),
        # It is asked on 2 June in London.
        (rule("days_since.placed: {over: 7}"), LONELY.asking(at=utc(2026, 6, 1, 23, 30)), "order.placed",
         days("05-25", "05-26", "05-27", "06-02")),
        (rule("order.shipped: {from: 2026-10-20}"), JUMPER, "order.shipped",
         days("10-09", "10-19", "10-20", "10-21", "10-29")),
        (rule("order.last_delivered: {from: 2026-11-02}"), JUMPER, "order.last_delivered",
         days("11-01", "11-02", "11-03", "11-17")),
        # Days no calendar has are not tried, nor is any where the moment of asking is not known.
        (rule("days_since.placed: {over: 100000000}"), JUMPER, "today", days("11-28", "11-29")),
        (rule("days_since.placed: {over: 100000000}"), order(UNSENT, placed_at=None), "order.placed", days("11-17")),
        (rule("today: {from: 2026-11-05}"), JUMPER.asking(at=None), "today", ()),
        (rule("order.placed: {from: 2026-11-05}"), JUMPER.asking(at=None), "order.placed", ()),
    ],
)  # fmt: skip
def test_the_days_to_try(rules: str, facts: Facts, name: str, wanted: tuple[date, ...]) -> None:
    assert others(rules, facts).values(name) == wanted


def test_no_day_is_tried_whose_noon_is_before_or_after_all_moments() -> None:
    ordered, asked = date(2026, 10, 9).toordinal(), date(2026, 11, 17).toordinal()
    last, first = date.max.toordinal() - 1, date.min.toordinal() + 1
    late = others(rule(f"days_since.placed: {{over: {last + 1 - ordered}}}")).values("today")
    assert [day.toordinal() for day in late if day.year > 2026] == [last]
    early = others(rule(f"days_since.placed: {{over: {asked - first}}}"), LONELY).values("order.placed")
    assert [day.toordinal() for day in early if day.year < 2026] == [first, first + 1]
    east = changed(JUMPER, "order.placed", early[0], of=policy(zone="Etc/GMT-14")).order.placed_at
    assert east is not None
    assert east.astimezone(UTC) == utc(1, 1, 1, 22)


def test_the_days_at_which_another_version_comes_into_force_are_days_of_the_shop_s_calendar() -> None:
    turning = Others((PLAIN,), JUMPER, turns=(utc(2027, 6, 1, 23, 30),))
    assert turning.values("today")[2:] == (date(2027, 6, 1), date(2027, 6, 2), date(2027, 6, 3))
    assert value_of(JUMPER.asking(at=utc(2027, 6, 1, 23, 30)), "today", PLAIN) == date(2027, 6, 2)


NEVER_BEFORE, NEVER_AFTER = date.min, date.max


@pytest.mark.parametrize(
    ("facts", "name", "low", "high"),
    [
        (JUMPER, "order.placed", NEVER_BEFORE, date(2026, 10, 27)),
        (JUMPER, "order.shipped", date(2026, 10, 9), date(2026, 10, 29)),
        # A later delivery moves the last one.
        (JUMPER, "order.delivered", date(2026, 10, 27), date(2026, 11, 17)),
        (JUMPER, "order.last_delivered", date(2026, 10, 29), date(2026, 11, 17)),
        (JUMPER, "today", date(2026, 10, 29), NEVER_AFTER),
        (item(JUMPER, shipped_at=utc(2026, 11, 17, 20)), "today", date(2026, 11, 17), NEVER_AFTER),
        (item(JUMPER, delivered_at=utc(2026, 11, 20)), "today", date(2026, 10, 29), NEVER_AFTER),
        (LONELY, "order.shipped", NEVER_BEFORE, date(2026, 11, 17)),
    ],
)
def test_a_day_lies_between_those_that_are_known(facts: Facts, name: str, low: date, high: date) -> None:
    asked = others("", facts)
    assert asked.bounds(name) == (low, high)
    assert asked.can_be(name, low)
    assert asked.can_be(name, high)
    assert low == NEVER_BEFORE or not asked.can_be(name, date.fromordinal(low.toordinal() - 1))
    assert high == NEVER_AFTER or not asked.can_be(name, date.fromordinal(high.toordinal() + 1))
    assert asked.can_be("item.tags", ("sale",))


def changed(facts: Facts, name: str, value: Any, *, of: Policy = PLAIN, **rest: Any) -> Facts:
    return with_value(facts, name, value, of, **rest)


def test_a_day_is_its_noon_and_a_later_delivery_is_the_last_one() -> None:
    assert changed(JUMPER, "order.placed", date(2026, 7, 1)) == order(
        JUMPER, placed_at=datetime(2026, 7, 1, 12, tzinfo=LONDON)
    )
    for day, last in ((date(2026, 10, 28), JUMPER.order.last_delivered_at), (date(2026, 11, 3), utc(2026, 11, 3, 12))):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=LONDON)
        assert changed(JUMPER, "order.delivered", day) == item(order(JUMPER, last_delivered_at=last), delivered_at=noon)
    assert changed(UNDELIVERED, "order.delivered", date(2026, 11, 3)).order.last_delivered_at is None


@pytest.mark.parametrize(
    ("name", "value", "business", "consumer"),
    [
        ("order.is_business", True, True, False),
        ("order.is_business", False, False, True),
        ("customer.is_consumer", False, True, False),
        ("customer.is_consumer", True, False, True),
    ],
)
def test_who_is_a_business_is_no_consumer(name: str, value: bool, business: bool, consumer: bool) -> None:
    facts = changed(order(JUMPER, is_business=True), name, value)
    assert (facts.order.is_business, facts.is_consumer) == (business, consumer)


def test_that_somebody_is_a_consumer_leaves_it_open_who_is_not_known_to_be_a_business() -> None:
    facts = changed(JUMPER, "customer.is_consumer", True)
    assert (facts.order.is_business, facts.is_consumer) == (None, True)
    facts = changed(JUMPER, "customer.is_consumer", False)
    assert (facts.order.is_business, facts.is_consumer) == (True, False)


@pytest.mark.parametrize(
    ("name", "value", "line", "whole"),
    [
        ("return.value", Money(70_00, "GBP"), Money(70_00, "GBP"), Money(70_00, "GBP")),
        ("return.value", Money(90_00, "GBP"), Money(80_10, "GBP"), Money(90_00, "GBP")),
        ("return.value", Money(70_00, "EUR"), Money(80_10, "GBP"), Money(70_00, "EUR")),
        ("line.value", Money(90_00, "GBP"), Money(90_00, "GBP"), Money(90_00, "GBP")),
        ("line.value", Money(70_00, "GBP"), Money(70_00, "GBP"), Money(80_10, "GBP")),
        ("line.value", Money(90_00, "EUR"), Money(90_00, "EUR"), Money(80_10, "GBP")),
        ("item.price", Money(1, "GBP"), Money(80_10, "GBP"), Money(80_10, "GBP")),
    ],
)
def test_a_line_is_never_worth_more_than_its_return(name: str, value: Money, line: Money, whole: Money) -> None:
    facts = changed(JUMPER, name, value)
    assert (facts.line_value, facts.return_value) == (line, whole)
    alone = changed(replace(JUMPER, line_value=None, return_value=None), name, value)
    assert (alone.line_value, alone.return_value) == (
        value if name == "line.value" else None, value if name == "return.value" else None
    )  # fmt: skip


def test_fewer_units_take_what_they_are_worth_off_the_return() -> None:
    four = JUMPER.asking(
        quantity=4, line_value=Money(40, "GBP"), return_value=Money(90, "GBP"), return_items=6, return_is_full=True
    )

    def worth(units: int) -> Money:
        return Money(11 * units, "GBP")

    less = {"quantity": 3, "return_items": 5, "return_is_full": False}
    assert changed(four, "line.quantity", 3) == four.asking(**less)
    assert changed(four, "line.quantity", 3, worth=worth) == four.asking(
        **less, line_value=Money(33, "GBP"), return_value=Money(83, "GBP")
    )
    assert changed(four.asking(return_value=None), "line.quantity", 3, worth=worth) == four.asking(
        **less, line_value=Money(33, "GBP"), return_value=None
    )
    assert changed(four.asking(line_value=None), "line.quantity", 3, worth=worth) == four.asking(
        **less, line_value=Money(33, "GBP")
    )
    unknown = four.asking(return_items=None, return_is_full=None)
    assert changed(unknown, "line.quantity", 3) == unknown.asking(quantity=3)


def test_another_answer_leaves_the_others_as_they_are() -> None:
    asked = JUMPER.asking(answers={"worn": "fine", "how": "so"})
    assert changed(asked, "answer.worn", "torn").answers == {"worn": "torn", "how": "so"}
    assert changed(JUMPER, "answer.worn", "torn").answers == {"worn": "torn"}


def test_a_text_of_nobody_is_none_that_rules_name() -> None:
    assert another({"acme"}) == "something else"
    assert another({"something else", "something else."}) == "something else.."
