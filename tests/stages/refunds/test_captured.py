"""What Stripe has captured is the ceiling, whatever the orders say that name the payment."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from portal.db import Actor
from portal.errors import Conflict
from portal.orders.models import Order, Payment
from portal.orders.schema import read_order
from portal.orders.service import put_order
from portal.refunds import captured, exchange, goodwill, report, shortage
from portal.refunds.goodwill import Gift
from portal.returns.models import Return
from portal.reviews.models import Review
from tests.stages.refunds.world import STAFF, World, together


def bring(world: World, number: str, intent: str, amount: int, **more: object) -> int:
    """An order as the shop's system tells it; its id."""
    told = {
        "number": number, "placed_at": "2026-11-01T09:00:00Z", "email": "priya@example.com", "currency": "GBP",
        "lines": [{"id": "1", "sku": "J", "name": "Jumper", "quantity": 1, "unit_price": amount, "tax": 0,
                   "delivered_at": "2026-11-03T09:00:00Z"}],
        "payments": [{"provider": "stripe", "payment_intent": intent, "captured": amount}], **more,
    }  # fmt: skip
    with world.database.transaction() as tx:
        return put_order(tx, read_order(told)).order_id


def give(world: World, order_id: int, amount: int) -> None:
    with world.database.transaction(Actor("staff", "Ines", 1)) as tx:
        goodwill.give(tx, order_id, Gift(amount), reason="late", command_key=f"gift-{order_id}", shop=world.shop)


def test_two_orders_that_name_one_payment_whole_have_its_money_once(world: World) -> None:
    intent = world.stripe.pay(22095).id
    first, second = bring(world, "VIP-2", intent, 22095), bring(world, "VIP-2B", intent, 22095)
    assert world.said("payment.shared") == 1
    world.work()
    assert (world.refundable(first), world.refundable(second)) == ([22095], [0])
    give(world, first, 15000)
    with pytest.raises(Conflict, match=r"0\.00 left to give back"):
        give(world, second, 15000)
    with world.database.read() as session:
        why = session.scalars(text("SELECT why FROM timeline_entry WHERE what = 'payment.captured_less'")).one()
    assert why == (
        "Stripe captured £220.95 of this payment, the orders that share it say £441.90. Of this order, £0.00 counts from now on."
    )


def test_the_parts_of_an_order_that_its_shop_has_split_keep_what_was_captured_for_each(world: World) -> None:
    intent = world.stripe.pay(10000).id
    first, second = bring(world, "P-1", intent, 6000), bring(world, "P-2", intent, 4000)
    world.work()
    assert (world.refundable(first), world.refundable(second)) == ([6000], [4000])
    assert world.said("payment.captured_less") == 0


def test_an_order_brought_in_again_with_more_does_not_raise_the_ceiling(world: World) -> None:
    intent = world.stripe.pay(22095).id
    first, second = bring(world, "VIP-2", intent, 22095), bring(world, "VIP-2B", intent, 22095)
    world.work()
    bring(world, "VIP-2B", intent, 22095, customer={"name": "Priya Nair"})
    world.work()
    assert (world.refundable(first), world.refundable(second)) == ([22095], [0])


def test_what_went_back_or_is_promised_before_stripe_was_asked_stays_counted(world: World) -> None:
    intent = world.stripe.pay(22095).id
    first, second = bring(world, "VIP-2", intent, 22095), bring(world, "VIP-2B", intent, 22095)
    give(world, second, 15000)
    captured.look(world.database, world.gateway, intent)
    assert (world.refundable(first), world.refundable(second)) == ([7095], [0])


def test_a_refusal_for_too_little_money_lowers_what_the_order_says_and_tells_staff_why(world: World) -> None:
    intent = world.stripe.pay(5000).id
    order_id = bring(world, "WH-9", intent, 99999999)
    give(world, order_id, 6000)
    world.work()
    assert world.at_stripe() == []
    assert world.refundable(order_id) == [5000]
    with world.database.read() as session:
        (question,) = session.scalars(select(Review))
        assert question.kind == "refund_failed"
        assert question.why.endswith("Stripe captured £50.00 of this payment, the order says £999,999.99.")


def test_a_payment_that_is_not_captured_yet_is_left_as_it_was_told(world: World) -> None:
    order_id = world.authorized(5000)
    captured.look(world.database, world.gateway, world.intent(order_id))
    assert world.refundable(order_id) == [5000]


def test_the_night_holds_orders_that_share_a_payment_to_what_was_captured_of_it_since(world: World) -> None:
    intent = world.stripe.pay(8770, capture_method="manual").id
    bring(world, "VIP-3", intent, 8770)
    bring(world, "VIP-3B", intent, 8770)
    world.work()
    world.stripe.client().v1.payment_intents.capture(intent)
    report.nightly(world.database, world.gateway)
    with world.database.read() as session:
        last = report.last_report(session)
        assert last is not None
        assert last.differences == []
        told = session.scalars(select(Payment.captured_minor).where(Payment.payment_intent == intent)).all()
    assert sorted(told) == [0, 8770]


def test_the_nightly_report_names_a_shared_payment_of_which_less_was_captured(world: World) -> None:
    intent = world.stripe.pay(22095).id
    bring(world, "VIP-2", intent, 22095)
    bring(world, "VIP-2B", intent, 22095)
    (found,) = report.compare(world.database, world.gateway).differences
    assert (found.what, found.payment_intent) == ("captured", intent)
    world.work()
    assert report.compare(world.database, world.gateway).differences == ()


def test_the_nightly_report_names_an_order_that_gave_credit_and_says_more_than_was_captured(world: World) -> None:
    # No refund asks Stripe about this payment, so nothing else would ever tell.
    intent = world.stripe.pay(5000).id
    order_id = bring(world, "WH-9", intent, 6000)
    assert report.compare(world.database, world.gateway).differences == ()
    world.pay(world.return_(order_id, 0, credit=6000))
    (found,) = report.compare(world.database, world.gateway).differences
    assert (found.what, found.payment_intent) == ("captured", intent)
    assert found.sentence == "Stripe captured £50.00 of this payment, the order says £60.00."


def test_an_order_that_names_its_payment_twice_has_its_money_once(world: World) -> None:
    intent = world.stripe.pay(4000).id
    twice = [{"provider": "stripe", "payment_intent": intent, "captured": 4000}] * 2
    order_id = bring(world, "WH-9", intent, 4000, payments=twice)
    world.work()
    assert sorted(world.refundable(order_id)) == [0, 4000]
    assert world.said("payment.captured_less") == 1


def test_two_captures_of_one_payment_that_add_up_keep_what_each_captured(world: World) -> None:
    intent = world.stripe.pay(4000).id
    parts = [{"provider": "stripe", "payment_intent": intent, "captured": amount} for amount in (1500, 2500)]
    order_id = bring(world, "WH-9", intent, 4000, payments=parts)
    world.work()
    assert world.refundable(order_id) == [1500, 2500]


def test_no_credit_is_given_on_a_shared_payment_while_stripe_can_not_be_asked(world: World) -> None:
    intent = world.stripe.pay(4000).id
    first, second = bring(world, "S-1", intent, 4000), bring(world, "S-2", intent, 4000)
    world.stripe.fault("gateway", method="GET", path="/v1/payment_intents*", status=502, times=-1)
    world.work()
    returns = [world.return_(order_id, 0, credit=4000, resolution="store_credit") for order_id in (first, second)]
    for return_id in returns:
        world.pay(return_id)
    assert [world.money(return_id).credited.minor for return_id in returns] == [0, 0]
    assert [fact for _kind, fact in world.questions()] == ["short", "short"]

    world.stripe.control("faults", "DELETE")
    world.later(hours=1)
    world.work()
    for return_id in returns:
        with world.database.transaction(STAFF) as tx:
            shortage.send_left(tx, tx.session.get_one(Return, return_id).rma, "Stripe answers again.", world.shop)
    assert sorted(world.money(return_id).credited.minor for return_id in returns) == [0, 4000]


def test_of_a_canceled_payment_nothing_can_be_given_as_credit_once_it_was_looked_at(world: World) -> None:
    order_id = world.authorized(4000)
    intent = world.intent(order_id)
    world.stripe.client().v1.payment_intents.cancel(intent)
    return_id = world.return_(order_id, 0, credit=4000, resolution="store_credit")
    with world.database.read() as session:
        assert captured.to_look_at(session, return_id) == [intent]
    captured.look(world.database, world.gateway, intent)
    world.pay(return_id)
    assert world.money(return_id).credited.minor == 0
    assert world.questions() == [("refund_failed", "short")]


def test_the_nightly_report_names_a_payment_that_stripe_does_not_show(world: World) -> None:
    order_id = bring(world, "WH-9", "pi_of_another_account", 4000)
    world.pay(world.return_(order_id, 0, credit=4000))
    (found,) = report.compare(world.database, world.gateway).differences
    assert (found.what, found.payment_intent) == ("unknown_there", "pi_of_another_account")


def test_the_nightly_report_looks_at_what_pays_for_a_replacement_too(world: World) -> None:
    world.variant("NAVY-L", stock=1, price=6000)
    intent = world.stripe.pay(5000).id
    order_id = bring(world, "WH-9", intent, 6000)
    exchanged = world.return_(order_id, 0, resolution="exchange", sku="NAVY-L")
    with world.database.transaction() as tx:
        exchange.reserve(tx, exchanged)
    world.pay(exchanged)
    with world.database.read() as session:
        replacement = session.scalars(select(Order.id).where(Order.replaces_return_id == exchanged)).one()
    assert report.compare(world.database, world.gateway).differences == ()
    world.pay(world.return_(replacement, 0, credit=5500))
    (found,) = report.compare(world.database, world.gateway).differences
    assert (found.what, found.payment_intent) == ("captured", intent)


@pytest.mark.parametrize("round_", range(3))
def test_gifts_for_both_orders_while_stripe_is_asked_end_within_what_was_captured(pg_world: World, round_: int) -> None:
    world = pg_world
    intent = world.stripe.pay(22095).id
    first, second = bring(world, "VIP-2", intent, 22095), bring(world, "VIP-2B", intent, 22095)
    raised = together(
        lambda: give(world, first, 15000),
        lambda: give(world, second, 15000),
        lambda: captured.look(world.database, world.gateway, intent),
    )
    assert [error for error in raised if not isinstance(error, Conflict)] == []
    for _ in range(6):
        world.work()
        world.later(seconds=5)
    assert world.at_stripe() == [(15000, "succeeded")]
    rows = [*world.payments(first), *world.payments(second)]
    assert sum(row.captured_minor for row in rows) == 22095
    assert sum(row.refunding_minor for row in rows) == 15000
