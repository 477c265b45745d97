"""A return's page says why: the causes, the laws with their article and day of the check, and what would have changed it."""

from __future__ import annotations

import pytest

from portal.policy.reasons import FAULTY
from tests.stages.returns import trade
from tests.stages.returns.trade import POLICY, Item, wish
from tests.web.staff.browser import Browser, cost
from tests.web.staff.shop import Shop


def test_a_large_return_says_up_to_what_amount_nobody_would_have_been_asked(lead: Browser, shop: Shop) -> None:
    seen = lead.words(f"/staff/returns/{shop.under_review(310_00)}")
    assert "What would have changed it If it were so Answer Other settings" in seen
    assert "If the return is worth £300.00 or less Accepted Who decides" in seen
    assert "Without “Big returns” Accepted Who decides" in seen
    assert "changes for the worse" in seen
    assert "If the item has the tag final-sale Refused" in seen


def test_a_time_limit_that_cannot_be_told_says_in_its_row_that_a_person_decides(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(Item(gross=72_00, delivered_at=None),))
    assert "Time limit 30 days , not known yet, so a person decides Default" in lead.words(f"/staff/returns/{rma}")


def test_what_was_refused_says_the_cause_after_the_question_is_settled(lead: Browser, shop: Shop) -> None:
    rma = shop.asked_us()
    before = lead.words(f"/staff/returns/{rma}")
    assert "If the reason is damaged or faulty Accepted, once what is asked for is there Can it come back?" in before
    assert before.count("“Final sale” says that this can’t be returned.") == 1
    with shop.database.transaction(trade.MAYA) as tx:
        trade.service.refuse(tx, rma, message="No.")
    after = lead.words(f"/staff/returns/{rma}")
    assert after.count("“Final sale” says that this can’t be returned.") == 1
    assert "Without “Final sale” Accepted" in after


def test_the_law_that_set_a_term_is_named_with_article_day_and_note(lead: Browser, shop: Shop) -> None:
    assert "no legal advice" not in lead.words(f"/staff/returns/{shop.booked()}")
    sale = shop.asked_us()
    strict = POLICY.replace("days: 30", "days: 5").replace("rules:", "laws: [uk-consumer]\nrules:")
    shop.book = trade.open_shop(shop.database, strict, at=trade.PUBLISHED.replace(month=2))
    rma = shop.booked(items=(Item(gross=72_00, delivered_at=trade.BOOKED),))
    faulty = shop.booked(
        wish(reason=FAULTY), items=(Item(gross=72_00, delivered_at=trade.DELIVERED),), actor=trade.MAYA
    )
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Where the law gives more UK consumer law: UK right to cancel, Consumer Contracts Regulations 2013" in seen
    assert "Time limit 14 days , until 1 December 2026 UK right to cancel 5 days, from “Default”" in seen
    assert "It set: Time limit. Compared with the law on 26 November 2026." in seen
    assert "This is our reading of the law, no legal advice." in seen
    assert "Without the law “UK consumer law”" not in seen, "five days had not passed yet"
    # What an older version decided is explained by that version, though the order is bound by another one now.
    assert "If the customer asks until 12 November 2026" not in lead.words(f"/staff/returns/{sale}")
    assert "Consumer Rights Act 2015" not in lead.words(f"/staff/returns/{faulty}"), "the rule gives a year already"


@pytest.mark.parametrize("lines", [1, 8])
def test_saying_why_costs_no_query_for_each_line(lead: Browser, shop: Shop, lines: int) -> None:
    items = tuple(Item(gross=72_00, ref=str(at)) for at in range(1, lines + 1))
    rma = shop.booked(*(wish(str(at)) for at in range(1, lines + 1)), items=items)
    assert len(cost(shop.database, lead, f"/staff/returns/{rma}")) <= 25
