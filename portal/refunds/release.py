"""Money that was authorized and never captured is given free instead of refunded: the payment is canceled, or less is captured.

In: a refund that Stripe refused because its payment is not captured. Out: its row settled without a movement of money, replaced
by an ordinary refund where the payment was captured meanwhile, or lost with Stripe's sentence. Invariants: the payment is read
before anything is done to it, so a killed worker's work is found and never done twice; what one refund may have given free
is counted for no other; what other refunds of the payment are owed stays to be captured. Never: a capture above what the order
charges; the word "refunded" for money that was never taken.
Source: docs.stripe.com/refunds (cancel instead of refunding), docs.stripe.com/payments/place-a-hold-on-a-payment-method.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal import clock, jobs
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.orders.models import Order, Payment
from portal.refunds import lifecycle, settle
from portal.refunds.gateway import Captures, Gateway, PaymentView
from portal.refunds.models import Refund
from portal.refunds.planning import plan_refund
from portal.refunds.settle import RELEASE, STRIPE
from portal.refunds.submit import pause_after, wait_until
from portal.refunds.tenders import is_stripe, lock_refund
from portal.returns.models import Return

ENOUGH = 3
"""Tries after which a definite refusal is believed; before that the payment may have changed between the look and the call."""

WHILE_UNSURE = timedelta(minutes=1)
"""How long to wait before looking again whether the other one is settled."""

SHARED = (
    "Stripe refused, because the payment is not captured, and it pays for other orders too: canceling it, or capturing less, "
    "would touch them. Capture it at Stripe and send this refund again, or settle it at Stripe and write down how it was paid."
)


@dataclass(frozen=True, slots=True)
class _Claimed:
    public_id: str
    payment_intent: str
    currency: str
    amount_minor: int
    charged_minor: int
    """What the order charges to this payment."""
    free_minor: int
    """What was given free of it before."""
    key: str
    attempts: int
    sure: bool
    """No earlier try may have had an effect."""


def release(database: Database, gateway: Gateway, captures: Captures, refund_id: int) -> None:
    """Give the refund's amount free. Does nothing when it is settled; raises `jobs.Later` when it is not its turn."""
    claimed = _claim(database, refund_id)
    if claimed is None:
        return
    try:
        view = _free(gateway, captures, claimed)
    except UpstreamError as error:
        _give_back(database, refund_id, claimed, error)
        return
    with database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        if refund.status != lifecycle.SUBMITTED or refund.attempts != claimed.attempts:
            return
        if _is_free(claimed, view):
            settle.released(tx, refund, payment, view.captured_minor)
            return
        code, sentence = refund.failure_code or "not_captured", refund.failure_reason
        # Once: a payment that Stripe shows as captured and goes on refusing is a matter for people.
        again = view.status == "succeeded" and code == "not_captured" and refund.replaces_id is None
        again = again and refund.return_id is not None
        settle.lose(tx, refund, payment, status=lifecycle.FAILED, code=code, sentence=sentence, quiet=again)
        if again:
            _send_anew(tx, refund, payment)


def _send_anew(tx: Tx, refund: Refund, payment: Payment) -> None:
    """The payment was captured meanwhile, with this amount in it. Stripe repeats its refusal to the old key for ever, so a row
    with a key of its own takes the place."""
    return_ = tx.session.get_one(Return, refund.return_id)
    order = tx.session.get_one(Order, return_.order_id)
    why = "The payment has been captured meanwhile."
    plan_refund(tx, return_, order, payment, refund.amount_minor, cause="retry", replaces=refund, why=why)


def _claim(database: Database, refund_id: int) -> _Claimed | None:
    with database.transaction() as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        if refund.status not in lifecycle.SENDABLE or refund.way != RELEASE or not is_stripe(payment):
            return None
        if _is_shared(tx, payment):
            # What the other orders charge and have given free is not ours to judge, and a payment is captured only once.
            settle.lose(tx, refund, payment, status=lifecycle.FAILED, code="not_captured", sentence=SHARED)
            return None
        wait = _after_another(tx, refund, payment) or wait_until(tx, refund, payment)
        if wait is None:
            sure = refund.status == lifecycle.PLANNED
            refund.status, refund.submitted_at = lifecycle.SUBMITTED, tx.at
            refund.first_submitted_at = refund.first_submitted_at or tx.at
            refund.attempts += 1
            return _Claimed(
                refund.public_id,
                payment.payment_intent or "",
                payment.currency,
                refund.amount_minor,
                payment.captured_minor - payment.refunded_elsewhere_minor,
                _released_before(tx, refund, payment),
                # Stripe repeats its answer to a key, an error of its own too. What a try has done is seen on the payment,
                # which can be captured or canceled once only, so each try may ask anew.
                f"{refund.idempotency_key}:release:{refund.attempts}",
                refund.attempts,
                sure,
            )
    raise jobs.Later(*wait)


def _is_shared(tx: Tx, payment: Payment) -> bool:
    """Whether another order is paid from the same payment at Stripe."""
    query = select(Payment.id).where(Payment.payment_intent == payment.payment_intent, Payment.id != payment.id)
    return tx.session.scalar(query.limit(1)) is not None


def _after_another(tx: Tx, refund: Refund, payment: Payment) -> tuple[datetime, str] | None:
    """When to come back while another refund of the payment may just have been given free; None when there is none.

    What is missing from the capture then cannot be told apart: each would take it for its own. One that is unsure itself waits
    for older ones only, so that somebody always goes first.
    """
    unsure = select(Refund.id).where(
        Refund.payment_id == payment.id,
        Refund.id != refund.id,
        Refund.way == RELEASE,
        Refund.status.in_((lifecycle.SUBMITTED, lifecycle.UNKNOWN)),
    )
    if refund.status != lifecycle.PLANNED:
        unsure = unsure.where(Refund.id < refund.id)
    if tx.session.scalar(unsure.limit(1)) is None:
        return None
    return tx.at + WHILE_UNSURE, "another refund of the payment may have been given free, and is looked at first"


def _released_before(tx: Tx, refund: Refund, payment: Payment) -> int:
    query = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id,
        Refund.id != refund.id,
        Refund.way == RELEASE,
        Refund.status == lifecycle.SUCCEEDED,
    )
    return int(tx.session.scalar(query) or 0)


def _free(gateway: Gateway, captures: Captures, claimed: _Claimed) -> PaymentView:
    """Do what the payment's state asks for; the payment as it is afterwards."""
    view = gateway.read_payment(claimed.payment_intent)
    if view.status != "requires_capture":
        return view
    keep = min(claimed.charged_minor - claimed.free_minor - claimed.amount_minor, view.capturable_minor)
    if keep > 0:
        key = f"{claimed.key}:{keep}"
        return captures.capture_payment(
            claimed.payment_intent, keep, claimed.currency, key, instead_of=claimed.public_id
        )
    return captures.cancel_payment(claimed.payment_intent, claimed.key)


def _is_free(claimed: _Claimed, view: PaymentView) -> bool:
    """Whether the customer was not charged for the amount: nothing was captured at all, or that much less."""
    if settle.is_let_go(view, claimed.public_id):
        return True
    never_taken = claimed.charged_minor - view.captured_minor
    return view.status == "succeeded" and never_taken >= claimed.free_minor + claimed.amount_minor


def _give_back(database: Database, refund_id: int, claimed: _Claimed, error: UpstreamError) -> None:
    # Whatever has become of it is seen when the payment is read again, so every failure is safe to repeat. But what may have been
    # given free is not prepared any more: nobody may take it back or pay it another way.
    with database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        if refund.status != lifecycle.SUBMITTED or refund.attempts != claimed.attempts:
            return
        code, sentence = error.code, error.staff_message
        if not error.retryable and claimed.attempts > ENOUGH:
            settle.lose(tx, refund, payment, status=lifecycle.FAILED, code=code, sentence=sentence)
            return
        settle.give_back(tx, refund, sure=claimed.sure and not error.effect_unknown, code=code, sentence=sentence)
        settle.ask_if_stuck(tx, refund)
    raise jobs.Later(clock.now() + pause_after(claimed.attempts, error), f"{error.code}: {error.staff_message}")
