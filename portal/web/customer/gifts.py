"""The page of money that was given without a return: where it is, and its credit note. Opened by the mailed link or the order."""

from __future__ import annotations

import io

from flask import Response as File
from flask import request, send_file
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import ids
from portal.errors import NotFound
from portal.notices.links import read_status_key
from portal.refunds import corrections, credit_notes, gifts
from portal.refunds.gifts import GiftView
from portal.web.customer import grants
from portal.web.customer.amounts import pieces_for
from portal.web.customer.base import LookupNeeded, page, pages, ports, read, see, today
from portal.web.customer.pieces import piece_step, state_words


@pages.get("/gifts/<public_id>")
def gift(public_id: str) -> Response | tuple[str, int]:
    """The page. A mailed key opens it for this session and then leaves the address."""
    if "key" in request.args and read_status_key(ports().config, public_id, request.args["key"]):
        grants.grant_return(public_id, by_email=True)
        return see("gift", public_id=public_id)
    with read() as session:
        found = _own(session, public_id)
        known = grants.knows_buyer(found.public_id, found.order_number)
        pieces = pieces_for(found.pieces, knows_buyer=known)
        return page(
            "gift",
            gift=found,
            parts=[(piece, state_words(piece)) for piece in pieces],
            steps=[piece_step(piece, today()) for piece in pieces],
            sent=bool(found.pieces) and all(piece.state in ("arrived", "sent") for piece in found.pieces),
            owner=grants.order_grant(found.order_number) is not None,
        )


@pages.get("/gifts/<public_id>/credit-note.pdf")
def gift_credit_note(public_id: str) -> File:
    """What was credited, for the customer's own books."""
    with read() as session:
        found = _own(session, public_id)
        part = found.pieces[0].refund if found.pieces else ""
    pdf = credit_notes.paper_of_gift(ports(), part)
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=f"credit-note-{public_id}.pdf")


@pages.get("/gifts/<public_id>/credit-note-correction-<int:place>.pdf")
def gift_credit_correction(public_id: str, place: int) -> File:
    """By how much the credit note was lowered; the first correction is 1."""
    with read() as session:
        found = _own(session, public_id)
        part = found.pieces[0].refund if found.pieces else ""
    pdf = corrections.paper_of_gift(ports(), part, place)
    name = f"credit-note-correction-{place}-{public_id}.pdf"
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=name)


def _own(session: Session, public_id: str) -> GiftView:
    """The gift, if it exists and this session may see it; for both reasons alike the order has to be looked up."""
    try:
        found = gifts.get_gift(session, public_id if ids.is_text(public_id) else "", ports().shop.bank_days)
    except NotFound:
        raise LookupNeeded from None
    if not grants.may_see_return(found.public_id, found.order_number):
        raise LookupNeeded
    return found
