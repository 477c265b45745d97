"""Rows of money that goes back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, append_only
from portal.orders.models import OrderLine, Payment
from portal.refunds import lifecycle
from portal.returns.models import Return


class Refund(Base):
    """One movement to one payment. ``status``: planned, submitted, unknown, pending, requires_action, succeeded, failed,
    canceled. ``params`` and ``idempotency_key`` are sent again unchanged on every try."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_refund_return", "return_id"),
        Index("ix_refund_payment", "payment_id"),
        Index("ix_refund_status", "status", "id"),
        Index("ix_refund_first_submitted", "first_submitted_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"), unique=True)
    """The failed refund in whose place this one is; unique, so that a double click makes one."""
    cause: Mapped[str] = mapped_column(String(20), default="return")
    """return, retry (after a failure), goodwill (staff, without a return), or elsewhere (made by hand in Stripe, imported)."""
    way: Mapped[str] = mapped_column(String(10), default="refund")
    """refund, or release: the payment was never captured, so it is canceled or less of it is captured."""
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(default=1)
    idempotency_key: Mapped[str] = mapped_column(String(120), unique=True)
    params: Mapped[dict[str, Any]]
    stripe_refund_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    failure_code: Mapped[str] = mapped_column(String(60), default="")
    failure_reason: Mapped[str] = mapped_column(default="")
    """Stripe's own sentence, for staff."""
    pending_reason: Mapped[str] = mapped_column(String(40), default="")
    bank_reference: Mapped[str] = mapped_column(String(60), default="")
    """The acquirer reference number, when Stripe knows it."""
    reference_status: Mapped[str] = mapped_column(String(12), default="")
    """Stripe's word on it: pending, available, unavailable; or reversal: the purchase vanishes and there is none."""
    attempts: Mapped[int] = mapped_column(default=0)
    planned_at: Mapped[datetime]
    first_submitted_at: Mapped[datetime | None]
    """When the key began to live: the first try whose effect is not known to be none."""
    submitted_at: Mapped[datetime | None]
    """The latest try; whoever made it has `submit.LEASE` to come back with the answer."""
    settled_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    """When Stripe was last asked about it."""
    held_at: Mapped[datetime | None]
    """Set while it waits for a person, see ``held_for``."""
    held_for: Mapped[str] = mapped_column(String(20), default="")
    """Why it waits: the kind of the question that asks for it, daily_cap or second_person."""
    seconded_by: Mapped[str] = mapped_column(String(120), default="")
    """The second person who has approved an amount that needs two."""
    goodwill_id: Mapped[int | None] = mapped_column(ForeignKey("goodwill.id"), index=True)
    tax_minor: Mapped[int | None]
    """The tax inside the amount of a goodwill refund, as its credit note prints it; a return's is in its quote."""
    late_at: Mapped[datetime | None]
    """When staff and customer were told that it takes longer than the bank should need."""
    let_through_by: Mapped[str] = mapped_column(String(120), default="")
    paid_elsewhere_by: Mapped[str] = mapped_column(String(120), default="")
    paid_elsewhere_note: Mapped[str] = mapped_column(default="")
    paid_elsewhere_how: Mapped[str] = mapped_column(String(20), default="")
    """By which way, one of `tenders.BY_HAND`."""

    __mapper_args__ = {"version_id_col": version}

    @property
    def waits_for(self) -> str:
        """The kind of the question that a person has to answer before it is sent; empty when it waits for nobody (any more)."""
        return self.held_for if self.status == lifecycle.PLANNED else ""

    payment: Mapped[Payment] = relationship()
    return_: Mapped[Return | None] = relationship()
    goodwill: Mapped[Goodwill | None] = relationship()


class Goodwill(Base):
    """A gift of money by staff, without a return. Its refunds, one for each payment that it goes to, name it."""

    __tablename__ = "goodwill"
    __table_args__ = (
        CheckConstraint("amount_minor > 0 AND tax_minor >= 0 AND tax_minor <= amount_minor", name="amounts"),
        Index("ix_goodwill_order", "order_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    command_key: Mapped[str] = mapped_column(String(80), unique=True)
    """Of the form that asked for it, so that a double click gives once."""
    amount_minor: Mapped[int]
    """With its tax."""
    tax_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    given_by: Mapped[str] = mapped_column(String(120))
    given_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When all of it was taken back and its units were the customer's again."""

    lines: Mapped[list[GoodwillLine]] = relationship(order_by="GoodwillLine.id")


class GoodwillLine(Base):
    """Units of an order line that a goodwill refund pays for: they count as returned."""

    __tablename__ = "goodwill_line"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    goodwill_id: Mapped[int] = mapped_column(ForeignKey("goodwill.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    quantity: Mapped[int]
    gross_minor: Mapped[int]
    tax_minor: Mapped[int]

    order_line: Mapped[OrderLine] = relationship()


class RefundGate(Base):
    """The one row that every refund passes before it is sent; there is none until it is first needed."""

    __tablename__ = "refund_gate"

    id: Mapped[int] = mapped_column(primary_key=True)
    stopped_at: Mapped[datetime | None]
    stopped_by: Mapped[str] = mapped_column(String(120), default="")
    reason: Mapped[str] = mapped_column(default="")
    quiet_until: Mapped[datetime | None]
    """Stripe has asked for silence until then; every worker keeps it."""


class LedgerEntry(Base):
    """Money that moved or was promised. Rows are only ever added; a balance is a sum."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ix_ledger_order", "order_id", "id"),
        Index("ix_ledger_return", "return_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    return_id: Mapped[int | None] = mapped_column(ForeignKey("return.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    credit_id: Mapped[int | None] = mapped_column(ForeignKey("store_credit.id"))
    account: Mapped[str] = mapped_column(String(30))
    """owed (to the customer), reserved (at a payment), refunded, store_credit."""
    kind: Mapped[str] = mapped_column(String(30))
    """Of owed: the quote's kinds (item, discount, restocking_fee …), carried (what a service cannot pay in whole steps),
    waived (staff closed prices unpaid: nothing more is owed) and bonus_lapsed (the bonus of a store credit that was not given).
    Of reserved: reserve, release, paid. Of refunded: paid, paid_elsewhere, released (never captured), reversed,
    elsewhere. Of store_credit: issued."""
    amount_minor: Mapped[int]
    """Positive towards the customer; a release or a reversal is negative."""
    currency: Mapped[str] = mapped_column(String(3))
    cause: Mapped[str] = mapped_column(String(120))
    """Who or what caused it, in words."""


append_only(cast(Table, LedgerEntry.__table__))


class StoreCredit(Base):
    """Money owed as a code to spend in the shop."""

    __tablename__ = "store_credit"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("bonus_minor >= 0 AND bonus_minor <= amount_minor", name="bonus"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(24), unique=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("return.id"), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    bonus_minor: Mapped[int] = mapped_column(default=0)
    """The part of the amount that was never paid for: it does not count against what was captured."""
    issued_at: Mapped[datetime]


class Exchange(Base):
    """Goods sent in place of goods returned. ``status``: reserved, ordered, released."""

    __tablename__ = "exchange"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_line.id"), unique=True)
    sku: Mapped[str] = mapped_column(ForeignKey("variant.sku"))
    quantity: Mapped[int]
    status: Mapped[str] = mapped_column(String(10), default="reserved")
    replacement_order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"))
    created_at: Mapped[datetime]
    ordered_at: Mapped[datetime | None]


class Reconciliation(Base):
    """One comparison of everything here with everything at Stripe, as `report.run` found it. The newest one is what staff see."""

    __tablename__ = "reconciliation"

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    since: Mapped[datetime]
    """Refunds made at Stripe from then on were asked for by time as well, on whatever payment they are."""
    refunds: Mapped[int]
    payments: Mapped[int]
    listed: Mapped[int]
    """How many refunds Stripe listed by time."""
    differences: Mapped[list[Any]]
    """Each as ``{what, refund, payment_intent, sentence}``; at most `report.KEPT` of them."""
    difference_count: Mapped[int]
    notes: Mapped[list[Any] | None]
    """Sentences on what is no difference and good to know; at most `report.KEPT`."""


class StripeEvent(Base):
    """A webhook message, stored once by its id and worked on later."""

    __tablename__ = "stripe_event"

    event_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    type: Mapped[str] = mapped_column(String(60))
    object_id: Mapped[str] = mapped_column(String(80), default="")
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    worked_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")
