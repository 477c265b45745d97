"""Lists by cursor: stable while rows are added, one query a page. Every list of the portal goes on like this."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.errors import Invalid

Row = TypeVar("Row")


def page(
    session: Session, query: Select[Row], key: InstrumentedAttribute[int], cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """At most ``limit`` rows of ``query``, newest first, and the cursor of the next page (None on the last one).

    Without a ``cursor``, or with an empty one, the list begins anew. Raises `Invalid` for a cursor that is not ours.
    """
    if cursor:
        query = query.where(key < _read(cursor))
    rows: list[Any] = list(session.scalars(query.order_by(key.desc()).limit(limit + 1)).unique())
    if len(rows) <= limit:
        return rows, None
    last = getattr(rows[limit - 1], key.key)
    return rows[:limit], base64.urlsafe_b64encode(str(last).encode()).decode().rstrip("=")


def _read(cursor: str) -> int:
    try:
        digits = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        digits = ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise Invalid("This cursor is not one of ours.", {"cursor": "use the `next` of the page before, unchanged"})
    return int(digits)
