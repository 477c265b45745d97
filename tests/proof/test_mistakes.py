"""The list of mistakes fits the code: each has its one place, is still a program, and names tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.proof.mistakes.catalogue import MISTAKES, Mistake
from tests.proof.mistakes.tryout import ROOT, place


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_has_its_place_and_its_tests(mistake: Mistake) -> None:
    compile(place(mistake), mistake.path, "exec")
    assert mistake.tests
    for name in mistake.tests:
        path, *inside = name.split("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        missing = [
            each
            for each in inside
            if not re.search(rf"^\s*(?:def|class) {re.escape(each.split('[')[0])}\b", text, re.M)
        ]
        assert missing == [], f"{path} has no {missing}"


def test_no_mistake_is_listed_twice() -> None:
    names = [mistake.name for mistake in MISTAKES]
    assert len(set(names)) == len(names) >= 20
