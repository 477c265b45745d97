"""Several questions at once. What may not be done so is skipped, and the page says which and why, before anything happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.db import Tx
from portal.errors import Conflict, Invalid, NotFound, PortalError
from portal.returns import service as returns
from portal.reviews import queries as reviews
from portal.reviews import service as questions
from portal.reviews.queries import QueueRow
from portal.staff import permissions as may
from portal.web.staff.base import (
    Me,
    Resumed,
    above_limit,
    check_limit,
    command,
    local_path,
    me,
    needs,
    ports,
    read,
    resumed,
    say,
    see_other,
    staff,
)
from portal.web.staff.queue import href_of, shown, sums
from portal.web.staff.text import _, ngettext
from portal.web.staff.undoing import undo_within

ACTS = ("approve", "ask", "deny")
MOST = 100
"""More than a page holds; a longer list of picks is no form of ours."""
Link = tuple[str, str]
"""Name and address of a case."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One ticked row: the question, and the version of its return that the person saw."""

    review_id: int
    version: int

    @classmethod
    def read(cls, text: str) -> Pick | None:
        """``7:3`` as question 7 of a return in version 3."""
        first, _colon, second = text.partition(":")
        if all(part.isascii() and part.isdigit() and len(part) < 12 for part in (first, second)):
            return cls(int(first), int(second))
        return None


def picks() -> list[Pick]:
    """What was ticked, each once."""
    found = [Pick.read(text) for text in request.form.getlist("pick")[:MOST]]
    return list(dict.fromkeys(pick for pick in found if pick is not None))


def obstacle(row: QueueRow, act: str, who: Me) -> str | None:
    """Why this question can't be answered together with others, or None."""
    if row.return_id is None or row.kind not in questions.ON_THE_RETURN:
        return _by_itself(row.kind)
    if row.paused:
        return _("The customer was asked and hasn’t answered yet.")
    if act == "approve" and row.value is not None and (why := above_limit(row.value)):
        return why
    if act == "approve" and row.kind == questions.ASKED_US and not who.may(may.OVERRULE):
        return _("The policy says no. Only a returns lead may approve it.")
    return None


def _by_itself(kind: str) -> str:
    """What a question that is no decision on a return is about, and what to do instead."""
    if kind == questions.DAILY_CAP:
        return _("It’s approved, and above what may leave in a day. Open it to send it anyway.")
    if kind == questions.SECOND_PERSON:
        return _("It’s approved, and waits for a second person. Whoever had no part in it opens it to approve it too.")
    if kind in (questions.OUT_OF_STOCK, questions.GOODS_MISSING):
        return _("It’s about goods that are missing. Open it to see what to do.")
    if kind in (questions.PAY_ELSEWHERE, questions.BALANCE_LOW, questions.DISPUTE):
        return _("It’s about money that waits. Open it to see what to do.")
    return _("It’s about money that was sent. Open it to see what to do.")


@staff.post("/bulk")
@needs(may.DECIDE, "exceptions")
def bulk() -> Response:
    """Take the ticked questions over, or show what approving, asking or denying all of them would do."""
    act = request.form.get("act", "")
    back = local_path(request.form.get("back"))
    chosen = picks()
    if not chosen:
        flash(_("Nothing was selected. Tick at least one return."), "amber")
        return redirect(back, 303)
    if act == "assign":
        return _assign(chosen, back)
    if act not in ACTS:
        abort(400)
    return make_response(_page(act, chosen, back))


def _assign(chosen: list[Pick], back: str) -> Response:
    with read() as session:
        known = reviews.rows_of(session, [pick.review_id for pick in chosen], decided=True)
    done: list[QueueRow] = []
    for row in known:
        try:
            with command() as tx:
                questions.assign(tx, row.id, me().id)
            done.append(row)
        except (Conflict, NotFound):
            continue
    if done:
        say(ngettext("%(num)s assigned to you.", "%(num)s assigned to you.", len(done)), links=named(done))
    _say_gone([row for row in known if row not in done])
    return redirect(back, 303)


def _page(act: str, chosen: list[Pick], back: str, errors: dict[str, str] | None = None, *, late: bool = False) -> str:
    """What would be done, with what was typed. ``late`` shows what somebody was faster with, and the rest as it is now."""
    who, now, zone = me(), clock.now(), ports().shop.timezone
    versions = {pick.review_id: pick.version for pick in chosen}
    with read() as session:
        known = reviews.rows_of(session, list(versions), decided=True)
    rows = [row for row in known if row.status in questions.UNDECIDED]
    doing = [row for row in rows if obstacle(row, act, who) is None]
    skipped = [(shown(row, now, zone), obstacle(row, act, who)) for row in rows if obstacle(row, act, who)]
    return render_template(
        "staff/bulk.html",
        act=act,
        back=back,
        doing=[shown(row, now, zone) | {"version": row.version if late else versions[row.id]} for row in doing],
        skipped=skipped,
        gone=named([row for row in known if row not in rows]),
        total=sums([row.value for row in doing]),
        message=request.form.get("message", ""),
        note=request.form.get("note", ""),
        errors=errors or {},
        late=late,
    )


@staff.post("/bulk/<any(approve, ask, deny):act>")
@needs(may.DECIDE, "exceptions")
def do_bulk(act: str) -> Response:
    """Do it, each return in a transaction of its own: one that has changed meanwhile stops no other."""
    chosen, back = picks(), local_path(request.form.get("back"))
    message, note = request.form.get("message", "").strip(), request.form.get("note", "").strip()
    if act in ("ask", "deny") and not message:
        error = (
            _("Write what the customers should answer") if act == "ask" else _("Write why, for the customers to read")
        )
        return make_response(_page(act, chosen, back, {"message": error}), 422)
    if resumed():
        return make_response(_page(act, chosen, back, {"": Resumed().message}), 422)
    who = me()
    with read() as session:
        known = reviews.rows_of(session, [pick.review_id for pick in chosen], decided=True)
    rows = {row.id: row for row in known if row.status in questions.UNDECIDED}
    done: list[QueueRow] = []
    left: list[tuple[QueueRow, str]] = []
    for pick in chosen:
        row = rows.get(pick.review_id)
        if row is None:
            continue
        if why := obstacle(row, act, who):
            left.append((row, why))
            continue
        try:
            with command() as tx:
                _one(tx, act, row.rma, pick.version, message, note)
            done.append(row)
        except Invalid as error:
            left.append((row, " ".join(error.fields.values()) or error.message))
        except PortalError as error:
            left.append((row, gettext(error.message)))
    gone, over = [row for row in known if row.id not in rows], {row.id for row in done}
    if (message or note) and len(over) < len(known):
        # The page names what it skips; what it offers once more needs the reason said.
        _say(act, done, [(row, why) for row, why in left if obstacle(row, act, who) is None], [])
        return make_response(_page(act, [pick for pick in chosen if pick.review_id not in over], back, late=True), 409)
    _say(act, done, left, gone)
    return redirect(back, 303)


def _one(tx: Tx, act: str, rma: str, version: int, message: str, note: str) -> Any:
    if act == "approve":
        done = returns.authorize(tx, rma, message=message, note=note, expected=version)
        check_limit(returns.payable_quote(tx.session, done).total)
        return done
    if act == "ask":
        return returns.ask(tx, rma, message=message, note=note, expected=version)
    return returns.refuse(tx, rma, message=message, note=note, expected=version)


def _say(act: str, done: list[QueueRow], left: list[tuple[QueueRow, str]], gone: list[QueueRow]) -> None:
    """What was done and what was not, each by name, the latter by its reason."""
    if done:
        total, count = sums([row.value for row in done]), len(done)
        said = {
            "approve": ngettext(
                "%(num)s return approved, %(total)s.", "%(num)s returns approved, %(total)s.", count, total=total
            ),
            "ask": ngettext("%(num)s customer asked.", "%(num)s customers asked.", count),
            "deny": ngettext("%(num)s return denied.", "%(num)s returns denied.", count),
        }
        say(said[act], links=named(done), undo=_undo(act, [row.rma for row in done]))
    _say_left([(link, why) for row, why in left for link in named([row])])
    _say_gone(gone)


def _undo(act: str, rmas: list[str]) -> dict[str, Any] | None:
    """The button that takes these decisions back, while all of them can be."""
    minutes, now = ports().shop.undo_decision_minutes, clock.now()
    if act == "ask" or not minutes:
        return None
    until = wording.clock_time(now + undo_within(), ports().shop.timezone)
    return {
        "action": url_for("staff.undo_bulk"),
        "fields": {"rmas": ",".join(rmas)},
        "words": _("Undo until %(time)s", time=until),
    }


@staff.post("/bulk/undo")
@needs(may.DECIDE, "exceptions")
def undo_bulk() -> Response:
    """Take several decisions back, each as far as it still can be."""
    done: list[Link] = []
    left: list[tuple[Link, str]] = []
    for rma in request.form.get("rmas", "")[: MOST * 20].split(",")[:MOST]:
        link = (rma, url_for("staff.return_page", rma=rma or "-"))
        try:
            with command() as tx:
                returns.take_decision_back(tx, rma, undo_within())
            done.append(link)
        except NotFound:
            continue
        except PortalError as error:
            left.append((link, gettext(error.message)))
    if done:
        say(ngettext("%(num)s decision taken back.", "%(num)s decisions taken back.", len(done)), links=done)
    _say_left(left)
    return see_other("staff.queue")


def _say_left(left: list[tuple[Link, str]]) -> None:
    """What was not done, by its reason."""
    by_reason: dict[str, list[Link]] = {}
    for link, why in left:
        by_reason.setdefault(why, []).append(link)
    for why, links in by_reason.items():
        title = ngettext("%(num)s was left as it is.", "%(num)s were left as they are.", len(links))
        say(title, "amber", text=why, links=links)


def _say_gone(gone: list[QueueRow]) -> None:
    if gone:
        title = ngettext("%(num)s was decided meanwhile.", "%(num)s were decided meanwhile.", len(gone))
        say(title, "amber", links=named(gone))


def named(rows: list[QueueRow]) -> list[Link]:
    """The links to these cases."""
    return [(row.rma or _("Order %(number)s", number=row.order_number), href_of(row)) for row in rows]
