"""Store credit: money owed as a code to spend in the shop.

In: what a return is owed as credit. Out: one `StoreCredit` with its ledger row. Invariants: one credit per return; together with
refunds it never gives back more than was paid (a bonus is on top and kept apart). Never: a code that can be guessed.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from portal import ids, timeline
from portal.db import Tx
from portal.refunds import ledger
from portal.refunds.models import StoreCredit
from portal.returns.models import Return

CODE_SIGNS = 16
"""Fifteen random signs of thirty-one: more than 74 bits."""


def issue(tx: Tx, return_: Return, amount_minor: int, bonus_minor: int) -> StoreCredit:
    """Give ``amount_minor`` as store credit, ``bonus_minor`` of it on top of what was paid. Once per return."""
    found = find_credit(tx.session, return_.id)
    if found is not None:
        return found
    credit = StoreCredit(
        code=ids.group(ids.new_code(CODE_SIGNS)).replace(" ", "-"),
        return_id=return_.id,
        order_id=return_.order_id,
        amount_minor=amount_minor,
        bonus_minor=bonus_minor,
        currency=return_.currency,
        issued_at=tx.at,
    )
    tx.session.add(credit)
    tx.session.flush()
    ledger.write(
        tx,
        ledger.STORE_CREDIT,
        "issued",
        amount_minor,
        return_.currency,
        order_id=return_.order_id,
        return_id=return_.id,
        credit_id=credit.id,
    )
    timeline.record(
        tx,
        "credit.issued",
        return_id=return_.id,
        order_id=return_.order_id,
        # The code itself stays out of the timeline: whoever has it can spend it.
        data={"credit": credit.id, "amount": amount_minor, "currency": return_.currency},
    )
    return credit


_OF_RETURN = select(StoreCredit).where(StoreCredit.return_id == bindparam("return_id"))


def find_credit(session: Session, return_id: int) -> StoreCredit | None:
    """The credit of a return, if it has one."""
    return session.scalar(_OF_RETURN, {"return_id": return_id})
