"""Several workers, clicks and messages at the same moment, on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from portal import clock, jobs
from portal.db import Actor, Tx
from portal.errors import PortalError
from portal.refunds import (
    actions,
    credit_notes,
    goodwill,
    payout,
    reconcile,
    second,
    settle,
    submit,
    undo,
    webhooks,
)
from portal.refunds.goodwill import Gift
from portal.refunds.models import Refund
from portal.refunds.signatures import sign
from portal.refunds.tenders import lock_orders, lock_refund
from tests.stages.refunds.world import STAFF, World, together


def _only(raised: list[BaseException], *kinds: type[BaseException]) -> None:
    assert [error for error in raised if not isinstance(error, kinds)] == []


@pytest.mark.parametrize("round_", range(3))
def test_workers_that_send_the_same_refund_make_one(pg_world: World, round_: int) -> None:
    world = pg_world
    _return_id, refund_id = world.paid_return(5000)
    world.stripe.control("settings", latency_ms=50)
    send = lambda: submit.submit(world.database, world.gateway, refund_id)  # noqa: E731
    _only(together(*[send] * 5), jobs.Later)
    assert world.at_stripe() == [(5000, "succeeded")]
    assert len(world.stripe.requests("POST", "/v1/refunds")) == 1, "the others waited"
    assert world.said("refund.succeeded") == 1
    world.check_books()


@pytest.mark.parametrize("round_", range(3))
def test_payouts_on_one_payment_together_never_exceed_it(pg_world: World, round_: int) -> None:
    world = pg_world
    order_id = world.order(10000, quantity=4)
    ids = [world.return_(order_id, 4000) for _ in range(4)]
    assert together(*[lambda return_id=return_id: world.pay(return_id) for return_id in ids]) == []
    world.work()
    for _ in range(6):
        world.later(seconds=5)
        world.work()
    assert sorted(world.at_stripe()) == [(2000, "succeeded"), (4000, "succeeded"), (4000, "succeeded")]
    assert world.refundable(order_id) == [0]
    assert world.questions() == [("refund_failed", "short")] * 2
    world.check_books()


def test_one_payout_clicked_five_times_is_planned_once(pg_world: World) -> None:
    world = pg_world
    return_id = world.return_(world.order(5000), 5000)
    assert together(*[lambda: world.pay(return_id)] * 5) == []
    assert len(world.refund_ids(return_id)) == 1
    assert world.said("payout.planned") == 1


def test_one_retry_clicked_five_times_sends_one_more(pg_world: World) -> None:
    world = pg_world
    return_id, refund_id = world.paid_return(5000, card="pm_card_refundFail")
    world.work()
    number = world.refund(refund_id)
    world.stripe.control(f"refunds/{number.stripe_refund_id}", status="failed")
    reconcile.look(world.database, world.gateway, refund_id)

    def click() -> None:
        with world.database.transaction(STAFF) as tx:
            actions.retry(tx, number.public_id, "again")

    def pay_by_hand() -> None:
        with world.database.transaction(STAFF) as tx:
            actions.mark_paid_elsewhere(tx, number.public_id, "bank transfer")

    _only(together(*[click] * 4, pay_by_hand), PortalError)
    world.work()
    assert world.refundable(1) == [0]
    assert len(world.refund_ids(return_id)) <= 2
    paid_by_hand = world.said("refund.paid_elsewhere")
    assert len([1 for _, status in world.at_stripe() if status != "failed"]) + paid_by_hand == 1
    world.check_books()


@pytest.mark.parametrize("round_", range(3))
def test_webhook_reconciler_and_answer_together_count_once(pg_world: World, round_: int) -> None:
    world = pg_world
    return_id, refund_id = world.paid_return(5000)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    world.later(minutes=1)
    for event in world.events("refund.created", "charge.refunded"):
        import json

        body = json.dumps(event).encode()
        now = clock.now()
        secret = world.stripe.webhook_secret
        webhooks.store(world.database, [secret], body, sign(body, secret, now), now)
    events = [event["id"] for event in world.events("refund.created", "charge.refunded")]
    doings: list[Callable[[], object]] = [
        lambda: submit.submit(world.database, world.gateway, refund_id),
        lambda: reconcile.check(world.database, world.gateway, refund_id),
        lambda: reconcile.look(world.database, world.gateway, refund_id),
    ]
    doings += [lambda event=event: webhooks.work(world.database, world.gateway, event) for event in events]
    _only(together(*doings), jobs.Later)
    assert world.refund(refund_id).status == "succeeded"
    assert world.refund_ids(return_id) == [refund_id]
    assert world.said("refund.succeeded") == 1
    assert world.said("refund.imported") == 0
    assert world.at_stripe() == [(5000, "succeeded")]
    assert world.status(return_id) == "closed"
    world.check_books()


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_message_arrives_while_the_answer_is_on_its_way(pg_world: World, status: str) -> None:
    # Stripe has made the refund, holds its answer back, and its message is worked on meanwhile: by the bank's word as well.
    world = pg_world
    return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.stripe.fault("hold", method="POST", path="/v1/refunds", when="after")
    sending = threading.Thread(target=lambda: submit.submit(world.database, world.gateway, refund_id))
    sending.start()
    while not world.events("refund.created"):
        sending.join(0.01)
    (made,) = world.stripe.refunds()
    world.stripe.control(f"refunds/{made['id']}", status=status)
    raised = together(
        *[lambda event=event: world.deliver(event) for event in world.events("refund.created", "charge.refunded")],
        lambda: world.stripe.control("faults/release", "POST"),
    )
    sending.join()
    _only(raised, jobs.Later)
    world.later(minutes=2)
    world.work()
    assert world.refund(refund_id).status == status
    assert world.refund_ids(return_id) == [refund_id]
    assert world.said("refund.failed") == (1 if status == "failed" else 0)
    assert len(world.stripe.refunds()) == 1
    world.check_books()


def test_a_refund_by_hand_against_a_payout_of_the_same_money(pg_world: World) -> None:
    world = pg_world
    order_id = world.order(5000)
    return_id = world.return_(order_id, 5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3000)
    doings: list[Callable[[], object]] = [
        lambda: reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id)),
        lambda: world.pay(return_id),
    ]
    assert together(*doings) == []
    world.work()
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    world.check_books()
    assert sum(amount for amount, status in world.at_stripe() if status == "succeeded") <= 5000


def test_returns_of_an_order_and_of_its_replacement_do_not_wait_for_each_other_for_ever(pg_world: World) -> None:
    from portal.orders.models import Order

    world = pg_world
    order_id = world.order(10000, quantity=2)
    origin = world.return_(order_id, 1000)
    child = world.order_with([], 4000)
    with world.database.transaction() as tx:
        tx.session.get_one(Order, child).replaces_return_id = origin
    ids = [world.return_(order_id, 1000) for _ in range(4)] + [world.return_(child, 1000) for _ in range(4)]
    assert together(*[lambda return_id=return_id: world.pay(return_id) for return_id in ids]) == []
    refunds = [refund_id for return_id in ids for refund_id in world.refund_ids(return_id)]
    for _ in range(12):
        sending = [lambda number=number: submit.submit(world.database, world.gateway, number) for number in refunds]
        _only(together(*sending), jobs.Later)
        world.later(seconds=40)
    assert len(world.at_stripe()) == 8
    assert {world.status(return_id) for return_id in ids} == {"closed"}
    world.check_books()


def test_planning_and_settling_of_one_return_together(pg_world: World) -> None:
    world = pg_world
    order_id = world.order(3000, 2000)
    return_id = world.return_(order_id, 5000)
    refunds = world.pay(return_id)

    def touch() -> None:
        with world.database.transaction() as tx:
            payout.resume(tx, return_id, world.shop)

    sending = [lambda number=number: submit.submit(world.database, world.gateway, number) for number in refunds]
    _only(together(*sending, touch, touch), jobs.Later)
    assert world.status(return_id) == "closed"
    world.check_books()


@pytest.mark.parametrize("act", ["take back", "credit note", "second person", "again"])
def test_a_gift_over_two_orders_waits_at_the_newer_one_and_holds_nothing_meanwhile(pg_world: World, act: str) -> None:
    # Somebody holds the replacement's order and takes the first order after it, as every payout does.
    from portal.orders.models import Order, Payment

    world = pg_world
    origin = world.order(5000)
    returned = world.return_(origin, 1000, status="closed")
    bought = world.stripe.pay(4000, "gbp", "pm_card_pendingRefund").id
    paid = Payment(position=1, payment_intent=bought, captured_minor=4000, currency="GBP", method="Visa")
    child = world.order_with([paid], 4000)
    with world.database.transaction() as tx:
        tx.session.get_one(Order, child).replaces_return_id = returned
    with world.database.transaction(STAFF) as tx:
        gift = goodwill.give(tx, child, Gift(6000), reason="late", command_key="g" * 20, shop=world.shop).id
    with world.database.read() as session:
        parts = list(session.scalars(select(Refund.id).where(Refund.goodwill_id == gift).order_by(Refund.id)))
        oldest = next(each for each in parts if session.get_one(Refund, each).payment.order_id == origin)
    number = world.refund(oldest).public_id
    with world.database.transaction() as tx:
        for each in parts:
            refund, payment = lock_refund(tx.session, each)
            if act == "second person":
                settle.hold_back(tx, refund, payment, "second_person", "much")
            elif act == "again":
                settle.lose(tx, refund, payment, status="failed", code="declined", sentence="no")
    doing: dict[str, Callable[[Tx], object]] = {
        "take back": lambda tx: undo.take_back(tx, number, "a mistake"),
        "credit note": lambda tx: credit_notes.issue_for_gift(tx, oldest, world.shop),
        "second person": lambda tx: second.approve(tx, number, "seen"),
        "again": lambda tx: actions.retry(tx, number, "again"),
    }
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with world.database.transaction(Actor("staff", "Maya", 77)) as tx:
                doing[act](tx)
        except BaseException as error:
            raised.append(error)

    with world.database.transaction() as tx:
        lock_orders(tx.session, [child])
        waiting = threading.Thread(target=run)
        waiting.start()
        for_us = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        while not tx.session.scalar(text(for_us)):
            assert waiting.is_alive(), "it did not wait for whoever holds the order of the gift"
            waiting.join(0.01)
        lock_orders(tx.session, [origin])
    waiting.join()
    assert raised == []
    world.check_books()
