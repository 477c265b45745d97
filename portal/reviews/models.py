"""Rows of the exception queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class Review(Base):
    """One question. ``status`` is open, asked (the customer has to answer first), approved, refused or settled."""

    __tablename__ = "review"
    __table_args__ = (
        Index("ix_review_queue", "status", "due_at"),
        Index("ix_review_return", "return_id"),
        Index("ix_review_open", "open_key", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    kind: Mapped[str] = mapped_column(String(30))
    """policy, asked_us, refund_failed, refund_unknown, dispute, receipt (goods differ), out_of_stock."""
    open_key: Mapped[str | None] = mapped_column(String(60))
    """``return:7:policy`` while undecided, NULL afterwards: the database allows one open question of a kind."""
    why: Mapped[str]
    """The reason as a sentence for staff, in English source text."""
    fact: Mapped[str] = mapped_column(default="")
    """The fact that tipped it."""
    data: Mapped[dict[str, Any] | None]
    status: Mapped[str] = mapped_column(String(12), default="open")
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    """When the customer answered what staff had asked last; None while nothing was asked, or the answer is awaited."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(120))
    message: Mapped[str] = mapped_column(default="")
    """What the customer reads."""
    note: Mapped[str] = mapped_column(default="")
    """What only staff read."""
