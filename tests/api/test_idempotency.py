"""An Idempotency-Key gives the first answer again, byte for byte, and the second call has no second effect."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from sqlalchemy import func, select

from portal import clock
from portal.api.models import IdempotentAnswer
from portal.receiving.models import Receipt
from tests.api.client import Api, order, problem, wish
from tests.live import LivePortal


def calls(api: Api) -> dict[str, tuple[str, Any, Any]]:
    """One call of every POST: address, body, and another body for the same address."""
    rma = {name: api.book("", wish("1", 1, reason="faulty"))["rma"] for name in ("authorize", "refuse", "cancel")}
    rma |= {name: api.book()["rma"] for name in ("receive", "inspect")}
    api.post(f"/returns/{rma['inspect']}/receive")
    sent, number = order(), api.new_order()
    asked = {"order": number, "lines": [wish()]}
    found: dict[str, tuple[str, Any, Any]] = {
        "orders": ("/orders", sent, sent | {"email": "x@example.com"}),
        "decisions": ("/decisions", asked, asked | {"lines": [wish("2")]}),
        "returns": ("/returns", asked, asked | {"note": "another"}),
    }
    return found | {name: (f"/returns/{each}/{name}", {"note": "n"}, {"note": "m"}) for name, each in rma.items()}


POSTS = ["orders", "decisions", "returns", "authorize", "refuse", "cancel", "receive", "inspect"]


def test_the_table_has_every_post(api: Api) -> None:
    described = api.get("/openapi.json").json["paths"]
    assert {path.rpartition("/")[2] for path, each in described.items() if "post" in each} == set(POSTS)


@pytest.mark.parametrize("name", POSTS)
def test_the_same_call_with_the_same_key_gives_the_first_answer_byte_for_byte(api: Api, name: str) -> None:
    path, body, other = calls(api)[name]
    first = api.post(path, body, key=f"same-{name}")
    again = api.post(path, body, key=f"same-{name}")
    assert first.status_code in (200, 201), first.text
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content_type, again.data) == (first.status_code, first.content_type, first.data)
    refused = problem(api.post(path, other, key=f"same-{name}"), 422)
    assert refused["errors"][0]["pointer"] == "/Idempotency-Key"


def test_a_replay_books_nothing_and_gives_the_answer_of_then(api: Api) -> None:
    number = api.new_order()
    body = {"order": number, "lines": [wish("1", 2)]}
    first = api.post("/returns", body, key="once")
    api.post(f"/returns/{first.json['rma']}/cancel")
    again = api.post("/returns", body, key="once")
    assert again.data == first.data
    assert len(api.get("/returns", query_string={"order": number}).json["returns"]) == 1
    assert api.get(f"/orders/{number}").json["lines"][0]["returnable"] == 2


def test_a_replayed_receipt_counts_nothing_twice(api: Api) -> None:
    rma = api.book("", wish("1", 2))["rma"]
    body = {"lines": [{"line": "1", "quantity": 1, "condition": "as_new"}]}
    for _ in range(3):
        assert api.post(f"/returns/{rma}/receive", body, key="parcel-1").json["status"] == "in_transit"
    assert api.get(f"/returns/{rma}").json["lines"][0]["received"] == 1


def test_a_key_belongs_to_its_token_and_to_its_address(api: Api) -> None:
    other, number = api.token("admin"), api.new_order()
    body = {"order": number, "lines": [wish()]}
    first = api.post("/returns", body, key="mine")
    assert api.post("/returns", body, key="mine", token=other).json["rma"] != first.json["rma"]
    problem(api.post("/decisions", body, key="mine"), 422)


def test_an_error_is_not_remembered_because_nothing_was_done(api: Api) -> None:
    sent = order()
    body = {"order": sent["number"], "lines": [wish()]}
    problem(api.post("/returns", body, key="early"), 404)
    assert api.post("/orders", sent).status_code == 201
    assert api.post("/returns", body, key="early").status_code == 201


def test_a_key_is_new_again_after_a_day(api: Api) -> None:
    number = api.new_order()
    body = {"order": number, "lines": [wish()]}
    first = api.post("/returns", body, key="daily")
    with time_machine.travel(clock.now() + timedelta(hours=23, minutes=59)):
        assert api.post("/returns", body, key="daily").data == first.data
    with time_machine.travel(clock.now() + timedelta(hours=24, minutes=1)):
        later = api.post("/returns", body, key="daily")
    assert later.status_code == 201
    assert later.json["rma"] != first.json["rma"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_an_unusable_key_is_422_and_nothing_happens(api: Api, key: str) -> None:
    number = api.new_order()
    for path in ("/returns", "/decisions"):
        answer = api.post(path, {"order": number, "lines": [wish()]}, headers={"Idempotency-Key": key})
        assert problem(answer, 422)["errors"][0]["pointer"] == "/Idempotency-Key"
    assert api.get(f"/orders/{number}").json["lines"][0]["returnable"] == 2


def test_what_is_remembered_does_not_grow_with_replays(api: Api) -> None:
    body = {"order": api.new_order(), "lines": [wish()]}
    for _ in range(3):
        api.post("/decisions", body, key="few")
    with api.ports.database.read() as session:
        count = select(func.count()).select_from(IdempotentAnswer).where(IdempotentAnswer.key == "few")
        assert session.scalar(count) == 1
        assert session.scalar(select(func.count()).select_from(Receipt).where(Receipt.command_key == "few")) == 0


def test_answers_are_forgotten_after_a_day_by_whoever_comes_next(api: Api) -> None:
    body = {"order": api.new_order(), "lines": [wish()]}
    for number in range(8):
        api.post("/decisions", body, key=f"old-{number}")
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        for number in range(8):
            api.post("/decisions", body, key=f"new-{number}")
    with api.ports.database.read() as session:
        left = session.scalars(select(IdempotentAnswer.key).where(IdempotentAnswer.key.like("old-%"))).all()
    assert left == []


def test_eight_calls_at_once_with_one_key_book_one_return(live: LivePortal) -> None:
    headers = {"Authorization": f"Bearer {live.token()}"}
    number = str(order(number=f"LIVE-KEY-{clock.now().timestamp()}")["number"])
    sent = order(number=number)
    assert requests.post(f"{live.url}/api/v1/orders", json=sent, headers=headers, timeout=30).status_code == 201
    body = {"order": number, "lines": [wish("1", 1)]}

    def book(_: int) -> requests.Response:
        return requests.post(
            f"{live.url}/api/v1/returns", json=body, headers=headers | {"Idempotency-Key": "race"}, timeout=60
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(book, range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    booked = requests.get(f"{live.url}/api/v1/returns", params={"order": number}, headers=headers, timeout=30).json()
    assert len(booked["returns"]) == 1
