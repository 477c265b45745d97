"""Booking: what was shown is what is stored, every unit is held once, and the policy's three answers lead to three states."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from portal.db import Actor, Database
from portal.errors import Conflict, Invalid, NotFound
from portal.policy.decision import Decision
from portal.policy.facts import Facts
from portal.policy.quote import Quote
from portal.policybook.service import load_book, publish
from portal.returns.models import Draft, Photo, Return, UnitRange
from portal.returns.service import Refused
from portal.reviews.models import Review
from tests.stages.returns.trade import (
    BOOKED,
    CUSTOMER,
    DELIVERED,
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


def test_an_accepted_wish_is_authorized_at_once(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(3, gross=29_000, listed=30_000)])
    found = look(database, book_return(database, shop, order, wish(quantity=2), note="  Too warm "))
    assert found.status == "authorized"
    assert found.note == "Too warm"
    assert found.email == "priya@example.com"
    assert found.refund_when == "received"
    assert found.ship_with == "label"
    assert found.ship_by_on == date(2026, 12, 1)
    assert [line.status for line in found.lines] == ["accepted"]
    assert found.lines[0].gross_minor == 193_33
    assert Quote.from_json(found.quote).refund_total.minor == 193_33
    assert events_of(database, found.rma) == ["return.booked", "return.authorized"]
    assert held(database, order) == [2]


def test_facts_and_decision_are_stored_so_that_they_can_be_replayed(database: Database) -> None:
    from portal.policy.engine import decide

    shop = open_shop(database)
    found = look(database, book_return(database, shop, add_order(database)))
    line = found.lines[0]
    _, policy = shop.binding(None)
    replayed = decide(policy, Facts.from_json(line.facts))
    assert replayed.to_bytes() == Decision.from_json(line.decision).to_bytes()
    assert line.decision["policy"]["hash"] == policy.content_hash
    assert found.policy_version == 1


def test_the_same_key_books_once(any_database: Database) -> None:
    shop = open_shop(any_database)
    order = add_order(any_database, [Item(5)])
    first = book_return(any_database, shop, order, wish(quantity=2), key="once")
    assert book_return(any_database, shop, order, wish(quantity=2), key="once") == first
    # The key is the command: whatever comes with it a second time, nothing more is booked.
    assert book_return(any_database, shop, order, wish(quantity=3), key="once") == first
    assert held(any_database, order) == [2]
    assert events_of(any_database, first).count("return.booked") == 1


def test_a_key_of_another_order_is_no_way_to_its_return(database: Database) -> None:
    shop = open_shop(database)
    book_return(database, shop, add_order(database), key="mine")
    with pytest.raises(Conflict):
        book_return(database, shop, add_order(database), key="mine")


def test_another_total_than_the_one_shown_books_nothing(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database)
    with pytest.raises(Conflict, match="has changed since it was shown") as refused:
        book_return(database, shop, order, shown_total=9_99)
    assert refused.value.details["total"] == {"amount": 10_00, "currency": "GBP"}
    assert held(database, order) == [0]
    assert look(database, book_return(database, shop, order, shown_total=10_00)).status == "authorized"


@pytest.mark.parametrize(
    ("wishes", "pointer", "fix"),
    [
        ([wish("9")], "/lines/0/line", "no line `9`"),
        ([wish(quantity=0)], "/lines/0/quantity", "at least 1"),
        ([wish(quantity=-1)], "/lines/0/quantity", "at least 1"),
        ([wish(quantity=4)], "/lines/0/quantity", "only 3 of 3"),
        ([wish(quantity=10**12)], "/lines/0/quantity", "at least 1"),
        ([wish(reason="spite")], "/lines/0/reason", "changed-mind"),
        ([wish(resolution="gold")], "/lines/0/resolution", "refund"),
        ([wish(), wish()], "/lines/1/line", "named twice"),
        ([wish(), wish("2", 5)], "/lines/1/quantity", "only 1 of 1"),
        ([wish(note="x" * 4001)], "/lines/0/note", "at most 4000"),
        ([wish(note="a\x00b")], "/lines/0/note", "no text"),
        ([wish(note="\ud800")], "/lines/0/note", "no text"),
        ([wish(answers={"size": "\x00"})], "/lines/0", "no text"),
        ([wish(resolution="exchange")], "/lines/0/exchange_sku", "choose the article"),
        ([wish(resolution="exchange", exchange_sku="nothing")], "/lines/0/exchange_sku", "no variant"),
        ([wish(resolution="exchange", exchange_sku="\x00")], "/lines/0", "no text"),
    ],
)
def test_a_wish_that_makes_no_sense_names_the_field_and_the_fix(
    database: Database, wishes: list, pointer: str, fix: str
) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(3, 30_00), Item()])
    with pytest.raises(Invalid) as refused:
        book_return(database, shop, order, *wishes)
    assert fix in refused.value.fields[pointer]
    assert held(database, order) == [0, 0]


def test_every_mistake_is_named_at_once(database: Database) -> None:
    shop = open_shop(database)
    with pytest.raises(Invalid) as refused:
        book_return(database, shop, add_order(database), wish("9", 0, "spite", "gold"), wish(quantity=2))
    assert set(refused.value.fields) == {
        "/lines/0/line",
        "/lines/0/reason",
        "/lines/0/resolution",
        "/lines/1/quantity",
    }


@pytest.mark.parametrize("key", ["", "k" * 81, "a\x00"])
def test_a_booking_needs_a_usable_key(database: Database, key: str) -> None:
    with pytest.raises(Invalid):
        book_return(
            database, open_shop(database), add_order(database), key=key or None, **({} if key else {"note": "x" * 5000})
        )


def test_no_wish_and_no_order_are_told_apart(database: Database) -> None:
    from portal.returns import service

    shop = open_shop(database)
    order = add_order(database)
    with database.transaction(CUSTOMER) as tx:
        with pytest.raises(Invalid):
            service.book(tx, shop, order, [], booking_key="a")
        with pytest.raises(NotFound):
            service.book(tx, shop, 999, [wish()], booking_key="a")


class TestRefused:
    def test_a_refused_line_books_nothing_and_says_why(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("final-sale",)), Item()])
        with pytest.raises(Refused) as refused:
            book_return(database, shop, order, wish("2"), wish("1"))
        assert refused.value.fields == {"/lines/1": "It was sold as final sale."}
        assert [line.decision.answer for line in refused.value.assessment.lines] == ["accept", "refuse"]
        assert held(database, order) == [0, 0]

    def test_a_refused_customer_can_ask_a_person(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("final-sale",), name="Selvedge jeans")])
        rma = book_return(database, shop, order, ask_us=True, decide_within_hours=3)
        found = look(database, rma)
        assert (found.status, found.lines[0].status, found.lines[0].answer) == ("under_review", "review", "refuse")
        assert events_of(database, rma) == ["return.booked", "return.review_opened"]
        assert held(database, order) == [1]
        (review,) = rows(database, select(Review))
        assert (review.kind, review.status, review.return_id) == ("asked_us", "open", found.id)
        assert "Selvedge jeans" in review.fact
        assert "Final sale" in review.fact
        assert review.due_at == BOOKED + timedelta(hours=3)

    def test_a_closed_window_refuses_with_its_dates(self, database: Database) -> None:
        shop = open_shop(database)
        with pytest.raises(Refused) as refused:
            book_return(database, shop, add_order(database), at=DELIVERED + timedelta(days=31))
        assert "The 30 days ended on 28 November 2026." in refused.value.fields["/lines/0"]


class TestReview:
    def test_one_review_holds_the_whole_return(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(gross=310_00)])
        rma = book_return(database, shop, order)
        (review,) = rows(database, select(Review))
        assert look(database, rma).status == "under_review"
        assert (review.kind, review.why) == ("policy", "“Big returns” asks for a person to decide.")
        assert review.data == {"causes": [{"line": "1", "code": "review_rule", "rule": "Big returns"}]}

    def test_without_delivery_date_nothing_is_approved_by_itself(self, database: Database) -> None:
        """Case 68: never marked delivered, 200 days old, a 30-day policy."""
        shop = open_shop(database)
        order = add_order(database, [Item(delivered_at=None)], placed_at=BOOKED - timedelta(days=200))
        found = look(database, book_return(database, shop, order))
        assert found.status == "under_review"
        assert found.lines[0].decision["causes"][0]["code"] == "no_start_date"

    def test_a_customer_is_asked_for_the_photo(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database)
        with pytest.raises(Invalid) as refused:
            book_return(database, shop, order, wish(reason="faulty"))
        assert refused.value.fields == {"/lines/0/photos": "Add a photo."}

    def test_what_a_program_books_without_photo_goes_to_a_person(self, database: Database) -> None:
        shop = open_shop(database)
        rma = book_return(database, shop, add_order(database), wish(reason="faulty"), actor=Actor("api", "Helpdesk"))
        assert look(database, rma).status == "under_review"

    def test_only_photos_that_are_stored_count(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database)
        with pytest.raises(Invalid):
            book_return(database, shop, order, wish(reason="faulty", photos=3), photo_keys=["made-up"])
        with database.transaction() as tx:
            draft = Draft(token="t", order_id=order, data={}, created_at=tx.at, updated_at=tx.at)
            tx.session.add(draft)
            tx.session.flush()
            line_id = tx.session.scalar(select(func.min(UnitRange.order_line_id))) or 1
            tx.session.add(
                Photo(
                    key="real",
                    draft_id=draft.id,
                    order_line_id=line_id,
                    file_name="a.jpg",
                    media_type="image/jpeg",
                    width=1,
                    height=1,
                    bytes=1,
                    added_at=tx.at,
                )
            )
        found = look(database, book_return(database, shop, order, wish(reason="faulty"), photo_keys=["real"]))
        assert found.status == "authorized"
        assert found.lines[0].facts["evidence"] == 1
        with database.read() as session:
            assert session.scalars(select(Photo)).one().return_line_id == found.lines[0].id


class TestParcel:
    def test_one_parcel_waits_for_the_latest_moment_of_its_lines(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("trusted",)), Item(), Item(tags=("delicate",))])
        assert look(database, book_return(database, shop, order, wish("1"))).refund_when == "authorized"
        found = look(database, book_return(database, shop, order, wish("2"), wish("3")))
        assert found.refund_when == "inspected"
        assert found.ship_with == "label"  # the only way that both allow

    def test_the_shortest_term_to_ship_counts(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("trusted",)), Item()])
        found = look(database, book_return(database, shop, order, wish("1"), wish("2")))
        assert found.ship_by_on == date(2026, 11, 24)

    def test_what_may_be_kept_is_not_sent(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("keep",))])
        found = look(database, book_return(database, shop, order))
        assert (found.ship_with, found.ship_by_on, found.refund_when) == ("", None, "authorized")

    def test_kept_goods_do_not_hurry_the_rest(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("keep",)), Item(tags=("delicate",))])
        found = look(database, book_return(database, shop, order, wish("1"), wish("2"), ship_with="shop"))
        assert (found.ship_with, found.refund_when) == ("shop", "inspected")

    def test_a_way_that_is_not_offered_is_named(self, database: Database) -> None:
        shop = open_shop(database)
        order = add_order(database, [Item(tags=("own",)), Item()])
        with pytest.raises(Invalid) as refused:
            book_return(database, shop, order, wish("1"), ship_with="label")
        assert refused.value.fields == {"/ship_with": "choose one of own"}
        with pytest.raises(Invalid, match="can't travel in one parcel"):
            book_return(database, shop, order, wish("1"), wish("2"))
        with pytest.raises(Invalid) as refused:
            book_return(database, shop, order, wish("2"), ship_with="pigeon")
        assert "/ship_with" in refused.value.fields

    def test_days_are_those_of_the_shop_not_of_greenwich(self, database: Database) -> None:
        shop = open_shop(database, POLICY.replace("Europe/London", "Pacific/Auckland"))
        found = look(database, book_return(database, shop, add_order(database)))
        assert found.ship_by_on == date(2026, 12, 2)  # 17 November 14:32 UTC is the 18th there


class TestExchange:
    def test_it_stays_inside_the_product(self, database: Database) -> None:
        shop = open_shop(database)
        add_variant(database, "SHIRT-L")
        add_variant(database, "HAT", product="hat")
        add_variant(database, "SHIRT-SILK", price=20_00)
        order = add_order(database, [Item(sku="SHIRT-M", product="shirt")])
        for sku, fix in (("HAT", "no variant"), ("SHIRT-SILK", "another price")):
            with pytest.raises(Invalid) as refused:
                book_return(database, shop, order, wish(resolution="exchange", exchange_sku=sku))
            assert fix in refused.value.fields["/lines/0/exchange_sku"]
        found = look(database, book_return(database, shop, order, wish(resolution="exchange", exchange_sku="SHIRT-L")))
        assert found.lines[0].exchange_sku == "SHIRT-L"
        assert Quote.from_json(found.quote).total.minor == 0

    def test_the_price_compared_is_todays(self, database: Database) -> None:
        """The order paid 10.00; both sizes cost 12.00 by now, and one is still as good as the other."""
        shop = open_shop(database)
        add_variant(database, "SHIRT-M", price=12_00)
        add_variant(database, "SHIRT-L", price=12_00)
        order = add_order(database, [Item(sku="SHIRT-M", product="shirt")])
        assert book_return(database, shop, order, wish(resolution="exchange", exchange_sku="SHIRT-L"))


def test_an_order_keeps_the_terms_it_was_placed_under(database: Database) -> None:
    open_shop(database)
    strict = POLICY.replace("name: Test shop", "name: Strict").replace(
        "window: {days: 30, from: delivered, if_undelivered: review}", "window: {days: 1, from: delivered}"
    )
    order = add_order(database)
    with database.transaction(at=BOOKED - timedelta(days=1)) as tx:
        publish(tx, strict, filename="strict.yaml", author="Maya")
    with database.read() as session:
        shop = load_book(session)
    assert look(database, book_return(database, shop, order)).policy_version == 1
    new = add_order(database, placed_at=BOOKED)
    with pytest.raises(Refused):
        book_return(database, shop, new, at=later(hours=1))


def test_a_taken_number_is_drawn_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(5)])
    taken = book_return(database, shop, order)
    drawn = iter([taken, taken, "R-AAAAAA0"])
    monkeypatch.setattr("portal.ids.new_rma", lambda: next(drawn))
    assert book_return(database, shop, order) == "R-AAAAAA0"


def test_the_timeline_says_who_and_by_which_policy(database: Database) -> None:
    shop = open_shop(database)
    booked, authorized = timeline_of(database, book_return(database, shop, add_order(database)))
    assert (booked.actor_kind, booked.actor_name) == ("customer", "Priya Nair")
    assert authorized.why == "by the policy, version 1"
    with database.read() as session:
        assert session.scalars(select(Return)).one().authorized_at == BOOKED
