"""Facts for the policy, gathered from rows.

In: an order with its lines, and which facts the policy asks. Out: `policy.facts` values, shared by all lines of the order.
Invariants: what a row does not say is unknown (None), except that tags of an imported order are complete; the number of queries
does not depend on the number of lines. Never: a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.facts import CustomerFacts, ItemFacts, OrderFacts
from portal.returns.lifecycle import ENDED, REJECTED
from portal.returns.models import Return, ReturnLine

HISTORY = frozenset(
    "customer.orders customer.returns customer.return_rate customer.refunded_90_days customer.kept_items "
    "customer.credit_received customer.failed_inspections".split()
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What other returns of the order, those that have not ended, have taken already."""

    returns: int = 0
    shipping_minor: int = 0
    shipping_tax_minor: int = 0
    fee_charged: bool = False


def earlier(session: Session, order: Order) -> Earlier:
    """Look at the order's other returns: one query, none when no unit of the order is held by any return."""
    if not any(line.units_held for line in order.lines):
        return Earlier()
    query = select(Return.quote).where(Return.order_id == order.id, Return.status.not_in(ENDED))
    count = shipping = tax = 0
    fee = False
    for quote in session.scalars(query):
        count += 1
        for part in quote["parts"]:
            if part["kind"] == "outbound_shipping":
                shipping += part["amount"]
                tax += part["tax"]
            elif part["kind"] == "return_shipping" and part["amount"]:
                fee = True
    return Earlier(count, shipping, tax, fee)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _yes_no(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def texts(value: Any) -> tuple[str, ...] | None:
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else None


def order_facts(order: Order, before: Earlier) -> OrderFacts:
    """What is known about the order itself."""
    more: Mapping[str, Any] = order.facts or {}
    listed = sum(line.list_minor for line in order.lines)
    off = sum(line.discount_minor for line in order.lines)
    return OrderFacts(
        number=order.number,
        placed_at=order.placed_at,
        country=_text(order.ship_to.get("country")),
        region=_text(order.ship_to.get("region")),
        channel=_text(order.channel),
        currency=order.currency,
        total=Money(order.total_minor, order.currency),
        tags=texts(order.tags),
        discount_codes=texts(more.get("discount_codes")),
        discount_percent_bp=off * 10_000 // listed if listed else 0,
        payment_method=_text(more.get("payment_method")),
        returns_so_far=before.returns,
        is_gift=_yes_no(more.get("is_gift")),
        is_business=_yes_no(more.get("is_business")),
        fulfilment=_text(more.get("fulfilment")),
        last_delivered_at=_last_delivered(order),
    )


def _last_delivered(order: Order) -> datetime | None:
    """When the last of the order's goods came; lines that were canceled in the shop's own system are not waited for."""
    came = [line.delivered_at for line in order.lines if line.units_gone < line.quantity]
    known = [moment for moment in came if moment is not None]
    return max(known) if known and len(known) == len(came) else None


def is_consumer(order: Order) -> bool:
    """True unless the order says that a business bought: who doubts treats the buyer as a consumer, as courts do."""
    return order.facts.get("is_business") is not True


def item_facts(order: Order, line: OrderLine) -> ItemFacts:
    """What is known about the goods of one line."""
    more: Mapping[str, Any] = line.facts or {}
    return ItemFacts(
        sku=_text(line.sku),
        product=_text(line.product),
        vendor=_text(line.vendor),
        type=_text(line.type),
        category=_text(line.category),
        tags=texts(line.tags),
        price=Money(line.unit_price_minor, order.currency),
        paid=Money(line.gross_minor // line.quantity, order.currency),
        discounted=line.discount_minor > 0,
        quantity=line.quantity,
        weight_g=_whole(more.get("weight_g")),
        hazardous=_yes_no(more.get("hazardous")),
        is_exchange=bool(more.get("is_exchange")) or order.replaces_return_id is not None,
        shipped_at=line.shipped_at,
        delivered_at=line.delivered_at,
    )


def customer_facts(session: Session, order: Order, asked: Iterable[str], at: datetime) -> CustomerFacts:
    """What is known about the buyer. The history costs three queries, and none when no rule asks for it."""
    known = CustomerFacts(tags=texts(order.customer_tags), email=_text(order.email_key))
    if HISTORY.isdisjoint(asked):
        return known
    if order.customer_ref:
        same = Order.customer_ref == order.customer_ref
    elif order.email_key:
        same = Order.email_key == order.email_key
    else:
        return known
    orders = select(Order.id).where(same)
    bought, count = session.execute(
        select(func.coalesce(func.sum(OrderLine.quantity), 0), func.count(func.distinct(OrderLine.order_id))).where(
            OrderLine.order_id.in_(orders)
        )
    ).one()
    returns = refunded = credit = failed = 0
    since = at - timedelta(days=90)
    query = select(Return.status, Return.quote, Return.currency, Return.payout_planned_at, Return.received_at).where(
        Return.order_id.in_(orders)
    )
    for status, quote, currency, planned_at, received_at in session.execute(query):
        failed += status == REJECTED and received_at is not None
        if status in ENDED:
            continue
        returns += 1
        if planned_at is None or currency != order.currency:
            continue
        credit += quote["credit_total"]["amount"]
        if planned_at >= since:
            refunded += quote["refund_total"]["amount"]
    taken = kept = 0
    lines = (
        select(ReturnLine.quantity, ReturnLine.decision["terms"]["keep_item"]["value"].as_boolean())
        .join(Return)
        .where(Return.order_id.in_(orders), Return.status.not_in(ENDED), ReturnLine.status == "accepted")
    )
    for quantity, keep in session.execute(lines):
        taken += quantity
        kept += quantity if keep else 0
    return CustomerFacts(
        tags=known.tags,
        email=known.email,
        orders=count,
        returns=returns,
        return_rate_bp=taken * 10_000 // bought if bought else 0,
        refunded_90_days=Money(refunded, order.currency),
        kept_items=kept,
        credit_received=Money(credit, order.currency),
        failed_inspections=failed,
    )
