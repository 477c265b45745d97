"""A refund that has ended here and that Stripe shows as money on its way: nobody pays it again before a person has looked."""

from __future__ import annotations

import pytest

from portal.errors import Conflict, Invalid
from portal.refunds import actions, contradicted, reconcile, report, settle
from portal.refunds.tenders import lock_refund
from tests.stages.refunds.world import STAFF, World


def ended_here(world: World, shown: str = "succeeded") -> tuple[int, int]:
    """A refund of 50.00 that counts as failed here while Stripe shows ``shown``; ids of return and refund."""
    return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.work()
    with world.database.transaction(settle.STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        settle.lose(tx, refund, payment, status="failed", code="declined", sentence="The bank declined it.")
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status=shown)
    return return_id, refund_id


def look(world: World, refund_id: int) -> None:
    reconcile.look(world.database, world.gateway, refund_id)


def differences(world: World) -> set[str]:
    return {each.what for each in report.compare(world.database, world.gateway).differences}


ASKED = ("refund_unknown", settle.CONTRADICTED)


class TestAFailedRefund:
    @pytest.mark.parametrize("shown", ["succeeded", "pending"])
    def test_is_asked_about_once_and_is_neither_sent_again_nor_paid_another_way(self, world: World, shown: str) -> None:
        _return_id, refund_id = ended_here(world, shown)
        look(world, refund_id)
        look(world, refund_id)
        assert world.questions().count(ASKED) == 1
        for act in (actions.retry, actions.mark_paid_elsewhere):
            with pytest.raises(Conflict, match="Stripe shows"), world.database.transaction(STAFF) as tx:
                act(tx, world.refund(refund_id).public_id, "again")
        assert differences(world) == {"status"}
        assert len(world.stripe.refunds()) == 1
        world.check_books()

    def test_counts_once_a_person_says_so_and_the_return_is_refunded(self, world: World) -> None:
        return_id, refund_id = ended_here(world)
        look(world, refund_id)
        number = world.refund(refund_id).public_id
        with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
            contradicted.count(tx, number, " ")
        for _click in range(2):
            with world.database.transaction(STAFF) as tx:
                contradicted.count(tx, number, "It is on the statement.")
        assert (world.refund(refund_id).status, world.status(return_id)) == ("succeeded", "closed")
        assert world.refundable(1) == [0]
        assert world.questions() == []
        assert world.said("refund.succeeded") == 1
        look(world, refund_id)
        assert differences(world) == set()
        world.check_books()

    def test_waits_for_the_bank_while_stripe_shows_it_as_pending(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = ended_here(world, "pending")
        look(world, refund_id)
        with pytest.raises(Conflict, match="pending"), world.database.transaction(STAFF) as tx:
            contradicted.count(tx, world.refund(refund_id).public_id, "It is on its way.")
        world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
        world.later(hours=2)
        world.sweep()
        assert ASKED not in world.questions(), "both say again that it failed"
        assert differences(world) == set()
        with world.database.transaction(STAFF) as tx:
            assert actions.retry(tx, world.refund(refund_id).public_id, "again").status == "planned"

    def test_answers_that_are_older_than_the_failure_ask_nothing(self, quick_world: World) -> None:
        # Stripe's answer to the request itself, which was read before the bank sent the money back.
        world = quick_world
        _return_id, refund_id = ended_here(world)
        view = world.gateway.read_refund(world.refund(refund_id).stripe_refund_id or "")
        with world.database.transaction(settle.STRIPE) as tx:
            settle.take_over(tx, *lock_refund(tx.session, refund_id), view)
        assert ASKED not in world.questions()


class TestARefundThatWasReplacedOrPaidAnotherWay:
    def test_is_counted_beside_what_took_its_place_once_a_person_says_so(self, world: World) -> None:
        return_id, refund_id = ended_here(world)
        with world.database.transaction(STAFF) as tx:
            actions.mark_paid_elsewhere(tx, world.refund(refund_id).public_id, "Bank transfer.")
        assert world.status(return_id) == "closed"
        look(world, refund_id)
        assert world.questions() == [ASKED]
        assert differences(world) == {"paid_twice"}
        for _click in range(2):
            with world.database.transaction(STAFF) as tx:
                contradicted.count(tx, world.refund(refund_id).public_id, "The customer has it twice.")
        assert world.questions() == []
        assert world.said("refund.imported") == 1
        assert differences(world) == {"over_captured"}, "the night's report keeps naming what the customer has too much"

    def test_a_row_that_ended_without_an_id_is_not_given_one(self, quick_world: World) -> None:
        # The list was read while the refund was unsure; before it is taken over, staff have paid another way.
        world = quick_world
        _return_id, refund_id = world.paid_return(5000)
        world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
        world.submit(refund_id)
        (made,) = world.gateway.list_refunds(world.intent(1))
        with world.database.transaction(STAFF) as tx:
            refund, payment = lock_refund(tx.session, refund_id)
            settle.lose(tx, refund, payment, status="failed", code="never_arrived", sentence="Not there.")
        with world.database.transaction(settle.STRIPE) as tx:
            settle.take_over(tx, *lock_refund(tx.session, refund_id), made)
        assert world.refund(refund_id).stripe_refund_id is None
        look(world, refund_id)
        assert world.refundable(1) == [0], "it counts as made by another hand"
        with pytest.raises(Conflict, match="left"), world.database.transaction(STAFF) as tx:
            actions.retry(tx, world.refund(refund_id).public_id, "again")
        world.check_books()
