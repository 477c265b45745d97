"""Refunds: what went wrong and what to do, what is on its way, what was sent today.

A refund without an answer is "Unsure": it can be looked at again, never sent again, as long as nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Response, render_template, request, url_for
from sqlalchemy.orm import Session

from portal import clock, wording
from portal.errors import Invalid
from portal.money import Money
from portal.refunds import lifecycle
from portal.refunds.models import Refund
from portal.refunds.queries import RELEASED
from portal.refunds.refusals import explain_state
from portal.refunds.settle import RELEASE, REVERSAL
from portal.refunds.tenders import is_stripe, paid_with
from portal.reviews import service as reviews
from portal.staff import permissions as may
from portal.web.staff import csv_export, reads, words
from portal.web.staff.base import counted, me, needs, ports, read, staff
from portal.web.staff.reconciliation import summary
from portal.web.staff.text import _, ngettext

PER_PAGE = 50
NEEDING_SHOWN = 200
EXPORT_AT_ONCE = 500
VIEWS = ("needs_you", "sending", "refunded", "all")
_STATUSES = {
    "sending": (lifecycle.PLANNED, lifecycle.SUBMITTED, lifecycle.PENDING),
    "refunded": (lifecycle.SUCCEEDED,),
    "all": lifecycle.STATUSES,
}


def needed_for(refund: Refund) -> str:
    """The permission that whoever does the next step about a refund needs."""
    asked = {reviews.SECOND_PERSON: may.SECOND_REFUNDS, reviews.DAILY_CAP: may.EXCEED_CAP}
    return asked.get(refund.waits_for, may.REPAIR_REFUNDS)


def what_to_do(refund: Refund) -> tuple[str, str]:
    """What went wrong and what the reader does about it, each in a few words. Stripe's own sentence stands beside it."""
    wrong, todo = _what_to_do(refund)
    if todo and not me().may(needed_for(refund)):
        return wrong, _("A returns lead does the next step.")
    return wrong, todo


def _what_to_do(refund: Refund) -> tuple[str, str]:
    name = words.paid_to(refund.payment.method, refund.payment.provider)
    if refund.status == lifecycle.PLANNED and not is_stripe(refund.payment):
        return _("To be paid by hand, %(name)s", name=name), _("Pay it there, then record it here.")
    lost = refund.status in lifecycle.LOST
    code = "charge_disputed" if lost and refund.payment.disputed_at is not None else refund.failure_code
    found = explain_state(refund.status, code, refund.pending_reason, held=refund.waits_for)
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
    # What Stripe said of a try that failed is no part of what staff have paid by hand after it.
    by_hand = bool(refund.paid_elsewhere_by)
    last = (refund.settled_at if by_hand else refund.submitted_at) or refund.planned_at
    return {
        "refund": refund,
        "href": url_for("staff.refund_page", public_id=refund.public_id),
        "rma": refund.return_.rma if refund.return_ is not None else "",
        "customer": order.customer_name or order.email,
        "order": order.number,
        "wrong": wrong,
        "sentence": "" if by_hand or refund.failure_reason.rstrip(".") == wrong else refund.failure_reason,
        "todo": todo,
        "amount": words.amount(refund.amount_minor, refund.currency),
        "tries": refund.attempts,
        "by_hand": refund.status == lifecycle.PLANNED and not is_stripe(refund.payment),
        "last": words.when(last, now, zone, inside=True),
        "moved": words.when(last, now, zone),
        "paid_to": words.paid_to(*paid_with(refund)),
        "reference": "" if by_hand else refund.bank_reference or refund.stripe_refund_id or "",
        "bank_reference": "" if by_hand else bank_reference(refund),
        "sent": wording.clock_time(refund.settled_at or last, zone),
        "status": shown_status(refund),
        "held": refund.waits_for,
    }


def shown_status(refund: Refund) -> str:
    """Its status as the badges have it: what was never taken from the customer is no refund."""
    if refund.paid_elsewhere_by:
        return "paid_elsewhere"
    return RELEASED if refund.way == RELEASE and refund.status == lifecycle.SUCCEEDED else refund.status


@staff.get("/refunds")
@needs(may.SEE_REFUNDS, "refunds")
def refunds() -> str:
    """The page."""
    view = _view()
    cursor = request.args.get("cursor")
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        needing = reads.list_needing(session, NEEDING_SHOWN) if view == "needs_you" else []
        standing = reads.standings(session)
        found: list[Refund] = []
        asked, going = _STATUSES.get(view, ()), view == "sending"
        following: str | None = None
        if view != "needs_you":
            try:
                found, following = reads.list_with_status(session, asked, cursor, PER_PAGE, going=going)
            except Invalid:
                # A cursor that somebody has edited begins the list anew.
                cursor = None
                found, following = reads.list_with_status(session, asked, None, PER_PAGE, going=going)
        today = _today(session, now, zone) if view == "needs_you" else []
        rows = [row(each, now, zone) for each in (needing if view == "needs_you" else found)]
        under_way = standing[reads.WAITING].count + standing[reads.SENDING].count
        return render_template(
            "staff/refunds.html",
            view=view,
            rows=rows,
            needing=counted().refunds,
            today=today,
            tabs=_tabs(view, {"needs_you": counted().refunds, "sending": under_way}),
            lead=_lead(standing, stopped=counted().stopped is not None),
            following=url_for("staff.refunds", view=view, cursor=following) if following else None,
            first_page=url_for("staff.refunds", view=view) if cursor else None,
            may_repair=me().may(may.REPAIR_REFUNDS),
            books=summary(session),
        )


def _lead(standing: dict[str, reads.Standing], *, stopped: bool) -> list[str]:
    """How refunds stand, in sentences."""
    failed, unsure, asked, waiting, sending = (
        standing[name] for name in (reads.FAILED, reads.UNSURE, reads.ASKED, reads.WAITING, reads.SENDING)
    )

    def worth(of: reads.Standing) -> str:
        return ", ".join(words.amount(total, currency) for currency, total in of.worth)

    said = []
    if failed.count or unsure.count:
        failing = ngettext("%(num)s failed", "%(num)s failed", failed.count)
        doubted = ngettext("%(num)s is unsure", "%(num)s are unsure", unsure.count)
        said.append(_("%(failed)s and %(unsure)s.", failed=failing, unsure=doubted))
    if said and asked.count:
        said.append(ngettext("%(num)s more waits for somebody.", "%(num)s more wait for somebody.", asked.count))
    elif asked.count:
        said.append(ngettext("%(num)s waits for somebody.", "%(num)s wait for somebody.", asked.count))
    elif not said:
        said.append(_("No refund needs somebody."))
    if sending.count:
        one, many = "%(num)s is being sent now, worth %(total)s.", "%(num)s are being sent now, worth %(total)s."
        said.append(ngettext(one, many, sending.count, total=worth(sending)))
    if waiting.count and stopped:
        one = "%(num)s waits until refunds flow again, worth %(total)s."
        many = "%(num)s wait until refunds flow again, worth %(total)s."
        said.append(ngettext(one, many, waiting.count, total=worth(waiting)))
    elif waiting.count:
        one, many = "%(num)s waits to be sent, worth %(total)s.", "%(num)s wait to be sent, worth %(total)s."
        said.append(ngettext(one, many, waiting.count, total=worth(waiting)))
    elif not sending.count:
        said.append(_("Nothing is being sent right now."))
    return said


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
    """The refunds of a view, all of them, as a file."""
    head = (
        "refund", "return", "order", "customer", "amount", "currency", "status", "what", "sentence", "tries", "paid_to",
        "stripe_refund", "prepared", "sent", "settled",
    )  # fmt: skip
    view = _view()
    return csv_export.answer(f"refunds-{view}-{clock.now():%Y-%m-%d}.csv", head, _each(view))


def _view() -> str:
    said = request.args.get("view", "")
    return said if said in VIEWS else "needs_you"


def _each(view: str) -> Iterator[tuple[object, ...]]:
    """Every refund of the view, a batch in one query."""
    now, zone = clock.now(), ports().shop.timezone
    after: int | None = 0
    cursor: str | None = None
    while after is not None:
        with read() as session:
            if view == "needs_you":
                found = reads.list_needing(session, EXPORT_AT_ONCE, after)
                after = found[-1].id if len(found) == EXPORT_AT_ONCE else None
            else:
                going = view == "sending"
                found, cursor = reads.list_with_status(session, _STATUSES[view], cursor, EXPORT_AT_ONCE, going=going)
                after = None if cursor is None else after
            rows = [_csv_row(row(each, now, zone)) for each in found]
        yield from rows


def _csv_row(each: dict[str, Any]) -> tuple[object, ...]:
    refund: Refund = each["refund"]
    return (
        refund.public_id,
        each["rma"],
        each["order"],
        each["customer"],
        Money(refund.amount_minor, refund.currency).decimal,
        refund.currency,
        each["status"],
        each["wrong"],
        each["sentence"],
        each["tries"],
        each["paid_to"],
        # The number of a try that failed before staff paid by hand is no number of this payment.
        "" if refund.paid_elsewhere_by else refund.stripe_refund_id,
        *(at.isoformat() if at else "" for at in (refund.planned_at, refund.submitted_at, refund.settled_at)),
    )
