"""`make mutate`: which small mistakes in the pure rules no test would notice.

In: names of modules (``engine``), or lines of one (``engine:120-160``); nothing means all. Out: the survivors, a score for each
module, and exit code 0 only if every survivor is listed in ``equivalent.txt`` and every one listed there survived.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.trial import ENDLESS, KILLED, ROOT, SURVIVED, Trial

POLICY = (
    "engine", "plan", "conditions", "quote", "binding", "terms", "decision", "laws", "explain", "simulate",
    "counterfactual", "counterfactual_words", "other_facts", "facts", "reasons",
)  # fmt: skip
MONEY = {
    "money": "portal.money",
    "allocation": "portal.refunds.allocation",
    "refund_lifecycle": "portal.refunds.lifecycle",
    "return_lifecycle": "portal.returns.lifecycle",
    "disposition": "portal.receiving.disposition",
}
MODULES = {name: f"portal.policy.{name}" for name in POLICY} | MONEY
TESTS = (
    *(
        f"tests/pure/policy/test_{name}.py"
        for name in "meaning conditions vocabulary stored plan facts reasons laws quote binding sentences counterfactual "
        "other_facts trial".split()
    ),
    *(f"tests/pure/test_{name}.py" for name in "money refund_lifecycle return_lifecycle disposition".split()),
)
"""Where the rules are argued for. What only works with decisions (edits, pages, commands) is slow and proves other things."""
EQUAL = "equivalent"
EQUIVALENT = Path(__file__).parent / "equivalent.txt"


def listed(text: str) -> dict[str, str]:
    """The mutants that change nothing, with the reason of each: a line with its name, and indented lines with the reason."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.strip()
            if name in found:
                raise SystemExit(f"listed twice: {name}")
            found[name] = ""
        else:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def chosen(words: list[str], modules: dict[str, str]) -> list[Mutant]:
    """The mutants that the words of the command line name."""
    found: list[Mutant] = []
    for word in words or list(modules):
        module, _, lines = word.partition(":")
        if module not in modules:
            raise SystemExit(f"`{module}` is none of {', '.join(modules)}")
        path = ROOT / f"{modules[module].replace('.', '/')}.py"
        first, _, last = lines.partition("-")
        found += [
            each
            for each in mutants(module, path.read_text(encoding="utf-8"))
            if not lines or int(first) <= each.line <= int(last or first)
        ]
    return found


def judged(mutant: Mutant, outcome: str, reasons: dict[str, str]) -> str:
    """What is wrong with the outcome of a mutant, given those that may survive; nothing if nothing is."""
    if outcome == SURVIVED:
        return "" if mutant.name in reasons else f"SURVIVED line {mutant.line}  {mutant.name}"
    return f"KILLED, but listed as equivalent: {mutant.name}" if mutant.name in reasons else ""


def missing(found: list[Mutant], reasons: dict[str, str]) -> list[str]:
    """The names that are listed and that no mutant has any more."""
    names = {mutant.name for mutant in found}
    return [name for name in reasons if name not in names]


def main() -> int:
    """Try the mutants and tell."""
    parser = argparse.ArgumentParser(prog="make mutate", description="Find mistakes that no test would notice.")
    parser.add_argument("what", nargs="*", help="modules, or lines of one, like engine:120-160 [default: all]")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time [default: 2]")
    parser.add_argument("--names", action="store_true", help="print the names of all mutants and try none")
    parser.add_argument("--module", help="another module than those of the policy, by its dotted name")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files or folders with its tests")
    parser.add_argument("--equivalent", type=Path, default=EQUIVALENT, help="where the mutants that change nothing are")
    options = parser.parse_args()
    modules = {options.module.rpartition(".")[2]: options.module} if options.module else MODULES
    found = chosen(options.what, modules)
    if options.names:
        print(*(mutant.name for mutant in found), sep="\n")
        return 0
    reasons = listed(options.equivalent.read_text(encoding="utf-8"))
    began = time.monotonic()
    counts: dict[str, Counter[str]] = {mutant.module: Counter() for mutant in found}
    faults = 0
    for mutant, outcome in Trial(modules, options.tests).run(found, options.jobs):
        counts[mutant.module][EQUAL if outcome == SURVIVED and mutant.name in reasons else outcome] += 1
        fault = judged(mutant, outcome, reasons)
        if fault:
            faults += 1
            print(fault, flush=True)
    if not options.what:
        gone = [f"LISTED, but there is no such mutant: {name}" for name in missing(found, reasons)]
        faults += len(gone)
        print(*gone, sep="\n")
    print("\n| module | mutants | killed by a test | ended by the clock | change nothing | unexplained |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for module, count in counts.items():
        figures = (sum(count.values()), count[KILLED], count[ENDLESS], count[EQUAL], count[SURVIVED])
        print(f"| `{module}` |", " | ".join(map(str, figures)), "|")
    print(f"\n{len(found)} mutants in {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
