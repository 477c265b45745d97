"""A change of today is put into a version to come, and nothing that this version decides by itself is lost."""

from __future__ import annotations

import pytest

from portal.policy.carry import carried
from portal.policy.diff import diff
from portal.policy.loader import load_policy
from tests.pure.policy.samples import OTHERWISE, document

SALE = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {returnable: false}\n  say: It was on sale.\n"
BIG = "- rule: Big\n  when: {return.value: {over: 300 GBP}}\n  set: {review: always}\n"
GIFT = "- rule: Gift\n  when: {order.is_gift: true}\n  set: {review: always}\n"
SEASON = (
    "- rule: Season\n  # planned in summer\n  when: {order.placed: {from: 2026-12-01}}\n  set: {window: {days: 60}}\n"
)
FEE = OTHERWISE.replace("restocking_fee: 0%", "restocking_fee: 10%")
BONUS = OTHERWISE.replace("credit_bonus: 0%", "credit_bonus: 5%")
BOTH = FEE.replace("credit_bonus: 0%", "credit_bonus: 5%")


@pytest.mark.parametrize(
    ("after", "coming", "expected"),
    [
        (document(SALE + BIG), document(SEASON + SALE + BIG), document(SEASON + SALE + BIG)),  # nothing was changed
        (document(SALE + GIFT + BIG), document(SALE + SEASON + BIG), document(SALE + GIFT + SEASON + BIG)),
        (document(GIFT + SALE + BIG), document(SEASON + SALE + BIG), document(GIFT + SEASON + SALE + BIG)),
        (document(SALE + BIG + GIFT), document(SALE + SEASON), document(SALE + GIFT + SEASON)),
        (document(SALE), document(SEASON + SALE + BIG), document(SEASON + SALE)),
        (document(BIG + SALE), document(SALE + SEASON + BIG), document(SEASON + BIG + SALE)),
        (document(SALE + BIG.replace("300", "500")), document(SEASON + SALE + BIG),
         document(SEASON + SALE + BIG.replace("300 GBP", "500.00 GBP"))),
        # What the version to come has changed by itself stays.
        (document(SALE + BIG.replace("300", "500")), document(SALE + BIG.replace("300", "400")),
         document(SALE + BIG.replace("300", "400"))),
        (document(SALE), document(SALE + BIG.replace("300", "400")), document(SALE + BIG.replace("300", "400"))),
        (document(SALE + BIG.replace("300", "500")), document(SALE), document(SALE)),
        (document(SALE + BIG + GIFT), document(SALE + BIG + GIFT.replace("always", "never")),
         document(SALE + BIG + GIFT.replace("always", "never"))),
        (document(BIG + SALE + GIFT), document(SALE + BIG + SEASON), document(BIG + SALE + GIFT + SEASON)),
        (document(SALE + BIG, otherwise=FEE), document(SALE + BIG, otherwise=BONUS), document(SALE + BIG, otherwise=BOTH)),
        (document(SALE + BIG, otherwise=OTHERWISE + "  exchange_for: same_price\n"), document(SEASON + SALE + BIG),
         document(SEASON + SALE + BIG, otherwise=OTHERWISE + "  exchange_for: same_price\n")),
        (document(SALE + BIG, extra="laws: [uk-consumer]\napply_to_open_orders: true\n", zone="Europe/Paris"),
         document(SEASON), document(SEASON, extra="laws: [uk-consumer]\napply_to_open_orders: true\n", zone="Europe/Paris")),
    ],
)  # fmt: skip
def test_what_was_changed_today_is_in_the_version_to_come_and_what_that_changed_stays(
    after: str, coming: str, expected: str
) -> None:
    text = carried(coming, load_policy(document(SALE + BIG)), load_policy(after))
    assert diff(load_policy(text), load_policy(expected)) == ()
    if load_policy(coming).content_hash == load_policy(expected).content_hash:
        assert text == coming


def test_the_comments_of_the_version_to_come_stay() -> None:
    text = carried(
        document(SEASON + SALE + BIG), load_policy(document(SALE + BIG)), load_policy(document(SALE + BIG + GIFT))
    )
    assert "# planned in summer" in text
