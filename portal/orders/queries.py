"""Reading orders.

In: a number. Out: the order with lines and payments in three queries, however many there are; its JSON as the contract has it.
Never: a query per line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session, selectinload

from portal.errors import NotFound
from portal.orders.keys import number_key
from portal.orders.models import Order, OrderLine, Payment


def with_everything(query: Select[Order]) -> Select[Order]:
    """``query`` with lines and payments loaded, one query each for all orders together."""
    return query.options(selectinload(Order.lines), selectinload(Order.payments))


_ID = select(Order.id).where(Order.number_key == bindparam("key"))
_WHOLE = with_everything(select(Order).where(Order.number_key == bindparam("key")))


def find_order_id(session: Session, number: str) -> int | None:
    """The row of the order of that number, forgiving as `get_order` is; None for a number that no order has."""
    return session.connection().scalar(_ID, {"key": number_key(number)})


def get_order(session: Session, number: str) -> Order:
    """The order of that number, forgiving spaces, case and a leading ``#``. Raises `NotFound`."""
    found = session.scalar(_WHOLE, {"key": number_key(number)})
    if found is None:
        raise NotFound("There is no such order.")
    return found


def order_json(session: Session, order: Order) -> dict[str, Any]:
    """The order in the shape that it is sent in, plus what only the portal knows: ``total``, and per line ``gross`` (what was
    charged for all its units) and ``returnable`` (units that may still be returned). Amounts are minor units."""
    facts = dict(order.facts)
    out: dict[str, Any] = {
        "number": order.number,
        "placed_at": _moment(order.placed_at),
        "email": order.email,
        "currency": order.currency,
        "customer": {"id": order.customer_ref, "name": order.customer_name, "tags": list(order.customer_tags)},
        "locale": order.locale,
        "channel": order.channel,
        "source": order.source,
        "ship_to": dict(order.ship_to),
        "tags": list(order.tags),
        "lines": [_line(line) for line in order.lines],
        "discount": order.discount_minor,
        "shipping": {"amount": order.shipping_minor, "tax": order.shipping_tax_minor},
        "extras": facts.pop("extras", []),
        "rounding": order.rounding_minor,
        "total": order.total_minor,
        "payments": [_payment(payment) for payment in order.payments],
        "replacement": order.replaces_return_id is not None,
    }
    return out | facts


def _line(line: OrderLine) -> dict[str, Any]:
    own_discount = line.discount_minor - line.order_discount_minor
    on_top = 0 if line.tax_included else line.tax_minor
    facts = dict(line.facts)
    out: dict[str, Any] = {
        "id": line.ref,
        "sku": line.sku,
        "name": line.name,
        "variant": line.variant,
        "product": line.product,
        "vendor": line.vendor,
        "category": line.category,
        "type": line.type,
        "tags": list(line.tags),
        "quantity": line.quantity,
        "unit_price": line.unit_price_minor,
        "charged": line.list_minor - on_top,
        "discount": own_discount,
        "tax": line.tax_minor,
        "tax_included": line.tax_included,
        "shipped_at": _moment(line.shipped_at),
        "delivered_at": _moment(line.delivered_at),
        "returned": line.units_gone,
        "gross": line.gross_minor,
        "returnable": line.units_left,
    }
    return out | facts


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "provider": payment.provider,
        "payment_intent": payment.payment_intent,
        "reference": payment.reference,
        "method": payment.method,
        "captured": payment.captured_minor,
        "refunded": payment.refunded_elsewhere_minor,
        "refundable": payment.refundable_minor,
        "disputed": payment.disputed_at is not None,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
