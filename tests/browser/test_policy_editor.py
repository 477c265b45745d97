"""The policy's editor in a real browser: with the keyboard alone and without scripts, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.live import LivePortal

PASSWORD = "harbour-lights-2026"
FOCUSED = """() => {
  const node = document.activeElement;
  const label = node.labels && node.labels.length ? node.labels[0].textContent : "";
  const drawn = node.querySelector("[aria-label]");
  const named = node.getAttribute("aria-label") || label || node.textContent.trim();
  return (named || (drawn && drawn.getAttribute("aria-label")) || "").replace(/\\s+/g, " ").trim();
}"""


@pytest.fixture(scope="module")
def staffed(live: LivePortal) -> LivePortal:
    live.portal(
        "staff", "add", "nora@wren.example", "--role", "merchant", "--name", "Nora Wren", "--password", PASSWORD
    )
    return live


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of that name has focus; a person without a mouse has no other way."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED).startswith(name):
            return
    raise AssertionError(f"Tab never comes to {name!r} on {page.url}")


def enter(page: Page, name: str) -> None:
    tab_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def type_into(page: Page, name: str, text: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_policy_is_edited_checked_and_published_with_the_keyboard_alone_and_without_scripts(
    browser: Browser, staffed: LivePortal, width: int
) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": width, "height": 900}, locale="en-GB", base_url=staffed.url
    )
    page = context.new_page()
    page.goto("/staff/sign-in?next=/staff/policy")
    type_into(page, "E-mail", "nora@wren.example")
    type_into(page, "Password", PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Policy")

    enter(page, "Edit “Label fee”")
    type_into(page, "Amount", f"{width / 100:.2f}")
    tab_to(page, "Also set")
    page.keyboard.type("Who decides")
    enter(page, "Add setting")
    expect(page.get_by_role("group", name="Who decides")).to_be_visible()
    # Nothing is saved before somebody says so, and what was typed is still there.
    expect(page.get_by_label("Amount")).to_have_value(f"{width / 100:.2f}")
    enter(page, "Take “Who decides” out")
    type_into(page, "Name of the rule", "")
    page.keyboard.press("Delete")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_role("alert")).to_contain_text("Give the rule a name")
    type_into(page, "Name of the rule", "Label fee")
    enter(page, "Save rule")
    expect(page.locator("del").first).to_be_visible()
    expect(page.get_by_text("“Label fee” is saved in the draft.")).to_be_visible()

    names = [name.strip() for name in page.locator(".prule__name").all_inner_texts()]
    place = next(place for place, name in enumerate(names) if name.startswith("Label fee"))
    enter(page, "Move “Label fee” up")
    expect(page.locator(".prule__name").nth(place - 1)).to_contain_text("Label fee")
    enter(page, "Publish version")
    expect(page.locator(".changes").first).to_contain_text("Label fee.")
    type_into(page, "What changed, for your team", f"The label costs more, {width}")
    enter(page, "Publish version")
    expect(
        page.get_by_text(re.compile(r"Version \d+ is live\. Returns already booked keep their version\."))
    ).to_be_visible()
    enter(page, "Policy")
    expect(page.get_by_text("No draft.")).to_be_visible()
    context.close()


def test_every_page_of_the_editor_is_accessible_and_fits_a_phone(
    page: Page, staffed: LivePortal, scan: Callable[[], None]
) -> None:
    page.goto(staffed.url + "/staff/sign-in?next=/staff/policy")
    page.get_by_label("E-mail").fill("nora@wren.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    scan()
    page.get_by_role("link", name="Add rule").click()
    page.get_by_label("Name of the rule").fill("Frequent returns")
    # A choice on which others depend brings its fields by itself where scripts run.
    page.get_by_label("What", exact=True).select_option("customer.return_rate")
    expect(page.get_by_label("Compared")).to_be_visible()
    expect(page.get_by_label("What", exact=True)).to_be_focused()
    page.get_by_label("Value (%)").fill("lots")
    page.get_by_label("Also set").select_option("review")
    page.get_by_role("button", name="Add setting").click()
    page.get_by_label("Setting").select_option("always")
    page.get_by_role("button", name="One of several").click()
    expect(page.get_by_label("What", exact=True)).to_have_count(3)
    scan()
    page.get_by_role("button", name="Save rule").last.click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("alert").get_by_role("link", name=re.compile("percentage")).click()
    expect(page.get_by_label("Value (%)")).to_be_focused()
    scan()
    for _ in range(2):
        page.get_by_role("button", name="Take this condition out").last.click()
    page.get_by_label("Value (%)").fill("60")
    page.get_by_role("button", name="Save rule").last.click()
    expect(page.get_by_text("When the customer’s return rate is 60%, ask a person to decide.")).to_be_visible()
    for path in ("/customers", "/versions/1", "/publish", "/text"):
        page.goto(staffed.url + "/staff/policy" + path)
        scan()
    page.get_by_label("Policy as YAML").fill("schema: 1\nname: [")
    page.get_by_role("button", name="Save text").click()
    expect(page.get_by_text("This can’t be read: a value is missing")).to_be_visible()
    scan()
    page.get_by_role("button", name="Undo").click()
    page.goto(staffed.url + "/staff/policy/discard")
    page.get_by_role("button", name="Discard draft").click()
    expect(page.get_by_text("The draft is discarded.")).to_be_visible()


def test_who_leaves_a_rule_that_is_not_saved_is_asked_first_and_may_go_on_with_it(
    page: Page, staffed: LivePortal
) -> None:
    page.goto(staffed.url + "/staff/sign-in?next=/staff/policy?edit=Label+fee")
    page.get_by_label("E-mail").fill("nora@wren.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(staffed.url + "/staff/policy?edit=Label+fee")
    page.set_viewport_size({"width": 1280, "height": 900})
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label("What customers read").press_sequentially("Typed with care.")
    up = page.get_by_role("button", name=re.compile("^Move “Label fee” up"))
    for count in (1, 2):
        up.click()
        page.wait_for_timeout(200)
        assert asked == ["beforeunload"] * count, "a second press is no press of a form that was sent"
    page.get_by_role("link", name="Settings").click()
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"] * 3
    # Another row draws the form anew, and what is in it is still not saved.
    page.get_by_role("button", name="And", exact=True).click()
    expect(page.get_by_label("What customers read")).to_have_value(re.compile("Typed with care."))
    assert len(asked) == 3, "the form's own buttons ask nothing"
    page.get_by_role("link", name="Settings").click()
    page.wait_for_timeout(200)
    assert len(asked) == 4
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_label("What customers read")).to_have_count(0)
    assert len(asked) == 4


def test_a_rule_is_moved_by_its_arrow_on_a_phone(page: Page, staffed: LivePortal) -> None:
    page.goto(staffed.url + "/staff/sign-in?next=/staff/policy")
    page.get_by_label("E-mail").fill("nora@wren.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    first = page.locator(".prule__name").nth(0).inner_text()
    page.get_by_role("button", name=re.compile(f"^Move “{re.escape(first)}” down")).click(timeout=5000)
    expect(page.locator(".prule__name").nth(1)).to_contain_text(first)
