"""A page that says what is wrong with a form has an address of its own, so that "Back" and "Reload" never send the form again.

In: an answer to a form. Out: a redirect to the kept page, which this session alone may see for a day. Never: more than
a visitor's share of writing; beyond it the page is the answer itself.
"""

from __future__ import annotations

from flask import Response, make_response, request, session
from werkzeug.wrappers import Response as AnyResponse

from portal import clock
from portal.errors import TooManyTries
from portal.staff import kept
from portal.web.customer.base import command, limit_writes, pages, read, see

KEPT = (409, 422)
"""The answers that are pages to read and to go on from."""
MOST = 5
"""So many pages of one session; its cookie holds their tokens."""


@pages.after_request
def keep(response: Response) -> AnyResponse:
    """Put an address in the place of a page that answers a form."""
    if request.method != "POST" or response.status_code not in KEPT or response.mimetype != "text/html":
        return response
    try:
        limit_writes()
    except TooManyTries:
        return response
    with command() as tx:
        token = kept.keep(tx, None, response.status_code, response.get_data(as_text=True))
    session["kept"] = [*session.get("kept", []), token][-MOST:]
    return see("kept_page", token=token)


@pages.get("/kept/<token>")
def kept_page(token: str) -> AnyResponse:
    """The page that a form of this session was answered with; where it is no longer kept, the look-up."""
    found = None
    if token in session.get("kept", []):
        with read() as db:
            found = kept.find(db, None, token, clock.now())
    if found is None:
        return see("lookup")
    status, html = found
    return make_response(html, status)
