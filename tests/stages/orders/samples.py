"""Orders for tests, and the sources by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from portal.adapters.portal_orders import PortalOrders
from portal.adapters.retail_csv_orders import RetailCsvOrders
from portal.adapters.shopify_orders import ShopifyOrders
from portal.adapters.woocommerce_orders import WooCommerceOrders
from portal.db import Database
from portal.orders.importer import ImportReport, import_file
from portal.orders.source import OrderSource

DATA = Path(__file__).parents[2] / "data" / "orders"
SOURCES: dict[str, OrderSource] = {
    source.name: source for source in (PortalOrders(), ShopifyOrders(), WooCommerceOrders(), RetailCsvOrders())
}
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def line(ref: str = "1", **more: Any) -> dict[str, Any]:
    """One line of the portal format: 3 x 100.00."""
    return {"id": ref, "sku": f"SKU-{ref}", "name": "Mug", "quantity": 3, "unit_price": 10_000, **more}


def order(number: str = "1001", **more: Any) -> dict[str, Any]:
    """One order of the portal format: 3 x 100.00 with 10.00 off."""
    return {
        "number": number,
        "placed_at": "2026-10-01T08:26:00Z",
        "email": "ada@example.com",
        "currency": "GBP",
        "customer": {"id": "17850", "name": "Ada Example", "tags": []},
        "ship_to": {"lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
        "lines": [line(discount=1000)],
        "payments": [{"captured": 29_000}],
        **more,
    }


def write_lines(path: Path, *values: object) -> Path:
    """A JSON Lines file; texts are written as they are."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def write_csv(path: Path, *rows: str) -> Path:
    """A retail file with these rows."""
    path.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return path


def bring_in(database: Database, path: Path, **options: Any) -> ImportReport:
    """Import a file from any of the sources."""
    return import_file(database, path, SOURCES, **options)


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the orders' tables, to compare before and after."""
    from sqlalchemy import text

    with database.read() as session:
        return {
            table: [tuple(map(str, row)) for row in session.execute(text(f'SELECT * FROM "{table}" ORDER BY 1'))]
            for table in ("order", "order_line", "payment", "variant", "timeline_entry")
        }


def everything(database: Database) -> list[Any]:
    """Every order with its lines and payments."""
    from sqlalchemy import select

    from portal.orders.models import Order
    from portal.orders.queries import with_everything

    with database.read() as session:
        found = list(session.scalars(with_everything(select(Order).order_by(Order.id))))
        session.expunge_all()
        return found
