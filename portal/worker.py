"""The worker: does the jobs that `flow.JOBS` names, and what `flow.SCHEDULE` asks for by the clock.

In: jobs of committed transactions. Out: their effects. Invariants: it may be killed at any moment, a job of a dead worker is
run again, several workers stand side by side. Never: two ways to do a job; `flow` names them all.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from datetime import timedelta

import structlog

from portal import clock, jobs, limiter
from portal.bell import Bell
from portal.db import Database
from portal.errors import PortalError, UpstreamError
from portal.flow import JOBS, SCHEDULE, Ports

log = structlog.get_logger(__name__)

BEAT_EVERY = 2.0
IDLE_WAIT = 1.0
THREADS = 4


class Worker:
    """A process that works. ``name`` is stable over restarts, so that a restarted worker takes up at once what it held."""

    def __init__(self, ports: Ports, *, name: str | None = None, threads: int = THREADS) -> None:
        self.ports = ports
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.threads = threads
        self._stop = threading.Event()
        self._ring = threading.Condition()
        self._bells = 0

    @property
    def database(self) -> Database:
        """The database that holds the jobs."""
        return self.ports.database

    def stop(self) -> None:
        """Ask the worker to end after the jobs in hand."""
        self._stop.set()
        with self._ring:
            self._ring.notify_all()

    def run_once(self) -> bool:
        """Do one job that is due; False when there was none."""
        job = jobs.claim(self.database, self.name)
        if job is None:
            return False
        with self._ring:
            # One ring wakes one thread, which wakes the next only if it found work: the others need not look in vain.
            self._ring.notify()
        self._do(job)
        return True

    def run_until_idle(self, *, patience: float = 10.0) -> None:
        """Work until no job is due now or within ``patience`` seconds (used by tests, ``worker --until-idle`` and cron)."""
        jobs.beat(self.database, self.name)
        jobs.take_over(self.database, self.name)
        while not self._stop.is_set():
            if self.run_once():
                continue
            with self.database.read() as session:
                due = jobs.next_due(session)
            if due is None or due > clock.now() + timedelta(seconds=patience):
                return
            time.sleep(min(0.05, max(0.0, (due - clock.now()).total_seconds())))

    def run_forever(self) -> None:
        """Work until a signal comes."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        # Drawing a label keeps the interpreter busy for a tenth of a second; a refund beside it must not wait in slices of 5 ms.
        sys.setswitchinterval(0.0005)
        jobs.beat(self.database, self.name)
        jobs.take_over(self.database, self.name)
        crew = [threading.Thread(target=self._loop, name=f"job-{n}", daemon=True) for n in range(self.threads)]
        crew += [
            threading.Thread(target=self._listen, name="bell", daemon=True),
            threading.Thread(target=self._keep_alive, name="beat", daemon=True),
        ]
        for thread in crew:
            thread.start()
        log.info("worker started", worker=self.name, threads=self.threads)
        while not self._stop.wait(0.5):
            pass
        for thread in crew:
            thread.join(timeout=25)
        log.info("worker stopped", worker=self.name)

    def _do(self, job: jobs.Claimed) -> None:
        work = JOBS.get(job.name)
        if work is None:
            # A newer version of the portal may have enqueued it; it is kept for a worker that knows the name.
            jobs.postpone(self.database, job, self.name, clock.now() + timedelta(minutes=5), "unknown job")
            log.error("unknown job", job=job.name, key=job.key)
            return
        try:
            work.run(self.ports, job.args)
        except jobs.Later as later:
            jobs.postpone(self.database, job, self.name, later.at, later.why)
        except UpstreamError as error:
            self._failed(job, f"{error.code}: {error.staff_message}", work.give_up_after if error.retryable else 1)
        except PortalError as error:
            self._failed(job, f"{error.code}: {error.message}", work.give_up_after)
        except BaseException as error:
            # BaseException: WeasyPrint's fetch error is no Exception, and a job must never take its worker down with it.
            self._failed(job, f"{type(error).__name__}: {error}", work.give_up_after)
            log.exception("job broke", job=job.name, key=job.key)
            if not isinstance(error, Exception) and isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            jobs.finish(self.database, job, self.name)

    def _failed(self, job: jobs.Claimed, error: str, give_up_after: int) -> None:
        dead = jobs.fail(self.database, job, self.name, error, give_up_after=give_up_after)
        log.warning("job failed", job=job.name, key=job.key, attempt=job.attempt, dead=dead, error=error)

    def _loop(self) -> None:
        while not self._stop.is_set():
            heard = self._bells
            try:
                worked = self.run_once()
            except Exception:
                # The database may be down for a while; the jobs are in it and wait.
                log.exception("cannot reach the jobs")
                self._stop.wait(1)
                continue
            if not worked:
                with self._ring:
                    if self._bells == heard:
                        self._ring.wait(IDLE_WAIT)

    def _listen(self) -> None:
        bell: Bell | None = None
        while not self._stop.is_set():
            try:
                bell = bell or Bell(self.database)
                rung = bell.wait(IDLE_WAIT)
            except Exception:
                log.exception("the bell is broken, polling goes on")
                bell = None
                self._stop.wait(1)
                continue
            if rung:
                with self._ring:
                    self._bells += 1
                    self._ring.notify()
        if bell is not None:
            bell.close()

    def _keep_alive(self) -> None:
        due = dict.fromkeys(SCHEDULE, 0.0)
        while not self._stop.is_set():
            try:
                jobs.beat(self.database, self.name)
                jobs.take_over_silent(self.database)
                for name, (every, run) in SCHEDULE.items():
                    if due[name] <= time.monotonic():
                        due[name] = time.monotonic() + every.total_seconds()
                        run(self.ports)
                limiter.prune(self.database)
            except Exception:
                log.exception("housekeeping failed and will be tried again")
            self._stop.wait(BEAT_EVERY)
