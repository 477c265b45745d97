"""The retail book: every purchase invoice is an order, everything else is counted by kind and never guessed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.db import Database
from portal.orders.source import UnreadableFile
from tests.stages.orders.samples import DATA, HEADER, bring_in, dump, everything, write_csv

CUSTOMERS = DATA / "retail" / "customers.csv"


def row(invoice: str = "536365", code: str = "85123A", **more: str) -> str:
    values = {
        "name": "WHITE HEART", "quantity": "6", "at": "2010-12-01 08:26:00", "price": "2.55", "customer": "17850",
        "country": "United Kingdom", **more,
    }  # fmt: skip
    return ",".join(
        (invoice, code, *(values[key] for key in ("name", "quantity", "at", "price", "customer", "country")))
    )


def test_real_rows_become_orders_and_every_row_is_accounted_for(any_database: Database) -> None:
    report = bring_in(any_database, CUSTOMERS)
    assert report.bad_count == 0
    assert report.lines + sum(report.skipped.values()) == report.rows == 423
    assert report.skipped["credit or return (C)"] == 54
    found = list(everything(any_database))
    assert len(found) == report.outcomes["created"]
    for order in found:
        assert sum(line.gross_minor for line in order.lines) == order.total_minor
        assert order.email == f"customer-{order.customer_ref}@example.com"


def test_a_second_run_changes_nothing(any_database: Database) -> None:
    bring_in(any_database, CUSTOMERS, delivered_after=timedelta(days=2))
    before = dump(any_database)
    report = bring_in(any_database, CUSTOMERS, delivered_after=timedelta(days=2))
    assert set(report.outcomes) == {"unchanged"}
    assert dump(any_database) == before


def test_times_are_londons_and_the_delivery_is_counted_from_them(database: Database, tmp_path: Path) -> None:
    rows = row(at="2011-07-01 08:26:00"), row("536366")
    bring_in(database, write_csv(tmp_path / "x.csv", *rows), zone="Asia/Tokyo", delivered_after=timedelta(days=2))
    summer, winter = everything(database)
    assert summer.placed_at == datetime(2011, 7, 1, 7, 26, tzinfo=UTC)
    assert winter.placed_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert winter.lines[0].delivered_at == datetime(2010, 12, 3, 8, 26, tzinfo=UTC)


KINDS = [
    (row("C536365", quantity="-6"), "credit or return (C)"),
    (row("A563186", "B", price="-11062.06"), "bad-debt adjustment (A)"),
    *((row(code=code), f"no goods: {kind} ({code})") for code, kind in [
        ("POST", "postage"), ("DOT", "postage"), ("M", "manual entry"), ("m", "manual entry"), ("D", "discount"),
        ("S", "samples"), ("C2", "carriage"), ("BANK CHARGES", "bank charges"), ("AMAZONFEE", "marketplace fee"),
        ("CRUK", "charity commission"), ("B", "bad debt"),
    ]),
    (row(quantity="-5", price="0.00"), "stock adjustment (quantity zero or less)"),
    (row(quantity="0"), "stock adjustment (quantity zero or less)"),
    (row(price="0.00"), "price zero or less"),
    (row(price="-1.00"), "price zero or less"),
    (row(code=""), "no stock code"),
    (row(code="NEWTHING"), "unknown stock code (NEWTHING)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_a_row_that_is_no_sale_of_goods_is_counted_by_kind(
    database: Database, tmp_path: Path, text: str, kind: str
) -> None:
    report = bring_in(database, write_csv(tmp_path / "x.csv", row("600001"), text))
    assert report.skipped == {kind: 1}
    assert report.outcomes == {"created": 1}
    assert report.bad_count == 0


@pytest.mark.parametrize("code", ["22423", "85123A", "15056BL", "DCGSSGIRL", "DCGS0066P", "gift_0001_20", "PADS"])
def test_goods_despite_their_form_are_goods(database: Database, tmp_path: Path, code: str) -> None:
    assert bring_in(database, write_csv(tmp_path / "x.csv", row(code=code))).lines == 1


@pytest.mark.parametrize(
    ("country", "code", "region"),
    [
        ("United Kingdom", "GB", ""), ("EIRE", "IE", ""), ("RSA", "ZA", ""), ("USA", "US", ""), ("Germany", "DE", ""),
        ("Hong Kong", "HK", ""), ("Czech Republic", "CZ", ""), ("Channel Islands", "", "Channel Islands"),
        ("European Community", "", "European Community"), ("Unspecified", "", "Unspecified"), ("Atlantis", "", "Atlantis"),
        *((name, code, "") for name, code in [
            ("France", "FR"), ("Spain", "ES"), ("Netherlands", "NL"), ("Switzerland", "CH"), ("Belgium", "BE"),
            ("Australia", "AU"), ("Portugal", "PT"), ("Norway", "NO"), ("Finland", "FI"), ("Italy", "IT"),
            ("Cyprus", "CY"), ("Sweden", "SE"), ("Japan", "JP"), ("Israel", "IL"), ("Austria", "AT"), ("Poland", "PL"),
            ("Denmark", "DK"), ("Singapore", "SG"), ("Canada", "CA"), ("Iceland", "IS"), ("Greece", "GR"),
            ("Malta", "MT"), ("United Arab Emirates", "AE"), ("Lebanon", "LB"), ("Lithuania", "LT"), ("Brazil", "BR"),
            ("Bahrain", "BH"), ("Saudi Arabia", "SA"),
        ]),
    ],
)  # fmt: skip
def test_a_country_is_its_iso_code_and_an_unclear_place_is_none(
    database: Database, tmp_path: Path, country: str, code: str, region: str
) -> None:
    bring_in(database, write_csv(tmp_path / "x.csv", row(country=country)))
    (order,) = everything(database)
    assert (order.ship_to["country"], order.ship_to["region"]) == (code, region)


def test_an_invoice_without_a_customer_gets_an_address_of_its_own(database: Database, tmp_path: Path) -> None:
    bring_in(database, write_csv(tmp_path / "x.csv", row(customer="")))
    (order,) = everything(database)
    assert (order.email, order.customer_ref, order.postcode_key) == ("invoice-536365@example.com", "", "")


def test_a_price_with_fractions_of_a_penny_is_rounded_after_multiplying_and_said_so(
    database: Database, tmp_path: Path
) -> None:
    rows = row(price="0.001", quantity="1"), row(price="13.9563", quantity="9"), row(price="0.005", quantity="1")
    report = bring_in(database, write_csv(tmp_path / "x.csv", *rows))
    (order,) = everything(database)
    assert [line.gross_minor for line in order.lines] == [0, 12_561, 1]  # case 28
    assert sum(count for note, count in report.notes.items() if "rounded half up" in note) == 3


def test_the_same_article_twice_is_two_lines(database: Database, tmp_path: Path) -> None:
    bring_in(database, write_csv(tmp_path / "x.csv", row(), row(quantity="2")))
    (order,) = everything(database)
    assert [(line.ref, line.quantity) for line in order.lines] == [("1", 6), ("2", 2)]


def test_rows_of_one_invoice_that_lie_apart_are_one_order(database: Database, tmp_path: Path) -> None:
    rows = row("1"), row("2"), row("1", quantity="9", at="2010-12-01 08:25:00"), row("3")
    report = bring_in(database, write_csv(tmp_path / "x.csv", *rows))
    assert report.outcomes == {"created": 3}
    first = next(order for order in everything(database) if order.number == "1")
    assert [line.quantity for line in first.lines] == [6, 9]
    assert first.placed_at == datetime(2010, 12, 1, 8, 25, tzinfo=UTC)


BAD = [
    (row(quantity="six"), "Quantity `six` is no whole number"),
    (row(price="free"), "UnitPrice `free` is no amount"),
    (row(price="Infinity"), "is no amount"),
    (row(price="1e400"), "is no amount"),
    (row(at="01/12/2010 08:26"), "InvoiceDate `01/12/2010 08:26` is not like"),
    ("536365,85123A", "has 2 fields; the header has 8"),
    (row("X99"), "neither a purchase"),
    (row(customer="1" * 41), "CustomerID has 41 signs, more than 40"),
    (row(quantity="1000001"), "/lines/0/quantity is 1000001"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_bad_row_is_named_by_file_and_line_and_the_rest_is_kept(
    database: Database, tmp_path: Path, text: str, says: str
) -> None:
    report = bring_in(database, write_csv(tmp_path / "book.csv", row("1"), text, row("2")))
    assert report.outcomes == {"created": 2}
    assert report.bad_count == 1
    assert str(report.bad[0]).startswith("book.csv:3: ")
    assert says in report.bad[0].message


def test_an_invoice_with_a_bad_row_is_no_order_because_its_total_is_unknown(database: Database, tmp_path: Path) -> None:
    report = bring_in(database, write_csv(tmp_path / "x.csv", row(), row(quantity="?"), row(), row("2")))
    assert report.outcomes == {"created": 1}
    assert report.skipped == {"other rows of invoices with a bad row": 2}


def test_an_invoice_of_two_customers_is_refused(database: Database, tmp_path: Path) -> None:
    report = bring_in(database, write_csv(tmp_path / "x.csv", row(), row(customer="99999")))
    assert report.outcomes == {}
    assert "another customer" in report.bad[0].message


REFUSED = {
    "no header": (row() + "\n").encode(),
    "a header without prices": HEADER.replace("UnitPrice", "Price").encode() + b"\n",
    "binary": bytes(range(256)),
    "latin-1": f"{HEADER}\n{row(name='CAFÉ')}\n".encode("latin-1"),
    "a cut gzip": gzip.compress(f"{HEADER}\n{row()}\n".encode() * 50)[:80],
    "nothing": b"",
    "blank": b"\n \n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_not_what_it_says_is_refused_whole(database: Database, tmp_path: Path, what: str) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes(REFUSED[what])
    with pytest.raises(UnreadableFile, match=r"book\.csv"):
        bring_in(database, path, format="retail-csv")
    assert list(everything(database)) == []


def test_damage_far_into_the_file_is_found_before_anything_is_written(database: Database, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *(row(str(number)) for number in range(1, 4000)))
    path.write_bytes(path.read_bytes() + b"4000,85123A,CAF\xc9\n")
    with pytest.raises(UnreadableFile, match="UTF-8"):
        bring_in(database, path)
    assert list(everything(database)) == []


def test_gzip_and_a_byte_order_mark_are_read(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "book.csv.gz"
    path.write_bytes(gzip.compress(f"\ufeff{HEADER}\r\n{row()}\r\n".encode()))
    assert bring_in(database, path).outcomes == {"created": 1}


def test_columns_are_read_by_name_not_by_place(database: Database, tmp_path: Path) -> None:
    names, values = HEADER.split(","), row().split(",")
    path = tmp_path / "x.csv"
    path.write_text(",".join(["More", *names[::-1]]) + "\n" + ",".join(["x", *values[::-1]]) + "\n")
    assert bring_in(database, path).lines == 1
