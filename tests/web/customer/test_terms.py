"""What a policy says beside answer and money reaches the customer: its message, and where the parcel goes."""

from __future__ import annotations

import io
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pypdf import PdfReader

from portal.config import ROOT
from portal.notices.models import Notice
from portal.orders.models import Order
from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, line, text_of, written

Make = Callable[[], Customer]
DEFAULT = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
TOLD = "Remove the batteries first."
MORE = f"  message: {TOLD}\n  destination: Returns depot 4\n"


def paper(customer: Customer, path: str) -> str:
    answer = customer.get(path)
    assert answer.status_code == 200
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    desk.publish(DEFAULT.replace("ship_with: [qr, label, shop]", "ship_with: [qr, label, own]") + MORE)
    desk.order()
    return customer()


def test_the_message_stands_with_the_item_and_with_the_booking(priya: Customer) -> None:
    priya.find()
    priya.choose(2)
    priya.answer(2)
    assert TOLD in text_of(priya.get("/order/WH-20418/item/2"))
    priya.send_with()
    booked = priya.book().headers["Location"]
    assert f"Brushed flannel shirt {TOLD}" in text_of(priya.get(booked))


@pytest.mark.parametrize("method", ["label", "own"])
def test_the_parcel_goes_to_the_place_that_the_policy_names(desk: Desk, priya: Customer, method: str) -> None:
    rma = priya.book_shirt(method=method)
    shop = desk.ports.shop
    if method == "label":
        assert "Returns depot 4" in paper(priya, f"/returns/{rma}/label.pdf")
    else:
        address = f"{shop.warehouse.name} Returns depot 4 {shop.warehouse.lines[0]}"
        assert address in text_of(priya.get(f"/returns/{rma}/booked"))
    assert "Returns depot 4" in paper(priya, f"/returns/{rma}/packing-slip.pdf")


def test_what_is_given_away_is_asked_for_on_every_page_and_written_down(desk: Desk, customer: Make) -> None:
    desk.publish(DEFAULT.replace("keep_item: false", "keep_item: true") + "  donate: true\n")
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    asked = "Please give it to somebody who can use it."
    assert f"You don’t need to send it back {asked}" in text_of(priya.get("/order/WH-20418/item/2"))
    assert "Ready to spend as soon as we agree." in text_of(priya.get("/order/WH-20418/item/2"))
    assert asked in text_of(priya.get("/order/WH-20418/review"))
    booked = priya.book().headers["Location"]
    assert f"Brushed flannel shirt {asked}" in text_of(priya.get(booked))
    (line,) = desk.find(booked.split("/")[2]).lines
    assert (line.disposition, line.received_quantity) == ("donate", 0)
    desk.work("send_notice")
    (mail,) = Path(desk.ports.config.mail_url.removeprefix("file:")).rglob("*.eml")
    body = message_from_bytes(mail.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body is not None
    assert asked in body.get_content()


def test_what_has_to_come_back_is_not_given_away(desk: Desk, customer: Make) -> None:
    desk.publish(DEFAULT + "  donate: true\n")
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    assert desk.find(rma).lines[0].disposition is None
    assert "somebody who can use it" not in text_of(priya.get(f"/returns/{rma}/booked"))


def test_a_dearer_article_goes_out_evenly_as_far_as_the_policy_says_and_a_cheaper_one_never(
    desk: Desk, customer: Make
) -> None:
    desk.publish(DEFAULT.replace("{over: 75 GBP}", "{over: 750 GBP}") + "  exchange_bonus: 10%\n")
    desk.order()
    for sku, label, price in (
        ("J-L", "Navy, size L", 8900),
        ("J-XL", "Navy, size XL", 9790),
        ("J-XXL", "Navy, size XXL", 9791),
        ("J-S", "Navy, size S", 8899),
    ):
        desk.variant(sku, label, price=price)
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "too-small", "step": "show"})
    page = text_of(priya.get("/order/WH-20418/item/1"))
    assert "Navy, size L" in page
    assert "Navy, size XL" in page
    assert "size XXL" not in page
    assert "size S" not in page
    assert "Nothing to pay, even where it costs more." in page
    priya.answer(1, "too-small", "exchange", sku="J-XL")
    priya.send_with()
    rma = priya.book().headers["Location"].split("/")[2]
    assert desk.find(rma).quote["total"]["amount"] == 0
    desk.receive(rma)
    (sent,) = [each for each in desk.rows(Order) if each.replaces_return_id is not None]
    # The replacement is worth what was paid for what came back, so that it can never give back more.
    assert sent.total_minor == 8900 - 890


def test_items_that_go_to_different_places_are_two_parcels(desk: Desk, customer: Make) -> None:
    apart = "  - rule: Jackets\n    when: {item.sku: SKU-3}\n    set: {destination: Cleaning}\n"
    desk.publish(DEFAULT.replace("otherwise: #", apart + "\notherwise: #"))
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2, 3)
    for each in (2, 3):
        priya.answer(each)
    assert "starting with some of them" in text_of(priya.get("/order/WH-20418/send"))


def test_what_is_worth_nothing_after_its_label_is_said_to_be_so_before_it_is_booked_and_never_refunded(
    desk: Desk, customer: Make
) -> None:
    desk.order(lines=[line(1, "Pin", 250, SECOND_PARCEL), line(2, "Jumper", 8900, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.answer(1)
    priya.send_with()
    nothing = "After label and fees nothing is left to pay out."
    assert nothing in text_of(priya.get("/order/WH-20418/review"))
    booked = priya.book().headers["Location"]
    page = text_of(priya.get(booked))
    assert f"You get £0.00 {nothing}" in page
    assert "exchange" not in page
    mail = written(desk, desk.rows(Notice)[-1])
    assert "You get nothing for it: after label and fees nothing is left to pay out." in mail
    rma = booked.split("/")[2]
    waiting = text_of(priya.get(f"/returns/{rma}"))
    assert "You get £0.00" in waiting
    assert "Return label −£2.50" in waiting
    assert "your money" not in waiting
    desk.receive(rma)
    assert desk.find(rma).status == "closed"
    for address in (f"/returns/{rma}", "/order/WH-20418/returns"):
        seen = text_of(priya.get(address))
        assert "Closed" in seen
        assert "Refunded" not in seen
