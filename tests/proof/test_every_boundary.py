"""A process that dies at any statement or commit of what staff do about money leaves nothing half-written, and the click that is
repeated ends as if nobody had died. Boundaries are found by instrumentation, as in tests/flow, which kills real processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.db import Tx
from portal.receiving import service as receiving
from portal.refunds import actions, goodwill, second, shortage, undo
from portal.refunds.goodwill import Gift
from portal.returns import service as returns
from portal.returns.assess import Wish
from tests.proof.books import Books, Orders
from tests.proof.shop import BENCH, CUSTOMER, MAYA, OMAR, Shop


@pytest.fixture(scope="module")
def made() -> Shop:
    return Shop()


@pytest.fixture
def shop(made: Shop) -> Iterator[Shop]:
    made.open()
    yield made
    made.close()


def returned(shop: Shop, *cards: tuple[str, int]) -> None:
    """An order over two articles, one of which has come back; its refunds are prepared and not sent."""
    line: dict[str, Any] = {"quantity": 2, "unit_price": 2390, "discount": 0, "tags": []}
    shop.order([line], 450, "GBP", list(cards))
    order_id = shop.check()["order"][-1]["id"]
    wish = Wish("1", 1, "changed-mind", "refund")
    shop.do(CUSTOMER, lambda tx: returns.book(tx, shop.book, order_id, [wish], booking_key="booked"))
    rma = shop.check()["return"][-1]["rma"]
    count = receiving.Count("1", 1, "as_new")
    shop.do(BENCH, lambda tx: receiving.receive(tx, rma, [count], command_key="came"))
    assert {row["status"] for row in shop.check()["refund"]} == {"planned"}


def give(shop: Shop, gift: Gift) -> Callable[[Tx], object]:
    order_id = shop.check()["order"][-1]["id"]

    def doing(tx: Tx) -> None:
        goodwill.give(tx, order_id, gift, reason="Late parcel", command_key="gift", shop=shop.ports.shop)

    return doing


def last_refund(shop: Shop) -> str:
    return str(shop.check()["refund"][-1]["public_id"])


def an_amount_is_given(shop: Shop) -> Callable[[Tx], object]:
    returned(shop, ("pm_card_visa", 3), ("pm_card_visa", 7))
    return give(shop, Gift(2500))


def units_are_given(shop: Shop) -> Callable[[Tx], object]:
    returned(shop, ("pm_card_visa", 1))
    return give(shop, Gift(lines={"1": 1}))


def a_gift_card_is_paid_elsewhere(shop: Shop) -> Callable[[Tx], object]:
    returned(shop, ("gift_card", 1))
    number = last_refund(shop)
    return lambda tx: actions.mark_paid_elsewhere(tx, number, "by the card's own system")


def a_failed_refund_is_paid_by_bank(shop: Shop) -> Callable[[Tx], object]:
    returned(shop, ("pm_card_visa", 1))
    shop.stripe.control("settings", "POST", short_balance="refuse")
    shop.stripe.control("balance", "POST", currency="gbp", available=0)
    shop.work()
    assert shop.check()["refund"][-1]["status"] == "failed"
    number = last_refund(shop)
    return lambda tx: actions.mark_paid_elsewhere(tx, number, "by bank")


def a_failed_refund_is_sent_again(shop: Shop) -> Callable[[Tx], object]:
    a_failed_refund_is_paid_by_bank(shop)
    first = last_refund(shop)
    return lambda tx: actions.retry(tx, first, "again")


def a_refund_is_taken_back(shop: Shop) -> Callable[[Tx], object]:
    returned(shop, ("pm_card_visa", 1))
    number = last_refund(shop)
    return lambda tx: undo.take_back(tx, number, "typo")


def a_second_person_approves(shop: Shop) -> Callable[[Tx], object]:
    shop.order_rules(Orders(second_above={"GBP": 1000}))
    returned(shop, ("pm_card_visa", 1))
    shop.work()
    assert shop.check()["refund"][-1]["held_for"] == "second_person"
    number = last_refund(shop)
    return lambda tx: second.approve(tx, number, "right")


def short(shop: Shop) -> str:
    """A return over 23.90 of which only 7.80 could be prepared; its number."""
    line: dict[str, Any] = {"quantity": 2, "unit_price": 2390, "discount": 0, "tags": ["trusted"]}
    shop.order([line], 0, "GBP", [("pm_card_visa", 1)])
    order_id, payment = shop.check()["order"][-1]["id"], shop.check()["payment"][-1]
    shop.stripe.control("refunds", "POST", payment_intent=payment["payment_intent"], amount=4000)
    shop.night()
    wish = Wish("1", 1, "changed-mind", "refund")
    shop.do(CUSTOMER, lambda tx: returns.book(tx, shop.book, order_id, [wish], booking_key="booked"))
    rma = shop.check()["return"][-1]["rma"]
    assert [row["kind"] for row in shop.check()["review"]] == ["refund_failed"]
    return str(rma)


def what_is_short_is_paid_by_bank(shop: Shop) -> Callable[[Tx], object]:
    rma = short(shop)
    return lambda tx: shortage.paid_elsewhere(tx, rma, "by bank", seen_minor=2390 - 780)


def summary(books: Books) -> dict[str, object]:
    """What there is, without numbers that are drawn anew each time."""
    return {
        "refunds": Counter((row["status"], row["amount_minor"], row["cause"]) for row in books["refund"]),
        "ledger": Counter((row["account"], row["kind"], row["amount_minor"]) for row in books["ledger_entry"]),
        "questions": Counter((row["kind"], row["status"]) for row in books["review"]),
        "said": Counter(row["what"] for row in books["timeline_entry"]),
        "units": [row["units_held"] for row in books["order_line"]],
        "returns": [(row["status"], row["payout_planned_at"]) for row in books["return"]],
        "gifts": [row["amount_minor"] for row in books["goodwill"]],
    }


@pytest.mark.parametrize(
    "prepared",
    [
        an_amount_is_given, units_are_given, a_gift_card_is_paid_elsewhere, a_failed_refund_is_paid_by_bank,
        a_failed_refund_is_sent_again, a_refund_is_taken_back, a_second_person_approves, what_is_short_is_paid_by_bank,
    ],
    ids=lambda prepared: prepared.__name__,
)  # fmt: skip
def test_the_repeated_click_ends_as_if_nobody_had_died(
    shop: Shop, prepared: Callable[[Shop], Callable[[Tx], object]], record_property: Callable[[str, object], None]
) -> None:
    command = prepared(shop)
    actor = OMAR if prepared is a_second_person_approves else MAYA
    before = shop.snapshot()

    def click() -> None:
        shop.do(actor, command)

    shop.killed_at(0, click)
    wanted, first = summary(shop.check()), summary(before.books)
    assert wanted != first
    boundary = 1
    while True:
        shop.go_back(before)
        if not shop.killed_at(boundary, click):
            break
        assert summary(shop.check()) in (first, wanted), f"half-written after death {boundary}"
        shop.killed_at(0, click)
        assert summary(shop.check()) == wanted, f"another end after death {boundary}"
        boundary += 1
    assert boundary > 5
    record_property("boundaries", boundary - 1)


def test_a_correction_is_issued_once_wherever_its_job_dies(
    shop: Shop, record_property: Callable[[str, object], None]
) -> None:
    rma = short(shop)
    shop.work()
    shop.pass_time(seconds=5)
    shop.work()
    shop.do(MAYA, lambda tx: shortage.close(tx, rma, "agreed", seen_minor=2390 - 780))
    before = shop.snapshot()
    assert [row["gross_minor"] for row in before.books["credit_note"]] == [2390]
    boundary = 0
    while True:
        boundary += 1
        shop.go_back(before)
        died = shop.killed_at(boundary, shop.work)
        shop.check()
        shop.restart_worker(f"after {boundary}")
        shop.work()
        books = shop.check()
        assert [row["gross_minor"] for row in books["credit_correction"]] == [2390 - 780]
        assert not shop.has_jobs()
        if not died:
            break
    assert boundary > 5
    record_property("boundaries", boundary - 1)
