"""Refunds: what went wrong and what to do, what is on its way, what was sent today.

A refund without an answer is "Unsure": it can be looked at again, never sent again, as long as nobody knows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Response, flash, make_response, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from portal import clock, jobs, wording
from portal.errors import Conflict, Invalid
from portal.money import Money
from portal.refunds import actions, contradicted, lifecycle, second, settle, undo
from portal.refunds.models import Refund
from portal.refunds.queries import get_refund
from portal.refunds.refusals import explain_state
from portal.refunds.settle import ELSEWHERE, REVERSAL, TAKEN_BACK
from portal.refunds.tenders import is_stripe
from portal.reviews import service as reviews
from portal.staff import permissions as may
from portal.timeline import TimelineEntry
from portal.web.staff import csv_export, reads, words
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.reconciliation import summary
from portal.web.staff.showing import log_entry
from portal.web.staff.text import _

PER_PAGE = 50
VIEWS = ("needs_you", "sending", "refunded", "all")
_STATUSES = {
    "sending": (lifecycle.PLANNED, lifecycle.SUBMITTED, lifecycle.PENDING),
    "refunded": (lifecycle.SUCCEEDED,),
    "all": lifecycle.STATUSES,
}
_ASKABLE = (lifecycle.UNKNOWN, lifecycle.PENDING, lifecycle.REQUIRES_ACTION, lifecycle.SUBMITTED)
CHECK_EVERY = timedelta(minutes=1)


def what_to_do(refund: Refund) -> tuple[str, str]:
    """What went wrong and what to do about it, each in a few words. Stripe's own sentence stands beside it."""
    name = words.paid_to(refund.payment.method, refund.payment.provider)
    if refund.status == lifecycle.PLANNED and not is_stripe(refund.payment):
        return _("Paid by %(name)s", name=name), _("Pay it there, then record it here.")
    lost = refund.status in lifecycle.LOST
    code = "charge_disputed" if lost and refund.payment.disputed_at is not None else refund.failure_code
    found = explain_state(refund.status, code, refund.pending_reason, held=refund.held_for)
    # Both are message ids of `refusals`, marked for translation there.
    return (_(found.what), _(found.todo)) if found else ("", "")


def bank_reference(refund: Refund) -> str:
    """The number that the customer's bank knows it by, or why there is none."""
    return refund.bank_reference or {
        REVERSAL: _("None: the purchase itself disappears from the statement"),
        "pending": _("Comes later, within about 7 working days"),
        "unavailable": _("The bank gives none"),
    }.get(refund.reference_status, "")


def row(refund: Refund, now: datetime, zone: str) -> dict[str, Any]:
    """One refund as the tables show it."""
    order = refund.return_.order if refund.return_ is not None else refund.payment.order
    wrong, todo = what_to_do(refund)
    last = refund.submitted_at or refund.planned_at
    return {
        "refund": refund,
        "href": url_for("staff.refund_page", public_id=refund.public_id),
        "rma": refund.return_.rma if refund.return_ is not None else "",
        "customer": order.customer_name or order.email,
        "order": order.number,
        "wrong": wrong,
        "sentence": refund.failure_reason if refund.failure_reason.rstrip(".") != wrong else "",
        "todo": todo,
        "amount": words.amount(refund.amount_minor, refund.currency),
        "tries": refund.attempts,
        "last": words.when(last, now, zone),
        "paid_to": words.paid_to(refund.payment.method, refund.payment.provider),
        "reference": refund.bank_reference or refund.stripe_refund_id or "",
        "bank_reference": bank_reference(refund),
        "sent": wording.clock_time(refund.settled_at or last, zone),
        "status": "paid_elsewhere" if refund.paid_elsewhere_by else refund.status,
        "held": refund.held_for if refund.status == lifecycle.PLANNED else "",
    }


@staff.get("/refunds")
@needs(may.SEE_REFUNDS, "refunds")
def refunds() -> str:
    """The page."""
    view = request.args.get("view", "")
    view = view if view in VIEWS else "needs_you"
    cursor = request.args.get("cursor")
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        needing = reads.list_needing(session)
        under_way = reads.sending(session)
        found: list[Refund] = []
        following: str | None = None
        if view != "needs_you":
            try:
                found, following = reads.list_with_status(session, _STATUSES[view], cursor, PER_PAGE)
            except Invalid:
                # A cursor that somebody has edited begins the list anew.
                cursor = None
                found, following = reads.list_with_status(session, _STATUSES[view], None, PER_PAGE)
        today = _today(session, now, zone) if view == "needs_you" else []
        rows = [row(each, now, zone) for each in (needing if view == "needs_you" else found)]
        failed = sum(1 for each in needing if each.status in lifecycle.LOST)
        unsure = sum(1 for each in needing if each.status == lifecycle.UNKNOWN)
        sending = sum(count for _currency, count, _total in under_way)
        return render_template(
            "staff/refunds.html",
            view=view,
            rows=rows,
            today=today,
            tabs=_tabs(view, {"needs_you": len(needing), "sending": sending}),
            failed=failed,
            unsure=unsure,
            sending=sending,
            sending_worth=", ".join(words.amount(total, currency) for currency, _count, total in under_way),
            following=url_for("staff.refunds", view=view, cursor=following) if following else None,
            first_page=url_for("staff.refunds", view=view) if cursor else None,
            may_repair=me().may(may.REPAIR_REFUNDS),
            books=summary(session),
        )


def _tabs(view: str, counted: dict[str, int]) -> list[dict[str, Any]]:
    named = {"all": _("All"), "needs_you": _("Needs you"), "sending": _("Sending"), "refunded": _("Refunded")}
    return [
        {"text": text, "href": url_for("staff.refunds", view=name), "count": counted.get(name), "current": view == name}
        for name, text in named.items()
    ]


def _today(session: Session, now: datetime, zone: str) -> list[dict[str, Any]]:
    sent, credits, exchanges = reads.sent_since(session, reads.start_of_day(now, zone))
    rows = [{"at": each.settled_at or each.submitted_at, "kind": "refund", **row(each, now, zone)} for each in sent]
    for credit, rma, name, email in credits:
        amount, words_ = words.amount(credit.amount_minor, credit.currency), _("Store credit, by e-mail")
        rows.append(_left("credit", "issued", credit.issued_at, zone, rma, name or email, words_, credit.code, amount))
    for held, rma, name, email, number, article in exchanges:
        words_ = _("Exchange, order %(number)s", number=number or "–")
        rows.append(_left("return", "exchanged", held.ordered_at, zone, rma, name or email, words_, article, "—"))
    return sorted(rows, key=lambda each: each["at"], reverse=True)


def _left(
    kind: str, status: str, at: datetime, zone: str, rma: str, customer: str, paid_to: str, reference: str, amount: str
) -> dict[str, Any]:
    return {
        "at": at,
        "kind": kind,
        "status": status,
        "rma": rma,
        "customer": customer,
        "paid_to": paid_to,
        "reference": reference,
        "amount": amount,
        "sent": wording.clock_time(at, zone),
    }


@staff.get("/refunds.csv")
@needs(may.SEE_REFUNDS, "refunds")
def export_refunds() -> Response:
    """The refunds that need somebody, as a file."""
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        rows = [row(each, now, zone) for each in reads.list_needing(session, 5000)]
        cells = [
            (
                each["refund"].public_id,
                each["rma"],
                each["order"],
                each["customer"],
                Money(each["refund"].amount_minor, each["refund"].currency).decimal,
                each["refund"].currency,
                each["status"],
                each["wrong"],
                each["sentence"],
                each["tries"],
            )
            for each in rows
        ]
    head = ("refund", "return", "order", "customer", "amount", "currency", "status", "what", "sentence", "tries")
    return csv_export.answer(f"refunds-{now:%Y-%m-%d}.csv", head, cells)


@staff.get("/refunds/<public_id>")
@needs(may.SEE_REFUNDS, "refunds")
def refund_page(public_id: str) -> str:
    """One refund: what happened, what may be done."""
    return _page(public_id, {}, "")


def _page(public_id: str, errors: dict[str, str], note: str) -> str:
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        refund = get_refund(session, public_id)
        shown = row(refund, now, zone)
        later = session.scalar(select(Refund.public_id).where(Refund.replaces_id == refund.id))
        entries = session.scalars(
            select(TimelineEntry).where(TimelineEntry.refund_id == refund.id).order_by(TimelineEntry.id.desc())
        ).all()
        log = [log_entry(entry, now, zone) for entry in entries]
        lost = refund.status in lifecycle.LOST and not refund.paid_elsewhere_by
        undone = refund.failure_code == TAKEN_BACK
        ended = refund.status in lifecycle.LOST or bool(refund.paid_elsewhere_by)
        asked = settle.contradiction(session, refund) if ended else None
        mine = (
            me().may(may.REPAIR_REFUNDS)
            and asked is None
            and later is None
            and refund.cause != ELSEWHERE
            and not undone
        )
        begun = refund.first_submitted_at
        first = second.had_a_part(session, refund, me().id) if shown["held"] == reviews.SECOND_PERSON else False
        offers = {
            "count": me().may(may.REPAIR_REFUNDS) and asked is not None,
            "retry": mine
            and lost
            and refund.payment.disputed_at is None
            and (refund.return_id is not None or refund.goodwill_id is not None),
            "anyway": later is None and me().may(may.EXCEED_CAP) and shown["held"] == reviews.DAILY_CAP,
            "second": me().may(may.SECOND_REFUNDS) and shown["held"] == reviews.SECOND_PERSON,
            "undo": me().may(may.UNDO_REFUNDS) and refund.status == lifecycle.PLANNED and refund.cause != ELSEWHERE,
            "elsewhere": mine
            and (lost or refund.status == lifecycle.PLANNED)
            and shown["held"] != reviews.SECOND_PERSON,
            "check": me().may(may.REPAIR_REFUNDS)
            and is_stripe(refund.payment)
            and (asked is not None or refund.status in _ASKABLE),
            "unsent": mine
            and refund.status == lifecycle.UNKNOWN
            and begun is not None
            and refund.checked_at is not None
            and refund.checked_at >= begun + actions.KEY_IS_DEAD,
        }
        checked = words.when(refund.checked_at, now, zone) if refund.checked_at else ""
        return render_template(
            "staff/refund.html",
            each=shown,
            later=later,
            log=log,
            offers=offers,
            asked=asked,
            errors=errors,
            note=note,
            checked=checked,
            first=first,
            goes_at=_goes_at(refund, now, zone),
        )


def _goes_at(refund: Refund, now: datetime, zone: str) -> str:
    """Until when a prepared refund may be taken back; empty when it does not wait for that."""
    until = refund.planned_at + timedelta(minutes=ports().shop.refunds.undo_minutes)
    waits = refund.status == lifecycle.PLANNED and refund.attempts == 0 and until > now
    return words.when(until, now, zone) if waits else ""


@staff.post("/refunds/<public_id>/<any(undo):act>")
@needs(may.UNDO_REFUNDS, "refunds")
def undo_refund(public_id: str, act: str) -> AnyResponse:
    """Take a refund back before it is sent. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(second):act>")
@needs(may.SECOND_REFUNDS, "refunds")
def second_refund(public_id: str, act: str) -> AnyResponse:
    """Approve a large refund as the second person. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(anyway):act>")
@needs(may.EXCEED_CAP, "refunds")
def let_through(public_id: str, act: str) -> AnyResponse:
    """Send what is above the daily cap. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(retry, elsewhere, unsent, count):act>")
@needs(may.REPAIR_REFUNDS, "refunds")
def repair(public_id: str, act: str) -> AnyResponse:
    """Try again with a new refund, record a payment made elsewhere, give up one that never arrived, or count one that Stripe
    shows as paid after all. Each needs a note."""
    note = request.form.get("note", "")
    do = {
        "retry": actions.retry,
        "elsewhere": actions.mark_paid_elsewhere,
        "unsent": actions.declare_unsent,
        "count": contradicted.count,
        "anyway": actions.send_anyway,
        "undo": undo.take_back,
        "second": second.approve,
    }[act]
    try:
        with command() as tx:
            done = do(tx, public_id, note)
            number, amount = done.public_id, words.amount(done.amount_minor, done.currency)
    except Invalid as wrong:
        return make_response(_page(public_id, {f"{act}-note": wrong.fields.get("note", wrong.message)}, note), 422)
    except Conflict as conflict:
        return make_response(_page(public_id, {"": conflict.message}, note), 409)
    said = {
        "retry": _("A new refund of %(amount)s is on its way.", amount=amount),
        "elsewhere": _("Recorded: %(amount)s was paid another way.", amount=amount),
        "unsent": _("Recorded: it never arrived. It may be sent again now."),
        "count": _("Counted: the customer has got %(amount)s from Stripe.", amount=amount),
        "anyway": _("%(amount)s is sent now.", amount=amount),
        "undo": _("%(amount)s was taken back. Nothing was sent.", amount=amount),
        "second": _("Approved as the second person. %(amount)s is sent now.", amount=amount),
    }[act]
    flash(said, "green")
    return see_other("staff.refund_page", public_id=number)


@staff.post("/refunds/<public_id>/check")
@needs(may.REPAIR_REFUNDS, "refunds")
def check_refund(public_id: str) -> AnyResponse:
    """Let a worker ask the payment provider now; more clicks within a minute are one question."""
    with command() as tx:
        refund = get_refund(tx.session, public_id)
        minute = int(tx.at.timestamp() // CHECK_EVERY.total_seconds())
        jobs.enqueue(tx, "check_refund", {"refund": refund.id}, key=f"staff-check:{refund.id}:{minute}")
    flash(_("We’re asking the payment provider now. Look again in a moment."), "blue")
    return see_other("staff.refund_page", public_id=public_id)
