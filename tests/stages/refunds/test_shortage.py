"""Money that no refund stands for has an end: sent when there is something, recorded as paid another way, or closed. Once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from portal.errors import Conflict, Invalid
from portal.orders.models import Payment
from portal.refunds import actions, disputes, given_up, goodwill, ledger, reconcile, shortage
from portal.refunds.books import check_books
from portal.refunds.goodwill import Gift
from portal.refunds.models import Goodwill, LedgerEntry, StoreCredit
from portal.returns.models import Return
from tests.stages.refunds.world import SHOP, STAFF, World


def rma_of(world: World, return_id: int) -> str:
    with world.database.read() as session:
        return session.get_one(Return, return_id).rma


def closed(world: World, return_id: int) -> dict[str, int]:
    """What staff ended of what the return was owed, by its kind on the ledger."""
    ended = LedgerEntry.kind.in_(("waived", "bonus_lapsed")), LedgerEntry.return_id == return_id
    sums = select(LedgerEntry.kind, func.sum(LedgerEntry.amount_minor)).where(*ended).group_by(LedgerEntry.kind)
    with world.database.read() as session:
        return {kind: int(total) for kind, total in session.execute(sums)}


def short(world: World) -> tuple[int, int]:
    """A return of 50.00 of which somebody has refunded 30.00 by hand before; ids of order and return. 20.00 were sent."""
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3000)
    world.deliver(world.events("refund.created")[0])
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    world.work()
    assert world.questions() == [("refund_failed", "short")]
    return order_id, return_id


def disputed(world: World, status: str = "needs_response") -> tuple[int, int, str]:
    order_id = world.order(5000)
    return_id = world.return_(order_id, 5000)
    dispute = world.stripe.control("disputes", payment_intent=world.intent(order_id), status=status)["id"]
    disputes.look(world.database, world.gateway, world.intent(order_id))
    world.pay(return_id)
    return order_id, return_id, dispute


class TestPaidElsewhere:
    def test_what_was_missing_is_recorded_once_and_the_return_is_refunded(self, world: World) -> None:
        order_id, return_id = short(world)
        rma = rma_of(world, return_id)
        for note in (" ", "x" * 2001):
            with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
                shortage.paid_elsewhere(tx, rma, note, seen_minor=3000)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma, "Bank transfer of 23 November.", seen_minor=3000)
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma, "Clicked twice.", seen_minor=3000)
        view = world.money(return_id)
        assert (view.state, view.refunded.minor) == ("refunded", 5000)
        assert world.status(return_id) == "closed"
        assert world.questions() == []
        assert world.refundable(order_id) == [0]
        world.check_books()

    def test_a_payment_that_still_has_it_is_charged_with_it(self, world: World) -> None:
        order_id, return_id, dispute = disputed(world)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma_of(world, return_id), "Paid before the bank asked.", seen_minor=5000)
        assert world.refundable(order_id) == [0]
        assert world.money(return_id).state == "refunded"
        world.stripe.control(f"disputes/{dispute}", status="won")
        disputes.look(world.database, world.gateway, world.intent(order_id))
        world.work()
        assert world.at_stripe() == [], "the dispute was won, and nothing is paid a second time"
        assert world.questions() == []
        world.check_books()

    @pytest.mark.parametrize(("tender_order", "left"), [("as_paid", [0, 2000]), ("reverse", [2000, 0])])
    def test_payments_are_charged_in_the_order_in_which_the_shop_refunds_them(
        self, quick_world: World, tender_order: str, left: list[int]
    ) -> None:
        world = quick_world
        order_id = world.order(4000, 3000)
        return_id = world.return_(order_id, 5000)
        world.stripe.control("disputes", payment_intent=world.intent(order_id), status="needs_response")
        disputes.look(world.database, world.gateway, world.intent(order_id))
        world.pay(return_id)
        rma = rma_of(world, return_id)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma, "Cash.", seen_minor=5000, tender_order=tender_order)
        assert world.refundable(order_id) == left
        world.check_books()

    def test_an_order_without_a_payment_is_paid_by_hand_and_never_above_its_total(self, quick_world: World) -> None:
        world = quick_world
        order_id = world.order_with([], 5000, quantity=2)
        first = world.return_(order_id, 5000)
        world.pay(first)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma_of(world, first), "Cash.", seen_minor=5000)
        second = world.return_(order_id, 0, credit=2500, resolution="store_credit")
        world.pay(second)
        assert world.money(second).credited.minor == 0
        assert world.questions() == [("refund_failed", "short")]

    def test_no_payment_is_charged_with_what_was_given_as_store_credit(self, quick_world: World) -> None:
        world = quick_world
        order_id = world.order(10000, quantity=2)
        credited = world.return_(order_id, 0, credit=5000, resolution="store_credit")
        world.pay(credited)
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=1000)
        world.deliver(world.events("refund.created")[0])
        second = world.return_(order_id, 5000)
        world.pay(second)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma_of(world, second), "From the till.", seen_minor=1000)
        # 40.00 were sent and 10.00 went back by hand; the 50.00 that are left stand for the credit.
        assert world.refundable(order_id) == [5000]
        world.work()
        assert (world.money(second).state, world.money(second).refunded.minor) == ("refunded", 5000)
        world.check_books()
        with world.database.read() as session:
            assert [each for each in check_books(session) if each.refund == rma_of(world, second)] == []

    def test_an_amount_that_has_changed_since_is_not_recorded(self, quick_world: World) -> None:
        world = quick_world
        _order_id, return_id = short(world)
        for act in (shortage.paid_elsewhere, shortage.close):
            with pytest.raises(Conflict, match="changed"), world.database.transaction(STAFF) as tx:
                act(tx, rma_of(world, return_id), "Paid.", seen_minor=2999)
        assert world.questions() == [("refund_failed", "short")]


class TestSendLeft:
    def test_what_has_come_back_is_sent(self, world: World) -> None:
        order_id, return_id = short(world)
        by_hand = world.stripe.refunds()[0]["id"]
        world.stripe.control(f"refunds/{by_hand}", status="failed")
        world.deliver(world.events("refund.failed")[0])
        assert world.refundable(order_id) == [3000]
        with world.database.transaction(STAFF) as tx:
            (refund,) = shortage.send_left(tx, rma_of(world, return_id), "It came back.", world.shop)
            assert refund.amount_minor == 3000
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            shortage.send_left(tx, rma_of(world, return_id), "Clicked twice.", world.shop)
        world.work()
        assert world.money(return_id).state == "refunded"
        assert world.status(return_id) == "closed"
        assert world.questions() == []
        world.check_books()

    def test_what_is_still_missing_is_asked_again(self, quick_world: World) -> None:
        world = quick_world
        _order_id, return_id = short(world)
        with world.database.transaction(STAFF) as tx:
            assert shortage.send_left(tx, rma_of(world, return_id), "Try.", world.shop) == []
        assert world.questions() == [("refund_failed", "short")]

    def test_nothing_is_sent_while_the_payment_is_disputed(self, quick_world: World) -> None:
        world = quick_world
        _order_id, return_id, _dispute = disputed(world)
        with pytest.raises(Conflict, match="still disputed"), world.database.transaction(STAFF) as tx:
            shortage.send_left(tx, rma_of(world, return_id), "Try.", world.shop)
        assert world.questions() == [("dispute", "needs_response")]


class TestClose:
    def test_a_dispute_that_was_lost_ends_the_return_without_a_payment(self, world: World) -> None:
        order_id, return_id, dispute = disputed(world)
        world.stripe.control(f"disputes/{dispute}", status="lost")
        with world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "The bank has paid the customer.", seen_minor=5000)
        with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "Clicked twice.", seen_minor=5000)
        assert world.status(return_id) == "closed"
        assert world.money(return_id).state == "nothing"
        assert world.questions() == []
        assert world.said("money.waived") == 1
        assert world.at_stripe() == []
        assert world.refundable(order_id) == [5000]
        world.check_books()

    def test_what_is_short_is_closed_and_what_was_sent_stays(self, quick_world: World) -> None:
        world = quick_world
        _order_id, return_id = short(world)
        with world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "The 30.00 were for this.", seen_minor=3000)
        view = world.money(return_id)
        assert (view.state, view.refunded.minor, view.owed.minor) == ("refunded", 2000, 2000)
        assert world.status(return_id) == "closed"

    def test_a_refund_that_is_prepared_is_ended_first(self, quick_world: World) -> None:
        world = quick_world
        return_id, refund_id = world.paid_return(5000)
        world.stripe.control("disputes", payment_intent=world.intent(1))
        disputes.look(world.database, world.gateway, world.intent(1))
        number = world.refund(refund_id).public_id
        with pytest.raises(Conflict, match=number), world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "The bank has paid.", seen_minor=0)
        assert world.questions() == [("dispute", "needs_response")]


class TestEachPartGoesIntoWhatWasAgreed:
    def send_left(self, world: World, return_id: int) -> None:
        with world.database.transaction(STAFF) as tx:
            shortage.send_left(tx, rma_of(world, return_id), "Send what there is.", SHOP)
        world.work()

    def captured(self, world: World, order_id: int, minor: int) -> None:
        """What the shop's system says was captured."""
        with world.database.transaction() as tx:
            tx.session.scalars(select(Payment).where(Payment.order_id == order_id)).one().captured_minor = minor

    @pytest.mark.parametrize("refund", [0, 3000])
    def test_owed_store_credit_waits_for_its_money_and_is_never_refunded(self, quick_world: World, refund: int) -> None:
        world = quick_world
        order_id = world.order(10000, quantity=2)
        self.captured(world, order_id, 4000)
        return_id = world.return_(order_id, refund, credit=5500, bonus=500, resolution="store_credit")
        world.pay(return_id)
        self.send_left(world, return_id)
        assert [world.refund(each).amount_minor for each in world.refund_ids(return_id)] == [refund][: bool(refund)]
        assert world.questions() == [("refund_failed", "short")]
        assert world.money(return_id).credited.minor == 0
        self.captured(world, order_id, 10000)
        self.send_left(world, return_id)
        with world.database.read() as session:
            columns = select(StoreCredit.amount_minor, StoreCredit.bonus_minor)
            assert session.execute(columns.where(StoreCredit.return_id == return_id)).one() == (5500, 500)
        assert sum(world.refund(each).amount_minor for each in world.refund_ids(return_id)) == refund
        assert world.status(return_id) == "closed"
        assert world.questions() == []
        world.check_books()

    @pytest.mark.parametrize("how", ["close", "paid"])
    def test_a_refund_that_is_lost_after_its_credit_was_ended_stays_a_refund(
        self, quick_world: World, how: str
    ) -> None:
        world = quick_world
        order_id = world.order(10000, quantity=2)
        self.captured(world, order_id, 4000)
        return_id = world.return_(order_id, 3000, credit=5500, bonus=500, resolution="store_credit")
        (sent,) = world.pay(return_id)
        world.work()
        with world.database.transaction(STAFF) as tx:
            if how == "close":
                shortage.close(tx, rma_of(world, return_id), "Agreed.", seen_minor=5500)
            else:
                shortage.paid_elsewhere(tx, rma_of(world, return_id), "Cash.", seen_minor=5000)
        world.stripe.control(f"refunds/{world.refund(sent).stripe_refund_id}", status="failed")
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=1500)
        reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
        with world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, world.refund(sent).public_id, "Too little left.")
        self.captured(world, order_id, 10000)
        self.send_left(world, return_id)
        assert world.money(return_id).credited.minor == 0
        (*_before, again) = world.refund_ids(return_id)
        assert (world.refund(again).amount_minor, world.refund(again).status) == (3000, "succeeded")
        assert world.questions() == []
        world.check_books()

    def test_a_rest_below_a_step_is_left_for_the_next_payout_and_the_return_ends(self, quick_world: World) -> None:
        world = quick_world
        order_id = world.order(100000, currency="KWD", quantity=2)
        self.captured(world, order_id, 40000)
        first = world.return_(order_id, 50005)
        world.pay(first)
        world.work()
        self.captured(world, order_id, 100000)
        self.send_left(world, first)
        assert [world.refund(each).amount_minor for each in world.refund_ids(first)] == [40000, 10000]
        assert world.status(first) == "closed"
        second = world.return_(order_id, 49995)
        world.pay(second)
        world.work()
        assert [world.refund(each).amount_minor for each in world.refund_ids(second)] == [50000]
        assert world.status(second) == "closed"
        assert world.questions() == []
        world.check_books()


class TestABonus:
    def test_what_is_paid_in_money_has_no_bonus(self, world: World) -> None:
        # 30.00 of credit with 3.00 of bonus could not be given, because the payments have nothing left.
        order_id = world.order(3000)
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3000)
        world.deliver(world.events("refund.created")[0])
        return_id = world.return_(order_id, 0, credit=3300, bonus=300, resolution="store_credit")
        world.pay(return_id)
        assert world.questions() == [("refund_failed", "short")]
        rma = rma_of(world, return_id)
        with world.database.read() as session:
            found = session.get_one(Return, return_id)
            assert (shortage.amount(session, found).minor, shortage.in_money(session, found).minor) == (3300, 3000)
        with pytest.raises(Conflict, match="changed"), world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma, "Bank.", seen_minor=3300)
        with world.database.transaction(STAFF) as tx:
            shortage.paid_elsewhere(tx, rma, "Bank.", seen_minor=3000)
        view = world.money(return_id)
        assert (view.owed.minor, view.refunded.minor, view.state) == (3000, 3000, "refunded")
        assert world.status(return_id) == "closed"
        assert closed(world, return_id) == {"bonus_lapsed": -300}
        world.check_books()

    def test_lapses_once_and_what_is_owed_afterwards_is_owed_whole(self, quick_world: World) -> None:
        # 50.00 of credit with 5.00 of bonus are closed; the 30.00 beside it fail later and can be sent no more.
        world = quick_world
        order_id = world.order(10000, quantity=2)
        with world.database.transaction() as tx:
            tx.session.scalars(select(Payment)).one().captured_minor = 4000
        return_id = world.return_(order_id, 3000, credit=5500, bonus=500, resolution="store_credit")
        (sent,) = world.pay(return_id)
        world.work()
        with world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "Both agreed.", seen_minor=5500)
        assert closed(world, return_id) == {"waived": -5000, "bonus_lapsed": -500}
        world.stripe.control(f"refunds/{world.refund(sent).stripe_refund_id}", status="failed")
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3500)
        reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
        with world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, world.refund(sent).public_id, "Too little left.")
        with world.database.read() as session:
            assert shortage.in_money(session, session.get_one(Return, return_id)).minor == 3000
        with world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma_of(world, return_id), "Both agreed again.", seen_minor=3000)
        assert closed(world, return_id) == {"waived": -8000, "bonus_lapsed": -500}
        assert world.money(return_id).owed.minor == 0
        world.check_books()


class TestAFailedRefundWithTooLittleLeft:
    def failed(self, world: World) -> tuple[int, int]:
        """40.00 of a return failed, and 35.00 of its payment were refunded by hand since; ids of return and refund."""
        return_id, refund_id = world.paid_return(4000, card="pm_card_refundFail")
        world.work()
        world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
        world.stripe.control("refunds", payment_intent=world.intent(1), amount=3500)
        reconcile.look_at_payment(world.database, world.gateway, world.intent(1))
        assert world.refundable(1) == [500]
        return return_id, refund_id

    def test_is_decided_with_its_return_where_each_way_out_is_open(self, world: World) -> None:
        return_id, refund_id = self.failed(world)
        number, rma = world.refund(refund_id).public_id, rma_of(world, return_id)
        with pytest.raises(Invalid), world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, number, " ")
        for _click in range(2):
            with world.database.transaction(STAFF) as tx:
                given_up.give_up(tx, number, "Somebody refunded it by hand.")
        assert world.questions() == [("refund_failed", "short")]
        for act in (actions.retry, actions.mark_paid_elsewhere):
            with pytest.raises(Conflict), world.database.transaction(STAFF) as tx:
                act(tx, number, "again")
        with world.database.transaction(STAFF) as tx:
            (sent,) = shortage.send_left(tx, rma, "What is left.", SHOP)
        assert sent.amount_minor == 500
        assert world.questions() == [("refund_failed", "short")]
        world.work()
        with world.database.transaction(STAFF) as tx:
            shortage.close(tx, rma, "The customer has 35.00 already.", seen_minor=3500)
        assert world.status(return_id) == "closed"
        assert world.questions() == []
        world.check_books()

    def test_all_of_it_is_recorded_as_paid_another_way(self, quick_world: World) -> None:
        world = quick_world
        return_id, refund_id = self.failed(world)
        with world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, world.refund(refund_id).public_id, "Too little left.")
            shortage.paid_elsewhere(tx, rma_of(world, return_id), "Bank transfer.", seen_minor=4000)
        assert (world.money(return_id).state, world.refundable(1)) == ("refunded", [0])
        world.check_books()

    def test_is_sent_again_as_long_as_the_payment_has_it(self, quick_world: World) -> None:
        world = quick_world
        _return_id, refund_id = world.paid_return(4000, card="pm_card_refundFail")
        world.work()
        world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
        reconcile.look_at_payment(world.database, world.gateway, world.intent(1))
        with pytest.raises(Conflict, match="has it left"), world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, world.refund(refund_id).public_id, "No.")

    def test_a_gift_ends_and_gives_its_units_back(self, quick_world: World) -> None:
        world = quick_world
        order_id = world.order(4000, card="pm_card_refundFail")
        with world.database.transaction(STAFF) as tx:
            made = goodwill.give(tx, order_id, Gift(lines={"1": 1}), reason="late", command_key="g" * 20, shop=SHOP)
        world.work()
        (refund,) = world.stripe.refunds()
        world.stripe.control(f"refunds/{refund['id']}", status="failed")
        world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3500)
        reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
        with world.database.transaction(STAFF) as tx:
            given_up.give_up(tx, refund["metadata"]["refund"], "Refunded by hand.")
        with world.database.read() as session:
            assert session.get_one(Goodwill, made.id).ended_at is not None
            owed = select(func.sum(LedgerEntry.amount_minor)).where(LedgerEntry.account == ledger.OWED)
            assert session.scalar(owed) == 0
        assert world.questions() == []
        world.check_books()
