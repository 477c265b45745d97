"""The form of one rule, or of what holds otherwise: from the rule to what the controls hold, and back.

In: a `Wish` or a sent form. Out: what the controls hold after a button was pressed, or the wish with every mistake named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from portal.policy.conditions import Condition
from portal.policy.edit import Wish
from portal.policy.loader import MAX_NAME
from portal.policy.terms import REQUIRED_TERMS, TERMS
from portal.web.staff import words
from portal.web.staff.policy import condition_forms as conditions
from portal.web.staff.policy.fields import Data, Field, Holder
from portal.web.staff.policy.term_forms import read_term, show_term, term_fields
from portal.web.staff.text import _

MAX_CONTROLS = 2_000


@dataclass(frozen=True, slots=True)
class Setting:
    """One term in the form. ``fixed`` ones cannot be taken out: `otherwise` has to say them."""

    term: str
    label: str
    fields: tuple[Field, ...]
    fixed: bool

    @property
    def pairs(self) -> bool:
        """Whether each value has a box to tick beside it."""
        return any(each.kind == "check" for each in self.fields)


@dataclass(frozen=True, slots=True)
class RuleForm:
    """What the controls hold, and what is wrong with it. ``name`` is the rule that is edited, empty for a new one."""

    name: str
    data: Data
    otherwise: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> Holder:
        """The controls."""
        return Holder(self.data, self.errors)

    @property
    def title(self) -> str:
        """The name that stands in its field."""
        return self.held.get("name")

    @property
    def say(self) -> str:
        """The sentence that customers read."""
        return self.held.get("say")

    @property
    def place(self) -> str:
        """Where a new rule comes."""
        return self.held.get("place")

    @property
    def at(self) -> str:
        """The control whose change asked for others; a script gives it the focus again."""
        return self.held.get("at")[:80]

    @property
    def seen(self) -> str:
        """The state of the draft that its author saw when the form was opened; empty before it is sent."""
        return self.held.get("seen")[:40]

    @property
    def terms(self) -> list[str]:
        """The terms of the form, in the order of the language."""
        chosen = self.data.get("terms", [])
        return [term for term in TERMS if term in chosen]

    @property
    def told(self) -> dict[str, str]:
        """The mistakes as they read away from their controls: each behind the name of its setting or fact."""
        found = {}
        for control, message in self.errors.items():
            about = ""
            if control.startswith("set-"):
                about = words.term_label(control.split("-")[1])
            elif control.startswith("when-"):
                about = conditions.named_in(self.data, control)
            found[control] = _("%(about)s: %(mistake)s", about=about, mistake=message) if about else message
        return found

    @property
    def waiting(self) -> str:
        """The term that is chosen in the list of those to add and was not added; empty when none is."""
        term = self.held.get("also")
        return term if term in TERMS and term not in self.terms else ""

    @property
    def settings(self) -> list[Setting]:
        """The terms with their controls."""
        return [
            Setting(
                term,
                words.term_label(term),
                tuple(term_fields(term, self.held)),
                self.otherwise and term in REQUIRED_TERMS,
            )
            for term in self.terms
        ]

    @property
    def left(self) -> list[tuple[str, str]]:
        """The terms that could be added."""
        return [(term, words.term_label(term)) for term in TERMS if term not in self.terms]

    @property
    def rows(self) -> tuple[conditions.Shown, ...]:
        """The condition's rows."""
        return conditions.show_rows(conditions.read_rows(self.data), self.held)


def form_of(wish: Wish, *, name: str | None = None, place: str = "") -> RuleForm:
    """The form of a rule as it stands."""
    data: Data = {"name": [wish.name], "say": [wish.say or ""], "place": [place]}
    data |= conditions.write_rows(conditions.rows_of(wish.when))
    data |= _terms(wish.sets)
    return RuleForm(wish.name if name is None else name, data)


def form_of_otherwise(sets: Mapping[str, Any]) -> RuleForm:
    """The form of what holds when no rule speaks."""
    return RuleForm("otherwise", _terms(sets), otherwise=True)


def new_form(place: str = "") -> RuleForm:
    """The form of a new rule: one test to fill in, nothing set."""
    data: Data = {"name": [""], "say": [""], "place": [place], "terms": []}
    return RuleForm("", data | conditions.write_rows([conditions.Row("test")]))


def _terms(sets: Mapping[str, Any]) -> Data:
    data: Data = {"terms": [term for term in TERMS if term in sets]}
    for term in data["terms"]:
        data |= show_term(term, sets[term])
    return data


def sent_form(sent: MultiDict[str, str], *, otherwise: bool = False) -> RuleForm:
    """The form as somebody sent it."""
    data = {key: sent.getlist(key) for key in list(sent)[:MAX_CONTROLS]}
    return RuleForm("otherwise" if otherwise else sent.get("rule", ""), data, otherwise)


def pressed(form: RuleForm, act: str, defaults: Mapping[str, Any]) -> RuleForm:
    """The form after one of its buttons, as it is shown again; ``defaults`` fill in a term that is added.

    ``also`` adds the chosen term, ``unset:TERM`` takes one out, ``add:``, ``either:``, ``wrap:`` and ``drop:`` with a path change
    the rows of the condition. Anything else only draws the controls anew.
    """
    verb, _sep, what = act.partition(":")
    data = dict(form.data)
    if verb == "also":
        if term := form.waiting:
            data["terms"] = [*form.terms, term]
            data |= show_term(term, defaults[term]) if term in defaults else {}
    elif verb == "unset":
        data["terms"] = [term for term in form.terms if term != what]
        data = {key: held for key, held in data.items() if not key.startswith(f"set-{what}-")}
    elif verb in ("add", "either", "wrap", "drop"):
        rows = conditions.change_rows(conditions.read_rows(data), verb, what)
        data = {key: held for key, held in data.items() if not key.startswith("when-")} | conditions.write_rows(rows)
    return RuleForm(form.name, data, form.otherwise)


def with_waiting(form: RuleForm, defaults: Mapping[str, Any]) -> RuleForm:
    """The form with the term that was chosen and not added, and the request to look at it before it is saved."""
    term = form.waiting
    shown = pressed(form, "also", defaults)
    label = words.term_label(term)
    shown.errors[term_fields(term, shown.held)[0].id] = _("Look at “%(name)s”, then save the rule again", name=label)
    return shown


def read_form(form: RuleForm) -> Wish | None:
    """The wish of a sent form; None with every mistake named in ``form.errors``."""
    name: str | None = "otherwise"
    when: Condition | None = None
    say: str | None = None
    if not form.otherwise:
        name = form.held.text("name", _("Give the rule a name"), MAX_NAME)
        when = conditions.read_condition(conditions.read_rows(form.data), form.held)
        say = form.held.text("say", _("Enter a sentence of up to 500 characters")) if form.say else None
    if not form.terms:
        form.errors.setdefault("also", _("Add at least one setting"))
    sets = {term: read_term(term, form.held) for term in form.terms}
    if form.errors or name is None:
        return None
    return Wish(name, sets=sets, say=say) if when is None else Wish(name, when, sets, say)
