"""The bench: scan, count, finish, scan the next one. The scan field has the focus whenever the page comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import flash, make_response, render_template, request, session
from werkzeug.wrappers import Response

from portal import clock, ids
from portal.errors import Conflict, Invalid
from portal.policy.reasons import REASONS
from portal.policy.terms import CONDITIONS
from portal.receiving import disposition as goods
from portal.receiving import service as receiving
from portal.returns import lifecycle
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import expected_lines, goods_outstanding
from portal.returns.queries import get_return
from portal.reviews import service as questions
from portal.staff import permissions as may
from portal.web.staff import counting, reads, words
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.counting import GROUPS, Effect, Filled
from portal.web.staff.finding import find_by_article, find_exactly
from portal.web.staff.text import _, ngettext
from portal.web.statuses import badge_of

KEPT_SCANS = 8


def remember(code: str, what: str, *, ok: bool, rma: str = "") -> None:
    """Keep a scan in this browser's list, the newest first."""
    scan = {"code": code[:40], "what": what[:120], "ok": ok, "rma": rma, "at": clock.now().isoformat()}
    session["scans"] = [scan, *session.get("scans", [])][:KEPT_SCANS]


def _around() -> dict[str, Any]:
    """What stands beside the form: today's figures, the last scans, what waits."""
    now, zone = clock.now(), ports().shop.timezone
    with read() as rows:
        today = reads.today_at_the_bench(rows, reads.start_of_day(now, zone), me().name)
        waiting, oldest = reads.oldest_at_the_dock(rows)
    scans = [scan | {"number": number} for number, scan in enumerate(session.get("scans", []))]
    return {
        "today": today,
        "waiting": waiting,
        "oldest": words.when(oldest, now, zone) if oldest else "",
        "scans": [scan | {"when": words.when(datetime.fromisoformat(scan["at"]), now, zone)} for scan in scans],
    }


@staff.get("/receive")
@needs(may.RECEIVE, "receiving")
def bench() -> str:
    """The scan field and nothing else to do."""
    return render_template("staff/bench.html", **_around())


@staff.post("/receive/scan")
@needs(may.RECEIVE, "receiving")
def scan() -> Response:
    """Find the return of a code: its number, its label, its order, or an article that somebody has announced."""
    code = request.form.get("code", "").strip()[:100]
    if not code:
        return see_other("staff.bench")
    if not ids.is_text(code):
        remember("?", _("Not readable. Scan it again"), ok=False)
        return see_other("staff.bench")
    with read() as rows:
        found = find_exactly(rows, code, ports().shop)
        if not found:
            found = find_by_article(rows, code, request.form.get("rma", ""))
    if len(found) == 1:
        if _expected(found[0]):
            remember(code, _("Opened %(rma)s", rma=found[0]), ok=True, rma=found[0])
        else:
            remember(code, _("No parcel is expected for it. Set it aside"), ok=False, rma=found[0])
        return see_other("staff.parcel", rma=found[0])
    if found:
        remember(code, _("Several returns. Choose one"), ok=True)
        return see_other("staff.choose", code=code)
    remember(code, _("Not in any open return. Set it aside"), ok=False)
    flash(_("%(code)s is in no open return. It stays in the list of scans.", code=code[:40]), "amber")
    return see_other("staff.bench")


def _expected(rma: str) -> bool:
    with read() as rows:
        return _stage(get_return(rows, rma), set()) != "not_open"


@staff.get("/receive/choose")
@needs(may.RECEIVE, "receiving")
def choose() -> str:
    """Several open returns fit the code."""
    code = request.args.get("code", "").strip()[:100]
    with read() as rows:
        numbers = (
            [] if not ids.is_text(code) else find_exactly(rows, code, ports().shop) or find_by_article(rows, code, "")
        )
        found = [get_return(rows, rma) for rma in numbers]
        return render_template("staff/choose.html", code=code, found=found, **_around())


@staff.post("/receive/scans/<int:number>/forget")
@needs(may.RECEIVE, "receiving")
def forget_scan(number: int) -> Response:
    """The parcel was set aside: take its scan off the list."""
    kept = session.get("scans", [])
    session["scans"] = [scan for place, scan in enumerate(kept) if place != number]
    return see_other("staff.bench")


@staff.get("/receive/<rma>")
@needs(may.RECEIVE, "receiving")
def parcel(rma: str) -> str:
    """The return's form: count what came, or say in which condition it really is."""
    return _form(rma, Filled(), ids.new_token())


def _stage(return_: Return, open_kinds: set[str]) -> str:
    """``receive``, ``inspect``, or why neither."""
    if return_.status in lifecycle.TRAVELLING and goods_outstanding(return_):
        return "receive"
    if return_.status == lifecycle.RECEIVED:
        return "inspect"
    if return_.status == lifecycle.INSPECTED and questions.RECEIPT in open_kinds:
        return "inspect"
    return "done" if return_.status in lifecycle.ARRIVED else "not_open"


def _form(
    rma: str,
    filled: Filled,
    key: str,
    *,
    shown: str = "",
    outlook: counting.Outlook | None = None,
    look_again: bool = False,
) -> str:
    with read() as rows:
        return_ = get_return(rows, rma)
        kinds = {review.kind for review in questions.open_reviews(rows, return_.id)}
        stage = _stage(return_, kinds)
        lines = expected_lines(return_)
        return render_template(
            "staff/parcel.html",
            return_=return_,
            stage=stage,
            badge=badge_of(return_),
            questioned=questions.RECEIPT in kinds,
            expected=sum(line.quantity for line in lines),
            counted=sum(line.quantity - counting.to_count(line, inspecting=False) for line in lines),
            lines=[_line(line, inspecting=stage == "inspect") for line in lines],
            values=filled.values,
            errors=filled.errors,
            effects=_effects(rma, stage),
            outlook={ref: _effect(effect) for ref, effect in outlook.lines.items()} if outlook else {},
            total=_effect(outlook.total) if outlook else None,
            to_come=outlook.to_come if outlook else 0,
            shown=shown,
            look_again=look_again,
            command_key=key,
            groups=range(GROUPS),
            conditions=[(name, *words.condition(name)) for name in CONDITIONS],
            dispositions=[
                ("", _("As usual for the condition")),
                *((name, words.disposition(name)) for name in goods.DISPOSITIONS),
            ],
            **_around(),
        )


def _effects(rma: str, stage: str) -> dict[str, dict[str, dict[str, Any]]]:
    if stage not in ("receive", "inspect"):
        return {}
    # A session of its own: the look ahead changes rows that are never written.
    with read() as rows:
        found = counting.each_condition(rows, rma, inspecting=stage == "inspect")
        return {ref: {name: _effect(effect) for name, effect in each.items()} for ref, each in found.items()}


def _line(line: ReturnLine, *, inspecting: bool) -> dict[str, Any]:
    article = line.order_line
    left = counting.to_count(line, inspecting=inspecting)
    return {
        "id": line.id,
        "ref": article.ref,
        "name": words.name_of(article),
        "about": ", ".join(part for part in (article.variant, article.sku and f"SKU {article.sku}") if part),
        "reason": _(REASONS.get(line.reason, line.reason)),
        "wants": words.resolution(line.resolution),
        "left": left,
        "quantity": line.quantity,
        "counted": line.quantity - counting.to_count(line, inspecting=False),
        "found": ", ".join(
            _("%(count)s × %(condition)s", count=count, condition=words.condition(name)[0].lower())
            for name, count in (line.found or {}).items()
            if count
        ),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    was = words.amount(effect.was.minor, effect.was.currency)
    now = words.amount(effect.now.minor, effect.now.currency)
    share = ""
    if effect.drops and effect.was.minor:
        lost = effect.was.minor - effect.now.minor
        share = _("%(share)s%% less", share=round(lost * 100 / effect.was.minor))
    return {
        "was": was,
        "now": now,
        "drops": effect.drops,
        "same": effect.was == effect.now,
        "asks": effect.asks,
        "share": share,
    }


@staff.post("/receive/<rma>")
@needs(may.RECEIVE, "receiving")
def count_parcel(rma: str) -> Response:
    """Check what it would do, or finish. Less money is never a surprise: it is shown before the parcel can be finished."""
    key = request.form.get("command_key", "")[:100]
    with read() as rows:
        return_ = get_return(rows, rma)
        number = return_.rma
        kinds = {review.kind for review in questions.open_reviews(rows, return_.id)}
        stage = request.form.get("stage", "")
        filled = counting.read_form(return_, request.form, inspecting=stage == "inspect")
        now_stage = _stage(return_, kinds)
    if stage not in ("receive", "inspect") or not ids.is_text(key) or not key:
        return make_response(_form(rma, Filled(), ids.new_token()), 422)
    again = _was_counted(number, key)
    if again is not None:
        return again
    if now_stage != stage:
        flash(_("%(rma)s has changed meanwhile. This is how it is now; nothing was counted.", rma=number), "amber")
        return make_response(_form(rma, Filled(), ids.new_token()), 409)
    if filled.errors:
        return make_response(_form(rma, filled, key), 422)
    with read() as rows:
        outlook = counting.look_ahead(rows, rma, filled.counts, inspecting=stage == "inspect")
    seen = f"{outlook.total.now.minor}"
    if request.form.get("act") == "check" or (outlook.total.drops and request.form.get("shown") != seen):
        stopped = request.form.get("act") != "check"
        return make_response(_form(rma, filled, key, shown=seen, outlook=outlook, look_again=stopped))
    try:
        with command() as tx:
            act = receiving.receive if stage == "receive" else receiving.inspect
            done = act(
                tx,
                rma,
                filled.counts,
                command_key=key,
                note=request.form.get("note", ""),
                decide_within_hours=ports().shop.decide_within_hours,
            )
            left, status = goods_outstanding(done), done.status
    except Invalid as wrong:
        filled.errors = {"": " ".join(wrong.fields.values()) or wrong.message}
        return make_response(_form(rma, filled, key), 422)
    except Conflict as conflict:
        flash(conflict.message, "amber")
        return make_response(_form(rma, Filled(), ids.new_token()), 409)
    if left:
        what = ngettext("Counted, %(num)s item still to come", "Counted, %(num)s items still to come", left)
    elif outlook.total.asks:
        what = _("Finished, goes to exceptions")
    else:
        what = _("Checked") if status == lifecycle.INSPECTED else _("Finished")
    remember(number, what, ok=True, rma=number)
    flash(_("%(rma)s: %(what)s.", rma=number, what=what), "green")
    return see_other("staff.bench")


def _was_counted(rma: str, key: str) -> Response | None:
    """The answer to a form that was sent before: the same as then, and nothing is counted again."""
    with read() as rows:
        if not reads.was_counted(rows, rma, key):
            return None
        left = goods_outstanding(get_return(rows, rma))
    if left:
        said = ngettext(
            "%(rma)s was counted already, %(num)s item is still to come. What you sent now was not saved: count it anew.",
            "%(rma)s was counted already, %(num)s items are still to come. What you sent now was not saved: count it anew.",
            left, rma=rma,
        )  # fmt: skip
        flash(said, "amber")
        return see_other("staff.parcel", rma=rma)
    flash(_("%(rma)s was finished already. Nothing was counted twice.", rma=rma), "green")
    return see_other("staff.bench")
