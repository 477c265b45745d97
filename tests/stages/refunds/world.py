"""A small shop for money tests: a real database, the real stand-in for Stripe over HTTP, and time that can be moved."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select, update

from portal import clock, ids, jobs
from portal.adapters.stripe_gateway import StripeGateway
from portal.db import Actor, Database, Event, Tx
from portal.orders.models import Order, OrderLine, Payment, Variant
from portal.policy.quote import LineQuote, Quote, QuotePart
from portal.refunds import captured, disputes, ledger, lifecycle, payout, reconcile, release, submit, webhooks
from portal.refunds.models import LedgerEntry, Refund
from portal.refunds.queries import MoneyView, money_of_return
from portal.refunds.signatures import sign
from portal.returns.models import Return, ReturnLine, UnitRange
from portal.reviews.models import Review
from portal.shop import Carrier, Shop, Warehouse
from portal.timeline.models import TimelineEntry
from tests.stand_in_fixture import StandInHandle

SHOP = Shop(
    name="Wren & Harbour",
    email="help@wrenandharbour.example",
    timezone="Europe/London",
    currency="GBP",
    country="GB",
    warehouse=Warehouse(name="Returns", lines=("Unit 7",), city="Bristol", postcode="BS11 8AZ", country="GB"),
    carrier=Carrier(name="Northway Post", service="Returns 48", code_prefix="NW"),
)
STAFF = Actor("staff", "Ines")
DECISION = {"answer": "accept", "terms": {"keep_item": {"value": False}}}
KEPT = {"answer": "accept", "terms": {"keep_item": {"value": True}}}
_numbers = itertools.count(1)


def river(tx: Tx, event: Event) -> None:
    """What `flow` does with the events of money, without labels and mails."""
    if event.what in ("refund.planned", "refund.let_through", "refund.seconded"):
        jobs.enqueue(tx, "submit_refund", {"refund": event.refund_id}, key=f"{event.id}:submit_refund")
    if event.what == "refund.uncaptured":
        jobs.enqueue(tx, "release_payment", {"refund": event.refund_id}, key=f"{event.id}:release_payment")
    if event.what == "payment.shared":
        jobs.enqueue(tx, "look_at_captured", (event.data or {})["job"], key=f"{event.id}:look_at_captured")
    closing = (
        "payout.planned", "credit.issued", "exchange.ordered", "refund.succeeded", "refund.paid_elsewhere",
        "refund.released", "money.paid_elsewhere", "money.waived",
    )  # fmt: skip
    if event.what in closing and event.return_id is not None:
        payout.close_when_settled(tx, event.return_id)
    if event.what == "dispute.closed" and event.return_id is not None:
        payout.resume(tx, event.return_id, SHOP)


class World:
    """One shop. Amounts are minor units."""

    def __init__(self, database: Database, stripe: StandInHandle) -> None:
        self.database, self.stripe = database, stripe
        database.river = river
        self.gateway = self.captures = StripeGateway(stripe.key, stripe.url, timeout=(3, 1.5))
        self.shop = SHOP

    # -- what happened before the refund ------------------------------------------------------------------------

    def order(self, *captured: int, currency: str = "GBP", card: str = "pm_card_visa", quantity: int = 1) -> int:
        """An order paid with these amounts, each a real payment at the stand-in; the order's id."""
        intents = [self.stripe.pay(self._stripe(amount, currency), currency.lower(), card).id for amount in captured]
        payments = [
            Payment(
                position=position,
                payment_intent=intent,
                captured_minor=amount,
                currency=currency,
                method="Visa ending 4242",
            )
            for position, (amount, intent) in enumerate(zip(captured, intents, strict=True), start=1)
        ]
        return self.order_with(payments, sum(captured), currency, quantity)

    def authorized(self, amount: int, quantity: int = 1) -> int:
        """An order whose payment is authorized and not captured; the order's id."""
        intent = self.stripe.pay(amount, capture_method="manual").id
        payment = Payment(
            position=1, payment_intent=intent, captured_minor=amount, currency="GBP", method="Visa ending 4242"
        )
        return self.order_with([payment], amount, quantity=quantity)

    def order_with(self, payments: list[Payment], total: int, currency: str = "GBP", quantity: int = 1) -> int:
        """An order with these payment rows and one line of ``quantity`` units over ``total``."""
        number = f"WH-{os.getpid()}-{next(_numbers)}"
        line = OrderLine(
            position=1, ref="1", sku="JUMPER", name="Jumper", product="jumper", quantity=quantity,
            unit_price_minor=total // quantity, list_minor=total, gross_minor=total, delivered_at=clock.now() - timedelta(days=2),
        )  # fmt: skip
        with self.database.transaction() as tx:
            order = Order(
                number=number, number_key=number, currency=currency, placed_at=tx.at, total_minor=total, content_hash=number,
                imported_at=tx.at, updated_at=tx.at, lines=[line], payments=payments,
            )  # fmt: skip
            tx.session.add(order)
            tx.session.flush()
            return order.id

    def return_(
        self,
        order_id: int,
        refund: int,
        *,
        credit: int = 0,
        bonus: int = 0,
        status: str = "received",
        when: str = "received",
        resolution: str = "refund",
        quantity: int = 1,
        sku: str | None = None,
        decision: dict[str, Any] = DECISION,
    ) -> int:
        """A return of ``quantity`` units whose frozen quote owes ``refund`` and ``credit`` (of which ``bonus`` is on top)."""
        with self.database.transaction() as tx:
            order = tx.session.get_one(Order, order_id)
            parts = [QuotePart("item", refund, line="1")] if refund else []
            if credit:
                parts += [QuotePart("item", credit - bonus, line="1", into="store_credit")]
                parts += [QuotePart("credit_bonus", bonus, line="1", into="store_credit")] if bonus else []
            quote = Quote(order.currency, (LineQuote("1", resolution, quantity, tuple(parts)),))
            made = Return(
                rma=ids.new_rma(), order_id=order_id, booking_key=ids.new_token(), status=status, currency=order.currency,
                refund_when=when, quote=quote.to_json(), booked_at=tx.at, basis={},
            )  # fmt: skip
            made.lines = [
                ReturnLine(
                    order_line_id=order.lines[0].id, position=1, quantity=quantity, reason="too_small",
                    resolution=resolution, status="accepted", answer="accept", facts={}, decision=decision,
                    gross_minor=refund + credit - bonus, exchange_sku=sku, tax_minor=0,
                    received_quantity=quantity if status in ("received", "inspected") else 0,
                )
            ]  # fmt: skip
            tx.session.add(made)
            tx.session.flush()
            self._hold(tx, made)
            return made.id

    def variant(self, sku: str, stock: int, price: int = 5000) -> None:
        """An article in stock."""
        with self.database.transaction() as tx:
            tx.session.add(
                Variant(
                    sku=sku, product="jumper", name="Jumper", label=sku, price_minor=price, currency="GBP", stock=stock,
                    updated_at=tx.at,
                )
            )  # fmt: skip

    # -- doing --------------------------------------------------------------------------------------------------

    def pay(self, return_id: int, moment: str = "received") -> list[int]:
        """Plan the payout as the river does; the ids of the return's refunds."""
        with self.database.transaction() as tx:
            payout.plan_when_due(tx, return_id, moment, self.shop)
        return self.refund_ids(return_id)

    def paid_return(self, amount: int, **how: Any) -> tuple[int, int]:
        """A return of an order paid with ``amount``, planned; the ids of return and refund."""
        return_id = self.return_(self.order(amount, **how), amount)
        (refund_id,) = self.pay(return_id)
        return return_id, refund_id

    def submit(self, refund_id: int) -> jobs.Later | None:
        """One run of the job; what it raised when it has to come again."""
        try:
            submit.submit(self.database, self.gateway, refund_id)
        except jobs.Later as later:
            return later
        return None

    def work(self, rounds: int = 50) -> None:
        """Do every job that is due, as a worker does."""
        doing: dict[str, Callable[[dict[str, Any]], None]] = {
            "submit_refund": lambda args: submit.submit(self.database, self.gateway, args["refund"]),
            "release_payment": lambda args: release.release(self.database, self.gateway, self.captures, args["refund"]),
            "check_refund": lambda args: reconcile.check(self.database, self.gateway, args["refund"]),
            "look_at_captured": lambda args: captured.look(self.database, self.gateway, args["payment_intent"]),
            "look_at_dispute": lambda args: disputes.look_again(self.database, self.gateway, args["payment_intent"]),
            "work_stripe_event": lambda args: webhooks.work(self.database, self.gateway, args["event"]),
        }
        for _ in range(rounds):
            job = jobs.claim(self.database, "worker")
            if job is None:
                return
            try:
                doing[job.name](job.args)
            except jobs.Later as later:
                jobs.postpone(self.database, job, "worker", later.at, later.why)
            else:
                jobs.finish(self.database, job, "worker")
        raise AssertionError("the jobs do not come to an end")

    def work_only(self, name: str, limits: submit.Limits) -> None:
        """Do the next job, which sends a refund, with these limits."""
        job = jobs.claim(self.database, "worker")
        assert job is not None
        assert job.name == name
        submit.submit(self.database, self.gateway, job.args["refund"], limits)
        jobs.finish(self.database, job, "worker")

    def later(self, only: int | None = None, /, **by: float) -> None:
        """Let time pass for refunds (all, or those of one return) and jobs; the stand-in's clock is moved by its control."""
        span = timedelta(**by)
        columns = ("planned_at", "first_submitted_at", "submitted_at", "settled_at", "checked_at")
        with self.database.transaction() as tx:
            for refund in tx.session.scalars(select(Refund).where(or_(only is None, Refund.return_id == only))).all():
                moved = {name: getattr(refund, name) - span for name in columns if getattr(refund, name) is not None}
                tx.session.execute(update(Refund).where(Refund.id == refund.id).values(**moved))
            for job in tx.session.scalars(select(jobs.Job).where(jobs.Job.state == "ready")).all():
                job.run_at -= span

    def back_up(self, folder: Path) -> Path:
        """A copy of the database, which has to be SQLite's."""
        backup = folder / "backup.sqlite3"
        with sqlite3.connect(self._file()) as source, sqlite3.connect(backup) as target:
            source.backup(target)
        return backup

    def restore(self, backup: Path) -> None:
        """The database is lost, and the backup takes its place."""
        live = self._file()
        self.database.dispose()
        for path in live.parent.glob(live.name + "*"):
            path.unlink()
        shutil.copy(backup, live)

    def _file(self) -> Path:
        return Path(self.database.engine.url.database or "")

    def sweep(self) -> None:
        """The reconciler's round, and the jobs it writes."""
        reconcile.sweep(self.database, self.gateway)
        self.work()

    def events(self, *types: str) -> list[dict[str, Any]]:
        """The stand-in's events of these types, oldest first."""
        return [event for event in self.stripe.control("events")["data"] if event["type"] in types]

    def deliver(self, event: dict[str, Any]) -> None:
        """Bring one event to the portal as Stripe would, and work on it."""
        body = json.dumps(event).encode()
        now = clock.now()
        header = sign(body, self.stripe.webhook_secret, now)
        webhooks.store(self.database, [self.stripe.webhook_secret], body, header, now)
        self.work()

    # -- looking ------------------------------------------------------------------------------------------------

    def refund_ids(self, return_id: int) -> list[int]:
        with self.database.read() as session:
            return list(session.scalars(select(Refund.id).where(Refund.return_id == return_id).order_by(Refund.id)))

    def refund(self, refund_id: int) -> Refund:
        with self.database.read() as session:
            refund = session.get_one(Refund, refund_id)
            session.expunge_all()
            return refund

    def payments(self, order_id: int) -> list[Payment]:
        with self.database.read() as session:
            query = select(Payment).where(Payment.order_id == order_id).order_by(Payment.position)
            rows = list(session.scalars(query))
            session.expunge_all()
            return rows

    def refundable(self, order_id: int) -> list[int]:
        return [payment.refundable_minor for payment in self.payments(order_id)]

    def status(self, return_id: int) -> str:
        with self.database.read() as session:
            return session.get_one(Return, return_id).status

    def money(self, return_id: int) -> MoneyView:
        with self.database.read() as session:
            return money_of_return(session, return_id)

    def said(self, what: str) -> int:
        """How often the timeline says so."""
        with self.database.read() as session:
            query = select(func.count()).select_from(TimelineEntry).where(TimelineEntry.what == what)
            return session.scalar(query) or 0

    def questions(self) -> list[tuple[str, str]]:
        """Kind and fact of every open question."""
        with self.database.read() as session:
            return [(row.kind, row.fact) for row in session.scalars(select(Review).where(Review.status == "open"))]

    def at_stripe(self) -> list[tuple[int, str]]:
        """Amount and status of every refund at the stand-in, oldest first."""
        return [(refund["amount"], refund["status"]) for refund in self.stripe.refunds()]

    def intent(self, order_id: int, position: int = 1) -> str:
        return self.payments(order_id)[position - 1].payment_intent or ""

    def check_books(self, only: int | None = None) -> None:
        """The invariants that hold at every moment, between two statements of anybody; of all orders or of one."""
        with self.database.read() as session:
            for payment in session.scalars(select(Payment).where(or_(only is None, Payment.order_id == only))).all():
                refunds = session.scalars(select(Refund).where(Refund.payment_id == payment.id)).all()
                ours = sum(r.amount_minor for r in refunds if r.cause != "elsewhere" and r.status in lifecycle.HOLDING)
                theirs = sum(
                    r.amount_minor for r in refunds if r.cause == "elsewhere" and r.status in lifecycle.HOLDING
                )
                assert payment.refunding_minor == ours
                assert payment.refunded_elsewhere_minor == theirs
                assert ours + theirs <= payment.captured_minor
                booked = select(func.sum(LedgerEntry.amount_minor)).where(
                    LedgerEntry.payment_id == payment.id, LedgerEntry.account.in_((ledger.RESERVED, ledger.REFUNDED))
                )
                assert (session.scalar(booked) or 0) == ours + theirs
                if payment.payment_intent:
                    made = self.stripe.refunds(payment.payment_intent)
                    there = sum(r["amount"] for r in made if r["status"] not in ("failed", "canceled"))
                    assert there <= self._stripe(payment.captured_minor, payment.currency)
                    numbers = [r["metadata"]["refund"] for r in made if "refund" in r["metadata"]]
                    assert len(numbers) == len(set(numbers)), "one refund was made twice"

    def _hold(self, tx: Tx, return_: Return) -> None:
        """The units that booking would have held, on a line that has enough of them."""
        line = return_.lines[0]
        bought = tx.session.get_one(OrderLine, line.order_line_id)
        first = 1 + (
            tx.session.scalar(select(func.max(UnitRange.last)).where(UnitRange.order_line_id == bought.id)) or 0
        )
        last = first + line.quantity - 1
        bought.quantity = max(bought.quantity, last)
        ended = return_.status in ("rejected", "canceled", "expired")
        line.units = [UnitRange(order_line_id=bought.id, first=first, last=last, released_at=tx.at if ended else None)]
        bought.units_held += 0 if ended else line.quantity

    def _stripe(self, minor: int, currency: str) -> int:
        return minor * 100 if currency in ("ISK", "UGX") else minor


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def together(*doings: Callable[[], object]) -> list[BaseException]:
    """Run all of them at the same moment; what they raised, `jobs.Later` and refusals included."""
    start = threading.Barrier(len(doings))
    raised: list[BaseException] = []

    def run(doing: Callable[[], object]) -> None:
        start.wait()
        try:
            doing()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(doing,)) for doing in doings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
