"""What one policy says that another did not, as sentences: the change list of the publish page and of `portal policy diff`.

In: two loaded policies and a `Wording`. Out: `Difference` rows in the order in which the rules are read.
Invariants: two policies have no difference exactly if they mean the same (equal hashes); a rule is known by its name.
Never: comments, quotes, the order of keys or anything else that decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.policy.decision import OTHERWISE
from portal.policy.explain import ENGLISH, Wording
from portal.policy.loader import Policy, Rule
from portal.policy.pieces import Piece, Pieces, fill, listed, plain
from portal.policy.sentences import effects, otherwise_sentence, rule_sentence
from portal.policy.terms import TERMS


@dataclass(frozen=True, slots=True)
class Difference:
    """One row. ``rule`` names the rule (`otherwise` for what holds without one), None for the policy itself. ``sentence`` has
    the new words with the old ones to be struck out; ``before`` and ``after`` are whole sentences, empty where there is none."""

    kind: str
    rule: str | None
    sentence: Pieces
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        """``{"kind", "rule", "before", "after"}``; what there is not is null."""
        return {"kind": self.kind, "rule": self.rule, "before": self.before or None, "after": self.after or None}


def diff(new: Policy, old: Policy, wording: Wording = ENGLISH) -> tuple[Difference, ...]:
    """Everything that ``new`` says differently."""
    return (*_rules(new, old, wording), *_otherwise(new, old, wording), *_document(new, old, wording))


def same_rule(rule: Rule, old: Rule) -> bool:
    """Whether two rules of one name decide and say the same, wherever they stand."""
    return (rule.when, dict(rule.sets), rule.say) == (old.when, dict(old.sets), old.say)


def kind_words(kind: str, wording: Wording = ENGLISH) -> str:
    """The heading of a row."""
    _ = wording.gettext
    return {
        "new_rule": _("New rule"),
        "changed_rule": _("Changed rule"),
        "removed_rule": _("Removed rule"),
        "order": _("New order"),
        "name": _("Name"),
        "timezone": _("Time zone"),
        "laws": _("Laws"),
        "open_orders": _("For orders placed before"),
    }[kind]


def _rules(new: Policy, old: Policy, wording: Wording) -> Iterator[Difference]:
    _ = wording.gettext
    above: str | None = None
    for rule in new.rules:
        there = old.rule(rule.name)
        after = _told(rule, wording)
        if there is None:
            place = _("It is read first.") if above is None else _("It is read after “%(name)s”.") % {"name": above}
            sentence = (*rule_sentence(rule, wording), *said(rule, rule, wording), Piece(f" {place}"))
            yield Difference("new_rule", rule.name, sentence, "", f"{after} {place}")
        elif not same_rule(rule, there):
            sentence = (*rule_sentence(rule, wording, there), *said(rule, there, wording))
            if all(piece.old is None for piece in sentence):
                same = _("It is written in another way and reads the same.")
                sentence, after = (*sentence, Piece(f" {same}")), f"{after} {same}"
            yield Difference("changed_rule", rule.name, sentence, _told(there, wording), after)
        above = rule.name
    for rule in old.rules:
        if new.rule(rule.name) is None:
            before = _told(rule, wording)
            yield Difference("removed_rule", rule.name, (Piece("", old=before),), before, "")
    here = [rule.name for rule in new.rules if old.rule(rule.name) is not None]
    was = [rule.name for rule in old.rules if new.rule(rule.name) is not None]
    if here != was:
        order, before = (
            _("Rules are now read in this order: %(names)s.") % {"names": ", ".join(here)},
            _("Rules were read in this order: %(names)s.") % {"names": ", ".join(was)},
        )
        yield Difference("order", None, (Piece(order),), before, order)


def _told(rule: Rule, wording: Wording) -> str:
    return plain((*rule_sentence(rule, wording), *said(rule, rule, wording)))


def said(rule: Rule, old: Rule, wording: Wording) -> Pieces:
    """The sentence that customers read, with the one that they read before."""
    if rule.say is None:
        return () if old.say is None else (Piece(" "), Piece("", old=old.say))
    changed = old.say if old.say is not None and old.say != rule.say else None
    return (Piece(f" {wording.gettext('Customers read:')} "), Piece(f"“{rule.say}”", True, changed))


def _otherwise(new: Policy, old: Policy, wording: Wording) -> Iterator[Difference]:
    # Only what differs: the whole sentence of the default is long.
    terms = [term for term in TERMS if new.otherwise.get(term) != old.otherwise.get(term)]
    if terms:
        now, then = ({term: each.otherwise[term] for term in terms if term in each.otherwise} for each in (new, old))
        sentence = otherwise_sentence(now, wording, then)
        yield Difference("changed_rule", OTHERWISE, sentence, _told_default(then, wording), _told_default(now, wording))


def _told_default(sets: Mapping[str, Any], wording: Wording) -> str:
    told = list(effects(sets, wording).values())
    return plain(fill(wording.gettext("Otherwise %(effects)s."), effects=listed(told, wording))) if told else ""


def _document(new: Policy, old: Policy, wording: Wording) -> Iterator[Difference]:
    for kind, now, then in (
        ("name", new.name, old.name),
        ("timezone", new.timezone, old.timezone),
        ("laws", _laws(new, old, wording), _laws(old, new, wording)),
        ("open_orders", _offered(new, wording), _offered(old, wording)),
    ):
        if now != then:
            yield Difference(kind, None, (Piece(now, True, then),), then, now)


def _laws(policy: Policy, other: Policy, wording: Wording) -> str:
    """The laws by name; one whose text is another one, with the day on which it was checked and what its text hashes to."""
    _ = wording.gettext
    here = {law.name: law for law in policy.floors}
    there = {law.name: law.content_hash for law in other.floors}
    found = []
    for name in sorted(policy.laws):
        law = here.get(name)
        if law is None:
            found.append(_("%(law)s (not applied)") % {"law": name})
        elif there.get(name, law.content_hash) == law.content_hash:
            found.append(name)
        else:
            values = {"law": name, "date": wording.date(law.checked), "hash": law.content_hash[:8]}
            found.append(_("%(law)s as checked on %(date)s (%(hash)s)") % values)
    return ", ".join(found) or "—"


def _offered(policy: Policy, wording: Wording) -> str:
    _ = wording.gettext
    return _("offered where it is kinder") if policy.apply_to_open_orders else _("not offered")
