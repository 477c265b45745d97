"""Any sequence of partial returns sums exactly to what was paid, never passes it on the way, and Stripe has the same books."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from babel.core import get_global
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.adapters.stripe_money import stripe_step, to_stripe
from portal.money import units_worth
from portal.refunds import reconcile
from portal.refunds.allocation import step_of
from tests.stages.refunds.world import World

FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"kind": "timeout_after"},
    {"kind": "drop_before"},
    {"kind": "gateway", "status": 503},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "truncated"},
)


@st.composite
def purchases(draw: st.DrawFn) -> tuple[str, list[int], list[tuple[int, int]]]:
    """A currency, what each payment captured, and the unit ranges in which everything comes back, in any order."""
    currency = draw(st.sampled_from(["GBP", "GBP", "JPY", "KWD", "ISK"]))
    step = step_of(currency)
    captured = [step * draw(st.integers(100, 3000)) for _ in range(draw(st.integers(1, 3)))]
    quantity = draw(st.integers(1, 6))
    cuts = sorted(draw(st.sets(st.integers(1, quantity))) | {0, quantity})
    ranges = [(first + 1, last) for first, last in pairwise(cuts)]
    return currency, captured, draw(st.permutations(ranges))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(purchases(), st.lists(st.sampled_from(FAULTS), min_size=12, max_size=12))
def test_partial_returns_sum_to_what_was_paid_whatever_the_network_does(
    quick_world: World, purchase: tuple[str, list[int], list[tuple[int, int]]], faults: list[dict[str, Any]]
) -> None:
    world = quick_world
    world.stripe.reset()
    world.stripe.control("faults", "DELETE")
    currency, captured, ranges = purchase
    quantity, total = sum(last - first + 1 for first, last in ranges), sum(captured)
    order_id = world.order(*captured, currency=currency, quantity=quantity)
    bad = iter(faults)
    share = 0
    for first, last in ranges:
        amount = units_worth(total, quantity, first, last)
        share += amount
        return_id = world.return_(order_id, amount)
        for refund_id in world.pay(return_id):
            fault = dict(next(bad, {}))
            if fault:
                world.stripe.fault(fault.pop("kind"), method="POST", path="/v1/refunds", **fault)
            while world.submit(refund_id) is not None:
                world.check_books(order_id)
                world.later(minutes=1)
            world.stripe.control("faults", "DELETE")
        paid = sum(payment.refunding_minor for payment in world.payments(order_id))
        assert share - step_of(currency) < paid <= share, "never more than the share, less only by a part of one step"
        world.check_books(order_id)
    assert world.refundable(order_id) == [0] * len(captured)
    assert sum(amount for amount, _ in world.at_stripe()) == sum(to_stripe(amount, currency) for amount in captured)
    assert world.questions() == []
    for payment in world.payments(order_id):
        reconcile.look_at_payment(world.database, world.gateway, payment.payment_intent or "")
    assert world.refundable(order_id) == [0] * len(captured), "and looking again finds nothing new"


def test_a_planned_amount_fits_stripes_step_in_every_currency() -> None:
    for currency in sorted(get_global("all_currencies")):
        for count in (1, 3, 7):
            assert to_stripe(step_of(currency) * count, currency) % stripe_step(currency) == 0
