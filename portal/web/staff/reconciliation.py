"""The last reconciliation as staff read it: what was compared, when, and each difference.

In: the newest stored report. Out: a page, and one sentence for the page of refunds. Never: a comparison during a request.
"""

from __future__ import annotations

from typing import Any

from flask import render_template
from sqlalchemy.orm import Session

from portal import clock
from portal.refunds.report import last_report
from portal.staff import permissions as may
from portal.web.staff import words
from portal.web.staff.base import needs, ports, read, staff
from portal.web.staff.text import _, ngettext


@staff.get("/refunds/reconciliation")
@needs(may.SEE_REFUNDS, "refunds")
def reconciliation() -> str:
    """The page."""
    with read() as session:
        return render_template("staff/reconciliation.html", report=last_report(session), summary=summary(session))


def summary(session: Session) -> dict[str, Any]:
    """The outcome in one sentence, and whether somebody has to look."""
    report = last_report(session)
    if report is None:
        return {"sentence": _("Not compared with Stripe yet. The first comparison runs tonight."), "wrong": False}
    count = report.difference_count
    found = ngettext("%(num)s difference", "%(num)s differences", count)
    when = words.when(report.ended_at, clock.now(), ports().shop.timezone)
    return {
        "sentence": _("Last comparison with Stripe: %(when)s, %(found)s.", when=when, found=found),
        "wrong": bool(count),
    }
