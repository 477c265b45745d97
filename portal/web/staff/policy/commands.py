"""What a click changes in the draft: a rule, the order of rules, the text; undo, throw away.

Every form carries the state of the draft that its author saw. When somebody else saved first, nothing is saved and the page shows
both texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import flash, request, url_for
from werkzeug.wrappers import Response

from portal import clock
from portal.errors import Conflict, Invalid
from portal.policy import edit
from portal.policy.checks import check_text, mended, spoken
from portal.policy.diagnostics import PolicyErrors
from portal.policy.edit import NoSuchRule, Wish
from portal.policybook import drafts, service, versions
from portal.policybook.drafts import StaleDraft
from portal.staff import permissions as may
from portal.web.staff.base import Resumed, command, me, needs, ports, read, see_other, staff
from portal.web.staff.policy import shown
from portal.web.staff.policy.pages import OTHERWISE, rules_page, stale_page, text_page
from portal.web.staff.policy.rule_form import RuleForm, pressed, read_form, sent_form, with_waiting
from portal.web.staff.text import _


def _seen() -> str:
    return request.form.get("seen", "")[:40]


def _save(change: Callable[[str], str]) -> None:
    with command() as tx:
        drafts.save(tx, _seen(), change)


@staff.post("/policy/rules")
@needs(may.EDIT_POLICY, "policy")
def save_rule() -> Response:
    """One rule from its form, or `otherwise`: saved, or shown again with another row, another setting, or its mistakes."""
    otherwise = request.form.get("rule") == OTHERWISE
    form = sent_form(request.form, otherwise=otherwise)
    act = request.form.get("act", "")
    if act != "save":
        return rules_page(pressed(form, act, _defaults()))
    if form.waiting:
        # Chosen and not added: saving without it would lose it, saving with it would set what nobody has seen.
        return rules_page(with_waiting(form, _defaults()), 422)
    wish = read_form(form)
    if wish is None:
        return rules_page(form, 422)
    try:
        _save(lambda text: _changed(text, form, wish))
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    except NoSuchRule as gone:
        form.errors["name"] = gone.message
        return rules_page(form, 409)
    except PolicyErrors as errors:
        return rules_page(_refused(form, errors), 422)
    except Resumed as late:
        form.errors["also" if otherwise else "name"] = late.message
        return rules_page(form, 422)
    if otherwise:
        flash(_("The default is saved in the draft."), "green")
        return see_other("staff.policy", _anchor="rule-otherwise")
    flash(_("“%(name)s” is saved in the draft.", name=wish.name), "green")
    return see_other("staff.policy", _anchor=_anchor(wish.name))


def _defaults() -> Mapping[str, Any]:
    with read() as session:
        policy = shown.loaded(drafts.find_draft(session, clock.now()).source)
    return {} if policy is None else policy.otherwise


def _changed(text: str, form: RuleForm, wish: Wish) -> str:
    if form.otherwise:
        return edit.change_otherwise(text, wish.sets)
    if form.name:
        return edit.change_rule(text, form.name, wish)
    place = form.place
    return edit.add_rule(text, wish, int(place) if place.isascii() and place.isdigit() and len(place) < 4 else None)


def _refused(form: RuleForm, errors: PolicyErrors) -> RuleForm:
    """What only the whole document shows: a name that is taken, a setting that is missing."""
    form.errors["also" if form.otherwise else "name"] = spoken(errors.diagnostics[0].message)
    return form


def _anchor(name: str) -> str:
    """Where a rule stands on the page now."""
    with read() as session:
        policy = shown.loaded(drafts.find_draft(session, clock.now()).source)
    names = [] if policy is None else [rule.name for rule in policy.rules]
    return f"rule-{names.index(name) + 1}" if name in names else "rules"


@staff.post("/policy/rules/move")
@needs(may.EDIT_POLICY, "policy")
def move_rule() -> Response:
    """A rule one place up or down, or to a place."""
    name, to = request.form.get("rule", ""), request.form.get("to", "")

    def change(text: str) -> str:
        policy = shown.loaded(text)
        names = [] if policy is None else [rule.name for rule in policy.rules]
        if name not in names:
            raise NoSuchRule(_("There is no rule “%(name)s” in this policy.", name=name[:80]))
        here = names.index(name)
        places = {"up": here - 1, "down": here + 1}
        wanted = int(to) if to.isascii() and to.isdigit() and len(to) < 4 else here
        return edit.move_rule(text, name, places.get(to, wanted))

    try:
        _save(change)
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    return see_other("staff.policy", _anchor=_anchor(name))


@staff.post("/policy/checks/mend")
@needs(may.EDIT_POLICY, "policy")
def mend_check() -> Response:
    """The certain edit of one check, made in the draft. A check that is gone by now is mended already."""
    key = request.form.get("check", "")

    def change(text: str) -> str:
        # What besides the text speaks against it has no certain mend.
        found = next((each for each in check_text(text, ports().shop.sold_to) if each.key == key), None)
        return text if found is None else mended(text, found)

    try:
        _save(change)
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(_("Mended in the draft. Undo takes it back."), "green")
    # Who mends a text with errors has its rules nowhere else to see.
    return see_other("staff.policy_text" if request.form.get("from") == "text" else "staff.policy", _anchor="checks")


@staff.post("/policy/rules/delete")
@needs(may.EDIT_POLICY, "policy")
def delete_rule() -> Response:
    """A rule out of the draft; Undo brings it back."""
    name = request.form.get("rule", "")
    try:
        _save(lambda text: edit.remove_rule(text, name))
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(_("“%(name)s” is out of the draft. Undo brings it back.", name=name), "green")
    return see_other("staff.policy")


@staff.post("/policy/text")
@needs(may.EDIT_POLICY, "policy")
def save_text() -> Response:
    """The whole document. One with errors is kept as well, so that no work is lost; it can't be published."""
    text = request.form.get("text", "").replace("\r\n", "\n")
    try:
        _save(lambda _text: text)
    except StaleDraft as stale:
        return stale_page(StaleDraft(text, stale.theirs, stale.both), url_for("staff.policy_text"))
    except Invalid as wrong:
        return text_page(text, {"text": wrong.fields.get("text", wrong.message)}, 422)
    if "both" in request.args:
        flash(_("Both changes are saved in the draft."), "green")
        return see_other("staff.policy")
    blocked = shown.blocked(check_text(text, ports().shop.sold_to))
    if blocked:
        flash(_("The text is saved in the draft. %(blocked)s", blocked=blocked), "amber")
    else:
        flash(_("The text is saved in the draft."), "green")
    return see_other("staff.policy_text")


@staff.post("/policy/versions/<int:number>/draft")
@needs(may.EDIT_POLICY, "policy")
def draft_of_version(number: int) -> Response:
    """The document of a version as the draft, to be changed and published once more. Undo brings back what was there."""
    try:
        with command() as tx:
            source = service.get_version(tx.session, number).source
            drafts.save(tx, _seen(), lambda _text: source)
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(
        _("The draft now says what version %(number)s says. Undo brings back what was there.", number=number), "green"
    )
    return see_other("staff.policy")


@staff.post("/policy/versions/<int:number>/carry")
@needs(may.EDIT_POLICY, "policy")
def carry_version(number: int) -> Response:
    """The version that takes over from this one as the draft, with what this one changed put in. Undo brings back what was."""
    try:
        with command() as tx:
            follows = versions.forgetful(service.load_book(tx.session), number, tx.at)
            if follows is None:
                raise Conflict("Nothing of this version is lost any more: what follows it has all of its changes.")
            coming, with_it = follows
            drafts.save(tx, _seen(), lambda _text: with_it.source)
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(
        _("The draft is version %(coming)s with what version %(number)s changed. Publish it in the place of version %(coming)s.",
          coming=coming.number, number=number),
        "green",
    )  # fmt: skip
    if not me().may(may.PUBLISH_POLICY):
        return see_other("staff.policy")
    return see_other("staff.policy_publish", start=f"instead-{coming.number}")


@staff.post("/policy/undo")
@needs(may.EDIT_POLICY, "policy")
def undo_draft() -> Response:
    """The draft as it was one change earlier."""
    try:
        with command() as tx:
            drafts.undo(tx, _seen())
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(_("The last change is undone."), "green")
    return see_other("staff.policy")


@staff.post("/policy/discard")
@needs(may.EDIT_POLICY, "policy")
def discard_draft() -> Response:
    """No draft any more; the published version stays as it is."""
    try:
        with command() as tx:
            drafts.discard(tx, _seen())
    except StaleDraft as stale:
        return stale_page(stale, url_for("staff.policy"))
    flash(_("The draft is discarded. The published version is unchanged."), "green")
    return see_other("staff.policy")
