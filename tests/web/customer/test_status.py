"""Following a return: who may see it, what it says, and cancelling while that is possible."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import select, update

from portal.labels.models import Label
from portal.labels.service import customer_address
from portal.notices.links import status_link
from portal.notices.models import Notice
from portal.orders.models import Payment
from portal.refunds import given_up, settle, shortage
from portal.refunds.credit_note_models import CreditNote
from portal.refunds.gateway import RefundView
from portal.refunds.models import Refund, StoreCredit
from portal.returns import service
from portal.returns.models import Return
from tests.blank import keep, put
from tests.web.customer.desk import EMAIL, STAFF, Customer, Desk, inline_code, text_of, token_of, written

Make = Callable[[], Customer]


@pytest.fixture(scope="module")
def bookings() -> list[tuple[bytes, str, str]]:
    """The shop once a shirt was booked on its pages, the customer's cookie, and the return's number."""
    return []


@pytest.fixture
def booked(desk: Desk, customer: Make, bookings: list[tuple[bytes, str, str]]) -> tuple[Customer, str]:
    """A customer who has booked one shirt, and the return's number. The first test books; all begin with a copy of that shop."""
    priya = customer()
    if not bookings:
        desk.order()
        rma = priya.book_shirt()
        session = priya.client.get_cookie("portal")
        assert session is not None
        bookings.append((keep(desk.ports.database), session.value, rma))
    shop, cookie, rma = bookings[0]
    put(desk.ports.database, shop)
    priya.client.set_cookie("portal", cookie)
    return priya, rma


def news(desk: Desk, status: str, **more: Any) -> None:
    """Stripe says something about the only refund."""
    with desk.ports.database.transaction() as tx:
        refund = tx.session.scalars(select(Refund)).one()
        payment = tx.session.get_one(Payment, refund.payment_id)
        refund.status = "submitted" if refund.status == "planned" else refund.status
        refund.submitted_at = refund.submitted_at or tx.at
        view = RefundView(
            id="re_1",
            status=status,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            payment_intent=payment.payment_intent or "",
            created_at=tx.at,
            metadata={},
            **more,
        )
        settle.take_over(tx, refund, payment, view)


def test_the_mailed_link_opens_the_page_and_leaves_the_address(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    _priya, rma = booked
    link = status_link(desk.ports.config, rma).removeprefix(desk.ports.config.base_url)
    reader = customer()
    away = reader.get(link)
    assert (away.status_code, away.headers["Location"]) == (303, f"/returns/{rma}")
    text = text_of(reader.get(f"/returns/{rma}"))
    assert f"Return {rma}" in text
    assert "Send it by Tuesday 1 December 2026" in text
    # The link opens this return, not the order with everything else in it.
    assert reader.get("/order/WH-20418/items").headers["Location"] == "/?order=WH-20418&then=items"


@pytest.mark.parametrize("change", ["", "x", "other"])
def test_a_key_that_is_none_opens_nothing(
    desk: Desk, booked: tuple[Customer, str], customer: Make, change: str
) -> None:
    _priya, rma = booked
    key = status_link(desk.ports.config, "R-0000000" if change == "other" else rma).partition("key=")[2]
    reader = customer()
    answer = reader.get(
        f"/returns/{rma}?key={key[: len(key) // 2] if not change else key + change if change == 'x' else key}"
    )
    assert answer.status_code == 200
    assert "Show my return" in text_of(answer)
    assert EMAIL not in answer.get_data(as_text=True)


def test_without_a_grant_a_known_and_an_unknown_return_get_the_same_page(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    _priya, rma = booked
    unknown = "R-2345679"
    for path in ("", "/booked", "/cancel"):
        stranger = customer()
        pages = [stranger.get(f"/returns/{each}{path}").get_data(as_text=True) for each in (rma, unknown)]
        assert pages[0].replace(rma, "?") == pages[1].replace(unknown, "?")
    for path in ("label.pdf", "packing-slip.pdf", "qr.png", "drop-off.ics"):
        answers = [customer().get(f"/returns/{each}/{path}") for each in (rma, unknown)]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].data == answers[1].data


def test_a_return_is_found_by_its_number_and_the_proof_of_its_order(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    _priya, rma = booked
    reader = customer()
    typed = f" {rma.lower().replace('-', ' ')} "
    wrong = reader.post("/track", {"return_number": typed, "proof": "mallory@example.com"})
    unknown = reader.post("/track", {"return_number": "R-2345679", "proof": EMAIL})
    assert wrong.status_code == unknown.status_code == 422
    assert "We couldn’t find a return with these details" in text_of(wrong)
    assert "We couldn’t find a return with these details" in text_of(unknown)
    found = reader.post("/track", {"return_number": typed, "proof": "bs6 5qa"})
    assert found.headers["Location"] == f"/returns/{rma}"
    assert reader.get(f"/returns/{rma}").status_code == 200


def test_tracking_is_limited_like_the_look_up(desk: Desk, booked: tuple[Customer, str], customer: Make) -> None:
    _priya, rma = booked
    mallory = customer()
    mallory.address = "198.51.100.4"
    for number in range(10):
        mallory.post("/track", {"return_number": rma, "proof": f"{number}@example.com"})
    assert mallory.post("/track", {"return_number": rma, "proof": EMAIL}).status_code == 429


def test_the_code_on_the_page_reads_back_to_the_label(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    (label,) = desk.rows(Label)
    png = priya.get(f"/returns/{rma}/qr.png")
    image = Image.open(io.BytesIO(png.data))
    assert zxingcpp.read_barcodes(image)[0].text == label.code
    assert image.width % 6 == 0 or image.width % 8 == 0
    assert re.sub(r"\s", "", label.code[2:-2]) in text_of(priya.get(f"/returns/{rma}/booked")).replace(" ", "")


def test_label_and_slip_are_papers_and_the_deadline_is_a_calendar_entry(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    for name in ("label.pdf", "packing-slip.pdf"):
        paper = priya.get(f"/returns/{rma}/{name}")
        assert (paper.status_code, paper.mimetype) == (200, "application/pdf")
        assert paper.data.startswith(b"%PDF")
    entry = priya.get(f"/returns/{rma}/drop-off.ics")
    assert entry.mimetype == "text/calendar"
    text = entry.data.decode()
    assert "DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261202\r\n" in text
    assert all(len(row.encode()) <= 75 for row in text.split("\r\n"))


def test_a_cancelled_return_has_neither_code_nor_deadline_nor_papers(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    papers = [f"/returns/{rma}/{name}" for name in ("qr.png", "drop-off.ics", "label.pdf", "packing-slip.pdf")]
    assert [priya.get(path).status_code for path in papers] == [200] * 4
    priya.post(f"/returns/{rma}/cancel")
    assert [priya.get(path).status_code for path in papers] == [404] * 4


def test_cancelling_asks_once_more_then_frees_the_units(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    assert "Cancel this return" in text_of(priya.get(f"/returns/{rma}"))
    page = priya.get(f"/returns/{rma}/cancel")
    assert f"Cancel return {rma}?" in text_of(page)
    assert desk.find(rma).status == "authorized"
    away = priya.post(f"/returns/{rma}/cancel")
    assert away.headers["Location"] == f"/returns/{rma}"
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "This return is cancelled" in text
    assert "Start again" in text
    assert "You’re owed" not in text
    (mail,) = [each for each in desk.rows(Notice) if each.kind == "canceled"]
    assert "is cancelled, as you wished" in written(desk, mail)
    assert priya.get(f"/returns/{rma}/booked").headers["Location"] == f"/returns/{rma}"
    assert "1 of 2 is back" not in text_of(priya.get("/order/WH-20418/items"))


def test_case_82_a_received_return_has_no_cancel_button_and_refuses_a_direct_post(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    page = priya.get(f"/returns/{rma}/cancel").get_data(as_text=True)
    token = re.search(r'csrf_token" value="([^"]+)"', page)
    assert token
    desk.receive(rma)
    assert "Cancel this return" not in text_of(priya.get(f"/returns/{rma}"))
    assert priya.get(f"/returns/{rma}/cancel").headers["Location"] == f"/returns/{rma}"
    # What somebody came to do is answered at the top of where they end up.
    late = text_of(priya.get(f"/returns/{rma}"))
    assert late.index("can’t be cancelled any more. Nothing was changed.") < late.index(f"Return {rma} We’re")
    direct = priya.send(f"/returns/{rma}/cancel", {"csrf_token": token[1]})
    assert direct.status_code == 409
    assert "can’t be cancelled any more" in text_of(direct)
    assert desk.find(rma).status == "received"
    news(desk, "succeeded")
    assert desk.find(rma).status == "closed"
    assert "Your refund is on its way" in text_of(priya.get(f"/returns/{rma}"))
    desk.moment.move_to("2026-12-02T09:00:00Z")
    priya.find()
    assert "Your refund is complete" in text_of(priya.get(f"/returns/{rma}"))


def test_who_cancels_what_was_decided_meanwhile_reads_what_is_so(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    priya, _rma = booked
    rma = priya.ask()
    page = priya.get(f"/returns/{rma}/cancel").get_data(as_text=True)
    desk.act(service.refuse, rma, message="It was opened.")
    denied = text_of(priya.send(f"/returns/{rma}/cancel", {"csrf_token": token_of(page)}))
    assert "We couldn’t accept this return, so there is nothing to cancel" in denied
    assert "parcel" not in denied
    assert desk.find(rma).status == "rejected"


def test_who_cancels_what_is_paid_in_advance_reads_that_the_money_is_prepared(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    page = priya.get(f"/returns/{rma}/cancel").get_data(as_text=True)
    with desk.ports.database.transaction(STAFF) as tx:
        tx.session.execute(update(Return).values(payout_planned_at=tx.at))
    refused = priya.send(f"/returns/{rma}/cancel", {"csrf_token": token_of(page)})
    assert refused.status_code == 409
    for said in (text_of(refused), text_of(priya.client.get(f"/returns/{rma}/cancel", follow_redirects=True))):
        assert "Your money is prepared already, so this return can’t be cancelled any more" in said, said
        assert "Your parcel is on its way or" not in said


@pytest.mark.parametrize("way", ["track by postcode", "order by postcode"])
def test_who_knows_the_postcode_alone_cancels_nothing_that_the_buyer_booked(
    desk: Desk, booked: tuple[Customer, str], customer: Make, way: str
) -> None:
    _priya, rma = booked
    reader = customer()
    opened(desk, reader, rma, way)
    page = reader.get(f"/returns/{rma}/cancel")
    assert "Cancel my return" not in text_of(page)
    refused = reader.send(f"/returns/{rma}/cancel", {"csrf_token": token_of(reader.get("/").text)})
    assert refused.status_code == 403
    assert f"Only the buyer can cancel return {rma}" in text_of(refused)
    assert desk.find(rma).status == "authorized"
    assert f'href="/track?return={rma}"' in refused.text
    reader.post("/track", {"return_number": rma, "proof": EMAIL})
    reader.post(f"/returns/{rma}/cancel")
    assert desk.find(rma).status == "canceled"


def test_the_link_of_a_return_cancels_it_whoever_gets_its_mails(desk: Desk, customer: Make) -> None:
    desk.order()
    priya, reader = customer(), customer()
    priya.find()
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    priya.post("/order/WH-20418/updates", {"email": "sam@elsewhere.example"})
    rma = priya.book().headers["Location"].split("/")[2]
    opened(desk, reader, rma, "track by postcode")
    assert "Cancel my return" not in text_of(reader.get(f"/returns/{rma}/cancel"))
    opened(desk, reader, rma, "key")
    reader.post(f"/returns/{rma}/cancel")
    assert desk.find(rma).status == "canceled"


def test_what_was_booked_by_postcode_is_cancelled_by_postcode(desk: Desk, customer: Make) -> None:
    desk.order()
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    receiver.choose(2)
    receiver.answer(2)
    receiver.send_with()
    rma = receiver.book().headers["Location"].split("/")[2]
    reader = customer()
    opened(desk, reader, rma, "track by postcode")
    reader.post(f"/returns/{rma}/cancel")
    assert desk.find(rma).status == "canceled"


def test_refunded_is_said_only_when_the_money_has_gone(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    path = f"/returns/{rma}"
    assert "Refund sent" in text_of(priya.get(path))
    desk.receive(rma)
    prepared = text_of(priya.get(path))
    assert "We’re preparing your refund" in prepared
    assert "Refund being prepared" in prepared
    assert "Refunded" not in prepared
    news(desk, "pending")
    sent = text_of(priya.get(path))
    assert "Refund on its way to your bank" in sent
    assert "at your bank between Tue 24 Nov 2026 and Tue 1 Dec 2026" in sent
    assert "Refunded" not in sent
    news(desk, "succeeded")
    done = text_of(priya.get(path))
    assert "Refunded" in done
    assert "Your refund is on its way" in done
    sums = "We’ve sent £54.10 to Visa ending 4242, at your bank between Tue 24 Nov 2026 and Tue 1 Dec 2026."
    assert sums in done.partition("Progress")[0].replace(" .", ".").replace("  ", " ")
    assert "We’ve sent £54.10" in done
    assert "You’ve got" not in done
    desk.moment.move_to("2026-12-02T09:00:00Z")
    priya.find()
    later = text_of(priya.get(path))
    assert "Your refund is complete" in later
    assert "£54.10 has gone to Visa ending 4242" in later
    assert "You’ve got £54.10" in later


def test_a_credit_note_is_there_for_its_owner_once_the_money_has_gone(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    priya, rma = booked
    address = f"/returns/{rma}/credit-note.pdf"
    assert priya.get(address).status_code == 404
    desk.receive(rma)
    news(desk, "succeeded")
    desk.work("issue_credit_note")
    assert "Credit note CN-2026-0001 (PDF)" in text_of(priya.get(f"/returns/{rma}"))
    paper = priya.get(address)
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert customer().get(address).status_code == 404


def test_a_correction_stands_beside_the_credit_note_that_it_lowers(
    desk: Desk, booked: tuple[Customer, str], customer: Make
) -> None:
    priya, rma = booked
    with desk.ports.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 3000
    desk.receive(rma)
    news(desk, "succeeded")
    desk.work("issue_credit_note")
    desk.act(shortage.close, rma, "Both agreed.", seen_minor=5410 - 3000)
    address = f"/returns/{rma}/credit-note-correction-1.pdf"
    assert priya.get(address).status_code == 404
    desk.work("correct_credit_note")
    seen = text_of(priya.get(f"/returns/{rma}"))
    assert "Credit note CN-2026-0001 (PDF) Correction CN-2026-0002 (PDF)" in seen
    paper = priya.get(address)
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert priya.get(f"/returns/{rma}/credit-note-correction-2.pdf").status_code == 404
    assert customer().get(address).status_code == 404
    assert [each.kind for each in desk.rows(Notice)].count("refund_sent") == 1
    # The rest is lost too, and nothing is owed any more: its papers stay.
    news(desk, "failed")
    with desk.ports.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().refunded_elsewhere_minor = 3000
    desk.act(given_up.give_up, desk.rows(Refund)[0].public_id, "Refunded by hand.")
    desk.act(shortage.close, rma, "Both agreed.", seen_minor=3000)
    desk.work("correct_credit_note")
    seen = text_of(priya.get(f"/returns/{rma}"))
    assert "Credit note CN-2026-0001 (PDF) Correction CN-2026-0002 (PDF) Correction CN-2026-0003 (PDF)" in seen


@pytest.mark.parametrize("disputed", [False, True])
def test_a_return_that_is_closed_unpaid_says_so_everywhere_and_is_never_called_refunded(
    desk: Desk, booked: tuple[Customer, str], *, disputed: bool
) -> None:
    priya, rma = booked
    with desk.ports.database.transaction() as tx:
        payment = tx.session.scalars(select(Payment)).one()
        if disputed:
            payment.disputed_at = tx.at
        else:
            payment.refunded_elsewhere_minor = payment.captured_minor
    desk.receive(rma)
    desk.act(shortage.close, rma, "Only for colleagues.", seen_minor=5410)
    assert desk.find(rma).status == "closed"
    page, listed = text_of(priya.get(f"/returns/{rma}")), text_of(priya.get("/order/WH-20418/returns"))
    (notice,) = [each for each in desk.rows(Notice) if each.kind == "closed_unpaid"]
    mail = written(desk, notice)
    for said in (page, listed):
        assert "Refunded" not in said
        assert "Closed" in said
    assert "This return is closed" in page
    assert "without paying £54.10" in page
    assert "If you see it differently, message us." in page
    assert "Closed not paid £54.10" in page
    assert "You don’t need to do anything" not in page
    assert "without paying £54.10" in mail
    assert ("bank has decided" in page, "bank has decided" in mail) == (disputed, disputed)
    assert "Only for colleagues" not in page + mail


def test_what_arrived_of_a_return_is_refunded_and_the_rest_is_said_to_be_closed(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    with desk.ports.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 3000
    desk.receive(rma)
    news(desk, "succeeded")
    desk.act(shortage.close, rma, "Both agreed.", seen_minor=2410)
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Refunded" in page
    assert "We’ve sent £30.00" in page
    assert "We have closed this return without paying £24.10" in page
    assert "Closed not paid £24.10" in page
    (notice,) = [each for each in desk.rows(Notice) if each.kind == "closed_unpaid"]
    assert "The £30.00 that you have from us already stays yours." in written(desk, notice)


def test_what_is_paid_beside_every_payment_is_told_with_its_way(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    with desk.ports.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 3000
    desk.receive(rma)
    news(desk, "succeeded")
    (first,) = [each for each in desk.rows(Notice) if each.kind == "refund_sent"]
    owed = "£24.10 of it is still owed to you and isn’t on its way yet. A person looks at it, and you hear from us."
    assert owed in written(desk, first)
    desk.act(shortage.paid_elsewhere, rma, "Only for colleagues.", seen_minor=2410, how="cash")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "We’ve sent £24.10 to you in cash" in page
    assert "Refund to you in cash refunded £24.10" in page
    sent = [each for each in desk.rows(Notice) if each.kind == "refund_sent"]
    assert len(sent) == 2
    mail = written(desk, sent[-1])
    assert "Your £24.10 refund is paid" in mail
    assert "still owed" not in mail
    assert "you in cash (sent now): £24.10" in mail
    assert "Visa ending 4242 (sent): £30.00" in mail
    assert "Only for colleagues" not in page + mail


def test_a_refund_that_fails_is_told_as_a_delay_without_the_banks_words(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    desk.receive(rma)
    news(desk, "failed", failure_reason="lost_or_stolen_card")
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "Your refund is delayed" in text
    (notice,) = [each for each in desk.rows(Notice) if each.kind == "refund_failed"]
    mail = " ".join(written(desk, notice).split())
    (day,) = re.findall(r"You’ll hear from us by (\w+ \d+ \w+ \d+)", mail)
    what = "It couldn’t be paid to the card or account you paid with. We’ll ask you for another way."
    assert what in mail
    assert f"You’ll hear from us by {day}. {what}" in text.replace(" .", "."), "page and mail promise the same"
    assert "stolen" not in text
    assert "Refunded" not in text


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        ("failed", "charge_for_pending_refund_disputed", "Your bank is looking into this payment."),
        ("failed", "insufficient_funds", "We send it again or find another way."),
        ("requires_action", "", "Look for an e-mail from our payment provider"),
    ],
)
def test_a_trouble_is_told_by_its_code_neutrally_and_truly(
    desk: Desk, booked: tuple[Customer, str], status: str, reason: str, told: str
) -> None:
    priya, rma = booked
    desk.receive(rma)
    news(desk, status, failure_reason=reason)
    text = text_of(priya.get(f"/returns/{rma}"))
    assert told in text
    assert "Stripe" not in text
    assert "balance" not in text


def give_free(desk: Desk, charged_minor: int) -> None:
    """The payment of the only refund had only been authorized, and this was taken in its place."""
    with desk.ports.database.transaction() as tx:
        refund = tx.session.scalars(select(Refund)).one()
        payment = tx.session.get_one(Payment, refund.payment_id)
        settle.give_free(tx, refund, payment, code="not_captured", sentence="Not captured.")
        settle.released(tx, refund, payment, charged_minor)


def test_money_that_was_never_taken_is_not_called_refunded(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    desk.receive(rma)
    give_free(desk, 0)
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "You weren’t charged" in text
    assert "£54.10 was only reserved and is free again." in text
    assert "You’ve got" not in text
    assert "Your refund is complete" not in text
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Return).values(status="closed"))
    for page in (f"/returns/{rma}", "/order/WH-20418/returns"):
        seen = text_of(priya.get(page))
        assert "Released" in seen
        assert "Refunded" not in seen


def test_where_less_was_taken_page_and_mail_say_how_much(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    desk.receive(rma)
    give_free(desk, 350)
    page = text_of(priya.get(f"/returns/{rma}")).replace(" ,", ",")
    mail = written(desk, next(each for each in desk.rows(Notice) if each.kind == "payment_released"))
    for said in (page, mail):
        assert "The rest of what was reserved, £3.50, was charged." in said
        assert "You were charged less" in said
        assert "£54.10" in said
        assert "weren’t charged" not in said
        assert "never" not in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"bank_reference": "746120438877", "reference_status": "available"}, "give your bank this reference: 7461 2043 8877"),
        ({"reference_status": "pending"}, "The bank reference comes later"),
        ({"reversal": True}, "The purchase itself disappears from your statement, so there is no bank reference"),
        ({"reference_status": "unavailable"}, ""),
    ],
    ids=["there", "to come", "reversal", "none"],
)  # fmt: skip
def test_the_bank_reference_is_told_or_that_it_comes_or_why_there_is_none(
    desk: Desk, booked: tuple[Customer, str], more: dict[str, Any], said: str
) -> None:
    priya, rma = booked
    desk.receive(rma)
    news(desk, "succeeded", **more)
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "at your bank between Tue 24 Nov 2026 and Tue 1 Dec 2026" in text
    assert said in text if said else "reference" not in text


def test_a_question_of_the_shop_is_answered_on_the_page(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.ask()
    desk.act(service.ask, rma, message="Is the <b>seal</b> intact?")
    page = priya.get(f"/returns/{rma}")
    assert "We have a question for you" in text_of(page)
    assert "Is the <b>seal</b> intact?" in text_of(page)
    assert inline_code(page) == []
    empty = priya.post(f"/returns/{rma}/answer", {"answer": " "}, form=f"/returns/{rma}")
    assert empty.status_code == 422
    assert text_of(empty).count("Write your answer, or add a photo") == 2
    away = priya.post(f"/returns/{rma}/answer", {"answer": "Yes, it is."}, form=f"/returns/{rma}")
    assert away.headers["Location"] == f"/returns/{rma}"
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "Thank you. We have your answer and go on." in text
    assert "We’re looking at your return" in text


def test_a_question_to_the_shop_is_shown_as_one_on_its_page_and_in_its_mail(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.ask("Still <b>sealed</b>, may I?")
    page = priya.get(f"/returns/{rma}")
    text = text_of(page)
    assert "You asked us Merino boot socks, 3 pairs Still <b>sealed</b>, may I?" in text
    assert inline_code(page) == []
    assert "Question sent" in text
    assert "Booked" not in text
    assert "QR code" not in text
    (notice,) = desk.rows(Notice)
    mail = " ".join(written(desk, notice).split())
    assert (
        "we have your question about order WH-20418. A person in our team reads it and answers you by e-mail." in mail
    )
    assert "Your question about Merino boot socks, 3 pairs Still <b>sealed</b>, may I?" in mail
    assert "before we approve it" not in mail
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    assert "may I?" not in text_of(receiver.get(f"/returns/{rma}"))
    desk.act(service.authorize, rma, note="Kind")
    assert "Approved" in text_of(priya.get(f"/returns/{rma}"))
    assert "You asked us" in text_of(priya.get(f"/returns/{rma}"))


def test_a_refusal_shows_the_policys_reason_and_the_shops_words(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.ask()
    desk.act(service.refuse, rma, message="The seal is broken in the photo.", note="looks worn")
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "We couldn’t accept this return" in text
    assert "The seal is broken in the photo." in text
    assert "for hygiene reasons" in text
    assert "Ask us" not in text, "a person has answered"
    assert text.count("Denied") >= 2, "badge and step are one word"
    assert "Declined" not in text
    assert "looks worn" not in text
    assert "You’re owed" not in text


def test_goods_that_wait_for_a_check_are_promised_a_day_and_lateness_is_said_first(
    desk: Desk, booked: tuple[Customer, str]
) -> None:
    priya, rma = booked
    desk.receive(rma, "used")
    text = text_of(priya.get(f"/returns/{rma}"))
    assert "We have your parcel and we’re checking it" in text
    assert "You’ll hear from us by Thursday 19 November 2026" in text
    desk.moment.shift(timedelta(days=7))
    priya.find()
    late = text_of(priya.get(f"/returns/{rma}"))
    assert "It is taking longer than the day we named. You’ll hear from us by Wednesday 25 November 2026 ." in late


def test_the_number_of_queries_of_the_status_page_is_small_and_fixed(desk: Desk, booked: tuple[Customer, str]) -> None:
    priya, rma = booked
    priya.get(f"/returns/{rma}")
    with desk.counting() as statements:
        priya.get(f"/returns/{rma}")
    assert len(statements) <= 20
    assert not [each for each in statements if each.split()[0] in ("INSERT", "UPDATE", "DELETE")]


def test_an_approval_that_is_taken_back_is_told_with_its_label(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    rma = priya.ask()
    desk.act(service.authorize, rma, note="Kind")
    with desk.ports.database.transaction() as tx:
        tx.session.execute(update(Notice).values(status="sent"))
    desk.act(service.take_decision_back, rma, timedelta(minutes=10))
    mail = [each for each in desk.rows(Notice) if each.kind == "under_review"][-1]
    assert "Our approval, its code and its label no longer count. Please send nothing" in written(desk, mail)


@pytest.mark.parametrize("rma", ["R-0", "x", "R-2345679", "..", "%00", "R-🦊", "r" * 300])
def test_numbers_that_are_none_never_break_a_page(desk: Desk, customer: Make, rma: str) -> None:
    for path in ("", "/booked", "/cancel", "/qr.png", "/label.pdf"):
        assert customer().get(f"/returns/{rma}{path}").status_code in (200, 404, 308)


@pytest.fixture
def credited(desk: Desk, customer: Make) -> tuple[str, str]:
    """A present whose buyer took store credit for it: the return's number and the credit's code."""
    desk.order()
    priya = customer()
    priya.find()
    priya.choose(2)
    priya.answer(2, outcome="store_credit")
    priya.send_with()
    rma = priya.book().headers["Location"].split("/")[2]
    desk.receive(rma)
    (credit,) = desk.rows(StoreCredit)
    return rma, credit.code


def opened(desk: Desk, reader: Customer, rma: str, way: str) -> None:
    """Open the return as somebody who knows so much."""
    if way == "key":
        reader.get(status_link(desk.ports.config, rma).removeprefix(desk.ports.config.base_url))
    elif way.startswith("track"):
        reader.post("/track", {"return_number": rma, "proof": EMAIL if "email" in way else "BS6 5QA"})
    else:
        reader.find(proof=EMAIL if "email" in way else "BS6 5QA")


WAYS = [
    ("key", True), ("track by email", True), ("order by email", True), ("track by postcode", False),
    ("order by postcode", False),
]  # fmt: skip


@pytest.mark.parametrize(("way", "known"), WAYS)
def test_a_store_credit_code_is_shown_to_whom_the_mail_knows_and_not_to_who_got_the_present(
    desk: Desk, credited: tuple[str, str], customer: Make, way: str, known: bool
) -> None:
    rma, code = credited
    reader = customer()
    opened(desk, reader, rma, way)
    page = reader.get(f"/returns/{rma}")
    assert f"Return {rma}" in text_of(page)
    assert (code in page.text) is known
    sent = "We’ve sent the store credit code by e-mail to p•••@example.com."
    assert (sent in text_of(page)) is not known
    assert "code is below" not in text_of(page)
    assert EMAIL not in page.text


@pytest.mark.parametrize(("way", "known"), WAYS)
def test_the_card_of_the_buyer_is_named_to_whom_the_mail_knows_alone(
    desk: Desk, booked: tuple[Customer, str], customer: Make, way: str, known: bool
) -> None:
    _priya, rma = booked
    reader = customer()
    opened(desk, reader, rma, way)

    def look(*paths: str) -> None:
        for path in paths:
            page = reader.get(path)
            assert page.status_code == 200, path
            assert ("Visa ending 4242" in page.text) is known, path
            assert ("4242" in page.text) is known, path
            assert ("the card that paid" in page.text) is not known, path

    look(f"/returns/{rma}", f"/returns/{rma}/booked")
    desk.receive(rma)
    look(f"/returns/{rma}")
    news(desk, "succeeded", reference_status="pending")
    look(f"/returns/{rma}")


@pytest.mark.parametrize("outcome", ["refund", "store_credit"])
def test_who_books_by_postcode_with_an_address_of_ones_own_is_told_nothing_of_the_buyer(
    desk: Desk, customer: Make, outcome: str
) -> None:
    own = "sam@elsewhere.example"
    desk.order()
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    receiver.choose(2)
    receiver.answer(2, outcome=outcome)
    receiver.send_with()
    assert receiver.post("/order/WH-20418/updates", {"email": own}).status_code == 303
    rma = receiver.book().headers["Location"].split("/")[2]
    desk.receive(rma)
    secrets = ["4242", "riya", EMAIL, *(credit.code for credit in desk.rows(StoreCredit))]
    if outcome == "refund":
        news(desk, "succeeded", bank_reference="746120438877", reference_status="available")
        secrets += ["746120438877", "7461 2043 8877", "your bank this reference"]
    mails = {(mail.kind, mail.to): str(mail.context) for mail in desk.rows(Notice)}
    last = ("refund_sent", own) if outcome == "refund" else ("credit_issued", EMAIL)
    assert {("booked", own), ("received", own), last} <= set(mails)
    for (kind, to), told in mails.items():
        assert (to == own) is (kind != "credit_issued")
        assert to == EMAIL or not [each for each in secrets if each in told], kind
    for way in ("key", "track by postcode"):
        reader = customer()
        opened(desk, reader, rma, way)
        page = reader.get(f"/returns/{rma}")
        assert page.status_code == 200
        assert not [each for each in secrets if each in page.text]
        assert ("e-mail to p•••@example.com." in text_of(page)) is (outcome == "store_credit")


def test_papers_name_no_address_where_the_order_has_no_name(desk: Desk, customer: Make) -> None:
    desk.order(customer_name="", ship_to={"postcode": "BS6 5QA", "country": "GB"})
    rma = customer().book_shirt(method="label")
    desk.receive(rma)
    with desk.ports.database.read() as session:
        return_ = session.scalars(select(Return)).one()
        assert customer_address(return_).name == "WH-20418"
    news(desk, "succeeded")
    desk.work("issue_credit_note")
    (note,) = desk.rows(CreditNote)
    assert note.document["buyer"]["name"] == "WH-20418"
    assert EMAIL not in str(note.document)


def test_a_proof_by_postcode_takes_nothing_from_a_proof_by_email(
    desk: Desk, credited: tuple[str, str], customer: Make
) -> None:
    rma, code = credited
    reader = customer()
    for way in ("track by email", "track by postcode"):
        opened(desk, reader, rma, way)
        assert code in reader.get(f"/returns/{rma}").text


def test_without_an_address_the_page_is_where_the_code_is(desk: Desk, customer: Make) -> None:
    desk.order(email="")
    receiver = customer()
    receiver.find(proof="BS6 5QA")
    receiver.choose(2)
    receiver.answer(2, outcome="store_credit")
    receiver.send_with()
    rma = receiver.book().headers["Location"].split("/")[2]
    desk.receive(rma)
    (credit,) = desk.rows(StoreCredit)
    assert credit.code in receiver.get(f"/returns/{rma}").text
