"""Books and receives in web processes that kill themselves at one boundary after the other. Run by `test_web_crash`.

Boundaries are found as in `refund_crash_runner`: before every statement, before and after every commit of the request. The
customer (or whoever is at the bench) gets no answer, and sends the very same form again to a process that was started anew. Then
the goods come, the worker pays, and everything must be there once. One line of JSON per death, and one at the end.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from portal import bootstrap, clock
from portal.adapters.stripe_gateway import StripeGateway
from portal.api import tokens
from portal.config import ROOT, Config
from portal.jobs import Job
from portal.labels.models import Label
from portal.notices.models import Notice
from portal.orders.models import Order, OrderLine, Payment
from portal.orders.schema import read_order
from portal.orders.service import put_order
from portal.policybook import service as policybook
from portal.receiving.models import Receipt
from portal.refunds.books import check_books
from portal.returns import drafts
from portal.returns.models import Draft, Return, ReturnLine, UnitRange
from portal.timeline.models import TimelineEntry
from portal.worker import Worker
from tests.blank import trust_the_machine
from tests.flow.refund_crash_runner import Deadly, in_child
from tests.stand_in_fixture import StandInHandle
from tests.web.customer.desk import Customer

PRICE, EMAIL = 5000, "ada@example.com"
Purchase = dict[str, Any]


class Run:
    """One database, one stand-in, one scenario: ``book`` dies while a customer's page books, ``receive`` while goods are
    counted."""

    def __init__(self, database_url: str, stripe_url: str, key: str, scenario: str) -> None:
        self.scenario = scenario
        self.stripe = StandInHandle(None, stripe_url, key, "whsec_none")  # type: ignore[arg-type]
        folder = tempfile.mkdtemp()
        ports = bootstrap.make_ports(
            Config(
                secret_key="s" * 40, database_url=database_url, stripe_api_key=key, stripe_api_base=stripe_url,
                mail_url=f"file:{folder}/mail", storage_url=f"file:{folder}/files", log_level="ERROR",
            )
        )  # fmt: skip
        self.ports = replace(ports, gateway=StripeGateway(key, stripe_url))
        self.database = ports.database
        trust_the_machine(self.database)
        with self.database.transaction() as tx:
            policybook.ensure_first(tx, ROOT / "policies" / "default.yaml")
            self.token = tokens.create(tx, name="bench", scopes=["admin"])
        self.app = bootstrap.create_app(ports=self.ports)
        self.seen: dict[str, Any] = {}

    # -- what a person does ------------------------------------------------------------------------------------------

    def prepare(self, number: int) -> Purchase:
        """An order that was paid, and a customer who has chosen everything but not pressed the button yet."""
        name = f"CRASH-{number}"
        intent = self.stripe.pay(PRICE).id
        ago = lambda days: (clock.now() - timedelta(days=days)).isoformat()  # noqa: E731
        line = {
            "id": "1",
            "sku": "HAT",
            "name": "Hat",
            "quantity": 1,
            "unit_price": PRICE,
            "tax": 0,
            "delivered_at": ago(2),
        }
        order = {
            "number": name, "placed_at": ago(5), "email": EMAIL, "currency": "GBP", "lines": [line],
            "ship_to": {"name": "Ada", "lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
            "payments": [{"payment_intent": intent, "captured": PRICE}],
        }  # fmt: skip
        with self.database.transaction() as tx:
            put = put_order(tx, read_order(order))
        customer = self.customer(number)
        if not self.seen:
            # The first customer goes through the pages; what their session and draft then hold is what the others' hold.
            customer.find(name, EMAIL)
            customer.choose(1, number=name)
            customer.answer(1, number=name)
            customer.send_with("qr", number=name)
            form = customer.review_form(name)
            assert set(form) == {"csrf_token", "draft", "shown_total"}, form
            with self.database.read() as session:
                self.chosen = dict(session.scalars(select(Draft.data)).one())
            with customer.client.session_transaction() as seen:
                self.seen = dict(seen)
            self.form = form
        else:
            with self.database.transaction() as tx:
                draft = drafts.create(tx, put.order_id, self.chosen)
            form = self.form | {"draft": draft.token[:16]}
            granted = {name: [int(clock.now().timestamp()), True, ""]}
            with customer.client.session_transaction() as session:
                session.update(self.seen | {"orders": granted, "drafts": {name: draft.token}})
        cookie = customer.client.get_cookie(self.app.config["SESSION_COOKIE_NAME"])
        assert cookie is not None
        return {"number": number, "name": name, "intent": intent, "form": form, "cookie": cookie.value, "rma": ""}

    def customer(self, number: int, cookie: str = "") -> Customer:
        """Somebody with an address of their own, so that nobody is held back for what others did."""
        made = Customer(self.app.test_client(), f"10.0.{number // 250}.{number % 250 + 1}")
        if cookie:
            made.client.set_cookie(self.app.config["SESSION_COOKIE_NAME"], cookie)
        return made

    def book(self, bought: Purchase) -> str:
        """Press "Book my return"; the return's number."""
        answer = self.customer(bought["number"], bought["cookie"]).send(
            f"/order/{bought['name']}/review", bought["form"]
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)[:2000]
        found = re.search(r"R-[A-Z0-9]+", answer.headers["Location"])
        assert found, answer.headers["Location"]
        return found[0]

    def receive(self, rma: str) -> None:
        """The goods are counted; the scanner's key is the same whenever it is sent again."""
        answer = self.app.test_client().post(
            f"/api/v1/returns/{rma}/receive",
            json={"lines": [{"line": "1", "quantity": 1, "condition": "as_new"}]},
            headers={"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"scan-{rma}"},
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)[:2000]

    def work(self) -> None:
        """A worker does what is due; mails stay where they are."""
        worker = Worker(self.ports, name="worker")
        while True:
            with self.database.transaction() as tx:
                tx.session.execute(
                    update(Job).where(Job.name.in_(("send_notice", "issue_credit_note"))).values(state="done")
                )
            if not worker.run_once():
                return

    # -- lives and deaths --------------------------------------------------------------------------------------------

    def act(self, bought: Purchase, at: int) -> int:
        """The request at one of whose boundaries the process dies; how many there were when it did not."""
        deadly = Deadly(at)
        if at:
            deadly.watch(self.database)
        if self.scenario == "book":
            self.book(bought)
        else:
            self.receive(bought["rma"])
        return deadly.count

    def recover(self, bought: Purchase) -> dict[str, Any]:
        """The same again after a restart, then the rest of the river; what there is in the end."""
        rma = self.book(bought)
        self.receive(rma)
        self.receive(rma)
        self.work()
        with self.database.read() as session:
            order_id = session.scalars(select(Order.id).where(Order.number == bought["name"])).one()
            of = session.scalars(select(Return).where(Return.order_id == order_id)).all()
            ids = [each.id for each in of]
            lines = select(ReturnLine.id).where(ReturnLine.return_id.in_(ids))

            def count(column: Any, *where: Any) -> int:
                return session.scalar(select(func.count(column)).where(*where)) or 0

            said = select(TimelineEntry.what).where(TimelineEntry.return_id.in_(ids)).order_by(TimelineEntry.id)
            notices = session.scalars(select(Notice.kind).where(Notice.return_id.in_(ids)).order_by(Notice.id))
            return {
                "returns": [each.status for each in of],
                "labels": count(Label.id, Label.return_id.in_(ids)),
                "receipts": count(Receipt.id, Receipt.return_line_id.in_(lines)),
                "ranges": count(UnitRange.id, UnitRange.return_line_id.in_(lines)),
                "units": session.scalar(select(OrderLine.units_held).where(OrderLine.order_id == order_id)),
                "reserved": session.scalar(select(Payment.refunding_minor).where(Payment.order_id == order_id)),
                "said": list(session.scalars(said)),
                "told": list(notices),
                "stripe": [(made["amount"], made["status"]) for made in self.stripe.refunds(bought["intent"])],
                "books": [each.sentence for each in check_books(session)],
            }

    def one_life(self, before: Purchase | None, number: int, at: int, say: Callable[[Any], None]) -> None:
        """A web process as it lives: started after the last one's death, it serves, and dies at boundary ``at``."""
        say(self.recover(before) if before else None)
        bought = self.prepare(number)
        if self.scenario == "receive":
            bought["rma"] = self.book(bought)
        say(bought)
        say(self.act(bought, at))

    def all_points(self) -> None:
        """Die at every boundary, one after the other."""
        warm = self.prepare(0)
        if self.scenario == "receive":
            warm["rma"] = self.book(warm)
        self.act(warm, 0)
        self.report({"alive": self.recover(warm)})
        self.database.dispose()
        gc.collect()
        gc.freeze()
        before: Purchase | None = None
        number, killed = 1, signal.SIGKILL.value
        while True:
            ended, (found, following, *points) = in_child(lambda say: self.one_life(before, number, number, say))  # noqa: B023
            if found is not None:
                self.report({"death": number - 1, "signal": killed, **found})
            before, killed = following, ended
            if not ended:
                break
            number += 1
        self.report({"points": points[0]})

    def report(self, line: dict[str, Any]) -> None:
        """One line for the test."""
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    Run(*sys.argv[1:5]).all_points()
