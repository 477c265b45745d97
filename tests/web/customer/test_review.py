"""The last page before the booking promises what is kept, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.customer.desk import Customer, Desk, text_of

Make = Callable[[], Customer]
REVIEW = "/order/WH-20418/review"


@pytest.fixture
def priya(desk: Desk, customer: Make) -> Customer:
    """Somebody who has found her order."""
    desk.order()
    made = customer()
    made.find()
    return made


def test_a_lower_amount_is_promised_a_person_and_a_reason_not_a_warning_before_it(priya: Customer) -> None:
    priya.choose(2)
    priya.answer(2)
    priya.send_with()
    text = text_of(priya.get(REVIEW))
    assert "a person looks at it before the amount changes, and we tell you why" in text
    assert "we’ll tell you before" not in text
