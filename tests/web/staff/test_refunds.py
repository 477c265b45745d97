"""Refunds: what went wrong and what to do, and that nothing is sent again while nobody knows."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import clock, jobs
from portal.db import Actor
from portal.flow import Ports
from portal.notices.models import Notice
from portal.orders.models import Payment
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.refunds import actions, corrections, credit_notes, settle, shortage
from portal.refunds.gateway import RefundView
from portal.refunds.models import Reconciliation, Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import lock_refund
from portal.refunds.two_people import never
from portal.returns import decisions, service
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.web.staff.words import paid_to
from tests.stages.refunds.test_controls import INES
from tests.stages.returns.trade import BENCH, rows
from tests.web.staff.browser import Browser, cost, words
from tests.web.staff.shop import NOW, Item, Shop, wish


def planned(shop: Shop, resolution: str = "refund", name: str = "Jeans") -> str:
    """A return whose money was prepared; its number."""
    rma = shop.booked(wish(resolution=resolution), items=(Item(gross=64_00, name=name),))
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    return rma


def seen_at_stripe(shop: Shop, rma: str, status: str, reason: str = "", waits_for: str = "") -> str:
    """What Stripe says becomes known; the refund's number."""
    (refund,) = shop.refunds(rma)
    view = RefundView(
        id=f"re_{refund.id}", status=status, amount_minor=refund.amount_minor, currency="GBP", payment_intent="pi",
        created_at=NOW, metadata={}, failure_reason=reason, pending_reason=waits_for,
        bank_reference="7461 2043" if status == "succeeded" else "",
    )  # fmt: skip
    with shop.do(STRIPE) as tx:
        row, payment = lock_refund(tx.session, refund.id)
        row.attempts, row.submitted_at, row.first_submitted_at = 1, tx.at, tx.at
        settle.take_over(tx, row, payment, view)
    return refund.public_id


def test_a_correction_stands_beside_the_credit_note_that_it_lowers(lead: Browser, shop: Shop, ports: Ports) -> None:
    rma = shop.booked(wish(), items=(Item(gross=64_00, name="Jeans"),))
    with shop.do(BENCH) as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 30_00
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    seen_at_stripe(shop, rma, "succeeded")
    return_id = shop.look(rma).id
    credit_notes.issue_and_draw(ports, return_id)
    with shop.do(INES) as tx:
        shortage.close(tx, rma, "Both agreed.", seen_minor=34_00)
    corrections.correct_and_draw(ports, return_id)
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Credit note CN-2026-0001 Correction CN-2026-0002" in seen
    assert "Credit note lowered by £34.00" in seen
    paper = lead.get(f"/staff/returns/{rma}/credit-note-correction-1.pdf")
    assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert lead.get(f"/staff/returns/{rma}/credit-note-correction-2.pdf").status_code == 404


def without_answer(shop: Shop, rma: str, hours_ago: float = 0) -> str:
    (refund,) = shop.refunds(rma)
    with shop.do(STRIPE) as tx:
        row, payment = lock_refund(tx.session, refund.id)
        row.attempts, row.first_submitted_at = 1, tx.at - timedelta(hours=hours_ago)
        settle.doubt(tx, row, payment, first=True, code="timeout", sentence="Stripe did not answer in time.")
    return refund.public_id


def test_each_trouble_says_what_went_wrong_and_what_to_do(lead: Browser, shop: Shop) -> None:
    failed, unsure, needs = planned(shop), planned(shop), planned(shop)
    seen_at_stripe(shop, failed, "failed", "expired_or_canceled_card")
    without_answer(shop, unsure)
    seen_at_stripe(shop, needs, "requires_action")
    seen = lead.words("/staff/refunds")
    for part in (
        "1 failed and 1 is unsure. 1 more waits for somebody.", "Needs you 3", "3 to fix", failed, unsure, needs,
        "The card has expired or was canceled", "Ask for a bank account, pay there, then record it here.",
        "Stripe did not answer", "Stripe did not answer in time.",
        "Nothing. The portal goes on by itself.", "Failed", "Unsure", "Check now", "Put it right",
    ):  # fmt: skip
        assert part in seen, part


def test_a_refund_that_waits_for_bank_details_says_whom_to_remind_and_is_not_called_unsure(
    lead: Browser, shop: Shop
) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "requires_action")
    email = shop.look(rma).email
    seen = lead.words(f"/staff/refunds/{number}")
    assert "£64.00 Asked" in seen
    assert "Remind the customer Stripe has asked for the bank details by e-mail" in seen
    assert f"Write to {email} to look for that mail." in seen
    for wrong in ("Unsure", "while nobody knows"):
        assert wrong not in seen
        assert wrong not in lead.words("/staff/refunds")


def test_words_of_one_form_of_a_refund_stand_in_no_other(lead: Browser, shop: Shop) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "expired_or_canceled_card")
    form = lead.form(f"/staff/refunds/{number}", "/elsewhere")
    again = lead.submit(form, {"note": "FT-2291", "how": ""})
    assert again.status_code == 422
    assert lead.form("", "/elsewhere", html=again.text).get("note") == "FT-2291"
    assert lead.form("", "/retry", html=again.text).get("note") == ""


@pytest.mark.parametrize(
    ("act", "field"),
    [("/ask", "message"), ("/elsewhere", "note"), ("/retry", "note")],
    ids=["ask", "elsewhere", "retry"],
)
def test_what_was_written_about_a_refund_is_given_back_where_a_colleague_was_faster(
    lead: Browser, shop: Shop, act: str, field: str
) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "expired_or_canceled_card")
    form = lead.form(f"/staff/refunds/{number}", act)
    with shop.do(INES) as tx:
        actions.mark_paid_elsewhere(tx, number, "On Monday", above=never, how="bank")
    late = lead.submit(form, {field: "What was so carefully written", "how": "paypal"})
    assert late.status_code == 409
    assert "What you wrote" in words(late.text)
    assert "What was so carefully written</textarea>" in late.text


def test_an_empty_page_says_so(lead: Browser, shop: Shop) -> None:
    assert "No refund needs you" in lead.words("/staff/refunds")


def test_what_was_sent_today_is_listed_with_its_reference(lead: Browser, shop: Shop) -> None:
    paid, credited = planned(shop), planned(shop, "store_credit", "Scarf")
    seen_at_stripe(shop, paid, "succeeded")
    seen = lead.words("/staff/refunds").partition("Sent today")[2]
    for part in (paid, "Visa ending 1177", "7461 2043", "£64.00", "10:15", "Refunded", credited, "Store credit, by e-mail",
                 "£70.40", "Credited"):  # fmt: skip
        assert part in seen, part
    assert paid in lead.words("/staff/refunds?view=refunded")
    assert "Nothing is on its way" in lead.words("/staff/refunds?view=sending")
    assert paid in lead.words("/staff/refunds?view=all")


def test_what_was_never_charged_is_called_released_and_not_refunded_or_paid(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    with shop.do(STRIPE) as tx:
        row, payment = lock_refund(tx.session, shop.refunds(rma)[0].id)
        settle.released(tx, row, payment, 0)
    number = shop.refunds(rma)[0].public_id
    shop.set_refund(number, submitted_at=NOW)
    assert rma not in lead.words("/staff/refunds").partition("Sent today")[2]
    for address in ("/staff/refunds?view=all", f"/staff/refunds/{number}", f"/staff/returns/{rma}"):
        assert "Released" in lead.words(address), address
    page = lead.words(f"/staff/returns/{rma}")
    assert "Never charged £64.00" in page
    assert "The payment was never captured, so the customer was not charged for it." in page
    assert "Refunded" not in page
    assert "All of it has been sent." not in page


def test_what_is_on_its_way_is_counted_and_summed(lead: Browser, shop: Shop) -> None:
    for _ in range(2):
        seen_at_stripe(shop, planned(shop), "pending")
    assert "2 are being sent now, worth £128.00." in lead.words("/staff/refunds")


def test_a_failed_refund_is_sent_again_once_with_a_note(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    form = lead.form(f"/staff/refunds/{number}", "/retry")
    wrong = lead.submit(form)
    assert wrong.status_code == 422
    assert "Write a note for your colleagues." in words(wrong.text)
    first = lead.submit(form, {"note": "New card on file"})
    assert "A new refund of £64.00 takes its place." in lead.words(first.location)
    second = lead.submit(form, {"note": "New card on file"})
    assert (first.status_code, first.location) == (303, second.location)
    again = lead.words(second.location)
    assert f"It was replaced already, by {second.location.rpartition('/')[2]}. Nothing new was made." in again
    assert "takes its place" not in again
    assert [refund.cause for refund in shop.refunds(rma)] == ["return", "retry"]
    assert "Another refund was sent in its place" in lead.words(f"/staff/refunds/{number}")
    assert "/retry" not in lead.page(f"/staff/refunds/{number}")
    entry = shop.entry(rma, "refund.planned")
    assert (entry.actor_name, entry.why) == ("Maya Okafor", "New card on file")
    assert "No refund needs you" in lead.words("/staff/refunds")


def test_what_ended_here_and_is_paid_at_stripe_can_only_be_counted(lead: Browser, agent: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    view = RefundView(
        id=f"re_{shop.refunds(rma)[0].id}", status="succeeded", amount_minor=64_00, currency="GBP", payment_intent="pi",
        created_at=NOW, metadata={},
    )  # fmt: skip
    with shop.do(STRIPE) as tx:
        settle.take_over(tx, *lock_refund(tx.session, shop.refunds(rma)[0].id), view, read_at=tx.at + timedelta(1))
    here = f"/staff/refunds/{number}"
    seen = lead.words(here)
    for part in (
        "Stripe shows something else",
        "is failed here, and Stripe shows it as succeeded",
        "Count £64.00 as paid",
    ):
        assert part in seen, part
    assert "£64.00 again" not in seen
    assert "Record" not in seen
    assert "Count £64.00" not in agent.words(here)
    assert lead.submit(lead.form(here, "/count"), {"note": ""}).status_code == 422
    assert lead.submit(lead.form(here, "/count"), {"note": "On the statement"}).status_code == 303
    assert "Counted: the customer has got £64.00 from Stripe." in lead.words(here)
    assert "Maya Okafor counted £64.00 as paid by Stripe" in lead.words(here)


def test_a_failed_refund_with_too_little_left_offers_the_ways_out_that_are_real(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    with shop.do(STRIPE) as tx:
        _refund, payment = lock_refund(tx.session, shop.refunds(rma)[0].id)
        payment.refunded_elsewhere_minor = payment.captured_minor - 5_00
    here = f"/staff/refunds/{number}"
    seen = lead.words(here)
    assert "Too little is left" in seen
    assert "Record" not in seen.split("Too little is left")[1].replace("record the rest", "")
    assert lead.submit(lead.form(here, "/end"), {"note": ""}).status_code == 422
    assert lead.submit(lead.form(here, "/end"), {"note": "Refunded by hand"}).status_code == 303
    assert "£64.00 is decided with the rest of the return" in lead.words(here)
    of_return = lead.words(f"/staff/returns/{rma}")
    for part in ("£64.00 is still owed.", "Send what the payments have left", "Record £64.00 as paid", "Close it"):
        assert part in of_return, part
    assert number not in lead.words("/staff/refunds")


def test_a_payment_made_another_way_is_recorded_once_with_a_note(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    form = lead.form(f"/staff/refunds/{number}", "/elsewhere")
    for _ in range(2):
        assert lead.submit(form, {"how": "bank", "note": "Transfer of 20 November, ref 881"}).status_code == 303
    seen = lead.words(f"/staff/refunds/{number}")
    assert "Maya Okafor recorded that it was paid another way: “Transfer of 20 November, ref 881”" in seen
    for page in ("/staff/refunds?view=refunded", f"/staff/refunds/{number}", f"/staff/returns/{rma}"):
        assert "Bank transfer" in lead.words(page), page
        assert "Visa ending 1177" not in lead.words(page), page
    assert shop.events(rma).count("refund.paid_elsewhere") == 1
    assert shop.look(rma).status == "closed"


def test_who_records_a_payment_after_a_colleague_is_asked_and_keeps_what_they_wrote(
    lead: Browser, owner: Browser, shop: Shop
) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "declined")
    here = f"/staff/refunds/{number}"
    mine, second = lead.form(here, "/elsewhere"), owner.form(here, "/elsewhere")
    assert lead.submit(mine, {"how": "cash", "note": "At the till"}).status_code == 303
    assert lead.submit(mine, {"how": "cash", "note": "At the till"}).status_code == 303
    answer = owner.submit(second, {"how": "bank", "note": "Transfer 881"})
    assert answer.status_code == 409
    seen = words(answer.text)
    assert "Maya Okafor recorded this already as “Cash”; yours was not recorded. Did you pay too?" in seen
    assert "What you wrote Paid with Bank transfer" in seen
    assert "Transfer 881" in answer.text
    again = lead.submit(mine, {"how": "bank", "note": "Another one"})
    assert "You recorded this already as “Cash”" in words(again.text)
    assert rows(shop.database, select(Refund.paid_elsewhere_how)) == ["cash"]


def test_who_records_a_rest_after_a_colleague_is_asked_and_keeps_what_they_wrote(
    lead: Browser, owner: Browser, shop: Shop
) -> None:
    rma = short(shop)
    here = f"/staff/returns/{rma}"
    mine, second = lead.form(here, "/money/elsewhere"), owner.form(here, "/money/elsewhere")
    for _ in range(2):
        assert lead.submit(mine, {"how": "cash", "note": "At the till"}).status_code == 303
        assert "Recorded: £64.00 was paid another way." in lead.words(here)
    answer = owner.submit(second, {"how": "bank", "note": "Transfer 881"})
    assert answer.status_code == 409
    assert "Maya Okafor recorded this already as “Cash”; yours was not recorded. Did you pay too?" in words(answer.text)
    assert "Paid with Bank transfer" in words(answer.text)
    assert "Transfer 881" in answer.text
    assert shop.events(rma).count("money.paid_elsewhere") == 1


def test_while_unsure_nothing_can_be_sent_or_recorded(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = without_answer(shop, rma)
    page = lead.page(f"/staff/refunds/{number}")
    for act in ("/retry", "/elsewhere", "/unsent"):
        assert act not in page
        assert lead.post(f"/staff/refunds/{number}{act}", {"note": "x", "how": "bank"}).status_code == 409
    assert len(shop.refunds(rma)) == 1
    assert shop.refunds(rma)[0].status == "unknown"


def test_check_now_is_one_question_however_often_it_is_pressed(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = without_answer(shop, rma)
    form = lead.form(f"/staff/refunds/{number}", "/check")
    assert [lead.submit(form).status_code for _ in range(3)] == [303, 303, 303]
    asked = [job for job in rows(shop.database, select(jobs.Job)) if job.key.startswith("staff-check:")]
    assert [(job.name, job.args) for job in asked] == [("check_refund", {"refund": shop.refunds(rma)[0].id})]


def test_a_try_that_never_arrived_is_given_up_after_a_day_and_a_look(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = without_answer(shop, rma, hours_ago=30)
    assert "/unsent" not in lead.page(f"/staff/refunds/{number}")
    shop.set_refund(number, checked_at=clock.now())
    form = lead.form(f"/staff/refunds/{number}", "/unsent")
    assert lead.submit(form, {"note": "Not in Stripe's list"}).status_code == 303
    assert shop.refunds(rma)[0].status == "failed"
    assert "/retry" in lead.page(f"/staff/refunds/{number}")


def test_a_disputed_payment_is_not_refunded_again(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    with shop.do() as tx:
        tx.session.query(Payment).update({"disputed_at": tx.at})
    assert "/retry" not in lead.page(f"/staff/refunds/{number}")
    assert lead.post(f"/staff/refunds/{number}/retry", {"note": "x"}).status_code == 409
    assert "The payment was charged back" in lead.words("/staff/refunds")


def test_a_part_that_was_paid_by_gift_card_waits_to_be_paid_by_hand(lead: Browser, shop: Shop) -> None:
    order = shop.order(Item(gross=64_00, name="Jeans"))
    with shop.do() as tx:
        tx.session.query(Payment).filter_by(order_id=order).update(
            {"provider": "gift_card", "payment_intent": None, "method": "Gift card"}
        )
    rma = shop.booked(order=order)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    seen = lead.words("/staff/refunds")
    for part in ("To be paid by hand, Gift card", "Pay it there, then record it here.", "Record it"):
        assert part in seen, part


def test_an_agent_sees_refunds_and_repairs_none(agent: Browser, shop: Shop) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "declined")
    seen = agent.page(f"/staff/refunds/{number}")
    assert "/retry" not in seen
    assert "Your role doesn’t do the next step. These can: Ines Moreau, Maya Okafor." in words(seen)


def test_the_queue_leads_to_what_to_do(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "declined")
    page = lead.page("/staff/?view=refund_failed")
    assert f"/staff/returns/{rma}" in page
    assert "Failed" in words(page)
    assert f"/staff/refunds/{number}" in lead.page(f"/staff/returns/{rma}")


def test_the_export_names_each_refund_that_needs_somebody(lead: Browser, shop: Shop) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "declined")
    (row,) = csv.DictReader(io.StringIO(lead.get("/staff/refunds.csv").data.decode("utf-8-sig")))
    assert (row["refund"], row["amount"], row["currency"], row["status"]) == (number, "64.00", "GBP", "failed")


@pytest.mark.parametrize("at_once", [1, 500])
def test_the_export_follows_the_tab_and_says_how_and_when_each_was_paid(
    lead: Browser, shop: Shop, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("portal.web.staff.refunds.EXPORT_AT_ONCE", at_once)
    failed = seen_at_stripe(shop, planned(shop), "failed", "declined")
    paid, sending = seen_at_stripe(shop, planned(shop), "succeeded"), shop.refunds(planned(shop))[0].public_id
    found = {}
    for view in ("needs_you", "sending", "refunded", "all"):
        address = f"/staff/refunds.csv?view={view}"
        assert address in lead.page(f"/staff/refunds?view={view}")
        found[view] = list(csv.DictReader(io.StringIO(lead.get(address).data.decode("utf-8-sig"))))
    named = {view: [row["refund"] for row in rows_] for view, rows_ in found.items()}
    assert named == {
        "needs_you": [failed], "sending": [sending], "refunded": [paid], "all": [sending, paid, failed],
    }  # fmt: skip
    (row,) = found["refunded"]
    assert row["stripe_refund"].startswith("re_")
    assert (row["paid_to"], row["sent"][:16]) == ("Visa ending 1177", NOW.isoformat()[:16])
    assert found["sending"][0]["settled"] == ""


def test_the_export_has_every_refund_however_many_in_batches_of_one_query(
    lead: Browser, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [seen_at_stripe(shop, planned(shop), "failed", "declined") for _ in range(5)]
    monkeypatch.setattr("portal.web.staff.refunds.EXPORT_AT_ONCE", 2)
    here = "/staff/refunds.csv"
    small = cost(shop.database, lead, here)
    found = csv.DictReader(io.StringIO(lead.get(here).data.decode("utf-8-sig")))
    assert [row["refund"] for row in found] == numbers
    monkeypatch.setattr("portal.web.staff.refunds.EXPORT_AT_ONCE", 5)
    assert len(small) == len(cost(shop.database, lead, here)) + 1, "three batches; two where the first is full"


def test_the_page_says_where_it_shows_only_the_oldest(
    lead: Browser, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [seen_at_stripe(shop, planned(shop), "failed", "declined") for _ in range(3)]
    assert "are shown" not in lead.words("/staff/refunds")
    monkeypatch.setattr("portal.web.staff.refunds.NEEDING_SHOWN", 2)
    assert "The oldest 2 of 3 are shown. The CSV file has all of them." in lead.words("/staff/refunds")
    shown = [number in lead.page("/staff/refunds") for number in numbers]
    assert shown == [True, True, False]


def test_one_refund_and_ten_cost_the_same(lead: Browser, shop: Shop) -> None:
    seen_at_stripe(shop, planned(shop), "failed", "declined")
    seen_at_stripe(shop, planned(shop), "succeeded")
    one = cost(shop.database, lead, "/staff/refunds")
    for _ in range(5):
        seen_at_stripe(shop, planned(shop), "failed", "declined")
        seen_at_stripe(shop, planned(shop), "succeeded")
    assert len(cost(shop.database, lead, "/staff/refunds")) == len(one)


@pytest.mark.parametrize("odd", ["?view=nonsense", "?view=all&cursor=x", "?view=all&cursor=" + "9" * 30, "?cursor=%00"])
def test_odd_addresses_are_answered(lead: Browser, shop: Shop, odd: str) -> None:
    assert lead.get("/staff/refunds" + odd).status_code == 200


def test_an_unknown_refund_is_not_found(lead: Browser, shop: Shop) -> None:
    assert lead.get("/staff/refunds/rf_nothing").status_code == 404
    for act in ("retry", "elsewhere", "unsent", "check"):
        assert lead.post(f"/staff/refunds/rf_nothing/{act}", {"note": "x"}).status_code == 404
    assert lead.post("/staff/refunds/rf_nothing/explode").status_code in (404, 405)


def test_pages_of_refunds_follow_a_cursor(lead: Browser, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.web.staff.refunds.PER_PAGE", 2)
    numbers = [planned(shop) for _ in range(3)]
    html = lead.page("/staff/refunds?view=sending")
    assert [rma for rma in numbers if rma in html] == numbers[1:]
    assert shop.count(Refund) == 3
    from tests.web.staff.browser import links

    older = next(link for link in links(html) if "cursor=" in link)
    assert [rma for rma in numbers if rma in lead.page(older)] == numbers[:1]


def test_the_last_comparison_with_stripe_is_shown_with_its_differences(lead: Browser, shop: Shop) -> None:
    assert "Not compared with Stripe yet." in lead.words("/staff/refunds")
    assert "Not compared with Stripe yet." in lead.words("/staff/refunds/reconciliation")
    sentence = "re_9 over £7.00 is at Stripe and not here."
    difference = {"what": "unknown_here", "refund": "re_9", "payment_intent": "pi_9", "sentence": sentence}
    for differences, said in (([], "0 differences"), ([difference], "1 difference")):
        with shop.do(STRIPE) as tx:
            tx.session.add(
                Reconciliation(
                    started_at=tx.at, ended_at=tx.at, since=tx.at, refunds=3, payments=2, listed=4,
                    differences=differences, difference_count=len(differences),
                )
            )  # fmt: skip
        assert f", {said}." in lead.words("/staff/refunds")
        seen = lead.words("/staff/refunds/reconciliation")
        assert f", {said}." in seen
        assert "3 refunds on 2 payments" in seen
        assert (sentence in seen) is bool(differences)


def test_52_a_refund_that_waits_for_the_balance_is_pending_and_the_shops_to_act(lead: Browser, shop: Shop) -> None:
    number = seen_at_stripe(shop, planned(shop), "pending", waits_for="insufficient_funds")
    seen = lead.words("/staff/refunds")
    for part in (
        "Needs you 1", "Pending, action by merchant: the Stripe balance is too low",
        "Add money in Stripe; it is sent by itself then.",
    ):  # fmt: skip
        assert part in seen, part
    assert "/retry" not in lead.page(f"/staff/refunds/{number}")
    assert "Balance too low" in lead.words("/staff/?view=all")


def held(shop: Shop) -> str:
    """A refund above the daily cap; its number."""
    (refund,) = shop.refunds(planned(shop))
    with shop.do(STRIPE) as tx:
        settle.hold_back(
            tx,
            *lock_refund(tx.session, refund.id),
            "daily_cap",
            "£10.00 have left today, and the shop's cap is £20.00.",
        )
    return refund.public_id


def test_a_refund_above_the_daily_cap_is_sent_anyway_with_a_note(lead: Browser, shop: Shop) -> None:
    number = held(shop)
    seen = lead.words("/staff/refunds")
    for part in ("Needs you 1", "More than the shop lets go in a day", "Look at it"):
        assert part in seen, part
    assert "Above the daily cap" in lead.words("/staff/?view=all")
    form = lead.form(f"/staff/refunds/{number}", "/anyway")
    assert lead.submit(form, {"note": ""}).status_code == 422
    assert lead.submit(form, {"note": "A busy day"}).status_code == 303
    assert lead.submit(form, {"note": "A busy day"}).status_code == 303
    assert "No refund needs you" in lead.words("/staff/refunds")
    assert len(rows(shop.database, select(jobs.Job).where(jobs.Job.name == "submit_refund"))) == 2
    assert "/anyway" not in lead.page(f"/staff/refunds/{number}")


def test_all_refunds_are_stopped_with_a_reason_that_every_page_shows_and_flow_again(
    lead: Browser, agent: Browser, warehouse: Browser, shop: Shop
) -> None:
    planned(shop)
    assert "Refunds are flowing. 1 refund waits to be sent, worth £64.00." in lead.words("/staff/refunds/switch")
    form = lead.form("/staff/refunds/switch", "/switch")
    assert lead.submit(form, {"act": "stop", "reason": " "}).status_code == 422
    assert lead.submit(form, {"act": "explode", "reason": "x"}).status_code == 422
    assert "All refunds are stopped" not in lead.words("/staff/refunds")
    assert lead.submit(form, {"act": "stop", "reason": "A rule pays <b>twice</b>"}).status_code == 303
    for browser, page in ((lead, "/staff/refunds"), (agent, "/staff/?view=all"), (warehouse, "/staff/receive")):
        seen = browser.words(page)
        assert "All refunds are stopped" in seen
        assert "Nothing is sent, everything waits. Maya Okafor: “A rule pays <b>twice</b>”" in seen
    assert "/staff/refunds/switch" in lead.page("/staff/refunds")
    assert "/staff/refunds/switch" not in agent.page("/staff/refunds")
    form = lead.form("/staff/refunds/switch", "/switch")
    assert lead.submit(form, {"act": "resume", "reason": "The rule is right now"}).status_code == 303
    assert "All refunds are stopped" not in agent.words("/staff/refunds")


def short(shop: Shop) -> str:
    """A return whose order has no payment left; its number."""
    order = shop.order(Item(gross=64_00, name="Jeans"))
    with shop.do() as tx:
        tx.session.query(Payment).filter_by(order_id=order).delete()
    rma = shop.booked(order=order)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    return rma


@pytest.mark.parametrize(
    ("act", "said"),
    [("elsewhere", "Recorded: £64.00 was paid another way."), ("close", "Closed. £64.00 is no longer owed.")],
)
def test_money_that_could_not_be_sent_is_ended_on_the_returns_page(
    lead: Browser, shop: Shop, act: str, said: str
) -> None:
    rma = short(shop)
    here = f"/staff/returns/{rma}"
    assert "Money that could not be sent £64.00 is still owed." in lead.words(here)
    form = lead.form(here, f"/money/{act}")
    answer = lead.submit(form, {"note": ""})
    assert answer.status_code == 422
    assert f'id="money-{act}-note-error"' in answer.text
    assert lead.submit(form, {"how": "bank", "note": "By bank transfer"}).status_code == 303
    assert said in lead.words(here)
    if act == "elsewhere":
        assert "Bank transfer Recorded by hand £64.00" in lead.words(here)
    assert "Money that could not be sent" not in lead.words(here)
    # The same press once more is quiet where it recorded something, and refused where nothing is to be closed any more.
    assert lead.submit(form, {"how": "bank", "note": "By bank transfer"}).status_code == (
        303 if act == "elsewhere" else 409
    )
    assert shop.events(rma)[-1] == "return.closed"


def test_what_is_closed_unpaid_is_closed_and_never_refunded(lead: Browser, shop: Shop) -> None:
    rma = short(shop)
    here = f"/staff/returns/{rma}"
    lead.submit(lead.form(here, "/money/close"), {"note": "Both agreed"})
    page, listed = lead.words(here), lead.words("/staff/returns?status=closed")
    assert "Refunded" not in page + listed
    assert "Closed, £64.00 not paid." in page
    assert "All of it has been sent" not in page
    assert "Jeans Price, includes £10.66 tax £64.00 — Closed, nothing more is owed −£64.00 — Owed £0.00 £0.00" in page


def test_what_the_payments_have_left_is_sent_or_the_page_says_that_there_is_nothing(lead: Browser, shop: Shop) -> None:
    rma = short(shop)
    form = lead.form(f"/staff/returns/{rma}", "/money/send")
    assert lead.submit(form, {"note": "Look again"}).status_code == 303
    seen = lead.words(f"/staff/returns/{rma}")
    assert "nothing was sent" in seen
    assert "Maya Okafor looked what the payments have left, and there was nothing" in seen
    assert lead.post(f"/staff/returns/{rma}/money/send", {"note": "x", "amount": "-1"}).status_code == 400


def test_an_agent_sees_the_question_and_cannot_end_it(agent: Browser, shop: Shop) -> None:
    rma = short(shop)
    assert "Money that could not be sent" not in agent.words(f"/staff/returns/{rma}")
    assert agent.post(f"/staff/returns/{rma}/money/close", {"note": "x", "amount": "6400"}).status_code == 403


def test_a_refund_is_taken_back_before_it_is_sent_and_the_return_decided_again(
    lead: Browser, agent: Browser, shop: Shop
) -> None:
    rma = planned(shop)
    number = shop.refunds(rma)[0].public_id
    assert "It is not sent yet, so it can be taken back." in agent.words(f"/staff/refunds/{number}")
    form = agent.form(f"/staff/refunds/{number}", "/undo")
    assert agent.submit(form, {"note": ""}).status_code == 422
    for _ in range(2):
        assert agent.submit(form, {"note": "Another item was in the box"}).status_code == 303
    seen = agent.words(f"/staff/refunds/{number}")
    for part in ("Cancelled", "Jonas Berg took £64.00 back before it was sent", "“Another item was in the box”"):
        assert part in seen, part
    for act in ("/undo", "/retry", "/elsewhere"):
        assert act not in lead.page(f"/staff/refunds/{number}")
    # What was taken back by hand is no failure that somebody has to look at.
    assert "notice tone-red" not in lead.page(f"/staff/refunds/{number}")
    assert "No refund needs you" in lead.words("/staff/refunds")
    assert "Jonas Berg took the refund back before it was sent. Decide this return again." in lead.words(
        f"/staff/returns/{rma}"
    )
    assert shop.look(rma).payout_planned_at is None
    decision = lead.form(f"/staff/returns/{rma}", "/decision")
    assert lead.submit(decision, {"decision": "approve"}).status_code == 303
    first, again = shop.refunds(rma)
    assert (first.status, again.status, again.amount_minor) == ("canceled", "planned", 64_00)


def test_an_agreed_return_that_was_paid_at_once_can_be_denied_after_its_refund_was_taken_back(
    lead: Browser, shop: Shop
) -> None:
    rma = planned(shop)
    (refund,) = shop.refunds(rma)
    lead.submit(lead.form(f"/staff/refunds/{refund.public_id}", "/undo"), {"note": "No"})
    page, waits = f"/staff/refunds/{refund.public_id}", "It was taken back, and the return waits to be decided again."
    assert f"{waits} Decide {rma}" in lead.words(page)
    with shop.do(STRIPE) as tx:
        decisions.refuse(tx, rma, message="It is not ours.")
    assert waits not in lead.words(page)
    assert (shop.look(rma).status, len(shop.refunds(rma))) == ("rejected", 1)


def test_a_second_person_approves_what_another_has_decided(
    lead: Browser, owner: Browser, agent: Browser, shop: Shop
) -> None:
    rma = shop.under_review()
    with shop.do(Actor("staff", "Maya Okafor", 2)) as tx:
        service.authorize(tx, rma)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    (refund,) = shop.refunds(rma)
    number = refund.public_id
    with shop.do(STRIPE) as tx:
        settle.hold_back(tx, *lock_refund(tx.session, refund.id), "second_person", "£310.00 are to be paid.")
    assert "Needs a second person" in lead.words("/staff/?view=all")
    assert "Somebody other than who decided it approves it, or takes it back." in lead.words(f"/staff/returns/{rma}")
    mine = lead.words(f"/staff/refunds/{number}")
    assert "You had a part in this decision. Somebody else has to approve it." in mine
    assert lead.post(f"/staff/refunds/{number}/second", {"note": "x"}).status_code == 403
    assert agent.post(f"/staff/refunds/{number}/second", {"note": "x"}).status_code == 403
    assert "/elsewhere" not in owner.page(f"/staff/refunds/{number}")
    form = owner.form(f"/staff/refunds/{number}", "/second")
    for _ in range(2):
        assert owner.submit(form, {"note": "Checked with the workshop"}).status_code == 303
    assert shop.refunds(rma)[0].seconded_by == "Ines Moreau"
    assert "Ines Moreau approved £310.00 as the second person" in lead.words(f"/staff/refunds/{number}")
    assert len(rows(shop.database, select(jobs.Job).where(jobs.Job.name == "submit_refund"))) == 2


def test_staff_see_every_row_of_the_ledger_and_its_sums(agent: Browser, warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(Item(gross=72_00),))
    order_id = shop.look(rma).order_id
    here = f"/staff/orders/{order_id}/ledger"
    assert "Nothing has moved" in agent.words(here)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    (refund,) = shop.refunds(rma)
    with shop.do(STRIPE) as tx:
        settle.paid_elsewhere(tx, *lock_refund(tx.session, refund.id), "Cash")
    assert here in agent.page(f"/staff/returns/{rma}")
    seen = agent.words(here)
    for part in (
        "Promised to the customer £72.00", "Reserved at a payment £0.00", "Refunded £72.00",
        f"Reserved {refund.public_id} £72.00",
        f"Paid {refund.public_id} −£72.00", f"Paid another way {refund.public_id} £72.00", f"Price {rma} £72.00",
    ):  # fmt: skip
        assert part in seen, part
    assert len(cost(shop.database, agent, here)) <= 6
    assert agent.get("/staff/orders/999/ledger").status_code == 404
    assert warehouse.get(here).status_code == 403


@pytest.mark.parametrize(
    ("method", "provider", "said"),
    [
        ("Visa ending 4242", "stripe", "Visa ending 4242"),
        ("", "stripe", "Card or account that paid"),
        ("", "bank_transfer", "Bank transfer"),
        ("", "PayPal", "PayPal"),
    ],
)
def test_where_the_money_goes_is_named_as_people_write_it(method: str, provider: str, said: str) -> None:
    assert paid_to(method, provider) == said


def test_after_an_expired_card_the_customer_is_asked_where_to_pay_and_the_answer_is_acted_on(
    lead: Browser, agent: Browser, shop: Shop
) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "expired_or_canceled_card")
    here = f"/staff/refunds/{number}"
    assert primary_buttons(lead.page(here)) == ["Ask where to pay"]
    assert "Stripe has closed this way. It can only work if that has changed since." in lead.words(here)
    form = agent.form(here, "/ask")
    assert (form.get("message") or "").startswith("Your refund of £64.00 did not get through. Which bank account"), (
        "no card"
    )
    assert agent.submit(form, {"message": " "}).status_code == 422
    for _ in range(2):
        assert agent.submit(form, {"message": "Which account?"}).status_code == 303
    assert shop.events(rma).count("return.asked") == 1
    assert [notice.kind for notice in rows(shop.database, select(Notice))][-1] == "asked"
    assert primary_buttons(lead.page(here)) == []
    assert "“Which account?” No reply yet." in lead.words(here)
    with shop.do() as tx:
        service.answer_question(tx, rma, "IBAN GB33")
    seen = lead.page(here)
    assert "“IBAN GB33”" in words(seen)
    assert primary_buttons(seen) == ["Record £64.00 as paid"]


def test_the_way_of_a_payment_by_hand_is_chosen_by_who_made_it_and_comes_back_with_the_form(
    lead: Browser, shop: Shop
) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", "expired_or_canceled_card")
    here = f"/staff/refunds/{number}"
    form = lead.form(here, "/elsewhere")
    assert form.get("how") == ""
    nothing = lead.submit(form, {"note": ""})
    assert nothing.status_code == 422
    for lacking in ("Choose by which way it was paid", "Write a note for your colleagues."):
        assert lacking in words(nothing.text), lacking
    unexplained = lead.submit(form, {"how": "bank", "note": ""})
    assert unexplained.status_code == 422
    again = lead.form("", "/elsewhere", html=unexplained.text)
    assert again.get("how") == "bank"
    assert lead.submit(again, {"note": "Ref 881"}).status_code == 303
    assert rows(shop.database, select(Refund.paid_elsewhere_how)) == ["bank"]


def test_a_refund_that_was_paid_another_way_says_so_and_shows_its_failure_no_more(lead: Browser, shop: Shop) -> None:
    rma = planned(shop)
    number = seen_at_stripe(shop, rma, "failed", "expired_or_canceled_card")
    at_stripe = shop.refunds(rma)[0].stripe_refund_id or ""
    failed = "The card has expired or was canceled"
    here, of_return = f"/staff/refunds/{number}", f"/staff/returns/{rma}"
    assert failed in lead.words(of_return)
    assert lead.submit(lead.form(here, "/elsewhere"), {"how": "bank", "note": "Ref 881"}).status_code == 303
    seen = lead.page(of_return)
    table = words(seen[seen.index("What has become of it") :].partition("</table>")[0])
    assert failed not in table
    assert "Bank transfer Recorded by hand £64.00" in table
    facts = lead.words(here)
    assert f"Paid with Bank transfer The earlier try at Stripe {at_stripe}" in facts
    assert f"At the payment provider {at_stripe}" not in facts
    assert at_stripe not in lead.words("/staff/refunds?view=refunded")


def test_only_what_the_customer_can_help_with_is_asked(agent: Browser, shop: Shop) -> None:
    rma = planned(shop)
    (refund,) = shop.refunds(rma)
    with shop.do() as tx:
        settle.hold_back(tx, *lock_refund(tx.session, refund.id), reviews.SECOND_PERSON, "£64.00 is to be paid.")
    here = f"/staff/refunds/{refund.public_id}"
    assert "Ask the customer" not in agent.words(here)
    form = replace(agent.form(here, "/"), action=f"{here}/ask")
    assert agent.submit(form, {"message": "Which account?"}).status_code == 409
    assert rows(shop.database, select(Review.status)) == ["open"]


@pytest.mark.parametrize(
    ("code", "button"), [("declined", "Send £64.00 again"), ("insufficient_funds", "Send £64.00 again")]
)
def test_what_can_be_sent_again_has_that_as_its_main_button(lead: Browser, shop: Shop, code: str, button: str) -> None:
    number = seen_at_stripe(shop, planned(shop), "failed", code)
    page = lead.page(f"/staff/refunds/{number}")
    assert primary_buttons(page) == [button]
    assert "Ask the customer" in words(page)


def primary_buttons(html: str) -> list[str]:
    """What the main buttons of a page's content say."""
    content = html.partition('class="split"')[2]
    found = re.findall(r'<button class="[^"]*btn--primary[^"]*"[^>]*>(.*?)</button>', content, re.S)
    return [re.sub("<[^>]*>", "", each).strip() for each in found]


def test_one_failed_refund_is_one_word_in_queue_list_and_return(lead: Browser, shop: Shop) -> None:
    waiting, closed = planned(shop), planned(shop)
    seen_at_stripe(shop, closed, "succeeded")
    with shop.do(STRIPE) as tx:
        row, payment = lock_refund(tx.session, shop.refunds(closed)[0].id)
        returned = RefundView(
            id=row.stripe_refund_id or "", status="failed", amount_minor=row.amount_minor, currency="GBP",
            payment_intent="pi", created_at=NOW, metadata={}, failure_reason="expired_or_canceled_card",
        )  # fmt: skip
        settle.take_over(tx, row, payment, returned, read_at=tx.at + timedelta(1))
    seen_at_stripe(shop, waiting, "failed", "insufficient_funds")
    assert [shop.look(each).status for each in (waiting, closed)] == ["received", "closed"]
    listed = lead.words("/staff/returns")
    for rma in (waiting, closed):
        head, _items, rest = lead.words(f"/staff/returns/{rma}").partition(" Items 1 line ")
        goods = rest.partition("Which rule set what")[0]
        for part in (head, goods, listed.partition(rma)[2][:120]):
            assert "Failed" in part, (rma, part)
            assert "Delayed" not in part, (rma, part)
    # A new refund is under way: nobody has to act, and it is no "Refunded" either.
    number = shop.refunds(closed)[0].public_id
    assert lead.submit(lead.form(f"/staff/refunds/{number}", "/retry"), {"note": "New card"}).status_code == 303
    assert "Delayed" in lead.words(f"/staff/returns/{closed}").partition(" Items 1 line ")[0]
    assert len(cost(shop.database, lead, "/staff/returns")) <= 9


def test_an_item_has_the_word_that_its_return_has_reached(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=64_00, name="Jeans"), Item(gross=20_00, name="Scarf")))

    def goods() -> str:
        return lead.words(f"/staff/returns/{rma}").partition(" Items 2 lines ")[2].partition("Which rule set what")[0]

    assert goods().count("Approved") == 2
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new"), Count("2", 1, "missing")], command_key=rma)
    seen = goods()
    assert "£64.00 Received" in seen
    assert "Missing" in seen
    assert "Approved" not in seen


def test_while_a_dispute_holds_the_money_no_page_says_that_it_goes_or_offers_to_pay_twice(
    lead: Browser, shop: Shop
) -> None:
    order = shop.order(Item(gross=64_00, name="Jeans"))
    with shop.do() as tx:
        tx.session.query(Payment).filter_by(order_id=order).update({"disputed_at": tx.at})
    rma = shop.booked(order=order)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    here = f"/staff/returns/{rma}"
    seen = lead.words(here)
    for part in (
        "£64.00 waits for the end of the dispute. If the customer keeps the money that the bank took back, close it",
        "The payment is disputed. It waits for the end of that.",
        "It was paid another way before the dispute",
    ):
        assert part in seen, part
    for part in ("is still owed", "It goes out when", "Check the goods", "could not be sent"):
        assert part not in seen, part
    # Who has paid by hand already can still say so.
    assert lead.submit(lead.form(here, "/money/elsewhere"), {"how": "cash", "note": "In the shop"}).status_code == 303
