"""Returns: opened by programs, worked by programs, with the rules and records of the pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Response
from sqlalchemy import select

from portal import ids
from portal.api import authority
from portal.api.answers import RefundsOut, ReturnOut, ReturnsOut
from portal.api.base import answer, api, call, caller, perform, ports
from portal.api.decisions import EXAMPLE, assessment_json, to_wish
from portal.api.orders import readable
from portal.api.schemas import CountIn, CountsIn, NoteIn, ReturnIn, ReturnsQuery
from portal.db import Tx
from portal.errors import Conflict, Invalid, NotFound
from portal.labels import service as labels
from portal.orders.keys import email_key
from portal.orders.models import Order
from portal.orders.queries import find_order_id
from portal.policybook.service import load_book
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.refunds import corrections, credit_notes
from portal.refunds import listing as refunds
from portal.returns import queries, service
from portal.returns.holding import lock_return
from portal.returns.models import Return
from portal.returns.payable import accounted, keeps_item
from portal.staff import permissions as may

PDF = "application/pdf"


@api.post("/returns")
@call(
    "returns:write",
    body=ReturnIn,
    answers=ReturnOut,
    status=201,
    example=EXAMPLE,
    says="A line that the policy refuses makes the whole call a 422 with the `decision`; nothing is booked then. An `at` in the "
    "past needs a token without an owner, or whose owner may overrule the policy; otherwise 403.",
)
def open_return(data: ReturnIn) -> Response:
    """Open a return."""

    def act(tx: Tx) -> tuple[int, dict[str, Any]]:
        authority.check_moment(tx, data.at)
        order_id = find_order_id(tx.session, readable(data.order))
        if order_id is None:
            raise NotFound("There is no such order.")
        _check_email(tx, order_id, data.email)
        try:
            made = service.book(
                tx,
                load_book(tx.session),
                order_id,
                [to_wish(wish) for wish in data.lines],
                booking_key=f"api:{caller().token_id}:{ids.new_token()}",
                email=data.email or "",
                note=data.note,
                ship_with=data.ship_with,
                as_of=data.at,
                decide_within_hours=ports().shop.decide_within_hours,
            )
        except service.Refused as refused:
            refused.details = {"decision": assessment_json(refused.assessment)}
            raise
        return 201, queries.return_json(tx.session, made)

    return perform(act)


def _check_email(tx: Tx, order_id: int, email: str | None) -> None:
    """Mails carry the label and a link that opens the return: they go to nobody but the order's own address, where it has one."""
    if not email:
        return
    known = tx.session.scalar(select(Order.email_key).where(Order.id == order_id))
    if known and email_key(email) != known:
        fix = "is not the address of this order; leave it out, or put the order right with POST /api/v1/orders first"
        raise Invalid("The e-mail address is not the order's. Nothing was booked.", {"/email": fix})


@api.get("/returns")
@call("returns:read", query=ReturnsQuery, answers=ReturnsOut)
def list_returns(query: ReturnsQuery) -> Response:
    """Returns, newest first."""
    with ports().database.read() as session:
        rows, following = queries.list_returns(
            session, status=query.status, order=query.order, email=query.email, cursor=query.cursor, limit=query.limit
        )
        return answer({"returns": [queries.return_json(session, row) for row in rows], "next": following})


@api.get("/returns/<rma>")
@call("returns:read", answers=ReturnOut)
def get_return(rma: str) -> Response:
    """One return."""
    with ports().database.read() as session:
        return answer(queries.return_json(session, queries.get_return(session, readable(rma))))


def _work(rma: str, permission: str, act: Callable[[Tx], Return]) -> Response:
    """Run a command on one return, for whose page a ``permission`` is needed, and answer with the return as it then is."""

    def run(tx: Tx) -> tuple[int, dict[str, Any]]:
        authority.check_may(tx.session, permission)
        done = act(tx)
        tx.session.flush()
        return 200, queries.return_json(tx.session, done)

    readable(rma)
    return perform(run)


@api.post("/returns/<rma>/authorize")
@call(
    "returns:write",
    body=NoteIn,
    answers=ReturnOut,
    says=authority.SAYS.format(more=", its limit has to reach, and only who may overrule the policy takes a “no” back"),
)
def authorize(rma: str, data: NoteIn) -> Response:
    """Say yes: to a wish under review, or to goods that differ from what was agreed."""

    def act(tx: Tx) -> Return:
        authority.check_rank(tx.session, lock_return(tx, rma))
        done = service.authorize(tx, rma, note=data.note, message=data.message, expected=data.expected)
        authority.check_limit(tx.session, service.payable_quote(tx.session, done).total)
        return done

    return _work(rma, may.DECIDE, act)


@api.post("/returns/<rma>/refuse")
@call("returns:write", body=NoteIn, answers=ReturnOut, says=authority.SAYS.format(more=""))
def refuse(rma: str, data: NoteIn) -> Response:
    """Say no; `message` is what the customer reads."""

    def act(tx: Tx) -> Return:
        return service.refuse(tx, rma, note=data.note, message=data.message, expected=data.expected)

    return _work(rma, may.DECIDE, act)


@api.post("/returns/<rma>/cancel")
@call("returns:write", body=NoteIn, answers=ReturnOut, says=authority.SAYS.format(more=""))
def cancel(rma: str, data: NoteIn) -> Response:
    """Call the return off, before any of it has come."""
    return _work(
        rma, may.DECIDE, lambda tx: service.cancel(tx, rma, by="staff", note=data.note, expected=data.expected)
    )


@api.post("/returns/<rma>/receive")
@call(
    "returns:write",
    body=CountsIn,
    answers=ReturnOut,
    says=f"Several receipts add up to what was announced. {authority.SAYS.format(more='')}",
)
def receive(rma: str, data: CountsIn) -> Response:
    """Count what has arrived. When the policy sends money on receipt, this is enough."""

    return _take_in(rma, data, receiving.receive, outstanding=True)


@api.post("/returns/<rma>/inspect")
@call("returns:write", body=CountsIn, answers=ReturnOut, says=authority.SAYS.format(more=""))
def inspect(rma: str, data: CountsIn) -> Response:
    """Say in which condition the received goods really are."""

    return _take_in(rma, data, receiving.inspect, outstanding=False)


def _take_in(rma: str, data: CountsIn, counted: Callable[..., Return], *, outstanding: bool) -> Response:
    def act(tx: Tx) -> Return:
        return counted(
            tx,
            rma,
            _counts(tx, rma, data, outstanding=outstanding),
            note=data.note,
            # With an Idempotency-Key the whole answer is remembered already; the receipt's own key only has to be new.
            command_key=f"api:{ids.new_token()}",
            decide_within_hours=ports().shop.decide_within_hours,
        )

    return _work(rma, may.RECEIVE, act)


def _counts(tx: Tx, rma: str, data: CountsIn, *, outstanding: bool) -> list[Count]:
    if data.lines is not None and data.expected is None:
        return _said(data.lines)
    found = lock_return(tx, rma)
    if data.expected is not None and data.expected not in (found.status, found.version):
        raise Conflict("The return has changed meanwhile. Nothing was saved.", state=found.status)
    if data.lines is not None:
        return _said(data.lines)
    if not outstanding:
        return []
    left = [(line, line.quantity - accounted(line)) for line in found.lines if not keeps_item(line)]
    return [Count(line.order_line.ref, units, "as_new") for line, units in left if units and line.status == "accepted"]


def _said(lines: Sequence[CountIn]) -> list[Count]:
    return [Count(row.line, row.quantity, row.condition, row.disposition, row.note) for row in lines]


@api.get("/returns/<rma>/label.pdf")
@call("returns:read", media_type=PDF)
def label(rma: str) -> Response:
    """The label, 102 x 152 mm."""
    data = labels.label_pdf(ports(), readable(rma))
    return Response(
        data, content_type=PDF, headers={"Content-Disposition": f'inline; filename="{rma_of(rma)}-label.pdf"'}
    )


@api.get("/returns/<rma>/credit-note.pdf")
@call("returns:read", media_type=PDF)
def credit_note(rma: str) -> Response:
    """The credit note, A4; there once the first part of the money has left."""
    data = credit_notes.paper(ports(), readable(rma))
    return Response(
        data, content_type=PDF, headers={"Content-Disposition": f'inline; filename="{rma_of(rma)}-credit-note.pdf"'}
    )


@api.get("/returns/<rma>/credit-note-correction-<int:place>.pdf")
@call("returns:read", media_type=PDF)
def credit_correction(rma: str, place: int) -> Response:
    """A document that lowers the credit note by what was closed without payment since, A4; the first one is 1, most have none."""
    data = corrections.paper(ports(), readable(rma), place)
    name = f"{rma_of(rma)}-credit-note-correction-{place}.pdf"
    return Response(data, content_type=PDF, headers={"Content-Disposition": f'inline; filename="{name}"'})


@api.get("/returns/<rma>/packing-slip.pdf")
@call("returns:read", media_type=PDF)
def packing_slip(rma: str) -> Response:
    """The packing slip, A4."""
    data = labels.slip_pdf(ports(), readable(rma))
    return Response(
        data, content_type=PDF, headers={"Content-Disposition": f'inline; filename="{rma_of(rma)}-slip.pdf"'}
    )


def rma_of(text: str) -> str:
    """The number in its canonical form, fit for a file name."""
    return ids.read_rma(text) or "return"


@api.get("/returns/<rma>/refunds")
@call("refunds:read", answers=RefundsOut)
def refunds_of_return(rma: str) -> Response:
    """The money of one return, with Stripe's ids and status."""
    with ports().database.read() as session:
        found = queries.get_return(session, readable(rma))
        rows = [refunds.refund_json(row) for row in refunds.refunds_of(session, found.id)]
        return answer({"refunds": rows, "next": None})
