"""The last page before the booking promises what is kept, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, line, picture, text_of

Make = Callable[[], Customer]
REVIEW = "/order/WH-20418/review"


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    """Somebody who has found her order."""
    desk.order()
    made = customer()
    made.find()
    return made


def test_a_lower_amount_is_promised_a_person_and_a_reason_not_a_warning_before_it(priya: Customer) -> None:
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    text = text_of(priya.get(REVIEW))
    assert "a person looks at it before the amount changes, and we tell you why" in text
    assert "we’ll tell you before" not in text


@pytest.mark.parametrize("also", [True, False])
def test_what_was_booked_in_another_window_is_named_with_its_return(
    desk: Desk, customer: Make, priya: Customer, also: bool
) -> None:
    chosen = (1, 2) if also else (1,)
    priya.choose(*chosen)
    for each in chosen:
        priya.answer(each, **({"photo": (picture(), "tags.jpg")} if each == 1 else {}))
    priya.send_with()
    form = priya.review_form()
    other = customer()
    other.find()
    other.choose(1)
    other.answer(1, photo=(picture(), "tags.jpg"))
    other.send_with()
    other.book()
    (return_,) = desk.returns
    said = f"Merino crew jumper is in a return already ({return_.rma})."
    if also:
        assert said in text_of(priya.get(REVIEW))
    away = priya.send(REVIEW, form)
    assert away.headers["Location"] == (REVIEW if also else "/order/WH-20418/items")
    assert f"{said} Nothing was booked." in text_of(priya.get(away.headers["Location"]))
    assert len(desk.returns) == 1
    if also:
        assert priya.book().status_code == 303, "the rest can be booked"
        assert len(desk.returns) == 2


@pytest.mark.parametrize(
    ("proof", "code_to"), [("BS6 5QA", "p•••@example.com"), ("priya.nair@example.com", "priya.nair@example.com")]
)
def test_who_has_mails_sent_elsewhere_is_told_where_the_store_credit_code_goes(
    desk: Desk, customer: Make, proof: str, code_to: str
) -> None:
    desk.order()
    somebody = customer()
    somebody.find(proof=proof)
    somebody.choose(2)
    somebody.answer(2, outcome="store_credit")
    somebody.send_with()
    assert "Store credit code" not in text_of(somebody.get(REVIEW)), "all goes to one address"
    somebody.post("/order/WH-20418/updates", {"email": "gift@example.org"})
    assert f"Store credit code goes to {code_to}" in text_of(somebody.get(REVIEW))
    page = text_of(somebody.get(somebody.book().headers["Location"]))
    said = (
        f"We e-mail everything to gift@example.org, but the store credit code to {code_to}, the address on the order."
    )
    assert (said if "•" not in code_to else said.replace("gift@", "g•••@")) in page


def test_what_a_person_has_to_decide_is_sent_as_a_request_without_a_day_or_a_sum_on_the_button(priya: Customer) -> None:
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    plain = text_of(priya.get(REVIEW))
    assert "Drop off by" in plain
    assert "Refund £54.10 Book my return" in plain, "the sum once"
    priya.post("/order/WH-20418/items", {"ask": "5", "line": "2"})
    priya.answer(5, note="Still sealed")
    asked = text_of(priya.get(REVIEW))
    assert "Send nothing before that." in asked
    assert "Nothing is sent to us until you select “Send my request”." in asked
    assert "A person decides first Send my request" in asked
    assert "Book my return" not in asked
    assert "Drop off by" not in asked


def test_an_exchange_of_several_counts_them_and_speaks_of_no_sum(desk: Desk, customer: Make) -> None:
    desk.order("WH-8", [line(1, "Shirt", 5000, SECOND_PARCEL, 3, 300, product="shirt", sku="S-M")])
    desk.variant("S-L", "Moss, size L", product="shirt", price=5000, stock=5)
    somebody = customer()
    somebody.find("WH-8")
    somebody.choose(1, number="WH-8", quantity_1="3")
    somebody.answer(1, "too-small", "exchange", number="WH-8", sku="S-L", photo=(picture(), "tags.jpg"))
    somebody.send_with(number="WH-8")
    text = text_of(somebody.get("/order/WH-8/review"))
    assert "Exchange for Moss, size L × 3" in text
    assert "3 exchanges, nothing to pay" in text
    assert "Prices" not in text
    rma = somebody.book("WH-8").headers["Location"].split("/")[2]
    status = text_of(somebody.get(f"/returns/{rma}"))
    assert "Your exchange, nothing to pay" in status
    assert "£0.00" not in status
