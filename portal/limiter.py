"""Rate limits that several web processes and a restart share, because they live in the database.

In: a limit such as ``10/15 minutes`` and a key. Out: `hit()` raises `TooManyTries`. Invariant: n processes count as one.
Never: an address or an order number in clear text; keys are hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from limits import RateLimitItem, parse
from sqlalchemy import Index, String, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, Database
from portal.errors import TooManyTries


class RateCount(Base):
    """Tries of one key in one window."""

    __tablename__ = "rate_count"
    __table_args__ = (Index("ix_rate_count_ends", "ends_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    tries: Mapped[int]
    ends_at: Mapped[datetime]


def limit(text: str) -> RateLimitItem:
    """``10/15 minutes`` as a limit."""
    return parse(text)


def hit(database: Database, checks: Sequence[tuple[RateLimitItem, str]]) -> None:
    """Count one try against every ``(limit, key)`` in turn; raise `TooManyTries` at the first that is used up.

    A try that is refused still counts there, so that hammering never opens the door earlier, but for nothing behind it: who is
    stopped for an address uses up nobody else's tries.
    """
    with database.transaction() as tx:
        seconds = int(tx.at.timestamp())
        make = sqlite.insert if database.is_sqlite else postgresql.insert
        for item, key in checks:
            digest, ends = _window(item, key, seconds)
            ends_at = datetime.fromtimestamp(ends, UTC)
            statement = (
                make(RateCount)
                .values(key=digest, tries=1, ends_at=ends_at)
                .on_conflict_do_update(index_elements=["key"], set_={"tries": RateCount.tries + 1})
                .returning(RateCount.tries)
            )
            if (tx.session.scalar(statement) or 0) > item.amount:
                wait = ends - seconds
                break
        else:
            return
    raise TooManyTries("Too many tries. Wait and try again.", retry_after=wait)


def give_back(database: Database, checks: Sequence[tuple[RateLimitItem, str]]) -> None:
    """Take one counted try back from every ``(limit, key)``: it was no guess."""
    with database.transaction() as tx:
        seconds = int(tx.at.timestamp())
        keys = [_window(item, key, seconds)[0] for item, key in checks]
        counted = update(RateCount).where(RateCount.key.in_(keys), RateCount.tries > 0)
        tx.session.execute(counted.values(tries=RateCount.tries - 1))


def _window(item: RateLimitItem, key: str, seconds: int) -> tuple[str, int]:
    """The hashed key of the window around ``seconds`` (Unix time), and when that window ends."""
    length = item.get_expiry()
    start = seconds - seconds % length
    return hashlib.sha256(f"{item}|{key}|{start}".encode()).hexdigest(), start + length


def prune(database: Database) -> None:
    """Forget windows that have ended."""
    with database.transaction() as tx:
        tx.session.execute(delete(RateCount).where(RateCount.ends_at < tx.at))
