"""A whole shop in one process for the machine: the real river, services, worker and adapter, the stand-in without sockets.

In: what somebody does. Out: both sides' rows. Time stands still unless it is moved, for the portal and for Stripe alike. A
process can be killed at any boundary (a statement, a commit, a call): from then on nothing of it reaches the database.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import time_machine
from sqlalchemy import event, text

from portal import bootstrap, clock, edge, jobs
from portal.adapters.stripe_gateway import StripeGateway
from portal.config import ROOT, Config
from portal.db import Actor, Database, Tx
from portal.errors import NotFound, PortalError, UpstreamError
from portal.flow import SCHEDULE, make_river
from portal.labels.documents import Rendered
from portal.orders.schema import read_order
from portal.orders.service import put_order
from portal.policy.binding import Version
from portal.policy.loader import Policy
from portal.policybook.service import Book, list_versions, load_version, publish
from portal.refunds import captured, reconcile, webhooks
from portal.refunds.books import Difference
from portal.refunds.credit_notes import CreditNoteDoc
from portal.refunds.report import compare
from portal.refunds.signatures import sign
from portal.shop import DailyCap, RefundLimits
from portal.worker import Worker
from tests.blank import keep, lay_tables, put, quick_folder, trust_the_machine
from tests.proof import controls, decided, invariants
from tests.proof.books import OPEN, Books, Orders, Reader
from tests.proof.inside import KEY, SECRET, URL, InsideStripe
from tests.proof.terms import POLICY

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CUSTOMER, SHOP_SYSTEM = Actor("customer", "Priya Nair"), Actor("api", "Shop")
MAYA, OMAR, BENCH = Actor("staff", "Maya Okafor", 1), Actor("staff", "Omar Haddad", 2), Actor("staff", "Bench 2", 3)
STAFF = (MAYA, OMAR, BENCH)
# Nothing of a mail or a drawing is money: the mails are done before a worker sees them, and papers are not drawn (see `_Papers`).
UNSENT = """
CREATE TRIGGER no_mails AFTER INSERT ON job WHEN NEW.name = 'send_notice'
BEGIN UPDATE job SET state = 'done' WHERE id = NEW.id; END"""
STOCK = 3
OTHER_TENDERS = ("gift_card", "cash")
_TO_CORRECT = "SELECT 1 FROM job WHERE name = 'correct_credit_note' AND state IN ('ready', 'running') LIMIT 1"
_ARTICLE = text(
    "INSERT INTO variant (sku, product, name, label, options, price_minor, currency, stock, reserved, updated_at) "
    "VALUES (:sku, :sku, 'Article', 'Blue', '{}', :price, :currency, :stock, 0, :at)"
)
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


def _charged(lines: list[dict[str, Any]]) -> int:
    """What the articles cost after their discounts."""
    return sum(line["unit_price"] * line["quantity"] - line["discount"] for line in lines)


def _main_units(amounts: dict[str, int]) -> dict[str, Decimal]:
    """Amounts as ``shop.yaml`` writes them."""
    return {
        currency: Decimal(amount).scaleb({"KWD": -3, "JPY": 0}.get(currency, -2))
        for currency, amount in amounts.items()
    }


def _blank_shop(path: Path) -> bytes:
    """The file of a shop with a policy and nothing else."""
    made = Database(f"sqlite:///{path}")
    lay_tables(made)
    with made.transaction(at=START - timedelta(days=300)) as tx:
        publish(tx, POLICY, filename="proof.yaml", author="Maya Okafor")
        tx.session.execute(text(UNSENT))
    return keep(made)


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


class _Papers:
    """Issues credit notes without drawing them, which takes as long as twenty steps."""

    def credit_note_pdf(self, doc: CreditNoteDoc) -> Rendered:
        return Rendered(pdf=f"%PDF {doc.number}".encode())


class _Memory:
    """Files that are gone with the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self._files[key] = data

    def get(self, key: str) -> bytes:
        if key not in self._files:
            raise NotFound("There is no such file.")
        return self._files[key]

    def delete(self, key: str) -> None:
        self._files.pop(key, None)


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment, and what it held."""

    content: bytes
    books: Books


class Shop:
    """One shop. `open` empties it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=quick_folder())
        folder = Path(self._folder.name)
        self.life = Life()
        self.stripe = InsideStripe(self.life.boundary)
        self._path = folder / "shop.sqlite3"
        self._blank = _blank_shop(folder / "blank.sqlite3")
        config = Config(
            secret_key="s" * 40, database_url=f"sqlite:///{self._path}", stripe_api_key=KEY,
            mail_url=f"file:{folder / 'mail'}", storage_url=f"file:{folder / 'files'}", policy_dir=ROOT / "policies",
        )  # fmt: skip
        gateway = StripeGateway(KEY, URL, session=self.stripe.session)
        self._ports = replace(
            bootstrap.make_ports(config),
            gateway=gateway,
            captures=gateway,
            credit_note_papers=_Papers(),
            files=_Memory(),
        )
        self.database = self._ports.database
        trust_the_machine(self.database)
        event.listen(self.database.engine, "before_cursor_execute", lambda *_: self.life.boundary("statement"))
        event.listen(self.database.engine, "commit", lambda _: self.life.boundary("commit"))
        self._policies: dict[str, Policy] = {}
        self._travel: time_machine.travel | None = None
        self.time: Any = None

    def open(self) -> None:
        """An empty shop that has ordered nothing, at the same hour every time."""
        self._put(self._blank)
        self.life.start()
        self.stripe.reset()
        self.order_rules(Orders())
        self._numbers = itertools.count(1)
        self.made: dict[str, dict[str, Any]] = {}
        self._travel = time_machine.travel(START, tick=False)
        self.time = self._travel.start()
        self.load_policy()
        self.first_stock: dict[str, int] = {}
        self.worker_name = "w1"
        self.saved: Snapshot | None = None
        self._seen: tuple[int, int] | None = None
        self.last: Books | None = None

    def _put(self, content: bytes) -> None:
        """Let the database be this one."""
        if hasattr(self, "_reader"):
            self._reader.close()
        put(self.database, content)
        self._reader = Reader(self._path)
        self._seen = None

    def order_rules(self, orders: Orders, *, reverse: bool = False) -> None:
        """What the shop orders for its refunds, from now on."""
        limits = RefundLimits(
            per_day=DailyCap(count=orders.cap_count, amounts=_main_units(orders.cap_minor)),
            undo_minutes=orders.undo_minutes,
            second_person_above=_main_units(orders.second_above),
        )
        tender_order = "reverse" if reverse else "as_paid"
        shop = self._ports.shop.model_copy(
            update={"refunds": limits, "timezone": orders.zone, "tender_order": tender_order}
        )
        self.orders = orders
        self.ports = replace(self._ports, shop=shop)
        self.database.river = make_river(shop)

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
        """An order paid by these cards and brought in; its number.

        A card is a token and a weight; ``hold:`` before the token only authorizes; ``gift_card`` and ``cash`` are not Stripe's.
        """
        step = {"KWD": 10}.get(currency, 1)
        payments = []
        for card, part in _parts(_charged(lines) + shipping, cards, step):
            if card in OTHER_TENDERS:
                payments.append({"provider": card, "captured": part, "method": card})
            else:
                payments.append(self._pay(part, currency, card))
        return self._bring(lines, shipping, currency, payments)

    def split_order(self, lines: list[dict[str, Any]], more: list[dict[str, Any]], currency: str, card: str) -> None:
        """What was bought in one go is two orders here, as a shop splits them, and one payment stands for both."""
        first, second = _charged(lines), _charged(more)
        whole = self._pay(first + second, currency, card)
        self._bring(lines, 0, currency, [whole | {"captured": first}])
        self._bring(more, 0, currency, [whole | {"captured": second}])

    def _pay(self, amount: int, currency: str, card: str) -> dict[str, Any]:
        unit = {"ISK": 100}.get(currency, 1)
        held = card.startswith("hold:")
        intent = self.stripe.pay(amount * unit, currency, card.removeprefix("hold:"), hold=held)
        return {"provider": "stripe", "payment_intent": intent, "captured": amount, "method": card}

    def _bring(self, lines: list[dict[str, Any]], shipping: int, currency: str, payments: list[dict[str, Any]]) -> str:
        number = f"P-{next(self._numbers)}"
        for place, line in enumerate(lines, start=1):
            line |= {
                "id": str(place), "sku": f"{number}-{place}", "name": f"Article {place}", "product": f"{number}-{place}",
                "tax_included": True, "tax": 0,
            }  # fmt: skip
            if not line.pop("on_its_way", False):
                line["delivered_at"] = (clock.now() - timedelta(days=2)).isoformat()
        made = {
            "number": number, "placed_at": (clock.now() - timedelta(days=5)).isoformat(), "email": "priya@example.com",
            "currency": currency, "customer": {"name": "Priya Nair"}, "lines": lines, "discount": 0,
            "ship_to": {"name": "Priya Nair", "country": "GB", "postcode": "LS1 1AA"},
            "shipping": {"amount": shipping, "tax": shipping // 6}, "payments": payments,
        }  # fmt: skip
        with self.database.transaction() as tx:
            put_order(tx, read_order(made))
            for line in lines:
                tx.session.execute(_ARTICLE, {
                    "sku": line["sku"], "price": line["unit_price"], "currency": currency, "stock": STOCK,
                    "at": START.isoformat(),
                })  # fmt: skip
                self.first_stock[line["sku"]] = STOCK
        self.made[number] = made
        return number

    def bring_again(self, made: dict[str, Any]) -> None:
        """The shop's system sends the order once more, as it is by now."""
        incoming = read_order(made)
        if self.do(SHOP_SYSTEM, lambda tx: put_order(tx, incoming)) is not None:
            self.made[made["number"]] = made

    def publish(self, text: str) -> None:
        """Another policy for orders from now on, and for older ones where it is kinder."""
        self.do(MAYA, lambda tx: publish(tx, text, filename="proof.yaml", author="Maya Okafor"))
        self.load_policy()

    def load_policy(self) -> None:
        """The policies as they are now. Each text is read once, and not once in every shop."""
        versions = []
        with self.database.read() as session:
            for row in reversed(list_versions(session)):
                if row.source not in self._policies:
                    self._policies[row.source] = load_version(row)
                versions.append(Version(row.number, row.effective_at, self._policies[row.source]))
        self.book = Book(tuple(versions))

    def work(self, most: int = 200) -> int:
        """Let a worker do what is due; how many jobs."""
        worker = Worker(self.ports, name=self.worker_name)
        for count in range(most):
            if not worker.run_once():
                return count
        raise AssertionError("the jobs do not come to an end")

    def has_jobs(self) -> bool:
        """Whether a worker has anything to do, now or later."""
        return self._reader.any("SELECT 1 FROM job WHERE state IN ('ready', 'running') LIMIT 1")

    def restart_worker(self, name: str) -> None:
        """A worker starts, under the old name or another; what a dead one held is taken over."""
        self.worker_name = name
        jobs.beat(self.database, name)
        jobs.take_over(self.database, name)

    def clockwork(self, passed: timedelta) -> None:
        """Everything that the clock has run in that time, once."""
        for name, (every, run) in SCHEDULE.items():
            # `plan_reconciliation` writes the job of the night, see `night`.
            if every <= passed and name != "plan_reconciliation":
                run(self.ports)

    def night(self) -> None:
        """What `report.nightly` does first: the account is listed since the shop was opened."""
        with contextlib.suppress(UpstreamError, jobs.Later):
            reconcile.catch_up(self.database, self.ports.gateway, clock.now() - START)
            captured.look_at_shared(self.database, self.ports.gateway)

    def is_stopped(self) -> bool:
        """Whether somebody has stopped all refunds."""
        return self.last is not None and any(row["stopped_at"] for row in self.last["refund_gate"])

    def pass_time(self, **by: float) -> None:
        """Time goes on for both sides; what is due at Stripe happens."""
        self.time.shift(timedelta(**by))
        self.stripe.run_due()

    def deliver(self, stripe_event: dict[str, Any]) -> None:
        """Bring one of Stripe's events to the hook, as Stripe does."""
        body, now = json.dumps(stripe_event).encode(), clock.now()
        webhooks.store(self.database, [SECRET], body, sign(body, SECRET, now), now)

    # -- looking -------------------------------------------------------------------------------------------------

    def check(self) -> Books:
        """Both sides as they are. Raises AssertionError with every rule that is broken."""
        seen = (self._reader.version(), self.stripe.version())
        if self.last is not None and seen == self._seen:
            return self.last
        intents = {each["id"]: each for each in self.stripe.objects("payment_intent")}
        books = Books(
            self._reader.read(), self.stripe.objects("refund"), intents, self.stripe.ever_succeeded(), self.orders,
            self.first_stock, dict(self.stripe.let_go),
        )  # fmt: skip
        wrong = [*invariants.broken(books), *controls.broken(books), *decided.broken(books)]
        if not self._reader.any(_TO_CORRECT):
            wrong += invariants.uncorrected(books)
        if self.last is not None:
            wrong += [*controls.changed(self.last, books), *decided.changed(self.last, books)]
        assert not wrong, "\n".join(wrong)
        self.last, self._seen = books, seen
        return books

    def snapshot(self) -> Snapshot:
        """The database as it is now."""
        return Snapshot(self._reader.serialize(), self.check())

    def go_back(self, to: Snapshot) -> None:
        """Let the database be as it was; Stripe knows nothing of it."""
        self._put(to.content)
        self.last = None

    def back_up(self) -> None:
        """Keep the database as it is now."""
        self.saved = self.snapshot()

    def restore(self) -> bool:
        """The database is lost; the backup takes its place, and the portal looks at Stripe, as docs/operations.md says.

        False, and nothing happens, when refunds were decided since: what the backup never knew, nobody can know.
        """
        if self.saved is None or self.orders.second_above or not self.last:
            return False
        there = {each["metadata"]["refund"] for each in self.last.stripe_refunds if "refund" in each["metadata"]}
        there |= set(self.last.let_go.values())
        if not there <= {row["public_id"] for row in self.saved.books["refund"]}:
            return False
        self.go_back(self.saved)
        self.load_policy()
        self.stripe.faults.clear()
        self.night()
        return True

    def settle_everything(self) -> Books:
        """The storm is over: faults end, balance is there, time goes on, workers work; then both sides must be the same."""
        self.stripe.faults.clear()
        self.stripe.control("settings", "POST", short_balance="pending")
        for currency in ("gbp", "jpy", "kwd", "isk"):
            self.stripe.control("balance", "POST", currency=currency, available=10**12)
        self.restart_worker("w9")
        for hours in (0.2, 25, 25):
            self.pass_time(hours=hours)
            self.clockwork(timedelta(hours=hours))
            self.restart_worker("w9")
            self.work()
        self.night()
        books = self.check()
        asked = {row["refund_id"] for row in books["review"] if row["status"] in ("open", "asked")}
        frozen = {row["id"] for row in books["payment"] if row["disputed_at"]}
        stripes = {row["id"] for row in books["payment"] if row["provider"] == "stripe"}
        for row in books["refund"]:
            waiting = row["status"] in ("planned", "submitted", "unknown")
            assert (
                not waiting or row["id"] in asked or row["payment_id"] in frozen or row["payment_id"] not in stripes
            ), f"{row['public_id']} is {row['status']} for ever and nobody is asked"
        report = compare(self.database, self.ports.gateway, since=START)
        assert self.check() is books, "comparing has changed something"
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
        if difference.what == "captured":
            # The shop has canceled it at Stripe, or tells of more refunds than Stripe knows, or credit was given before.
            canceled = books.intents[difference.payment_intent]["status"] == "canceled"
            return canceled or all(books.left_of(row) <= 0 for row in of)
        if difference.what != "over_captured":
            return False
        # Paid by bank here and by hand at Stripe as well; or the shop says that less was taken than was sent back by hand at
        # Stripe. Ours stayed within what was taken.
        ours = sum(
            row["amount_minor"] for row in rows if row["status"] in (*OPEN, "succeeded") and row["cause"] != "elsewhere"
        )
        by_bank = any(row["paid_elsewhere_by"] for row in rows)
        return by_bank or (bool(of) and ours <= sum(payment["captured_minor"] for payment in of))
