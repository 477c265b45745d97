"""The language's README is true: every example in it runs, and nothing of the language is missing from it."""

from __future__ import annotations

import re

import click
import pytest

from portal.cli.policy import policy as group
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
from tests.pure.policy.samples import LONDON, POLICIES, document, shipped

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


def test_the_readme_says_of_every_fact_where_it_comes_from():
    told = TEXT.split("Where they come from")[1].split("`matches` is")[0]
    origins = [set(re.findall(r"`([a-z0-9_.<>]+)`", part)) for part in told.split("\n- ")[1:]]
    assert set.union(*origins) >= {*c.FACTS, "answer.<question>"}


def test_the_examples_of_policy_and_cases_work_together():
    policy = load_policy(BLOCKS[0])
    cases = load_cases(BLOCKS[1], policy)
    assert len(cases) == 2
    assert [run_case(policy, case) for case in cases] == [[], []]


FENCES = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.S)
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.S)
TABLED = {cell for row in (*CONDITIONS, *TERM_ROWS) for span in row for cell in re.findall(r"`([^`]+)`", span)}
SPANS = [span for span in dict.fromkeys(re.findall(r"`([^`]+)`", PROSE)) if span not in TABLED]
OTHER_DOCUMENTS = ('"yaml.schemas": {"policies/schema.json": "policies/laws/*.yaml"}', "law: eu-consumer")
"""Not of the language of rules: a setting of an editor, and what `policy explain` calls a law."""
REFUSED = "exchange_for: any_product"
FACT = re.compile(r"[a-z_0-9]+\.[a-z_0-9.]+")
PLACES = {"days: …": "days: 30", "until: …": "until: 2027-01-31", "in: […]": "in: [a@example.com]"}


def test_every_block_is_one_that_a_test_runs():
    assert [kind for kind, _ in FENCES] == ["yaml", "yaml", ""]
    assert shipped("default").source.startswith(FENCES[2][1])


@pytest.mark.parametrize("span", [span for span in SPANS if ": " in span and span not in (*OTHER_DOCUMENTS, REFUSED)])
def test_every_setting_in_the_text_reads_as_the_language_does(span):
    text = span
    for gap, value in PLACES.items():
        text = text.replace(gap, value)
    assert "…" not in text
    key = text.lstrip("{").partition(":")[0]
    if key == "laws":
        assert load_policy(document(extra=text + "\n")).floors
    elif key in TERMS:
        assert list(read(text, read_terms)) == [key]
    elif key in ("from", "if_undelivered", "ends_on"):
        assert read(f"window: {{days: 30, {text}}}", read_terms)
    else:
        assert c.find_fact(key) is not None
        read(text, read_condition)


@pytest.mark.parametrize("span", [each for each in SPANS if FACT.fullmatch(each) and "yaml" not in each])
def test_every_fact_in_the_text_is_one(span):
    known = {f"what_if.{key}" for key in ("if", "without", "answer", "requires", "terms", "sentence")}
    assert c.find_fact(span) is not None or span in (*known, "schema.json")


@pytest.mark.parametrize("span", [span for span in SPANS if span.startswith("portal policy ")])
def test_every_command_in_the_text_takes_what_the_text_says(span):
    name = span.split()[2]
    command = group.commands[name]
    options = {option for each in command.params for option in each.opts}
    assert set(re.findall(r"--[a-z-]+", span)) <= options
    arguments = [word for word in re.sub(r"\[.*?\]|--[a-z-]+ \S+", "", span).split()[3:] if word.isupper()]
    assert len(arguments) <= sum(not isinstance(each, click.Option) for each in command.params)
