"""Taking over what the gateway says about a refund, and what follows for payment, ledger, staff and customer.

In: a locked row and a `RefundView` or a definite refusal. Out: the row moved along `lifecycle`, or left. Invariants: every
effect happens once, whoever sees the news first (the answer, a webhook or the reconciler); what ended without money frees
its payment at once. Never: a call; a row paid by another way that is moved by Stripe's news.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Actor, Tx
from portal.errors import Invalid
from portal.money import Money
from portal.orders.models import Payment
from portal.refunds import ledger, lifecycle
from portal.refunds.gateway import PaymentView, RefundView
from portal.refunds.lifecycle import Step
from portal.refunds.models import Refund
from portal.refunds.refusals import REFUSALS, explain
from portal.refunds.tenders import BY_HAND, count_elsewhere, is_stripe
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.wording import said

STRIPE = Actor("stripe", "Stripe")
DECIDE_WITHIN = timedelta(hours=24)
ELSEWHERE, GOODWILL = "elsewhere", "goodwill"
CONTRADICTED = "contradicted"
"""The fact of a question about a refund that has ended here, or was paid another way, and is alive at Stripe."""
STUCK_AFTER, STUCK_TRIES = timedelta(hours=4), 10
"""How long ago a refund was prepared, and how often it was tried, when staff hear that it does not get out."""
REFUND, RELEASE = "refund", "release"
REVERSAL = "reversal"
"""Instead of the status of a bank's reference: the purchase itself is taken back and no reference will ever come."""


def take_over(tx: Tx, refund: Refund, payment: Payment, view: RefundView, *, read_at: datetime | None = None) -> Step:
    """Move ``refund`` to what ``view`` shows. The caller holds the order's lock.

    ``read_at`` is when somebody began to ask for the view; None says that it may be older than what is known here. What has ended
    without money does not come back by itself: where a newer view shows money, staff are asked.
    """
    refund.checked_at = tx.at
    if refund.paid_elsewhere_by:
        _contradict(tx, refund, view, read_at)
        return Step.OLD
    if view.amount_minor != refund.amount_minor or view.currency != refund.currency:
        _differs(tx, refund, view)
        return Step.OLD
    seen = lifecycle.read_status(view.status)
    step = lifecycle.observe(refund.status, seen)
    if refund.status in lifecycle.LOST:
        _contradict(tx, refund, view, read_at)
    if step is Step.OLD:
        return step
    if refund.stripe_refund_id is None:
        refund.stripe_refund_id = view.id
    refund.bank_reference = view.bank_reference or refund.bank_reference
    refund.reference_status = REVERSAL if view.reversal else view.reference_status[:12] or refund.reference_status
    _note_waiting(tx, refund, view, seen)
    if step is Step.SAME:
        return step
    if seen in lifecycle.LOST:
        reason = view.failure_reason or seen
        known = reason in REFUSALS
        sentence = f"{explain(reason).what}." if known else f"Stripe says: {reason}."
        lose(tx, refund, payment, status=seen, code=reason, sentence=sentence)
    elif seen == lifecycle.SUCCEEDED:
        _succeed(tx, refund, payment)
    else:
        newly = refund.status not in lifecycle.ACCEPTED
        refund.status = seen
        tx.session.flush()
        if newly and refund.cause != ELSEWHERE:
            settle_reviews(
                tx, refund, "Stripe has accepted it meanwhile.", reviews.REFUND_FAILED, reviews.REFUND_UNKNOWN
            )
            record(tx, "refund.accepted", refund, payment, why=view.pending_reason)
        if seen == lifecycle.REQUIRES_ACTION and refund.cause != ELSEWHERE:
            record(tx, "refund.needs_customer", refund, payment)
    return step


def lose(
    tx: Tx, refund: Refund, payment: Payment, *, status: str, code: str, sentence: str, quiet: bool = False
) -> None:
    """The refund ended without money: free its payment, tell staff and customer (unless ``quiet``: the caller sends another in
    its place). Once; a second call finds it lost."""
    if refund.status in lifecycle.LOST:
        return
    was_paid = refund.status == lifecycle.SUCCEEDED
    refund.status, refund.failure_code, refund.failure_reason = status, code[:60], sentence
    refund.pending_reason = ""
    refund.settled_at = tx.at
    if refund.cause == ELSEWHERE:
        ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "reversed", -refund.amount_minor)
        count_elsewhere(tx.session, payment)
        return
    payment.refunding_minor -= refund.amount_minor
    count_elsewhere(tx.session, payment)
    if was_paid:
        ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "reversed", -refund.amount_minor)
    else:
        ledger.write_refund(tx, refund, payment.order_id, ledger.RESERVED, "release", -refund.amount_minor)
    tx.session.flush()
    settle_reviews(tx, refund, "The refund has ended, see the new entry.")
    if quiet:
        return
    meaning = explain(code)
    reviews.open_review(
        tx,
        kind=reviews.DISPUTE if meaning.disputed else reviews.REFUND_FAILED,
        why=f"A refund did not reach the customer. {sentence} {meaning.todo}",
        fact=code,
        return_id=refund.return_id,
        refund_id=refund.id,
        data={
            "refund": refund.public_id,
            "amount": refund.amount_minor,
            "currency": refund.currency,
            "payment_intent": payment.payment_intent,
        },
        due_at=tx.at + DECIDE_WITHIN,
    )
    record(tx, "refund.failed", refund, payment, why=sentence)


def takes_the_place(tx: Tx, refund_id: int | None) -> bool:
    """Whether the refund is sent for one that failed."""
    return tx.session.get_one(Refund, refund_id).replaces_id is not None


def is_another_try(tx: Tx, refund_id: int | None) -> bool:
    """Whether the refund takes the place of one that failed and is with the banks; what waits for the shop's balance is not."""
    refund = tx.session.get_one(Refund, refund_id)
    return (
        refund.replaces_id is not None
        and refund.status == lifecycle.PENDING
        and refund.pending_reason in ("", "processing")
    )


def give_back(tx: Tx, refund: Refund, *, sure: bool, code: str, sentence: str) -> None:
    """The try had no effect. ``sure`` says that no earlier try may have had one: the key has not begun to live then."""
    refund.status = lifecycle.PLANNED if sure else lifecycle.UNKNOWN
    if sure:
        refund.first_submitted_at = None
    refund.failure_code, refund.failure_reason = code[:60], sentence
    tx.session.flush()


def give_free(tx: Tx, refund: Refund, payment: Payment, *, code: str, sentence: str) -> None:
    """Nothing was captured that could be refunded: `release` looks at the payment and gives the amount free."""
    refund.way, refund.status, refund.first_submitted_at = RELEASE, lifecycle.PLANNED, None
    refund.failure_code, refund.failure_reason = code[:60], sentence
    tx.session.flush()
    record(tx, "refund.uncaptured", refund, payment, why=sentence)


def is_let_go(view: PaymentView, public_id: str) -> bool:
    """Whether the payment itself shows that the customer was never charged for this refund: nothing was taken at all, or less
    in its place."""
    return view.status == "canceled" or view.released_for == public_id


def released(tx: Tx, refund: Refund, payment: Payment, charged_minor: int) -> None:
    """The customer was never charged for it; the payment counts it as gone, so that it is neither captured nor refunded later.

    ``charged_minor`` is what was captured in its place: the customer is told of that too.
    """
    refund.way, refund.status, refund.settled_at = RELEASE, lifecycle.SUCCEEDED, tx.at
    refund.failure_code = refund.failure_reason = ""
    ledger.write_refund(tx, refund, payment.order_id, ledger.RESERVED, "paid", -refund.amount_minor)
    ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "released", refund.amount_minor)
    tx.session.flush()
    settle_reviews(tx, refund, "The payment was never captured; the amount is free.")
    record(tx, "refund.released", refund, payment, charged=charged_minor)


def doubt(tx: Tx, refund: Refund, payment: Payment, *, first: bool, code: str, sentence: str) -> None:
    """Nobody knows whether the try had an effect. The reserve stays; the ``first`` doubt goes on the timeline."""
    refund.status = lifecycle.UNKNOWN
    refund.failure_code, refund.failure_reason = code[:60], sentence
    tx.session.flush()
    if first:
        record(tx, "refund.unknown", refund, payment, why=sentence)


def hold_back(tx: Tx, refund: Refund, payment: Payment, kind: str, why: str) -> None:
    """A person says whether it goes: it is more than leaves in a day, or so much that two people have to want it."""
    refund.held_at, refund.held_for = tx.at, kind
    tx.session.flush()
    todo = {
        reviews.DAILY_CAP: "Look whether all of them are right, then send this one anyway or pay it another way.",
        reviews.SECOND_PERSON: "Somebody other than who decided it approves it, or takes it back.",
    }[kind]
    reviews.open_review(
        tx,
        kind=kind,
        why=f"{why} {todo}",
        fact=kind,
        return_id=refund.return_id,
        refund_id=refund.id,
        data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency},
        due_at=tx.at + DECIDE_WITHIN,
    )
    held = {reviews.DAILY_CAP: "refund.held_back", reviews.SECOND_PERSON: "refund.needs_second"}
    record(tx, held[kind], refund, payment, why=why)


def ask_staff(tx: Tx, refund: Refund, why: str, kind: str = reviews.REFUND_UNKNOWN) -> None:
    """A refund whose fate nobody can find out by machine, that does not get out, or that somebody took back."""
    reviews.open_review(
        tx,
        kind=kind,
        why=why,
        fact=refund.failure_code,
        return_id=refund.return_id,
        refund_id=refund.id,
        data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency},
        due_at=tx.at + DECIDE_WITHIN,
    )


def ask_if_stuck(tx: Tx, refund: Refund) -> None:
    """Tell staff, once, of a refund that is tried for hours in vain. It is still tried; a question that is open says enough."""
    early = refund.attempts < STUCK_TRIES or tx.at - refund.planned_at < STUCK_AFTER
    if early or tx.session.scalars(_ASKED, {"refund_id": refund.id}).first() is not None:
        return
    why = (
        f"This refund has been tried {refund.attempts} times and does not get out. {refund.failure_reason} "
        "Look for the cause; it is still tried."
    )
    if refund.status == lifecycle.PLANNED:
        ask_staff(tx, refund, why, reviews.REFUND_FAILED)
    else:
        ask_staff(tx, refund, f"{why} Whether a try had an effect is not known: look at the payment in Stripe first.")


def paid_elsewhere(tx: Tx, refund: Refund, payment: Payment, note: str, how: str = "") -> None:
    """Staff paid the customer themselves: by the payment's own way where the portal cannot, or by ``how`` (`tenders.BY_HAND`).

    The payment is charged with it, so that it is never paid a second time. Raises `Invalid` for a way that does not exist.
    """
    if how and how not in BY_HAND:
        raise Invalid("There is no such way.", {"how": f"Choose one of {', '.join(BY_HAND)}."})
    was_reserved = refund.status not in lifecycle.LOST
    if was_reserved:
        ledger.write_refund(tx, refund, payment.order_id, ledger.RESERVED, "paid", -refund.amount_minor)
    else:
        payment.refunding_minor += refund.amount_minor
    ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "paid_elsewhere", refund.amount_minor)
    # What was paid by hand was paid, also where the payment was to be given free and Stripe would not.
    refund.way, refund.status = REFUND, lifecycle.SUCCEEDED
    refund.paid_elsewhere_by, refund.paid_elsewhere_note = tx.actor.name, note
    refund.paid_elsewhere_how = how or ("other" if is_stripe(payment) else "")
    refund.settled_at = tx.at
    tx.session.flush()
    settle_reviews(tx, refund, note)
    record(tx, "refund.paid_elsewhere", refund, payment, why=note)


_ASKED = select(Review).where(Review.refund_id == bindparam("refund_id"), Review.status.in_(reviews.UNDECIDED))


def settle_reviews(tx: Tx, refund: Refund, note: str, *kinds: str) -> None:
    """Close the questions (of these ``kinds``, or all) that were open about this refund: they have answered themselves."""
    for review in tx.session.scalars(_ASKED, {"refund_id": refund.id}).all():
        if kinds and review.kind not in kinds:
            continue
        reviews.settle(tx, review, reviews.SETTLED, note=note)


def contradiction(session: Session, refund: Refund) -> Review | None:
    """The open question about a refund that has ended here and is alive at Stripe."""
    query = select(Review).where(Review.refund_id == refund.id, Review.fact == CONTRADICTED)
    return session.scalar(query.where(Review.status.in_(reviews.UNDECIDED)))


def _contradict(tx: Tx, refund: Refund, view: RefundView, read_at: datetime | None) -> None:
    """Ask staff where Stripe shows money for what has ended here; end the question once Stripe has taken it back."""
    if refund.stripe_refund_id != view.id or read_at is None or (refund.settled_at or tx.at) >= read_at:
        return
    seen, known = lifecycle.read_status(view.status), contradiction(tx.session, refund)
    if seen in lifecycle.LOST:
        if known is not None:
            reviews.settle(tx, known, reviews.SETTLED, note="Stripe shows again that it did not arrive.")
        return
    here = "paid another way" if refund.paid_elsewhere_by else refund.status
    reviews.open_review(
        tx,
        kind=reviews.REFUND_UNKNOWN,
        why=f"This refund is {here} here, and Stripe shows it as {seen}. Look at the payment in Stripe before anything else "
        "is paid: the customer may have the money.",
        fact=CONTRADICTED,
        return_id=refund.return_id,
        refund_id=refund.id,
        data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency, "seen": seen},
        due_at=tx.at + DECIDE_WITHIN,
    )
    if known is None:
        record(tx, "refund.contradicted", refund, refund.payment, why=f"Stripe shows it as {seen}.")


def _succeed(tx: Tx, refund: Refund, payment: Payment) -> None:
    refund.status = lifecycle.SUCCEEDED
    refund.failure_code = refund.failure_reason = refund.pending_reason = ""
    refund.settled_at = tx.at
    if refund.cause == ELSEWHERE:
        tx.session.flush()
        return
    ledger.write_refund(tx, refund, payment.order_id, ledger.RESERVED, "paid", -refund.amount_minor)
    ledger.write_refund(tx, refund, payment.order_id, ledger.REFUNDED, "paid", refund.amount_minor)
    tx.session.flush()
    settle_reviews(tx, refund, "Stripe has paid it meanwhile.")
    record(tx, "refund.succeeded", refund, payment)


def _note_waiting(tx: Tx, refund: Refund, view: RefundView, seen: str) -> None:
    """A refund that waits for the shop's balance needs the shop: staff are asked once."""
    before = refund.pending_reason
    refund.pending_reason = view.pending_reason[:40] if seen == lifecycle.PENDING else ""
    low = refund.pending_reason == "insufficient_funds"
    if low and before != refund.pending_reason and refund.cause != ELSEWHERE:
        reviews.open_review(
            tx,
            kind=reviews.BALANCE_LOW,
            why=f"{explain('pending_insufficient_funds').what}. {explain('pending_insufficient_funds').todo}",
            fact=view.pending_reason,
            return_id=refund.return_id,
            refund_id=refund.id,
            data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency},
            due_at=tx.at + DECIDE_WITHIN,
        )


def _differs(tx: Tx, refund: Refund, view: RefundView) -> None:
    ask_staff(
        tx,
        refund,
        (f"{view.unreadable}. " if view.unreadable else "")
        + f"Stripe shows {said(Money(view.amount_minor, view.currency))} for refund {view.id}, which carries our number "
        f"{refund.public_id} of {said(Money(refund.amount_minor, refund.currency))}.",
    )


def record(tx: Tx, what: str, refund: Refund, payment: Payment, *, why: str = "", **more: int) -> None:
    """Write what happened to the refund on the timeline."""
    timeline.record(
        tx,
        what,
        return_id=refund.return_id,
        order_id=payment.order_id,
        refund_id=refund.id,
        why=why,
        data={"refund": refund.public_id, "amount": refund.amount_minor, "currency": refund.currency, **more},
    )
