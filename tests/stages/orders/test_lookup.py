"""Look-up forgives how people type and tells nobody what was wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.db import Database
from portal.errors import NotFound
from portal.orders.keys import email_key, number_key, postcode_key
from portal.orders.lookup import find_order
from portal.orders.queries import get_order
from portal.orders.schema import read_order
from portal.orders.service import put_order
from tests.stages.orders.samples import order
from tests.stages.returns.trade import counting


def fill(database: Database) -> Database:
    with database.transaction() as tx:
        put_order(tx, read_order(order("#WH-1001")))
        put_order(tx, read_order(order("bare", email="", ship_to={})))
    return database


def selects(statements: list[str]) -> int:
    return sum(statement.startswith("SELECT") for statement in statements)


@pytest.fixture
def known(database: Database) -> Database:
    return fill(database)


@pytest.mark.parametrize(
    "number", ["#WH-1001", "wh-1001", " WH - 1001 ", "##wh-1001", "ＷＨ-1001", "\u200bWH-1001\u00a0"]
)
@pytest.mark.parametrize(
    "proof", ["ada@example.com", " ADA@Example.COM ", "LS1 1AA", "ls11aa", "LS1-1AA", "ＬＳ１１ＡＡ"]
)
def test_spaces_case_and_a_leading_hash_are_forgiven(known: Database, number: str, proof: str) -> None:
    with known.read() as session:
        found = find_order(session, number, proof)
        assert found is not None
        assert found.number == "#WH-1001"


@pytest.mark.parametrize(
    ("there", "typed", "meant"),
    [
        (["WH-20418"], "20418", "WH-20418"),
        (["WH-20418"], "wh 20418", "WH-20418"),
        (["WH-20418"], "WH\N{EM DASH}20418", "WH-20418"),
        (["WH-20418"], "Bestellung: wh20418", "WH-20418"),
        (["WH-20418"], "\N{ARABIC-INDIC DIGIT TWO}0418", "WH-20418"),
        (["20418"], "Order #20418", "20418"),
        (["2024-0012"], "20240012", "2024-0012"),
        (["X7K2-P9"], "x7k2p9", "X7K2-P9"),
        # What could be another order is none: other letters, fewer figures, figures that two orders share.
        (["WH-20418"], "US-20418", None),
        (["WH-20418"], "0418", None),
        (["WH-20418"], "WH-20418-1", None),
        (["X7K2-P9"], "729", None),
        (["WH-20418", "US-20418"], "20418", None),
        (["A-12", "A1-2"], "a12", None),
        (["---"], "***", None),
        # A number that exists is never another's.
        (["WH-20418", "20418"], "20418", "20418"),
        (["WH-20418", "US-20418"], "us20418", "US-20418"),
        (["A-12", "A1-2"], "A-12", "A-12"),
        (["WH-1", "AWH-1"], "AWH-1", "AWH-1"),
    ],
)
def test_what_is_forgiven_in_a_number_never_leads_to_another_order(
    database: Database, there: list[str], typed: str, meant: str | None
) -> None:
    with database.transaction() as tx:
        for number in there:
            put_order(tx, read_order(order(number)))
    with database.read() as session:
        found = find_order(session, typed, "ada@example.com")
        assert (found.number if found is not None else None) == meant


WRONG = [
        ("WH-1001", "eve@example.com"), ("WH-1001", "LS2 2BB"), ("WH-1001", ""), ("WH-1001", " - "), ("nope", "LS1 1AA"),
        ("", ""), ("bare", ""), ("bare", " "), ("bare", "nobody@nowhere.invalid"), ("WH-1001", "\x00"), ("\x00", "x"),
        ("nope", "nobody@nowhere.invalid"), ("nope", "NOWHERE"), ("\ud800", "\ud800"), ("9" * 10_000, "x" * 10_000),
    ]  # fmt: skip


@pytest.mark.parametrize(("number", "proof"), WRONG)
def test_whatever_is_wrong_takes_one_query_and_finds_nothing(known: Database, number: str, proof: str) -> None:
    with counting(known) as statements, known.read() as session:
        assert find_order(session, number, proof) is None
    assert selects(statements) == 1


def test_postgresql_answers_the_same(pg_database: Database) -> None:
    fill(pg_database)
    with pg_database.read() as session:
        assert find_order(session, " wh-1001", "ls1 1aa") is not None
        assert [find_order(session, number, proof) for number, proof in WRONG] == [None] * len(WRONG)


def test_an_order_is_read_in_three_queries(known: Database) -> None:
    with counting(known) as statements, known.read() as session:
        found = get_order(session, "wh-1001")
        assert (len(found.lines), len(found.payments)) == (1, 1)
        assert selects(statements) == 3
        with pytest.raises(NotFound):
            get_order(session, "no such")


@given(st.text(max_size=80))
def test_a_key_is_stable_and_has_no_blanks(text: str) -> None:
    for make in (number_key, email_key, postcode_key):
        key = make(text)
        assert not any(sign.isspace() for sign in key)
        assert make(f" {text}\t") == key
        key.encode("utf-8")
