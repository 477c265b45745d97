"""Rows of returns, their lines, photos and unfinished drafts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.models import Order, OrderLine
from portal.returns.photos import Stored


class Return(Base):
    """One return. ``status``: requested, under_review, authorized, in_transit, received, inspected, closed, rejected,
    canceled, expired. ``version`` grows with every change, so that a stale click is refused."""

    __tablename__ = "return"
    __table_args__ = (
        Index("ix_return_status", "status", "id"),
        Index("ix_return_order", "order_id"),
        Index("ix_return_email", "email_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rma: Mapped[str] = mapped_column(String(12), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    booking_key: Mapped[str] = mapped_column(String(80), unique=True)
    """The draft or the API call that made it: booking twice with one key gives this return again."""
    status: Mapped[str] = mapped_column(String(14))
    version: Mapped[int] = mapped_column(default=1)
    email: Mapped[str] = mapped_column(String(320), default="")
    email_key: Mapped[str] = mapped_column(String(320), default="")
    locale: Mapped[str] = mapped_column(String(20), default="")
    currency: Mapped[str] = mapped_column(String(3))
    note: Mapped[str] = mapped_column(default="")
    ship_with: Mapped[str] = mapped_column(String(20), default="")
    """label, qr, shop or own (the customer posts it at their own cost); empty when nothing is sent back."""
    refund_when: Mapped[str] = mapped_column(String(12), default="received")
    policy_version: Mapped[int | None] = mapped_column(ForeignKey("policy_version.number"))
    quote: Mapped[dict[str, Any]]
    """The frozen `policy.quote.Quote` as JSON: what was shown, what is paid, what is printed. It is frozen anew only when staff
    or the receipt of goods change what is owed; ``basis`` then keeps the first one as ``shown``."""
    basis: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the quote was made of besides the lines: ``shipping``, ``full_return``, ``fee_charged``; and ``timezone``."""
    message: Mapped[str] = mapped_column(default="")
    """What staff last told the customer: with an approval, a refusal or a question."""
    booked_at: Mapped[datetime]
    ship_by_on: Mapped[date | None]
    authorized_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    inspected_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    payout_planned_at: Mapped[datetime | None]
    """Set in the transaction that wrote the refund rows, so that nothing plans them twice."""

    __mapper_args__ = {"version_id_col": version}

    order: Mapped[Order] = relationship(foreign_keys=[order_id])
    lines: Mapped[list[ReturnLine]] = relationship(back_populates="return_", order_by="ReturnLine.position")


class ReturnLine(Base):
    """n units of one order line. ``status``: accepted, review, refused, canceled; goods and money have their own fields."""

    __tablename__ = "return_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("received_quantity >= 0 AND received_quantity <= quantity", name="received"),
        Index("ix_return_line_order_line", "order_line_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("return.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    position: Mapped[int]
    quantity: Mapped[int]
    reason: Mapped[str] = mapped_column(String(40))
    resolution: Mapped[str] = mapped_column(String(14))
    note: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(String(10))
    answer: Mapped[str] = mapped_column(String(8))
    """What the policy said: accept, review or refuse; staff may have overruled it since."""
    facts: Mapped[dict[str, Any]]
    decision: Mapped[dict[str, Any]]
    gross_minor: Mapped[int]
    """What was charged for exactly these units (cumulative floor over their unit ranges)."""
    tax_minor: Mapped[int]
    exchange_sku: Mapped[str | None] = mapped_column(String(100))
    amount_minor: Mapped[int | None]
    """What staff have decided to give for this line instead of the quoted amount."""
    received_quantity: Mapped[int] = mapped_column(default=0)
    """Units that came; those that were found missing are not among them."""
    found: Mapped[dict[str, Any] | None]
    """Condition -> units, as last counted: at arrival, or on inspection once there was one."""
    restocked_quantity: Mapped[int] = mapped_column(default=0)
    """Units that raised the stock, so that nothing raises it twice."""
    condition: Mapped[str | None] = mapped_column(String(12))
    """The worst condition found."""
    disposition: Mapped[str | None] = mapped_column(String(20))
    """Where those units went."""

    return_: Mapped[Return] = relationship(back_populates="lines")
    order_line: Mapped[OrderLine] = relationship()
    units: Mapped[list[UnitRange]] = relationship(back_populates="return_line", order_by="UnitRange.first")


class UnitRange(Base):
    """Units ``first``..``last`` (from 1) of an order line that a return line holds, so that sums stay exact when the
    middle one is released."""

    __tablename__ = "unit_range"
    __table_args__ = (
        CheckConstraint("first >= 1 AND last >= first", name="range"),
        Index("ix_unit_range_line", "order_line_id", "released_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    return_line_id: Mapped[int | None] = mapped_column(ForeignKey("return_line.id"), index=True)
    """None where a goodwill refund holds them, which stands beside returns."""
    goodwill_line_id: Mapped[int | None] = mapped_column(ForeignKey("goodwill_line.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    first: Mapped[int]
    last: Mapped[int]
    released_at: Mapped[datetime | None]

    return_line: Mapped[ReturnLine | None] = relationship(back_populates="units")


class Photo(Base):
    """A photo of an item, re-encoded and without metadata.

    It belongs to a draft until the return is booked, or to a question of staff's until the customer sends the answer.
    """

    __tablename__ = "photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    """Unguessable; the file's name in storage."""
    draft_id: Mapped[int | None] = mapped_column(ForeignKey("draft.id"), index=True)
    review_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"), index=True)
    """The question that it answers; None where it came with the wish."""
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    return_line_id: Mapped[int | None] = mapped_column(ForeignKey("return_line.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(30))
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int]
    added_at: Mapped[datetime]

    @classmethod
    def of(
        cls,
        stored: Stored,
        at: datetime,
        *,
        order_line_id: int,
        draft_id: int | None = None,
        review_id: int | None = None,
    ) -> Photo:
        """The row of a picture that is in storage."""
        picture = stored.picture
        return cls(
            key=stored.key, file_name=stored.file_name, media_type=picture.media_type, width=picture.width,
            height=picture.height, bytes=len(picture.data), order_line_id=order_line_id, draft_id=draft_id,
            review_id=review_id, added_at=at,
        )  # fmt: skip


class Draft(Base):
    """What a customer has chosen so far; pages work without JavaScript and survive a reload."""

    __tablename__ = "draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    data: Mapped[dict[str, Any]]
    """{"lines": [{"line", "quantity", "reason", "resolution", "note", "exchange_sku"}], "ship_with": …}"""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"))
