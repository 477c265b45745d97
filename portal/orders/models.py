"""Rows of orders, their lines, payments and the variants that can be sent in exchange."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.keys import lookup_key


def _lookup_key(row: Any) -> str:
    return lookup_key(row.get_current_parameters()["number_key"])


class Order(Base):
    """One purchase. All ``*_minor`` are in the minor unit of ``currency``, as charged."""

    __tablename__ = "order"
    __table_args__ = (
        Index("ix_order_email_key", "email_key"),
        Index("ix_order_lookup_key", "lookup_key"),
        Index("ix_order_customer_ref", "customer_ref"),
        Index("ix_order_placed_at", "placed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(64))
    number_key: Mapped[str] = mapped_column(String(64), unique=True)
    """The number without spaces, case and a leading #: no two orders have the same."""
    lookup_key: Mapped[str] = mapped_column(String(64), default=_lookup_key, server_default="")
    """What the ways of typing the number share, see `keys.lookup_key`: what look-up searches."""
    email: Mapped[str] = mapped_column(String(320), default="")
    email_key: Mapped[str] = mapped_column(String(320), default="")
    postcode_key: Mapped[str] = mapped_column(String(32), default="")
    currency: Mapped[str] = mapped_column(String(3))
    placed_at: Mapped[datetime]
    customer_ref: Mapped[str] = mapped_column(String(64), default="")
    customer_name: Mapped[str] = mapped_column(String(200), default="")
    customer_tags: Mapped[list[Any]] = mapped_column(default=list)
    locale: Mapped[str] = mapped_column(String(20), default="")
    channel: Mapped[str] = mapped_column(String(60), default="")
    source: Mapped[str] = mapped_column(String(20), default="portal")
    ship_to: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """name, lines, city, region, postcode, country (ISO 3166 alpha-2)."""
    tags: Mapped[list[Any]] = mapped_column(default=list)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Further facts for the policy: discount_codes, payment_method, is_gift, is_business, fulfilment …"""
    discount_minor: Mapped[int] = mapped_column(default=0)
    """The order-level discount, already spread over the lines' ``gross_minor``."""
    shipping_minor: Mapped[int] = mapped_column(default=0)
    """Outbound shipping as charged, its tax included."""
    shipping_tax_minor: Mapped[int] = mapped_column(default=0)
    extras_minor: Mapped[int] = mapped_column(default=0)
    """Duties, tips and fees charged beside goods and shipping, their tax included; ``facts["extras"]`` names each."""
    rounding_minor: Mapped[int] = mapped_column(default=0)
    """What the source charged beyond lines, shipping and extras; kept apart, never hidden in a line."""
    total_minor: Mapped[int]
    """What was charged: lines + shipping + extras + rounding."""
    content_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the normalized incoming order: the same content imported again changes nothing."""
    replaces_return_id: Mapped[int | None] = mapped_column(index=True)
    """Set on a replacement order: the return whose exchange it sends out. No foreign key: returns name their order, and two
    tables that name each other could be made and dropped in no order; `Exchange.replacement_order_id` holds the link."""
    imported_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", order_by="OrderLine.position")
    payments: Mapped[list[Payment]] = relationship(back_populates="order", order_by="Payment.position")


class OrderLine(Base):
    """n units of one article. ``gross_minor`` is what was charged for all of them: after every discount, tax included."""

    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "ref"),
        Index("ix_order_line_sku", "sku"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint(
            "units_held >= 0 AND units_gone >= 0 AND units_held + units_gone <= quantity", name="units_held"
        ),
        CheckConstraint("gross_minor >= 0 AND tax_minor >= 0 AND tax_minor <= gross_minor", name="amounts"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    position: Mapped[int]
    ref: Mapped[str] = mapped_column(String(64))
    """The line's id in the shop's own system; what the API calls ``id`` and ``line``."""
    sku: Mapped[str] = mapped_column(String(100), default="")
    name: Mapped[str] = mapped_column(String(300), default="")
    variant: Mapped[str] = mapped_column(String(200), default="")
    product: Mapped[str] = mapped_column(String(100), default="")
    """Groups the variants of one product; an exchange stays inside it."""
    vendor: Mapped[str] = mapped_column(String(100), default="")
    category: Mapped[str] = mapped_column(String(100), default="")
    type: Mapped[str] = mapped_column(String(100), default="")
    tags: Mapped[list[Any]] = mapped_column(default=list)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Further facts for the policy: weight_g, hazardous, is_exchange …"""
    quantity: Mapped[int]
    unit_price_minor: Mapped[int]
    """The list price of one unit as the shop shows it, before discounts."""
    list_minor: Mapped[int]
    """All units before discounts, tax included; list_minor - discount_minor = gross_minor."""
    discount_minor: Mapped[int] = mapped_column(default=0)
    """Line discount plus this line's share of the order discount, as the source states it."""
    order_discount_minor: Mapped[int] = mapped_column(default=0)
    """This line's share of the order discount, contained in ``discount_minor``."""
    gross_minor: Mapped[int]
    tax_minor: Mapped[int] = mapped_column(default=0)
    """The tax inside ``gross_minor``."""
    tax_included: Mapped[bool] = mapped_column(default=True)
    """Whether the shop shows prices with tax."""
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    units_held: Mapped[int] = mapped_column(default=0)
    """Units in open or finished returns; the database refuses more than were bought."""
    units_gone: Mapped[int] = mapped_column(default=0)
    """Units that went back, were refunded or canceled in the shop's own system: the last ones of the line."""

    @property
    def units_left(self) -> int:
        """Units that a return may still hold."""
        return self.quantity - self.units_gone - self.units_held

    order: Mapped[Order] = relationship(back_populates="lines")


class Payment(Base):
    """Money captured for an order. The constraint is the first invariant of the house: never more back than came in."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        Index("ix_payment_intent", "payment_intent"),
        CheckConstraint("captured_minor >= 0", name="captured"),
        CheckConstraint("refunding_minor >= 0 AND refunded_elsewhere_minor >= 0", name="not_negative"),
        CheckConstraint("refunding_minor + refunded_elsewhere_minor <= captured_minor", name="ceiling"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    position: Mapped[int]
    provider: Mapped[str] = mapped_column(String(20), default="stripe")
    """stripe, or what took the money elsewhere: gift_card, paypal, cash, external …"""
    payment_intent: Mapped[str | None] = mapped_column(String(80))
    reference: Mapped[str] = mapped_column(String(120), default="")
    captured_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[str] = mapped_column(String(60), default="")
    """What the customer calls it: ``Visa ending 4242``."""
    refunding_minor: Mapped[int] = mapped_column(default=0)
    """Sum of this payment's refunds that are planned, under way, unknown or succeeded."""
    refunded_elsewhere_minor: Mapped[int] = mapped_column(default=0)
    """Known refunds that were not made here (by hand in Stripe, or before the import)."""
    refunded_at_source_minor: Mapped[int] = mapped_column(default=0)
    """What the shop's own system says went back. It may be the very refunds that Stripe lists, so the larger of both counts."""
    disputed_at: Mapped[datetime | None]
    """Set while a chargeback is open: nothing is refunded then."""

    order: Mapped[Order] = relationship(back_populates="payments")

    @property
    def refundable_minor(self) -> int:
        """What may still be paid back."""
        return self.captured_minor - self.refunding_minor - self.refunded_elsewhere_minor


class Variant(Base):
    """An article that can be sent in exchange. ``reserved`` units belong to booked exchanges."""

    __tablename__ = "variant"
    __table_args__ = (
        Index("ix_variant_product", "product"),
        CheckConstraint("stock >= 0 AND reserved >= 0 AND reserved <= stock", name="stock"),
    )

    sku: Mapped[str] = mapped_column(String(100), primary_key=True)
    product: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300), default="")
    label: Mapped[str] = mapped_column(String(200), default="")
    """What tells it from its siblings: ``Navy, size L``."""
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime]
