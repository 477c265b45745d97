"""Articles that can be sent in exchange, and how many there are.

In: variants by API, or listed with an order's lines. Out: `Variant` rows; the siblings of what was bought.
Invariants: stock is never below what booked exchanges hold; an order lists an article but does not recount the stock of one
that is known (an order is old the day after; the count comes by API). Never: a unit given away; that is `refunds.exchange`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.errors import Conflict, Invalid
from portal.orders.incoming import MAX_SKU, IncomingOrder
from portal.orders.models import Order, OrderLine, Variant
from portal.orders.texts import in_one_line


def put_variant(
    tx: Tx,
    *,
    sku: str,
    product: str,
    name: str = "",
    label: str = "",
    price_minor: int,
    currency: str,
    stock: int,
    options: Mapping[str, Any] | None = None,
) -> Variant:
    """Create or update one article; ``stock`` is how many there are, those held for exchanges included.

    Raises `Invalid` for a SKU that no order line could have, `Conflict` when booked exchanges hold more than ``stock``.
    """
    if not 0 < len(sku) <= MAX_SKU:
        raise Invalid("The SKU is empty or too long.", {"sku": f"use 1 to {MAX_SKU} characters"})
    if in_one_line(sku) != sku:
        raise Invalid(
            "The SKU has a character that nobody sees.", {"sku": "leave line breaks and hidden characters out"}
        )
    variant = tx.session.get(Variant, sku, with_for_update=True, populate_existing=True)
    if variant is None:
        variant = Variant(sku=sku, stock=stock, reserved=0)
        tx.session.add(variant)
    elif stock < variant.reserved:
        raise Conflict(
            f"{variant.reserved} units of {sku} are held for booked exchanges, so its stock cannot be {stock}. "
            "Settle those exchanges first.",
            state="reserved",
            reserved=variant.reserved,
        )
    # As the texts of orders are, which must name the same product.
    variant.product, variant.name, variant.label = in_one_line(product), in_one_line(name), in_one_line(label)
    variant.price_minor, variant.currency, variant.stock = price_minor, currency, stock
    variant.options = dict(options or {})
    variant.updated_at = tx.at
    tx.session.flush()
    return variant


def is_even(price_minor: int, instead_minor: int, bonus_bp: int) -> bool:
    """Whether an article of this price goes out for one of the other without money: at the same price, or dearer by up to
    ``bonus_bp`` of it, which the shop bears."""
    return instead_minor * 10_000 <= price_minor * 10_000 <= instead_minor * (10_000 + bonus_bp)


def siblings(session: Session, order_line: OrderLine, bonus_bp: int = 0) -> list[Variant]:
    """The variants that may be sent in exchange for the line: of the same product, at the price of what was bought or dearer by
    up to ``bonus_bp`` of it (the policy's `exchange_bonus`).

    The bought one itself is among them (a faulty article is replaced by a sound one), and so are those that are sold out
    (``stock - reserved`` is 0). One query, ordered by label.
    """
    if not order_line.product:
        return []
    query = (
        select(Variant)
        .join(Order, Order.id == order_line.order_id)
        .where(Variant.product == order_line.product, Variant.currency == Order.currency)
        .order_by(Variant.label, Variant.sku)
    )
    found = list(session.scalars(query))
    # Today's price of what was bought, or what it cost then if it is no longer listed: the rule that booking checks.
    price = next((each.price_minor for each in found if each.sku == order_line.sku), order_line.unit_price_minor)
    return [each for each in found if is_even(each.price_minor, price, bonus_bp)]


def list_with_orders(tx: Tx, orders: Sequence[IncomingOrder]) -> None:
    """Create the articles that these orders list; of known ones only name, label and price follow."""
    listed: dict[str, dict[str, Any]] = {}
    for order in orders:
        for line in order.lines:
            for each in line.variants:
                listed[each.sku] = {
                    "sku": each.sku,
                    "product": line.product,
                    "name": line.name,
                    "label": each.label,
                    "options": {},
                    "price_minor": each.price_minor,
                    "currency": order.currency,
                    "stock": each.stock,
                    "reserved": 0,
                    "updated_at": tx.at,
                }
    if not listed:
        return
    connection = tx.session.connection()
    table = cast(Table, Variant.__table__)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [listed[sku] for sku in sorted(listed)]
    connection.execute(make(table).on_conflict_do_nothing(index_elements=["sku"]), rows)
    follow = ("product", "name", "label", "price_minor", "currency")
    known = connection.execute(select(table.c.sku, *(table.c[name] for name in follow)).where(table.c.sku.in_(listed)))
    stale = [
        {"at_sku": row.sku, "updated_at": tx.at, **{name: listed[row.sku][name] for name in follow}}
        for row in known
        if any(getattr(row, name) != listed[row.sku][name] for name in follow)
    ]
    if stale:
        connection.execute(update(table).where(table.c.sku == bindparam("at_sku")), stale)
