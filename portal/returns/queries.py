"""Reading returns: one, many, and as the API's JSON. A fixed number of queries, however many lines there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, inspect, or_, select
from sqlalchemy.orm import Session, contains_eager, selectinload
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.orm.util import identity_key

from portal import ids
from portal.errors import Invalid, NotFound
from portal.orders.keys import email_key, number_key
from portal.orders.models import Order, OrderLine
from portal.paging import page
from portal.returns.lifecycle import ENDED, STATUSES, UNDECIDED
from portal.returns.models import Photo, Return, ReturnLine
from portal.returns.payable import payable_quote

MAX_LIMIT = 200
_WITH_LABEL = ("label", "qr")


def _lines() -> ORMOption:
    return selectinload(Return.lines).joinedload(ReturnLine.order_line, innerjoin=True)


_WHOLE = select(Return).join(Return.order).options(contains_eager(Return.order), _lines())
_BY_RMA = _WHOLE.where(Return.rma == bindparam("rma"))
_BY_ID = _WHOLE.where(Return.id == bindparam("id"))


def get_return(session: Session, rma: str) -> Return:
    """The return with its order, lines and articles: two queries. Raises `NotFound` for a number that is none or unknown."""
    number = ids.read_rma(rma)
    found = None
    if number is not None:
        found = session.scalar(_BY_RMA, {"rma": number})
    if found is None:
        raise NotFound("There is no such return.")
    return found


def find_order_number(session: Session, rma: str) -> str:
    """The number of the return's order, or empty; one query, whether there is such a return or not."""
    query = select(Order.number).join(Return, Return.order_id == Order.id).where(Return.rma == rma)
    return session.scalar(query) or ""


def get_return_by_id(session: Session, return_id: int) -> Return:
    """The same by its row id; no query when this session has the whole of it already. Raises `NotFound`."""
    known = session.identity_map.get(identity_key(Return, return_id))
    if known is not None and _is_whole(known):
        return known
    found = session.scalar(_BY_ID, {"id": return_id})
    if found is None:
        raise NotFound("There is no such return.")
    return found


def _is_whole(return_: Return) -> bool:
    # The steps of one event each ask for the return that the command has just written; none of them reads it again.
    if inspect(return_).unloaded & {"order", "lines", "status"}:
        return False
    return not any(inspect(line).unloaded & {"order_line", "status"} for line in return_.lines)


def returns_of_order(session: Session, order_id: int) -> list[Return]:
    """Every return of an order, the newest first."""
    query = select(Return).where(Return.order_id == order_id).options(_lines()).order_by(Return.id.desc())
    return list(session.scalars(query))


def photos_of(session: Session, return_: Return) -> dict[int, list[Photo]]:
    """The photos of a return by return line id: one query."""
    found: dict[int, list[Photo]] = {}
    query = select(Photo).where(Photo.return_line_id.in_([line.id for line in return_.lines])).order_by(Photo.id)
    for photo in session.scalars(query):
        found.setdefault(photo.return_line_id or 0, []).append(photo)
    return found


def get_photo(session: Session, rma: str, photo_id: int) -> Photo:
    """One photo of this return: one query. Raises `NotFound`, also for a photo of another one."""
    found = session.scalar(
        select(Photo)
        .join(ReturnLine, ReturnLine.id == Photo.return_line_id)
        .join(Return, Return.id == ReturnLine.return_id)
        .where(Photo.id == photo_id, Return.rma == rma)
    )
    if found is None:
        raise NotFound("There is no such photo.")
    return found


def unsent_photos(session: Session, review_id: int) -> dict[int, list[Photo]]:
    """The photos of an answer that the customer has not sent yet, by order line id: one query."""
    found: dict[int, list[Photo]] = {}
    query = select(Photo).where(Photo.review_id == review_id, Photo.return_line_id.is_(None)).order_by(Photo.id)
    for photo in session.scalars(query):
        found.setdefault(photo.order_line_id, []).append(photo)
    return found


def list_returns(
    session: Session,
    *,
    status: str | None = None,
    order: str | None = None,
    email: str | None = None,
    search: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Return], str | None]:
    """Returns, newest first, and the cursor of the next page (None on the last one).

    ``order`` is an order number, ``email`` a whole address, ``search`` a part of a number, name or address, or a whole
    article number. A cursor stays valid
    while new returns are booked. Raises `Invalid` for an unknown status, a cursor that is none, or a limit out of 1 to 200.
    """
    wrong = {}
    if status is not None and status not in STATUSES:
        wrong["status"] = f"choose one of {', '.join(STATUSES)}"
    if not 1 <= limit <= MAX_LIMIT:
        wrong["limit"] = f"choose from 1 to {MAX_LIMIT}"
    if wrong:
        raise Invalid("The list can't be shown like this.", wrong)
    if not all(ids.is_text(each) for each in (order or "", email or "", search)):
        return [], None
    query = select(Return).join(Return.order).options(contains_eager(Return.order), _lines())
    if status is not None:
        query = query.where(Return.status == status)
    if order:
        query = query.where(Order.number_key == number_key(order))
    if email:
        query = query.where(Return.email_key == email_key(email))
    if words := search.strip()[:100]:
        like = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        columns = (Return.rma, Order.number, Return.email, Order.customer_name)
        of_article = (
            select(ReturnLine.return_id)
            .join(OrderLine, OrderLine.id == ReturnLine.order_line_id)
            .where(OrderLine.sku.in_({words, words.upper()}))
        )
        hits = (column.ilike(like, escape="\\") for column in columns)
        query = query.where(or_(*hits, Return.id.in_(of_article)))
    return page(session, query, Return.id, cursor, limit)


def moment(value: datetime | None) -> str | None:
    """A moment as the API writes it: ``2026-11-20T10:15:00Z``."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def return_json(session: Session, return_: Return) -> dict[str, Any]:
    """A return in the shape of the contract. ``return_`` comes from `get_return` or `list_returns`; costs no query then."""
    return {
        "rma": return_.rma,
        "status": return_.status,
        "version": return_.version,
        "order": return_.order.number,
        "email": return_.email,
        "note": return_.note,
        "message": return_.message,
        "ship_with": return_.ship_with or None,
        "ship_by": None if return_.ship_by_on is None else return_.ship_by_on.isoformat(),
        "refund_when": return_.refund_when,
        "policy_version": return_.policy_version,
        "quote": payable_quote(session, return_).to_json(),
        "lines": [_line_json(line) for line in return_.lines],
        "label_url": label_url(return_),
        "booked_at": moment(return_.booked_at),
        "authorized_at": moment(return_.authorized_at),
        "received_at": moment(return_.received_at),
        "inspected_at": moment(return_.inspected_at),
        "closed_at": moment(return_.closed_at),
    }


def label_url(return_: Return) -> str | None:
    """Where the label is, when there is one: the return is authorized and goods travel on the shop's own label or code."""
    if return_.ship_with not in _WITH_LABEL or return_.status in (*UNDECIDED, *ENDED):
        return None
    return f"/api/v1/returns/{return_.rma}/label.pdf"


def _line_json(line: ReturnLine) -> dict[str, Any]:
    article = line.order_line
    decision = line.decision
    return {
        "line": article.ref,
        "sku": article.sku,
        "name": article.name,
        "quantity": line.quantity,
        "reason": line.reason,
        "resolution": line.resolution,
        "exchange_sku": line.exchange_sku,
        "note": line.note,
        "status": line.status,
        "answer": line.answer,
        "causes": [{key: cause[key] for key in ("code", "rule", "message")} for cause in decision["causes"]],
        "terms": decision["terms"],
        "received": line.received_quantity,
        "found": line.found or {},
        "condition": line.condition,
        "disposition": line.disposition,
    }


def is_told_to_buyer(return_: Return) -> bool:
    """True when its mails go to the e-mail address of the order, or the order has none.

    Any other address may be that of somebody who got a present: neither a mail to it nor the link inside tells of the buyer's
    name, card or code.
    """
    bought_by = return_.order.email_key
    return not bought_by or bought_by == return_.email_key


def find_booked_rma(session: Session, booking_key: str) -> str | None:
    """The number of the return that this key has booked, if it has."""
    return session.scalar(select(Return.rma).where(Return.booking_key == booking_key))
