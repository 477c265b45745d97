"""Undo of a decision: until when, and the button for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import url_for

from portal import clock, wording
from portal.returns.models import Return
from portal.returns.reopening import open_until
from portal.timeline import TimelineEntry
from portal.web.staff.base import me, ports
from portal.web.staff.text import _


def undo_within() -> timedelta:
    """How long a decision can be taken back."""
    return timedelta(minutes=ports().shop.undo_decision_minutes)


def offer_undo(return_: Return, entries: Sequence[TimelineEntry]) -> dict[str, Any] | None:
    """The button that takes the last decision back, while the person who looks may."""
    until = open_until(return_, entries, me().id, clock.now(), undo_within())
    if until is None:
        return None
    said = _("Undo until %(time)s", time=wording.clock_time(until, ports().shop.timezone))
    return {"action": url_for("staff.undo_decision", rma=return_.rma), "fields": {}, "words": said}
