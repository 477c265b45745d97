"""From the look-up to the booking: every page, and the money that is shown is the money that is booked."""

from __future__ import annotations

from collections.abc import Callable

from tests.web.customer.desk import Customer, Desk, picture, text_of

Make = Callable[[], Customer]


def test_the_sample_return_is_shown_and_booked_with_the_amounts_of_the_design(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    found = priya.find("#wh-20418 ", "Priya.Nair@Example.com")
    assert (found.status_code, found.headers["Location"]) == (303, "/order/WH-20418/items")
    items = text_of(priya.get("/order/WH-20418/items"))
    assert "Until Sat 28 Nov 2026 · 11 days left" in items
    assert "The 30 days ended on 12 November 2026. It was delivered on 13 October 2026." in items
    assert "Final sale." in items
    assert "for hygiene reasons" in items

    chosen = priya.choose(1, 2)
    assert chosen.headers["Location"] == "/order/WH-20418/item/1"
    shown = priya.post("/order/WH-20418/item/1", {"reason": "too-small", "step": "show"})
    assert shown.headers["Location"] == "/order/WH-20418/item/1#outcome"
    page = text_of(priya.get("/order/WH-20418/item/1"))
    assert "Item 1 of 2 Merino crew jumper" in page
    assert "Add a photo of the tags" in page
    assert "We need one for items over £75." in page
    assert "10% bonus on £80.10 +£8.01 Store credit £88.11" in page
    assert "To Visa ending 4242. £3.50 comes off for the label, once for the whole return. £76.60" in page
    assert "You get £88.11 £76.60" in page
    assert "Continue to item 2" in page

    done = priya.answer(1, "too-small", "store_credit", photo=(picture(), "tags.jpg"), note="Sleeves too short")
    assert done.headers["Location"] == "/order/WH-20418/item/2"
    assert priya.answer(2).headers["Location"] == "/order/WH-20418/send"
    send = text_of(priya.get("/order/WH-20418/send"))
    assert "Both items go in one parcel. Drop it off by Tuesday 1 December 2026 ." in send
    assert "£3.50 comes off for the label. Store credit and exchanges send free." in send
    assert "Store credit £88.11 Refund £57.60 Return label −£3.50 You get £142.21" in send
    assert priya.send_with("qr").headers["Location"] == "/order/WH-20418/review"
    review = text_of(priya.get("/order/WH-20418/review"))
    assert "Merino crew jumper £80.10 10% credit bonus +£8.01 Store credit £88.11" in review
    assert "Brushed flannel shirt £57.60 Return label −£3.50 Refund to Visa ending 4242 £54.10" in review
    assert "Credit £88.11 · Refund £54.10 £142.21" in review
    assert "QR code, Northway Post" in review
    assert "1 photo added." in review

    booked = priya.book()
    (return_,) = desk.returns
    assert booked.headers["Location"] == f"/returns/{return_.rma}/booked"
    assert return_.quote["total"] == {"amount": 14221, "currency": "GBP"}
    assert return_.status == "authorized"
    assert (return_.email, return_.ship_with) == ("priya.nair@example.com", "qr")
    page = text_of(priya.get(booked.headers["Location"]))
    assert "Your return is booked" in page
    assert "Drop off by Tuesday 1 December 2026" in page
    assert "14 days left" in page
    assert "You get £142.21" in page
    status = text_of(priya.get(f"/returns/{return_.rma}"))
    assert "You’re owed £142.21" in status
    assert "Waiting for your parcel By Tue 1 Dec 2026" in status
