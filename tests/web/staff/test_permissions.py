"""Which role may open which page: one table, and a proof that no page is missing from it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.routing import IntegerConverter

from portal.staff import permissions as may
from tests.web.staff.browser import Browser, words
from tests.web.staff.shop import Shop

ALL, DESK, LEADS = {"owner", "lead", "agent", "warehouse"}, {"owner", "lead", "agent"}, {"owner", "lead"}
EVERYBODY, READERS, EDITORS = ALL | {"merchant"}, DESK | {"merchant"}, LEADS | {"merchant"}

PAGES = {
    "/staff/exceptions.csv": DESK,
    "/staff/returns": EVERYBODY,
    "/staff/search?q=zzz": EVERYBODY,
    "/staff/help": EVERYBODY,
    "/staff/receive": ALL,
    "/staff/receive/choose?code=x": ALL,
    "/staff/refunds": DESK,
    "/staff/refunds.csv": DESK,
    "/staff/refunds/reconciliation": DESK,
    "/staff/refunds/switch": LEADS,
    "/staff/orders/1/goodwill": LEADS,
    "/staff/returns/{rma}": EVERYBODY,
    "/staff/orders/1/ledger": DESK,
    "/staff/returns/{rma}/cancel": DESK,
    "/staff/receive/{rma}": ALL,
    "/staff/policy": READERS,
    "/staff/policy/customers": READERS,
    "/staff/policy/preview": READERS,
    "/staff/policy/text": READERS,
    "/staff/policy/settings": READERS,
    "/staff/policy/versions": READERS,
    "/staff/policy/versions/1": READERS,
    "/staff/policy/versions/1/roll-back": EDITORS,
    "/staff/policy/publish": EDITORS,
    "/staff/policy/discard": EDITORS,
    "/staff/policy/simulations": READERS,
}
COMMANDS = {
    "/staff/bulk": DESK,
    "/staff/bulk/approve": DESK,
    "/staff/bulk/ask": DESK,
    "/staff/bulk/deny": DESK,
    "/staff/receive/scan": ALL,
    "/staff/receive/scans/0/forget": ALL,
    "/staff/receive/{rma}": ALL,
    "/staff/returns/{rma}/decision": DESK,
    "/staff/returns/{rma}/deny": DESK,
    "/staff/returns/{rma}/undo": DESK,
    "/staff/bulk/undo": DESK,
    "/staff/returns/{rma}/reinstate": LEADS,
    "/staff/returns/{rma}/shipped": DESK,
    "/staff/returns/{rma}/cancel": DESK,
    "/staff/returns/{rma}/outcome": DESK,
    "/staff/returns/{rma}/hand-over": DESK,
    "/staff/returns/{rma}/notes": EVERYBODY,
    "/staff/returns/{rma}/owner": DESK,
    "/staff/refunds/rf_x/ask": DESK,
    "/staff/refunds/rf_x/hand-over": DESK,
    "/staff/refunds/rf_x/retry": LEADS,
    "/staff/refunds/rf_x/elsewhere": LEADS,
    "/staff/refunds/rf_x/unsent": LEADS,
    "/staff/refunds/rf_x/anyway": LEADS,
    "/staff/refunds/rf_x/second": LEADS,
    "/staff/refunds/rf_x/undo": DESK,
    "/staff/orders/1/goodwill": LEADS,
    "/staff/returns/{rma}/goods-missing": DESK,
    "/staff/returns/{rma}/rest/ask": DESK,
    "/staff/returns/{rma}/rest/wait": DESK,
    "/staff/returns/{rma}/money/send": LEADS,
    "/staff/returns/{rma}/money/elsewhere": LEADS,
    "/staff/returns/{rma}/money/close": LEADS,
    "/staff/refunds/switch": LEADS,
    "/staff/refunds/rf_x/check": LEADS,
    "/staff/policy/rules": EDITORS,
    "/staff/policy/rules/move": EDITORS,
    "/staff/policy/rules/delete": EDITORS,
    "/staff/policy/checks/mend": EDITORS,
    "/staff/policy/text": EDITORS,
    "/staff/policy/settings": EDITORS,
    "/staff/policy/undo": EDITORS,
    "/staff/policy/discard": EDITORS,
    "/staff/policy/publish": EDITORS,
    "/staff/policy/versions/1/roll-back": EDITORS,
    "/staff/policy/versions/1/draft": EDITORS,
    "/staff/policy/versions/1/carry": EDITORS,
    "/staff/policy/simulations": EDITORS,
}


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_page_opens_for_its_roles_alone(role: str, sign_in: Callable[[str], Browser], shop: Shop) -> None:
    rma, browser = shop.booked(), sign_in(role)
    found = {path: browser.get(path.format(rma=rma)).status_code for path in PAGES}
    assert found == {path: 200 if role in roles else 403 for path, roles in PAGES.items()}


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_command_is_carried_out_for_its_roles_alone(role: str, sign_in: Callable[[str], Browser], shop: Shop) -> None:
    rma, browser = shop.booked(), sign_in(role)
    refused = {path: browser.post(path.format(rma=rma)).status_code == 403 for path in COMMANDS}
    assert refused == {path: role not in roles for path, roles in COMMANDS.items()}


def test_a_stranger_is_sent_to_the_door_from_everywhere_and_changes_nothing(stranger: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    for path in PAGES:
        answer = stranger.get(path.format(rma=rma))
        assert (answer.status_code, answer.location.startswith("/staff/sign-in")) == (303, True), path
    for path in COMMANDS:
        answer = stranger.client.post(path.format(rma=rma), data={"csrf_token": stranger.token()})
        assert (answer.status_code, answer.location) == (303, "/staff/sign-in"), path
    assert shop.events(rma) == ["return.booked", "return.review_opened"]


def test_a_number_that_no_row_can_have_is_a_page_that_is_not_there(lead: Browser, app: Flask) -> None:
    tried = 0
    for rule in app.url_map.iter_rules():
        numbers = {name for name, kind in rule._converters.items() if isinstance(kind, IntegerConverter)}
        if numbers:
            values = {name: 2**63 if name in numbers else "R-1" for name in rule.arguments}
            path = str(rule)
            for name, value in values.items():
                path = re.sub(rf"<[^<>]*\b{name}>", str(value), path)
            for method in {"GET", "POST"} & (rule.methods or set()):
                tried += 1
                found = lead.client.open(path, method=method)
                # Where a page has the address of its form, the router sees the wrong method before the wrong number.
                assert found.status_code in ((404,) if method == "GET" else (404, 405)), (method, path)
    assert tried > 5


def test_no_command_works_without_its_token(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    codes = {path: lead.client.post(path.format(rma=rma)).status_code for path in COMMANDS}
    assert codes == dict.fromkeys(COMMANDS, 400)
    assert shop.events(rma) == ["return.booked", "return.review_opened"]


def test_every_page_of_the_staff_names_its_permission_and_stands_in_these_tables(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("staff."):
            continue
        view = app.view_functions[rule.endpoint]
        assert getattr(view, "needs_permission", None) in may.PERMISSIONS, rule
        assert not ({"GET", "POST"} <= (rule.methods or set())), f"{rule} both shows and changes"
    tried = {path.partition("?")[0].replace("{rma}", "R-1") for path in PAGES | COMMANDS}
    adapter = app.url_map.bind("localhost")
    known = {
        adapter.match(path, method=method)[0]
        for path in tried
        for method in ("GET", "POST")
        if adapter.test(path, method=method)
    }
    elsewhere = {
        "staff.again",
        "staff.queue",
        "staff.photo",
        "staff.kept_page",
        "staff.label",
        "staff.slip",
        "staff.credit_note",
        "staff.credit_correction",
        "staff.goodwill_credit_note",
        "staff.goodwill_credit_correction",
        "staff.refund_page",
        "staff.policy_simulation",
    }
    assert {
        rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("staff.")
    } == known | elsewhere


def test_the_warehouse_starts_at_the_bench(warehouse: Browser) -> None:
    answer = warehouse.get("/staff/")
    assert (answer.status_code, answer.location) == (303, "/staff/receive")


def test_the_menu_shows_what_somebody_may_open(lead: Browser, warehouse: Browser) -> None:
    seen = words(warehouse.page("/staff/receive"))
    assert "Receiving" in seen
    assert "Exceptions" not in seen
    assert "Refunds" not in seen
    assert "Exceptions" in words(lead.page("/staff/receive"))


def test_the_page_of_a_no_says_who_you_are_and_that_nothing_happened(warehouse: Browser) -> None:
    answer = warehouse.get("/staff/refunds")
    assert answer.status_code == 403
    seen = words(answer.text)
    assert "Your role, Warehouse, doesn’t have the permission for this." in seen
    assert "Nothing was changed." in seen


def test_the_warehouse_sees_a_return_without_the_customers_history_and_without_a_decision(
    warehouse: Browser, shop: Shop
) -> None:
    seen = words(warehouse.page(f"/staff/returns/{shop.under_review()}"))
    assert "Customer since" not in seen
    assert "Your decision" not in seen
    assert "Add note" in seen
