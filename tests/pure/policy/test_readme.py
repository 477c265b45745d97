"""The language's README is true: every example in it runs, and nothing of the language is missing from it."""

from __future__ import annotations

import re

import pytest

from portal.policy import conditions as c
from portal.policy.cases import load_cases, read_facts, run_case
from portal.policy.conditions import compile_condition
from portal.policy.document import Findings, parse
from portal.policy.facts import Facts
from portal.policy.loader import load_policy
from portal.policy.read_conditions import read_condition
from portal.policy.read_terms import read_terms
from portal.policy.reasons import REASONS
from portal.policy.terms import TERMS, value_from_json, value_to_json
from tests.pure.policy.samples import LONDON, POLICIES

TEXT = (POLICIES / "README.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


CONDITIONS = table("Conditions")
TERM_ROWS = table("Terms")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)


def read(text: str, reader):
    findings = Findings("README.md")
    root = parse(text, findings)
    assert root is not None, findings.found
    got = reader(root, findings)
    assert findings.found == []
    return got


def inside(cell: str) -> str:
    found = re.findall(r"`([^`]+)`", cell)
    assert len(found) == 1, cell
    return found[0]


@pytest.mark.parametrize("row", CONDITIONS, ids=lambda row: row[0])
def test_every_condition_holds_for_what_the_readme_says_and_for_nothing_else(row):
    _, _, example, holds_for, not_for = row
    condition = read(inside(example), read_condition)
    holds = compile_condition(condition, LONDON)

    def facts(cell: str) -> Facts:
        return read(inside(cell), lambda node, findings: read_facts(node, Facts(), LONDON, findings))

    assert holds(facts(holds_for)) is True
    assert holds(facts(not_for)) is False


@pytest.mark.parametrize("row", CONDITIONS, ids=lambda row: row[0])
def test_every_condition_is_unknown_where_nothing_is_known(row):
    condition = read(inside(row[2]), read_condition)
    facts = Facts(evidence=None)
    assert isinstance(compile_condition(condition, LONDON)(facts), c.Unknown)


@pytest.mark.parametrize("row", TERM_ROWS, ids=lambda row: row[-1])
def test_every_term_example_reads_and_survives_json(row):
    terms = read(inside(row[-1]), read_terms)
    assert list(terms) == [inside(row[0])]
    for name, value in terms.items():
        assert value_from_json(name, value_to_json(name, value)) == value


def test_the_readme_names_every_condition_operator_term_and_reason():
    named = {inside(row[0]) for row in CONDITIONS}
    assert named == {*c.FACTS, "answer.<question>", "all", "any", "not"}
    assert {inside(row[0]) for row in TERM_ROWS} == set(TERMS)
    examples = " ".join(row[2] for row in CONDITIONS)
    written = {op for op in c.ALL_OPERATORS if f"{op}:" in examples}
    assert written == set(c.ALL_OPERATORS)
    for reason in REASONS:
        assert f"`{reason}`" in TEXT


def test_the_examples_of_policy_and_cases_work_together():
    policy = load_policy(BLOCKS[0])
    cases = load_cases(BLOCKS[1], policy)
    assert len(cases) == 2
    assert [run_case(policy, case) for case in cases] == [[], []]
