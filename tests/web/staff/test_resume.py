"""A form that comes after its sign-in: nothing is carried out, and all of it comes back to who wrote it and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from portal.policybook import drafts
from portal.staff import forms
from portal.staff.models import KeptForm
from portal.timeline import TimelineEntry
from tests.web.staff.browser import Browser, Form, words
from tests.web.staff.browser import forms as forms_of
from tests.web.staff.shop import NOW, Item, Shop

TEXT = "The seam <b>gave</b> way & we agree.\nTwice."
MAYA, JONAS = "maya@wren.example", "jonas@wren.example"


@dataclass(frozen=True)
class Case:
    """A form with something typed: the page it is on, where it goes, what is typed, and how the kept text is recognised."""

    page: Callable[[Shop], str]
    action: str
    typed: dict[str, Any]
    name: str


def review(path: str = "") -> Callable[[Shop], str]:
    return lambda shop: f"/staff/returns/{shop.under_review()}{path}"


def order(shop: Shop) -> str:
    return f"/staff/orders/{shop.order(Item(gross=109_00))}/goodwill"


def denied(shop: Shop) -> str:
    from portal.returns import service
    from tests.stages.returns.trade import MAYA as ACTOR

    rma = shop.under_review()
    with shop.do(ACTOR) as tx:
        service.refuse(tx, rma, message="No")
    return f"/staff/returns/{rma}"


CASES = {
    "a decision": Case(review(), "/decision", {"decision": "ask", "message": TEXT, "note": "mine"}, "message"),
    "a changed amount": Case(
        review(),
        "/decision",
        {"decision": "change", "amount-1": "200.00", "message": "The collar is worn.", "note": TEXT.replace("\n", " ")},
        "note",
    ),
    "a note": Case(review(), "/notes", {"text": TEXT}, "text"),
    "a no that is taken back": Case(denied, "/reinstate", {"note": "We misread it"}, "note"),
    "goodwill": Case(order, "/goodwill", {"amount": "20.00", "reason": "Late parcel"}, "reason"),
    "the switch of refunds": Case(
        lambda _shop: "/staff/refunds/switch", "/switch", {"act": "stop", "reason": "Bank holiday"}, "reason"
    ),
    "a rule": Case(
        lambda _shop: "/staff/policy?edit=Big+returns",
        "/policy/rules#",
        {"act": "save", "say": "We look at big ones"},
        "say",
    ),
    "the policy's text": Case(lambda _shop: "/staff/policy/text", "/policy/text", {"text": "name: X # é\n"}, "text"),
    "the policy's settings": Case(lambda _shop: "/staff/policy/settings", "/policy/settings", {"name": "Ours"}, "name"),
    "many at once": Case(
        lambda shop: f"bulk:{shop.pick(shop.under_review())}", "/bulk/ask", {"message": TEXT, "note": "all"}, "message"
    ),
    "a parcel": Case(
        lambda shop: f"/staff/receive/{shop.booked()}",
        "/receive/R-",
        {"c-1-0": "as_new", "note": "Box was wet", "act": "finish"},
        "note",
    ),
}


def open_form(browser: Browser, case: Case, shop: Shop) -> tuple[str, Form]:
    """The form as its author sees it. The page of many at once is the answer to a form itself."""
    page = case.page(shop)
    if page.startswith("bulk:"):
        html = browser.post("/staff/bulk", {"act": "ask", "pick": page[5:], "back": "/staff/"}).text
        return "/staff/", pick(html, case.action)
    return page, pick(browser.page(page), case.action)


def pick(html: str, action: str) -> Form:
    """The form whose address fits the pattern."""
    return next(form for form in forms_of(html) if re.search(action, form.action))


def lose(browser: Browser, gone: str, friday: time_machine.Traveller) -> None:
    """The sign-in ends."""
    if gone == "two hours":
        friday.shift(timedelta(hours=2, seconds=1))
    elif gone == "the cookie":
        browser.client.delete_cookie("portal")
    else:
        browser.post("/staff/sign-out")


def state(shop: Shop) -> tuple[int, str]:
    """What any of these forms would change."""
    with shop.database.read() as session:
        draft = drafts.find_draft(session, NOW)
    return shop.count(TimelineEntry), draft.source


def come_back(browser: Browser, late: TestResponse, email: str = MAYA) -> TestResponse:
    """Sign in at the page that the late form led to; the page after it."""
    assert late.status_code == 303
    assert late.location.startswith("/staff/sign-in?next=/staff/again/")
    door = browser.page(late.location)
    assert "What you typed comes back as soon as you sign in." in words(door)
    assert "gave" not in door
    signed = browser.submit(
        browser.form(late.location, "sign-in", door), {"email": email, "password": "harbour-lights-2026"}
    )
    return browser.get(signed.location)


@pytest.mark.parametrize(
    ("name", "gone"),
    [("a decision", "two hours"), ("a decision", "a sign-out elsewhere"), *((name, "the cookie") for name in CASES)],
)
def test_all_of_it_comes_back_and_nothing_is_carried_out(
    name: str, gone: str, lead: Browser, shop: Shop, friday: time_machine.Traveller
) -> None:
    case = CASES[name]
    page, form = open_form(lead, case, shop)
    lose(lead, gone, friday)
    before = state(shop)
    late = lead.submit(form, case.typed, referer=page)
    again = come_back(lead, late)
    (kept,) = [each for each in forms_of(again.text) if each.get("resume")]
    shown = lead.submit(kept)
    assert shown.status_code == 422, shown.location
    assert "You had been signed out, so nothing was carried out." in words(shown.text)
    assert state(shop) == before
    filled = pick(shown.text, case.action)
    assert (filled.get(case.name) or "").replace("\r\n", "\n").strip() == case.typed[case.name].strip()
    assert all("resume" not in dict(each.values) for each in forms_of(shown.text))
    # What came back is a form as any other: pressed once more, it does what it says.
    pressed = lead.submit(filled, {key: value for key, value in case.typed.items() if key in ("decision", "act")})
    assert pressed.status_code in (200, 303), words(pressed.text)
    if pressed.status_code == 303:
        assert state(shop) != before


def test_a_no_comes_back_to_the_page_that_asks_why(lead: Browser, shop: Shop) -> None:
    here = f"/staff/returns/{shop.under_review()}"
    form = lead.form(here, "/decision")
    asked = lead.submit(form, {"decision": "deny", "message": "Worn"})
    deny = lead.form(here, "/deny", asked.text)
    lead.client.delete_cookie("portal")
    again = come_back(lead, lead.submit(deny))
    (kept,) = [each for each in forms_of(again.text) if each.get("resume")]
    shown = lead.submit(kept)
    assert "The whole return is denied" in words(shown.text)
    assert lead.form(here, "/deny", shown.text).get("message") == "Worn"


def test_a_form_of_buttons_alone_leads_back_to_its_page(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "/owner")
    lead.client.delete_cookie("portal")
    again = come_back(lead, lead.submit(form))
    (kept,) = [each for each in forms_of(again.text) if each.get("resume")]
    assert "You had been signed out" in words(lead.submit(kept).text)
    assert shop.review(rma).owner_id is None


def test_another_person_neither_sees_nor_sends_it(lead: Browser, stranger: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "/notes")
    lead.client.delete_cookie("portal")
    late = lead.submit(form, {"text": TEXT})
    page = come_back(lead, late, JONAS)
    assert (page.status_code, page.location) == (303, "/staff/")
    seen = words(lead.page("/staff/"))
    assert "What was typed before is not yours" in seen
    assert "gave" not in seen
    # Jonas is signed in where Maya's page is still open in a tab.
    answer = lead.submit(form, {"text": TEXT})
    assert answer.status_code == 403
    assert "Somebody else had written this form" in words(answer.text)
    assert "gave" not in answer.text
    assert "note.added" not in shop.events(rma)


def test_a_form_of_an_earlier_sign_in_of_the_same_person_comes_back_at_once(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    form = lead.form(f"/staff/returns/{rma}", "/notes")
    lead.post("/staff/sign-out")
    lead.sign_in(MAYA)
    late = lead.submit(form, {"text": TEXT})
    assert late.location.startswith("/staff/again/")
    (kept,) = [each for each in forms_of(lead.page(late.location)) if each.get("resume")]
    assert lead.form(rma, "/notes", lead.submit(kept).text).get("text") == TEXT
    assert "note.added" not in shop.events(rma)


@pytest.mark.parametrize("wrong", ["another site", "no author", "a forged author"])
def test_nothing_is_kept_of_what_no_page_of_ours_sent(wrong: str, lead: Browser, shop: Shop) -> None:
    form = lead.form(f"/staff/returns/{shop.under_review()}", "/notes")
    sent: dict[str, Any] = {**dict(form.values), "text": TEXT}
    sent["by"] = {"no author": "", "a forged author": sent["by"][:-3] + "abc"}.get(wrong, sent["by"])
    headers = {"Origin": "https://evil.example"} if wrong == "another site" else {}
    lead.client.delete_cookie("portal")
    answer = lead.client.post(form.action, data=sent, headers=headers)
    assert (answer.status_code, answer.location) == (303, "/staff/sign-in")
    assert shop.count(KeptForm) == 0


def test_what_nobody_comes_back_for_is_forgotten_after_a_day(
    lead: Browser, shop: Shop, friday: time_machine.Traveller
) -> None:
    form = lead.form(f"/staff/returns/{shop.under_review()}", "/notes")
    lead.client.delete_cookie("portal")
    late = lead.submit(form, {"text": TEXT})
    forms.forget(shop.database)
    assert shop.count(KeptForm) == 1
    friday.shift(timedelta(days=1, seconds=1))
    page = come_back(lead, late)
    assert page.location == "/staff/"
    forms.forget(shop.database)
    assert shop.count(KeptForm) == 0


def test_the_door_itself_comes_back_when_it_stood_open_for_too_long(app: Flask, stranger: Browser) -> None:
    form = stranger.form("/staff/sign-in?next=/staff/refunds", "sign-in")
    stranger.client.delete_cookie("portal")
    late = stranger.submit(form, {"email": MAYA, "password": "harbour-lights-2026"})
    assert late.status_code == 400
    assert "This page was open for a long time. Sign in once more" in words(late.text)
    again = stranger.form("/staff/sign-in", "sign-in", late.text)
    assert (again.get("email"), again.get("next")) == (MAYA, "/staff/refunds")
    assert stranger.submit(again, {"password": "harbour-lights-2026"}).location == "/staff/refunds"
