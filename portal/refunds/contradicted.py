"""A refund that has ended here, or was paid another way, and that Stripe shows as paid all the same.

In: the refund with its open question, and a note. Out: the money counted. Invariants: a person says so, once, and only while
Stripe shows it as paid; where nothing has taken its place the refund itself has succeeded, otherwise it counts as made by
another hand, beside what did. Never: money at Stripe that no row here stands for.
"""

from __future__ import annotations

from portal.db import Tx
from portal.errors import Conflict
from portal.orders.models import Payment
from portal.refunds import elsewhere, ledger, lifecycle, settle
from portal.refunds.actions import find_refund, find_replacement, left_for, read_note
from portal.refunds.gateway import RefundView
from portal.refunds.models import Refund
from portal.refunds.tenders import count_elsewhere, lock_refund
from portal.reviews import service as reviews


def count(tx: Tx, public_id: str, note: str) -> Refund:
    """Count it as paid. The second click changes nothing.

    Raises `Conflict` when nothing is asked, when Stripe does not show it as paid, or while a refund of ours that is under way
    has promised the same money.
    """
    note = read_note(note)
    refund, payment = lock_refund(tx.session, find_refund(tx.session, public_id).id)
    asked = settle.contradiction(tx.session, refund)
    if asked is None:
        if refund.status == lifecycle.SUCCEEDED:
            return refund
        raise Conflict(
            f"Nothing about refund {public_id} contradicts Stripe. Nothing was changed.", state=refund.status
        )
    seen = str((asked.data or {}).get("seen"))
    if seen != lifecycle.SUCCEEDED:
        raise Conflict(f"Stripe shows it as {seen}: wait until it says how it ends.", state=refund.status)
    alone = not refund.paid_elsewhere_by and find_replacement(tx.session, refund) is None
    if alone and refund.amount_minor <= left_for(tx.session, refund, payment):
        _succeed(tx, refund, payment, note)
    else:
        _count_beside(tx, refund, payment)
        reviews.settle(tx, asked, reviews.SETTLED, note=note)
    return refund


def _succeed(tx: Tx, refund: Refund, payment: Payment, note: str) -> None:
    payment.refunding_minor += refund.amount_minor
    refund.status, refund.settled_at = lifecycle.SUCCEEDED, tx.at
    refund.failure_code = refund.failure_reason = refund.pending_reason = ""
    count_elsewhere(tx.session, payment)
    ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "paid", refund.amount_minor)
    settle.settle_reviews(tx, refund, note)
    settle.record(tx, "refund.succeeded", refund, payment, why=note)


def _count_beside(tx: Tx, refund: Refund, payment: Payment) -> None:
    view = RefundView(
        id=refund.stripe_refund_id or "",
        status=lifecycle.SUCCEEDED,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        payment_intent=payment.payment_intent or "",
        created_at=refund.first_submitted_at or refund.planned_at,
        metadata={},
        bank_reference=refund.bank_reference,
    )
    # The row that stands for it now has its number there; what has ended here keeps its own end.
    refund.stripe_refund_id = None
    tx.session.flush()
    if not elsewhere.take_in(tx, payment, view):
        raise Conflict("Another refund of this payment is under way. Wait for its end, then count this one.")
