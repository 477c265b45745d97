"""One item: outcomes follow the reason, amounts come before the choice, photos are safe and private."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image
from sqlalchemy import select, update

from portal.config import ROOT
from portal.orders.incoming import MAX_SKU
from portal.orders.models import Order, OrderLine
from portal.returns.models import ReturnLine
from portal.returns.photos import Encoded
from tests.web.customer.desk import EMAIL, SECOND_PARCEL, Customer, Desk, inline_code, line, picture, text_of

Make = Callable[[], Customer]
MULTIPART = "multipart/form-data; boundary=x"
JUMPER = "/order/WH-20418/item/1"
SHIRT = "/order/WH-20418/item/2"


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    """Somebody who has chosen jumper and shirt."""
    desk.order()
    made = customer()
    made.find()
    made.choose(1, 2)
    return made


def test_before_a_reason_there_is_no_outcome_and_after_it_none_is_selected(priya: Customer) -> None:
    first = text_of(priya.get(SHIRT))
    assert "What would you like" not in first
    assert "Show what I get" in first
    priya.post(SHIRT, {"reason": "changed-mind", "step": "show"})
    page = priya.get(SHIRT).get_data(as_text=True)
    outcomes = re.findall(r'<input[^>]*name="outcome"[^>]*>', page)
    assert len(outcomes) == 2
    assert not any(" checked" in each for each in outcomes)
    assert inline_code(priya.get(SHIRT)) == []


def test_going_on_without_having_seen_the_outcomes_shows_them_first(priya: Customer) -> None:
    away = priya.post(SHIRT, {"reason": "changed-mind", "shown": "", "step": "continue"})
    assert away.headers["Location"] == f"{SHIRT}#outcome"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Select a reason"),
        ({"reason": "no-such-reason"}, "Select a reason"),
        ({"reason": "too-small", "shown": "too-small"}, "Select what you would like"),
        ({"reason": "too-small", "shown": "too-small", "outcome": "a-pony"}, "Select what you would like"),
        ({"reason": "too-small", "shown": "too-small", "outcome": "exchange"}, "Select what you would like"),
    ],
)
def test_what_is_missing_is_said_at_the_top_and_at_the_field(
    priya: Customer, data: dict[str, str], message: str
) -> None:
    answer = priya.post(SHIRT, data | {"step": "continue", "note": "kept words"})
    assert answer.status_code == 422
    assert text_of(answer).count(message) == 2
    assert "kept words" in answer.get_data(as_text=True)


def test_another_reason_asks_for_the_outcome_again(priya: Customer) -> None:
    priya.answer(2, "changed-mind", "refund")
    priya.post(SHIRT, {"reason": "too-small", "outcome": "refund", "step": "show"})
    page = priya.get(SHIRT).get_data(as_text=True)
    assert not re.search(r'<input[^>]*name="outcome"[^>]* checked', page)
    assert re.search(r'value="too-small"[^>]* checked', page)


def test_a_photo_that_a_rule_asks_for_is_missed_then_shown_and_can_be_taken_out(desk: Desk, priya: Customer) -> None:
    missing = priya.answer(1, "too-small", "refund")
    assert missing.status_code == 422
    assert text_of(missing).count("Add a photo of the tags") == 3
    added = priya.post(JUMPER, {"reason": "too-small", "outcome": "refund", "photo": (picture(), "tags.jpg")})
    assert added.headers["Location"] == f"{JUMPER}#photo-add"
    page = priya.get(JUMPER).get_data(as_text=True)
    assert "1 photo added, tags.jpg" in text_of(priya.get(JUMPER))
    assert re.search(r'value="refund"[^>]* checked', page), "what was chosen is kept"
    (photo,) = desk.photos
    shown = priya.get(f"/photo/{photo.key.removeprefix('photos/')}")
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    priya.post(JUMPER, {"remove_photo": str(photo.id)})
    assert desk.photos == []
    assert priya.get(f"/photo/{photo.key.removeprefix('photos/')}").status_code == 404


def test_a_photo_is_written_anew_without_what_the_phone_put_in(desk: Desk, priya: Customer) -> None:
    picture_ = Image.new("RGB", (60, 40), "red")
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "SecretPhone", {1: "N"}
    data = io.BytesIO()
    picture_.save(data, "JPEG", exif=exif)
    data.seek(0)
    priya.post(JUMPER, {"reason": "too-small", "photo": (data, "../../etc/passwd.jpg")})
    (photo,) = desk.photos
    stored = desk.ports.files.get(photo.key)
    assert b"SecretPhone" not in stored
    assert not Image.open(io.BytesIO(stored)).getexif()
    assert photo.file_name == "passwd.jpg"


def test_photos_beyond_what_a_form_may_carry_lead_back_to_the_form(
    desk: Desk, priya: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(desk.app.config, "MAX_CONTENT_LENGTH", 10_000)
    for query in ("", "?back=review"):
        body = io.BytesIO(b"x" * 20_000)
        refused = priya.client.post(JUMPER + query, input_stream=body, content_type=MULTIPART)
        assert refused.status_code == 413
        assert "35 MB with all photos" in text_of(refused)
        assert "Nothing of this form was saved" in text_of(refused)
        assert f'href="{JUMPER}{query}"' in refused.text
        # Read to the end, for a browser that still sends shows no page.
        assert body.read() == b""
    assert desk.photos == []


@pytest.mark.parametrize(
    ("referrer", "link"),
    [("http://localhost/returns/R-1", "/returns/R-1"),
     ("http://evil.example/x", "/"), ("http://localhost//evil.example", "/"), ("", "/")],
)  # fmt: skip
def test_what_is_too_large_leads_back_to_a_page_of_this_site_alone(
    desk: Desk, priya: Customer, monkeypatch: pytest.MonkeyPatch, referrer: str, link: str
) -> None:
    monkeypatch.setitem(desk.app.config, "MAX_CONTENT_LENGTH", 10)
    address = "/returns/R-1/answer"
    refused = priya.client.post(address, data=b"x" * 20, content_type=MULTIPART, headers={"Referer": referrer})
    assert refused.status_code == 413
    assert re.findall(r'<a class="btn[^>]*href="([^"]*)"', refused.text) == [link]


def test_a_photo_is_nobody_elses(desk: Desk, priya: Customer, customer: Make) -> None:
    priya.post(JUMPER, {"reason": "too-small", "photo": (picture(), "tags.jpg")})
    (photo,) = desk.photos
    address = f"/photo/{photo.key.removeprefix('photos/')}"
    stranger = customer()
    assert stranger.get(address).status_code == 404
    stranger.find(proof=EMAIL)
    assert stranger.get(address).status_code == 404, (
        "not even for the same order in another browser before it is booked"
    )
    assert stranger.get("/photo/nothing-like-it.jpg").data == stranger.get("/photo/also-nothing.jpg").data


def test_upload_without_a_photo_says_so(priya: Customer) -> None:
    priya.post(JUMPER, {"reason": "too-small", "step": "show"})
    answer = priya.post(JUMPER, {"reason": "too-small", "shown": "too-small", "note": "still here", "step": "photo"})
    assert answer.status_code == 422
    assert "Choose a photo, then select “Upload”" in text_of(answer)
    assert "still here" in answer.get_data(as_text=True)


def test_answers_can_be_kept_for_later_on_a_phone_too(priya: Customer) -> None:
    page = priya.get(JUMPER).get_data(as_text=True)
    assert re.search(r'class="[^"]*only-narrow[^"]*">[^<]*<button[^>]* value="later"', page)


def test_an_article_of_which_too_little_is_there_says_how_many_are(desk: Desk, customer: Make) -> None:
    desk.order("WH-8", [line(1, "Shirt", 5000, SECOND_PARCEL, 3, product="shirt", sku="S-M")])
    desk.variant("S-S", "Small", product="shirt", price=5000, stock=1)
    desk.variant("S-L", "Large", product="shirt", price=5000, stock=5)
    desk.variant("S-XL", "Extra large", product="shirt", price=5000, stock=0)
    somebody = customer()
    somebody.find("WH-8")
    somebody.choose(1, number="WH-8", quantity_1="3")
    somebody.post("/order/WH-8/item/1", {"reason": "too-small", "step": "show"})
    text = text_of(somebody.get("/order/WH-8/item/1"))
    assert "Small only 1 left" in text
    assert text.count("out of stock") == 1


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"<html>no photo</html>", "page.jpg", "page.jpg can’t be read as a photo"),
        (b"", "empty.png", "empty.png is empty"),
        (b"\xff\xd8" + b"0" * (10 * 1024 * 1024), "huge.jpg", "huge.jpg is larger than 10 MB. Choose a smaller photo"),
    ],
)
def test_what_is_no_photo_is_named_and_answers_are_kept(
    desk: Desk, priya: Customer, data: bytes, name: str, message: str
) -> None:
    priya.post(JUMPER, {"reason": "too-small", "step": "show"})
    answer = priya.post(JUMPER, {"reason": "too-small", "note": "still here", "photo": (io.BytesIO(data), name)})
    assert answer.status_code == 422
    assert text_of(answer).count(message) == 2
    assert "still here" in answer.get_data(as_text=True)
    assert desk.photos == []


def test_nothing_of_the_database_waits_while_a_photo_is_drawn_anew(desk: Desk, priya: Customer) -> None:
    in_use: list[int] = []

    class Watched:
        def reencode(self, data: bytes, file_name: str) -> Encoded:
            in_use.append(desk.ports.database.engine.pool.checkedout())  # type: ignore[attr-defined]
            return desk.ports.photos.reencode(data, file_name)

    desk.app.extensions["portal"] = replace(desk.ports, photos=Watched())
    priya.post(JUMPER, {"reason": "too-small", "photo": (picture(), "tags.jpg")})
    assert in_use == [0]
    assert len(desk.photos) == 1


def test_three_photos_and_no_more(desk: Desk, priya: Customer) -> None:
    for number in range(3):
        priya.post(JUMPER, {"reason": "too-small", "photo": (picture(), f"{number}.jpg")})
    answer = priya.post(JUMPER, {"reason": "too-small", "photo": (picture(), "4.jpg")})
    assert answer.status_code == 422
    assert "You can add up to 3 photos" in text_of(answer)
    assert len(desk.photos) == 3


def test_a_sku_that_is_too_long_is_not_cut_to_that_of_another_article(desk: Desk, priya: Customer) -> None:
    desk.variant("L" * MAX_SKU, "Navy, size L")
    priya.post(JUMPER, {"reason": "too-small", "step": "show", "photo": (picture(), "tags.jpg")})
    choose = {"reason": "too-small", "shown": "too-small", "outcome": "exchange", "step": "continue"}
    assert priya.post(JUMPER, choose | {"sku": f"{'L' * MAX_SKU}-RED"}).status_code == 422
    assert priya.post(JUMPER, choose | {"sku": "L" * MAX_SKU}).headers["Location"] == SHIRT


def test_an_exchange_offers_what_is_in_stock_at_the_same_price(desk: Desk, priya: Customer) -> None:
    desk.variant("J-M", "Navy, size M")
    desk.variant("J-L", "Navy, size L", stock=1)
    desk.variant("J-XS", "Navy, size XS", stock=0)
    desk.variant("J-R", "Rust, size L", price=9500)
    priya.post(JUMPER, {"reason": "too-small", "step": "show", "photo": (picture(), "tags.jpg")})
    page = priya.get(JUMPER)
    text = text_of(page)
    # The very size that is too small is no choice, and one is named instead of counted.
    assert "Navy, size L is in stock. Nothing to pay." in text
    assert "Navy, size M" not in text.partition("What would you like instead?")[2]
    assert "Navy, size XS" in text
    assert "Rust" not in text
    assert re.search(r'value="J-XS"[^>]* disabled', page.get_data(as_text=True))
    choose = {"reason": "too-small", "shown": "too-small", "outcome": "exchange", "step": "continue"}
    assert text_of(priya.post(JUMPER, choose)).count("Select what we should send you instead") == 2
    assert priya.post(JUMPER, choose | {"sku": "J-R"}).status_code == 422
    assert priya.post(JUMPER, choose | {"sku": "J-XS"}).status_code == 422
    assert priya.post(JUMPER, choose | {"sku": "J-L"}).headers["Location"] == SHIRT
    priya.answer(2)
    priya.send_with()
    review = text_of(priya.get("/order/WH-20418/review"))
    assert "Exchange for Navy, size L" in review
    assert "1 exchange, nothing to pay" in review


def test_an_exchange_alone_promises_no_amount_and_says_when_it_is_sent(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Scarf", 3000, SECOND_PARCEL, product="scarf", sku="S-1")])
    desk.variant("S-2", "Rust", product="scarf", price=3000)
    somebody = customer()
    somebody.find()
    somebody.choose(1)
    somebody.answer(1, "too-small", "exchange", sku="S-2")
    somebody.send_with()
    review = text_of(somebody.get("/order/WH-20418/review"))
    assert "Exchange Nothing to pay Book my return" in review
    assert "£0.00" not in review
    booked = text_of(somebody.get(somebody.book().headers["Location"]))
    assert "You get your exchange We send it when your parcel has reached us." in booked
    (back,) = desk.returns
    desk.receive(back.rma)
    page = text_of(somebody.get(f"/returns/{back.rma}"))
    assert "Your exchange is ordered" in page
    assert "Exchange ordered" in page
    assert "on its way" not in page
    with desk.ports.database.transaction() as tx:
        replacement = select(Order.id).where(Order.replaces_return_id == back.id).scalar_subquery()
        tx.session.execute(update(OrderLine).where(OrderLine.order_id == replacement).values(shipped_at=tx.at))
    page = text_of(somebody.get(f"/returns/{back.rma}"))
    assert "Your exchange is on its way" in page
    assert "Exchange sent" in page


def test_a_faulty_article_can_be_exchanged_for_the_same_again(desk: Desk, priya: Customer) -> None:
    desk.variant("J-M", "Navy, size M")
    desk.variant("J-L", "Navy, size L")
    priya.post(JUMPER, {"reason": "faulty", "step": "show"})
    text = text_of(priya.get(JUMPER))
    assert "2 choices in stock. Nothing to pay." in text
    assert "Navy, size M" in text.partition("What would you like instead?")[2]


def test_the_amounts_of_every_outcome_stand_side_by_side_to_the_penny(priya: Customer) -> None:
    priya.post(JUMPER, {"reason": "too-small", "step": "show"})
    text = text_of(priya.get(JUMPER))
    assert (
        "Item price £89.00 £89.00 Discount −£8.90 −£8.90 Return label, once for the whole return Free −£3.50 "
        "Bonus +£8.01 — You get £88.11 £76.60" in text
    )
    assert "The price includes VAT £13.35 £13.35" in text
    assert "You paid £80.10 for this item." in text


def test_answers_can_be_saved_for_later(priya: Customer) -> None:
    away = priya.post(SHIRT, {"reason": "too-large", "note": "much too wide", "step": "later"})
    assert away.headers["Location"] == "/"
    assert "Saved." in text_of(priya.get("/"))
    priya.find()
    assert "much too wide" in priya.get(SHIRT).get_data(as_text=True)


def test_the_way_back_keeps_what_was_typed_and_leaves_what_was_chosen(priya: Customer, desk: Desk) -> None:
    priya.answer(1, "too-small", photo=(picture(), "tag.jpg"))
    priya.answer(2)
    chosen = {"reason": "changed-mind", "outcome": "store_credit"}
    back = priya.post(SHIRT, {**chosen, "note": "much too wide", "step": "back"})
    assert back.headers["Location"] == JUMPER
    assert priya.post(JUMPER, {"step": "back"}).headers["Location"] == "/order/WH-20418/items"
    priya.choose(1, 2)
    assert "much too wide" in priya.get(SHIRT).get_data(as_text=True)
    assert {each["line"]: each["resolution"] for each in desk.drafts[0].data["lines"]} == {"1": "refund", "2": "refund"}
    review = priya.post(f"{SHIRT}?back=review", {"note": "much too long", "step": "back"})
    assert review.headers["Location"] == "/order/WH-20418/review"
    assert "much too long" in priya.get(SHIRT).get_data(as_text=True)


def test_what_a_browser_sends_while_the_page_is_left_keeps_what_was_typed_alone_and_is_answered_with_nothing(
    priya: Customer, desk: Desk
) -> None:
    priya.answer(1)
    priya.answer(2)
    before = desk.drafts[0].data["lines"]
    chosen = {"reason": "changed-mind", "outcome": "store_credit"}
    left = priya.post(SHIRT, {**chosen, "note": "much too wide", "step": "left"})
    assert (left.status_code, left.get_data()) == (204, b"")
    assert "much too wide" in priya.get(SHIRT).get_data(as_text=True)
    assert [{**each, "note": ""} for each in desk.drafts[0].data["lines"]] == before


@pytest.mark.parametrize("position", ["0", "3", "99", "9999999999"])
def test_an_item_that_is_not_in_the_return_leads_back_to_the_items(priya: Customer, position: str) -> None:
    away = priya.get(f"/order/WH-20418/item/{position}")
    assert away.headers["Location"] == "/order/WH-20418/items"


def test_long_and_odd_notes_are_kept_as_text(priya: Customer, desk: Desk) -> None:
    note = "ü" * 5000 + "\x00\x07"
    priya.answer(2, note=note)
    stored = next(draft for draft in desk.drafts).data["lines"][1]["note"]
    assert stored == "ü" * 2000


def test_the_policys_questions_are_asked_kept_and_decide(desk: Desk, customer: Make) -> None:
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    asks = """rules:
  - rule: Worn
    when: {answer.worn: "yes"}
    set: {returnable: false}
    say: Worn things can’t come back.
  - rule: Ask
    when: {item.sku: SKU-2}
    set: {questions: [{name: worn, ask: Have you worn it?, choices: ["yes", "no"]}, {name: why, ask: What bothers you?}]}
"""
    desk.publish(text.replace("rules:\n", asks, 1))
    desk.order()
    made = customer()
    made.find()
    made.choose(2)
    made.post(SHIRT, {"reason": "changed-mind", "step": "show"})
    page = text_of(made.get(SHIRT))
    assert "Have you worn it?" in page
    assert "What bothers you?" in page
    wanted = {"reason": "changed-mind", "shown": "changed-mind", "outcome": "refund", "step": "continue"}
    answer = made.post(SHIRT, wanted | {"answer-why": "The colour"})
    assert answer.status_code == 422
    assert text_of(answer).count("Answer “Have you worn it?”") == 2
    assert "The colour" in answer.get_data(as_text=True)
    refused = text_of(made.post(SHIRT, wanted | {"answer-worn": "yes", "answer-why": "The colour"}))
    assert "Worn things can’t come back." in refused
    assert made.post(SHIRT, wanted | {"answer-worn": "no", "answer-why": "The colour"}).status_code == 303
    made.send_with()
    made.book()
    (line,) = desk.rows(ReturnLine)
    assert line.facts["answers"] == {"worn": "no", "why": "The colour"}
    assert line.answer == "accept"


ASKS = """rules:
  - rule: Asked of electronics
    when: {item.category: electronics}
    set:
      questions:
        - {name: opened, ask: Have you opened the box?, choices: ["no", "yes"]}
        - {name: serial, ask: What is the serial number?}
"""


def test_the_policys_questions_come_before_what_may_be_left_out(desk: Desk, customer: Make) -> None:
    desk.publish((ROOT / "policies" / "default.yaml").read_text(encoding="utf-8").replace("rules:\n", ASKS, 1))
    desk.order(lines=[line(1, "Headphones", 9900, SECOND_PARCEL, category="electronics")])
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "changed-mind", "step": "show"})
    page = priya.get("/order/WH-20418/item/1")
    text = text_of(page)
    order = [
        text.index(said)
        for said in ("Have you opened the box?", "What is the serial number?", "Anything we should know?")
    ]
    assert order == sorted(order)
    assert "No Yes" in text
    assert 'value="no"' in page.text


def test_a_photo_with_a_long_name_is_called_by_its_beginning_and_its_kind(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(1)
    name = "a label on the inside of the collar that nobody ever reads until it itches so much.jpg"
    data = {"reason": "too-small", "step": "photo", "photo": (picture(), name)}
    priya.post("/order/WH-20418/item/1", data)
    text = text_of(priya.get("/order/WH-20418/item/1"))
    assert f"1 photo added, {name[:55]}….jpg" in text


def test_that_a_person_checks_it_is_said_once(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Sofa", 49900, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "changed-mind", "step": "show"})
    text = text_of(priya.get("/order/WH-20418/item/1"))
    assert text.count("A person checks this before we answer") == 1
    assert "A person in our team checks this" not in text


def test_who_gave_no_address_is_promised_no_mail(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Scarf", 4500, SECOND_PARCEL)], email="")
    desk.order("WH-2", [line(1, "Chair", 7000, SECOND_PARCEL, 5)], email="")
    receiver = customer()
    answers = {
        "WH-20418": "store credit, its code on the return’s page",
        # Seventy times five is for a person to decide.
        "WH-2": "You find our answer here",
    }
    for number, said in answers.items():
        receiver.find(number, "BS6 5QA")
        receiver.choose(1, number=number, quantity_1="1" if number == "WH-20418" else "5")
        receiver.answer(1, outcome="store_credit", number=number)
        receiver.send_with(number=number)
        booked = text_of(receiver.get(receiver.book(number).headers["Location"]))
        assert said in booked
        assert "e-mail" not in booked
