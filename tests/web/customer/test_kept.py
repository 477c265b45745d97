"""A page that says what is wrong with a form is an address: Back and Reload send nothing again."""

from __future__ import annotations

from collections.abc import Callable

from tests.web.customer.desk import Customer, Desk, text_of, token_of

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
