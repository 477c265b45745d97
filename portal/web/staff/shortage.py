"""What staff do about money of a return that could not be sent: send what is left, record another way, or close it."""

from __future__ import annotations

from functools import partial

from flask import abort, flash, request
from werkzeug.wrappers import Response

from portal.errors import Conflict, Invalid
from portal.refunds import shortage
from portal.refunds.tenders import BY_HAND
from portal.staff import permissions as may
from portal.web.staff import words
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.decide import answers_changes, last_seen
from portal.web.staff.money import read_way, recorded_before
from portal.web.staff.text import _


def _repeated(rma: str, note: str) -> str:
    """The amount, where this very record was made by the same press; empty where nothing was recorded as paid another way.

    Raises `Conflict` where another record came first: both may have paid.
    """
    with read() as session:
        before = shortage.find_record(session, rma, since=last_seen())
        if before is None:
            return ""
        by, why, data = before.actor_name, before.why, before.data or {}
    how = str(data.get("how", ""))
    if (by, why, how) != (me().actor.name, note.strip(), read_way(request.form.get("how", ""), note)):
        raise Conflict(recorded_before(by, words.paid_to("", how or BY_HAND[0])), state="recorded")
    return words.amount(data["amount"], data["currency"])


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
    except Conflict:
        said = _repeated(rma, note) if act == "elsewhere" else ""
        if not said:
            raise
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
