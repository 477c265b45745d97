"""A refund that failed and for which too little is left: it is sent no more, and its amount has another end.

In: the refund and a note. Out: of a return, the amount as a question about the return's money (`shortage`: send what is left,
record another way, close); of a gift, its end, by which a credit note that was issued before is corrected. Invariants: once;
nothing that may still arrive; what the payments still have is sent by `actions.retry` instead. Never: an amount that nobody is
asked about.
"""

from __future__ import annotations

from portal.db import Tx
from portal.errors import Conflict
from portal.orders.models import Payment
from portal.refunds import goodwill, ledger, lifecycle, payout, settle
from portal.refunds.actions import check_not_contradicted, find_refund, find_replacement, left_for, read_note
from portal.refunds.models import Goodwill, Refund
from portal.refunds.settle import ELSEWHERE, GOODWILL
from portal.refunds.tenders import lock_refund
from portal.returns.models import Return


def is_needed(left: int, refund: Refund) -> bool:
    """Whether it failed for good: less than its amount (``left``) may still go to its payment."""
    mine = (
        refund.cause != ELSEWHERE and not refund.paid_elsewhere_by and refund.failure_code not in lifecycle.DECIDED_ANEW
    )
    return mine and refund.status in lifecycle.LOST and refund.amount_minor > left


def give_up(tx: Tx, public_id: str, note: str) -> Refund:
    """Send it no more. The second click changes nothing.

    Raises `Conflict` when it has not failed, was replaced, may be alive at Stripe, or can be sent again.
    """
    note = read_note(note)
    refund, payment = lock_refund(tx.session, find_refund(tx.session, public_id).id)
    if refund.failure_code == lifecycle.GIVEN_UP:
        return refund
    if find_replacement(tx.session, refund) is not None:
        raise Conflict("Another refund was sent in its place; give up that one.", state=refund.status)
    check_not_contradicted(tx.session, refund)
    if not is_needed(left_for(tx.session, refund, payment), refund):
        raise Conflict(
            f"Refund {public_id} is {refund.status}. Only one that failed, and whose payment no longer has it left, is given up.",
            state=refund.status,
        )
    settle.settle_reviews(tx, refund, note)
    refund.failure_code = lifecycle.GIVEN_UP
    tx.session.flush()
    settle.record(tx, "refund.given_up", refund, payment, why=note)
    if refund.return_id is not None:
        _ask(tx, tx.session.get_one(Return, refund.return_id), payment)
    elif refund.goodwill_id is not None:
        gift = tx.session.get_one(Goodwill, refund.goodwill_id)
        ledger.write(tx, ledger.OWED, GOODWILL, -refund.amount_minor, refund.currency, order_id=gift.order_id)
        goodwill.end_if_all_is_back(tx, gift.id)
    return refund


def _ask(tx: Tx, return_: Return, payment: Payment) -> None:
    short = ledger.unsent(tx.session, return_.id)
    payout.ask_about_shortage(tx, return_, short, frozen=payment.disputed_at is not None)
