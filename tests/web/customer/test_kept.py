"""A page that says what is wrong with a form is an address: Back and Reload send nothing again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from portal.flow import SCHEDULE
from portal.kept import KeptPage
from portal.refunds import actions
from portal.web.customer.kept import MOST
from tests.web.customer.desk import Customer, Desk, text_of, token_of
from tests.web.customer.test_refund_question import fail

Make = Callable[[], Customer]
ITEMS = "/order/WH-20418/items"


def wrong(priya: Customer) -> str:
    """Send the choice of items without one; where the answer leads."""
    token = token_of(priya.get(ITEMS).get_data(as_text=True))
    answer = priya.client.post(ITEMS, data={"csrf_token": token}, environ_overrides={"REMOTE_ADDR": priya.address})
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_a_form_with_a_mistake_is_answered_by_an_address_of_this_session_alone(desk: Desk, customer: Make) -> None:
    desk.order()
    priya, mallory = customer(), customer()
    priya.find()
    where = wrong(priya)
    for _again in range(2):
        page = priya.get(where)
        assert page.status_code == 422
        assert "Select at least one item" in text_of(page)
    mallory.find()
    assert mallory.get(where).headers["Location"] == "/"
    # What is on it works: the form goes on from there.
    token = token_of(priya.get(where).get_data(as_text=True))
    assert priya.send(ITEMS, {"csrf_token": token, "line": "2"}).headers["Location"] == "/order/WH-20418/item/2"


def test_who_writes_too_much_gets_the_page_itself_and_nothing_is_kept(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    token = token_of(priya.get(ITEMS).get_data(as_text=True))
    answers = [
        priya.client.post(ITEMS, data={"csrf_token": token}, environ_overrides={"REMOTE_ADDR": priya.address})
        for _ in range(61)
    ]
    assert {answer.status_code for answer in answers[:60]} == {303}
    assert answers[60].status_code == 422
    assert "Select at least one item" in text_of(answers[60])


def test_mistakes_in_forms_use_up_nobodys_right_to_book(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    for _again in range(60):
        wrong(priya)
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    assert priya.book().status_code == 303


def test_a_page_goes_with_the_right_to_see_the_order_also_when_that_is_given_anew(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    desk.moment.shift(timedelta(hours=1, minutes=30))
    where = wrong(priya)
    assert priya.get(where).status_code == 422
    desk.moment.shift(timedelta(minutes=40))
    assert priya.get(where).location == "/"
    # Whoever sits at this browser now and knows the postcode does not read what was typed before.
    priya.find(proof="BS6 5QA")
    assert priya.get(where).location == "/"


def test_a_page_about_a_return_goes_with_the_right_to_see_it(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    desk.receive(rma)
    desk.act(actions.ask_customer, fail(desk), "Which bank account?")
    desk.moment.shift(timedelta(hours=1, minutes=30))
    form = {"csrf_token": token_of(priya.get("/").text), "answer": " ", "step": "send"}
    where = str(priya.client.post(f"/returns/{rma}/answer", data=form).location)
    assert priya.get(where).status_code == 422
    desk.moment.shift(timedelta(minutes=40))
    assert priya.get(where).location == "/"


def test_pages_that_nobody_gets_any_more_are_deleted(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    for _again in range(MOST + 3):
        wrong(priya)
    assert len(desk.rows(KeptPage)) == MOST
    desk.moment.shift(timedelta(hours=2, minutes=1))
    SCHEDULE["forget_kept_pages"][1](desk.ports)
    assert desk.rows(KeptPage) == []


def test_everything_that_is_missing_on_an_items_page_is_named_at_once(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(1)
    page = priya.answer(1, outcome="")
    assert page.status_code == 422
    for said in ("Add a photo of the tags", "Select what you would like"):
        assert text_of(page).count(said) >= 2


def test_the_way_to_withdraw_is_on_every_page_of_the_booking(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    pages = [ITEMS, "/order/WH-20418/item/2", "/order/WH-20418/send"]
    priya.send_with()
    for path in [*pages, "/order/WH-20418/review"]:
        assert 'href="/withdraw?order=WH-20418"' in priya.get(path).get_data(as_text=True), path


def test_the_label_is_told_once_and_the_review_says_when_the_money_moves(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2, quantity_2="1")
    priya.post("/order/WH-20418/item/2", {"reason": "changed-mind", "step": "show"})
    alone = text_of(priya.get("/order/WH-20418/item/2"))
    assert "comes off for the label." in alone
    priya.choose(1, 2)
    priya.post("/order/WH-20418/item/2", {"reason": "changed-mind", "step": "show"})
    beside = text_of(priya.get("/order/WH-20418/item/2"))
    assert "comes off for the label, once for the whole return." in beside
    assert "Return label, once for the whole return" in beside
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    review = text_of(priya.get("/order/WH-20418/review"))
    assert "We send it when your parcel has reached us. Banks take 5 to 10 working days." in review
