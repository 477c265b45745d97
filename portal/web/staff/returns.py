"""All returns: by status, by search, the newest first. A search that fits one return goes straight to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal import ids
from portal.errors import Invalid
from portal.orders.lookup import find_meant
from portal.policy.quote import Quote
from portal.refunds.queries import endings
from portal.refunds.setbacks import setbacks
from portal.returns.lifecycle import STATUSES
from portal.returns.models import Return
from portal.returns.queries import list_returns
from portal.staff import permissions as may
from portal.web.staff import reads, words
from portal.web.staff.base import me, needs, ports, read, staff
from portal.web.staff.finding import find_exactly, find_refund
from portal.web.staff.text import _
from portal.web.statuses import badge_of, gave, status_of

PER_PAGE = 50
_TABS = (
    "under_review",
    "authorized",
    "in_transit",
    "received",
    "inspected",
    "closed",
    "rejected",
    "canceled",
    "expired",
)


def outcome_of(return_: Return, came: Mapping[str, str]) -> str | None:
    """What came of a closed return, if it is one thing; ``came`` is `MoneyView.came`."""
    wanted = {line.resolution for line in return_.lines if line.status == "accepted"} & gave(return_)
    found = {came.get(each, each) for each in wanted}
    return found.pop() if len(found) == 1 else None


def row(return_: Return, setback: str, came: Mapping[str, str]) -> dict[str, Any]:
    """One return as the list shows it; ``setback`` is what its money met with, ``came`` as in `outcome_of`."""
    quote = Quote.from_json(return_.quote)
    return {
        "rma": return_.rma,
        "href": url_for("staff.return_page", rma=return_.rma),
        "customer": return_.order.customer_name or return_.email,
        "order": return_.order.number,
        "items": sum(line.quantity for line in return_.lines),
        "goods": ", ".join(
            dict.fromkeys(line.order_line.name or line.order_line.sku or line.order_line.ref for line in return_.lines)
        ),
        "resolutions": ", ".join(dict.fromkeys(words.resolution(line.resolution) for line in return_.lines)),
        "value": words.amount(quote.total.minor, return_.currency),
        "booked_at": return_.booked_at,
        "status": badge_of(return_, setback),
        "outcome": outcome_of(return_, came),
    }


@staff.get("/returns")
@needs(may.SEE_RETURNS, "returns")
def returns() -> str:
    """The list."""
    status = request.args.get("status", "")
    status = status if status in STATUSES else ""
    text = request.args.get("q", "").strip()[:100]
    return _page(status, text, request.args.get("cursor") or None)


def _page(status: str, text: str, cursor: str | None, searched: bool = False) -> str:
    with read() as session:
        try:
            rows, following = list_returns(session, status=status or None, search=text, cursor=cursor, limit=PER_PAGE)
        except Invalid:
            # A cursor that somebody has edited begins the list anew.
            cursor = None
            rows, following = list_returns(session, status=status or None, search=text, limit=PER_PAGE)
        counts = reads.count_by_status(session)
        came, late = endings(session, rows), setbacks(session, rows)
        shown = [row(each, late.get(each.id, ""), came.get(each.id, {})) for each in rows]

    def href(**more: str | None) -> str:
        query = {"status": status, "q": text, **more}
        found = {key: value for key, value in query.items() if value}
        return url_for("staff.returns") + (f"?{urlencode(found)}" if found else "")

    tabs = [{"text": _("All"), "href": href(status=None), "count": sum(counts.values()), "current": not status}]
    tabs += [
        {
            "text": status_of("return", name).word,
            "href": href(status=name),
            "count": counts.get(name, 0),
            "current": status == name,
        }
        for name in _TABS
        if counts.get(name) or name == status
    ]
    return render_template(
        "staff/returns.html",
        rows=shown,
        tabs=tabs,
        text=text,
        status=status,
        searched=searched,
        first_page=href() if cursor else None,
        following=href(cursor=following) if following else None,
        search_value=text if searched else "",
    )


@staff.get("/search")
@needs(may.SEE_RETURNS, "returns")
def search() -> Response | str:
    """Find by return, order, tracking code, refund, credit note, e-mail, name or article; one hit goes straight to its page."""
    text = request.args.get("q", "").strip()[:100]
    if not text or not ids.is_text(text):
        return redirect(url_for("staff.returns"), 303)
    with read() as session:
        found, order_id = find_exactly(session, text, ports().shop), None
        refund, of_return = (not found and find_refund(session, text)) or ("", "")
        if refund and me().may(may.SEE_REFUNDS):
            return redirect(url_for("staff.refund_page", public_id=refund), 303)
        if of_return:
            found = [of_return]
        if not found:
            rows, _more = list_returns(session, search=text, limit=2)
            found = [each.rma for each in rows]
        order_id = None if found or not me().may(may.GIVE_GOODWILL) else find_meant(session, text)
    if len(found) == 1:
        return redirect(url_for("staff.return_page", rma=found[0]), 303)
    if order_id is not None:
        # An order without a return has this page alone.
        return redirect(url_for("staff.goodwill_page", order_id=order_id), 303)
    return _page("", text, None, searched=True)
