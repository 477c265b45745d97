"""Every form of the staff's pages is answered by an address.

A page that answers one (what is wrong with it, what it would do, who was faster) is kept and shown by an address of its own, so
that "Back" and "Reload" never send a form again.
"""

from __future__ import annotations

from flask import Response, flash, g, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import clock, edge, kept
from portal.staff import permissions as may
from portal.web.staff.base import me, needs, ports, read, see_other, staff
from portal.web.staff.text import _

KEPT = (200, 403, 404, 409, 422)
"""The answers that are pages to read; an error of the program, or a form that is none of ours, is answered as it is."""


@staff.after_request
def keep(response: Response) -> AnyResponse:
    """Put an address in the place of a page that answers a form."""
    shown = response.status_code in KEPT and response.mimetype == "text/html"
    if request.method != "POST" or not shown or "me" not in g:
        return response
    # Not by `base.command`, which begins nothing for a form that is only given back.
    with edge.command(ports().database, me().actor) as tx:
        token = kept.keep(tx, me().id, response.status_code, response.get_data(as_text=True))
    return see_other("staff.kept_page", token=token)


@staff.get("/kept/<token>")
@needs(may.SEE_RETURNS)
def kept_page(token: str) -> AnyResponse:
    """The page that a form of this person was answered with."""
    with read() as session:
        found = kept.find(session, me().id, token[:64], clock.now())
    if found is None:
        flash(_("That page is no longer kept. Nothing was done by looking at it."), "amber")
        return see_other("staff.queue")
    status, html = found
    return make_response(html, status)
