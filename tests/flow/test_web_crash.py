"""A web process killed at every single boundary of booking and of receiving leaves nothing half-written; the same form again ends
with exactly one return, one receipt and one refund."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.db import Database
from tests.stand_in_fixture import running_stand_in

ROOT = Path(__file__).resolve().parents[2]
ALL = [("database", "receive"), ("pg_database", "book")] if os.environ.get("PROOF_SHOPS") else []
"""`make proof` also kills each on the other database."""


@pytest.mark.parametrize(("name", "scenario"), [("database", "book"), ("pg_database", "receive"), *ALL])
def test_killed_at_every_boundary_nothing_is_half_written_and_nothing_is_there_twice(
    request: pytest.FixtureRequest, name: str, scenario: str, record_property: Callable[[str, object], None]
) -> None:
    database: Database = request.getfixturevalue(name)
    with running_stand_in() as stripe:
        done = subprocess.run(
            [sys.executable, "-m", "tests.flow.web_crash_runner", database.url, stripe.url, stripe.key, scenario],
            cwd=ROOT, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    alive, *deaths, last = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    wanted = alive["alive"]
    assert wanted["returns"] == ["closed"]
    assert (wanted["labels"], wanted["receipts"], wanted["ranges"], wanted["units"]) == (1, 1, 1, 1)
    # 50.00 less the label that a change of mind costs.
    assert (wanted["reserved"], wanted["stripe"], wanted["books"]) == (4650, [[4650, "succeeded"]], [])
    assert max(Counter(wanted["said"]).values()) == 1
    assert [run["death"] for run in deaths] == list(range(1, last["points"] + 1)), "every boundary was died at"
    for run in deaths:
        assert run.pop("signal") == 9
        death = run.pop("death")
        assert run == wanted, f"after death {death} the end is another than without"
    assert last["points"] > 20
    record_property("points", last["points"])
