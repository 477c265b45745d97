"""Every form is answered by an address, so that "Back" and "Reload" never send a form again, and what was typed is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from portal.kept import MOST, KeptPage, forget
from tests.web.staff.browser import Browser, words
from tests.web.staff.shop import Item, Shop, wish

Send = Callable[[Browser, str], TestResponse]


def raw(browser: Browser, path: str, **fields: object) -> TestResponse:
    """A form sent, and its very answer, which no browser follows here."""
    return browser.client.post(path, data={"csrf_token": browser.token(), **fields})


SENT = {
    "deny, which asks first": (
        lambda b, shop, rma: raw(b, f"/staff/returns/{rma}/decision", decision="deny", message="Worn.", expected="1"),
        200,
        "Worn.",
    ),
    "deny without a reason": (
        lambda b, shop, rma: raw(b, f"/staff/returns/{rma}/deny", note="Third one", expected="1"),
        422,
        "Third one",
    ),
    "a stale decision": (
        lambda b, shop, rma: raw(
            b, f"/staff/returns/{rma}/decision", decision="ask", message="Which one?", expected="999"
        ),
        409,
        "Which one?",
    ),
    "several at once": (
        lambda b, shop, rma: raw(b, "/staff/bulk", act="deny", pick=shop.pick(rma)),
        200,
        "Deny 1 return",
    ),
    "several denied without a reason": (
        lambda b, shop, rma: raw(b, "/staff/bulk/deny", pick=shop.pick(rma), note="Not ours"),
        422,
        "Not ours",
    ),
    "a stop without a reason": (
        lambda b, shop, rma: raw(b, "/staff/refunds/switch", act="stop"),
        422,
        "Nothing is sent until somebody resumes",
    ),
    "an unknown return": (lambda b, shop, rma: raw(b, "/staff/returns/R-0000000/notes", text="x"), 404, ""),
}


@pytest.mark.parametrize("case", list(SENT))
def test_a_page_that_answers_a_form_has_an_address_and_keeps_what_was_typed(
    lead: Browser, agent: Browser, shop: Shop, case: str
) -> None:
    rma = shop.under_review()
    send, status, kept = SENT[case]
    answer = send(lead, shop, rma)
    assert (answer.status_code, (answer.location or "")[:12]) == (303, "/staff/kept/")
    for _ in range(2):
        shown = lead.get(answer.location or "")
        assert shown.status_code == status
        assert kept in shown.text
    assert shop.look(rma).status == "under_review"
    # Another person's form is nobody else's to read.
    assert agent.get(answer.location or "").location == "/staff/"


def test_a_denial_goes_on_from_the_kept_page_and_the_page_is_there_afterwards(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    asked = raw(lead, f"/staff/returns/{rma}/decision", decision="deny", message="Worn.", expected="1")
    done = lead.submit(lead.form(asked.location or "", "/deny"))
    assert (done.status_code, done.location) == (303, f"/staff/returns/{rma}")
    assert lead.get(asked.location or "").status_code == 200
    assert lead.submit(lead.form(asked.location or "", "/deny")).status_code == 303, "sent again, it is done once"
    assert shop.events(rma).count("return.rejected") == 1


def test_kept_pages_end_after_a_day_and_are_few(lead: Browser, shop: Shop, friday: time_machine.Traveller) -> None:
    rma = shop.under_review()
    path = f"/staff/returns/{rma}/notes"
    addresses = [raw(lead, path, text="").location or "" for _ in range(MOST + 3)]
    assert shop.count(KeptPage) == MOST
    assert lead.get(addresses[-1]).status_code == 422
    assert lead.get(addresses[0]).status_code == 303
    assert "That page is no longer kept." in lead.words("/staff/")
    friday.shift(timedelta(hours=25))
    lead.sign_in("maya@wren.example")
    assert lead.get(addresses[-1]).status_code == 303
    forget(shop.database)
    assert shop.count(KeptPage) == 0


def test_the_new_sum_is_shown_with_all_that_is_given_before_it_is_approved(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(
        wish("1"), wish("2", resolution="store_credit"),
        items=(Item(gross=310_00, name="Field jacket"), Item(gross=40_00, name="Scarf")),
    )  # fmt: skip
    first, second = (f"amount-{line.id}" for line in shop.look(rma).lines)
    form = lead.form(f"/staff/returns/{rma}", "decision")
    fields = {"decision": "change", "note": "Worn", "message": "It is worn.", first: "100.00", second: form.get(second)}
    shown = lead.submit(form, fields)
    seen = words(shown.text)
    assert "Priya gets £144.00 in all" in seen
    assert "Approve £144.00" in seen
    assert "Scarf" in seen
    # Another sum than the one that was shown is shown first.
    confirm = lead.form("", "decision", html=shown.text)
    assert "gets £149.00 in all" in words(lead.submit(confirm, {first: "105.00"}).text)
    assert shop.look(rma).status == "under_review"
    assert lead.submit(confirm).status_code == 303
    assert shop.look(rma).quote["total"]["amount"] == 144_00
    assert "Approved, £144.00. It goes out when the parcel is received." in lead.words(f"/staff/returns/{rma}")
