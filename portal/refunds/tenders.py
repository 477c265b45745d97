"""The payments that a return's money can go back to, and the lock that makes decisions about them one at a time.

In: a return or a refund. Out: its rows, read after the lock. Invariants: whoever changes money of an order holds the order's
row first, a replacement order's before the one it replaces; so two payouts never read the same "left", and no two wait for
each other. Never: a payment of another customer's order.
"""

from __future__ import annotations

from sqlalchemy import CTE, ColumnElement, bindparam, func, inspect, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.util import identity_key

from portal.errors import NotFound
from portal.orders.models import Order, Payment
from portal.refunds.lifecycle import HOLDING
from portal.refunds.models import Goodwill, Refund
from portal.returns.holding import held_orders, read_behind_lock
from portal.returns.models import Return


def is_stripe(payment: Payment) -> bool:
    """True when the portal itself can send money back to it."""
    return payment.provider == "stripe" and bool(payment.payment_intent)


BY_HAND = ("other", "bank", "cash", "gift_card", "paypal")
"""The ways by which staff pay a customer themselves; the first is true of every one."""


def paid_with(refund: Refund) -> tuple[str, str]:
    """Method and provider of what brought the money, or is to bring it: the payment's own, unless staff paid another way.

    The payment of ``refund`` is loaded.
    """
    return (
        ("", refund.paid_elsewhere_how)
        if refund.paid_elsewhere_how
        else (refund.payment.method, refund.payment.provider)
    )


_TENDERS = {"bank": "Bank transfer", "cod": "Cash on delivery", "paypal": "PayPal", "other": "Another way"}


def tender_name(method: str, provider: str) -> str:
    """What a payment was made with, as the trade says it: the card or account, else the provider's name as a word."""
    if method:
        return method
    name = _TENDERS.get(provider.casefold(), provider.replace("_", " "))
    return name[:1].upper() + name[1:]


def order_chain(session: Session, order_id: int) -> list[int]:
    """The order and, for a replacement, the orders it goes back to; the last one took the money."""
    chain = [order_id]
    known = session.identity_map.get(identity_key(Order, order_id))
    if (
        isinstance(known, Order)
        and "replaces_return_id" not in inspect(known).unloaded
        and not known.replaces_return_id
    ):
        return chain
    while True:
        query = select(Return.order_id).join(Order, Order.replaces_return_id == Return.id).where(Order.id == chain[-1])
        parent = session.scalar(query)
        if parent is None or parent in chain:
            return chain
        chain.append(parent)


def families_of(*which: ColumnElement[bool]) -> CTE:
    """The orders that meet ``which`` (``root``), each with itself and every replacement order whose money is its (``id``), for
    use inside a query."""
    family = select(Order.id.label("root"), Order.id.label("id")).where(*which).cte("family", recursive=True)
    return family.union(
        select(family.c.root, Order.id)
        .join(Return, Return.id == Order.replaces_return_id)
        .join(family, family.c.id == Return.order_id)
    )


_FAMILY = select(families_of(Order.id == bindparam("root")).c.id)


def order_family(session: Session, order_id: int) -> list[int]:
    """The order and every replacement order whose money is this order's, however often goods were exchanged."""
    return list(session.scalars(_FAMILY, {"root": order_id}))


_LOCK = select(Order.id).where(Order.id == bindparam("id")).with_for_update()


def lock_orders(session: Session, order_ids: list[int]) -> None:
    """Hold these orders until the transaction ends; newest first, which is the way from replacement to origin.

    What the caller has changed so far is written first, because rows are read anew behind the lock.
    """
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        # Its one write lock, with which every command begins, holds all orders.
        held_orders(session).update(order_ids)
    for order_id in sorted(set(order_ids) - held_orders(session), reverse=True):
        connection.execute(_LOCK, {"id": order_id})
        held_orders(session).add(order_id)


def lock_return(session: Session, return_id: int) -> tuple[Return, list[int]]:
    """The return, fresh, with all orders of its money held. Also gives those orders' ids, its own first.

    A return that this very command has read behind the lock of its order is fresh already and costs no query.
    """
    known = read_behind_lock(session).get(return_id)
    if known is not None:
        chain = order_chain(session, known.order_id)
        lock_orders(session, chain)
        return known, chain
    order_id = session.scalar(select(Return.order_id).where(Return.id == return_id))
    if order_id is None:
        raise NotFound("There is no such return.")
    chain = order_chain(session, order_id)
    lock_orders(session, chain)
    return_ = session.get_one(Return, return_id, populate_existing=True)
    read_behind_lock(session)[return_id] = return_
    return return_, chain


_ORDERS_OF_REFUND = (
    select(Payment.order_id, Order.id, Order.replaces_return_id)
    .select_from(Refund)
    .join(Payment, Payment.id == Refund.payment_id)
    .outerjoin(Return, Return.id == Refund.return_id)
    .outerjoin(Goodwill, Goodwill.id == Refund.goodwill_id)
    .join(Order, Order.id == func.coalesce(Return.order_id, Goodwill.order_id, Payment.order_id))
    .where(Refund.id == bindparam("id"))
)
_REFUND = (
    select(Refund, Payment)
    .join(Payment, Payment.id == Refund.payment_id)
    .where(Refund.id == bindparam("id"))
    .execution_options(populate_existing=True)
)


def lock_refund(session: Session, refund_id: int) -> tuple[Refund, Payment]:
    """The refund and its payment, fresh, with all orders of its money held: a sibling of it may be on another one's payment."""
    found = session.connection().execute(_ORDERS_OF_REFUND, {"id": refund_id}).one_or_none()
    if found is None:
        raise NotFound("There is no such refund.")
    of_payment, about, replaces = found
    lock_orders(session, [of_payment, about] if replaces is None else [of_payment, *order_chain(session, about)])
    refund, payment = session.execute(_REFUND, {"id": refund_id}).one()
    return refund, payment


def lock_payment(session: Session, payment_id: int) -> Payment:
    """The payment, fresh, with its order held."""
    order_id = session.scalar(select(Payment.order_id).where(Payment.id == payment_id))
    if order_id is None:
        raise NotFound("There is no such payment.")
    lock_orders(session, [order_id])
    return session.get_one(Payment, payment_id, populate_existing=True)


def lock_payment_and_family(session: Session, payment_id: int) -> tuple[Payment, list[int]]:
    """The payment, fresh, with every order held whose money it is; also gives those orders' ids."""
    order_id = session.scalar(select(Payment.order_id).where(Payment.id == payment_id))
    if order_id is None:
        raise NotFound("There is no such payment.")
    family = order_family(session, order_id)
    lock_orders(session, family)
    return session.get_one(Payment, payment_id, populate_existing=True), family


_PAYMENTS = (
    select(Payment)
    .where(Payment.order_id.in_(bindparam("chain", expanding=True)))
    .order_by(Payment.order_id, Payment.position)
    .execution_options(populate_existing=True)
)


def payments_of(session: Session, chain: list[int]) -> list[Payment]:
    """The payments of these orders, in the order in which they were paid, origin first, read now."""
    return list(session.scalars(_PAYMENTS, {"chain": chain}))


def find_payments(session: Session, payment_intent: str) -> list[Payment]:
    """The payments that stand for this intent; more than one when an order was split by its source."""
    query = select(Payment).where(Payment.payment_intent == payment_intent).order_by(Payment.id)
    return list(session.scalars(query))


def count_elsewhere(session: Session, payment: Payment) -> None:
    """Count anew what went back of the payment by other hands: what Stripe lists or what the shop's system says, the larger.

    Never beyond what is left: somebody can refund by hand at Stripe what staff have paid by bank, or an order can be imported
    with less than was captured. The nightly report names that. The caller holds the order's lock.
    """
    session.flush()
    listed = session.scalar(
        select(func.sum(Refund.amount_minor)).where(
            Refund.payment_id == payment.id, Refund.cause == "elsewhere", Refund.status.in_(HOLDING)
        )
    )
    known = max(int(listed or 0), payment.refunded_at_source_minor)
    payment.refunded_elsewhere_minor = min(known, payment.captured_minor - payment.refunding_minor)
    session.flush()
