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
