"""Shopify's REST orders as a source: one order, a list, ``{"order"}``, ``{"orders"}``, JSON Lines; API versions of 2008 to 2026.

In: the bodies of the REST API and of webhooks. Out: orders in the currency that the customer was charged in.
Invariants: presentment money where an order has it, the same for every amount of that order; units that were refunded or canceled
are gone, money that went back is ``refunded``. Never: an amount converted from one currency to the other.
Source: shopify.dev/docs/api/admin-rest, resources Order, Refund, Transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from portal.adapters.order_amounts import (
    count,
    currency_of,
    fine_minor,
    half_up,
    identifier,
    minor,
    moment,
    objects,
    part,
    wrong,
)
from portal.adapters.order_documents import looks_like_json, read_orders
from portal.adapters.shopify_payments import payments_of
from portal.money import spread
from portal.orders.incoming import MAX_REF, MAX_SKU, Extra, IncomingLine, IncomingOrder
from portal.orders.keys import MAX_NUMBER_KEY
from portal.orders.source import Reading
from portal.orders.texts import clean, split_tags

SOURCE = "shopify"
_FULFILMENT = {"fulfilled": "fulfilled", "partial": "partial", None: "unfulfilled"}

Json = Mapping[str, Any]


class ShopifyOrders:
    """Orders as Shopify's REST API writes them."""

    name = SOURCE

    def sniff(self, head: str) -> bool:
        """See `OrderSource`: JSON with line items and one of the keys that only Shopify's orders have."""
        own = ('"financial_status"', '"total_line_items_price"', '"presentment_currency"')
        return looks_like_json(head) and "draft_order" not in head[:200] and any(key in head for key in own)

    def open(self, path: Path, zone: str) -> Reading:
        """See `OrderSource`. Shopify's times have their zone."""
        telling = ("line_items", "financial_status")
        return read_orders(path, ("orders", "order"), read_order, what=self.name, telling=telling)


class Charged:
    """Reads amounts of one order in the currency that was charged."""

    def __init__(self, order: Json) -> None:
        shop = currency_of(order.get("currency"), "/currency")
        self.currency = currency_of(order.get("presentment_currency") or shop, "/presentment_currency")
        self._foreign = self.currency != shop

    def money(self, parent: Json, key: str, pointer: str) -> int:
        """``parent[key]`` in minor units of the charged currency."""
        return minor(self._decimal(parent, key, pointer), self.currency, f"{pointer}/{key}")

    def times(self, parent: Json, key: str, quantity: int, pointer: str) -> tuple[int, int]:
        """A unit price, and ``quantity`` times it, rounded half up after the multiplication."""
        price = fine_minor(self._decimal(parent, key, pointer), self.currency, f"{pointer}/{key}")
        return half_up(price), half_up(price * quantity)

    def _decimal(self, parent: Json, key: str, pointer: str) -> Any:
        shown = part(part(parent, f"{key}_set"), "presentment_money")
        if shown.get("currency_code") == self.currency:
            return shown.get("amount")
        if self._foreign and parent.get(key) not in (None, "", "0.00", "0"):
            raise wrong(f"{pointer}/{key}_set", f"is missing, and the order was charged in {self.currency}")
        return parent.get(key)


def read_order(data: Json) -> IncomingOrder:
    """One order. Raises `Invalid` with a pointer into Shopify's own JSON."""
    raw_lines = objects(data, "line_items")
    if not raw_lines:
        raise wrong("/line_items", "are missing; this is no complete order")
    number = identifier(data.get("name") or data.get("order_number"), MAX_NUMBER_KEY, "/name")
    if not number:
        raise wrong("/name", "is missing; this is a request for an order, not an order")
    charged = Charged(data)
    gone = _units_gone(data, raw_lines)
    taxes = _line_taxes(data, raw_lines, charged)
    included = data.get("taxes_included") is True
    deliveries = _deliveries(data)
    lines = tuple(
        _line(raw, index, charged, tax=taxes[index], included=included, gone=gone, deliveries=deliveries)
        for index, raw in enumerate(raw_lines)
    )
    shipping, shipping_tax, shipping_off = _shipping(data, charged, included)
    own = sum(line.discount_minor for line in lines)
    total_off = charged.money(data, "total_discounts", "")
    # Old orders state one discount for the whole order and none per line; newer ones allocate every discount themselves.
    order_discount = max(total_off - shipping_off, 0) if own == 0 else 0
    customer, address = part(data, "customer"), part(data, "shipping_address") or part(data, "billing_address")
    codes = [clean(each.get("code"), 100) for each in objects(data, "discount_codes")]
    gateways = [clean(name, 40) for name in data.get("payment_gateway_names") or [data.get("gateway")] if name]
    facts: dict[str, Any] = {"discount_codes": codes}
    if gateways:
        facts["payment_method"] = gateways[0]
    if "fulfillment_status" in data and data["fulfillment_status"] in _FULFILMENT:
        facts["fulfilment"] = _FULFILMENT[data["fulfillment_status"]]
    if "company" in data:
        # Shopify names the company that bought, and nothing where a person did.
        facts["is_business"] = bool(data["company"])
    if data.get("cancelled_at"):
        facts["canceled_at"] = moment(data["cancelled_at"], "/cancelled_at").isoformat()
    order = IncomingOrder(
        number=number,
        placed_at=moment(data.get("processed_at") or data.get("created_at"), "/created_at"),
        currency=charged.currency,
        lines=lines,
        email=identifier(data.get("email") or data.get("contact_email"), 320, "/email"),
        source=SOURCE,
        discount_minor=order_discount,
        shipping_minor=shipping,
        shipping_tax_minor=shipping_tax,
        extras=_extras(data, raw_lines, charged),
        total_minor=charged.money(data, "total_price", ""),
        customer_ref=identifier(customer.get("id"), 64, "/customer/id"),
        customer_name=_name(address) or _name(customer),
        customer_tags=split_tags(customer.get("tags")),
        locale=clean(data.get("customer_locale"), 20),
        channel=clean(data.get("source_name"), 60),
        ship_to=_address(address),
        tags=split_tags(data.get("tags")),
        facts=facts,
    )
    return replace(order, payments=payments_of(data, charged.currency, order.total_minor or 0))


def _line(
    raw: Json,
    index: int,
    charged: Charged,
    *,
    tax: int,
    included: bool,
    gone: Mapping[str, int],
    deliveries: Mapping[str, tuple[int, datetime | None, int, datetime | None]],
) -> IncomingLine:
    at = f"/line_items/{index}"
    quantity = count(raw.get("quantity"), f"{at}/quantity")
    price, listed = charged.times(raw, "price", quantity, at)
    allocated = objects(raw, "discount_allocations")
    off = sum(charged.money(each, "amount", f"{at}/discount_allocations") for each in allocated)
    if not allocated:
        off = charged.money(raw, "total_discount", at)
    ref = identifier(raw.get("id"), MAX_REF, f"{at}/id")
    facts: dict[str, Any] = {}
    if raw.get("grams") is not None:
        facts["weight_g"] = count(raw["grams"], f"{at}/grams")
    left = quantity - gone.get(ref, 0)
    shipped, shipped_at, delivered, delivered_at = deliveries.get(ref, (0, None, 0, None))
    return IncomingLine(
        ref=ref,
        sku=identifier(raw.get("sku"), MAX_SKU, f"{at}/sku"),
        name=clean(raw.get("title") or raw.get("name"), 300),
        quantity=quantity,
        unit_price_minor=price,
        list_minor=listed,
        discount_minor=off,
        tax_minor=tax,
        tax_included=included,
        discountable=raw.get("gift_card") is not True,
        variant=clean(raw.get("variant_title"), 200),
        product=identifier(raw.get("product_id"), 100, f"{at}/product_id"),
        vendor=clean(raw.get("vendor"), 100),
        type="gift_card" if raw.get("gift_card") is True else "",
        # Of several parcels the last one counts, and only when all units that are left have come with them.
        shipped_at=shipped_at if shipped >= left else None,
        delivered_at=delivered_at if delivered >= left else None,
        units_gone=gone.get(ref, 0),
        facts=facts,
    )


def _line_taxes(data: Json, raw_lines: list[Json], charged: Charged) -> list[int]:
    """The tax of each line. Orders that state it only for the whole order have it spread over what was charged per line."""
    taxes = [
        sum(charged.money(tax, "price", f"/line_items/{index}/tax_lines") for tax in objects(raw, "tax_lines"))
        for index, raw in enumerate(raw_lines)
    ]
    if any("tax_lines" in raw for raw in raw_lines):
        return taxes
    weights = [
        charged.times(
            raw, "price", count(raw.get("quantity"), f"/line_items/{index}/quantity"), f"/line_items/{index}"
        )[1]
        for index, raw in enumerate(raw_lines)
    ]
    return list(spread(charged.money(data, "total_tax", ""), weights))


def _shipping(data: Json, charged: Charged, included: bool) -> tuple[int, int, int]:
    """What shipping cost, the tax in it, and what was off it."""
    amount = tax = off = 0
    for index, raw in enumerate(objects(data, "shipping_lines")):
        at = f"/shipping_lines/{index}"
        if raw.get("is_removed") is True:
            continue
        price = charged.money(raw, "price", at)
        allocated = objects(raw, "discount_allocations")
        less = sum(charged.money(each, "amount", at) for each in allocated)
        if not allocated and raw.get("discounted_price") is not None:
            less = price - charged.money(raw, "discounted_price", at)
        own_tax = sum(charged.money(each, "price", f"{at}/tax_lines") for each in objects(raw, "tax_lines"))
        amount += price - less + (0 if included else own_tax)
        tax += own_tax
        off += less
    return amount, tax, off


def _extras(data: Json, raw_lines: list[Json], charged: Charged) -> tuple[Extra, ...]:
    """Duties (per line, or for the whole order) and tips."""
    found: list[Extra] = []
    duties = taxes = 0
    for index, raw in enumerate(raw_lines):
        for duty in objects(raw, "duties"):
            at = f"/line_items/{index}/duties"
            money = part(duty, "presentment_money") or part(part(duty, "price_set"), "presentment_money")
            tax = sum(charged.money(each, "price", at) for each in objects(duty, "tax_lines"))
            duties += minor(money.get("amount"), charged.currency, at) + tax
            taxes += tax
    if not duties:
        whole = part(part(data, "original_total_duties_set"), "presentment_money")
        duties = minor(whole.get("amount"), charged.currency, "/original_total_duties_set")
    if duties and data.get("duties_included") is not True:
        found.append(Extra("duties", "Duties", duties, taxes))
    # A tip is stated in the shop's currency only; in a foreign one it shows as rounding rather than in a wrong amount.
    tip = 0 if charged.currency != data.get("currency") else charged.money(data, "total_tip_received", "")
    if tip:
        found.append(Extra("tip", "Tip", tip))
    return tuple(found)


def _units_gone(data: Json, raw_lines: list[Json]) -> dict[str, int]:
    """Units per line id that were refunded, taken out of the order, or canceled before they were sent."""
    gone: dict[str, int] = {}
    for refund in objects(data, "refunds"):
        for each in objects(refund, "refund_line_items"):
            ref = clean(each.get("line_item_id"), 64)
            gone[ref] = gone.get(ref, 0) + count(each.get("quantity"), "/refunds/refund_line_items/quantity")
    sent = _deliveries(data)
    for index, raw in enumerate(raw_lines):
        ref = clean(raw.get("id"), 64)
        quantity = count(raw.get("quantity"), f"/line_items/{index}/quantity")
        if raw.get("current_quantity") is not None:
            current = count(raw["current_quantity"], f"/line_items/{index}/current_quantity")
            gone[ref] = max(gone.get(ref, 0), quantity - current)
        if data.get("cancelled_at") and ref not in sent:
            gone[ref] = quantity
        gone[ref] = min(gone.get(ref, 0), quantity)
    return gone


def _deliveries(data: Json) -> dict[str, tuple[int, datetime | None, int, datetime | None]]:
    """Per line id: units sent, when the last of them were, units delivered, when the last of them were."""
    found: dict[str, tuple[int, datetime | None, int, datetime | None]] = {}
    for parcel in objects(data, "fulfillments"):
        if parcel.get("status") != "success":
            continue
        sent_at = moment(parcel.get("created_at"), "/fulfillments/created_at")
        came = parcel.get("shipment_status") == "delivered"
        came_at = moment(parcel.get("updated_at"), "/fulfillments/updated_at") if came else None
        for each in objects(parcel, "line_items"):
            ref = clean(each.get("id"), 64)
            units = count(each.get("quantity"), "/fulfillments/line_items/quantity")
            sent, last_sent, delivered, last_delivered = found.get(ref, (0, None, 0, None))
            found[ref] = (
                sent + units,
                max(last_sent, sent_at) if last_sent else sent_at,
                delivered + (units if came else 0),
                max(last_delivered, came_at) if last_delivered and came_at else came_at or last_delivered,
            )
    return found


def _name(person: Json) -> str:
    both = " ".join(text for key in ("first_name", "last_name") if (text := clean(person.get(key), 100)))
    return clean(person.get("name"), 200) or both


def _address(raw: Json) -> dict[str, Any]:
    code = clean(raw.get("country_code"), 2).upper()
    return {
        "name": _name(raw),
        "lines": [text for key in ("company", "address1", "address2") if (text := clean(raw.get(key), 200))],
        "city": clean(raw.get("city"), 100),
        "region": clean(raw.get("province_code") or raw.get("province"), 100),
        "postcode": clean(raw.get("zip"), 32),
        "country": code if len(code) == 2 and code.isalpha() and code.isascii() else "",
    }
