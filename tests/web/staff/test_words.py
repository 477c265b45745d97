"""What staff read is true at that moment, in words of the trade, and says who does the next step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from portal.config import ROOT
from portal.db import Database
from portal.orders.models import Payment
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.refunds import actions, gate, settle, two_people
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import lock_refund
from portal.returns import service
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.staff.models import User
from portal.timeline import TimelineEntry
from portal.web.staff import log_words
from portal.web.staff.reads import needs_somebody
from tests.stages.returns.trade import BENCH, add_staff, rows
from tests.web.staff.browser import Browser, cost, links, words
from tests.web.staff.shop import Item, Shop
from tests.web.staff.test_refunds import planned, seen_at_stripe, short, without_answer

RAW = re.compile(
    r"\d\.\d\d [A-Z]{3}\b|\d{4}-\d\d-\d\dT|\b[a-z]+_[a-z_]+\b|\b(bank|unknown|planned|succeeded|requires_action)\b(?=[,.:]| –)"
)
"""An amount with its code behind it, a moment for machines, a name out of the program."""


def stop(shop: Shop) -> None:
    with shop.do(BENCH) as tx:
        gate.stop(tx, "A rule pays twice")


def by_bank(shop: Shop, **more: str) -> str:
    """A return whose order was paid by bank transfer and whose money is due; its number."""
    order = shop.order(Item(gross=64_00, name="Jeans"))
    with shop.do() as tx:
        known = {"provider": "bank", "payment_intent": None, "method": "", **more}
        tx.session.query(Payment).filter_by(order_id=order).update(known)
    rma = shop.booked(order=order)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    return rma


class TestWhatWaits:
    def test_while_refunds_are_stopped_those_that_wait_are_counted_and_listed(self, lead: Browser, shop: Shop) -> None:
        waiting = [planned(shop) for _ in range(3)]
        sending = planned(shop)
        seen_at_stripe(shop, sending, "pending")
        seen = lead.words("/staff/refunds")
        assert "No refund needs somebody. 1 is being sent now, worth £64.00. 3 wait to be sent, worth £192.00." in seen
        stop(shop)
        seen = lead.words("/staff/refunds")
        assert "3 wait until refunds flow again, worth £192.00." in seen
        assert "Nothing is being sent" not in seen
        assert "Sending 4" in seen
        listed = lead.page("/staff/refunds?view=sending")
        assert all(rma in listed for rma in [*waiting, sending])

    def test_the_number_on_a_tab_is_the_number_of_its_rows(self, lead: Browser, shop: Shop) -> None:
        by_bank(shop)
        planned(shop)
        seen_at_stripe(shop, planned(shop), "pending")
        seen_at_stripe(shop, planned(shop), "pending", waits_for="insufficient_funds")
        seen_at_stripe(shop, planned(shop), "failed", "declined")
        without_answer(shop, planned(shop))
        for view, name in (("needs_you", "Needs you"), ("sending", "Sending")):
            page = lead.page(f"/staff/refunds?view={view}")
            listed = {link for link in links(page) if re.fullmatch(r"/staff/returns/R-\w+|/staff/refunds/rf_\w+", link)}
            count = re.search(rf"{name} (\d+)", words(page))
            table = page.partition("<tbody")[2].partition("</tbody>")[0]
            assert count
            assert table.count("<tr") == int(count[1]), (view, listed)
        assert len(rows(shop.database, select(settle.Refund).where(needs_somebody()))) == 4

    @pytest.mark.parametrize(
        ("held", "said"),
        [
            ("", "It is prepared and waits for its turn."),
            ("stopped", "All refunds are stopped. It waits until they flow again."),
            ("undo", "It goes out today, 10:25. Until then it can be taken back."),
            ("second_person", "It waits for a second person."),
            ("daily_cap", "It is above the daily cap and waits for somebody who sends it anyway."),
            ("disputed", "The payment is disputed. It waits for the end of that."),
            ("pending", "The payment is under way."),
            ("unknown", "Nobody knows yet whether it left."),
            ("low", "It waits until there is enough money in Stripe."),
            ("failed", "It did not get through and waits for somebody."),
            ("bank", "Somebody pays it by hand and records it here."),
        ],
    )
    def test_under_way_is_said_only_of_what_is(
        self, lead: Browser, shop: Shop, app: Flask, held: str, said: str
    ) -> None:
        rma = by_bank(shop) if held == "bank" else planned(shop)
        (refund,) = shop.refunds(rma)
        match held:
            case "stopped":
                stop(shop)
            case "undo":
                given = app.extensions["portal"]
                limits = given.shop.refunds.model_copy(update={"undo_minutes": 10})
                app.extensions["portal"] = replace(given, shop=given.shop.model_copy(update={"refunds": limits}))
            case "second_person" | "daily_cap":
                with shop.do(STRIPE) as tx:
                    settle.hold_back(tx, *lock_refund(tx.session, refund.id), held, "It is a lot.")
            case "disputed":
                with shop.do(STRIPE) as tx:
                    tx.session.query(Payment).update({"disputed_at": tx.at})
            case "pending":
                seen_at_stripe(shop, rma, "pending")
            case "low":
                seen_at_stripe(shop, rma, "pending", waits_for="insufficient_funds")
            case "failed":
                seen_at_stripe(shop, rma, "failed", "declined")
            case "unknown":
                without_answer(shop, rma)
        seen = lead.words(f"/staff/returns/{rma}")
        assert said in seen
        assert ("The payment is under way." in seen) is (held == "pending")

    def test_what_is_approved_while_all_is_stopped_is_not_said_to_go_out(self, owner: Browser, shop: Shop) -> None:
        (refund,) = shop.refunds(planned(shop))
        number = refund.public_id
        with shop.do(STRIPE) as tx:
            settle.hold_back(tx, *lock_refund(tx.session, refund.id), "daily_cap", "Enough.")
        stop(shop)
        owner.submit(owner.form(f"/staff/refunds/{number}", "/anyway"), {"note": "A busy day"})
        seen = owner.words(f"/staff/refunds/{number}")
        assert "let £64.00 go although the daily cap is reached" in seen
        assert (
            "£64.00 may go although the daily cap is reached. All refunds are stopped. It waits until they flow" in seen
        )


class TestWhoDoesIt:
    def test_an_agent_hands_a_bank_refund_to_somebody_who_may_record_it(
        self, agent: Browser, lead: Browser, shop: Shop
    ) -> None:
        rma = by_bank(shop)
        number = shop.refunds(rma)[0].public_id
        here = f"/staff/refunds/{number}"
        seen = agent.words(here)
        for part in (
            "To be paid by hand, Bank transfer",
            "A returns lead does the next step.",
            "These can: Ines Moreau, Maya Okafor.",
        ):
            assert part in seen, part
        for part in ("then record it here", "Nothing. It goes on by itself", "can put it right"):
            assert part not in seen, part
        for _ in range(2):
            assert agent.submit(agent.form(here, "/hand-over")).status_code == 303
        assert "Ines Moreau has it now." in agent.words(here)
        owner_id = rows(shop.database, select(User.id).where(User.name == "Ines Moreau"))[0]
        assert shop.review(rma).owner_id == owner_id
        assert shop.events(rma).count("review.assigned") == 1
        assert "Pay it there, then record it here." in lead.words(here)
        form = lead.form(here, "/elsewhere")
        assert (
            lead.submit(form, {"how": "own", "note": "Bank transfer of 20 November, reference 7711"}).status_code == 303
        )
        assert "Maya Okafor recorded £64.00 as paid another way" in agent.words(f"/staff/returns/{rma}")
        assert "/hand-over" not in agent.page(here)

    def test_a_lead_who_had_a_part_hands_it_to_one_who_had_none(self, lead: Browser, shop: Shop) -> None:
        rma = shop.under_review()
        assert lead.submit(lead.form(f"/staff/returns/{rma}", "/decision"), {"decision": "approve"}).status_code == 303
        with shop.do(BENCH) as tx:
            receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
        (refund,) = shop.refunds(rma)
        with shop.do(STRIPE) as tx:
            settle.hold_back(tx, *lock_refund(tx.session, refund.id), "second_person", "£310.00 is to be paid.")
        here = f"/staff/refunds/{refund.public_id}"
        seen = lead.words(here)
        assert "You had a part in this decision. Somebody else has to approve it. These can: Ines Moreau." in seen
        assert lead.submit(lead.form(here, "/hand-over")).status_code == 303
        assert "Ines Moreau has it now." in lead.words(here)

    def test_where_nobody_else_may_the_page_says_whom_to_ask_and_a_press_changes_nothing(
        self, agent: Browser, shop: Shop
    ) -> None:
        number = shop.refunds(by_bank(shop))[0].public_id
        with shop.do() as tx:
            tx.session.query(User).filter(User.name.in_(("Ines Moreau", "Maya Okafor"))).update({"active": False})
        assert "Ask the owner of the portal to give somebody the role of a returns lead." in agent.words(
            f"/staff/refunds/{number}"
        )
        assert agent.post(f"/staff/refunds/{number}/hand-over").status_code == 409

    def test_money_of_a_whole_return_names_who_may_end_it(self, agent: Browser, shop: Shop) -> None:
        rma = short(shop)
        seen = agent.page(f"/staff/returns/{rma}")
        assert "These can end it: Ines Moreau, Maya Okafor." in words(seen)
        assert "#owner" in links(seen)
        assert 'id="owner"' in seen

    def test_a_case_is_given_only_to_who_may_decide_it(self, lead: Browser, shop: Shop, database: Database) -> None:
        rma = shop.under_review()
        here = f"/staff/returns/{rma}"
        ben, nora = (
            rows(database, select(User.id).where(User.name == name))[0] for name in ("Ben Whitlock", "Nora Wren")
        )
        for path in (here, "/staff/"):
            page = lead.page(path)
            assert "Jonas Berg" in page
            assert "Ben Whitlock" not in page
            assert "Nora Wren" not in page
        for person in (ben, nora):
            answer = lead.submit(lead.form(here, "/owner"), {"owner": str(person)})
            assert answer.status_code == 422
            assert "may not" in words(answer.text)
        assert shop.review(rma).owner_id is None


class TestInWords:
    def test_a_refund_that_waits_reads_in_words_of_the_trade(self, lead: Browser, shop: Shop) -> None:
        second, capped, bank, failed = planned(shop), planned(shop), by_bank(shop), planned(shop)
        for rma, kind in ((second, "second_person"), (capped, "daily_cap")):
            with shop.do(STRIPE) as tx:
                refund, payment = lock_refund(tx.session, shop.refunds(rma)[0].id)
                why = (
                    two_people.is_needed(tx, refund, payment, lambda currency: 30_00)
                    if kind == "second_person"
                    else "Enough."
                )
                settle.hold_back(tx, refund, payment, kind, why)
        seen_at_stripe(shop, failed, "failed", "expired_or_canceled_card")
        listed = lead.words("/staff/").partition("Owner")[2]
        for part in (
            "Needs a second person £64.00 is to be paid, and above £30.00 two people decide.",
            "To pay by hand This part was paid by Bank transfer, which the portal cannot send money to.",
            "Refund failed A refund did not reach the customer. The card has expired",
        ):
            assert part in listed, part
        for rma in (second, capped, bank, failed):
            for path in (f"/staff/returns/{rma}", f"/staff/refunds/{shop.refunds(rma)[0].public_id}"):
                found = RAW.search(re.sub(r"rf_\w+|re_\w+|pi_\w+", "", lead.words(path)))
                assert found is None, (path, found)
        assert RAW.search(re.sub(r"rf_\w+", "", listed)) is None

    def test_the_view_of_failed_refunds_holds_what_its_badge_says(self, lead: Browser, shop: Shop) -> None:
        failed, bank, unsure = planned(shop), by_bank(shop), planned(shop)
        seen_at_stripe(shop, failed, "failed", "declined")
        with shop.do(STRIPE) as tx:
            settle.ask_staff(tx, lock_refund(tx.session, shop.refunds(unsure)[0].id)[0], "Nobody knows.")
        page = lead.page("/staff/?view=refund_failed")
        assert failed in page
        assert bank not in page
        assert unsure not in page
        assert "Refund failed 1" in words(page)

    def test_cases_that_wait_for_the_customer_are_counted_apart(self, lead: Browser, shop: Shop) -> None:
        asked = shop.under_review()
        shop.under_review(name="Parka")
        with shop.do(BENCH) as tx:
            service.ask(tx, asked, message="Which size?")
        assert "1 case needs a decision. 1 waits for the customer." in lead.words("/staff/")

    def test_the_timeline_says_who_did_what_and_why(
        self, lead: Browser, warehouse: Browser, sign_in: Callable[[str], Browser], shop: Shop
    ) -> None:
        rma = shop.under_review()
        here = f"/staff/returns/{rma}"
        lead.submit(lead.form(here, "/owner"), {"owner": ""})
        lead.submit(lead.form(here, "/decision"), {"decision": "approve", "note": "Third one"})
        with shop.do(BENCH) as tx:
            receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
        seen_at_stripe(shop, rma, "pending", waits_for="processing")
        seen_at_stripe(shop, rma, "succeeded")
        log = lead.words(here).partition("Timeline")[2]
        for part in (
            "Priya Nair booked 1 item",
            "Sent to exceptions: “Big returns” asks for a person to decide.",
            "Maya Okafor approved it Note for the team: “Third one”",
            "Handed to the carrier: It arrived without a scan on the way.",
            f"{BENCH.name} received the parcel: 1 × as new",
            f"{BENCH.name} had a refund of £310.00 prepared",
            "The payment provider accepted the refund of £310.00",
            "Refund of £310.00 sent",
        ):
            assert part in log, part
        assert RAW.search(log) is None

    def test_every_event_that_a_stage_records_has_a_sentence(self, app: Flask) -> None:
        found = set()
        for path in (ROOT / "portal").rglob("*.py"):
            found |= set(re.findall(r'record\(\s*tx,\s*"([a-z_]+\.[a-z_]+)"', path.read_text(encoding="utf-8")))
        about_returns = {what for what in found if not what.startswith(("order.", "policy", "staff.", "token."))}
        assert len(about_returns) > 25
        with app.test_request_context():
            for what in about_returns:
                assert log_words._of_itself(what, {}) or log_words._counted(what, {}, "", {}), what
            assert log_words.sentence(TimelineEntry(what="new.event", actor_kind="system")) == "new.event"

    def test_one_case_and_ten_cost_the_same(self, agent: Browser, shop: Shop) -> None:
        first = f"/staff/refunds/{shop.refunds(by_bank(shop))[0].public_id}"
        one = cost(shop.database, agent, first)
        listed = cost(shop.database, agent, "/staff/refunds")
        for _ in range(4):
            by_bank(shop)
        assert len(cost(shop.database, agent, first)) == len(one)
        assert len(cost(shop.database, agent, "/staff/refunds")) == len(listed)
        assert len(one) <= 12


def test_who_is_paid_by_hand_is_asked_for_an_account_and_not_told_of_a_failure(agent: Browser, shop: Shop) -> None:
    form = agent.form(f"/staff/refunds/{shop.refunds(by_bank(shop))[0].public_id}", "/ask")
    assert (form.get("message") or "").startswith("Your refund of £64.00 is ready. Which bank account of yours")


def test_a_question_that_is_handed_over_twice_stays_with_the_first(shop: Shop, database: Database) -> None:
    """The one with the fewest may be another by then."""
    rma = by_bank(shop)
    number = shop.refunds(rma)[0].public_id
    first, second = add_staff(database, "Ann Lead"), add_staff(database, "Bob Lead")
    with shop.do(BENCH) as tx:
        assert actions.hand_over(tx, number, [first, second]).owner_id == first
    with shop.do(BENCH) as tx:
        assert actions.hand_over(tx, number, [second, first]).owner_id == first
    assert rows(database, select(Review.owner_id).where(Review.kind == questions.PAY_ELSEWHERE)) == [first]


def test_no_owner_is_said_to_be_changed_where_nothing_is_open(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(Item(gross=36_00),))
    answer = lead.post(f"/staff/returns/{rma}/owner", {"owner": "99999"})
    seen = lead.words(answer.location)
    assert "The owner is changed" not in seen
    assert "so it has no owner. Nothing was changed." in seen
