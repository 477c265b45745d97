"""Booking: once, for the amount that was shown, and only by who may."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from portal.config import ROOT
from portal.notices.models import Notice
from portal.orders.models import Order, OrderLine, Variant
from portal.policybook.service import publish
from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, inline_code, line, picture, text_of, written

Make = Callable[[], Customer]
REVIEW = "/order/WH-20418/review"


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    """Somebody who stands before the review with one shirt."""
    desk.order()
    made = customer()
    made.find()
    made.choose(2)
    made.answer(2)
    made.send_with()
    return made


def test_the_same_press_again_and_a_reload_book_nothing_twice(desk: Desk, priya: Customer) -> None:
    form = priya.review_form()
    first, second = priya.send(REVIEW, form), priya.send(REVIEW, form)
    assert first.headers["Location"] == second.headers["Location"]
    for _ in range(2):
        assert priya.get(first.headers["Location"]).status_code == 200
    assert len(desk.returns) == 1
    assert priya.get(REVIEW).headers["Location"] == first.headers["Location"]


def test_two_presses_at_the_same_moment_are_one_return(desk: Desk, priya: Customer) -> None:
    form = priya.review_form()
    cookie = priya.client.get_cookie("portal")
    assert cookie is not None

    def press(_: int) -> tuple[int, str]:
        other = Customer(desk.app.test_client())
        other.client.set_cookie("portal", cookie.value)
        answer = other.send(REVIEW, form)
        return answer.status_code, answer.headers.get("Location", "")

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(press, range(4)))
    (return_,) = desk.returns
    assert answers == {(303, f"/returns/{return_.rma}/booked")}


def test_an_amount_that_changed_books_nothing_and_shows_the_new_one(desk: Desk, priya: Customer) -> None:
    form = priya.review_form()
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(OrderLine).where(OrderLine.position == 2).values(gross_minor=10_000))
    away = priya.send(REVIEW, form)
    assert away.headers["Location"] == REVIEW
    text = text_of(priya.get(REVIEW))
    assert "The amount has changed since it was shown. Nothing was booked." in text
    assert desk.returns == []
    assert priya.book().status_code == 303
    assert len(desk.returns) == 1


@pytest.mark.parametrize("total", ["", "0", "-5410", "5410.00", "x", "9" * 40])
def test_a_total_that_nobody_was_shown_books_nothing(desk: Desk, priya: Customer, total: str) -> None:
    assert priya.book(shown_total=total).headers["Location"] == REVIEW
    assert desk.returns == []


def test_an_old_tab_books_nothing_of_the_return_that_was_begun_since(desk: Desk, priya: Customer) -> None:
    old = priya.review_form()
    priya.send(REVIEW, old)
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    away = priya.send(REVIEW, old)
    assert away.headers["Location"] == REVIEW
    assert len(desk.returns) == 1


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("in_transit", "We send it when you’ve handed the parcel over."),
        ("received", "We send it when your parcel has reached us."),
        ("inspected", "We check your parcel within 2 working days of its arrival, then we send it."),
    ],
)
def test_when_the_money_comes_is_the_same_sentence_on_the_page_and_in_the_mail(
    desk: Desk, customer: Make, when: str, said: str
) -> None:
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    desk.publish(text.replace("refund_when: received", f"refund_when: {when}", 1))
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    assert f"£54.10 to Visa ending 4242. {said} Banks take 5 to 10 working days." in text_of(
        priya.get(f"/returns/{rma}/booked")
    )
    # The status page has a step for the check only where the money waits for it.
    assert ("We check it" in text_of(priya.get(f"/returns/{rma}"))) is (when == "inspected")
    desk.work("send_notice")
    folder = Path(desk.ports.config.mail_url.removeprefix("file:"))
    (mail,) = folder.glob("*.eml")
    body = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default).get_body(("plain",))
    assert body is not None
    assert f"You get £54.10. {said}" in " ".join(body.get_content().split())


def test_without_its_token_or_its_session_nothing_is_booked(desk: Desk, priya: Customer, customer: Make) -> None:
    form = priya.review_form()
    assert priya.send(REVIEW, {**form, "csrf_token": ""}).status_code == 400
    stranger = customer()
    stranger.get("/")
    assert stranger.send(REVIEW, form).status_code == 400
    token = {"csrf_token": re.search(r'csrf_token" value="([^"]+)"', stranger.get("/").get_data(as_text=True))[1]}  # type: ignore[index]
    away = stranger.send(REVIEW, form | token)
    assert away.headers["Location"] == "/?order=WH-20418&then=review"
    assert desk.returns == []


def test_an_exchange_that_sold_out_meanwhile_is_said_and_nothing_is_booked(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Jumper", 5000, SECOND_PARCEL, product="jumper", sku="J-M")])
    desk.variant("J-M", "Navy, size M", price=5000)
    desk.variant("J-L", "Navy, size L", price=5000, stock=1)
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.answer(1, "too-small", "exchange", sku="J-L")
    priya.send_with()
    form = priya.review_form()
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Variant).where(Variant.sku == "J-L").values(reserved=1))
    away = priya.send(REVIEW, form)
    assert away.headers["Location"].startswith("/order/WH-20418/item/1")
    assert "sold out meanwhile. Nothing was booked" in text_of(priya.get(away.headers["Location"]))
    assert desk.returns == []


def test_a_window_that_closed_at_midnight_shows_the_item_again(desk: Desk, customer: Make) -> None:
    desk.moment.move_to("2026-11-28T23:30:00Z")
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    form = priya.review_form()
    desk.moment.shift(timedelta(hours=1))
    away = priya.send(REVIEW, form)
    assert away.headers["Location"] == "/order/WH-20418/item/2"
    assert "The 30 days ended on 28 November 2026." in text_of(priya.get("/order/WH-20418/item/2"))
    assert desk.returns == []


def test_review_sends_back_to_the_first_thing_that_is_missing(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    assert priya.get(REVIEW).headers["Location"] == "/order/WH-20418/items"
    assert priya.get("/order/WH-20418/send").headers["Location"] == "/order/WH-20418/items"
    priya.choose(1, 2)
    assert priya.get(REVIEW).headers["Location"] == "/order/WH-20418/item/1"
    priya.answer(1, "too-small", "refund", photo=(picture(), "tags.jpg"))
    assert priya.get("/order/WH-20418/send").headers["Location"] == "/order/WH-20418/item/2"
    priya.answer(2)
    assert priya.get(REVIEW).headers["Location"] == "/order/WH-20418/send"
    nothing = priya.post("/order/WH-20418/send", {"method": "pigeon"})
    assert nothing.status_code == 422
    assert text_of(nothing).count("Select how you will send it back") == 2


def test_a_change_from_the_review_returns_to_the_review(priya: Customer) -> None:
    page = priya.get(REVIEW).get_data(as_text=True)
    change = re.search(r'href="(/order/WH-20418/item/2\?back=review)"', page)
    assert change
    priya.post(change[1], {"reason": "too-large", "step": "show"})
    data = {"reason": "too-large", "shown": "too-large", "outcome": "store_credit", "step": "continue"}
    assert priya.post(change[1], data).headers["Location"] == REVIEW
    seen = text_of(priya.get(REVIEW))
    assert "Brushed flannel shirt £57.60 10% credit bonus +£5.76 Store credit £63.36" in seen


def test_updates_go_where_the_customer_wants_them(desk: Desk, priya: Customer) -> None:
    path = "/order/WH-20418/updates"
    wrong = priya.post(path, {"email": "not an address"})
    assert wrong.status_code == 422
    assert text_of(wrong).count("Enter an e-mail address in the right form, like name@example.com") == 2
    assert priya.post(path, {"email": "other@example.com"}).headers["Location"] == REVIEW
    priya.book()
    assert desk.returns[0].email == "other@example.com"


def test_what_may_be_kept_is_not_sent_and_the_step_is_skipped(desk: Desk, customer: Make) -> None:
    text = (
        (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8").replace("keep_item: false", "keep_item: true")
    )
    desk.moment.shift(1)
    with desk.ports.database.transaction() as tx:
        publish(tx, text, filename="kept.yaml", author="Maya Okafor")
    desk.order("WH-7", [line(1, "Mug", 1000, SECOND_PARCEL)])
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Order).values(placed_at=tx.at))
    priya = customer()
    priya.find("WH-7")
    priya.choose(1, number="WH-7")
    assert priya.answer(1, number="WH-7").headers["Location"] == "/order/WH-7/send"
    assert priya.get("/order/WH-7/send").headers["Location"] == "/order/WH-7/review"
    assert "You don’t need to send anything back." in text_of(priya.get("/order/WH-7/review"))
    booked = priya.book("WH-7")
    text = text_of(priya.get(booked.headers["Location"]))
    assert "Keep the items" in text
    assert "QR" not in text
    assert priya.get(booked.headers["Location"].replace("booked", "label.pdf")).status_code == 404


def test_goods_for_a_shop_are_told_where_and_when_and_of_no_parcel(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2, quantity_2="2")
    priya.answer(2)
    where = "Wren & Harbour, Quay Street: 3 Quay Street, Bristol BS1 4DJ."
    assert where in text_of(priya.get("/order/WH-20418/send"))
    priya.send_with("shop")
    assert "We send it when you’ve handed the items in." in text_of(priya.get(REVIEW))
    rma = priya.book().headers["Location"].split("/")[2]
    page = text_of(priya.get(f"/returns/{rma}/booked"))
    for said in (
        "Wren & Harbour, Quay Street 3 Quay Street, Bristol BS1 4DJ Open Monday to Saturday 10 to 18, Sunday 11 to 16",
        "41 Milsom Street, Bath BA1 1DN", "Hand it in by", "Bring all 2 items", "until you hand it in",
    ):  # fmt: skip
        assert said in page
    status = text_of(priya.get(f"/returns/{rma}"))
    assert "Hand it in by Tuesday" in status
    assert "Waiting for your items" in status
    (notice,) = desk.rows(Notice)
    mail = " ".join(written(desk, notice).split())
    for said in (
        "Wren & Harbour, Quay Street 3 Quay Street, Bristol BS1 4DJ Monday to Saturday 10 to 18, Sunday 11 to 16",
        "Bring the items with their tags on.", "We send it when you’ve handed the items in.",
    ):  # fmt: skip
        assert said in mail
    assert "parcel" not in (page + status.replace("Keep the receipt", "") + mail).casefold()


def test_a_shop_that_names_no_address_offers_nobody_to_come(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    desk.app.extensions["portal"] = replace(desk.ports, shop=desk.ports.shop.model_copy(update={"shops": ()}))
    page = text_of(priya.get("/order/WH-20418/send"))
    assert "Show a QR code" in page
    assert "at a shop" not in page
    assert priya.send_with("shop").status_code == 422
    priya.send_with("qr")
    assert priya.book().status_code == 303


@pytest.mark.parametrize("method", ["qr", "label", "shop"])
def test_every_way_has_its_own_confirmation(desk: Desk, customer: Make, method: str) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt(method=method)
    page = priya.get(f"/returns/{rma}/booked")
    text = text_of(page)
    assert {
        "qr": "Show this at a Northway Post drop-off",
        "label": "Print this label",
        "shop": "Show this in the shop",
    }[method] in text
    assert f"/returns/{rma}/qr.png" in page.get_data(as_text=True)
    assert ("label.pdf" in page.get_data(as_text=True)) == (method != "shop")
    assert inline_code(page) == []


def test_the_fee_falls_away_where_no_label_is_made(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt(method="shop")
    total = desk.find(rma).quote["total"]["amount"]
    review = text_of(priya.get(f"/returns/{rma}"))
    assert (total, f"£{total / 100:.2f}" in review) == (5760, True)
