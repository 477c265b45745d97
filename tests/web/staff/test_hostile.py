"""Text that breaks other systems: shown as text, never as markup, and no page falls over it."""

from __future__ import annotations

import json

import pytest

from portal import config
from portal.orders.models import Order, OrderLine
from portal.web.security import CONTENT_SECURITY_POLICY
from tests.web.staff.browser import Browser
from tests.web.staff.shop import Item, Shop, wish

NAUGHTY = [
    text
    for text in json.loads((config.ROOT / "tests/data/print/naughty-strings.json").read_text(encoding="utf-8"))
    if isinstance(text, str) and "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"


@pytest.mark.parametrize("text", [EVIL, *NAUGHTY], ids=str)
def test_what_customers_and_colleagues_write_is_shown_as_text(lead: Browser, shop: Shop, text: str) -> None:
    order = shop.order(Item(gross=310_00, name="Jacket"))
    with shop.database.transaction() as tx:
        row = tx.session.get_one(Order, order)
        row.customer_name, row.email = text[:200], text[:300]
        line = tx.session.query(OrderLine).filter_by(order_id=order).one()
        line.name, line.variant, line.sku = text[:300], text[:200], text[:100]
    rma = shop.booked(wish(note=text[:4000]), order=order, note=text[:4000])
    note = lead.form(f"/staff/returns/{rma}", "notes")
    assert lead.submit(note, {"text": text}).status_code in (303, 422)
    for path in ("/staff/", f"/staff/returns/{rma}", "/staff/returns", f"/staff/returns/{rma}/cancel"):
        html = lead.page(path)
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "49" not in html.partition("{{ 7*7 }}")[1]
    approve = lead.form(f"/staff/returns/{rma}", "decision")
    assert lead.submit(approve, {"message": text, "note": text}).status_code == 303
    assert lead.get(f"/staff/receive/{rma}").status_code == 200
    # No page leaves off reading its address because one word of it means nothing.
    keys = ("q", "text", "status", "view", "why", "owner", "value", "sort", "cursor", "page", "code", "line")
    for path in (
        "/staff/", "/staff/returns", f"/staff/returns/{rma}", "/staff/search", "/staff/receive", "/staff/refunds",
    ):  # fmt: skip
        assert lead.get(path, query_string=dict.fromkeys(keys, text)).status_code in (200, 303), path


def test_every_answer_carries_the_strict_headers_and_no_inline_code(
    lead: Browser, stranger: Browser, shop: Shop
) -> None:
    rma = shop.under_review()
    paths = ["/staff/", "/staff/returns", f"/staff/returns/{rma}", "/staff/receive", "/staff/refunds", "/staff/help"]
    for browser, path in [(lead, path) for path in paths] + [(stranger, "/staff/sign-in")]:
        answer = browser.get(path)
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["Cache-Control"] == "no-store"
        for bad in (" style=", "<style", " onclick=", "javascript:", "<script>"):
            assert bad not in answer.text, (path, bad)


@pytest.mark.parametrize("field", ["message", "note"])
@pytest.mark.parametrize("text", ["\x00", "x" * 4001])
def test_words_that_cannot_be_kept_are_told_at_their_field(lead: Browser, shop: Shop, field: str, text: str) -> None:
    rma = shop.under_review()
    answer = lead.submit(lead.form(f"/staff/returns/{rma}", "decision"), {field: text})
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert shop.look(rma).status == "under_review"


def test_bodies_that_are_no_forms_are_refused_politely(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    token = {"X-CSRFToken": lead.token()}
    for path in ("/staff/bulk", f"/staff/returns/{rma}/decision", f"/staff/receive/{rma}", "/staff/receive/scan"):
        for data, kind in (
            (b"[1]", "application/json"),
            (b"\xff\xfe", "text/plain"),
            (b"--x", "multipart/form-data; boundary=x"),
        ):
            answer = lead.client.post(path, data=data, content_type=kind, headers=token)
            assert answer.status_code < 500, (path, kind)
    assert shop.look(rma).status == "under_review"
