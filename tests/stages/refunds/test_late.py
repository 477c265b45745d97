"""Where is my money: late refunds raise themselves once, and the bank's reference is shown when it is there."""

from __future__ import annotations

from datetime import timedelta

from portal import clock
from portal.refunds import late, reconcile
from tests.stages.refunds.world import World


def raise_late(world: World) -> int:
    return late.raise_late(world.database, world.shop.bank_days.most, world.shop.timezone)


def pending(world: World) -> tuple[int, int]:
    return_id, refund_id = world.paid_return(2500, card="pm_card_pendingRefund")
    world.submit(refund_id)
    assert world.refund(refund_id).status == "pending"
    return return_id, refund_id


def test_a_refund_that_is_pending_longer_than_banks_need_raises_itself_once(world: World) -> None:
    return_id, refund_id = pending(world)
    assert raise_late(world) == 0
    world.later(days=world.shop.bank_days.most)
    assert raise_late(world) == 0
    world.later(days=world.shop.bank_days.most + 3)
    assert [raise_late(world), raise_late(world)] == [1, 0]
    assert world.said("refund.late") == 1
    assert [kind for kind, _fact in world.questions()] == ["refund_late"]
    (piece,) = world.money(return_id).pieces
    days = [clock.add_working_days(clock.now().date(), days) for days in (5, 10)]
    assert (piece.state, [piece.expected_from, piece.expected_on]) == ("sent", days)
    # It moves on: the question answers itself.
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="succeeded")
    reconcile.look(world.database, world.gateway, refund_id)
    assert world.questions() == []
    assert world.money(return_id).state == "refunded"


def test_what_has_arrived_or_waits_for_the_shops_balance_is_not_the_banks(quick_world: World) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(2500)
    world.submit(refund_id)
    world.later(days=40)
    assert raise_late(world) == 0


def test_the_banks_reference_comes_with_a_later_look_and_is_shown(quick_world: World) -> None:
    world = quick_world
    return_id, refund_id = world.paid_return(2500)
    world.submit(refund_id)
    before = world.money(return_id).pieces[0]
    assert (before.bank_reference, before.reference_status) == ("", "pending")
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", reference=True)
    world.later(**{"hours": timedelta(days=2).total_seconds() / 3600})
    world.sweep()
    after = world.money(return_id).pieces[0]
    assert (len(after.bank_reference), after.reference_status) == (23, "available")


def test_a_refund_that_stripe_did_as_a_reversal_never_waits_for_a_reference(quick_world: World) -> None:
    world = quick_world
    world.stripe.control("settings", reversal_within=3600)
    return_id, refund_id = world.paid_return(2500)
    world.submit(refund_id)
    piece = world.money(return_id).pieces[0]
    assert (piece.state, piece.bank_reference, piece.reference_status) == ("arrived", "", "reversal")
