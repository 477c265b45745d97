"""Stripe's messages: signed, stored once, believed only as a hint; any one of them is enough and none is needed."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from portal import clock, jobs
from portal.db import Database
from portal.refunds import webhooks
from portal.refunds.models import StripeEvent
from portal.refunds.signatures import is_signed, sign
from tests.stages.refunds.world import World

SECRET, OTHER = "whsec_aaaaaaaaaaaaaaaaaaaa", "whsec_bbbbbbbbbbbbbbbbbbbb"
EVENT = {"id": "evt_1", "type": "refund.updated", "data": {"object": {"object": "refund", "id": "re_1"}}}
BODY = json.dumps(EVENT).encode()


def _store(
    database: Database, body: bytes = BODY, header: str | None = None, secrets: tuple[str, ...] = (SECRET,)
) -> bool:
    now = clock.now()
    return webhooks.store(database, secrets, body, sign(body, SECRET, now) if header is None else header, now)


def _stored(database: Database) -> int:
    with database.read() as session:
        return session.query(StripeEvent).count()


def test_a_message_is_stored_once_with_one_job(any_database: Database) -> None:
    assert [_store(any_database) for _ in range(3)] == [True, False, False]
    assert _stored(any_database) == 1
    job = jobs.claim(any_database, "w")
    assert job is not None
    assert (job.name, job.key, job.args) == ("work_stripe_event", "stripe:evt_1", {"event": "evt_1"})
    assert jobs.claim(any_database, "w") is None


def test_copies_that_arrive_together_are_one(pg_world: World) -> None:
    new: list[bool] = []
    threads = [threading.Thread(target=lambda: new.append(_store(pg_world.database))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * 5 + [True]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=,v1=",
        f"t={'9' * 30},v1=00",
        "t=1,v1=",
        sign(BODY, OTHER, clock.now()),
        sign(BODY + b" ", SECRET, clock.now()),
        sign(BODY, SECRET, clock.now() - timedelta(seconds=301)),
        sign(BODY, "", clock.now()),
        sign(BODY, SECRET, clock.now()).replace("v1=", "v0="),
        "t=1,v1=\N{SNOWMAN}",
    ],
    ids=[
        "none",
        "nonsense",
        "blank",
        "huge",
        "no-mac",
        "wrong-secret",
        "other-body",
        "stale",
        "no-secret",
        "v0",
        "unicode",
    ],
)
def test_what_stripe_did_not_sign_just_now_is_400_and_leaves_nothing(database: Database, header: str) -> None:
    with pytest.raises(webhooks.Rejected) as refused:
        _store(database, header=header)
    assert refused.value.status == 400
    assert _stored(database) == 0


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), (OTHER,)])
def test_a_blank_or_missing_secret_lets_nobody_in(database: Database, secrets: tuple[str, ...]) -> None:
    signer = SECRET if secrets == (OTHER,) else "".join(secrets)
    with pytest.raises(webhooks.Rejected):
        webhooks.store(database, secrets, BODY, sign(BODY, signer, clock.now()), clock.now())
    assert _stored(database) == 0


def test_two_secrets_are_good_while_one_is_rolled_over(database: Database) -> None:
    assert _store(database, secrets=(OTHER, SECRET))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"id":1}', b'{"id":"e","type":"t","data":{}}', b"[" * 100_000,
        *(b'{"id":"%s","type":"t","data":{"object":{%s}}}' % each for each in (
            (b"evt_\\ud800", b""), (b"e", b'"id":["\\ud800"]'), (b"e", b'"\\u0000":1'), (b"e", b'"amount":NaN'),
        )),
    ],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_400(database: Database, body: bytes) -> None:
    with pytest.raises(webhooks.Rejected):
        _store(database, body)
    assert _stored(database) == 0


@given(st.binary(max_size=200), st.integers(-299, 299))
def test_our_signature_is_stripes(body: bytes, age: int) -> None:
    now = clock.now()
    text = body.decode("latin-1")
    header = stripe.WebhookSignature.generate_signature_header(text, SECRET, int(now.timestamp()) - age)
    assert is_signed(text.encode(), header, [SECRET], now)
    assert stripe.WebhookSignature.verify_header(text, sign(text.encode(), SECRET, now), SECRET, 300)
    assert not is_signed(text.encode() + b"x", header, [SECRET], now)


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refunded", "charge.refund.updated"])
def test_any_one_of_the_events_is_enough(quick_world: World, kind: str) -> None:
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.stripe.fault("timeout_after", method="POST", path="/v1/refunds")
    world.submit(refund_id)
    (made,) = world.stripe.refunds()
    world.stripe.control(f"refunds/{made['id']}", status="succeeded")
    world.deliver(world.events(kind)[0])
    assert world.refund(refund_id).status == "succeeded"
    world.check_books()


def test_a_message_is_a_hint_and_what_stripe_says_now_counts(quick_world: World) -> None:
    # The message of the success comes after the failure and is the only one that comes: "refunded" would be untrue.
    world = quick_world
    _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
    world.submit(refund_id)
    (made,) = world.stripe.refunds()
    for status in ("succeeded", "failed"):
        world.stripe.control(f"refunds/{made['id']}", status=status)
    told = [each for each in world.events("refund.updated") if each["data"]["object"]["status"] == "succeeded"]
    world.deliver(told[0])
    assert world.refund(refund_id).status == "failed"
    assert world.said("refund.succeeded") == 0


@pytest.mark.parametrize("seed", range(3))
def test_clones_copies_and_any_order_end_in_the_same_books(quick_world: World, seed: int) -> None:
    world = quick_world
    world.stripe.control("settings", webhook_clone=True)
    order_id = world.order(9000, card="pm_card_refundFail", quantity=3)
    ids = [world.pay(world.return_(order_id, amount))[0] for amount in (1000, 2000, 3000)]
    world.work()
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=500)
    world.stripe.control(f"refunds/{world.refund(ids[1]).stripe_refund_id}", status="failed")
    events = world.events(
        "refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.refund.updated"
    )
    events += events
    random.Random(seed).shuffle(events)
    for event in events:
        world.deliver(event)
    assert [world.refund(refund_id).status for refund_id in ids] == ["succeeded", "failed", "succeeded"]
    assert world.refundable(order_id) == [9000 - 1000 - 3000 - 500]
    assert world.said("refund.failed") == 1
    assert world.said("refund.imported") == 1
    world.check_books()


@pytest.mark.parametrize(
    "subject",
    [
        {"object": "customer", "id": "cus_1"},
        {"object": "refund", "id": "re_nobody_knows"},
        {"object": "charge", "payment_intent": "pi_nobody_knows"},
        {"object": "charge", "payment_intent": None},
        {"object": "dispute", "payment_intent": "pi_nobody_knows"},
        {},
    ],
    ids=["customer", "unknown-refund", "unknown-charge", "charge-alone", "unknown-dispute", "empty"],
)
def test_what_nobody_knows_is_worked_with_a_sentence(quick_world: World, subject: dict[str, Any]) -> None:
    quick_world.deliver({"id": "evt_x", "type": "thing.happened", "data": {"object": subject}})
    with quick_world.database.read() as session:
        event = session.get_one(StripeEvent, "evt_x")
        assert event.worked_at is not None
        assert event.outcome


def test_a_message_waits_while_stripe_cannot_be_asked(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=500)
    world.stripe.fault("drop_before", method="GET", path="/v1/refunds*", times=2)
    (created,) = world.events("refund.created")
    world.deliver(created)
    assert world.refundable(order_id) == [5000]
    for _ in range(3):
        world.later(minutes=1)
        world.work()
    assert world.refundable(order_id) == [4500]


def test_a_refund_by_hand_waits_for_ours_that_promised_the_same_money(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    (refund_id,) = world.pay(world.return_(order_id, 5000))
    world.later(seconds=-60)
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=3000)
    world.deliver(world.events("refund.created")[0])
    world.check_books()
    world.later(minutes=2)
    world.work()
    assert world.refund(refund_id).failure_code == "amount_too_large"
    world.later(minutes=2)
    world.work()
    assert world.refundable(order_id) == [2000]
    world.check_books()


def test_real_deliveries_over_http_verify_and_settle(quick_world: World) -> None:
    world = quick_world
    with _receiver(world) as url:
        world.stripe.set_webhook(url, SECRET, world.stripe.webhook_secret)
        world.stripe.control("settings", webhook_copies=2)
        _return_id, refund_id = world.paid_return(5000, card="pm_card_pendingRefund")
        world.work()
        world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="succeeded")
        world.stripe.wait_for_webhooks()
        assert {delivery["state"] for delivery in world.stripe.control("deliveries")["data"]} == {"delivered"}
        before = _stored(world.database)
        world.stripe.control("settings", webhook_signature="wrong", webhook_tries=1)
        world.stripe.control("refunds", payment_intent=world.stripe.pay(100).id)
        world.stripe.wait_for_webhooks()
        assert _stored(world.database) == before
    world.work()
    assert world.refund(refund_id).status == "succeeded"
    world.check_books()


@contextmanager
def _receiver(world: World) -> Iterator[str]:
    """The hook as bare as it can be: raw body in, 200 or 400 out."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                webhooks.store(world.database, (SECRET,), body, self.headers.get("Stripe-Signature", ""), clock.now())
                self.send_response(200)
            except webhooks.Rejected as refused:
                self.send_response(refused.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/stripe"
    finally:
        server.shutdown()
        server.server_close()
        for endpoint in world.stripe.client().v1.webhook_endpoints.list().data:
            world.stripe.client().v1.webhook_endpoints.delete(endpoint.id)
