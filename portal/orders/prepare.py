"""From an incoming order to the rows that hold it. Pure.

In: `IncomingOrder`. Out: `Prepared` with frozen amounts and a hash, and dictionaries of columns. Invariant: equal content has an
equal hash, whatever was done with the order since. Never: a query.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from portal.orders.incoming import (
    Extra,
    Frozen,
    IncomingLine,
    IncomingOrder,
    IncomingPayment,
    IncomingVariant,
    LineAmounts,
    freeze,
)
from portal.orders.keys import email_key, lookup_key, number_key, postcode_key
from portal.orders.texts import in_one_line

_VALUES = {
    kind: attrgetter(*(field.name for field in fields(kind)))
    for kind in (IncomingOrder, IncomingLine, IncomingPayment, Extra, IncomingVariant)
}


class Prepared(NamedTuple):
    """An incoming order, ready to be written."""

    order: IncomingOrder
    frozen: Frozen
    key: str
    digest: str


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return _VALUES[type(value)](value)  # type: ignore[index]


def _in_one_line(value: Any) -> Any:
    """``value`` with each of its texts `in_one_line`, at any depth."""
    if isinstance(value, str):
        return in_one_line(value)
    if isinstance(value, tuple | list):
        return type(value)(_in_one_line(each) for each in value)
    if isinstance(value, dict):
        return {key: _in_one_line(each) for key, each in value.items()}
    if type(value) in _VALUES:
        return replace(value, **{field.name: _in_one_line(getattr(value, field.name)) for field in fields(value)})
    return value


def prepare(order: IncomingOrder) -> Prepared:
    """Put texts in one line, freeze and hash. Raises `Invalid` with JSON pointers."""
    frozen = freeze(order)
    content = json.dumps(order, default=_plain, sort_keys=True, separators=(",", ":"))
    # JSON escapes nearly every sign that could need it, so that most orders are known to be clean without a look at each text.
    if ("\\" in content or not content.isprintable()) and (tidy := _in_one_line(order)) != order:
        return prepare(tidy)
    return Prepared(order, frozen, number_key(order.number), hashlib.sha256(content.encode()).hexdigest())


def order_columns(ready: Prepared) -> dict[str, Any]:
    """The columns of the order's row that an import may write at any time."""
    order, frozen = ready.order, ready.frozen
    facts = dict(order.facts)
    if order.extras:
        facts["extras"] = [
            {"kind": each.kind, "name": each.name, "amount": each.amount_minor, "tax": each.tax_minor}
            for each in order.extras
        ]
    return {
        "number": order.number,
        "number_key": ready.key,
        "lookup_key": lookup_key(ready.key),
        "email": order.email,
        "email_key": email_key(order.email),
        "postcode_key": postcode_key(str(order.ship_to.get("postcode", ""))),
        "currency": order.currency,
        "placed_at": order.placed_at,
        "customer_ref": order.customer_ref,
        "customer_name": order.customer_name,
        "customer_tags": list(order.customer_tags),
        "locale": order.locale,
        "channel": order.channel,
        "source": order.source,
        "ship_to": dict(order.ship_to),
        "tags": list(order.tags),
        "facts": facts,
        "discount_minor": order.discount_minor,
        "shipping_minor": order.shipping_minor,
        "shipping_tax_minor": order.shipping_tax_minor,
        "extras_minor": frozen.extras_minor,
        "rounding_minor": frozen.rounding_minor,
        "total_minor": frozen.total_minor,
    }


def line_columns(line: IncomingLine, amounts: LineAmounts, position: int) -> dict[str, Any]:
    """The columns of one line's row; ``position`` counts from 1."""
    return {
        "position": position,
        "ref": line.ref,
        "sku": line.sku,
        "name": line.name,
        "variant": line.variant,
        "product": line.product,
        "vendor": line.vendor,
        "category": line.category,
        "type": line.type,
        "tags": list(line.tags),
        "facts": dict(line.facts),
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "list_minor": amounts.list_minor,
        "discount_minor": amounts.discount_minor,
        "order_discount_minor": amounts.order_discount_minor,
        "gross_minor": amounts.gross_minor,
        "tax_minor": amounts.tax_minor,
        "tax_included": line.tax_included,
        "shipped_at": line.shipped_at,
        "delivered_at": line.delivered_at,
        "units_gone": line.units_gone,
    }


def payment_columns(payment: IncomingPayment, position: int, currency: str) -> dict[str, Any]:
    """The columns of one payment's row; ``position`` counts from 1."""
    return {
        "position": position,
        "provider": payment.provider,
        "payment_intent": payment.payment_intent,
        "reference": payment.reference,
        "captured_minor": payment.captured_minor,
        "currency": currency,
        "method": payment.method,
        "refunded_elsewhere_minor": payment.refunded_minor,
        "refunded_at_source_minor": payment.refunded_minor,
    }
