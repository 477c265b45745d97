"""Order books to measure with, made by rule, so that every run has the same."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from portal import clock
from portal.db import Base, Database, Tx
from portal.orders.models import Order, OrderLine, Payment

DELIVERED_DAYS_AGO = 5


def write_retail_csv(path: Path, rows: int) -> None:
    """A retailer's book in the shape of the real one: about 20 rows an invoice, some cancellations, some rows no goods."""
    drawn = random.Random(20101201)
    at = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country".split(","))
        invoice, left, head = 536364, 0, ("", "", "")
        for _ in range(rows):
            if not left:
                invoice += 1
                left = drawn.randint(1, 39)
                at += timedelta(minutes=drawn.randint(1, 20))
                cancelled = drawn.random() < 0.12
                customer = str(drawn.randint(12346, 18287)) if drawn.random() < 0.75 else ""
                head = (f"C{invoice}" if cancelled else str(invoice), at.strftime("%Y-%m-%d %H:%M:%S"), customer)
            left -= 1
            code = "POST" if drawn.random() < 0.003 else f"{drawn.randint(20000, 90000)}"
            units = drawn.randint(1, 24) * (-1 if head[0].startswith("C") else 1)
            price = f"{drawn.randint(19, 1500) / 100:.2f}"
            writer.writerow([head[0], code, "PAINTED METAL PEARS", units, head[1], price, head[2], "United Kingdom"])


FILLED_AT_ONCE = 100_000


def fill(database: Database, count: int, *, first: int = 1) -> None:
    """Write ``count`` delivered orders of two lines straight into the tables: ``B-1``, ``B-2`` …

    The first one is written as the portal would write it, the others are copies that the database makes: a million take a
    minute.
    """
    at = clock.now()
    delivered = at - timedelta(days=DELIVERED_DAYS_AGO)
    with database.transaction() as tx:
        rows = [
            (tx.session.scalar(select(func.max(model.id))) or 0) + 1  # type: ignore[attr-defined]
            for model in (Order, OrderLine, Payment)
        ]
        order, line, payment = rows
        tx.session.execute(insert(Order), [_order(order, first, at)])
        tx.session.execute(insert(OrderLine), [_line(line + p, order, p, delivered) for p in (0, 1)])
        tx.session.execute(insert(Payment), [_payment(payment, order)])
    for base in range(1, count, FILLED_AT_ONCE):
        span = {"low": base, "high": min(base + FILLED_AT_ONCE, count) - 1}
        with database.transaction() as tx:
            number = f"(s.n + {first})"
            email = f"'c' || ({number} % 50021) || '@example.com'"
            changed = {
                "number": f"'B-' || {number}", "number_key": f"'B-' || {number}", "lookup_key": f"'' || {number}",
                "email": email, "email_key": email, "customer_ref": f"{number} % 50021", "id": "t.id + s.n",
            }  # fmt: skip
            _copy(tx, Order, span, changed, f"t.id = {order}")
            mine = {"id": "t.id + 2 * s.n", "order_id": "t.order_id + s.n"}
            _copy(tx, OrderLine, span, mine, f"t.order_id = {order}")
            paid = {
                "id": "t.id + s.n",
                "order_id": "t.order_id + s.n",
                "payment_intent": "'pi_bench_' || (t.order_id + s.n)",
            }
            _copy(tx, Payment, span, paid, f"t.order_id = {order}")
    if not database.is_sqlite:
        with database.transaction() as tx:
            for model in (Order, OrderLine, Payment):
                name = model.__tablename__
                tx.session.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM \"{name}\"")
                )


def _copy(tx: Tx, model: type[Base], span: dict[str, int], changed: dict[str, str], template: str) -> None:
    """Copy the rows of ``template`` once for each n of the span, with the columns of ``changed`` made anew."""
    table = model.__tablename__
    columns = [column.name for column in model.__table__.columns]
    values = ", ".join(changed.get(name, f't."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    series = "WITH RECURSIVE s(n) AS (SELECT :low UNION ALL SELECT n + 1 FROM s WHERE n < :high)"
    tx.session.execute(
        text(f'INSERT INTO "{table}" ({names}) {series} SELECT {values} FROM s, "{table}" t WHERE {template}'), span
    )


def _order(row: int, number: int, at: datetime) -> dict[str, Any]:
    return {
        "id": row, "number": f"B-{number}", "number_key": f"B-{number}", "email": f"c{number % 50021}@example.com",
        "email_key": f"c{number % 50021}@example.com", "postcode_key": "LS11AA", "currency": "GBP",
        "placed_at": at - timedelta(days=9), "customer_ref": str(number % 50021), "customer_name": "Ada Example",
        "customer_tags": [], "locale": "en-GB", "channel": "web", "source": "bench",
        "ship_to": {"name": "Ada Example", "lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
        "tags": [], "facts": {}, "discount_minor": 0, "shipping_minor": 395, "shipping_tax_minor": 66, "rounding_minor": 0,
        "total_minor": 8095, "content_hash": "0" * 64, "imported_at": at, "updated_at": at,
    }  # fmt: skip


def _line(row: int, order: int, position: int, delivered: datetime) -> dict[str, Any]:
    return {
        "id": row, "order_id": order, "position": position, "ref": str(position + 1), "sku": f"SKU-{position}",
        "name": "White hanging heart", "variant": "", "product": "heart", "vendor": "", "category": "decor", "type": "",
        "tags": [], "facts": {}, "quantity": 3 - position, "unit_price_minor": 1540, "list_minor": 1540 * (3 - position),
        "discount_minor": 0, "gross_minor": 1540 * (3 - position), "tax_minor": 257 * (3 - position), "tax_included": True,
        "shipped_at": delivered - timedelta(days=2), "delivered_at": delivered, "units_held": 0,
    }  # fmt: skip


def _payment(row: int, order: int) -> dict[str, Any]:
    return {
        "id": row, "order_id": order, "position": 0, "provider": "stripe", "payment_intent": f"pi_bench_{order}",
        "reference": "", "captured_minor": 8095, "currency": "GBP", "method": "Visa ending 4242", "refunding_minor": 0,
        "refunded_elsewhere_minor": 0,
        "refunded_at_source_minor": 0,
    }  # fmt: skip


def write_paid_orders(path: Path, count: int, *, prefix: str = "P") -> None:
    """Orders in the portal's own format, to be imported with real payments at the stand-in: ``P-1`` …"""
    delivered = (datetime.now(UTC) - timedelta(days=DELIVERED_DAYS_AGO)).isoformat()
    placed = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, count + 1):
            order = {
                "number": f"{prefix}-{number}", "placed_at": placed, "email": f"p{number}@example.com", "currency": "GBP",
                "customer": {"id": f"p{number}", "name": "Ada Example", "tags": []}, "locale": "en-GB", "channel": "web",
                "ship_to": {"name": "Ada Example", "lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA",
                            "country": "GB"},
                "lines": [{"id": "1", "sku": "85123A", "name": "White hanging heart", "quantity": 2, "unit_price": 2550,
                           "discount": 0, "tax": 850, "tax_included": True, "tags": [], "category": "decor",
                           "delivered_at": delivered}],
                "discount": 0, "shipping": {"amount": 450, "tax": 75},
                "payments": [{"provider": "stripe", "captured": 5550}],
            }  # fmt: skip
            file.write(json.dumps(order) + "\n")
