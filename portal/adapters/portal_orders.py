"""The portal's own format as a source of orders: JSON (one order, or a list) and JSON Lines.

In: a file in the shape of `orders.schema.OrderIn`. Out: orders, or bad rows with a JSON pointer per field.
Never: a rule of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

from portal.adapters.order_documents import looks_like_json, read_orders
from portal.orders.schema import read_order
from portal.orders.source import Reading

_KEYS = re.compile(r'"(number|placed_at|unit_price|payment_intent|captured|ship_to)"\s*:')


class PortalOrders:
    """JSON and JSON Lines in the portal's own shape."""

    name = "portal"

    def sniff(self, head: str) -> bool:
        """See `OrderSource`: JSON with keys that other systems' orders do not have."""
        found = set(_KEYS.findall(head))
        return looks_like_json(head) and len(found) > 1 and "line_items" not in head

    def open(self, path: Path, zone: str) -> Reading:
        """See `OrderSource`. The format has no times without a zone."""
        return read_orders(path, ("orders",), read_order, what=self.name, telling=("number", "lines"))
