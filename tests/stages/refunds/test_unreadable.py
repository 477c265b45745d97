"""What Stripe shows in an amount or a currency that nobody can count stops no job: staff see it, everything else goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import stripe

from portal.adapters import stripe_gateway
from portal.errors import UpstreamError
from portal.refunds import disputes, reconcile, report
from portal.refunds.gateway import PaymentView, RefundView, Span
from tests.stages.refunds.world import World

HALF = "Stripe's amount 150 ISK is no whole number of the currency's minor unit"


class Odd:
    """Stripe, with one thing about a payment that cannot be read."""

    def __init__(self, world: World, **odd: Any) -> None:
        self._real, self._odd = world.gateway, odd

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def list_refunds(self, of: str | Span) -> list[RefundView]:
        return [replace(view, **self._odd) for view in self._real.list_refunds(of)]

    def read_refund(self, refund_id: str) -> RefundView:
        return replace(self._real.read_refund(refund_id), **self._odd)


class NoPayment(Odd):
    def read_payment(self, payment_intent: str) -> PaymentView:
        raise UpstreamError("unreadable_amount", retryable=False, public_message="no", staff_message=HALF)


def test_an_amount_between_two_units_is_shown_as_such_and_never_rounded() -> None:
    made = {"id": "re_1", "amount": 150, "currency": "isk", "created": 0, "status": "succeeded", "payment_intent": "pi"}
    view = stripe_gateway._refund_view(stripe.Refund.construct_from(made, "k"))
    assert (view.amount_minor, view.unreadable) == (0, HALF)


def test_a_payment_that_cannot_be_read_is_refused_in_the_words_of_the_port() -> None:
    with pytest.raises(UpstreamError, match="no whole number") as refused:
        stripe_gateway._readable(150, "ISK")
    assert (refused.value.code, refused.value.retryable) == ("unreadable_amount", False)


@pytest.mark.parametrize(
    "odd", [{"unreadable": HALF, "amount_minor": 0}, {"currency": "USD"}], ids=["amount", "currency"]
)
def test_a_refund_of_ours_that_cannot_be_read_is_a_question(quick_world: World, odd: dict[str, Any]) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.work()
    reconcile.check(world.database, Odd(world, **odd), refund_id)
    assert [kind for kind, _fact in world.questions()] == ["refund_unknown"]
    assert world.refund(refund_id).status == "pending"
    world.check_books()


@pytest.mark.parametrize(
    "odd", [{"unreadable": HALF, "amount_minor": 0}, {"currency": "USD"}], ids=["amount", "currency"]
)
def test_a_refund_by_hand_that_cannot_be_read_is_named_each_night_and_hides_no_other(
    quick_world: World, odd: dict[str, Any]
) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=1000)
    seen = reconcile.look_at_payment(world.database, Odd(world, **odd), world.intent(order_id))
    assert "can't be counted" in str(seen)
    assert world.refundable(order_id) == [5000]
    found = report.compare(world.database, Odd(world, **odd))
    assert [each.what for each in found.differences] == ["unknown_here"]
    report.nightly(world.database, Odd(world, **odd))


def test_a_payment_that_cannot_be_read_stops_neither_night_nor_job(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    _return_id = world.return_(order_id, 1000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=500)
    report.nightly(world.database, NoPayment(world))
    assert world.refundable(order_id) == [4500], "it counts as refunded by hand, which gives less and not more"


def test_a_refund_that_stripe_refuses_to_show_is_a_question_and_no_job_that_fails(quick_world: World) -> None:
    class Refuses(Odd):
        def read_refund(self, refund_id: str) -> RefundView:
            raise UpstreamError(
                "resource_missing", retryable=False, public_message="no", staff_message="No such refund"
            )

        def read_payment(self, payment_intent: str) -> PaymentView:
            raise UpstreamError("unreadable_amount", retryable=False, public_message="no", staff_message=HALF)

    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.work()
    for _round in range(2):
        reconcile.check(world.database, Refuses(world), refund_id)
    assert [kind for kind, _fact in world.questions()] == ["refund_unknown"]
    world.stripe.control("disputes", payment_intent=world.intent(1))
    disputes.look(world.database, world.gateway, world.intent(1))
    disputes.look_again(world.database, Refuses(world), world.intent(1))
    assert ("dispute", HALF) in world.questions()
