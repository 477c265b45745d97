"""The payout: what a return's frozen quote owes becomes refunds, store credit and replacement goods. Once.

In: a moment of the return's life (authorized, in_transit, received, inspected). Out: committed rows, nothing called.
Invariants: planned once per return, under the order's lock; the ledger's owed rows are the quote's parts; shares sum to what
is owed, and what no payment can cover is a question for staff with its exact amount, never silently less.
Never: a payout while a question about the return is open; a refund that together with credits exceeds what was captured.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.jobs import Job
from portal.money import Money
from portal.orders.models import Order, Payment
from portal.policy.quote import Quote
from portal.refunds import credit, exchange, ledger
from portal.refunds.allocation import Pot, allocate, step_of
from portal.refunds.models import Refund, StoreCredit
from portal.refunds.planning import plan_refund
from portal.refunds.settle import DECIDE_WITHIN
from portal.refunds.tenders import families_of, is_stripe, lock_return, order_chain, payments_of
from portal.returns import lifecycle as returns
from portal.returns.decisions import close
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, keeps_item, payable_quote
from portal.reviews import service as reviews
from portal.shop import Shop
from portal.timeline import TimelineEntry
from portal.wording import said

MOMENTS = ("authorized", "in_transit", "received", "inspected")
# Questions about money that is under way already: they hold nothing else back.
MONEY_KINDS = frozenset(
    {"refund_failed", "refund_unknown", "pay_elsewhere", "balance_low", "daily_cap", "second_person", "refund_late"}
)


def plan_when_due(tx: Tx, return_id: int, moment: str, shop: Shop) -> None:
    """Write the refunds, credit and replacement order that are due once the return has reached ``moment``.

    Nothing happens while a question about the return is open, before the moment its policy names, or a second time.
    """
    known = tx.session.get_one(Return, return_id)
    if known.payout_planned_at is None and not _is_due(known, moment) and not _goods_are_in(known, moment):
        # Most returns are paid on receipt: booking one asks nothing further.
        return
    return_, chain = lock_return(tx.session, return_id)
    if return_.status not in returns.HOLDING - returns.UNDECIDED or _is_held_back(tx, return_id):
        return
    if return_.payout_planned_at is None and _is_frozen(tx, return_, chain, shop):
        return
    if exchange.has_held(tx.session, return_id) and _goods_are_in(return_, moment):
        exchange.order_replacements(tx, return_id)
    if return_.payout_planned_at is None and _is_due(return_, moment):
        _plan(tx, return_, chain, shop)
    close_when_settled(tx, return_id)


def resume(tx: Tx, return_id: int, shop: Shop) -> None:
    """Plan what became due while a question about the return was open. Called when such a question is settled."""
    return_, _chain = lock_return(tx.session, return_id)
    planned_before = return_.payout_planned_at is not None
    if return_.status in MOMENTS:
        plan_when_due(tx, return_id, return_.status, shop)
    if planned_before:
        plan_rest(tx, return_id, shop)


def send_replacements(tx: Tx, return_id: int, shop: Shop) -> None:
    """Send what is held for an exchange although staff have ended the question about the money, which had held it back.

    While a chargeback is open it waits on, and that is asked anew.
    """
    return_, chain = lock_return(tx.session, return_id)
    if return_.status not in MOMENTS or not _goods_are_in(return_, return_.status) or _is_held_back(tx, return_id):
        return
    if exchange.has_held(tx.session, return_id) and not _is_frozen(tx, return_, chain, shop):
        exchange.order_replacements(tx, return_id)


def plan_rest(tx: Tx, return_id: int, shop: Shop) -> list[Refund]:
    """Send what was owed and could not be sent, for instance because of a dispute that ended well. Gives the refunds written.

    Each part goes into what was agreed: what is owed as store credit becomes that, with its bonus, and never a refund.
    A refund that failed is not sent again by this: staff retry it, or pay it by another way.
    """
    return_, chain = lock_return(tx.session, return_id)
    if return_.payout_planned_at is None or _is_held_back(tx, return_id):
        return []
    rest = ledger.unsent(tx.session, return_id)
    if rest <= 0:
        return []
    for review in reviews.open_reviews(tx.session, return_id, "refund_failed"):
        if review.refund_id is None:
            reviews.settle(tx, review, reviews.SETTLED, note="Sent now, as far as the payments reach.")
    quote = payable_quote(tx.session, return_)
    as_credit = 0 if is_credit_over(tx.session, return_id) else min(max(quote.credit_total.minor, 0), rest)
    _plan_credit(tx, return_, chain, as_credit, min(quote.bonus_minor, as_credit))
    refunds = _plan_refunds_and_carry(tx, return_, chain, rest - as_credit, shop)[0] if rest > as_credit else []
    close_when_settled(tx, return_id)
    return refunds


def is_credit_over(session: Session, return_id: int) -> bool:
    """Whether the store credit of the return was given, or ended with all else that was open: what opens later is money."""
    ended = select(TimelineEntry.id).where(
        TimelineEntry.return_id == return_id, TimelineEntry.what.in_(("money.waived", "money.paid_elsewhere"))
    )
    return credit.find_credit(session, return_id) is not None or session.scalar(ended.limit(1)) is not None


def close_when_settled(tx: Tx, return_id: int) -> None:
    """Close the return once goods are in and all of its money has arrived."""
    return_ = tx.session.get_one(Return, return_id)
    if return_.payout_planned_at is None or return_.status not in returns.MOVES[returns.CLOSE]:
        return
    if return_.status in returns.TRAVELLING and not _nothing_comes(return_):
        return
    if exchange.has_held(tx.session, return_id):
        return
    tx.session.flush()
    sums = ledger.balances(tx.session, return_id)
    if sums[ledger.RESERVED] or sums[ledger.OWED] != sums[ledger.REFUNDED] + sums[ledger.STORE_CREDIT]:
        return
    close(tx, return_)


def _is_held_back(tx: Tx, return_id: int) -> bool:
    return any(review.kind not in MONEY_KINDS for review in reviews.open_reviews(tx.session, return_id))


_DISPUTED = (
    select(Payment.payment_intent)
    .where(Payment.order_id.in_(bindparam("chain", expanding=True)), Payment.disputed_at.is_not(None))
    .limit(1)
)


def _is_frozen(tx: Tx, return_: Return, chain: list[int], shop: Shop) -> bool:
    """A chargeback is open on the money of this return: nothing leaves in any form until it has ended, and staff know."""
    disputed = tx.session.connection().execute(_DISPUTED, {"chain": chain}).one_or_none()
    if disputed is None:
        return False
    if not reviews.open_reviews(tx.session, return_.id, reviews.DISPUTE):
        timeline.record(
            tx, "review.opened", return_id=return_.id, order_id=return_.order_id, why="A chargeback is open."
        )
    reviews.open_review(
        tx,
        kind=reviews.DISPUTE,
        why="A chargeback is open on the payment of this order, so nothing is paid twice: refund, credit and exchange wait.",
        return_id=return_.id,
        data={"payment_intent": disputed.payment_intent},
        due_at=tx.at + timedelta(hours=shop.decide_within_hours),
    )
    return True


def _lines(return_: Return) -> list[ReturnLine]:
    return [line for line in return_.lines if line.status in COUNTING]


def _nothing_comes(return_: Return) -> bool:
    """The customer keeps everything, so no parcel is waited for."""
    lines = _lines(return_)
    return bool(lines) and all(keeps_item(line) for line in lines)


def _is_due(return_: Return, moment: str) -> bool:
    return _nothing_comes(return_) or MOMENTS.index(moment) >= MOMENTS.index(return_.refund_when)


def _goods_are_in(return_: Return, moment: str) -> bool:
    """Replacements follow the goods, also where money goes ahead of them; an inspection is waited for."""
    needed = max(MOMENTS.index(return_.refund_when), MOMENTS.index("received"))
    return _nothing_comes(return_) or MOMENTS.index(moment) >= needed


def _plan(tx: Tx, return_: Return, chain: list[int], shop: Shop) -> None:
    quote = payable_quote(tx.session, return_)
    return_.payout_planned_at = tx.at
    tx.session.flush()
    write_owed(tx, return_, quote)
    # Credit first: it is certain and takes its part of the ceiling.
    given = _plan_credit(tx, return_, chain, quote.credit_total.minor, quote.bonus_minor)
    _refunds, sent = _plan_refunds_and_carry(tx, return_, chain, quote.refund_total.minor, shop)
    timeline.record(
        tx,
        "payout.planned",
        return_id=return_.id,
        order_id=return_.order_id,
        data={"refund": sent, "credit": given, "currency": return_.currency},
    )


def _plan_refunds_and_carry(
    tx: Tx, return_: Return, chain: list[int], owed: int, shop: Shop
) -> tuple[list[Refund], int]:
    """The refunds of ``owed`` and of what earlier payouts of the order left over; also what is due of both now.

    What makes no whole step of the service is left over for the order's next payout, on the ledger.
    """
    brought = ledger.carried(tx.session, chain[-1])
    amount = owed + brought
    refunds, carry = _plan_refunds(tx, return_, chain, max(amount, 0), shop)
    if brought != carry:
        ledger.write(
            tx,
            ledger.OWED,
            "carried",
            brought - carry,
            return_.currency,
            order_id=chain[-1],
            return_id=return_.id,
        )
    return refunds, amount - carry


def write_owed(tx: Tx, return_: Return, quote: Quote) -> None:
    """Promise what the quote owes, part by part, on the ledger."""
    parts = (
        (
            part.kind,
            part.amount_minor,
            f"{return_.rma}, {'line ' + part.line if part.line else 'whole return'}, {part.into}",
        )
        for part in quote.all_parts()
        if part.amount_minor
    )
    ledger.write_owed(tx, parts, quote.currency, order_id=return_.order_id, return_id=return_.id)


def _plan_credit(tx: Tx, return_: Return, chain: list[int], total: int, bonus: int) -> int:
    """Give ``total`` as store credit, ``bonus`` of it on top of what was paid; all of it or, with a question, nothing."""
    if total <= 0:
        return 0
    payments = payments_of(tx.session, chain)
    if _is_undecided(tx.session, payments):
        why = "The payment has several rows here, and Stripe has not said yet what was captured of it."
        ask_about_shortage(tx, return_, total - bonus, frozen=False, cause=why)
        return 0
    left = room(tx.session, chain, payments)
    if total - bonus > left:
        ask_about_shortage(tx, return_, total - bonus - left, frozen=False)
        return 0
    credit.issue(tx, return_, total, bonus)
    return total


def _is_undecided(session: Session, payments: list[Payment]) -> bool:
    """Whether several rows, of one order or of more, name a payment that Stripe was not asked about yet: together they may say
    more than was captured, and of credit, unlike of a refund, Stripe never hears."""
    intents = [payment.payment_intent for payment in payments if is_stripe(payment)]
    if not intents:
        return False
    rows = select(Payment.payment_intent).where(Payment.payment_intent.in_(intents)).group_by(Payment.payment_intent)
    shared = session.scalars(rows.having(func.count(Payment.id) > 1)).all()
    waiting = select(Job.id).where(
        Job.name == "look_at_captured",
        Job.state.in_(("ready", "running")),
        Job.args["payment_intent"].as_string().in_(shared),
    )
    return bool(shared) and session.scalar(waiting.limit(1)) is not None


_THESE = families_of(Order.id == bindparam("root")).c.id
_LEFT_AND_CREDITED = select(
    select(func.sum(Payment.captured_minor - Payment.refunding_minor - Payment.refunded_elsewhere_minor))
    .where(Payment.order_id.in_(select(_THESE)))
    .scalar_subquery(),
    select(func.sum(StoreCredit.amount_minor - StoreCredit.bonus_minor))
    .where(StoreCredit.order_id.in_(select(_THESE)))
    .scalar_subquery(),
)


def room(session: Session, chain: list[int], payments: list[Payment]) -> int:
    """What may still be given back for these orders in any form. Where no payment is known, the order's total counts.

    Credit counts wherever it was given in the family: a replacement order lives on the payments of the order it replaces.
    """
    left_of_all, credited = _left_and_credited(session, chain[-1])
    if not payments:
        total = session.get_one(Order, chain[-1]).total_minor
        return max(total - ledger.paid_beside(session, chain) - credited, 0)
    left = sum(payment.refundable_minor for payment in payments)
    return max(min(left, left_of_all - credited), 0)


def _left_and_credited(session: Session, root_id: int) -> tuple[int, int]:
    """What all payments of the order and its replacements still have, and what was given as credit in place of money."""
    session.flush()
    left, credited = session.connection().execute(_LEFT_AND_CREDITED, {"root": root_id}).one()
    return int(left or 0), int(credited or 0)


def check_captured(session: Session, order_id: int) -> None:
    """Raises `Conflict`, naming the order, when more was given back or promised for it than its payments captured."""
    chain = order_chain(session, order_id)
    left, credited = _left_and_credited(session, chain[-1])
    short = credited - left
    if payments_of(session, chain) and short > 0:
        order = session.get_one(Order, order_id)
        raise Conflict(
            f"{order.number}: its payments can't have captured {said(Money(short, order.currency))} less than was given back, "
            "store credit included. Nothing of it was changed.",
            state="captured",
        )


def _plan_refunds(tx: Tx, return_: Return, chain: list[int], amount: int, shop: Shop) -> tuple[list[Refund], int]:
    """Write the refunds of ``amount``. Also gives what has to wait for the order's next payout to make a whole step.

    What can be paid is paid; the rest becomes a question with its amount, because the customer should not wait for the
    certain part until staff have found the uncertain one.
    """
    if amount <= 0:
        return [], 0
    payments = payments_of(tx.session, chain)
    usable = [payment for payment in payments if payment.disputed_at is None and payment.currency == return_.currency]
    pots = [
        Pot(
            payment.id,
            payment.refundable_minor,
            step_of(payment.currency) if is_stripe(payment) else 1,
        )
        for payment in usable
    ]
    possible = min(amount, room(tx.session, chain, payments) if payments else 0)
    shares, left = allocate(possible, pots, shop.tender_order)
    step = max((pot.step for pot in pots), default=1)
    # Less than one step is no shortage: it is paid with the order's next return, and with the last one nothing is left.
    carry = left if possible == amount and left < step else 0
    by_id = {payment.id: payment for payment in usable}
    order = tx.session.get_one(Order, return_.order_id)
    refunds = [plan_refund(tx, return_, order, by_id[share.payment_id], share.amount_minor) for share in shares]
    short = amount - carry - sum(share.amount_minor for share in shares)
    if short:
        ask_about_shortage(tx, return_, short, frozen=any(payment.disputed_at for payment in payments))
    return refunds, carry


def ask_about_shortage(tx: Tx, return_: Return, short_minor: int, *, frozen: bool, cause: str = "") -> None:
    """Put the question about money of the return that no refund stands for, or its new amount where it is open already."""
    short = said(Money(short_minor, return_.currency))
    cause = cause or (
        "A payment of this order is disputed and nothing can be sent to it."
        if frozen
        else "The payments of this order have less left: part of it was refunded elsewhere, or no payment is known."
    )
    reviews.open_review(
        tx,
        kind=reviews.DISPUTE if frozen else reviews.REFUND_FAILED,
        why=f"{short} of what the customer is owed could not be sent. {cause}",
        fact="short",
        return_id=return_.id,
        data={"short": {"amount": short_minor, "currency": return_.currency}},
        due_at=tx.at + DECIDE_WITHIN,
    )
