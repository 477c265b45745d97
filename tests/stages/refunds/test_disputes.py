"""A chargeback freezes every way out of its payment, down the whole chain of exchanges; what it held goes on when it is won."""

from __future__ import annotations

from sqlalchemy import select

from portal.jobs import Job
from portal.orders.models import Order, Payment
from portal.refunds import actions, disputes, exchange
from portal.refunds.models import StoreCredit
from portal.returns.models import ReturnLine
from portal.reviews.models import Review
from tests.stages.refunds.world import STAFF, World


def exchanged(world: World, order_id: int, amount: int) -> int:
    """Exchange the goods of an order; the replacement order's id."""
    return_id = world.return_(order_id, 0, resolution="exchange", sku="NAVY-L")
    with world.database.transaction() as tx:
        for line in tx.session.scalars(select(ReturnLine).where(ReturnLine.return_id == return_id)):
            line.gross_minor = amount
        tx.session.flush()
        exchange.reserve(tx, return_id)
    world.pay(return_id)
    with world.database.read() as session:
        found = session.scalar(select(Order.id).where(Order.replaces_return_id == return_id))
    assert found is not None
    return found


def _disputed(world: World, order_id: int, status: str = "needs_response") -> str:
    dispute = world.stripe.control("disputes", payment_intent=world.intent(order_id), status=status)
    disputes.look(world.database, world.gateway, world.intent(order_id))
    found: str = dispute["id"]
    return found


def test_a_chargeback_of_the_original_freezes_and_thaws_the_return_of_a_replacement(world: World) -> None:
    world.variant("NAVY-L", stock=5)
    origin = world.order(5000)
    twice = exchanged(world, exchanged(world, origin, 5000), 5000)
    return_id = world.return_(twice, 5000)
    dispute = _disputed(world, origin)
    assert world.questions() == [("dispute", "needs_response")]
    assert world.pay(return_id) == []
    world.work()
    assert world.at_stripe() == []

    world.stripe.control(f"disputes/{dispute}", status="won")
    world.deliver(world.events("charge.dispute.closed")[0])
    assert world.questions() == []
    assert world.at_stripe() == [(5000, "succeeded")]
    assert world.money(return_id).state == "refunded"
    world.check_books()


def test_a_return_of_a_replacement_that_comes_during_the_dispute_waits_too(world: World) -> None:
    world.variant("NAVY-L", stock=5)
    origin = world.order(5000)
    replacement = exchanged(world, origin, 5000)
    dispute = _disputed(world, origin)
    return_id = world.return_(replacement, 5000)
    assert world.pay(return_id) == []
    assert [kind for kind, _ in world.questions()] == ["dispute"]
    world.stripe.control(f"disputes/{dispute}", status="won")
    disputes.look(world.database, world.gateway, world.intent(origin))
    world.work()
    assert world.at_stripe() == [(5000, "succeeded")]


def test_the_other_order_of_the_same_customer_is_not_frozen(quick_world: World) -> None:
    world = quick_world
    _disputed(world, world.order(5000))
    world.pay(world.return_(world.order(7000), 7000))
    world.work()
    assert world.at_stripe() == [(7000, "succeeded")]


def test_neither_refund_nor_credit_nor_replacement_is_planned_while_a_chargeback_is_open(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=5)
    order_id = world.order(15000, quantity=3)
    with world.database.transaction() as tx:
        tx.session.get_one(Payment, world.payments(order_id)[0].id).disputed_at = tx.at
    refund = world.return_(order_id, 5000)
    credit = world.return_(order_id, 0, credit=5000, resolution="store_credit")
    swap = world.return_(order_id, 0, resolution="exchange", sku="NAVY-L")
    with world.database.transaction() as tx:
        exchange.reserve(tx, swap)
    for return_id in (refund, credit, swap):
        assert world.pay(return_id) == []
        assert world.status(return_id) == "received"
    with world.database.read() as session:
        assert session.scalars(select(StoreCredit)).all() == []
        assert session.scalars(select(Order).where(Order.replaces_return_id.is_not(None))).all() == []
    assert [kind for kind, _ in world.questions()] == ["dispute", "dispute", "dispute"]

    disputes.look(world.database, world.gateway, world.intent(order_id))
    world.work()
    assert world.at_stripe() == [(5000, "succeeded")]
    assert [world.status(each) for each in (refund, credit, swap)] == ["closed", "closed", "closed"]
    assert world.questions() == []
    world.check_books()


def test_a_lost_dispute_stays_frozen_however_often_it_is_looked_at(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    return_id = world.return_(order_id, 5000)
    dispute = _disputed(world, order_id)
    world.stripe.control(f"disputes/{dispute}", status="lost")
    for _ in range(2):
        disputes.look(world.database, world.gateway, world.intent(order_id))
    assert world.pay(return_id) == []
    assert [kind for kind, _ in world.questions()] == ["dispute"]


def test_a_chargeback_that_no_message_told_of_is_found_by_its_refusal_and_thawed_by_looking(world: World) -> None:
    order_id = world.order(5000, quantity=2)
    first = world.return_(order_id, 2000)
    (refund_id,) = world.pay(first)
    dispute = world.stripe.control("disputes", payment_intent=world.intent(order_id))["id"]
    world.work()
    assert world.refund(refund_id).failure_code == "charge_disputed"
    world.sweep()
    assert world.payments(order_id)[0].disputed_at is not None
    second = world.return_(order_id, 3000)
    assert world.pay(second) == []

    world.stripe.control(f"disputes/{dispute}", status="won")
    with world.database.transaction() as tx:
        tx.session.query(Job).filter(Job.name == "look_at_dispute").delete()
    world.sweep()
    assert world.payments(order_id)[0].disputed_at is None
    assert world.at_stripe() == [(3000, "succeeded")], "what was held back goes on; what was refused waits for a person"
    with world.database.read() as session:
        (why,) = session.scalars(select(Review.why).where(Review.status == "open")).all()
    assert why.startswith("The dispute has ended, the shop has won.")
    with world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(refund_id).public_id, "Won.")
    world.work()
    assert sorted(world.at_stripe()) == [(2000, "succeeded"), (3000, "succeeded")]
    world.check_books()
