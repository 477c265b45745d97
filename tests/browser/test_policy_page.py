"""The policy's page on a phone: readable, accessible, and its structured data no breach of the Content-Security-Policy."""

from __future__ import annotations

import json
from collections.abc import Callable

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
