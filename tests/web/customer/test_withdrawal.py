"""Withdrawing from the contract (Directive 2011/83/EU, Articles 9 to 11): two steps, no reason, no gate, confirmed at once."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from typing import Any

import pytest

from portal.config import ROOT
from portal.reviews.models import Review
from tests.web.customer.desk import EMAIL, SECOND_PARCEL, Customer, Desk, line, sample_lines, text_of

Make = Callable[[], Customer]
FIRST, SECOND = "/order/WH-20418/withdraw", "/order/WH-20418/withdraw/confirm"
NEVER = re.compile(r"[Ww]hy|photo|[Ee]xchange|[Ss]tore credit|bonus|What are you sending back|[Aa] person")
JUMPER, SHIRT = 0, 1


def fields(page: str) -> dict[str, list[str]]:
    """The hidden fields of the confirming form."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)"[^>]* value="([^"]*)"', page):
        found.setdefault(name, []).append(value)
    return found


def declare(customer: Customer, query: str = "", **more: Any) -> str:
    """Confirm what the query says; where the answer leads."""
    page = customer.get(f"{SECOND}?{query}").get_data(as_text=True)
    sent = customer.send(SECOND, {**fields(page), **more})
    assert sent.status_code == 303, text_of(sent)
    return sent.headers["Location"]


def mails(desk: Desk) -> list[Any]:
    """What has been sent, the oldest first."""
    desk.work("send_notice")
    folder = desk.ports.config.mail_url.removeprefix("file:")
    from pathlib import Path

    paths = sorted(Path(folder).glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    """Somebody who has looked her order up on the way to a withdrawal, eight days after the last parcel came."""
    desk.moment.move_to("2026-11-06T14:32:00Z")
    desk.order(lines=[row for row in sample_lines() if row.position in (1, 2)])
    made = customer()
    assert made.find(path="/withdraw").headers["Location"] == FIRST
    return made


def test_it_asks_for_nothing_but_which_items_and_a_second_press(desk: Desk, priya: Customer) -> None:
    first, second = text_of(priya.get(FIRST)), text_of(priya.get(f"{SECOND}?line=1"))
    assert "What do you withdraw from?" in first
    assert "Step 1 of 2" in first
    assert not NEVER.search(first), NEVER.search(first)
    assert not NEVER.search(second), NEVER.search(second)
    # The jumper costs more than £75, for which the policy wants a photo of an ordinary return.
    assert "Merino crew jumper, Navy, size M" in second
    assert "Merino crew jumper £80.10 Return label −£3.50 Refund to Visa ending 4242 £76.60" in second
    where = declare(priya, "line=1")
    page = text_of(priya.get(where))
    assert "Withdrawal confirmed" in page
    assert "Fri 6 Nov 2026, 14:32" in page
    assert "Merino crew jumper, Navy, size M" in page
    assert "Show this at a" in page
    (made,) = desk.returns
    assert made.status == "authorized"
    (row,) = desk.find(made.rma).lines
    assert (row.reason, row.resolution, row.quantity) == ("changed-mind", "refund", 1)


def test_nothing_ticked_is_the_whole_order_with_its_delivery_costs(desk: Desk, priya: Customer) -> None:
    text = text_of(priya.get(f"{SECOND}?"))
    assert "the whole order WH-20418" in text
    assert "Brushed flannel shirt, Moss check, size L × 2" in text
    assert "Delivery costs you paid" in text
    declare(priya)
    (made,) = desk.returns
    # 80.10 + 115.20 + 3.95 for delivery, less the label that the policy of the shop charges.
    assert made.quote["total"]["amount"] == 8010 + 11520 + 395 - 350


def test_selecting_nothing_is_named_and_everything_is_a_choice_of_its_own(desk: Desk, priya: Customer) -> None:
    page = priya.get(FIRST)
    assert "Withdraw from everything" in text_of(page)
    assert f'href="{SECOND}"' in page.get_data(as_text=True)
    answer = priya.get(f"{SECOND}?chosen=1")
    assert answer.status_code == 422
    assert "Select at least one item, or withdraw from everything" in text_of(answer)
    assert priya.get(f"{SECOND}?chosen=1&line=1").status_code == 200


def test_a_part_of_a_line_can_be_withdrawn_from(desk: Desk, priya: Customer) -> None:
    some = "1 of 2 × Brushed flannel shirt, Moss check, size L"
    assert some in text_of(priya.get(f"{SECOND}?line=2&quantity-2=1"))
    assert some in text_of(priya.get(declare(priya, "line=2&quantity-2=1")))
    assert some in mails(desk)[0].get_body(("plain",)).get_content()
    (made,) = desk.returns
    assert [row.quantity for row in desk.find(made.rma).lines] == [1]


def test_a_quantity_that_makes_no_sense_comes_back_with_its_field(priya: Customer) -> None:
    answer = priya.get(f"{SECOND}?line=2&quantity-2=3")
    assert answer.status_code == 422
    assert "Brushed flannel shirt: choose from 1 to 2" in text_of(answer)


def test_the_way_without_a_label_costs_nothing(desk: Desk, priya: Customer) -> None:
    page = priya.get(f"{SECOND}?line=1").get_data(as_text=True)
    other = re.search(r'href="([^"]*way=shop[^"]*)"', page)
    assert other
    at_shop = priya.get(other[1].replace("&amp;", "&"))
    assert "Merino crew jumper £80.10 Refund to Visa ending 4242 £80.10" in text_of(at_shop)
    priya.send(SECOND, fields(at_shop.get_data(as_text=True)))
    (made,) = desk.returns
    assert (made.ship_with, made.quote["total"]["amount"]) == ("shop", 8010)


def test_the_same_press_twice_declares_once(desk: Desk, priya: Customer) -> None:
    form = fields(priya.get(SECOND).get_data(as_text=True))
    answers = [priya.send(SECOND, form) for _ in range(2)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(desk.returns) == 1


def test_the_confirmation_comes_at_once_by_mail_with_content_date_and_time(desk: Desk, priya: Customer) -> None:
    declare(priya, "line=2&quantity-2=2")
    first, second = mails(desk)
    assert first["Subject"] == "Your withdrawal is confirmed, order WH-20418"
    assert first["To"] == EMAIL
    body = first.get_body(("plain",)).get_content()
    assert "Brushed flannel shirt, Moss check, size L × 2" in body
    assert "Fri 6 Nov 2026, 14:32" in body
    assert "is booked" in second["Subject"]


def test_who_bought_hears_of_a_withdrawal_whose_mails_go_elsewhere(desk: Desk, customer: Make) -> None:
    desk.order()
    receiver = customer()
    receiver.find(proof="BS6 5QA", path="/withdraw")
    declare(receiver, "line=2", email="gift@example.org")
    confirmed = {mail["To"]: mail for mail in mails(desk) if "withdrawal is confirmed" in mail["Subject"]}
    assert sorted(confirmed) == ["gift@example.org", EMAIL]
    told = " ".join(confirmed[EMAIL].get_body(("plain",)).get_content().split())
    assert "Hi Priya, somebody who knows the number and the postcode of your order WH-20418 has withdrawn" in told
    assert (
        "our next e-mails about it go to g•••@example.org. If you don’t know of this, reply to this e-mail at once."
        in told
    )
    assert "Withdrawn from Brushed flannel shirt, Moss check, size L" in told
    other = confirmed["gift@example.org"].get_body(("plain",)).get_content()
    assert "you have withdrawn from" in other
    assert "somebody" not in other


def test_the_declaration_stands_on_the_timeline(desk: Desk, priya: Customer) -> None:
    from portal.timeline import TimelineEntry

    declare(priya, "line=2&quantity-2=2")
    found = [entry for entry in desk.rows(TimelineEntry) if entry.what == "return.withdrawn"]
    assert [entry.data["items"] for entry in found] == [2]
    assert {entry.actor_kind for entry in found} == {"customer"}


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        pytest.param([line(1, "Waxed coat", 9000, None)], "2026-11-06T14:32:00Z", id="no delivery date"),
        pytest.param([line(1, "Waxed coat", 9000, SECOND_PARCEL)], "2027-03-01T14:32:00Z", id="outside the period"),
        pytest.param([line(1, "Socks", 900, SECOND_PARCEL, tags=["hygiene"])], "2026-11-06T14:32:00Z", id="exempt goods"),
        pytest.param([line(1, "Waxed coat", 39000, SECOND_PARCEL)], "2026-11-06T14:32:00Z", id="a rule of the shop"),
    ],
)  # fmt: skip
def test_what_the_policy_would_not_accept_is_recorded_and_confirmed_all_the_same(
    lines: list[Any], at: str, desk: Desk, customer: Make
) -> None:
    desk.moment.move_to(at)
    desk.order(lines=lines)
    somebody = customer()
    somebody.find(path="/withdraw")
    assert "Your withdrawal counts from the moment you confirm it" in text_of(somebody.get(SECOND))
    page = text_of(somebody.get(declare(somebody)))
    assert "Withdrawal confirmed" in page
    assert "We tell you how to send it back" in page
    (review,) = desk.rows(Review)
    assert review.why == "The customer has withdrawn from the contract"
    (mail,) = mails(desk)
    assert "withdrawal is confirmed" in mail["Subject"]
    assert "within 24 hours" in mail.get_body(("plain",)).get_content().replace("\n", " ")
    (made,) = desk.returns
    status = text_of(somebody.get(f"/returns/{made.rma}"))
    assert "We have your withdrawal" in status
    assert "Your refund, if nothing stands against it £" in status
    assert "Being looked at Now We write how to send it back." in status
    assert "if we accept" not in status
    assert "what you’ve asked" not in status


def test_a_reason_that_several_items_share_is_said_once_for_all_of_them(desk: Desk, customer: Make) -> None:
    desk.moment.move_to("2026-11-06T14:32:00Z")
    hygiene = {"tags": ["hygiene"]}
    desk.order(
        lines=[line(1, "Socks", 900, None), line(2, "Mask", 800, None), line(3, "Cap", 700, SECOND_PARCEL, **hygiene)]
    )
    somebody = customer()
    somebody.find(path="/withdraw")
    page = text_of(somebody.get(SECOND))
    assert "Socks and Mask: We don’t know yet when it was delivered" in page
    assert page.count("We don’t know yet when it was delivered") == 1


def test_goods_without_a_way_in_common_are_withdrawn_from_all_the_same(desk: Desk, customer: Make) -> None:
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    rule = "  - rule: Heavy\n    when: {item.tags: {has: heavy}}\n    set: {ship_with: [own]}\n\n  - rule: Label fee\n"
    desk.publish(text.replace("  - rule: Label fee\n", rule, 1))
    desk.moment.move_to("2026-11-06T14:32:00Z")
    desk.order(lines=[line(1, "Anvil", 4000, SECOND_PARCEL, tags=["heavy"]), line(2, "Scarf", 3000, SECOND_PARCEL)])
    somebody = customer()
    somebody.find(path="/withdraw")
    declare(somebody)
    assert [made.ship_with for made in desk.returns] == ["own"]


def test_without_a_grant_there_is_nothing_to_see_and_with_one_nobody_is_asked_again(
    desk: Desk, priya: Customer, customer: Make
) -> None:
    for path in (FIRST, SECOND):
        assert customer().get(path).headers["Location"].startswith("/?order=WH-20418&then=withdraw")
    assert priya.get("/withdraw?order=WH-20418").headers["Location"] == FIRST
    assert customer().get("/withdraw?order=WH-20418").status_code == 200
    booked = priya.get(declare(priya)).get_data(as_text=True)
    assert 'href="/withdraw?order=WH-20418"' in booked
    # Everything is in the return now; the page says so instead of asking.
    assert "Everything is in a return or refunded already" in text_of(priya.get(FIRST))


def test_an_address_in_the_wrong_form_is_named_and_nothing_is_declared(desk: Desk, priya: Customer) -> None:
    form = fields(priya.get(SECOND).get_data(as_text=True))
    answer = priya.send(SECOND, {**form, "email": "priya at home"})
    assert answer.status_code == 422
    assert "like name@example.com" in text_of(answer)
    assert 'value="priya at home"' in answer.get_data(as_text=True)
    assert desk.returns == []


def test_who_knows_only_the_postcode_reads_no_address(desk: Desk, customer: Make) -> None:
    desk.order()
    receiver = customer()
    receiver.find(proof="BS6 5QA", path="/withdraw")
    page = receiver.get(SECOND).get_data(as_text=True)
    assert EMAIL not in page
    assert "p•••@example.com" in page
    assert "4242" not in page


def test_what_came_into_another_return_meanwhile_is_said_and_not_declared_twice(desk: Desk, priya: Customer) -> None:
    form = fields(priya.get(f"{SECOND}?line=1").get_data(as_text=True))
    declare(priya, "line=1")
    again = priya.send(SECOND, form | {"key": "another"})
    assert again.status_code == 422
    assert "Some of this is in a return already" in text_of(again)
    # Nor has the rest of the order been taken for it.
    assert len(desk.returns) == 1


def test_an_item_past_its_days_is_told_with_its_consequence_and_the_sum_is_in_the_confirmation(
    desk: Desk, customer: Make
) -> None:
    desk.moment.move_to("2026-11-06T14:32:00Z")
    desk.order(lines=[line(1, "Socks", 900, SECOND_PARCEL, tags=["hygiene"]), line(2, "Scarf", 3000, SECOND_PARCEL)])
    somebody = customer()
    somebody.find(path="/withdraw")
    asked = text_of(somebody.get(SECOND))
    assert "Socks: " in asked
    assert "If one of these can’t be refunded, you get less than the sum below." in asked
    assert "The rest waits with it: we answer for everything together." in asked
    confirmed = text_of(somebody.get(declare(somebody)))
    (mail,) = mails(desk)
    body = " ".join(mail.get_body(("plain",)).get_content().split())
    for said in (confirmed, body):
        assert "Your refund, if nothing stands against it: £39.45" in said or "it: £42.95" in said
        assert "Please keep everything until then: we answer for all of it together." in said


def test_a_reason_that_nobody_gave_is_not_shown(desk: Desk, priya: Customer) -> None:
    declare(priya, "line=1")
    page = text_of(priya.get("/order/WH-20418/items"))
    assert "Withdrawn on 6 November 2026." in page
    assert "changed my mind" not in page
