"""Choosing items: what can, what can't and why, how many, and at a cost that does not grow with the order."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.web.customer.desk import FIRST_PARCEL, SECOND_PARCEL, Customer, Desk, inline_code, line, text_of

Make = Callable[[], Customer]
ITEMS = "/order/WH-20418/items"


def test_nothing_is_selected_before_the_customer_selects_it(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    page = priya.get(ITEMS)
    assert " checked" not in page.get_data(as_text=True)
    assert "Nothing selected yet" in text_of(page)
    assert inline_code(page) == []


def test_parcels_with_different_last_days_stand_apart_the_nearest_first(desk: Desk, customer: Make) -> None:
    early = FIRST_PARCEL.replace(day=25)
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL), line(2, "Bowl", 1200, early)])
    priya = customer()
    priya.find()
    text = text_of(priya.get(ITEMS))
    assert "It arrived in several parcels, so the dates differ." in text
    assert (
        text.index("Until Tue 24 Nov 2026")
        < text.index("Bowl")
        < text.index("Until Sat 28 Nov 2026")
        < text.index("Mug")
    )


def test_what_was_never_delivered_can_be_asked_for_and_goes_to_a_person(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Mug", 1000, None)])
    priya = customer()
    priya.find()
    text = text_of(priya.get(ITEMS))
    assert "A person checks these first" in text
    assert "We don’t know yet when it was delivered" in text


def test_units_in_another_return_are_shown_and_cannot_be_chosen_again(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    text = text_of(priya.get(ITEMS))
    assert "1 of 2 is in a return already." in text
    assert "1 return of this order so far" in text
    assert rma in text_of(priya.get("/order/WH-20418/returns"))
    assert priya.choose(2, quantity_2="2").status_code == 422
    priya.book_shirt()
    page = text_of(priya.get(ITEMS))
    # Booked is not sent, and sent is not accepted: the page says no more than it knows.
    assert "In a return already." in page
    assert "Withdraw from your contract" in text_of(priya.get("/"))


@pytest.mark.parametrize("typed", ["0", "3", "-1", "", "two", "1e9", "99999999999999999999"])
def test_a_quantity_that_is_none_is_named_and_the_ticks_are_kept(desk: Desk, customer: Make, typed: str) -> None:
    desk.order()
    priya = customer()
    priya.find()
    answer = priya.choose(1, 2, quantity_2=typed)
    text = text_of(answer)
    assert answer.status_code == 422
    assert text.count("Brushed flannel shirt: choose from 1 to 2") == 2
    assert answer.get_data(as_text=True).count('value="1" id="line-1" checked') == 1


@pytest.mark.parametrize("lines", [[], ["99"], ["x"], ["-1"], ["1" * 40]])
def test_selecting_nothing_of_this_order_is_said_so(desk: Desk, customer: Make, lines: list[str]) -> None:
    desk.order()
    priya = customer()
    priya.find()
    answer = priya.post(ITEMS, {"line": lines})
    assert answer.status_code == 422
    assert "Select at least one item" in text_of(answer)


def test_a_fault_can_be_reported_whatever_the_date(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    away = priya.post(ITEMS, {"report": "3"})
    assert away.headers["Location"] == "/order/WH-20418/item/3"
    page = priya.get("/order/WH-20418/item/3").get_data(as_text=True)
    assert re.findall(r'name="reason" value="([^"]+)"', page) == ["not-as-described", "faulty", "damaged", "wrong-item"]
    offered = priya.post("/order/WH-20418/item/3", {"reason": "faulty", "step": "show"})
    text = text_of(priya.get(offered.headers["Location"]))
    assert "Your delivery costs of £3.95 are in it." in text
    assert "Delivery costs you paid +£3.95 Refund £198.95" in text
    # Back on the items, it is still part of the return, and can be taken out again.
    again = priya.get(ITEMS).get_data(as_text=True)
    assert re.search(r'value="3" id="line-3" checked form="items"', again)


def test_a_refused_item_can_be_put_to_a_person_with_a_message(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    assert priya.post(ITEMS, {"ask": "5"}).headers["Location"] == "/order/WH-20418/item/5"
    path = "/order/WH-20418/item/5"
    page = text_of(priya.get(path))
    assert "What would you like to ask?" in page
    assert page.index("A person answers within 24 hours.") < page.index("Your message to us") < page.index("(optional)")
    assert "Why are you sending it back?" not in page
    assert "Step 2 of 4" not in page
    assert "Show what I get" not in page
    silent = priya.post(path, {"step": "continue"})
    assert silent.status_code == 422
    assert text_of(silent).count("Write your message to us") == 2
    # A message is all that is needed: no reason, no outcome, no way to send it.
    booked = priya.post(path, {"note": "They are still sealed.", "step": "continue"})
    (return_,) = desk.returns
    assert return_.status == "under_review"
    page = text_of(priya.get(booked.headers["Location"]))
    assert "We have your request" in page
    assert "You’ll hear from us by Wednesday 18 November 2026." in page
    (asked,) = desk.find(return_.rma).lines
    assert (asked.note, asked.reason) == ("They are still sealed.", "other")


def test_what_can_simply_come_back_is_no_question_whatever_the_form_says(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    path = "/order/WH-20418/item/2"
    priya.post(ITEMS, {"ask": "2"})
    assert "Why are you sending it back?" in text_of(priya.get(path))
    for step in ("ask", "continue"):
        priya.post(path, {"reason": "other", "shown": "other", "note": "Book it", "step": step})
    assert desk.returns == []
    assert "Refund for this item £54.10" in text_of(priya.get(path))
    chosen = priya.post(
        path, {"reason": "other", "shown": "other", "note": "Book it", "outcome": "refund", "step": "continue"}
    )
    assert chosen.headers["Location"] == "/order/WH-20418/send"


def test_a_question_about_what_the_policy_accepts_becomes_an_ordinary_item(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    path = "/order/WH-20418/item/3"
    priya.post(ITEMS, {"ask": "3"})
    said = {"reason": "faulty", "note": "The seam is open.", "step": "continue"}
    away = priya.post(path, said)
    assert desk.returns == []
    text = text_of(priya.get(away.headers["Location"].partition("#")[0]))
    assert "You needn’t ask us: for this reason it can come back." in text
    for part in ("Why are you sending it back?", "Refund for this item £198.95", "The seam is open."):
        assert part in text, part


def test_a_reason_that_is_refused_says_why_with_the_date_and_offers_to_ask(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.post(ITEMS, {"line": ["3"]})
    priya.post("/order/WH-20418/item/3", {"reason": "changed-mind", "step": "show"})
    text = text_of(priya.get("/order/WH-20418/item/3"))
    assert "For this reason it can’t come back" in text
    assert "The 30 days ended on 12 November 2026. It was delivered on 13 October 2026." in text
    assert "Ask us" in text
    assert "What would you like" not in text
    stuck = priya.post(
        "/order/WH-20418/item/3", {"reason": "changed-mind", "shown": "changed-mind", "step": "continue"}
    )
    assert stuck.status_code == 422
    asked = priya.post("/order/WH-20418/item/3", {"reason": "changed-mind", "step": "ask"})
    assert asked.headers["Location"].endswith("#note")
    assert "What would you like, if we accept your return?" in text_of(priya.get("/order/WH-20418/item/3"))


def test_the_number_of_queries_is_the_same_for_1_and_200_lines(desk: Desk, customer: Make) -> None:
    counts = {}
    for size in (1, 200):
        number = f"WH-{size}"
        desk.order(number, [line(at, f"Article {at}", 1000 + at, SECOND_PARCEL, 3) for at in range(1, size + 1)])
        priya = customer()
        priya.find(number)
        chosen = tuple(range(1, size + 1))
        pages = (f"/order/{number}/items", f"/order/{number}/item/1")
        priya.choose(*chosen, number=number)
        priya.post(pages[1], {"reason": "changed-mind", "step": "show"})
        found = []
        for path in pages:
            with desk.counting() as statements:
                assert priya.get(path).status_code == 200
            found.append(len(statements))
        counts[size] = found
    assert counts[1] == counts[200]
    assert counts[200][0] <= 8


def test_a_long_list_of_units_is_typed_instead_of_chosen(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Sticker", 100, SECOND_PARCEL, 500)])
    priya = customer()
    priya.find()
    assert "Quantity, from 1 to 500" in text_of(priya.get(ITEMS))
    priya.choose(1, quantity_1="480")
    assert "Sending 480 of 500" in text_of(priya.get("/order/WH-20418/item/1"))


def test_names_of_goods_are_text_on_every_page(desk: Desk, customer: Make) -> None:
    evil = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    desk.order(lines=[line(1, evil, 1000, SECOND_PARCEL, variant=evil)])
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.answer(1, note=evil)
    priya.send_with()
    paths = [f"/order/WH-20418/{name}" for name in ("items", "item/1", "send", "review", "updates")]
    booked = None
    for path in paths:
        page = priya.get(path)
        assert page.status_code == 200
        assert inline_code(page) == []
        assert "{{7*7}}" in text_of(page) or path.endswith(("send", "updates"))
    booked = priya.book().headers["Location"]
    for path in (booked, booked.removesuffix("/booked"), booked.replace("booked", "cancel"), "/order/WH-20418/returns"):
        page = priya.get(path)
        assert page.status_code == 200
        assert inline_code(page) == []


def test_prices_are_what_was_paid_after_every_discount(desk: Desk, customer: Make) -> None:
    desk.order(
        lines=[
            line(1, "Jumper", 8900, SECOND_PARCEL, discount=890),
            line(2, "Shirt", 6400, SECOND_PARCEL, 2, 1280),
            line(3, "Candle", 334, SECOND_PARCEL, 3, 2),
        ]
    )
    priya = customer()
    priya.find()
    text = text_of(priya.get(ITEMS))
    assert "Jumper £80.10" in text
    # Where several can be chosen the amount says that it is for one; a script adds the sum beside the number.
    assert text.count("£57.60 each") == 1
    assert 'data-times="quantity-2" data-minor="5760" data-currency="GBP" data-digits="2"' in priya.get(ITEMS).text
    # What can't be divided evenly is not given a price of its own.
    assert "3 together £10.00" in text
    assert "£89.00" not in text
    assert "£64.00" not in text


def test_an_item_in_a_return_leads_to_that_return(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL), line(2, "Bowl", 1200, SECOND_PARCEL, 2)])
    priya = customer()
    rma = priya.book_shirt()
    partly = priya.get(ITEMS)
    assert "1 of 2 is in a return already. See return " + rma in text_of(partly)
    assert partly.text.count(f'href="/returns/{rma}"') == 1
    priya.choose(1)
    priya.answer(1)
    priya.send_with()
    second = priya.book().headers["Location"].split("/")[2]
    gone = priya.get(ITEMS)
    told = "In a return already. Booked on 17 November 2026: I changed my mind. See return "
    assert told + second in text_of(gone)
    assert priya.get(f"/returns/{second}").status_code == 200


def test_units_that_came_back_another_way_promise_no_return_to_look_at(desk: Desk, customer: Make) -> None:
    desk.order(
        lines=[line(1, "Mug", 1000, SECOND_PARCEL, units_gone=1), line(2, "Bowl", 1200, SECOND_PARCEL, 2, units_gone=1)]
    )
    priya = customer()
    priya.find()
    text = text_of(priya.get(ITEMS))
    assert "It has come back already." in text
    assert "1 of 2 has come back already." in text
    assert "in a return" not in text


def test_what_is_said_above_a_list_holds_for_the_whole_list(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL), line(2, "Jeans", 7200, FIRST_PARCEL)])
    desk.order("WH-2", [line(1, "Mug", 1000, SECOND_PARCEL, units_gone=1)])
    desk.order("WH-3", [line(1, "Mug", 1000, FIRST_PARCEL), line(2, "Bowl", 1200, SECOND_PARCEL, units_gone=1)])
    priya = customer()
    priya.find()
    # Two parcels, but one date is left to choose from.
    assert "several parcels" not in text_of(priya.get(ITEMS))
    assert "Something faulty? You can still report it, whatever the date." in text_of(priya.get(ITEMS))
    priya.find("WH-2")
    nothing = text_of(priya.get("/order/WH-2/items"))
    assert "Below you find the reason for each item." in nothing
    assert "what you can still do" not in nothing
    priya.find("WH-3")
    some = text_of(priya.get("/order/WH-3/items"))
    assert "what you can still do" in some
    assert "Something faulty?" not in some


def test_a_question_needs_no_photo_also_where_the_return_would(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.post(ITEMS, {"ask": "3"})
    text = text_of(priya.get("/order/WH-20418/item/3"))
    assert "Add a photo (optional) Up to 3 photos" in text
    assert "We need one" not in text


def test_each_unit_that_was_chosen_counts_as_one_item(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(1, 2, quantity_2="2")
    assert "3 items selected" in text_of(priya.get(ITEMS))
