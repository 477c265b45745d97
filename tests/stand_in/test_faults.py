"""Faults on demand: what the caller sees, what was done all the same, and what the key answers afterwards."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import stripe

from tests.stand_in_fixture import ControlRefused, StandInHandle

# kind, its fields; what stripe-python raises with which status; refunds made; what the same key does afterwards.
TABLE: list[tuple[str, dict[str, Any], type[Exception], int | None, int, str]] = [
    ("drop_before", {}, stripe.APIConnectionError, None, 0, "runs"),
    ("timeout_after", {}, stripe.APIConnectionError, None, 1, "replays"),
    ("error", {}, stripe.APIError, 500, 0, "answers 500"),
    ("error", {"when": "after"}, stripe.APIError, 500, 1, "answers 500"),
    ("gateway", {}, stripe.APIError, 502, 0, "runs"),
    ("gateway", {"status": 503}, stripe.APIError, 503, 0, "runs"),
    ("gateway", {"status": 504, "when": "after"}, stripe.APIError, 504, 1, "replays"),
    ("conflict", {}, stripe.APIError, 409, 0, "runs"),
    ("rate_limit", {"retry_after": 7}, stripe.RateLimitError, 429, 0, "runs"),
    ("rate_limit", {"reason": ""}, stripe.RateLimitError, 429, 0, "runs"),
    ("malformed", {}, stripe.APIError, 200, 1, "replays"),
    ("truncated", {}, stripe.APIConnectionError, None, 1, "replays"),
    ("answer", {"status": 403, "error": {"message": "no", "type": "x"}}, stripe.PermissionError, 403, 0, "runs"),
    ("answer", {"status": 401, "error": {"message": "no", "type": "x"}}, stripe.AuthenticationError, 401, 0, "runs"),
]


@pytest.mark.parametrize(
    ("kind", "how", "error", "status", "made", "then"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE]
)
def test_a_fault_shows_and_leaves_what_it_says(
    stand_in: StandInHandle,
    kind: str,
    how: dict[str, Any],
    error: type[Exception],
    status: int | None,
    made: int,
    then: str,
) -> None:
    paid = stand_in.pay(2000)
    stand_in.fault(kind, path="/v1/refunds", **how)
    params, options = {"payment_intent": paid.id, "amount": 500}, {"idempotency_key": "k"}
    with pytest.raises(error) as raised:
        stand_in.client().v1.refunds.create(params, options)
    assert isinstance(raised.value, stripe.StripeError)
    assert raised.value.http_status == status
    assert len(stand_in.refunds()) == made
    for _ in range(2):
        if then == "answers 500":
            with pytest.raises(stripe.APIError) as again:
                stand_in.client().v1.refunds.create(params, options)
            assert again.value.headers is not None
            assert again.value.headers["Idempotent-Replayed"] == "true"
        else:
            refund = stand_in.client().v1.refunds.create(params, options)
            replayed = "Idempotent-Replayed" in refund.last_response.headers
            assert replayed is (then == "replays")
            then = "replays"
    assert len(stand_in.refunds()) == (0 if then == "answers 500" and not made else 1)


def test_429_says_when_to_come_back_and_why(stand_in: StandInHandle) -> None:
    for reason, code in (("endpoint-rate", "rate_limit"), ("", "lock_timeout")):
        stand_in.fault("rate_limit", retry_after=7, reason=reason)
        with pytest.raises(stripe.RateLimitError) as limited:
            stand_in.client().v1.refunds.list()
        headers = limited.value.headers or {}
        # stripe-python fills `code` for 400, 402 and 404 only; for the others it is in the error object.
        assert (headers["Retry-After"], limited.value.error.code) == ("7", code)
        assert headers.get("Stripe-Rate-Limited-Reason", "") == reason


def test_the_sdk_s_own_retries_use_one_key_and_make_one_refund(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    stand_in.fault("timeout_after", path="/v1/refunds")
    stand_in.client(max_network_retries=2).v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    tries = stand_in.requests("POST", "/v1/refunds")
    assert [(one["fault"], one["status"], one["replayed"]) for one in tries] == [
        ("timeout_after", None, False),
        (None, 200, True),
    ]
    assert len({one["idempotency_key"] for one in tries}) == len(stand_in.refunds()) == 1


def test_a_hanging_answer_runs_into_the_caller_s_time_out(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    stand_in.fault("timeout_after", path="/v1/refunds", hang_ms=3000)
    impatient = stand_in.client(http_client=stripe.RequestsClient(timeout=0.2))
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    assert len(stand_in.refunds()) == 1


def test_a_delay_and_a_latency_take_their_time(stand_in: StandInHandle) -> None:
    stand_in.fault("delay", ms=80)
    for milliseconds in (80, 120):
        started = time.monotonic()
        stand_in.client().v1.refunds.list()
        assert time.monotonic() - started >= milliseconds / 1000
        stand_in.control("settings", latency_ms=120)


def test_a_fault_waits_for_its_request(stand_in: StandInHandle) -> None:
    first, second = stand_in.pay(2000), stand_in.pay(2000)
    stand_in.fault(
        "conflict", method="POST", path="/v1/refunds*", params={"payment_intent": second.id}, times=2, skip=1
    )
    client = stand_in.client()

    def refund(intent: str) -> int:
        try:
            client.v1.refunds.create({"payment_intent": intent, "amount": 100})
        except stripe.APIError as error:
            return error.http_status or 0
        return 200

    assert client.v1.refunds.list({"payment_intent": second.id}).data == []
    assert [refund(first.id), refund(second.id), refund(second.id), refund(second.id), refund(second.id)] == [
        200,
        200,
        409,
        409,
        200,
    ]


def test_a_rate_limit_holds_for_the_rest_of_its_second(stand_in: StandInHandle) -> None:
    stand_in.control("settings", rate_limit=5)
    codes = []
    for _ in range(12):
        codes.append(requests.get(f"{stand_in.url}/v1/refunds", auth=(stand_in.key, ""), timeout=5).status_code)
    assert 200 in codes
    assert 429 in codes


@pytest.mark.parametrize(
    ("call", "body", "complaint"),
    [
        ("faults", {"kind": "explode"}, "kind must be one of drop_before"),
        ("faults", {"kind": "error", "when": "never"}, "when must be before or after"),
        ("faults", {"kind": "error", "tymes": 1}, "Unknown field 'tymes'"),
        ("faults", {"kind": "delay", "ms": "long"}, "ms must be a int"),
        ("settings", {"webhook": "on"}, "Unknown setting 'webhook'"),
        ("settings", {"webhook_delivery": "maybe"}, "webhook_delivery must be one of on, hold, off"),
        ("settings", {"settle_after": "soon"}, "settle_after cannot be 'soon'"),
        ("settings", {"webhook_copies": None}, "webhook_copies cannot be None"),
        ("clock", {"seconds": -1}, "only goes forward"),
        ("balance", {"currency": "xyz", "available": 1}, "Unknown currency"),
        ("balance", {"currency": "gbp", "available": 1.5}, "available must be given as int"),
        ("disputes", {"payment_intent": "pi_none"}, "No such payment_intent"),
        ("refunds/re_none", {"status": "failed"}, "No such refund"),
        ("refunds", {"amount": 5}, "Name the payment_intent"),
        ("nothing", {"x": 1}, "No control call"),
    ],
)
def test_a_control_call_that_makes_no_sense_says_why(
    stand_in: StandInHandle, call: str, body: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ControlRefused, match=complaint.replace("(", r"\(")):
        stand_in.control(call, **body)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"7"])
def test_a_control_body_that_is_no_object_is_refused(stand_in: StandInHandle, body: bytes) -> None:
    answer = requests.post(f"{stand_in.url}/_control/settings", data=body, timeout=5)
    assert answer.status_code == 400
