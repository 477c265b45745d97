"""The reasons that are stored with returns: their codes, their words and their order."""

from __future__ import annotations

from portal.policy.reasons import FAULTS, OTHER, REASONS


def test_a_customer_is_asked_for_these_reasons_in_this_order():
    assert list(REASONS.items()) == [
        ("too-small", "It’s too small"),
        ("too-large", "It’s too big"),
        ("changed-mind", "I changed my mind"),
        ("not-as-described", "It’s not what I expected"),
        ("faulty", "It’s faulty"),
        ("damaged", "It arrived damaged"),
        ("wrong-item", "It’s the wrong item"),
        ("arrived-late", "It arrived too late"),
        ("other", "Something else"),
    ]


def test_these_are_faults_of_the_seller_and_the_last_reason_is_the_open_one():
    assert FAULTS == ("faulty", "damaged", "wrong-item", "not-as-described")
    assert list(REASONS)[-1] == OTHER
