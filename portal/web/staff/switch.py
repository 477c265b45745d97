"""The switch of all refunds: stop every one of them, or let them flow again, with a reason that everybody sees."""

from __future__ import annotations

from typing import Any

from flask import flash, make_response, render_template, request
from werkzeug.wrappers import Response

from portal import clock
from portal.errors import Invalid
from portal.refunds import gate
from portal.staff import permissions as may
from portal.web.staff import reads, words
from portal.web.staff.base import command, needs, ports, read, see_other, staff
from portal.web.staff.text import _


@staff.get("/refunds/switch")
@needs(may.STOP_REFUNDS, "refunds")
def switch() -> str:
    """How the switch stands, and what waits."""
    return _page({}, "")


def _page(errors: dict[str, str], reason: str) -> str:
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        state = gate.read(session)
        waiting = reads.standings(session)[reads.WAITING]
    cap = ports().shop.refunds.per_day
    return render_template(
        "staff/switch.html",
        state=state,
        since=words.when(state.stopped_at, now, zone, inside=True) if state.stopped_at else "",
        count=waiting.count,
        worth=", ".join(words.amount(total, currency) for currency, total in waiting.worth),
        caps=_caps(cap.count, [(currency, cap.most_minor(currency)) for currency in sorted(cap.amounts)]),
        errors=errors,
        reason=reason,
    )


def _caps(count: int | None, amounts: list[tuple[str, int | None]]) -> list[str]:
    found = [] if count is None else [_("%(count)s refunds a day", count=count)]
    return found + [_("%(amount)s a day", amount=words.amount(most, currency)) for currency, most in amounts if most]


@staff.post("/refunds/switch")
@needs(may.STOP_REFUNDS, "refunds")
def turn_switch() -> Response:
    """Stop, or let flow again. Each needs a reason; a second click changes nothing."""
    act, reason = request.form.get("act", ""), request.form.get("reason", "")
    turn: dict[str, Any] = {"stop": gate.stop, "resume": gate.resume}
    try:
        if act not in turn:
            raise Invalid("Nothing was chosen.", {"reason": _("choose what to do")})
        with command() as tx:
            turn[act](tx, reason)
    except Invalid as wrong:
        return make_response(_page({"reason": wrong.fields.get("reason", wrong.message)}, reason), 422)
    flash(_("Stopped. Nothing is sent any more.") if act == "stop" else _("Refunds flow again."), "green")
    return see_other("staff.switch")
