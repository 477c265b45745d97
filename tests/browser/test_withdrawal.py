"""Withdrawing from the contract in a real browser, with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.live import LivePortal


def press(page: Page, name: str) -> None:
    """Go to the button of this name with the Tab key and press it."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || ''").strip() == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard finds no {name}")


def test_a_customer_withdraws_from_a_purchase_with_the_keyboard_alone(
    page: Page, live: LivePortal, scan: Callable[[], None]
) -> None:
    page.goto(live.url + "/withdraw")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_label("Order number").focus()
    page.keyboard.type("WH-20540")
    page.keyboard.press("Tab")
    page.keyboard.type("grace.mensah@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("What do you withdraw from?")
    scan()
    page.get_by_role("link", name="Withdraw from everything").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm withdrawal")
    scan()
    press(page, "Confirm withdrawal")
    expect(page.get_by_role("heading", level=1)).to_have_text("Withdrawal confirmed")
    scan()
