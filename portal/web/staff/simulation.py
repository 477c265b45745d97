"""The pages of a trial: asked for by a form, done by a job, shown with every return that changes.

In: simulations that a job has stored. Out: a page each, and a form that asks for another. Never: a simulation during a request.
"""

from __future__ import annotations

from datetime import date
from typing import cast

from flask import flash, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.errors import Invalid
from portal.policy.binding import Version
from portal.policy.diagnostics import PolicyErrors
from portal.policy.loader import Policy, load_policy
from portal.policybook import drafts, simulation
from portal.policybook.service import load_book
from portal.policybook.simulation import Sample
from portal.staff import permissions as may
from portal.web.render import locale
from portal.web.staff import trial
from portal.web.staff.base import command, needs, read, see_other, staff
from portal.web.staff.policy.shown import loaded
from portal.web.staff.text import _


@staff.get("/policy/simulations/<int:number>")
@needs(may.SEE_POLICY, "policy")
def policy_simulation(number: int) -> str:
    """One simulation with every return that changes."""
    with read() as session:
        found = simulation.get(session, number)
        shown = trial.show(found, *_today(session))
        outcome, asked_by, asked_at = found.outcome, found.asked_by, found.asked_at
    names = {"accept": _("Accepted"), "review": _("Sent to a person"), "refuse": _("Denied")}
    changes = [
        {
            "rma": each.rma,
            "amounts": _(
                "%(before)s, now %(after)s",
                before=wording.money(each.before_minor, each.currency, locale()),
                after=wording.money(each.after_minor, each.currency, locale()),
            ),
            "change": wording.money(each.after_minor - each.before_minor, each.currency, locale(), signed=True),
            "answers": [
                _("Line %(line)s: %(before)s, now %(after)s", line=line, before=names[a], after=names[b])
                for line, a, b in each.lines
            ],
        }
        for each in sorted(outcome.changes if outcome else (), key=lambda one: (not one.lines, one.rma))
    ]
    examples = [
        {
            "order": each.order,
            "name": each.name,
            "answers": [
                _("%(question)s: %(before)s, now %(after)s",
                  question=_("Change of mind") if name == "ordinary" else _("Fault"), before=names[a], after=names[b])
                for name, (a, b) in each.answers.items() if a != b
            ],
        }
        for each in (outcome.examples if outcome else ())
    ]  # fmt: skip
    return render_template(
        "staff/simulation.html",
        simulation=shown,
        changes=changes,
        examples=examples,
        asked_by=asked_by,
        asked_at=asked_at,
    )


@staff.post("/policy/simulations")
@needs(may.EDIT_POLICY, "policy")
def simulate_policy() -> Response:
    """Ask for a simulation of the draft as it is now."""
    wrong = ""
    with command() as tx:
        try:
            source = drafts.find_draft(tx.session, tx.at).source
            day = simulation.telling_day(load_book(tx.session).current(tx.at)[1], load_policy(source, "draft"))
            number = simulation.ask(tx, source, filename="draft", sample=_sample(day)).id
        except PolicyErrors:
            wrong = _("The draft has errors. Put them right, then try it on the past.")
        except Invalid as error:
            wrong = " ".join(f"{what}." for what in error.fields.values())
    if wrong:
        flash(wrong, "red")
        return see_other("staff.policy_simulations")
    return see_other("staff.policy_simulation", number=number)


@staff.get("/policy/simulations")
@needs(may.SEE_POLICY, "policy")
def policy_simulations() -> str:
    """The card by itself, for a draft that was never tried or a question that made no sense."""
    with read() as session:
        invitation = trial.show(None, *_today(session))
    return render_template("staff/simulation.html", simulation=invitation, changes=[], examples=[], asked_by="")


def _today(session: Session) -> tuple[Policy | None, Version | None]:
    """The draft, unless it has errors, and the version in force."""
    now = clock.now()
    return loaded(drafts.find_draft(session, now).source), load_book(session).live(now)


def _sample(day: int) -> Sample:
    """What the form asks for; ``day`` is when sold lines are asked about where it says nothing of that."""

    def number(name: str, default: int | None) -> int | None:
        text = request.form.get(name, "").strip()
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Invalid("", {name: _("Write a whole number, like 500")})
        return int(text)

    try:
        since = date.fromisoformat(request.form.get("since", ""))
    except ValueError:
        raise Invalid("", {"since": _("Enter the day from which orders are tried, like 2026-01-31")}) from None
    return Sample(since, number("sample", None), number("years", 0) or 0, cast(int, number("asked_after", day)))
