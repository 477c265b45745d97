"""Publishing: its own page with the change list, the warnings to be read, a start and a note; and the way back to a version."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.errors import Conflict, Invalid
from portal.policy.checks import NOTE, WARNING, check_text
from portal.policy.diagnostics import PolicyErrors
from portal.policybook import drafts, service, versions
from portal.policybook.drafts import StaleDraft
from portal.staff import permissions as may
from portal.web.render import locale
from portal.web.staff import simulation
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.policy import shown
from portal.web.staff.policy.pages import stale_page
from portal.web.staff.text import _

MAX_NOTE = 500


@staff.get("/policy/publish")
@needs(may.PUBLISH_POLICY, "policy")
def policy_publish() -> str:
    """What would be published, and what has to be read and said first."""
    return _page({}, {})


def _page(errors: dict[str, str], held: dict[str, object]) -> str:
    with read() as session:
        draft = drafts.find_draft(session)
        policy = shown.loaded(draft.source)
        book = service.load_book(session)
        newest = book.versions[-1] if book.versions else None
        checks = check_text(draft.source, ports().shop.sold_to)
        return render_template(
            "staff/policy/publish.html",
            draft=draft,
            number=(newest.number if newest else 0) + 1,
            newest=newest.number if newest else 0,
            behind=draft.exists and newest is not None and draft.base != newest.number,
            changes=[] if policy is None or newest is None else shown.changes(policy, newest.policy),
            checks=checks,
            counted=shown.counted(checks),
            broken=policy is None,
            blocked=shown.blocked(checks),
            warnings=[each for each in checks if each.severity == WARNING],
            notes=[each for each in checks if each.severity == NOTE],
            simulation=simulation.card(session, policy.content_hash if policy is not None else None),
            errors=errors,
            held=held,
        )


@staff.post("/policy/publish")
@needs(may.PUBLISH_POLICY, "policy")
def publish_draft() -> Response:
    """The draft as the next version; the same service as `portal policy publish`."""
    errors: dict[str, str] = {}
    held = {name: request.form.get(name, "") for name in ("start", "day", "time", "note")}
    read_keys = request.form.getlist("read")
    starts = _start(errors)
    note = _note(errors)
    if not errors:
        try:
            with command() as tx:
                version = drafts.publish(
                    tx,
                    request.form.get("seen", "")[:40],
                    read=read_keys,
                    note=note,
                    effective_at=starts,
                    countries=ports().shop.sold_to,
                )
                number = version.number
        except StaleDraft as stale:
            return stale_page(stale, url_for("staff.policy_publish"))
        except Invalid as wrong:
            errors |= _told(wrong)
        else:
            return _published(number, starts)
    return make_response(_page(errors, {**held, "read": read_keys}), 422)


def _published(number: int, starts: datetime | None) -> Response:
    if starts is None:
        flash(_("Version %(number)s is live. Returns already booked keep their version.", number=number), "green")
    else:
        moment = wording.moment(starts, ports().shop.timezone, locale())
        flash(_("Version %(number)s starts on %(moment)s.", number=number, moment=moment), "green")
    return see_other("staff.policy_version", number=number)


def _told(wrong: Invalid) -> dict[str, str]:
    """The service's refusal at the fields of this page."""
    if isinstance(wrong, PolicyErrors) or "checks" in wrong.fields:
        return {"checks": _("The draft has errors. Mend them before you publish.")}
    told = {}
    for name, said in wrong.fields.items():
        if name.startswith("read-"):
            told[name] = _("Read the warning and tick the box")
        elif name == "effective_at":
            told["day" if request.form.get("start") == "later" else "start"] = (
                f"{wrong.message} {said[:1].upper()}{said[1:]}."
            )
        else:
            told[name] = said
    return told or {"": wrong.message}


def _start(errors: dict[str, str]) -> datetime | None:
    """The start in the shop's zone; None is now."""
    if request.form.get("start", "now") == "now":
        return None
    text = f"{request.form.get('day', '').strip()}T{request.form.get('time', '').strip() or '00:00'}"
    try:
        local = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=ZoneInfo(ports().shop.timezone))
    except ValueError:
        errors["day"] = _("Enter a date like 2026-12-01 and a time like 09:00")
        return None
    if not 2000 <= local.year < 2200:
        errors["day"] = _("Enter a date in this century")
        return None
    return local


def _note(errors: dict[str, str]) -> str:
    note = request.form.get("note", "").strip()
    if not note:
        errors["note"] = _("Say in one sentence what changed")
    elif len(note) > MAX_NOTE or "\x00" in note:
        errors["note"] = _("Use at most %(count)s characters of text", count=MAX_NOTE)
    return note


@staff.get("/policy/versions/<int:number>/roll-back")
@needs(may.PUBLISH_POLICY, "policy")
def policy_roll_back(number: int) -> str:
    """Ask before an old version is published again: what would change, and why."""
    return _back_page(number, {}, "")


def _back_page(number: int, errors: dict[str, str], note: str) -> str:
    with read() as session:
        old = service.get_version(session, number)
        book = service.load_book(session)
        newest = book.versions[-1]
        policy = shown.loaded(old.source)
        return render_template(
            "staff/policy/roll_back.html",
            number=number,
            next=newest.number + 1,
            newest=newest.number,
            starts=newest.effective_at if newest.effective_at > clock.now() else None,
            changes=[] if policy is None else shown.changes(policy, newest.policy),
            drafted=drafts.find_draft(session).exists,
            errors=errors,
            note=note or _("Back to version %(number)s", number=number),
        )


@staff.post("/policy/versions/<int:number>/roll-back")
@needs(may.PUBLISH_POLICY, "policy")
def roll_back(number: int) -> Response:
    """A copy of an old version as the next one. The draft, if there is one, stays as it is."""
    errors: dict[str, str] = {}
    note = _note(errors)
    if errors:
        return make_response(_back_page(number, errors, request.form.get("note", "")), 422)
    seen = request.form.get("newest", "")[:9]
    newest = int(seen) if seen.isascii() and seen.isdigit() else 0
    try:
        with command() as tx:
            version = versions.roll_back(tx, number, author=me().name, note=note, newest=newest)
            made, starts = version.number, version.effective_at if version.effective_at > tx.at else None
    except Conflict as moved:
        return make_response(_back_page(number, {"note": _(moved.message)}, note), 409)
    except Invalid as wrong:
        return make_response(_back_page(number, {"note": next(iter(_told(wrong).values()))}, note), 422)
    return _published(made, starts)
