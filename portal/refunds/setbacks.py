"""What went wrong with the money of a return, as the badges of pages and lists say it.

In: returns. Out: `lifecycle.FAILED`, `DELAYED` or nothing. Invariants: a return's page and a list of many say the same; a list
costs one query. Never: a text for a person.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import case, exists, func, select
from sqlalchemy.orm import Session, aliased

from portal.refunds import ledger, lifecycle
from portal.refunds.models import LedgerEntry, Refund
from portal.refunds.queries import MoneyView
from portal.returns import lifecycle as returns
from portal.returns.models import Return

DELAYED = "delayed"
"""Some of a return's money is on no way, or had arrived, came back and is under way again; where a refund has failed and nothing
took its place, it is `lifecycle.FAILED`."""


def setback(return_: Return, money: MoneyView) -> str:
    """`lifecycle.FAILED` or `DELAYED` of the money of one return; empty while it goes as it should."""
    if money.planned_at is None:
        return ""
    lost = any(piece.state == "held" for piece in money.pieces)
    return _setback(return_, money.open.minor, money.under_way.minor, lost=lost)


def setbacks(session: Session, returns_: Iterable[Return]) -> dict[int, str]:
    """The `setback` of each of these returns that has one, by its id: one query, or none."""
    planned = {each.id: each for each in returns_ if each.payout_planned_at is not None}
    if not planned:
        return {}
    later = aliased(Refund)
    lost = exists().where(
        Refund.return_id == LedgerEntry.return_id,
        Refund.status.in_(lifecycle.LOST),
        Refund.failure_code.not_in(lifecycle.DECIDED_ANEW),
        ~exists().where(later.replaces_id == Refund.id),
    )
    minor = LedgerEntry.amount_minor
    under_way = case((LedgerEntry.account == ledger.RESERVED, minor), else_=0)
    open_ = case((LedgerEntry.account == ledger.OWED, minor), else_=-minor) + under_way
    query = (
        select(LedgerEntry.return_id, func.sum(open_), func.sum(under_way), lost)
        .where(LedgerEntry.return_id.in_(planned))
        .group_by(LedgerEntry.return_id)
    )
    found = {
        return_id: _setback(planned[return_id], int(left), int(moving), lost=failed)
        for return_id, left, moving, failed in session.execute(query)
    }
    return {return_id: word for return_id, word in found.items() if word}


def _setback(return_: Return, open_minor: int, under_way_minor: int, *, lost: bool) -> str:
    if return_.status in returns.ENDED or open_minor <= 0:
        return ""
    if lost:
        return lifecycle.FAILED
    # A return is closed once everything had arrived: what is open of it then has come back.
    return DELAYED if return_.status == returns.CLOSED or open_minor > under_way_minor else ""
