"""Everything of a return that is not a page: the code to show, the label, the slip, the calendar entry. For its owner alone."""

from __future__ import annotations

import io
from datetime import timedelta

from flask import Response, make_response, send_file
from sqlalchemy.orm import Session

from portal import clock, ids
from portal.errors import NotFound
from portal.labels import service as labels
from portal.refunds import corrections, credit_notes
from portal.returns.models import Return
from portal.returns.queries import get_return
from portal.web.customer import grants
from portal.web.customer.base import pages, ports, read
from portal.web.customer.words import _

MODULE_PX = 8
"""Of the code on a screen; scanners want 6 at least."""


def find_own(session: Session, rma: str) -> Return | None:
    """The return, if it exists and this session may see it; None for both reasons alike."""
    number = ids.read_rma(rma)
    if number is None:
        return None
    try:
        found = get_return(session, number)
    except NotFound:
        return None
    return found if grants.may_see_return(found.rma, found.order.number) else None


def own(session: Session, rma: str) -> Return:
    """The same, or `NotFound`."""
    found = find_own(session, rma)
    if found is None:
        raise NotFound("There is no such return.")
    return found


@pages.get("/returns/<rma>/qr.png")
def qr(rma: str) -> Response:
    """The carrier's code, or the return's number where it is handed in at a shop."""
    with read() as session:
        return_ = own(session, rma)
        labels.check_to_be_sent(return_)
        number = return_.rma
        label = labels.find_label(session, return_.id)
        code = label.code if label is not None else number
    png = ports().codes.qr_png(code, MODULE_PX)
    return send_file(io.BytesIO(png), mimetype="image/png", download_name=f"return-{number}.png")


@pages.get("/returns/<rma>/label.pdf")
def label(rma: str) -> Response:
    """The carrier's label."""
    with read() as session:
        number = own(session, rma).rma
    pdf = labels.label_pdf(ports(), number)
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=f"return-label-{number}.pdf")


@pages.get("/returns/<rma>/packing-slip.pdf")
def packing_slip(rma: str) -> Response:
    """The page that goes into the parcel."""
    with read() as session:
        number = own(session, rma).rma
    pdf = labels.slip_pdf(ports(), number)
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=f"packing-slip-{number}.pdf")


@pages.get("/returns/<rma>/credit-note.pdf")
def credit_note(rma: str) -> Response:
    """What was credited, for the customer's own books."""
    with read() as session:
        number = own(session, rma).rma
    pdf = credit_notes.paper(ports(), number)
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=f"credit-note-{number}.pdf")


@pages.get("/returns/<rma>/credit-note-correction-<int:place>.pdf")
def credit_correction(rma: str, place: int) -> Response:
    """By how much the credit note was lowered; the first correction is 1."""
    with read() as session:
        number = own(session, rma).rma
    pdf = corrections.paper(ports(), number, place)
    name = f"credit-note-correction-{place}-{number}.pdf"
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=name)


@pages.get("/returns/<rma>/drop-off.ics")
def drop_off(rma: str) -> Response:
    """The deadline as a calendar entry: one whole day, with a reminder two days before."""
    with read() as session:
        return_ = own(session, rma)
        labels.check_to_be_sent(return_)
        day, number = return_.ship_by_on, return_.rma
    if day is None:
        raise NotFound("There is no deadline for this return.")
    shop = ports().shop
    # Texts stand outside of f-strings: inside them the translators' tool does not see them.
    title = _("Drop off your return %(rma)s for %(shop)s", rma=number, shop=shop.name)
    reminder = _("Drop off your return %(rma)s", rma=number)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Returns portal//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{number}@{(ports().config.base_url.partition('://')[2] or 'returns').partition('/')[0]}",
        f"DTSTAMP:{clock.now():%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_ics(title)}",
        f"DESCRIPTION:{_ics(ports().config.base_url + '/returns/' + number)}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_ics(reminder)}",
        "TRIGGER:-P2D",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    response = make_response("".join(_folded(line) + "\r\n" for line in lines))
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers.set("Content-Disposition", "attachment", filename=f"return-{number}.ics")
    return response


def _ics(text: str) -> str:
    """Text as RFC 5545 wants it."""
    for sign in ("\\", ";", ","):
        text = text.replace(sign, "\\" + sign)
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Lines of at most 75 bytes, as RFC 5545 wants them; a sign is never cut in two."""
    out, size = "", 0
    for sign in line:
        width = len(sign.encode())
        if size + width > 74:
            out, size = out + "\r\n ", 1
        out, size = out + sign, size + width
    return out
