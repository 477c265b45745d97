"""`make proof`: the big run of the machine, deaths at every boundary, races on PostgreSQL, and mistakes that have to be noticed.

In: ``--seed N`` (the same steps again), ``--shops N`` and ``--steps N`` (how much), ``--shrink`` (look for the shortest way to a
broken rule; minutes), ``--only PART``. Out: what each part did, then one table, and exit code 0 only if no rule was broken and no
mistake went unnoticed.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.proof.mistakes import tryout
from tests.proof.mistakes.catalogue import MISTAKES

ROOT = Path(__file__).resolve().parents[2]
MACHINE = ["tests/proof/test_money_machine.py"]
CRASHES = ["tests/flow", "tests/proof/test_every_boundary.py"]
RACES = ["tests/stages/refunds/test_races.py", "tests/stages/returns/test_races.py"]
OF_INTEREST = ("shops", "steps", "deaths", "faults", "returns", "refunds", "refunds at Stripe", "restored")


@dataclass(frozen=True)
class Part:
    """What one part did, in words, and whether it held."""

    name: str
    done: str
    held: bool


def main() -> int:
    """Run all parts; 0 when all held."""
    parser = argparse.ArgumentParser(
        prog="make proof", description="Prove that money cannot go wrong, and print figures."
    )
    parser.add_argument("--seed", type=int, help="draw the same steps again [default: another one each time]")
    parser.add_argument("--shops", type=int, default=260, help="how many shops the machine opens [default: 260]")
    parser.add_argument("--steps", type=int, default=60, help="how many draws in each [default: 60]")
    parser.add_argument("--shrink", action="store_true", help="look for the shortest way to a broken rule")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    chosen = parser.parse_args()
    chosen.seed = chosen.seed or random.SystemRandom().randrange(1, 2**32)
    print(f"seed {chosen.seed}: `make proof ARGS=--seed={chosen.seed}` draws the same steps again", flush=True)
    rows = []
    for name, run in PARTS.items():
        if chosen.only in (None, name):
            began, burnt = time.monotonic(), _processor()
            part = run(chosen)
            rows.append((part, time.monotonic() - began, _processor() - burnt))
            print(f"{part.name}: {part.done}: {'held' if part.held else 'BROKEN'}", flush=True)
    print(
        f"\nseed {chosen.seed}, {os.cpu_count()} processors\n\n| part | what was done | seconds | of processor | outcome |"
    )
    print("| --- | --- | --- | --- | --- |")
    for part, seconds, burnt in rows:
        print(f"| {part.name} | {part.done} | {seconds:.0f} | {burnt:.0f} | {'held' if part.held else 'BROKEN'} |")
    held = all(part.held for part, *_ in rows)
    print("\nno rule was broken" if held else f"\nBROKEN, see above; seed {chosen.seed}")
    return 0 if held else 1


def _machine(chosen: argparse.Namespace) -> Part:
    """As many machines as there are processors, each with a seed of its own; the first one has the seed that was given."""
    many = os.cpu_count() or 1
    more = {"PROOF_SHOPS": str(max(chosen.shops // many, 1)), "PROOF_STEPS": str(chosen.steps)}
    more["PROOF_SHRINK"] = "1" if chosen.shrink else ""
    found, held = _run([(MACHINE, more | {"PROOF_SEED": str(chosen.seed + number)}) for number in range(many)])
    clicks = {name.removeprefix("deaths in "): count for name, count in found.items() if name.startswith("deaths in ")}
    words = [f"{found[name]:,} {name}" for name in OF_INTEREST]
    return Part("machine", f"{', '.join(words)}; deaths in {len(clicks)} kinds of steps", held)


def _crashes(chosen: argparse.Namespace) -> Part:
    found, held = _run([(CRASHES, {"PROOF_SHOPS": str(chosen.shops)})])
    done = (
        f"SIGKILL at {found['points']} boundaries, a dead process at {found['boundaries']} more, {found['tests']} tests"
    )
    return Part("crashes", done, held)


def _races(_chosen: argparse.Namespace) -> Part:
    found, held = _run([(RACES, {})])
    return Part("races", f"{found['tests']} tests with real threads on PostgreSQL", held)


def _mistakes(chosen: argparse.Namespace) -> Part:
    shops = max(chosen.shops // 20, 1)
    outcome = tryout.report(MISTAKES, seed=chosen.seed, shops=shops, say=lambda line: print(line, flush=True))
    done = (
        f"{len(MISTAKES)} built in, {outcome.by_tests} noticed by the tests that are named for them, "
        f"{outcome.by_machine} by {outcome.shops} shops of the machine"
    )
    return Part("mistakes", done, outcome.unnoticed == 0)


PARTS: dict[str, Callable[[argparse.Namespace], Part]] = {
    "machine": _machine, "crashes": _crashes, "races": _races, "mistakes": _mistakes,
}  # fmt: skip


def _run(runs: list[tuple[list[str], dict[str, str]]]) -> tuple[Counter[str], bool]:
    """Run tests side by side; the sums of the figures that they recorded, how many there were, and whether all passed."""
    found: Counter[str] = Counter()
    held = True
    with TemporaryDirectory() as folder:
        started = []
        for number, (tests, more) in enumerate(runs):
            report = Path(folder) / f"report{number}.xml"
            output = (Path(folder) / f"output{number}.txt").open("w+")
            command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", "-p", "no:cacheprovider", *tests]
            process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | more, stdout=output, stderr=subprocess.STDOUT
            )
            started.append((process, report, output))
        for process, report, output in started:
            if process.wait():
                held = False
                output.seek(0)
                print(output.read()[-20_000:])
            output.close()
            found += _figures(report) if report.exists() else Counter()
    return found, held


def _figures(report: Path) -> Counter[str]:
    """How many tests, and the figures that they recorded."""
    found: Counter[str] = Counter()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        found["tests"] += 1
        for each in case.iter("property"):
            found[str(each.get("name"))] += int(each.get("value", 0))
    return found


def _processor() -> float:
    """Seconds of processor time of everything that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
