"""Rows of credit notes, of their corrections and of the numbers that both take."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, String, Table
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, append_only


class CreditNote(Base):
    """One credit note, complete as it was issued: what is printed is ``document`` and is never worked out again.

    It belongs to a return or, where money was given without one, to a refund.
    """

    __tablename__ = "credit_note"
    __table_args__ = (CheckConstraint("(return_id IS NULL) <> (refund_id IS NULL)", name="of_one_thing"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"), unique=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"), unique=True)
    issued_at: Mapped[datetime]
    gross_minor: Mapped[int]
    tax_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    document: Mapped[dict[str, Any]]
    file_key: Mapped[str] = mapped_column(String(80), unique=True)
    """Where the drawn paper is kept; drawn again from ``document`` if the storage has lost it."""


append_only(cast(Table, CreditNote.__table__))


class CreditCorrection(Base):
    """A document that lowers a credit note by what became final since: ``gross_minor`` with the tax in it. Complete as issued.

    Its number is of the series of the notes. A note may have several.
    """

    __tablename__ = "credit_correction"
    __table_args__ = (CheckConstraint("gross_minor > 0", name="gross"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40), unique=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("credit_note.id"), index=True)
    issued_at: Mapped[datetime]
    gross_minor: Mapped[int]
    tax_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    document: Mapped[dict[str, Any]]
    file_key: Mapped[str] = mapped_column(String(80), unique=True)


append_only(cast(Table, CreditCorrection.__table__))


class NumberSeries(Base):
    """The last number that a series has given. Whoever takes the next one holds this row until the transaction ends, so that a
    number is taken by a committed document or by nobody."""

    __tablename__ = "number_series"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    last: Mapped[int]
