"""`policy check` and `policy test`: what they print and the exit code that a pipeline looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli.policy import policy as group
from tests.pure.policy.samples import POLICIES, document

CASES = """\
given: {order.delivered: 2026-10-29, at: 2026-11-01, reason: other}
cases:
  - case: in time
    expect: {answer: accept}
  - case: late
    facts: {at: 2026-12-01}
    expect: {answer: %s, causes: window_closed, set_by: {window: otherwise}}
"""


def run(*args: str):
    return CliRunner().invoke(group, args, catch_exceptions=False)


def write(folder: Path, policy: str, cases: str | None = None) -> str:
    path = folder / "shop.yaml"
    path.write_text(policy, encoding="utf-8")
    if cases is not None:
        (folder / "shop.cases.yaml").write_text(cases, encoding="utf-8")
    return str(path)


def test_a_good_policy_is_ok(tmp_path):
    result = run("check", write(tmp_path, document("- rule: A\n  set: {review: always}")))
    assert result.exit_code == 0
    assert "shop.yaml: ok, 1 rule, " in result.output


def test_warnings_are_shown_and_are_no_error(tmp_path):
    result = run("check", write(tmp_path, document("- rule: A\n  set: {returnable: false}")))
    assert result.exit_code == 0
    assert "warning: `A` refuses without a sentence" in result.output
    assert "1 rule, 1 warning" in result.output


def test_a_law_that_nobody_knows_is_named_with_the_nearest_one(tmp_path):
    result = run("check", write(tmp_path, document(extra="laws: [eu-consumers]\n")))
    assert result.exit_code == 1
    assert "`eu-consumers` is no law" in result.output
    assert "did you mean `eu-consumer`?" in result.output


def test_errors_are_all_printed_and_exit_with_1(tmp_path):
    result = run("check", write(tmp_path, document("- rule: A\n  set: {retunable: true, review: maybe}")))
    assert result.exit_code == 1
    assert "unknown term `retunable`" in result.output
    assert "`maybe` is no `review`" in result.output
    assert "shop.yaml: 2 errors" in result.output


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00n", b"name: \xe9"])
def test_a_file_that_is_not_utf8_is_said_to_be_so(tmp_path, raw):
    path = tmp_path / "shop.yaml"
    path.write_bytes(raw)
    result = run("check", str(path))
    assert result.exit_code == 1
    assert "not UTF-8" in result.output


def test_a_huge_file_is_read_no_further_than_a_policy_can_be(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_bytes("é".encode() * 1_000_000)
    result = run("check", str(path))
    assert result.exit_code == 1
    assert "larger than 256 kB" in result.output


def test_cases_that_hold_exit_with_0(tmp_path):
    result = run("test", write(tmp_path, document(), CASES % "refuse"))
    assert result.exit_code == 0
    assert result.output == "ok   in time\nok   late\n2 of 2 cases hold\n"


def test_a_case_that_fails_shows_the_difference_and_exits_with_1(tmp_path):
    result = run("test", write(tmp_path, document(), CASES % "accept"))
    assert result.exit_code == 1
    assert "FAIL late\n" in result.output
    assert "shop.cases.yaml:5: answer: expected `accept`, got `refuse`" in result.output
    assert "1 of 2 cases hold" in result.output


WRONG_EXPECTATIONS = [
    ("{until: 2026-11-27}", "until: expected `2026-11-27`, got `2026-11-28`"),
    ("{causes: []}", "causes: expected [], got [window_closed]"),
    ("{requires: photo_required}", "requires: expected [photo_required], got []"),
    ("{says: never}", "says: expected `never`, got `The 30 days ended on 28 November 2026."),
    ("{terms: {window: {days: 31, if_undelivered: review}}}", "window: expected 31 days, got 30 days"),
    ("{terms: {message: Hello}}", "message: expected a value, but nothing sets it"),
    ("{set_by: {window: Somebody}}", "window: expected to be set by `Somebody`, got `otherwise`"),
]


@pytest.mark.parametrize(("expect", "difference"), WRONG_EXPECTATIONS)
def test_every_kind_of_difference_is_named(tmp_path, expect, difference):
    facts = "{order.delivered: 2026-10-29, at: 2026-12-01, reason: other}"
    cases = f"cases:\n  - case: late\n    facts: {facts}\n    expect: {expect}\n"
    result = run("test", write(tmp_path, document(), cases))
    assert result.exit_code == 1
    assert difference in result.output


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("", "the document is empty"),
        ("cases: []", "no case is given"),
        ("cases: [{case: A}]", "a case needs `case` (its name) and `expect`"),
        ("cases: [{case: A, expect: {anser: accept}}]", "unknown key `anser`"),
        ("cases: [{case: A, expect: {answer: accepted}}]", "`accepted` is no answer"),
        ("cases: [{case: A, facts: {item.tag: x}, expect: {answer: accept}}]", "unknown fact `item.tag`"),
        (
            "cases: [{case: A, facts: {days_since.placed: 3}, expect: {answer: accept}}]",
            "unknown fact `days_since.placed`",
        ),
        ("cases: [{case: A, facts: {at: soon}, expect: {answer: accept}}]", "expected a moment, not `soon`"),
        ("cases: [{case: A, facts: {return.value: 3}, expect: {answer: accept}}]", "`3` has no currency"),
    ],
)
def test_wrong_cases_are_named_like_a_wrong_policy(tmp_path, cases, message):
    result = run("test", write(tmp_path, document(), cases))
    assert result.exit_code == 1
    assert message in result.output


def test_a_policy_without_cases_is_told_where_they_belong(tmp_path):
    result = run("test", write(tmp_path, document()))
    assert result.exit_code == 1
    assert "shop.cases.yaml does not exist" in result.output


def test_a_file_that_is_not_there_is_an_error_of_use():
    assert run("check", "nowhere.yaml").exit_code == 2


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_the_shipped_policies_pass_both_commands(name):
    assert run("check", str(POLICIES / f"{name}.yaml")).exit_code == 0
    assert run("test", str(POLICIES / f"{name}.yaml")).exit_code == 0
