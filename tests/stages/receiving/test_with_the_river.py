"""The same commands with the whole river behind them: money flows when it should, waits when a person is asked, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from portal import flow
from portal import shop as merchant
from portal.db import Database
from portal.errors import Conflict, Invalid
from portal.jobs import Job
from portal.orders.models import OrderLine, Payment, Variant
from portal.policybook.service import Book
from portal.receiving import rest
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.refunds import books, claims, credit_notes, disputes, settle, shortage, undo
from portal.refunds.gateway import Gateway, PaymentView
from portal.refunds.models import Exchange, Refund, StoreCredit
from portal.refunds.tenders import lock_refund
from portal.returns import service as returns
from portal.returns.claims import ask_overdue
from portal.returns.expiry import expire_due
from portal.returns.models import Return
from portal.reviews.models import Review
from tests.stages.returns.trade import (
    BENCH,
    MAYA,
    POLICY,
    Item,
    add_order,
    add_variant,
    book_return,
    events_of,
    held,
    later,
    look,
    open_shop,
    rows,
    wish,
)

SHOP = merchant.load(Path(__file__).resolve().parents[3] / "policies" / "shop.yaml")


@pytest.fixture
def shop(database: Database) -> Book:
    database.river = flow.make_river(SHOP)
    return open_shop(database, POLICY)


def paid_order(database: Database, *items: Item) -> int:
    order = add_order(database, items)
    with database.transaction() as tx:
        tx.session.add(
            Payment(
                order_id=order,
                position=1,
                provider="stripe",
                payment_intent=f"pi_{order}",
                captured_minor=sum(item.gross for item in items),
                currency="GBP",
            )
        )
    return order


def receive(database: Database, rma: str, *counts: Count, key: str = "scan") -> None:
    with database.transaction(BENCH, at=later(24)) as tx:
        receiving.receive(tx, rma, counts, command_key=key)


def planned(database: Database) -> list[int]:
    return [refund.amount_minor for refund in rows(database, select(Refund).order_by(Refund.id))]


def test_case_66_each_unit_is_paid_once_when_all_have_come(database: Database, shop: Book) -> None:
    rma = book_return(database, shop, paid_order(database, Item(3, 100_00)), wish(quantity=3))
    receive(database, rma, Count("1", 1, "as_new"), key="monday")
    assert planned(database) == []
    for _ in range(2):
        receive(database, rma, Count("1", 2, "as_new"), key="tuesday")
    assert planned(database) == [100_00]
    assert [job.name for job in rows(database, select(Job).where(Job.name == "submit_refund"))] == ["submit_refund"]


def test_goods_that_differ_are_paid_after_the_decision_and_as_decided(database: Database, shop: Book) -> None:
    rma = book_return(database, shop, paid_order(database, Item(gross=64_00)))
    receive(database, rma, Count("1", 1, "damaged"))
    assert planned(database) == []
    with database.transaction(MAYA, at=later(30)) as tx:
        returns.authorize(tx, rma, amounts={"1": 44_80}, note="Worn", message="It is worn.")
    assert planned(database) == [44_80]


def test_case_70_rejected_goods_are_not_paid_until_the_decision_is_taken_back(database: Database, shop: Book) -> None:
    rma = book_return(database, shop, paid_order(database, Item(gross=64_00)))
    receive(database, rma, Count("1", 1, "used"))
    with database.transaction(MAYA, at=later(30)) as tx:
        returns.refuse(tx, rma, message="It was worn.")
    assert planned(database) == []
    with database.transaction(MAYA, at=later(31)) as tx:
        returns.authorize(tx, rma, note="The marks were ours")
    assert planned(database) == [64_00]


def test_an_inspection_that_settles_the_question_pays_what_it_found(database: Database, shop: Book) -> None:
    rma = book_return(database, shop, paid_order(database, Item(gross=64_00, tags=("delicate",))))
    receive(database, rma, Count("1", 1, "as_new"))
    assert planned(database) == []
    with database.transaction(BENCH, at=later(48)) as tx:
        receiving.inspect(tx, rma, [Count("1", 1, "used")], command_key="look")
    assert planned(database) == [44_80]


@pytest.mark.parametrize("looks", [("as_new",), ("damaged", "as_new")])
def test_what_was_taken_back_waits_for_a_decision_however_often_the_goods_are_looked_at(
    database: Database, shop: Book, looks: tuple[str, ...]
) -> None:
    rma = book_return(database, shop, paid_order(database, Item(1, 20_00)), wish("1"))
    receive(database, rma, Count("1", 1, "as_new"))
    (refund,) = rows(database, select(Refund))
    with database.transaction(MAYA, at=later(25)) as tx:
        undo.take_back(tx, refund.public_id, "Looks like fraud.")
    for number, found in enumerate(looks):
        with database.transaction(BENCH, at=later(26 + number)) as tx:
            receiving.inspect(tx, rma, [Count("1", 1, found)], command_key=f"look {number}")
    assert [each.status for each in rows(database, select(Refund))] == ["canceled"]
    assert [each.status for each in rows(database, select(Review))] == ["open"]
    with database.transaction(MAYA, at=later(30)) as tx:
        returns.authorize(tx, rma, note="It was not.")
    assert [(each.amount_minor, each.status) for each in rows(database, select(Refund))] == [
        (20_00, "canceled"), (20_00, "planned"),
    ]  # fmt: skip
    assert [each.status for each in rows(database, select(Review))] == ["approved"]


def test_money_in_transit_does_not_need_the_carriers_scan(database: Database) -> None:
    database.river = flow.make_river(SHOP)
    shop = open_shop(database, POLICY.replace("refund_when: received", "refund_when: in_transit"))
    rma = book_return(database, shop, paid_order(database, Item()))
    receive(database, rma, Count("1", 1, "as_new"))
    assert planned(database) == [10_00]


def test_what_is_kept_is_paid_at_once(database: Database, shop: Book) -> None:
    book_return(database, shop, paid_order(database, Item(tags=("keep",))))
    assert planned(database) == [10_00]


@pytest.mark.parametrize("found", ["missing", "wrong_item"])
def test_what_was_paid_ahead_stays_the_quote_whatever_comes(database: Database, shop: Book, found: str) -> None:
    rma = book_return(database, shop, paid_order(database, Item(gross=64_00, tags=("trusted",))))
    assert planned(database) == [64_00]
    receive(database, rma, Count("1", 1, found))
    assert planned(database) == [64_00]
    assert look(database, rma).quote["total"]["amount"] == 64_00, "what is shown is what was executed"


class TestPaidAhead:
    """Money that went before its goods is never lost in silence."""

    def ahead(self, database: Database, shop: Book, **more: Any) -> str:
        """A return of two units, paid and sent on approval; to be posted by 24 November."""
        item = Item(2, 64_00, tags=("trusted",))
        rma = book_return(database, shop, paid_order(database, item), wish(quantity=2), **more)
        with database.transaction() as tx:
            refund, payment = lock_refund(tx.session, tx.session.scalars(select(Refund.id)).one())
            settle.paid_elsewhere(tx, refund, payment, "Paid")
        return rma

    def questions(self, database: Database) -> list[tuple[str, str, str]]:
        query = select(Review).where(Review.kind == "goods_missing").order_by(Review.id)
        return [(each.status, each.why, each.fact) for each in rows(database, query)]

    def end(self, database: Database, rma: str, days: float = 41) -> str:
        with database.transaction(MAYA, at=later(24 * days)) as tx:
            return claims.end(tx, rma, "Trusted customer, small sum").status

    def test_goods_that_are_never_sent_are_asked_about_once_and_the_return_ends_without_them(
        self, database: Database, shop: Book
    ) -> None:
        rma = self.ahead(database, shop)
        assert ask_overdue(database, 24, at=later(days=14)) == 0
        assert [ask_overdue(database, 24, at=later(days=15)), ask_overdue(database, 24, at=later(days=16))] == [1, 0]
        assert self.questions(database) == [
            ("open", "Paid ahead, and the goods have not come", "2 of 2 units are still to come")
        ]
        assert events_of(database, rma).count("review.opened") == 1
        assert self.end(database, rma) == "closed"
        assert [status for status, *_ in self.questions(database)] == ["settled"]
        with pytest.raises(Conflict):
            self.end(database, rma)
        assert ask_overdue(database, 24, at=later(days=90)) == 0
        assert rows(database, select(OrderLine))[0].units_held == 2, "what was paid for is never given back"

    def test_a_parcel_that_the_carrier_has_is_waited_for_longer(self, database: Database, shop: Book) -> None:
        rma = self.ahead(database, shop)
        with database.transaction(MAYA, at=later(30)) as tx:
            returns.mark_in_transit(tx, rma)
        assert ask_overdue(database, 24, at=later(days=35)) == 0
        assert ask_overdue(database, 24, at=later(days=36)) == 1

    def test_goods_that_come_after_all_answer_the_question(self, database: Database, shop: Book) -> None:
        rma = self.ahead(database, shop)
        ask_overdue(database, 24, at=later(days=15))
        receive(database, rma, Count("1", 1, "as_new"), key="monday")
        assert [status for status, *_ in self.questions(database)] == ["open"]
        receive(database, rma, Count("1", 1, "as_new"), key="tuesday")
        assert [status for status, *_ in self.questions(database)] == ["settled"]
        assert look(database, rma).status == "closed"

    def test_goods_that_are_not_in_the_parcel_are_staffs_to_know(self, database: Database, shop: Book) -> None:
        rma = self.ahead(database, shop)
        receive(database, rma, Count("1", 1, "as_new"), Count("1", 1, "missing"))
        ((status, why, fact),) = self.questions(database)
        assert (status, why) == ("open", "Paid ahead. Not everything was in the parcel")
        assert "1 missing" in fact
        assert fact.endswith("For what came £32.00 would be owed, and £64.00 went ahead")
        assert planned(database) == [64_00]
        assert look(database, rma).status == "received"
        assert self.end(database, rma) == "closed"

    def test_goods_that_the_policy_grades_down_after_they_were_paid_are_told_with_the_difference(
        self, database: Database
    ) -> None:
        database.river = flow.make_river(SHOP)
        shop = open_shop(database, POLICY.replace("refund_when: inspected", "refund_when: in_transit"))
        rma = book_return(database, shop, paid_order(database, Item(gross=64_00, tags=("delicate",))))
        with database.transaction(MAYA, at=later(12)) as tx:
            returns.mark_in_transit(tx, rma)
        assert planned(database) == [64_00]
        receive(database, rma, Count("1", 1, "used"))
        ((status, _why, fact),) = self.questions(database)
        assert status == "open"
        assert fact.endswith("For what came £44.80 would be owed, and £64.00 went ahead")

    def test_nothing_is_closed_while_its_money_is_under_way(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, paid_order(database, Item(gross=64_00, tags=("trusted",))))
        assert ask_overdue(database, 24, at=later(days=15)) == 1
        with pytest.raises(Conflict, match="under way"):
            self.end(database, rma)
        assert [status for status, *_ in self.questions(database)] == ["open"]

    def test_a_return_that_is_paid_on_receipt_is_never_asked_about(self, database: Database, shop: Book) -> None:
        book_return(database, shop, paid_order(database, Item(gross=64_00)))
        assert ask_overdue(database, 24, at=later(days=90)) == 0


class TestTheRest:
    """A part came, nothing was paid ahead, and the rest never comes."""

    def partly(self, database: Database, shop: Book, **item: Any) -> str:
        """Three units at 21.33, of which one came on the second day; the last day to post is two weeks later."""
        order = paid_order(database, Item(3, 64_00, **item))
        rma = book_return(database, shop, order, wish(quantity=3))
        receive(database, rma, Count("1", 1, "as_new"), key="monday")
        return rma

    def questions(self, database: Database) -> list[tuple[str, str, str]]:
        return [(each.kind, each.status, each.fact) for each in rows(database, select(Review).order_by(Review.id))]

    def give_up(self, database: Database, rma: str, note: str = "Never posted") -> str:
        with database.transaction(MAYA, at=later(24 * 25)) as tx:
            return rest.give_up(tx, rma, note, decide_within_hours=24).status

    def test_staff_are_asked_once_and_what_came_is_paid_when_they_give_the_rest_up(
        self, any_database: Database
    ) -> None:
        database = any_database
        database.river = flow.make_river(SHOP)
        shop = open_shop(database, POLICY)
        rma = self.partly(database, shop)
        asked = [rest.ask_overdue(database, 24, at=later(days=days)) for days in (16, 24, 25)]
        assert asked == [0, 1, 0]
        assert self.questions(database) == [("goods_missing", "open", "2 of 3 units are still to come")]
        assert [expire_due(database, at=later(days=60)), ask_overdue(database, 24, at=later(days=60))] == [0, 0]
        with pytest.raises(Invalid):
            self.give_up(database, rma, " ")
        with pytest.raises(Conflict, match="Nothing was paid"), database.transaction(MAYA) as tx:
            claims.end(tx, rma, "Close it")
        assert self.give_up(database, rma) == "received"
        assert planned(database) == [21_33]
        assert self.questions(database)[0][1] == "settled"
        assert len(self.questions(database)) == 1, "nobody is asked again whether something is missing"
        with pytest.raises(Conflict):
            self.give_up(database, rma)
        assert planned(database) == [21_33]
        assert rest.ask_overdue(database, 24, at=later(days=90)) == 0

    def test_the_rest_that_comes_after_all_answers_the_question_and_all_is_paid(
        self, database: Database, shop: Book
    ) -> None:
        rma = self.partly(database, shop)
        rest.ask_overdue(database, 24, at=later(days=24))
        receive(database, rma, Count("1", 2, "as_new"), key="tuesday")
        assert [status for _kind, status, _fact in self.questions(database)] == ["settled"]
        assert planned(database) == [64_00]

    def test_somebody_may_wait_longer_and_is_asked_again(self, database: Database, shop: Book) -> None:
        rma = self.partly(database, shop)
        rest.ask_overdue(database, 24, at=later(days=24))
        with database.transaction(MAYA, at=later(24 * 24)) as tx:
            rest.wait_longer(tx, rma, "The customer posts it tomorrow")
        with pytest.raises(Conflict), database.transaction(MAYA) as tx:
            rest.wait_longer(tx, rma, "Clicked twice")
        assert [rest.ask_overdue(database, 24, at=later(days=days)) for days in (37, 39)] == [0, 1]
        assert planned(database) == []

    def test_what_came_and_is_not_as_agreed_keeps_its_own_question(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, paid_order(database, Item(3, 64_00)), wish(quantity=3))
        receive(database, rma, Count("1", 1, "damaged"), key="monday")
        rest.ask_overdue(database, 24, at=later(days=24))
        self.give_up(database, rma)
        assert [(kind, status) for kind, status, _fact in self.questions(database)] == [
            ("goods_missing", "settled"), ("receipt", "open"),
        ]  # fmt: skip
        assert planned(database) == []

    def test_an_inspection_asks_no_more_about_what_was_given_up(self, database: Database, shop: Book) -> None:
        rma = self.partly(database, shop, tags=("delicate",))
        self.give_up(database, rma)
        with database.transaction(BENCH, at=later(24 * 26)) as tx:
            receiving.inspect(tx, rma, [Count("1", 1, "as_new")], command_key="look")
        assert planned(database) == [21_33]

    def test_money_that_staff_paid_before_all_had_come_is_a_question_too(self, database: Database, shop: Book) -> None:
        rma = self.partly(database, shop)
        with database.transaction() as tx:
            tx.session.scalars(select(Return).where(Return.rma == rma)).one().payout_planned_at = tx.at
        assert ask_overdue(database, 24, at=later(days=60)) == 1


class TestExchange:
    def reserved(self, database: Database) -> int:
        (variant,) = rows(database, select(Variant).where(Variant.sku == "B"))
        return int(variant.reserved)

    def book(self, database: Database, shop: Book, **more: object) -> str:
        add_variant(database, "B", stock=1, price=400_00)
        order = paid_order(database, Item(gross=400_00, product="shirt"))
        return book_return(database, shop, order, wish(resolution="exchange", exchange_sku="B"))

    def test_case_72_what_has_gone_is_not_promised(self, database: Database, shop: Book) -> None:
        self.book(database, shop)
        order = paid_order(database, Item(gross=400_00, product="shirt"))
        with pytest.raises(Conflict):
            book_return(database, shop, order, wish(resolution="exchange", exchange_sku="B"))
        assert planned(database) == []

    def test_a_return_taken_back_holds_its_goods_again(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        assert self.reserved(database) == 1
        with database.transaction(MAYA, at=later(1)) as tx:
            returns.refuse(tx, rma)
        assert self.reserved(database) == 0
        with database.transaction(MAYA, at=later(2)) as tx:
            returns.authorize(tx, rma)
        assert self.reserved(database) == 1
        assert [each.status for each in rows(database, select(Exchange))] == ["reserved"]

    def test_nothing_is_sent_for_goods_in_question(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        with database.transaction(MAYA, at=later(1)) as tx:
            returns.authorize(tx, rma)
        receive(database, rma, Count("1", 1, "damaged"))
        assert [each.status for each in rows(database, select(Exchange))] == ["reserved"]
        with database.transaction(MAYA, at=later(30)) as tx:
            returns.authorize(tx, rma)
        assert [each.status for each in rows(database, select(Exchange))] == ["ordered"]
        assert look(database, rma).status == "closed"

    def test_money_in_its_place_is_paid_when_the_goods_are_in(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        with database.transaction(MAYA, at=later(1)) as tx:
            returns.authorize(tx, rma)
            returns.change_resolution(tx, rma, line="1", resolution="refund", note="Sold out")
        assert planned(database) == []
        receive(database, rma, Count("1", 1, "as_new"))
        assert planned(database) == [400_00]
        assert self.reserved(database) == 0


@pytest.mark.parametrize(("outcome", "asked"), [("store_credit", 1), ("refund", 0)])
def test_stripe_is_asked_about_the_payment_as_soon_as_credit_is_wished(
    database: Database, shop: Book, outcome: str, asked: int
) -> None:
    order = paid_order(database, Item(gross=64_00))
    book_return(database, shop, order, wish(resolution=outcome))
    jobs = [
        (job.name, job.args) for job in rows(database, select(Job).where(Job.name.like("look_at_%")).order_by(Job.id))
    ]
    wanted = {"payment_intent": f"pi_{order}"}
    assert jobs == [("look_at_captured", wanted), ("look_at_dispute", wanted)] * asked


class TestStaffEndTheMoneyWhileADisputeHoldsAReplacement:
    @pytest.fixture
    def rma(self, database: Database, shop: Book) -> str:
        order = paid_order(database, Item(gross=64_00, product="shirt"), Item(gross=20_00))
        add_variant(database, "SHIRT-L", stock=2, price=64_00)
        rma = book_return(database, shop, order, wish("1", resolution="exchange", exchange_sku="SHIRT-L"), wish("2"))
        self.bank_says(database, "needs_response")
        receive(database, rma, Count("1", 1, "as_new"), Count("2", 1, "as_new"))
        assert self.state(database) == ("reserved", 2, 1)
        return rma

    @staticmethod
    def bank_says(database: Database, status: str) -> None:
        class Bank:
            def read_payment(self, intent: str) -> PaymentView:
                frozen = status != "won"
                return PaymentView(intent, "succeeded", "GBP", 84_00, 0, 0, "Visa", frozen, dispute_status=status)

        (payment,) = rows(database, select(Payment))
        disputes.look(database, cast(Gateway, Bank()), payment.payment_intent or "")

    @staticmethod
    def state(database: Database) -> tuple[str, int, int]:
        (held_,) = rows(database, select(Exchange))
        (variant,) = rows(database, select(Variant))
        return held_.status, variant.stock, variant.reserved

    @staticmethod
    def asked(database: Database) -> list[str]:
        return [each.kind for each in rows(database, select(Review).where(Review.status == "open"))]

    def test_closing_it_lets_the_replacement_go_because_nothing_more_is_owed(
        self, database: Database, rma: str
    ) -> None:
        with database.transaction(MAYA, at=later(30)) as tx:
            shortage.close(tx, rma, "The bank took it all back.", seen_minor=20_00)
        assert self.state(database) == ("released", 2, 0)
        assert (look(database, rma).status, self.asked(database)) == ("closed", [])

    def test_money_paid_before_leaves_the_replacement_waiting_with_its_question(
        self, database: Database, rma: str
    ) -> None:
        with database.transaction(MAYA, at=later(30)) as tx:
            shortage.paid_elsewhere(tx, rma, "In the shop.", seen_minor=20_00, how="cash")
        assert self.state(database) == ("reserved", 2, 1)
        assert self.asked(database) == ["dispute"]
        self.bank_says(database, "won")
        assert self.state(database) == ("ordered", 1, 0)
        assert (look(database, rma).status, self.asked(database)) == ("closed", [])


@pytest.mark.parametrize(
    ("amount", "bonus", "note"),
    [
        (528_00, 48_00, (480_00, 80_00)),
        (504_00, 24_00, (480_00, 80_00)),
        (480_00, 0, (480_00, 80_00)),
        (240_00, 0, (240_00, 40_00)),
        (30_00, 0, (30_00, 5_00)),
    ],
)
def test_what_staff_take_off_a_credit_comes_off_its_bonus_first_and_tax_is_that_of_the_goods(
    database: Database, shop: Book, amount: int, bonus: int, note: tuple[int, int]
) -> None:
    rma = book_return(
        database, shop, paid_order(database, Item(1, 480_00, tax=80_00)), wish("1", resolution="store_credit")
    )
    with database.transaction(MAYA, at=later(1)) as tx:
        returns.authorize(tx, rma, amounts={"1": amount}, note="Worn", message="It is worn.")
    receive(database, rma, Count("1", 1, "as_new"))
    (given,) = rows(database, select(StoreCredit))
    assert (given.amount_minor, given.bonus_minor) == (amount, bonus)
    with database.transaction(at=later(30)) as tx:
        found = credit_notes.issue(tx, given.return_id, SHOP)
        assert found is not None
        assert (found.gross_minor, found.tax_minor) == note


def test_a_replacement_that_was_ordered_is_not_undone_with_the_refund_beside_it(database: Database, shop: Book) -> None:
    for sku in ("SHIRT-M", "SHIRT-L"):
        add_variant(database, sku, stock=5)
    order = paid_order(database, Item(1, 10_00, sku="SHIRT-M", product="shirt"), Item(1, 20_00))
    rma = book_return(database, shop, order, wish("1", resolution="exchange", exchange_sku="SHIRT-L"), wish("2"))
    receive(database, rma, Count("1", 1, "as_new"), Count("2", 1, "as_new"))
    (refund,) = rows(database, select(Refund))
    assert [each.status for each in rows(database, select(Exchange))] == ["ordered"]
    with database.transaction(MAYA, at=later(25)) as tx:
        undo.take_back(tx, refund.public_id, "Look at the mug again")
    # Only the refund is a question: nobody decides once more about goods whose replacement is on its way.
    with pytest.raises(Conflict), database.transaction(MAYA, at=later(26)) as tx:
        returns.refuse(tx, rma, message="no")
    with pytest.raises(Conflict), database.transaction(MAYA, at=later(26)) as tx:
        returns.change_resolution(tx, rma, line="1", resolution="refund", note="n", overrule=True)
    lines = rows(database, select(OrderLine).where(OrderLine.order_id == order).order_by(OrderLine.position))
    assert lines[0].units_held == 1


def a_paid_one_with_an_exchange(database: Database, shop: Book) -> str:
    """One item is to be replaced, the other is paid ahead."""
    for sku in ("SHIRT-M", "SHIRT-L"):
        add_variant(database, sku, stock=5)
    trusted = {"tags": ("trusted",)}
    order = paid_order(database, Item(1, 10_00, sku="SHIRT-M", product="shirt", **trusted), Item(1, 20_00, **trusted))
    return book_return(database, shop, order, wish("1", resolution="exchange", exchange_sku="SHIRT-L"), wish("2"))


def test_what_came_is_replaced_when_the_rest_of_a_paid_return_is_given_up(database: Database, shop: Book) -> None:
    rma = a_paid_one_with_an_exchange(database, shop)
    (refund,) = rows(database, select(Refund))
    with database.transaction(at=later(1)) as tx:
        settle._succeed(tx, *lock_refund(tx.session, refund.id))
    receive(database, rma, Count("1", 1, "as_new"))
    assert ask_overdue(database, 24, at=later(24 * 60)) == 1
    with database.transaction(MAYA, at=later(24 * 61)) as tx:
        claims.end(tx, rma, "Leave the second item at that")
    assert [each.status for each in rows(database, select(Exchange))] == ["ordered"]
    assert [each.status for each in rows(database, select(Return))] == ["closed"]


def test_a_return_whose_payout_was_taken_back_is_not_closed_as_one_that_was_paid(
    database: Database, shop: Book
) -> None:
    rma = a_paid_one_with_an_exchange(database, shop)
    (refund,) = rows(database, select(Refund))
    receive(database, rma, Count("1", 1, "as_new"))
    assert ask_overdue(database, 24, at=later(24 * 60)) == 1
    with database.transaction(MAYA, at=later(24 * 61)) as tx:
        undo.take_back(tx, refund.public_id, "Wait for the second item")
    with pytest.raises(Conflict, match="taken back"), database.transaction(MAYA, at=later(24 * 61)) as tx:
        claims.end(tx, rma, "Leave the second item at that")
    assert [each.status for each in rows(database, select(Exchange))] == ["reserved"]
    assert [each.status for each in rows(database, select(Return))] == ["in_transit"]


class TestLeftAtHome:
    """What did not come and was not paid is the customer's to send another time."""

    def pay(self, database: Database) -> None:
        for refund in rows(database, select(Refund).where(Refund.status == "planned")):
            with database.transaction(at=later(26)) as tx:
                settle._succeed(tx, *lock_refund(tx.session, refund.id))

    def decide(self, database: Database, rma: str, **amounts: int) -> None:
        with database.transaction(MAYA, at=later(25)) as tx:
            returns.authorize(tx, rma, note="One is missing", message="One was missing.", amounts=amounts or None)

    @pytest.mark.parametrize("found", ["missing", "wrong_item"])
    def test_units_that_did_not_come_are_free_once_the_return_is_closed_and_all_sums_stay_exact(
        self, database: Database, shop: Book, found: str
    ) -> None:
        order = paid_order(database, Item(3, 100_00))
        rma = book_return(database, shop, order, wish(quantity=3))
        receive(database, rma, Count("1", 1, found), Count("1", 2, "as_new"))
        self.decide(database, rma)
        assert held(database, order) == [3], "until the return has ended nobody else has them"
        self.pay(database)
        assert look(database, rma).status == "closed"
        assert held(database, order) == [2]
        again = book_return(database, shop, order, wish())
        receive(database, again, Count("1", 1, "as_new"), key="again")
        self.pay(database)
        assert planned(database) == [66_66, 33_34]
        assert held(database, order) == [3]
        with database.read() as session:
            assert books.check_books(session) == []

    def test_staff_who_pay_for_what_did_not_come_keep_its_units(self, database: Database, shop: Book) -> None:
        order = paid_order(database, Item(2, 64_00))
        rma = book_return(database, shop, order, wish(quantity=2))
        receive(database, rma, Count("1", 1, "missing"), Count("1", 1, "as_new"))
        self.decide(database, rma, **{"1": 64_00})
        self.pay(database)
        assert planned(database) == [64_00]
        assert (look(database, rma).status, held(database, order)) == ("closed", [2])

    def test_what_was_paid_ahead_is_never_free_again(self, database: Database, shop: Book) -> None:
        order = paid_order(database, Item(2, 64_00, tags=("trusted",)))
        rma = book_return(database, shop, order, wish(quantity=2))
        self.pay(database)
        receive(database, rma, Count("1", 1, "missing"), Count("1", 1, "as_new"))
        with database.transaction(MAYA, at=later(30)) as tx:
            claims.end(tx, rma, "Leave it at that")
        assert (look(database, rma).status, held(database, order)) == ("closed", [2])
