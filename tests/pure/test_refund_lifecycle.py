"""A refund's life and the spreading of amounts: the tables themselves, and what holds for every sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import clock
from portal.refunds import lifecycle
from portal.refunds.allocation import Pot, allocate, payable, step_of
from portal.refunds.lifecycle import Step, observe, read_status
from tests.stages.refunds.world import moment

MOVE, SAME, OLD = Step.MOVE, Step.SAME, Step.OLD

# status of our row -> what Stripe shows: pending, requires_action, succeeded, failed, canceled
TABLE = {
    "planned": (MOVE, MOVE, MOVE, MOVE, MOVE),
    "submitted": (MOVE, MOVE, MOVE, MOVE, MOVE),
    "unknown": (MOVE, MOVE, MOVE, MOVE, MOVE),
    "pending": (SAME, MOVE, MOVE, MOVE, MOVE),
    "requires_action": (MOVE, SAME, MOVE, MOVE, MOVE),
    "succeeded": (OLD, OLD, SAME, MOVE, MOVE),
    "failed": (OLD, OLD, OLD, SAME, OLD),
    "canceled": (OLD, OLD, OLD, OLD, SAME),
}
SEEN = ("pending", "requires_action", "succeeded", "failed", "canceled")


@pytest.mark.parametrize("status", TABLE)
def test_every_pair_has_its_one_answer(status: str) -> None:
    assert tuple(observe(status, seen) for seen in SEEN) == TABLE[status]


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(lifecycle.STATUSES)
    assert set(lifecycle.STATUSES) == lifecycle.HOLDING | lifecycle.LOST
    assert {"taken_back", "given_up"} == lifecycle.DECIDED_ANEW
    assert not lifecycle.HOLDING & lifecycle.LOST


@given(st.lists(st.sampled_from(SEEN)))
def test_no_order_of_news_brings_lost_money_back_or_takes_success_back_to_pending(news: list[str]) -> None:
    status = "submitted"
    past = [status]
    for seen in news:
        if observe(status, seen) is MOVE:
            status = seen
            past.append(status)
    after_success = past[past.index("succeeded") + 1 :] if "succeeded" in past else []
    assert all(later in lifecycle.LOST for later in after_success)
    assert sum(one in lifecycle.LOST for one in past) <= 1


def test_a_word_of_the_future_holds_money_and_promises_nothing() -> None:
    assert read_status("in_review_2031") == "pending"
    assert read_status("succeeded") == "succeeded"


pots = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from([1, 10])), max_size=5).map(
    lambda found: [Pot(number, available, step) for number, (available, step) in enumerate(found)]
)


@given(st.integers(0, 60_000), pots, st.sampled_from(["as_paid", "reverse"]))
def test_shares_never_exceed_a_payment_and_sum_with_the_rest_to_the_amount(
    amount: int, pots: list[Pot], order: str
) -> None:
    shares, left = allocate(amount, pots, order)
    by_id = {pot.payment_id: pot for pot in pots}
    assert sum(share.amount_minor for share in shares) + left == amount
    assert left >= 0
    for share in shares:
        pot = by_id[share.payment_id]
        assert 0 < share.amount_minor <= pot.available_minor
        assert share.amount_minor % pot.step == 0
    if all(pot.step == 1 for pot in pots):
        assert left == max(amount - sum(pot.available_minor for pot in pots), 0)


@pytest.mark.parametrize(
    ("amount", "available", "order", "shares", "left"),
    [
        (8000, [5000, 3000], "as_paid", [(0, 5000), (1, 3000)], 0),
        (8000, [5000, 3000], "reverse", [(1, 3000), (0, 5000)], 0),
        (5000, [4000, 6000], "as_paid", [(0, 4000), (1, 1000)], 0),
        (5000, [4000, 6000], "reverse", [(1, 5000)], 0),
        (5000, [0, 6000], "as_paid", [(1, 5000)], 0),
        (5000, [-25, 6000], "as_paid", [(1, 5000)], 0),
        (5000, [1000], "as_paid", [(0, 1000)], 4000),
        (5000, [], "as_paid", [], 5000),
        (0, [1000], "as_paid", [], 0),
        (1, [1000], "as_paid", [(0, 1)], 0),
        (3, [2, 0, 5], "as_paid", [(0, 2), (2, 1)], 0),
    ],
)
def test_one_payment_is_emptied_before_the_next_is_touched(
    amount: int, available: list[int], order: str, shares: list[tuple[int, int]], left: int
) -> None:
    found, rest = allocate(amount, [Pot(number, each) for number, each in enumerate(available)], order)
    assert [(share.payment_id, share.amount_minor) for share in found] == shares
    assert rest == left


def test_payments_are_emptied_as_they_were_made_unless_told_otherwise() -> None:
    pots = [Pot(1, 30), Pot(2, 30)]
    assert allocate(31, pots) == allocate(31, pots, "as_paid") != allocate(31, pots, "reverse")


@pytest.mark.parametrize(
    ("amount", "order", "sentence"),
    [
        (-1, "as_paid", "a payout is never negative"),
        (1, "alphabetical", "`alphabetical` is no order of payments; there are as_paid and reverse"),
    ],
)
def test_what_makes_no_sense_is_refused(amount: int, order: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        allocate(amount, [Pot(1, 100)], order)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("currency", "step"), [("GBP", 1), ("JPY", 1), ("ISK", 1), ("KWD", 10), ("BHD", 10), ("TND", 10)]
)
def test_three_decimal_currencies_move_in_tens(currency: str, step: int) -> None:
    assert step_of(currency) == step
    assert payable(1335, step) == 1335 // step * step


@pytest.mark.parametrize(
    ("day", "days", "expected"),
    [("2026-11-20", 1, "2026-11-23"), ("2026-11-20", 5, "2026-11-27"), ("2026-11-21", 1, "2026-11-23")],
)
def test_banks_do_not_work_at_weekends(day: str, days: int, expected: str) -> None:
    assert clock.add_working_days(moment(day).date(), days) == moment(expected).date()
