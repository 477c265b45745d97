"""Plans and sends refunds in child processes that kill themselves at one boundary after the other. Run by `test_refund_crash`.

A boundary is: before every SQL statement, before and after every commit, before and after every call to Stripe (after a statement
is before the next one or before its commit: nothing outside the process can tell them apart). They are found by instrumentation:
the k-th run dies at the k-th boundary, until a run has fewer than k and comes to its end. After each death a new process
recovers, as a restarted worker. One line of JSON per death, and one at the end.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from portal import jobs, rows
from portal.db import Database
from portal.refunds.gateway import Gateway, PaymentView, RefundRequest, RefundView, Span
from tests.blank import trust_the_machine
from tests.stages.refunds.world import World
from tests.stand_in_fixture import StandInHandle

AMOUNT = 5000
assert rows.metadata.tables, "every table is known before the first child"


class Deadly:
    """Counts boundaries and dies, as by a power cut, at number ``at`` (0: never)."""

    def __init__(self, at: int) -> None:
        self.at, self.count, self.last = at, 0, ""

    def boundary(self, where: str) -> None:
        self.count += 1
        if self.count == self.at:
            os.write(2, f"{self.count} {where}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, database: Database) -> None:
        """Count what this database does."""

        def before(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            self.boundary(f"before {statement[:60]!r}")

        event.listen(database.engine, "before_cursor_execute", before)
        event.listen(database.engine, "commit", lambda _connection: self.boundary("before commit"))
        event.listen(Session, "after_commit", lambda _session: self.boundary("after commit"))


class DeadlyGateway:
    """A gateway with a boundary before and after each call."""

    def __init__(self, real: Gateway, deadly: Deadly) -> None:
        self._real, self._deadly = real, deadly

    def _call(self, name: str, *args: Any) -> Any:
        self._deadly.boundary(f"before {name}")
        answer = getattr(self._real, name)(*args)
        self._deadly.boundary(f"after {name}")
        return answer

    def create_refund(self, request: RefundRequest) -> RefundView:
        """See `Gateway`."""
        return self._call("create_refund", request)  # type: ignore[no-any-return]

    def read_refund(self, refund_id: str) -> RefundView:
        """See `Gateway`."""
        return self._call("read_refund", refund_id)  # type: ignore[no-any-return]

    def list_refunds(self, of: str | Span) -> list[RefundView]:
        """See `Gateway`."""
        return self._call("list_refunds", of)  # type: ignore[no-any-return]

    def read_payment(self, payment_intent: str) -> PaymentView:
        """See `Gateway`."""
        return self._call("read_payment", payment_intent)  # type: ignore[no-any-return]


def in_child(doing: Callable[[Callable[[Any], None]], None]) -> tuple[int, list[Any]]:
    """Run in a process of its own; the signal that ended it (0: none) and everything that it said until then."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(out)
            doing(lambda said: os.write(into, json.dumps(said).encode() + b"\n") and None)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        said = [json.loads(line) for line in pipe]
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), said
    if os.WEXITSTATUS(status):
        raise SystemExit("a child broke, see above")
    return 0, said


class Run:
    """One database, one stand-in, one scenario: ``plain`` plans and sends; in ``lost`` the first answer never comes."""

    def __init__(self, database_url: str, stripe_url: str, key: str, scenario: str) -> None:
        self.scenario = scenario
        self.stripe = StandInHandle(None, stripe_url, key, "whsec_none")  # type: ignore[arg-type]
        self.database = Database(database_url, pool_size=2)
        trust_the_machine(self.database)

    def world(self) -> World:
        return World(self.database, self.stripe)

    def warm_up(self) -> None:
        """One run in this process, so that children inherit compiled statements; no connection is left open for them."""
        return_id, intent = self.prepare()
        self.act(return_id, intent, 0)
        self.recover(return_id, intent)
        self.database.dispose()

    def prepare(self) -> tuple[int, str]:
        world = self.world()
        order_id = world.order(AMOUNT)
        return world.return_(order_id, AMOUNT), world.intent(order_id)

    def act(self, return_id: int, intent: str, at: int) -> int:
        """Plan the payout and send it, as web process and worker do; the number of boundaries when nobody died."""
        world = self.world()
        deadly = Deadly(at)
        if self.scenario == "lost":
            self.stripe.fault("timeout_after", method="POST", path="/v1/refunds", params={"payment_intent": intent})
            world.pay(return_id)
        if at:
            deadly.watch(world.database)
        world.gateway = DeadlyGateway(world.gateway, deadly)  # type: ignore[assignment]
        world.pay(return_id)
        world.work()
        if self.scenario == "lost":
            world.later(return_id, minutes=1)
            world.work()
        return deadly.count

    def recover(self, return_id: int, intent: str) -> dict[str, Any]:
        """What happens after a restart: the click is repeated, the dead worker's jobs are taken over, time passes."""
        self.stripe.control("faults", "DELETE")
        world = self.world()
        world.pay(return_id)
        for _ in range(2):
            jobs.take_over(world.database, "worker")
            world.later(return_id, minutes=1)
            world.work()
        refunds = [world.refund(refund_id) for refund_id in world.refund_ids(return_id)]
        return {
            "rows": [refund.status for refund in refunds],
            "stripe": [(made["amount"], made["status"]) for made in self.stripe.refunds(intent)],
            "return": world.status(return_id),
            "succeeded": world.said("refund.succeeded"),
        }

    def one_life(self, before: list[Any] | None, at: int, say: Callable[[Any], None]) -> None:
        """A process as it lives: it starts after the last one's death, recovers, works on, and dies at boundary ``at``."""
        say(self.recover(*before) if before else None)
        purchase = self.prepare()
        say(purchase)
        say(self.act(*purchase, at))

    def all_points(self) -> None:
        self.warm_up()
        # Children then share the parent's memory instead of copying it at their first garbage collection.
        gc.collect()
        gc.freeze()
        before: list[Any] | None = None
        number, killed = 1, signal.SIGKILL.value
        while True:
            ended, (found, following, *points) = in_child(lambda say: self.one_life(before, number, say))  # noqa: B023
            if found is not None:
                # The warm-up has succeeded once as well.
                found["succeeded"] -= number - 1
                self.report({"death": number - 1, "signal": killed, **found})
            before, killed = following, ended
            if not ended:
                break
            number += 1
        self.report({"points": points[0]})
        in_child(lambda _say: self.world().check_books())

    def report(self, line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    Run(*sys.argv[1:5]).all_points()
