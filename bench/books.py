"""Order books to measure with, made by rule, so that every run has the same."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from portal import clock
from portal.db import Database
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


def fill(database: Database, count: int, *, first: int = 1) -> None:
    """Write ``count`` delivered orders of two lines straight into the tables: ``B-1``, ``B-2`` …"""
    at = clock.now()
    step = 5000
    with database.read() as session:
        start = (session.scalar(select(Order.id).order_by(Order.id.desc()).limit(1)) or 0) + 1
        line_start = (session.scalar(select(OrderLine.id).order_by(OrderLine.id.desc()).limit(1)) or 0) + 1
        pay_start = (session.scalar(select(Payment.id).order_by(Payment.id.desc()).limit(1)) or 0) + 1
    delivered = at - timedelta(days=DELIVERED_DAYS_AGO)
    for base in range(0, count, step):
        numbers = range(base, min(base + step, count))
        with database.transaction() as tx:
            tx.session.execute(insert(Order), [_order(start + n, first + n, at) for n in numbers])
            lines = [_line(line_start + 2 * n + p, start + n, p, delivered) for n in numbers for p in (0, 1)]
            tx.session.execute(insert(OrderLine), lines)
            tx.session.execute(insert(Payment), [_payment(pay_start + n, start + n) for n in numbers])


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


def write_paid_orders(path: Path, count: int) -> None:
    """Orders in the portal's own format, to be imported with real payments at the stand-in: ``P-1`` …"""
    delivered = (datetime.now(UTC) - timedelta(days=DELIVERED_DAYS_AGO)).isoformat()
    placed = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, count + 1):
            order = {
                "number": f"P-{number}", "placed_at": placed, "email": f"p{number}@example.com", "currency": "GBP",
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
