"""What is stored stays readable: the form of every value, condition and decision, to the letter, and the way back.

Decisions are kept for years and the hash of a policy is taken from this form: another spelling is a migration, not a detail.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from portal.money import Money
from portal.policy.conditions import All, Any_, Comparison, Condition, Not, comparisons, condition_json
from portal.policy.decision import (
    ACCEPT,
    OTHERWISE,
    REFUSE,
    REFUSING,
    REQUIRING,
    REVIEW,
    REVIEWING,
    Cause,
    Decision,
    Term,
    stored_value,
)
from portal.policy.engine import decide
from portal.policy.explain import Wording
from portal.policy.terms import (
    Evidence,
    Fee,
    Grade,
    Question,
    Questions,
    ReturnShipping,
    Window,
    basis_points,
    percent,
    value_from_json,
    value_to_json,
)
from tests.pure.policy.samples import JUMPER, policy

POUNDS, STORED_POUNDS = Money(350, "GBP"), {"amount": 350, "currency": "GBP"}
PLACED = Window(8, start="placed", if_undelivered="refuse")
STORED_PLACED = {"days": 8, "from": "placed", "if_undelivered": "refuse"}


@pytest.mark.parametrize(
    ("term", "value", "stored"),
    [
        ("returnable", True, True),
        ("review", "never", "never"),
        ("message", "Hello", "Hello"),
        ("resolutions", ("refund", "exchange"), ["refund", "exchange"]),
        ("ship_by", 14, "14 days"),
        ("credit_bonus", 1250, "12.5%"),
        ("evidence", Evidence(), "none"),
        ("evidence", Evidence(1), "photo"),
        ("evidence", Evidence(2), {"photos": 2}),
        ("evidence", Evidence(1, "the tag"), {"photos": 1, "of": "the tag"}),
        ("restocking_fee", Fee(), "0%"),
        ("restocking_fee", Fee(bp=1500), "15%"),
        ("restocking_fee", Fee(amount=POUNDS), STORED_POUNDS),
        ("window", Window(30), {"days": 30, "from": "delivered", "if_undelivered": "review"}),
        ("window", Window(30, if_undelivered=PLACED), {"days": 30, "from": "delivered", "if_undelivered": STORED_PLACED}),
        ("window", Window(until=date(2027, 1, 31)), {"until": "2027-01-31"}),
        ("window", Window(until=date(2027, 1, 31), grace=1, ends_on="business_day"),
         {"until": "2027-01-31", "grace": 1, "ends_on": "business_day"}),
        ("window", replace(PLACED, grace=3, ends_on="business_day"),
         {**STORED_PLACED, "grace": 3, "ends_on": "business_day"}),
        ("return_shipping", ReturnShipping(), {"paid_by": "merchant"}),
        ("return_shipping", ReturnShipping("customer", POUNDS, free_for=("exchange",), once_per="order"),
         {"paid_by": "customer", "amount": STORED_POUNDS, "free_for": ["exchange"], "once_per": "order"}),
        ("return_shipping", ReturnShipping("customer", bp=500), {"paid_by": "customer", "share": "5%"}),
        ("on_inspection", {"used": Grade(7000), "opened": Grade(), "damaged": Grade(0, review=True)},
         {"used": "70%", "opened": "100%", "damaged": {"refund": "0%", "review": "always"}}),
        ("questions", Questions((Question("worn", "Worn?", ("yes", "no")), Question("why", "Why?"))),
         [{"name": "worn", "ask": "Worn?", "choices": ["yes", "no"]}, {"name": "why", "ask": "Why?"}]),
    ],
)  # fmt: skip
def test_every_kind_of_term_is_stored_in_this_form_and_read_back(term: str, value: object, stored: object) -> None:
    assert value_to_json(term, value) == stored
    assert value_from_json(term, stored) == value


@pytest.mark.parametrize(
    ("text", "bp"),
    [("0%", 0), ("0.05%", 5), ("0.5%", 50), ("7%", 700), ("12.5%", 1250), ("12.34%", 1234), ("99999%", 9_999_900)],
)
def test_a_share_is_written_as_short_as_it_can_be(text: str, bp: int) -> None:
    assert (percent(bp), basis_points(text)) == (text, bp)


@pytest.mark.parametrize("text", ["7.%", "7.0%", "7.00%", " 7 % ", "07%"])
def test_a_share_may_be_written_in_more_ways_than_it_is_told(text: str) -> None:
    assert basis_points(text) == 700


@pytest.mark.parametrize(
    "text", ["", "%", "7", "7%%", "7%5", "%7", ".5%", "-7%", "7,5%", "7.5.5%", "7.-5%", "x%", "7.x%", "٧%", "7.٥%", "7.125%",
             "7.500%", "100000%", "7 .5%", "7%\n8%"],
)  # fmt: skip
def test_what_is_no_share_is_named_with_one_that_is(text: str) -> None:
    with pytest.raises(ValueError, match="is no percentage") as refused:
        basis_points(text)
    assert str(refused.value) == f"`{text}` is no percentage; write it like `12.5%`"


GIFT, DEAR = Comparison("order.is_gift", "is", True), Comparison("line.value", "between", (POUNDS, Money(900, "GBP")))
RECENT = Comparison("order.placed", "from", date(2026, 11, 1))


def test_a_condition_is_stored_in_this_form_and_names_each_of_its_tests() -> None:
    condition: Condition = All((GIFT, Any_((DEAR, Not(RECENT)))))
    assert condition_json(condition) == {
        "all": [
            {"fact": "order.is_gift", "op": "is", "value": True},
            {
                "any": [
                    {"fact": "line.value", "op": "between", "value": [STORED_POUNDS, {"amount": 900, "currency": "GBP"}]},
                    {"not": {"fact": "order.placed", "op": "from", "value": "2026-11-01"}},
                ]
            },
        ]
    }  # fmt: skip
    assert list(comparisons(condition)) == [GIFT, DEAR, RECENT]


PLAIN = decide(policy(), JUMPER)
NOTED = replace(
    PLAIN,
    answer=REVIEW,
    causes=(Cause("review_rule", "Dear", {"say": "We look at it."}),),
    requires=(Cause("photo_required", "Proof", {"photos": 2}),),
    terms={"credit_bonus": Term(500, "Loyal", (("Sale", 0), ("otherwise", 1250)))},
    return_by=datetime(2026, 11, 29, 0, 59, 59, tzinfo=timezone(timedelta(hours=1))),
    return_by_on=date(2026, 11, 29),
    policy_hash="abc",
)
STORED: dict[str, Any] = {
    "answer": "review",
    "causes": [{"code": "review_rule", "rule": "Dear", "message": "We look at it.", "params": {"say": "We look at it."}}],
    "requires": [{"code": "photo_required", "rule": "Proof", "message": "Add 2 photos.", "params": {"photos": 2}}],
    "terms": {
        "credit_bonus": {
            "value": "5%",
            "set_by": "Loyal",
            "instead_of": [{"rule": "Sale", "value": "0%"}, {"rule": "otherwise", "value": "12.5%"}],
        }
    },
    "return_by": "2026-11-28T23:59:59Z",
    "return_by_on": "2026-11-29",
    "policy": {"name": "Test", "hash": "abc"},
}  # fmt: skip


def test_a_decision_is_stored_in_this_form_and_read_back() -> None:
    assert NOTED.to_json() == STORED
    assert Decision.from_json(STORED) == NOTED
    nameless = {**STORED, "return_by": None, "return_by_on": None}
    dayless = replace(NOTED, return_by=None, return_by_on=None)
    assert dayless.to_json() == nameless
    assert Decision.from_json(nameless) == dayless


def test_a_decision_speaks_the_language_of_its_reader_and_stores_english() -> None:
    marked = Wording(ngettext=lambda one, many, count: f"⟦{one if count == 1 else many}⟧")
    assert NOTED.to_json(marked)["requires"][0]["message"].startswith("⟦")
    assert b"Add 2 photos." in NOTED.to_bytes()


@pytest.mark.parametrize("answer", [ACCEPT, REVIEW, REFUSE])
def test_a_decision_says_which_answer_it_is(answer: str) -> None:
    said = replace(PLAIN, answer=answer)
    assert (said.accepted, said.refused) == (answer == ACCEPT, answer == REFUSE)


def test_answers_and_the_codes_of_their_causes_keep_their_words() -> None:
    assert (ACCEPT, REVIEW, REFUSE, OTHERWISE) == ("accept", "review", "refuse", "otherwise")
    assert REFUSING == ("not_returnable", "window_closed", "not_delivered", "resolution_not_offered")
    assert REVIEWING == ("review_rule", "unknown_fact", "other_currency", "no_start_date", "fee_currency")
    assert REQUIRING == ("photo_required", "question_unanswered")


def test_one_term_of_a_stored_decision_is_read_without_the_others() -> None:
    damaged = {"terms": {**STORED["terms"], "window": {"value": "no window"}}}
    assert stored_value(damaged, "credit_bonus") == 500
    assert stored_value(damaged, "message") is None
    assert (NOTED.value("credit_bonus"), NOTED.value("message")) == (500, None)
