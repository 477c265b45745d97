"""People decide: each command once, with who and why, never on a state that has changed, never after the money has gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import Actor, Database, Tx
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.policy.quote import Quote
from portal.policybook.service import Book
from portal.returns import service
from portal.returns.models import Return
from portal.reviews.models import Review
from tests.stages.returns.trade import (
    CUSTOMER,
    JONAS,
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


class _Undone(Exception):
    pass


def run(database: Database, actor: Actor, do: Callable[[Tx], Any], hours: float = 1) -> Any:
    """One command; gives what it gives, detached."""
    with database.transaction(actor, at=later(hours)) as tx:
        found = do(tx)
        return found.status


def total(database: Database, rma: str) -> int:
    return Quote.from_json(look(database, rma).quote).total.minor


@pytest.fixture
def shop(database: Database) -> Book:
    return open_shop(database)


@pytest.fixture
def asked(database: Database, shop: Book) -> str:
    """A return that waits for staff: two units of 200.00."""
    order = add_order(database, [Item(2, 400_00, listed=440_00), Item(gross=20_00)], shipping=5_00)
    return book_return(database, shop, order, wish(quantity=2), wish("2"))


class TestAuthorize:
    def test_it_starts_the_return_and_settles_the_question(self, database: Database, asked: str) -> None:
        run(database, MAYA, lambda tx: service.authorize(tx, asked, message="Send it back.", note="Looks fine"))
        found = look(database, asked)
        assert (found.status, found.message) == ("authorized", "Send it back.")
        assert found.ship_by_on is not None
        (review,) = rows(database, select(Review))
        assert (review.status, review.decided_by, review.message, review.note, review.open_key) == (
            "approved",
            "Maya Okafor",
            "Send it back.",
            "Looks fine",
            None,
        )
        entry = timeline_of(database, asked)[-1]
        assert (entry.what, entry.actor_name, entry.why) == ("return.authorized", "Maya Okafor", "Looks fine")

    def test_the_second_click_of_the_same_person_is_the_first(self, database: Database, asked: str) -> None:
        for _ in range(2):
            run(database, MAYA, lambda tx: service.authorize(tx, asked, expected="under_review"))
        assert events_of(database, asked).count("return.authorized") == 1

    def test_somebody_elses_click_is_told_the_state(self, database: Database, asked: str) -> None:
        run(database, MAYA, lambda tx: service.authorize(tx, asked))
        with pytest.raises(Conflict) as refused:
            run(database, JONAS, lambda tx: service.authorize(tx, asked))
        assert refused.value.state == "authorized"

    def test_the_same_person_wanting_something_else_is_no_double_click(self, database: Database, asked: str) -> None:
        run(database, MAYA, lambda tx: service.authorize(tx, asked))
        with pytest.raises(Conflict):
            run(
                database,
                MAYA,
                lambda tx: service.authorize(tx, asked, amounts={"1": 1}, note="less", message="It is worn."),
            )

    @pytest.mark.parametrize("stale", ["requested", "authorized", 0, 7])
    def test_a_stale_page_changes_nothing(self, database: Database, asked: str, stale: int | str) -> None:
        with pytest.raises(Conflict) as refused:
            run(database, MAYA, lambda tx: service.authorize(tx, asked, expected=stale))
        assert refused.value.state == "under_review"
        assert look(database, asked).status == "under_review"

    def test_the_version_that_was_seen_is_accepted(self, database: Database, asked: str) -> None:
        seen = look(database, asked).version
        run(database, MAYA, lambda tx: service.authorize(tx, asked, expected=seen))
        assert look(database, asked).version > seen

    def test_a_part_can_be_approved(self, database: Database, asked: str) -> None:
        order = look(database, asked).order_id
        assert total(database, asked) == 425_00
        run(
            database,
            MAYA,
            lambda tx: service.authorize(tx, asked, lines=["2"], message="Worn.", note="Jeans were worn"),
        )
        found = look(database, asked)
        assert [line.status for line in found.lines] == ["refused", "accepted"]
        assert held(database, order) == [0, 1]
        # Not the whole order comes back any more, so its shipping stays with the shop.
        assert total(database, asked) == 20_00
        assert found.basis["shown"]["total"]["amount"] == 425_00
        assert timeline_of(database, asked)[-1].data["refused"] == ["1"]

    def test_approving_nothing_is_no_approval(self, database: Database, asked: str) -> None:
        for lines in ([], ["9"]):
            with pytest.raises(Invalid) as refused:
                run(database, MAYA, lambda tx, lines=lines: service.authorize(tx, asked, lines=lines))
            assert "lines" in refused.value.fields

    def test_items_are_left_out_only_with_a_reason_for_the_customer(self, database: Database, asked: str) -> None:
        with pytest.raises(Invalid) as wrong:
            run(database, MAYA, lambda tx: service.authorize(tx, asked, lines=["1"], note="Worn"))
        assert wrong.value.fields == {"message": "say why they are denied; the customer reads this"}

    def test_a_preview_of_leaving_items_out_needs_no_reason_yet(self, database: Database, asked: str) -> None:
        shown: list[tuple[int, str]] = []

        def look_ahead(tx: Tx) -> None:
            found = service.authorize(tx, asked, lines=["2"], preview=True)
            shown.append((service.payable_quote(tx.session, found).total.minor, found.message))
            raise _Undone

        with pytest.raises(_Undone):
            run(database, MAYA, look_ahead)
        assert shown == [(20_00, "")]
        assert look(database, asked).status == "under_review"

    @pytest.mark.parametrize("amount", [0, 36_82, 400_00])
    def test_staff_set_an_amount_within_what_was_paid(self, database: Database, asked: str, amount: int) -> None:
        run(
            database,
            MAYA,
            lambda tx: service.authorize(tx, asked, amounts={"1": amount}, note="Worn", message="It is worn."),
        )
        quote = Quote.from_json(look(database, asked).quote)
        assert quote.line("1").total_minor == amount
        assert quote.line("2").total_minor == 20_00
        assert sum(part.amount_minor for part in quote.all_parts()) == quote.total.minor == amount + 25_00
        assert 0 <= quote.line("1").tax_minor <= 66_66
        entry = timeline_of(database, asked)[-1]
        assert entry.data["amounts"] == {"1": amount}
        if amount != 400_00:
            assert entry.data["was"]["amount"] == 425_00
            assert entry.data["now"]["amount"] == amount + 25_00

    @pytest.mark.parametrize(
        ("amounts", "note", "field"),
        [
            ({"1": 400_01}, "why", "amounts/1"),
            ({"1": -1}, "why", "amounts/1"),
            ({"1": 1.5}, "why", "amounts/1"),
            ({"1": True}, "why", "amounts/1"),
            ({"9": 1}, "why", "amounts/9"),
            ({"1": 1}, "  ", "note"),
        ],
    )
    def test_an_amount_beyond_that_is_no_amount(
        self, database: Database, asked: str, amounts: dict, note: str, field: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            run(
                database,
                MAYA,
                lambda tx: service.authorize(tx, asked, amounts=amounts, note=note, message="It is worn."),
            )
        assert field in refused.value.fields
        assert total(database, asked) == 425_00

    def test_the_bonus_that_was_promised_may_be_given_again(self, database: Database, shop: Book) -> None:
        order = add_order(database, [Item(gross=400_00)])
        rma = book_return(database, shop, order, wish(resolution="store_credit"))
        assert total(database, rma) == 440_00
        run(
            database,
            MAYA,
            lambda tx: service.authorize(tx, rma, amounts={"1": 440_00}, note="As shown", message="It is worn."),
        )
        assert total(database, rma) == 440_00

    def test_overruling_the_policy_is_part_of_the_record(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database, [Item(tags=("final-sale",))]), ask_us=True)
        run(database, MAYA, lambda tx: service.authorize(tx, rma, note="Kind to a good customer"))
        assert timeline_of(database, rma)[-1].data["overruled"] == ["1"]

    def test_an_exchange_has_no_amount(self, database: Database, shop: Book) -> None:
        add_variant(database, "B", price=310_00)
        order = add_order(database, [Item(gross=310_00, product="shirt")])
        rma = book_return(database, shop, order, wish(resolution="exchange", exchange_sku="B"))
        with pytest.raises(Invalid, match="amount"):
            run(
                database,
                MAYA,
                lambda tx: service.authorize(tx, rma, amounts={"1": 1}, note="why", message="It is worn."),
            )

    def test_an_unknown_number_is_not_found(self, database: Database, shop: Book) -> None:
        for rma in ("R-0000000", "nonsense", "", "R-\x00"):
            with pytest.raises(NotFound):
                run(database, MAYA, lambda tx, rma=rma: service.authorize(tx, rma))


class TestRefuse:
    def test_it_tells_the_customer_and_frees_the_units(self, database: Database, asked: str) -> None:
        order = look(database, asked).order_id
        run(database, MAYA, lambda tx: service.refuse(tx, asked, message="It was worn.", note="Third time"))
        found = look(database, asked)
        assert (found.status, found.message) == ("rejected", "It was worn.")
        assert [line.status for line in found.lines] == ["refused", "refused"]
        assert held(database, order) == [0, 0]
        (review,) = rows(database, select(Review))
        assert (review.status, review.message) == ("refused", "It was worn.")
        with database.read() as session:
            row = session.get(Return, found.id)
            assert row is not None
            assert service.payable_quote(session, row).total.minor == 0

    def test_staff_can_take_it_back(self, database: Database, asked: str) -> None:
        order = look(database, asked).order_id
        run(database, MAYA, lambda tx: service.refuse(tx, asked))
        run(database, MAYA, lambda tx: service.authorize(tx, asked, note="My mistake"), hours=2)
        assert look(database, asked).status == "authorized"
        assert held(database, order) == [2, 1]
        assert total(database, asked) == 425_00
        assert events_of(database, asked)[-2:] == ["return.reinstated", "return.authorized"]

    def test_a_line_that_staff_had_refused_before_stays_refused(self, database: Database, asked: str) -> None:
        order = look(database, asked).order_id
        run(database, MAYA, lambda tx: service.authorize(tx, asked, lines=["1"], message="Worn."))
        run(database, MAYA, lambda tx: service.expire(tx, asked), hours=2)
        run(database, MAYA, lambda tx: service.authorize(tx, asked, note="It came late"), hours=3)
        assert [line.status for line in look(database, asked).lines] == ["accepted", "refused"]
        assert held(database, order) == [2, 0]

    def test_units_that_are_elsewhere_by_now_stay_there(self, database: Database, shop: Book, asked: str) -> None:
        order = look(database, asked).order_id
        run(database, MAYA, lambda tx: service.refuse(tx, asked))
        book_return(database, shop, order, wish("2"), at=later(2))
        with pytest.raises(Conflict, match="in another return"):
            run(database, MAYA, lambda tx: service.authorize(tx, asked), hours=3)
        assert held(database, order) == [0, 1]

    def test_other_free_units_take_their_place_at_their_own_worth(self, database: Database, shop: Book) -> None:
        order = add_order(database, [Item(3, 1_000_01, tags=("final-sale",))])
        rma = book_return(database, shop, order, ask_us=True)
        assert total(database, rma) == 333_33
        run(database, MAYA, lambda tx: service.refuse(tx, rma))
        book_return(database, shop, order, ask_us=True, at=later(2))
        run(database, MAYA, lambda tx: service.authorize(tx, rma), hours=3)
        line = look(database, rma).lines[0]
        assert [(each.first, each.last) for each in line.units if each.released_at is None] == [(2, 2)]
        assert line.gross_minor == total(database, rma) == 333_34

    def test_an_authorized_return_is_not_refused_but_waited_for(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        with pytest.raises(Conflict) as refused:
            run(database, MAYA, lambda tx: service.refuse(tx, rma))
        assert refused.value.state == "authorized"


class TestCancel:
    def test_the_customer_calls_it_off(self, database: Database, shop: Book) -> None:
        order = add_order(database)
        rma = book_return(database, shop, order)
        for _ in range(2):
            run(database, CUSTOMER, lambda tx: service.cancel(tx, rma, by="customer"))
        assert look(database, rma).status == "canceled"
        assert held(database, order) == [0]
        assert events_of(database, rma).count("return.canceled") == 1

    def test_it_withdraws_the_question(self, database: Database, asked: str) -> None:
        run(database, CUSTOMER, lambda tx: service.cancel(tx, asked, by="customer"))
        assert rows(database, select(Review))[0].status == "settled"

    def test_a_parcel_on_its_way_is_not_called_off(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        run(database, MAYA, lambda tx: service.mark_in_transit(tx, rma))
        with pytest.raises(Conflict) as refused:
            run(database, CUSTOMER, lambda tx: service.cancel(tx, rma, by="customer"))
        assert refused.value.state == "in_transit"

    @pytest.mark.parametrize("command", ["cancel", "expire"])
    def test_money_in_advance_keeps_the_return_alive(self, database: Database, shop: Book, command: str) -> None:
        order = add_order(database, [Item(tags=("trusted",))])
        rma = book_return(database, shop, order)
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().payout_planned_at = tx.at
        if command == "expire":
            assert run(database, CUSTOMER, lambda tx: service.expire(tx, rma)) == "authorized"
        else:
            with pytest.raises(Conflict, match="Money"):
                run(database, CUSTOMER, lambda tx: service.cancel(tx, rma, by="customer"))
        assert held(database, order) == [1]


class TestAsking:
    def test_the_clock_stands_still_while_the_customer_is_asked(self, database: Database, asked: str) -> None:
        (before,) = rows(database, select(Review))
        run(database, MAYA, lambda tx: service.ask(tx, asked, message="Which batch?", note="See 2608"), hours=1)
        (waiting,) = rows(database, select(Review))
        assert (waiting.status, waiting.message, waiting.note) == ("asked", "Which batch?", "See 2608")
        assert look(database, asked).message == "", "a question is no message of a decision"
        run(database, CUSTOMER, lambda tx: service.answer_question(tx, asked, " 2608 "), hours=31)
        (after,) = rows(database, select(Review))
        assert after.status == "open"
        assert (after.due_at - before.due_at).total_seconds() == 30 * 3600
        assert after.data["asked"][0]["answer"] == "2608"
        assert events_of(database, asked)[-2:] == ["return.asked", "return.answered"]

    def test_asking_twice_waits_for_the_first_answer(self, database: Database, asked: str) -> None:
        run(database, MAYA, lambda tx: service.ask(tx, asked, message="Which batch?"))
        run(database, MAYA, lambda tx: service.ask(tx, asked, message="Which batch?"))
        assert events_of(database, asked).count("return.asked") == 1
        with pytest.raises(Conflict):
            run(database, JONAS, lambda tx: service.ask(tx, asked, message="Which colour?"))

    def test_nothing_is_asked_without_words_or_cause(self, database: Database, shop: Book, asked: str) -> None:
        with pytest.raises(Invalid):
            run(database, MAYA, lambda tx: service.ask(tx, asked, message=" "))
        with pytest.raises(Conflict):
            run(database, CUSTOMER, lambda tx: service.answer_question(tx, asked, "So?"))
        run(database, MAYA, lambda tx: service.ask(tx, asked, message="Which batch?"))
        with pytest.raises(Invalid):
            run(database, CUSTOMER, lambda tx: service.answer_question(tx, asked, ""))
        plain = book_return(database, shop, add_order(database))
        with pytest.raises(Conflict):
            run(database, MAYA, lambda tx: service.ask(tx, plain, message="Why?"))

    def test_staff_need_not_wait_for_the_answer(self, database: Database, asked: str) -> None:
        run(database, MAYA, lambda tx: service.ask(tx, asked, message="Which batch?"))
        assert run(database, MAYA, lambda tx: service.authorize(tx, asked)) == "authorized"


class TestInTransit:
    def test_a_scan_moves_it_once_and_never_back(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        for _ in range(2):
            assert run(database, MAYA, lambda tx: service.mark_in_transit(tx, rma)) == "in_transit"
        assert events_of(database, rma).count("return.in_transit") == 1
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().status = "received"
        assert run(database, MAYA, lambda tx: service.mark_in_transit(tx, rma)) == "received"

    def test_what_is_handed_in_at_a_shop_is_with_no_carrier(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().ship_with = "shop"
        with pytest.raises(Conflict, match="no carrier has it"):
            run(database, MAYA, lambda tx: service.mark_in_transit(tx, rma))
        assert look(database, rma).status == "authorized"

    def test_what_is_kept_or_undecided_does_not_travel(self, database: Database, shop: Book, asked: str) -> None:
        kept = book_return(database, shop, add_order(database, [Item(tags=("keep",))]))
        for rma in (kept, asked):
            with pytest.raises(Conflict):
                run(database, MAYA, lambda tx, rma=rma: service.mark_in_transit(tx, rma))


class TestResolution:
    def test_staff_may_give_money_in_place_of_goods(self, database: Database, shop: Book) -> None:
        """Case 72: the replacement cannot be sent."""
        add_variant(database, "B")
        rma = book_return(
            database,
            shop,
            add_order(database, [Item(product="shirt")]),
            wish(resolution="exchange", exchange_sku="B"),
        )
        assert total(database, rma) == 0
        change = {"line": "1", "resolution": "refund"}
        with pytest.raises(Invalid):
            run(database, MAYA, lambda tx: service.change_resolution(tx, rma, note="", **change))
        run(database, MAYA, lambda tx: service.change_resolution(tx, rma, note="Sold out", **change))
        assert total(database, rma) == 10_00
        assert look(database, rma).lines[0].resolution == "refund"
        assert timeline_of(database, rma)[-1].data["from"] == "exchange"

    def test_only_into_what_the_policy_offers_unless_it_is_overruled(self, database: Database) -> None:
        offers = "[exchange, store_credit]"
        shop = open_shop(database, POLICY.replace("[refund, exchange, store_credit]", offers))
        add_variant(database, "B", stock=5)

        def exchange() -> str:
            return book_return(
                database,
                shop,
                add_order(database, [Item(product="shirt")]),
                wish(resolution="exchange", exchange_sku="B"),
            )

        def swap(rma: str, into: str, **how: bool) -> None:
            with database.transaction(MAYA) as tx:
                service.change_resolution(tx, rma, line="1", resolution=into, note="Sold out", **how)

        rma = exchange()
        with pytest.raises(Forbidden):
            swap(rma, "refund")
        swap(rma, "store_credit")
        with pytest.raises(Forbidden):
            swap(exchange(), "refund")
        swap(rma, "refund", overrule=True)
        assert look(database, rma).lines[0].resolution == "refund"

    def test_not_after_the_money_has_gone(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        with database.transaction() as tx:
            tx.session.scalars(select(Return)).one().payout_planned_at = tx.at
        with pytest.raises(Conflict):
            run(
                database,
                MAYA,
                lambda tx: service.change_resolution(tx, rma, line="1", resolution="store_credit", note="x"),
            )


class TestExpiry:
    def test_goods_that_were_never_sent_give_their_units_back(self, database: Database, shop: Book) -> None:
        from portal.returns.expiry import expire_due

        order = add_order(database)
        rma = book_return(database, shop, order)  # to be sent by 1 December
        assert expire_due(database, at=later(days=21)) == 0
        assert expire_due(database, at=later(days=22)) == 1
        assert expire_due(database, at=later(days=22)) == 0
        assert look(database, rma).status == "expired"
        assert held(database, order) == [0]
        assert events_of(database, rma)[-1] == "return.expired"

    def test_a_parcel_posted_late_can_be_let_in(self, database: Database, shop: Book) -> None:
        from portal.returns.expiry import expire_due

        order = add_order(database)
        rma = book_return(database, shop, order)
        expire_due(database, at=later(days=40))
        assert run(database, MAYA, lambda tx: service.authorize(tx, rma, note="It came"), hours=24 * 41) == "authorized"
        assert held(database, order) == [1]


class TestClose:
    def test_it_closes_once(self, database: Database, shop: Book) -> None:
        rma = book_return(database, shop, add_order(database))
        with database.transaction(at=later(1)) as tx:
            row = tx.session.scalars(select(Return)).one()
            service.close(tx, row)
            service.close(tx, row)
        assert look(database, rma).closed_at == later(1)
        assert events_of(database, rma).count("return.closed") == 1


def test_an_amount_that_staff_set_below_the_label_leaves_nothing_and_never_less(database: Database) -> None:
    fee = POLICY.replace(
        "return_shipping: {paid_by: merchant}", "return_shipping: {paid_by: customer, amount: 4.95 GBP}", 1
    )
    assert fee != POLICY
    shop = open_shop(database, fee)
    for minor, total in ((462, 0), (495, 0), (500, 5), (0, 0)):
        rma = book_return(database, shop, add_order(database, [Item(1, 400_00)]), wish("1"))
        run(
            database,
            MAYA,
            lambda tx, rma=rma, minor=minor: service.authorize(
                tx, rma, amounts={"1": minor}, note="Worn", message="It is worn."
            ),
        )
        assert Quote.from_json(look(database, rma).quote).total.minor == total
