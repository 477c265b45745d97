"""Conditions and where goods go, as a table."""

from __future__ import annotations

from itertools import pairwise

import pytest

from portal.policy.terms import CONDITIONS, Grade
from portal.receiving.disposition import DISPOSITIONS, Verdict, fits, usual, verdict, worst

HALF, ASKED = Grade(5_000), Grade(5_000, review=True)


@pytest.mark.parametrize(
    ("found", "grades", "expected"),
    [
        ({"as_new": 2}, {}, Verdict.AS_AGREED),
        ({}, {}, Verdict.AS_AGREED),
        ({"damaged": 0, "as_new": 1}, {}, Verdict.AS_AGREED),
        ({"damaged": 1}, {}, Verdict.QUESTION),
        ({"as_new": 1, "opened": 0, "damaged": 1}, {}, Verdict.QUESTION),  # what is as agreed excuses nothing else
        ({"missing": 1}, {}, Verdict.QUESTION),
        ({"wrong_item": 1}, {}, Verdict.QUESTION),
        ({"opened": 1}, {}, Verdict.QUESTION),
        ({"used": 1}, {"used": HALF}, Verdict.GRADED),
        ({"used": 1, "as_new": 1}, {"used": HALF}, Verdict.GRADED),
        ({"used": 1}, {"used": ASKED}, Verdict.QUESTION),
        ({"used": 1, "damaged": 1}, {"used": HALF}, Verdict.QUESTION),
        ({"as_new": 1}, {"as_new": ASKED}, Verdict.QUESTION),
    ],
)
def test_what_the_policy_does_not_grade_is_a_persons_question(found: dict, grades: dict, expected: Verdict) -> None:
    assert verdict(found, grades) is expected


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_a_usual_way_that_fits(condition: str) -> None:
    assert usual(condition) in DISPOSITIONS
    assert fits(condition, usual(condition))


def test_goods_go_one_of_these_ways() -> None:
    assert " ".join(DISPOSITIONS) == "restock refurbish return_to_vendor recycle donate dispose missing"


def test_only_goods_as_new_go_back_to_the_shelf_by_themselves() -> None:
    assert [condition for condition in CONDITIONS if usual(condition) == "restock"] == ["as_new"]


def test_missing_goods_go_nowhere_and_only_they_do() -> None:
    for condition in CONDITIONS:
        for where in DISPOSITIONS:
            assert fits(condition, where) == ((condition == "missing") == (where == "missing"))


def test_one_word_for_a_line_is_its_worst() -> None:
    assert worst({"as_new": 3, "used": 1}) == "used"
    assert worst({"as_new": 3, "missing": 0}) == "as_new"
    assert worst({}) is None
    for better, worse in pairwise(["as_new", "opened", "used", "damaged", "wrong_item", "missing"]):
        assert worst({better: 1, worse: 1}) == worst({worse: 1, better: 1}) == worse
