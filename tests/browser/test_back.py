"""After a decision, "Back" shows pages and sends no form a second time; before one, it loses no words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_river import find_order, sign_in
from tests.live import LivePortal


def under_review(live: LivePortal, number: str, *names: str) -> str:
    """A return that a rule puts to a person, of articles with these names, booked by the shop's own program; its number."""
    articles = names or ("Wool coat",)
    headers = {"Authorization": f"Bearer {live.token()}"}
    then = (datetime.now(UTC) - timedelta(days=5)).isoformat()
    order = {
        "number": number, "placed_at": then, "email": f"{number}@example.com".lower(), "currency": "GBP",
        "customer": {"id": number, "name": "Ada Long", "tags": []}, "locale": "en-GB", "channel": "web",
        "ship_to": {"name": "Ada Long", "lines": ["1 High St"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
        "lines": [{"id": str(place), "sku": f"C{place}", "name": name, "quantity": 1, "unit_price": 54100, "discount": 0,
                   "tax": 0, "tax_included": True, "tags": [], "category": "coats", "delivered_at": then}
                  for place, name in enumerate(articles, start=1)],
        "discount": 0, "shipping": {"amount": 0, "tax": 0},
        "payments": [{"provider": "bank", "captured": 54100 * len(articles)}],
    }  # fmt: skip
    made = requests.post(f"{live.url}/api/v1/orders", json=order, headers=headers, timeout=20)
    assert made.ok, made.text
    lines = [
        {"line": str(place), "quantity": 1, "reason": "changed-mind", "resolution": "refund"}
        for place in range(1, len(articles) + 1)
    ]
    booked = requests.post(
        f"{live.url}/api/v1/returns",
        json={"order": number, "lines": lines, "ship_with": "qr"},
        headers=headers,
        timeout=20,
    ).json()
    assert booked["status"] == "under_review", booked
    return str(booked["rma"])


def test_back_after_a_denial_and_after_several_shows_pages_and_sends_nothing(
    browser: Browser, staffed: LivePortal
) -> None:
    live = staffed
    one, two, three = (under_review(live, f"BACK-{number}") for number in range(3))
    page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page()
    sign_in(page, live, "maya")

    page.goto(f"{live.url}/staff/returns/{one}")
    page.get_by_role("radio", name=re.compile("^Deny")).check()
    page.get_by_label(re.compile("^Message to")).fill("It was worn.")
    page.locator(".decide__do--deny button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Deny {one}")
    page.get_by_label(re.compile("^Why")).fill("")
    page.get_by_role("button", name="Deny this return").click()
    expect(page.get_by_text("Write why, for the customer to read").first).to_be_visible()
    page.get_by_label(re.compile("^Why")).fill("It was worn, sorry.")
    page.get_by_role("button", name="Deny this return").click()
    expect(page.get_by_text("Denied. The customer gets an e-mail with your reason.")).to_be_visible()
    for said in ("Write why, for the customer to read", "It was worn.", one):
        page.go_back()
        expect(page.locator("main")).to_contain_text(said)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(one)

    page.goto(f"{live.url}/staff/")
    for rma in (two, three):
        page.get_by_role("checkbox", name=f"Select {rma}").check()
    page.get_by_role("button", name="Ask for information").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask 2 customers")
    page.get_by_label(re.compile("^What should the customers answer")).fill("Which size?")
    page.get_by_role("button", name="Ask 2 customers").click()
    expect(page.get_by_text("2 customers asked.")).to_be_visible()
    expect(page.locator(".flash").get_by_role("link", name=two)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask 2 customers")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Exceptions")


def test_what_was_typed_about_an_item_outlives_every_way_back(staffed: LivePortal, page: Page) -> None:
    find_order(page, staffed, "WH-20418", "priya.nair@example.com")
    page.get_by_role("checkbox", name=re.compile("Merino crew jumper")).check()
    page.get_by_role("button", name="Continue").last.click()
    note = page.get_by_label(re.compile("^Anything we should know"))
    note.fill("Much too wide")
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("What are you"))
    page.get_by_role("button", name="Continue").last.click()
    expect(note).to_have_value("Much too wide")
    note.fill("Much too wide and long")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("What are you"))
    page.go_forward()
    expect(note).to_have_value("Much too wide and long")
