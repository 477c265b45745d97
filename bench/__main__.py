"""``python -m bench``: measure everything, print the table. ``--only NAME`` measures one part, ``--quick`` takes small sizes."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import books, load, machine
from portal import config as settings
from portal.db import Database
from tests.live import BIN, ROOT, LivePortal

Row = tuple[str, str]


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
        """The pure engine on one core, with the shipped policy."""
        from bench.decide import decisions_per_second

        rate, micro, rules = decisions_per_second(settings.ROOT / "policies" / "default.yaml")
        yield f"decisions, one core, {rules} rules", f"{rate:,.0f}/s ({micro:.1f} µs each)"

    def pages(self) -> Iterator[Row]:
        """Reading: look-up and item page as a customer, order and return as a program."""
        self.grow_to(1000)
        started = self._customer()
        for label, cookie, path in (
            ("look-up page", "", "/"),
            ("item page", started, self.item_path),
        ):
            wanted = load.build(self.live.url + path, Cookie=cookie)
            found = load.run(itertools.repeat(wanted), concurrency=8, seconds=self.seconds)
            yield f"{label}, 8 at a time", self._words(found)
        wanted = load.build(f"{self.live.url}/api/v1/orders/B-7", Authorization=f"Bearer {self.token}")
        found = load.run(itertools.repeat(wanted), concurrency=8, seconds=self.seconds)
        yield "order by API, 8 at a time", self._words(found)

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

    def _words(self, found: load.Figures) -> str:
        wrong = f", {found.errors} ERRORS" if found.errors else ""
        return f"{found.per_second:,.0f}/s, p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms{wrong}"

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
            found = load.run(self._creations(count), concurrency=concurrency)
            yield f"create return, {concurrency} at a time", self._words(found)
            self._drain()

    def _drain(self) -> None:
        """Wait until the worker has nothing left, so that one part does not burden the next."""
        from portal import jobs

        for _ in range(1200):
            with self.database.read() as session:
                due = jobs.next_due(session)
                busy = jobs.unfinished(session)
            from portal import clock

            if not busy or (due is not None and (due - clock.now()).total_seconds() > 20):
                return
            time.sleep(0.1)

    def flow(self) -> Iterator[Row]:
        """The whole flow over HTTP: create, receive, accepted by Stripe; and its last part alone."""
        count = 10 if self.quick else 30
        path = self.live.folder / "paid.jsonl"
        books.write_paid_orders(path, count)
        self.live.portal("orders", "import", str(path), "--pay-with-stripe")
        whole: list[float] = []
        last: list[float] = []
        for number in range(1, count + 1):
            started = time.perf_counter()
            made = self._api(
                "POST", "/api/v1/returns",
                {"order": f"P-{number}", "ship_with": "qr",
                 "lines": [{"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"}]},
            )  # fmt: skip
            received = time.perf_counter()
            counted = {"lines": [{"line": "1", "quantity": 1, "condition": "as_new"}]}
            self._api("POST", f"/api/v1/returns/{made['rma']}/receive", counted)
            while True:
                refunds = self._api("GET", f"/api/v1/returns/{made['rma']}/refunds")["refunds"]
                if refunds and refunds[0]["stripe_refund_id"]:
                    break
                time.sleep(0.002)
            whole.append(time.perf_counter() - started)
            last.append(time.perf_counter() - received)
            self._drain()
        for label, times in (
            ("whole flow: create, receive, accepted by Stripe", whole),
            ("approval to accepted", last),
        ):
            found = load.figures(times, sum(times), 0)
            yield f"{label}, one at a time", f"p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms"
        self._drain()

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
            read = load.run(itertools.repeat(wanted), concurrency=1, seconds=self.seconds / 2)
            made = load.run(self._creations(50 if self.quick else 100), concurrency=1)
            yield f"at {count:,} orders: look-up, create", f"p50 {read.p50:.1f} ms, p50 {made.p50:.1f} ms"


PARTS = ("imports", "decisions", "pages", "creates", "flow", "labels", "memory", "growth")


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
