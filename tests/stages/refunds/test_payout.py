"""When a payout is planned, from what, what holds it back, and what staff may do about it."""

from __future__ import annotations

import pytest

from portal.errors import Conflict, Invalid
from portal.orders.models import Payment
from portal.refunds import actions, payout, reconcile
from portal.refunds.listing import list_refunds
from portal.refunds.models import Refund
from tests.stages.refunds.world import STAFF, World


def test_money_that_was_refunded_by_hand_before_is_never_paid_again_and_the_difference_is_named(
    quick_world: World,
) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3000)
    world.deliver(world.events("refund.created")[0])
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    world.work()
    assert world.at_stripe() == [(3000, "succeeded"), (2000, "succeeded")]
    view = world.money(return_id)
    assert (view.state, view.open.minor) == ("partly_refunded", 3000)
    assert world.questions() == [("refund_failed", "short")]


def test_already_refunded_is_no_proof_that_this_return_was_paid(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.stripe.control("refunds", payment_intent=world.intent(order_id))
    assert world.submit(refund_id) is None
    assert world.refund(refund_id).failure_code == "charge_already_refunded"
    world.deliver(world.events("refund.created")[0])
    (payment,) = world.payments(order_id)
    assert (payment.refunding_minor, payment.refunded_elsewhere_minor) == (0, 5000)
    world.check_books()


def test_what_was_released_uncaptured_is_not_counted_as_paid_back(quick_world: World) -> None:
    world = quick_world
    intent = world.stripe.pay(20675, capture_method="manual").id
    world.stripe.client().v1.payment_intents.capture(intent, {"amount_to_capture": 20300})
    order_id = world.order_with(
        [Payment(position=1, payment_intent=intent, captured_minor=20300, currency="GBP")], 20300
    )
    for event in world.events("refund.created", "charge.refunded"):
        world.deliver(event)
    assert world.refundable(order_id) == [20300]
    world.pay(world.return_(order_id, 20300))
    world.work()
    assert world.refundable(order_id) == [0]
    assert (20300, "succeeded") in world.at_stripe()


def test_a_payout_waits_for_its_moment_and_happens_once(quick_world: World) -> None:
    world = quick_world
    return_id = world.return_(world.order(5000), 5000, status="authorized")
    assert world.pay(return_id, "authorized") == []
    assert world.pay(return_id, "in_transit") == []
    assert len(world.pay(return_id, "received")) == 1
    assert len(world.pay(return_id, "received")) == 1
    assert len(world.pay(return_id, "inspected")) == 1


def test_a_payout_is_planned_once_however_often_its_moment_comes(quick_world: World) -> None:
    world = quick_world
    return_id = world.return_(world.order(5000, card="pm_card_pendingRefund", quantity=2), 2000)
    first = world.pay(return_id)
    world.work()
    world.pay(return_id)
    assert world.refund_ids(return_id) == first


def test_each_payment_gives_what_is_left_of_it_and_the_next_one_the_rest(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(3000, 3000, quantity=3)
    for _ in range(3):
        world.pay(world.return_(order_id, 2000))
    for _ in range(3):
        world.work()
        world.later(minutes=1)
    assert sorted(amount for amount, _status in world.at_stripe()) == [1000, 1000, 2000, 2000]
    assert world.refundable(order_id) == [0, 0]


def test_a_payout_waits_for_the_inspection_where_the_policy_asks_for_one(quick_world: World) -> None:
    world = quick_world
    return_id = world.return_(world.order(5000), 5000, when="inspected")
    assert world.pay(return_id, "received") == []
    assert len(world.pay(return_id, "inspected")) == 1


def test_an_open_question_holds_the_payout_until_it_is_settled(quick_world: World) -> None:
    world = quick_world
    from portal.reviews import service as reviews

    return_id = world.return_(world.order(5000), 5000)
    with world.database.transaction() as tx:
        review = reviews.open_review(tx, kind="receipt", why="Grade C", return_id=return_id, due_at=tx.at)
    assert world.pay(return_id) == []
    with world.database.transaction(STAFF) as tx:
        reviews.settle(tx, tx.session.merge(review), "approved", "", "")
        payout.resume(tx, return_id, world.shop)
    assert len(world.refund_ids(return_id)) == 1


@pytest.mark.parametrize("status", ["requested", "under_review", "rejected", "canceled", "expired"])
def test_nothing_is_paid_for_a_return_that_is_not_agreed(quick_world: World, status: str) -> None:
    return_id = quick_world.return_(quick_world.order(5000), 5000, status=status)
    assert quick_world.pay(return_id, "inspected") == []


def test_nothing_owed_makes_no_call_and_closes(quick_world: World) -> None:
    world = quick_world
    return_id = world.return_(world.order(5000), 0)
    assert world.pay(return_id) == []
    world.work()
    assert world.status(return_id) == "closed"
    assert world.stripe.requests("POST", "/v1/refunds") == []


def test_an_order_without_a_known_payment_is_a_question_not_a_guess(quick_world: World) -> None:
    world = quick_world
    order_id = world.order_with([], 5000)
    return_id = world.return_(order_id, 5000)
    assert world.pay(return_id) == []
    assert world.questions() == [("refund_failed", "short")]
    assert world.money(return_id).state == "held"


def test_a_dispute_freezes_the_order_and_what_it_held_goes_on_when_it_is_won(world: World) -> None:
    order_id = world.order(5000)
    return_id = world.return_(order_id, 5000)
    dispute = world.stripe.control("disputes", payment_intent=world.intent(order_id))
    world.deliver(world.events("charge.dispute.created")[0])
    assert world.questions() == [("dispute", "needs_response")]
    assert world.pay(return_id) == []
    world.stripe.control(f"disputes/{dispute['id']}", status="won")
    world.deliver(world.events("charge.dispute.closed")[0])
    world.work()
    assert world.at_stripe() == [(5000, "succeeded")]
    assert world.questions() == []
    assert world.status(return_id) == "closed"


def test_a_dispute_on_one_payment_freezes_all_money_of_the_order_until_it_is_won(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(3000, 2000)
    dispute = world.stripe.control("disputes", payment_intent=world.intent(order_id, 1))
    with world.database.transaction() as tx:
        tx.session.get_one(Payment, world.payments(order_id)[0].id).disputed_at = tx.at
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    world.work()
    assert world.at_stripe() == []
    assert [kind for kind, _ in world.questions()] == ["dispute"]
    world.stripe.control(f"disputes/{dispute['id']}", status="won")
    world.deliver(world.events("charge.dispute.closed")[0])
    assert sorted(world.at_stripe()) == [(2000, "succeeded"), (3000, "succeeded")]
    assert world.status(return_id) == "closed"


def test_an_inquiry_freezes_nothing(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("disputes", payment_intent=world.intent(order_id), status="warning_needs_response")
    world.deliver(world.events("charge.dispute.created")[0])
    world.pay(world.return_(order_id, 5000))
    world.work()
    assert world.at_stripe() == [(5000, "succeeded")]


@pytest.mark.parametrize("status", ["submitted", "unknown", "pending", "requires_action", "succeeded"])
def test_what_may_still_arrive_is_neither_retried_nor_paid_by_another_way(quick_world: World, status: str) -> None:
    world = quick_world
    # Enough is left of the payment for another one: only that this one may still arrive forbids it.
    (refund_id,) = world.pay(world.return_(world.order(5000), 2000))
    with world.database.transaction() as tx:
        tx.session.get_one(Refund, refund_id).status = status
    number = world.refund(refund_id).public_id
    for act in (actions.retry, actions.mark_paid_elsewhere):
        with pytest.raises(Conflict) as refused, world.database.transaction(STAFF) as tx:
            act(tx, number, "please")
        assert refused.value.state == status


def test_a_failed_refund_paid_by_bank_transfer_is_refunded_and_never_moved_by_stripe_again(quick_world: World) -> None:
    world = quick_world
    return_id, refund_id = world.paid_return(5000, card="pm_card_refundFail")
    world.work()
    number = world.refund(refund_id).stripe_refund_id
    world.stripe.control(f"refunds/{number}", status="failed")
    world.later(days=1)
    world.sweep()
    with world.database.transaction(STAFF) as tx:
        actions.mark_paid_elsewhere(tx, world.refund(refund_id).public_id, "Bank transfer of 23 November.")
    assert world.money(return_id).state == "refunded"
    reconcile.check(world.database, world.gateway, refund_id)
    assert world.refund(refund_id).status == "succeeded"
    assert world.refundable(1) == [0]


def test_lists_are_paged_newest_first_and_refuse_nonsense(world: World) -> None:
    order_id = world.order(5000, quantity=5)
    for amount in (100, 200, 300):
        world.pay(world.return_(order_id, amount))
    with world.database.read() as session:
        first, cursor = list_refunds(session, limit=2)
        assert [refund.amount_minor for refund in first] == [300, 200]
        last, end = list_refunds(session, limit=2, cursor=cursor)
        assert [refund.amount_minor for refund in last] == [100]
        assert end is None
        for wrong in ({"status": "gone"}, {"cursor": "x"}, {"cursor": "9" * 40}, {"limit": 0}, {"limit": 1000}):
            with pytest.raises(Invalid):
                list_refunds(session, **wrong)  # type: ignore[arg-type]
