"""WooCommerce's REST orders as a source: wp-api v1, v2, v3 and the legacy API v1 to v3; alone, in a list, or wrapped.

In: the bodies of the REST API. Out: orders.
Invariants: totals of lines are WooCommerce's own, net, with their tax beside them; refunds (negative there) are money that went
back; a fee that was taken off is a discount of the order. Never: a price recomputed from a percentage.
Source: woocommerce.github.io/woocommerce-rest-api-docs, Orders.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from portal.adapters.order_amounts import count, currency_of, identifier, minor, moment, objects, part, wrong
from portal.adapters.order_documents import looks_like_json, read_orders
from portal.money import spread
from portal.orders.incoming import MAX_REF, MAX_SKU, Extra, IncomingLine, IncomingOrder, IncomingPayment
from portal.orders.keys import MAX_NUMBER_KEY
from portal.orders.source import Reading
from portal.orders.texts import clean

SOURCE = "woocommerce"
_NOT_PAID = frozenset({"pending", "failed", "checkout-draft", "auto-draft", "trash", "cancelled"})

# Of WooCommerce's states: "completed" is fulfilled and needs nothing more, "processing" is paid and waits to be sent.
_FULFILMENT = {
    "completed": "fulfilled",
    "processing": "unfulfilled",
    "on-hold": "unfulfilled",
    "pending": "unfulfilled",
}

Json = Mapping[str, Any]


class WooCommerceOrders:
    """Orders as WooCommerce's REST API writes them."""

    name = SOURCE

    def sniff(self, head: str) -> bool:
        """See `OrderSource`: JSON with keys that only WooCommerce's orders have."""
        own = ('"order_key"', '"prices_include_tax"', '"total_line_items_quantity"', '"view_order_url"')
        return looks_like_json(head) and any(key in head for key in own)

    def open(self, path: Path, zone: str) -> Reading:
        """See `OrderSource`. Times of wp-api v1 have no zone: they are the site's."""
        return read_orders(
            path,
            ("orders", "order"),
            lambda data: read_order(data, zone),
            what=self.name,
            telling=("line_items", "prices_include_tax"),
        )


def read_order(data: Json, zone: str) -> IncomingOrder:
    """One order. Raises `Invalid` with a pointer into WooCommerce's own JSON."""
    number = identifier(data.get("number") or data.get("order_number"), MAX_NUMBER_KEY, "/number")
    if not number:
        raise wrong("/number", "is missing; this is no complete order")
    currency = currency_of(data.get("currency"), "/currency")
    raw_lines = objects(data, "line_items")
    if not raw_lines:
        raise wrong("/line_items", "are missing; this is no complete order")
    status = str(data.get("status") or "")
    charges, off, off_tax = _fees(data, currency)
    weights = [max(minor(raw.get("total"), currency, f"/line_items/{at}/total"), 0) for at, raw in enumerate(raw_lines)]
    less_tax = spread(off_tax, weights)
    included = data.get("prices_include_tax") is True
    gone = _units_gone(data)
    lines = tuple(
        _line(
            raw,
            at,
            currency,
            included=included,
            less_tax=less_tax[at],
            gone=gone,
            all_gone=status in ("refunded", "cancelled"),
        )
        for at, raw in enumerate(raw_lines)
    )
    shipping_tax = minor(data.get("shipping_tax"), currency, "/shipping_tax")
    shipping = minor(data.get("shipping_total") or data.get("total_shipping"), currency, "/shipping_total")
    billing = part(data, "billing") or part(data, "billing_address")
    address = part(data, "shipping") or part(data, "shipping_address")
    if not any(address.get(key) for key in ("address_1", "city", "postcode")):
        address = billing
    customer = identifier(data.get("customer_id"), 64, "/customer_id")
    codes = [clean(each.get("code"), 100) for each in objects(data, "coupon_lines")]
    paying = part(data, "payment_details")
    method = clean(data.get("payment_method") or paying.get("method_id"), 40)
    # What gift cards paid is not in the order's total any more: that is what was left for the other way of paying.
    left = minor(data.get("total"), currency, "/total")
    cards = _gift_cards(data, currency)
    total = left + sum(card.captured_minor for card in cards)
    facts: dict[str, Any] = {"discount_codes": codes}
    if method:
        facts["payment_method"] = method
    if status in _FULFILMENT:
        facts["fulfilment"] = _FULFILMENT[status]
    return IncomingOrder(
        number=number,
        placed_at=_when(data, ("date_created", "created_at"), zone) or moment(None, "/date_created"),
        currency=currency,
        lines=lines,
        payments=_payments(data, currency, left, cards, status, zone),
        email=identifier(billing.get("email"), 320, "/billing/email"),
        source=SOURCE,
        # The fee is net; where prices show with tax, the tax that it took off belongs to it.
        discount_minor=off + (off_tax if included else 0),
        shipping_minor=shipping + shipping_tax,
        shipping_tax_minor=shipping_tax,
        extras=charges,
        total_minor=total,
        customer_ref="" if customer == "0" else customer,
        customer_name=_name(address) or _name(billing),
        channel=clean(data.get("created_via"), 60),
        ship_to=_address(address),
        facts=facts,
    )


def _line(
    raw: Json, index: int, currency: str, *, included: bool, less_tax: int, gone: Mapping[str, int], all_gone: bool
) -> IncomingLine:
    at = f"/line_items/{index}"
    quantity = count(raw.get("quantity"), f"{at}/quantity")
    total, tax = (minor(raw.get(key), currency, f"{at}/{key}") for key in ("total", "total_tax"))
    before, before_tax = (minor(raw.get(key), currency, f"{at}/{key}") for key in ("subtotal", "subtotal_tax"))
    listed, paid = (before + before_tax, total + tax) if included else (before, total)
    if listed < paid:
        # A price that staff raised by hand: there is no discount then.
        listed = paid
    ref = identifier(raw.get("id"), MAX_REF, f"{at}/id")
    sku = identifier(raw.get("sku"), MAX_SKU, f"{at}/sku")
    product = identifier(raw.get("product_id"), 100, f"{at}/product_id")
    return IncomingLine(
        ref=ref,
        sku=sku or identifier(raw.get("variation_id") or "", MAX_SKU, f"{at}/variation_id") or product,
        name=clean(html.unescape(str(raw.get("name") or "")), 300),
        quantity=quantity,
        # For showing only, rounded down; amounts are taken from the line, never from this.
        unit_price_minor=listed // quantity if quantity > 0 else 0,
        list_minor=listed,
        discount_minor=listed - paid,
        tax_minor=tax - less_tax,
        tax_included=included,
        variant=_variant(raw),
        product=product,
        units_gone=quantity if all_gone else min(gone.get(ref, 0), quantity),
    )


def _variant(raw: Json) -> str:
    """What was chosen: the line's public meta data, such as ``Color: Black``."""
    chosen = []
    for each in objects(raw, "meta_data") or objects(raw, "meta"):
        key, value = (
            each.get("display_key") or each.get("label") or each.get("key"),
            each.get("display_value") or each.get("value"),
        )
        if isinstance(key, str) and not str(each.get("key")).startswith("_") and isinstance(value, str | int):
            label = key.removeprefix("pa_").replace("-", " ").capitalize()
            text = re.sub(r"<[^>]*>", "", str(value))
            chosen.append(f"{label}: {html.unescape(text).strip()}")
    return clean(", ".join(chosen), 200)


def _fees(data: Json, currency: str) -> tuple[tuple[Extra, ...], int, int]:
    """Fees that were charged; and of those that were taken off, the net amount and the tax."""
    charges: list[Extra] = []
    off = off_tax = 0
    for index, raw in enumerate(objects(data, "fee_lines")):
        at = f"/fee_lines/{index}"
        amount, tax = (
            minor(raw.get("total"), currency, f"{at}/total"),
            minor(raw.get("total_tax"), currency, f"{at}/total_tax"),
        )
        if amount < 0:
            off, off_tax = off - amount, off_tax - min(tax, 0)
        elif amount:
            name = html.unescape(str(raw.get("name") or raw.get("title") or "Fee"))
            charges.append(Extra("fee", clean(name, 100), amount + max(tax, 0), max(tax, 0)))
    return tuple(charges), off, off_tax


def _units_gone(data: Json) -> dict[str, int]:
    """Units per line id that went back, where the order's refunds were exported with their lines (negative there)."""
    gone: dict[str, int] = {}
    for refund in objects(data, "refunds"):
        for each in objects(refund, "line_items"):
            meta = {str(one.get("key")): one.get("value") for one in objects(each, "meta_data")}
            ref = clean(meta.get("_refunded_item_id") or each.get("refunded_item_id") or each.get("id"), 64)
            gone[ref] = gone.get(ref, 0) + abs(count(each.get("quantity") or 0, "/refunds/line_items/quantity"))
    return gone


def _gift_cards(data: Json, currency: str) -> tuple[IncomingPayment, ...]:
    """What gift cards paid, as WooCommerce Gift Cards adds it to an order. The code is a secret; its end tells them apart."""
    found = []
    for index, each in enumerate(objects(data, "gift_cards")):
        amount = minor(each.get("amount"), currency, f"/gift_cards/{index}/amount")
        if amount > 0:
            end = clean(each.get("code"), 60)[-4:]
            method = f"Gift card ending {end}" if end else "Gift card"
            found.append(
                IncomingPayment(
                    "gift_card", amount, None, identifier(each.get("id"), 120, f"/gift_cards/{index}/id"), method
                )
            )
    return tuple(found)


def _payments(
    data: Json, currency: str, left: int, cards: tuple[IncomingPayment, ...], status: str, zone: str
) -> tuple[IncomingPayment, ...]:
    paying = part(data, "payment_details")
    paid = paying.get("paid") is True or _when(data, ("date_paid",), zone) is not None
    if not paid or (status in _NOT_PAID and not objects(data, "refunds")):
        return ()
    back = sum(
        abs(minor(each.get("total") or each.get("amount"), currency, "/refunds/total"))
        for each in objects(data, "refunds")
    )
    transaction = identifier(data.get("transaction_id"), 120, "/transaction_id")
    intent = transaction if transaction.startswith("pi_") else None
    provider = "stripe" if intent else clean(data.get("payment_method") or paying.get("method_id"), 20) or "external"
    method = clean(html.unescape(str(data.get("payment_method_title") or paying.get("method_title") or "")), 60)
    main = IncomingPayment(provider, left, intent, "" if intent else transaction, method)
    found = []
    # The refunds do not say where they went: the way that the order names comes first, then the cards.
    for payment in (main, *cards) if left else cards:
        share = payment.captured_minor if status == "refunded" else min(back, payment.captured_minor)
        back -= min(share, back)
        found.append(replace(payment, refunded_minor=share))
    return tuple(found)


def _when(data: Json, keys: tuple[str, ...], zone: str) -> datetime | None:
    """The first moment that is there: ``…_gmt`` is UTC, without it the site's own time. Legacy times say Z."""
    for key in keys:
        if data.get(f"{key}_gmt"):
            return moment(data[f"{key}_gmt"], f"/{key}_gmt", "UTC")
        if data.get(key):
            return moment(data[key], f"/{key}", zone)
    return None


def _name(raw: Json) -> str:
    return " ".join(text for key in ("first_name", "last_name") if (text := clean(raw.get(key), 99)))


def _address(raw: Json) -> dict[str, Any]:
    code = clean(raw.get("country"), 2).upper()
    return {
        "name": _name(raw),
        "lines": [text for key in ("company", "address_1", "address_2") if (text := clean(raw.get(key), 200))],
        "city": clean(raw.get("city"), 100),
        "region": clean(raw.get("state"), 100),
        "postcode": clean(raw.get("postcode"), 32),
        "country": code if len(code) == 2 and code.isalpha() and code.isascii() else "",
    }
