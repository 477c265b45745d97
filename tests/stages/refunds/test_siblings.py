"""Siblings of the cases in docs/money.md: bugs that nobody has reported yet, next to those that somebody has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from portal.db import Tx
from portal.errors import Conflict
from portal.orders.models import Payment
from portal.refunds import actions, goodwill, reconcile, settle
from portal.refunds.books import check_books
from portal.refunds.lifecycle import Step
from portal.refunds.models import Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import lock_refund
from tests.stages.refunds.world import SHOP, STAFF, World


def test_more_than_was_paid_in_two_steps_is_cut_and_the_rest_is_a_question(world: World) -> None:
    order_id = world.order(10000, quantity=2)
    world.pay(world.return_(order_id, 6000))
    world.work()
    second = world.return_(order_id, 6000)
    world.pay(second)
    world.later(seconds=5)
    world.work()
    assert sorted(world.at_stripe()) == [(4000, "succeeded"), (6000, "succeeded")]
    assert world.questions() == [("refund_failed", "short")]
    assert world.refundable(order_id) == [0]
    assert world.status(second) != "closed", "not everything has arrived"
    world.check_books()


def test_one_refund_at_stripe_belongs_to_one_row(world: World) -> None:
    order_id = world.order(5000, quantity=2)
    first, second = (world.pay(world.return_(order_id, 1000))[0] for _ in range(2))
    world.submit(first)
    taken = world.refund(first).stripe_refund_id
    same = update(Refund).where(Refund.id == second).values(stripe_refund_id=taken)
    with pytest.raises(IntegrityError), world.database.transaction() as tx:
        tx.session.execute(same)


@pytest.mark.parametrize("change", [{"currency": "USD"}, {"amount_minor": 999}, {"amount_minor": 5001}])
def test_our_number_over_another_amount_or_currency_moves_nothing_and_asks(
    quick_world: World, change: dict[str, Any]
) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.work()
    view = world.gateway.read_refund(world.refund(refund_id).stripe_refund_id or "")
    with world.database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        assert settle.take_over(tx, refund, payment, replace(view, status="succeeded", **change)) is Step.OLD
    assert world.refund(refund_id).status == "pending"
    assert [kind for kind, _ in world.questions()] == ["refund_unknown"]
    world.check_books()


@pytest.mark.parametrize("status", ["canceled", "rejected", "expired"])
def test_a_return_that_has_ended_is_never_paid(quick_world: World, status: str) -> None:
    world = quick_world
    return_id = world.return_(world.order(5000), 5000, status=status)
    assert world.pay(return_id) == []
    assert world.refundable(1) == [5000]


def test_two_equal_refunds_keep_their_own_news(quick_world: World) -> None:
    # Same payment, same amount: what fails is told apart by our number, not by the amount.
    world = quick_world
    order_id = world.order(5000, card="pm_card_pendingRefund", quantity=2)
    ids = [world.pay(world.return_(order_id, 1000))[0] for _ in range(2)]
    for refund_id in ids:
        world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
        world.submit(refund_id)
        world.later(minutes=1)
    by_number = {made["metadata"]["refund"]: made["id"] for made in world.stripe.refunds()}
    world.stripe.control(f"refunds/{by_number[world.refund(ids[1]).public_id]}", status="failed")
    world.stripe.control(f"refunds/{by_number[world.refund(ids[0]).public_id]}", status="succeeded")
    for event in reversed(world.events("refund.created", "refund.updated", "refund.failed")):
        world.deliver(event)
    assert [world.refund(refund_id).status for refund_id in ids] == ["succeeded", "failed"]
    world.check_books()


def test_a_failed_refund_is_not_sent_again_once_somebody_paid_it_by_hand_at_stripe(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_refundFail")
    world.work()
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
    world.stripe.control("refunds", payment_intent=world.intent(1), amount=5000)
    reconcile.look_at_payment(world.database, world.gateway, world.intent(1))
    with pytest.raises(Conflict, match="left"), world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(refund_id).public_id, "again")
    with pytest.raises(Conflict, match="left"), world.database.transaction(STAFF) as tx:
        actions.mark_paid_elsewhere(tx, world.refund(refund_id).public_id, "by bank")
    assert [status for _, status in world.at_stripe()] == ["failed", "succeeded"]
    world.check_books()


def test_a_failure_is_learned_from_its_one_message_alone(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_refundFail")
    world.work()
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
    (event,) = world.events("refund.failed")
    world.deliver(event)
    assert world.refund(refund_id).status == "failed"
    assert world.refundable(1) == [5000]


def test_messages_about_what_belongs_to_nobody_here_change_nothing(quick_world: World) -> None:
    # The Stripe account sells elsewhere too, or the message is of another account altogether.
    world = quick_world
    world.paid_return(5000)
    world.work()
    stranger = world.stripe.pay(3000).id
    world.stripe.control("refunds", payment_intent=stranger, amount=1000)
    before = world.at_stripe(), world.refundable(1), world.said("refund.imported")
    for event in world.events("refund.created", "charge.refunded"):
        world.deliver(event)
    world.deliver(
        {"id": "evt_x", "type": "refund.updated", "data": {"object": {"object": "refund", "id": "re_elsewhere"}}}
    )
    assert (world.at_stripe(), world.refundable(1), world.said("refund.imported")) == before
    world.check_books()


def _failed_beside_credit(world: World) -> str:
    """An order over 100.00 whose refund of 50.00 bounced, with 50.00 of credit and a gift of 30.00; the refund's number."""
    order_id = world.order(10000, quantity=2)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.work()
    with world.database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        settle.lose(tx, refund, payment, status="failed", code="expired_or_canceled_card", sentence="It came back.")
    world.pay(world.return_(order_id, 0, credit=5500, bonus=500, resolution="store_credit"))
    with world.database.transaction(STAFF) as tx:
        goodwill.give(tx, order_id, goodwill.Gift(3000), reason="sorry", command_key="k", shop=SHOP)
    return world.refund(refund_id).public_id


@pytest.mark.parametrize("command", [actions.retry, actions.mark_paid_elsewhere])
def test_a_failed_refund_is_not_paid_from_what_stands_for_store_credit(
    quick_world: World, command: Callable[[Tx, str, str], Refund]
) -> None:
    public_id = _failed_beside_credit(quick_world)
    assert quick_world.refundable(1) == [7000]
    with pytest.raises(Conflict, match="given as store credit"), quick_world.database.transaction(STAFF) as tx:
        command(tx, public_id, "again")
    assert quick_world.refundable(1) == [7000]


def test_the_night_names_credit_and_refunds_above_what_was_paid_bonus_aside(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(10000, quantity=2)
    world.pay(world.return_(order_id, 5000))
    world.pay(world.return_(order_id, 0, credit=5500, bonus=500, resolution="store_credit"))
    with world.database.read() as session:
        assert check_books(session) == []
    with world.database.transaction() as tx:
        tx.session.execute(update(Payment).values(captured_minor=9999))
    with world.database.read() as session:
        (found,) = check_books(session)
    assert found.what == "over_captured"
    assert "was paid 9999; 5000 go back and 5000 were given as store credit" in found.sentence
