"""The policy's page on a phone: readable, accessible, and its structured data no breach of the Content-Security-Policy."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Page, expect

from tests.live import LivePortal


def test_the_policy_page_carries_its_data_under_a_strict_policy(
    page: Page, live: LivePortal, scan: Callable[[], None]
) -> None:
    page.add_init_script(
        "window.breaches = []; document.addEventListener('securitypolicyviolation', e => breaches.push(e.violatedDirective))"
    )
    answer = page.goto(live.url + "/policy")
    assert answer is not None
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Returns policy")
    data = json.loads(page.locator('script[type="application/ld+json"]').text_content() or "")
    assert data["hasMerchantReturnPolicy"][0]["merchantReturnDays"] == 30
    # The listener itself works: an inline script is a breach, the data block was none.
    assert page.evaluate("breaches") == []
    scan()
    page.evaluate("document.head.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    page.wait_for_function("breaches.length > 0")


SHOP_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title><main><h1>Wool socks</h1>
<div data-returns data-country="GB" data-category="shirts" data-tags="" data-price="2500" data-link="About returns"></div>
<iframe title="Returns" src="{portal}/widget?country=GB&tags=final-sale"></iframe>
<script src="{portal}/widget.js" async></script></main></html>"""


def test_a_product_page_of_another_site_shows_the_promise_by_script_and_by_frame(page: Page, live: LivePortal) -> None:
    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(SHOP_PAGE.format(portal=live.url).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    # Another port of this machine is another origin to the browser.
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/socks")
        look(page, live)
        server.shutdown()


def look(page: Page, live: LivePortal) -> None:
    """Both embeddings say what the policy gives."""
    place = page.locator("[data-returns]")
    expect(place).to_contain_text("30 days to decide")
    # The editor's tests publish other fees in the same shop.
    expect(place).to_contain_text(re.compile(r"A refund takes £3\.\d\d off for the return label\."))
    expect(place.get_by_role("link", name="About returns")).to_have_attribute("href", f"{live.url}/policy")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("14 days to decide")).to_be_visible(timeout=20_000)
