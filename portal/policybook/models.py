"""Rows of published policies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class PolicyVersion(Base):
    """One published policy, exactly as its author wrote it."""

    __tablename__ = "policy_version"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    source: Mapped[str]
    effective_at: Mapped[datetime]
    published_at: Mapped[datetime]
    author: Mapped[str] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(default="")
