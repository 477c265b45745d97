"""The switch, the daily cap and the speed: nothing passes that should not, nothing is lost that waits."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from portal import clock, jobs
from portal.cli.refunds import refunds
from portal.errors import Conflict, Invalid, UpstreamError
from portal.refunds import actions, gate, submit
from portal.refunds.gateway import RefundRequest, RefundView
from portal.refunds.pace import Pace, PacedGateway
from portal.refunds.submit import Limits
from portal.shop import DailyCap
from tests.stages.refunds.world import STAFF, World


def _stop(world: World, reason: str = "Something is odd.") -> None:
    with world.database.transaction(STAFF) as tx:
        gate.stop(tx, reason)


def _resume(world: World, reason: str = "It was nothing.") -> int:
    with world.database.transaction(STAFF) as tx:
        return gate.resume(tx, reason)


class TestSwitch:
    def test_nothing_is_sent_while_it_is_stopped_and_all_of_it_afterwards(self, world: World) -> None:
        order_id = world.order(5000, quantity=2)
        for amount in (2000, 3000):
            world.pay(world.return_(order_id, amount))
        _stop(world)
        _stop(world, "Still odd.")
        world.work()
        world.later(hours=6)
        world.sweep()
        assert world.stripe.requests("POST", "/v1/refunds") == []
        assert world.refundable(order_id) == [0], "what waits stays reserved"
        assert _resume(world) == 2
        assert _resume(world, "Clicked twice.") == 0
        world.work()
        assert sorted(world.at_stripe()) == [(2000, "succeeded"), (3000, "succeeded")]
        assert (world.said("refunds.stopped"), world.said("refunds.resumed")) == (2, 1)
        world.check_books()

    def test_a_retry_with_its_old_key_waits_too(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        world.stripe.fault("drop_before", method="POST", path="/v1/refunds")
        world.submit(refund_id)
        _stop(world)
        world.later(minutes=5)
        later = world.submit(refund_id)
        assert later is not None
        assert "all refunds are stopped: Something is odd." in later.why
        assert len(world.stripe.requests("POST", "/v1/refunds")) == 1
        _resume(world)
        assert world.submit(refund_id) is None
        assert world.at_stripe() == [(2500, "succeeded")]

    def test_it_needs_a_reason_and_keeps_who_and_why(self, quick_world: World) -> None:
        world = quick_world
        for turn in (gate.stop, gate.resume):
            for reason in ("  ", "x" * 501):
                with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
                    turn(tx, reason)
        _stop(world)
        with world.database.read() as session:
            found = gate.read(session)
        assert (found.stopped_by, found.reason) == ("Ines", "Something is odd.")

    def test_news_from_stripe_is_taken_in_while_it_is_stopped(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500, card="pm_card_pendingRefund")
        world.work()
        _stop(world)
        world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="succeeded")
        world.later(hours=2)
        world.sweep()
        assert world.refund(refund_id).status == "succeeded"

    def test_the_command_line_stops_shows_and_resumes(self, quick_world: World) -> None:
        world = quick_world
        app = Flask("portal")
        app.extensions["portal"] = SimpleNamespace(database=world.database)
        world.paid_return(2500)

        def portal(*words: str) -> tuple[int, str]:
            done = CliRunner().invoke(refunds, words, obj=ScriptInfo(create_app=lambda: app))
            return done.exit_code, done.output

        assert portal("status") == (0, "flowing\n")
        assert portal("stop", " ") == (1, "Error: Write why, for your colleagues.\n")
        assert portal("stop", "A rule pays twice") == (0, "stopped: no refund is sent; everything waits\n")
        code, said = portal("status")
        assert code == 1
        assert said.endswith("(command line): A rule pays twice\n")
        world.work()
        assert world.at_stripe() == []
        assert portal("resume", "Put right") == (0, "flowing: 1 waiting jobs go on\n")
        world.work()
        assert world.at_stripe() == [(2500, "succeeded")]


class TestDailyCap:
    def test_what_was_above_and_is_paid_another_way_waits_for_nobody_any_more(self, world: World) -> None:
        return_id = world.return_(world.order(5000), 5000)
        (refund_id,) = world.pay(return_id)
        submit.submit(
            world.database,
            world.gateway,
            refund_id,
            Limits(DailyCap(amounts={"GBP": Decimal("40.00")}), "Europe/London"),
        )
        held = world.refund(refund_id)
        assert held.waits_for == "daily_cap"
        with world.database.transaction(STAFF) as tx:
            actions.mark_paid_elsewhere(tx, held.public_id, "By bank, as agreed.", how="bank")
        assert world.refund(refund_id).waits_for == ""
        (piece,) = world.money(return_id).pieces
        assert (piece.state, piece.hold, piece.told) == ("arrived", "", "")

    def test_what_is_above_waits_for_staff_and_goes_when_they_say_so(self, world: World) -> None:
        limits = Limits(DailyCap(amounts={"GBP": Decimal("40.00")}), "Europe/London")
        order_id = world.order(10000, quantity=4)
        ids = [world.pay(world.return_(order_id, amount))[0] for amount in (3000, 2000, 1000)]
        for refund_id in ids:
            submit.submit(world.database, world.gateway, refund_id, limits)
        assert world.at_stripe() == [(3000, "succeeded"), (1000, "succeeded")], "a smaller one still fits"
        assert world.questions() == [("daily_cap", "daily_cap")]
        held = world.refund(ids[1])
        assert (held.status, held.held_at is not None) == ("planned", True)
        assert world.refundable(order_id) == [4000]

        submit.submit(world.database, world.gateway, ids[1], limits)
        world.later(days=2)
        world.sweep()
        assert len(world.at_stripe()) == 2, "the next day does not send it by itself"

        with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
            actions.send_anyway(tx, held.public_id, " ")
        for _ in range(2):
            with world.database.transaction(STAFF) as tx:
                actions.send_anyway(tx, held.public_id, "A busy day after the sale.")
        submit.submit(world.database, world.gateway, ids[1], limits)
        assert (2000, "succeeded") in world.at_stripe()
        assert world.questions() == []
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            actions.send_anyway(tx, world.refund(ids[0]).public_id, "again")
        world.check_books()

    def test_letting_one_through_enqueues_its_sending(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        world.work_only("submit_refund", Limits(DailyCap(amounts={"GBP": Decimal(10)})))
        assert world.at_stripe() == []
        with world.database.transaction(STAFF) as tx:
            actions.send_anyway(tx, world.refund(refund_id).public_id, "Right.")
        world.work()
        assert world.at_stripe() == [(2500, "succeeded")]

    def test_what_waits_may_be_paid_another_way_instead(self, quick_world: World) -> None:
        world = quick_world
        return_id, refund_id = world.paid_return(2500)
        submit.submit(world.database, world.gateway, refund_id, Limits(DailyCap(count=1, amounts={"GBP": Decimal(1)})))
        with world.database.transaction(STAFF) as tx:
            actions.mark_paid_elsewhere(tx, world.refund(refund_id).public_id, "Bank transfer.")
        world.work()
        assert world.at_stripe() == []
        assert world.money(return_id).state == "refunded"
        assert world.questions() == []

    @pytest.mark.parametrize("currency", ["EUR", "JPY"])
    def test_another_currency_has_its_own_cap_or_none(self, quick_world: World, currency: str) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(5000, currency=currency)
        limits = Limits(DailyCap(amounts={"GBP": Decimal(1)}))
        submit.submit(world.database, world.gateway, refund_id, limits)
        assert world.at_stripe() == [(5000, "succeeded")]

    def test_a_failed_refund_makes_room_and_yesterdays_do_not_count(self, quick_world: World) -> None:
        world = quick_world
        limits = Limits(DailyCap(count=1))
        order_id = world.order(9000, quantity=3)
        first, second, third = (world.pay(world.return_(order_id, amount))[0] for amount in (1000, 2000, 3000))
        refusal = {"type": "invalid_request_error", "code": "expired_card", "message": "No."}
        world.stripe.fault("answer", method="POST", path="/v1/refunds", status=400, error=refusal)
        submit.submit(world.database, world.gateway, first, limits)
        submit.submit(world.database, world.gateway, second, limits)
        assert world.at_stripe() == [(2000, "succeeded")]
        world.later(days=1)
        submit.submit(world.database, world.gateway, third, limits)
        assert len(world.at_stripe()) == 2

    def test_what_staff_pay_by_hand_takes_no_room_whether_it_was_tried_before_or_not(self, quick_world: World) -> None:
        world = quick_world
        limits = Limits(DailyCap(count=1))
        order_id = world.order(9000, quantity=3)
        failed, untried, third = (world.pay(world.return_(order_id, amount))[0] for amount in (1000, 2000, 3000))
        refusal = {"type": "invalid_request_error", "code": "expired_card", "message": "No."}
        world.stripe.fault("answer", method="POST", path="/v1/refunds", status=400, error=refusal)
        submit.submit(world.database, world.gateway, failed, limits)
        for refund_id in (failed, untried):
            with world.database.transaction(STAFF) as tx:
                actions.mark_paid_elsewhere(tx, world.refund(refund_id).public_id, "Transfer.", how="bank")
        submit.submit(world.database, world.gateway, third, limits)
        assert world.at_stripe() == [(3000, "succeeded")]

    def test_two_workers_never_both_take_the_last_of_it(self, pg_world: World) -> None:
        world = pg_world
        limits = Limits(DailyCap(amounts={"GBP": Decimal(30)}))
        ids = [world.paid_return(2000)[1] for _ in range(4)]
        start = threading.Barrier(len(ids))

        def send(refund_id: int) -> None:
            start.wait()
            submit.submit(world.database, world.gateway, refund_id, limits)

        threads = [threading.Thread(target=send, args=(each,)) for each in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.at_stripe() == [(2000, "succeeded")]
        assert [kind for kind, _ in world.questions()] == ["daily_cap"] * 3


class Slow:
    """A gateway that answers as it is told; counts its calls."""

    def __init__(self, error: UpstreamError | None = None) -> None:
        self.error, self.calls = error, 0

    def create_refund(self, request: RefundRequest) -> RefundView:
        self.calls += 1
        if self.error is not None:
            raise self.error
        now = clock.now()
        return RefundView("re_1", "succeeded", request.amount_minor, request.currency, request.payment_intent, now, {})

    def list_refunds(self, payment_intent: str) -> list[RefundView]:
        self.calls += 1
        return []


REQUEST = RefundRequest("pi_1", 100, "GBP", "key", {})


def _told_to_be_quiet(world: World, asked: float | None) -> datetime:
    """Stripe tells one worker to be silent; the moment before."""
    before = clock.now()
    error = UpstreamError("rate_limit", retryable=True, public_message="", retry_after=asked, slow_down=True)
    with pytest.raises(UpstreamError):
        PacedGateway(Slow(error), Pace(world.database, 100.0)).create_refund(REQUEST)  # type: ignore[arg-type]
    return before


class TestPace:
    def test_all_workers_together_keep_to_the_speed(self, quick_world: World) -> None:
        world = quick_world
        for name in ("one", "two"):
            jobs.beat(world.database, name)
        slept: list[float] = []
        paced = PacedGateway(Slow(), Pace(world.database, 10.0, sleep=slept.append, now=lambda: 100.0))  # type: ignore[arg-type]
        for _ in range(4):
            paced.create_refund(REQUEST)
        assert [round(each, 3) for each in slept] == [0.2, 0.4, 0.6], "each of two workers takes half of ten a second"

    def test_a_lone_call_waits_for_nothing(self, quick_world: World) -> None:
        slept: list[float] = []
        paced = PacedGateway(Slow(), Pace(quick_world.database, 10.0, sleep=slept.append))  # type: ignore[arg-type]
        paced.create_refund(REQUEST)
        assert slept == []

    def test_silence_asked_of_one_worker_is_kept_by_all(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        before = _told_to_be_quiet(world, 300.0)
        later = world.submit(refund_id)
        assert later is not None
        assert later.at >= before + timedelta(seconds=300)
        assert world.stripe.requests("POST", "/v1/refunds") == []
        other = Slow()
        with pytest.raises(UpstreamError) as quiet:
            PacedGateway(other, Pace(world.database, 100.0)).list_refunds("pi_1")  # type: ignore[arg-type]
        assert quiet.value.retryable
        assert other.calls == 0

    def test_without_a_time_the_silence_is_short_and_never_ends_a_longer_one(self, quick_world: World) -> None:
        world = quick_world
        before = _told_to_be_quiet(world, None)
        with world.database.read() as session:
            until = gate.read(session).quiet_until
        assert until is not None
        assert until >= before + timedelta(seconds=1)
        before = _told_to_be_quiet(world, 300.0)
        _told_to_be_quiet(world, None)
        with world.database.read() as session:
            until = gate.read(session).quiet_until
        assert until is not None
        assert until >= before + timedelta(seconds=300)

    def test_a_busy_object_silences_nobody_else(self, quick_world: World) -> None:
        world = quick_world
        world.gateway = PacedGateway(world.gateway, Pace(world.database, 100.0))  # type: ignore[assignment]
        ids = [world.paid_return(2500)[1] for _ in range(2)]
        world.stripe.fault("rate_limit", method="POST", path="/v1/refunds", reason="", retry_after=30)
        assert world.submit(ids[0]) is not None
        assert world.submit(ids[1]) is None
        assert world.at_stripe() == [(2500, "succeeded")]

    def test_a_limit_of_the_account_is_read_from_stripes_own_header(self, quick_world: World) -> None:
        world = quick_world
        world.gateway = PacedGateway(world.gateway, Pace(world.database, 100.0))  # type: ignore[assignment]
        ids = [world.paid_return(2500)[1] for _ in range(2)]
        world.stripe.fault("rate_limit", method="POST", path="/v1/refunds", retry_after=300)
        before = clock.now()
        for refund_id in ids:
            later = world.submit(refund_id)
            assert later is not None
            assert later.at >= before + timedelta(seconds=300)
        assert len(world.stripe.requests("POST", "/v1/refunds")) == 1
        world.later(minutes=1)
        with world.database.transaction() as tx:
            row = tx.session.get_one(gate.RefundGate, gate.THE_ONE)
            row.quiet_until = tx.at
        assert world.submit(ids[0]) is None


@pytest.mark.parametrize("wrong", [{"XYZ": 5}, {"GBP": 0}, {"GBP": -1}, {"JPY": "1.5"}])
def test_a_cap_that_makes_no_sense_stops_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="amounts"):
        DailyCap.model_validate({"amounts": wrong})
