"""What the tests of the customer's pages repeat: a shop's orders, and a customer with a browser."""

from __future__ import annotations

import html
import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from portal import clock
from portal.db import Actor
from portal.flow import JOBS, Ports
from portal.jobs import Job
from portal.notices.models import Notice
from portal.notices.render import render
from portal.orders.models import Order, OrderLine, Payment, Variant
from portal.policybook.service import publish
from portal.receiving import service as receiving
from portal.returns.models import Draft, Photo, Return
from portal.returns.queries import get_return

PLACED = datetime(2026, 10, 9, 9, 0, tzinfo=UTC)
FIRST_PARCEL = datetime(2026, 10, 13, 10, 0, tzinfo=UTC)
SECOND_PARCEL = datetime(2026, 10, 29, 10, 0, tzinfo=UTC)
STAFF = Actor("staff", "Maya Okafor")
EMAIL = "priya.nair@example.com"


def line(
    position: int, name: str, price: int, delivered: datetime | None, quantity: int = 1, discount: int = 0, **more: Any
) -> OrderLine:
    """One line; prices include 20 % VAT."""
    gross = price * quantity - discount
    values: dict[str, Any] = {"variant": "", "sku": f"SKU-{position}", "product": "", "tags": [], **more}
    return OrderLine(
        position=position, ref=str(position), name=name, quantity=quantity, unit_price_minor=price,
        list_minor=price * quantity, discount_minor=discount, order_discount_minor=discount, gross_minor=gross,
        tax_minor=gross // 6, tax_included=True, shipped_at=delivered, delivered_at=delivered, facts={}, **values,
    )  # fmt: skip


def sample_lines() -> list[OrderLine]:
    """The lines of the sample order WH-20418."""
    return [
        line(
            1,
            "Merino crew jumper",
            8900,
            SECOND_PARCEL,
            discount=890,
            variant="Navy, size M",
            product="jumper",
            sku="J-M",
        ),
        line(2, "Brushed flannel shirt", 6400, SECOND_PARCEL, 2, 1280, variant="Moss check, size L", product="shirt"),
        line(3, "Waxed field jacket", 19500, FIRST_PARCEL),
        line(4, "Selvedge jeans", 7200, FIRST_PARCEL, tags=["final-sale"]),
        line(5, "Merino boot socks, 3 pairs", 2400, SECOND_PARCEL, tags=["hygiene"]),
    ]


@dataclass
class Desk:
    """The shop."""

    ports: Ports
    app: Flask
    moment: time_machine.Coordinates

    def publish(self, text: str) -> None:
        """Put a policy into force for every order of the tests."""
        with self.ports.database.transaction(STAFF, at=datetime(2026, 1, 1, tzinfo=UTC)) as tx:
            publish(tx, text, filename="test.yaml", author="Maya Okafor")

    def order(
        self, number: str = "WH-20418", lines: list[OrderLine] | None = None, email: str = EMAIL, **more: Any
    ) -> int:
        """An order paid by card; its row id."""
        rows = sample_lines() if lines is None else lines
        total = sum(row.gross_minor for row in rows) + more.get("shipping_minor", 395)
        values: dict[str, Any] = {
            "currency": "GBP", "shipping_minor": 395, "shipping_tax_minor": 66, "postcode_key": "BS65QA",
            "customer_name": "Priya Nair", "tags": [], "customer_tags": [], "facts": {},
            "ship_to": {"name": "Priya Nair", "lines": ["14 Aldermoor Road"], "city": "Bristol", "postcode": "BS6 5QA",
                        "country": "GB"},
            **more,
        }  # fmt: skip
        order = Order(
            number=number, number_key=number.upper().lstrip("#"), email=email, email_key=email, placed_at=PLACED,
            total_minor=total, content_hash=number, imported_at=PLACED, updated_at=PLACED, lines=rows,
            payments=[Payment(position=1, payment_intent=f"pi_{number}", captured_minor=total, currency=values["currency"],
                              method="Visa ending 4242")], **values,
        )  # fmt: skip
        with self.ports.database.transaction(at=PLACED) as tx:
            tx.session.add(order)
            tx.session.flush()
            return order.id

    def variant(self, sku: str, label: str, *, product: str = "jumper", price: int = 8900, stock: int = 3) -> None:
        """An article that can be sent in exchange."""
        with self.ports.database.transaction(at=PLACED) as tx:
            tx.session.add(
                Variant(sku=sku, product=product, name="Merino crew jumper", label=label, price_minor=price,
                        currency="GBP", stock=stock, options={}, updated_at=PLACED)
            )  # fmt: skip

    def rows(self, model: Any) -> list[Any]:
        """Every row of a table."""
        with self.ports.database.read() as session:
            found = list(session.scalars(select(model)))
            session.expunge_all()
            return found

    @property
    def returns(self) -> list[Return]:
        """Every return."""
        return self.rows(Return)

    @property
    def drafts(self) -> list[Draft]:
        """Every draft."""
        return self.rows(Draft)

    @property
    def photos(self) -> list[Photo]:
        """Every photo."""
        return self.rows(Photo)

    def find(self, rma: str) -> Return:
        """One return with its lines."""
        with self.ports.database.read() as session:
            found = get_return(session, rma)
            session.expunge_all()
            return found

    def act(self, command: Any, *arguments: Any, **more: Any) -> Any:
        """What staff do."""
        with self.ports.database.transaction(STAFF) as tx:
            return command(tx, *arguments, **more)

    def work(self, name: str) -> None:
        """Do every job of this name, due or not."""
        for job in self.rows(Job):
            if job.name == name and job.state == "ready":
                JOBS[name].run(self.ports, job.args)

    def receive(self, rma: str, condition: str = "as_new") -> None:
        """All goods arrive."""
        counts = [receiving.Count(each.order_line.ref, each.quantity, condition) for each in self.find(rma).lines]
        self.act(receiving.receive, rma, counts, command_key=f"receive-{rma}")

    @contextmanager
    def counting(self) -> Any:
        """The statements that run inside."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(self.ports.database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.ports.database.engine, "before_cursor_execute", note)


def text_of(response: TestResponse) -> str:
    """What a person reads: without tags, blanks folded."""
    body = re.sub(r"<(script|svg|template)\b.*?</\1>", " ", response.get_data(as_text=True), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def written(desk: Desk, notice: Notice) -> str:
    """A notice in words."""
    text = render(
        notice.kind, notice.context, shop=desk.ports.shop, wanted_locale="en-GB", base_url="https://returns.example",
        link="https://returns.example/x", label_attached=False, now=clock.now(),
    )  # fmt: skip
    return " ".join(f"{text.subject} {text.text}".split())


class _Inline(HTMLParser):
    """Collects what a strict policy would block: code and styles inside the page, and addresses elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not str(given.get("src") or "").startswith("/static/")):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        self.found += [
            f"{tag} {value}" for value in given.values() if str(value).strip().lower().startswith("javascript:")
        ]
        if tag in ("img", "iframe", "object", "embed") and not str(given.get("src") or "/").startswith("/"):
            self.found.append(f"<{tag} {given}>")


def inline_code(response: TestResponse) -> list[str]:
    """Everything in the page that would run or style it from inside; must be empty."""
    return _Inline(response.get_data(as_text=True)).found


def token_of(page: str) -> str:
    """The CSRF token of a page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]


def picture(size: tuple[int, int] = (40, 30)) -> io.BytesIO:
    """A small photo."""
    out = io.BytesIO()
    Image.new("RGB", size, "navy").save(out, "JPEG")
    out.seek(0)
    return out


class Customer:
    """Somebody with a browser. ``post`` takes the token from the page that has the form."""

    def __init__(self, client: FlaskClient, address: str = "203.0.113.7") -> None:
        self.client, self.address = client, address

    def get(self, path: str, **more: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, environ_overrides={"REMOTE_ADDR": self.address}, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, *, form: str | None = None) -> TestResponse:
        """Send the form of the page ``form`` (default: the same address)."""
        page = self.get(form or path).get_data(as_text=True)
        return self.send(path, {"csrf_token": token_of(page), **(data or {})})

    def send(self, path: str, data: dict[str, Any]) -> TestResponse:
        """Send exactly this, and look at the page that says what is wrong with it, as a browser does."""
        answer = self.client.post(path, data=data, environ_overrides={"REMOTE_ADDR": self.address})
        kept = answer.status_code == 303 and answer.headers["Location"].startswith("/kept/")
        return self.get(answer.headers["Location"]) if kept else answer

    def find(self, number: str = "WH-20418", proof: str = EMAIL, path: str = "/") -> TestResponse:
        """Look an order up."""
        return self.post(path, {"order_number": number, "proof": proof})

    def choose(self, *lines: int, number: str = "WH-20418", **quantities: str) -> TestResponse:
        """Tick lines; ``quantity_2="2"`` sets a quantity."""
        data: dict[str, Any] = {"line": [str(each) for each in lines]}
        data |= {name.replace("_", "-"): value for name, value in quantities.items()}
        return self.post(f"/order/{number}/items", data)

    def answer(
        self, line: int, reason: str = "changed-mind", outcome: str = "refund", number: str = "WH-20418", **more: Any
    ) -> TestResponse:
        """Answer the questions about one item and go on."""
        data = {"reason": reason, "shown": reason, "outcome": outcome, "step": "continue", **more}
        path = f"/order/{number}/item/{line}"
        self.post(path, {"reason": reason, "step": "show"})
        return self.post(path, data)

    def send_with(self, method: str = "qr", number: str = "WH-20418") -> TestResponse:
        """Choose how it travels."""
        return self.post(f"/order/{number}/send", {"method": method})

    def review_form(self, number: str = "WH-20418") -> dict[str, str]:
        """The hidden fields of the review."""
        page = self.get(f"/order/{number}/review").get_data(as_text=True)
        names = ("csrf_token", "draft", "shown_total")
        return {name: m[1] for name in names if (m := re.search(rf'name="{name}" value="([^"]*)"', page))}

    def book(self, number: str = "WH-20418", **changed: str) -> TestResponse:
        """Press "Book my return"."""
        return self.send(f"/order/{number}/review", self.review_form(number) | changed)

    def book_shirt(self, number: str = "WH-20418", method: str = "qr") -> str:
        """One shirt back for a refund, from the look-up to the booking; the return's number."""
        self.find(number)
        self.choose(2, number=number)
        self.answer(2, number=number)
        self.send_with(method, number=number)
        booked = self.book(number)
        assert booked.status_code == 303, text_of(booked)
        return booked.headers["Location"].split("/")[2]

    def ask(self, note: str = "Still sealed", number: str = "WH-20418") -> str:
        """Ask about the socks, which cannot simply come back, from the look-up to the question; the return's number."""
        self.find(number)
        self.post(f"/order/{number}/items", {"ask": "5"})
        return self.answer(5, number=number, note=note).headers["Location"].split("/")[2]
