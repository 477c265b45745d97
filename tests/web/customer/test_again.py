"""A session that ends in the middle of a form: what was written is shown, and the look-up leads back to the same page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.web.customer.desk import EMAIL, Customer, Desk, text_of, token_of

Make = Callable[[], Customer]
ITEM = "/order/WH-20418/item/2"
NOTE = "The <b>collar</b> rubs & the sleeves are long"


@pytest.fixture
def form(desk: Desk, customer: Make) -> tuple[Customer, dict[str, Any]]:
    """Somebody in the middle of the questions about a shirt."""
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    token = token_of(priya.get(ITEM).get_data(as_text=True))
    return priya, {"csrf_token": token, "reason": "too-large", "note": NOTE, "step": "continue"}


@pytest.mark.parametrize("gone", ["two hours", "cookies"])
def test_what_was_written_is_shown_and_the_order_found_again_leads_back(
    gone: str, desk: Desk, form: tuple[Customer, dict[str, Any]]
) -> None:
    priya, sent = form
    if gone == "cookies":
        priya.client.delete_cookie("portal")
    else:
        desk.moment.shift(timedelta(hours=2, seconds=1))
    answer = priya.send(ITEM, sent)
    assert answer.status_code == (400 if gone == "cookies" else 403)
    text = text_of(answer)
    assert "Your session has ended" in text
    assert "Nothing was changed by your last step." in text
    assert NOTE in text
    assert "<b>collar" not in answer.get_data(as_text=True)
    # Earlier answers are in the draft, which this browser's cookie opens; without the cookie nothing is promised.
    assert ("What you answered before it is still here." in text) is (gone == "two hours")
    assert "load the page again" not in text
    assert 'href="/?order=WH-20418&amp;then=item/2"' in answer.get_data(as_text=True)
    start = priya.get("/?order=WH-20418&then=item/2").get_data(as_text=True)
    assert 'value="WH-20418"' in start
    found = priya.send(
        "/", {"csrf_token": token_of(start), "order_number": "WH-20418", "proof": EMAIL, "then": "item/2"}
    )
    assert found.headers["Location"] == ITEM
    if gone == "two hours":
        assert priya.get(ITEM).status_code == 200


@pytest.mark.parametrize(
    "then",
    ["//evil.example", "https://evil.example", "../../staff/", "item/2/../../x", "item/2\n", "cancel", "items?x=1"],
)
def test_the_way_back_leads_nowhere_but_below_the_order(then: str, desk: Desk, customer: Make) -> None:
    desk.order()
    found = customer().post("/", {"order_number": "WH-20418", "proof": EMAIL, "then": then})
    assert found.headers["Location"] == "/order/WH-20418/items"


def test_a_form_of_another_site_shows_none_of_its_text(form: tuple[Customer, dict[str, Any]]) -> None:
    priya, sent = form
    answer = priya.client.post(ITEM, data=sent | {"csrf_token": "wrong"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 400
    assert "collar" not in answer.get_data(as_text=True)


def test_an_answer_to_a_question_is_kept_on_the_page_too(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    priya.client.delete_cookie("portal")
    answer = priya.send(f"/returns/{rma}/answer", {"csrf_token": "x", "answer": NOTE})
    assert NOTE in text_of(answer)
    assert f'href="/track?return={rma}"' in answer.get_data(as_text=True)
