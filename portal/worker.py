"""The worker: does the jobs that `flow.JOBS` names, and what `flow.SCHEDULE` asks for by the clock.

In: jobs of committed transactions. Out: their effects. Invariants: it may be killed at any moment, a job of a dead worker is
run again, several workers stand side by side; what is quiet (drawing, mailing, simulating) is done in a process beside the
worker, which ends with it. Never: two ways to do a job; `flow` names them all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Literal

import structlog

from portal import clock, jobs, limiter
from portal.bell import Bell
from portal.db import Database
from portal.errors import PortalError, UpstreamError
from portal.flow import JOBS, QUIET, SCHEDULE, Ports

log = structlog.get_logger(__name__)

BEAT_EVERY = 2.0
IDLE_WAIT = 1.0
THREADS = 4
_PR_SET_PDEATHSIG = 1


class Beside:
    """The process beside a worker that does the quiet jobs. It is started again when it ends, and never outlives the worker."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = f"{name}{jobs.BESIDE}"
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start it, if it does not run. The worker's first thread alone calls this: the process ends with who started it."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            log.warning("the process beside the worker ended", code=self._process.returncode)
        command = "from portal.bootstrap import main; main()"
        options = ["--name", self._name, "--threads", str(self._threads), "--beside", str(os.getpid())]
        self._process = subprocess.Popen([sys.executable, "-c", command, "worker", *options])  # noqa: S603 (our own)

    def stop(self) -> None:
        """Ask it to end after the jobs in hand."""
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended, and no longer than a worker waits for itself."""
        if self._process is not None:
            try:
                self._process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                self._process.kill()


def end_with(parent: int) -> None:
    """Let the kernel end this process in the moment in which its parent ends, so that two never hold the same jobs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The worker has ended.")


Lane = Literal["all", "urgent", "quiet"]
_NONE: frozenset[str] = frozenset()
_LANES: dict[Lane, tuple[frozenset[str], frozenset[str]]] = {
    "all": (_NONE, _NONE),
    "urgent": (_NONE, QUIET),
    "quiet": (QUIET, _NONE),
}
"""Which names a lane takes (none: all of them), and which it leaves."""


class Worker:
    """A process that works. ``name`` is stable over restarts, so that a restarted worker takes up at once what it held.

    ``lane`` says which jobs it does; one that is quiet leaves the clock and the bell to the worker that it stands beside.
    """

    def __init__(self, ports: Ports, *, name: str | None = None, threads: int = THREADS, lane: Lane = "all") -> None:
        self.ports = ports
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.threads = threads
        self.lane = lane
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
        only, but = _LANES[self.lane]
        job = jobs.claim(self.database, self.name, only=only, but=but)
        if job is None:
            return False
        if job.others:
            # One ring wakes one thread, which wakes the next only if there is more: the others need not look in vain.
            with self._ring:
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

    def run_forever(self, beside: Beside | None = None) -> None:
        """Work until a signal comes; ``beside`` is kept alive meanwhile."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        jobs.beat(self.database, self.name)
        jobs.take_over(self.database, self.name)
        crew = [threading.Thread(target=self._loop, name=f"job-{n}", daemon=True) for n in range(self.threads)]
        crew.append(threading.Thread(target=self._keep_alive, name="beat", daemon=True))
        if self.lane != "quiet":
            # Quiet jobs start a second later than the rest anyway, so that looking once a second is as good as a bell.
            crew.append(threading.Thread(target=self._listen, name="bell", daemon=True))
        for thread in crew:
            thread.start()
        log.info("worker started", worker=self.name, threads=self.threads)
        while not self._stop.wait(0.5):
            if beside is not None:
                beside.keep()
        if beside is not None:
            beside.stop()
        for thread in crew:
            thread.join(timeout=25)
        if beside is not None:
            beside.wait()
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
        due = dict.fromkeys(SCHEDULE, 0.0) if self.lane != "quiet" else {}
        while not self._stop.is_set():
            try:
                jobs.beat(self.database, self.name)
                jobs.take_over_silent(self.database)
                for name, at in list(due.items()):
                    if at <= time.monotonic():
                        every, run = SCHEDULE[name]
                        due[name] = time.monotonic() + every.total_seconds()
                        run(self.ports)
                limiter.prune(self.database)
            except Exception:
                log.exception("housekeeping failed and will be tried again")
            self._stop.wait(BEAT_EVERY)
