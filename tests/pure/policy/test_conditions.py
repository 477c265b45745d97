"""Conditions answer in three values, and no composition turns "unknown" into a guess."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import Money
from portal.policy import conditions as c
from portal.policy.conditions import All, Any_, Comparison, Miss, Not, Unknown, compile_condition
from portal.policy.document import Findings, parse
from portal.policy.facts import Facts
from portal.policy.read_conditions import read_condition
from tests.pure.policy.samples import JUMPER, LONDON, item, utc

YES, NO = Comparison("order.is_gift", "is", True), Comparison("order.is_gift", "is", False)
DARK = Comparison("order.is_business", "is", True)
DIM = Comparison("customer.orders", "over", 3)
GIFT = replace(JUMPER, order=replace(JUMPER.order, is_gift=True))


def ask(condition: c.Condition, facts: Facts = GIFT):
    got = compile_condition(condition, LONDON)(facts)
    return "unknown" if isinstance(got, Unknown) else got


def read(text: str) -> c.Condition:
    findings = Findings("test")
    root = parse(text, findings)
    assert root is not None
    condition = read_condition(root, findings)
    assert condition is not None, findings.found
    return condition


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (All(()), True),
        (All((YES, YES)), True),
        (All((YES, NO)), False),
        (All((YES, DARK)), "unknown"),
        (All((DARK, NO)), False),  # whatever the unknown is, it does not hold
        (All((NO, DARK)), False),
        (Any_((NO, NO)), False),
        (Any_((NO, YES)), True),
        (Any_((NO, DARK)), "unknown"),
        (Any_((DARK, YES)), True),  # whatever the unknown is, it holds
        (Any_((YES, DARK)), True),
        (Not(YES), False),
        (Not(NO), True),
        (Not(DARK), "unknown"),
        (Not(All((DARK, NO))), True),
        (Not(Any_((DARK, YES))), False),
        (All((Any_((DARK, YES)), Not(NO))), True),
        (Any_((All((DARK, NO)), NO)), False),
    ],
)
def test_three_values(condition, answer):
    assert ask(condition) == answer


def test_an_unknown_names_every_fact_that_stood_in_the_way_once():
    got = compile_condition(All((DARK, YES, Any_((DIM, NO, DARK)))), LONDON)(GIFT)
    assert got == Unknown((Miss("order.is_business", "missing"), Miss("customer.orders", "missing")))


def test_a_missing_fact_names_no_currency():
    got = compile_condition(DARK, LONDON)(GIFT)
    assert got == Unknown((Miss("order.is_business", "missing", "", ""),))


CONDITIONS = st.recursive(
    st.sampled_from([YES, NO, DARK, DIM]),
    lambda inner: st.one_of(
        st.builds(lambda parts: All(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Any_(tuple(parts)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_a_definite_answer_holds_however_the_unknown_facts_turn_out(condition):
    answer = ask(condition)
    if answer == "unknown":
        return
    for business in (True, False):
        for orders in (0, 9):
            world = replace(
                GIFT,
                order=replace(GIFT.order, is_business=business),
                customer=replace(GIFT.customer, orders=orders),
            )
            assert ask(condition, world) is answer


@given(CONDITIONS, CONDITIONS)
def test_de_morgan_holds_in_three_values(left, right):
    assert ask(Not(All((left, right)))) == ask(Any_((Not(left), Not(right))))
    assert ask(Not(Any_((left, right)))) == ask(All((Not(left), Not(right))))


@pytest.mark.parametrize("op", ["is", "over", "under", "at_least", "at_most", "between"])
@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_no_operator_compares_two_currencies(op, currency):
    value = Money(100, "GBP")
    test = Comparison("return.value", op, (value, value) if op == "between" else value)
    got = compile_condition(test, LONDON)(replace(JUMPER, return_value=Money(100, currency)))
    assert got == Unknown((Miss("return.value", "other_currency", currency, "GBP"),))


def test_a_guard_on_the_currency_keeps_other_orders_out_of_a_rule():
    guarded = read("{order.currency: GBP, return.value: {over: 300 GBP}}")
    rupees = replace(JUMPER, order=replace(JUMPER.order, currency="INR"), return_value=Money(9_863_300, "INR"))
    assert ask(guarded, rupees) is False


SIZES = [("is", 5, (4, 6), (5,)), ("over", 5, (5, 4), (6,)), ("under", 5, (5, 6), (4,)), ("at_least", 5, (4,), (5, 6))]
SIZES += [("at_most", 5, (6,), (5, 4)), ("between", (5, 7), (4, 8), (5, 6, 7)), ("in", (5, 7), (6,), (5, 7))]
SIZES += [("not_in", (5, 7), (5, 7), (6,))]


@pytest.mark.parametrize(("op", "value", "refused", "accepted"), SIZES)
def test_number_operators_at_their_edges(op, value, refused, accepted):
    condition = Comparison("line.quantity", op, value)
    assert [ask(condition, replace(JUMPER, quantity=each)) for each in accepted] == [True] * len(accepted)
    assert [ask(condition, replace(JUMPER, quantity=each)) for each in refused] == [False] * len(refused)


@pytest.mark.parametrize(
    ("text", "moment", "answer"),
    [
        # Summer time: midnight of 1 July in London is 23:00 UTC of 30 June.
        ("{order.delivered: {from: 2026-07-01}}", utc(2026, 6, 30, 22, 59, 59), False),
        ("{order.delivered: {from: 2026-07-01}}", utc(2026, 6, 30, 23), True),
        ("{order.delivered: {to: 2026-07-01}}", utc(2026, 7, 1, 22, 59, 59), True),
        ("{order.delivered: {to: 2026-07-01}}", utc(2026, 7, 1, 23), False),
        ("{order.delivered: 2026-07-01}", utc(2026, 6, 30, 23), True),
        ("{order.delivered: 2026-07-01}", utc(2026, 7, 1, 23), False),
        ("{order.delivered: {between: [2026-03-29, 2026-03-29]}}", utc(2026, 3, 29, 22, 59), True),
        ("{order.delivered: {between: [2026-03-29, 2026-03-29]}}", utc(2026, 3, 29, 23), False),
        ("{order.delivered: {from: 2026-01-01, to: 2026-01-31}}", utc(2026, 1, 31, 23, 59), True),
        ("{order.delivered: {from: 2026-01-01, to: 2026-01-31}}", utc(2026, 2, 1), False),
    ],
)
def test_days_are_those_of_the_policys_timezone(text, moment, answer):
    assert ask(read(text), item(JUMPER, delivered_at=moment)) is answer


def test_days_since_counts_midnights_not_hours():
    condition = read("{days_since.delivered: 1}")
    late = item(JUMPER, delivered_at=utc(2026, 11, 16, 23, 59))
    assert ask(condition, late.asking(at=utc(2026, 11, 17, 0, 1))) is True
    assert ask(condition, late.asking(at=utc(2026, 11, 16, 23, 59, 59))) is False


@pytest.mark.parametrize(
    ("start", "at"),
    # Summer time: the last hour of a day in UTC is the first hour of the next day in London.
    [(utc(2026, 7, 1, 12), utc(2026, 7, 1, 23, 30)), (utc(2026, 6, 30, 23, 30), utc(2026, 7, 2, 12))],
)
def test_days_since_begin_and_end_at_midnight_of_the_policys_timezone(start, at):
    assert ask(read("{days_since.delivered: 1}"), item(JUMPER.asking(at=at), delivered_at=start)) is True


@pytest.mark.parametrize(
    ("text", "tags", "answer"),
    [
        ("{item.tags: Final-Sale}", ("final-sale",), True),
        ("{item.tags: {has: sale}}", ("final-sale",), False),
        ("{item.tags: {has_any: [a, b]}}", ("B",), True),
        ("{item.tags: {has_any: [a, b]}}", (), False),
        ("{item.tags: {has_all: [a, b]}}", ("b", "c", "A"), True),
        ("{item.tags: {has_all: [a, b]}}", ("a",), False),
        ("{item.tags: STRASSE}", ("straße",), True),  # capitals of any language
    ],
)
def test_lists_are_compared_word_by_word_without_regard_to_case(text, tags, answer):
    assert ask(read(text), item(JUMPER, tags=tags)) is answer


def test_a_pattern_sees_the_whole_text_but_no_more_than_its_beginning():
    condition = read('{item.sku: {matches: "a+"}}')
    assert ask(condition, item(JUMPER, sku="aaa")) is True
    assert ask(condition, item(JUMPER, sku="aaab")) is False
    assert ask(condition, item(JUMPER, sku="a" * 199 + "b")) is False
    assert ask(condition, item(JUMPER, sku="a" * 200 + "b" * 10**6)) is True


EXPLOSIVE = ["(a|aa|aaa){1,20}b", "(a?){20}a{20}", "(a+)+b", "(a|a)*b", "a*a*a*a*b", "a{0,99}a{0,99}a{0,99}a?b"]


@pytest.mark.parametrize("pattern", EXPLOSIVE)
def test_a_pattern_that_could_take_forever_is_refused(pattern):
    findings = Findings("test")
    assert read_condition(parse(f'{{item.sku: {{matches: "{pattern}"}}}}', findings), findings) is None
    assert "could take very long" in findings.found[0].message


SLOWEST = [
    ".*a.*a.*b",
    "[a-z]*[a-z]*[a-z]*1",
    "a?" * 19 + "b",
    "(a|b)?(aa|bb)?a*a*c",
    "(abc){1,50}.*",
    "(?:red|blue)-[0-9]{4}",
]


@pytest.mark.parametrize("pattern", SLOWEST)
def test_no_pattern_that_is_accepted_can_hold_up_a_decision(pattern):
    holds = compile_condition(read(f'{{item.sku: {{matches: "{pattern}"}}}}'), LONDON)
    started = time.process_time()
    holds(item(JUMPER, sku="a" * 10_000))
    assert time.process_time() - started < 0.5


def test_answers_of_a_customer_are_texts():
    condition = read('{answer.opened: "true"}')
    assert ask(condition, JUMPER.asking(answers={"opened": True})) is True
    assert ask(condition, JUMPER.asking(answers={"opened": False})) is False
    assert ask(condition, JUMPER.asking(answers={"other": "x"})) == "unknown"


def test_an_answer_is_read_as_the_customer_gave_it_and_yes_or_no_as_the_language_writes_it():
    read_answer = c.getter(c.FactSpec("answer.why", c.TEXT, "answer.why"))
    given = {True: "true", False: "false", 7: "7", "Too Big": "Too Big"}
    for value, text in given.items():
        assert read_answer(JUMPER.asking(answers={"why": value})) == text
    assert read_answer(JUMPER.asking(answers=None)) is None


def test_every_question_has_its_fact_and_no_other_word_has():
    assert c.find_fact("answer.why") == c.FactSpec("answer.why", c.TEXT, "answer.why")
    assert [c.find_fact(name) for name in ("answer.", "answer", "why", "moon.phase")] == [None] * 4


@pytest.mark.parametrize("changes", [{"delivered_at": None}, {"at": None}])
def test_days_since_need_both_of_their_ends(changes):
    facts = JUMPER.asking(**changes) if "at" in changes else item(JUMPER, **changes)
    got = compile_condition(read("{days_since.delivered: 1}"), LONDON)(facts)
    assert got == Unknown((Miss("days_since.delivered", "missing"),))


def test_a_condition_on_nothing_known_to_the_table_is_a_bug_and_raises():
    with pytest.raises(ValueError, match=r"^`moon\.phase` is no fact$"):
        compile_condition(Comparison("moon.phase", "is", "full"), LONDON)


@pytest.mark.parametrize("name", c.FACTS)
def test_every_fact_is_found_in_facts_and_unknown_when_none(name):
    values = {
        c.TEXT: "x",
        c.TEXTS: ("x",),
        c.NUMBER: 1,
        c.MONEY: Money(1, "GBP"),
        c.YES_NO: True,
        c.SHARE: 1,
        c.WEIGHT: 1,
        c.DAY: utc(2026, 1, 1).date(),
    }
    spec = c.FACTS[name]
    op = c.OPERATORS[spec.type][0]
    value = values[spec.type]
    holds = compile_condition(Comparison(name, op, value[0] if op == "has" else value), LONDON)
    assert isinstance(holds(Facts(evidence=None)), Unknown)
