"""Jobs: work that leaves the transaction, kept in the shop's own database.

In: `enqueue()` in the caller's own transaction; a rolled back command leaves no job behind. Out: `claim()` for workers.
Invariants: one job per key, for ever; a job of a worker that fell silent is taken over; a job runs at least once, so every
handler is safe to run again. Never: a result that somebody waits for in a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import Index, String, Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import bell, clock
from portal.db import Base, Database, Tx

SILENT_AFTER = timedelta(seconds=10)
MAX_DELAY = timedelta(hours=1)
BESIDE = "/quiet"
"""How the name of the process beside a worker ends."""


class Job(Base):
    """One piece of work. ``state`` is ready, running, done or dead (dead: staff see it, nothing runs it again)."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_due", "state", "run_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    args: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10), default="ready")
    run_at: Mapped[datetime]
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))
    error: Mapped[str | None]


class WorkerBeat(Base):
    """When each worker was last seen alive."""

    __tablename__ = "worker_beat"

    worker: Mapped[str] = mapped_column(String(80), primary_key=True)
    beat_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in the hands of one worker. ``attempt`` counts from 1; ``others`` says that more were due when it was taken."""

    id: int
    key: str
    name: str
    args: dict[str, Any]
    attempt: int
    others: bool = False


class Later(Exception):
    """Raised by a handler that cannot go on now; the job runs again at ``at`` and this does not count as a failure."""

    def __init__(self, at: datetime, why: str = "") -> None:
        super().__init__(why)
        self.at = at
        self.why = why


def enqueue(tx: Tx, name: str, args: dict[str, Any], *, key: str, run_at: datetime | None = None) -> None:
    """Write one job in the caller's transaction; a second job with the same ``key`` is the first one."""
    tx.write_new(
        Job, key=key, name=name, args=args, state="ready", run_at=run_at or tx.at, created_at=tx.at, attempts=0
    )
    if run_at is None or run_at <= tx.at:
        _ring(tx)


def _ring(tx: Tx) -> None:
    connection = tx.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(bell.NOTIFY)
    else:
        tx.after_commit.add(bell.ringer(str(connection.engine.url.database)))


def beat(database: Database, worker: str) -> None:
    """Tell the others that this worker is alive."""
    now = clock.now()
    with database.relaxed_engine.begin() as connection:
        found = connection.execute(update(WorkerBeat).where(WorkerBeat.worker == worker).values(beat_at=now))
        if not found.rowcount:
            connection.execute(insert(WorkerBeat).values(worker=worker, beat_at=now))


def last_beat(session: Session) -> datetime | None:
    """When any worker was last seen alive."""
    return session.scalar(select(WorkerBeat.beat_at).order_by(WorkerBeat.beat_at.desc()).limit(1))


def take_over(database: Database, worker: str) -> int:
    """Give back what ``worker`` held before it was restarted. Returns how many jobs."""
    with database.transaction() as tx:
        return _give_back(tx, Job.worker == worker) + _take_over_silent(tx)


def take_over_silent(database: Database) -> int:
    """Give back what workers hold that have not been seen alive for `SILENT_AFTER`. Returns how many jobs."""
    with database.read() as session:
        if session.scalar(select(Job.id).where(Job.state == "running").limit(1)) is None:
            return 0
    with database.transaction() as tx:
        return _take_over_silent(tx)


def _take_over_silent(tx: Tx) -> int:
    alive = select(WorkerBeat.worker).where(WorkerBeat.beat_at > tx.at - SILENT_AFTER)
    tx.session.execute(delete(WorkerBeat).where(WorkerBeat.beat_at < tx.at - timedelta(days=1)))
    return _give_back(tx, Job.worker.not_in(alive))


def _give_back(tx: Tx, whose: Any) -> int:
    result = tx.session.execute(
        update(Job).where(Job.state == "running", whose).values(state="ready", worker=None, run_at=tx.at)
    )
    return result.rowcount  # type: ignore[attr-defined, no-any-return]


_TABLE = cast(Table, Job.__table__)


@cache
def _claiming(only: frozenset[str], but: frozenset[str]) -> tuple[Any, Any]:
    """The statements that find the two jobs that are due longest, and take the first, of the names in ``only`` (empty: all) and
    not in ``but``."""
    due = select(Job.id).where(Job.state == "ready", Job.run_at <= bindparam("at"))
    if only:
        due = due.where(Job.name.in_(sorted(only)))
    if but:
        due = due.where(Job.name.not_in(sorted(but)))
    due = due.order_by(Job.run_at, Job.id)
    take = (
        update(_TABLE)
        .where(_TABLE.c.id == due.limit(1).with_for_update(skip_locked=True).scalar_subquery())
        .values(state="running", worker=bindparam("by"), attempts=_TABLE.c.attempts + 1)
        .returning(_TABLE.c.id, _TABLE.c.key, _TABLE.c.name, _TABLE.c.args, _TABLE.c.attempts)
    )
    return due.limit(2), take


def claim(
    database: Database,
    worker: str,
    at: datetime | None = None,
    *,
    only: frozenset[str] = frozenset(),
    but: frozenset[str] = frozenset(),
) -> Claimed | None:
    """The job that is due longest, now held by ``worker``; None when nothing is due.

    ``only`` names the jobs that it takes (empty: all), ``but`` those that it leaves to others.
    """
    due, take = _claiming(only, but)
    moment = at or clock.now()
    with database.engine.connect() as connection:
        # A look without the write lock first: an idle worker never stands in a writer's way.
        seen = len(connection.execute(due, {"at": moment}).all())
    if not seen:
        return None
    with database.relaxed_engine.begin() as connection:
        found = connection.execute(take, {"at": moment, "by": worker}).first()
    if found is None:
        return None
    return Claimed(found.id, found.key, found.name, dict(found.args), found.attempts, others=seen > 1)


_FINISH = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("job"), _TABLE.c.state == "running", _TABLE.c.worker == bindparam("by"))
    .values(state="done", error=None, done_at=bindparam("at"))
)


def finish(database: Database, job: Claimed, worker: str) -> None:
    """Mark the job done, unless another worker has taken it over meanwhile."""
    with database.relaxed_engine.begin() as connection:
        connection.execute(_FINISH, {"job": job.id, "by": worker, "at": clock.now()})


def postpone(database: Database, job: Claimed, worker: str, at: datetime, why: str) -> None:
    """Give the job back until ``at``, without counting the attempt."""
    values = {
        "state": "ready",
        "worker": None,
        "run_at": at,
        "error": why or None,
        "attempts": job.attempt - 1,
    }
    _settle(database, job, worker, values)


def fail(database: Database, job: Claimed, worker: str, error: str, *, give_up_after: int) -> bool:
    """Give the job back with a growing pause, or bury it after ``give_up_after`` attempts. True when it is dead."""
    dead = job.attempt >= give_up_after
    pause = min(timedelta(seconds=2 ** min(job.attempt, 12)), MAX_DELAY)
    values: dict[str, Any] = {"state": "dead" if dead else "ready", "worker": None, "error": error[:2000]}
    if not dead:
        values["run_at"] = clock.now() + pause
    _settle(database, job, worker, values, done=dead)
    return dead


def _settle(database: Database, job: Claimed, worker: str, values: dict[str, Any], *, done: bool = False) -> None:
    with database.transaction() as tx:
        if done:
            values = values | {"done_at": tx.at}
        tx.session.execute(
            update(Job).where(Job.id == job.id, Job.state == "running", Job.worker == worker).values(**values)
        )


def hurry(tx: Tx, *names: str) -> int:
    """Let waiting jobs of these names run now. Returns how many."""
    found = tx.session.execute(
        update(Job).where(Job.name.in_(names), Job.state == "ready", Job.run_at > tx.at).values(run_at=tx.at)
    )
    _ring(tx)
    return found.rowcount  # type: ignore[attr-defined, no-any-return]


def alive(session: Session, at: datetime) -> int:
    """How many workers were seen alive at the moment ``at``; the process beside a worker is not one more."""
    query = select(WorkerBeat.worker).where(
        WorkerBeat.beat_at > at - SILENT_AFTER, WorkerBeat.worker.not_like(f"%{BESIDE}")
    )
    return len(session.scalars(query).all())


def next_due(session: Session) -> datetime | None:
    """When the next job wants to run, past or future."""
    return session.scalar(select(Job.run_at).where(Job.state == "ready").order_by(Job.run_at).limit(1))


def unfinished(session: Session) -> int:
    """How many jobs are ready or running."""
    return len(session.scalars(select(Job.id).where(Job.state.in_(("ready", "running")))).all())


def forget(database: Database, *, keep: timedelta = timedelta(days=90)) -> None:
    """Delete jobs that were done long ago. Their keys go with them, so ``keep`` is longer than any event is repeated."""
    with database.transaction() as tx:
        tx.session.execute(delete(Job).where(Job.state == "done", Job.done_at < tx.at - keep))
