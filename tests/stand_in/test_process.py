"""The process: where it listens, what it refuses to start with, what survives a restart or a kill; and its page."""

from __future__ import annotations

import http.client
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stand_in_fixture import ROOT, StandInHandle, running_stand_in, start_stand_in


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--key", "sk_live_1"], "must be a test key"),
        (["--webhook-url", "http://127.0.0.1:1/"], "go together"),
        (["--webhook-url", "https://example.com/", "--webhook-secret", "whsec_x"], "this machine only"),
        (["--port", "99999"], "cannot listen on port 99999"),
        (["--state", "/nowhere/at/all.sqlite3"], "cannot use /nowhere/at/all.sqlite3"),
    ],
)
def test_it_does_not_start_with_arguments_that_make_no_sense(arguments: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "stripe_stand_in", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_state_in_a_file_survives_with_its_keys(tmp_path: Path, how: str) -> None:
    state = str(tmp_path / "stripe.sqlite3")
    first = start_stand_in(state=state)
    paid = first.pay(2000)
    params, options = {"payment_intent": paid.id, "amount": 500}, {"idempotency_key": "k"}
    refund = first.client().v1.refunds.create(params, options)
    first.control("settings", next_refunds=["pending"])
    if how == "kill":
        first.process.kill()
    first.stop()
    with running_stand_in(state=state) as second:
        assert second.client().v1.refunds.create(params, options).id == refund.id
        assert second.client().v1.charges.retrieve(paid.latest_charge.id).amount_refunded == 500
        assert second.client().v1.refunds.create({"payment_intent": paid.id, "amount": 1}).status == "pending"


def test_two_on_one_file_would_not_see_each_other_so_the_second_does_not_start(tmp_path: Path) -> None:
    state = str(tmp_path / "stripe.sqlite3")
    with running_stand_in(state=state):
        command = [sys.executable, "-m", "stripe_stand_in", "--state", state]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (second.returncode, "another stand-in" in second.stderr) == (2, True)


def test_it_ends_with_the_process_that_started_it() -> None:
    handle = start_stand_in()
    assert handle.process.stdin is not None
    handle.process.stdin.close()
    assert handle.process.wait(10) == 0
    assert handle.process.stdout is not None
    handle.process.stdout.close()


def test_the_page_shows_the_money_and_nothing_a_customer_typed_becomes_markup(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000, description="<script>alert(1)</script>", metadata={"order": "<b>1001"})
    refund = stand_in.client().v1.refunds.create(
        {"payment_intent": paid.id, "amount": 551, "metadata": {"rma": "R-<7>"}}
    )
    stand_in.control("disputes", payment_intent=paid.id)
    for path, expected in (
        ("/", ["£20.00", "£5.51", refund.id]),
        (f"/payments/{paid.id}", ["refund.created", "needs response"]),
    ):
        page = requests.get(stand_in.url + path, timeout=5)
        assert page.status_code == 200
        for text in (*expected, "R-&lt;7&gt;", "&lt;script&gt;"):
            assert text in page.text
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    style = requests.get(f"{stand_in.url}/stand-in.css", timeout=5)
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert requests.get(f"{stand_in.url}/payments/pi_none", timeout=5).status_code == 404
    assert requests.post(stand_in.url, timeout=5).status_code == 405


def test_the_log_shows_each_request_with_its_key(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    stand_in.control("requests", "DELETE")
    stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": 5}, {"idempotency_key": "refund:1"})
    (seen,) = stand_in.requests()
    assert (seen["method"], seen["path"], seen["status"]) == ("POST", "/v1/refunds", 200)
    assert (seen["idempotency_key"], seen["params"]) == ("refund:1", {"payment_intent": paid.id, "amount": "5"})


def test_one_connection_carries_many_requests(stand_in: StandInHandle) -> None:
    connection = http.client.HTTPConnection(urlsplit(stand_in.url).netloc, timeout=5)
    for _ in range(3):
        connection.request("GET", "/v1/refunds", headers={"Authorization": f"Bearer {stand_in.key}"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:10]) == (200, b'{"object":')
        kept = connection.sock
        assert kept is not None
    connection.close()


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
_NAME = st.sampled_from(
    "amount payment_intent charge metadata metadata[a] expand[] expand reason created[gte] limit a[b [] metadata[a][b] amount[] "
    "starting_after".split()
)
_VALUE = st.one_of(_TEXT, st.integers().map(str), st.sampled_from(["", "-1", "1e9", "true", "pi_x", "charge.refunds"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=st.sampled_from(
        [
            "refunds",
            "payment_intents",
            "charges",
            "events",
            "refunds/re_x",
            "payment_intents/pi_x/confirm",
            "customers",
            "x",
        ]
    ),
    pairs=st.lists(st.tuples(_NAME, _VALUE), max_size=5),
    key=st.one_of(st.none(), st.text("abc", max_size=3)),
)
def test_nothing_a_client_sends_makes_a_server_error(
    stand_in: StandInHandle, method: str, path: str, pairs: list[tuple[str, str]], key: str | None
) -> None:
    answer = requests.request(
        method, f"{stand_in.url}/v1/{path}", auth=(stand_in.key, ""), timeout=5,
        headers={} if key is None else {"Idempotency-Key": key}, **{"params" if method == "GET" else "data": pairs},
    )  # fmt: skip
    assert answer.status_code in (200, 400, 404)
    assert answer.headers["Content-Type"] == "application/json"
    answer.json()


def test_a_body_without_a_length_or_too_long_is_refused(stand_in: StandInHandle) -> None:
    long = requests.post(f"{stand_in.url}/v1/refunds", data=b"x" * 1_000_001, auth=(stand_in.key, ""), timeout=5)
    assert long.status_code == 413
    parts = (part for part in (b"amount=", b"1"))
    chunked = requests.post(f"{stand_in.url}/v1/refunds", data=parts, auth=(stand_in.key, ""), timeout=5)
    assert chunked.status_code == 413


def test_the_client_of_the_fixture_does_not_retry_by_itself(stand_in: StandInHandle) -> None:
    stand_in.fault("gateway")
    with pytest.raises(stripe.APIError):
        stand_in.client().v1.refunds.list()
    assert len(stand_in.requests()) == 1
