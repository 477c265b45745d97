"""The mutation tests find a gap where there is one, and their list of mutants that change nothing is true to the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import EQUIVALENT, MODULES, POLICY, chosen, judged, listed, missing
from tests.mutation.mutants import mutants, watched
from tests.mutation.trial import ENDLESS, KILLED, ROOT, SURVIVED

GAP = "planted.deposit: price <= 0 -> price < 0"


def test_a_planted_gap_survives_and_nothing_else_does(tmp_path: Path) -> None:
    file = tmp_path / "equivalent.txt"
    file.write_text("", encoding="utf-8")
    words = ["--module", "tests.mutation.planted", "--tests", "tests/mutation/planted_cases.py"]
    found = subprocess.run(
        [sys.executable, "-m", "tests.mutation", *words, "--equivalent", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    survivors = [line.partition("  ")[2] for line in found.stdout.splitlines() if line.startswith("SURVIVED")]
    assert survivors == [GAP], found.stdout + found.stderr
    assert found.returncode == 1


def test_a_survivor_needs_a_reason_and_a_reason_needs_a_survivor() -> None:
    mutant, other = mutants("m", "x = 1\ny = 2\n")
    reasons = {mutant.name: "Nobody reads it."}
    assert judged(mutant, SURVIVED, reasons) == ""
    assert judged(other, SURVIVED, reasons).endswith(other.name)
    assert judged(mutant, KILLED, reasons) == f"KILLED, but listed as equivalent: {mutant.name}"
    assert judged(mutant, ENDLESS, reasons) != ""
    assert judged(other, KILLED, reasons) == ""
    assert missing([other], reasons) == [mutant.name]
    assert missing([other, mutant], reasons) == []


@pytest.mark.parametrize(
    "text", ["m: 1 -> 2\n    Because\n    of this.\n", "# note\n\nm: 1 -> 2\n  Because of this.\n"]
)
def test_a_reason_stands_below_the_name_of_its_mutant(text: str) -> None:
    assert listed(text) == {"m: 1 -> 2": "Because of this."}


def names(source: str) -> list[str]:
    return [mutant.name for mutant in mutants("m", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["m: x = a < b -> x = a <= b", "m: x = a < b -> x = a >= b"]),
        ("x = a and b", ["m: x = a and b -> x = a or b", "m: x = a and b -> x = b", "m: x = a and b -> x = a"]),
        ("x = not a", ["m: x = not a -> x = a"]),
        ("x = 7", ["m: x = 7 -> x = 8"]),
        ("x = 'ab'", ["m: x = 'ab' -> x = 'aXX'"]),
        ("x = min(a)", ["m: x = min(a) -> x = max(a)"]),
        ("x = f(a, b=c)", ["m: x = f(a, b=c) -> x = f(a)"]),
        ("x = a[b:]", ["m: x = a[b:] -> x = a"]),
        ("def f():\n  return a", ["m.f: return a -> return None"]),
        ("f()", ["m: f() -> pass"]),
        ("x = [a for a in b if a]", ["m: x = [a for a in b if a] -> x = [a for a in b]"]),
        ("if a:\n  pass", ["m: a -> True", "m: a -> False"]),
        # What no behaviour hangs on is left alone.
        ("x: int = a", []),
        ("T = TypeVar('T', bound=a)", []),
        ('"""About it."""', []),
        ("@d(slots=True)\nclass C:\n  x: int", []),
        ("x = zip(a, strict=True)", []),
    ],
)
def test_every_kind_of_mistake_is_made(source: str, expected: list[str]) -> None:
    assert names(source) == expected


def test_names_repeat_in_no_module_and_each_mutant_differs_from_the_code() -> None:
    source = "def f(a):\n  if a > 1: return a > 1\n  return [a > 1 for a in a if a > 1]\n"
    found = mutants("m", source)
    assert len({mutant.name for mutant in found}) == len(found) > 10
    assert all(ast.unparse(mutant.tree(source)) != ast.unparse(ast.parse(source)) for mutant in found)


def test_a_watched_module_tells_each_statement_that_runs() -> None:
    source = '"""About it."""\ndef f(a):\n  if a:\n    return 1\n  return 2\nf(0)\n'
    lines: list[int] = []
    exec(compile(watched(source, "hit"), "m", "exec"), {"hit": lines.append})
    assert lines == [2, 6, 3, 5]


def test_every_mutant_that_is_listed_as_changing_nothing_exists_and_has_its_reason() -> None:
    reasons = listed(EQUIVALENT.read_text(encoding="utf-8"))
    assert missing(chosen([], MODULES), reasons) == []
    assert [name for name, reason in reasons.items() if len(reason) < 20] == []


def test_every_module_of_the_rules_is_tried_or_named_as_left_out() -> None:
    left = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8").partition("## What is not in the table")[2]
    named = set(re.findall(r"`(\w+)` \d", left))
    assert named | set(POLICY) == {path.stem for path in (ROOT / "portal/policy").glob("[!_]*.py")}
    assert not named & set(POLICY)
