"""Rows of published policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import String, Table
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, append_only


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
    laws: Mapped[dict[str, Any] | None]
    """The text of each law that the policy named when it was published, by name. None: published before laws were applied."""


append_only(cast(Table, PolicyVersion.__table__))


class PolicyDraft(Base):
    """One state of the shop's one draft. Every change adds a row, so that it can be undone and a stale change can be told."""

    __tablename__ = "policy_draft"
    __table_args__ = ({"sqlite_autoincrement": True},)
    # A number that was given once is never given again, not even after the draft was thrown away.

    id: Mapped[int] = mapped_column(primary_key=True)
    follows: Mapped[int] = mapped_column(unique=True)
    """The state before, 0 for the first. Two people who save upon one state collide here; one of them is told."""
    base: Mapped[int]
    """The version that the draft began from, 0 where nothing was published."""
    source: Mapped[str]
    author: Mapped[str] = mapped_column(String(120))
    saved_at: Mapped[datetime]
