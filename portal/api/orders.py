"""Orders and variants: what the shop tells the portal, and what is left to return."""

from __future__ import annotations

from flask import Response
from sqlalchemy import select

from portal import ids
from portal.api.answers import OrderOut, OrdersOut, VariantOut
from portal.api.base import answer, api, call, perform, ports
from portal.api.schemas import OrdersQuery, VariantIn
from portal.db import Tx
from portal.errors import NotFound
from portal.orders import queries, service, stock
from portal.orders.keys import email_key
from portal.orders.models import Order, Variant
from portal.orders.schema import OrderIn
from portal.paging import page

EXAMPLE = {
    "number": "536365",
    "placed_at": "2026-10-01T08:26:00Z",
    "email": "customer@example.com",
    "currency": "GBP",
    "customer": {"id": "17850", "name": "Ada Example", "tags": []},
    "locale": "en-GB",
    "channel": "web",
    "ship_to": {
        "name": "Ada Example",
        "lines": ["1 High Street"],
        "city": "Leeds",
        "postcode": "LS1 1AA",
        "country": "GB",
    },
    "lines": [
        {
            "id": "1",
            "sku": "85123A",
            "name": "White hanging heart",
            "quantity": 6,
            "unit_price": 255,
            "discount": 0,
            "tax": 255,
            "tax_included": True,
            "tags": [],
            "category": "decor",
            "delivered_at": "2026-10-03T10:00:00Z",
        }
    ],
    "discount": 0,
    "shipping": {"amount": 450, "tax": 75},
    "payments": [{"provider": "stripe", "payment_intent": "pi_3Q0example", "captured": 1980}],
}
VARIANT_EXAMPLE = {
    "product": "merino-crew-jumper",
    "name": "Merino crew jumper",
    "label": "Navy, size L",
    "price": 8900,
    "currency": "GBP",
    "stock": 4,
}


@api.post("/orders")
@call(
    "orders:write",
    body=OrderIn,
    answers=OrderOut,
    status=201,
    also={200: "The order was known; it was updated, or nothing had changed"},
    example=EXAMPLE,
)
def put_order(data: OrderIn) -> Response:
    """Create or update one order."""

    def act(tx: Tx) -> tuple[int, dict[str, object]]:
        put = service.put_order(tx, data.to_incoming())
        tx.session.expire_all()
        order = queries.get_order(tx.session, put.number)
        return (201 if put.outcome == "created" else 200), queries.order_json(tx.session, order)

    return perform(act)


@api.get("/orders/<path:number>")
@call("orders:read", answers=OrderOut)
def get_order(number: str) -> Response:
    """One order, with the units left to return per line."""
    with ports().database.read() as session:
        return answer(queries.order_json(session, queries.get_order(session, readable(number))))


@api.get("/orders")
@call("orders:read", query=OrdersQuery, answers=OrdersOut)
def list_orders(query: OrdersQuery) -> Response:
    """Orders, newest first; `replacements=true` lists those to be sent out for exchanges."""
    wanted = queries.with_everything(select(Order))
    if query.replacements:
        wanted = wanted.where(Order.replaces_return_id.is_not(None))
    if query.email:
        if not ids.is_text(query.email):
            return answer({"orders": [], "next": None})
        wanted = wanted.where(Order.email_key == email_key(query.email))
    with ports().database.read() as session:
        rows, following = page(session, wanted, Order.id, query.cursor, query.limit)
        return answer({"orders": [queries.order_json(session, row) for row in rows], "next": following})


@api.put("/variants/<path:sku>")
@call("orders:write", body=VariantIn, answers=VariantOut, example=VARIANT_EXAMPLE)
def put_variant(sku: str, data: VariantIn) -> Response:
    """Create or update one article that can be sent in exchange."""
    readable(sku)

    def act(tx: Tx) -> tuple[int, dict[str, object]]:
        stock.put_variant(
            tx,
            sku=sku,
            product=data.product,
            name=data.name,
            label=data.label,
            price_minor=data.price,
            currency=data.currency,
            stock=data.stock,
        )
        tx.session.flush()
        return 200, variant_json(tx.session.get_one(Variant, sku))

    return perform(act)


@api.get("/variants/<path:sku>")
@call("orders:read", answers=VariantOut)
def get_variant(sku: str) -> Response:
    """One article that can be sent in exchange."""
    with ports().database.read() as session:
        found = session.get(Variant, readable(sku))
        if found is None:
            raise NotFound("There is no such variant.")
        return answer(variant_json(found))


def variant_json(variant: Variant) -> dict[str, object]:
    """An article as the API shows it."""
    return {
        "sku": variant.sku,
        "product": variant.product,
        "name": variant.name,
        "label": variant.label,
        "price": {"amount": variant.price_minor, "currency": variant.currency},
        "stock": variant.stock,
        "available": variant.stock - variant.reserved,
    }


def readable(text: str) -> str:
    """``text`` if a database can hold it; otherwise nothing goes by that name."""
    if not ids.is_text(text):
        raise NotFound("There is nothing by that name.")
    return text
