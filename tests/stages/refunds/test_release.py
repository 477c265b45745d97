"""A payment that was not captured is canceled, or less of it is captured; nothing is refunded that was never taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from portal.errors import Conflict
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import actions, gate, reconcile, report, undo
from portal.refunds.queries import let_go
from portal.refunds.report import compare
from portal.returns.models import Return
from tests.stages.refunds.world import STAFF, World


def intent_of(world: World, order_id: int) -> Any:
    return world.stripe.client().v1.payment_intents.retrieve(world.intent(order_id))


def check(world: World, order_id: int) -> None:
    """Nothing is taken in as refunded by hand, and both sides are the same."""
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    assert world.payments(order_id)[0].refunded_elsewhere_minor == 0
    assert compare(world.database, world.gateway).differences == ()


def test_the_return_of_everything_cancels_the_payment(world: World) -> None:
    order_id = world.authorized(5000)
    return_id = world.return_(order_id, 5000)
    (refund_id,) = world.pay(return_id)
    world.work()
    assert intent_of(world, order_id).status == "canceled"
    refund = world.refund(refund_id)
    assert (refund.status, refund.way, refund.stripe_refund_id) == ("succeeded", "release", None)
    assert world.refundable(order_id) == [0]
    assert world.status(return_id) == "closed"
    view = world.money(return_id)
    assert (view.state, view.pieces[0].state) == ("refunded", "released")
    with world.database.read() as session:
        assert let_go(session, [session.get_one(Return, return_id)]) == {return_id}
    assert view.let_go
    assert view.never_charged
    assert not view.charged
    assert world.questions() == []
    assert world.said("refund.released") == 1
    for event in world.events("refund.created", "charge.refunded"):
        world.deliver(event)
    check(world, order_id)


def test_the_return_of_a_part_captures_less_and_the_next_one_is_refunded(world: World) -> None:
    order_id = world.authorized(10000, quantity=2)
    first = world.return_(order_id, 3000)
    world.pay(first)
    world.work()
    paid = intent_of(world, order_id)
    assert (paid.status, paid.amount_received) == ("succeeded", 7000)
    assert world.money(first).pieces[0].charged == Money(7000, "GBP")
    (second,) = world.pay(world.return_(order_id, 7000))
    world.work()
    refund = world.refund(second)
    assert (refund.status, refund.way) == ("succeeded", "refund")
    assert world.refundable(order_id) == [0]
    assert world.questions() == []
    check(world, order_id)


def test_money_that_was_let_go_is_no_refund_beside_store_credit(quick_world: World) -> None:
    world = quick_world
    order_id = world.authorized(10000, quantity=2)
    return_id = world.return_(order_id, 3000, credit=2000)
    world.pay(return_id)
    world.work()
    view = world.money(return_id)
    assert (view.let_go, view.never_charged) == (True, False)


def test_two_returns_at_once_are_one_capture_and_one_refund(world: World) -> None:
    order_id = world.authorized(10000, quantity=2)
    for amount in (3000, 2000):
        world.pay(world.return_(order_id, amount))
    for _ in range(3):
        world.work()
        world.later(minutes=1)
    paid = intent_of(world, order_id)
    refunded = sum(each["amount"] for each in world.stripe.refunds() if each["metadata"])
    assert paid.amount_received - refunded == 5000, "the customer has paid for what is kept, and for nothing else"
    assert world.refundable(order_id) == [5000]
    assert world.questions() == []
    check(world, order_id)


def test_what_an_unsure_capture_may_have_given_free_is_nobody_elses(world: World) -> None:
    order_id = world.authorized(10000, quantity=2)
    first, second = (world.pay(world.return_(order_id, amount))[0] for amount in (3000, 2000))
    for refund_id in (first, second):
        world.submit(refund_id)
        assert world.refund(refund_id).way == "release"
    world.stripe.fault("timeout_after", method="POST", path="/v1/payment_intents/*")
    for _ in range(4):
        world.work()
        world.later(minutes=20)
    paid = intent_of(world, order_id)
    refunded = sum(each["amount"] for each in world.stripe.refunds() if each["metadata"])
    assert paid.amount_received - refunded == 5000
    let_go = [world.refund(refund_id) for refund_id in (first, second) if world.refund(refund_id).status == "succeeded"]
    assert [10000 - paid.amount_received] == [refund.amount_minor for refund in let_go]
    assert world.questions() == []
    check(world, order_id)


@pytest.mark.parametrize("amount", [3000, 10000], ids=["capture less", "cancel"])
@pytest.mark.parametrize("kind", ["timeout_after", "drop_before", "error"])
def test_a_lost_answer_is_found_by_looking_and_nothing_is_done_twice(
    quick_world: World, amount: int, kind: str
) -> None:
    world = quick_world
    order_id = world.authorized(10000)
    (refund_id,) = world.pay(world.return_(order_id, amount))
    world.stripe.fault(kind, method="POST", path="/v1/payment_intents/*")
    world.work()
    assert world.refund(refund_id).status == "unknown"
    assert world.refundable(order_id) == [10000 - amount]
    for act in (actions.mark_paid_elsewhere, actions.declare_unsent, undo.take_back):
        # It may be free at Stripe: whatever else gave the customer this amount would give it twice.
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            act(tx, world.refund(refund_id).public_id, "The customer needs it today.")
    for _ in range(4):
        world.later(minutes=20)
        world.work()
    refund, paid = world.refund(refund_id), intent_of(world, order_id)
    # Stripe remembers its own fault under the key; the next try has another.
    assert refund.status == "succeeded"
    assert paid.amount_received == (10000 - amount if amount < 10000 else 0)
    check(world, order_id)


def test_a_worker_that_died_after_the_capture_is_followed_by_one_that_looks(world: World) -> None:
    order_id = world.authorized(10000)
    (refund_id,) = world.pay(world.return_(order_id, 3000))
    world.submit(refund_id)
    assert world.refund(refund_id).way == "release"
    world.captures.capture_payment(
        world.intent(order_id), 7000, "GBP", "of the dead worker", instead_of=world.refund(refund_id).public_id
    )
    world.work()
    assert world.refund(refund_id).status == "succeeded"
    assert intent_of(world, order_id).amount_received == 7000
    check(world, order_id)


@pytest.mark.parametrize("amount", [3000, 10000], ids=["captured less", "canceled"])
@pytest.mark.parametrize("told", [10000, 7000], ids=["told whole", "told less"])
def test_a_backup_older_than_a_payment_let_go_learns_of_it_in_the_night_after(
    quick_world: World, tmp_path: Path, amount: int, told: int
) -> None:
    world = quick_world
    order_id = world.authorized(10000)
    return_id = world.return_(order_id, amount)
    (refund_id,) = world.pay(return_id)
    backup = world.back_up(tmp_path)
    world.work()
    world.restore(backup)
    with world.database.transaction() as tx:
        tx.session.execute(update(Payment).values(captured_minor=max(told, amount)))
    report.nightly(world.database, world.gateway)
    for act in (actions.mark_paid_elsewhere, undo.take_back):
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            act(tx, world.refund(refund_id).public_id, "by bank")
    refund = world.refund(refund_id)
    assert (refund.status, refund.way) == ("succeeded", "release")
    assert world.money(return_id).let_go
    world.work()
    assert world.stripe.requests("POST")[-1]["path"].endswith(("/capture", "/cancel")), "nothing was sent since"
    check(world, order_id)


def test_a_backup_older_than_a_capture_of_less_sends_no_refund_of_what_was_never_taken(
    quick_world: World, tmp_path: Path
) -> None:
    # Stripe has forgotten the refund's key, with which it refused, and has captured enough by now to pay it.
    world = quick_world
    order_id = world.authorized(10000)
    (refund_id,) = world.pay(world.return_(order_id, 3000))
    backup = world.back_up(tmp_path)
    world.work()
    world.restore(backup)
    world.stripe.control("clock", seconds=48 * 3600)
    world.later(hours=48)
    world.submit(refund_id)
    assert [each for each in world.stripe.refunds() if each["metadata"]] == []
    assert world.refund(refund_id).way == "release"
    check(world, order_id)


def test_what_the_shop_itself_captured_less_is_no_refund_given_free(quick_world: World) -> None:
    # It knew of an article that was never sent; the customer was charged for the one that comes back.
    world = quick_world
    order_id = world.authorized(10000)
    world.stripe.client().v1.payment_intents.capture(world.intent(order_id), {"amount_to_capture": 7000})
    (refund_id,) = world.pay(world.return_(order_id, 3000))
    report.nightly(world.database, world.gateway)
    assert world.refund(refund_id).status == "planned"
    world.work()
    assert world.at_stripe()[0] == (3000, "succeeded")
    assert world.refund(refund_id).way == "refund"


def test_a_payment_that_the_shop_has_canceled_itself_is_settled_without_a_call(quick_world: World) -> None:
    world = quick_world
    order_id = world.authorized(5000)
    world.stripe.client().v1.payment_intents.cancel(world.intent(order_id))
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.stripe.control("requests", "DELETE")
    world.work()
    assert [request["path"] for request in world.stripe.requests("POST")] == ["/v1/refunds"]
    assert world.refund(refund_id).status == "succeeded"
    check(world, order_id)


def test_a_payment_captured_in_the_meantime_is_refunded_under_a_new_key(quick_world: World) -> None:
    world = quick_world
    order_id = world.authorized(5000)
    return_id = world.return_(order_id, 5000)
    (refund_id,) = world.pay(return_id)
    world.submit(refund_id)
    world.stripe.client().v1.payment_intents.capture(world.intent(order_id))
    world.work()
    refund = world.refund(refund_id)
    assert (refund.status, refund.failure_code) == ("failed", "not_captured")
    assert "does not have a successful charge" in refund.failure_reason
    assert world.at_stripe() == [(5000, "succeeded")]
    assert world.questions() == []
    assert world.said("refund.failed") == 0, "the customer is not alarmed"
    assert world.money(return_id).state == "refunded"
    check(world, order_id)


def test_a_refusal_without_a_code_of_a_captured_payment_is_one_question_and_no_second_refund(world: World) -> None:
    order_id = world.order(5000, quantity=2)
    (first,) = world.pay(world.return_(order_id, 2000))
    world.work()
    world.stripe.control(f"refunds/{world.refund(first).stripe_refund_id}", status="failed")
    world.deliver(world.events("refund.failed")[0])
    world.stripe.control("settings", refund_after_failure="refuse")
    second = world.return_(order_id, 3000)
    (refund_id,) = world.pay(second)
    for _ in range(3):
        world.work()
        world.later(minutes=30)
        world.sweep()
    assert world.refund_ids(second) == [refund_id]
    refund = world.refund(refund_id)
    assert (refund.status, refund.failure_code) == ("failed", "refused")
    assert "previous attempt" in refund.failure_reason
    assert ("refund_failed", "refused") in world.questions()
    assert world.refundable(order_id) == [5000]


def test_a_payment_that_stripe_shows_as_captured_and_goes_on_refusing_is_tried_once_more_only(
    quick_world: World,
) -> None:
    world = quick_world
    order_id = world.order(5000)
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    refusal = {
        "type": "invalid_request_error", "param": "payment_intent",
        "message": "This PaymentIntent (pi_x) does not have a successful charge to refund.",
    }  # fmt: skip
    world.stripe.fault("answer", method="POST", path="/v1/refunds", status=400, error=refusal, times=-1)
    for _ in range(4):
        world.work()
        world.later(minutes=30)
        world.sweep()
    assert [world.refund(each).status for each in world.refund_ids(return_id)] == ["failed", "failed"]
    assert world.questions() == [("refund_failed", "not_captured")]
    assert world.refundable(order_id) == [5000]


def test_a_payment_that_never_succeeded_gives_nothing_back_and_staff_read_why(quick_world: World) -> None:
    world = quick_world
    created = world.stripe.client().v1.payment_intents.create({"amount": 5000, "currency": "gbp"})
    order_id = world.authorized(5000)
    with world.database.transaction() as tx:
        from portal.orders.models import Payment

        tx.session.query(Payment).filter_by(order_id=order_id).update({"payment_intent": created.id})
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.work()
    refund = world.refund(refund_id)
    assert (refund.status, refund.failure_code) == ("failed", "not_captured")
    assert world.questions() == [("refund_failed", "not_captured")]


def test_what_could_not_be_given_free_and_was_paid_by_hand_is_no_release_and_the_rest_is_captured(
    quick_world: World,
) -> None:
    world = quick_world
    order_id = world.authorized(10000, quantity=2)
    return_id = world.return_(order_id, 3000)
    (first,) = world.pay(return_id)
    refusal = {"type": "invalid_request_error", "code": "resource_missing", "message": "No."}
    world.stripe.fault("answer", method="POST", path="/v1/payment_intents/*", status=400, error=refusal, times=-1)
    for _ in range(8):
        world.work()
        world.later(hours=1)
    assert (world.refund(first).status, world.refund(first).way) == ("failed", "release")
    with world.database.transaction(STAFF) as tx:
        actions.mark_paid_elsewhere(tx, world.refund(first).public_id, "At the till.", how="cash")
    view = world.money(return_id)
    assert (view.pieces[0].state, view.never_charged, view.let_go) == ("arrived", False, False)

    world.stripe.control("faults", "DELETE")
    world.pay(world.return_(order_id, 2000))
    for _ in range(3):
        world.work()
        world.later(hours=1)
    # 30.00 went back in cash, 20.00 is never taken: the customer has paid for what is kept.
    assert intent_of(world, order_id).amount_received == 8000
    assert world.refundable(order_id) == [5000]
    check(world, order_id)


def test_a_stop_holds_what_would_be_captured_or_canceled(quick_world: World) -> None:
    world = quick_world
    order_id = world.authorized(5000)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.submit(refund_id)
    with world.database.transaction(STAFF) as tx:
        gate.stop(tx, "Wait.")
    world.work()
    assert intent_of(world, order_id).status == "requires_capture"
    with world.database.transaction(STAFF) as tx:
        assert gate.resume(tx, "Go on.") >= 1
    world.work()
    assert intent_of(world, order_id).status == "canceled"


def test_one_that_was_forgotten_is_swept_up(quick_world: World) -> None:
    world = quick_world
    order_id = world.authorized(5000)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.submit(refund_id)
    with world.database.transaction() as tx:
        from portal.jobs import Job

        tx.session.query(Job).delete()
    world.later(hours=2)
    world.sweep()
    assert world.refund(refund_id).status == "succeeded"


@pytest.mark.parametrize("amount", [6000, 1000], ids=["all of one order", "a part of one order"])
def test_a_payment_that_pays_for_two_orders_is_left_to_people(quick_world: World, amount: int) -> None:
    world = quick_world
    whole = world.stripe.pay(10000, capture_method="manual").id
    returned, _kept = (
        world.order_with(
            [Payment(position=1, payment_intent=whole, captured_minor=n, currency="GBP", method="Visa")], n
        )
        for n in (6000, 4000)
    )
    (refund_id,) = world.pay(world.return_(returned, amount))
    world.work()
    paid = world.stripe.client().v1.payment_intents.retrieve(whole)
    assert (paid.status, paid.amount_received) == ("requires_capture", 0)
    assert world.refund(refund_id).status == "failed"
    assert len(world.questions()) == 1
    assert world.refundable(returned) == [6000]
