"""What staff do about goods that did not come, paid ahead or not: ask the customer, as for every question, or end it."""

from __future__ import annotations

from flask import flash, request
from werkzeug.wrappers import Response

from portal.errors import Invalid
from portal.receiving import rest
from portal.refunds import claims
from portal.returns.payable import payable_quote
from portal.staff import permissions as may
from portal.web.staff.base import check_limit, command, needs, ports, see_other, staff
from portal.web.staff.decide import answers_changes
from portal.web.staff.text import _


@staff.post("/returns/<rma>/rest/<any(ask, wait, end):act>")
@needs(may.DECIDE, "returns")
@answers_changes
def end_rest(rma: str, act: str) -> Response:
    """The rest of a return is awaited: ask the customer, wait longer, or give it up, so that what came is paid. The last two need
    a note."""
    note, hours = request.form.get("note", ""), ports().shop.decide_within_hours
    try:
        with command() as tx:
            if act == "ask":
                rest.ask_customer(tx, rma, request.form.get("message", ""), decide_within_hours=hours)
            elif act == "wait":
                rest.wait_longer(tx, rma, note)
            else:
                done = rest.give_up(tx, rma, note, decide_within_hours=hours)
                check_limit(payable_quote(tx.session, done).total)
    except Invalid as wrong:
        if act == "ask":
            raise Invalid(wrong.message, {"claim-message": _("Write what the customer should answer")}) from wrong
        raise Invalid(wrong.message, {f"rest-{act}-note": wrong.fields.get("note", wrong.message)}) from wrong
    said = {
        "ask": _("The question is on its way. The deadline stands still until there is an answer."),
        "wait": _("It waits longer. You are asked again when the rest does not come."),
        "end": _("The rest is given up. What came is paid as agreed."),
    }[act]
    flash(said, "green")
    return see_other("staff.return_page", rma=rma)


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
