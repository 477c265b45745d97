"""What staff do about goods that were paid ahead and did not come: ask the customer, as for every question, or end it."""

from __future__ import annotations

from flask import flash, request
from werkzeug.wrappers import Response

from portal.errors import Invalid
from portal.refunds import claims
from portal.staff import permissions as may
from portal.web.staff.base import command, needs, see_other, staff
from portal.web.staff.decide import answers_changes
from portal.web.staff.text import _


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
