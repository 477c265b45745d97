"""Idempotency keys: saved once executing began, replayed as they were, refused for anything else, gone after a day."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from tests.stand_in_fixture import StandInHandle

DAY = 24 * 3600


def _post(stand_in: StandInHandle, key: str | None, path: str = "refunds", **params: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {stand_in.key}"} | ({"Idempotency-Key": key} if key else {})
    return requests.post(f"{stand_in.url}/v1/{path}", data=params, headers=headers, timeout=10)


def test_the_same_key_and_parameters_replay_the_first_answer(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    first = _post(stand_in, "k", payment_intent=paid.id, amount=500)
    again = _post(stand_in, "k", amount=500, payment_intent=paid.id)
    assert (again.status_code, again.content) == (200, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert len(stand_in.refunds()) == 1


def test_two_keys_are_two_refunds_of_the_same_amount(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    ids = {_post(stand_in, key, payment_intent=paid.id, amount=500).json()["id"] for key in ("a", "b", "a")}
    assert len(ids) == len(stand_in.refunds()) == 2


@pytest.mark.parametrize(
    "other",
    [{"amount": 501}, {"metadata[return_id]": "8"}, {"expand[0]": "charge"}, {"reason": "duplicate"}, {"ammount": 1}],
    ids=["amount", "metadata", "expand", "reason", "an unknown one"],
)
def test_the_same_key_with_any_other_parameter_is_refused(stand_in: StandInHandle, other: dict[str, Any]) -> None:
    paid = stand_in.pay(2000)
    base = {"payment_intent": paid.id, "amount": 500, "metadata[return_id]": "7"}
    _post(stand_in, "k", **base)
    refused = _post(stand_in, "k", **{**base, **other})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "idempotency_error")
    assert "same parameters they were first used with" in refused.json()["error"]["message"]
    assert len(stand_in.refunds()) == 1


def test_the_same_key_on_another_endpoint_is_refused(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    _post(stand_in, "k", payment_intent=paid.id, amount=500)
    client = stand_in.client()
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.payment_intents.create({"amount": 500, "currency": "gbp"}, {"idempotency_key": "k"})


def test_a_business_refusal_is_saved_and_stays_even_when_its_cause_is_gone(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    dispute = stand_in.control("disputes", payment_intent=paid.id)
    refused = _post(stand_in, "k", payment_intent=paid.id)
    stand_in.control(f"disputes/{dispute['id']}", status="won")
    again = _post(stand_in, "k", payment_intent=paid.id)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (refused.content, "true")
    assert again.json()["error"]["code"] == "charge_disputed"
    assert _post(stand_in, "new", payment_intent=paid.id).status_code == 200


def test_a_decline_is_saved(stand_in: StandInHandle) -> None:
    params = {
        "amount": 2000, "currency": "gbp", "confirm": "true", "payment_method": "pm_card_chargeDeclined",
        "allowed_payment_method_types[0]": "card",
    }  # fmt: skip
    first = _post(stand_in, "k", "payment_intents", **params)
    again = _post(stand_in, "k", "payment_intents", **params)
    assert (first.status_code, again.status_code, again.content) == (402, 402, first.content)
    assert len(stand_in.control("payments")["data"]) == 1


@pytest.mark.parametrize("wrong", [{"amount": "abc"}, {"amount": 0}, {"ammount": 5}, {"payment_intent": ""}])
def test_a_parameter_error_is_not_saved(stand_in: StandInHandle, wrong: dict[str, Any]) -> None:
    paid = stand_in.pay(2000)
    good = {"payment_intent": paid.id, "amount": 500}
    assert _post(stand_in, "k", **{**good, **wrong}).status_code == 400
    fixed = _post(stand_in, "k", **good)
    assert (fixed.status_code, "Idempotent-Replayed" in fixed.headers) == (200, False)


def test_an_unauthorized_request_saves_nothing(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    wrong = stripe.StripeClient("sk_test_other", base_addresses={"api": stand_in.url})
    with pytest.raises(stripe.AuthenticationError):
        wrong.v1.refunds.create({"payment_intent": paid.id}, {"idempotency_key": "k"})
    assert _post(stand_in, "k", payment_intent=paid.id).status_code == 200


def test_a_key_runs_again_after_a_day_and_not_a_second_earlier(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    first = _post(stand_in, "k", payment_intent=paid.id, amount=500).json()["id"]
    stand_in.control("clock", seconds=DAY - 60)
    assert _post(stand_in, "k", payment_intent=paid.id, amount=500).json()["id"] == first
    stand_in.control("clock", seconds=60)
    assert _post(stand_in, "k", payment_intent=paid.id, amount=500).json()["id"] != first
    assert len(stand_in.refunds()) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_key_in_use_is_409_and_saves_nothing_of_it(stand_in: StandInHandle, when: str) -> None:
    paid = stand_in.pay(2000)
    stand_in.fault("hold", path="/v1/refunds", method="POST", when=when)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_post, stand_in, "k", payment_intent=paid.id, amount=500)
        _until_one_waits(stand_in)
        with pytest.raises(stripe.APIError) as busy:
            stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": 500}, {"idempotency_key": "k"})
        # stripe-python leaves `code` of an APIError empty; it is in the error object.
        assert (busy.value.http_status, busy.value.error.code) == (409, "idempotency_key_in_use")
        assert not isinstance(busy.value, stripe.IdempotencyError)
        assert len(stand_in.refunds()) == (1 if when == "after" else 0)
        assert stand_in.control("faults/release", "POST")["released"] == 1
        first = running.result(10).json()["id"]
    assert _post(stand_in, "k", payment_intent=paid.id, amount=500).json()["id"] == first


@pytest.mark.parametrize("key", ["x" * 256, "x" * 5000])
def test_a_key_is_at_most_255_characters(stand_in: StandInHandle, key: str) -> None:
    paid = stand_in.pay(2000)
    assert _post(stand_in, key, payment_intent=paid.id).json()["error"]["type"] == "idempotency_error"
    assert _post(stand_in, "x" * 255, payment_intent=paid.id).status_code == 200


def test_twenty_at_once_with_one_key_are_one_refund(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: _post(stand_in, "k", payment_intent=paid.id, amount=500), range(20)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert [refund["amount"] for refund in stand_in.refunds()] == [500]


def test_many_at_once_never_refund_more_than_was_paid(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(1000)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: _post(stand_in, f"k{n}", payment_intent=paid.id, amount=70), range(40)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(400)) == (14, 26)
    charge = stand_in.client().v1.charges.retrieve(paid.latest_charge.id)
    assert charge.amount_refunded == sum(refund["amount"] for refund in stand_in.refunds()) == 980


def _until_one_waits(stand_in: StandInHandle) -> None:
    until = time.monotonic() + 10
    while not any(fault["waiting"] for fault in stand_in.control("faults")["data"]):
        assert time.monotonic() < until, "no request came to the fault"
        time.sleep(0.005)
