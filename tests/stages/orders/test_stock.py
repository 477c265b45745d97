"""Variants: listed with orders, counted by API, and which may be sent in exchange."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from portal.db import Database
from portal.errors import Conflict, Invalid
from portal.orders.incoming import MAX_SKU
from portal.orders.models import OrderLine, Variant
from portal.orders.stock import put_variant, siblings
from tests.stages.orders.samples import bring_in, dump, line, order, write_lines

LISTED = [
    {"sku": "J-M", "label": "Size M", "price": 10_000, "stock": 4},
    {"sku": "J-L", "label": "Size L", "price": 10_000, "stock": 0},
    {"sku": "J-XL", "label": "Size XL", "price": 12_000, "stock": 9},
]


def with_variants(number: str = "1", stock: int = 4) -> dict[str, object]:
    listed = [LISTED[0] | {"stock": stock}, *LISTED[1:]]
    return order(number, lines=[line(sku="J-M", product="jumper", variants=listed)])


def test_variants_come_with_orders_but_a_known_stock_is_not_recounted(any_database: Database, tmp_path: Path) -> None:
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", with_variants()))
    with any_database.transaction() as tx:
        tx.session.execute(update(Variant).where(Variant.sku == "J-M").values(stock=1))
    bring_in(any_database, write_lines(tmp_path / "y.jsonl", with_variants("2", stock=50)))
    with any_database.read() as session:
        stock = {each.sku: each.stock for each in session.scalars(select(Variant))}
    assert stock == {"J-M": 1, "J-L": 0, "J-XL": 9}


def test_siblings_are_of_the_same_product_and_price(any_database: Database, tmp_path: Path) -> None:
    bring_in(any_database, write_lines(tmp_path / "x.jsonl", with_variants()))
    with any_database.transaction() as tx:
        put_variant(tx, sku="OTHER", product="hat", price_minor=10_000, currency="GBP", stock=1)
        put_variant(tx, sku="J-S", product="jumper", label="Size S", price_minor=10_000, currency="EUR", stock=1)
        put_variant(tx, sku="J-XS", product="jumper", label="Size XS", price_minor=10_000, currency="GBP", stock=2)
    with any_database.read() as session:
        bought = session.scalars(select(OrderLine)).one()
        assert [each.sku for each in siblings(session, bought)] == ["J-L", "J-M", "J-XS"]


def test_stock_is_never_set_below_what_exchanges_hold(any_database: Database) -> None:
    with any_database.transaction() as tx:
        put_variant(tx, sku="A", product="p", price_minor=1, currency="GBP", stock=3)
        tx.session.execute(update(Variant).values(reserved=2))
    with pytest.raises(Conflict, match="2 units of A are held"), any_database.transaction() as tx:
        put_variant(tx, sku="A", product="p", price_minor=1, currency="GBP", stock=1)
    with any_database.transaction() as tx:
        assert put_variant(tx, sku="A", product="p", price_minor=1, currency="GBP", stock=2).reserved == 2


@pytest.mark.parametrize("sku", ["", "S" * (MAX_SKU + 1), "S\n1", "S\u202e1"])
def test_a_sku_that_no_order_line_can_have_is_refused(database: Database, sku: str) -> None:
    with pytest.raises(Invalid) as refused, database.transaction() as tx:
        put_variant(tx, sku=sku, product="p", price_minor=1, currency="GBP", stock=3)
    assert list(refused.value.fields) == ["sku"]


def test_the_texts_of_a_variant_are_as_those_of_the_orders_that_name_its_product(database: Database) -> None:
    with database.transaction() as tx:
        made = put_variant(
            tx, sku="A", product="p\u202e1", name="a\nb", label="L\t", price_minor=1, currency="GBP", stock=3
        )
        assert (made.product, made.name, made.label) == ("p1", "a b", "L")


def test_a_second_import_of_variants_changes_nothing(database: Database, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", with_variants())
    bring_in(database, path)
    before = dump(database)
    bring_in(database, path)
    assert dump(database) == before
