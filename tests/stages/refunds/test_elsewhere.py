"""Refunds made by hand in Stripe: each counts once, whoever tells of it, and what it takes is never given again."""

from __future__ import annotations

from sqlalchemy import select

from portal.errors import Conflict, PortalError
from portal.flow import make_river
from portal.orders.models import Payment
from portal.orders.prepare import prepare
from portal.orders.schema import read_order
from portal.orders.service import PutResult, put_many, put_order
from portal.refunds import actions, reconcile
from tests.stages.refunds.world import SHOP, STAFF, World


def test_what_the_shops_system_and_stripe_both_tell_of_counts_once(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    with world.database.transaction() as tx:
        payment = tx.session.scalars(select(Payment)).one()
        payment.refunded_at_source_minor = payment.refunded_elsewhere_minor = 1000
    for amount, left in ((400, 4000), (600, 4000), (500, 3500)):
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=amount)
        reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
        assert world.refundable(order_id) == [left]


def test_what_found_no_room_at_first_counts_once_there_is_room(quick_world: World) -> None:
    # Staff pay one part by bank, somebody refunds at Stripe by hand as well, then the other part comes back from its bank.
    world = quick_world
    order_id = world.order(8000, card="pm_card_refundFail", quantity=2)
    (sent,) = world.pay(world.return_(order_id, 4000))
    world.work()
    (by_bank,) = world.pay(world.return_(order_id, 4000))
    with world.database.transaction(STAFF) as tx:
        actions.mark_paid_elsewhere(tx, world.refund(by_bank).public_id, "bank transfer")
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=800)
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    assert world.refundable(order_id) == [0]
    world.stripe.control(f"refunds/{world.refund(sent).stripe_refund_id}", status="failed")
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    assert world.refundable(order_id) == [3200]


def test_what_found_no_room_counts_once_the_shop_says_that_more_was_captured(quick_world: World) -> None:
    world = quick_world
    world.database.river = make_river(SHOP)
    intent = world.stripe.pay(2000).id

    def bring(captured: int) -> int:
        paid = [{"provider": "stripe", "payment_intent": intent, "captured": captured}]
        line = {"id": "1", "name": "Hat", "quantity": 1, "unit_price": 2000, "tax": 0}
        order = {
            "number": "WH-MORE",
            "placed_at": "2026-01-05T10:00:00Z",
            "currency": "GBP",
            "lines": [line],
            "payments": paid,
        }
        with world.database.transaction() as tx:
            return put_order(tx, read_order(order)).order_id

    order_id = bring(700)
    world.stripe.control("refunds", payment_intent=intent, amount=1000)
    reconcile.look_at_payment(world.database, world.gateway, intent)
    assert world.refundable(order_id) == [0]
    bring(2000)
    assert world.refundable(order_id) == [1000]
    world.check_books()


def test_a_refund_by_hand_that_fails_gives_back_what_it_took_and_no_more(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    made = [
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=amount) for amount in (700, 300)
    ]
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    assert world.refundable(order_id) == [4000]
    world.stripe.control(f"refunds/{made[0]['id']}", status="failed")
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    assert world.refundable(order_id) == [4700]
    world.check_books()


def test_an_import_never_lowers_what_was_captured_below_refunds_and_store_credit_together(world: World) -> None:
    world.database.river = make_river(SHOP)

    def bring(*captured: int) -> list[PutResult | PortalError]:
        orders = [
            {
                "number": f"WH-LESS-{at}",
                "placed_at": "2026-01-05T10:00:00Z",
                "currency": "GBP",
                "lines": [{"id": "1", "name": "Hat", "quantity": 2, "unit_price": 2500, "tax": 0}],
                "payments": [{"provider": "gift_card", "captured": amount}],
            }
            for at, amount in enumerate(captured)
        ]
        with world.database.transaction() as tx:
            return put_many(tx, [prepare(read_order(each)) for each in orders])

    first, *_rest = bring(5000, 5000)
    assert isinstance(first, PutResult)
    world.pay(world.return_(first.order_id, 0, credit=3500, bonus=500))
    refused, other = bring(2999, 1000)
    assert isinstance(refused, Conflict)
    assert "WH-LESS-0: its payments can't have captured £0.01 less than was given back" in refused.message
    assert isinstance(other, PutResult)
    assert world.refundable(first.order_id) == [5000]
    assert world.refundable(other.order_id) == [1000]
    assert [each.outcome for each in bring(3000, 1000) if isinstance(each, PutResult)] == ["updated", "unchanged"]
    world.check_books()
