"""Rows of receipts and inspections."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class Receipt(Base):
    """One counting of one return line: at arrival (``stage`` received) or on inspection (inspected)."""

    __tablename__ = "receipt"
    __table_args__ = (
        CheckConstraint("quantity >= 0", name="quantity"),
        UniqueConstraint("return_line_id", "command_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_line.id"), index=True)
    command_key: Mapped[str] = mapped_column(String(120))
    """The form or API call it came with and the count's place in it (``key:0``); the same one again adds nothing."""
    stage: Mapped[str] = mapped_column(String(10))
    quantity: Mapped[int]
    condition: Mapped[str] = mapped_column(String(12))
    disposition: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(120))
