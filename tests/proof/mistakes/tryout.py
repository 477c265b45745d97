"""Builds each mistake into a copy of the portal and looks who notices: the machine, and the tests that are named with it.

In: mistakes, a seed, how many shops. Out: a `Verdict` for each, and what failed without any mistake (which proves nothing then).
Never: a change to this tree.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.proof.mistakes.catalogue import Mistake

ROOT = Path(__file__).resolve().parents[3]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".hypothesis", ".*_cache", "bench", "docs", "design", "*.png")
MACHINE = "tests/proof/test_money_machine.py"
FAILED, PASSED = 1, 0
BEGINNINGS = 30
"""How many short shops begin with the scene of a mistake, at least; most mistakes are seen in the first few."""


@dataclass(frozen=True)
class Verdict:
    """Who noticed a mistake. ``machine`` is the broken rule, empty when the machine saw none; ``tests`` are those that failed."""

    mistake: Mistake
    machine: str
    tests: tuple[str, ...]
    broken: str = ""
    """Why the trial itself proves nothing, for instance because a test cannot be found."""

    @property
    def noticed(self) -> bool:
        """Whether the tests that were named for it did, and the machine too where it has a scene."""
        return bool(self.tests) and not self.broken and (bool(self.machine) or not self.mistake.scene)


def place(mistake: Mistake, root: Path = ROOT) -> str:
    """The text of the file with the mistake in it. Raises LookupError unless there is exactly one place for it."""
    text = (root / mistake.path).read_text(encoding="utf-8")
    if text.count(mistake.old) != 1:
        raise LookupError(f"“{mistake.name}”: {mistake.path} reads {mistake.old!r} {text.count(mistake.old)} times")
    return text.replace(mistake.old, mistake.new)


def try_all(mistakes: Sequence[Mistake], *, seed: int, shops: int, workers: int) -> Iterator[Verdict]:
    """A verdict for each mistake, as they come; the copies are gone afterwards."""
    with TemporaryDirectory(dir=_quick_place()) as folder, ThreadPoolExecutor(workers) as pool:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(workers):
            copy = Path(folder) / f"copy{number}"
            shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
            copies.put(copy)

        def one(mistake: Mistake) -> Verdict:
            copy = copies.get()
            try:
                return _try(copy, mistake, seed, shops)
            finally:
                copies.put(copy)

        for done in as_completed([pool.submit(one, mistake) for mistake in mistakes]):
            yield done.result()


def failing_without(mistakes: Sequence[Mistake]) -> str:
    """What the named tests say while no mistake is built in: empty when all pass."""
    names = sorted({name for mistake in mistakes for name in mistake.tests})
    code, said = _pytest(ROOT, names, {})
    return "" if code == PASSED else said[-3000:]


def _try(copy: Path, mistake: Mistake, seed: int, shops: int) -> Verdict:
    path = copy / mistake.path
    right, wrong = path.read_text(encoding="utf-8"), place(mistake, copy)
    try:
        _write(path, wrong)
        code, said = _pytest(copy, mistake.tests, {})
        if "\nERROR " in said:
            # A PostgreSQL that did not start on a busy machine; a test that cannot begin twice is reported.
            code, said = _pytest(copy, mistake.tests, {})
        failed = tuple(re.findall(r"^FAILED (?:\S*/)?(\S+)", said, re.MULTILINE))
        # A test that cannot even begin has noticed nothing.
        broken = "" if code == PASSED or (code == FAILED and failed) else f" PROVES NOTHING: {said[-600:]}"
        drawn = {"PROOF_SEED": str(seed), "PROOF_SHOPS": str(shops)}
        if mistake.scene:
            drawn |= {"PROOF_SCENE": mistake.scene, "PROOF_STEPS": "6", "PROOF_SHOPS": str(max(shops, BEGINNINGS))}
        code, said = _pytest(copy, [MACHINE], drawn)
        return Verdict(mistake, _rule(said) if code else "", failed, broken)
    finally:
        _write(path, right)


def _write(path: Path, text: str) -> None:
    """Write the file, and forget what was compiled of it: two texts of one second and one length look the same."""
    path.write_text(text, encoding="utf-8")
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _pytest(root: Path, names: Sequence[str], more: dict[str, str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", "-rfE", *names]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PROOF_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(root)} | more
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def _rule(said: str) -> str:
    """The first rule that the machine found broken, or what broke the machine itself."""
    found = re.search(r"AssertionError: (\(.*)", said) or re.search(
        r"^E +(?:\| +)?(\w*(?:Error|Exception)\b.*)", said, re.MULTILINE
    )
    return found.group(1)[:160] if found else "it came to no end"


def _quick_place() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True)
class Outcome:
    """How many mistakes were noticed, and by whom."""

    shops: int
    by_tests: int
    by_machine: int
    unnoticed: int


def report(mistakes: Sequence[Mistake], *, seed: int, shops: int, say: Callable[[str], None]) -> Outcome:
    """Try all, and ``say`` who noticed what."""
    if said := failing_without(mistakes):
        say(f"the tests fail without any mistake, so that nothing can be told\n{said}")
        return Outcome(shops, 0, 0, len(mistakes))
    verdicts = []
    for verdict in try_all(mistakes, seed=seed, shops=shops, workers=min(os.cpu_count() or 1, 4)):
        verdicts.append(verdict)
        who = [f"the machine: {verdict.machine}"] if verdict.machine else []
        say(f"  {verdict.mistake.name}: {'; '.join([*who, *verdict.tests[:1]]) or 'NOBODY'}{verdict.broken}")
    return Outcome(
        shops,
        by_tests=sum(verdict.noticed for verdict in verdicts),
        by_machine=sum(bool(verdict.machine) for verdict in verdicts),
        unnoticed=sum(not verdict.noticed for verdict in verdicts),
    )
