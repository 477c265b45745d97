"""Goodwill as its customer sees it: by the mailed link or the order, where the money is, and its credit note."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from portal.notices.links import gift_link
from portal.orders.models import Payment
from portal.refunds import given_up, goodwill, settle
from portal.refunds.gateway import RefundView
from portal.refunds.goodwill import Gift
from portal.refunds.models import Goodwill, Refund
from portal.refunds.tenders import lock_refund
from tests.web.customer.desk import Customer, Desk, text_of
from tests.web.customer.test_status import news

Make = Callable[[], Customer]


def given(desk: Desk) -> str:
    """Five pounds for order WH-20418; the gift's number."""
    order_id = desk.order()
    desk.act(goodwill.give, order_id, Gift(5_00), reason="Rude driver", command_key="k" * 20, shop=desk.ports.shop)
    with desk.ports.database.read() as session:
        return session.scalars(select(Goodwill.public_id)).one()


def test_the_mailed_link_opens_the_gift_with_its_days_and_its_credit_note(desk: Desk, customer: Make) -> None:
    number = given(desk)
    news(desk, "succeeded", reference_status="pending")
    desk.work("issue_credit_note")
    link = gift_link(desk.ports.config, number).removeprefix(desk.ports.config.base_url)
    reader = customer()
    opened = reader.get(link)
    assert (opened.status_code, opened.location) == (303, f"/gifts/{number}")
    text = text_of(reader.get(f"/gifts/{number}"))
    for part in (
        "Order WH-20418", "£5.00", "Refund to Visa ending 4242", "at your bank between Tue 24 Nov 2026 and Tue 1 Dec 2026",
        "The bank reference comes later", "Credit note CN-2026-0001 (PDF)",
    ):  # fmt: skip
        assert part in text, part
    assert "Rude driver" not in text
    paper = reader.get(f"/gifts/{number}/credit-note.pdf")
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")


def seen_at_stripe(desk: Desk, refund: Refund, status: str) -> None:
    with desk.ports.database.transaction() as tx:
        view = RefundView(f"re_{refund.id}", status, refund.amount_minor, "GBP", "pi", tx.at, {})
        row, payment = lock_refund(tx.session, refund.id)
        row.submitted_at = row.submitted_at or tx.at
        settle.take_over(tx, row, payment, view)


def test_a_correction_stands_beside_the_credit_note_that_it_lowers(desk: Desk, customer: Make) -> None:
    order_id = desk.order()
    with desk.ports.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 300
        tx.session.add(
            Payment(
                order_id=order_id, position=2, payment_intent="pi_2", captured_minor=200, currency="GBP", method="Visa"
            )
        )
    desk.act(goodwill.give, order_id, Gift(5_00), reason="Rude driver", command_key="k" * 20, shop=desk.ports.shop)
    first, second = desk.rows(Refund)
    for refund in (first, second):
        seen_at_stripe(desk, refund, "succeeded")
    desk.work("issue_credit_note")
    seen_at_stripe(desk, second, "failed")
    with desk.ports.database.transaction() as tx:
        # Somebody has given the money of the second payment by hand.
        tx.session.get_one(Payment, second.payment_id).refunded_elsewhere_minor = 200
    desk.act(given_up.give_up, second.public_id, "Too little left.")
    desk.work("correct_credit_note")
    with desk.ports.database.read() as session:
        number = session.scalars(select(Goodwill.public_id)).one()
    priya, address = customer(), f"/gifts/{number}/credit-note-correction-1.pdf"
    assert priya.get(address).location == "/"
    priya.find()
    assert "Credit note CN-2026-0001 (PDF) Correction CN-2026-0002 (PDF)" in text_of(priya.get(f"/gifts/{number}"))
    paper = priya.get(address)
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")


def test_who_knows_only_the_postcode_reads_nothing_of_the_buyers_card(desk: Desk, customer: Make) -> None:
    number = given(desk)
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    page = receiver.get(f"/gifts/{number}")
    assert "Refund to the card that paid" in text_of(page)
    assert "4242" not in page.text


def test_without_the_link_or_the_order_a_gift_is_nobodys(desk: Desk, customer: Make) -> None:
    number = given(desk)
    stranger = customer()
    wrong = gift_link(desk.ports.config, "gw_OTHER").rpartition("=")[2]
    for path in (
        f"/gifts/{number}", f"/gifts/{number}?key={wrong}", f"/gifts/{number}/credit-note.pdf", "/gifts/gw_NONE",
        "/gifts/%00",
    ):  # fmt: skip
        assert stranger.get(path).location == "/", path


def test_who_found_the_order_sees_what_was_given_for_it(desk: Desk, customer: Make) -> None:
    number = given(desk)
    priya = customer()
    priya.find()
    assert "/order/WH-20418/returns" in priya.get("/order/WH-20418/items").text
    listed = priya.get("/order/WH-20418/returns")
    assert "Refund of £5.00 without a return" in text_of(listed)
    assert f"/gifts/{number}" in listed.text
    assert "Refund being prepared" in text_of(priya.get(f"/gifts/{number}"))
    assert priya.get(f"/gifts/{number}/credit-note.pdf").status_code == 404


def test_what_was_given_and_kept_is_not_said_to_have_come_back(desk: Desk, customer: Make) -> None:
    order_id = desk.order()
    gift = Gift(lines={"1": 1, "2": 1})
    desk.act(goodwill.give, order_id, gift, reason="Holes", command_key="k" * 20, shop=desk.ports.shop)
    priya = customer()
    priya.find()
    page = text_of(priya.get("/order/WH-20418/items"))
    assert "It’s refunded already. You don’t need to send it back." in page
    assert "1 of 2 is refunded already." in page
    assert "come back already" not in page
