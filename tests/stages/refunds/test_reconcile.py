"""No webhook is needed; the report says "0 differences", or which; every refusal of Stripe is read by its code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from portal import clock
from portal.errors import Conflict, UpstreamError
from portal.jobs import Job
from portal.refunds import actions, reconcile, report, shortage, undo
from portal.refunds.gateway import RefundRequest
from portal.refunds.models import Refund
from portal.refunds.report import compare
from portal.returns.models import Return
from tests.stages.refunds.world import STAFF, World


def test_without_any_webhook_every_refund_reaches_its_end(world: World) -> None:
    order_id = world.order(9000, card="pm_card_pendingRefund", quantity=3)
    ids = [world.pay(world.return_(order_id, amount))[0] for amount in (1000, 2000, 3000)]
    world.work()
    made = world.stripe.refunds()
    for refund, status in zip(made, ("succeeded", "failed", "canceled"), strict=True):
        world.stripe.control(f"refunds/{refund['id']}", status=status)
    world.later(hours=2)
    world.sweep()
    assert [world.refund(refund_id).status for refund_id in ids] == ["succeeded", "failed", "canceled"]
    assert compare(world.database, world.gateway).differences == ()
    world.check_books()


def test_a_bank_that_sends_money_back_on_the_thirtieth_day_is_heard_after_a_week_without_workers(
    quick_world: World,
) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    world.work()
    world.later(days=29, hours=23)
    world.stripe.control(f"refunds/{world.stripe.refunds()[0]['id']}", status="failed")
    world.later(days=7)
    world.sweep()
    assert world.refund(refund_id).status == "failed"


def test_a_sweep_finds_a_job_that_the_engine_lost(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    with world.database.transaction() as tx:
        tx.session.query(Job).delete()
    world.work()
    assert world.refund(refund_id).status == "planned"
    world.later(minutes=10)
    world.sweep()
    assert world.refund(refund_id).status == "succeeded"


def test_sweeps_of_several_workers_write_each_job_once(quick_world: World) -> None:
    world = quick_world
    world.paid_return(5000, card="pm_card_pendingRefund")
    world.work()
    world.later(hours=2)
    for _ in range(3):
        reconcile.sweep(world.database, world.gateway)
    world.stripe.control("requests", "DELETE")
    world.work()
    assert len(world.stripe.requests("GET")) == 1


def test_a_refund_by_hand_is_found_by_the_daily_look(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.pay(world.return_(order_id, 1000))
    world.work()
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    assert [found.what for found in compare(world.database, world.gateway).differences] == ["unknown_here"]
    world.later(days=1)
    world.sweep()
    assert world.refundable(order_id) == [3300]
    assert compare(world.database, world.gateway).differences == ()


def test_looking_twice_changes_nothing(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    (refund_id,) = world.pay(world.return_(order_id, 1000))
    world.work()
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    assert str(reconcile.look(world.database, world.gateway, refund_id)).startswith("imported")
    assert str(reconcile.look(world.database, world.gateway, refund_id)) == "nothing new"


def test_the_banks_reference_is_taken_over(quick_world: World) -> None:
    world = quick_world
    return_id, refund_id = world.paid_return(5000)
    world.work()
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", reference="74212345678901234567890")
    reconcile.check(world.database, world.gateway, refund_id)
    assert world.money(return_id).pieces[0].bank_reference == "74212345678901234567890"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"status": "failed"}, "status"),
        ({"amount_minor": 4000}, "amount"),
        ({"stripe_refund_id": "re_gone"}, "missing_there"),
        ({"stripe_refund_id": None}, "no_id"),
        ({"stripe_refund_id": None, "status": "unknown"}, "unsure"),
    ],
)
def test_every_kind_of_difference_is_reported(quick_world: World, change: dict[str, Any], what: str) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    world.work()
    assert compare(world.database, world.gateway).differences == ()
    with world.database.transaction() as tx:
        for name, value in change.items():
            setattr(tx.session.get_one(Refund, refund_id), name, value)
    found = compare(world.database, world.gateway)
    assert found.refunds == 1
    assert what in {difference.what for difference in found.differences}


def test_one_number_twice_at_stripe_is_a_difference(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    (refund_id,) = world.pay(world.return_(order_id, 1000))
    world.work()
    number = {"refund": world.refund(refund_id).public_id}
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=1000, metadata=number)
    found = {difference.what for difference in compare(world.database, world.gateway).differences}
    assert found == {"twice", "unknown_here"}
    reconcile.look(world.database, world.gateway, refund_id)
    assert world.refundable(order_id) == [3000], "money that left counts, whoever sent it"


def test_a_refund_by_hand_on_a_payment_without_any_return_is_found_both_ways(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    world.stripe.pay(900)
    elsewhere = world.stripe.pay(1000).id
    world.stripe.control("refunds", payment_intent=elsewhere, amount=300)
    found = compare(world.database, world.gateway)
    assert [(each.what, each.payment_intent) for each in found.differences] == [
        ("unknown_here", world.intent(order_id))
    ], "a payment that no order has is somebody else's business"
    assert found.listed == 2
    reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
    assert world.refundable(order_id) == [4300]
    assert compare(world.database, world.gateway).differences == ()
    reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
    assert world.refundable(order_id) == [4300]
    world.check_books()


def test_what_a_restored_backup_has_forgotten_is_adopted_before_anybody_pays_it_another_way(
    quick_world: World, tmp_path: Path
) -> None:
    # The backup knows the refund as planned; Stripe has made it since. Until a worker sends it again nothing would tell.
    world = quick_world
    (refund_id,) = world.pay(world.return_(world.order(5000, quantity=2), 2000))
    backup = world.back_up(tmp_path)
    world.work()
    world.restore(backup)
    seen = reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
    assert len(seen.moved) == 1
    number = world.refund(refund_id).public_id
    for act in (actions.mark_paid_elsewhere, undo.take_back):
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            act(tx, number, "by bank")
    assert world.refund(refund_id).status == "succeeded"
    assert compare(world.database, world.gateway).differences == ()


class TestWhatWasDecidedAfterTheBackup:
    def restored(self, world: World, tmp_path: Path, status: str) -> int:
        """The return whose refund this database does not know any more."""
        return_id = world.return_(world.order(5000, quantity=2), 2000, status=status, when=status)
        backup = world.back_up(tmp_path)
        world.pay(return_id, status)
        world.work()
        world.restore(backup)
        return return_id

    @pytest.mark.parametrize("status", ["authorized", "in_transit", "received"])
    def test_is_asked_about_and_not_paid_again_before_somebody_has_looked(
        self, quick_world: World, tmp_path: Path, status: str
    ) -> None:
        world = quick_world
        return_id = self.restored(world, tmp_path, status)
        reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
        assert world.questions() == [("paid_before", world.stripe.refunds()[0]["id"])]
        assert world.pay(return_id, status) == []
        world.work()
        assert world.at_stripe() == [(2000, "succeeded")]
        with world.database.transaction(STAFF) as tx:
            rma = tx.session.get_one(Return, return_id).rma
            shortage.close(tx, rma, "It was paid on Monday.", seen_minor=2000)
        assert world.pay(return_id, status) == []
        assert (world.at_stripe(), world.questions()) == ([(2000, "succeeded")], [])
        assert compare(world.database, world.gateway).differences == ()

    def test_is_no_question_where_it_failed_at_stripe(self, quick_world: World, tmp_path: Path) -> None:
        world = quick_world
        return_id = self.restored(world, tmp_path, "received")
        world.stripe.control(f"refunds/{world.stripe.refunds()[0]['id']}", status="failed")
        reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
        assert world.questions() == []
        assert len(world.pay(return_id)) == 1

    def test_a_refund_of_another_portal_on_the_same_account_is_nobodys_question(self, quick_world: World) -> None:
        world = quick_world
        metadata = {"refund": "rf_OTHER", "return": "R-OTHER"}
        for intent in (world.stripe.pay(5000).id, world.intent(world.order(5000))):
            world.stripe.client().v1.refunds.create({"payment_intent": intent, "amount": 700, "metadata": metadata})
        reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
        assert world.questions() == []
        assert compare(world.database, world.gateway).differences == ()


def test_every_page_of_the_account_is_listed(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(50_000)
    for _ in range(105):
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=1)
    assert compare(world.database, world.gateway).listed == 105
    reconcile.catch_up(world.database, world.gateway, timedelta(hours=2))
    assert world.refundable(order_id) == [49_895]
    assert compare(world.database, world.gateway).differences == ()


def test_our_number_on_another_payment_is_a_difference(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    world.work()
    other = world.stripe.pay(5000).id
    number = world.refund(refund_id).public_id
    world.stripe.control("refunds", payment_intent=other, amount=100, metadata={"refund": number})
    assert [each.what for each in compare(world.database, world.gateway).differences] == ["other_payment"]


def test_how_far_back_the_account_is_listed_can_be_said(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    for window in reconcile.windows(clock.now() - timedelta(days=30, hours=1), clock.now()):
        assert window.until - window.since <= timedelta(days=7)
    later = compare(world.database, world.gateway, since=clock.now() + timedelta(hours=1))
    assert (later.listed, later.differences) == (0, ())


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE payment SET refunding_minor = refunding_minor - 1", "counter"),
        ("UPDATE payment SET captured_minor = 6000, refunded_elsewhere_minor = 0", "counter"),
        ("UPDATE refund SET amount_minor = amount_minor + 4000 WHERE cause = 'elsewhere'", "over_captured"),
        ("UPDATE refund SET status = 'planned' WHERE cause = 'return'", "ledger"),
        ("INSERT INTO ledger_entry (at, order_id, payment_id, account, kind, amount_minor, currency, cause) "
         "SELECT at, order_id, payment_id, account, kind, 1, currency, 'x' FROM ledger_entry WHERE account = 'refunded'",
         "ledger"),
        ("UPDATE order_line SET units_held = 1", "units"),
        ("UPDATE unit_range SET first = 1, last = 1", "units"),
        ("UPDATE unit_range SET released_at = NULL", "units"),
        ('UPDATE "return" SET status = \'rejected\'', "units"),
    ],
)  # fmt: skip
def test_every_broken_rule_of_the_books_is_reported(world: World, damage: str, what: str) -> None:
    order_id = world.order(5000, quantity=3)
    world.return_(order_id, 1000)
    world.pay(world.return_(order_id, 1500))
    world.return_(order_id, 10, status="canceled")
    world.work()
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    world.later(days=1)
    world.sweep()
    assert compare(world.database, world.gateway).differences == ()
    with world.database.transaction() as tx:
        tx.session.execute(text(damage))
    assert what in {each.what for each in compare(world.database, world.gateway).differences}


def test_the_night_has_one_job_which_takes_in_compares_and_keeps_the_report(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    for _ in range(3):
        report.plan_night(world.database, "Europe/London")
    with world.database.read() as session:
        (job,) = session.query(Job).filter(Job.name == "reconcile_night")
        local = job.run_at.astimezone(ZoneInfo("Europe/London"))
        assert (local.hour, local.minute) == (3, 10)
        assert timedelta(0) < job.run_at - clock.now() <= timedelta(hours=25)
        assert report.last_report(session) is None
    report.nightly(world.database, world.gateway)
    with world.database.read() as session:
        kept = report.last_report(session)
        assert kept is not None
        assert (kept.difference_count, kept.differences, kept.refunds, kept.listed) == (0, [], 1, 1)
    assert world.refundable(order_id) == [4300]
    with world.database.transaction() as tx:
        tx.session.execute(text("UPDATE payment SET refunded_elsewhere_minor = 0"))
    report.nightly(world.database, world.gateway)
    with world.database.read() as session:
        kept = report.last_report(session)
        assert kept is not None
        assert [each["what"] for each in kept.differences] == ["counter"]


def test_a_refund_on_its_way_at_this_very_moment_is_no_difference(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000)
    with world.database.transaction() as tx:
        refund = tx.session.get_one(Refund, refund_id)
        refund.status, refund.submitted_at, refund.first_submitted_at = "submitted", clock.now(), clock.now()
    assert compare(world.database, world.gateway).differences == ()
    world.later(minutes=2)
    assert [each.what for each in compare(world.database, world.gateway).differences] == ["unsure"]


def _request(world: World, **changed: Any) -> RefundRequest:
    intent = changed.pop("intent", None) or world.stripe.pay(5000).id
    return RefundRequest(intent, changed.pop("amount", 1000), "GBP", changed.pop("key", "k-1"), {"refund": "rf_1"})


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "unknown"),
    [
        ({"kind": "drop_before"}, "no_answer", True, True),
        ({"kind": "error"}, "http_500", True, True),
        ({"kind": "gateway", "status": 503}, "http_503", True, True),
        ({"kind": "malformed"}, "http_200", True, True),
        ({"kind": "conflict"}, "idempotency_key_in_use", True, True),
        ({"kind": "rate_limit", "retry_after": 3, "reason": ""}, "lock_timeout", True, False),
        ({"kind": "answer", "status": 401, "error": {"message": "no"}}, "authentication", True, False),
        ({"kind": "answer", "status": 403, "error": {"message": "no"}}, "permission", True, False),
        (
            {"kind": "answer", "status": 400, "error": {"type": "idempotency_error", "message": "other parameters"}},
            "idempotency_error",
            False,
            True,
        ),
        (
            {
                "kind": "answer",
                "status": 402,
                "error": {"type": "card_error", "code": "card_declined", "message": "no"},
            },
            "card_declined",
            False,
            False,
        ),
        (
            {"kind": "answer", "status": 400, "error": {"type": "invalid_request_error", "message": "what"}},
            "refused",
            False,
            False,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_every_answer_is_read_by_class_and_code(
    quick_world: World, fault: dict[str, Any], code: str, retryable: bool, unknown: bool
) -> None:
    request = _request(quick_world)
    quick_world.stripe.fault(fault.pop("kind"), method="POST", path="/v1/refunds", **fault)
    with pytest.raises(UpstreamError) as refused:
        quick_world.gateway.create_refund(request)
    error = refused.value
    assert (error.code, error.retryable, error.effect_unknown) == (code, retryable, unknown)
    assert error.staff_message
    assert "sk_test" not in error.public_message


def test_refusals_of_the_charge_itself(quick_world: World) -> None:
    world = quick_world

    def code(**changed: Any) -> str:
        with pytest.raises(UpstreamError) as refused:
            world.gateway.create_refund(_request(world, **changed))
        assert not refused.value.retryable
        assert not refused.value.effect_unknown
        return refused.value.code

    assert code(amount=5001) == "amount_too_large"
    assert code(intent="pi_nobody", key="k-2") == "resource_missing"
    spent = world.stripe.pay(1000).id
    world.gateway.create_refund(_request(world, intent=spent, key="k-3"))
    assert code(intent=spent, key="k-4") == "charge_already_refunded"
    disputed = world.stripe.pay(1000).id
    world.stripe.control("disputes", payment_intent=disputed)
    assert code(intent=disputed, key="k-5") == "charge_disputed"


@pytest.mark.parametrize("ending", ["warning_needs_response", "warning_closed", "needs_response", "won", "lost"])
def test_a_payment_is_frozen_by_a_chargeback_that_is_open_or_lost_alone(quick_world: World, ending: str) -> None:
    world = quick_world
    intent = world.stripe.pay(1000).id
    inquiry = ending.startswith("warning")
    first = "warning_needs_response" if inquiry else "needs_response"
    dispute = world.stripe.control("disputes", payment_intent=intent, status=first)
    if ending != first:
        world.stripe.control(f"disputes/{dispute['id']}", status=ending)
    view = world.gateway.read_payment(intent)
    assert view.frozen is (ending in ("needs_response", "lost"))
    assert view.method == "Visa ending 4242"
    assert view.captured_minor == 1000


def test_an_amount_that_stripe_cannot_move_is_refused_before_it_is_sent(quick_world: World) -> None:
    request = RefundRequest("pi_1", 1335, "KWD", "k", {})
    with pytest.raises(UpstreamError) as refused:
        quick_world.gateway.create_refund(request)
    assert (refused.value.code, refused.value.retryable) == ("amount_not_payable", False)
    assert quick_world.stripe.requests() == []


def test_a_refund_that_waits_for_a_dispute_is_not_given_ever_more_jobs(quick_world: World) -> None:
    from portal.refunds import disputes

    world = quick_world
    world.paid_return(5000)
    world.stripe.control("disputes", payment_intent=world.intent(1))
    disputes.look(world.database, world.gateway, world.intent(1))
    world.work()
    for _ in range(5):
        world.later(minutes=30)
        world.sweep()
    with world.database.read() as session:
        assert session.query(Job).filter(Job.state == "ready").count() == 1


def test_doctors_call_names_the_mode(quick_world: World) -> None:
    assert quick_world.gateway.check() == "Stripe answers, test mode"
