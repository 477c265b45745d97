"""What the customer answered, for staff: the case is marked, has its own view, and the photos stand where they belong."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from portal.flow import Ports
from portal.returns import questions, service
from portal.returns.photos import Encoded, Stored
from tests.stages.returns.trade import CUSTOMER, MAYA
from tests.web.staff.browser import Browser
from tests.web.staff.shop import Shop, wish


def photo(name: str) -> Stored:
    return Stored(f"photos/{name}-abcdefgh.jpg", f"{name}.jpg", Encoded(b"\xff\xd8", "image/jpeg", 4, 3))


@pytest.fixture
def asked(shop: Shop) -> str:
    """A return whose customer was asked and has a photo ready that is not sent."""
    rma = shop.under_review(hours_ago=1)
    with shop.do(MAYA) as tx:
        service.ask(tx, rma, message="Can you show us the seam?")
    with shop.do(CUSTOMER) as tx:
        questions.keep_answer(tx, rma, "half a sentence")
        questions.add_photos(tx, rma, shop.look(rma).lines[0].id, [photo("seam")])
    return rma


def test_nothing_of_an_answer_is_seen_before_it_is_sent(lead: Browser, shop: Shop, asked: str) -> None:
    page = lead.page(f"/staff/returns/{asked}")
    assert "No reply yet." in page
    assert "half a sentence" not in page
    assert "/photos/" not in page
    assert lead.get(f"/staff/returns/{asked}/photos/1").status_code == 404
    assert "Answered 0" in lead.words("/staff/")


def test_an_answered_case_is_marked_and_shows_the_photos_at_the_answer_and_at_the_item(
    lead: Browser, shop: Shop, asked: str, ports: Ports, friday: time_machine.Traveller
) -> None:
    ports.files.put("photos/seam-abcdefgh.jpg", b"\xff\xd8 a seam")
    friday.shift(timedelta(hours=1))
    with shop.do(CUSTOMER) as tx:
        service.answer_question(tx, asked, "It came apart here")
    friday.shift(timedelta(minutes=20))
    queue = lead.words("/staff/")
    assert "Answered 1" in queue
    assert "Answered 20 min ago Answered" in queue
    assert asked in lead.page("/staff/?view=answered")
    page, words = lead.page(f"/staff/returns/{asked}"), lead.words(f"/staff/returns/{asked}")
    assert "Priya answered, Today, 11:15:" in words
    assert "“It came apart here”" in words
    assert page.count(f'<a class="photo" href="/staff/returns/{asked}/photos/1">') == 2
    assert "answered with 1 photo" in words
    assert lead.get(f"/staff/returns/{asked}/photos/1").data == b"\xff\xd8 a seam"
    assert ",answered," in lead.get("/staff/exceptions.csv").text
    with shop.do(MAYA) as tx:
        service.ask(tx, asked, message="And the label?")
    assert "Answered 0" in lead.words("/staff/")


@pytest.mark.parametrize("act", ["authorize", "refuse"])
def test_question_and_answer_stay_after_the_decision(lead: Browser, shop: Shop, asked: str, act: str) -> None:
    with shop.do(CUSTOMER) as tx:
        service.answer_question(tx, asked, "It came apart here")
    with shop.do(MAYA) as tx:
        service.ask(tx, asked, message="And the label?")
    with shop.do(MAYA) as tx:
        getattr(service, act)(tx, asked, message="Thank you")
    page, seen = lead.page(f"/staff/returns/{asked}"), lead.words(f"/staff/returns/{asked}")
    for part in (
        "Asked and answered Maya Okafor asked, Today, 10:15: “Can you show us the seam?”",
        "Priya answered, Today, 10:15: “It came apart here”",
        "“And the label?” Settled without a reply.",
    ):
        assert part in seen, part
    assert page.count(f'<a class="photo" href="/staff/returns/{asked}/photos/1">') == 2
    assert "No reply yet" not in seen


def test_photos_of_an_answer_count_as_given(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(reason="faulty"), ask_us=True)
    assert "“Faulty items” asks for a photo: 1 needed, 0 given." in lead.words(f"/staff/returns/{rma}")
    for name in ("seam", "label"):
        with shop.do(MAYA) as tx:
            service.ask(tx, rma, message=f"Can you show us the {name}?")
        with shop.do(CUSTOMER) as tx:
            questions.add_photos(tx, rma, shop.look(rma).lines[0].id, [photo(name)])
            service.answer_question(tx, rma, "")
    for page in (f"/staff/returns/{rma}", "/staff/"):
        seen = lead.words(page).partition("Timeline")[0]
        assert "“Faulty items” asks for a photo: 1 needed, 2 given." in seen, page
        assert " 0 given" not in seen, page
