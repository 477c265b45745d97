"""The page of one return, its photos and its papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, abort, render_template, request

from portal import clock
from portal.labels.service import label_pdf, slip_pdf
from portal.refunds import corrections, credit_notes
from portal.returns.queries import get_photo, get_return
from portal.staff import permissions as may
from portal.web.staff.base import me, needs, ports, read, staff
from portal.web.staff.showing import return_view


@dataclass(frozen=True, slots=True)
class Late:
    """A command that came too late: why nothing was done, and the last entry of the timeline that the person had seen."""

    message: str
    seen: int


def page(
    rma: str,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    late: Late | None = None,
) -> str:
    """The page; with what somebody typed, and what is wrong with it or what was done meanwhile, when a command comes back."""
    now = clock.now()
    with read() as session:
        found = return_view(session, rma, me(), now, request.args.get("line", "")[:64])
        since = [each for each in found["log"] if late is not None and each["id"] > late.seen > 0]
        return render_template(
            "staff/return.html", errors=errors or {}, typed=typed or {}, late=late, since=since, **found
        )


@staff.get("/returns/<rma>")
@needs(may.SEE_RETURNS, "returns")
def return_page(rma: str) -> str:
    """Why it is here, what it is about, what to do."""
    return page(rma)


@staff.get("/returns/<rma>/photos/<int:photo_id>")
@needs(may.SEE_RETURNS, "returns")
def photo(rma: str, photo_id: int) -> Response:
    """One photo of the customer."""
    if photo_id >= 2**62:
        abort(404)
    with read() as session:
        found = get_photo(session, rma, photo_id)
        key, media_type = found.key, found.media_type
    response = Response(ports().files.get(key), mimetype=media_type)
    response.headers["Content-Disposition"] = "inline"
    # It never changes, and only this browser keeps it.
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@staff.get("/returns/<rma>/label.pdf")
@needs(may.SEE_RETURNS, "returns")
def label(rma: str) -> Response:
    """The carrier's label."""
    return _pdf(label_pdf(ports(), rma), "label", rma)


@staff.get("/returns/<rma>/packing-slip.pdf")
@needs(may.SEE_RETURNS, "returns")
def slip(rma: str) -> Response:
    """The packing slip."""
    return _pdf(slip_pdf(ports(), rma), "packing-slip", rma)


@staff.get("/returns/<rma>/credit-note.pdf")
@needs(may.SEE_RETURNS, "returns")
def credit_note(rma: str) -> Response:
    """What was credited."""
    return _pdf(credit_notes.paper(ports(), rma), "credit-note", rma)


@staff.get("/returns/<rma>/credit-note-correction-<int:place>.pdf")
@needs(may.SEE_RETURNS, "returns")
def credit_correction(rma: str, place: int) -> Response:
    """By how much the credit note was lowered; the first correction is 1."""
    return _pdf(corrections.paper(ports(), rma, place), f"credit-note-correction-{place}", rma)


def _pdf(data: bytes, name: str, rma: str) -> Response:
    with read() as session:
        number = get_return(session, rma).rma
    response = Response(data, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}-{number}.pdf"'
    return response
