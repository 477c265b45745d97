"""What staff do about one return: decide, ask, deny, send on its way, note, own. Each form carries the state that was seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import abort, flash, make_response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from portal import timeline, wording
from portal.db import Tx
from portal.errors import Conflict, Forbidden, Invalid
from portal.money import Money
from portal.refunds.queries import money_of_return
from portal.returns import service as returns
from portal.returns import texts
from portal.returns.holding import lock_return
from portal.returns.models import Return
from portal.returns.queries import get_return
from portal.reviews import service as questions
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.timeline import entries_for_return
from portal.web.staff import fate, money, words
from portal.web.staff.approval import Unseen, as_sent, changed_amounts, check_seen, chosen_lines, open_lines
from portal.web.staff.base import (
    Resumed,
    check_limit,
    command,
    light_menu,
    me,
    needs,
    ports,
    read,
    say,
    see_other,
    staff,
)
from portal.web.staff.detail import Late, page
from portal.web.staff.text import _
from portal.web.staff.undoing import offer_undo, undo_within

DECISIONS = ("approve", "change", "ask", "deny")
KEEP = 4000
"""As much of what somebody typed as a page brings back."""
View = TypeVar("View", bound=Callable[..., Any])


def typed() -> dict[str, Any]:
    """What the form holds, to be shown again."""
    found: dict[str, Any] = {name: request.form.get(name, "")[:KEEP] for name in request.form}
    found["lines"] = request.form.getlist("line")
    return found


def expected() -> int | None:
    """The version of the return that the person saw; a form without one is none of ours."""
    text = request.form.get("expected", "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        abort(400)
    return int(text)


def answers_changes(view: View) -> View:
    """When the return has changed meanwhile, show it as it is now and say who changed what; when something is wrong, or the
    person may not, show the page again. Both give back what was typed. Nothing was done."""

    @wraps(view)
    def guarded(rma: str, **more: Any) -> Any:
        try:
            return view(rma, **more)
        except Conflict as conflict:
            return make_response(page(rma, typed=typed(), late=Late(gettext(conflict.message), last_seen())), 409)
        except Invalid as wrong:
            return make_response(page(rma, errors=_fields(wrong), typed=typed()), 422)
        except Forbidden as forbidden:
            return make_response(page(rma, errors={"": gettext(forbidden.message)}, typed=typed()), 403)

    return guarded  # type: ignore[return-value]


def last_seen() -> int:
    """The last entry of the timeline that the person saw; zero where the form does not say."""
    seen = request.form.get("seen", "")
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 18 else 0


def _fields(wrong: Invalid) -> dict[str, str]:
    """A service's fields as the ids of this page's controls."""
    found = {}
    for name, text in wrong.fields.items():
        plain = name.strip("/").replace("/", "-")
        found[plain] = text[:1].upper() + text[1:]
    return found or {"": gettext(wrong.message)}


@staff.post("/returns/<rma>/decision")
@needs(may.DECIDE, "exceptions")
@answers_changes
def decide(rma: str) -> Response:
    """Approve, ask, or go on to the page that confirms a "no". What gives another sum than the card showed (other amounts, some
    of the items) is carried out once that sum was seen, and a reason given for the items that are denied."""
    choice = request.form.get("decision", "")
    message, note, version = request.form.get("message", ""), request.form.get("note", ""), expected()
    if choice not in DECISIONS:
        raise Invalid("Nothing was chosen.", {"decision": _("choose what to do")})
    if choice == "deny":
        return make_response(_deny_page(rma, {}))
    if choice == "ask":
        if not message.strip():
            raise Invalid("There is no question.", {"message": _("Write what the customer should answer")})
        with command() as tx:
            returns.ask(tx, rma, message=message, note=note, expected=version)
        flash(_("The question is on its way. The deadline stands still until there is an answer."), "green")
        return see_other("staff.return_page", rma=rma)
    try:
        with command() as tx:
            found = lock_return(tx, rma)
            if found.version == version:
                total = _approve(tx, found, changed=choice == "change")
            else:
                # Nothing of the form fits any more: a second click is answered like the first, anybody else by what changed.
                sent = as_sent(tx, found, changed=choice == "change")
                done = returns.authorize(tx, rma, expected=version, **sent)
                total = returns.payable_quote(tx.session, done).total
    except Unseen as unseen:
        return make_response(render_template("staff/change.html", typed=typed(), **unseen.shown), unseen.status)
    _say_approved(rma, total)
    return see_other("staff.return_page", rma=rma)


def _approve(tx: Tx, return_: Return, *, changed: bool) -> Money:
    """Approve the ticked items of the locked return, with other amounts where they are ``changed``; what it gives in all. Raises
    `Unseen`."""
    message, note = request.form.get("message", ""), request.form.get("note", "")
    _check_rank(tx, return_, changed=changed)
    before = returns.payable_quote(tx.session, return_).total
    amounts = changed_amounts(tx, return_) if changed else {}
    chosen = chosen_lines(return_)
    denied = [] if chosen is None else [line for line in open_lines(return_) if line.order_line.ref not in chosen]
    # The sum is looked at before the reason is written; `check_seen` lets nothing be done without one.
    preview = bool(denied) and not message.strip()
    done = returns.authorize(
        tx, return_.rma, note=note, message=message, lines=chosen, amounts=amounts, preview=preview
    )
    quote = returns.payable_quote(tx.session, done)
    check_limit(quote.total)
    if denied or changed:
        check_seen(done, quote, before, denied)
    return quote.total


def _say_approved(rma: str, total: Money) -> None:
    """What was approved, and when the money goes: true at this moment."""
    with read() as session:
        return_ = get_return(session, rma)
        view = money_of_return(session, return_.id, bank_days=ports().shop.bank_days)
        follows = money.when_words(return_, view, questions.open_reviews(session, return_.id))
        refund = next((each for each in view.pieces if each.kind == "refund"), None)
        until = fate.undo_until(refund.prepared_at) if refund is not None and not refund.tried else None
        undo = offer_undo(return_, entries_for_return(session, return_.id))
    said = _("Approved, %(total)s.", total=words.amount(total.minor, total.currency))
    links = []
    if refund is not None and until is not None and me().may(may.UNDO_REFUNDS):
        here = url_for("staff.refund_page", public_id=refund.refund, _anchor="take-back")
        links = [(_("Undo until %(time)s", time=wording.clock_time(until, ports().shop.timezone)), here)]
    say(said, text=follows, links=links, undo=undo)


def _check_rank(tx: Tx, return_: Return, *, changed: bool) -> None:
    """Who may approve wishes of the customer may not by that overrule the policy, change amounts, or take a "no" back."""
    if me().may(may.OVERRULE):
        return
    if changed or returns.overrules(tx.session, return_):
        raise Forbidden(_("Only a returns lead may overrule the policy, change an amount or take a “no” back."))


def _deny_page(rma: str, errors: dict[str, str]) -> str:
    with read() as session:
        return_ = get_return(session, rma)
        return render_template(
            "staff/deny.html",
            return_=return_,
            names=[words.name_of(line.order_line) for line in return_.lines],
            errors=errors,
            typed=typed(),
            first_name=words.first_name(return_),
        )


@staff.post("/returns/<rma>/deny")
@needs(may.DECIDE, "exceptions")
@answers_changes
def deny(rma: str) -> Response:
    """Say no. The customer reads why, so a reason is needed."""
    message, version = request.form.get("message", ""), expected()
    if not message.strip():
        return make_response(_deny_page(rma, {"message": _("Write why, for the customer to read")}), 422)
    try:
        with command() as tx:
            returns.refuse(tx, rma, message=message, note=request.form.get("note", ""), expected=version)
    except Invalid as wrong:
        return make_response(_deny_page(rma, _fields(wrong)), 422)
    with read() as session:
        return_ = get_return(session, rma)
        undo = offer_undo(return_, entries_for_return(session, return_.id))
    say(_("Denied. The customer gets an e-mail with your reason."), undo=undo)
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/undo")
@needs(may.DECIDE, "returns")
@answers_changes
def undo_decision(rma: str) -> Response:
    """Take one's own decision back within the minutes for that."""
    with command() as tx:
        returns.take_decision_back(tx, rma, undo_within())
    flash(_("The decision is taken back. What the customer was told of it is put right."), "green")
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/reinstate")
@needs(may.OVERRULE, "returns")
@answers_changes
def reinstate(rma: str) -> Response:
    """Take a "no" or an expiry back."""
    note = request.form.get("note", "")
    if not note.strip():
        raise Invalid("A note is missing.", {"reinstate-note": _("Say why it is taken back")})
    with command() as tx:
        check_limit(returns.payable_quote(tx.session, returns.authorize(tx, rma, note=note, expected=expected())).total)
    flash(_("Approved after all."), "green")
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/shipped")
@needs(may.DECIDE, "returns")
@answers_changes
def shipped(rma: str) -> Response:
    """The carrier has the parcel; the scan of the carrier did not reach us."""
    with command() as tx:
        returns.mark_in_transit(tx, rma, note=request.form.get("note", ""))
    flash(_("Marked as handed to the carrier."), "green")
    return see_other("staff.return_page", rma=rma)


@staff.get("/returns/<rma>/cancel")
@needs(may.DECIDE, "returns")
def ask_cancel(rma: str) -> Response | str:
    """The page that confirms it, while there is something to cancel."""
    with read() as session:
        return_ = get_return(session, rma)
        if not returns.can_be_canceled(return_):
            flash(_("This return can’t be cancelled any more. The timeline says why."), "amber")
            return see_other("staff.return_page", rma=rma)
        last = timeline.last_of_return(session, return_.id)
        light_menu(asked=bool(questions.open_reviews(session, return_.id)))
        return render_template("staff/cancel.html", return_=return_, seen=last.id if last is not None else 0)


@staff.post("/returns/<rma>/cancel")
@needs(may.DECIDE, "returns")
@answers_changes
def cancel(rma: str) -> Response:
    """Call it off; the customer may book again."""
    with command() as tx:
        returns.cancel(tx, rma, by="staff", expected=expected())
    flash(_("Cancelled. The items can be returned again while their time limit runs."), "green")
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/outcome")
@needs(may.DECIDE, "returns")
@answers_changes
def change_outcome(rma: str) -> Response:
    """Money or credit in place of an exchange, with a note that says why."""
    note = request.form.get("note", "")
    if not note.strip():
        raise Invalid("A note is missing.", {"outcome-note": _("Say why the outcome is changed")})
    version = expected()
    try:
        with command() as tx:
            changed = returns.change_resolution(
                tx,
                rma,
                line=request.form.get("line", ""),
                resolution=request.form.get("resolution", ""),
                note=note,
                overrule=me().may(may.OVERRULE),
                expected=version,
            )
            check_limit(returns.payable_quote(tx.session, changed).total)
    except Resumed as late:
        raise Invalid(late.message, {"outcome-note": late.message}) from late
    flash(_("The outcome is changed."), "green")
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/hand-over")
@needs(may.DECIDE, "returns")
@answers_changes
def hand_over(rma: str) -> Response:
    """Let somebody who may overrule the policy say what is given in place of an exchange: one press."""
    with command() as tx:
        leads = dict(people.list_who_may(tx.session, may.OVERRULE))
        asked = returns.hand_over(tx, rma, list(leads), decide_within_hours=ports().shop.decide_within_hours)
        name = leads.get(asked.owner_id or 0, "")
    flash(_("%(name)s has it now.", name=name), "green")
    return see_other("staff.return_page", rma=rma)


@staff.post("/returns/<rma>/notes")
@needs(may.SEE_RETURNS, "returns")
@answers_changes
def add_note(rma: str) -> Response:
    """Write on the timeline, for colleagues. The same words sent twice are one note."""
    try:
        text = texts.note(request.form.get("text", ""), "text")
    except Invalid as wrong:
        raise Invalid(wrong.message, {"note-text": next(iter(wrong.fields.values()))}) from None
    if not text:
        raise Invalid("There is no note.", {"note-text": _("Write the note")})
    with command() as tx:
        return_ = lock_return(tx, rma)
        last = timeline.last_of_return(tx.session, return_.id)
        if last is None or (last.what, last.why, last.actor_id) != ("note.added", text, me().id):
            timeline.record(tx, "note.added", return_id=return_.id, order_id=return_.order_id, why=text)
    flash(_("Note added."), "green")
    return see_other("staff.return_page", rma=rma, _anchor="timeline")


@staff.post("/returns/<rma>/owner")
@needs(may.DECIDE, "returns")
@answers_changes
def set_owner(rma: str) -> Response:
    """Give the open questions of this return to somebody, or to nobody."""
    said = request.form.get("owner", "")
    owner = int(said) if said.isascii() and said.isdigit() and len(said) < 12 else None
    with command() as tx:
        return_ = lock_return(tx, rma)
        open_ = questions.open_reviews(tx.session, return_.id)
        for review in open_:
            questions.assign(tx, review.id, owner)
    if not open_:
        flash(_("Nothing is open about this return any more, so it has no owner. Nothing was changed."), "amber")
        return see_other("staff.return_page", rma=rma)
    flash(_("The owner is changed.") if owner else _("It has no owner now."), "green")
    return see_other("staff.return_page", rma=rma)
