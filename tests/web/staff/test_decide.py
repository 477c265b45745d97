"""Deciding about one return: what the page shows, what each choice does, who may, and that a second click is no second effect."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from portal.flow import Ports
from portal.notices.models import Notice
from portal.orders.models import OrderLine
from portal.receiving.service import Count, receive
from portal.returns import service
from portal.returns.holding import lock_return
from portal.returns.models import Photo, ReturnLine
from portal.reviews.service import open_review
from portal.timeline import TimelineEntry
from tests.stages.returns.trade import BENCH, JONAS, MAYA, add_variant, rows, timeline_of
from tests.web.staff.browser import Browser, cost, words
from tests.web.staff.conftest import limited
from tests.web.staff.shop import NOW, Item, Shop, wish


def act(browser: Browser, rma: str, **changes: object):  # type: ignore[no-untyped-def]
    """Open the return, change the decision card's form, send it."""
    return browser.submit(browser.form(f"/staff/returns/{rma}", "decision"), dict(changes))


def test_the_page_says_why_it_is_here_and_which_rule_set_what(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(
        wish("1", reason="too-large", note="Hangs on me like a sack"),
        items=(Item(gross=310_00, name="Field jacket", sku="WH-FJ-M"),), hours_ago=29,
    )  # fmt: skip
    seen = lead.words(f"/staff/returns/{rma}")
    for part in (
        rma, "Reviewing", "5 h overdue", "Priya Nair", "Booked Thu 19 Nov 2026, 05:15.", "Policy version 1.",
        "“Big returns” asks for a person to decide.", "Field jacket", "SKU WH-FJ-M", "It’s too big. Wants a refund.",
        "“Hangs on me like a sack”", "Which rule set what", "Who decides A person Big returns Automatic, from “Default”",
        "Can it come back? Yes Default", "Time limit 30 days , until 28 November 2026",
        "Money Owed £310.00 Paid £0.00", "Price, includes £51.66 tax £310.00", "Owed £310.00 £0.00",
        "Nothing is sent before somebody decides.", "Your decision", "Approve £310.00 refund", "Customer since",
        "Timeline", "Sent to exceptions: ", "Priya Nair booked 1 item",
    ):  # fmt: skip
        assert part in seen, part


def test_approving_tells_the_customer_and_the_timeline_who_what_when_and_why(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    answer = act(lead, rma, message="Send it back free.", note="Third one from this batch.")
    assert (answer.status_code, answer.location) == (303, f"/staff/returns/{rma}")
    found = shop.look(rma)
    assert (found.status, found.message) == ("authorized", "Send it back free.")
    entry = shop.entry(rma, "return.authorized")
    assert (entry.actor_kind, entry.actor_name, entry.why, entry.at) == (
        "staff", "Maya Okafor", "Third one from this batch.", NOW,
    )  # fmt: skip
    review = shop.review(rma)
    assert (review.status, review.decided_by, review.note) == ("approved", "Maya Okafor", "Third one from this batch.")
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Approved, £310.00." in seen
    told, note = "To the customer: “Send it back free.”", "Note for the team: “Third one from this batch.”"
    assert f"Maya Okafor approved it {told} {note}" in seen
    assert "booked" in [notice.kind for notice in rows(shop.database, select(Notice))]


def test_a_double_click_is_one_approval(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "decision")
    assert [lead.submit(form, {"note": "Fine."}).status_code for _ in range(3)] == [303, 303, 303]
    assert shop.events(rma).count("return.authorized") == 1


def test_a_stale_decision_is_told_who_changed_what_and_keeps_the_words(
    lead: Browser, agent: Browser, shop: Shop
) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "decision")
    act(agent, rma, decision="ask", message="Which size do you wear?")
    answer = lead.submit(form, {"message": "My careful words", "note": "My note"})
    assert answer.status_code == 409
    seen = words(answer.text)
    for part in ("Your last step was not carried out", "Jonas Berg asked the customer"):
        assert part in seen, part
    assert "My careful words" in answer.text
    assert "My note" in answer.text
    assert shop.look(rma).status == "under_review"
    assert "return.authorized" not in shop.events(rma)


def test_somebody_elses_decision_is_not_overwritten(lead: Browser, agent: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    mine = lead.form(f"/staff/returns/{rma}", "decision")
    act(agent, rma)
    assert lead.submit(mine).status_code == 409
    deny = lead.submit(mine, {"decision": "deny"})
    confirm = lead.form("", "/deny", html=deny.text)
    answer = lead.submit(confirm, {"message": "No."})
    assert answer.status_code == 409
    assert "Jonas Berg approved it" in words(answer.text)
    assert shop.look(rma).status == "authorized"


@pytest.mark.parametrize("change", [{}, {"decision": "change"}, {"line": ["1"]}])
@pytest.mark.parametrize(
    ("first", "late"), [("cancel", "decision"), ("decision", "decision"), ("decision", "cancel"), ("cancel", "cancel")]
)
def test_who_was_too_late_sees_the_return_as_it_is_now_and_who_did_what(
    lead: Browser, agent: Browser, shop: Shop, first: str, late: str, change: dict[str, object]
) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=310_00), Item(gross=40_00)))
    page, note = f"/staff/returns/{rma}", "Third one from this batch."
    at = {"decision": page, "cancel": f"{page}/cancel"}
    form = agent.form(at[late], f"/{late}")
    assert lead.submit(lead.form(at[first], f"/{first}")).status_code == 303
    answer = agent.submit(form, {"note": note, **change} if late == "decision" else {})
    assert answer.status_code == 409
    seen = words(answer.text)
    assert f"{rma} {'Cancelled' if first == 'cancel' else 'Approved'}" in seen
    told = seen[seen.index("Your last step was not carried out") : seen.index("Items")]
    assert f"Maya Okafor {'cancelled' if first == 'cancel' else 'approved'} it" in told
    assert "booked 2 items" not in told, "only what is new"
    for part in ("Which rule set what", "Money", "Timeline"):
        assert part in seen, part
    assert (note in answer.text) is (late == "decision")


def test_what_is_over_is_not_offered_to_be_cancelled(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    page = f"/staff/returns/{rma}/cancel"
    assert lead.submit(lead.form(page, "/cancel")).status_code == 303
    again = lead.get(page)
    assert (again.status_code, again.location) == (303, f"/staff/returns/{rma}")
    assert "This return can’t be cancelled any more. The timeline says why." in lead.words(f"/staff/returns/{rma}")


def test_what_was_paid_ahead_is_not_offered_to_be_cancelled(lead: Browser, shop: Shop) -> None:
    rma = shop.booked()
    with shop.do(JONAS) as tx:
        lock_return(tx, rma).payout_planned_at = tx.at
    page = f"/staff/returns/{rma}/cancel"
    assert page not in lead.page(f"/staff/returns/{rma}")
    assert lead.get(page).location == f"/staff/returns/{rma}"
    assert "This return can’t be cancelled any more." in lead.words(f"/staff/returns/{rma}")


def test_denying_is_confirmed_on_its_own_page_and_needs_a_reason(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    page = act(lead, rma, decision="deny", message="", note="Worn for months.")
    assert page.status_code == 200
    assert "btn--danger-fill" in page.text
    assert shop.look(rma).status == "under_review"
    again = lead.submit(lead.form("", "/deny", html=page.text))
    assert again.status_code == 422
    assert "Write why, for the customer to read" in words(again.text)
    done = lead.submit(lead.form("", "/deny", html=again.text), {"message": "It was worn."})
    assert done.status_code == 303
    assert (shop.look(rma).status, shop.look(rma).message) == ("rejected", "It was worn.")
    assert shop.entry(rma, "return.rejected").why == "Worn for months."


def test_asking_stops_the_clock_and_the_answer_comes_back_to_the_page(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review(hours_ago=3)
    card = lead.words(f"/staff/returns/{rma}")
    assert "Message to Priya A question, a “no” or a smaller amount needs one. An approval can go without" in card
    empty = act(lead, rma, decision="ask")
    assert empty.status_code == 422
    assert words(empty.text).count("Write what the customer should answer") == 2
    question = {"message": "Which size do you wear?", "note": "The photo shows an L."}
    assert act(lead, rma, decision="ask", **question).status_code == 303
    seen = lead.words(f"/staff/returns/{rma}")
    for part in (
        "Maya Okafor asked the customer To the customer: “Which size do you wear?” "
        "Note for the team: “The photo shows an L.”",
        f"{rma} Asked Paused",
        "Maya Okafor asked, Today, 10:15:",
        "“Which size do you wear?”",
        "No reply yet.",
    ):
        assert part in seen, part
    with shop.do() as tx:
        service.answer_question(tx, rma, "M, as always")
    seen = lead.words(f"/staff/returns/{rma}")
    assert "“M, as always”" in seen
    assert "Paused" not in seen
    assert act(lead, rma).status_code == 303


def test_another_amount_needs_a_note_and_is_what_is_owed(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review(310_00)
    line = f"amount-{shop.look(rma).lines[0].id}"
    answer = act(lead, rma, decision="change", **{line: "250"})
    assert answer.status_code == 422
    assert "Say why the amount is changed" in words(answer.text)
    assert 'value="250"' in answer.text
    shown = act(
        lead, rma, decision="change", note="Button missing", message="A button is missing.", **{line: "£250.50"}
    )
    for part in ("Priya gets £250.50 in all", "Instead of £310.00.", "Changed by us", "“Button missing”"):
        assert part in words(shown.text), part
    assert shop.look(rma).status == "under_review", "nothing is done before the sum was seen"
    assert shop.events(rma)[-1] == "return.review_opened"
    assert lead.submit(lead.form("", "decision", html=shown.text)).status_code == 303
    assert shop.look(rma).quote["total"] == {"amount": 250_50, "currency": "GBP"}
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Approved, £250.50." in seen
    assert "Changed by us Field jacket, instead of £310.00 −£59.50 —" in seen
    assert "£310.00 became £250.50" in seen


SECOND_CLICKS = {
    "some of the items": {"line": ["1"], "message": "The scarf is worn."},
    "another amount": {"decision": "change", "AMOUNT": "250.50", "note": "Torn", "message": "It is torn."},
    "both": {"decision": "change", "line": ["1"], "AMOUNT": "250.50", "note": "Torn", "message": "It is torn."},
}


@pytest.mark.parametrize("case", list(SECOND_CLICKS))
def test_a_second_click_on_what_was_approved_in_part_is_answered_like_the_first(
    lead: Browser, owner: Browser, shop: Shop, case: str
) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=310_00, name="Coat"), Item(gross=40_00, name="Scarf")))
    amount = f"amount-{shop.look(rma).lines[0].id}"
    changes = {{"AMOUNT": amount}.get(name, name): value for name, value in SECOND_CLICKS[case].items()}
    card = lead.form(f"/staff/returns/{rma}", "/decision")
    anothers = owner.form(f"/staff/returns/{rma}", "/decision")
    confirm = lead.form("", "/decision", html=lead.submit(card, changes).text)
    assert lead.submit(confirm).status_code == 303
    assert shop.look(rma).status == "authorized"
    assert lead.submit(confirm).status_code == 303
    assert shop.events(rma).count("return.authorized") == 1
    # Something else of the same person, or the same of somebody else, is no second click.
    assert lead.submit(confirm, {"line": ["2"]}).status_code == 409
    if "AMOUNT" in SECOND_CLICKS[case]:
        assert lead.submit(confirm, {amount: "200"}).status_code == 409
    assert owner.submit(anothers, changes).status_code == 409


def test_a_comma_parts_thousands(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review(1310_00)
    line = f"amount-{shop.look(rma).lines[0].id}"
    shown = act(
        lead, rma, decision="change", note="Button missing", message="A button is missing.", **{line: "£1,250.50"}
    )
    assert lead.submit(lead.form("", "decision", html=shown.text)).status_code == 303
    assert shop.look(rma).quote["total"]["amount"] == 1250_50


@pytest.mark.parametrize(
    "amount",
    [
        "-10.00",
        "0",
        "0.00",
        "0.004",
        "NaN",
        "1e3",
        "310.01",
        "99999999999999",
        "",
        "ten",
        "２５０",
        "1.000,00",
        "£",
        "2,5",
        "50,5",
        "12,50",
        "1,00.00",
    ],
)
def test_what_is_no_amount_is_refused_at_its_field(lead: Browser, shop: Shop, amount: str) -> None:
    rma = shop.under_review(310_00)
    line = f"amount-{shop.look(rma).lines[0].id}"
    answer = act(lead, rma, decision="change", note="x", **{line: amount})
    assert answer.status_code == 422
    assert f'href="#{line}"' in answer.text
    assert shop.look(rma).status == "under_review"
    assert shop.look(rma).lines[0].amount_minor is None


def test_an_amount_changes_beside_an_item_that_gives_nothing(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2", 2), items=(Item(gross=100_00, name="Shirt"), Item(2, 60_00, name="Beanie")))
    with shop.do(BENCH) as tx:
        receive(tx, rma, [Count("1", 1, "damaged"), Count("2", 2, "missing")], command_key="k")
    shirt, beanie = (f"amount-{line.id}" for line in shop.look(rma).lines)
    why = {"decision": "change", "note": "A hole", "message": "It has a hole."}
    assert act(lead, rma, **why).status_code == 422, "nothing is changed"
    assert act(lead, rma, **why, **{shirt: "0"}).status_code == 422, "what is worth something is not given up by a 0"
    for untouched in ("0.00", "0"):
        shown = act(lead, rma, **why, **{shirt: "80.00", beanie: untouched})
        assert "Priya gets £80.00 in all" in words(shown.text), untouched
    assert lead.submit(lead.form("", "decision", html=shown.text)).status_code == 303
    assert [line.amount_minor for line in shop.look(rma).lines] == [80_00, None]


def test_some_of_the_items_are_approved_only_after_their_sum_was_seen_and_a_reason_given(
    lead: Browser, shop: Shop
) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=200_00, name="Jacket"), Item(gross=150_00, name="Bag")))
    form = lead.form(f"/staff/returns/{rma}", "decision")
    assert [value for name, value in form.values if name == "line"] == ["1", "2"]
    assert lead.submit(form, {"line": None}).status_code == 422
    shown = lead.submit(form, {"line": ["2"], "note": "Seen on the photo"})
    assert shown.status_code == 200
    for part in ("Priya gets £150.00 in all", "Instead of £350.00.", "Jacket is denied", "“Seen on the photo”"):
        assert part in words(shown.text), part
    assert shop.look(rma).status == "under_review", "nothing is done before it was seen"
    again = lead.submit(lead.form("", "decision", html=shown.text))
    assert again.status_code == 422
    assert "Write why, for the customer to read" in words(again.text)
    assert shop.look(rma).status == "under_review"
    done = lead.submit(lead.form("", "decision", html=again.text), {"message": "The jacket was worn."})
    assert done.status_code == 303
    found = shop.look(rma)
    assert [(line.order_line.ref, line.status) for line in found.lines] == [("1", "refused"), ("2", "accepted")]
    assert (found.quote["total"]["amount"], found.message) == (150_00, "The jacket was worn.")
    assert shop.entry(rma, "return.authorized").why == "Seen on the photo"


def test_the_button_names_the_sum_of_all_items_only_while_all_are_ticked(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=200_00, name="Jacket"), Item(gross=150_00, name="Bag")))
    seen = lead.page(f"/staff/returns/{rma}")
    for part in (
        r'decide__all"><button[^>]*>(<[^>]*>)*Approve £350\.00 refund',
        r'decide__some"><button[^>]*>(<[^>]*>)*Approve the ticked items, and check first',
        r'Approve <span class="decide__all">£350\.00</span><span class="decide__some">the ticked items</span>',
    ):
        assert re.search(part, seen), part
    assert "decide__some" not in lead.page(f"/staff/returns/{shop.under_review()}")


def test_an_agent_approves_what_a_rule_puts_to_a_person(agent: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    assert act(agent, rma).status_code == 303
    assert shop.entry(rma, "return.authorized").actor_name == "Jonas Berg"


def test_who_may_not_approve_as_much_reads_it_before_and_gives_it_to_who_may(
    ports: Ports, shop: Shop, people: object
) -> None:
    agent = limited(ports, 300)
    rma = shop.under_review(310_45)
    here = f"/staff/returns/{rma}"
    page, seen = agent.page(here), agent.words(here)
    for part in ("£310.45 is above your limit Your role approves at most £300.00.", "Give it to Maya Okafor"):
        assert part in seen, part
    assert "Approve £310.45" not in seen
    assert "The policy says no" not in seen
    assert 'value="approve"' not in page
    form = agent.form(here, "decision")
    refused = agent.submit(form, {"decision": "approve", "message": "My careful words"})
    assert refused.status_code == 403
    assert "Your role approves at most £300.00." in words(refused.text)
    assert "My careful words" in refused.text
    assert shop.look(rma).status == "under_review"
    give = agent.form("", "/owner", html=page)
    assert agent.submit(give).status_code == 303
    assert shop.review(rma).owner_id is not None


def test_some_items_within_the_limit_are_approved_where_all_are_above_it(
    ports: Ports, shop: Shop, people: object
) -> None:
    agent = limited(ports, 300)
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=200_00, name="Jacket"), Item(gross=150_00, name="Bag")))
    page = agent.page(f"/staff/returns/{rma}")
    assert "Approve £350.00" not in words(page), "what would be refused is not offered"
    assert "Untick items until the rest is within your limit." in words(page)
    form = agent.form("", "decision", html=page)
    assert form.get("decision") == "ask"
    shown = agent.submit(form, {"decision": "approve", "line": ["2"]})
    assert "Priya gets £150.00 in all" in words(shown.text)


def test_who_may_not_stays_inside_the_staffs_pages_with_a_way_back(
    warehouse: Browser, lead: Browser, shop: Shop
) -> None:
    rma = shop.under_review()
    for path, way in ((f"/staff/returns/{rma}/cancel", f"/staff/returns/{rma}"), ("/staff/refunds", "/staff/returns")):
        answer = warehouse.get(path)
        main = answer.text.partition('<main class="work"')[2]
        assert (answer.status_code, f'href="{way}"' in main, "Go to exceptions" in main) == (403, True, False), path
        assert "Ben Whitlock" in words(answer.text)
    lost = lead.get("/staff/returns/R-9999999")
    assert (lost.status_code, "Maya Okafor" in words(lost.text)) == (404, True)


def test_only_a_lead_overrules_the_policy_changes_amounts_and_takes_a_no_back(
    agent: Browser, lead: Browser, shop: Shop
) -> None:
    asked, plain = shop.asked_us(), shop.under_review()
    seen = agent.page(f"/staff/returns/{asked}")
    assert "The policy says no" in words(seen)
    assert 'value="approve"' not in seen
    assert 'value="change"' not in agent.page(f"/staff/returns/{plain}")
    for rma, choice in ((asked, "approve"), (asked, "change"), (plain, "change")):
        assert act(agent, rma, decision=choice, note="x").status_code == 403
    agent.submit(agent.form("", "/deny", html=act(agent, plain, decision="deny").text), {"message": "No."})
    version = shop.look(plain).version
    for path in ("decision", "reinstate"):
        answer = agent.post(f"/staff/returns/{plain}/{path}", {"decision": "approve", "expected": version, "note": "x"})
        assert answer.status_code == 403
    assert shop.look(plain).status == "rejected"
    assert act(lead, asked, note="Regular customer").status_code == 303
    assert shop.entry(asked, "return.authorized").data["overruled"] == ["1"]  # type: ignore[index]
    form = lead.form(f"/staff/returns/{plain}", "reinstate")
    assert lead.submit(form).status_code == 422
    assert lead.submit(form, {"note": "We misread the photo"}).status_code == 303
    assert shop.look(plain).status == "authorized"


def test_a_note_is_written_once_however_often_it_is_sent(agent: Browser, shop: Shop) -> None:
    rma = shop.booked()
    form = agent.form(f"/staff/returns/{rma}", "notes")
    for _ in range(2):
        assert agent.submit(form, {"text": " Called, will send it Monday. "}).status_code == 303
    assert [entry.why for entry in shop_notes(shop, rma)] == ["Called, will send it Monday."]
    assert "Jonas Berg left a note: “Called, will send it Monday.”" in agent.words(f"/staff/returns/{rma}")
    assert agent.submit(form, {"text": "  "}).status_code == 422
    assert agent.submit(form, {"text": "x" * 4001}).status_code == 422


def shop_notes(shop: Shop, rma: str) -> list[TimelineEntry]:
    return [entry for entry in timeline_of(shop.database, rma) if entry.what == "note.added"]


def test_a_question_gets_an_owner_and_loses_one(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "owner")
    people = {"Jonas Berg": "3", "Maya Okafor": "2"}
    assert lead.submit(form, {"owner": people["Jonas Berg"]}).status_code == 303
    assert "Maya Okafor gave it to Jonas Berg" in lead.words(f"/staff/returns/{rma}")
    assert lead.submit(form, {"owner": ""}).status_code == 303
    assert shop.review(rma).owner_id is None
    assert lead.submit(form, {"owner": "99999"}).status_code == 404


def test_a_parcel_is_marked_as_shipped_once(agent: Browser, shop: Shop) -> None:
    rma = shop.booked()
    form = agent.form(f"/staff/returns/{rma}", "shipped")
    assert [agent.submit(form).status_code for _ in range(2)] == [303, 303]
    assert shop.events(rma).count("return.in_transit") == 1
    assert shop.entry(rma, "return.in_transit").actor_name == "Jonas Berg"


def test_cancelling_has_its_own_page_and_is_not_offered_once_goods_have_come(agent: Browser, shop: Shop) -> None:
    rma = shop.booked()
    assert f"/staff/returns/{rma}/cancel" in agent.page(f"/staff/returns/{rma}")
    form = agent.form(f"/staff/returns/{rma}/cancel", "cancel")
    assert [agent.submit(form).status_code for _ in range(2)] == [303, 303]
    assert shop.look(rma).status == "canceled"
    assert shop.events(rma).count("return.canceled") == 1
    sent = shop.booked()
    stale = agent.form(f"/staff/returns/{sent}/cancel", "cancel")
    with shop.do(JONAS) as tx:
        service.mark_in_transit(tx, sent)
    assert f"/staff/returns/{sent}/cancel" not in agent.page(f"/staff/returns/{sent}")
    assert agent.submit(stale).status_code == 409
    assert shop.look(sent).status == "in_transit"


def test_an_exchange_becomes_a_refund_with_a_note(lead: Browser, shop: Shop) -> None:
    add_variant(shop.database, "SHIRT-L", price=10_00)
    add_variant(shop.database, "SHIRT-M", price=10_00)
    rma = shop.booked(
        wish(resolution="exchange", exchange_sku="SHIRT-L"), items=(Item(sku="SHIRT-M", product="shirt", name="Shirt"),)
    )
    assert "Wants SHIRT-L in exchange." in lead.words(f"/staff/returns/{rma}")
    form = lead.form(f"/staff/returns/{rma}", "outcome")
    assert lead.submit(form).status_code == 422
    assert lead.submit(form, {"note": "Out of stock"}).status_code == 303
    assert shop.look(rma).lines[0].resolution == "refund"
    assert "Maya Okafor changed it from exchange to refund: “Out of stock”" in lead.words(f"/staff/returns/{rma}")


def test_a_changed_outcome_stays_inside_the_limit_of_the_role(ports: Ports, shop: Shop, people: object) -> None:
    agent = limited(ports, 5)
    add_variant(shop.database, "SHIRT-L", price=10_00)
    add_variant(shop.database, "SHIRT-M", price=10_00)
    rma = shop.booked(
        wish(resolution="exchange", exchange_sku="SHIRT-L"), items=(Item(sku="SHIRT-M", product="shirt", name="Shirt"),)
    )
    seen = agent.page(f"/staff/returns/{rma}")
    assert "/outcome" not in seen
    assert "These can do the rest: Ines Moreau, Maya Okafor" in words(seen)
    swap = {"line": "1", "resolution": "refund", "note": "swap", "expected": shop.look(rma).version}
    answer = agent.post(f"/staff/returns/{rma}/outcome", swap)
    assert answer.status_code == 403
    assert "Your role approves at most £5.00." in words(answer.text)
    assert shop.look(rma).lines[0].resolution == "exchange"


def test_who_may_not_overrule_is_offered_what_the_policy_offers_and_hands_the_rest_to_a_lead_in_one_press(
    agent: Browser, lead: Browser, owner: Browser, shop: Shop
) -> None:
    add_variant(shop.database, "SHIRT-L", price=10_00)
    add_variant(shop.database, "SHIRT-M", price=10_00)
    rma = shop.booked(
        wish(resolution="exchange", exchange_sku="SHIRT-L"), items=(Item(sku="SHIRT-M", product="shirt", name="Shirt"),)
    )
    here = f"/staff/returns/{rma}"
    offered = re.compile(r'<option value="(refund|store_credit)"')
    for policy_offers in (["refund", "exchange"], ["exchange"]):
        with shop.do() as tx:
            line = tx.session.scalars(select(ReturnLine)).one()
            resolutions = {**line.decision["terms"]["resolutions"], "value": policy_offers}
            line.decision = {**line.decision, "terms": {**line.decision["terms"], "resolutions": resolutions}}
        seen = agent.page(here)
        assert set(offered.findall(seen)) == set(policy_offers) - {"exchange"}
        assert set(offered.findall(lead.page(here))) == {"refund", "store_credit"}
    assert "allows you nothing else here. These can do the rest: Ines Moreau, Maya Okafor" in words(seen)
    for _ in range(2):
        assert agent.submit(agent.form(here, "hand-over")).status_code == 303
    review = shop.review(rma)
    assert (review.kind, review.status) == ("out_of_stock", "open")
    assert review.why == "SHIRT-L can't be sent in exchange. Jonas Berg asks what to give instead."
    assert "SHIRT-L can't be sent in exchange" in owner.words("/staff/?owner=me")
    assert lead.submit(lead.form(here, "outcome"), {"note": "None left"}).status_code == 303
    assert shop.review(rma).status == "settled"
    assert shop.look(rma).lines[0].resolution == "refund"


def test_a_question_about_stock_ends_with_its_return(agent: Browser, shop: Shop) -> None:
    add_variant(shop.database, "SHIRT-L", price=10_00)
    add_variant(shop.database, "SHIRT-M", price=10_00)
    rma = shop.booked(
        wish(resolution="exchange", exchange_sku="SHIRT-L"), items=(Item(sku="SHIRT-M", product="shirt", name="Shirt"),)
    )
    assert agent.post(f"/staff/returns/{rma}/hand-over", {}).status_code == 303
    assert agent.submit(agent.form(f"/staff/returns/{rma}/cancel", "cancel")).status_code == 303
    assert shop.review(rma).status == "settled"
    assert agent.post(f"/staff/returns/{rma}/hand-over", {}).status_code == 409


def test_only_who_may_overrule_gives_what_the_policy_does_not_offer(agent: Browser, lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(resolution="store_credit"))
    swap = {"line": "1", "resolution": "refund", "note": "Rather money", "expected": shop.look(rma).version}
    refused = agent.post(f"/staff/returns/{rma}/outcome", swap)
    assert refused.status_code == 403
    assert shop.look(rma).lines[0].resolution == "store_credit"
    assert lead.post(f"/staff/returns/{rma}/outcome", swap).status_code == 303
    assert shop.look(rma).lines[0].resolution == "refund"


def test_photos_are_shown_to_staff_and_only_under_their_own_return(
    lead: Browser, stranger: Browser, shop: Shop, ports: Ports
) -> None:
    ports.files.put("photos/abcdefgh1.jpg", b"\xff\xd8 a picture")
    order = shop.order(Item(gross=72_00, name="Jeans"))
    with shop.database.transaction() as tx:
        line = tx.session.query(OrderLine).filter_by(order_id=order).one()
        tx.session.add(
            Photo(
                key="photos/abcdefgh1.jpg", order_line_id=line.id, file_name="x.jpg", media_type="image/jpeg",
                width=10, height=10, bytes=9, added_at=tx.at,
            )
        )  # fmt: skip
    rma = shop.booked(wish(reason="faulty"), order=order, photo_keys=["photos/abcdefgh1.jpg"])
    page = lead.page(f"/staff/returns/{rma}")
    assert 'alt="Jeans, photo 1"' in page
    answer = lead.get(f"/staff/returns/{rma}/photos/1")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/jpeg", b"\xff\xd8 a picture")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    other = shop.booked()
    for path in (
        f"/staff/returns/{other}/photos/1",
        f"/staff/returns/{rma}/photos/2",
        f"/staff/returns/{rma}/photos/{2**63}",
    ):
        assert lead.get(path).status_code == 404
    assert stranger.get(f"/staff/returns/{rma}/photos/1").status_code == 303


def test_the_timeline_names_the_items_that_were_denied_and_counted(lead: Browser, shop: Shop) -> None:
    items = (Item(gross=200_00, name="Jacket"), Item(gross=150_00, name="Bag"), Item(gross=10_00, name="Hat"))
    rma = shop.booked(wish("1"), wish("2"), wish("3"), items=items)
    with shop.do(MAYA) as tx:
        service.authorize(tx, rma, lines=["2", "3"], message="Worn.")
    with shop.do(BENCH) as tx:
        receive(tx, rma, [Count("2", 1, "as_new"), Count("3", 1, "as_new")], command_key="k")
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Maya Okafor approved it Denied: Jacket To the customer: “Worn.”" in seen
    assert "received the parcel: 1 × Bag as new, 1 × Hat as new" in seen


def test_the_papers_leave_the_page_once_the_parcel_has_come_or_the_approval_is_undone(
    lead: Browser, shop: Shop
) -> None:
    here, rma = "/staff/returns/", shop.booked()
    assert "To be sent by" in lead.words(here + rma)
    with shop.do(BENCH) as tx:
        receive(tx, rma, [Count("1", 1, "as_new")], command_key="k")
    undone = shop.under_review()
    act(lead, undone)
    assert "label.pdf" in lead.page(here + undone)
    lead.submit(lead.form(here + undone, "/undo"))
    for each in (rma, undone):
        page = lead.page(here + each)
        assert ("label.pdf" in page, "packing-slip" in page, "To be sent by" in page) == (False, False, False), each
        assert "Northway Post" not in page


def test_a_mistake_in_another_form_of_the_page_unticks_no_item(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(Item(gross=310_00), Item(gross=40_00)))
    wrong = lead.submit(lead.form(f"/staff/returns/{rma}", "/notes"))
    assert wrong.status_code == 422
    card = lead.form("", "/decision", html=wrong.text)
    assert [value for name, value in card.values if name == "line"] == ["1", "2"]
    unticked = lead.submit(card, {"line": ["2"], "decision": "ask"})
    card = lead.form("", "/decision", html=unticked.text)
    assert [value for name, value in card.values if name == "line"] == ["2"]


def test_the_pages_of_a_decision_stay_with_the_exceptions(lead: Browser, shop: Shop) -> None:
    shown = act(lead, shop.under_review(), decision="deny")
    assert lit(shown.text) == "Exceptions"


def test_every_page_about_a_return_lights_the_entry_of_the_return(lead: Browser, shop: Shop) -> None:
    asked, plain = shop.under_review(), shop.booked()
    late, awaited = (in_part(shop) for _ in range(2))
    with shop.do(BENCH) as tx:
        open_review(tx, kind="goods_missing", why="Late", return_id=shop.look(late).id, due_at=NOW)
    for rma, entry in ((asked, "Exceptions"), (plain, "All returns")):
        assert lit(lead.page(f"/staff/returns/{rma}")) == entry
        assert lit(lead.page(f"/staff/returns/{rma}/cancel")) == entry
    for rma, entry in ((late, "Exceptions"), (awaited, "All returns")):
        shown = lead.submit(lead.form(f"/staff/returns/{rma}", "/rest/end"), {"note": "Lost"})
        assert lit(shown.text) == entry
    card = lead.form(f"/staff/returns/{asked}", "/decision")
    assert lead.submit(lead.form(f"/staff/returns/{asked}/cancel", "/cancel")).status_code == 303
    assert lit(lead.submit(card).text) == "All returns", "nothing is open about it any more"


def in_part(shop: Shop) -> str:
    """A return of two units of which one has come."""
    rma = shop.booked(wish(quantity=2), items=(Item(2, 64_00),))
    with shop.do(BENCH) as tx:
        receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    return rma


def lit(html: str) -> str:
    """The entry of the menu that a page lights."""
    current = re.search(r'aria-current="page">(?:<svg.*?</svg>)?<span>([^<]*)', html, re.S)
    return current[1] if current is not None else ""


def test_papers_are_there_for_a_parcel_and_not_for_a_wish(lead: Browser, shop: Shop) -> None:
    rma, wished = shop.booked(), shop.under_review()
    for paper in ("label", "packing-slip"):
        answer = lead.get(f"/staff/returns/{rma}/{paper}.pdf")
        assert (answer.status_code, answer.mimetype, answer.data[:5]) == (200, "application/pdf", b"%PDF-")
        assert lead.get(f"/staff/returns/{wished}/{paper}.pdf").status_code == 404
    assert "label.pdf" not in lead.page(f"/staff/returns/{wished}")


def test_the_page_costs_the_same_for_one_line_and_for_twenty(lead: Browser, shop: Shop) -> None:
    one = shop.under_review()
    items = tuple(Item(gross=20_00, name=f"Article {n}") for n in range(20))
    many = shop.booked(*(wish(str(n + 1)) for n in range(20)), items=items)
    first = cost(shop.database, lead, f"/staff/returns/{one}")
    assert len(cost(shop.database, lead, f"/staff/returns/{many}")) == len(first)
    assert len(first) <= 26, "\n".join(first)


def test_a_decision_leads_on_to_the_case_that_falls_due_next(lead: Browser, agent: Browser, shop: Shop) -> None:
    asked, here, following, _last = (shop.under_review(hours_ago=hours) for hours in (9, 6, 3, 1))
    act(lead, asked, decision="ask", message="Which size do you wear?")
    lead.page(f"/staff/returns/{asked}")
    act(lead, here)
    page = lead.page(f"/staff/returns/{here}")
    assert f'href="/staff/returns/{following}"' in page
    assert "Next case" in words(page)
    assert "Next case" not in lead.words(f"/staff/returns/{here}"), "only after something was done"


def test_arrows_lead_through_the_queue_by_deadline(lead: Browser, shop: Shop) -> None:
    first, second, third = (shop.under_review(hours_ago=hours) for hours in (9, 6, 3))
    page = lead.page(f"/staff/returns/{second}")
    assert f'href="/staff/returns/{first}"' in page
    assert f'href="/staff/returns/{third}"' in page


def test_an_unknown_return_is_not_found(lead: Browser, shop: Shop) -> None:
    for rma in ("R-0000000", "nonsense", "R-%00", "R-" + "x" * 300):
        assert lead.get(f"/staff/returns/{rma}").status_code == 404
        for command in ("decision", "deny", "shipped", "cancel", "notes", "owner", "outcome", "reinstate"):
            data = {"expected": "1", "decision": "approve", "text": "x", "note": "x", "message": "x"}
            assert lead.post(f"/staff/returns/{rma}/{command}", data).status_code == 404, command


@pytest.mark.parametrize("expected", ["", "x", "-1", "1.5", "9" * 40, "１"])
def test_a_form_without_the_state_that_was_seen_does_nothing(lead: Browser, shop: Shop, expected: str) -> None:
    rma = shop.under_review()
    answer = lead.post(f"/staff/returns/{rma}/decision", {"decision": "approve", "expected": expected})
    assert answer.status_code == 400
    assert shop.look(rma).status == "under_review"
