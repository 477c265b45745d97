"""Goodwill: money that staff give without a return, for an amount or for units of the order's lines.

In: an order, what is given, and why. Out: a `Goodwill` with a refund for each payment that it goes to; these pass the same gate
as all others. Invariants: under the order's lock, never more than its payments have left; only delivered units are paid for, and
they count as returned (rule 2 of docs/money.md) until all of it is taken back; the amount contains its tax, and that tax is kept
beside it for the credit note. Never: tax on top of what staff typed; a gift without a reason; the same form twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import ids, timeline
from portal.db import Tx
from portal.errors import Conflict, Forbidden, Invalid
from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.refunds import ledger, lifecycle, payout
from portal.refunds.actions import MAX_NOTE
from portal.refunds.allocation import Pot, allocate, step_of
from portal.refunds.models import Goodwill, GoodwillLine, Refund
from portal.refunds.planning import plan_refund
from portal.refunds.settle import GOODWILL
from portal.refunds.tenders import is_stripe, lock_orders, order_chain, order_family, payments_of
from portal.returns import units
from portal.returns.assess import held_ranges
from portal.returns.holding import lock_order
from portal.returns.models import UnitRange
from portal.shop import Shop
from portal.wording import said


@dataclass(frozen=True, slots=True)
class Gift:
    """What is given: ``amount_minor`` of the order's currency, its tax included, or units of lines (line ref -> how many)."""

    amount_minor: int = 0
    lines: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    line: OrderLine
    ranges: tuple[units.Range, ...]
    worth: units.Worth


def give(
    tx: Tx, order_id: int, gift: Gift, *, reason: str, command_key: str, shop: Shop, most_minor: int | None = None
) -> Goodwill:
    """Give it. The same gift by the same ``command_key`` again gets the first answer. ``most_minor`` is the limit of who gives,
    for all that was given for the order and its replacements together.

    Raises `Invalid` naming the field, `Forbidden` above the limit, and `Conflict` when the payments have less left, a
    chargeback holds one of them, or the key has given something else.
    """
    reason = _reason(reason)
    chain = order_chain(tx.session, order_id)
    lock_orders(tx.session, chain)
    order = lock_order(tx, order_id)
    known = tx.session.scalar(select(Goodwill).where(Goodwill.command_key == command_key))
    if known is not None:
        units_given = {each.order_line.ref: each.quantity for each in known.lines}
        same_gift = (
            units_given == gift.lines if gift.lines else not units_given and known.amount_minor == gift.amount_minor
        )
        if same_gift and known.reason == reason:
            return known
        amount_given = said(Money(known.amount_minor, known.currency))
        raise Conflict(
            f"This form was used already: {amount_given} went to the customer by it. Nothing else was given."
        )
    taken = _take(tx, order, gift.lines or {})
    amount = sum(each.worth.gross_minor for each in taken) if taken else gift.amount_minor
    if amount <= 0:
        raise Invalid("Nothing would be given.", {"amount": "Enter an amount above zero, or choose items."})
    before = given(tx.session, chain, order.currency) if most_minor is not None else 0
    if most_minor is not None and before + amount > most_minor:
        most, so_much = said(Money(most_minor, order.currency)), said(Money(before, order.currency))
        so_far = f", and {so_much} were given for this order before" if before else ""
        raise Forbidden(f"Your role gives at most {most}{so_far}. Ask somebody whose role may give more.")
    tax = sum(each.worth.tax_minor for each in taken) if taken else tax_inside(order, amount)
    made = Goodwill(
        public_id=f"gw_{ids.new_code(14)}",
        order_id=order.id,
        command_key=command_key,
        amount_minor=amount,
        tax_minor=tax,
        currency=order.currency,
        reason=reason,
        given_by=tx.actor.name,
        given_at=tx.at,
    )
    tx.session.add(made)
    tx.session.flush()
    _hold(tx, made, taken)
    ledger.write(tx, ledger.OWED, GOODWILL, amount, order.currency, order_id=order.id)
    data = {"goodwill": made.public_id, "amount": amount, "currency": order.currency}
    timeline.record(tx, "goodwill.given", order_id=order.id, why=reason, data=data)
    _plan(tx, made, order, chain, shop)
    return made


def given(session: Session, chain: list[int], currency: str) -> int:
    """What was given in ``currency``, and not taken back, for an order and its replacements.

    A limit counts all of it, so that it is not passed in small steps.
    """
    query = select(func.coalesce(func.sum(Goodwill.amount_minor), 0)).where(
        Goodwill.order_id.in_(order_family(session, chain[-1])),
        Goodwill.currency == currency,
        Goodwill.ended_at.is_(None),
    )
    return int(session.scalar(query) or 0)


def tax_inside(order: Order, amount_minor: int) -> int:
    """The tax that an amount of this order contains, by the order's own frozen figures, rounded half up.

    20.00 of an order over 109.00 with 9.00 of tax contain 1.65.
    """
    total = sum(line.gross_minor for line in order.lines) + order.shipping_minor
    tax = sum(line.tax_minor for line in order.lines) + order.shipping_tax_minor
    return (2 * amount_minor * tax + total) // (2 * total) if total else 0


def end_if_all_is_back(tx: Tx, goodwill_id: int) -> None:
    """Once nothing of the gift is under way or paid, its units are the customer's again. The caller holds the order's lock."""
    tx.session.flush()
    query = select(func.count()).select_from(Refund)
    left = tx.session.scalar(query.where(Refund.goodwill_id == goodwill_id, Refund.status.in_(lifecycle.HOLDING)))
    gift = tx.session.get_one(Goodwill, goodwill_id)
    if left or gift.ended_at is not None:
        return
    gift.ended_at = tx.at
    held = select(UnitRange).join(GoodwillLine, GoodwillLine.id == UnitRange.goodwill_line_id)
    for each in tx.session.scalars(
        held.where(GoodwillLine.goodwill_id == goodwill_id, UnitRange.released_at.is_(None))
    ):
        each.released_at = tx.at
        line = tx.session.get_one(OrderLine, each.order_line_id, populate_existing=True)
        line.units_held -= each.last - each.first + 1
        tx.session.flush()


def is_delivered(line: OrderLine, at: datetime) -> bool:
    """Whether the customer has the line's units: what is given for more than these would break rule 2 of docs/money.md."""
    return line.delivered_at is not None and line.delivered_at <= at


def _take(tx: Tx, order: Order, wanted: Mapping[str, int]) -> list[_Taken]:
    by_ref = {line.ref: line for line in order.lines}
    held = held_ranges(tx.session, order.lines)
    found: list[_Taken] = []
    wrong: dict[str, str] = {}
    for ref, count in wanted.items():
        line = by_ref.get(ref)
        if line is None or count < 1:
            wrong[f"lines/{ref}"] = "The order has no such line."
            continue
        if not is_delivered(line, tx.at):
            wrong[f"lines/{ref}"] = (
                "It was not delivered, so its units can't count as returned. Give an amount instead."
            )
            continue
        free = units.free(line.quantity - line.units_gone, held.get(line.id, ()))
        if units.size(free) < count:
            wrong[f"lines/{ref}"] = f"Only {units.size(free)} are left; the others were returned or refunded."
            continue
        ranges, _left = units.take(free, count)
        found.append(_Taken(line, ranges, units.worth(line, ranges)))
    if wrong:
        raise Invalid("These items can't be given.", wrong)
    return found


def _hold(tx: Tx, made: Goodwill, taken: list[_Taken]) -> None:
    for each in taken:
        line = GoodwillLine(
            goodwill_id=made.id,
            order_line_id=each.line.id,
            quantity=units.size(each.ranges),
            gross_minor=each.worth.gross_minor,
            tax_minor=each.worth.tax_minor,
        )
        each.line.units_held += line.quantity
        tx.session.add(line)
        tx.session.flush()
        tx.session.add_all(
            UnitRange(goodwill_line_id=line.id, order_line_id=each.line.id, first=first, last=last)
            for first, last in each.ranges
        )
    tx.session.flush()


def _plan(tx: Tx, made: Goodwill, order: Order, chain: list[int], shop: Shop) -> None:
    payments = payments_of(tx.session, chain)
    if any(payment.disputed_at is not None for payment in payments):
        raise Conflict("A chargeback is open on a payment of this order. Nothing is given before it has ended.")
    usable = {payment.id: payment for payment in payments if payment.currency == order.currency}
    left = min(payout.room(tx.session, chain, payments), sum(payment.refundable_minor for payment in usable.values()))
    if made.amount_minor > left:
        raise Conflict(
            f"This order has {said(Money(max(left, 0), order.currency))} left to give back. Nothing was sent."
        )
    pots = [
        Pot(each.id, each.refundable_minor, step_of(each.currency) if is_stripe(each) else 1)
        for each in usable.values()
    ]
    shares, rest = allocate(made.amount_minor, pots, shop.tender_order)
    if rest:
        step = Money(max(pot.step for pot in pots), order.currency)
        raise Invalid("Stripe can't pay this amount.", {"amount": f"Enter a multiple of {step}."})
    so_far = 0
    for share in shares:
        before, so_far = so_far, so_far + share.amount_minor
        tax = made.tax_minor * so_far // made.amount_minor - made.tax_minor * before // made.amount_minor
        plan_refund(
            tx, None, order, usable[share.payment_id], share.amount_minor, cause=GOODWILL, why=made.reason,
            goodwill=made, tax_minor=tax,
        )  # fmt: skip


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise Invalid("Say why.", {"reason": "Write why, for your colleagues."})
    if len(text) > MAX_NOTE:
        raise Invalid("The reason is too long.", {"reason": f"Write at most {MAX_NOTE} characters."})
    return text
