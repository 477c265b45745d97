"""Rows of the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class TimelineEntry(Base):
    """One event, as it happened; ``what`` is noun + past participle (``return.authorized``)."""

    __tablename__ = "timeline_entry"
    __table_args__ = (Index("ix_timeline_entry_return", "return_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(60))
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_name: Mapped[str] = mapped_column(String(120))
    actor_id: Mapped[int | None]
    why: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any] | None]
