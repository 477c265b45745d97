"""What a later import of a known order may change, and what it must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from portal.db import Database
from portal.errors import Conflict, Invalid
from portal.orders.models import OrderLine, Payment
from portal.orders.schema import read_order
from portal.orders.service import PutResult, put_order
from tests.stages.orders.samples import DATA, bring_in, dump, everything, line, order, write_lines


def put(database: Database, **change: Any) -> PutResult:
    with database.transaction() as tx:
        return put_order(tx, read_order(order(**change)))


def hold(database: Database, units: int, refunding: int = 0) -> None:
    """As if units were in a return and money promised."""
    with database.transaction() as tx:
        tx.session.execute(update(OrderLine).where(OrderLine.ref == "1").values(units_held=units))
        tx.session.execute(update(Payment).values(refunding_minor=refunding))


def test_the_same_order_twice_changes_nothing(any_database: Database) -> None:
    first = put(any_database)
    before = dump(any_database)
    second = put(any_database)
    assert (first.outcome, second.outcome, first.order_id) == ("created", "unchanged", second.order_id)
    assert dump(any_database) == before


def test_a_delivery_a_tag_and_a_line_more_are_taken_over(any_database: Database) -> None:
    put(any_database)
    hold(any_database, 1)
    lines = [line(discount=1000, delivered_at="2026-10-05T00:00:00Z"), line("2", quantity=1)]
    assert put(any_database, lines=lines, tags=["vip"]).outcome == "updated"
    (found,) = everything(any_database)
    assert found.tags == ["vip"]
    assert [(each.ref, each.units_held, each.gross_minor) for each in found.lines] == [
        ("1", 1, 29_000),
        ("2", 0, 10_000),
    ]
    assert found.lines[0].delivered_at.day == 5
    assert found.total_minor == 39_000
    assert "line 1 delivered_at" in dump(any_database)["timeline_entry"][0][-1]


def test_a_quantity_may_change_while_nothing_is_in_a_return(any_database: Database) -> None:
    put(any_database)
    assert put(any_database, lines=[line() | {"quantity": 2}], payments=[{"captured": 20_000}]).outcome == "updated"
    (found,) = everything(any_database)
    assert (found.lines[0].quantity, found.total_minor, found.payments[0].captured_minor) == (2, 20_000, 20_000)


FORBIDDEN: list[tuple[str, dict[str, Any]]] = [
    ("/lines/0/quantity", {"lines": [line() | {"quantity": 1}]}),
    ("/lines/0/quantity", {"lines": [line() | {"quantity": 4}]}),
    ("/lines/0", {"lines": [line(discount=2000)]}),
    ("/lines/0", {"discount": 300}),
    ("/lines/0/returned", {"lines": [line(discount=1000, returned=2)]}),
    ("/lines", {"lines": [line("2")]}),
    ("/payments/0/captured", {"payments": [{"captured": 9_665}]}),
]


@pytest.mark.parametrize(("pointer", "change"), FORBIDDEN)
def test_what_returns_were_cut_from_stays_as_it_was_charged(
    database: Database, pointer: str, change: dict[str, Any]
) -> None:
    put(database)
    hold(database, 2, refunding=9_666)
    before = dump(database)
    with pytest.raises(Invalid) as error:
        put(database, **change)
    assert pointer in error.value.fields
    assert dump(database) == before


def test_a_refused_change_in_a_file_is_a_bad_row_and_the_others_are_made(
    any_database: Database, tmp_path: Path
) -> None:
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", order("1"), order("2")))
    hold(any_database, 2)
    few = [line() | {"quantity": 1}]
    report = bring_in(
        any_database, write_lines(tmp_path / "y.jsonl", order("1", lines=few), order("2", email="n@example.com"))
    )
    assert report.outcomes == {"updated": 1}
    assert str(report.bad[0]).startswith(
        "y.jsonl:1: order 1: /lines/0/quantity cannot become 1: 2 of 3 units are in returns"
    )


def test_units_and_money_that_the_shop_took_back_reduce_what_is_left(any_database: Database) -> None:
    put(any_database)
    hold(any_database, 1, refunding=9_666)
    put(any_database, lines=[line(discount=1000, returned=2)], payments=[{"captured": 29_000, "refunded": 19_334}])
    (found,) = everything(any_database)
    assert (found.lines[0].units_left, found.payments[0].refundable_minor) == (0, 0)
    # The shop's system also counts the refund that went out from here: never more than there is, and no error.
    put(any_database, lines=[line(discount=1000, returned=2)], payments=[{"captured": 29_000, "refunded": 29_000}])
    assert everything(any_database)[0].payments[0].refundable_minor == 0


def test_money_known_to_be_refunded_is_not_forgotten(database: Database) -> None:
    put(database, payments=[{"captured": 29_000, "refunded": 500}])
    put(database, email="n@example.com")
    assert everything(database)[0].payments[0].refunded_elsewhere_minor == 500


def test_a_second_payment_is_added_and_the_first_is_found_by_its_id(database: Database) -> None:
    first = {"captured": 20_000, "payment_intent": "pi_1"}
    put(database, payments=[first])
    put(database, payments=[{"captured": 9_000, "payment_intent": "pi_2"}, first | {"method": "Visa"}])
    payments = everything(database)[0].payments
    assert [(each.payment_intent, each.captured_minor, each.method) for each in payments] == [
        ("pi_1", 20_000, "Visa"),
        ("pi_2", 9_000, ""),
    ]


def test_a_line_leaves_the_order_only_if_no_return_ever_named_it(any_database: Database) -> None:
    put(any_database, lines=[line("1"), line("2")])
    assert put(any_database, lines=[line("1")]).outcome == "updated"
    assert [each.ref for each in everything(any_database)[0].lines] == ["1"]


def test_an_order_of_one_shop_is_not_overwritten_by_another(database: Database, tmp_path: Path) -> None:
    bring_in(database, write_lines(tmp_path / "x.jsonl", order("1001")))
    report = bring_in(database, DATA / "shopify" / "2026-07-order-partly-refunded.json")
    assert report.outcomes == {}
    assert "known from `portal` already" in report.bad[0].message


def test_the_currency_that_was_charged_does_not_change(database: Database) -> None:
    put(database)
    with pytest.raises(Conflict, match="charged in GBP"):
        put(database, currency="EUR")


def test_nobody_is_paid_back_with_the_payment_of_another_customers_order(any_database: Database) -> None:
    paid = [{"payment_intent": "pi_ada", "captured": 29_000, "provider": "stripe"}]
    put(any_database, payments=paid)
    for change in ({"number": "DRAIN-1"}, {"number": "DRAIN-1", "lines": [line(quantity=9)]}):
        with pytest.raises(Conflict, match="`pi_ada` belongs to an order of another customer"):
            put(any_database, email="mallory@example.com", payments=paid, **change)
    assert [each.number for each in everything(any_database)] == [order()["number"]]
    # A known order cannot take it over by a change either, and its own content stays what it was.
    put(any_database, number="OWN-1", email="mallory@example.com")
    with pytest.raises(Conflict, match="another customer"):
        put(any_database, number="OWN-1", email="mallory@example.com", payments=paid)
    # A source that splits an order gives both parts the payment of the one customer; the same content again is no change.
    assert put(any_database, number="536365-B", payments=paid).outcome == "created"
    assert put(any_database, payments=paid).outcome == "unchanged"
