"""A change made today, put into a version that is published already and still to come.

In: the text of what is to come, and the policy before and after the change. Out: that text with the change in it.
Invariants: what the version to come has changed by itself stays as it has it; nothing else of its text changes. Never: a change
of the name, which each version gives itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from portal.policy import edit
from portal.policy.diagnostics import PolicyErrors
from portal.policy.diff import same_rule
from portal.policy.edit import Wish
from portal.policy.loader import Policy, Rule, recall_policy

_HEAD = ("timezone", "laws", "apply_to_open_orders")


def carried(text: str, before: Policy, after: Policy) -> str:
    """The document ``text`` with what ``after`` changed in ``before``; the same text where it has all of that, or decides about
    it by itself. Raises `PolicyErrors` where the changes can't stand in it."""
    text = _rules(text, before, after)
    there = recall_policy(text)
    sets = _merged(there.otherwise, before.otherwise, after.otherwise)
    if sets != dict(there.otherwise):
        text = edit.change_otherwise(text, sets)
    was, now, here = ({name: getattr(each, name) for name in _HEAD} for each in (before, after, there))
    head = {name: value for name, value in _merged(here, was, now).items() if value != here[name]}
    if "laws" in head:
        head["laws"] = list(head["laws"])
    return edit.change_head(text, **head) if head else text


def forgotten(coming: Policy, before: Policy, after: Policy) -> Policy | None:
    """What is to come with what ``after`` changed in ``before``; None where nothing of that would be lost, or none of it can be
    put in."""
    try:
        text = carried(coming.source, before, after)
    except PolicyErrors:
        return None
    return None if text == coming.source else recall_policy(text)


def has_all(policy: Policy, before: Policy, after: Policy) -> bool:
    """Whether a policy has what ``after`` changed in ``before``; of that it may have changed some, but not all, once more."""
    text = policy.source
    try:
        return carried(text, before, after) == text != carried(text, after, before)
    except PolicyErrors:
        return False


def _merged(there: Any, before: Any, after: Any) -> dict[str, Any]:
    """``there`` with the entries that ``after`` changed in ``before``, unless they are others there than before."""
    out = dict(there)
    for name in {**before, **after}:
        if before.get(name) != after.get(name) and there.get(name) == before.get(name):
            if name in after:
                out[name] = after[name]
            else:
                del out[name]
    return out


def _rules(text: str, before: Policy, after: Policy) -> str:
    for old in before.rules:
        if after.rule(old.name) is None and _same(recall_policy(text).rule(old.name), old):
            text = edit.remove_rule(text, old.name)
    # In order first: a new rule is put after the one that it follows.
    text = _ordered(text, before, after)
    above: str | None = None
    for rule in after.rules:
        old_, there = before.rule(rule.name), recall_policy(text)
        here, names = there.rule(rule.name), [each.name for each in there.rules]
        if old_ is None and here is None:
            text = edit.add_rule(text, Wish.of(rule), 0 if above is None else names.index(above) + 1)
        elif old_ is not None and not same_rule(rule, old_) and _same(here, old_):
            text = edit.change_rule(text, rule.name, Wish.of(rule))
        elif here is None:
            continue
        above = rule.name
    return text


def _same(here: Rule | None, old: Rule) -> bool:
    return here is not None and same_rule(here, old)


def _ordered(text: str, before: Policy, after: Policy) -> str:
    """The rules that all three have in the order of ``after``, unless what is to come has an order of its own."""
    there = [rule.name for rule in recall_policy(text).rules]
    orders = [
        [rule.name for rule in each.rules if rule.name in there and before.rule(rule.name) and after.rule(rule.name)]
        for each in (before, after, recall_policy(text))
    ]
    if orders[0] != orders[2] or orders[0] == orders[1]:
        return text
    for above, name in pairwise(orders[1]):
        names = [rule.name for rule in recall_policy(text).rules]
        if names.index(name) < names.index(above):
            text = edit.move_rule(text, name, names.index(above))
    return text
