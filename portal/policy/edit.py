"""Changes of a policy's text, one rule or one term at a time: what a person does in the editor, done to the document.

In: the text of a policy that loads, and typed values. Out: a text that loads and says exactly what was asked for.
Invariants: comments, quotes, order and blank lines of everything that is not changed stay; no other rule's meaning changes (both
are property tests); every result is loaded again and compared with the wish before it is given out.
Never: a policy from a text with errors; a change that the loader would read differently than it was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.errors import Invalid
from portal.policy.conditions import ALWAYS, Condition
from portal.policy.layout import Splice, Spot, blocks, changed, line_end, line_start, replaced, spliced, survey
from portal.policy.loader import Policy, Rule, recall_policy
from portal.policy.terms import TERMS
from portal.policy.written import Tree, condition_tree, flow, meaning, scalar, term_tree


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as somebody wants it."""

    name: str
    when: Condition = ALWAYS
    sets: Mapping[str, Any] = field(default_factory=dict)
    say: str | None = None

    @classmethod
    def of(cls, rule: Rule) -> Wish:
        return cls(rule.name, rule.when, rule.sets, rule.say)


class NoSuchRule(Invalid):
    """The policy has no rule of that name (any more)."""

    code = "no_such_rule"


def _place(policy: Policy, name: str) -> int:
    for position, rule in enumerate(policy.rules):
        if rule.name == name:
            return position
    raise NoSuchRule(f"There is no rule “{name}” in this policy.", {"rule": "choose one of the rules"})


def _checked(text: str, ask: Callable[[Policy], bool]) -> str:
    """The new text, if it loads and says what was asked for."""
    if not ask(recall_policy(text)):
        raise AssertionError("an edit changed the meaning of something else than it was asked to")
    return text


def _says(rule: Rule, wish: Wish) -> bool:
    sets = dict(rule.sets) == {term: wish.sets[term] for term in TERMS if term in wish.sets}
    return rule.name == wish.name and rule.say == wish.say and sets and meaning(rule.when) == meaning(wish.when)


def _rest(policy: Policy, *without: str) -> list[str]:
    """The meaning of all other rules in order, to be compared before and after."""
    return [repr((r.name, r.when, dict(r.sets), r.say)) for r in policy.rules if r.name not in without]


def change_rule(text: str, name: str, wish: Wish) -> str:
    """The rule ``name`` brought to the wish: its name, its condition, its terms, its sentence; only what differs is rewritten.

    Raises `NoSuchRule`, and `PolicyErrors` when the wish is none that the language allows (a name that is taken, no term).
    """
    policy = recall_policy(text)
    place = _place(policy, name)
    old = policy.rules[place]
    text = _opened(text)
    spot = _rules(survey(text)).items[place]
    if spot.flow:
        text = spliced(text, [Splice(spot.start, spot.end, flow(_rule_tree(wish)))])
    else:
        text = spliced(text, _rule_splices(text, spot, old, wish))
    others = _rest(policy, name)
    return _checked(text, lambda now: _says(now.rules[place], wish) and _rest(now, wish.name) == others)


def _rule_splices(text: str, spot: Spot, old: Rule, wish: Wish) -> list[Splice]:
    splices: list[Splice] = []
    wanted: dict[str, Tree] = {"rule": wish.name}
    kept = {"rule"} if old.name == wish.name else set()
    if meaning(old.when) == meaning(wish.when):
        kept.add("when")
    elif meaning(wish.when) != meaning(ALWAYS):
        where = spot.find("when")
        if where is None or not where.items:
            wanted["when"] = condition_tree(wish.when)
        else:
            splices += _when_splices(text, where, old.when, wish.when)
            kept.add("when")
    if wish.say == old.say:
        kept.add("say")
    elif wish.say is not None:
        wanted["say"] = wish.say
    place = spot.find("set")
    if not wish.sets and place is not None:
        splices += replaced(text, place, {})
    elif dict(old.sets) != dict(wish.sets) and place is not None:
        unchanged = frozenset(term for term, value in wish.sets.items() if term in old.sets and old.sets[term] == value)
        trees = {term: term_tree(term, wish.sets[term]) for term in TERMS if term in wish.sets}
        splices += changed(text, place, trees, unchanged)
    kept.add("set")
    return [*splices, *changed(text, spot, wanted, frozenset(kept))]


def _when_splices(text: str, spot: Spot, old: Condition, new: Condition) -> list[Splice]:
    """The tests that differ, in their places; all anew when the text groups its tests in a way of its own."""
    before, after = condition_tree(old), condition_tree(new)
    if {key.text for key in spot.keys} != set(before):
        return replaced(text, spot, after)
    same = frozenset(key for key in after if key in before and before[key] == after[key])
    return changed(text, spot, after, same)


def _rule_tree(wish: Wish) -> dict[str, Tree]:
    out: dict[str, Tree] = {"rule": wish.name}
    if meaning(wish.when) != meaning(ALWAYS):
        out["when"] = condition_tree(wish.when)
    out["set"] = {term: term_tree(term, wish.sets[term]) for term in TERMS if term in wish.sets}
    if wish.say is not None:
        out["say"] = wish.say
    return out


def add_rule(text: str, wish: Wish, position: int | None = None) -> str:
    """A new rule at ``position`` (0 is the top; at the end when left out). Raises `PolicyErrors` as `change_rule` does."""
    policy = recall_policy(text)
    at = len(policy.rules) if position is None else max(0, min(position, len(policy.rules)))
    text = _opened(text)
    root = survey(text)
    listed = root.find("rules")
    lines = [f"{key}: {flow(value)}" for key, value in _rule_tree(wish).items()]
    if listed is None or not listed.items:
        block = "  - " + "\n    ".join(lines) + "\n"
        text = _first_rule(text, root, listed, block)
    else:
        held = blocks(text, listed)
        dash = text.rfind("-", 0, listed.items[0].start)
        indent = " " * (dash - line_start(text, dash))
        block = f"{indent}- " + f"\n{indent}  ".join(lines) + "\n"
        blank = "\n" if not held.gaps[1:-1] or any(gap.strip(" ") for gap in held.gaps[1:-1]) else ""
        held_blocks = [*held.blocks[:at], block, *held.blocks[at:]]
        gaps = list(held.gaps)
        gaps.insert(at if at else 1, blank)
        body = "".join(gap + each for gap, each in zip(gaps, [*held_blocks, ""], strict=True))
        text = spliced(text, [Splice(held.start, held.end, body)])
    others = _rest(policy)
    return _checked(text, lambda now: _says(now.rules[at], wish) and _rest(now, wish.name) == others)


def _first_rule(text: str, root: Spot, listed: Spot | None, block: str) -> str:
    if listed is not None:
        end = line_end(text, listed.end)
        behind = text[listed.end : end]
        start = text.rfind(":", 0, listed.start) + 1
        return spliced(text, [Splice(start, end, behind.rstrip() + "\n" + block.rstrip("\n"))])
    for key in root.keys:
        if key.text == "otherwise":
            at = line_start(text, key.start)
            return spliced(text, [Splice(at, at, f"rules:\n{block}\n")])
    raise AssertionError("a policy without `otherwise` was loaded")


def remove_rule(text: str, name: str) -> str:
    """The policy without the rule, and without the comments that stand right above it or within it."""
    policy = recall_policy(text)
    place = _place(policy, name)
    text = _opened(text)
    listed = _rules(survey(text))
    held = blocks(text, listed)
    if len(held.blocks) == 1:
        key = next(key for key in survey(text).keys if key.text == "rules")
        colon = text.index(":", key.end) + 1
        text = spliced(text, [Splice(held.start, held.end, ""), Splice(colon, colon, " []")])
    else:
        gaps = list(held.gaps)
        # The blank lines between two rules go once; a comment that stands alone between rules stays.
        spare = place + 1 if place + 1 < len(held.blocks) else place
        if not gaps[spare].strip():
            del gaps[spare]
        else:
            gaps[place : place + 2] = [gaps[place] + gaps[place + 1]]
        rest = [*held.blocks[:place], *held.blocks[place + 1 :], ""]
        text = spliced(text, [Splice(held.start, held.end, "".join(g + b for g, b in zip(gaps, rest, strict=True)))])
    others = _rest(policy, name)
    return _checked(text, lambda now: _rest(now) == others)


def move_rule(text: str, name: str, to: int) -> str:
    """The rule at place ``to`` (0 is the top), with the comments that belong to it. Out of reach means the nearest end."""
    policy = recall_policy(text)
    place = _place(policy, name)
    to = max(0, min(to, len(policy.rules) - 1))
    if to == place:
        return text
    text = _opened(text)
    held = blocks(text, _rules(survey(text)))
    order = list(held.blocks)
    order.insert(to, order.pop(place))
    body = "".join(gap + block for gap, block in zip(held.gaps, [*order, ""], strict=True))
    text = spliced(text, [Splice(held.start, held.end, body)])
    names = [rule.name for rule in policy.rules]
    names.insert(to, names.pop(place))
    others = _rest(policy, name)
    return _checked(
        text,
        lambda now: (
            [rule.name for rule in now.rules] == names
            and _rest(now, name) == others
            and _says(now.rules[to], Wish.of(policy.rules[place]))
        ),
    )


def change_otherwise(text: str, sets: Mapping[str, Any]) -> str:
    """What holds when no rule speaks. Raises `PolicyErrors` when a term that is needed is missing."""
    policy = recall_policy(text)
    text = _opened(text)
    spot = survey(text).find("otherwise")
    if spot is None:
        raise AssertionError("a policy without `otherwise` was loaded")
    kept = frozenset(
        term for term, value in sets.items() if term in policy.otherwise and policy.otherwise[term] == value
    )
    trees = {term: term_tree(term, sets[term]) for term in TERMS if term in sets}
    text = spliced(text, changed(text, spot, trees, kept))
    others = _rest(policy)
    return _checked(text, lambda now: dict(now.otherwise) == dict(sets) and _rest(now) == others)


def change_head(text: str, **values: Tree) -> str:
    """Entries of the document itself: ``name``, ``timezone``, ``laws``, ``apply_to_open_orders``."""
    policy = recall_policy(text)
    text = _opened(text)
    root = survey(text)
    splices: list[Splice] = []
    for key, value in values.items():
        spot = root.find(key)
        if spot is not None:
            splices += replaced(text, spot, value)
        else:
            # Behind the name, so that the head of the document stays together.
            name = root.find("name")
            at = line_end(text, name.end if name is not None else root.start)
            splices.append(Splice(at, at, f"\n{scalar(key)}: {flow(value)}"))
    others = _rest(policy)
    return _checked(spliced(text, splices), lambda now: _rest(now) == others)


def _rules(root: Spot) -> Spot:
    listed = root.find("rules")
    if listed is None:
        raise AssertionError("a policy with rules has no `rules`")
    return listed


def _opened(text: str) -> str:
    """The text with its entries, and its rules, one beneath the other, if they stood in one line."""
    text = text.removeprefix("\ufeff")
    root = survey(text)
    if root.flow:
        entries = zip(root.keys, root.items, strict=True)
        text = "".join(f"{scalar(key.text)}: {text[item.start : item.end]}\n" for key, item in entries)
        root = survey(text)
    listed = root.find("rules")
    if listed is None or not listed.flow or not listed.items:
        return text
    items = "".join(f"\n  - {text[item.start : item.end]}" for item in listed.items)
    start = text.rfind(":", 0, listed.start) + 1
    return spliced(text, [Splice(start, listed.end, items)])
