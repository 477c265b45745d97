"""Publishing: its own page with the change list, the warnings to be read, a start and a note; and the way back to a version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.errors import Conflict, Invalid, NotFound
from portal.policy.binding import Version
from portal.policy.checks import NOTE, WARNING
from portal.policy.diagnostics import PolicyErrors
from portal.policybook import drafts, service, versions
from portal.policybook.drafts import StaleDraft
from portal.staff import permissions as may
from portal.web.render import locale
from portal.web.staff import trial
from portal.web.staff.base import command, me, needs, ports, read, see_other, staff
from portal.web.staff.policy import shown
from portal.web.staff.policy.pages import stale_page
from portal.web.staff.text import _

MAX_NOTE = 500
INSTEAD = "instead-"


@staff.get("/policy/publish")
@needs(may.PUBLISH_POLICY, "policy")
def policy_publish() -> str:
    """What would be published, and what has to be read and said first."""
    return _page({}, {"start": request.args.get("start", "")[:20]})


def _page(
    errors: dict[str, str], held: dict[str, Any], starts: datetime | None = None, instead_of: int | None = None
) -> str:
    """``starts`` and ``instead_of`` are the start that was chosen; without one, nothing is said against it."""
    with read() as session:
        now = clock.now()
        draft = drafts.find_draft(session, now)
        policy = shown.loaded(draft.source)
        book = service.load_book(session)
        live, coming = book.live(now), book.coming(now)
        starts = next((each.effective_at for each in coming if each.number == instead_of), starts)
        if policy is not None and not held.get("start") and (there := versions.meant_for(book, policy, now)):
            held = {**held, "start": f"{INSTEAD}{there.number}"}
        checks = shown.checks_of(session, draft.source, starts)
        warnings = [each for each in checks if each.severity == WARNING]
        if "read" in held:
            errors = _unread(each.key for each in warnings if each.key not in held["read"]) | errors
        return render_template(
            "staff/policy/publish.html",
            draft=draft,
            number=book.newest + 1,
            live=live.number if live else 0,
            behind=draft.exists and live is not None and draft.base != live.number,
            changes=[] if policy is None or live is None else shown.changes(policy, live.policy),
            coming=[] if policy is None else shown.then(policy, None if live is None else live.policy, coming),
            offers=policy is not None and policy.apply_to_open_orders and live is not None,
            # Who no longer offers may think that this ends what was offered before.
            offered=book.offered(now) if live is not None and live.apply_to_open_orders else (),
            checks=checks,
            counted=shown.counted(checks),
            broken=policy is None,
            blocked=shown.blocked(checks),
            warnings=warnings,
            notes=[each for each in checks if each.severity == NOTE],
            simulation=trial.card(session, policy),
            errors=errors,
            held=held,
        )


@staff.post("/policy/publish")
@needs(may.PUBLISH_POLICY, "policy")
def publish_draft() -> Response:
    """The draft as the next version; the same service as `portal policy publish`."""
    errors: dict[str, str] = {}
    held = {name: request.form.get(name, "") for name in ("seen", "start", "day", "time", "note")}
    read_keys = request.form.getlist("read")
    starts, instead_of = _start(errors), _instead_of()
    note = _note(errors)
    if not errors:
        try:
            with command() as tx:
                if instead_of is not None:
                    starts = versions.start_in_place_of(tx.session, instead_of, tx.at)
                version = drafts.publish(
                    tx,
                    request.form.get("seen", "")[:40],
                    read=read_keys,
                    note=note,
                    effective_at=starts,
                    check=partial(shown.checks_of, tx.session, starts=starts or tx.at),
                )
                number = version.number
        except StaleDraft as stale:
            return stale_page(stale, url_for("staff.policy_publish"))
        except Invalid as wrong:
            errors |= _told(wrong)
        except (Conflict, NotFound) as gone:
            errors["start"] = _(gone.message)
        else:
            return _published(number, starts)
    chosen = None if instead_of is not None or "day" in errors else starts or clock.now()
    return make_response(_page(errors, {**held, "read": read_keys}, chosen, instead_of), 422)


def _published(number: int, starts: datetime | None) -> Response:
    if starts is None:
        flash(_("Version %(number)s is live. Returns already booked keep their version.", number=number), "green")
        with read() as session:
            coming = service.load_book(session).coming(clock.now())
        if coming:
            # Whoever publishes now may think that this puts an end to what was planned before.
            flash(_still(coming[0]), "amber")
    else:
        moment = wording.moment(starts, ports().shop.timezone, locale())
        flash(_("Version %(number)s starts on %(moment)s.", number=number, moment=moment), "green")
    return see_other("staff.policy_version", number=number)


def _still(version: Version) -> str:
    return _(
        "Version %(number)s still starts on %(moment)s and holds from then on.",
        number=version.number, moment=wording.moment(version.effective_at, ports().shop.timezone, locale()),
    )  # fmt: skip


def _told(wrong: Invalid) -> dict[str, str]:
    """The service's refusal at the fields of this page."""
    if isinstance(wrong, PolicyErrors) or "checks" in wrong.fields:
        return {"checks": _("The draft has errors. Mend them before you publish.")}
    told = _unread(name.removeprefix("read-") for name in wrong.fields if name.startswith("read-"))
    for name, said in wrong.fields.items():
        if name in told:
            continue
        if name == "effective_at":
            told["day" if request.form.get("start") == "later" else "start"] = (
                f"{wrong.message} {said[:1].upper()}{said[1:]}."
            )
        else:
            told[name] = said
    return told or {"": wrong.message}


def _unread(keys: Iterable[str]) -> dict[str, str]:
    return {f"read-{key}": _("Read the warning and tick the box") for key in keys}


def _start(errors: dict[str, str]) -> datetime | None:
    """The start in the shop's zone; None is now."""
    if request.form.get("start", "now") != "later":
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


def _instead_of() -> int | None:
    """The number of the coming version whose place is to be taken; None for any other start."""
    number = request.form.get("start", "").removeprefix(INSTEAD)
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


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
        now, book = clock.now(), service.load_book(session)
        live = book.live(now)
        policy, coming = service.load_version(old), book.coming(now)
        # Who goes back to what is live keeps it from what is to come.
        kept, back = _("Version %(number)s is kept", number=number), _("Back to version %(number)s", number=number)
        return render_template(
            "staff/policy/roll_back.html",
            number=number,
            next=book.newest + 1,
            newest=book.newest,
            live=live.number if live else 0,
            changes=shown.changes(policy, live.policy if live else None),
            coming=shown.then(policy, None if live is None else live.policy, coming),
            offers=policy.apply_to_open_orders,
            offered=book.offered(now),
            drafted=drafts.find_draft(session, now).exists,
            errors=errors,
            start=request.form.get("start", ""),
            note=note or (kept if live is not None and live.number == number else back),
        )


@staff.post("/policy/versions/<int:number>/roll-back")
@needs(may.PUBLISH_POLICY, "policy")
def roll_back(number: int) -> Response:
    """A copy of an old version as the next one. The draft, if there is one, stays as it is."""
    errors: dict[str, str] = {}
    note = _note(errors)
    if errors:
        return make_response(_back_page(number, errors, request.form.get("note", "")), 422)
    seen = [request.form.get(name, "")[:9] for name in ("newest", "live")]
    newest, live = (int(each) if each.isascii() and each.isdigit() else 0 for each in seen)
    try:
        with command() as tx:
            version = versions.roll_back(
                tx, number, author=me().name, note=note, instead_of=_instead_of(), seen=(newest, live)
            )
            made, starts = version.number, version.effective_at if version.effective_at > tx.at else None
    except Conflict as moved:
        return make_response(_back_page(number, {"note": _(moved.message)}, note), 409)
    except Invalid as wrong:
        return make_response(_back_page(number, {"note": next(iter(_told(wrong).values()))}, note), 422)
    return _published(made, starts)
