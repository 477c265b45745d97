"""The ledger: money that moved or was promised, as rows that are only ever added.

In: one `write` per movement, in the transaction of its cause. Out: sums. Invariants: for every payment the sum of its
``reserved`` and ``refunded`` rows that the portal caused is its ``refunding_minor``; what a return is owed less what was
refunded and credited is what is still open. Never: an update or a delete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, case, func, select
from sqlalchemy.orm import Session

from portal.db import Tx
from portal.refunds import lifecycle
from portal.refunds.models import LedgerEntry, Refund
from portal.refunds.tenders import BY_HAND
from portal.returns.models import Return
from portal.timeline import TimelineEntry

OWED, RESERVED, REFUNDED, STORE_CREDIT = "owed", "reserved", "refunded", "store_credit"
ACCOUNTS = (OWED, RESERVED, REFUNDED, STORE_CREDIT)
WAIVED, BONUS_LAPSED = "waived", "bonus_lapsed"
"""Kinds of owed that staff ended: prices that are closed unpaid, and the bonus of a store credit that was not given."""


def write(
    tx: Tx,
    account: str,
    kind: str,
    amount_minor: int,
    currency: str,
    *,
    order_id: int,
    return_id: int | None = None,
    payment_id: int | None = None,
    refund_id: int | None = None,
    credit_id: int | None = None,
    cause: str = "",
) -> None:
    """Add one row; ``amount_minor`` is positive towards the customer. ``cause`` defaults to who acts."""
    tx.write(
        LedgerEntry,
        at=tx.at,
        order_id=order_id,
        return_id=return_id,
        payment_id=payment_id,
        refund_id=refund_id,
        credit_id=credit_id,
        account=account,
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        cause=(cause or f"{tx.actor.kind}: {tx.actor.name}")[:120],
    )


def write_owed(tx: Tx, parts: Iterable[tuple[str, int, str]], currency: str, *, order_id: int, return_id: int) -> None:
    """Add what a return is owed, part by part: (kind, amount in minor units, cause). One statement, however many there are."""
    common = {"at": tx.at, "order_id": order_id, "return_id": return_id, "account": OWED, "currency": currency}
    tx.write_all(
        LedgerEntry,
        [
            {**common, "kind": kind, "amount_minor": amount_minor, "cause": cause[:120]}
            for kind, amount_minor, cause in parts
        ],
    )


def write_refund(tx: Tx, refund: Refund, order_id: int, account: str, kind: str, amount_minor: int) -> None:
    """Add one row about ``refund``."""
    write(
        tx,
        account,
        kind,
        amount_minor,
        refund.currency,
        order_id=order_id,
        return_id=refund.return_id,
        payment_id=refund.payment_id,
        refund_id=refund.id,
        cause=f"{refund.public_id}, {tx.actor.name}",
    )


# Entries are written at once, so these may be read past the session's own objects; credits are flushed first.
_SUMS = (
    select(LedgerEntry.account, LedgerEntry.kind, func.sum(LedgerEntry.amount_minor))
    .where(LedgerEntry.return_id == bindparam("return_id"))
    .group_by(LedgerEntry.account, LedgerEntry.kind)
)
_CARRIED = select(func.sum(LedgerEntry.amount_minor)).where(
    LedgerEntry.order_id == bindparam("order_id"), LedgerEntry.account == OWED, LedgerEntry.kind == "carried"
)


def sums(session: Session, return_id: int) -> Counter[tuple[str, str]]:
    """What was written for one return, by account and kind, in minor units: one query."""
    found = session.connection().execute(_SUMS, {"return_id": return_id})
    return Counter({(account, kind): int(total) for account, kind, total in found})


def balances(session: Session, return_id: int) -> dict[str, int]:
    """The sum of each account for one return, in minor units; accounts without rows are 0."""
    return balances_of(sums(session, return_id))


def balances_of(found: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """The same of `sums` that are known."""
    return {name: sum(total for (account, _kind), total in found.items() if account == name) for name in ACCOUNTS}


def of_order(session: Session, order_id: int) -> list[tuple[LedgerEntry, str | None, str | None]]:
    """Every row of an order, oldest first, with the numbers of the return and the refund it is about: one query."""
    query = (
        select(LedgerEntry, Return.rma, Refund.public_id)
        .outerjoin(Return, Return.id == LedgerEntry.return_id)
        .outerjoin(Refund, Refund.id == LedgerEntry.refund_id)
        .where(LedgerEntry.order_id == order_id)
        .order_by(LedgerEntry.id)
    )
    return [(entry, rma, refund) for entry, rma, refund in session.execute(query)]


def unsent(session: Session, return_id: int) -> int:
    """What is owed for the return and neither paid, nor promised, nor the matter of a refund that failed and waits for staff."""
    found = balances(session, return_id)
    later = select(Refund.replaces_id).where(Refund.replaces_id.is_not(None))
    query = select(func.sum(Refund.amount_minor)).where(
        Refund.return_id == return_id,
        Refund.status.in_(lifecycle.LOST),
        # What was taken back, or given up, is owed anew: by the next decision, or with the rest of the return.
        Refund.failure_code.not_in(lifecycle.DECIDED_ANEW),
        Refund.id.not_in(later),
    )
    waiting = int(session.scalar(query) or 0)
    return found[OWED] - found[REFUNDED] - found[STORE_CREDIT] - found[RESERVED] - waiting


def ended(session: Session, return_id: int) -> dict[str, int]:
    """What of a return's prices, and of its bonus, is owed no more because staff have ended it; never negative."""
    found = sums(session, return_id)
    return {kind: -found[OWED, kind] for kind in (WAIVED, BONUS_LAPSED)}


def waived_and_arrived(session: Session, return_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Of each of these returns, by its id: what was closed unpaid, what was refunded and what became store credit."""
    minor = LedgerEntry.amount_minor
    waived = func.sum(case((LedgerEntry.kind == WAIVED, -minor), else_=0))
    refunded, credited = (
        func.sum(case((LedgerEntry.account == account, minor), else_=0)) for account in (REFUNDED, STORE_CREDIT)
    )
    query = select(LedgerEntry.return_id, waived, refunded, credited).group_by(LedgerEntry.return_id)
    found = session.execute(query.where(LedgerEntry.return_id.in_(return_ids)))
    return {each: (int(gone), int(paid), int(credit)) for each, gone, paid, credit in found}


def paid_beside_return(session: Session, return_id: int) -> list[tuple[datetime, int, str]]:
    """When staff paid for the return what no payment of it had left, how much, and by which way: one of `tenders.BY_HAND`."""
    said = and_(
        TimelineEntry.return_id == LedgerEntry.return_id,
        TimelineEntry.at == LedgerEntry.at,
        TimelineEntry.what == "money.paid_elsewhere",
    )
    query = (
        select(LedgerEntry.at, LedgerEntry.amount_minor, TimelineEntry.data)
        .outerjoin(TimelineEntry, said)
        .where(LedgerEntry.return_id == return_id, LedgerEntry.account == REFUNDED, LedgerEntry.refund_id.is_(None))
        .order_by(LedgerEntry.id)
    )
    return [(at, minor, (data or {}).get("how") or BY_HAND[0]) for at, minor, data in session.execute(query)]


def paid_beside(session: Session, order_ids: list[int]) -> int:
    """What staff paid for these orders although no payment of theirs had it left."""
    query = select(func.sum(LedgerEntry.amount_minor)).where(
        LedgerEntry.order_id.in_(order_ids), LedgerEntry.account == REFUNDED, LedgerEntry.payment_id.is_(None)
    )
    return int(session.scalar(query) or 0)


def carried(session: Session, order_id: int) -> int:
    """What earlier payouts of the order could not pay because the service counts in larger steps; paid with the next one."""
    return -int(session.connection().scalar(_CARRIED, {"order_id": order_id}) or 0)
