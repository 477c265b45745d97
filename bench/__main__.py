"""``python -m bench``: measure everything, print the table. ``--only NAME`` measures one part, ``--quick`` takes small sizes."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import bindparam, func, select, update

from bench import books, load, machine
from portal import clock, jobs
from portal import config as settings
from portal.db import Database
from portal.refunds.models import Refund
from portal.returns.models import Return
from tests.live import BIN, ROOT, LivePortal

Row = tuple[str, str]
WARM = 5
"""The first of these are not counted: they pay for connections and for what is imported on first need."""

# Asked every millisecond beside what is measured, so it is built once.
_ACCEPTED = select(Refund.id).join(Return).where(Return.rma == bindparam("rma"), Refund.stripe_refund_id.is_not(None))


class Bench:
    """One run over one portal; each method measures one part and gives rows of the table."""

    def __init__(self, live: LivePortal, *, quick: bool) -> None:
        self.live = live
        self.quick = quick
        self.seconds = 2.0 if quick else 5.0
        self.token = live.token()
        self.database = Database(live.env["PORTAL_DATABASE_URL"])
        self.next_order = itertools.count(1)
        self.filled = 0

    def grow_to(self, count: int) -> None:
        """Have at least ``count`` orders ``B-…``."""
        if count > self.filled:
            books.fill(self.database, count - self.filled, first=self.filled + 1)
            self.filled = count

    def imports(self) -> Iterator[Row]:
        """The command line's import of a retailer's book."""
        rows = 20_000 if self.quick else 379_900
        path = self.live.folder / "book.csv"
        books.write_retail_csv(path, rows)
        command = [
            str(BIN / "portal"),
            "orders",
            "import",
            str(path),
            "--format",
            "retail-csv",
            "--delivered-after",
            "2d",
        ]
        for label in ("first run", "second run, nothing to change"):
            log = self.live.folder / "import.log"
            started = time.perf_counter()
            with log.open("wb") as out:
                done = subprocess.Popen(command, env=self.live.env, cwd=ROOT, stdout=out, stderr=out)
                _, status, usage = os.wait4(done.pid, 0)
            seconds = time.perf_counter() - started
            if status:
                sys.exit(log.read_text())
            yield (
                f"import, {rows:,} rows, {label}",
                f"{rows / seconds:,.0f} rows/s, {seconds:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB at most",
            )

    def decisions(self) -> Iterator[Row]:
        """The pure engine on one core, with the shipped policy and with 5, 20 and 100 rules."""
        from bench.decide import decisions_per_second, policy_of

        shipped = (settings.ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
        for name, source in (
            ("the shipped policy", shipped),
            *((f"{n} rules", policy_of(n, shipped)) for n in (5, 20, 100)),
        ):
            rate, micro, rules = decisions_per_second(source, seconds=self.seconds / 4)
            yield f"decisions, one core, {name} ({rules})", f"{rate:,.0f}/s ({micro:.1f} µs each)"

    def simulation(self) -> Iterator[Row]:
        """A policy tried on a book of its own, on two processes: more lines, then more rules."""
        from bench.simulate import simulated

        folder = self.live.folder / "simulated"
        folder.mkdir()
        shipped = (settings.ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
        yield from simulated(folder, shipped, quick=self.quick)

    def inside(self) -> Iterator[Row]:
        """Processor time and statements of each kind of call, in one process: what a busy machine blurs least."""
        from bench.inside import Inside, calibration

        folder = self.live.folder / "inside"
        folder.mkdir()
        yield "calibration: a fixed piece of Python", f"{calibration():.1f} ms of processor time"
        for cost in Inside(folder).all(60 if self.quick else 200):
            yield f"processor time: {cost.name}", f"{cost.milliseconds:.1f} ms, {cost.statements} statements"

    def pages(self) -> Iterator[Row]:
        """Reading: look-up and item page as a customer, order and return as a program."""
        self.grow_to(1000)
        started = self._customer()
        for label, cookie, path in (
            ("look-up page", "", "/"),
            ("item page", started, self.item_path),
        ):
            wanted = load.build(self.live.url + path, Cookie=cookie)
            _, words = self._run(itertools.repeat(wanted), concurrency=8, seconds=self.seconds)
            yield f"{label}, 8 at a time", words
        wanted = load.build(f"{self.live.url}/api/v1/orders/B-7", Authorization=f"Bearer {self.token}")
        _, words = self._run(itertools.repeat(wanted), concurrency=8, seconds=self.seconds)
        yield "order by API, 8 at a time", words

    def _customer(self) -> str:
        """Find an order as a customer does; the session's cookie."""
        status, page = load.send(*load.build(self.live.url + "/"))
        cookie = self._cookie(page)
        token = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert status == 200, page[:500]
        assert token, page[:500]
        body = f"csrf_token={token[1].decode()}&order_number=B-5&proof=c5%40example.com".encode()
        status, answer = load.send(
            *load.build(
                self.live.url + "/", "POST", body, Cookie=cookie, Content_Type="application/x-www-form-urlencoded"
            )
        )
        assert status == 303, answer[:500]
        location = re.search(rb"\r\nLocation: ([^\r]+)", answer)
        assert location
        self.item_path = location[1].decode().removeprefix(self.live.url)
        return self._cookie(answer)

    @staticmethod
    def _cookie(answer: bytes) -> str:
        found = re.search(rb"\r\nSet-Cookie: (portal=[^;]+)", answer)
        return found[1].decode() if found else ""

    def _run(
        self, requests: Iterator[tuple[tuple[str, int], bytes]], *, concurrency: int, seconds: float = 0
    ) -> tuple[load.Figures, str]:
        """Send the requests; the figures and their words, the web's processor time for each request among them."""
        web = self.live.processes["web"].pid
        before = machine.processor_seconds(web)
        found = load.run(requests, concurrency=concurrency, seconds=seconds)
        each = (machine.processor_seconds(web) - before) / max(found.count, 1) * 1000
        wrong = f", {found.errors} ERRORS" if found.errors else ""
        return found, (
            f"{found.per_second:,.0f}/s, p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms, "
            f"{each:.1f} ms of processor time{wrong}"
        )

    def _creations(self, count: int) -> Iterator[tuple[tuple[str, int], bytes]]:
        for _ in range(count):
            body = json.dumps(
                {
                    "order": f"B-{next(self.next_order)}",
                    "lines": [{"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"}],
                    "ship_with": "qr",
                }
            ).encode()
            yield load.build(
                f"{self.live.url}/api/v1/returns", "POST", body,
                Authorization=f"Bearer {self.token}", Content_Type="application/json",
            )  # fmt: skip

    def creates(self) -> Iterator[Row]:
        """Creating returns through the API: each for another order, with label, mail and worker running beside it."""
        count = 100 if self.quick else 400
        self.grow_to(4 * count + 1000)
        load.run(self._creations(10), concurrency=1)
        for concurrency in (1, 8):
            _, words = self._run(self._creations(count), concurrency=concurrency)
            yield f"create return, {concurrency} at a time", words
            self._drain()

    def _drain(self) -> None:
        """Wait until the worker has nothing left, so that one part does not burden the next."""
        for _ in range(6000):
            with self.database.read() as session:
                due = jobs.next_due(session)
                busy = jobs.unfinished(session)
            if not busy or (due is not None and (due - clock.now()).total_seconds() > 20):
                return
            time.sleep(0.02)

    def flow(self) -> Iterator[Row]:
        """The whole flow over HTTP: create, receive, accepted by Stripe; and its last part alone."""
        count = WARM + (7 if self.quick else 40)
        self._pay_orders("P", count)
        # Stripe's messages come a second after its answer; the stand-in's would come before it has been read.
        self._stand_in("settings", {"webhook_delivery": "hold"})
        whole: list[float] = []
        last: list[float] = []
        for number in range(1, count + 1):
            started = time.perf_counter()
            rma = self._book_paid(f"P-{number}")
            received = time.perf_counter()
            self._receive(rma)
            # The portal's own row is read, not the API, so that asking does not take the processor from answering.
            while not self._accepted(rma):
                time.sleep(0.001)
            ended = time.perf_counter()
            whole.append(ended - started)
            last.append(ended - received)
            self._drain()
        for label, times in (
            ("whole flow: create, receive, accepted by Stripe", whole[WARM:]),
            ("approval to accepted by Stripe (the call that receives included)", last[WARM:]),
        ):
            found = load.figures(times, sum(times), 0)
            yield f"{label}, one at a time", f"p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms"
        self._stand_in("settings", {"webhook_delivery": "on"})
        self._stand_in("webhooks/release", {})
        self._drain()

    def drain(self) -> Iterator[Row]:
        """Refunds that wait, sent by one and by four workers to a stand-in that takes 200 ms for each answer."""
        delay = {"kind": "delay", "method": "POST", "path": "/v1/refunds", "ms": 200, "times": -1}
        for workers in (1, 4):
            count = (16 if self.quick else 120) * workers
            with (
                tempfile.TemporaryDirectory(prefix="portal-bench-") as name,
                LivePortal(Path(name), workers=0, policy_dir=_unhurried(Path(name))) as live,
            ):
                bench = Bench(live, quick=self.quick)
                bench._pay_orders("D", count)
                for number in range(1, count + 1):
                    bench._receive(bench._book_paid(f"D-{number}"))
                bench._stand_in("faults", delay)
                with bench.database.transaction() as tx:
                    # Labels and mails of these returns are another part's; those of the refunds themselves stay.
                    others = update(jobs.Job).where(jobs.Job.name != "submit_refund")
                    tx.session.execute(others.values(run_at=tx.at + timedelta(hours=1)))
                for number in range(workers):
                    live.start_worker(f"worker-{number + 1}")
                waited = bench._watch_acceptance(count)
                bench.database.dispose()
            # The first ones pay for starting the workers; the rate is that of the middle.
            low, high = count // 10, count - count // 10 - 1
            rate = (high - low) / (waited[high] - waited[low])
            yield f"refunds drained, {workers} worker{'s' * (workers > 1)}, 200 ms a call", f"{rate:,.1f}/s"

    def _stand_in(self, call: str, body: dict[str, object]) -> None:
        address = f"{self.live.stripe_url}/_control/{call}"
        status, answer = load.send(*load.build(address, "POST", json.dumps(body).encode()))
        assert status == 200, answer

    def _watch_acceptance(self, count: int) -> list[float]:
        """When each of ``count`` refunds was accepted, in order, in seconds of a steady clock; looked at every 20 ms."""
        seen: list[float] = []
        end = time.monotonic() + 300
        while len(seen) < count and time.monotonic() < end:
            with self.database.read() as session:
                done = session.scalar(select(func.count()).where(Refund.stripe_refund_id.is_not(None))) or 0
            seen += [time.monotonic()] * (done - len(seen))
            time.sleep(0.02)
        assert len(seen) >= count, f"only {len(seen)} of {count} refunds were accepted"
        return seen

    def _pay_orders(self, prefix: str, count: int) -> None:
        path = self.live.folder / "paid.jsonl"
        books.write_paid_orders(path, count, prefix=prefix)
        self.live.portal("orders", "import", str(path), "--pay-with-stripe")

    def _book_paid(self, number: str) -> str:
        line = {"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"}
        return str(self._api("POST", "/api/v1/returns", {"order": number, "ship_with": "qr", "lines": [line]})["rma"])

    def _receive(self, rma: str) -> None:
        counted = {"line": "1", "quantity": 1, "condition": "as_new"}
        self._api("POST", f"/api/v1/returns/{rma}/receive", {"lines": [counted]})

    def _accepted(self, rma: str) -> bool:
        with self.database.engine.connect() as connection:
            return connection.scalar(_ACCEPTED, {"rma": rma}) is not None

    def _api(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        data = json.dumps(body).encode() if body is not None else b""
        status, answer = load.send(
            *load.build(
                self.live.url + path, method, data,
                Authorization=f"Bearer {self.token}", Content_Type="application/json",
            )
        )  # fmt: skip
        assert status < 300, answer
        found: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return found

    def labels(self) -> Iterator[Row]:
        """One label: in a fresh process, and in a warm one."""
        code = "from bench.label import first_label; first_label()"
        cold = []
        for _ in range(3 if self.quick else 7):
            done = subprocess.run(
                [str(BIN / "python"), "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
            )
            cold.append(float(done.stdout))
        from bench.label import warm_labels

        warm = warm_labels(20 if self.quick else 60)
        yield "label, cold process, imports included", f"p50 {statistics.median(cold):.0f} ms"
        yield "label, warm", f"p50 {statistics.median(warm):.1f} ms, p99 {load.percentile(warm, 0.99):.1f} ms"

    def memory(self) -> Iterator[Row]:
        """Memory of each process after the work above."""
        for name, process in self.live.processes.items():
            yield (
                f"memory, {name}",
                f"{machine.memory_mib(process.pid):.0f} MiB (proportional share, children included)",
            )

    def growth(self) -> Iterator[Row]:
        """Look-up and create at growing numbers of orders; neither should change."""
        for count in (1000, 10_000) if self.quick else (1000, 10_000, 100_000, 1_000_000):
            self.grow_to(count)
            self._drain()
            wanted = load.build(f"{self.live.url}/api/v1/orders/B-{count // 2}", Authorization=f"Bearer {self.token}")
            _, read = self._run(itertools.repeat(wanted), concurrency=1, seconds=self.seconds / 2)
            _, made = self._run(self._creations(50 if self.quick else 100), concurrency=1)
            yield f"at {count:,} orders: order by API, 1 at a time", read
            yield f"at {count:,} orders: create return, 1 at a time", made


def _unhurried(folder: Path) -> Path:
    """The shipped policies and shop, with the most calls a second that Stripe takes instead of the careful default."""
    made = folder / "policies"
    shutil.copytree(settings.ROOT / "policies", made)
    shop = made / "shop.yaml"
    changed, count = re.subn(r"per_second: \d+", "per_second: 100", shop.read_text(encoding="utf-8"))
    assert count == 1, "shop.yaml does not say per_second once"
    shop.write_text(changed, encoding="utf-8")
    return made


PARTS = (
    "imports",
    "decisions",
    "simulation",
    "inside",
    "pages",
    "creates",
    "flow",
    "drain",
    "labels",
    "memory",
    "growth",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a look")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name)
        for label, value in machine.describe(folder):
            print(f"- {label}: {value}", flush=True)
        print("\n| what | measured |\n| --- | --- |", flush=True)
        with LivePortal(folder) as live:
            bench = Bench(live, quick=chosen.quick)
            for part in chosen.only or PARTS:
                measure: Callable[[], Iterator[Row]] = getattr(bench, part)
                for what, value in measure():
                    print(f"| {what} | {value} |", flush=True)


if __name__ == "__main__":
    main()
