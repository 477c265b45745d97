"""The editor's forms: everything that the language can say has a form, and what a form shows reads back to the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.policy import conditions as c
from portal.policy import terms as t
from portal.policy.edit import Wish
from portal.policy.written import meaning
from portal.web.staff.policy import condition_forms
from portal.web.staff.policy.fields import Holder
from portal.web.staff.policy.rule_form import (
    RuleForm,
    form_of,
    form_of_otherwise,
    new_form,
    pressed,
    read_form,
    sent_form,
)
from portal.web.staff.policy.term_forms import FORMS
from tests.pure.policy.language import comparisons, values
from tests.pure.policy.samples import policy

WHEN = c.Comparison("item.tags", "has", "x")


APP = Flask("forms")
Babel(APP)


@pytest.fixture(autouse=True)
def request_of_a_reader() -> Iterator[None]:
    with APP.test_request_context("/staff/policy"):
        yield


def sent(form: RuleForm, **changes: str | list[str]) -> RuleForm:
    """What a browser sends of a form: what its controls hold, and nothing else."""
    names = {field.id for setting in form.settings for field in setting.fields} | {
        "name",
        "say",
        "place",
        "terms",
        "rule",
    }

    def walk(rows: tuple[condition_forms.Shown, ...]) -> None:
        for row in rows:
            names.update(field.id for field in row.fields)
            names.update({f"when-{row.path}-kind", f"when-{row.path}-not"})
            walk(row.rows)

    walk(form.rows)
    data = MultiDict((key, value) for key, held in form.data.items() if key in names for value in held)
    data["rule"] = form.name
    for key, value in changes.items():
        data.setlist(key.replace("__", "-"), value if isinstance(value, list) else [value])
    return sent_form(data, otherwise=form.otherwise)


def again(wish: Wish) -> Wish:
    form = sent(form_of(wish))
    found = read_form(form)
    assert found is not None, form.errors
    return found


def test_every_kind_of_term_has_a_form() -> None:
    assert set(FORMS) == {spec.type.name for spec in t.TERMS.values()}


@pytest.mark.parametrize(("term", "value"), values(), ids=str)
def test_every_value_of_every_term_survives_its_form(term: str, value: object) -> None:
    assert again(Wish("R", WHEN, {term: value})).sets == {term: value}


@pytest.mark.parametrize("test", comparisons(), ids=str)
def test_every_test_of_every_fact_survives_its_form(test: c.Comparison) -> None:
    assert meaning(again(Wish("R", test, {"review": "always"})).when) == meaning(test)
    assert meaning(again(Wish("R", c.Not(test), {"review": "always"})).when) == meaning(c.Not(test))


conditions = st.recursive(
    st.sampled_from(comparisons()),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: c.All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: c.Any_(tuple(parts))),
        inner.map(c.Not),
    ),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions)
def test_every_tree_of_conditions_survives_its_form(when: c.Condition) -> None:
    rows = condition_forms.rows_of(when)
    data = condition_forms.write_rows(rows)
    if max((key.count("-") for key in data), default=0) - 1 > condition_forms.MAX_DEPTH:
        return
    found = again(Wish("R", when, {"review": "always"}))
    assert meaning(found.when) == meaning(when)


def test_the_rules_that_hold_always_and_the_default_survive_their_forms() -> None:
    sets = dict(values())
    assert again(Wish("R", c.ALWAYS, {"review": "never"}, "Why.")) == Wish("R", c.ALWAYS, {"review": "never"}, "Why.")
    found = read_form(sent(form_of_otherwise(sets)))
    assert found is not None
    assert dict(found.sets) == sets


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": " "}, "name", "Give the rule a name"),
        ({"name": "x" * 81}, "name", "at most 80"),
        ({"say": "x" * 501}, "say", "at most 500"),
        ({"terms": []}, "also", "Add at least one setting"),
        ({"set__window__days": "x"}, "set-window-days", "number of days"),
        ({"set__window__days": "40000"}, "set-window-days", "number of days"),
        ({"set__window__from": "moon"}, "set-window-from", "from when the days count"),
        ({"set__window__from": "until"}, "set-window-until", "Enter a date"),
        ({"set__window__else": "placed", "set__window__else-days": ""}, "set-window-else-days", "number of days"),
        ({"set__window__else": "moon"}, "set-window-else", "what holds then"),
        ({"set__credit_bonus__value": "101"}, "set-credit_bonus-value", "percentage from 0 to 100"),
        ({"set__credit_bonus__value": "1.234"}, "set-credit_bonus-value", "percentage from 0 to 100"),
        ({"set__restocking_fee__kind": "amount", "set__restocking_fee__amount": "3.505", "set__restocking_fee__currency": "GBP"},
         "set-restocking_fee-amount", "Enter an amount"),
        ({"set__restocking_fee__kind": "amount", "set__restocking_fee__amount": "3", "set__restocking_fee__currency": "pounds"},
         "set-restocking_fee-currency", "three letters"),
        ({"set__return_shipping__kind": "moon"}, "set-return_shipping-kind", "who pays"),
        ({"set__return_shipping__kind": "share"}, "set-return_shipping-share", "percentage"),
        ({"set__resolutions__value": []}, "set-resolutions-value", "Tick at least one"),
        ({"set__review__value": "maybe"}, "set-review-value", "from the list"),
        ({"set__keep_item__value": ""}, "set-keep_item-value", "one of the two"),
        ({"set__evidence__photos": "11"}, "set-evidence-photos", "0 to 10"),
        ({"set__on_inspection__used": "", "set__on_inspection__used-review": "yes"}, "set-on_inspection-used", "percentage"),
        ({"set__destination__value": " "}, "set-destination-value", "Enter the text"),
        ({"set__destination__value": "a\u202eb"}, "set-destination-value", "Enter the text"),
        ({"when__0__fact": "moon"}, "when-0-fact", "what the rule looks at"),
        ({"when__0__op": "over"}, "when-0-op", "how to compare"),
        ({"when__0__value": ""}, "when-0-value", "Enter a text"),
        ({"when__0__fact": "answer.", "when__0__question": "two words"}, "when-0-question", "one word"),
        ({"when__0__fact": "item.price", "when__0__op": "over", "when__0__value": "75", "when__0__currency": ""},
         "when-0-currency", "three letters"),
        ({"when__0__fact": "today", "when__0__op": "from", "when__0__value": "2026-02-30"}, "when-0-value", "Enter a date"),
        ({"when__0__fact": "line.quantity", "when__0__op": "between", "when__0__value": "3", "when__0__last": "2"},
         "when-0-last", "not below the first"),
        ({"when__0__fact": "order.country", "when__0__op": "is", "when__0__value": "UK"}, "when-0-value", "two letters"),
        ({"when__0__fact": "order.country", "when__0__op": "in", "when__0__value": "GB\nFRA"}, "when-0-value", "two letters"),
        ({"when__0__fact": "order.country", "when__0__op": "is", "when__0__value": "EU"}, "when-0-value", "two letters"),
        ({"when__0__fact": "item.sku", "when__0__op": "matches", "when__0__value": "(a+)+"}, "when-0-value", "simpler pattern"),
        ({"when__0__fact": "reason", "when__0__op": "in", "when__0__value": ["moon"]}, "when-0-value", "Tick at least one"),
        ({"when__0__fact": "item.weight", "when__0__op": "over", "when__0__value": "heavy"}, "when-0-value", "Enter a weight"),
        ({"when__0__fact": "customer.orders", "when__0__op": "over", "when__0__value": "-1"}, "when-0-value", "whole number"),
        ({"when__0__fact": "order.is_gift", "when__0__op": "is", "when__0__value": ""}, "when-0-value", "one of the two"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_at_its_field(changes: dict[str, str | list[str]], field: str, said: str) -> None:
    form = sent(form_of(Wish("R", WHEN, dict(values()))), **changes)
    assert read_form(form) is None
    assert set(form.errors) == {field}
    assert said in form.errors[field]


def test_mistakes_are_listed_in_the_order_of_their_fields() -> None:
    fee = {
        "set__restocking_fee__kind": "amount",
        "set__restocking_fee__amount": "-5",
        "set__restocking_fee__currency": "£",
    }
    form = sent(form_of(Wish("R", WHEN, dict(values()))), **fee)
    read_form(form)
    assert list(form.errors) == ["set-restocking_fee-amount", "set-restocking_fee-currency"]


def test_the_buttons_of_a_form_add_and_take_out_rows_and_settings_and_keep_what_was_typed() -> None:
    form = sent(new_form(), name="Gifts", when__0__fact="item.tags")
    form = pressed(form, "add:", {})
    form = pressed(form, "either:", {})
    assert [row.kind for row in form.rows] == ["test", "test", "any"]
    form = pressed(form, "wrap:2-0", {})
    form = pressed(form, "add:2", {})
    assert [row.kind for row in form.rows[2].rows] == ["all", "test", "test"]
    form = pressed(form, "drop:1", {})
    for path in ("1-2", "1-1", "1-0-1", "1-0-0"):
        form = pressed(form, f"drop:{path}", {})
    assert [(row.path, row.kind) for row in form.rows] == [("0", "test")]
    assert (form.title, form.held.get("when-0-fact")) == ("Gifts", "item.tags")
    form = pressed(sent(form, also="window"), "also", {"window": t.Window(21)})
    assert form.held.get("set-window-days") == "21"
    form = pressed(sent(form, also="review"), "also", {})
    assert form.terms == ["window", "review"]
    form = pressed(form, "unset:window", {})
    assert (form.terms, form.held.get("set-window-days")) == (["review"], "")


@pytest.mark.parametrize(
    "act",
    [
        "",
        "add:9",
        "add:0-0-0",
        "drop:",
        "drop:x",
        "wrap:7",
        "wrap:",
        "also",
        "unset:moon",
        "moon:",
        "drop:0-1-2-3-4-5-6",
    ],
)
def test_a_button_that_no_page_has_changes_nothing(act: str) -> None:
    form = sent(form_of(Wish("R", WHEN, {"review": "always"})))
    found = read_form(pressed(form, act, {}))
    assert found == Wish("R", WHEN, {"review": "always"})


def test_a_form_deeper_or_longer_than_a_rule_is_cut_and_does_not_break() -> None:
    deep = {"-".join(["when", *("0" * depth), "kind"]): "any" for depth in range(1, 40)}
    many = {f"when-{number}-kind": "test" for number in range(500)}
    found = sent_form(MultiDict({**deep, **many, "name": "R", "terms": "review", "set-review-value": "always"}))
    assert read_form(found) is None
    assert len(condition_forms.read_rows(found.data)) <= condition_forms.MAX_ROWS


# What is typed, in which unit, and the grams; None where it can be read in two ways or in none.
TYPED_WEIGHTS = [
    ("500", "g", 500), ("2.5", "kg", 2_500), ("2,5", "kg", 2_500), ("0,250", "kg", 250), ("0.250", "kg", 250),
    ("1,200", "g", 1_200), ("1.200", "g", 1_200), ("1,200", "kg", None), ("1.200", "kg", None), ("1.200,5", "kg", 1_200_500),
    ("1,200.5", "kg", 1_200_500), ("1.200.000", "g", 1_200_000), ("1,2,3", "kg", None), ("2,5", "g", None), ("", "g", None),
    ("heavy", "kg", None), ("1,20,000", "g", None), ("-1", "kg", None),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "unit", "grams"), TYPED_WEIGHTS)
def test_a_weight_is_read_with_point_or_comma_and_never_a_thousandfold(
    typed: str, unit: str, grams: int | None
) -> None:
    held = Holder({"value": [typed], "unit": [unit]})
    assert held.weight("value", "unit") == grams
    assert bool(held.errors) == (grams is None)


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ("{item.weight: {over: 20 kg}}", {"value": "20", "unit": "kg"}),
        ("{item.weight: {over: 2.5 kg}}", {"value": "2.5", "unit": "kg"}),
        ("{item.weight: {over: 1.125 kg}}", {"value": "1125", "unit": "g"}),
        ("{item.weight: {under: 500 g}}", {"value": "500", "unit": "g"}),
        ("{item.weight: {between: [500 g, 2 kg]}}", {"value": "500", "last": "2000", "unit": "g"}),
        ("{item.weight: {between: [1 kg, 2.5 kg]}}", {"value": "1", "last": "2.5", "unit": "kg"}),
    ],
)
def test_a_weight_is_shown_in_the_unit_that_people_say_and_read_back_as_the_same(
    when: str, shown: dict[str, str]
) -> None:
    (rule,) = policy(f"- rule: Heavy\n  when: {when}\n  set: {{review: always}}\n").rules
    (row,) = condition_forms.rows_of(rule.when)
    assert {name: held[0] for name, held in row.data.items() if name in ("value", "last", "unit")} == shown
    assert condition_forms.read_condition([row], Holder(condition_forms.write_rows([row]))) == rule.when


@pytest.mark.parametrize(
    ("typed", "share"),
    [("12.5", 1_250), ("12,5", 1_250), ("12,5 %", 1_250), ("7,25%", 725), ("100", 10_000), ("1,200", None), ("1.200", None),
     ("0,5", 50), ("12,555", None), ("", None), ("x", None), ("101", None)],
)  # fmt: skip
def test_a_share_is_read_with_point_or_comma(typed: str, share: int | None) -> None:
    held = Holder({"value": [typed]})
    assert held.share("value") == share
    assert bool(held.errors) == (share is None)
