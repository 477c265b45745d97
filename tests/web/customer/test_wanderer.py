"""Nothing that a customer sends makes the server fall over, and nothing typed comes back as markup."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from portal.limiter import RateCount
from tests.web.customer.desk import EMAIL, Customer, Desk
from tests.web.wanderer import Wanderer


@pytest.mark.parametrize("seed", [1])
def test_a_customer_who_sends_anything_gets_an_answer(desk: Desk, seed: int) -> None:
    desk.order()
    desk.variant("J-L", "Navy, size L")
    visitor = Customer(desk.app.test_client())

    def unlimited() -> None:
        # The walk is to meet the pages; that they are limited is shown elsewhere.
        with desk.ports.database.transaction() as tx:
            tx.session.execute(delete(RateCount))

    visitor.find("WH-20418", EMAIL)
    walk = Wanderer(visitor.client, ["/", "/track", "/withdraw", "/policy", "/order/WH-20418/items"], seed, unlimited)
    walk.walk()
    assert {"/order/WH-#/items", "/order/WH-#/item/#"} <= walk.sent
