"""What would have changed the answer, as a customer reads it: a day, an amount, what can be chosen; never another reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.config import ROOT
from tests.web.customer.desk import SECOND_PARCEL, Customer, Desk, line, text_of

Make = Callable[[], Customer]
ITEMS = "/order/WH-20418/items"
DEFAULT = (Path(ROOT) / "policies" / "default.yaml").read_text(encoding="utf-8")


def with_rule(rule: str) -> str:
    return DEFAULT.replace("rules:\n", f"rules:\n{rule}\n", 1)


SEASON = with_rule("""\
  - rule: Stocktaking
    when: {today: {from: 2026-11-10, to: 2026-11-20}}
    set: {returnable: false}
    say: We count our stock these days.""").replace("laws: [eu-consumer, uk-consumer]", "")
NO_REFUND = with_rule("""\
  - rule: No refund
    when: {resolution: refund}
    set: {returnable: false}
    say: We give no refunds for this.""").replace("laws: [eu-consumer, uk-consumer]", "")
FEW = with_rule("""\
  - rule: Many
    when: {line.quantity: {over: 2}}
    set: {review: always}
    say: We look at larger numbers first.""")


def test_a_refusal_for_these_days_says_until_and_from_when(desk: Desk, customer: Make) -> None:
    desk.publish(SEASON)
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    assert (
        "We count our stock these days. It would have been accepted until 9 November 2026. "
        "You can return it from 21 November 2026."
    ) in text_of(priya.get(ITEMS))


def test_what_is_chosen_on_the_next_page_is_named_and_no_person_is_spoken_of(desk: Desk, customer: Make) -> None:
    desk.publish(NO_REFUND)
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    text = text_of(priya.get(ITEMS))
    assert "You can return it for an exchange or store credit." in text
    assert "A person in our team checks this" not in text
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "changed-mind", "step": "show"})
    page = text_of(priya.get("/order/WH-20418/item/1"))
    assert "Store credit" in page
    assert "We give no refunds for this." not in page


def test_a_check_says_how_many_would_need_none(desk: Desk, customer: Make) -> None:
    desk.publish(FEW)
    desk.order(lines=[line(1, "Mug", 1000, SECOND_PARCEL, 4)])
    priya = customer()
    priya.find()
    priya.choose(1, quantity_1="4")
    priya.post("/order/WH-20418/item/1", {"reason": "changed-mind", "step": "show"})
    page = text_of(priya.get("/order/WH-20418/item/1"))
    assert "We look at larger numbers first. Up to 2 of them need no check by a person." in page


def test_a_large_return_says_up_to_what_amount_no_person_checks(desk: Desk, customer: Make) -> None:
    desk.order(lines=[line(1, "Coat", 31_000, SECOND_PARCEL)])
    priya = customer()
    priya.find()
    assert "A return of up to £300.00 needs no check by a person." in text_of(priya.get(ITEMS))
    priya.choose(1)
    priya.post("/order/WH-20418/item/1", {"reason": "changed-mind", "step": "show"})
    assert "A return of up to £300.00 needs no check by a person." in text_of(priya.get("/order/WH-20418/item/1"))


@pytest.mark.parametrize("path", [ITEMS, "/order/WH-20418/item/3"])
def test_nobody_is_taught_another_reason(desk: Desk, customer: Make, path: str) -> None:
    desk.order()
    priya = customer()
    priya.find()
    if path != ITEMS:
        priya.post(ITEMS, {"report": "3"})
        priya.post(path, {"reason": "changed-mind", "step": "show"})
    text = text_of(priya.get(path))
    assert "If the reason" not in text
    assert "accepted" not in text
