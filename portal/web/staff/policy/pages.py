"""The pages that show the policy: rules as sentences with one of them open for editing, its text, its versions.

A page shows the draft when there is one, else the version in force; whoever may not edit reads the same page without its forms.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import Any

from flask import make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.policy.checks import Check
from portal.policy.edit import Wish
from portal.policy.loader import Policy
from portal.policybook import drafts, service, versions
from portal.policybook.drafts import Draft, StaleDraft
from portal.policybook.promises import promises_of
from portal.returns.usage import rule_uses
from portal.staff import permissions as may
from portal.web.customer.policy import show
from portal.web.render import locale
from portal.web.staff import trial, words
from portal.web.staff.base import me, needs, ports, read, see_other, staff
from portal.web.staff.policy import shown
from portal.web.staff.policy.rule_form import RuleForm, form_of, form_of_otherwise, new_form
from portal.web.staff.text import _, ngettext

OTHERWISE = "otherwise"
USED_DAYS = 90
"""So many days back a rule's use is counted."""
SHOWN = 3
"""So many versions are beside the rules."""


@staff.get("/policy")
@needs(may.SEE_POLICY, "policy")
def policy() -> str:
    """The rules. ``edit`` opens one of them (or ``otherwise``), ``new`` a form for another one."""
    with read() as session:
        return _rules(session, None)


def rules_page(form: RuleForm, status: int = 200) -> Response:
    """The same page with a form that was sent and has to be shown again."""
    with read() as session:
        return make_response(_rules(session, form), status)


def _rules(session: Session, form: RuleForm | None) -> str:
    draft = drafts.find_draft(session, clock.now())
    policy = shown.loaded(draft.source)
    before = _live(session)
    if form is None and policy is not None and me().may(may.EDIT_POLICY):
        form = _asked(policy)
    checks = shown.checks_of(session, draft.source)
    rows = [] if policy is None else shown.rule_rows(policy, before)
    return render_template(
        "staff/policy/rules.html",
        **frame(session, draft, policy, checks, "rules"),
        rows=rows,
        otherwise=None if policy is None else shown.otherwise_row(policy, before),
        form=form,
        apart=form is not None and not form.otherwise and form.name not in {row.name for row in rows},
        uses=_uses(session),
        simulation=trial.card(session, policy),
        errors=form.errors if form is not None else {},
        told=form.told if form is not None else {},
    )


def _uses(session: Session) -> dict[str, str]:
    """How often each rule decided something lately, in words, by its name; `otherwise` under its own."""
    found = rule_uses(session, clock.now() - timedelta(days=USED_DAYS))
    if found.cut:
        said = partial(
            ngettext,
            "Used %(num)s time in the last %(all)s items",
            "Used %(num)s times in the last %(all)s items",
            all=found.items,
        )
    else:
        said = partial(
            ngettext, "Used %(num)s time in %(days)s days", "Used %(num)s times in %(days)s days", days=USED_DAYS
        )
    return defaultdict(lambda: said(0), {name: said(count) for name, count in found.counts.items()})


def _asked(policy: Policy) -> RuleForm | None:
    wanted = request.args.get("edit", "")
    if "new" in request.args:
        return new_form(request.args.get("new", "")[:4])
    if wanted == OTHERWISE:
        return form_of_otherwise(policy.otherwise)
    rule = policy.rule(wanted) if wanted else None
    return None if rule is None else form_of(Wish.of(rule))


def _live(session: Session) -> Policy | None:
    """The policy in force, which the draft is compared with."""
    live = service.load_book(session).live(clock.now())
    return None if live is None else live.policy


def frame(session: Session, draft: Draft, policy: Policy | None, checks: tuple[Check, ...], tab: str) -> dict[str, Any]:
    """What stands around each of these pages: the head with the state of the draft, tabs, checks, versions."""
    now, zone = clock.now(), ports().shop.timezone
    rows, count = versions.heads(session, now)
    heads = [each for each in rows if each.state != versions.REPLACED]
    live = next((index for index, each in enumerate(heads) if each.state == versions.LIVE), 0)
    tabs = (
        ("rules", _("Rules"), "staff.policy", None if policy is None else len(policy.rules)),
        ("settings", _("Settings"), "staff.policy_settings", None),
        ("customers", _("What customers see"), "staff.policy_customers", None),
        ("text", _("YAML"), "staff.policy_text", None),
        ("versions", _("Versions"), "staff.policy_versions", count),
    )
    saved = "" if draft.saved_at is None else words.when(draft.saved_at, now, zone)
    return {
        "draft": draft,
        "policy": policy,
        "number": count + 1,
        "live": heads[live].number if heads else None,
        "coming": [each for each in reversed(heads) if each.state == versions.COMING],
        "newest": count,
        "saved": saved,
        "tabs": [
            {"text": text, "href": url_for(endpoint), "count": number, "current": name == tab}
            for name, text, endpoint, number in tabs
        ],
        "checks": checks,
        "counted": shown.counted(checks),
        "blocked": shown.blocked(checks),
        # What comes next, what holds, what held before.
        "versions": heads[max(0, live - 1) :][:SHOWN],
        "may_edit": me().may(may.EDIT_POLICY),
        "may_publish": me().may(may.PUBLISH_POLICY),
    }


@staff.get("/policy/customers")
@needs(may.SEE_POLICY, "policy")
def policy_customers() -> str:
    """What customers read of the draft: the four points of the start page, and the sentence of each rule."""
    with read() as session:
        draft = drafts.find_draft(session, clock.now())
        policy = shown.loaded(draft.source)
        shop = ports().shop
        points = (
            ()
            if policy is None
            else promises_of(policy, shop, clock.now()).points(words.staff_wording(), shop.bank_days.most)
        )
        before, checks = _live(session), shown.checks_of(session, draft.source)
        rows = [] if policy is None else shown.rule_rows(policy, before)
        return render_template(
            "staff/policy/customers.html",
            **frame(session, draft, policy, checks, "customers"),
            points=points,
            rows=rows if policy is None else [shown.with_remarks(row, policy, checks) for row in rows],
        )


@staff.get("/policy/preview")
@needs(may.SEE_POLICY, "policy")
def policy_preview() -> Response:
    """The customer's policy page as it would be if the draft were published now; a draft with errors has none."""
    now = clock.now()
    with read() as session:
        draft = drafts.find_draft(session, now)
        offered = bool(service.load_book(session).offered(now))
    policy = shown.loaded(draft.source)
    if policy is None:
        return see_other("staff.policy_text", _anchor="checks")
    page = render_template(
        "staff/policy/preview.html",
        shown=show(promises_of(policy, ports().shop, now)),
        data=None,
        draft=draft,
        offered=offered or policy.apply_to_open_orders,
    )
    return make_response(page)


@staff.get("/policy/text")
@needs(may.SEE_POLICY, "policy")
def policy_text() -> str:
    """The document itself, for those who prefer it."""
    return _text(None)


def text_page(text: str, errors: dict[str, str], status: int) -> Response:
    """The same page with a text that could not be saved."""
    return make_response(_text(text, errors), status)


def _text(text: str | None, errors: dict[str, str] | None = None) -> str:
    with read() as session:
        draft = drafts.find_draft(session, clock.now())
        source = draft.source if text is None else text
        checks = shown.checks_of(session, source)
        lines = source.splitlines()
        marked = {each.line for each in checks}
        return render_template(
            "staff/policy/text.html",
            **frame(session, draft, shown.loaded(source), checks, "text"),
            text=source,
            errors=errors or {},
            excerpts={
                line: [(n, lines[n - 1]) for n in range(max(1, line - 1), min(len(lines), line + 1) + 1)]
                for line in marked
            },
        )


@staff.get("/policy/versions")
@needs(may.SEE_POLICY, "policy")
def policy_versions() -> str:
    """Every version: who published it, why, from when to when it was in force."""
    with read() as session:
        draft = drafts.find_draft(session, clock.now())
        policy = shown.loaded(draft.source)
        rows, _count = versions.heads(session, clock.now())
        return render_template(
            "staff/policy/versions.html",
            **frame(session, draft, policy, shown.checks_of(session, draft.source), "versions"),
            rows=rows,
            offered=service.load_book(session).offered(clock.now()),
        )


@staff.get("/policy/versions/<int:number>")
@needs(may.SEE_POLICY, "policy")
def policy_version(number: int) -> str:
    """One version as it was published: sentences, and the text."""
    with read() as session:
        version = service.get_version(session, number)
        policy = shown.loaded(version.source)
        rows, _count = versions.heads(session, clock.now())
        follows = versions.forgetful(service.load_book(session), number, clock.now())
        return render_template(
            "staff/policy/version.html",
            version=version,
            follows=None if follows is None else follows[0],
            ends=[] if follows is None else shown.lost(follows[1], follows[0].policy),
            row=next(each for each in rows if each.number == number),
            rules=[] if policy is None else shown.rule_rows(policy, policy),
            otherwise=None if policy is None else shown.otherwise_row(policy, policy),
            coming=[each for each in reversed(rows) if each.state == versions.COMING],
            draft=drafts.find_draft(session, clock.now()),
            may_edit=me().may(may.EDIT_POLICY),
            may_publish=me().may(may.PUBLISH_POLICY),
        )


@staff.get("/policy/discard")
@needs(may.EDIT_POLICY, "policy")
def policy_discard() -> str:
    """Ask before a draft is thrown away."""
    with read() as session:
        draft = drafts.find_draft(session, clock.now())
        policy = shown.loaded(draft.source)
        before = _live(session)
        return render_template(
            "staff/policy/discard.html",
            draft=draft,
            changes=[] if policy is None else shown.changes(policy, before),
        )


def stale_page(stale: StaleDraft, target: str) -> Response:
    """Somebody was quicker: both texts, and what can be done. ``target`` is the page to go back to."""
    theirs = stale.theirs
    zone = ports().shop.timezone
    saved = "" if theirs.saved_at is None else wording.moment(theirs.saved_at, zone, locale())
    page = render_template(
        "staff/policy/stale.html",
        mine=stale.mine,
        both=stale.both,
        theirs=theirs,
        saved=saved,
        target=target,
        seen=theirs.seen,
    )
    return make_response(page, 409)
