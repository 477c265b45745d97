"""Writing the row of one refund: amount, key and parameters are fixed here and the payment is charged with it, before any call.

In: an amount for one payment, under the order's lock. Out: a `Refund` in ``planned`` and the event that sends it.
Invariants: the payment's CHECK constraint refuses more than was captured; the key comes from the row and nothing else.
Never: a row without a return, a claim or a member of staff behind it.
"""

from __future__ import annotations

from sqlalchemy.orm.attributes import set_committed_value

from portal import ids, timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.money import Money
from portal.orders.models import Order, Payment
from portal.refunds import ledger, lifecycle
from portal.refunds.gateway import RefundRequest
from portal.refunds.models import Goodwill, Refund
from portal.refunds.settle import DECIDE_WITHIN
from portal.refunds.tenders import is_stripe, tender_name
from portal.returns.models import Return
from portal.reviews import service as reviews
from portal.wording import said


def new_public_id() -> str:
    """A number for a refund, such as ``rf_7K4Q92MB3XTA5H``; it goes into Stripe's metadata."""
    return f"rf_{ids.new_code(14)}"


def plan_refund(
    tx: Tx,
    return_: Return | None,
    order: Order,
    payment: Payment,
    amount_minor: int,
    *,
    cause: str = "return",
    replaces: Refund | None = None,
    why: str = "",
    goodwill: Goodwill | None = None,
    tax_minor: int | None = None,
) -> Refund:
    """Promise ``amount_minor`` of ``payment`` to the customer and have it sent: for ``return_``, or as ``goodwill`` without one.

    A payment that is not Stripe's becomes a task for staff instead. Raises `Conflict` when the payment has less left.
    """
    left = payment.refundable_minor
    if amount_minor > left:
        has, wants = said(Money(left, payment.currency)), said(Money(amount_minor, payment.currency))
        raise Conflict(f"This payment has {has} left, which is less than {wants}. Nothing was sent.")
    public_id = new_public_id()
    key = f"refund:{public_id}"
    stripe = is_stripe(payment)
    params = {}
    about = {"return": return_.rma} if return_ is not None else {"goodwill": goodwill.public_id if goodwill else ""}
    return_id = return_.id if return_ is not None else None
    if stripe:
        request = RefundRequest(
            payment_intent=payment.payment_intent or "",
            amount_minor=amount_minor,
            currency=payment.currency,
            idempotency_key=key,
            metadata={"refund": public_id, **about, "order": order.number},
        )
        params = request.to_params()
    refund = Refund(
        public_id=public_id,
        return_id=return_id,
        goodwill_id=goodwill.id if goodwill is not None else None,
        tax_minor=tax_minor,
        payment_id=payment.id,
        replaces_id=replaces.id if replaces else None,
        cause=cause,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=lifecycle.PLANNED,
        idempotency_key=key,
        params=params,
        planned_at=tx.at,
    )
    # Written by the insert's flush before the row is: the payment's constraint refuses first.
    payment.refunding_minor += amount_minor
    tx.insert(refund)
    set_committed_value(refund, "payment", payment)
    ledger.write_refund(tx, refund, payment.order_id, ledger.RESERVED, "reserve", amount_minor)
    data = {"refund": public_id, "amount": amount_minor, "currency": payment.currency}
    timeline.record(
        tx,
        "refund.planned" if stripe else "refund.handed_to_staff",
        return_id=return_id,
        order_id=payment.order_id,
        refund_id=refund.id,
        why=why,
        data=data,
    )
    if not stripe:
        reviews.open_review(
            tx,
            kind=reviews.PAY_ELSEWHERE,
            why=f"This part was paid by {tender_name(payment.method, payment.provider)}, which the portal cannot send money to. "
            "Pay it there, then record it here with a note.",
            fact=payment.provider,
            return_id=return_id,
            refund_id=refund.id,
            data=data,
            due_at=tx.at + DECIDE_WITHIN,
        )
    return refund
