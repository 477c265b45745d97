"""A rule's use is counted from the decisions as they were stored, alike on both databases, in one query."""

from __future__ import annotations

from datetime import timedelta

from portal.db import Database
from portal.returns.usage import rule_uses
from tests.stages.returns.trade import BOOKED, add_order, book_return, counting, open_shop


def sold(database: Database) -> None:
    book = open_shop(database)
    for _ in range(3):
        book_return(database, book, add_order(database))


def says(database: Database) -> None:
    with database.read() as session, counting(database) as seen:
        found = rule_uses(session, BOOKED - timedelta(days=90))
    assert len([statement for statement in seen if "SELECT" in statement]) == 1
    assert (found.counts["otherwise"], found.items, found.cut) == (3, 3, False)
    assert "Final sale" not in found.counts
    with database.read() as session:
        later = rule_uses(session, BOOKED + timedelta(days=1))
        assert (dict(later.counts), later.items) == ({}, 0)


def test_items_are_counted_once_for_every_rule_that_set_a_term_of_theirs(database: Database) -> None:
    sold(database)
    says(database)


def test_postgresql_counts_the_same(pg_database: Database) -> None:
    sold(pg_database)
    says(pg_database)


def test_a_large_shop_is_counted_by_its_newest_items(database: Database) -> None:
    sold(database)
    with database.read() as session:
        found = rule_uses(session, BOOKED - timedelta(days=90), most=2)
    assert (found.counts["otherwise"], found.items, found.cut) == (2, 2, True)
