"""Several questions at once: shown first with count and sum, each done by itself, what may not be done is skipped aloud."""

from __future__ import annotations

import pytest

from portal.flow import Ports
from portal.returns import service
from portal.reviews.service import open_review
from tests.stages.returns.trade import JONAS
from tests.web.staff.browser import Browser, links, words
from tests.web.staff.conftest import limited
from tests.web.staff.shop import NOW, Shop


def ticked(browser: Browser, shop: Shop, act: str, *rmas: str, path: str = "/staff/"):  # type: ignore[no-untyped-def]
    """Tick these returns in the queue and press a button of the bar."""
    form = browser.form(path, "/staff/bulk")
    return browser.submit(form, {"pick": [shop.pick(rma) for rma in rmas], "act": act})


def test_approving_several_shows_count_and_sum_before_anything_happens(lead: Browser, shop: Shop) -> None:
    first, second, other = shop.under_review(310_00), shop.under_review(400_00), shop.under_review(500_00)
    page = ticked(lead, shop, "approve", first, second)
    seen = words(page.text)
    assert page.status_code == 200
    assert "Approve 2 returns" in seen
    assert "2 returns, worth £710.00 together" in seen
    assert shop.look(first).status == "under_review"
    done = lead.submit(lead.form("", "/bulk/approve", html=page.text), {"note": "Checked by phone", "message": "Fine."})
    assert (done.status_code, done.location) == (303, "/staff/")
    page_after = lead.page("/staff/")
    assert f"2 returns approved, £710.00. {first} , {second}" in words(page_after)
    assert {f"/staff/returns/{first}", f"/staff/returns/{second}"} <= set(links(page_after))
    assert [shop.look(rma).status for rma in (first, second, other)] == ["authorized", "authorized", "under_review"]
    entry = shop.entry(second, "return.authorized")
    assert (entry.actor_name, entry.why) == ("Maya Okafor", "Checked by phone")
    assert shop.look(second).message == "Fine."


def test_sent_twice_it_is_done_once(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form("", "/bulk/approve", html=ticked(lead, shop, "approve", rma).text)
    assert [lead.submit(form).status_code for _ in range(2)] == [303, 303]
    assert shop.events(rma).count("return.authorized") == 1
    assert f"1 was decided meanwhile. {rma}" in lead.words("/staff/")


def test_what_may_not_be_approved_is_skipped_and_named(agent: Browser, shop: Shop) -> None:
    plain, refused, waiting, failed = shop.under_review(), shop.asked_us(), shop.under_review(), shop.booked()
    with shop.do(JONAS) as tx:
        service.ask(tx, waiting, message="Which size?")
        open_review(tx, kind="refund_failed", why="It failed", return_id=shop.look(failed).id, due_at=NOW)
    page = ticked(agent, shop, "approve", plain, refused, waiting, failed)
    seen = words(page.text)
    for part in (
        "Approve 1 return", "3 are skipped", f"{refused} The policy says no. Only a returns lead may approve it.",
        f"{waiting} The customer was asked and hasn’t answered yet.", f"{failed} It’s about money that was sent.",
    ):  # fmt: skip
        assert part in seen, part
    form = agent.form("", "/bulk/approve", html=page.text)
    forged = agent.submit(form, {"pick": [shop.pick(rma) for rma in (plain, refused, waiting, failed)]})
    assert forged.status_code == 303
    assert [shop.look(rma).status for rma in (plain, refused, waiting)] == [
        "authorized",
        "under_review",
        "under_review",
    ]
    seen = agent.words("/staff/")
    assert "1 return approved, £310.00." in seen
    for part in (
        f"1 was left as it is. The policy says no. Only a returns lead may approve it. {refused}",
        f"1 was left as it is. The customer was asked and hasn’t answered yet. {waiting}",
        f"1 was left as it is. It’s about money that was sent. Open it to see what to do. {failed}",
    ):
        assert part in seen, part


def test_what_a_colleague_has_decided_is_named_before_the_others_are(lead: Browser, shop: Shop) -> None:
    first, second = shop.under_review(), shop.under_review(400_00)
    form = lead.form("/staff/", "/staff/bulk")
    chosen = {"pick": [shop.pick(first), shop.pick(second)], "act": "approve"}
    with shop.do(JONAS) as tx:
        service.authorize(tx, first)
    page = lead.submit(form, chosen)
    assert f"1 is skipped {first} It was decided meanwhile." in words(page.text)
    assert f"/staff/returns/{first}" in links(page.text)


@pytest.mark.parametrize("act", ["deny", "ask"])
def test_what_was_written_for_several_is_given_back_where_a_colleague_was_faster(
    lead: Browser, shop: Shop, act: str
) -> None:
    first, second, third = shop.under_review(), shop.under_review(400_00), shop.under_review(500_00)
    form = lead.form("", f"/bulk/{act}", html=ticked(lead, shop, act, first, second, third).text)
    with shop.do(JONAS) as tx:
        service.authorize(tx, first)
        service.ask(tx, second, message="Which size?")
        service.answer_question(tx, second, "M")
    late = lead.submit(form, {"message": "What was so carefully written", "note": "Checked by phone"})
    assert late.status_code == 409
    seen = words(late.text)
    assert f"1 is skipped {first} It was decided meanwhile." in seen
    assert (
        f"1 was left as it is. This return has changed since you opened it. Nothing was saved. Look again and repeat. {second}"
        in seen
    )
    assert shop.events(third)[-1] == ("return.rejected" if act == "deny" else "return.asked")
    again = lead.form("", f"/bulk/{act}", html=late.text)
    assert (again.get("message"), again.get("note")) == ("What was so carefully written", "Checked by phone")
    assert lead.submit(again).status_code == 303
    assert shop.events(second)[-1] == ("return.rejected" if act == "deny" else "return.asked")


def test_what_was_written_for_nothing_that_is_left_can_still_be_read(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form("", "/bulk/deny", html=ticked(lead, shop, "deny", rma).text)
    with shop.do(JONAS) as tx:
        service.authorize(tx, rma)
    late = lead.submit(form, {"message": "What was so carefully written"})
    assert f"Nothing to deny 1 is skipped {rma} It was decided meanwhile. What you wrote" in words(late.text)
    assert "What was so carefully written</textarea>" in late.text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("daily_cap", "It’s approved, and above what may leave in a day. Open it to send it anyway."),
        ("second_person", "It’s approved, and waits for a second person."),
        ("out_of_stock", "It’s about goods that are missing."),
        ("pay_elsewhere", "It’s about money that waits."),
        ("refund_failed", "It’s about money that was sent."),
    ],
)
def test_what_is_no_decision_on_a_return_is_skipped_for_its_own_reason(
    lead: Browser, shop: Shop, kind: str, said: str
) -> None:
    rma = shop.booked()
    with shop.do(JONAS) as tx:
        open_review(tx, kind=kind, why="A question", return_id=shop.look(rma).id, due_at=NOW)
    assert f"{rma} {said}" in words(ticked(lead, shop, "approve", rma).text)


def test_what_is_above_the_limit_of_the_role_is_skipped_before_and_said(
    ports: Ports, shop: Shop, people: object
) -> None:
    agent = limited(ports, 350)
    inside, above = shop.under_review(310_00), shop.under_review(400_00)
    page = ticked(agent, shop, "approve", inside, above)
    for part in (
        "Approve 1 return", "One return, worth £310.00 together.",
        f"1 is skipped {above} Your role approves at most £350.00. Ask somebody whose role may approve more.",
    ):  # fmt: skip
        assert part in words(page.text), part
    assert f"{above} Your role" not in words(ticked(agent, shop, "deny", inside, above).text)


@pytest.mark.parametrize(
    ("act", "said"), [("approve", "Nothing to approve"), ("ask", "Nobody to ask"), ("deny", "Nothing to deny")]
)
def test_where_nothing_is_left_to_do_the_heading_says_so(agent: Browser, shop: Shop, act: str, said: str) -> None:
    waiting = shop.under_review()
    with shop.do(JONAS) as tx:
        service.ask(tx, waiting, message="Which size?")
    seen = words(ticked(agent, shop, act, waiting).text)
    assert f"{said} 1 is skipped" in seen
    assert " 0 " not in seen.partition("Back to the list")[2]


def test_one_that_has_changed_stops_no_other(lead: Browser, shop: Shop) -> None:
    first, second = shop.under_review(), shop.under_review()
    form = lead.form("", "/bulk/approve", html=ticked(lead, shop, "approve", first, second).text)
    with shop.do(JONAS) as tx:
        service.ask(tx, first, message="Which size?")
        service.answer_question(tx, first, "M")
    lead.submit(form)
    assert [shop.look(rma).status for rma in (first, second)] == ["under_review", "authorized"]
    seen = lead.words("/staff/")
    assert "1 return approved" in seen
    assert f"This return has changed since you opened it. Nothing was saved. Look again and repeat. {first}" in seen


@pytest.mark.parametrize(
    ("act", "event", "said"),
    [("deny", "return.rejected", "2 returns denied."), ("ask", "return.asked", "2 customers asked.")],
)
def test_denying_and_asking_need_words_for_the_customers(
    lead: Browser, shop: Shop, act: str, event: str, said: str
) -> None:
    rmas = [shop.under_review(), shop.under_review()]
    page = ticked(lead, shop, act, *rmas)
    form = lead.form("", f"/bulk/{act}", html=page.text)
    wrong = lead.submit(form, {"note": "kept"})
    assert wrong.status_code == 422
    assert 'value="kept"' in wrong.text
    assert lead.submit(form, {"message": "Please tell us more."}).status_code == 303
    assert [shop.events(rma)[-1] for rma in rmas] == [event, event]
    assert said in lead.words("/staff/")


def test_several_are_taken_over_at_once(agent: Browser, shop: Shop) -> None:
    rmas = [shop.under_review(), shop.under_review(), shop.asked_us()]
    answer = ticked(agent, shop, "assign", *rmas, path="/staff/?sort=newest")
    assert (answer.status_code, answer.location) == (303, "/staff/?sort=newest")
    assert "3 assigned to you." in agent.words("/staff/?view=mine")
    assert {shop.review(rma).owner_id for rma in rmas} == {3}
    assert shop.entry(rmas[0], "review.assigned").data == {"owner": 3, "to": "Jonas Berg"}


def test_nothing_ticked_says_so(lead: Browser, shop: Shop) -> None:
    shop.under_review()
    answer = lead.submit(lead.form("/staff/", "/staff/bulk"), {"act": "approve"})
    assert answer.status_code == 303
    assert "Nothing was selected." in lead.words("/staff/")


@pytest.mark.parametrize(
    "pick", ["x", "1", "1:", ":1", "1:x", "-1:1", "9" * 40 + ":1", "1:1:1", "１:１", "\x00:1", "999:1"]
)
def test_odd_picks_are_no_picks(lead: Browser, shop: Shop, pick: str) -> None:
    rma = shop.under_review()
    for path, act in (("/staff/bulk", "approve"), ("/staff/bulk", "assign"), ("/staff/bulk/approve", "")):
        assert lead.post(path, {"pick": pick, "act": act}).status_code in (200, 303)
    assert shop.look(rma).status == "under_review"
    assert lead.post("/staff/bulk", {"pick": shop.pick(rma), "act": "explode"}).status_code == 400


def test_the_way_back_stays_on_the_staff_pages(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    answer = lead.post("/staff/bulk", {"pick": shop.pick(rma), "act": "assign", "back": "https://evil.example/"})
    assert answer.location == "/staff/"
