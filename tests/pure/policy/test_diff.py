"""The differences of two policies: each change is a sentence, and only what decides or is said counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.policy.diff import Difference, diff
from portal.policy.loader import Policy, load_policy
from tests.pure.policy.samples import OTHERWISE, document, policy, shipped

SALE = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {returnable: false}\n  say: It was on sale.\n"
BIG = "- rule: Big\n  when: {return.value: {over: 300 GBP}}\n  set: {review: always}\n"
BASE = policy(SALE + BIG)
REFUSED = "When the item has the tag sale, don’t accept it. Customers read: “It was on sale.”"
ASKED = "When the return is worth more than 300.00 GBP, ask a person to decide."


def rows(new: Policy, old: Policy = BASE) -> list[tuple[str, str | None, str, str]]:
    return [(each.kind, each.rule, each.before, each.after) for each in diff(new, old)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (document(SALE), [("removed_rule", "Big", "ASKED", "")]),
        (document("- rule: Gift\n  set: {review: always}\n" + SALE + BIG),
         [("new_rule", "Gift", "", "Always ask a person to decide. It is read first.")]),
        (document(SALE + BIG + "- rule: Gift\n  set: {review: always}\n"),
         [("new_rule", "Gift", "", "Always ask a person to decide. It is read after “Big”.")]),
        (document(BIG + SALE),
         [("order", None, "Rules were read in this order: Sale, Big.", "Rules are now read in this order: Big, Sale.")]),
        (document(SALE.replace("It was on sale.", "Sold as it was.") + BIG),
         [("changed_rule", "Sale", "REFUSED", REFUSED.replace("It was on sale.", "Sold as it was."))]),
        (document(SALE.replace("  say: It was on sale.\n", "") + BIG),
         [("changed_rule", "Sale", "REFUSED", "When the item has the tag sale, don’t accept it.")]),
        (document(SALE + BIG.replace("300", "500")),
         [("changed_rule", "Big", "ASKED", "When the return is worth more than 500.00 GBP, ask a person to decide.")]),
        (document(SALE + BIG, otherwise=OTHERWISE.replace("restocking_fee: 0%", "restocking_fee: 10%")),
         [("changed_rule", "otherwise", "Otherwise take no restocking fee.", "Otherwise take a restocking fee of 10%.")]),
        (document(SALE + BIG, otherwise=OTHERWISE + "  exchange_for: same_price\n"),
         [("changed_rule", "otherwise", "", "Otherwise exchange for the same product at the same price.")]),
        (document(SALE + BIG, zone="Europe/Paris"), [("timezone", None, "Europe/London", "Europe/Paris")]),
        (document(SALE + BIG, extra="apply_to_open_orders: true\n"),
         [("open_orders", None, "not offered", "offered where it is kinder")]),
        (document(SALE + BIG, extra="laws: [uk-consumer, eu-consumer]\n"),
         [("laws", None, "—", "eu-consumer, uk-consumer")]),
        (document(SALE + BIG).replace("name: Test", "name: Winter"), [("name", None, "Test", "Winter")]),
        (document(SALE + BIG).replace("name: Test", "# a remark\nname: 'Test'"), []),
    ],
)  # fmt: skip
def test_each_change_is_one_sentence_of_before_and_one_of_after(
    text: str, expected: list[tuple[str, str | None, str, str]]
) -> None:
    told = {"ASKED": ASKED, "REFUSED": REFUSED}
    wanted = [(kind, rule, told.get(before, before), after) for kind, rule, before, after in expected]
    assert rows(load_policy(text)) == wanted


def test_a_rule_that_is_written_in_another_way_says_that_it_reads_the_same() -> None:
    (row,) = diff(policy(SALE.replace("{has: sale}", "{has_any: [sale]}") + BIG), BASE)
    assert row.kind == "changed_rule"
    assert row.after == f"{REFUSED} It is written in another way and reads the same."


def test_a_law_with_another_text_is_a_difference_though_its_name_is_the_same() -> None:
    now = policy(SALE, extra="laws: [uk-consumer]\n")
    law = replace(now.floors[0], checked=date(2025, 1, 2), content_hash="0123456789ab")
    (row,) = diff(now, replace(now, floors=(law,)))
    assert (row.kind, row.before) == ("laws", "uk-consumer as checked on 2 January 2025 (01234567)")
    assert row.after.startswith("uk-consumer as checked on ")
    (row,) = diff(now, replace(now, floors=()))
    assert (row.before, row.after) == ("uk-consumer (not applied)", "uk-consumer")


def test_json_has_null_for_what_there_is_not() -> None:
    assert Difference("removed_rule", "Big", (), "Was.", "").to_json() == {
        "kind": "removed_rule", "rule": "Big", "before": "Was.", "after": None,
    }  # fmt: skip


_RULES = (
    SALE,
    SALE.replace("sale}", "outlet}"),
    BIG,
    BIG.replace("review: always", "restocking_fee: 10%"),
    "- rule: Late\n  when: {days_since.delivered: {over: 20}}\n  set: {resolutions: [store_credit]}\n",
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    chosen = draw(st.lists(st.sampled_from(_RULES), unique_by=lambda rule: rule.split("\n")[0], max_size=3))
    bonus, open_orders = draw(st.sampled_from(["0%", "12%"])), draw(st.booleans())
    otherwise = OTHERWISE.replace("credit_bonus: 0%", f"credit_bonus: {bonus}")
    laws = draw(st.sampled_from(["", "laws: [uk-consumer]\n"]))
    extra = ("apply_to_open_orders: true\n" if open_orders else "") + laws
    return policy("".join(chosen), otherwise=otherwise, extra=extra)


@given(policies(), policies())
def test_there_is_no_difference_exactly_if_both_mean_the_same(one: Policy, other: Policy) -> None:
    found = diff(one, other)
    assert (not found) == (one.content_hash == other.content_hash)
    # The other way round it is the same list of rules and settings, before and after exchanged, but for the place of a rule.
    back = diff(other, one)
    assert {(each.kind, each.rule) for each in found if each.kind not in ("new_rule", "removed_rule")} == {
        (each.kind, each.rule) for each in back if each.kind not in ("new_rule", "removed_rule")
    }
    assert all(each.before or each.after for each in found)


def test_the_shipped_policies_differ_in_sentences_without_a_gap() -> None:
    for each in diff(shipped("electronics"), shipped("apparel")):
        assert "  " not in each.before + each.after
        assert "%(" not in each.before + each.after
