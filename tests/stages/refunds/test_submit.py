"""One approved payout makes exactly one refund at Stripe, whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal.adapters.stripe_gateway import StripeGateway
from portal.refunds import actions, disputes, settle
from portal.refunds.gateway import RefundRequest
from tests.stages.refunds.world import STAFF, World


def test_a_payout_becomes_one_refund_with_our_numbers_in_it(world: World) -> None:
    return_id, refund_id = world.paid_return(2000)
    world.work()
    refund = world.refund(refund_id)
    (made,) = world.stripe.refunds()
    assert (made["amount"], made["currency"], made["status"]) == (2000, "gbp", "succeeded")
    assert made["metadata"]["refund"] == refund.public_id
    assert made["id"] == refund.stripe_refund_id
    assert made["reason"] == "requested_by_customer"
    assert refund.status == "succeeded"
    assert world.status(return_id) == "closed"
    assert world.money(return_id).state == "refunded"
    world.check_books()


def test_submitting_again_after_the_answer_asks_stripe_nothing(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2000)
    world.work()
    world.stripe.control("requests", "DELETE")
    assert world.submit(refund_id) is None
    assert world.stripe.requests() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "timeout_after"},
        {"kind": "timeout_after", "hang_ms": 2500},
        {"kind": "drop_before"},
        {"kind": "truncated"},
        {"kind": "malformed"},
        {"kind": "gateway", "status": 502},
        {"kind": "gateway", "status": 504, "when": "after"},
        {"kind": "conflict"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_an_answer_that_is_lost_is_unknown_and_the_retry_uses_the_same_key(
    quick_world: World, fault: dict[str, Any]
) -> None:
    world = quick_world
    return_id, refund_id = world.paid_return(2500)
    kind = fault.pop("kind")
    world.stripe.fault(kind, method="POST", path="/v1/refunds", **fault)
    assert world.submit(refund_id) is not None
    assert world.refund(refund_id).status == "unknown"
    assert world.refundable(1) == [0], "the amount stays reserved"
    assert world.money(return_id).state == "on_its_way"
    assert world.questions() == []
    world.check_books()

    world.later(minutes=1)
    assert world.submit(refund_id) is None
    assert world.at_stripe() == [(2500, "succeeded")]
    assert world.refund(refund_id).status == "succeeded"
    keys = {request["idempotency_key"] for request in world.stripe.requests("POST", "/v1/refunds")}
    assert keys == {world.refund(refund_id).idempotency_key}
    assert world.said("refund.unknown") == 1
    world.check_books()


def test_a_500_that_the_key_repeats_for_ever_is_resolved_by_looking(world: World) -> None:
    _return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("error", method="POST", path="/v1/refunds", when="after")
    assert world.submit(refund_id) is not None
    world.later(minutes=1)
    assert world.submit(refund_id) is not None, "the key answers 500 again"
    world.later(minutes=5)
    world.sweep()
    assert world.refund(refund_id).status == "succeeded"
    assert world.at_stripe() == [(2500, "succeeded")]
    world.check_books()


def test_a_500_without_effect_is_never_answered_with_a_new_key(world: World) -> None:
    _return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("error", method="POST", path="/v1/refunds")
    for _ in range(4):
        world.submit(refund_id)
        world.later(minutes=20)
    world.later(hours=24)
    world.stripe.control("clock", seconds=24 * 3600)
    assert world.submit(refund_id) is None
    assert world.at_stripe() == []
    assert world.refund(refund_id).status == "unknown"
    assert world.questions() == [("refund_unknown", "http_500")]
    assert world.refundable(1) == [0]


@pytest.mark.parametrize("before", ["unknown", "submitted"])
def test_past_the_keys_life_it_looks_and_adopts_what_it_finds(quick_world: World, before: str) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    if before == "submitted":
        _set_status(world, refund_id, "submitted")
    world.stripe.control("clock", seconds=25 * 3600)
    world.later(hours=25)
    world.stripe.control("requests", "DELETE")
    assert world.submit(refund_id) is None
    assert world.stripe.requests("POST") == [], "nothing is sent under a key that may be forgotten"
    assert world.refund(refund_id).status == "succeeded"
    assert world.at_stripe() == [(2500, "succeeded")]
    assert world.questions() == []


def test_a_refusal_after_a_lost_answer_is_believed_only_after_a_look(quick_world: World) -> None:
    # "Already refunded" may mean this very refund, whose answer was lost.
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    assert world.refund(refund_id).status == "unknown"
    refusal = {
        "type": "invalid_request_error", "code": "charge_already_refunded", "message": "Charge ch_x has already been refunded.",
    }  # fmt: skip
    world.stripe.fault("answer", method="POST", path="/v1/refunds", status=400, error=refusal)
    world.later(minutes=1)
    world.submit(refund_id)
    assert world.refund(refund_id).status == "succeeded"
    assert world.questions() == []


def test_past_the_keys_life_and_nothing_found_staff_are_asked_and_may_start_anew(world: World) -> None:
    return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("drop_before", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    with pytest.raises(Exception, match="may still arrive"), world.database.transaction(STAFF) as tx:
        actions.declare_unsent(tx, world.refund(refund_id).public_id, "looked")
    with pytest.raises(Exception, match="failed or was canceled"), world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(refund_id).public_id, "again")
    world.later(hours=25)
    assert world.submit(refund_id) is None
    assert [kind for kind, _ in world.questions()] == ["refund_unknown"]
    with world.database.transaction(STAFF) as tx:
        actions.declare_unsent(tx, world.refund(refund_id).public_id, "Not in the Dashboard.")
    with world.database.transaction(STAFF) as tx:
        actions.retry(tx, world.refund(refund_id).public_id, "Sent anew.")
    world.work()
    assert world.at_stripe() == [(2500, "succeeded")]
    assert world.money(return_id).state == "refunded"
    assert world.questions() == []
    world.check_books()


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        ({"kind": "rate_limit", "retry_after": 7}, 7),
        ({"kind": "rate_limit", "reason": ""}, 1),
        (
            {"kind": "answer", "status": 401, "error": {"type": "invalid_request_error", "message": "Invalid API Key"}},
            1,
        ),
        ({"kind": "answer", "status": 403, "error": {"type": "invalid_request_error", "message": "No permission"}}, 1),
    ],
    ids=["429", "429-lock", "401", "403"],
)
def test_a_refusal_to_listen_has_no_effect_and_starts_no_keys_life(
    quick_world: World, fault: dict[str, Any], pause: int
) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2500)
    kind = fault.pop("kind")
    world.stripe.fault(kind, method="POST", path="/v1/refunds", **fault)
    later = world.submit(refund_id)
    assert later is not None
    refund = world.refund(refund_id)
    assert refund.status == "planned"
    assert refund.first_submitted_at is None
    assert refund.failure_reason
    assert world.refundable(1) == [0]
    world.later(days=3)
    assert world.submit(refund_id) is None
    assert world.refund(refund_id).failure_reason == ""
    assert world.at_stripe() == [(2500, "succeeded")]


def test_no_effect_after_a_doubt_leaves_the_doubt(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.stripe.fault("rate_limit", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    begun = world.refund(refund_id).first_submitted_at
    world.later(minutes=1)
    world.submit(refund_id)
    refund = world.refund(refund_id)
    assert refund.status == "unknown"
    assert refund.first_submitted_at is not None
    assert begun is not None
    assert refund.first_submitted_at < begun


def test_without_a_key_nothing_is_lost_and_the_reason_is_shown(quick_world: World) -> None:
    world = quick_world
    from portal.adapters.stripe_gateway import StripeGateway

    _return_id, refund_id = world.paid_return(2500)
    good, world.gateway = world.gateway, StripeGateway("", world.stripe.url)
    assert world.submit(refund_id) is not None
    assert "PORTAL_STRIPE_API_KEY" in world.refund(refund_id).failure_reason
    world.gateway = good
    assert world.submit(refund_id) is None
    assert world.at_stripe() == [(2500, "succeeded")]


def test_parameters_and_key_are_the_stored_ones_however_the_order_changes(quick_world: World) -> None:
    world = quick_world
    from portal.orders.models import Order

    _return_id, refund_id = world.paid_return(2500)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    with world.database.transaction() as tx:
        tx.session.get_one(Order, 1).number = "RENAMED"
    world.later(minutes=1)
    assert world.submit(refund_id) is None, "another order number under the same key would be refused"
    assert world.at_stripe() == [(2500, "succeeded")]


def test_two_refunds_of_one_payment_wait_for_each_other(world: World) -> None:
    order_id = world.order(5000, quantity=2)
    (first,) = world.pay(world.return_(order_id, 2000))
    (second,) = world.pay(world.return_(order_id, 3000))
    _set_status(world, first, "submitted")
    later = world.submit(second)
    assert later is not None
    assert "another refund" in later.why
    world.later(minutes=1)
    assert world.submit(second) is None, "whoever held the first is dead"


def test_a_planned_refund_of_a_disputed_payment_waits(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2000)
    world.stripe.control("disputes", payment_intent=world.intent(1))
    disputes.look(world.database, world.gateway, world.intent(1))
    world.stripe.control("requests", "DELETE")
    world.work()
    assert world.stripe.requests() == []
    assert world.refund(refund_id).status == "planned"


@pytest.mark.parametrize("amount", [0, -1])
def test_a_request_over_nothing_cannot_be_made(amount: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        RefundRequest("pi_1", amount, "GBP", "key", {})


def _set_status(world: World, refund_id: int, status: str) -> None:
    from portal import clock
    from portal.refunds.models import Refund

    with world.database.transaction() as tx:
        refund = tx.session.get_one(Refund, refund_id)
        refund.status, refund.submitted_at = status, clock.now()
        refund.first_submitted_at = refund.first_submitted_at or clock.now()
        refund.attempts += 1


def test_a_restored_backup_never_sends_again_what_was_sent_before_it(quick_world: World, tmp_path: Path) -> None:
    # The backup knows the refund as planned; Stripe made it two days ago and has forgotten the key.
    world = quick_world
    order_id = world.order(5000, quantity=2)
    (refund_id,) = world.pay(world.return_(order_id, 2000))
    backup = world.back_up(tmp_path)
    world.work()
    assert world.at_stripe() == [(2000, "succeeded")]
    world.restore(backup)
    world.stripe.control("clock", seconds=48 * 3600)
    world.later(hours=48)
    assert world.refund(refund_id).status == "planned"
    world.submit(refund_id)
    assert world.at_stripe() == [(2000, "succeeded")], "one refund, found by our number in its metadata"
    assert world.refund(refund_id).status == "succeeded"
    world.check_books()


def test_what_waited_longer_than_a_key_lives_is_sent_after_a_look(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2000)
    world.later(hours=48)
    world.stripe.control("requests", "DELETE")
    world.submit(refund_id)
    assert [request["method"] for request in world.stripe.requests()] == ["GET", "POST"]
    assert world.at_stripe() == [(2000, "succeeded")]


@pytest.mark.parametrize("captured", [True, False])
def test_a_refund_that_does_not_get_out_for_hours_is_asked_about_once_and_still_tried(
    quick_world: World, captured: bool
) -> None:
    world, right = quick_world, quick_world.gateway
    order_id = world.order(5000) if captured else world.authorized(5000)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    if not captured:
        # The first try finds that nothing was captured; from then on the payment can't be read.
        world.submit(refund_id)
        assert world.refund(refund_id).way == "release"
    world.gateway = world.captures = StripeGateway("sk_test_" + "x" * 24, world.stripe.url)
    asked = []
    for _ in range(12):
        world.work()
        asked.append(len(world.questions()))
        world.later(hours=1)
    tries = world.refund(refund_id).attempts
    assert asked == [int(each >= settle.STUCK_TRIES) for each in range(tries - 11, tries + 1)]
    assert [kind for kind, _fact in world.questions()] == ["refund_failed"]
    world.gateway = world.captures = right
    world.work()
    assert world.refund(refund_id).status == "succeeded"
    assert world.questions() == []
    world.check_books()


def test_a_refund_whose_fate_cannot_even_be_looked_up_is_asked_about(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.work()
    assert world.refund(refund_id).status == "unknown"
    world.gateway = world.captures = StripeGateway("sk_test_" + "x" * 24, world.stripe.url)
    for _ in range(settle.STUCK_TRIES):
        world.later(hours=1)
        world.work()
    assert [kind for kind, _fact in world.questions()] == ["refund_unknown"]
