"""One table from stored status to what people see: tone, glyph and one word.

The tone says who acts next: neutral nobody, blue the customer or the carrier, violet the warehouse, amber a
person in the shop, green done, red failed or refused. Pages, tables, e-mails and exports all ask this table,
so that one status is one word everywhere. An unknown status is a programming error and raises ``KeyError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l

from portal.policy.quote import REFUND, STORE_CREDIT, Quote
from portal.refunds.lifecycle import FAILED
from portal.refunds.queries import RELEASED, UNPAID
from portal.refunds.setbacks import DELAYED
from portal.returns.lifecycle import IN_TRANSIT, RECEIVED, UNDECIDED
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted

if TYPE_CHECKING:
    from flask import Flask

GLYPHS = {
    "neutral": "ring",
    "blue": "arrow",
    "violet": "square",
    "amber": "triangle",
    "green": "tick",
    "red": "cross",
}
"""Glyph of each tone; shape and word carry the meaning where colour cannot."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a status is shown. ``word`` is translated when it is turned into text."""

    tone: str
    word: Any

    @property
    def glyph(self) -> str:
        """Name of the sprite's glyph, without its ``glyph-`` prefix."""
        return GLYPHS[self.tone]


_GOODS = {
    "requested": Look("neutral", _l("Requested")),
    "under_review": Look("amber", _l("Reviewing")),
    "asked": Look("blue", _l("Asked")),
    "authorized": Look("blue", _l("Approved")),
    "in_transit": Look("blue", _l("Shipped")),
    "partly_received": Look("violet", _l("Incomplete")),
    "awaited": Look("blue", _l("Awaited")),
    "received": Look("violet", _l("Received")),
    "inspected": Look("violet", _l("Inspected")),
    "closed": Look("green", _l("Closed")),
    "refunded": Look("green", _l("Refunded")),
    "credited": Look("green", _l("Credited")),
    "exchanged": Look("green", _l("Exchanged")),
    "released": Look("green", _l("Released")),
    "rejected": Look("red", _l("Denied")),
    "canceled": Look("neutral", _l("Cancelled")),
    "expired": Look("neutral", _l("Expired")),
    "missing": Look("red", _l("Missing")),
    # What is said of money that does not go as it should, whatever the goods have reached. Customers read the first of both only.
    DELAYED: Look("amber", _l("Delayed")),
    FAILED: Look("red", _l("Failed")),
}

# A closed return says what came of it; "Refunded" is the caller's to claim only after the money has gone.
_OUTCOMES = {
    "refund": _GOODS["refunded"],
    "store_credit": _GOODS["credited"],
    "exchange": _GOODS["exchanged"],
    RELEASED: _GOODS["released"],
    UNPAID: Look("neutral", _l("Closed")),
}

LOOKS: dict[str, dict[str, Look]] = {
    "return": _GOODS,
    "line": {
        **_GOODS,
        "accepted": _GOODS["authorized"],
        "review": _GOODS["under_review"],
        "refused": _GOODS["rejected"],
    },
    "refund": {
        "planned": Look("neutral", _l("Planned")),
        "submitted": Look("blue", _l("Sending")),
        "pending": Look("blue", _l("Sending")),
        "requires_action": _GOODS["asked"],
        "unknown": Look("amber", _l("Unsure")),
        "succeeded": Look("green", _l("Refunded")),
        "paid_elsewhere": Look("green", _l("Refunded")),
        RELEASED: _GOODS[RELEASED],
        "failed": Look("red", _l("Failed")),
        "canceled": Look("neutral", _l("Cancelled")),
    },
    "credit": {
        "planned": Look("neutral", _l("Planned")),
        "issued": Look("green", _l("Credited")),
        "canceled": Look("neutral", _l("Cancelled")),
    },
    "review": {
        "open": _GOODS["under_review"],
        "asked": _GOODS["asked"],
        "answered": Look("amber", _l("Answered")),
        "approved": _GOODS["authorized"],
        "refused": _GOODS["rejected"],
        "settled": Look("green", _l("Settled")),
    },
    "policy": {
        "draft": Look("amber", _l("Draft")),
        "live": Look("green", _l("Live")),
        "coming": Look("blue", _l("Coming")),
        "retired": Look("neutral", _l("Retired")),
        "replaced": Look("neutral", _l("Replaced")),
    },
}


def status_of(kind: str, status: object, outcome: object = None) -> Look:
    """Give the look of ``status``, one of the names stored for ``kind``.

    ``kind`` is return, line, refund, credit, review or policy; ``status`` a string or an enum whose value
    is one. ``outcome`` (a resolution, `RELEASED` or `UNPAID`) replaces "Closed" by what came of it. Raises ``KeyError`` for a
    status that the table does not know.
    """
    name = str(getattr(status, "value", status))
    if name == "closed" and outcome is not None:
        return _OUTCOMES[str(getattr(outcome, "value", outcome))]
    return LOOKS[kind][name]


def badge_of(return_: Return, setback: str = "") -> str:
    """The name of a return's badge: its status, that a part of it has come while the rest still travels, or what its money met
    with (``setback``, of `refunds.setbacks.setback`)."""
    if setback:
        return setback
    return "partly_received" if is_partly_here(return_) else return_.status


def is_partly_here(return_: Return) -> bool:
    """True while some of it has come and the rest still travels."""
    return return_.status == IN_TRANSIT and any(line.received_quantity for line in return_.lines)


def line_badge(return_: Return, line: ReturnLine, came: Mapping[str, str], setback: str = "") -> tuple[str, str | None]:
    """The name of an item's badge and what came of it: its own end, else what the whole return has reached.

    ``setback`` as in `badge_of`, ``came`` is `MoneyView.came`.
    """
    if line.status in ("refused", "canceled"):
        return line.status, None
    if line.status == "review" and return_.status in UNDECIDED:
        return "review", None
    if accounted(line) >= line.quantity and not line.received_quantity:
        return "missing", None
    if setback and line.resolution == REFUND:
        return setback, None
    if return_.status == IN_TRANSIT and accounted(line) >= line.quantity:
        return RECEIVED, None
    if is_partly_here(return_):
        return "partly_received" if line.received_quantity else "awaited", None
    if line.resolution not in gave(return_):
        return return_.status, None
    return return_.status, came.get(line.resolution, line.resolution)


def gave(return_: Return) -> set[str]:
    """What came of a return's items, by resolution; what a label or fees took all of came to nothing."""
    quote = Quote.from_json(return_.quote)
    worth = {REFUND: quote.refund_total.minor, STORE_CREDIT: quote.credit_total.minor}
    wanted = {line.resolution for line in return_.lines if line.status not in ("refused", "canceled")}
    return {each for each in wanted if worth.get(each) != 0}


SOON = timedelta(hours=3)
"""A deadline nearer than this is amber."""


def deadline_state(due_at: datetime | None, now: datetime, *, paused: bool = False) -> str:
    """Give ``overdue``, ``soon``, ``plain`` or ``paused`` for a deadline; both times are aware UTC.

    A deadline is paused while a customer is asked, and when there is none.
    """
    if paused or due_at is None:
        return "paused"
    if due_at <= now:
        return "overdue"
    return "soon" if due_at - now < SOON else "plain"


def init_app(app: Flask) -> None:
    """Make ``status_of`` known to the templates, which is what the ``badge`` macro asks."""
    app.jinja_env.globals["status_of"] = status_of
