"""The bugs that other systems had with refunds (numbers of the list of cases), and their siblings."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.errors import Invalid
from portal.orders.models import Order, Payment
from portal.refunds import actions, exchange
from portal.refunds.listing import list_refunds, refund_json
from portal.refunds.models import Refund
from tests.stages.refunds.world import STAFF, World


def test_2_a_payment_that_was_never_captured_gets_no_second_refund(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(2000)
    with world.database.transaction() as tx:
        tx.session.add(Payment(order_id=order_id, position=2, payment_intent="pi_x", captured_minor=0, currency="GBP"))
    world.pay(world.return_(order_id, 500))
    world.work()
    assert world.at_stripe() == [(500, "succeeded")]


@pytest.mark.parametrize("amount", [-1000, 0])
def test_4_a_refund_over_nothing_or_less_cannot_even_be_stored(world: World, amount: int) -> None:
    order_id = world.order(2000)
    payment = world.payments(order_id)[0]
    row = Refund(
        public_id="rf", payment_id=payment.id, amount_minor=amount, currency="GBP", status="planned", idempotency_key="k",
        params={}, planned_at=clock.now(),
    )  # fmt: skip
    with pytest.raises(IntegrityError), world.database.transaction() as tx:
        tx.session.add(row)


def test_6_pending_refunds_count_and_what_is_offered_is_never_negative(world: World) -> None:
    order_id = world.order(421604, card="pm_card_pendingRefund", quantity=3)
    world.stripe.control("settings", next_refunds=["succeeded"])
    world.pay(world.return_(order_id, 100000))
    world.work()
    world.pay(world.return_(order_id, 317500))
    world.work()
    assert world.at_stripe() == [(100000, "succeeded"), (317500, "pending")]
    assert world.refundable(order_id) == [4104]
    with pytest.raises(IntegrityError), world.database.transaction() as tx:
        tx.session.get_one(Payment, world.payments(order_id)[0].id).refunding_minor += 4105


def test_8_an_old_event_of_the_first_refund_changes_neither_rows_nor_the_second(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000, quantity=2)
    (first,) = world.pay(world.return_(order_id, 1000))
    (second,) = world.pay(world.return_(order_id, 1500))
    world.work()
    created = world.events("refund.created")
    assert len(created) == 2
    world.later(days=3)
    world.deliver(created[0])
    assert sum(payment.refunding_minor for payment in world.payments(order_id)) == 2500
    world.stripe.control(f"refunds/{world.refund(first).stripe_refund_id}", status="failed")
    world.deliver(world.events("refund.failed")[0])
    assert (world.refund(first).status, world.refund(second).status) == ("failed", "succeeded")
    world.check_books()


def test_10_an_event_about_a_payment_alone_never_refunds_anything(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    for event in world.events("payment_intent.succeeded", "charge.succeeded"):
        world.deliver(event)
        world.deliver(event)
    assert world.at_stripe() == []
    assert world.refundable(order_id) == [5000]


def test_12_two_payments_get_a_part_each_and_nothing_is_left(world: World) -> None:
    order_id = world.order(5000, 3000, quantity=2)
    return_id = world.return_(order_id, 8000, quantity=2)
    world.pay(return_id)
    world.work()
    assert sorted(world.at_stripe()) == [(3000, "succeeded"), (5000, "succeeded")]
    assert world.refundable(order_id) == [0, 0]
    assert world.status(return_id) == "closed"
    world.check_books()


def test_14_a_timeout_after_the_effect_keeps_the_reserve_and_ends_as_one_refund(world: World) -> None:
    order_id = world.order(5000)
    (refund_id,) = world.pay(world.return_(order_id, 2500))
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    assert world.submit(refund_id) is not None
    assert (world.refund(refund_id).status, world.refundable(order_id)) == ("unknown", [2500])
    world.later(minutes=1)
    world.work()
    assert world.at_stripe() == [(2500, "succeeded")]
    assert len({request["idempotency_key"] for request in world.stripe.requests("POST", "/v1/refunds")}) == 1
    world.check_books()


def test_16_two_refunds_of_the_same_amount_are_two_and_a_retry_adds_none(world: World) -> None:
    order_id = world.order(5000, quantity=2)
    (first,) = world.pay(world.return_(order_id, 500))
    world.pay(world.return_(order_id, 500))
    world.work()
    world.submit(first)
    assert world.at_stripe() == [(500, "succeeded"), (500, "succeeded")]
    world.check_books()


def test_18_store_credit_for_what_was_refunded_already_is_refused(world: World) -> None:
    order_id = world.order(5000)
    world.pay(world.return_(order_id, 5000))
    world.work()
    again = world.return_(order_id, 0, credit=5000, resolution="store_credit")
    assert world.pay(again) == []
    view = world.money(again)
    assert (view.credited.minor, view.state) == (0, "held")
    assert world.questions() == [("refund_failed", "short")]


def test_18_sibling_money_is_not_refunded_when_credit_was_given_for_it(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    credited = world.return_(order_id, 0, credit=5500, bonus=500, resolution="store_credit")
    world.pay(credited)
    assert world.money(credited).state == "refunded"
    assert world.status(credited) == "closed"
    assert world.pay(world.return_(order_id, 5000)) == []
    assert world.questions() == [("refund_failed", "short")]
    assert world.at_stripe() == []


def test_20_every_page_of_refunds_made_by_hand_is_known(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(500000)
    for _ in range(101):
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=100)
    world.deliver(world.events("charge.refunded")[-1])
    assert world.refundable(order_id) == [500000 - 10100]
    world.deliver(world.events("refund.created")[0])
    assert world.refundable(order_id) == [500000 - 10100]
    world.check_books()


@pytest.mark.parametrize(
    ("currency", "paid", "amounts", "sent"),
    [
        ("JPY", 9899, [500, 9399], [500, 9399]),
        ("JPY", 9899, [9899], [9899]),
        ("ISK", 500, [5, 495], [500, 49500]),
        ("UGX", 500, [500], [50000]),
        ("HUF", 100000, [12345], [12345]),
        ("INR", 9863300, [9863300], [9863300]),
        # 1.335 dinars cannot be sent: 1.330 are, and the rest comes with the order's next return.
        ("KWD", 4000, [1335, 1335, 1330], [1330, 1340, 1330]),
    ],
)
def test_38_40_amounts_go_out_in_the_orders_own_currency_and_unit(
    quick_world: World, currency: str, paid: int, amounts: list[int], sent: list[int]
) -> None:
    world = quick_world
    order_id = world.order(paid, currency=currency, quantity=len(amounts))
    for amount in amounts:
        world.pay(world.return_(order_id, amount))
    world.work()
    made = world.stripe.refunds()
    assert [refund["amount"] for refund in made] == sent
    assert {refund["currency"] for refund in made} == {currency.lower()}
    assert world.questions() == []
    world.check_books()


def test_44_a_success_that_fails_later_frees_the_money_and_tells_staff_and_customer_once(world: World) -> None:
    return_id = world.return_(world.order(5000, card="pm_card_refundFail"), 5000)
    (refund_id,) = world.pay(return_id)
    world.work()
    assert world.money(return_id).state == "refunded"
    world.stripe.control(
        f"refunds/{world.refund(refund_id).stripe_refund_id}",
        status="failed",
        failure_reason="expired_or_canceled_card",
    )
    for event in world.events("refund.failed", "refund.updated", "charge.refund.updated"):
        world.deliver(event)
    world.later(days=1)
    world.sweep()
    refund = world.refund(refund_id)
    assert (refund.status, refund.failure_code) == ("failed", "expired_or_canceled_card")
    assert "expired" in refund.failure_reason
    assert world.refundable(1) == [5000]
    assert world.questions() == [("refund_failed", "expired_or_canceled_card")]
    assert world.said("refund.failed") == 1
    view = world.money(return_id)
    assert (view.state, view.refunded.minor, view.open.minor) == ("held", 0, 5000)
    world.check_books()


def test_44_sibling_the_late_failure_is_found_without_any_webhook(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_refundFail")
    world.work()
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
    world.later(days=1)
    world.sweep()
    assert world.refund(refund_id).status == "failed"


def test_46_a_canceled_refund_frees_its_amount(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000, card="pm_card_pendingRefund")
    (refund_id,) = world.pay(world.return_(order_id, 2285))
    world.work()
    assert world.refundable(order_id) == [2715]
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="canceled")
    world.later(hours=2)
    world.sweep()
    assert world.refund(refund_id).status == "canceled"
    assert world.refundable(order_id) == [5000]
    world.check_books()


def test_48_newer_news_first_and_an_unknown_id_before_the_answer(world: World) -> None:
    return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    assert world.submit(refund_id) is not None
    (created,) = world.events("refund.created")
    world.stripe.control(f"refunds/{created['data']['object']['id']}", status="succeeded")
    (updated,) = world.events("refund.updated")
    world.deliver(updated)
    assert world.refund(refund_id).status == "succeeded", "found by our number in the metadata"
    world.deliver(created)
    assert world.refund(refund_id).status == "succeeded"
    world.later(minutes=1)
    assert world.submit(refund_id) is None
    assert world.refund_ids(return_id) == [refund_id]
    with world.database.read() as session:
        assert len(list_refunds(session)[0]) == 1
    assert world.at_stripe() == [(5000, "succeeded")]


def test_50_a_part_of_ours_and_the_rest_by_hand(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.pay(world.return_(order_id, 1000))
    world.work()
    world.stripe.control("refunds", payment_intent=world.intent(order_id))
    for event in world.events("charge.refunded"):
        world.deliver(event)
    (payment,) = world.payments(order_id)
    assert (payment.refunding_minor, payment.refunded_elsewhere_minor, payment.refundable_minor) == (1000, 4000, 0)
    world.check_books()


def test_52_a_charge_that_was_charged_back_goes_to_staff_and_is_not_tried_again(world: World) -> None:
    return_id, refund_id = world.paid_return(5000)
    world.stripe.control("disputes", payment_intent=world.intent(1))
    assert world.submit(refund_id) is None
    refund = world.refund(refund_id)
    assert (refund.status, refund.failure_code) == ("failed", "charge_disputed")
    assert world.questions() == [("dispute", "charge_disputed")]
    world.stripe.control("requests", "DELETE")
    world.work()
    world.later(hours=3)
    world.sweep()
    assert world.stripe.requests("POST") == []
    assert world.money(return_id).state == "held"
    world.check_books()


def test_52_a_balance_too_low_is_pending_and_the_shops_to_act(world: World) -> None:
    return_id, refund_id = world.paid_return(5000)
    world.stripe.control("balance", currency="gbp", available=100)
    world.work()
    refund = world.refund(refund_id)
    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")
    assert world.questions() == [("balance_low", "insufficient_funds")]
    assert world.money(return_id).pieces[0].state == "sent"
    world.stripe.control("balance", currency="gbp", available=100000)
    world.later(hours=2)
    world.sweep()
    assert world.refund(refund_id).status == "succeeded"
    assert world.questions() == []


def test_54_three_parts_of_one_payment_and_a_fourth_that_is_one_penny_too_much(world: World) -> None:
    order_id = world.order(10000, quantity=4)
    left = []
    for amount in (3000, 3000, 4000):
        world.pay(world.return_(order_id, amount))
        world.work()
        left += world.refundable(order_id)
    assert left == [7000, 4000, 0]
    assert world.pay(world.return_(order_id, 1)) == []
    assert world.questions() == [("refund_failed", "short")]
    assert world.at_stripe() == [(3000, "succeeded"), (3000, "succeeded"), (4000, "succeeded")]


def test_56_58_one_part_fails_the_other_arrives_and_the_rest_stays_owed(world: World) -> None:
    order_id = world.order(10000, 2000)
    return_id = world.return_(order_id, 12000)
    first, _second = world.pay(return_id)
    refusal = {"type": "invalid_request_error", "code": "expired_card", "message": "The card has expired."}
    params = {"payment_intent": world.intent(order_id, 1)}
    world.stripe.fault("answer", method="POST", path="/v1/refunds", params=params, status=400, error=refusal)
    world.work()
    view = world.money(return_id)
    assert (view.state, view.refunded.minor, view.open.minor) == ("partly_refunded", 2000, 10000)
    assert world.status(return_id) == "received"
    assert world.refund(first).failure_reason == "The card has expired."
    assert world.refundable(order_id) == [10000, 0]
    with world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(first).public_id, "The customer has a new card.")
    with world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(first).public_id, "Clicked twice.")
    world.work()
    assert world.money(return_id).state == "refunded"
    assert world.status(return_id) == "closed"
    assert world.questions() == []
    assert sorted(world.at_stripe()) == [(2000, "succeeded"), (10000, "succeeded")]
    world.check_books()


@pytest.mark.parametrize(("order", "card", "gift"), [("as_paid", 1000, 4000), ("reverse", 5000, 0)])
def test_60_a_gift_card_is_paid_back_by_hand_within_what_it_paid(
    world: World, order: str, card: int, gift: int
) -> None:
    world.shop = world.shop.model_copy(update={"tender_order": order})
    intent = world.stripe.pay(6000).id
    order_id = world.order_with(
        [
            Payment(position=1, provider="gift_card", reference="GC-1", captured_minor=4000, currency="GBP"),
            Payment(position=2, payment_intent=intent, captured_minor=6000, currency="GBP"),
        ],
        10000,
    )
    return_id = world.return_(order_id, 5000)
    refund_ids = world.pay(return_id)
    world.work()
    assert world.at_stripe() == [(card, "succeeded")]
    if not gift:
        assert world.money(return_id).state == "refunded"
        return
    assert world.questions() == [("pay_elsewhere", "gift_card")]
    assert world.money(return_id).state == "partly_refunded"
    assert world.money(return_id).pieces[0].state == "by_shop"
    by_hand = world.refund(refund_ids[0])
    with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
        actions.mark_paid_elsewhere(tx, by_hand.public_id, "  ")
    for _ in range(2):
        with world.database.transaction(STAFF) as tx:
            actions.mark_paid_elsewhere(tx, by_hand.public_id, "Put on gift card GC-1.")
    assert world.money(return_id).state == "refunded"
    assert world.status(return_id) == "closed"
    assert world.questions() == []
    assert world.said("refund.paid_elsewhere") == 1
    world.check_books()


def test_74_a_replacement_is_paid_back_over_both_payments_and_nothing_is_left(world: World) -> None:
    world.variant("NAVY-L", stock=1, price=12000)
    order_id = world.order(8000)
    swap = world.return_(order_id, 0, resolution="exchange", sku="NAVY-L")
    with world.database.transaction() as tx:
        exchange.reserve(tx, swap)
    world.pay(swap)
    difference = world.stripe.pay(4000).id
    with world.database.transaction() as tx:
        replacement = tx.session.scalars(select(Order).where(Order.replaces_return_id == swap)).one()
        row = Payment(
            position=1, payment_intent=difference, captured_minor=4000, currency="GBP", method="Visa ending 4242"
        )
        replacement.payments.append(row)
        number = replacement.id
    back = world.return_(number, 12000)
    world.pay(back)
    world.work()
    assert [
        (each["amount"], each["payment_intent"]) for each in sorted(world.stripe.refunds(), key=lambda r: -r["amount"])
    ] == [
        (8000, world.intent(order_id)),
        (4000, difference),
    ]
    assert (world.refundable(order_id), world.refundable(number)) == ([0], [0])
    assert world.status(back) == "closed"
    assert world.pay(world.return_(order_id, 8000)) == [], "a further refund of the first article"
    assert world.questions() == [("refund_failed", "short")]
    world.check_books()


def test_84_staff_read_stripes_own_sentence(quick_world: World) -> None:
    world = quick_world
    world.stripe.control("settings", short_balance="refuse")
    _return_id, refund_id = world.paid_return(5000)
    world.stripe.control("balance", currency="gbp", available=100)
    world.work()
    with world.database.read() as session:
        rows, _next = list_refunds(session, status="failed")
        shown = refund_json(rows[0])
    assert shown["failure_code"] == "balance_insufficient"
    assert shown["failure_reason"] == "Insufficient funds in your Stripe balance to refund this amount."
    assert shown["id"] == world.refund(refund_id).public_id
