"""The exceptions: what stands there, how it is found, and what it costs."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any, cast

import pytest
import time_machine

from portal.db import Database
from portal.flow import Ports
from portal.labels.models import Label
from portal.orders.models import Order
from portal.receiving import rest
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.refunds import credit_notes, disputes, settle
from portal.refunds.gateway import Gateway, PaymentView
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import lock_refund
from portal.returns import service
from portal.returns.claims import ask_overdue
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.staff.models import User
from portal.web.staff import returns as page
from tests.stages.returns.trade import BENCH, MAYA
from tests.web.staff.browser import Browser, cost, links, words
from tests.web.staff.conftest import NoGateway
from tests.web.staff.shop import NOW, Item, Shop, wish


def test_a_chargeback_is_for_a_person_and_stands_on_the_timeline_of_each_open_return(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(Item(gross=72_00),))
    intent = f"pi_{shop.look(rma).order_id}"

    class Bank(NoGateway):
        def read_payment(self, asked: str) -> PaymentView:
            return PaymentView(
                asked, "succeeded", "GBP", 72_00, 0, 0, "Visa", frozen=True, dispute_status="needs_response"
            )

    disputes.look(shop.database, cast(Gateway, Bank()), intent)
    seen = lead.words("/staff/?why=dispute")
    assert "Reviewing" in seen
    assert "Failed" not in seen.replace("Refund failed", "")
    assert "The customer disputes the payment: The bank waits for the shop’s answer" in lead.words(
        f"/staff/returns/{rma}"
    )


def test_a_return_is_found_by_the_number_of_its_article(agent: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(Item(gross=72_00, sku="WH-FS-L-MOS"),))
    shop.booked(items=(Item(gross=72_00, sku="WH-OTHER"),))
    for typed in ("WH-FS-L-MOS", "wh-fs-l-mos"):
        assert agent.get(f"/staff/search?q={typed}").location == f"/staff/returns/{rma}"


def test_goods_that_were_paid_ahead_and_do_not_come_are_on_the_desk_until_somebody_ends_it(
    agent: Browser, shop: Shop
) -> None:
    rma = shop.booked(items=(Item(gross=64_00, tags=("trusted",)),))
    (refund,) = shop.refunds(rma)
    with shop.do(STRIPE) as tx:
        settle.paid_elsewhere(tx, *lock_refund(tx.session, refund.id), "Paid")
    assert ask_overdue(shop.database, 24, at=NOW + timedelta(days=30)) == 1
    for part in (rma, "Paid ahead, and the goods have not come", "1 of 1 units are still to come"):
        assert part in agent.words("/staff/?why=goods_missing"), part
    here = f"/staff/returns/{rma}"
    for part in ("Paid ahead, goods missing", "£64.00 has been paid.", "Close without the goods", "Send the question"):
        assert part in agent.words(here), part
    asked = agent.submit(agent.form(here, "/decision"), {"message": "Did you post it?"})
    assert asked.status_code == 303
    assert "Did you post it?" in agent.words(here)
    wrong = agent.submit(agent.form(here, "/goods-missing"), {"note": " "})
    assert (wrong.status_code, "Write a note for your colleagues." in wrong.text) == (422, True)
    assert agent.submit(agent.form(here, "/goods-missing"), {"note": "Lost in the post"}).status_code == 303
    assert shop.look(rma).status == "closed"
    assert "Jonas Berg left it at that, the money stays with the customer: “Lost in the post”" in agent.words(here)
    assert rma not in agent.words("/staff/?why=goods_missing")


def test_of_a_return_in_parts_staff_see_what_came_and_ask_about_the_rest_at_once(agent: Browser, shop: Shop) -> None:
    rma = shop.booked(
        wish("1", quantity=3), wish("2"), items=(Item(3, 90_00, name="Sock"), Item(gross=40_00, name="Hat"))
    )
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 2, "as_new")], command_key=rma)
    here = f"/staff/returns/{rma}"
    seen = agent.words(here)
    for part in (
        f"{rma} Incomplete", "Counted: 2 × as new. Back to stock 1 is still to come.", "The rest is awaited",
        "Came 2 × Sock Awaited 1 × Sock, 1 × Hat", "Nothing has been paid yet",
    ):  # fmt: skip
        assert part in seen, part
    assert "Incomplete" in agent.words("/staff/returns")
    form = agent.form(here, "/rest/ask")
    empty = agent.submit(form)
    assert (empty.status_code, "Write what the customer should answer" in empty.text) == (422, True)
    assert shop.events(rma)[-1] == "return.partly_received"
    assert [agent.submit(form, {"message": "Where is the hat?"}).status_code for _ in range(2)] == [303, 303]
    assert shop.events(rma).count("return.asked") == 1
    assert "“Where is the hat?” No reply yet." in agent.words(here)
    with shop.do() as tx:
        service.answer_question(tx, rma, "I kept it.")
    assert "“I kept it.”" in agent.words(here)
    assert give_up(agent, rma, "Keeps the hat").status_code == 303
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [60_00]
    assert "The rest" not in agent.words(here).partition("Timeline")[0].replace("The rest is given up", "")


def give_up(browser: Browser, rma: str, note: str):  # type: ignore[no-untyped-def]
    """See what is left without the rest, and give it up."""
    shown = browser.submit(browser.form(f"/staff/returns/{rma}", "/rest/end"), {"note": note})
    return browser.submit(browser.form("", "/rest/end", html=shown.text))


def test_what_came_is_paid_before_anybody_was_asked_about_the_rest(agent: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(quantity=2), items=(Item(2, 64_00, name="Shirt"),))
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    shown = agent.submit(agent.form(f"/staff/returns/{rma}", "/rest/end"), {"note": "Lost"})
    for part in ("Priya gets £32.00 in all Instead of £64.00.", "Counted as missing: 1 × Shirt", "“Lost”"):
        assert part in words(shown.text), part
    assert shop.events(rma)[-1] == "return.partly_received", "nothing is done before the sum was seen"
    assert agent.submit(agent.form("", "/rest/end", html=shown.text)).status_code == 303
    assert "The rest is given up, £32.00 instead of £64.00. It is prepared and waits" in agent.words(
        f"/staff/returns/{rma}"
    )
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [32_00]


def test_the_rest_of_a_return_that_does_not_come_is_given_up_or_waited_for(agent: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(quantity=2), items=(Item(2, 64_00),))
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    assert rest.ask_overdue(shop.database, 24, at=NOW + timedelta(days=60)) == 1
    assert "A part has come, and the rest has not" in agent.words("/staff/?why=goods_missing")
    here = f"/staff/returns/{rma}"
    for part in (
        "The rest did not come",
        "Nothing has been paid yet.",
        "Wait two more weeks",
        "Give the rest up, and check first",
    ):
        assert part in agent.words(here), part
    assert "Paid ahead" not in agent.words(here)
    assert agent.submit(agent.form(here, "/rest/end"), {"note": " "}).status_code == 422
    assert agent.submit(agent.form(here, "/rest/wait"), {"note": "Posts it tomorrow"}).status_code == 303
    assert "The rest did not come" not in agent.words(here)
    assert rest.ask_overdue(shop.database, 24, at=NOW + timedelta(days=90)) == 1
    assert give_up(agent, rma, "Never posted").status_code == 303
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [32_00]
    assert "Jonas Berg gave the rest up: “Never posted”" in agent.words(here)


def test_what_came_otherwise_is_decided_before_it_is_paid_and_the_question_names_what_is_missing(
    agent: Browser, shop: Shop
) -> None:
    rma = shop.booked(wish("1", 2), wish("2", 2), items=(Item(2, 128_00, name="Shirt"), Item(2, 50_00, name="Beanie")))
    with shop.do(BENCH) as tx:
        counts = [Count("1", 1, "as_new"), Count("2", 1, "as_new"), Count("2", 1, "damaged")]
        receiving.receive(tx, rma, counts, command_key=rma)
    shown = agent.submit(agent.form(f"/staff/returns/{rma}", "/rest/end"), {"note": "Lost"})
    for part in ("£114.00 is left, and somebody decides Instead of £178.00.", "Counted as missing: 1 × Shirt"):
        assert part in words(shown.text), part
    assert agent.submit(agent.form("", "/rest/end", html=shown.text)).status_code == 303
    seen = agent.words(f"/staff/returns/{rma}")
    for part in (
        "The rest is given up, £114.00 instead of £178.00. Nothing is sent before somebody decides.",
        "Damaged on arrival Shirt: 1 as new, 1 missing; Beanie: 1 as new, 1 damaged. "
        "The total would change from £178.00 to £114.00",
    ):
        assert part in seen, part
    assert seen.count("Nothing is sent before somebody decides.") == 2, "in the message and among the money"
    assert "It goes out after the check." not in seen
    assert shop.refunds(rma) == []


def test_an_empty_queue_says_what_will_appear(lead: Browser, shop: Shop) -> None:
    seen = lead.words("/staff/")
    assert "Nothing needs a decision" in seen
    assert "0 cases need a decision" in seen


def test_a_row_says_who_why_how_much_and_until_when(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review(310_00, hours_ago=29, name="Field jacket")
    seen = lead.words("/staff/")
    for part in (rma, "Priya Nair, 1 item", "“Big returns” asks for a person", "£310.00", "5 h overdue", "Waiting 29 h",
                 "Reviewing", "Nobody yet"):  # fmt: skip
        assert part in seen, part


@pytest.mark.parametrize(
    ("hours_ago", "said"),
    [
        (24.5, "30 min overdue"),
        (72.5, "2 days overdue"),
        (22.25, "Due in 1 h 45 m"),
        (18, "Today, 16:15"),
        (1, "Sat 21 Nov, 09:15"),
    ],
)
def test_a_deadline_is_said_as_people_say_it(lead: Browser, shop: Shop, hours_ago: float, said: str) -> None:
    shop.under_review(hours_ago=hours_ago)
    assert said in lead.words("/staff/")


def test_the_oldest_deadline_is_first_and_other_orders_are_in_the_address(lead: Browser, shop: Shop) -> None:
    young, old = shop.under_review(400_00, hours_ago=2), shop.under_review(310_00, hours_ago=20)

    def order(path: str) -> list[str]:
        found = [link.removeprefix("/staff/returns/") for link in links(lead.page(path)) if "/returns/R-" in link]
        return list(dict.fromkeys(found))

    assert order("/staff/") == [old, young]
    assert order("/staff/?sort=newest") == [young, old]
    assert order("/staff/?sort=value") == [young, old]


def test_views_count_and_filter(lead: Browser, shop: Shop, database: Database) -> None:
    mine, late, asked, plain = (shop.under_review(hours_ago=hours) for hours in (3, 30, 4, 5))
    maya = _user(database, "Maya Okafor")
    with shop.do(MAYA) as tx:
        questions.assign(tx, shop.review(mine).id, maya)
        service.ask(tx, asked, message="Which size?")
    html = lead.page("/staff/")
    for view, rmas in (
        ("mine", {mine}),
        ("overdue", {late}),
        ("waiting", {asked}),
        ("all", {mine, late, asked, plain}),
    ):
        page = lead.page(f"/staff/?view={view}")
        assert {rma for rma in (mine, late, asked, plain) if f"/staff/returns/{rma}" in page} == rmas, view
    seen = words(html)
    assert "All 4 Mine 1 Overdue 1 Answered 0 Refund failed 0 Waiting for customer 1" in seen
    assert "Paused" in seen
    assert "Asked" in seen


def _user(database: Database, name: str) -> int:
    with database.read() as session:
        return next(user.id for user in session.query(User) if user.name == name)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("why=asked_us", {"asked"}),
        ("why=policy", {"big", "small"}),
        ("owner=nobody", {"asked", "big", "small"}),
        ("owner=me", set()),
        ("value=300-", {"big", "small"}),
        ("value=50-100", {"asked"}),
        ("value=0-50", set()),
        ("text=jeans", {"asked"}),
        ("text=%25", set()),
        ("text=Priya&why=policy", {"big", "small"}),
        ("view=nonsense&why=nonsense&owner=%00&value=x&sort=y&page=-3", {"asked", "big", "small"}),
        ("page=999999999999", {"asked", "big", "small"}),
        ("owner=99999999", set()),
    ],
)
def test_filters_live_in_the_address(lead: Browser, shop: Shop, query: str, fits: set[str]) -> None:
    known = {"asked": shop.asked_us(), "big": shop.under_review(500_00), "small": shop.under_review(310_00)}
    html = lead.page(f"/staff/?{query}")
    assert {name for name, rma in known.items() if f"/staff/returns/{rma}" in html} == fits


def test_the_filters_work_with_a_button_and_keep_the_view(lead: Browser, shop: Shop) -> None:
    shop.under_review(hours_ago=30)
    html = lead.page("/staff/?view=overdue&why=policy")
    assert '<input type="hidden" name="view" value="overdue">' in html
    assert "Apply" in words(html)


def test_pages_of_a_long_queue(lead: Browser, shop: Shop, database: Database) -> None:
    _many(shop, database, 60)
    assert "1–25 of 60" in lead.words("/staff/")
    assert "51–60 of 60" in lead.words("/staff/?page=3")
    assert "51–60 of 60" in lead.words("/staff/?page=9")


def _many(shop: Shop, database: Database, count: int) -> None:
    """Questions about one return; a queue's cost depends on its rows, not on where they come from."""
    rma = shop.under_review()
    return_id = shop.look(rma).id
    with database.transaction() as tx:
        tx.session.add_all(
            Review(
                return_id=return_id, kind="policy", open_key=f"x:{number}", why=f"Why {number}", status="open",
                opened_at=NOW - timedelta(hours=number), due_at=NOW + timedelta(hours=number),
            )
            for number in range(count - 1)
        )  # fmt: skip


def test_one_row_and_two_hundred_cost_the_same_queries(lead: Browser, shop: Shop, database: Database) -> None:
    shop.under_review()
    one = cost(database, lead, "/staff/")
    _many(shop, database, 199)
    many = cost(database, lead, "/staff/")
    assert len(one) == len(many)
    assert len(many) <= 6, "\n".join(many)


def test_the_export_has_every_row_of_the_same_filters(lead: Browser, shop: Shop, database: Database) -> None:
    _many(shop, database, 30)
    answer = lead.get("/staff/exceptions.csv?text=Why+2")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="exceptions-2026-11-20.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert {row["why"] for row in rows} == {"Why 2", *(f"Why {number}" for number in range(20, 29))}
    assert rows[0]["value"] == "310.00"
    assert rows[0]["currency"] == "GBP"


@pytest.mark.parametrize(
    "name",
    ["=HYPERLINK(\"http://evil\")", "+1", "-2+3", "@SUM(1)", "\tcmd", "\r=1", " =1", "＝1+1", "|cmd", "%0A=1"],
)  # fmt: skip
def test_a_spreadsheet_takes_nothing_of_the_export_for_a_formula(lead: Browser, shop: Shop, name: str) -> None:
    order = shop.order(Item(gross=310_00))
    with shop.database.transaction() as tx:
        tx.session.get_one(Order, order).customer_name = name
    shop.booked(order=order)
    text = lead.get("/staff/exceptions.csv").data.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["customer"] == "'" + name


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a;=1+1", "a;'=1+1"), ("a; @SUM(1)", "a;' @SUM(1)"), ("a\n=1+1", "a\n'=1+1"), ('a;"-1+2', "a;'\"-1+2"),
     ("Size L; red, 5 % off", "Size L; red, 5 % off")],
)  # fmt: skip
def test_a_spreadsheet_that_splits_at_semicolons_finds_no_formula_either(
    lead: Browser, shop: Shop, name: str, shown: str
) -> None:
    order = shop.order(Item(gross=310_00))
    with shop.database.transaction() as tx:
        tx.session.get_one(Order, order).customer_name = name
    shop.booked(order=order)
    text = lead.get("/staff/exceptions.csv").data.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["customer"] == shown


def test_search_goes_straight_to_the_one_return_that_fits(lead: Browser, shop: Shop) -> None:
    rma = shop.booked()
    found = shop.look(rma)
    with shop.database.read() as session:
        code = session.query(Label.code).scalar()
    for text in (
        rma, rma.lower().replace("-", " "), found.order.number, f"#{found.order.number.lower()}",
        found.order.number.replace("-", ""), found.order.number.rpartition("-")[2],
        code, f"{code[2:6]} {code[6:10]}".lower(), "priya@example.com", "Priya", "nair",
    ):  # fmt: skip
        answer = lead.get("/staff/search", query_string={"q": text})
        assert (answer.status_code, answer.location) == (303, f"/staff/returns/{rma}"), text


def test_search_finds_a_refund_by_its_number_by_stripes_and_by_the_credit_note(
    lead: Browser, warehouse: Browser, shop: Shop, ports: Ports
) -> None:
    rma = shop.booked()
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=rma)
    number = shop.refunds(rma)[0].public_id
    shop.set_refund(number, stripe_refund_id="re_3PfWq", status="succeeded", settled_at=NOW)
    credit_notes.issue_and_draw(ports, shop.look(rma).id)

    def leads_to(browser: Browser, text: str) -> str | None:
        return browser.get("/staff/search", query_string={"q": text}).location

    for text in (number, "re_3PfWq"):
        assert leads_to(lead, text) == f"/staff/refunds/{number}"
        assert leads_to(warehouse, text) == f"/staff/returns/{rma}"
    assert leads_to(lead, "cn-2026-0001") == f"/staff/returns/{rma}"


def test_search_with_several_hits_lists_them_and_with_none_says_so(lead: Browser, shop: Shop) -> None:
    first, second = shop.booked(), shop.booked()
    html = lead.page("/staff/search?q=priya")
    assert first in html
    assert second in html
    assert "Nothing fits here" in lead.words("/staff/search?q=nobody")
    assert lead.get("/staff/search?q=").status_code == 303


def test_all_returns_have_tabs_by_status_and_pages_by_cursor(lead: Browser, shop: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(page, "PER_PAGE", 2)
    numbers = [shop.booked() for _ in range(3)] + [shop.under_review()]
    html = lead.page("/staff/returns")
    assert [rma for rma in numbers if rma in html] == numbers[2:]
    older = next(link for link in links(html) if "cursor=" in link)
    html = lead.page(older)
    assert [rma for rma in numbers if rma in html] == numbers[:2]
    assert "Back to the newest" in words(html)
    assert [rma for rma in numbers if rma in lead.page("/staff/returns?status=under_review")] == numbers[3:]
    for odd in ("?cursor=edited", "?cursor=%00", "?status=gone", "?q=%F0%9F%A6%86", "?q=" + "x" * 5000):
        assert lead.get("/staff/returns" + odd).status_code == 200


def test_one_return_and_fifty_cost_the_list_the_same(lead: Browser, shop: Shop, database: Database) -> None:
    shop.booked()
    one = cost(database, lead, "/staff/returns")
    for _ in range(9):
        shop.booked(wish("1"), wish("2"), items=(Item(), Item()))
    many = cost(database, lead, "/staff/returns")
    assert len(one) == len(many)


def test_the_menu_costs_one_query(lead: Browser, shop: Shop, database: Database) -> None:
    shop.under_review()
    assert len(cost(database, lead, "/staff/help")) == 2, "who is signed in, and the menu's numbers"


def test_time_passes_in_the_queue(lead: Browser, shop: Shop, friday: time_machine.Traveller) -> None:
    shop.under_review(hours_ago=23)
    assert "Due in 1 h" in lead.words("/staff/")
    friday.move_to(NOW + timedelta(hours=1, minutes=30))
    assert "30 min overdue" in lead.words("/staff/")
