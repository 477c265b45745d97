"""What staff do about goods that did not come, paid ahead or not: ask the customer, as for every question, or end it."""

from __future__ import annotations

from typing import Any

from flask import flash, make_response, render_template, request
from werkzeug.wrappers import Response

from portal.errors import Invalid
from portal.money import Money
from portal.policy.quote import Quote
from portal.receiving import rest
from portal.receiving.disposition import MISSING
from portal.refunds import claims
from portal.refunds.queries import money_of_return
from portal.returns.models import Return
from portal.returns.payable import payable_quote
from portal.returns.queries import get_return
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.staff import permissions as may
from portal.web.staff import money, words
from portal.web.staff.base import check_limit, command, light_menu, needs, ports, read, say, see_other, staff
from portal.web.staff.decide import answers_changes
from portal.web.staff.text import _


@staff.post("/returns/<rma>/rest/<any(ask, wait, end):act>")
@needs(may.DECIDE, "returns")
@answers_changes
def end_rest(rma: str, act: str) -> Response:
    """The rest of a return is awaited: ask the customer, wait longer, or give it up, so that what came counts. The last two need
    a note; giving up is carried out once the sum that is left was seen."""
    note, hours = request.form.get("note", ""), ports().shop.decide_within_hours
    try:
        with command() as tx:
            if act == "ask":
                rest.ask_customer(tx, rma, request.form.get("message", ""), decide_within_hours=hours)
            elif act == "wait":
                rest.wait_longer(tx, rma, note)
            else:
                before = get_return(tx.session, rma)
                was = payable_quote(tx.session, before).total
                light_menu(asked=bool(questions.open_reviews(tx.session, before.id)))
                done = rest.give_up(tx, rma, note, decide_within_hours=hours)
                quote = payable_quote(tx.session, done)
                check_limit(quote.total)
                asked = next(iter(questions.open_reviews(tx.session, done.id, questions.RECEIPT)), None)
                if request.form.get("sum") != str(quote.total.minor):
                    raise _Unseen(_what_is_left(done, quote, was, asked))
    except _Unseen as unseen:
        return make_response(render_template("staff/rest.html", **unseen.shown))
    except Invalid as wrong:
        if act == "ask":
            raise Invalid(wrong.message, {"claim-message": _("Write what the customer should answer")}) from wrong
        raise Invalid(wrong.message, {f"rest-{act}-note": wrong.fields.get("note", wrong.message)}) from wrong
    if act == "end":
        _say_given_up(rma, was, quote.total)
    else:
        said = {
            "ask": _("The question is on its way. The deadline stands still until there is an answer."),
            "wait": _("It waits longer. You are asked again when the rest does not come."),
        }[act]
        flash(said, "green")
    return see_other("staff.return_page", rma=rma)


class _Unseen(Exception):
    """What giving the rest up leaves; carried out of the command, which thereby changes nothing."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__()
        self.shown = shown


def _what_is_left(done: Return, quote: Quote, was: Money, asked: Review | None) -> dict[str, Any]:
    """The page of what the customer gets without the rest, by the very command that gives it up."""
    given_up = {line: (line.found or {}).get(MISSING, 0) for line in done.lines}
    return {
        "rma": done.rma,
        "first_name": words.first_name(done),
        "given_up": [f"{count} × {words.name_of(line.order_line)}" for line, count in given_up.items() if count],
        "rows": money.rows(quote, {line.order_line.ref: words.name_of(line.order_line) for line in done.lines}),
        "totals": money.totals(quote),
        "minor": quote.total.minor,
        "total": words.amount(quote.total.minor, quote.currency),
        "was": words.amount(was.minor, was.currency),
        "asked": (asked.why, asked.fact) if asked is not None else None,
        "checked": done.refund_when == "inspected",
        "note": request.form.get("note", ""),
        "seen": request.form.get("seen", ""),
    }


def _say_given_up(rma: str, was: Money, total: Money) -> None:
    """What it is worth now, and what becomes of that: true at this moment."""
    with read() as session:
        return_ = get_return(session, rma)
        view = money_of_return(session, return_.id, bank_days=ports().shop.bank_days)
        follows = money.when_words(return_, view, questions.open_reviews(session, return_.id))
    sums = {"total": words.amount(total.minor, total.currency), "was": words.amount(was.minor, was.currency)}
    say(_("The rest is given up, %(total)s instead of %(was)s.", **sums), text=follows)


@staff.post("/returns/<rma>/goods-missing")
@needs(may.DECIDE, "returns")
@answers_changes
def end_claim(rma: str) -> Response:
    """Needs a note."""
    try:
        with command() as tx:
            claims.end(tx, rma, request.form.get("note", ""))
    except Invalid as wrong:
        raise Invalid(wrong.message, {"claim-note": wrong.fields.get("note", wrong.message)}) from wrong
    flash(_("Left at that. The money stays with the customer."), "green")
    return see_other("staff.return_page", rma=rma)
