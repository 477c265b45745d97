"""The ledger of an order as staff read it: every row that was ever added, and the sums that are its balances."""

from __future__ import annotations

from typing import Any

from flask import render_template, url_for

from portal import clock
from portal.errors import NotFound
from portal.orders.models import Order
from portal.refunds import ledger
from portal.staff import permissions as may
from portal.web.staff import words
from portal.web.staff.base import needs, ports, read, staff
from portal.web.staff.text import _


@staff.get("/orders/<int:order_id>/ledger")
@needs(may.SEE_REFUNDS, "refunds")
def order_ledger(order_id: int) -> str:
    """The rows, oldest first, so that each balance can be followed."""
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        order = session.get(Order, order_id)
        if order is None:
            raise NotFound(_("There is no such order."))
        found = ledger.of_order(session, order_id)
        sums: dict[tuple[str, str], int] = {}
        for entry, _rma, _refund in found:
            key = (entry.account, entry.currency)
            sums[key] = sums.get(key, 0) + entry.amount_minor
        rows: list[dict[str, Any]] = [
            {
                "when": words.when(entry.at, now, zone),
                "when_iso": entry.at.isoformat(),
                "account": words.account(entry.account),
                "what": words.ledger_kind(entry.kind),
                "about": refund or rma or "",
                "href": url_for("staff.refund_page", public_id=refund)
                if refund
                else url_for("staff.return_page", rma=rma)
                if rma
                else "",
                "amount": words.amount(entry.amount_minor, entry.currency),
                "cause": entry.cause.removeprefix(f"{refund}, "),
            }
            for entry, rma, refund in found
        ]
        return render_template(
            "staff/ledger.html",
            order=order,
            rows=rows,
            balances=[
                (words.account(account), words.amount(sums[account, currency], currency))
                for account in ledger.ACCOUNTS
                for account_, currency in sorted(sums)
                if account_ == account
            ],
        )
