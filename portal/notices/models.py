"""Rows of notices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class Notice(Base):
    """One message to one person. ``status``: queued, sending, sent, failed."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    """``<event id>:<kind>``: one event never sends the same notice twice."""
    kind: Mapped[str] = mapped_column(String(40))
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    to: Mapped[str] = mapped_column(String(320))
    locale: Mapped[str] = mapped_column(String(20), default="")
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Frozen facts of the moment (amounts in minor units, dates), so that a late mail tells the truth of its event."""
    message_id: Mapped[str] = mapped_column(String(200))
    """The Message-ID header, fixed before the first try, so that a mail server can drop a copy."""
    subject: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(String(10), default="queued")
    error: Mapped[str] = mapped_column(default="")
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
