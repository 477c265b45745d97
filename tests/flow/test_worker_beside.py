"""The worker's second process: it does what is quiet, comes back when it dies, and never outlives the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import jobs
from portal.db import Database
from portal.flow import JOBS, QUIET
from tests.blank import lay_tables

WAIT = 30.0


def wait_for(true: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def beside(worker: int) -> list[int]:
    """The living processes that the worker has started."""
    children = Path(f"/proc/{worker}/task/{worker}/children")
    return [int(each) for each in children.read_text().split()] if children.exists() else []


def alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def own_database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    lay_tables(made)
    yield made
    made.dispose()


@pytest.fixture
def worker(own_database: Database, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "PORTAL_SECRET_KEY": "s" * 40,
        "PORTAL_DATABASE_URL": own_database.url,
        "PORTAL_STRIPE_API_KEY": "sk_test_unused",
        "PORTAL_MAIL_URL": f"file:{tmp_path / 'mail'}",
        "PORTAL_MAIL_FROM": "shop@example.com",
        "PORTAL_STORAGE_URL": f"file:{tmp_path / 'files'}",
        "PORTAL_BASE_URL": "http://127.0.0.1",
    }
    command = [sys.executable, "-c", "from portal.bootstrap import main; main()", "worker", "--name", "one"]
    with subprocess.Popen(command, env={**os.environ, **settings}) as process:
        yield process
        process.kill()


def test_what_is_quiet_calls_no_stripe_and_the_rest_is_never_left_to_it(own_database: Database) -> None:
    assert {"send_notice", "issue_credit_note", "correct_credit_note", "simulate_policy", "forget_photos"} == QUIET
    with own_database.transaction() as tx:
        for name in JOBS:
            jobs.enqueue(tx, name, {}, key=name)
    quiet = {job.name for _ in QUIET if (job := jobs.claim(own_database, "one/quiet", only=QUIET))}
    assert (quiet, jobs.claim(own_database, "one/quiet", only=QUIET)) == (QUIET, None)
    urgent = {job.name for _ in JOBS if (job := jobs.claim(own_database, "one", but=QUIET))}
    assert urgent == set(JOBS) - QUIET


def test_the_second_process_comes_back_works_and_ends_with_the_worker(
    worker: subprocess.Popen[bytes], own_database: Database
) -> None:
    wait_for(lambda: beside(worker.pid))
    (first,) = beside(worker.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: beside(worker.pid) not in ([], [first]))
    with own_database.transaction() as tx:
        jobs.enqueue(tx, "send_notice", {"notice": 4711}, key="gone")

    def tried() -> bool:
        # There is no such notice, so the job fails; what counts is who tried it.
        with own_database.read() as session:
            return bool(session.query(jobs.Job.attempts).filter_by(key="gone").scalar())

    wait_for(tried)
    with own_database.read() as session:
        wait_for(lambda: jobs.last_beat(session) is not None)
        assert jobs.alive(session, jobs.clock.now()) == 1
    (second,) = beside(worker.pid)
    worker.kill()
    wait_for(lambda: not alive(second))


def test_a_worker_that_is_asked_to_end_takes_the_second_process_with_it(worker: subprocess.Popen[bytes]) -> None:
    wait_for(lambda: beside(worker.pid))
    (second,) = beside(worker.pid)
    worker.terminate()
    assert worker.wait(timeout=WAIT) == 0
    assert not alive(second)
