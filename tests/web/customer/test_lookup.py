"""Finding an order: forgiving to its customer, silent to everybody else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from portal import edge
from portal.orders.models import Order
from tests.web.customer.desk import EMAIL, Customer, Desk, inline_code, text_of

Make = Callable[[], Customer]
NAUGHTY: list[str] = json.loads((Path(__file__).parents[2] / "data" / "print" / "naughty-strings.json").read_text())
NOT_FOUND = "We couldn’t find an order with these details. Check the number and the e-mail address or postcode"


@pytest.mark.parametrize(
    ("number", "proof"),
    [
        ("WH-20418", EMAIL),
        ("  wh-20418 ", " Priya.Nair@EXAMPLE.com "),
        ("#WH-20418", "BS6 5QA"),
        ("# wh - 20418", "bs65qa"),
        ("20418", EMAIL),
        ("wh20418", EMAIL),
        ("WH\N{EN DASH}20418", EMAIL),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER W}H-\N{FULLWIDTH DIGIT TWO}0418", EMAIL),
        ("Order WH-20418", EMAIL),
        ("order no. WH20418.", EMAIL),
    ],
)
def test_an_order_is_found_however_its_number_is_typed(desk: Desk, customer: Make, number: str, proof: str) -> None:
    desk.order()
    found = customer().find(number, proof)
    assert (found.status_code, found.headers["Location"]) == (303, "/order/WH-20418/items")


def test_case_80_a_wrong_number_and_a_wrong_proof_get_the_same_bytes(desk: Desk, customer: Make) -> None:
    desk.order("WH-20418")
    one = customer()
    one.get("/")
    typed = {"order_number": "WH-20418", "proof": "mallory@example.com"}
    one.post("/", typed)
    wrong_proof = one.post("/", typed)
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Order).values(number="WH-99999", number_key="WH-99999", lookup_key="99999"))
    unknown = one.post("/", typed)
    assert wrong_proof.status_code == unknown.status_code == 422
    assert wrong_proof.data == unknown.data
    assert dict(wrong_proof.headers) == dict(unknown.headers)
    assert NOT_FOUND in text_of(unknown)


def test_what_was_typed_is_still_there_and_says_nothing_about_which_part_was_wrong(desk: Desk, customer: Make) -> None:
    desk.order()
    page = customer().find("WH-20418", "mallory@example.com").get_data(as_text=True)
    assert 'value="WH-20418"' in page
    assert 'value="mallory@example.com"' in page
    assert "<title>Error: " in page
    assert 'href="#lookup"' in page
    assert "20418" not in page.replace('value="WH-20418"', "").replace("like WH-20418", "")


def test_empty_fields_are_named_at_the_top_and_at_the_field_in_the_same_words(desk: Desk, customer: Make) -> None:
    answer = customer().find("", " ")
    text = text_of(answer)
    assert answer.status_code == 422
    assert text.count("Enter your order number") == 2
    assert text.count("Enter the e-mail address or postcode on the order") == 2


def test_ten_tries_from_one_address_then_a_pause_even_for_the_right_answer(desk: Desk, customer: Make) -> None:
    desk.order()
    mallory = customer()
    for number in range(10):
        assert mallory.find(f"WH-{number}", "x@example.com").status_code == 422
    refused = mallory.find()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    # Nothing that was typed is lost, and the page says once at the top and once at the fields when it goes on.
    assert text_of(refused).count("Too many tries. Wait 13 minutes, until 14:45, then try again") == 2
    assert f'value="{EMAIL}"' in refused.text
    desk.moment.shift(timedelta(minutes=15))
    assert mallory.find().status_code == 303


def guess(desk: Desk, times: int, key: str = "20418", first: int = 0) -> None:
    """Wrong look-ups of one order, each from another address."""
    for number in range(first, first + times):
        edge.limit_lookup(desk.ports.database, f"198.51.100.{number}", key)


def test_a_strangers_wrong_tries_do_not_lock_the_customer_out(desk: Desk, customer: Make) -> None:
    desk.order()
    mallory = customer()
    mallory.address = "198.51.100.4"
    codes = [mallory.find(proof="x@example.com").status_code for _ in range(80)]
    assert codes == [422] * 10 + [429] * 70
    priya = customer()
    assert priya.find().status_code == 303
    assert mallory.find().status_code == 429


def test_sixty_wrong_tries_for_one_order_from_anywhere_then_a_pause(desk: Desk, customer: Make) -> None:
    desk.order()
    guess(desk, 59)
    stranger = customer()
    stranger.address = "198.51.100.98"
    assert stranger.find(proof="x@example.com").status_code == 422
    late = customer()
    late.address = "198.51.100.99"
    for spelling in ("# wh-20418", "20418", "Order WH 20418"):
        assert late.find(spelling).status_code == 429, spelling
    assert late.find("WH-1").status_code == 422


def test_three_hundred_wrong_tries_for_one_order_end_its_day(desk: Desk, customer: Make) -> None:
    desk.order()
    for quarter in range(5):
        guess(desk, 60, first=0)
        desk.moment.shift(timedelta(minutes=15))
        assert (customer().find().status_code == 303) == (quarter < 4)
    desk.moment.shift(timedelta(days=1))
    assert customer().find().status_code == 303


def test_the_return_numbers_of_an_order_give_no_further_tries_at_its_proof(desk: Desk, customer: Make) -> None:
    desk.order()
    rmas = [customer().book_shirt() for _ in range(2)]
    guess(desk, 50)
    for number in range(10):
        stranger = customer()
        stranger.address = f"203.0.113.{number}"
        typed = {"return_number": rmas[number % 2], "proof": "x@example.com"}
        assert stranger.post("/track", typed).status_code == 422
    late = customer()
    late.address = "203.0.113.99"
    assert late.find().status_code == 429
    for rma in rmas:
        assert late.post("/track", {"return_number": rma, "proof": EMAIL}).status_code == 422


def test_a_pause_of_an_order_does_not_tell_which_returns_are_its(desk: Desk, customer: Make) -> None:
    desk.order()
    rma = customer().book_shirt()
    guess(desk, 60)
    mallory = customer()
    mallory.address = "203.0.113.1"

    def told(number: str) -> tuple[int, str]:
        answer = mallory.post("/track", {"return_number": number, "proof": "x@example.com"})
        return answer.status_code, text_of(answer)

    assert told(rma) == told("R-2345679")


def test_the_addresses_of_one_connection_are_one_visitor(desk: Desk, customer: Make) -> None:
    desk.order()
    mallory = customer()
    for number in range(10):
        mallory.address = f"2001:db8:7:1::{number + 1:x}"
        assert mallory.find(f"WH-{number}", "x@example.com").status_code == 422
    mallory.address = "2001:db8:7:1:ffff::1"
    assert mallory.find().status_code == 429
    neighbour = customer()
    neighbour.address = "2001:db8:7:2::1"
    assert neighbour.find().status_code == 303


def test_a_family_that_finds_its_orders_is_never_shut_out_and_guesses_still_count(desk: Desk, customer: Make) -> None:
    desk.order()
    family = customer()
    for _ in range(12):
        assert family.find().status_code == 303
    rma = family.book_shirt()
    for _ in range(12):
        assert family.post("/track", {"return_number": rma, "proof": EMAIL}).status_code == 303
    for number in range(10):
        assert family.find(f"WH-{number}", "x@example.com").status_code == 422
    assert family.find().status_code == 429


@pytest.mark.parametrize("spelling", ["{}", "{} ", "# {}", "Return {}"])
def test_a_return_is_found_however_its_number_is_typed(desk: Desk, customer: Make, spelling: str) -> None:
    desk.order()
    rma = customer().book_shirt()
    for number in (rma, rma.lower(), rma.replace("-", "\N{EN DASH}"), rma.removeprefix("R-"), rma.replace("-", " ")):
        found = customer().post("/track", {"return_number": spelling.format(number), "proof": EMAIL})
        assert found.headers.get("Location") == f"/returns/{rma}", spelling.format(number)


@pytest.mark.parametrize(
    "path", ["items", "item/1", "send", "review", "updates", "returns"]
)  # fmt: skip
def test_without_a_look_up_every_page_of_an_order_leads_to_the_start_known_or_not(
    desk: Desk, customer: Make, path: str
) -> None:
    desk.order()
    known, unknown = customer().get(f"/order/WH-20418/{path}"), customer().get(f"/order/WH-99999/{path}")
    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == f"/?order=WH-20418&then={path}"
    # Both say the number that stands in the address, and nothing else.
    assert unknown.headers["Location"].replace("99999", "20418") == known.headers["Location"]
    assert unknown.data.replace(b"99999", b"20418") == known.data


def test_the_session_of_one_order_opens_no_other(desk: Desk, customer: Make) -> None:
    desk.order()
    desk.order("WH-2", email="tom@example.com", postcode_key="S71AB")
    priya = customer()
    priya.find()
    assert priya.get("/order/WH-20418/items").status_code == 200
    assert priya.get("/order/WH-2/items").headers["Location"] == "/?order=WH-2&then=items"


def test_after_two_hours_the_order_is_asked_for_again_and_a_form_books_nothing(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    form = priya.review_form()
    desk.moment.shift(timedelta(hours=2, seconds=1))
    late = priya.send("/order/WH-20418/review", form)
    assert (late.status_code, late.headers["Location"]) == (303, "/?order=WH-20418&then=review")
    assert desk.returns == []
    assert "Find your order to go on" in text_of(priya.get("/"))
    # What was chosen in this browser is still there once the order is named again.
    priya.find()
    assert priya.review_form()["shown_total"] == form["shown_total"]


def test_several_orders_can_be_open_at_once(desk: Desk, customer: Make) -> None:
    desk.order()
    desk.order("WH-2")
    priya = customer()
    priya.find()
    priya.find("WH-2")
    assert priya.get("/order/WH-20418/items").status_code == 200
    assert priya.get("/order/WH-2/items").status_code == 200


def test_a_form_without_its_token_is_refused(desk: Desk, customer: Make) -> None:
    desk.order()
    answer = customer().send("/", {"order_number": "WH-20418", "proof": EMAIL})
    assert answer.status_code == 400
    assert "Nothing was changed" in text_of(answer)


def test_a_link_from_the_shop_fills_the_number_in(desk: Desk, customer: Make) -> None:
    page = customer().get("/?order=WH-20418").get_data(as_text=True)
    assert re.search(r'name="order_number"[^>]* value="WH-20418"', page)


def test_the_policy_in_four_lines_is_that_of_the_shop(desk: Desk, customer: Make) -> None:
    text = text_of(customer().get("/"))
    assert "30 days to decide" in text
    assert "A refund takes £3.50 off for the return label. Faulty items are always free." in text
    whole = text_of(customer().get("/policy"))
    assert "Socks and underwear can’t be returned, for hygiene reasons." in whole
    assert "£3.50, taken off what you get back" in whole


def test_nothing_that_is_typed_breaks_the_look_up_or_gets_into_the_page_as_code(desk: Desk, customer: Make) -> None:
    for number, text in enumerate(NAUGHTY):
        stranger = customer()
        stranger.address = f"198.51.100.{number}"
        for path, field in (("/", "order_number"), ("/track", "return_number")):
            answer = stranger.post(path, {field: text, "proof": text})
            assert answer.status_code == 422, text
            assert inline_code(answer) == [], text


def test_who_knows_only_the_postcode_sees_no_address_of_the_buyer(desk: Desk, customer: Make) -> None:
    desk.order()
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    receiver.choose(2)
    receiver.answer(2)
    item = receiver.get("/order/WH-20418/item/2").text
    receiver.send_with()
    review = text_of(receiver.get("/order/WH-20418/review"))
    assert "To the card that paid." in item
    assert "Refund to the card that paid" in review
    assert "4242" not in item + review
    assert EMAIL not in review
    assert "p•••@example.com" in review
    booked = receiver.book()
    page = receiver.get(booked.headers["Location"]).get_data(as_text=True)
    assert EMAIL not in page
    assert EMAIL not in receiver.get("/order/WH-20418/items").get_data(as_text=True)


@pytest.mark.parametrize("path", ["/nowhere", "/photo/none"])
def test_a_page_that_is_none_keeps_the_ways_on(desk: Desk, customer: Make, path: str) -> None:
    answer = customer().get(path)
    assert answer.status_code == 404
    text = text_of(answer)
    for way in ("Find my order", "Returns policy", "Withdraw from your contract", "Contact us", "Help"):
        assert way in text, way


def test_the_hint_for_presents_is_where_presents_are_looked_up(desk: Desk, customer: Make) -> None:
    assert "Got it as a gift?" in text_of(customer().get("/"))
    withdraw = text_of(customer().get("/withdraw"))
    assert "Got it as a gift?" not in withdraw
    assert "Either one, as you gave it with the order." in withdraw
