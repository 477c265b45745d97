"""Which returns or order somebody means who types or scans something: a number, a label, an article.

In: what was typed, with readable text in it. Out: the numbers of returns, or an order's row id. Reads only.
"""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from portal import ids
from portal.labels.models import Label
from portal.orders.lookup import find_meant
from portal.orders.models import OrderLine
from portal.refunds.credit_note_models import CreditCorrection, CreditNote
from portal.refunds.models import Refund
from portal.returns import lifecycle
from portal.returns.models import Return, ReturnLine
from portal.shop import Shop
from portal.web.staff.reads import at_the_dock

SHOWN_HITS = 20


def find_exactly(session: Session, text: str, shop: Shop) -> list[str]:
    """The returns that a number, a tracking code or an order names; at most two are looked for."""
    rma = ids.read_rma(text)
    if rma is not None and session.scalar(select(Return.id).where(Return.rma == rma)) is not None:
        return [rma]
    if (of_label := _find_by_label(session, text, shop)) is not None:
        return [of_label]
    order_id = find_meant(session, text)
    if order_id is None:
        return []
    return list(session.scalars(select(Return.rma).where(Return.order_id == order_id).limit(2)))


def find_refund(session: Session, text: str) -> tuple[str, str] | None:
    """The refund of this number, ours or Stripe's, or of a credit note or its correction: its number and that of its return, one
    of which may be empty: a credit note of a return names no single refund."""
    refund = select(Refund.public_id, func.coalesce(Return.rma, "")).outerjoin(Return, Return.id == Refund.return_id)
    named = refund.where(or_(Refund.public_id == text, Refund.stripe_refund_id == text))
    if (found := session.execute(named).first()) is not None:
        return found[0], found[1]
    number = text.upper()
    lowered = select(CreditCorrection.note_id).where(CreditCorrection.number == number).scalar_subquery()
    noted = (
        select(func.coalesce(Refund.public_id, ""), func.coalesce(Return.rma, ""))
        .select_from(CreditNote)
        .outerjoin(Refund, Refund.id == CreditNote.refund_id)
        .outerjoin(Return, Return.id == CreditNote.return_id)
        .where(or_(CreditNote.number == number, CreditNote.id == lowered))
    )
    found = session.execute(noted).first()
    return None if found is None else (found[0], found[1])


def _find_by_label(session: Session, text: str, shop: Shop) -> str | None:
    """The return of a label: its whole code as a scanner reads it, or the eight signs that a person reads out."""
    signs = "".join(sign for sign in text.upper() if not sign.isspace() and sign not in "-.")
    if not 8 <= len(signs) <= 40 or not signs.isascii() or not signs.isalnum():
        return None
    codes = {signs}
    if (short := ids.read_code(signs)) is not None and len(short) == 8:
        codes.add(f"{shop.carrier.code_prefix}{short}{shop.country.upper()}")
    return session.scalar(select(Return.rma).join(Label, Label.return_id == Return.id).where(Label.code.in_(codes)))


def find_by_article(session: Session, sku: str, current: str) -> list[str]:
    """The returns that wait for this article: it has still to come, or to be checked. ``current`` stands before all."""
    query = (
        select(Return.rma)
        .join(ReturnLine, ReturnLine.return_id == Return.id)
        .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
        .where(
            OrderLine.sku == sku,
            ReturnLine.status == "accepted",
            or_(
                and_(Return.status.in_(lifecycle.TRAVELLING), ReturnLine.received_quantity < ReturnLine.quantity),
                and_(*at_the_dock()),
            ),
        )
        .distinct()
        .order_by(Return.rma)
        .limit(SHOWN_HITS)
    )
    found = list(session.scalars(query))
    return [current] if current in found else found
