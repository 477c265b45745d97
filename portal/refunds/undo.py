"""Taking a refund back before it is sent.

In: a prepared refund and a note. Out: its row canceled, its payment free again, and what it paid decided anew. Invariants:
only what is prepared is taken back, so what may be at Stripe never is; where all of a return's money is still here, the
return itself is decided again and owes nothing until then; where a part has left, or a gift has its credit note, the rest is a
question about this refund. Never: a silent end.
"""

from __future__ import annotations

from sqlalchemy import select

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.orders.models import Payment
from portal.refunds import goodwill, ledger, lifecycle, settle
from portal.refunds.actions import find_refund, read_note
from portal.refunds.credit_note_models import CreditNote
from portal.refunds.exchange import ORDERED
from portal.refunds.models import Exchange, Goodwill, LedgerEntry, Refund
from portal.refunds.settle import DECIDE_WITHIN, ELSEWHERE, GOODWILL
from portal.refunds.tenders import lock_refund, lock_return
from portal.returns import lifecycle as returns
from portal.returns.models import Return, ReturnLine
from portal.reviews import service as reviews

PART_TAKEN_BACK = "part_taken_back"
"""The code of a refund that was taken back after other money of its return had left."""


def take_back(tx: Tx, public_id: str, note: str) -> Refund:
    """Cancel a refund that has not been sent; of a return, all that is here of its payout. The second click changes nothing.

    Raises `Conflict` once it is at Stripe or may be, or has ended.
    """
    note = read_note(note)
    known = find_refund(tx.session, public_id)
    if known.return_id is not None:
        lock_return(tx.session, known.return_id)
    refund, payment = lock_refund(tx.session, known.id)
    if refund.failure_code in (lifecycle.TAKEN_BACK, PART_TAKEN_BACK):
        return refund
    if refund.status != lifecycle.PLANNED or refund.cause == ELSEWHERE:
        raise Conflict(
            f"Refund {refund.public_id} is {refund.status}. It has left already, so it can't be taken back.",
            state=refund.status,
        )
    if refund.return_id is None:
        # A note says what was given, and is never changed: the customer is owed that until it comes in some form.
        if _has_note(tx, refund):
            _take_part_back(tx, refund, payment, note)
        else:
            _take_gift_back(tx, refund, note)
        return refund
    return_ = tx.session.get_one(Return, refund.return_id)
    siblings = _siblings(tx, refund)
    if _all_is_here(tx, return_, [refund, *siblings]):
        for each in [refund, *siblings]:
            if each.status == lifecycle.PLANNED:
                _cancel(tx, each, lock_refund(tx.session, each.id)[1], lifecycle.TAKEN_BACK, note)
        _owe_nothing(tx, return_)
        _decide_again(tx, return_, note)
    else:
        _take_part_back(tx, refund, payment, note)
    return refund


def _take_part_back(tx: Tx, refund: Refund, payment: Payment, note: str) -> None:
    _cancel(tx, refund, payment, PART_TAKEN_BACK, note)
    why = f"{tx.actor.name} took a refund back before it was sent. Send it again, or pay it another way."
    settle.ask_staff(tx, refund, why, reviews.REFUND_FAILED)


def _has_note(tx: Tx, refund: Refund) -> bool:
    """Whether the gift that the refund is part of has its credit note."""
    of_gift = select(Refund.id).where(Refund.goodwill_id == refund.goodwill_id)
    return tx.session.scalar(select(CreditNote.id).where(CreditNote.refund_id.in_(of_gift))) is not None


def _take_gift_back(tx: Tx, refund: Refund, note: str) -> None:
    given = tx.session.get_one(Goodwill, refund.goodwill_id)
    query = select(Refund.id).where(Refund.goodwill_id == refund.goodwill_id, Refund.status == lifecycle.PLANNED)
    for refund_id in tx.session.scalars(query.order_by(Refund.id)).all():
        part, payment = lock_refund(tx.session, refund_id)
        _cancel(tx, part, payment, lifecycle.TAKEN_BACK, note)
        ledger.write(tx, ledger.OWED, GOODWILL, -part.amount_minor, part.currency, order_id=given.order_id)
    goodwill.end_if_all_is_back(tx, given.id)


def _cancel(tx: Tx, refund: Refund, payment: Payment, code: str, note: str) -> None:
    refund.held_at, refund.held_for = None, ""
    settle.lose(tx, refund, payment, status=lifecycle.CANCELED, code=code, sentence=note, quiet=True)
    settle.record(tx, "refund.taken_back", refund, payment, why=note)


def _siblings(tx: Tx, refund: Refund) -> list[Refund]:
    query = select(Refund).where(Refund.return_id == refund.return_id, Refund.id != refund.id)
    return list(tx.session.scalars(query.order_by(Refund.id).execution_options(populate_existing=True)))


def _all_is_here(tx: Tx, return_: Return, refunds: list[Refund]) -> bool:
    """Nothing of the payout has left in any form, nor failed, nor was sent in place of something: it can be undone as a whole."""
    whole = all(
        each.failure_code == lifecycle.TAKEN_BACK or (each.status == lifecycle.PLANNED and each.replaces_id is None)
        for each in refunds
    )
    sums = ledger.balances(tx.session, return_.id)
    settled = sums[ledger.REFUNDED] or sums[ledger.STORE_CREDIT] or _waived(tx, return_) or _replaced(tx, return_)
    return whole and not settled and return_.status in returns.HOLDING - {returns.CLOSED}


def _replaced(tx: Tx, return_: Return) -> bool:
    """A replacement has been ordered: the customer gets goods for a part of this return, which nobody decides once more."""
    query = select(Exchange.id).where(Exchange.status == ORDERED)
    query = query.join(ReturnLine, ReturnLine.id == Exchange.return_line_id).where(ReturnLine.return_id == return_.id)
    return tx.session.scalar(query.limit(1)) is not None


def _waived(tx: Tx, return_: Return) -> bool:
    return any(ledger.ended(tx.session, return_.id).values())


def _owe_nothing(tx: Tx, return_: Return) -> None:
    """What was promised is taken off the ledger, kind by kind; the next decision promises anew."""
    sums: dict[tuple[str, int], int] = {}
    query = select(LedgerEntry).where(LedgerEntry.return_id == return_.id, LedgerEntry.account == ledger.OWED)
    for entry in tx.session.scalars(query):
        key = (entry.kind, entry.order_id)
        sums[key] = sums.get(key, 0) + entry.amount_minor
    for (kind, order_id), total in sums.items():
        if total:
            ledger.write(
                tx, ledger.OWED, kind, -total, return_.currency, order_id=order_id, return_id=return_.id,
                cause=f"taken back, {tx.actor.name}",
            )  # fmt: skip
    return_.payout_planned_at = None


def _decide_again(tx: Tx, return_: Return, note: str) -> None:
    for review in reviews.open_reviews(tx.session, return_.id, reviews.REFUND_FAILED):
        reviews.settle(tx, review, reviews.SETTLED, note=note)
    undecided = return_.status == returns.AUTHORIZED
    if undecided:
        return_.status = returns.move(return_.status, returns.REOPEN)
    tx.session.flush()
    reviews.open_review(
        tx,
        kind=reviews.POLICY if undecided else reviews.RECEIPT,
        why=f"{tx.actor.name} took the refund back before it was sent. Decide this return again.",
        fact=note,
        return_id=return_.id,
        data={reviews.DECIDE_AGAIN: True},
        due_at=tx.at + DECIDE_WITHIN,
    )
    timeline.record(tx, "payout.taken_back", return_id=return_.id, order_id=return_.order_id, why=note)
