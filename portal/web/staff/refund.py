"""One refund: what happened, who may do what about it, and each of those acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import flash, make_response, render_template, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, jobs
from portal.errors import Conflict, Forbidden, Invalid
from portal.refunds import actions, contradicted, given_up, lifecycle, second, settle, two_people, undo
from portal.refunds.models import Refund
from portal.refunds.refusals import Next, explain
from portal.refunds.settle import ELSEWHERE
from portal.refunds.tenders import is_stripe, paid_with
from portal.returns.queries import is_told_to_buyer, photos_of
from portal.reviews import service as reviews
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.timeline import entries_for_refund
from portal.web.staff import fate, words
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.money import read_way, recorded_before
from portal.web.staff.refunds import needed_for, row
from portal.web.staff.showing import log_entry, photos_shown, talk_of
from portal.web.staff.text import _

_ASKABLE = (lifecycle.UNKNOWN, lifecycle.PENDING, lifecycle.REQUIRES_ACTION, lifecycle.SUBMITTED)
TYPED = 4000
CHECK_EVERY = timedelta(minutes=1)


@staff.get("/refunds/<public_id>")
@needs(may.SEE_REFUNDS, "refunds")
def refund_page(public_id: str) -> str:
    """One refund: what happened, what may be done."""
    return _page(public_id, {})


def _page(public_id: str, errors: dict[str, str], typed: dict[str, str] | None = None) -> str:
    """The page; ``typed`` is what somebody wrote in one of its forms, with the name of that form as its ``act``."""
    typed = typed or {}
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        refund = actions.find_refund(session, public_id)
        shown = row(refund, now, zone)
        later = actions.find_replacement(session, refund)
        log = [log_entry(entry, now, zone) for entry in reversed(entries_for_refund(session, refund.id))]
        lost = refund.status in lifecycle.LOST and not refund.paid_elsewhere_by
        undone = refund.failure_code in lifecycle.DECIDED_ANEW
        ended = refund.status in lifecycle.LOST or bool(refund.paid_elsewhere_by)
        asked = settle.contradiction(session, refund) if ended else None
        mine = (
            me().may(may.REPAIR_REFUNDS)
            and asked is None
            and later is None
            and refund.cause != ELSEWHERE
            and not undone
        )
        # Neither sending it again nor recording it as paid would fit into what the payments have left.
        too_much = mine and lost and given_up.is_needed(actions.left_for(session, refund, refund.payment), refund)
        question = actions.open_question(session, refund) if refund.return_ is not None else None
        askable = me().may(may.DECIDE) and question is not None and question.kind in actions.ASKS_CUSTOMER
        stranger = refund.return_ is not None and not is_told_to_buyer(refund.return_)
        begun = refund.first_submitted_at
        held_for_second = shown["held"] == reviews.SECOND_PERSON
        first = _took_part(session, refund)
        offers = {
            "count": me().may(may.REPAIR_REFUNDS) and asked is not None,
            "ask": askable and not stranger,
            "write": askable and stranger,
            "end": too_much,
            "retry": mine
            and lost
            and not too_much
            and refund.payment.disputed_at is None
            and (refund.return_id is not None or refund.goodwill_id is not None),
            "anyway": later is None and me().may(may.EXCEED_CAP) and shown["held"] == reviews.DAILY_CAP,
            "second": me().may(may.SECOND_REFUNDS) and held_for_second and not first,
            "undo": me().may(may.UNDO_REFUNDS) and refund.status == lifecycle.PLANNED and refund.cause != ELSEWHERE,
            "elsewhere": mine
            and not too_much
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
            later=later.public_id if later is not None else None,
            undone=undone,
            decide_again=undone and _is_asked(session, refund),
            log=log,
            offers=offers,
            asked=asked,
            errors=errors,
            typed=typed,
            checked=checked,
            first=first,
            fate=fate.of_refund(refund),
            talk=talk_of(question, now, zone, _photos(session, refund)) if question is not None else [],
            first_name=words.first_name(refund.return_) if refund.return_ is not None else "",
            suggested=_where_to_pay(refund, shown["amount"]),
            buyer=(refund.return_.order if refund.return_ is not None else refund.payment.order).email,
            closed=lost and explain(refund.failure_code).next is Next.STAFF_ELSEWHERE,
            ways=words.ways_by_hand(refund.payment),
            others=_others(session, refund, first=first, todo=bool(shown["todo"] or asked)),
        )


def _is_asked(session: Session, refund: Refund) -> bool:
    """Whether the return of the refund waits for a decision."""
    open_ = reviews.open_reviews(session, refund.return_id, *reviews.ON_THE_RETURN) if refund.return_id else []
    return bool(open_)


def _photos(session: Session, refund: Refund) -> dict[int, dict[str, str]]:
    return photos_shown(refund.return_, photos_of(session, refund.return_)) if refund.return_ is not None else {}


def _where_to_pay(refund: Refund, amount: str) -> str:
    """The question that most often helps, for staff to change as they like. It names no card: a mail may be read by others."""
    begin = (
        _("Your refund of %(amount)s did not get through.", amount=amount)
        if refund.status in lifecycle.LOST
        else _("Your refund of %(amount)s is ready.", amount=amount)
    )
    asked = _(
        "Which bank account of yours may we send it to? Please tell us the name of its holder and its IBAN, or its sort code "
        "and number."
    )
    return f"{begin} {asked}"


def _others(session: Session, refund: Refund, *, first: bool, todo: bool) -> list[tuple[int, str]] | None:
    """Who may do the next step, where the person who looks may not; None where they may, or where nothing is to be done."""
    permission = needed_for(refund)
    if not todo or refund.paid_elsewhere_by or (me().may(permission) and not first):
        return None
    found = [each for each in people.list_who_may(session, permission) if each[0] != me().id]
    if permission == may.SECOND_REFUNDS:
        decided = two_people.people_in(session, refund)
        found = [each for each in found if each[0] not in decided]
    return found


@staff.post("/refunds/<public_id>/ask")
@needs(may.DECIDE, "refunds")
def ask_about_refund(public_id: str) -> Response:
    """Ask the customer where the money may go instead."""
    message = request.form.get("message", "")
    typed = {"act": "ask", "message": message[:TYPED]}
    try:
        with command() as tx:
            actions.ask_customer(tx, public_id, message)
    except Invalid as wrong:
        errors = {"message": _("Write what the customer should answer") if not message.strip() else wrong.message}
        return make_response(_page(public_id, errors, typed), 422)
    except Conflict as refused:
        return make_response(_page(public_id, {"": gettext(refused.message)}, typed), refused.status)
    flash(_("The question is on its way. The deadline stands still until there is an answer."), "green")
    return see_other("staff.refund_page", public_id=public_id)


@staff.post("/refunds/<public_id>/hand-over")
@needs(may.SEE_REFUNDS, "refunds")
def hand_over_refund(public_id: str) -> Response:
    """Give the open question about a refund to somebody who may do the next step: one press."""
    with command() as tx:
        refund = actions.find_refund(tx.session, public_id)
        others = dict(_others(tx.session, refund, first=_took_part(tx.session, refund), todo=True) or [])
        asked = actions.hand_over(tx, public_id, list(others))
        name = others[asked.owner_id or 0]
    flash(_("%(name)s has it now.", name=name), "green")
    return see_other("staff.refund_page", public_id=public_id)


def _took_part(session: Session, refund: Refund) -> bool:
    return refund.waits_for == reviews.SECOND_PERSON and two_people.had_a_part(session, refund, me().id)


@staff.post("/refunds/<public_id>/<any(undo):act>")
@needs(may.UNDO_REFUNDS, "refunds")
def undo_refund(public_id: str, act: str) -> Response:
    """Take a refund back before it is sent. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(second):act>")
@needs(may.SECOND_REFUNDS, "refunds")
def second_refund(public_id: str, act: str) -> Response:
    """Approve a large refund as the second person. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(anyway):act>")
@needs(may.EXCEED_CAP, "refunds")
def let_through(public_id: str, act: str) -> Response:
    """Send what is above the daily cap. Needs a note."""
    return repair(public_id, act)


@staff.post("/refunds/<public_id>/<any(retry, elsewhere, unsent, count, end):act>")
@needs(may.REPAIR_REFUNDS, "refunds")
def repair(public_id: str, act: str) -> Response:
    """Try again with a new refund, record a payment made elsewhere, give up one that never arrived or has too little left,
    or count one that Stripe shows as paid after all. Each needs a note."""
    note, how = request.form.get("note", ""), request.form.get("how", "")
    typed = {"act": act, "note": note[:TYPED], "how": how}
    acts: dict[str, Callable[..., Refund]] = {
        "retry": actions.retry,
        "elsewhere": lambda tx, refund, why: actions.mark_paid_elsewhere(
            tx, refund, why, above=ports().shop.refunds.second_above_minor, how=read_way(how, why)
        ),
        "unsent": actions.declare_unsent,
        "count": contradicted.count,
        "end": given_up.give_up,
        "anyway": actions.send_anyway,
        "undo": undo.take_back,
        "second": second.approve,
    }
    try:
        with command() as tx:
            replaced = (
                actions.find_replacement(tx.session, actions.find_refund(tx.session, public_id))
                if act == "retry"
                else None
            )
            done = acts[act](tx, public_id, note)
            number, amount = done.public_id, words.amount(done.amount_minor, done.currency)
            recorded = (done.paid_elsewhere_by, done.paid_elsewhere_note, done.paid_elsewhere_how)
            way = words.paid_to(*paid_with(done))
            follows, of_return = fate.of_refund(done), done.return_id is not None
    except Invalid as wrong:
        fields = wrong.fields or {"note": wrong.message}
        errors = {f"{act}-note" if name == "note" else name: text for name, text in fields.items()}
        return make_response(_page(public_id, errors, typed), 422)
    except (Conflict, Forbidden) as refused:
        return make_response(_page(public_id, {"": gettext(refused.message)}, typed), refused.status)
    if act == "elsewhere" and recorded != (me().actor.name, note.strip(), read_way(how, note)):
        # A colleague's record holds, or another one of one's own: what was recorded now may have been paid beside it.
        return make_response(_page(public_id, {"": recorded_before(recorded[0], way)}, typed), 409)
    if replaced is not None:
        flash(_("It was replaced already, by %(number)s. Nothing new was made.", number=number), "amber")
        return see_other("staff.refund_page", public_id=number)
    said = {
        "retry": _("A new refund of %(amount)s takes its place.", amount=amount),
        "elsewhere": _("Recorded: %(amount)s was paid another way.", amount=amount),
        "unsent": _("Recorded: it never arrived. It may be sent again now."),
        "end": _("It is sent no more. %(amount)s is decided with the rest of the return.", amount=amount)
        if of_return
        else _("The gift of %(amount)s has ended.", amount=amount),
        "count": _("Counted: the customer has got %(amount)s from Stripe.", amount=amount),
        "anyway": _("%(amount)s may go although the daily cap is reached.", amount=amount),
        "undo": _("%(amount)s was taken back. Nothing was sent.", amount=amount),
        "second": _("Approved %(amount)s as the second person.", amount=amount),
    }[act]
    flash(f"{said} {follows}" if act in ("retry", "anyway", "second") and follows else said, "green")
    return see_other("staff.refund_page", public_id=number)


@staff.post("/refunds/<public_id>/check")
@needs(may.REPAIR_REFUNDS, "refunds")
def check_refund(public_id: str) -> Response:
    """Let a worker ask the payment provider now; more clicks within a minute are one question."""
    with command() as tx:
        refund = actions.find_refund(tx.session, public_id)
        minute = int(tx.at.timestamp() // CHECK_EVERY.total_seconds())
        jobs.enqueue(tx, "check_refund", {"refund": refund.id}, key=f"staff-check:{refund.id}:{minute}")
    flash(_("We’re asking the payment provider now. Look again in a moment."), "blue")
    return see_other("staff.refund_page", public_id=public_id)
