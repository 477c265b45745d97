"""Staff approve a part, ask about the rest, pay by hand and get back what they typed: the pages as a browser shows them."""

from __future__ import annotations

import re
from collections.abc import Callable

import requests
from playwright.sync_api import Page, expect

from tests.browser.test_back import under_review
from tests.browser.test_river import PASSWORD, sign_in
from tests.live import LivePortal

DESK = {"width": 1280, "height": 900}


def receive(live: LivePortal, rma: str, *lines: str) -> None:
    """These lines arrive as new."""
    counts = [{"line": line, "quantity": 1, "condition": "as_new"} for line in lines]
    headers = {"Authorization": f"Bearer {live.token()}", "Idempotency-Key": f"{rma}-{'-'.join(lines)}"}
    made = requests.post(
        f"{live.url}/api/v1/returns/{rma}/receive", json={"lines": counts}, headers=headers, timeout=20
    )
    assert made.ok, made.text


def test_some_items_are_approved_their_rest_awaited_and_the_money_asked_about(
    page: Page, staffed: LivePortal, scan: Callable[[], None]
) -> None:
    live = staffed
    rma = under_review(live, "CARDS-1", "Coat", "Scarf", "Hat")
    page.set_viewport_size(DESK)
    sign_in(page, live, "maya")
    page.goto(f"{live.url}/staff/returns/{rma}")
    approve, part = re.compile("^Approve £1,6"), "Approve the ticked items, and check first"
    expect(page.get_by_role("button", name=approve)).to_be_visible()
    expect(page.get_by_role("button", name=part)).to_be_hidden()
    page.get_by_role("checkbox", name="Hat").uncheck()
    expect(page.get_by_role("button", name=approve)).to_be_hidden()
    expect(page.get_by_role("radio", name="Approve the ticked items")).to_be_checked()
    scan()
    page.get_by_role("button", name=part).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Ada gets £1,0.* in all$"))
    scan()
    page.get_by_role("button", name=re.compile("^Approve £1,0")).click()
    expect(page.get_by_text("Write why, for the customer to read").first).to_be_visible()
    scan()
    page.get_by_label(re.compile("^Why is it denied")).fill("The hat was worn.")
    page.get_by_role("button", name=re.compile("^Approve £1,0")).click()
    expect(page.get_by_text(re.compile("^Approved, £1,0"))).to_be_visible()

    receive(live, rma, "1")
    page.goto(f"{live.url}/staff/returns/{rma}")
    expect(page.get_by_role("heading", name="The rest is awaited")).to_be_visible()
    expect(page.get_by_text("1 is still to come.")).to_be_visible()
    scan()
    receive(live, rma, "2")
    page.goto(f"{live.url}/staff/returns/{rma}")
    page.get_by_role("link", name="Bank transfer").first.click()
    expect(page.get_by_role("heading", name="Ask the customer")).to_be_visible()
    scan()
    page.get_by_label("By which way was it paid?").select_option(index=1)
    page.get_by_label("When, and with which reference?").fill("On Monday, FT-2291")
    page.get_by_role("button", name="Ask where to pay").click()
    expect(page.get_by_text("The question is on its way.")).to_be_visible()
    expect(page.get_by_label("By which way was it paid?")).not_to_have_value("")
    expect(page.get_by_label("When, and with which reference?")).to_have_value("On Monday, FT-2291")
    page.get_by_role("button", name=re.compile("^Record £")).click()
    expect(page.get_by_text("was paid another way.")).to_be_visible()


def test_what_was_typed_in_one_form_is_still_there_after_another_was_sent(page: Page, staffed: LivePortal) -> None:
    rma = under_review(staffed, "CARDS-3", "Coat", "Scarf")
    page.set_viewport_size(DESK)
    sign_in(page, staffed, "maya")
    page.goto(f"{staffed.url}/staff/returns/{rma}")
    page.get_by_role("radio", name=re.compile("^Ask for more")).check()
    page.get_by_label(re.compile("^Message to")).fill("Which one is torn?")
    page.get_by_label("Add a note").fill("Called, no answer")
    page.get_by_role("button", name="Assign to me").click()
    expect(page.get_by_text("The owner is changed.")).to_be_visible()
    expect(page.get_by_label(re.compile("^Message to"))).to_have_value("Which one is torn?")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_text("Note added.")).to_be_visible()
    expect(page.get_by_label("Add a note")).to_have_value("")
    expect(page.get_by_role("radio", name=re.compile("^Ask for more"))).to_be_checked()
    # A mistake in another form gives back that form's words, and leaves these alone; so does the next form.
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(page.get_by_label(re.compile("^Message to"))).to_have_value("Which one is torn?")
    page.get_by_label("Add a note").fill("Called again")
    page.get_by_role("button", name="Send the question").click()
    expect(page.get_by_text("The question is on its way.")).to_be_visible()
    expect(page.get_by_label("Add a note")).to_have_value("Called again")
    expect(page.get_by_label(re.compile("^Message to"))).to_have_value("")
    page.reload()
    expect(page.get_by_label(re.compile("^Message to"))).to_have_value("")


def test_what_was_typed_before_the_sign_in_ended_is_given_back_on_a_page_of_its_own(
    page: Page, staffed: LivePortal, scan: Callable[[], None]
) -> None:
    live = staffed
    rma = under_review(live, "CARDS-2")
    # Where scripts work the page sends itself on at once.
    page.route(re.compile(r"/app\.[^/]*js|/js/app"), lambda route: route.abort())
    sign_in(page, live, "maya")
    page.goto(f"{live.url}/staff/returns/{rma}")
    page.get_by_label("Add a note").fill("Called, posts it on Monday")
    page.context.clear_cookies()
    page.get_by_role("button", name="Add note").click()
    page.get_by_label("E-mail").fill("maya@wrenandharbour.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’re signed in again")
    scan()
    page.get_by_role("button", name="Show what I typed").click()
    expect(page.get_by_label("Add a note")).to_have_value("Called, posts it on Monday")
    scan()
