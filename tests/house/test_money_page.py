"""docs/money.md tells the truth: each case that it lists has its test, and every even case of money is listed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "money.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| `([^:`]+)::([^`]+)` \|$", re.M)


def test_every_case_of_the_table_has_its_test() -> None:
    missing = [
        f"{case}: {path}::{name}"
        for case, path, name in ROW.findall(PAGE)
        if not re.search(rf"^\s*def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.M)
    ]
    assert missing == []


def test_every_even_case_is_in_the_table() -> None:
    listed = {int(case) for case, _path, _name in ROW.findall(PAGE)}
    assert listed >= set(range(2, 85, 2))


def test_every_file_that_the_argument_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests|docs|portal)/[\w/]+\.(?:py|md))`", PAGE))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
