"""What the document says about itself: its name, the calendar in which days count, laws, and whom a kinder version is for."""

from __future__ import annotations

from flask import flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from portal import clock, wording
from portal.policy import edit
from portal.policy.checks import spoken
from portal.policy.diagnostics import PolicyErrors
from portal.policy.laws import shipped
from portal.policy.loader import Policy, recall_policy
from portal.policy.raised import Change, raised
from portal.policy.written import Tree
from portal.policybook import drafts
from portal.policybook.drafts import StaleDraft
from portal.policybook.promises import promises_of
from portal.policybook.service import asking
from portal.staff import permissions as may
from portal.web.render import locale
from portal.web.staff import words
from portal.web.staff.base import Resumed, command, needs, ports, read, see_other, staff
from portal.web.staff.policy import shown
from portal.web.staff.policy.fields import Data, Holder
from portal.web.staff.policy.pages import frame, stale_page
from portal.web.staff.text import _


@staff.get("/policy/settings")
@needs(may.SEE_POLICY, "policy")
def policy_settings() -> str:
    """The settings of the draft."""
    return _page(None, {})


def _page(held: Data | None, errors: dict[str, str]) -> str:
    with read() as session:
        draft = drafts.find_draft(session, clock.now())
        policy = shown.loaded(draft.source)
        if held is None and policy is not None:
            held = {"name": [policy.name], "timezone": [policy.timezone], "laws": list(policy.laws)}
            held["open"] = ["yes"] if policy.apply_to_open_orders else []
        return render_template(
            "staff/policy/settings.html",
            **frame(session, draft, policy, shown.checks_of(session, draft.source), "settings"),
            held=held,
            seen=request.form.get("seen", "")[:40],
            changed=_changed(policy),
            laws=[(name, f"{law.title} ({name})") for name, law in shipped().items()],
            errors=errors,
        )


def _changed(policy: Policy | None) -> list[tuple[str, tuple[Change, ...]]]:
    """What the laws of the draft change in it, by the countries in words."""
    if policy is None or not policy.laws:
        return []
    found = promises_of(policy, ports().shop, clock.now())
    told = raised(policy, asking, found.purchase, found.sold_to, words.staff_wording())
    return [(", ".join(wording.country(code, locale()) for code in each.countries), each.changes) for each in told]


@staff.post("/policy/settings")
@needs(may.EDIT_POLICY, "policy")
def save_settings() -> Response:
    """The settings into the draft; only what differs is rewritten."""
    data: Data = {name: request.form.getlist(name) for name in ("name", "timezone", "laws", "open")}
    held = Holder(data)
    name = held.text("name", _("Give the policy a name"), 200)
    zone = held.zone("timezone")
    if name is None or zone is None:
        return make_response(_page(data, held.errors), 422)
    laws = [law for law in shipped() if law in held.all("laws")]

    def change(text: str) -> str:
        policy = recall_policy(text)
        values: dict[str, Tree] = {"name": name, "timezone": zone}
        if laws != sorted(policy.laws):
            values["laws"] = list[Tree](laws)
        if bool(held.all("open")) != policy.apply_to_open_orders:
            values["apply_to_open_orders"] = bool(held.all("open"))
        return edit.change_head(text, **values)

    try:
        with command() as tx:
            drafts.save(tx, request.form.get("seen", "")[:40], change)
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy_settings"))
    except PolicyErrors as errors:
        return make_response(_page(data, {"name": spoken(errors.diagnostics[0].message)}), 422)
    except Resumed as late:
        return make_response(_page(data, {"": late.message}), 422)
    flash(_("The settings are saved in the draft."), "green")
    return see_other("staff.policy_settings")
