"""Refunds as the API lists them. Reads only.

In: a return, a number or a filter. Out: rows with payment and orders loaded, and the contract's JSON. Invariants: the number of
queries does not depend on the number of rows; fields of the JSON are only ever added. Never: a text for a person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from portal.errors import Invalid
from portal.ids import is_text
from portal.orders.keys import email_key, number_key
from portal.orders.models import Order, Payment
from portal.paging import page
from portal.refunds import lifecycle
from portal.refunds.models import Refund
from portal.refunds.settle import ELSEWHERE, REFUND, RELEASE
from portal.refunds.tenders import is_stripe
from portal.returns.models import Return

MAX_PAGE = 100


def refunds_of(session: Session, return_id: int) -> list[Refund]:
    """Every refund of a return, oldest first, with payment and return loaded."""
    return list(session.scalars(_OF_RETURN, {"return_id": return_id}))


def list_refunds(
    session: Session,
    *,
    status: str | None = None,
    order: str | None = None,
    email: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Refund], str | None]:
    """A page of refunds, newest first, and the cursor of the next page. Raises `Invalid` naming the parameter.

    ``order`` is an order number, ``email`` the address of the order, forgiving as the look-up is.
    """
    if status is not None and status not in lifecycle.STATUSES:
        raise Invalid("There is no such status.", {"status": f"Choose one of {', '.join(lifecycle.STATUSES)}."})
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid("The page is too large.", {"limit": f"Choose 1 to {MAX_PAGE}."})
    if not all(is_text(each) for each in (order or "", email or "")):
        return [], None
    query = _loaded()
    if order or email:
        query = query.join(Payment, Payment.id == Refund.payment_id).join(Order, Order.id == Payment.order_id)
    if order:
        query = query.where(Order.number_key == number_key(order))
    if email:
        query = query.where(Order.email_key == email_key(email))
    if status is not None:
        query = query.where(Refund.status == status)
    return page(session, query, Refund.id, cursor, limit)


def _loaded() -> Any:
    # A refund names its order through the payment and its return; both come with it in one query.
    return select(Refund).options(
        joinedload(Refund.payment).joinedload(Payment.order), joinedload(Refund.return_).joinedload(Return.order)
    )


_OF_RETURN = _loaded().where(Refund.return_id == bindparam("return_id")).order_by(Refund.id)


def refund_json(refund: Refund) -> dict[str, Any]:
    """The contract's shape. Fields are only ever added."""
    return {
        "id": refund.public_id,
        "return": refund.return_.rma if refund.return_ else None,
        "order": refund.return_.order.number if refund.return_ else refund.payment.order.number,
        "status": refund.status,
        "cause": refund.cause,
        "way": _way(refund),
        "hold": refund.waits_for or None,
        "amount": {"amount": refund.amount_minor, "currency": refund.currency},
        "provider": refund.payment.provider,
        "method": refund.payment.method or None,
        "payment_intent": refund.payment.payment_intent,
        "stripe_refund_id": refund.stripe_refund_id,
        "failure_code": refund.failure_code if refund.status in lifecycle.LOST else None,
        "failure_reason": refund.failure_reason if refund.status in lifecycle.LOST else None,
        "pending_reason": refund.pending_reason or None,
        "bank_reference": refund.bank_reference or None,
        "reference_status": refund.reference_status or None,
        "paid_elsewhere": bool(refund.paid_elsewhere_by),
        "planned_at": _moment(refund.planned_at),
        "settled_at": _moment(refund.settled_at),
    }


def _way(refund: Refund) -> str:
    """``release`` where nothing was ever taken, ``elsewhere`` where staff pay or have paid by hand, else ``refund``."""
    if refund.way == RELEASE:
        return RELEASE
    by_hand = refund.paid_elsewhere_by or (refund.status == lifecycle.PLANNED and not is_stripe(refund.payment))
    return ELSEWHERE if by_hand else REFUND


def _moment(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
