"""Money that is owed for a return and that no refund stands for: no payment had it left, or a chargeback holds the payment.

In: a return with an open question about its money as a whole, and a note. Out: what is left sent, or the end of it recorded.
Invariants: a question is ended once; what staff paid another way is charged to the payments as far as they have it, so that it is
never paid a second time; what was closed is no longer owed, and the ledger says who said so, prices and bonus apart. Never: an
amount typed by hand.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.money import Money
from portal.orders.models import Order, Payment
from portal.refunds import exchange, ledger, lifecycle, payout, settle
from portal.refunds.actions import read_note
from portal.refunds.allocation import Pot, allocate
from portal.refunds.models import Refund
from portal.refunds.planning import plan_refund
from portal.refunds.tenders import lock_return, payments_of
from portal.refunds.two_people import Above, check_recorded_for, never
from portal.returns import lifecycle as returns
from portal.returns.models import Return
from portal.returns.payable import payable_quote
from portal.returns.queries import get_return
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.shop import Shop
from portal.timeline import TimelineEntry

KINDS = (reviews.REFUND_FAILED, reviews.DISPUTE, reviews.PAID_BEFORE)


def questions(session: Session, return_id: int) -> list[Review]:
    """The open questions about the money of the return as a whole; those about one refund are that refund's."""
    return [each for each in reviews.open_reviews(session, return_id, *KINDS) if each.refund_id is None]


def amount(session: Session, return_: Return) -> Money:
    """What no refund stands for; before the payout was planned, all that is owed."""
    if return_.payout_planned_at is None:
        return payable_quote(session, return_).total
    return Money(max(ledger.unsent(session, return_.id), 0), return_.currency)


def in_money(session: Session, return_: Return) -> Money:
    """What no refund stands for, without the bonus of a store credit that was not given: nobody gets a bonus in money."""
    open_ = amount(session, return_)
    return Money(open_.minor - _bonus_in(session, return_, open_.minor), open_.currency)


def send_left(tx: Tx, rma: str, note: str, shop: Shop) -> list[Refund]:
    """Send what the payments have by now, for instance after money was added or a refund made by hand was taken back.

    What is still short is a question again. Raises `Conflict` while a payment is disputed, or when nothing is asked.
    """
    note = read_note(note)
    return_, chain = _opened(tx, rma)
    if any(payment.disputed_at for payment in payments_of(tx.session, chain)):
        raise Conflict("A payment of this order is still disputed; sending now could pay twice.", state="disputed")
    before, short = _refunds(tx.session, return_.id), amount(tx.session, return_)
    _settle(tx, return_, note)
    payout.resume(tx, return_.id, shop)
    _end(tx, return_, "money.resumed", short - amount(tx.session, return_), note)
    known = {refund.id for refund in before}
    return [refund for refund in _refunds(tx.session, return_.id) if refund.id not in known]


def paid_elsewhere(
    tx: Tx,
    rma: str,
    note: str,
    *,
    seen_minor: int,
    above: Above = never,
    how: str = "",
    tender_order: str = "as_paid",
) -> Money:
    """Record that the customer got all of it another way, in money. ``seen_minor`` is what the person saw of `in_money`,
    ``how`` the way that the customer is told, ``tender_order`` that of `Shop.tender_order`: payments are charged as payouts are.

    What was to be the bonus of a store credit is owed no more. Raises `Conflict` when nothing is asked, or when the amount is
    another one by now, `Forbidden` when it is above the threshold ``above`` and the person had a part in the decision.
    """
    note = read_note(note)
    return_, chain = _opened(tx, rma)
    owed = in_money(tx.session, return_)
    bonus = _promised(tx, return_, seen_minor, owed).minor - owed.minor
    check_recorded_for(tx, return_.id, owed, above)
    order = tx.session.get_one(Order, return_.order_id)
    payments = {payment.id: payment for payment in payments_of(tx.session, chain)}
    pots = [Pot(each.id, each.refundable_minor) for each in payments.values() if each.currency == return_.currency]
    # What was given as store credit is nobody's to take from a payment, however much of it that has left.
    possible = min(owed.minor, payout.room(tx.session, chain, list(payments.values()))) if payments else 0
    shares, left = allocate(possible, pots, tender_order)
    beside = owed.minor - possible + left
    _settle(tx, return_, note)
    _owe_no_more(tx, return_, ledger.BONUS_LAPSED, bonus)
    for share in shares:
        payment: Payment = payments[share.payment_id]
        refund = plan_refund(tx, return_, order, payment, share.amount_minor, why=note)
        settle.paid_elsewhere(tx, refund, payment, note, how)
    if beside:
        ledger.write(
            tx, ledger.REFUNDED, "paid_elsewhere", beside, owed.currency, order_id=chain[-1], return_id=return_.id
        )
    _end(tx, return_, "money.paid_elsewhere", owed, note, how=how, beside=beside)
    return owed


def find_record(session: Session, rma: str, *, since: int) -> TimelineEntry | None:
    """What ended the question about the return's money as paid another way, if that came after the timeline's entry ``since``."""
    return_ = get_return(session, rma)
    if questions(session, return_.id):
        return None
    query = select(TimelineEntry).where(TimelineEntry.return_id == return_.id, TimelineEntry.id > since)
    return session.scalar(
        query.where(TimelineEntry.what == "money.paid_elsewhere").order_by(TimelineEntry.id.desc()).limit(1)
    )


def close(tx: Tx, rma: str, note: str, *, seen_minor: int) -> Money:
    """Nothing more is owed: the bank has paid the customer, or both have agreed. ``seen_minor`` as in `paid_elsewhere`. What a
    dispute has held back for an exchange is not sent any more.

    Raises `Conflict` too while a refund of the return is prepared or under way: that one is ended first.
    """
    note = read_note(note)
    return_, chain = _opened(tx, rma)
    open_ = [refund for refund in _refunds(tx.session, return_.id) if refund.status in lifecycle.OPEN]
    if open_:
        raise Conflict(
            f"Refund {open_[0].public_id} of this return is not at its end yet. Record there how it was paid, or wait.",
            state=open_[0].status,
        )
    owed = _promised(tx, return_, seen_minor, amount(tx.session, return_))
    bonus = _bonus_in(tx.session, return_, owed.minor)
    disputed = any(each.kind == reviews.DISPUTE for each in questions(tx.session, return_.id))
    _settle(tx, return_, note)
    _owe_no_more(tx, return_, ledger.WAIVED, owed.minor - bonus)
    _owe_no_more(tx, return_, ledger.BONUS_LAPSED, bonus)
    if any(payment.disputed_at for payment in payments_of(tx.session, chain)):
        # The bank has taken back what was paid for the article, too.
        exchange.release(tx, return_.id)
    _end(tx, return_, "money.waived", owed, note, disputed=disputed)
    return owed


def _opened(tx: Tx, rma: str) -> tuple[Return, list[int]]:
    return_, chain = lock_return(tx.session, get_return(tx.session, rma).id)
    if not questions(tx.session, return_.id):
        raise Conflict("Nothing about this return's money is open. Nothing was changed.", state=return_.status)
    if return_.status not in returns.HOLDING - returns.UNDECIDED:
        raise Conflict("This return is not agreed, so nothing is owed for it.", state=return_.status)
    return return_, chain


def _bonus_in(session: Session, return_: Return, open_minor: int) -> int:
    """How much of what is open is the bonus of a store credit that was not given. It lapses once, however often a rest opens."""
    if payout.is_credit_over(session, return_.id):
        return 0
    quote = payable_quote(session, return_)
    return min(quote.bonus_minor, quote.credit_total.minor, open_minor)


def _owe_no_more(tx: Tx, return_: Return, kind: str, minor: int) -> None:
    if minor:
        ledger.write(tx, ledger.OWED, kind, -minor, return_.currency, order_id=return_.order_id, return_id=return_.id)


def _promised(tx: Tx, return_: Return, seen_minor: int, shown: Money) -> Money:
    """What is open, promised on the ledger if it was not yet. ``shown`` is what the person should have seen."""
    owed = amount(tx.session, return_)
    if shown.minor != seen_minor:
        raise Conflict("The amount has changed since you saw it. Nothing was saved. Look again.", state="changed")
    if return_.payout_planned_at is None:
        return_.payout_planned_at = tx.at
        tx.session.flush()
        payout.write_owed(tx, return_, payable_quote(tx.session, return_))
    return owed


def _settle(tx: Tx, return_: Return, note: str) -> None:
    for review in questions(tx.session, return_.id):
        reviews.settle(tx, review, reviews.SETTLED, note=note)


def _end(tx: Tx, return_: Return, what: str, owed: Money, note: str, **more: Any) -> None:
    data = {"amount": owed.minor, "currency": owed.currency, **more}
    timeline.record(tx, what, return_id=return_.id, order_id=return_.order_id, why=note, data=data)


def _refunds(session: Session, return_id: int) -> list[Refund]:
    return list(session.scalars(select(Refund).where(Refund.return_id == return_id).order_by(Refund.id)))
