"""Reading returns: the contract's shape, lists that stay stable while new returns are booked, and nothing for a wrong number."""

from __future__ import annotations

import pytest

from portal.db import Database
from portal.errors import Conflict, Invalid, NotFound
from portal.policybook.service import Book
from portal.returns import drafts, queries, service
from portal.returns.models import Return
from portal.returns.queries import get_return, list_returns, return_json
from tests.stages.returns.trade import (
    CUSTOMER,
    Item,
    Order,
    add_order,
    book_return,
    counting,
    later,
    open_shop,
    wish,
)


@pytest.fixture
def shop(database: Database) -> Book:
    return open_shop(database)


def listed(database: Database, **more: object) -> tuple[list[str], str | None]:
    with database.read() as session:
        found, cursor = list_returns(session, **more)  # type: ignore[arg-type]
        return [each.rma for each in found], cursor


def test_a_return_answers_in_the_shape_of_the_contract(database: Database, shop: Book) -> None:
    rma = book_return(database, shop, add_order(database, [Item(2, 20_00)]), wish(quantity=2, note="Too warm"))
    with database.read() as session:
        said = return_json(session, get_return(session, rma))
    assert said["rma"] == rma
    assert said["status"] == "authorized"
    assert said["order"].startswith("WH-")
    assert said["quote"]["total"] == {"amount": 20_00, "currency": "GBP"}
    assert said["label_url"] == f"/api/v1/returns/{rma}/label.pdf"
    assert said["booked_at"] == "2026-11-17T14:32:00Z"
    (line,) = said["lines"]
    assert (line["line"], line["quantity"], line["reason"], line["answer"], line["note"]) == (
        "1",
        2,
        "changed-mind",
        "accept",
        "Too warm",
    )
    assert line["terms"]["window"]["set_by"] == "otherwise"


def test_there_is_no_label_before_the_yes_nor_after_the_end(database: Database, shop: Book) -> None:
    undecided = book_return(database, shop, add_order(database, [Item(gross=400_00)]))
    own = book_return(database, shop, add_order(database, [Item(tags=("own",))]))
    ended = book_return(database, shop, add_order(database))
    with database.transaction(CUSTOMER, at=later(1)) as tx:
        service.cancel(tx, ended, by="customer")
    with database.read() as session:
        for rma in (undecided, own, ended):
            assert return_json(session, get_return(session, rma))["label_url"] is None
        assert return_json(session, get_return(session, ended))["quote"]["total"]["amount"] == 0


@pytest.mark.parametrize("typed", ["{0}", " {0} ", "{1}"])
def test_a_number_is_found_as_people_type_it(database: Database, shop: Book, typed: str) -> None:
    rma = book_return(database, shop, add_order(database))
    with database.read() as session:
        assert get_return(session, typed.format(rma, rma.lower().replace("-", " "))).rma == rma


@pytest.mark.parametrize("typed", ["", "R-0000000", "R-ABCDEF1", "1 OR 1=1", "\x00", "\ud800", "R-" + "9" * 500])
def test_another_number_finds_nothing(database: Database, shop: Book, typed: str) -> None:
    book_return(database, shop, add_order(database))
    with database.read() as session, pytest.raises(NotFound):
        get_return(session, typed)


def test_reading_costs_three_queries_for_any_number_of_lines(database: Database, shop: Book) -> None:
    for lines in (1, 30):
        order = add_order(database, [Item() for _ in range(lines)])
        rma = book_return(database, shop, order, *(wish(str(n + 1)) for n in range(lines)))
        with counting(database) as statements, database.read() as session:
            return_json(session, get_return(session, rma))
        assert len(statements) - 1 <= 3  # and one BEGIN


def test_the_list_is_cut_and_stays_stable(database: Database, shop: Book) -> None:
    booked = [book_return(database, shop, add_order(database)) for _ in range(5)]
    first, cursor = listed(database, limit=2)
    assert first == booked[:2:-1]
    book_return(database, shop, add_order(database))
    second, cursor = listed(database, limit=2, cursor=cursor)
    third, end = listed(database, limit=2, cursor=cursor)
    assert second + third == booked[2::-1]
    assert end is None


def test_the_list_costs_the_same_for_any_length(database: Database, shop: Book) -> None:
    seen = []
    for count in (2, 10):
        for _ in range(count):
            book_return(database, shop, add_order(database))
        with counting(database) as statements, database.read() as session:
            for each in list_returns(session)[0]:
                return_json(session, each)
        seen.append(len(statements))
    assert seen[0] == seen[1]


def test_filters(database: Database, shop: Book) -> None:
    order = add_order(database, [Item(3, 30_00)], email="ada@example.com")
    ours = book_return(database, shop, order)
    review = book_return(database, shop, add_order(database, [Item(gross=400_00)]))
    with database.read() as session:
        row = session.get(Order, order)
        assert row is not None
        number = row.number
    assert listed(database, status="under_review")[0] == [review]
    assert listed(database, order=f" #{number.lower()} ")[0] == [ours]
    assert listed(database, email=" ADA@example.com")[0] == [ours]
    assert listed(database, search="ada@")[0] == [ours]
    assert listed(database, search=ours[2:])[0] == [ours]
    assert listed(database, search="%")[0] == []
    assert listed(database, search="\x00")[0] == []
    with database.read() as session:
        assert [each.rma for each in queries.returns_of_order(session, order)] == [ours]


@pytest.mark.parametrize(
    "wrong", [{"status": "lost"}, {"limit": 0}, {"limit": 201}, {"cursor": "!"}, {"cursor": "cjA5eA"}, {"cursor": "é"}]
)
def test_a_list_that_makes_no_sense_names_the_field(database: Database, wrong: dict) -> None:
    with pytest.raises(Invalid) as refused:
        listed(database, **wrong)
    assert set(refused.value.fields) == set(wrong)


class TestDrafts:
    def test_a_draft_is_kept_under_its_token_and_becomes_one_return(self, database: Database, shop: Book) -> None:
        order = add_order(database)
        with database.transaction(CUSTOMER) as tx:
            token = drafts.create(tx, order).token
        with database.transaction(CUSTOMER) as tx:
            drafts.update(tx, token, {"lines": [{"line": "1"}]})
        with database.read() as session:
            draft = drafts.get(session, token)
            assert draft.data == {"lines": [{"line": "1"}]}
            key = drafts.booking_key(draft)
        rma = book_return(database, shop, order, key=key)
        with database.transaction(CUSTOMER) as tx:
            drafts.mark_booked(tx, token, tx.session.query(Return).filter_by(rma=rma).one())
        with database.transaction(CUSTOMER) as tx, pytest.raises(Conflict):
            drafts.update(tx, token, {})
        assert book_return(database, shop, order, key=key) == rma

    @pytest.mark.parametrize("token", ["", "x", "x" * 65, "é", "\x00"])
    def test_another_token_opens_nothing(self, database: Database, token: str) -> None:
        with database.read() as session, pytest.raises(NotFound):
            drafts.get(session, token)
