"""`POST /hooks/stripe`: only what Stripe signed is kept, once, and a database that is down lets Stripe send it again."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal import bootstrap, clock, jobs
from portal.api.hooks import MAX_BYTES
from portal.db import Database
from portal.flow import Ports
from portal.refunds.models import StripeEvent
from portal.refunds.signatures import TOLERANCE_S, sign
from portal.refunds.webhooks import MAX_BODY

SECRET = "whsec_test"
_numbers = itertools.count(1)


def event(**changes: Any) -> bytes:
    """The bytes of an event with a fresh id."""
    made = {
        "id": f"evt_{next(_numbers)}",
        "type": "refund.updated",
        "data": {"object": {"object": "refund", "id": "re_1"}},
    }
    return json.dumps(made | changes).encode()


def send(app: APIFlask, body: bytes, signature: str | None = None) -> TestResponse:
    """Deliver it as Stripe does; ``signature`` empty sends none."""
    signed = sign(body, SECRET, clock.now()) if signature is None else signature
    headers = {"Stripe-Signature": signed} if signed else {}
    return app.test_client().post("/hooks/stripe", data=body, headers=headers, content_type="application/json")


def kept(ports: Ports) -> tuple[int, int]:
    """How many events and how many jobs there are."""
    with ports.database.read() as session:
        works = select(func.count()).select_from(jobs.Job).where(jobs.Job.name == "work_stripe_event")
        return session.scalar(select(func.count()).select_from(StripeEvent)) or 0, session.scalar(works) or 0


def test_a_signed_event_is_kept_once_with_one_job_however_often_it_is_sent(app: APIFlask, ports: Ports) -> None:
    body, before = event(), kept(ports)
    answers = [send(app, body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json["new"] for answer in answers] == [True, False, False]
    assert kept(ports) == (before[0] + 1, before[1] + 1)


FORGED = {
    "no signature": lambda body: "",
    "nonsense": lambda body: "t=1,v1=00",
    "no time": lambda body: sign(body, SECRET, clock.now()).partition(",")[2],
    "another secret": lambda body: sign(body, "whsec_other", clock.now()),
    "another body": lambda body: sign(body + b" ", SECRET, clock.now()),
    "too old": lambda body: sign(body, SECRET, clock.now() - timedelta(seconds=TOLERANCE_S + 5)),
    "not ASCII": lambda body: "t=1,v1=é",
    "a number without end": lambda body: "t=" + "9" * 400 + ",v1=00",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_stripe_did_not_sign_just_now_is_400_and_nothing_is_stored(
    app: APIFlask, ports: Ports, forge: Any
) -> None:
    body, before = event(), kept(ports)
    answer = send(app, body, forge(body))
    assert (answer.status_code, answer.content_type) == (400, "application/json")
    assert kept(ports) == before


NO_EVENTS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    event(id=7),
    event(id=""),
    event(id="e" * 81),
    event(type=None),
    event(data={}),
    event(data={"object": "re_1"}),
    b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_a_signed_body_that_is_no_event_is_400_and_nothing_is_stored(app: APIFlask, ports: Ports, body: bytes) -> None:
    before = kept(ports)
    assert send(app, body).status_code == 400
    assert kept(ports) == before


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 400), (MAX_BYTES, 400), (MAX_BYTES + 1, 413)]
)
def test_a_body_that_is_longer_than_any_event_is_refused(app: APIFlask, ports: Ports, size: int, status: int) -> None:
    before = kept(ports)
    assert send(app, event().ljust(size)).status_code == status
    assert kept(ports) == (before if status != 200 else (before[0] + 1, before[1] + 1))


def test_no_cookie_and_no_csrf_token_are_asked_for_and_a_get_is_405(app: APIFlask) -> None:
    assert send(app, event()).status_code == 200
    assert app.test_client().get("/hooks/stripe").status_code == 405


def test_a_database_that_is_down_is_a_5xx_so_that_stripe_sends_it_again(ports: Ports, tmp_path: Path) -> None:
    down = Database(f"sqlite:///{tmp_path / 'nowhere' / 'portal.sqlite3'}")
    broken = bootstrap.create_app(ports=replace(ports, database=down))
    body, before = event(), kept(ports)
    assert send(broken, body).status_code >= 500
    assert send(bootstrap.create_app(ports=ports), body).json["new"] is True
    assert kept(ports) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("secrets", [(), ("",), (" ",)])
def test_without_a_secret_nothing_is_believed(ports: Ports, secrets: tuple[str, ...]) -> None:
    bare = replace(ports, config=replace(ports.config, stripe_webhook_secrets=secrets))
    body = event()
    for signature in ("", sign(body, "", clock.now()), sign(body, " ", clock.now())):
        assert send(bootstrap.create_app(ports=bare), body, signature).status_code == 400
