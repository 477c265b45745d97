"""The exceptions queue: oldest deadline first, every view counted, a fixed number of queries; questions are asked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import Database, Tx
from portal.errors import Conflict, Invalid, NotFound
from portal.money import Money
from portal.policybook.service import Book
from portal.returns import service as returns
from portal.returns.models import Return
from portal.reviews import service
from portal.reviews.models import Review
from portal.reviews.queries import Page, QueueRow, neighbours, queue, reviews_of
from tests.stages.returns.trade import (
    MAYA,
    Item,
    add_order,
    add_staff,
    book_return,
    counting,
    later,
    open_shop,
    rows,
    timeline_of,
)


@pytest.fixture
def shop(database: Database) -> Book:
    return open_shop(database)


def show(database: Database, **more: Any) -> Page:
    with database.read() as session:
        return queue(session, at=more.pop("at", later(5)), **more)


def waiting(database: Database, shop: Book, gross: int, hours: int = 24) -> str:
    """A return under review, worth ``gross``."""
    order = add_order(database, [Item(gross=gross, name="Jeans")], customer_ref=f"C-{gross}")
    return book_return(database, shop, order, decide_within_hours=hours)


def do(database: Database, work: Callable[[Tx], Any], hours: float = 1) -> None:
    with database.transaction(MAYA, at=later(hours)) as tx:
        work(tx)


def numbers(page: Page) -> list[str]:
    return [row.rma for row in page.rows]


def test_a_row_carries_what_the_page_shows(database: Database, shop: Book) -> None:
    rma = waiting(database, shop, 412_30, hours=3)
    (row,) = show(database).rows
    assert isinstance(row, QueueRow)
    assert (row.rma, row.customer_name, row.items, row.value) == (rma, "Priya Nair", 1, Money(412_30, "GBP"))
    assert (row.kind, row.why) == ("policy", "“Big returns” asks for a person to decide.")
    assert (row.status, row.return_status, row.due_at, row.opened_at) == ("open", "under_review", later(3), later(0))
    assert (row.owner_id, row.owner_name, row.country, row.paused, row.version) == (None, "", "GB", False, 1)


def test_the_oldest_deadline_comes_first_and_views_are_counted(database: Database, shop: Book) -> None:
    maya = add_staff(database)
    late, mine, asked, failed = (waiting(database, shop, 400_00 + n, hours=n) for n in (4, 8, 6, 9))
    do(database, lambda tx: returns.ask(tx, asked, message="Which batch?"))

    def prepare(tx: Tx) -> None:
        ids = dict(tx.session.execute(select(Return.rma, Return.id)).all())
        review = tx.session.scalars(select(Review).where(Review.return_id == ids[mine])).one()
        service.assign(tx, review.id, maya)
        service.open_review(
            tx, kind="refund_failed", why="Refund failed twice", return_id=ids[failed], due_at=later(10)
        )

    do(database, prepare)
    page = show(database, me=maya)
    assert numbers(page) == [late, asked, mine, failed, failed]
    assert page.counts == {"all": 5, "mine": 1, "overdue": 1, "answered": 0, "refund_failed": 1, "waiting": 1}
    assert [
        numbers(show(database, view=view, me=maya)) for view in ("mine", "overdue", "refund_failed", "waiting")
    ] == [
        [mine],
        [late],
        [failed],
        [asked],
    ]
    assert next(row for row in page.rows if row.rma == mine).owner_name == "Maya Okafor"
    do(database, lambda tx: returns.answer_question(tx, asked, "The second"))
    page = show(database, view="answered")
    assert (numbers(page), page.counts["answered"], page.counts["waiting"]) == ([asked], 1, 0)
    assert page.rows[0].answered
    do(database, lambda tx: returns.ask(tx, asked, message="And which size?"))
    assert numbers(show(database, view="answered")) == []
    assert numbers(show(database, view="mine")) == []


def test_filters_search_and_sort(database: Database, shop: Book) -> None:
    cheap, dear = waiting(database, shop, 301_00), waiting(database, shop, 900_00)
    assert numbers(show(database, sort="value")) == [dear, cheap]
    assert numbers(show(database, sort="newest")) == [dear, cheap]
    assert numbers(show(database, value_from=500_00)) == [dear]
    assert numbers(show(database, value_to=500_00)) == [cheap]
    assert numbers(show(database, search=cheap.lower())) == [cheap]
    assert len(show(database, search="priya").rows) == 2
    assert len(show(database, search="Big returns").rows) == 2
    assert show(database, search="100%_\\").rows == ()
    assert show(database, kind="asked_us").rows == ()
    assert len(show(database, kind="policy", owner="nobody").rows) == 2
    assert show(database, owner=77).rows == ()
    page = show(database, search=dear)
    assert (page.total, page.counts["all"]) == (1, 2)


def test_text_that_is_no_text_finds_nothing(database: Database, shop: Book) -> None:
    waiting(database, shop, 301_00)
    for search in ("\x00", "\ud800"):
        assert show(database, search=search).rows == ()


@pytest.mark.parametrize(
    "words", [{"view": "x"}, {"kind": "x"}, {"sort": "x"}, {"owner": "x"}, {"value_from": 10**30}, {"owner": 10**30}]
)
def test_unknown_words_are_named(database: Database, words: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        show(database, **words)
    assert set(refused.value.fields) == set(words)


def test_pages_are_cut_and_queries_do_not_grow(any_database: Database) -> None:
    shop = open_shop(any_database)
    first = [waiting(any_database, shop, 400_00 + n, hours=n + 1) for n in range(2)]
    with counting(any_database) as few:
        show(any_database)
    first += [waiting(any_database, shop, 400_00 + n, hours=n + 1) for n in range(2, 12)]
    with counting(any_database) as many:
        page = show(any_database, per_page=5, page=2)
    assert len(few) == len(many) <= 4
    assert (numbers(page), page.total, page.pages) == (first[5:10], 12, 3)
    assert show(any_database, page=9**9).rows == ()


def test_a_question_of_a_kind_is_put_once(database: Database, shop: Book) -> None:
    waiting(database, shop, 400_00)
    (before,) = rows(database, select(Review))

    def again(tx: Tx) -> None:
        service.open_review(
            tx, kind="policy", why="Now this", fact="too", return_id=before.return_id, data={"x": 1}, due_at=later(99)
        )

    do(database, again)
    (after,) = rows(database, select(Review))
    assert (after.id, after.why, after.fact, after.due_at) == (before.id, "Now this", "too", before.due_at)
    assert after.data["x"] == 1
    assert after.data["causes"]
    with database.transaction() as tx:
        service.settle(tx, tx.session.get_one(Review, after.id), "settled")
    do(database, again)
    assert [row.status for row in rows(database, select(Review).order_by(Review.id))] == ["settled", "open"]


def test_a_question_is_answered_once(database: Database, shop: Book) -> None:
    waiting(database, shop, 400_00)
    with database.transaction(MAYA) as tx:
        review = tx.session.scalars(select(Review)).one()
        service.settle(tx, review, "settled", note="Done")
        with pytest.raises(Conflict) as refused:
            service.settle(tx, review, "refused")
        assert refused.value.state == "settled"
        with pytest.raises(Conflict):
            service.assign(tx, review.id, None)


def test_assigning_is_on_the_timeline(database: Database, shop: Book) -> None:
    rma = waiting(database, shop, 400_00)
    maya = add_staff(database)
    (review,) = rows(database, select(Review))
    for _ in range(2):
        do(database, lambda tx: service.assign(tx, review.id, maya))
    assigned = [entry for entry in timeline_of(database, rma) if entry.what == "review.assigned"]
    assert [entry.data["to"] for entry in assigned] == ["Maya Okafor"]
    do(database, lambda tx: service.assign(tx, review.id, None))
    assert show(database).rows[0].owner_id is None
    for who, which in ((99, review.id), (maya, 99)):
        with pytest.raises(NotFound):
            do(database, lambda tx, who=who, which=which: service.assign(tx, which, who))


def test_the_arrows_lead_through_the_queue(database: Database, shop: Book) -> None:
    for hours in (3, 1, 2):
        waiting(database, shop, 400_00, hours=hours)
    ids = [row.id for row in show(database).rows]
    with database.read() as session:
        assert neighbours(session, ids[1]) == (ids[0], ids[2])
        assert neighbours(session, ids[0]) == (None, ids[1])
        assert neighbours(session, 99) == (None, ids[0])
        assert [review.kind for review in reviews_of(session, 1)] == ["policy"]
