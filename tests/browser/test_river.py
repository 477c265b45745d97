"""The main job in a real browser: a customer gives something back on a phone and Stripe pays; staff work the odd case."""

from __future__ import annotations

import email
import email.policy
import io
import re
import time
from collections.abc import Callable
from email.message import EmailMessage

import pypdfium2
import requests
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.live import LivePortal

Scan = Callable[[], None]
PASSWORD = "harbour-lights-2026"


def find_order(page: Page, live: LivePortal, number: str, proof: str) -> None:
    """Look an order up as a customer."""
    page.goto(live.url + "/")
    page.get_by_label("Order number").fill(number)
    page.get_by_label("E-mail address or delivery postcode").fill(proof)
    page.get_by_role("button", name="Find my order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("What are you"))


def sign_in(page: Page, live: LivePortal, who: str) -> None:
    """Sign in as staff."""
    page.goto(live.url + "/staff/")
    page.get_by_label("E-mail").fill(f"{who}@wrenandharbour.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def carry_on(page: Page) -> None:
    """Press the page's main button."""
    page.get_by_role("button", name=re.compile("^(Continue|Show what I get)")).last.click()


def until(found: Callable[[], object], what: str, seconds: float = 20) -> object:
    """Wait for something that a worker does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def mails_to(live: LivePortal, address: str) -> list[EmailMessage]:
    """What the mailbox holds for one person."""
    found = []
    for path in (live.folder / "mail").glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        if address in str(mail["To"]):
            found.append(mail)
    return found


def codes_of(pdf: bytes) -> set[str]:
    """Every code that a reader finds on the first page, printed at 203 dpi."""
    page = pypdfium2.PdfDocument(io.BytesIO(pdf))[0]
    picture = page.render(scale=203 / 72).to_pil().convert("L")
    return {code.text for code in zxingcpp.read_barcodes(picture)}


def test_a_customer_gives_a_purchase_back_and_stripe_pays_exactly_that(
    page: Page, staffed: LivePortal, scan: Scan
) -> None:
    live = staffed
    page.goto(live.url + "/")
    scan()
    find_order(page, live, " #wh-20533 ", "Hannah.Cole@example.com")
    scan()
    page.get_by_role("checkbox", name=re.compile("Brushed flannel shirt")).check()
    page.get_by_role("button", name="Continue").last.click()
    scan()
    page.get_by_label("I changed my mind").check()
    page.get_by_role("radio", name=re.compile("^Refund")).or_(
        page.get_by_role("button", name="Show what I get").last
    ).first.wait_for()
    if page.get_by_role("button", name="Show what I get").last.is_visible():
        carry_on(page)
    page.get_by_role("radio", name=re.compile("^Refund")).check()
    scan()
    carry_on(page)
    page.get_by_role("radio").first.check()
    scan()
    carry_on(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your return")
    scan()
    page.get_by_role("button", name="Book my return").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your return is booked")
    scan()
    found = re.search(r"R-[0-9A-Z]{7}", page.content())
    assert found
    rma = found[0]

    # Going back and pressing the button again books nothing twice.
    page.go_back()
    if page.get_by_role("button", name="Book my return").count():
        page.get_by_role("button", name="Book my return").last.click()
    headers = {"Authorization": f"Bearer {live.token()}"}
    listed = requests.get(
        f"{live.url}/api/v1/returns", params={"order": "WH-20533"}, headers=headers, timeout=20
    ).json()
    assert [each["rma"] for each in listed["returns"]] == [rma]

    # The label says the numbers of the return, and a scanner reads them.
    page.goto(f"{live.url}/returns/{rma}")
    scan()
    label = page.request.get(f"{live.url}/returns/{rma}/label.pdf")
    assert label.status == 200
    codes = codes_of(label.body())
    assert rma in codes
    assert any(re.fullmatch(r"NW[0-9A-Z]{8}GB", code) for code in codes)

    booked = until(lambda: mails_to(live, "hannah.cole@example.com"), "the booking mail")
    assert isinstance(booked, list)
    attached = [part.get_content_type() for part in booked[0].iter_attachments()]
    assert attached == ["application/pdf"]

    # The parcel arrives; the warehouse scans the label's code.
    staff = page.context.browser.new_context(locale="en-GB") if page.context.browser else None
    assert staff
    bench = staff.new_page()
    sign_in(bench, live, "ben")
    bench.goto(live.url + "/staff/receive")
    carrier_code = next(code for code in codes if code.startswith("NW"))
    bench.get_by_role("textbox").first.fill(carrier_code)
    bench.keyboard.press("Enter")
    expect(bench.get_by_text(rma).first).to_be_visible()
    bench.get_by_role("radio", name=re.compile("as new", re.I)).first.check()
    finish(bench)
    staff.close()

    # Money: Stripe has exactly this refund, and the customer reads "Refunded" only now.
    def refund() -> list[dict[str, object]]:
        every = requests.get(f"{live.stripe_url}/_control/refunds", timeout=20).json()
        rows = every["refunds"] if isinstance(every, dict) and "refunds" in every else every
        rows = rows["data"] if isinstance(rows, dict) else rows
        return [row for row in rows if row.get("metadata", {}).get("return") == rma]

    until(refund, "the refund at Stripe")
    made = refund()
    assert [(row["amount"], row["currency"], row["status"]) for row in made] == [(6050, "gbp", "succeeded")]

    def says_refunded() -> bool:
        page.goto(f"{live.url}/returns/{rma}")
        return page.get_by_text("Refunded", exact=True).count() > 0

    until(says_refunded, "the status page saying Refunded")
    scan()
    until(
        lambda: [mail for mail in mails_to(live, "hannah.cole@example.com") if "£60.50" in str(mail["Subject"])],
        "the refund mail",
    )
    page.goto(live.url + "/mailbox/")
    scan()
    assert page.get_by_text("£60.50").count() > 0


def add_photo(page: Page, name: str) -> None:
    """Choose a picture and wait until the page shows that it has it; without JavaScript a button sends it."""
    picture = io.BytesIO()
    Image.new("RGB", (800, 600), (40, 60, 120)).save(picture, "JPEG")
    page.locator("input[type=file]").first.set_input_files(
        {"name": name, "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    added = page.get_by_text(re.compile("1 photo added|" + re.escape(name))).first
    send = page.get_by_role("button", name="Upload")
    added.or_(send).first.wait_for()
    if send.count() and send.first.is_visible():
        send.first.click()
    expect(added).to_be_visible()


def finish(bench: Page) -> None:
    """Press the parcel's button; where a check of the effect comes first, that too."""
    for _ in range(2):
        done = bench.get_by_role("button", name="Finish parcel")
        if done.count():
            done.last.click()
            return
        bench.get_by_role("button", name=re.compile("Check|See what")).last.click()


def test_staff_work_an_odd_case_from_the_queue_to_the_decision(page: Page, staffed: LivePortal, scan: Scan) -> None:
    live = staffed
    find_order(page, live, "WH-19877", "S7 1AB")
    page.get_by_role("button", name=re.compile("Report a fault")).first.click()
    scan()
    if page.get_by_role("heading", level=1).inner_text().startswith("What are you"):
        page.get_by_role("button", name="Continue").last.click()
    page.get_by_label("It’s faulty").check()
    page.get_by_label(re.compile("Anything we should know")).fill("Hole at the knee after five wears.")
    page.wait_for_timeout(500)
    if page.get_by_role("button", name="Show what I get").count():
        carry_on(page)
    add_photo(page, "knee.jpg")
    page.get_by_role("radio", name=re.compile("^Refund")).check()
    carry_on(page)
    page.get_by_role("radio").first.check()
    carry_on(page)
    page.get_by_role("button", name=re.compile("Book my return|Send my request")).last.click()
    found = re.search(r"R-[0-9A-Z]{7}", page.content())
    assert found
    rma = found[0]

    page.context.clear_cookies()
    page.set_viewport_size({"width": 1440, "height": 900})
    sign_in(page, live, "maya")
    expect(page.get_by_role("heading", level=1)).to_have_text("Exceptions")
    scan()
    page.get_by_role("checkbox", name=re.compile(rma)).check()
    expect(page.get_by_text(re.compile("^1 selected"))).to_be_visible()
    assert re.fullmatch(r"£\d+\.\d\d", page.locator(".bulk__sum").inner_text())
    page.set_viewport_size({"width": 920, "height": 900})
    scan()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name=re.compile(rma)).first.click()
    scan()
    expect(page.get_by_text("Hole at the knee after five wears.").first).to_be_visible()
    page.get_by_role("radio", name=re.compile("^Approve")).check()
    page.get_by_label(re.compile("^Message to")).fill("Sorry the denim gave way so soon.")
    page.get_by_label(re.compile("^Note for the team")).fill("Third knee from this batch.")
    page.get_by_role("button", name=re.compile("^Approve")).last.click()
    page.goto(f"{live.url}/staff/returns/{rma}")
    expect(page.get_by_text("Third knee from this batch.").first).to_be_visible()
    expect(page.get_by_text("Approved").first).to_be_visible()
    scan()
    for path in ("/staff/returns", "/staff/receive", "/staff/refunds"):
        page.goto(live.url + path)
        scan()
    until(lambda: mails_to(live, "tom.ashworth@example.com"), "the mail to the customer")


def test_the_river_needs_no_javascript(browser: object, live: LivePortal) -> None:
    from playwright.sync_api import Browser

    assert isinstance(browser, Browser)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    find_order(page, live, "WH-20574", "LS1 1AA")
    page.get_by_role("checkbox", name=re.compile("Stoneware mug")).check()
    page.get_by_role("button", name="Continue").last.click()
    page.get_by_label("I changed my mind").check()
    page.get_by_role("button", name="Show what I get").last.click()
    add_photo(page, "tags.jpg")
    page.get_by_role("radio", name=re.compile("^Refund")).check()
    carry_on(page)
    page.get_by_role("radio").first.check()
    carry_on(page)
    page.get_by_role("button", name="Book my return").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your return is booked")
    # 3 x 100.00 with 10.00 off: the first is worth 96.66, less the label.
    expect(page.get_by_text("£93.16").first).to_be_visible()
    context.close()


def test_a_lead_gives_goodwill_for_an_order(page: Page, staffed: LivePortal, scan: Scan) -> None:
    sign_in(page, staffed, "maya")
    page.goto(staffed.url + "/staff/search?q=WH-20556")
    expect(page.get_by_role("heading", level=1)).to_have_text("Refund without a return")
    scan()
    page.get_by_label(re.compile("^Amount in")).fill("2.00")
    page.get_by_role("button", name="Check what is sent").click()
    expect(page.get_by_text("Write why, for your colleagues.").first).to_be_visible()
    scan()
    page.get_by_label("Why?").fill("The parcel came late")
    page.get_by_role("button", name="Check what is sent").click()
    expect(page.get_by_text("“The parcel came late”")).to_be_visible()
    scan()
    page.get_by_role("button", name="Send £2.00 to Visa ending 4242").click()
    expect(page.get_by_text("£2.00 goes to the customer.")).to_be_visible()
    scan()
    page.get_by_role("link", name="Ledger of the order").click()
    expect(page.get_by_text("Promised to the customer").first).to_be_visible()
    scan()
    page.go_back()
    page.get_by_role("link", name="£2.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("£2.00")
    scan()
    until(lambda: mails_to(staffed, "h.patel@example.com"), "the mail to the customer")
    body = mails_to(staffed, "h.patel@example.com")[0].get_body(("plain",))
    assert body is not None
    link = re.search(r"http\S+/gifts/\S+", body.get_content())
    assert link
    page.context.clear_cookies()
    page.goto(link[0])
    expect(page.get_by_text("Refund to Visa ending 4242").first).to_be_visible()
    scan()


def test_nothing_runs_out_of_the_page_on_the_smallest_phone_or_with_text_twice_as_large(
    page: Page, live: LivePortal
) -> None:
    """Reflow at 320 px (WCAG 1.4.10) and text at 200% (1.4.4), on the pages with the most in a row."""

    def fits() -> None:
        for width, size in ((320, ""), (390, "200%")):
            page.set_viewport_size({"width": width, "height": 844})
            page.evaluate("size => document.documentElement.style.fontSize = size", size)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{page.url} runs out by {wide} px at {width} px, text {size or 'as it is'}"
        page.evaluate("document.documentElement.style.fontSize = ''")

    page.goto(live.url + "/policy")
    fits()
    find_order(page, live, "20418", "BS6 5QA")
    fits()
    page.get_by_label("Merino crew jumper").check()
    carry_on(page)
    page.get_by_label("It’s too small").check()
    expect(page.get_by_label("Another size or colour")).to_be_visible()
    page.get_by_label("Another size or colour").check()
    fits()


def test_each_unit_of_what_is_ticked_counts_as_one_item(page: Page, live: LivePortal) -> None:
    find_order(page, live, "WH-20418", "priya.nair@example.com")
    page.get_by_role("checkbox").nth(0).check()
    page.get_by_role("checkbox").nth(1).check()
    page.locator("#quantity-2").select_option("2")
    expect(page.locator(".sticky-bar__row b")).to_have_text("3 items selected")
