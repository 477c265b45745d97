"""Finding an order by what its customer knows.

In: a number and a proof (e-mail or postcode), as typed. Out: the order, or None.
Invariants: a wrong number and a wrong proof take the same query and the same comparisons; an empty proof matches nothing; a
number that could mean several orders means none.
Never: a word on which of the two was wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session, selectinload

from portal.orders.keys import email_key, lookup_key, number_key, postcode_key, signs
from portal.orders.models import Order


def _same(known: str, asked: str) -> bool:
    # Compared in constant time and never by emptiness: an order without a postcode must not open for "".
    equal = hmac.compare_digest(known.encode("utf-8", "replace"), asked.encode("utf-8", "replace"))
    return equal and bool(asked)


def find_order(session: Session, number: str, proof: str) -> Order | None:
    """The order with its lines when the proof is its e-mail or its postcode; else None.

    Forgiven in the number are spaces, case, signs that are neither letter nor figure, the letters before its figures when they
    are left out, and words in front of it. Exactly one query when nothing is found, for whatever reason.
    """
    found = _find_meant(session, number)
    order_id, email, postcode = (
        (found.id, found.email_key, found.postcode_key)
        if found is not None
        else (0, "nobody@nowhere.invalid", "NOWHERE")
    )
    by_email = _same(email, email_key(proof))
    by_postcode = _same(postcode, postcode_key(proof))
    if found is None or not (by_email | by_postcode):
        return None
    query = select(Order).where(Order.id == order_id).options(selectinload(Order.lines))
    return session.scalars(query).one()


def find_meant(session: Session, number: str) -> int | None:
    """The row id of the order that is called so, with all that `find_order` forgives."""
    found = _find_meant(session, number)
    return None if found is None else found.id


def _find_meant(session: Session, number: str) -> Row[int, str, str, str, str] | None:
    key, shared = number_key(number), lookup_key(number)
    columns = select(Order.id, Order.number_key, Order.lookup_key, Order.email_key, Order.postcode_key)
    return _meant(
        session.execute(columns.where(or_(Order.number_key == key, Order.lookup_key == shared))).all(), number
    )


def _meant(rows: Sequence[Row[int, str, str, str, str]], number: str) -> Row[int, str, str, str, str] | None:
    """The order that is called so; else the only one with these letters and figures; else the only one that this can mean."""
    key, typed = number_key(number), signs(number)
    exact = [row for row in rows if row.number_key == key]
    alike = [row for row in rows if typed and signs(row.number_key) == typed]
    short = [row for row in rows if typed and _means(typed, signs(row.number_key), row.lookup_key)]
    found = exact or alike or short
    return found[0] if len(found) == 1 else None


def _means(typed: str, whole: str, figures: str) -> bool:
    """``20418`` and ``Order WH-20418`` mean WH-20418; ``US-20418`` does not."""
    return typed == figures or (typed.endswith(whole) and typed.removesuffix(whole).isalpha())
