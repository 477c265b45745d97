"""Staff ask for a photo, the customer takes it with a phone and sends it, staff see it at the answer."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_river import find_order, sign_in
from tests.live import LivePortal

Scan = Callable[[], None]
PHONE = {"width": 390, "height": 844}


def picture(name: str) -> dict[str, object]:
    """A photo as a file field takes it."""
    out = io.BytesIO()
    Image.new("RGB", (800, 600), (120, 60, 40)).save(out, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": out.getvalue()}


def ask_about(page: Page, live: LivePortal, number: str, proof: str) -> str:
    """A customer asks about an item that can't simply come back; the number of the return."""
    find_order(page, live, number, proof)
    page.get_by_role("button", name=re.compile("^Ask us")).first.click()
    page.get_by_label("Your message to us").fill("Still sealed, never opened.")
    page.get_by_role("button", name="Send my question").last.click()
    found = re.search(r"R-[0-9A-Z]{7}", page.content())
    assert found
    return found[0]


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_photo_that_staff_ask_for_comes_to_the_case(
    browser: Browser, staffed: LivePortal, page: Page, scan: Scan, script: bool
) -> None:
    live = staffed
    context = page.context if script else browser.new_context(java_script_enabled=False, viewport=PHONE, locale="en-GB")
    phone = page if script else context.new_page()
    look = scan if script else lambda: None
    rma = ask_about(phone, live, "WH-20418", "priya.nair@example.com")

    staff = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page()
    sign_in(staff, live, "maya")
    staff.goto(f"{live.url}/staff/returns/{rma}")
    staff.get_by_role("radio", name=re.compile("^Ask")).check()
    staff.get_by_label(re.compile("^Message to")).fill("Can you send us a photo of the seal?")
    staff.locator(".decide__do:visible button").first.click()
    expect(staff.get_by_text("The question is on its way.")).to_be_visible()

    phone.goto(f"{live.url}/returns/{rma}")
    expect(phone.get_by_text("Can you send us a photo of the seal?")).to_be_visible()
    look()
    phone.get_by_label("Your answer").fill("Here it is.")
    for name in ("seal.jpg", "box.jpg"):
        phone.locator("input[type=file]").set_input_files(picture(name))  # type: ignore[arg-type]
        if not script:
            phone.get_by_role("button", name="Upload").click()
        expect(phone.get_by_text(re.compile(f"added.*{name}"))).to_be_visible()
        expect(phone.get_by_label("Your answer")).to_have_value("Here it is.")
    look()
    phone.get_by_role("button", name="Send answer").click()
    expect(phone.get_by_text("We have your answer and go on.")).to_be_visible()
    look()

    staff.goto(f"{live.url}/staff/?view=answered")
    expect(staff.get_by_role("row", name=re.compile(rma))).to_contain_text("Answered")
    staff.get_by_role("link", name=re.compile(rma)).first.click()
    expect(staff.get_by_text("“Here it is.”")).to_be_visible()
    expect(staff.get_by_role("img", name=re.compile("photo [12]$"))).to_have_count(4)
    expect(staff.get_by_text("answered with 2 photos")).to_be_visible()
    staff.context.close()
    if not script:
        context.close()
