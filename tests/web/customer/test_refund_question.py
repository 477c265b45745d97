"""A question about a refund that failed: who may read and answer it, and what is left of it afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.errors import Conflict
from portal.receiving import rest
from portal.refunds import actions
from portal.refunds.models import Refund
from portal.returns import questions, service
from portal.reviews.models import Review
from tests.web.customer.desk import Customer, Desk, text_of
from tests.web.customer.test_less import count, told, two
from tests.web.customer.test_status import news

Make = Callable[[], Customer]
__all__ = ["two"]
WHERE_TO = "Which bank account of yours may we send it to?"


def fail(desk: Desk) -> str:
    """The refund of the only return fails; its public id."""
    news(desk, "failed", failure_reason="expired_or_canceled_card")
    (refund,) = desk.rows(Refund)
    return str(refund.public_id)


@pytest.fixture
def asked(desk: Desk, customer: Make) -> tuple[Customer, str, str]:
    """Somebody who was asked where their refund may go: the browser, the return's number, the refund's."""
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    desk.receive(rma)
    number = fail(desk)
    desk.act(actions.ask_customer, number, WHERE_TO)
    return priya, rma, number


def test_a_question_is_in_its_mail_and_no_message_once_it_is_settled(
    desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, number = asked
    assert WHERE_TO in told(desk, "asked")
    assert WHERE_TO in text_of(priya.get(f"/returns/{rma}"))
    desk.act(questions.answer_question, rma, "GB33 BUKB 2020 1555 5555 55")
    desk.act(actions.mark_paid_elsewhere, number, "Ref 1", how="bank")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert WHERE_TO not in page
    assert "Message from" not in page


def test_who_has_answered_where_the_money_may_go_is_not_told_to_wait_for_the_question(
    desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, _number = asked
    desk.act(questions.answer_question, rma, "GB33 BUKB 2020 1555 5555 55")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "We’ll ask you for another way" not in page
    assert page.count("We have your answer, and a person in our team pays you that way.") == 2


def test_a_question_leaves_the_message_of_the_decision_in_its_place(desk: Desk, two: tuple[Customer, str]) -> None:
    priya, rma = two
    count(desk, rma, ("1", 2, "damaged"), ("2", 1, "as_new"))
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="Broken", message="Both mugs have a broken handle")
    number = fail(desk)
    desk.act(actions.ask_customer, number, WHERE_TO)
    desk.act(questions.answer_question, rma, "GB33 BUKB 2020 1555 5555 55")
    desk.act(actions.mark_paid_elsewhere, number, "Ref 1", how="bank")
    for said in (told(desk, "refund_sent"), text_of(priya.get(f"/returns/{rma}"))):
        assert "Both mugs have a broken handle" in said
        assert WHERE_TO not in said


def test_a_question_about_the_rest_is_no_message_once_the_rest_has_come(desk: Desk, two: tuple[Customer, str]) -> None:
    priya, rma = two
    count(desk, rma, ("1", 2, "as_new"))
    desk.act(rest.ask_customer, rma, "Where is the plate?", decide_within_hours=24)
    desk.act(questions.answer_question, rma, "In the second box")
    count(desk, rma, ("2", 1, "as_new"))
    assert "Where is the plate?" not in text_of(priya.get(f"/returns/{rma}"))


def test_who_knows_only_the_postcode_neither_reads_nor_answers_where_the_money_may_go(
    desk: Desk, asked: tuple[Customer, str, str], customer: Make
) -> None:
    priya, rma, _number = asked
    mallory = customer()
    mallory.find(proof="BS6 5QA")
    page = mallory.get(f"/returns/{rma}")
    for hidden in (WHERE_TO, "Send answer", "We have a question for you"):
        assert hidden not in text_of(page)
    assert "We’ve asked by e-mail where the money may go" in text_of(page)
    for step in ("send", "photo"):
        typed = {"answer": "Mallory, GB00 EVIL", "step": step}
        assert mallory.post(f"/returns/{rma}/answer", typed, form="/").location == f"/returns/{rma}"
    assert "Only who bought it can answer" in text_of(mallory.get(f"/returns/{rma}"))
    (review,) = [each for each in desk.rows(Review) if each.refund_id]
    assert (review.status, [set(turn) for turn in review.data["asked"]]) == ("asked", [{"at", "by", "question"}])
    # Proved by the order's e-mail, the same browser may.
    mallory.find()
    assert "Send answer" in text_of(mallory.get(f"/returns/{rma}"))
    assert priya.post(f"/returns/{rma}/answer", {"answer": "GB33", "step": "send"}, form="/").status_code == 303
    assert [turn["answer"] for each in desk.rows(Review) for turn in (each.data or {}).get("asked", ())] == ["GB33"]


def test_an_answered_question_about_the_money_is_not_told_to_who_knows_only_the_postcode(
    desk: Desk, asked: tuple[Customer, str, str], customer: Make
) -> None:
    _priya, rma, _number = asked
    desk.act(questions.answer_question, rma, "GB33 BUKB 2020 1555 5555 55")
    mallory = customer()
    mallory.find(proof="BS6 5QA")
    page = text_of(mallory.get(f"/returns/{rma}"))
    assert WHERE_TO not in page
    assert "GB33" not in page


def test_where_the_money_may_go_is_never_asked_of_who_may_not_have_paid(desk: Desk, customer: Make) -> None:
    desk.order()
    friend = customer()
    friend.find(proof="BS6 5QA")
    friend.choose(2)
    friend.answer(2)
    friend.send_with()
    friend.post("/order/WH-20418/updates", {"email": "friend@example.com"})
    rma = friend.book().headers["Location"].split("/")[2]
    desk.receive(rma)
    number = fail(desk)
    with pytest.raises(Conflict, match=r"Write to priya\.nair@example\.com"):
        desk.act(actions.ask_customer, number, WHERE_TO)


def test_an_answer_to_a_question_that_was_settled_meanwhile_is_said_to_be_needed_no_more(
    desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, number = asked
    desk.act(actions.retry, number, "It works again")
    assert priya.post(f"/returns/{rma}/answer", {"answer": "GB33", "step": "send"}, form="/").status_code == 303
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "This question is settled, we don’t need your answer any more." in page
    assert "We have your answer already" not in page
