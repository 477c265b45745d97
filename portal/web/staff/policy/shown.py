"""The policy as its page shows it: rules as sentences beside the published ones, checks, what a draft changes.

In: a draft and published versions. Out: rows for the templates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from portal import clock
from portal.policy.binding import Version
from portal.policy.carry import forgotten
from portal.policy.checks import ERROR, NOTE, WARNING, Check, check_text, with_more
from portal.policy.diagnostics import PolicyErrors
from portal.policy.diff import diff, kind_words, same_rule
from portal.policy.engine import gives_reason
from portal.policy.explain import Wording, rule_words
from portal.policy.loader import Policy, recall_policy
from portal.policy.pieces import Pieces
from portal.policy.sentences import otherwise_sentence, rule_sentence
from portal.returns.against import findings
from portal.web.staff import words
from portal.web.staff.base import ports
from portal.web.staff.text import _, ngettext


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. ``marker`` is new, changed or empty."""

    number: int
    name: str
    sentence: Pieces
    say: str | None
    old_say: str | None
    marker: str
    first: bool
    last: bool
    remarks: tuple[str, ...] = ()
    """When customers do not read the sentence."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change list: what kind, which rule (None: the policy itself), and the sentence."""

    kind: str
    rule: str | None
    sentence: Pieces
    gone: bool = False
    """Whether it takes the rule out, so that there is nothing to open."""

    @property
    def name(self) -> str:
        """What is changed: the rule, or the setting of the policy."""
        return self.kind if self.rule is None else rule_words(self.rule, words.staff_wording())


def loaded(text: str) -> Policy | None:
    """The policy of a text, if it is one."""
    try:
        return recall_policy(text)
    except PolicyErrors:
        return None


def checks_of(session: Session, text: str, starts: datetime | None = None) -> tuple[Check, ...]:
    """Everything that can be said against a text: what the text itself shows, what the orders of the shop never tell and, once
    its start is chosen, what that does to the days that it names."""
    found, policy = check_text(text, ports().shop.sold_to), loaded(text)
    if policy is None:
        return found
    more = findings(session, policy, clock.now(), starts)
    return with_more(found, policy, more) if more else found


def rule_rows(policy: Policy, before: Policy | None) -> list[RuleRow]:
    """The rules as sentences; where a rule was changed, the old values are struck out."""
    wording = words.staff_wording()
    last = len(policy.rules)
    found = []
    for number, rule in enumerate(policy.rules, 1):
        old = before.rule(rule.name) if before is not None else rule
        marker = "new" if old is None else "" if same_rule(rule, old) else "changed"
        found.append(
            RuleRow(
                number,
                rule.name,
                rule_sentence(rule, wording, old),
                rule.say,
                old.say if old is not None and old.say != rule.say else None,
                marker,
                number == 1,
                number == last,
            )
        )
    return found


def with_remarks(row: RuleRow, policy: Policy, checks: Sequence[Check]) -> RuleRow:
    """The row with what keeps its sentence from being read: a law above the rule, or nothing in it that needs a reason."""
    rule = policy.rule(row.name)
    if rule is None or rule.say is None:
        return row
    found = [f"{each.title}." for each in checks if each.rule == row.name and each.severity == NOTE]
    if not gives_reason(rule):
        found.append(_("It’s read on the policy page only: the rule denies nothing and asks for nothing."))
    return replace(row, remarks=tuple(found))


def otherwise_row(policy: Policy, before: Policy | None) -> RuleRow:
    """What holds when no rule speaks."""
    old = None if before is None else before.otherwise
    marker = "changed" if old is not None and dict(old) != dict(policy.otherwise) else ""
    sentence = otherwise_sentence(policy.otherwise, words.staff_wording(), old)
    return RuleRow(0, _("Default"), sentence, None, None, marker, True, True)


def changes(policy: Policy, before: Policy | None) -> list[Change]:
    """What the draft changes, in the order in which its rules are read."""
    return [] if before is None else _changes(policy, before, kind_words)


def _changes(policy: Policy, before: Policy, heading: Callable[[str, Wording], str]) -> list[Change]:
    wording = words.staff_wording()
    return [
        Change(heading(each.kind, wording), each.rule, each.sentence, each.kind == "removed_rule")
        for each in diff(policy, before, wording)
    ]


@dataclass(frozen=True, slots=True)
class Then:
    """What a version that is still to come changes when it starts. ``ends`` are changes that it does not have, as it was
    published before they were made."""

    number: int
    starts: datetime
    changes: list[Change]
    ends: list[Change]


def then(policy: Policy, before: Policy | None, coming: Sequence[Version]) -> list[Then]:
    """What follows if the policy is in force from now on, where it was ``before`` until now: each version to come, in turn."""
    found: list[Then] = []
    for each, last in zip(coming, (policy, *(one.policy for one in coming)), strict=False):
        ends = [] if before is None or found else lost(forgotten(each.policy, before, policy), each.policy)
        found.append(Then(each.number, each.effective_at, _changes(each.policy, last, then_words), ends))
    return found


def lost(with_it: Policy | None, without: Policy) -> list[Change]:
    """What a version to come would have if it knew what was changed since it was published."""
    return [] if with_it is None else _changes(with_it, recall_policy(without.source), kind_words)


def then_words(kind: str, wording: Wording) -> str:
    """The heading of what changes on a later day."""
    told = {"new_rule": _("Begins then"), "changed_rule": _("Changes then"), "removed_rule": _("Ends then")}
    return told.get(kind) or kind_words(kind, wording)


def blocked(checks: Sequence[Check]) -> str:
    """What has to be mended before the draft can be tried or published; empty when nothing has."""
    lines = [each.line for each in checks if each.severity == ERROR]
    if not lines:
        return ""
    if len(lines) == 1:
        return _("It can’t be tried or published until line %(line)s is mended.", line=lines[0])
    return _(
        "It can’t be tried or published until %(count)s errors are mended, the first of them in line %(line)s.",
        count=len(lines), line=min(lines),
    )  # fmt: skip


def counted(checks: Sequence[Check]) -> str:
    """``0 errors, 2 warnings, 1 note``."""
    number = {kind: sum(1 for each in checks if each.severity == kind) for kind in (ERROR, WARNING, NOTE)}
    return ", ".join(
        (
            ngettext("%(num)s error", "%(num)s errors", number[ERROR]),
            ngettext("%(num)s warning", "%(num)s warnings", number[WARNING]),
            ngettext("%(num)s note", "%(num)s notes", number[NOTE]),
        )
    )
