"""Trying mutants: each in a process of its own that imports the module with the mistake and runs the tests that could notice it.

In: modules, their tests, mutants. Out: an `Outcome` for each mutant.
Invariants: a fresh process (a fork of one that has imported the libraries and nothing that is tested) for each mutant; only tests
that run the mutant's lines, the quickest first, until one fails; what runs at import is tried with every test.
Never: a cached result of one test that hides a line from another; an endless mutant (its processor time is limited).
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.abc
import importlib.util
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.mutation.mutants import Mutant, watched

ROOT = Path(__file__).resolve().parents[2]
KILLED, SURVIVED, ENDLESS = "killed", "survived", "endless"
Outcome = str
AT_IMPORT = ""
"""Where a line runs that runs before any test: at the import of the module or of the tests."""
_OWN = ("tests", "tests.mutation", "tests.mutation.mutants", "tests.mutation.trial", "tests.mutation.__main__")
_MEMORY = 4 << 30
_BROKEN = 99


@dataclass(slots=True)
class Seen:
    """What the tests do without a mistake: who runs which line of which module, and how long each test takes."""

    tests: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that could notice a mutant, the quickest first."""
        found = self.tests.get((mutant.module, mutant.statement), set())
        if AT_IMPORT in found:
            found = set(self.seconds)  # a test that only reads a constant runs no line of its module
        return sorted(found - {AT_IMPORT}, key=lambda test: (self.seconds.get(test, 0.0), test))


class _Watch:
    """A plugin that notes which test runs which statement."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._test = AT_IMPORT

    def hits(self, module: str) -> Callable[[int], None]:
        """What is called before each statement of a module."""
        tests = self.seen.tests

        def hit(line: int) -> None:
            tests[module, line].add(self._test)

        return hit

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        _forget()
        self._test, began = item.nodeid, time.process_time()
        try:
            return (yield)
        finally:
            self.seen.seconds[self._test] = time.process_time() - began
            self._test = AT_IMPORT


class _Chosen:
    """A plugin that runs some tests only, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: at for at, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        _forget()
        return (yield)


def _forget() -> None:
    """Empty every cache of the product, so that each test does its own work."""
    for name, module in list(sys.modules.items()):
        if name.startswith("portal."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from another tree than that of its text, with a few names more in it."""

    def __init__(self, name: str, path: Path, tree: ast.Module, **names: object) -> None:
        self._name, self._path, self._tree, self._names = name, path, tree, names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: Any) -> None:
        vars(module).update(self._names)
        exec(compile(self._tree, str(self._path), "exec"), vars(module))


class Trial:
    """Tries mutants of ``modules`` (short name to dotted name) with the tests in ``tests`` (files or folders)."""

    def __init__(self, modules: dict[str, str], tests: Sequence[str]) -> None:
        self._names = modules
        self._paths = {short: ROOT / f"{name.replace('.', '/')}.py" for short, name in modules.items()}
        self._sources = {short: path.read_text(encoding="utf-8") for short, path in self._paths.items()}
        self._tests = list(tests)
        hypothesis.settings.register_profile(
            "mutation", max_examples=30, derandomize=True, database=None, deadline=None, print_blob=False,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )  # fmt: skip
        hypothesis.settings.load_profile("mutation")
        self._folder = Path(tempfile.mkdtemp(prefix="mutation-"))
        self._forks = 0
        with _silence():
            self._pytest("--collect-only")
        for name in [*sys.modules]:
            if name.partition(".")[0] in ("portal", "tests") and name not in _OWN:
                del sys.modules[name]
        gc.collect()
        gc.freeze()
        self.seen = self._learn()

    def run(self, mutants: Iterable[Mutant], jobs: int) -> Iterator[tuple[Mutant, Outcome]]:
        """Each mutant and what became of it, in the order in which that was known."""
        running: dict[int, tuple[Mutant, float]] = {}
        waiting = iter(mutants)
        try:
            while True:
                while len(running) < jobs and (mutant := next(waiting, None)) is not None:
                    tests = self.seen.of(mutant)
                    if not tests:
                        yield mutant, SURVIVED
                        continue
                    seconds = 10 + 5 * sum(self.seen.seconds[test] for test in tests)
                    pid = self._fork(lambda m=mutant, t=tests, s=seconds: self._try(m, t, s))  # type: ignore[misc]
                    running[pid] = mutant, time.monotonic() + 10 * seconds
                if not running:
                    return
                pid, status = self._wait(running)
                mutant, _ = running.pop(pid)
                yield mutant, _outcome(mutant, status)
        finally:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    @staticmethod
    def _wait(running: dict[int, tuple[Mutant, float]]) -> tuple[int, int]:
        """The next process that ends; one that sleeps for too long is ended."""
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                return pid, status
            for each, (_, end) in running.items():
                if time.monotonic() > end:
                    os.kill(each, signal.SIGKILL)
            time.sleep(0.005)

    def _fork(self, work: Callable[[], int]) -> int:
        self._forks += 1
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code = _BROKEN
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _try(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        self._import_as(mutant.module, mutant.tree(self._sources[mutant.module]))
        with _silence():
            return self._pytest("-x", files={test.partition("::")[0] for test in tests}, plugins=[_Chosen(tests)])

    def _import_as(self, module: str, tree: ast.Module, **names: object) -> None:
        sys.meta_path.insert(0, _Changed(self._names[module], self._paths[module], tree, **names))

    def _learn(self) -> Seen:
        told = self._folder / "seen"

        def watch() -> int:
            plugin = _Watch()
            for module in self._names:
                self._import_as(module, watched(self._sources[module], "__hit__"), __hit__=plugin.hits(module))
            code = self._pytest("-x", plugins=[plugin])
            plugin.seen.tests = dict(plugin.seen.tests)
            told.write_bytes(pickle.dumps(plugin.seen))
            return code

        if os.waitpid(self._fork(watch), 0)[1] != 0:
            raise SystemExit("the tests fail without any mistake, see above")
        found: Seen = pickle.loads(told.read_bytes())
        return found

    def _pytest(self, *options: str, files: Iterable[str] = (), plugins: Sequence[object] = ()) -> int:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        return int(
            pytest.main(
                [
                    "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-o", "filterwarnings=", "--confcutdir",
                    str(ROOT / "tests" / "mutation"), "--basetemp", str(self._folder / str(self._forks)), *options,
                    *(sorted(files) or self._tests),
                ],
                plugins=plugins,
            )
        )  # fmt: skip


def _outcome(mutant: Mutant, status: int) -> Outcome:
    if os.WIFSIGNALED(status):
        return ENDLESS if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else KILLED
    code = os.WEXITSTATUS(status)
    if code == _BROKEN or code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise SystemExit(f"could not try {mutant.name} (exit code {code})")
    return SURVIVED if code == pytest.ExitCode.OK else KILLED


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing that is written meanwhile is shown."""
    kept = [os.dup(1), os.dup(2)]
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for at, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, at)
