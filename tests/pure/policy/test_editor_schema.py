"""The schema for editors agrees with the loader: it underlines nothing that loads, and what is refused for its shape."""

from __future__ import annotations

import pytest

from portal.policy import conditions as c
from portal.policy.laws import FOLDER
from portal.policy.written import condition_tree, flow, term_tree
from tests.pure.policy import language
from tests.pure.policy.editor import complaints
from tests.pure.policy.samples import POLICIES
from tests.pure.policy.test_diagnostics import WRONG_CONDITIONS, WRONG_DOCUMENTS, WRONG_TERMS, errors, rule
from tests.pure.policy.test_readme import BLOCKS, CONDITIONS, TERM_ROWS, inside

DOCUMENTS = sorted([*POLICIES.glob("*.yaml"), *FOLDER.glob("*.yaml")])


@pytest.mark.parametrize("path", [each for each in DOCUMENTS if each.name != "shop.yaml"], ids=lambda path: path.name)
def test_every_shipped_policy_its_cases_and_every_law_is_without_complaint(path):
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_every_example_of_the_readme_is_without_complaint():
    for row in CONDITIONS:
        assert complaints(inside(row[2]), "condition") == []
        for facts in row[3:5]:
            assert complaints(inside(facts), "facts") == []
    for row in TERM_ROWS:
        assert complaints(inside(row[-1]), "terms") == []
    assert [complaints(block) for block in BLOCKS] == [[], []]


@pytest.mark.parametrize("test", language.comparisons(), ids=lambda test: f"{test.fact} {test.op}")
def test_every_fact_with_every_operator_is_without_complaint(test):
    spec = c.find_fact(test.fact)
    assert spec is not None
    (written,) = condition_tree(test).values()
    if not isinstance(written, dict):
        assert complaints(flow({test.fact: {test.op: written}}), "condition") == []
    assert complaints(flow({test.fact: written}), "condition") == []


@pytest.mark.parametrize(("term", "value"), language.values(), ids=str)
def test_every_term_with_every_kind_of_value_is_without_complaint(term, value):
    assert complaints(flow({term: term_tree(term, value)}), "terms") == []


# What a schema cannot say: it compares no two values of a document, and knows neither YAML nor regular expressions.
BEYOND = (
    "is no day of the calendar",
    "expected a whole number, not `1e3`",  # a thousand, to an editor
    "is no pattern:",
    "could take very long to match",
    "compares GBP with EUR",
    "the second value is below the first",
    "is given twice",
    "two rules are called",
    "is no timezone",
    "this can’t be read",
    "a second document starts here",
    "a key is a word",
    "anchors are not part",
    "aliases are not part",
    "tags are not part",
    "the document is empty",
)


REFUSED = [
    *((rule(when), message) for when, _column, message, _help in WRONG_CONDITIONS),
    *((rule(sets=sets), message) for sets, _column, message, _help in WRONG_TERMS),
    # A mark written out stops the reading of any text; written as an escape it comes as far as the schema.
    *((text, message) for text, _line, _column, message in WRONG_DOCUMENTS if "\u202e" not in text),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_the_loader_refuses_for_its_shape_is_underlined(text, message):
    assert errors(text)
    if any(words in message for words in BEYOND):
        return
    assert complaints(text)
