"""A small shop for the tests of returns, reviews and receiving: orders as rows, a policy, and the commands that tests repeat."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, select

from portal.db import Actor, Database, Tx
from portal.orders.models import Order, OrderLine, Variant
from portal.policybook.service import Book, load_book, publish
from portal.returns import service
from portal.returns.assess import Wish
from portal.returns.models import Return
from portal.staff.models import Role, User
from portal.timeline import TimelineEntry

PLACED = datetime(2026, 10, 9, 9, 0, tzinfo=UTC)
DELIVERED = datetime(2026, 10, 29, 10, 0, tzinfo=UTC)
BOOKED = datetime(2026, 11, 17, 14, 32, tzinfo=UTC)
PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)

CUSTOMER = Actor("customer", "Priya Nair")
MAYA = Actor("staff", "Maya Okafor", 1)
JONAS = Actor("staff", "Jonas Berg", 2)
BENCH = Actor("staff", "Bench 2", 3)

POLICY = """
schema: 1
name: Test shop
timezone: Europe/London
rules:
  - rule: Faulty items
    when: {reason: {in: [faulty, damaged]}}
    set: {returnable: true, window: {days: 365, from: delivered}, evidence: photo, outbound_shipping: always}
  - rule: Final sale
    when: {item.tags: {has: final-sale}}
    set: {returnable: false}
    say: It was sold as final sale.
  - rule: Keep it
    when: {item.tags: {has: keep}}
    set: {keep_item: true}
  - rule: Paid at once
    when: {item.tags: {has: trusted}}
    set: {refund_when: authorized, ship_by: 7 days}
  - rule: Looked at first
    when: {item.tags: {has: delicate}}
    set: {refund_when: inspected, ship_with: [label, shop], on_inspection: {used: 70%, damaged: {refund: 50%, review: always}}}
  - rule: Posted at own cost
    when: {item.tags: {has: own}}
    set: {ship_with: [own], return_shipping: {paid_by: customer}}
  - rule: Big returns
    when: {return.value: {over: 300 GBP}}
    set: {review: always}
otherwise:
  returnable: true
  window: {days: 30, from: delivered, if_undelivered: review}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%
  outbound_shipping: full_return
  credit_bonus: 10%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Item:
    """One line of an order to be made; ``gross`` is what was paid for all units, ``listed`` the price before discounts."""

    quantity: int = 1
    gross: int = 10_00
    tax: int | None = None
    listed: int | None = None
    ref: str = ""
    sku: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    product: str = ""
    delivered_at: datetime | None = DELIVERED


def open_shop(database: Database, policy: str = POLICY, at: datetime = PUBLISHED) -> Book:
    """Publish the policy and give the book."""
    with database.transaction(at=at) as tx:
        publish(tx, policy, filename="test.yaml", author="Maya Okafor")
    with database.read() as session:
        return load_book(session)


def add_order(
    database: Database,
    items: Sequence[Item] = (Item(),),
    *,
    shipping: int = 0,
    shipping_tax: int = 0,
    currency: str = "GBP",
    placed_at: datetime = PLACED,
    customer_ref: str = "",
    email: str = "priya@example.com",
    **more: Any,
) -> int:
    """An order with these lines; gives its row id."""
    number = f"WH-{20_000 + next(_numbers)}"
    order = Order(
        number=number,
        number_key=number,
        email=email,
        email_key=email,
        currency=currency,
        placed_at=placed_at,
        customer_ref=customer_ref,
        customer_name="Priya Nair",
        ship_to={"name": "Priya Nair", "country": "GB", "postcode": "LS1 1AA"},
        discount_minor=0,
        shipping_minor=shipping,
        shipping_tax_minor=shipping_tax,
        total_minor=sum(item.gross for item in items) + shipping,
        content_hash="",
        imported_at=placed_at,
        updated_at=placed_at,
        **more,
    )
    for position, item in enumerate(items, start=1):
        listed = item.gross if item.listed is None else item.listed
        order.lines.append(
            OrderLine(
                position=position,
                ref=item.ref or str(position),
                sku=item.sku or f"SKU-{position}",
                name=item.name or f"Article {position}",
                product=item.product,
                tags=list(item.tags),
                quantity=item.quantity,
                unit_price_minor=listed // item.quantity,
                list_minor=listed,
                discount_minor=listed - item.gross,
                gross_minor=item.gross,
                tax_minor=item.gross // 6 if item.tax is None else item.tax,
                shipped_at=item.delivered_at,
                delivered_at=item.delivered_at,
            )
        )
    with database.transaction(at=placed_at) as tx:
        tx.session.add(order)
        tx.session.flush()
        return order.id


def add_variant(database: Database, sku: str, *, product: str = "shirt", price: int = 10_00, stock: int = 5) -> None:
    """An article that can be sent in exchange."""
    with database.transaction(at=PLACED) as tx:
        tx.session.add(
            Variant(
                sku=sku, product=product, name=sku, price_minor=price, currency="GBP", stock=stock, updated_at=PLACED
            )
        )


def add_staff(database: Database, name: str = "Maya Okafor", role: str = "lead") -> int:
    """A member of staff; gives the row id."""
    with database.transaction(at=PLACED) as tx:
        user = User(
            email=f"{name.split()[0].lower()}@example.com",
            name=name,
            fs_uniquifier=name,
            active=True,
            created_at=PLACED,
            roles=[tx.session.scalar(select(Role).where(Role.name == role)) or Role(name=role)],
        )
        tx.session.add(user)
        tx.session.flush()
        return user.id


def wish(
    line: str = "1", quantity: int = 1, reason: str = "changed-mind", resolution: str = "refund", **more: Any
) -> Wish:
    """A wish with the usual answers."""
    return Wish(line, quantity, reason, resolution, **more)


def book_return(
    database: Database,
    policy: Book,
    order_id: int,
    *wishes: Wish,
    at: datetime = BOOKED,
    key: str | None = None,
    actor: Actor = CUSTOMER,
    **more: Any,
) -> str:
    """Book and give the return's number."""
    with database.transaction(actor, at=at) as tx:
        booked = service.book(
            tx, policy, order_id, wishes or (wish(),), booking_key=key or f"key-{next(_numbers)}", **more
        )
        return booked.rma


def look(database: Database, rma: str) -> Return:
    """The return as it is stored, with lines and articles loaded."""
    from portal.returns.queries import get_return

    with database.read() as session:
        found = get_return(session, rma)
        for line in found.lines:
            _ = line.units
        session.expunge_all()
        return found


def held(database: Database, order_id: int) -> list[int]:
    """Units held per line of the order."""
    with database.read() as session:
        query = select(OrderLine.units_held).where(OrderLine.order_id == order_id).order_by(OrderLine.position)
        return list(session.scalars(query))


def rows(database: Database, query: Any) -> list[Any]:
    """The rows of a query, usable after their session."""
    with database.read() as session:
        found = list(session.scalars(query))
        session.expunge_all()
        return found


def timeline_of(database: Database, rma: str) -> list[TimelineEntry]:
    """The timeline of a return, oldest first."""
    query = select(TimelineEntry).join(Return, Return.id == TimelineEntry.return_id).where(Return.rma == rma)
    return rows(database, query.order_by(TimelineEntry.id))


def events_of(database: Database, rma: str) -> list[str]:
    """What happened to a return, in order."""
    return [entry.what for entry in timeline_of(database, rma)]


def later(hours: float = 0, days: float = 0) -> datetime:
    """A moment after the booking."""
    return BOOKED + timedelta(hours=hours, days=days)


@contextmanager
def counting(database: Database) -> Any:
    """The statements that run inside, transaction control left out."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def command(database: Database, actor: Actor, at: datetime = BOOKED) -> Any:
    """A transaction of this person."""
    return database.transaction(actor, at=at)


__all__ = ["Tx"]
