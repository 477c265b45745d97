"""The policy as its page shows it: rules as sentences beside the published ones, checks, versions, what a draft changes.

In: a draft, the newest version, the versions' heads. Out: rows for the templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.policy.checks import ERROR, NOTE, WARNING, Check
from portal.policy.diagnostics import PolicyErrors
from portal.policy.loader import Policy, Rule, recall_policy
from portal.policy.pieces import Piece, Pieces
from portal.policy.sentences import otherwise_sentence, plain, rule_sentence
from portal.policy.terms import TERMS
from portal.policybook.models import PolicyVersion
from portal.web.staff import words
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


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change list: what kind, which rule (None: the policy itself), and the sentence."""

    kind: str
    rule: str | None
    sentence: Pieces


def loaded(text: str) -> Policy | None:
    """The policy of a text, if it is one."""
    try:
        return recall_policy(text)
    except PolicyErrors:
        return None


def rule_rows(policy: Policy, before: Policy | None) -> list[RuleRow]:
    """The rules as sentences; where a rule was changed, the old values are struck out."""
    wording = words.staff_wording()
    last = len(policy.rules)
    found = []
    for number, rule in enumerate(policy.rules, 1):
        old = before.rule(rule.name) if before is not None else rule
        marker = "new" if old is None else "" if _same(rule, old) else "changed"
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


def _same(rule: Rule, old: Rule) -> bool:
    return (rule.when, dict(rule.sets), rule.say) == (old.when, dict(old.sets), old.say)


def otherwise_row(policy: Policy, before: Policy | None) -> RuleRow:
    """What holds when no rule speaks."""
    old = None if before is None else before.otherwise
    marker = "changed" if old is not None and dict(old) != dict(policy.otherwise) else ""
    sentence = otherwise_sentence(policy.otherwise, words.staff_wording(), old)
    return RuleRow(0, _("Default"), sentence, None, None, marker, True, True)


def changes(policy: Policy, before: Policy | None) -> list[Change]:
    """What the draft changes, in the order in which its rules are read."""
    if before is None:
        return []
    wording = words.staff_wording()
    found = []
    for row in rule_rows(policy, before):
        if row.marker:
            kind = _("New rule") if row.marker == "new" else _("Changed rule")
            said = _said(row)
            found.append(Change(kind, row.name, (*row.sentence, *said)))
    found += [
        Change(_("Removed rule"), rule.name, (Piece("", old=plain(rule_sentence(rule, wording))),))
        for rule in before.rules
        if policy.rule(rule.name) is None
    ]
    here = [rule.name for rule in policy.rules if before.rule(rule.name) is not None]
    there = [rule.name for rule in before.rules if policy.rule(rule.name) is not None]
    if here != there:
        order = _("Rules are now read in this order: %(names)s.", names=", ".join(here))
        found.append(Change(_("New order"), None, (Piece(order),)))
    if dict(policy.otherwise) != dict(before.otherwise):
        # Only what differs: the whole sentence of the default is long.
        terms = [term for term in TERMS if policy.otherwise.get(term) != before.otherwise.get(term)]
        fresh, old = (
            {term: each.otherwise[term] for term in terms if term in each.otherwise} for each in (policy, before)
        )
        found.append(Change(_("Changed rule"), "otherwise", otherwise_sentence(fresh, wording, old)))
    for label, now, then in (
        (_("Name"), policy.name, before.name),
        (_("Time zone"), policy.timezone, before.timezone),
        (_("Laws"), ", ".join(policy.laws) or "—", ", ".join(before.laws) or "—"),
        (_("For orders placed before"), _yes(policy), _yes(before)),
    ):
        if now != then:
            found.append(Change(label, None, (Piece(now, True, then),)))
    return found


def _said(row: RuleRow) -> Pieces:
    if row.say is None:
        return () if row.old_say is None else (Piece(" "), Piece("", old=row.old_say))
    return (Piece(" "), Piece(_("Customers read:") + " "), Piece(f"“{row.say}”", True, row.old_say))


def _yes(policy: Policy) -> str:
    return _("offered where it is kinder") if policy.apply_to_open_orders else _("keep their own version")


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


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One published version. ``state`` is live, coming or retired; ``until`` is when the next one starts."""

    number: int
    state: str
    author: str
    note: str
    since: datetime
    until: datetime | None


def version_rows(session: Session, now: datetime, most: int | None = None) -> tuple[list[VersionRow], int]:
    """The versions, newest first (at most ``most``), and how many there are. Never reads their texts."""
    columns = (PolicyVersion.number, PolicyVersion.author, PolicyVersion.note, PolicyVersion.effective_at)
    query = select(*columns).order_by(PolicyVersion.number.desc())
    found = session.execute(query if most is None else query.limit(most)).all()
    live = next((row.number for row in found if row.effective_at <= now), found[-1].number if found else 0)
    rows = []
    later: datetime | None = None
    for number, author, note, since in found:
        state = "live" if number == live else "coming" if number > live else "retired"
        rows.append(VersionRow(number, state, author, note, since, later))
        later = since
    # Numbers have no gaps, so the newest is the count.
    return rows, found[0].number if found else 0
