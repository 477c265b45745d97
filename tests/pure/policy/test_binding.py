"""Meaning 8: the version in force at purchase binds; a later one is offered only where it is kinder in all."""

from __future__ import annotations

import pytest

from portal.policy.binding import Version, bind, decide_bound, kinder
from portal.policy.decision import ACCEPT
from portal.policy.engine import decide
from tests.pure.policy.samples import JUMPER, policy, utc
from tests.pure.policy.samples import OTHERWISE as TERMS


def version(number: int, month: int, rules: str = "", extra: str = "", otherwise: str = TERMS) -> Version:
    return Version(number, utc(2026, month, 1), policy(rules, extra=extra, otherwise=otherwise))


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
