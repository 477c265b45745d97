"""What staff do about money of a return that could not be sent: send what is left, record another way, or close it."""

from __future__ import annotations

from functools import partial

from flask import abort, flash, request
from werkzeug.wrappers import Response

from portal.errors import Invalid
from portal.refunds import shortage
from portal.staff import permissions as may
from portal.web.staff import words
from portal.web.staff.base import command, needs, ports, see_other, staff
from portal.web.staff.decide import answers_changes
from portal.web.staff.money import read_way
from portal.web.staff.text import _


@staff.post("/returns/<rma>/money/<any(send, elsewhere, close):act>")
@needs(may.REPAIR_REFUNDS, "refunds")
@answers_changes
def end_shortage(rma: str, act: str) -> Response:
    """Each needs a note and happens once; the form carries the amount that was seen."""
    note, seen = request.form.get("note", ""), request.form.get("amount", "")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 18):
        abort(400)
    try:
        with command() as tx:
            if act == "send":
                sent = shortage.send_left(tx, rma, note, ports().shop)
                said = ", ".join(words.amount(each.amount_minor, each.currency) for each in sent)
            else:
                elsewhere = partial(
                    shortage.paid_elsewhere,
                    above=ports().shop.refunds.second_above_minor,
                    how=read_way(request.form.get("how", ""), note) if act == "elsewhere" else "",
                    tender_order=ports().shop.tender_order,
                )
                do = elsewhere if act == "elsewhere" else shortage.close
                ended = do(tx, rma, note, seen_minor=int(seen))
                said = words.amount(ended.minor, ended.currency)
    except Invalid as wrong:
        fields = wrong.fields or {"note": wrong.message}
        names = {f"money-{act}-note" if name == "note" else name: text for name, text in fields.items()}
        raise Invalid(wrong.message, names) from wrong
    if act == "send" and not said:
        flash(_("The payments still have nothing left, so nothing was sent."), "amber")
    else:
        flash(
            {
                "send": _("%(amount)s is on its way.", amount=said),
                "elsewhere": _("Recorded: %(amount)s was paid another way.", amount=said),
                "close": _("Closed. %(amount)s is no longer owed.", amount=said),
            }[act],
            "green",
        )
    return see_other("staff.return_page", rma=rma)
