"""`make proof`: the big run of the machine, crashes at every boundary, races on PostgreSQL; prints what was done.

In: ``--seed N`` (the same steps again), ``--shops N`` and ``--steps N`` (how much), ``--shrink`` (look for the shortest way to a
broken rule; minutes). Out: the figures of docs/money.md, and exit code 0 only if no rule was broken.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "machine": ["tests/proof/test_money_machine.py"],
    "crashes": ["tests/flow"],
    "races": [
        "tests/stages/refunds/test_races.py", "tests/stages/returns/test_races.py",
    ],
}  # fmt: skip


def main() -> int:
    """Run all parts; their exit codes together."""
    parser = argparse.ArgumentParser(
        prog="make proof", description="Prove that money cannot go wrong, and print figures."
    )
    parser.add_argument("--seed", type=int, help="draw the same steps again [default: another one each time]")
    parser.add_argument("--shops", type=int, default=400, help="how many shops the machine opens [default: 400]")
    parser.add_argument("--steps", type=int, default=60, help="at most how many steps in each [default: 60]")
    parser.add_argument("--shrink", action="store_true", help="look for the shortest way to a broken rule")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    chosen = parser.parse_args()
    seed = chosen.seed or random.SystemRandom().randrange(1, 2**32)
    environment = os.environ | {
        "PROOF_SEED": str(seed), "PROOF_SHOPS": str(chosen.shops), "PROOF_STEPS": str(chosen.steps),
        "PROOF_SHRINK": "1" if chosen.shrink else "",
    }  # fmt: skip
    print(f"seed {seed}: `make proof ARGS=--seed={seed}` draws the same steps again", flush=True)
    worst = 0
    for name, tests in PARTS.items():
        if chosen.only not in (None, name):
            continue
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            began = time.monotonic()
            command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", "-p", "no:cacheprovider", *tests]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            worst = max(worst, done.returncode)
            if done.returncode:
                print(done.stdout[-20_000:], done.stderr[-5_000:])
            print(f"{name}: {_figures(report)} in {time.monotonic() - began:.0f} s", flush=True)
    print("no rule was broken" if not worst else f"BROKEN, see above; seed {seed}")
    return worst


def _figures(report: Path) -> str:
    """How many tests, and the figures that they recorded."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return "no report"
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    said = [f"{suite.get('tests')} tests, {failed} failed"]
    for case in suite.iter("testcase"):
        found = {each.get("name"): each.get("value") for each in case.iter("property")}
        if found:
            name = re.sub(r"^test_", "", case.get("name", ""))
            said.append(f"{name}: " + ", ".join(f"{value} {key}" for key, value in found.items()))
    return "; ".join(said)


if __name__ == "__main__":
    raise SystemExit(main())
