"""A process killed at every single boundary of planning and sending a refund ends, after a restart, with exactly one refund."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.db import Database
from tests.stand_in_fixture import StandInHandle, running_stand_in

ROOT = Path(__file__).resolve().parents[2]
ALL = [("database", "lost"), ("pg_database", "plain")] if os.environ.get("PROOF_SHOPS") else []
"""`make proof` also kills each on the other database."""


@pytest.fixture(scope="module")
def stripe_side() -> Iterator[StandInHandle]:
    with running_stand_in() as handle:
        yield handle


@pytest.mark.parametrize(("name", "scenario"), [("database", "plain"), ("pg_database", "lost"), *ALL])
def test_killed_at_every_boundary_it_pays_once(
    request: pytest.FixtureRequest,
    stripe_side: StandInHandle,
    name: str,
    scenario: str,
    record_property: Callable[[str, object], None],
) -> None:
    database: Database = request.getfixturevalue(name)
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.flow.refund_crash_runner",
            database.url, stripe_side.url, stripe_side.key, scenario,
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    *deaths, last = runs
    assert [run["death"] for run in deaths] == list(range(1, last["points"] + 1)), "every boundary was died at"
    assert {run["signal"] for run in deaths} == {9}
    for run in deaths:
        assert run["rows"] == ["succeeded"], run
        assert run["stripe"] == [[5000, "succeeded"]], run
        assert run["return"] == "closed", run
        assert run["succeeded"] == 1, run
    assert last["points"] > 40
    record_property("points", last["points"])
