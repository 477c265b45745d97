"""What a policy says beside answer and money reaches the customer: its message, and where the parcel goes."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from pypdf import PdfReader

from portal.config import ROOT
from tests.web.customer.desk import Customer, Desk, text_of

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
