"""Edits of a policy's text: what is asked for is done, and nothing else of the document changes."""

from __future__ import annotations

import os
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.policy import conditions as c
from portal.policy import edit
from portal.policy.diagnostics import PolicyErrors
from portal.policy.edit import NoSuchRule, Wish
from portal.policy.loader import load_policy
from portal.policy.terms import Fee, Grade, Window
from portal.policy.written import condition_tree, flow, meaning, scalar, term_tree
from tests.pure.policy.language import comparisons, values
from tests.pure.policy.samples import OTHERWISE, POLICIES, document

TEXT = f"""\
# The head.
schema: 1
name: "Test"   # quoted on purpose
timezone: Europe/London

rules: # read from the top
  # Why faults are first.
  - rule: Faults
    when: {{reason: {{in: [faulty, damaged]}}}} # our fault
    set:
      returnable: true
      window: {{days: 365, from: delivered}} # a year
      on_inspection: # whatever state
        used: 100%
        missing: {{refund: 0%, review: always}} # gone
    say: 'We are sorry.'
    # the end of faults

  # A comment of its own.

  - rule: Sale
    set: {{returnable: false}}

  - rule: Christmas
    when:
      order.placed: {{from: 2026-11-01, to: 2026-12-24}} # the season
      item.tags: {{has: toy}}
    set: {{window: {{until: 2027-01-31}}}}

# What holds else.
otherwise:
{OTHERWISE}"""


def wish(rule_name: str, /, **changes: object) -> Wish:
    rule = load_policy(TEXT).rule(rule_name)
    assert rule is not None
    found = Wish.of(rule)
    return Wish(**{**{f: getattr(found, f) for f in ("name", "when", "sets", "say")}, **changes})  # type: ignore[arg-type]


def difference(new: str, old: str = TEXT) -> tuple[list[str], list[str]]:
    """The lines that went and those that came, without blanks around them and without blank lines."""
    before, after = (list(filter(str.strip, text.splitlines())) for text in (old, new))
    gone = [line.strip() for line in before if before.count(line) > after.count(line)]
    come = [line.strip() for line in after if after.count(line) > before.count(line)]
    return gone, come


def sets(name: str, **changes: object) -> Wish:
    found = wish(name)
    merged = {**found.sets, **changes}
    return Wish(found.name, found.when, {term: value for term, value in merged.items() if value is not None}, found.say)


@pytest.mark.parametrize(
    ("changed", "gone", "come"),
    [
        (wish("Faults"), [], []),
        (wish("Faults", name="Our: faults"), ["- rule: Faults"], ['- rule: "Our: faults"']),
        (wish("Faults", say=None), ["say: 'We are sorry.'"], []),
        (wish("Faults", say="So sorry."), ["say: 'We are sorry.'"], ["say: So sorry."]),
        (wish("Sale", say="Final # sale"), [], ['say: "Final # sale"']),
        (
            sets("Faults", window=Window(30)),
            ["window: {days: 365, from: delivered} # a year"],
            ["window: {days: 30, from: delivered} # a year"],
        ),
        (sets("Faults", window=None), ["window: {days: 365, from: delivered} # a year"], []),
        (sets("Faults", restocking_fee=Fee(bp=1250)), [], ["restocking_fee: 12.5%"]),
        (
            sets("Faults", on_inspection={"used": Grade(5000), "missing": Grade(0, True)}),
            ["used: 100%"],
            ["used: 50%"],
        ),
        (
            sets("Sale", window=Window(until=date(2027, 1, 31))),
            ["set: {returnable: false}"],
            ["set: {returnable: false, window: {until: 2027-01-31}}"],
        ),
        (
            wish("Faults", when=c.Comparison("reason", "in", ("damaged", "faulty", "other"))),
            ["when: {reason: {in: [faulty, damaged]}} # our fault"],
            ["when: {reason: {in: [damaged, faulty, other]}} # our fault"],
        ),
        (wish("Faults", when=c.ALWAYS), ["when: {reason: {in: [faulty, damaged]}} # our fault"], []),
        (
            wish(
                "Sale",
                when=c.All(
                    (c.Comparison("item.tags", "has", "sale"), c.Not(c.Comparison("order.is_gift", "is", True)))
                ),
            ),
            [],
            ["when: {item.tags: sale, not: {order.is_gift: true}}"],
        ),
        (
            wish("Christmas", when=c.Comparison("item.tags", "has", "toy")),
            ["order.placed: {from: 2026-11-01, to: 2026-12-24} # the season"],
            [],
        ),
        (
            wish(
                "Christmas",
                when=c.All(
                    (
                        c.Comparison("item.tags", "has", "toy"),
                        c.Comparison("order.placed", "from", date(2026, 11, 1)),
                        c.Comparison("order.placed", "to", date(2026, 12, 31)),
                        c.Comparison("order.country", "is", "GB"),
                    )
                ),
            ),
            ["order.placed: {from: 2026-11-01, to: 2026-12-24} # the season"],
            ["order.placed: {from: 2026-11-01, to: 2026-12-31} # the season", "order.country: GB"],
        ),
    ],
)
def test_a_change_of_a_rule_rewrites_only_what_differs(changed: Wish, gone: list[str], come: list[str]) -> None:
    name = next(n for n in ("Faults", "Sale", "Christmas") if changed.name in (n, "Our: faults"))
    assert difference(edit.change_rule(TEXT, name, changed)) == (gone, come)


def test_a_setting_and_a_sentence_that_come_at_one_place_stand_in_their_order() -> None:
    text = document("- rule: A\n  set:\n    review: always")
    both = Wish("A", sets={"review": "always", "credit_bonus": 500}, say="Why.")
    new = edit.change_rule(text, "A", both)
    assert "    set:\n      review: always\n      credit_bonus: 5%\n    say: Why.\n" in new


def test_a_rule_moves_with_its_own_comments_and_leaves_the_others_where_they_are() -> None:
    moved = edit.move_rule(TEXT, "Faults", 1)
    assert difference(moved) == ([], [])
    lines = [line.strip() for line in moved.splitlines()]
    assert lines[5:9] == ["rules: # read from the top", "- rule: Sale", "set: {returnable: false}", ""]
    assert lines.index("# Why faults are first.") + 1 == lines.index("- rule: Faults")
    assert lines.index("# the end of faults") < lines.index("- rule: Christmas")
    assert edit.move_rule(moved, "Faults", 0) == TEXT
    assert edit.move_rule(TEXT, "Faults", -5) == TEXT
    assert edit.move_rule(TEXT, "Christmas", 99) == TEXT


def test_a_removed_rule_takes_its_own_comments_along_and_no_others() -> None:
    gone, come = difference(edit.remove_rule(TEXT, "Faults"))
    assert come == []
    assert [line for line in gone if line.startswith("#")] == ["# Why faults are first.", "# the end of faults"]
    assert load_policy(edit.remove_rule(TEXT, "Christmas")).rules[-1].name == "Sale"


def test_the_last_rule_can_go_and_a_first_one_can_come() -> None:
    text = TEXT
    for name in ("Sale", "Christmas", "Faults"):
        text = edit.remove_rule(text, name)
    assert load_policy(text).rules == ()
    assert "rules: [] # read from the top" in text
    again = edit.add_rule(text, Wish("New", sets={"review": "always"}))
    assert [rule.name for rule in load_policy(again).rules] == ["New"]
    assert "rules: # read from the top\n  - rule: New\n    set: {review: always}\n" in again
    bare = edit.add_rule(document(), Wish("New", sets={"review": "always"}))
    assert "rules:\n  - rule: New\n    set: {review: always}\n\notherwise:" in bare


@pytest.mark.parametrize(
    ("place", "names"),
    [(0, "New Faults Sale Christmas"), (1, "Faults New Sale Christmas"), (None, "Faults Sale Christmas New")],
)
def test_a_new_rule_comes_where_it_is_wanted(place: int | None, names: str) -> None:
    text = edit.add_rule(TEXT, Wish("New", c.Comparison("item.tags", "has", "x"), {"review": "always"}, "Why."), place)
    assert [rule.name for rule in load_policy(text).rules] == names.split()
    assert difference(text) == ([], ["- rule: New", "when: {item.tags: x}", "set: {review: always}", "say: Why."])


def test_otherwise_and_the_head_are_changed_in_place() -> None:
    there = load_policy(TEXT).otherwise
    text = edit.change_otherwise(TEXT, {**there, "credit_bonus": 1200, "exchange_for": "same_price"})
    assert difference(text) == (["credit_bonus: 0%"], ["credit_bonus: 12%", "exchange_for: same_price"])
    assert difference(edit.change_otherwise(text, there), text) == (
        ["credit_bonus: 12%", "exchange_for: same_price"],
        ["credit_bonus: 0%"],
    )
    named = edit.change_head(TEXT, name="Winter", apply_to_open_orders=True)
    assert difference(named) == (
        ['name: "Test"   # quoted on purpose'],
        ["name: Winter   # quoted on purpose", "apply_to_open_orders: true"],
    )


def test_rules_and_documents_in_one_line_are_opened_first() -> None:
    one = document().replace(
        "otherwise:", "rules: [{rule: A, set: {review: always}}, {rule: B, set: {keep_item: true}}]\notherwise:"
    )
    assert [rule.name for rule in load_policy(edit.move_rule(one, "B", 0)).rules] == ["B", "A"]
    changed = edit.change_rule(one, "A", Wish("A", sets={"review": "never"}, say="Well."))
    assert load_policy(changed).rules[0].say == "Well."
    flat = (
        "{schema: 1, name: F, timezone: UTC, otherwise: {"
        + ", ".join(line.strip() for line in OTHERWISE.splitlines())
        + "}}"
    )
    assert load_policy(edit.add_rule(flat, Wish("A", sets={"review": "never"}))).rules[0].name == "A"
    bonus = edit.change_otherwise("\ufeff" + flat, {**load_policy(flat).otherwise, "credit_bonus": 500})
    assert load_policy(bonus).otherwise["credit_bonus"] == 500


def test_comments_within_a_value_that_is_written_anew_are_kept_above_it() -> None:
    text = TEXT.replace(
        "when: {reason: {in: [faulty, damaged]}} # our fault",
        "when:\n      any: # either\n        - {reason: faulty} # one\n        - {reason: damaged}",
    )
    either = c.Any_((c.Comparison("reason", "is", "other"), c.Comparison("reason", "is", "faulty")))
    changed = edit.change_rule(text, "Faults", wish("Faults", when=either))
    for comment in ("# either", "# one", "# the season"):
        assert comment in changed
    other = edit.change_rule(TEXT, "Faults", sets("Faults", on_inspection={"opened": Grade(9000)}))
    assert "# whatever state" in other


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Wish("Sale", sets={"review": "always"}), "two rules are called `Sale`"),
        (Wish("otherwise", sets={"review": "always"}), "is no name for a rule"),
        (Wish("New"), "`set` is empty"),
        (Wish("x" * 81, sets={"review": "always"}), "a name of 81 characters"),
        (Wish("a\u202eb", sets={"review": "always"}), "hidden character"),
    ],
)
def test_what_the_language_refuses_is_refused_with_its_own_words(bad: Wish, said: str) -> None:
    with pytest.raises(PolicyErrors, match=said):
        edit.add_rule(TEXT, bad)
    with pytest.raises(PolicyErrors, match=said):
        edit.change_rule(TEXT, "Faults", bad)


def test_a_rule_that_is_not_there_is_said_to_be_so() -> None:
    for change in (
        lambda: edit.remove_rule(TEXT, "No"),
        lambda: edit.move_rule(TEXT, "No", 0),
        lambda: edit.change_rule(TEXT, "No", wish("Sale")),
    ):
        with pytest.raises(NoSuchRule):
            change()


# The properties: over the shipped policies, over everything that the language can say.

EXAMPLES = int(os.environ.get("PORTAL_TEST_EXAMPLES", "12"))
"""How many documents are tried; an edit loads its document three times."""

SHIPPED = [
    (POLICIES / f"{name}.yaml").read_text(encoding="utf-8") for name in ("default", "apparel", "electronics", "gifts")
]
words = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=30
).filter(lambda text: text.strip() == text)
tests_ = st.one_of(st.sampled_from(comparisons()), st.builds(lambda text: c.Comparison("item.sku", "is", text), words))
conditions = st.recursive(
    tests_,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: c.All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: c.Any_(tuple(parts))),
        inner.map(c.Not),
    ),
    max_leaves=5,
)
terms_ = st.lists(st.sampled_from(values()), min_size=1, max_size=5).map(dict)
wishes = st.builds(Wish, words.map(lambda text: f"N {text}".strip()), conditions, terms_, st.none() | words)


@settings(max_examples=3 * EXAMPLES)
@given(wishes)
def test_what_is_written_reads_back_to_the_same(found: Wish) -> None:
    text = edit.add_rule(document(), found)
    rule = load_policy(text).rules[0]
    assert (rule.name, rule.say, dict(rule.sets)) == (found.name, found.say, dict(found.sets))
    assert meaning(rule.when) == meaning(found.when)


@pytest.mark.parametrize(("term", "value"), values(), ids=str)
def test_every_value_of_every_term_is_written_as_the_language_reads_it(term: str, value: object) -> None:
    text = document(f"- rule: R\n  set: {{{term}: {flow(term_tree(term, value))}}}")
    assert load_policy(text).rules[0].sets[term] == value


@pytest.mark.parametrize("test", comparisons(), ids=str)
def test_every_test_of_every_fact_is_written_as_the_language_reads_it(test: c.Comparison) -> None:
    text = document(f"- rule: R\n  when: {flow(condition_tree(test))}\n  set: {{review: always}}")
    assert meaning(load_policy(text).rules[0].when) == meaning(test)


@settings(max_examples=3 * EXAMPLES)
@given(words)
def test_any_text_is_written_so_that_it_reads_back(text: str) -> None:
    loaded = load_policy(document(f"- rule: R\n  set: {{message: {scalar(text)}, destination: Depot}}"))
    assert loaded.rules[0].sets["message"] == text


def notes(text: str) -> list[str]:
    return sorted(
        line.partition(" #")[2] if not line.strip().startswith("#") else line.strip()
        for line in text.splitlines()
        if "#" in line
    )


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(SHIPPED), st.data())
def test_an_edit_changes_no_other_rule_and_loses_no_comment(text: str, data: st.DataObject) -> None:
    names = [rule.name for rule in load_policy(text).rules]
    name, found = data.draw(st.sampled_from(names)), data.draw(wishes)
    act = data.draw(st.sampled_from(["change", "add", "move", "otherwise"]))
    if act == "change":
        new = edit.change_rule(text, name, found)
    elif act == "add":
        new = edit.add_rule(text, found, data.draw(st.integers(0, len(names))))
    elif act == "move":
        new = edit.move_rule(text, name, data.draw(st.integers(0, len(names) - 1)))
    else:
        new = edit.change_otherwise(text, {**load_policy(text).otherwise, **found.sets})
    before = {
        rule.name: (rule.when, dict(rule.sets), rule.say) for rule in load_policy(text).rules if rule.name != name
    }
    after = {rule.name: (rule.when, dict(rule.sets), rule.say) for rule in load_policy(new).rules}
    assert {key: after[key] for key in before} == before
    # A comment beside an entry that is taken out goes with it; every other one stays.
    if act != "change":
        assert set(notes(text)) <= set(notes(new))
    # What was not touched is the same to the letter.
    untouched = [
        line
        for block in text.split("  - rule: ")[1:]
        if not block.startswith(name)
        for line in block.split("\notherwise")[0].splitlines()
    ]
    if act != "otherwise":
        assert [line for line in untouched if line.strip()] == [
            line for line in untouched if line.strip() and line in new
        ]


@settings(max_examples=EXAMPLES // 2)
@given(st.sampled_from(SHIPPED), st.data())
def test_moving_there_and_back_gives_the_very_text(text: str, data: st.DataObject) -> None:
    names = [rule.name for rule in load_policy(text).rules]
    place, to = data.draw(st.integers(0, len(names) - 1)), data.draw(st.integers(0, len(names) - 1))
    assert edit.move_rule(edit.move_rule(text, names[place], to), names[place], place) == text
