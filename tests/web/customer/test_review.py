"""The last page before the booking promises what is kept, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.customer.desk import Customer, Desk, picture, text_of

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
