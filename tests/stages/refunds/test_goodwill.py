"""Goodwill: money without a return, inside the same limits, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import clock
from portal.db import Actor
from portal.errors import Conflict, Forbidden, Invalid
from portal.orders.models import Order, OrderLine
from portal.refunds import goodwill, second, submit, undo
from portal.refunds.books import check_books
from portal.refunds.goodwill import Gift
from portal.refunds.models import Goodwill, LedgerEntry, Refund
from portal.refunds.submit import Limits
from tests.stages.refunds.test_controls import INES, MAYA
from tests.stages.refunds.test_disputes import exchanged
from tests.stages.refunds.world import World, together


def give(world: World, order_id: int, gift: Gift, *, key: str = "one", who: Actor = INES, **more: Any) -> list[int]:
    """Give it; the ids of its refunds."""
    with world.database.transaction(who) as tx:
        words = {"reason": "Late parcel"} | more
        made = goodwill.give(tx, order_id, gift, command_key=key, shop=world.shop, **words)
        return list(tx.session.scalars(select(Refund.id).where(Refund.goodwill_id == made.id).order_by(Refund.id)))


def taxed(world: World, order_id: int, tax: int) -> int:
    with world.database.transaction() as tx:
        tx.session.execute(update(OrderLine).where(OrderLine.order_id == order_id).values(tax_minor=tax))
    return order_id


def books_are_sound(world: World) -> None:
    world.check_books()
    with world.database.read() as session:
        assert check_books(session) == []


def held(world: World, order_id: int) -> int:
    with world.database.read() as session:
        return session.scalars(select(OrderLine.units_held).where(OrderLine.order_id == order_id)).one()


def test_case_42_the_amount_typed_is_gross_and_its_tax_is_kept_beside_it(world: World) -> None:
    order_id = taxed(world, world.order(10900), 900)
    (refund_id,) = give(world, order_id, Gift(2000))
    world.work()
    assert world.at_stripe() == [(2000, "succeeded")]
    refund = world.refund(refund_id)
    assert (refund.cause, refund.amount_minor, refund.tax_minor) == ("goodwill", 2000, 165)
    assert refund.amount_minor - refund.tax_minor == 1835
    assert world.refundable(order_id) == [8900]
    with world.database.read() as session:
        rows = session.scalars(
            select(LedgerEntry).where(LedgerEntry.order_id == order_id).order_by(LedgerEntry.id)
        ).all()
        said = [(row.account, row.kind, row.amount_minor) for row in rows]
    assert said == [
        ("owed", "goodwill", 2000), ("reserved", "reserve", 2000), ("reserved", "paid", -2000), ("refunded", "paid", 2000),
    ]  # fmt: skip
    books_are_sound(world)


def test_several_payments_share_the_gift_and_its_tax_to_the_last_minor_unit(quick_world: World) -> None:
    world = quick_world
    order_id = taxed(world, world.order(1000, 9900), 900)
    refunds = [world.refund(each) for each in give(world, order_id, Gift(2001))]
    assert [(each.amount_minor, each.tax_minor) for each in refunds] == [(1000, 82), (1001, 83)]


def test_case_18_what_was_paid_back_is_never_given_again(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.pay(world.return_(order_id, 5000))
    world.work()
    with pytest.raises(Conflict, match=r"£0\.00 left"):
        give(world, order_id, Gift(1))
    assert world.at_stripe() == [(5000, "succeeded")]


def test_units_that_goodwill_pays_for_count_as_returned(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(10000, quantity=3)
    (refund_id,) = give(world, order_id, Gift(lines={"1": 2}))
    assert world.refund(refund_id).amount_minor == 6666
    assert held(world, order_id) == 2
    with pytest.raises(Invalid) as refused:
        give(world, order_id, Gift(lines={"1": 2}), key="two")
    assert refused.value.fields == {"lines/1": "Only 1 are left; the others were returned or refunded."}
    (rest,) = give(world, order_id, Gift(lines={"1": 1}), key="three")
    assert world.refund(rest).amount_minor == 3334
    world.work()
    assert world.refundable(order_id) == [0]
    books_are_sound(world)


def test_units_that_the_customer_does_not_have_are_not_given_but_an_amount_is(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(9000, quantity=3)
    for delivered in (None, clock.now() + timedelta(hours=1)):
        with world.database.transaction() as tx:
            tx.session.execute(update(OrderLine).where(OrderLine.order_id == order_id).values(delivered_at=delivered))
        with pytest.raises(Invalid) as refused:
            give(world, order_id, Gift(lines={"1": 1}))
        assert "was not delivered" in refused.value.fields["lines/1"]
    assert (world.refundable(order_id), held(world, order_id)) == ([9000], 0)
    assert give(world, order_id, Gift(3000))


def test_what_is_taken_back_before_it_is_sent_gives_money_and_units_back(world: World) -> None:
    order_id = world.order(4000, 6000, quantity=2)
    refunds = give(world, order_id, Gift(lines={"1": 2}))
    with world.database.transaction(MAYA) as tx:
        undo.take_back(tx, world.refund(refunds[1]).public_id, "Twice")
    assert [world.refund(each).status for each in refunds] == ["canceled", "canceled"]
    assert (world.refundable(order_id), held(world, order_id), world.questions()) == ([4000, 6000], 0, [])
    world.work()
    assert world.at_stripe() == []
    give(world, order_id, Gift(lines={"1": 2}), key="again")
    books_are_sound(world)


def test_the_same_form_gives_once_and_a_reason_and_an_amount_are_needed(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    assert give(world, order_id, Gift(1000)) == give(world, order_id, Gift(1000))
    for gift, reason, field in (
        (Gift(100), " ", "reason"),
        (Gift(0), "x", "amount"),
        (Gift(lines={"9": 1}), "x", "lines/9"),
    ):
        with pytest.raises(Invalid) as refused:
            give(world, order_id, gift, key="two", reason=reason)
        assert list(refused.value.fields) == [field]
    assert world.refundable(order_id) == [4000]


def test_above_the_limit_of_a_role_nothing_is_given(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    with pytest.raises(Forbidden, match="at most"):
        give(world, order_id, Gift(2001), most_minor=2000)
    assert give(world, order_id, Gift(2000), most_minor=2000)


def test_what_a_replacement_was_given_in_another_currency_does_not_count_against_the_limit(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=5)
    origin = world.order(9000)
    give(world, exchanged(world, origin, 9000), Gift(1500), key="abroad")
    with world.database.transaction() as tx:
        tx.session.execute(update(Goodwill).values(currency="EUR"))
    assert give(world, origin, Gift(2000), most_minor=2000)
    with pytest.raises(Forbidden, match=r"£20\.00 were given"):
        give(world, origin, Gift(1), key="two", most_minor=2000)


def test_gifts_in_parts_need_a_second_person_as_soon_as_they_sum_to_it(quick_world: World) -> None:
    world = quick_world
    limits = Limits(second_above=lambda currency: 3000)
    order_id = world.order(9000)
    (one,) = give(world, order_id, Gift(2000))
    submit.submit(world.database, world.gateway, one, limits)
    (two,) = give(world, order_id, Gift(2000), key="two")
    submit.submit(world.database, world.gateway, two, limits)
    assert world.at_stripe() == [(2000, "succeeded")]
    number = world.refund(two).public_id
    with pytest.raises(Forbidden), world.database.transaction(INES) as tx:
        second.approve(tx, number, "Mine")
    with world.database.transaction(MAYA) as tx:
        second.approve(tx, number, "Right")
    submit.submit(world.database, world.gateway, two, limits)
    assert world.at_stripe() == [(2000, "succeeded")] * 2


def test_gifts_for_an_order_and_for_its_replacement_count_together_and_each_order_owes_its_own(
    quick_world: World,
) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=5)
    origin = world.order(9000)
    replacement = exchanged(world, origin, 9000)
    limits = Limits(second_above=lambda currency: 3000)
    (one,) = give(world, origin, Gift(2000))
    submit.submit(world.database, world.gateway, one, limits)
    (two,) = give(world, replacement, Gift(2000), key="two")
    submit.submit(world.database, world.gateway, two, limits)
    (three,) = give(world, replacement, Gift(3500), key="three")
    submit.submit(world.database, world.gateway, three, limits)
    assert world.at_stripe() == [(2000, "succeeded")]
    assert [world.refund(each).held_for for each in (two, three)] == ["second_person"] * 2
    with world.database.transaction(MAYA) as tx:
        undo.take_back(tx, world.refund(three).public_id, "Typo")
    for order_id in (origin, replacement):
        with world.database.read() as session:
            owed = session.scalars(
                select(LedgerEntry.amount_minor).where(LedgerEntry.order_id == order_id, LedgerEntry.kind == "goodwill")
            )
            assert sum(owed) == 2000


def test_a_gift_waits_for_the_undo_window_like_every_refund(quick_world: World) -> None:
    world = quick_world
    (refund_id,) = give(world, world.order(5000), Gift(2000))
    with pytest.raises(submit.jobs.Later):
        submit.submit(world.database, world.gateway, refund_id, Limits(undo=timedelta(minutes=5)))


def test_a_currency_of_three_decimals_is_given_in_whole_steps(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000, currency="KWD")
    with pytest.raises(Invalid) as refused:
        give(world, order_id, Gift(1005))
    assert "multiple of" in refused.value.fields["amount"]
    assert world.refundable(order_id) == [5000]


@pytest.mark.parametrize("gift", [Gift(3000), Gift(lines={"1": 2})], ids=["amounts", "units"])
def test_two_gifts_at_once_never_give_more_than_there_is(pg_world: World, gift: Gift) -> None:
    world = pg_world
    order_id = world.order(5000, quantity=3)
    raised = together(*[lambda key=key: give(world, order_id, gift, key=key) for key in "abcd"])
    assert len(raised) == 3
    assert all(isinstance(error, (Conflict, Invalid)) for error in raised)
    world.work()
    assert len(world.at_stripe()) == 1
    books_are_sound(world)


def test_one_form_sent_five_times_at_once_gives_once(pg_world: World) -> None:
    world = pg_world
    order_id = world.order(9000)
    assert together(*[lambda: give(world, order_id, Gift(1000))] * 5) == []
    with world.database.read() as session:
        assert len(session.scalars(select(Goodwill)).all()) == 1
        assert session.get_one(Order, order_id).number
    assert world.refundable(order_id) == [8000]
