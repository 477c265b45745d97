"""The exceptions: what needs a decision, the oldest deadline first. Views and filters live in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from portal import clock
from portal.money import Money, exponent
from portal.reviews import queries as reviews
from portal.reviews import service as kinds
from portal.reviews.queries import Page, QueueRow
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.web.staff import csv_export, words
from portal.web.staff.base import Me, initials, me, needs, ports, read, staff
from portal.web.staff.text import _, ngettext

EXPORT_AT_ONCE = 500
_KEYS = ("view", "why", "owner", "value", "text", "sort", "page")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; words it does not know count as not said."""

    view: str
    why: str
    owner: str
    value: str
    text: str
    sort: str
    page: int

    @classmethod
    def of(cls, args: Any) -> Filters:
        """Read the address."""

        def one_of(name: str, known: tuple[str, ...], default: str) -> str:
            said = args.get(name, "")
            return said if said in known else default

        owner = args.get("owner", "")
        page = args.get("page", "1")
        return cls(
            one_of("view", reviews.VIEWS, "all"),
            one_of("why", kinds.KINDS, ""),
            owner if owner in ("me", "nobody") or (owner.isascii() and owner.isdigit() and len(owner) < 10) else "",
            one_of("value", ("0-50", "50-100", "100-300", "300-"), ""),
            args.get("text", "").strip()[:100].replace("\x00", ""),
            one_of("sort", reviews.SORTS, "deadline"),
            min(int(page), reviews.MAX_PAGE) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def href(self, **changed: str | int) -> str:
        """The address of the same list with something changed; what is at its default is left out."""
        plain = {"view": "all", "sort": "deadline", "page": 1}
        found = {key: changed.get(key, getattr(self, key) if key != "page" else 1) for key in _KEYS}
        query = {key: value for key, value in found.items() if value and value != plain.get(key)}
        return url_for("staff.queue") + (f"?{urlencode(query)}" if query else "")

    def ask(self, session: Session, who: Me, at: datetime, *, page: int, per_page: int = reviews.PER_PAGE) -> Page:
        """The rows for these filters."""
        low, high = self._values(ports().shop.currency)
        return reviews.queue(
            session,
            at=at,
            view=self.view,
            me=who.id,
            owner=int(self.owner) if self.owner.isdigit() else self.owner or None,
            kind=self.why or None,
            search=self.text,
            value_from=low,
            value_to=high,
            sort=self.sort,
            page=page,
            per_page=per_page,
        )

    def _values(self, currency: str) -> tuple[int | None, int | None]:
        if not self.value:
            return None, None
        low, _dash, high = self.value.partition("-")
        scale = 10 ** exponent(currency)
        return int(low) * scale, int(high) * scale - 1 if high else None


def looks(row: QueueRow) -> tuple[str, str]:
    """Which badge stands beside a question: who acts next."""
    if row.paused:
        return "review", "asked"
    if row.answered:
        return "review", "answered"
    # A chargeback stops refunds before they are sent; only where it names a refund has one failed.
    if row.kind == kinds.REFUND_FAILED or (row.kind == kinds.DISPUTE and row.refund_id is not None):
        return "refund", "failed"
    if row.kind in (kinds.REFUND_UNKNOWN, kinds.BALANCE_LOW):
        return "refund", "unknown"
    if row.kind == kinds.RECEIPT and row.return_status:
        return "return", row.return_status
    return "review", "open"


def href_of(row: QueueRow) -> str:
    """Where the question is decided: on its return, or on its refund where there is no return."""
    if row.rma:
        return url_for("staff.return_page", rma=row.rma)
    return url_for("staff.refund_page", public_id=row.refund) if row.refund else url_for("staff.refunds")


def shown(row: QueueRow, now: datetime, zone: str) -> dict[str, Any]:
    """One row as the table needs it."""
    short, tipped = words.question(row.kind, row.why, row.fact)
    return {
        "row": row,
        "short": short,
        "tipped": tipped,
        "name": row.rma or _("Order %(number)s", number=row.order_number),
        "href": href_of(row),
        "who": ", ".join(
            part
            for part in (
                row.customer_name,
                ngettext("%(num)s item", "%(num)s items", row.items) if row.items else "",
            )
            if part
        ),
        "value": words.amount(row.value.minor, row.value.currency) if row.value else "—",
        "sum": {
            "data-minor": row.value.minor,
            "data-currency": row.value.currency,
            "data-digits": exponent(row.value.currency),
        }
        if row.value
        else {},
        "deadline": words.deadline(
            row.due_at, row.opened_at, now, zone, paused=row.paused, answered_at=row.answered_at
        ),
        "badge": looks(row),
        "initials": initials(row.owner_name) if row.owner_id else "",
    }


def sums(values: list[Money | None]) -> str:
    """The sum of some amounts, one for each currency."""
    found: dict[str, int] = {}
    for value in values:
        if value is not None:
            found[value.currency] = found.get(value.currency, 0) + value.minor
    return ", ".join(words.amount(minor, currency) for currency, minor in sorted(found.items()))


@staff.get("/")
@needs(may.SEE_RETURNS, "exceptions")
def queue() -> AnyResponse | str:
    """The list; the warehouse starts at the bench instead."""
    who = me()
    if not who.may(may.SEE_QUEUE):
        return redirect(url_for("staff.bench"), 303)
    filters, now, zone = Filters.of(request.args), clock.now(), ports().shop.timezone
    with read() as session:
        page = filters.ask(session, who, now, page=filters.page)
        if filters.page > page.pages:
            page = filters.ask(session, who, now, page=page.pages)
        owners = people.list_who_may(session, may.DECIDE)
    currency = ports().shop.currency
    bounds = [words.amount(whole * 10 ** exponent(currency), currency) for whole in (50, 100, 300)]
    first = (page.page - 1) * page.per_page
    return render_template(
        "staff/queue.html",
        filters=filters,
        page=page,
        rows=[shown(row, now, zone) for row in page.rows],
        views=_views(filters, page.counts),
        kinds=[("", _("Why it’s here")), *((kind, words.kind(kind)) for kind in kinds.KINDS)],
        owners=[
            ("", _("Owner")), ("me", _("Me")), ("nobody", _("Nobody yet")),
            *((str(id_), name) for id_, name in owners if id_ != who.id),
        ],
        values=[
            ("", _("Value")), ("0-50", _("Under %(amount)s", amount=bounds[0])), ("50-100", f"{bounds[0]} – {bounds[1]}"),
            ("100-300", f"{bounds[1]} – {bounds[2]}"), ("300-", _("%(amount)s and more", amount=bounds[2])),
        ],
        sorts=[
            ("deadline", _("Oldest deadline first")), ("newest", _("Newest first")), ("value", _("Highest value first")),
        ],
        filtered=bool(filters.why or filters.owner or filters.value or filters.text),
        range_words=_("%(first)s–%(last)s of %(total)s", first=first + 1, last=first + len(page.rows), total=page.total),
        previous=filters.href(page=page.page - 1) if page.page > 1 else None,
        following=filters.href(page=page.page + 1) if page.page < page.pages else None,
        export=url_for("staff.export_queue") + filters.href().removeprefix(url_for("staff.queue")),
        may_decide=who.may(may.DECIDE),
        hours=ports().shop.decide_within_hours,
    )  # fmt: skip


def _views(filters: Filters, counts: dict[str, int]) -> list[dict[str, Any]]:
    named = {
        "all": _("All"),
        "mine": _("Mine"),
        "overdue": _("Overdue"),
        "answered": _("Answered"),
        "refund_failed": _("Refund failed"),
        "waiting": _("Waiting for customer"),
    }
    return [
        {"text": named[view], "href": filters.href(view=view), "count": counts[view], "current": view == filters.view}
        for view in reviews.VIEWS
    ]


@staff.get("/exceptions.csv")
@needs(may.SEE_QUEUE, "exceptions")
def export_queue() -> Response:
    """The same list, every page of it, as a file."""
    filters, who, now = Filters.of(request.args), me(), clock.now()
    rows: list[QueueRow] = []
    with read() as session:
        number = 1
        while True:
            page = filters.ask(session, who, now, page=number, per_page=EXPORT_AT_ONCE)
            rows += page.rows
            if number >= page.pages:
                break
            number += 1
    head = ("return", "order", "customer", "country", "items", "value", "currency", "why", "fact", "kind", "status",
            "opened_at", "decide_by", "owner")  # fmt: skip
    return csv_export.answer(f"exceptions-{now:%Y-%m-%d}.csv", head, (_csv_row(row) for row in rows))


def _csv_row(row: QueueRow) -> tuple[object, ...]:
    return (
        row.rma,
        row.order_number,
        row.customer_name,
        row.country,
        row.items,
        row.value.decimal if row.value else "",
        row.value.currency if row.value else "",
        *words.question(row.kind, row.why, row.fact),
        row.kind,
        "answered" if row.answered else row.status,
        row.opened_at.isoformat(),
        row.due_at.isoformat(),
        row.owner_name,
    )
