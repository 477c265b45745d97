"""Why an amount is less than was shown: what was found is named, by the same words on page, in mail and on the credit note."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from portal.config import ROOT
from portal.errors import Invalid
from portal.notices.models import Notice
from portal.receiving import service as receiving
from portal.refunds import actions
from portal.refunds.credit_note_models import CreditNote
from portal.refunds.models import Refund
from portal.returns import questions, service
from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, line, text_of, written
from tests.web.customer.test_status import news

Make = Callable[[], Customer]
DEFAULT = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
UNGRADED = DEFAULT.replace("    wrong_item: {refund: 0%, review: always}\n", "").replace(
    "    missing: {refund: 0%, review: always}", ""
)
"""Says nothing of goods that did not come: they are not paid, and a person is asked."""


@pytest.fixture
def two(desk: Desk, customer: Make) -> tuple[Customer, str]:
    """Two mugs and a plate are announced for a refund, the whole order."""
    return book_two(desk, customer)


def book_two(desk: Desk, customer: Make) -> tuple[Customer, str]:
    """The same under the policy that is live."""
    desk.order(lines=[line(1, "Mug", 2000, SECOND_PARCEL, 2), line(2, "Plate", 4000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    priya.choose(1, 2, quantity_1="2")
    for position in (1, 2):
        priya.answer(position)
    priya.send_with()
    return priya, priya.book().headers["Location"].split("/")[2]


def count(desk: Desk, rma: str, *found: tuple[str, int, str]) -> None:
    """So much arrives."""
    counts = [receiving.Count(*each) for each in found]
    desk.act(receiving.receive, rma, counts, command_key=f"receive-{found}")


def told(desk: Desk, kind: str) -> str:
    """The newest notice of this kind, in words."""
    return written(desk, [each for each in desk.rows(Notice) if each.kind == kind][-1])


def test_before_a_person_has_decided_about_the_goods_page_and_mail_name_no_new_sum(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    priya, rma = two
    before = text_of(priya.get(f"/returns/{rma}"))
    shown = before.partition("You’re owed £")[2].split()[0]
    count(desk, rma, ("1", 2, "damaged"), ("2", 1, "missing"))
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "The amount has changed" not in page
    assert "A person looks at what arrived and decides it." in page
    assert f"When you booked it was £{shown}." in page
    assert page.count("£") == 1
    assert "£" not in told(desk, "received")


def test_what_was_found_and_the_reason_are_on_page_mail_and_credit_note_in_the_same_words(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    priya, rma = two
    count(desk, rma, ("1", 2, "damaged"), ("2", 1, "missing"))
    with pytest.raises(Invalid) as refused:
        desk.act(service.authorize, rma, amounts={"1": 1000}, note="Broken")
    assert set(refused.value.fields) == {"message"}
    reason = "Both mugs came with a broken handle."
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="Broken", message=reason)
    news(desk, "succeeded")
    desk.work("issue_credit_note")
    page, mail = text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")
    for said in (page, mail):
        assert "Taken off: damaged" in said
        assert "missing from the parcel" in said
        assert reason in said
        assert "Your delivery costs go back only when the whole order does" in said
    (note,) = desk.rows(CreditNote)
    named = [(row["kind"], row["params"]["found"]) for row in note.document["rows"] if "found" in row["params"]]
    assert named == [("inspection", ["damaged"]), ("adjustment", ["damaged"]), ("inspection", ["missing"])]
    assert "Missing" in page
    assert "Plate Refunded" not in page


def test_a_part_that_came_is_told_with_what_is_awaited_and_what_happens_with_the_money(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    priya, rma = two
    count(desk, rma, ("1", 1, "as_new"))
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Incomplete" in page
    assert "A part of your return has arrived" in page
    assert "Arrived: 1 of 2 × Mug" in page
    assert "Still awaited: 1 of 2 × Mug, Plate" in page
    assert "Your money goes out once all of it has arrived." in page
    assert "1 of 3 items so far" in page
    assert "1 of 2 arrived" in page
    assert "Received" not in page
    assert "Send the rest by Tuesday 1 December 2026, unless it is on its way." in page.replace(" ,", ",")
    assert "Waiting for the rest By Tue 1 Dec 2026" in page
    assert "On its way to us" not in page
    assert "Shipped" not in page
    assert "Plate Awaited" in page
    assert "How to send the rest" in page
    papers = text_of(priya.get(f"/returns/{rma}/booked"))
    assert "Send the rest of your return" in papers
    assert "Pack both items in one parcel" in papers
    assert "Show this at a" in papers


def test_what_staff_write_when_they_accept_goods_in_question_stands_in_the_mail_about_the_money(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    _, rma = two
    count(desk, rma, ("1", 2, "damaged"), ("2", 1, "as_new"))
    reason = "The plate was made to order."
    desk.act(service.authorize, rma, message=reason, lines=["1"])
    news(desk, "succeeded")
    mail = told(desk, "refund_sent")
    assert "Not part of this return: Plate." in mail
    assert mail.count(reason) == 1
    assert f"Why {reason}" in mail


def test_a_message_that_a_mail_has_told_already_is_not_told_again_with_the_money(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    _, rma = two
    count(desk, rma, ("1", 2, "as_new"), ("2", 1, "as_new"))
    news(desk, "succeeded")
    assert "From our team" not in told(desk, "refund_sent")


def test_of_what_was_paid_before_it_was_found_missing_nobody_says_that_nothing_is_refunded(
    desk: Desk, customer: Make
) -> None:
    desk.publish(UNGRADED.replace("refund_when: received", "refund_when: authorized", 1))
    priya, rma = book_two(desk, customer)
    news(desk, "succeeded")
    count(desk, rma, ("1", 2, "as_new"), ("2", 1, "missing"))
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "received")):
        assert "nothing is refunded" not in said


def test_of_what_staff_give_something_for_nobody_says_that_nothing_is_refunded(desk: Desk, customer: Make) -> None:
    desk.publish(UNGRADED)
    priya, rma = book_two(desk, customer)
    count(desk, rma, ("1", 1, "as_new"), ("1", 1, "missing"), ("2", 1, "wrong_item"))
    desk.act(service.authorize, rma, amounts={"1": 4000, "2": 3000}, note="Lost by the carrier", message="We pay it.")
    news(desk, "succeeded")
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")):
        assert "Added by our team" in said
        assert "nothing is refunded" not in said


def test_what_is_missing_beside_a_lower_amount_is_still_said_to_give_nothing(desk: Desk, customer: Make) -> None:
    desk.publish(UNGRADED)
    priya, rma = book_two(desk, customer)
    count(desk, rma, ("1", 1, "damaged"), ("1", 1, "missing"), ("2", 1, "missing"))
    desk.act(service.authorize, rma, amounts={"1": 500}, note="Broken", message="One mug is broken.")
    news(desk, "succeeded")
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")):
        assert "Taken off: damaged −£" in said
        assert "1 of 2 × Mug: missing from the parcel, so nothing is refunded for it." in said
        assert "Plate: missing from the parcel, so nothing is refunded for it." in said


def test_an_amount_that_was_set_before_the_goods_came_is_not_said_to_be_for_what_was_found(
    desk: Desk, customer: Make
) -> None:
    desk.publish(DEFAULT.replace("review: never", "review: always"))
    priya, rma = book_two(desk, customer)
    reason = "You told us that its glaze is scratched."
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="By phone", message=reason)
    count(desk, rma, ("1", 2, "opened"), ("2", 1, "damaged"))
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="As agreed")
    news(desk, "succeeded")
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")):
        assert "Taken off: opened" not in said
        assert "Taken off by our team" in said


def test_a_condition_that_takes_nothing_off_is_not_named_as_the_cause_of_a_lower_amount(
    desk: Desk, customer: Make
) -> None:
    desk.publish(DEFAULT.replace("    used: {refund: 70%, review: always}", "    used: 100%"))
    priya, rma = book_two(desk, customer)
    count(desk, rma, ("1", 1, "used"), ("1", 1, "opened"), ("2", 1, "as_new"))
    desk.act(service.authorize, rma, amounts={"1": 3000}, note="Opened", message="One mug has no box.")
    assert "Taken off: opened −" in text_of(priya.get(f"/returns/{rma}"))


def test_a_later_question_does_not_take_the_place_of_the_reason_for_a_lower_amount(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    _, rma = two
    count(desk, rma, ("1", 2, "damaged"), ("2", 1, "as_new"))
    reason, question = "Both mugs came with a broken handle.", "Which bank account may we send it to?"
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="Broken", message=reason)
    news(desk, "failed", failure_reason="expired_or_canceled_card")
    (refund,) = desk.rows(Refund)
    desk.act(actions.ask_customer, refund.public_id, question)
    assert question in told(desk, "asked")
    desk.act(questions.answer_question, rma, "GB33BUKB20201555555555")
    desk.act(actions.mark_paid_elsewhere, refund.public_id, "Sent", how="bank")
    mail = told(desk, "refund_sent")
    assert reason in mail
    assert question not in mail


def test_every_reason_for_a_lower_amount_stands_with_the_money_whoever_says_yes_after_it(
    desk: Desk, customer: Make
) -> None:
    desk.publish(DEFAULT.replace("review: never", "review: always"))
    _, rma = book_two(desk, customer)
    first, second = "You told us that its glaze is scratched.", "The plate has a crack."
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="By phone", message=first)
    count(desk, rma, ("1", 2, "opened"), ("2", 1, "damaged"))
    desk.act(service.authorize, rma, amounts={"1": 1000, "2": 500}, note="Cracked", message=second)
    news(desk, "succeeded")
    assert f"{first} {second}" in told(desk, "refund_sent")


def test_a_second_yes_without_a_word_leaves_the_reason_where_it_was(desk: Desk, customer: Make) -> None:
    desk.publish(DEFAULT.replace("review: never", "review: always"))
    priya, rma = book_two(desk, customer)
    reason = "You told us that its glaze is scratched."
    desk.act(service.authorize, rma, amounts={"1": 1000}, note="By phone", message=reason)
    count(desk, rma, ("1", 2, "opened"), ("2", 1, "as_new"))
    desk.act(service.authorize, rma, note="As agreed")
    news(desk, "succeeded")
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")):
        assert reason in said


def test_the_message_of_a_plain_approval_is_not_told_again_with_the_money(desk: Desk, customer: Make) -> None:
    desk.publish(DEFAULT.replace("review: never", "review: always"))
    _, rma = book_two(desk, customer)
    desk.act(service.authorize, rma, message="Do send it soon.")
    count(desk, rma, ("1", 2, "opened"), ("2", 1, "as_new"))
    desk.act(service.authorize, rma, note="Fine")
    news(desk, "succeeded")
    assert "Do send it soon." not in told(desk, "refund_sent")


def test_of_a_return_that_was_denied_no_sum_and_no_delivery_is_explained(desk: Desk, two: tuple[Customer, str]) -> None:
    priya, rma = two
    count(desk, rma, ("1", 2, "wrong_item"), ("2", 1, "wrong_item"))
    desk.act(service.refuse, rma, message="These are not from us.")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Denied" in page
    assert "delivery costs" not in page
    assert "£0.00" not in page


def test_where_something_is_missing_delivery_stays_because_not_all_of_it_came_back(
    desk: Desk, two: tuple[Customer, str]
) -> None:
    priya, rma = two
    count(desk, rma, ("1", 2, "as_new"), ("2", 1, "missing"))
    desk.act(service.authorize, rma, note="Not in the parcel")
    news(desk, "succeeded")
    for said in (text_of(priya.get(f"/returns/{rma}")), told(desk, "refund_sent")):
        assert "Your delivery costs go back only when the whole order does, and not all of it came back." in said
        assert "stayed with you" not in said


def test_where_an_item_was_left_out_delivery_stays_because_a_part_of_it_was_kept(desk: Desk, customer: Make) -> None:
    desk.publish(DEFAULT.replace("review: never", "review: always"))
    priya, rma = book_two(desk, customer)
    desk.act(service.authorize, rma, lines=["1"], message="The plate is used.")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Your delivery costs go back only when the whole order does, and a part of it stayed with you." in page


def test_what_was_only_found_missing_is_no_part_that_has_arrived(desk: Desk, two: tuple[Customer, str]) -> None:
    priya, rma = two
    count(desk, rma, ("2", 1, "missing"))
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Your parcel is on its way to us" in page
    assert "Incomplete" not in page
    assert "A part" not in page
    assert "Plate Missing" in page
    desk.moment.shift(timedelta(minutes=30))
    count(desk, rma, ("1", 1, "as_new"))
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "A part of your return has arrived" in page
    assert "Incomplete" in page
    assert "A part has arrived Tue 17 Nov 2026, 15:02 1 of 3 items so far" in page
