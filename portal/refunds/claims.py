"""The end of a question about goods that were paid ahead and did not come, or came otherwise.

In: the return and a note. Out: the question settled; a return that still waits for goods is closed without them. Invariants: its
units stay taken, because the customer has the money; nothing is closed whose money is still under way. Never: money demanded
back, which the portal has no way to take.
"""

from __future__ import annotations

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict
from portal.money import Money
from portal.refunds import exchange, ledger
from portal.refunds.actions import read_note
from portal.refunds.tenders import lock_return
from portal.returns import lifecycle as returns
from portal.returns.decisions import close
from portal.returns.models import Return
from portal.returns.queries import get_return
from portal.reviews import service as reviews


def end(tx: Tx, rma: str, note: str) -> Return:
    """Leave it at that. Raises `Conflict` when nothing is asked, or while money of the return is not at its end."""
    note = read_note(note)
    return_, _chain = lock_return(tx.session, get_return(tx.session, rma).id)
    open_ = reviews.open_reviews(tx.session, return_.id, reviews.GOODS_MISSING)
    if not open_:
        raise Conflict("Nothing about missing goods of this return is open. Nothing was changed.", state=return_.status)
    sums = ledger.balances(tx.session, return_.id)
    paid = Money(sums[ledger.REFUNDED] + sums[ledger.STORE_CREDIT], return_.currency)
    waiting = return_.status in returns.TRAVELLING
    if waiting and return_.payout_planned_at is None:
        raise Conflict(
            "Nothing was paid for this return, or it was taken back, so it can't be left at that. Give the rest up, wait longer, "
            "or decide once the goods are here.",
            state=return_.status,
        )
    if waiting and (sums[ledger.RESERVED] or sums[ledger.OWED] != paid.minor):
        raise Conflict("Money of this return is still under way or failed. End that first.", state=return_.status)
    for review in open_:
        reviews.settle(tx, review, reviews.SETTLED, note=note)
    if waiting:
        # What came is owed its replacement; only what is held for the rest is let go.
        exchange.order_replacements(tx, return_.id)
        close(tx, return_)
    data = {"amount": paid.minor, "currency": paid.currency}
    timeline.record(tx, "claim.ended", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    return return_
