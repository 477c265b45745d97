"""A page that says what is wrong with a form has an address of its own, so that "Back" and "Reload" never send the form again.

In: an answer to a form. Out: a redirect to the kept page, which this session alone may see, and no longer than it might see the
order or return when it sent the form. Never: more than a visitor's share of kept pages; beyond it the page is the answer itself.
"""

from __future__ import annotations

from flask import Response, make_response, request, session
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from portal import clock, edge, ids, kept
from portal.errors import TooManyTries
from portal.returns.queries import find_order_number
from portal.web.customer import grants
from portal.web.customer.base import command, pages, ports, read, see

KEPT = (409, 422)
"""The answers that are pages to read and to go on from."""
MOST = 5
"""So many pages of one session; its cookie holds their tokens, and until when (Unix time) it gets them."""


@pages.after_request
def keep(response: Response) -> AnyResponse:
    """Put an address in the place of a page that answers a form."""
    if request.method != "POST" or response.status_code not in KEPT or response.mimetype != "text/html":
        return response
    try:
        edge.limit_kept_pages(ports().database, request.remote_addr or "")
    except TooManyTries:
        return response
    mine = _mine()
    over = [token for token, _until in mine[: 1 - MOST]]
    with command() as tx:
        token = kept.keep(tx, None, response.status_code, response.get_data(as_text=True), over=over)
        until = _until(tx.session)
    session["kept"] = [*mine[1 - MOST :], (token, until)]
    return see("kept_page", token=token)


def _mine() -> list[tuple[str, int]]:
    """Token and end of each page of this session."""
    # A cookie from before the end was remembered holds the tokens alone.
    return [(str(each[0]), int(each[1])) for each in session.get("kept", []) if len(each) == 2]


def _until(db: Session) -> int:
    """Until when this session may see what the form was about."""
    given = request.view_args or {}
    rma = ids.read_rma(str(given.get("rma", ""))) or ""
    number = str(given.get("number", "")) or (find_order_number(db, rma) if rma else "") or ""
    return grants.until(rma, number)


@pages.get("/kept/<token>")
def kept_page(token: str) -> AnyResponse:
    """The page that a form of this session was answered with; where it is no longer kept, the look-up."""
    found, now = None, clock.now()
    if dict(_mine()).get(token, 0) > now.timestamp():
        with read() as db:
            found = kept.find(db, None, token, now)
    if found is None:
        return see("lookup")
    status, html = found
    return make_response(html, status)
