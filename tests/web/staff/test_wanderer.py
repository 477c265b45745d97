"""Nothing that staff send makes the server fall over, and nothing typed comes back as markup."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.staff.browser import Browser
from tests.web.staff.shop import Item, Shop
from tests.web.wanderer import Wanderer


@pytest.mark.parametrize(("role", "seed"), [("owner", 1), ("warehouse", 2)])
def test_staff_who_send_anything_get_an_answer(
    sign_in: Callable[[str], Browser], shop: Shop, role: str, seed: int
) -> None:
    under_review, booked = shop.under_review(), shop.booked(order=shop.order(Item(gross=40_00, name="Jumper")))
    start = ["/staff/", "/staff/receive", f"/staff/receive/{booked}", f"/staff/returns/{under_review}"]
    if role == "owner":
        start += ["/staff/refunds", "/staff/policy", "/staff/policy/rules"]
    walk = Wanderer(sign_in(role).client, start, seed)
    walk.walk()
    assert len(walk.sent) >= 4
