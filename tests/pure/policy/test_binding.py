"""Meaning 8: the version in force at purchase binds; a later one is offered only where it is kinder in all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.binding import Bound, Version, bind, decide_bound, in_force, in_turn, kinder
from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision, Term
from portal.policy.engine import decide
from portal.policy.terms import Evidence, Fee, Grade, ReturnShipping, Window
from tests.pure.policy.samples import JUMPER, policy, utc
from tests.pure.policy.samples import OTHERWISE as TERMS


def version(number: int, month: int, rules: str = "", extra: str = "", otherwise: str = TERMS, day: int = 1) -> Version:
    return Version(number, utc(2026, month, day), policy(rules, extra=extra, otherwise=otherwise))


def test_8_the_version_in_force_at_purchase_binds():
    versions = [version(3, 9), version(1, 3), version(2, 6)]
    assert bind(versions, utc(2026, 5, 31, 23, 59)).version.number == 1
    assert bind(versions, utc(2026, 6, 1)).version.number == 2
    assert bind(versions, utc(2026, 12, 1)).version.number == 3


def test_8_an_order_older_than_every_version_or_without_a_date_is_bound_by_the_first():
    versions = [version(2, 6), version(1, 3)]
    assert bind(versions, utc(2020, 1, 1)).version.number == 1
    assert bind(versions, None).version.number == 1


def test_8_without_any_version_nothing_can_be_said():
    with pytest.raises(ValueError, match="no policy has been published"):
        bind([], utc(2026, 1, 1))


KINDER = TERMS.replace("days: 30", "days: 60")
STRICTER = TERMS.replace("days: 30", "days: 10")
OPEN = "apply_to_open_orders: true\n"
PLAIN_POLICY, OPEN_POLICY = policy(), policy(extra=OPEN)


@pytest.mark.parametrize(
    ("otherwise", "extra", "number"),
    [
        (KINDER, OPEN, 2),
        (KINDER, "", 1),  # kinder, but not offered to old orders
        (STRICTER, OPEN, 1),  # never a stricter one
        (KINDER.replace("restocking_fee: 0%", "restocking_fee: 10%"), OPEN, 1),  # kinder here, stricter there
        (TERMS, OPEN, 1),  # no difference, no change
        (TERMS.replace("credit_bonus: 0%", "credit_bonus: 10%"), OPEN, 2),
        (TERMS.replace("[refund, exchange, store_credit]", "[exchange, store_credit]"), OPEN, 1),
        (TERMS.replace("paid_by: merchant", "paid_by: customer, amount: 1 GBP"), OPEN, 1),
        (TERMS.replace("ship_by: 14 days", "ship_by: 21 days"), OPEN, 2),
    ],
)
def test_8_a_later_version_is_offered_only_where_it_is_marked_and_kinder_in_all(otherwise, extra, number):
    bound = bind([version(1, 3), version(2, 11, extra=extra, otherwise=otherwise)], JUMPER.order.placed_at)
    found, decision = decide_bound(bound, JUMPER)
    assert found.number == number
    assert decision.policy_hash == found.policy.content_hash


def test_8_a_version_that_is_not_in_force_yet_is_not_offered():
    bound = bind([version(1, 3), version(2, 12, extra=OPEN, otherwise=KINDER)], JUMPER.order.placed_at)
    assert decide_bound(bound, JUMPER)[0].number == 1


def test_8_a_kinder_version_reopens_a_closed_window():
    bound = bind([version(1, 3), version(2, 11, extra=OPEN, otherwise=KINDER)], JUMPER.order.placed_at)
    found, decision = decide_bound(bound, JUMPER.asking(at=utc(2026, 12, 5)))
    assert (found.number, decision.answer) == (2, ACCEPT)


def test_8_kinder_is_never_both_ways():
    ours, theirs = (decide(policy(otherwise=each), JUMPER) for each in (KINDER, TERMS))
    assert kinder(ours, theirs)
    assert not kinder(theirs, ours)
    assert not kinder(ours, ours)


def test_8_of_two_versions_that_begin_together_the_later_one_binds():
    assert bind([version(2, 6), version(1, 6)], utc(2026, 7, 1)).version.number == 2


def test_8_of_several_kinder_versions_the_kindest_is_given():
    longer, longest = KINDER, TERMS.replace("days: 30", "days: 90")
    later = [version(2, 11, extra=OPEN, otherwise=longer), version(3, 11, day=2, extra=OPEN, otherwise=longest)]
    last = version(4, 11, day=3, extra=OPEN, otherwise=longer)
    bound = bind([version(1, 3), *later, last], JUMPER.order.placed_at)
    assert [each.number for each in bound.later] == [2, 3, 4]
    assert decide_bound(bound, JUMPER)[0].number == 3


def test_8_a_version_that_accepts_is_offered_whatever_one_that_refuses_would_have_given():
    bonus = TERMS.replace("credit_bonus: 0%", "credit_bonus: 15%")
    long = TERMS.replace("days: 30", "days: 400").replace("restocking_fee: 0%", "restocking_fee: 10%")
    versions = [version(1, 3), version(2, 11, extra=OPEN, otherwise=bonus)]
    versions.append(version(3, 11, day=2, extra=OPEN, otherwise=long))
    late = JUMPER.asking(at=utc(2027, 2, 1))
    assert decide_bound(bind(versions[:2], JUMPER.order.placed_at), late)[1].answer == REFUSE
    found, decision = decide_bound(bind(versions, JUMPER.order.placed_at), late)
    assert (found.number, decision.answer) == (3, ACCEPT)


def test_8_of_two_versions_that_refuse_the_one_with_the_later_last_day_says_until_when_it_was():
    bonus = KINDER.replace("credit_bonus: 0%", "credit_bonus: 15%")
    versions = [version(1, 3), version(2, 11, extra=OPEN, otherwise=bonus)]
    versions.append(version(3, 11, day=2, extra=OPEN, otherwise=TERMS.replace("days: 30", "days: 90")))
    late = JUMPER.asking(at=utc(2027, 6, 1))
    assert decide_bound(bind(versions, JUMPER.order.placed_at), late)[0].number == 3
    same_day = version(2, 11, extra=OPEN, otherwise=TERMS.replace("credit_bonus: 0%", "credit_bonus: 15%"))
    # A person may still say yes: then the kinder terms hold.
    assert decide_bound(bind([versions[0], same_day], JUMPER.order.placed_at), late)[0].number == 2


def varied(days: int, bonus: int, fee: int, review: str, returnable: str) -> str:
    terms = TERMS.replace("days: 30", f"days: {days}").replace("credit_bonus: 0%", f"credit_bonus: {bonus}%")
    terms = terms.replace("restocking_fee: 0%", f"restocking_fee: {fee}%").replace("review: never", f"review: {review}")
    return terms.replace("returnable: true", f"returnable: {returnable}")


OFFERS = st.tuples(
    st.sampled_from([10, 30, 60]),
    st.sampled_from([0, 15]),
    st.sampled_from([0, 10]),
    st.sampled_from(["never", "always"]),
    st.sampled_from(["true", "true", "false"]),
)


@given(offers=st.lists(OFFERS, min_size=2, max_size=5), shuffled=st.randoms(use_true_random=False))
def test_8_who_was_refused_is_accepted_where_any_offered_version_accepts_in_whatever_order_they_come(
    offers: list[tuple[int, int, int, str, str]], shuffled: Random
) -> None:
    versions = [
        version(index, 11, day=index, extra=OPEN, otherwise=varied(*each)) for index, each in enumerate(offers, 1)
    ]
    facts = JUMPER.asking(at=utc(2026, 12, 5))
    bound = Bound(versions[0], tuple(versions[1:]))
    found, decision = decide_bound(bound, facts)
    decisions = {each.number: decide(each.policy, facts) for each in versions}
    bought, offered = decisions[1], [decisions[each.number] for each in versions[1:]]
    if bought.answer == REFUSE:
        order = [REFUSE, REVIEW, ACCEPT]
        assert decision.answer == max((bought.answer, *(each.answer for each in offered)), key=order.index)
    assert found is versions[0] or kinder(decision, bought)
    assert not any(
        kinder(each, decision) and each.answer == decision.answer and kinder(each, bought) for each in offered
    )
    others = versions[1:]
    shuffled.shuffle(others)
    assert decide_bound(Bound(versions[0], tuple(others)), facts) == (found, decision)


def test_8_a_version_that_was_replaced_before_it_started_is_never_offered():
    planned, instead = version(2, 11, extra=OPEN, otherwise=KINDER), version(3, 11, extra=OPEN, otherwise=STRICTER)
    bound = bind([version(1, 3), planned, instead], JUMPER.order.placed_at)
    assert [each.number for each in bound.later] == [3]
    assert decide_bound(bound, JUMPER)[0].number == 1


# Starts in the order of publication, as days of June; then the day that is asked about (None: not known), and which binds.
PLANNED = [
    ((1, 10), 5, 1),
    ((1, 10), 10, 2),
    ((1, 10, 4), 3, 1),  # the third was published while the second was still to come
    ((1, 10, 4), 4, 3),
    ((1, 10, 4), 9, 3),
    ((1, 10, 4), 10, 2),  # which starts all the same
    ((1, 10, 10), 10, 3),  # the very same start takes its place
    ((1, 10, 10), 9, 1),
    ((1, 10, 4, 10), 10, 4),
    ((1, 20, 10), 15, 3),
    ((1, 20, 10), 25, 2),
    ((9,), 5, 1),  # older than every version: the first one published
    ((9, 4), 3, 1),  # the first one published, and not the one that starts first
    ((9, 4), 5, 2),
    ((9, 4), 9, 1),
    ((9, 9), 5, 1),
    ((9, 9), 9, 2),
    ((9, 4), None, 1),
]


@pytest.mark.parametrize(("starts", "day", "number"), PLANNED)
def test_8_the_version_in_force_is_the_one_that_started_last_and_of_one_start_the_one_published_last(
    starts: tuple[int, ...], day: int | None, number: int
) -> None:
    versions = [Version(index, utc(2026, 6, start), PLAIN_POLICY) for index, start in enumerate(starts, 1)]
    at = None if day is None else utc(2026, 6, day)
    assert in_force(versions, at).number == number
    assert bind(versions, at).version.number == number
    assert in_force(versions[::-1], at).number == number, "however they are stored"


# Of each version: after how many hours it is published, and how many more it waits. Few values, so that starts meet.
PUBLICATIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=7)


def published(given: list[tuple[int, int]]) -> list[tuple[datetime, Version]]:
    """Versions as they come to be: published one after the other, each starting then or later."""
    found, at = [], utc(2026, 6, 1)
    for number, (passed, waits) in enumerate(given, 1):
        at += timedelta(hours=passed)
        found.append((at, Version(number, at + timedelta(hours=waits), OPEN_POLICY)))
    return found


@given(given=PUBLICATIONS, asked=st.integers(-3, 40))
def test_8_publishing_changes_nothing_for_an_order_placed_before(given: list[tuple[int, int]], asked: int) -> None:
    history = published(given)
    placed_at = utc(2026, 6, 1) + timedelta(hours=asked)
    for count, (at, _) in enumerate(history[1:], 1):
        if placed_at < at:
            before = [version for _, version in history[:count]]
            after = [version for _, version in history[: count + 1]]
            assert in_force(after, placed_at) is in_force(before, placed_at)


@given(given=PUBLICATIONS)
def test_8_a_version_starts_unless_a_later_one_has_its_very_start_and_is_then_in_force_until_the_next(
    given: list[tuple[int, int]],
) -> None:
    versions = [version for _, version in published(given)]
    moments = [utc(2026, 6, 1) + timedelta(minutes=30 * step) for step in range(-2, 70)]
    seen = {in_force(versions, moment).number for moment in (*moments, None)}
    turns = in_turn(versions)
    replaced = {
        each.number
        for each in versions
        for other in versions
        if other.number > each.number and other.effective_at == each.effective_at
    }
    assert {each.number for each in turns} == {each.number for each in versions} - replaced
    assert seen == {each.number for each in turns} | {1}, "the first one binds what is older than all of them"
    for turn, then in pairwise(turns):
        assert turn.effective_at < then.effective_at
        assert in_force(versions, turn.effective_at) is turn
        assert in_force(versions, then.effective_at - timedelta(microseconds=1)) is turn
    for moment in (*moments, None):
        bound = bind(versions, moment)
        assert bound.version is in_force(versions, moment)
        offered = [each for each in turns if moment is None or each.effective_at > moment]
        assert list(bound.later) == [each for each in offered if each is not bound.version]


def test_8_a_version_is_offered_from_its_very_moment_and_never_where_the_moment_is_not_known():
    bound = bind([version(1, 3), version(2, 11, extra=OPEN, otherwise=KINDER)], JUMPER.order.placed_at)
    assert decide_bound(bound, JUMPER.asking(at=utc(2026, 11, 1)))[0].number == 2
    assert decide_bound(bound, JUMPER.asking(at=utc(2026, 10, 31, 23, 59)))[0].number == 1
    assert decide_bound(bound, JUMPER.asking(at=None))[0].number == 1


PLAIN = decide(policy(), JUMPER)


def deciding(**terms: object) -> Decision:
    """The plain decision with other terms."""
    return replace(PLAIN, terms={**PLAIN.terms, **{name: Term(value, "otherwise") for name, value in terms.items()}})


def verdict(term: str, new: object, old: object) -> str:
    """What the other value of one term means to a customer, alone and beside a gain in another term."""
    gain = {"credit_bonus": 900} if term != "credit_bonus" else {"ship_by": 99}
    if kinder(deciding(**{term: new}), deciding(**{term: old})):
        return "better"
    return "equal" if kinder(deciding(**{term: new}, **gain), deciding(**{term: old})) else "worse"


def pounds(minor: int) -> Money:
    return Money(minor, "GBP")


FLAT = ReturnShipping("customer", pounds(350))
FREE, SHARE, OWN = ReturnShipping(), ReturnShipping("customer", bp=500), ReturnShipping("customer")


@pytest.mark.parametrize(
    ("term", "better", "worse"),
    [
        ("returnable", True, False),
        ("resolutions", ("refund", "exchange"), ("exchange",)),
        ("review", "never", "always"),
        ("evidence", Evidence(0), Evidence(1)),
        ("evidence", Evidence(1), Evidence(2)),
        ("ship_with", ("label", "qr"), ("qr",)),
        ("restocking_fee", Fee(), Fee(bp=1)),
        ("restocking_fee", Fee(bp=100), Fee(bp=200)),
        ("restocking_fee", Fee(amount=pounds(1)), Fee(amount=pounds(2))),
        ("outbound_shipping", "full_return", "never"),
        ("outbound_shipping", "always", "full_return"),
        ("credit_bonus", 200, 100),
        ("keep_item", True, False),
        ("exchange_bonus", 500, 400),
        ("exchange_bonus", 1, None),
        ("refund_when", "in_transit", "received"),
        ("refund_when", "authorized", "inspected"),
        ("ship_by", 15, 14),
        ("on_inspection", {"used": Grade(5100)}, {"used": Grade(5000)}),
        ("on_inspection", {}, {"used": Grade(9999)}),
        ("on_inspection", {"used": Grade(5000), "opened": Grade(10_000)}, {"used": Grade(5000), "opened": Grade(1)}),
        ("return_shipping", FREE, FLAT),
        ("return_shipping", FREE, SHARE),
        ("return_shipping", FREE, OWN),
        ("return_shipping", FLAT, ReturnShipping("customer", pounds(351))),
        ("return_shipping", replace(FLAT, free_for=("exchange",)), FLAT),
        ("return_shipping", replace(FLAT, free_for=("exchange",)), ReturnShipping("customer", pounds(400))),
        ("window", Window(30, grace=1), Window(30)),
    ],
)
def test_8_better_in_one_term_is_better_and_the_other_way_round_it_is_worse(term, better, worse):
    assert (verdict(term, better, worse), verdict(term, worse, better)) == ("better", "worse")


@pytest.mark.parametrize(
    ("term", "one", "other"),
    [
        # Neither is above the other, so neither is offered to somebody who was promised the other one.
        ("resolutions", ("refund",), ("exchange",)),
        ("ship_with", ("label", "qr"), ("qr", "shop")),
        ("restocking_fee", Fee(bp=100), Fee(amount=pounds(1))),
        ("restocking_fee", Fee(amount=pounds(1)), Fee(amount=Money(2, "EUR"))),
        ("on_inspection", {"used": Grade(5000)}, {"opened": Grade(5000)}),
        ("return_shipping", FLAT, ReturnShipping("customer", Money(400, "EUR"))),
        ("return_shipping", FLAT, SHARE),
        ("return_shipping", FLAT, OWN),
        ("return_shipping", SHARE, ReturnShipping("customer", bp=600)),
        ("return_shipping", FLAT, replace(FLAT, once_per="order")),
        ("return_shipping", replace(FLAT, free_for=("exchange",)), ReturnShipping("customer", pounds(100))),
        ("return_shipping", replace(FLAT, free_for=("exchange",)), replace(FLAT, free_for=("store_credit",))),
    ],
)
def test_8_what_cannot_be_compared_is_never_offered_in_place_of_a_promise(term, one, other):
    assert (verdict(term, one, other), verdict(term, other, one)) == ("worse", "worse")


@pytest.mark.parametrize(
    ("term", "one", "other"),
    [
        ("resolutions", ("refund", "exchange"), ("exchange", "refund")),  # their order promises nothing
        (
            "return_shipping",
            *(replace(FLAT, free_for=each) for each in (("exchange", "refund"), ("refund", "exchange"))),
        ),
        ("on_inspection", {"used": Grade(10_000)}, {}),
        ("return_shipping", FLAT, FLAT),
        ("return_shipping", SHARE, SHARE),
        ("restocking_fee", Fee(amount=Money(5, "EUR")), Fee(amount=Money(5, "EUR"))),
        ("evidence", Evidence(1, "the tags"), Evidence(1)),
        ("exchange_bonus", 0, None),
        ("message", "Hello", "Good day"),
    ],
)
def test_8_what_means_the_same_to_a_customer_stands_in_the_way_of_nothing(term, one, other):
    assert (verdict(term, one, other), verdict(term, other, one)) == ("equal", "equal")


def test_8_a_fee_that_is_dropped_is_kinder_whatever_its_currency():
    assert verdict("restocking_fee", Fee(), Fee(amount=Money(5, "EUR"))) == "better"
    assert verdict("restocking_fee", Fee(amount=Money(0, "EUR")), Fee(bp=1)) == "worse"  # told in another currency


@pytest.mark.parametrize(
    ("answer", "day", "old_answer", "old_day", "found"),
    [
        (ACCEPT, date(2026, 12, 1), ACCEPT, date(2026, 11, 30), True),
        (ACCEPT, date(2026, 11, 29), ACCEPT, date(2026, 11, 30), False),
        (ACCEPT, date(2026, 11, 29), REVIEW, date(2026, 11, 30), False),
        (ACCEPT, date(2026, 11, 30), REVIEW, date(2026, 11, 30), True),
        (REVIEW, date(2026, 11, 30), REFUSE, date(2026, 11, 30), True),
        (REFUSE, date(2026, 12, 30), REVIEW, date(2026, 11, 30), False),
        (ACCEPT, date(2026, 11, 30), REVIEW, None, True),  # nobody could tell the day before
        (ACCEPT, None, ACCEPT, date(2026, 11, 30), False),
        (ACCEPT, date(2026, 11, 30), ACCEPT, None, False),
        (ACCEPT, None, REVIEW, date(2026, 11, 30), False),
    ],
)
def test_8_the_answer_and_the_last_day_count_like_every_term(answer, day, old_answer, old_day, found):
    new, old = (replace(PLAIN, answer=a, return_by_on=b) for a, b in ((answer, day), (old_answer, old_day)))
    assert kinder(new, old) is found


def test_8_a_day_in_place_of_none_is_no_loss_where_the_answer_is_better_and_no_gain_where_it_is_not():
    day = date(2026, 11, 30)
    unknown, told = (replace(deciding(ship_by=1), answer=REVIEW, return_by_on=each) for each in (None, day))
    gain = deciding(ship_by=2)
    assert not kinder(replace(gain, answer=REVIEW, return_by_on=day), unknown)
    assert kinder(replace(gain, answer=ACCEPT, return_by_on=day), unknown)
    assert kinder(replace(gain, answer=REVIEW, return_by_on=None), unknown)
    assert not kinder(replace(gain, answer=REVIEW, return_by_on=None), told)


def test_8_a_version_before_the_one_that_binds_is_not_offered_however_kind_it_was():
    bound = bind([version(1, 3, extra=OPEN, otherwise=KINDER), version(2, 6)], JUMPER.order.placed_at)
    assert (bound.version.number, bound.later) == (2, ())


def test_8_grades_that_only_one_version_has_are_compared_with_the_whole_price():
    graded = deciding(on_inspection={"used": Grade(5000)})
    assert kinder(PLAIN, graded)
    assert not kinder(graded, PLAIN)
