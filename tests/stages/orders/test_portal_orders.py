"""The portal's own format: JSON and JSON Lines, bad rows named, refused files, and what the shape forbids."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.db import Database
from portal.errors import Invalid
from portal.orders.prepare import prepare
from portal.orders.queries import get_order, order_json
from portal.orders.schema import read_order
from portal.orders.source import UnreadableFile
from tests.stages.orders.samples import bring_in, dump, everything, line, order, write_lines

CONTRACT: dict[str, Any] = {
    "number": "536365", "placed_at": "2026-10-01T08:26:00Z", "email": "customer@example.com", "currency": "GBP",
    "customer": {"id": "17850", "name": "Ada Example", "tags": []}, "locale": "en-GB", "channel": "web",
    "ship_to": {"name": "Ada Example", "lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
    "lines": [{
        "id": "1", "sku": "85123A", "name": "White hanging heart", "quantity": 6, "unit_price": 255, "discount": 0,
        "tax": 255, "tax_included": True, "tags": [], "category": "decor", "delivered_at": "2026-10-03T10:00:00Z",
    }],
    "discount": 0, "shipping": {"amount": 450, "tax": 75},
    "payments": [{"provider": "stripe", "payment_intent": "pi_123", "captured": 1980}],
}  # fmt: skip


def test_the_example_of_the_contract_is_charged_as_it_says() -> None:
    frozen = prepare(read_order(CONTRACT)).frozen
    assert (frozen.lines[0].gross_minor, frozen.lines[0].tax_minor, frozen.total_minor) == (1530, 255, 1980)


def test_an_order_answers_with_its_own_shape(any_database: Database, tmp_path: Path) -> None:
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", CONTRACT))
    with any_database.read() as session:
        answer = order_json(session, get_order(session, "# 536365"))
    for key in ("number", "placed_at", "email", "currency", "customer", "locale", "channel", "discount", "shipping"):
        assert answer[key] == CONTRACT[key]
    assert {key: answer["lines"][0][key] for key in CONTRACT["lines"][0]} == CONTRACT["lines"][0]
    assert (answer["lines"][0]["returnable"], answer["lines"][0]["gross"], answer["total"]) == (6, 1530, 1980)
    assert answer["payments"][0]["refundable"] == 1980


OUTPUT_ONLY = {
    "": {"source", "rounding", "replacement"},
    "lines": {"gross", "returnable"},
    "payments": {"refundable", "disputed"},
}


def test_an_answer_sent_back_means_the_same_order(database: Database, tmp_path: Path) -> None:
    given_order = order(
        lines=[line("1", discount=1000), line("2", charged=29_999, tax=500, tax_included=False)],
        discount=700, extras=[{"kind": "tip", "name": "Thanks", "amount": 50}], total=60_000, tags=["vip"], is_gift=True,
    )  # fmt: skip
    bring_in(database, write_lines(tmp_path / "x.jsonl", given_order))
    with database.read() as session:
        answer = order_json(session, get_order(session, "1001"))
    for part, keys in OUTPUT_ONLY.items():
        for each in answer[part] if part else [answer]:
            for key in keys:
                del each[key]
    before = dump(database)
    assert bring_in(database, write_lines(tmp_path / "y.jsonl", answer)).outcomes == {"unchanged": 1}
    del before["order"]
    after = dump(database)
    assert {table: after[table] for table in before} == before


def test_lines_that_are_no_order_are_named_and_the_rest_is_kept(any_database: Database, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "book.jsonl",
        order("1"), '{"number": "2"', order("3", currency="GBX"), "", order("4", lines=[]), "[1]",
        order("5", lines=[line(quantity=0)]), order("6"),
    )  # fmt: skip
    report = bring_in(any_database, path)
    assert report.outcomes == {"created": 2}
    assert [(row.file, row.line) for row in report.bad] == [("book.jsonl", number) for number in (2, 3, 5, 6, 7)]
    assert [row.message.split(" ", 1)[0] for row in report.bad] == [
        "is",
        "/currency",
        "/lines",
        "is",
        "/lines/0/quantity",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [order("1"), "{", "{", "{"],
        [order("1"), "{"],
        ["{", order("1"), "{", order("2")],
        ['{"number": "1", "lines": [{', *["no JSON"] * 9, {"orders": [order("1")]}, {"orders": [order("2")]}],
    ],
    ids=["all but the first", "half", "the first, and half", "most, and orders in a wrapper"],
)
def test_json_lines_stay_json_lines_however_many_of_them_are_no_json(
    database: Database, tmp_path: Path, rows: list[Any]
) -> None:
    report = bring_in(database, write_lines(tmp_path / "book.jsonl", *rows), format="portal")
    broken = [at for at, row in enumerate(rows, start=1) if isinstance(row, str)]
    assert [(row.file, row.line) for row in report.bad] == [("book.jsonl", at) for at in broken]
    assert report.good == sum(isinstance(row, dict) for row in rows)


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"page": {"orders": 7}, "orders": rows}])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_names_the_line_on_which_each_order_begins(
    database: Database, tmp_path: Path, wrap: Any, indent: int | None
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(wrap([order("1"), order("2", currency="?")]), indent=indent), encoding="utf-8")
    report = bring_in(database, path)
    assert report.outcomes == {"created": 1}
    text = path.read_text().splitlines()
    at = report.bad[0].line
    assert at == 1 if indent is None else '"number": "2"' in text[at]


def test_one_object_is_one_order_and_gzip_is_read(database: Database, tmp_path: Path) -> None:
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(json.dumps(order(), indent=2).encode()))
    assert bring_in(database, tmp_path / "x.json.gz").outcomes == {"created": 1}


REFUSED = {
    "no JSON": b'{"number": "1", "placed_at": "2026", "lines": [}\n',
    "another thing": b'{"number": "1", "placed_at": ["x"]',
    "a list of numbers": b"[1, 2, 3]",
    "XML": b"<orders/>",
    "binary": b"\x00\x01\x02" * 100,
    "UTF-16": '{"number": "1", "placed_at": "x"}'.encode("utf-16"),
    "a key that stands twice": b'{"placed_at": "x", "number": "1", "number": "2"}',
    "lines of which none is whole": b'{"number": "1", "placed_at": "x"\n' * 50,
    "a document that ends early, an order on each line": b'{"orders": [\n'
    + json.dumps(order("1")).encode()
    + b",\n"
    + json.dumps(order("2")).encode(),
    "a document that is broken inside": json.dumps([order("1"), order("2")], indent=1).replace(":", "", 1).encode(),
    "nesting without end": b'{"number": "1", "placed_at": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_holds_no_orders_is_refused_whole(database: Database, tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(REFUSED[what])
    with pytest.raises(UnreadableFile, match=r"x\.json"):
        bring_in(database, path, format="portal")
    assert everything(database) == []


def test_a_missing_file_a_folder_and_another_format_are_refused(database: Database, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", order())
    for wrong, options in (
        (tmp_path / "no", {}),
        (tmp_path, {}),
        (path, {"format": "shopify"}),
        (path, {"format": "x"}),
    ):
        with pytest.raises(UnreadableFile):
            bring_in(database, wrong, **options)


FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("/number", {"number": 5}),
    ("/number", {"number": "#"}),
    ("/number", {"number": "1" * 65}),
    ("/number", {"number": "a\x00b"}),
    ("/number", {"number": "\ud800"}),
    ("/placed_at", {"placed_at": "2026-10-01"}),
    ("/placed_at", {"placed_at": 1_790_000_000}),
    ("/placed_at", {"placed_at": "0001-01-01T00:00:00+14:00"}),
    ("/email", {"email": "nobody"}),
    ("/email", {"email": "a" * 309 + "@example.com"}),
    ("/currency", {"currency": "gbp"}),
    ("/currency", {"currency": "ZZZ"}),
    ("/discount", {"discount": -1}),
    ("/discount", {"discount": 1.0}),
    ("/discount", {"discount": "5"}),
    ("/discount", {"discount": True}),
    ("/discount", {"discount": 2**53}),
    ("/discount", {"discount": 29_001}),
    ("/total", {"total": 10**30}),
    ("/ship_to/country", {"ship_to": {"country": "England"}}),
    ("/shipping/tax", {"shipping": {"amount": 1, "tax": 2}}),
    ("/surprise", {"surprise": 1}),
    ("/lines", {"lines": "none"}),
    ("/lines/0/colour", {"lines": [line(colour="red")]}),
    ("/lines/0/quantity", {"lines": [line() | {"quantity": 0}]}),
    ("/lines/0/quantity", {"lines": [line() | {"quantity": 10**9}]}),
    ("/lines/0", {"lines": [line(charged=30_003)]}),
    ("/lines/0", {"lines": [line(variants=[{"sku": "a", "price": 1}])]}),
    ("/lines/0/variants/0/stock", {"lines": [line(product="p", variants=[{"sku": "a", "price": 1, "stock": -1}])]}),
    ("/lines/0/tax", {"lines": [line(tax=30_001)]}),
    ("/lines/1/id", {"lines": [line(), line()]}),
    ("/payments/0/captured", {"payments": [{"captured": -5}]}),
    ("/payments/0/refunded", {"payments": [{"captured": 5, "refunded": 6}]}),
    ("/payments/0/provider", {"payments": [{"captured": 5, "provider": "p" * 21}]}),
    ("/payments/0/payment_intent", {"payments": [{"captured": 5, "payment_intent": "pi_1\u202e2"}]}),
    ("/payments/0/payment_intent", {"payments": [{"captured": 5, "payment_intent": "pi_1 2"}]}),
    ("/payments/0/payment_intent", {"payments": [{"captured": 5, "payment_intent": "p" * 81}]}),
]


@pytest.mark.parametrize(("pointer", "change"), FIELDS)
def test_a_wrong_field_is_named_by_its_pointer(pointer: str, change: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as error:
        prepare(read_order(order(**change)))
    assert pointer in error.value.fields
    assert pointer in error.value.message


def test_what_is_long_but_allowed_is_stored(any_database: Database, tmp_path: Path) -> None:
    longest = order(
        "9" * 64, email="é" * 308 + "@example.com", currency="IDR",
        lines=[line("1", name="字" * 300, sku="s" * 100) | {"quantity": 1, "unit_price": 2**53 - 1}],
        ship_to={"postcode": "1" * 32, "lines": ["x" * 200] * 8, "country": "ID"}, payments=[{"captured": 2**53 - 1}],
    )  # fmt: skip
    report = bring_in(any_database, write_lines(tmp_path / "x.jsonl", longest))
    assert report.bad == []
    assert everything(any_database)[0].total_minor == 2**53 - 1


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200b", "\x07", "\n", "\u2028", "\ufeff"])
def test_an_order_number_with_a_sign_that_nobody_sees_is_refused_by_name(sign: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_order(CONTRACT | {"number": f"53{sign}6365"})
    assert refused.value.fields == {"/number": f"has the hidden character U+{ord(sign):04X}; leave it out"}
    with pytest.raises(Invalid) as refused:
        prepare(replace(read_order(CONTRACT), number=f"53{sign}6365"))
    assert refused.value.fields == {"/number": f"has the hidden character U+{ord(sign):04X}; leave it out"}


NAUGHTY = st.text(max_size=40) | st.sampled_from(
    ["Ω≈ç√", "‮rtl", "\u200b", "'; DROP TABLE", "👩‍👩‍👧", "ﷺ" * 30, "İ" * 40, "\x7f"]
)
JUNK = st.none() | st.booleans() | st.integers() | st.floats() | NAUGHTY | st.lists(st.integers(), max_size=2)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*CONTRACT, "total", "tags", "extras", "x"]), JUNK, max_size=4))
def test_no_field_can_bring_anything_but_an_order_or_a_clear_refusal(change: dict[str, Any]) -> None:
    with suppress(Invalid):
        prepare(read_order(CONTRACT | change))


def test_hostile_text_is_kept_as_it_was_typed(any_database: Database, tmp_path: Path) -> None:
    texts = [
        "Ω≈ç√∫",
        "<script>alert(1)</script>",
        '\'; DROP TABLE "order";--',
        "👩‍👩‍👧‍👦",
        "%s%n{0}",
    ]
    rows = [order(str(at), lines=[line(name=text)]) for at, text in enumerate(texts)]
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", *rows))
    assert [each.lines[0].name for each in everything(any_database)] == texts


def test_a_dry_run_says_what_would_happen_and_writes_nothing(any_database: Database, tmp_path: Path) -> None:
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", order("1"), order("2")))
    before = dump(any_database)
    path = write_lines(tmp_path / "y.jsonl", order("1"), order("2", email="new@example.com"), order("3"), "{")
    report = bring_in(any_database, path, dry_run=True)
    assert report.outcomes == {"created": 1, "updated": 1, "unchanged": 1}
    assert report.bad_count == 1
    assert dump(any_database) == before


def test_the_same_number_twice_in_a_file_is_a_change_of_the_first(any_database: Database, tmp_path: Path) -> None:
    report = bring_in(any_database, write_lines(tmp_path / "x.jsonl", order("1"), order("#1", email="new@example.com")))
    assert report.outcomes == {"created": 1, "updated": 1}
    assert [each.email for each in everything(any_database)] == ["new@example.com"]


def test_a_delivery_is_set_only_where_there_is_none(database: Database, tmp_path: Path) -> None:
    lines = [line("1"), line("2", shipped_at="2026-10-05T00:00:00Z"), line("3", delivered_at="2026-10-09T00:00:00Z")]
    path = write_lines(tmp_path / "x.jsonl", order(lines=lines))
    bring_in(database, path, delivered_after=timedelta(days=2))
    assert [each.delivered_at.day for each in everything(database)[0].lines] == [3, 7, 9]
    # Without the option nothing is forgotten and nothing changes.
    before = dump(database)["order_line"]
    assert bring_in(database, path).outcomes == {"unchanged": 1}
    assert dump(database)["order_line"] == before


def unseen(text: str) -> dict[str, Any]:
    """An order with this in the middle of every text in which it is allowed."""
    odd = f"Mug{text}(red)"
    return order(
        customer={"id": odd, "name": odd, "tags": [odd]}, channel=odd, tags=[odd], discount_codes=[odd], payment_method=odd,
        ship_to={"name": odd, "lines": [odd], "city": odd, "region": odd, "postcode": odd},
        extras=[{"kind": "tip", "name": odd, "amount": 1}],
        payments=[{"provider": "cash", "captured": 1, "method": odd, "reference": odd}],
        lines=[
            line(odd, sku=odd, name=odd, variant=odd, vendor=odd, category=odd, type=odd, tags=[odd], product=odd,
                 variants=[{"sku": odd, "label": odd, "price": 1}]),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sign", "instead"),
    [
        ("\n", " "), ("\r\n", " "), ("\t", " "), ("\u2028", " "), ("\u2029\x85", " "), ("\x7f", ""), ("\x07", ""), ("\x9b", ""),
        ("\u202e", ""), ("\u202d", ""), ("\u2066", ""), ("\u2069", ""), ("\u200e", ""), ("\u200f", ""), ("\u061c", ""),
        ("\u200d", "\u200d"), ("\u00a0", "\u00a0"), ("é", "é"), ('"\\', '"\\'),
    ],
)  # fmt: skip
def test_texts_come_in_in_one_line_without_signs_that_turn_them_round(
    database: Database, tmp_path: Path, sign: str, instead: str
) -> None:
    ready = prepare(read_order(unseen(sign)))
    assert ready == prepare(read_order(unseen(instead)))
    assert [each.name for each in ready.order.lines] == [f"Mug{instead}(red)"]
    path = write_lines(tmp_path / "x.jsonl", unseen(sign))
    assert bring_in(database, path).good == 1
    assert bring_in(database, path).outcomes == {"unchanged": 1}


def test_two_lines_whose_ids_look_the_same_are_refused_by_name() -> None:
    with pytest.raises(Invalid) as refused:
        prepare(read_order(order(lines=[line("1"), line("1\u200e")])))
    assert list(refused.value.fields) == ["/lines/1/id"]


def test_a_long_order_keeps_every_text_whichever_way_it_is_written(any_database: Database, tmp_path: Path) -> None:
    texts = ["(x)\u00a0y", "<br>", "back\\slash", "\\N", "\\.", "'\"", "日本語", "NULL", "{a}"]
    lines = [
        line(str(at), name=texts[at % 9], tags=[texts[at % 9]], delivered_at="2026-10-05T00:00:00Z", weight_g=at)
        for at in range(300)
    ]
    path = write_lines(tmp_path / "x.jsonl", order(lines=lines))
    assert bring_in(any_database, path).lines == 300
    found = everything(any_database)[0].lines
    assert [(each.name, each.tags, each.facts) for each in found] == [
        (texts[at % 9], [texts[at % 9]], {"weight_g": at}) for at in range(300)
    ]
    assert {each.delivered_at.isoformat() for each in found} == {"2026-10-05T00:00:00+00:00"}
    assert bring_in(any_database, path).outcomes == {"unchanged": 1}
