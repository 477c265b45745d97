"""A whole shop in one process for the machine: the real river, services, worker and adapter, the stand-in without sockets.

In: what somebody does. Out: both sides' rows. Time stands still unless it is moved, for the portal and for Stripe alike. A
process can be killed at any boundary (a statement, a commit, a call): from then on nothing of it reaches the database.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import time_machine
from sqlalchemy import event, text, update

from portal import bootstrap, clock, edge, jobs
from portal.adapters.stripe_gateway import StripeGateway
from portal.config import ROOT, Config
from portal.db import Actor, Database, Tx
from portal.errors import PortalError
from portal.flow import SCHEDULE, make_river
from portal.jobs import Job
from portal.orders.schema import read_order
from portal.orders.service import put_order
from portal.policybook.service import load_book, publish
from portal.refunds import webhooks
from portal.refunds.books import Difference
from portal.refunds.report import compare
from portal.refunds.signatures import sign
from portal.worker import Worker
from tests.blank import lay_tables
from tests.proof.inside import KEY, SECRET, URL, InsideStripe
from tests.proof.invariants import OPEN, Books, broken, read

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CUSTOMER, MAYA, BENCH = Actor("customer", "Priya Nair"), Actor("staff", "Maya Okafor", 1), Actor("staff", "Bench 2", 3)
POLICY = """
schema: 1
name: Proof
timezone: Europe/London
rules:
  - rule: Faulty
    when: {reason: {in: [faulty]}}
    set: {returnable: true, window: {days: 365, from: delivered}, outbound_shipping: always}
  - rule: Keep it
    when: {item.tags: {has: keep}}
    set: {keep_item: true}
  - rule: Paid at once
    when: {item.tags: {has: trusted}}
    set: {refund_when: authorized}
  - rule: Paid on the way
    when: {item.tags: {has: transit}}
    set: {refund_when: in_transit}
  - rule: Looked at first
    when: {item.tags: {has: delicate}}
    set: {refund_when: inspected, on_inspection: {used: 70%, damaged: {refund: 50%, review: always}}}
  - rule: At a price
    when: {item.tags: {has: fee}}
    set: {restocking_fee: 15%, return_shipping: {paid_by: customer, amount: 4.95 GBP}}
  - rule: Big returns
    when: {return.value: {over: 150 GBP}}
    set: {review: always}
otherwise:
  returnable: true
  window: {days: 60, from: delivered, if_undelivered: review}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%
  outbound_shipping: full_return
  credit_bonus: 10%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""
STOCK = 3
Result = TypeVar("Result")


SMALLEST = 200
"""Stripe takes no smaller payment in the currencies of this shop."""


def _parts(total: int, cards: list[tuple[str, int]], step: int) -> list[tuple[str, int]]:
    """What each card pays, by its weight in tenths of the whole; the last one pays the rest."""
    found: list[tuple[str, int]] = []
    left = total
    for card, weight in cards[:-1]:
        part = total * weight // 10 // step * step
        if part >= SMALLEST and left - part >= SMALLEST:
            found.append((card, part))
            left -= part
    return [*found, (cards[-1][0], left)]


class Killed(BaseException):
    """The process is dead."""


class Life:
    """Counts boundaries. At number ``at`` the process dies, and every later boundary finds it dead until it is started again."""

    def __init__(self) -> None:
        self.at, self.count, self.dead, self.deaths = 0, 0, False, 0

    def boundary(self, _where: str) -> None:
        if self.dead:
            raise Killed
        self.count += 1
        if self.count == self.at:
            self.dead = True
            self.deaths += 1
            raise Killed

    def start(self, at: int = 0) -> None:
        self.at, self.count, self.dead = at, 0, False


class Shop:
    """One shop. `open` empties it."""

    def __init__(self) -> None:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(dir=place)
        folder = Path(self._folder.name)
        self.life = Life()
        self.stripe = InsideStripe(self.life.boundary)
        self._path = folder / "shop.sqlite3"
        blank = folder / "blank.sqlite3"
        made = Database(f"sqlite:///{blank}")
        lay_tables(made)
        with made.transaction(at=START - timedelta(days=300)) as tx:
            publish(tx, POLICY, filename="proof.yaml", author="Maya Okafor")
        made.dispose()
        self._blank = blank.read_bytes()
        config = Config(
            secret_key="s" * 40, database_url=f"sqlite:///{self._path}", stripe_api_key=KEY,
            mail_url=f"file:{folder / 'mail'}", storage_url=f"file:{folder / 'files'}", policy_dir=ROOT / "policies",
        )  # fmt: skip
        ports = bootstrap.make_ports(config)
        self.shop = ports.shop
        self.ports = replace(ports, gateway=StripeGateway(KEY, URL, session=self.stripe.session))
        self.database = self.ports.database
        self.database.river = make_river(self.shop)
        event.listen(self.database.engine, "before_cursor_execute", lambda *_: self.life.boundary("statement"))
        event.listen(self.database.engine, "commit", lambda _: self.life.boundary("commit"))
        self._numbers = itertools.count(1)
        self._travel: time_machine.travel | None = None
        self.time: Any = None

    def open(self) -> None:
        """An empty shop, at the same hour every time."""
        self.database.dispose()
        for path in (self._path, *self._path.parent.glob(self._path.name + "-*")):
            path.unlink(missing_ok=True)
        self._path.write_bytes(self._blank)
        self.life.start()
        self.stripe.reset()
        self._numbers = itertools.count(1)
        self._travel = time_machine.travel(START, tick=False)
        self.time = self._travel.start()
        with self.database.read() as session:
            self.book = load_book(session)
        self.ledger: list[dict[str, Any]] = []
        self.first_stock: dict[str, int] = {}
        self.worker_name = "w1"

    def close(self) -> None:
        """Time goes on as it does elsewhere."""
        if self._travel is not None:
            self._travel.stop()
            self._travel = None

    # -- doing ---------------------------------------------------------------------------------------------------

    def do(self, actor: Actor, command: Callable[[Tx], Result]) -> Result | None:
        """One command as a page or the API carries it out; None when it was refused."""
        try:
            with edge.command(self.database, actor) as tx:
                return command(tx)
        except PortalError:
            return None

    def killed_at(self, at: int, doing: Callable[[], object]) -> bool:
        """Do it in a process that dies at boundary ``at`` (0: never); True when it died. A new process stands ready."""
        self.life.start(at)
        with contextlib.suppress(Killed):
            doing()
        died = self.life.dead
        self.life.start()
        return died

    def order(self, lines: list[dict[str, Any]], shipping: int, currency: str, cards: list[tuple[str, int]]) -> str:
        """An order paid by these cards (token and weight; ``gift_card`` is none of Stripe's) and brought in; its number."""
        number = f"P-{next(self._numbers)}"
        step = {"KWD": 10}.get(currency, 1)
        for place, line in enumerate(lines, start=1):
            line |= {
                "id": str(place), "sku": f"{number}-{place}", "name": f"Article {place}", "product": f"{number}-{place}",
                "tax_included": True, "tax": 0, "delivered_at": (clock.now() - timedelta(days=2)).isoformat(),
            }  # fmt: skip
        total = sum(line["unit_price"] * line["quantity"] - line["discount"] for line in lines) + shipping
        payments = []
        for card, part in _parts(total, cards, step):
            if card == "gift_card":
                payments.append({"provider": "gift_card", "captured": part, "method": "Gift card"})
            else:
                intent = self.stripe.pay(part * {"ISK": 100}.get(currency, 1), currency, card)
                payments.append({"provider": "stripe", "payment_intent": intent, "captured": part, "method": card})
        made = {
            "number": number, "placed_at": (clock.now() - timedelta(days=5)).isoformat(), "email": "priya@example.com",
            "currency": currency, "customer": {"name": "Priya Nair"}, "lines": lines, "discount": 0,
            "ship_to": {"name": "Priya Nair", "country": "GB", "postcode": "LS1 1AA"},
            "shipping": {"amount": shipping, "tax": shipping // 6}, "payments": payments,
        }  # fmt: skip
        incoming = read_order(made)
        with self.database.transaction() as tx:
            put_order(tx, incoming)
            for line in lines:
                tx.session.execute(
                    text(
                        "INSERT INTO variant (sku, product, name, label, options, price_minor, currency, stock, reserved, "
                        "updated_at) VALUES (:sku, :sku, 'Article', 'Blue', '{}', :price, :currency, :stock, 0, :at)"
                    ),
                    {
                        "sku": line["sku"], "price": line["unit_price"], "currency": currency, "stock": STOCK,
                        "at": START.isoformat(),
                    },
                )  # fmt: skip
                self.first_stock[line["sku"]] = STOCK
        return number

    def work(self, most: int = 200) -> int:
        """Let a worker do what is due; how many jobs. Mails are nobody's money: they are put aside unsent."""
        worker = Worker(self.ports, name=self.worker_name)
        for count in range(most):
            self._skip_mails()
            if not worker.run_once():
                return count
        raise AssertionError("the jobs do not come to an end")

    def restart_worker(self, name: str) -> None:
        """A worker starts, under the old name or another; what a dead one held is taken over."""
        self.worker_name = name
        jobs.beat(self.database, name)
        jobs.take_over(self.database, name)

    def _skip_mails(self) -> None:
        with self.database.transaction() as tx:
            tx.session.execute(update(Job).where(Job.name == "send_notice", Job.state == "ready").values(state="done"))

    def clockwork(self) -> None:
        """Everything that runs by the clock."""
        for _every, run in SCHEDULE.values():
            run(self.ports)

    def pass_time(self, **by: float) -> None:
        """Time goes on for both sides; what is due at Stripe happens."""
        self.time.shift(timedelta(**by))
        self.stripe.run_due()

    def deliver(self, stripe_event: dict[str, Any]) -> None:
        """Bring one of Stripe's events to the hook, as Stripe does."""
        body, now = json.dumps(stripe_event).encode(), clock.now()
        webhooks.store(self.database, [SECRET], body, sign(body, SECRET, now), now)

    # -- looking -------------------------------------------------------------------------------------------------

    def books(self) -> Books:
        """Both sides as they are."""
        return Books(read(self.database), self.stripe.objects("refund"), self.stripe.ever_succeeded(), self.first_stock)

    def check(self) -> Books:
        """Raise AssertionError with every rule that is broken."""
        books = self.books()
        wrong = broken(books, self.ledger)
        assert not wrong, "\n".join(wrong)
        self.ledger = books["ledger_entry"]
        return books

    def settle_everything(self) -> Books:
        """The storm is over: faults end, balance is there, time goes on, workers work; then both sides must be the same."""
        self.stripe.faults.clear()
        self.stripe.control("settings", "POST", short_balance="pending")
        for currency in ("gbp", "jpy", "kwd", "isk"):
            self.stripe.control("balance", "POST", currency=currency, available=10**12)
        self.restart_worker("w9")
        for hours in (0.2, 2.5, 25, 25):
            self.pass_time(hours=hours)
            self.clockwork()
            self.restart_worker("w9")
            self.work()
        books = self.check()
        asked = {row["refund_id"] for row in books["review"] if row["status"] in ("open", "asked")}
        frozen = {row["id"] for row in books["payment"] if row["disputed_at"]}
        stripes = {row["id"] for row in books["payment"] if row["provider"] == "stripe"}
        for row in books["refund"]:
            waiting = row["status"] in ("planned", "submitted", "unknown")
            assert (
                not waiting or row["id"] in asked or row["payment_id"] in frozen or row["payment_id"] not in stripes
            ), f"{row['public_id']} is {row['status']} for ever and nobody is asked"
        report = compare(self.database, self.ports.gateway)
        differences = [each for each in report.differences if not self._is_known_trouble(each, books)]
        assert differences == [], differences
        return books

    @staticmethod
    def _is_known_trouble(difference: Difference, books: Books) -> bool:
        """What the report rightly names although the portal did all it can: people have been asked, or did it themselves."""
        of = [row for row in books["payment"] if row["payment_intent"] == difference.payment_intent]
        rows = [row for row in books["refund"] if row["payment_id"] in {payment["id"] for payment in of}]
        if difference.what == "unsure":
            return True  # nobody knows, and staff are asked: checked above
        if difference.what == "unknown_here":
            # Our own refund has promised the same money and is still open; once staff have settled it, this one counts.
            return any(row["status"] in OPEN and row["cause"] != "elsewhere" for row in rows)
        # Paid by bank here and by hand at Stripe as well.
        return difference.what == "over_captured" and any(row["paid_elsewhere_by"] for row in rows)
