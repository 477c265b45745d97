"""A decision can be undone by who made it while nothing of it has left, and the message that tells of it offers that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from portal.notices.models import Notice
from portal.orders.models import OrderLine, Variant
from portal.receiving import service as receiving
from portal.receiving.service import Count
from portal.returns import service
from tests.stages.returns.trade import BENCH, JONAS, rows
from tests.web.staff.browser import Browser, links, words
from tests.web.staff.shop import Item, Shop, wish
from tests.web.staff.test_bulk import ticked


def decide(browser: Browser, rma: str, **more: object) -> None:
    """Approve, or deny with a reason."""
    here = f"/staff/returns/{rma}"
    answer = browser.submit(browser.form(here, "/decision"), {"decision": "approve", **more})
    if answer.status_code == 200:
        confirm = "/deny" if more.get("decision") == "deny" else "/decision"
        answer = browser.submit(browser.form("", confirm, html=answer.text), {"message": "It was worn."})
    assert answer.status_code == 303


@pytest.mark.parametrize("choice", ["approve", "deny"])
def test_the_message_offers_undo_and_the_case_is_open_as_before(lead: Browser, shop: Shop, choice: str) -> None:
    rma = shop.under_review()
    here = f"/staff/returns/{rma}"
    before, lines = shop.review(rma), [line.status for line in shop.look(rma).lines]
    decide(lead, rma, decision=choice)
    page = lead.page(here)
    assert "Undo until 10:25" in words(page)
    form = lead.form(here, "/undo", html=page)
    for _ in range(2):
        assert lead.submit(form).status_code == 303
    seen = lead.words(here)
    for part in (
        "The decision is taken back.",
        "Maya Okafor took the decision back",
        "“Big returns” asks for a person",
    ):
        assert part in seen, part
    assert shop.look(rma).status == "under_review"
    assert [line.status for line in shop.look(rma).lines] == lines == ["review"]
    after = shop.review(rma)
    assert (after.id, after.status, after.due_at, after.why) == (before.id, "open", before.due_at, before.why)
    assert shop.events(rma).count("return.reopened") == 1
    # The mail about the decision had not left, so it is called back and nothing is to be put right.
    assert rows(shop.database, select(Notice.kind)) == ["under_review"]
    assert rows(shop.database, select(OrderLine.units_gone)) == [0]
    decide(lead, rma)
    assert shop.look(rma).status == "authorized"
    assert shop.look(rma).quote["total"]["amount"] == 310_00


@pytest.mark.parametrize("status", ["sent", "sending"])
def test_who_was_told_of_the_decision_is_told_that_it_is_open_again(lead: Browser, shop: Shop, status: str) -> None:
    rma = shop.under_review()
    decide(lead, rma)
    with shop.do() as tx:
        tx.session.execute(update(Notice).where(Notice.kind == "booked").values(status=status))
    lead.submit(lead.form(f"/staff/returns/{rma}", "/undo"))
    assert rows(shop.database, select(Notice.kind).order_by(Notice.id)) == ["under_review", "booked", "under_review"]


@pytest.mark.parametrize("choice", ["approve", "deny"])
def test_each_item_waits_again_for_what_it_waited_for(lead: Browser, shop: Shop, choice: str) -> None:
    items = (Item(gross=72_00, name="Jeans", tags=("final-sale",)), Item(gross=40_00, name="Scarf"))
    rma = shop.booked(wish("1"), wish("2"), items=items, ask_us=True)
    before = [line.status for line in shop.look(rma).lines]
    assert before == ["review", "accepted"]
    decide(lead, rma, decision=choice)
    lead.submit(lead.form(f"/staff/returns/{rma}", "/undo"))
    assert [line.status for line in shop.look(rma).lines] == before


def test_a_changed_amount_is_forgotten_with_its_decision(lead: Browser, shop: Shop) -> None:
    rma = shop.under_review()
    with shop.do(JONAS) as tx:
        service.authorize(tx, rma, amounts={"1": 100_00}, note="Worn", message="It is worn.")
    with shop.do(JONAS) as tx:
        service.take_decision_back(tx, rma, timedelta(minutes=10))
    assert shop.look(rma).quote["total"]["amount"] == 310_00


def test_an_exchange_that_was_denied_holds_its_goods_again_or_nothing_changes(shop: Shop) -> None:
    with shop.do() as tx:
        tx.session.add(Variant(sku="J-L", product="jacket", label="L", name="Jacket", price_minor=310_00,
                               currency="GBP", stock=1, reserved=0, updated_at=tx.at))  # fmt: skip
    rma = shop.booked(
        wish("1", resolution="exchange", exchange_sku="J-L"),
        items=(Item(gross=310_00, name="Jacket", sku="J-M", product="jacket"),),
    )
    with shop.do(JONAS) as tx:
        service.refuse(tx, rma, message="No.")
    assert rows(shop.database, select(Variant.reserved)) == [0]
    with shop.do(JONAS) as tx:
        service.take_decision_back(tx, rma, timedelta(minutes=10))
    assert rows(shop.database, select(Variant.reserved)) == [1]


def test_items_that_were_denied_beside_approved_ones_wait_again(lead: Browser, shop: Shop) -> None:
    items = (Item(gross=310_00, name="Jacket"), Item(gross=40_00, name="Scarf"), Item(gross=30_00, name="Hat"))
    rma = shop.booked(wish("1"), wish("2"), wish("3"), items=items)
    before = [line.status for line in shop.look(rma).lines]
    decide(lead, rma, line=["1", "3"])
    assert [line.status for line in shop.look(rma).lines] == ["accepted", "refused", "accepted"]
    assert rows(shop.database, select(OrderLine.units_held).order_by(OrderLine.id)) == [1, 0, 1]
    lead.submit(lead.form(f"/staff/returns/{rma}", "/undo"))
    found = shop.look(rma)
    assert (found.status, [line.status for line in found.lines], found.message) == ("under_review", before, "")
    assert found.quote["total"]["amount"] == 380_00
    assert rows(shop.database, select(OrderLine.units_held).order_by(OrderLine.id)) == [1, 1, 1]


@pytest.mark.parametrize("why", ["late", "shipped", "somebody else's", "taken back before", "off"])
def test_undo_is_neither_offered_nor_done_when_it_is_too_late_or_not_theirs(
    lead: Browser, agent: Browser, shop: Shop, app: Flask, friday: time_machine.Traveller, why: str
) -> None:
    items = (Item(gross=310_00, name="Jacket"), Item(gross=40_00, name="Scarf"))
    rma = shop.booked(wish("1"), wish("2"), items=items)
    browser = agent if why == "somebody else's" else lead
    decide(lead, rma)
    lead.get(f"/staff/returns/{rma}")
    match why:
        case "late":
            friday.shift(timedelta(minutes=10))
        case "shipped":
            with shop.do(BENCH) as tx:
                service.mark_in_transit(tx, rma)
        case "taken back before":
            decided = lead.form(f"/staff/returns/{rma}", "/undo")
            assert lead.submit(decided).status_code == 303
            decide(agent, rma)
        case "off":
            given = app.extensions["portal"]
            app.extensions["portal"] = replace(given, shop=given.shop.model_copy(update={"undo_decision_minutes": 0}))
    status = shop.look(rma).status
    assert "Undo until" not in browser.words(f"/staff/returns/{rma}")
    assert browser.post(f"/staff/returns/{rma}/undo").status_code == 409
    assert shop.look(rma).status == status


def test_several_are_undone_together_and_what_has_moved_on_is_named(lead: Browser, shop: Shop) -> None:
    first, second = shop.under_review(), shop.under_review()
    page = ticked(lead, shop, "deny", first, second)
    lead.submit(lead.form("", "/bulk/deny", html=page.text), {"message": "Worn."})
    after = lead.page("/staff/")
    assert "2 returns denied." in words(after)
    form = lead.form("/staff/", "/bulk/undo", html=after)
    with shop.do(JONAS) as tx:
        service.authorize(tx, second, note="It is fine")
    assert lead.submit(form).status_code == 303
    seen = lead.words("/staff/")
    assert f"1 decision taken back. {first}" in seen
    assert f"1 was left as it is. This decision can’t be taken back any more. Nothing was changed. {second}" in seen
    assert [shop.look(rma).status for rma in (first, second)] == ["under_review", "authorized"]
    assert lead.post("/staff/bulk/undo", {"rmas": "R-0000000,,x"}).status_code == 303


def test_money_that_waits_is_taken_back_by_the_link_of_the_message(lead: Browser, shop: Shop, app: Flask) -> None:
    given = app.extensions["portal"]
    limits = given.shop.refunds.model_copy(update={"undo_minutes": 10})
    app.extensions["portal"] = replace(given, shop=given.shop.model_copy(update={"refunds": limits}))
    rma = shop.under_review()
    with shop.do() as tx:
        service.authorize(tx, rma)
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "used")], command_key=rma)
    decide(lead, rma)
    page = lead.page(f"/staff/returns/{rma}")
    assert "It goes out today, 10:25. Until then it can be taken back. Undo until 10:25" in words(page)
    link = next(each for each in links(page) if each.endswith("#take-back"))
    assert lead.submit(lead.form(link.partition("#")[0], "/undo"), {"note": "Look at it again"}).status_code == 303
    assert [each.status for each in shop.refunds(rma)] == ["canceled"]
