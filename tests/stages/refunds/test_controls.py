"""What staff hold in their hands: time to take a refund back, and a second person for a large one."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import timeline
from portal.api import tokens
from portal.db import Actor
from portal.errors import Conflict, Forbidden, Invalid, PortalError
from portal.orders.models import Payment
from portal.refunds import actions, ledger, payout, second, shortage, submit, two_people, undo
from portal.refunds.submit import Limits
from portal.returns import decisions
from portal.returns.models import Return
from portal.reviews import service as reviews
from portal.staff.models import ApiToken, User
from tests.stages.refunds.world import World, together

INES, MAYA, OMAR = Actor("staff", "Ines", 1), Actor("staff", "Maya", 2), Actor("staff", "Omar", 3)
TEN_MINUTES = Limits(undo=timedelta(minutes=10))
TWO_ABOVE_40 = Limits(second_above=lambda currency: 4000 if currency == "GBP" else None)


def take_back(world: World, refund_id: int, note: str = "Wrong item") -> None:
    with world.database.transaction(INES) as tx:
        undo.take_back(tx, world.refund(refund_id).public_id, note)


def approve(world: World, refund_id: int, who: Actor, note: str = "Right") -> None:
    with world.database.transaction(who) as tx:
        second.approve(tx, world.refund(refund_id).public_id, note)


def sums(world: World, return_id: int) -> dict[str, int]:
    with world.database.read() as session:
        return ledger.balances(session, return_id)


def rma_of(world: World, return_id: int) -> str:
    with world.database.read() as session:
        return session.get_one(Return, return_id).rma


class TestUndo:
    def test_a_refund_waits_as_long_as_the_shop_says_and_no_longer(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        with pytest.raises(submit.jobs.Later) as later:
            submit.submit(world.database, world.gateway, refund_id, TEN_MINUTES)
        assert later.value.at == world.refund(refund_id).planned_at + timedelta(minutes=10)
        assert world.at_stripe() == []
        world.later(minutes=10, seconds=1)
        submit.submit(world.database, world.gateway, refund_id, TEN_MINUTES)
        assert world.at_stripe() == [(2500, "succeeded")]

    def test_what_was_taken_back_frees_the_payment_and_is_decided_again(self, world: World) -> None:
        order_id = world.order(4000, 3000)
        return_id = world.return_(order_id, 6000)
        refunds = world.pay(return_id)
        take_back(world, refunds[0])
        take_back(world, refunds[0])
        assert [world.refund(each).status for each in refunds] == ["canceled", "canceled"]
        assert world.refundable(order_id) == [4000, 3000]
        assert set(sums(world, return_id).values()) == {0}
        assert world.questions() == [("receipt", "Wrong item")]
        world.work()
        assert world.at_stripe() == []
        world.check_books()
        # Decided again, it is paid by new rows; the old ones stay what they are.
        with world.database.transaction(MAYA) as tx:
            for review in reviews.open_reviews(tx.session, return_id):
                reviews.settle(tx, review, reviews.APPROVED, note="After all")
            payout.resume(tx, return_id, world.shop)
        world.work()
        assert world.at_stripe() == [(4000, "succeeded"), (2000, "succeeded")]
        assert world.money(return_id).state == "refunded"
        assert [piece.amount.minor for piece in world.money(return_id).pieces if piece.amount] == [4000, 2000]
        world.check_books()

    def test_what_was_taken_back_may_be_denied_and_nothing_is_owed(self, quick_world: World) -> None:
        world = quick_world
        return_id, refund_id = world.paid_return(2500)
        take_back(world, refund_id)
        with world.database.transaction(MAYA) as tx:
            decisions.refuse(tx, rma_of(world, return_id), message="It is another item.")
        assert world.status(return_id) == "rejected"
        assert world.money(return_id).state == "nothing"
        assert world.questions() == []
        world.check_books()

    def test_a_part_is_a_question_of_its_own_once_other_money_has_left(self, quick_world: World) -> None:
        world = quick_world
        return_id = world.return_(world.order(4000, 3000), 6000)
        first, rest = world.pay(return_id)
        world.submit(first)
        take_back(world, rest)
        assert world.questions() == [("refund_failed", "part_taken_back")]
        assert sums(world, return_id)["owed"] == 6000
        with world.database.transaction(MAYA) as tx:
            actions.retry(tx, world.refund(rest).public_id, "Right after all")
        world.work()
        assert world.money(return_id).state == "refunded"
        world.check_books()

    def test_what_has_left_is_not_taken_back_and_a_note_is_needed(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        with pytest.raises(Invalid):
            take_back(world, refund_id, " ")
        world.submit(refund_id)
        with pytest.raises(Conflict, match="left already"):
            take_back(world, refund_id)

    def test_what_was_taken_back_is_neither_sent_again_nor_paid_another_way(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(2500)
        take_back(world, refund_id)
        number = world.refund(refund_id).public_id
        for act in (actions.retry, actions.mark_paid_elsewhere):
            with pytest.raises(Conflict), world.database.transaction(MAYA) as tx:
                act(tx, number, "x")

    @pytest.mark.parametrize("round_", range(3))
    def test_undo_against_send_one_of_them_wins(self, pg_world: World, round_: int) -> None:
        world = pg_world
        return_id, refund_id = world.paid_return(2500)
        raised = together(lambda: take_back(world, refund_id), lambda: world.submit(refund_id))
        assert all(isinstance(error, Conflict) for error in raised)
        sent, taken = world.at_stripe(), world.refund(refund_id).status == "canceled"
        assert sent == ([] if taken else [(2500, "succeeded")])
        assert bool(raised) is not taken
        assert sums(world, return_id)["reserved"] == 0
        world.check_books()


class TestSecondPerson:
    def test_a_large_refund_waits_and_whoever_decided_it_is_never_the_second(self, world: World) -> None:
        return_id = world.return_(world.order(3000, 3000), 5000)
        with world.database.transaction(INES) as tx:
            payout.plan_when_due(tx, return_id, "received", world.shop)
        refunds = world.refund_ids(return_id)
        for each in refunds:
            submit.submit(world.database, world.gateway, each, TWO_ABOVE_40)
        assert world.at_stripe() == []
        assert world.questions() == [("second_person", "second_person")] * 2
        with pytest.raises(Forbidden, match="Somebody else"):
            approve(world, refunds[0], INES)
        with pytest.raises(Conflict, match="second person"), world.database.transaction(MAYA) as tx:
            actions.mark_paid_elsewhere(tx, world.refund(refunds[0]).public_id, "Cash")
        with pytest.raises(Conflict), world.database.transaction(MAYA) as tx:
            actions.send_anyway(tx, world.refund(refunds[0]).public_id, "Now")
        approve(world, refunds[0], MAYA)
        approve(world, refunds[0], MAYA)
        assert world.questions() == []
        for each in refunds:
            submit.submit(world.database, world.gateway, each, TWO_ABOVE_40)
        assert world.at_stripe() == [(3000, "succeeded"), (2000, "succeeded")]
        assert world.said("refund.seconded") == 2
        world.check_books()

    def test_what_is_paid_another_way_is_recorded_by_somebody_who_did_not_decide_it(self, quick_world: World) -> None:
        world = quick_world
        card = Payment(position=1, provider="gift_card", reference="GC-1", captured_minor=6000, currency="GBP")
        return_id = world.return_(world.order_with([card], 6000), 5000)
        with world.database.transaction(INES) as tx:
            payout.plan_when_due(tx, return_id, "received", world.shop)
        (refund_id,) = world.refund_ids(return_id)
        number, above = world.refund(refund_id).public_id, TWO_ABOVE_40.second_above
        with pytest.raises(Forbidden, match="Somebody else"), world.database.transaction(INES) as tx:
            actions.mark_paid_elsewhere(tx, number, "Put on GC-1.", above)
        assert world.money(return_id).refunded.minor == 0
        with world.database.transaction(MAYA) as tx:
            actions.mark_paid_elsewhere(tx, number, "Put on GC-1.", above)
        assert world.money(return_id).state == "refunded"
        world.check_books()

    def test_a_large_refund_is_not_recorded_as_paid_before_the_worker_has_looked_at_it(
        self, quick_world: World
    ) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(5000)
        number, above = world.refund(refund_id).public_id, TWO_ABOVE_40.second_above
        with pytest.raises(Conflict, match="second person"), world.database.transaction(MAYA) as tx:
            actions.mark_paid_elsewhere(tx, number, "Cash.", above)
        with world.database.transaction(MAYA) as tx:
            actions.mark_paid_elsewhere(tx, number, "Cash.", lambda currency: 5000)

    def test_money_that_no_payment_has_is_recorded_by_somebody_who_did_not_decide_it(self, quick_world: World) -> None:
        world = quick_world
        return_id = world.return_(world.order_with([], 5000), 5000)
        rma = rma_of(world, return_id)
        with world.database.transaction(INES) as tx:
            timeline.record(tx, "return.authorized", return_id=return_id)
        world.pay(return_id)
        with pytest.raises(Forbidden, match="Somebody else"), world.database.transaction(INES) as tx:
            shortage.paid_elsewhere(tx, rma, "Cash.", seen_minor=5000, above=TWO_ABOVE_40.second_above)
        with world.database.transaction(MAYA) as tx:
            shortage.paid_elsewhere(tx, rma, "Cash.", seen_minor=5000, above=TWO_ABOVE_40.second_above)
        assert world.money(return_id).state == "refunded"

    @pytest.mark.parametrize("owner", ["maya@wren.example", ""])
    def test_who_approved_by_a_program_of_theirs_is_not_the_second_either(self, quick_world: World, owner: str) -> None:
        world = quick_world
        with world.database.transaction() as tx:
            ids_of = {}
            for name in ("maya", "omar"):
                person = User(email=f"{name}@wren.example", fs_uniquifier=name, created_at=tx.at)
                tx.session.add(person)
                tx.session.flush()
                ids_of[name] = person.id
            tokens.create(tx, name="till", scopes=["returns:write"], owner=owner.upper())
            token_id = tx.session.scalars(select(ApiToken.id)).one()
        return_id = world.return_(world.order(5000), 5000)
        with world.database.transaction(Actor("api", "till", token_id)) as tx:
            payout.plan_when_due(tx, return_id, "received", world.shop)
        (refund_id,) = world.refund_ids(return_id)
        submit.submit(world.database, world.gateway, refund_id, TWO_ABOVE_40)
        maya, omar = (Actor("staff", name, ids_of[name]) for name in ("maya", "omar"))
        if owner:
            with pytest.raises(Forbidden, match="Somebody else"):
                approve(world, refund_id, maya)
            approve(world, refund_id, omar)
        else:
            approve(world, refund_id, maya)
        assert world.refund(refund_id).seconded_by == ("omar" if owner else "maya")

    def test_at_the_threshold_and_in_other_currencies_nobody_is_asked(self, quick_world: World) -> None:
        world = quick_world
        for amount, currency in ((4000, "GBP"), (9000, "EUR")):
            submit.submit(world.database, world.gateway, world.paid_return(amount, currency=currency)[1], TWO_ABOVE_40)
        assert len(world.at_stripe()) == 2

    @pytest.mark.parametrize(("refund", "credit", "waits"), [(2000, 2001, True), (2000, 2000, False), (4001, 0, True)])
    def test_store_credit_beside_a_refund_counts_for_the_same_payout(
        self, quick_world: World, refund: int, credit: int, waits: bool
    ) -> None:
        world = quick_world
        (refund_id,) = world.pay(world.return_(world.order(9000, quantity=2), refund, credit=credit))
        world.work_only("submit_refund", TWO_ABOVE_40)
        assert (world.refund(refund_id).held_for == "second_person") is waits

    def test_the_second_may_refuse_and_the_return_is_decided_again(self, quick_world: World) -> None:
        world = quick_world
        return_id, refund_id = world.paid_return(5000)
        submit.submit(world.database, world.gateway, refund_id, TWO_ABOVE_40)
        take_back(world, refund_id, "Not for this one")
        assert world.questions() == [("receipt", "Not for this one")]
        with pytest.raises(Conflict):
            approve(world, refund_id, MAYA)
        assert sums(world, return_id)["owed"] == 0

    def test_a_refund_that_was_taken_back_after_the_approval_is_not_approved_again(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(5000)
        submit.submit(world.database, world.gateway, refund_id, TWO_ABOVE_40)
        approve(world, refund_id, MAYA)
        approve(world, refund_id, MAYA)
        take_back(world, refund_id, "Not for this one")
        with pytest.raises(Conflict, match="is canceled and waits for no second person"):
            approve(world, refund_id, MAYA)

    def test_what_was_taken_back_is_decided_anew_by_one_and_seconded_by_who_had_decided_before(
        self, quick_world: World
    ) -> None:
        world = quick_world
        return_id = world.return_(world.order(5000), 5000)
        with world.database.transaction(MAYA) as tx:
            timeline.record(tx, "return.authorized", return_id=return_id)
        (first,) = world.pay(return_id)
        submit.submit(world.database, world.gateway, first, TWO_ABOVE_40)
        take_back(world, first)
        with world.database.transaction(INES) as tx:
            for review in reviews.open_reviews(tx.session, return_id):
                reviews.settle(tx, review, reviews.APPROVED, note="Right after all")
            timeline.record(tx, "return.inspected", return_id=return_id)
            payout.resume(tx, return_id, world.shop)
        second_id = world.refund_ids(return_id)[-1]
        submit.submit(world.database, world.gateway, second_id, TWO_ABOVE_40)
        with pytest.raises(Forbidden, match="Somebody else"):
            approve(world, second_id, INES)
        approve(world, second_id, MAYA)
        assert world.refund(second_id).seconded_by == "Maya"

    def test_in_no_order_of_steps_does_one_person_decide_and_second(self) -> None:
        decisions_, back = ("return.authorized", "return.inspected"), "payout.taken_back"
        steps = [(what, who) for what in (*decisions_, "return.resolution_changed", back) for who in (1, 2)]
        for done in itertools.product(steps, repeat=4):
            last_back = max((place for place, (what, _who) in enumerate(done) if what == back), default=-1)
            since = [(what, who) for what, who in done[last_back + 1 :]]
            anew = any(what in decisions_ for what, _who in since)
            counted = since if anew else [each for each in done if each[0] != back]
            assert two_people.deciders(done) == {who for _what, who in counted}, done

    def test_who_has_the_same_name_as_the_second_person_has_not_approved_it(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(5000)
        submit.submit(world.database, world.gateway, refund_id, TWO_ABOVE_40)
        approve(world, refund_id, MAYA)
        with pytest.raises(Conflict, match="waits for no second person"):
            approve(world, refund_id, Actor("staff", MAYA.name, 99))

    def test_a_second_approval_clicked_by_two_people_counts_once(self, pg_world: World) -> None:
        world = pg_world
        _return_id, refund_id = world.paid_return(5000)
        submit.submit(world.database, world.gateway, refund_id, TWO_ABOVE_40)
        raised = together(*[lambda who=who: approve(world, refund_id, who) for who in (MAYA, OMAR, MAYA, OMAR)])
        assert all(isinstance(error, PortalError) for error in raised)
        assert world.said("refund.seconded") == 1
        world.work()
        assert world.at_stripe() == [(5000, "succeeded")]
