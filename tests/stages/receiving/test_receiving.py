"""Goods arrive: counted once however often the form is sent, never above what was announced, and paid for what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import Actor, Database, Tx
from portal.errors import Conflict, Invalid
from portal.orders.models import Variant
from portal.policybook.service import Book
from portal.receiving import service as receiving
from portal.receiving.models import Receipt
from portal.receiving.service import Count
from portal.returns import service as returns
from portal.returns.models import Return
from portal.reviews.models import Review
from tests.stages.returns.trade import (
    BENCH,
    CUSTOMER,
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
    timeline_of,
    wish,
)

FREE = POLICY.replace("    when: {return.value: {over: 300 GBP}}", "    when: {return.value: {over: 30000 GBP}}")


def run(database: Database, do: Callable[[Tx], Any], hours: float = 24, actor: Actor = BENCH) -> str:
    with database.transaction(actor, at=later(hours)) as tx:
        status: str = do(tx).status
        return status


def receive(database: Database, rma: str, *counts: Count, key: str = "scan-1", hours: float = 24) -> str:
    return run(database, lambda tx: receiving.receive(tx, rma, counts, command_key=key), hours)


def inspect(database: Database, rma: str, *counts: Count, key: str = "look-1", hours: float = 48) -> str:
    return run(database, lambda tx: receiving.inspect(tx, rma, counts, command_key=key), hours)


def owed(database: Database, rma: str) -> int:
    with database.read() as session:
        found = session.scalars(select(Return).where(Return.rma == rma)).one()
        return returns.payable_quote(session, found).total.minor


def stock(database: Database, sku: str = "SKU-1") -> int:
    (variant,) = rows(database, select(Variant).where(Variant.sku == sku))
    return int(variant.stock)


@pytest.fixture
def shop(database: Database) -> Book:
    return open_shop(database, FREE)


class TestReceive:
    def test_the_full_count_as_agreed_receives_the_return(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(2, 20_00)]), wish(quantity=2))
        assert receive(database, rma, Count("1", 2, "as_new")) == "received"
        found = look(database, rma)
        assert (found.received_at, found.refund_when) == (later(24), "received")
        line = found.lines[0]
        assert (line.received_quantity, line.condition, line.disposition) == (2, "as_new", "restock")
        # Nobody had scanned the parcel on its way, but it evidently was.
        assert events_of(database, rma)[-2:] == ["return.in_transit", "return.received"]
        assert owed(database, rma) == 20_00
        assert rows(database, select(Review)) == []

    def test_case_66_parcels_add_up(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(3, 30_00)]), wish(quantity=3))
        assert receive(database, rma, Count("1", 1, "as_new"), key="monday") == "in_transit"
        assert receive(database, rma, Count("1", 2, "as_new"), key="tuesday", hours=48) == "received"
        assert look(database, rma).lines[0].received_quantity == 3
        assert events_of(database, rma)[2:] == ["return.in_transit", "return.partly_received", "return.received"]
        assert [row.quantity for row in rows(database, select(Receipt).order_by(Receipt.id))] == [1, 2]

    def test_case_76_stock_rises_once_and_only_by_what_is_sold_again(self, database: Database, shop: Book) -> None:
        add_variant(database, "SKU-1", stock=10)
        rma = book_return(database, shop, add_order(database, [Item(2, 20_00)]), wish(quantity=2))
        counts = (Count("1", 1, "as_new"), Count("1", 1, "damaged"))
        for _ in range(3):
            receive(database, rma, *counts)
        assert stock(database) == 11
        assert events_of(database, rma).count("return.received") == 1
        assert len(rows(database, select(Receipt))) == 2

    def test_units_that_never_shipped_raise_no_stock(self, database: Database, shop: Book) -> None:
        add_variant(database, "SKU-1", stock=10)
        order = add_order(database, [Item(delivered_at=None)])
        rma = book_return(database, shop, order)
        run(database, lambda tx: returns.authorize(tx, rma), hours=1, actor=MAYA)
        receive(database, rma, Count("1", 1, "as_new"))
        assert stock(database) == 10

    def test_goods_of_no_listed_article_raise_nothing_and_break_nothing(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        assert receive(database, rma, Count("1", 1, "as_new")) == "received"

    @pytest.mark.parametrize(
        ("counts", "field"),
        [
            ((), "/lines"),
            ((Count("9", 1, "as_new"),), "/lines/0/line"),
            ((Count("1", 0, "as_new"),), "/lines/0/quantity"),
            ((Count("1", 3, "as_new"),), "/lines/0/quantity"),
            ((Count("1", 1, "as_new"), Count("1", 2, "used")), "/lines/0/quantity"),
            ((Count("1", 1, "shiny"),), "/lines/0/condition"),
            ((Count("1", 1, "as_new", "attic"),), "/lines/0/disposition"),
            ((Count("1", 1, "missing", "restock"),), "/lines/0/disposition"),
            ((Count("1", 1, "as_new", "missing"),), "/lines/0/disposition"),
            ((Count("1", 1, "as_new", note="\x00"),), "/lines/0/note"),
        ],
    )
    def test_a_count_that_makes_no_sense_names_the_field(
        self, database: Database, shop: Book, counts: tuple[Count, ...], field: str
    ) -> None:
        rma = book_return(database, shop, add_order(database, [Item(2, 20_00)]), wish(quantity=2))
        with pytest.raises(Invalid) as refused:
            receive(database, rma, *counts)
        assert field in refused.value.fields
        assert look(database, rma).lines[0].received_quantity == 0

    @pytest.mark.parametrize("key", ["", "k" * 101])
    def test_a_command_needs_a_usable_key(self, database: Database, shop: Book, key: str) -> None:
        rma = book_return(database, shop, add_order(database))
        with pytest.raises(Invalid):
            receive(database, rma, Count("1", 1, "as_new"), key=key)

    def test_what_is_received_is_not_received_again(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        receive(database, rma, Count("1", 1, "as_new"))
        with pytest.raises(Conflict) as refused:
            receive(database, rma, Count("1", 1, "as_new"), key="another")
        assert refused.value.state == "received"

    def test_nothing_is_expected_from_a_return_that_waits_or_has_ended(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(tags=("final-sale",))]), ask_us=True)
        with pytest.raises(Conflict, match="under review"):
            receive(database, rma, Count("1", 1, "as_new"))

    def test_kept_goods_are_not_expected(self, database: Database, shop: Book) -> None:
        order = add_order(database, [Item(tags=("keep",)), Item()])
        rma = book_return(database, shop, order, wish("1"), wish("2"))
        with pytest.raises(Invalid):
            receive(database, rma, Count("1", 1, "as_new"))
        assert receive(database, rma, Count("2", 1, "as_new")) == "received"

    def test_case_82_a_received_return_is_not_canceled(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(2, 20_00)]), wish(quantity=2))
        receive(database, rma, Count("1", 1, "as_new"), key="first")
        with pytest.raises(Conflict):
            run(database, lambda tx: returns.cancel(tx, rma, by="customer"), actor=CUSTOMER)
        receive(database, rma, Count("1", 1, "as_new"), key="second")
        with pytest.raises(Conflict) as refused:
            run(database, lambda tx: returns.cancel(tx, rma, by="customer"), actor=CUSTOMER)
        assert refused.value.state == "received"
        assert owed(database, rma) == 20_00


class TestQuestions:
    def test_goods_that_differ_wait_for_a_person_before_any_money(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(name="Shirt")]))
        receive(database, rma, Count("1", 1, "damaged"))
        found = look(database, rma)
        # The river pays `received` returns in this event; this one now waits for the decision.
        assert (found.status, found.refund_when) == ("received", "inspected")
        assert events_of(database, rma)[-2:] == ["return.received", "review.opened"]
        (review,) = rows(database, select(Review))
        assert (review.kind, review.why, review.fact) == ("receipt", "Damaged on arrival", "Shirt: 1 damaged")

    def test_staff_confirm_with_an_amount_and_the_money_flows(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        receive(database, rma, Count("1", 1, "damaged"))
        confirm = lambda tx: returns.authorize(tx, rma, amounts={"1": 4_00}, note="Torn", message="It is worn.")  # noqa: E731
        assert run(database, confirm, actor=MAYA) == "inspected"
        assert run(database, confirm, actor=MAYA) == "inspected"
        assert owed(database, rma) == 4_00
        assert events_of(database, rma).count("return.inspected") == 1
        assert rows(database, select(Review))[0].status == "approved"

    def test_missing_units_are_not_paid(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(3, 100_00)], shipping=5_00), wish(quantity=3))
        assert owed(database, rma) == 105_00
        receive(database, rma, Count("1", 2, "as_new"), Count("1", 1, "missing"))
        line = look(database, rma).lines[0]
        assert (line.received_quantity, line.condition) == (2, "missing")
        # Not everything came back, so the shipping that a full return gives back stays, too.
        assert owed(database, rma) == 66_66
        (review,) = rows(database, select(Review))
        assert "£105.00 to £66.66" in review.fact
        run(database, lambda tx: returns.authorize(tx, rma), actor=MAYA)
        assert owed(database, rma) == 66_66
        received = next(entry for entry in timeline_of(database, rma) if entry.what == "return.received")
        assert (received.data["was"]["amount"], received.data["now"]["amount"]) == (105_00, 66_66)

    @pytest.mark.parametrize("condition", ["missing", "wrong_item"])
    @pytest.mark.parametrize("grade", ["0%", "{refund: 0%, review: always}", "50%"])
    def test_a_policy_that_grades_what_did_not_come_gives_no_delivery_back_for_it(
        self, database: Database, condition: str, grade: str
    ) -> None:
        shop = open_shop(database, f"{POLICY.rstrip()}\n  on_inspection: {{{condition}: {grade}}}\n")
        order = add_order(database, [Item(1, 70_00), Item(1, 1_00)], shipping=5_00)
        rma = book_return(database, shop, order, wish("1"), wish("2"))
        assert owed(database, rma) == 76_00
        receive(database, rma, Count("1", 1, condition), Count("2", 1, "as_new"))
        assert owed(database, rma) == 1_00 + (35_00 if grade == "50%" else 0)

    def test_an_amount_that_staff_had_set_shrinks_with_the_units(self, database: Database, shop: Book) -> None:
        order = add_order(database, [Item(2, 20_00, tags=("final-sale",))])
        rma = book_return(database, shop, order, wish(quantity=2), ask_us=True)
        run(
            database,
            lambda tx: returns.authorize(tx, rma, amounts={"1": 15_01}, note="Kind", message="It is worn."),
            hours=1,
            actor=MAYA,
        )
        receive(database, rma, Count("1", 1, "as_new"), Count("1", 1, "missing"))
        assert owed(database, rma) == 7_50

    def test_case_70_rejected_on_inspection_and_taken_back(self, database: Database, shop: Book) -> None:
        add_variant(database, "SKU-1", stock=10)
        order = add_order(database)
        rma = book_return(database, shop, order)
        receive(database, rma, Count("1", 1, "used", "restock"))
        assert stock(database) == 11
        run(database, lambda tx: returns.refuse(tx, rma, message="It was worn.", note="Salt marks"), actor=MAYA)
        found = look(database, rma)
        assert (found.status, found.message, owed(database, rma)) == ("rejected", "It was worn.", 0)
        # Nothing of the order counts as returned, and the goods go back to the customer, not to the shelf.
        assert held(database, order) == [0]
        assert stock(database) == 10
        assert events_of(database, rma)[-1] == "return.rejected"
        run(database, lambda tx: returns.authorize(tx, rma, note="Marks were ours"), hours=30, actor=MAYA)
        assert (look(database, rma).status, owed(database, rma)) == ("inspected", 10_00)
        assert held(database, order) == [1]
        assert events_of(database, rma)[-2:] == ["return.reinstated", "return.inspected"]

    def test_goods_are_not_refused_once_their_money_is_on_its_way(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        receive(database, rma, Count("1", 1, "as_new"))
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().payout_planned_at = tx.at
        with pytest.raises(Conflict, match="on its way"):
            run(database, lambda tx: returns.refuse(tx, rma), actor=MAYA)

    def test_of_money_sent_in_advance_staff_are_told_and_asked_nothing_about_the_goods(
        self, database: Database, shop: Book
    ) -> None:
        rma = book_return(database, shop, add_order(database, [Item(tags=("trusted",))]))
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().payout_planned_at = tx.at
        assert receive(database, rma, Count("1", 1, "damaged")) == "received"
        (asked,) = rows(database, select(Review))
        assert (asked.kind, asked.why) == ("goods_missing", "Paid ahead. Damaged on arrival")


class TestInspect:
    def book(self, database: Database, shop: Book, quantity: int = 1) -> str:
        order = add_order(database, [Item(quantity, 64_00 * quantity, tags=("delicate",), name="Shirt")])
        return book_return(database, shop, order, wish(quantity=quantity))

    def test_as_counted_at_arrival_when_nothing_is_said(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        assert receive(database, rma, Count("1", 1, "as_new")) == "received"
        assert inspect(database, rma) == "inspected"
        assert owed(database, rma) == 64_00
        assert look(database, rma).inspected_at == later(48)

    def test_what_the_policy_grades_needs_no_person(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop, 2)
        receive(database, rma, Count("1", 2, "as_new"))
        for _ in range(2):
            assert inspect(database, rma, Count("1", 1, "as_new"), Count("1", 1, "used")) == "inspected"
        with database.read() as session:
            found = session.scalars(select(Return)).one()
            quote = returns.payable_quote(session, found)
        assert quote.total.minor == 64_00 + 44_80
        assert quote.line("1").quantity == 2
        assert sum(part.amount_minor for part in quote.all_parts()) == quote.total.minor
        assert {part.kind for part in quote.line("1").parts} == {"item", "inspection"}
        assert events_of(database, rma).count("return.inspected") == 1
        assert rows(database, select(Review)) == []

    def test_what_the_policy_gives_to_a_person_waits(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        receive(database, rma, Count("1", 1, "as_new"))
        assert inspect(database, rma, Count("1", 1, "damaged")) == "inspected"
        assert "return.inspected" not in events_of(database, rma)
        (review,) = rows(database, select(Review))
        assert (review.kind, review.status) == ("receipt", "open")
        assert "£64.00 to £32.00" in review.fact
        run(database, lambda tx: returns.authorize(tx, rma), hours=50, actor=MAYA)
        assert owed(database, rma) == 32_00
        assert events_of(database, rma)[-1] == "return.inspected"

    def test_a_second_look_may_settle_the_question(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop)
        receive(database, rma, Count("1", 1, "as_new"))
        inspect(database, rma, Count("1", 1, "damaged"))
        assert inspect(database, rma, Count("1", 1, "as_new"), key="look-2", hours=49) == "inspected"
        assert owed(database, rma) == 64_00
        assert rows(database, select(Review))[0].status == "settled"
        assert events_of(database, rma)[-1] == "return.inspected"

    def test_it_names_every_unit_that_came(self, database: Database, shop: Book) -> None:
        rma = self.book(database, shop, 2)
        receive(database, rma, Count("1", 2, "as_new"))
        with pytest.raises(Invalid) as refused:
            inspect(database, rma, Count("1", 1, "as_new"))
        assert refused.value.fields == {"/lines/0/quantity": "2 of this line were received"}

    def test_stock_follows_the_last_look(self, database: Database, shop: Book) -> None:
        add_variant(database, "SKU-1", stock=10)
        rma = self.book(database, shop, 2)
        receive(database, rma, Count("1", 2, "as_new"))
        assert stock(database) == 12
        inspect(database, rma, Count("1", 1, "as_new"), Count("1", 1, "used"))
        assert stock(database) == 11

    @pytest.mark.parametrize("before", ["authorized", "inspected"])
    def test_it_follows_the_receipt_and_happens_once(self, database: Database, shop: Book, before: str) -> None:
        rma = self.book(database, shop)
        if before == "inspected":
            receive(database, rma, Count("1", 1, "as_new"))
            inspect(database, rma)
        with pytest.raises(Conflict) as refused:
            inspect(database, rma, key="another")
        assert refused.value.state == before
