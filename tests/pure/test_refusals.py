"""Every code that Stripe gives for a refund means one thing to staff and one to the customer."""

from __future__ import annotations

import re

import pytest

from portal.refunds.refusals import REFUSALS, UNKNOWN_CODE, Next, explain, explain_state

# docs.stripe.com: failure_reason of a Refund; what refuses a refund; idempotent requests and low-level errors; and our own
# words where Stripe has no code (a refusal told by its parameter, an answer that never came, settings).
CODES = {
    "lost_or_stolen_card": Next.STAFF_ELSEWHERE,
    "expired_or_canceled_card": Next.STAFF_ELSEWHERE,
    "charge_for_pending_refund_disputed": Next.NOBODY,
    "insufficient_funds": Next.SHOP,
    "declined": Next.STAFF_AGAIN,
    "merchant_request": Next.STAFF_AGAIN,
    "unknown": Next.STAFF_AGAIN,
    "charge_already_refunded": Next.STAFF_LOOK,
    "amount_too_large": Next.STAFF_LOOK,
    "charge_disputed": Next.NOBODY,
    "refund_disputed_payment": Next.NOBODY,
    "not_captured": Next.STAFF_LOOK,
    "parameter_unknown": Next.SHOP,
    "parameter_invalid_integer": Next.SHOP,
    "parameter_missing": Next.SHOP,
    "resource_missing": Next.SHOP,
    "balance_insufficient": Next.SHOP,
    "amount_not_payable": Next.STAFF_ELSEWHERE,
    "refused": Next.STAFF_LOOK,
    "idempotency_error": Next.STAFF_LOOK,
    "idempotency_key_in_use": Next.PORTAL,
    "conflict": Next.PORTAL,
    "lock_timeout": Next.PORTAL,
    "rate_limit": Next.PORTAL,
    "quiet": Next.PORTAL,
    "no_answer": Next.PORTAL,
    "http_500": Next.PORTAL,
    "http_502": Next.PORTAL,
    "http_503": Next.PORTAL,
    "http_504": Next.PORTAL,
    "http_529": Next.PORTAL,
    "unreadable_amount": Next.STAFF_LOOK,
    "authentication": Next.SHOP,
    "permission": Next.SHOP,
    "no_api_key": Next.SHOP,
    "never_arrived": Next.STAFF_AGAIN,
    "processing": Next.PORTAL,
    "charge_pending": Next.PORTAL,
    "requires_action": Next.CUSTOMER,
    "daily_cap": Next.STAFF_AGAIN,
    "second_person": Next.STAFF_LOOK,
    "taken_back": Next.STAFF_LOOK,
    "given_up": Next.STAFF_LOOK,
    "part_taken_back": Next.STAFF_AGAIN,
    "canceled": Next.STAFF_AGAIN,
    "failed": Next.STAFF_AGAIN,
    "a_code_of_the_year_2030": Next.STAFF_AGAIN,
    "": Next.STAFF_AGAIN,
}


@pytest.mark.parametrize(("code", "after"), CODES.items(), ids=lambda value: str(value) or "none")
def test_each_code_says_who_acts_next(code: str, after: Next) -> None:
    assert explain(code).next is after


def test_the_table_here_names_every_code_of_the_table_there() -> None:
    assert set(REFUSALS) - {"pending_insufficient_funds"} <= set(CODES)


@pytest.mark.parametrize("code", [*REFUSALS, "of_the_future"])
def test_staff_read_what_and_what_to_do_and_the_customer_a_neutral_sentence(code: str) -> None:
    found = explain(code)
    assert found.what
    assert found.what[0].isupper()
    assert found.what[-1] != "."
    assert found.todo.endswith(".")
    assert found.told.endswith(".")
    # No name of a provider, no balance, no key, no suspicion.
    assert not re.search(r"stripe|balance|\bkey\b|portal|stolen|disput|fraud|fault|refused", found.told, re.IGNORECASE)


@pytest.mark.parametrize(
    ("status", "failure", "pending", "what"),
    [
        ("pending", "", "insufficient_funds", "Pending, action by merchant: the Stripe balance is too low"),
        ("pending", "", "processing", "The bank is working on it"),
        ("pending", "", "charge_pending", "The payment itself is not settled yet"),
        ("pending", "", "", None),
        ("requires_action", "", "", "The customer’s bank details are needed"),
        ("succeeded", "", "", None),
        ("failed", "insufficient_funds", "", "The Stripe balance was too low"),
        ("failed", "", "", "The bank sent it back"),
        ("canceled", "canceled", "", "It was canceled before it was paid"),
        ("canceled", "", "", "It was canceled before it was paid"),
        ("unknown", "http_500", "", "Stripe had a fault of its own"),
        ("unknown", "", "", "Stripe did not answer"),
        ("unknown", "of_the_future", "", "Stripe did not answer"),
        ("planned", "", "", None),
        ("planned", "authentication", "", "Stripe does not accept our key"),
        ("submitted", "", "", None),
    ],
)
def test_a_state_is_explained_by_status_and_reason(status: str, failure: str, pending: str, what: str | None) -> None:
    found = explain_state(status, failure, pending)
    assert (found.what if found else None) == what


def test_a_word_of_the_future_is_no_dispute_and_loses_nothing() -> None:
    assert explain("of_the_future") is UNKNOWN_CODE
    assert not UNKNOWN_CODE.disputed
    assert [code for code, found in REFUSALS.items() if found.disputed] == [
        "charge_for_pending_refund_disputed",
        "charge_disputed",
        "refund_disputed_payment",
    ]
