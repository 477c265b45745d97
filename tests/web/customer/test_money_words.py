"""What a customer reads of money that does not go the usual way: paid by hand, held, stopped, come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.flow import SCHEDULE
from portal.notices.models import Notice
from portal.orders.models import Payment
from portal.refunds import actions, gate, settle
from portal.refunds.credit_note_models import CreditNote
from portal.refunds.gateway import RefundView
from portal.refunds.models import Refund
from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, line, picture, text_of, written
from tests.web.customer.test_status import news

Make = Callable[[], Customer]


@pytest.fixture
def received(desk: Desk, customer: Make) -> tuple[Customer, str]:
    """A customer whose shirt has come back and whose refund is prepared."""
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    desk.receive(rma)
    return priya, rma


@pytest.mark.parametrize(
    ("how", "to", "bank"),
    [("bank", "your bank account", True), ("cash", "you in cash", False), ("other", "you by another way", False)],
)
def test_a_refund_paid_by_hand_names_the_way_it_was_paid_and_not_the_card_that_failed(
    desk: Desk, received: tuple[Customer, str], how: str, to: str, bank: bool
) -> None:
    priya, rma = received
    news(desk, "failed", failure_reason="expired_or_canceled_card")
    desk.moment.shift(timedelta(days=1))
    (refund,) = desk.rows(Refund)
    desk.act(actions.mark_paid_elsewhere, refund.public_id, "Transfer of 18 November", how=how)
    priya.find()
    text = text_of(priya.get(f"/returns/{rma}"))
    told = written(desk, next(each for each in desk.rows(Notice) if each.kind == "refund_sent"))
    for said in (text, told):
        assert "4242" not in said
        assert f"£54.10 to {to}" in said.replace(" ,", ",") or f"£54.10 has gone to {to}" in said
    assert ("between Wed 25 Nov 2026 and Wed 2 Dec 2026" in text) is bank
    assert ("Banks take" in told) is bank
    assert ("is on its way" in told) is bank


def test_who_may_not_read_the_way_of_the_money_reads_at_least_that_it_was_another_one(
    desk: Desk, received: tuple[Customer, str], customer: Make
) -> None:
    _, rma = received
    news(desk, "failed", failure_reason="expired_or_canceled_card")
    (refund,) = desk.rows(Refund)
    desk.act(actions.mark_paid_elsewhere, refund.public_id, "Over the counter", how="cash")
    guest = customer()
    guest.find(proof="BS6 5QA")
    page = text_of(guest.get(f"/returns/{rma}"))
    assert "We’ve sent £54.10 to you by another way" in page
    assert "Refund to you by another way" in page
    for untold in ("the way it was paid", "the card that paid", "cash"):
        assert untold not in page


def test_a_payment_that_the_portal_cannot_refund_keeps_its_own_way(desk: Desk, customer: Make) -> None:
    desk.order()
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Payment).values(provider="bank", payment_intent=None, method=""))
    priya = customer()
    rma = priya.book_shirt()
    desk.receive(rma)
    waiting = text_of(priya.get(f"/returns/{rma}"))
    assert "Our team pays your refund" in waiting
    assert "A person in our team pays £54.10 to your bank account" in waiting
    assert "on its way" not in waiting.partition("Progress")[0]
    assert "Bank transfer" not in waiting
    (refund,) = desk.rows(Refund)
    desk.act(actions.mark_paid_elsewhere, refund.public_id, "Transfer of 17 November")
    assert "We’ve sent £54.10 to your bank account" in text_of(priya.get(f"/returns/{rma}"))


def test_cash_is_paid_in_cash_and_by_a_day(desk: Desk, customer: Make) -> None:
    desk.order()
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Payment).values(provider="cash", payment_intent=None, method="Cash"))
    priya = customer()
    rma = priya.book_shirt()
    desk.receive(rma)
    waiting = text_of(priya.get(f"/returns/{rma}"))
    assert "A person in our team pays £54.10 to you in cash" in waiting
    assert "That is done by Wednesday 18 November 2026" in waiting
    assert "to Cash" not in waiting
    (refund,) = desk.rows(Refund)
    desk.act(actions.mark_paid_elsewhere, refund.public_id, "Over the counter")
    told = written(desk, next(each for each in desk.rows(Notice) if each.kind == "refund_sent"))
    assert "we sent £54.10 to you in cash today" in told.replace("everything was as you described. We", "we")


def test_while_all_refunds_are_stopped_the_page_says_so_and_that_it_goes_on_by_itself(
    desk: Desk, received: tuple[Customer, str]
) -> None:
    priya, rma = received
    assert "We’re preparing your refund" in text_of(priya.get(f"/returns/{rma}"))
    desk.act(gate.stop, "Something odd")
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "We’ve paused all refunds for now" in text
    assert "goes out by itself as soon as we send refunds again" in text
    assert "The pause is for all refunds of our shop and has nothing to do with yours." in text
    assert "check it" not in text
    assert "on its way" not in text.partition("Progress")[0]
    assert "odd" not in text
    desk.act(gate.resume, "All is well")
    assert "pause" not in text_of(priya.get(f"/returns/{rma}"))


def test_what_came_back_after_it_had_arrived_is_not_called_refunded_anywhere(
    desk: Desk, received: tuple[Customer, str]
) -> None:
    priya, rma = received
    news(desk, "succeeded")
    pages = (f"/returns/{rma}", "/order/WH-20418/returns")
    assert all("Refunded" in text_of(priya.get(page)) for page in pages)
    news(desk, "failed", failure_reason="expired_or_canceled_card")
    assert desk.find(rma).status == "closed"
    for page in pages:
        text = text_of(priya.get(page))
        assert "Refunded" not in text
        assert "Delayed" in text


def test_what_is_ready_to_spend_is_not_owed_any_more(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Plate", 7000, SECOND_PARCEL), line(2, "Mug", 6000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    priya.choose(1, 2)
    priya.answer(1, outcome="store_credit")
    priya.answer(2)
    priya.send_with()
    priya.send_with()
    answer = priya.book()
    assert answer.status_code == 303, text_of(answer)
    rma = answer.headers["Location"].split("/")[2]
    desk.receive(rma)
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "You’re owed" not in text
    assert "You get in all £137.45" in text
    with desk.ports.database.read() as session:
        assert session.scalars(select(Refund)).one().status == "planned"


def test_a_refund_that_failed_while_the_goods_are_here_is_delayed_in_every_word(
    desk: Desk, received: tuple[Customer, str]
) -> None:
    priya, rma = received
    news(desk, "failed", failure_reason="insufficient_funds")
    assert desk.find(rma).status == "received"
    text = text_of(priya.get(f"/returns/{rma}"))
    assert text.count("Delayed") == 2, "the return and its item"
    assert "Received" not in text
    listed = text_of(priya.get("/order/WH-20418/returns"))
    assert "Delayed" in listed
    assert "Failed" not in text + listed


def test_while_a_dispute_holds_the_money_it_waits_for_the_bank_and_no_day_is_named(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.book_shirt()
    desk.act(lambda tx: tx.session.execute(update(Payment).values(disputed_at=tx.at)))
    desk.receive(rma)
    text = text_of(priya.get(f"/returns/{rma}"))
    for part in (
        "Your refund waits for your bank",
        "Your bank is looking into this payment. We wait for its answer before we send anything.",
        "Waits for your bank £54.10",
    ):
        assert part in text, part
    for part in ("Refund sent", "Expected by", "You’re owed", "checking it", "Being checked", "when it has arrived"):
        assert part not in text, part
    desk.moment.shift(timedelta(days=30))
    priya.find()
    assert "longer than the day we named" not in text_of(priya.get(f"/returns/{rma}"))


def test_the_vat_is_said_to_be_in_what_it_is_in_and_is_that_of_the_credit_note(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Plate", 6000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "faulty", "step": "show"})
    assert "Price and delivery include VAT £10.66" in text_of(priya.get("/order/WH-20418/item/1"))
    priya.answer(1, "faulty", photo=(picture(), "crack.jpg"))
    priya.send_with()
    said = "Prices and delivery include £10.66 VAT."
    assert said in text_of(priya.get("/order/WH-20418/review"))
    rma = priya.book().headers["Location"].split("/")[2]
    desk.receive(rma)
    news(desk, "succeeded")
    desk.work("issue_credit_note")
    assert said in text_of(priya.get(f"/returns/{rma}"))
    told = written(desk, next(each for each in desk.rows(Notice) if each.kind == "refund_sent"))
    assert "Price and delivery include £10.66 VAT." in told
    (note,) = desk.rows(CreditNote)
    assert note.tax_minor == 1066


def test_what_a_bank_holds_too_long_is_told_first_and_page_and_mail_name_the_same_day(
    desk: Desk, received: tuple[Customer, str]
) -> None:
    priya, rma = received

    def seen() -> str:
        priya.find()
        return text_of(priya.get(f"/returns/{rma}")).partition("Items in this return")[0]

    def mailed(kind: str) -> str:
        return written(desk, [each for each in desk.rows(Notice) if each.kind == kind][-1])

    news(desk, "pending", reference_status="pending")
    assert "Your money is on its way" in seen()
    desk.moment.move_to("2026-12-02T09:00:00Z")
    for page in (seen(), seen().partition("Progress")[2]):
        assert "akes longer" in page
        assert "The bank hasn’t finished" in page
        assert "1 Dec 2026" not in page
    SCHEDULE["raise_late_refunds"][1](desk.ports)
    assert "Your refund takes longer We’ve sent £54.10 to Visa ending 4242, at your bank between" in seen()
    assert "and Wed 16 Dec 2026" in seen()
    assert "Expect it by Wednesday 16 December 2026 now" in mailed("refund_late")
    desk.moment.move_to("2027-01-04T09:00:00Z")
    assert "The bank hasn’t finished £54.10 to Visa ending 4242 yet." in seen()
    news(desk, "succeeded", bank_reference="746120438877", reference_status="available")
    assert "Your refund is on its way" in seen()
    assert "and Mon 18 Jan 2027" in seen()
    assert "Expect it by Monday 18 January 2027" in mailed("refund_sent")


def test_the_mail_about_money_that_left_days_ago_says_so_and_names_the_day_of_the_page(
    desk: Desk, received: tuple[Customer, str]
) -> None:
    priya, rma = received
    news(desk, "pending")
    desk.moment.shift(timedelta(days=6))
    news(desk, "succeeded")
    priya.find()
    assert "at your bank between Tue 24 Nov 2026 and Tue 1 Dec 2026" in text_of(priya.get(f"/returns/{rma}"))
    mail = written(desk, desk.rows(Notice)[-1])
    assert "We sent £54.10 to Visa ending 4242 on 17 November 2026." in mail
    assert "Expect it by Tuesday 1 December 2026" in mail


def test_a_second_try_is_told_as_soon_as_it_is_accepted_and_once(desk: Desk, received: tuple[Customer, str]) -> None:
    priya, rma = received
    news(desk, "failed", failure_reason="declined")
    (failed,) = desk.rows(Refund)
    desk.act(actions.retry, failed.public_id, "Once more")
    for status in ("pending", "succeeded"):
        with desk.ports.database.transaction() as tx:
            refund = tx.session.scalars(select(Refund).where(Refund.replaces_id == failed.id)).one()
            payment = tx.session.get_one(Payment, refund.payment_id)
            refund.status = "submitted" if refund.status == "planned" else refund.status
            refund.submitted_at = tx.at
            view = RefundView("re_2", status, refund.amount_minor, refund.currency, "pi", tx.at, {})
            settle.take_over(tx, refund, payment, view)
        if status == "pending":
            page = text_of(priya.get(f"/returns/{rma}")).replace(" ,", ",")
            assert "£54.10 is on its way to Visa ending 4242, at your bank between" in page
            assert "We’ve sent" not in page
        kinds = [each.kind for each in desk.rows(Notice)]
        assert kinds[-2:] == ["refund_failed", "refund_sent"]
