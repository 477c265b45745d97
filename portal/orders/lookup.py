"""Finding an order by what its customer knows.

In: a number and a proof (e-mail or postcode), as typed. Out: the order, or None.
Invariants: a wrong number and a wrong proof take the same query and the same comparisons; an empty proof matches nothing.
Never: a word on which of the two was wrong.
"""

from __future__ import annotations

import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.orders.keys import email_key, number_key, postcode_key
from portal.orders.models import Order


def _same(known: str, asked: str) -> bool:
    # Compared in constant time and never by emptiness: an order without a postcode must not open for "".
    equal = hmac.compare_digest(known.encode("utf-8", "replace"), asked.encode("utf-8", "replace"))
    return equal and bool(asked)


def find_order(session: Session, number: str, proof: str) -> Order | None:
    """The order with its lines when the proof is its e-mail or its postcode; else None.

    Spaces, case and a leading ``#`` are forgiven. Exactly one query when nothing is found, for whatever reason.
    """
    columns = select(Order.id, Order.email_key, Order.postcode_key).where(Order.number_key == number_key(number))
    found = session.execute(columns).one_or_none()
    order_id, email, postcode = found if found is not None else (0, "nobody@nowhere.invalid", "NOWHERE")
    by_email = _same(email, email_key(proof))
    by_postcode = _same(postcode, postcode_key(proof))
    if found is None or not (by_email | by_postcode):
        return None
    query = select(Order).where(Order.id == order_id).options(selectinload(Order.lines))
    return session.scalars(query).one()
