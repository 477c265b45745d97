"""How often each rule decided something lately: counted from the record of the decisions themselves.

In: a session and a moment. Out: `Uses`. Invariants: one query, whatever the shop's size; a rule counts once for an item, however
many of its terms it set. Never: a rule asked again; what is counted is what was decided then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from portal.returns.models import Return, ReturnLine

MOST = 20_000
"""The newest items that are looked at; a large shop sees this many instead of all of its days."""


@dataclass(frozen=True, slots=True)
class Uses:
    """``counts`` are items of returns by the rule that set a term of theirs; ``items`` is how many were looked at, ``cut``
    whether these days may hold more."""

    counts: Mapping[str, int]
    items: int
    cut: bool


def rule_uses(session: Session, since: datetime, most: int = MOST) -> Uses:
    """The rules (and ``otherwise``, and laws) that set a term for an item of a return booked since then."""
    newest = (
        select(ReturnLine.id, ReturnLine.decision["terms"].label("terms"))
        .join(Return, Return.id == ReturnLine.return_id)
        .where(Return.booked_at >= since)
        .order_by(ReturnLine.id.desc())
        .limit(most)
        .cte("newest")
    )
    if session.get_bind().dialect.name == "postgresql":
        term = func.jsonb_each(newest.c.terms).table_valued("key", "value")
        by = func.jsonb_extract_path_text(term.c.value, "set_by")
    else:
        term = func.json_each(newest.c.terms).table_valued("key", "value")
        by = func.json_extract(term.c.value, "$.set_by")
    looked_at = select(func.count()).select_from(newest).scalar_subquery()
    query = (
        select(by, func.count(distinct(newest.c.id)), looked_at)
        .select_from(newest)
        .join(term, by.is_not(None))
        .group_by(by)
    )
    rows = session.execute(query).all()
    items = rows[0][2] if rows else 0
    return Uses({name: count for name, count, _ in rows}, items, items >= most)
