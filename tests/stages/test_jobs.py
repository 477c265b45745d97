"""The job engine: in the caller's transaction, once per key, taken over from the dead."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.exc import IntegrityError

from portal import bell, clock, jobs
from portal.bell import Bell
from portal.db import Database


def _enqueue(database: Database, key: str, name: str = "work") -> None:
    with database.transaction() as tx:
        jobs.enqueue(tx, name, {"key": key}, key=key)


def test_a_rolled_back_command_leaves_no_job(any_database: Database) -> None:
    def enqueue_and_break() -> None:
        with any_database.transaction() as tx:
            jobs.enqueue(tx, "work", {}, key="a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        enqueue_and_break()
    assert jobs.claim(any_database, "w1") is None


def test_one_key_is_one_job_for_ever(any_database: Database) -> None:
    _enqueue(any_database, "a")
    _enqueue(any_database, "a")
    first = jobs.claim(any_database, "w1")
    assert first is not None
    assert jobs.claim(any_database, "w1") is None
    jobs.finish(any_database, first, "w1")
    _enqueue(any_database, "a")
    assert jobs.claim(any_database, "w1") is None


def test_a_job_waits_for_its_moment(any_database: Database) -> None:
    with any_database.transaction() as tx:
        jobs.enqueue(tx, "work", {}, key="a", run_at=tx.at + timedelta(hours=1))
    assert jobs.claim(any_database, "w1") is None
    assert jobs.claim(any_database, "w1", at=clock.now() + timedelta(hours=2)) is not None


def test_a_claim_says_whether_there_is_more_to_do(any_database: Database) -> None:
    with any_database.transaction() as tx:
        jobs.enqueue(tx, "work", {}, key="later", run_at=tx.at + timedelta(hours=1))
    for name in ("work", "work", "draw"):
        _enqueue(any_database, f"{name}-{clock.now()}", name)
    work = frozenset({"work"})
    taken = [jobs.claim(any_database, "w1", only=work) for _ in range(3)]
    assert [job and job.others for job in taken] == [True, False, None]


def test_many_workers_claim_each_job_once(any_database: Database) -> None:
    for number in range(30):
        _enqueue(any_database, str(number))
    claimed: list[str] = []

    def work(worker: str) -> None:
        while job := jobs.claim(any_database, worker):
            claimed.append(job.key)
            jobs.finish(any_database, job, worker)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed, key=int) == [str(number) for number in range(30)]


def test_a_failing_job_comes_back_later_and_is_buried_in_the_end(any_database: Database) -> None:
    _enqueue(any_database, "a")
    at = clock.now()
    for attempt in range(1, 4):
        job = jobs.claim(any_database, "w1", at=at)
        assert job is not None
        assert job.attempt == attempt
        assert jobs.fail(any_database, job, "w1", "no answer", give_up_after=3) is (attempt == 3)
        at += timedelta(hours=2)
    assert jobs.claim(any_database, "w1", at=at) is None


def test_postponing_is_no_failed_attempt(any_database: Database) -> None:
    _enqueue(any_database, "a")
    job = jobs.claim(any_database, "w1")
    assert job is not None
    jobs.postpone(any_database, job, "w1", clock.now() + timedelta(minutes=1), "busy")
    assert jobs.claim(any_database, "w1") is None
    again = jobs.claim(any_database, "w1", at=clock.now() + timedelta(minutes=2))
    assert again is not None
    assert again.attempt == 1


def test_a_silent_workers_job_is_taken_over_and_a_live_ones_is_not(any_database: Database) -> None:
    _enqueue(any_database, "a")
    _enqueue(any_database, "b")
    jobs.beat(any_database, "live")
    held = jobs.claim(any_database, "live")
    assert jobs.claim(any_database, "silent") is not None
    assert jobs.take_over(any_database, "other") == 1
    taken = jobs.claim(any_database, "other")
    assert held is not None
    assert taken is not None
    assert {held.key, taken.key} == {"a", "b"}


def test_a_worker_that_lost_its_job_cannot_settle_it(any_database: Database) -> None:
    _enqueue(any_database, "a")
    lost = jobs.claim(any_database, "silent")
    jobs.take_over(any_database, "other")
    taken = jobs.claim(any_database, "other")
    assert lost is not None
    assert taken is not None
    jobs.finish(any_database, lost, "silent")
    with any_database.read() as session:
        assert jobs.unfinished(session) == 1
    jobs.finish(any_database, taken, "other")
    with any_database.read() as session:
        assert jobs.unfinished(session) == 0


def test_the_bell_rings_for_a_commit_and_not_for_silence(any_database: Database) -> None:
    mine = Bell(any_database)
    assert mine.wait(0.02) is False
    _enqueue(any_database, "a")
    assert mine.wait(2) is True
    assert mine.wait(0.02) is False
    mine.close()


def test_every_worker_of_a_file_hears_the_ring_that_no_look_at_the_file_could_have_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "STEP", 60.0)
    both = [Bell(database), Bell(database)]
    assert not any(each.wait(0.01) for each in both)
    bell.ringer(str(database.engine.url.database))()
    assert all(each.wait(30) for each in both)
    for each in both:
        each.close()


def test_one_commit_rings_once_and_only_for_work_that_is_due(database: Database) -> None:
    rung = []
    with database.transaction() as tx:
        jobs.enqueue(tx, "work", {}, key="later", run_at=tx.at + timedelta(seconds=1))
        assert not tx.after_commit
        jobs.enqueue(tx, "work", {}, key="a")
        jobs.enqueue(tx, "work", {}, key="b")
        assert len(tx.after_commit) == 1
        tx.after_commit = {lambda: rung.append("written")}
    assert rung == ["written"]


def test_a_command_that_is_rolled_back_calls_nobody(database: Database) -> None:
    rung = []

    def ring_and_break() -> None:
        with database.transaction() as tx:
            tx.after_commit.add(lambda: rung.append("lost"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        ring_and_break()
    assert rung == []


def test_only_the_keeping_of_jobs_does_not_wait_for_the_disk(database: Database) -> None:
    waits: list[tuple[str, int]] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        driver = connection.connection.driver_connection
        if not statement.startswith("SELECT"):
            waits.append((statement.split()[0], driver.execute("PRAGMA synchronous").fetchone()[0]))

    full, normal = 2, 1
    trusting, database.synchronous = database.synchronous, "FULL"
    event.listen(database.engine, "before_cursor_execute", note)
    try:
        jobs.beat(database, "w1")
        _enqueue(database, "a")
        job = jobs.claim(database, "w1")
        assert job is not None
        jobs.finish(database, job, "w1")
        with pytest.raises(IntegrityError), database.relaxed_engine.begin() as connection:
            connection.execute(insert(jobs.WorkerBeat).values(worker="w1", beat_at=clock.now()))
        _enqueue(database, "b")
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
        database.synchronous = trusting
    assert waits == [
        ("UPDATE", normal), ("INSERT", normal), ("INSERT", full), ("UPDATE", normal), ("UPDATE", normal),
        ("INSERT", normal), ("INSERT", full),
    ]  # fmt: skip
