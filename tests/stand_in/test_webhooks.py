"""Webhooks: which events come, that they verify, that they come at least once, and every way they go wrong on demand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import stripe

from tests.stand_in.conftest import Receiver
from tests.stand_in_fixture import WEBHOOK_SECRET, ControlRefused, StandInHandle


def _refund(stand_in: StandInHandle, token: str = "pm_card_visa", **more: Any) -> Any:
    paid = stand_in.pay(2000, payment_method=token)
    return stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": 500, **more})


def test_a_refund_s_events_arrive_signed_and_tell_who_caused_them(hooked: StandInHandle, receiver: Receiver) -> None:
    paid = hooked.pay(2000)
    refund = hooked.client().v1.refunds.create(
        {"payment_intent": paid.id, "amount": 500, "metadata": {"return_id": "7"}}, {"idempotency_key": "refund:7"}
    )
    hooked.wait_for_webhooks()
    events = receiver.events(WEBHOOK_SECRET)
    assert [event.type for event in events] == [
        "payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "refund.created", "charge.refunded",
    ]  # fmt: skip
    created, refunded = events[3:]
    assert (created.data.object["id"], created.data.object["metadata"]["return_id"]) == (refund.id, "7")
    assert (created.api_version, created.livemode, created.request.idempotency_key) == (
        "2026-10-28.endive",
        False,
        "refund:7",
    )
    assert refunded.data.object["amount_refunded"] == 500
    assert "refunds" not in refunded.data.object
    assert refunded.data.previous_attributes.to_dict() == {"amount_refunded": 0}
    assert len({event.id for event in events}) == 5


@pytest.mark.parametrize(
    ("token", "then", "expected"),
    [
        ("pm_card_pendingRefund", {"status": "succeeded"}, ["refund.updated", "charge.refund.updated"]),
        ("pm_card_visa", {"status": "failed"}, ["refund.failed", "refund.updated", "charge.refund.updated"]),
        ("pm_card_visa", {"reference": True}, ["refund.updated", "charge.refund.updated"]),
        ("pm_card_visa", {"status": "succeeded"}, []),
    ],
    ids=["settles", "fails late", "gets its reference", "nothing changed"],
)
def test_what_happens_later_is_told(
    hooked: StandInHandle, receiver: Receiver, token: str, then: dict[str, Any], expected: list[str]
) -> None:
    refund = _refund(hooked, token)
    hooked.wait_for_webhooks()
    receiver.got.clear()
    hooked.control(f"refunds/{refund.id}", **then)
    hooked.wait_for_webhooks()
    assert receiver.types() == expected
    for event in receiver.events(WEBHOOK_SECRET):
        assert event.data.object["status"] == then.get("status", "succeeded")


def test_a_dispute_is_told_from_opening_to_closing(hooked: StandInHandle, receiver: Receiver) -> None:
    paid = hooked.pay(2000)
    hooked.wait_for_webhooks()
    receiver.got.clear()
    dispute = hooked.control("disputes", payment_intent=paid.id)
    for status in ("under_review", "won"):
        hooked.control(f"disputes/{dispute['id']}", status=status)
    hooked.wait_for_webhooks()
    names = ("created", "funds_withdrawn", "updated", "funds_reinstated", "closed")
    assert receiver.types() == [f"charge.dispute.{name}" for name in names]


def test_an_unhappy_receiver_is_tried_again_with_a_new_signature(hooked: StandInHandle, receiver: Receiver) -> None:
    hooked.control("settings", webhook_backoff=[3600])
    receiver.answers = [500, 302]  # a redirect is a failure too
    hooked.client().v1.customers.create({"email": "a@example.com"})
    for tries in (1, 2, 3):
        hooked.wait_for_webhooks()
        assert len(receiver.got) == tries
        hooked.control("clock", seconds=3601)
    hooked.wait_for_webhooks()
    assert len({event.id for event in receiver.events(WEBHOOK_SECRET)}) == 1
    delivery = hooked.control("deliveries")["data"][0]
    assert (delivery["state"], delivery["attempts"], len(receiver.got)) == ("delivered", 3, 3)


def test_nobody_there_is_given_up_after_the_last_try_and_stays_listed(stand_in: StandInHandle) -> None:
    stand_in.set_webhook("http://127.0.0.1:9/nobody")
    stand_in.control("settings", webhook_tries=1)
    stand_in.client().v1.customers.create({"email": "a@example.com"})
    stand_in.wait_for_webhooks()
    delivery = stand_in.control("deliveries")["data"][0]
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)
    lost = stand_in.client().v1.events.list({"delivery_success": False}).data
    assert [(event.type, event.pending_webhooks) for event in lost] == [("customer.created", 1)]
    assert stand_in.client().v1.events.list({"delivery_success": True}).data == []


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        ("wrong", "No signatures found matching"),
        ("stale", "outside the tolerance"),
        ("missing", "No Stripe-Signature header value"),
    ],
)
def test_a_bad_signature_does_not_verify(hooked: StandInHandle, receiver: Receiver, mode: str, complaint: str) -> None:
    hooked.control("settings", webhook_signature=mode)
    hooked.client().v1.customers.create({"email": "a@example.com"})
    hooked.wait_for_webhooks()
    mark, body = receiver.got[0]
    with pytest.raises(stripe.SignatureVerificationError, match=complaint):
        stripe.Webhook.construct_event(body, mark or "", WEBHOOK_SECRET)


def test_during_a_roll_both_secrets_verify(hooked: StandInHandle, receiver: Receiver) -> None:
    hooked.set_webhook(receiver.url, "whsec_new", "whsec_old")
    hooked.client().v1.customers.create({"email": "a@example.com"})
    hooked.wait_for_webhooks()
    assert len(receiver.events("whsec_new")) == len(receiver.events("whsec_old")) == 1


def test_a_duplicate_is_the_same_event_and_a_clone_is_another(hooked: StandInHandle, receiver: Receiver) -> None:
    for settings, events, arrivals in [({"webhook_copies": 3}, 1, 3), ({"webhook_clone": True}, 2, 2)]:
        receiver.got.clear()
        hooked.reset()
        hooked.control("settings", **settings)
        hooked.client().v1.customers.create({"email": "a@example.com"})
        hooked.wait_for_webhooks()
        ids = Counter(event.id for event in receiver.events(WEBHOOK_SECRET))
        assert (len(ids), sum(ids.values())) == (events, arrivals)
        assert len({event.data.object["id"] for event in receiver.events(WEBHOOK_SECRET)}) == 1


def test_a_request_s_events_can_come_last_first(hooked: StandInHandle, receiver: Receiver) -> None:
    hooked.control("settings", webhook_reverse=True)
    hooked.pay(2000)
    hooked.wait_for_webhooks()
    assert receiver.types() == ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]


@pytest.mark.parametrize("order", ["created", "reverse", "shuffle"])
def test_held_webhooks_go_in_the_order_asked_for(hooked: StandInHandle, receiver: Receiver, order: str) -> None:
    hooked.control("settings", webhook_delivery="hold")
    made = [hooked.client().v1.customers.create({"email": f"{n}@example.com"}).id for n in range(6)]
    hooked.wait_for_webhooks()
    assert receiver.got == []
    assert hooked.control("webhooks/release", order=order, seed=4)["released"] == 6
    hooked.wait_for_webhooks()
    arrived = [event.data.object["id"] for event in receiver.events(WEBHOOK_SECRET)]
    assert sorted(arrived) == sorted(made)
    assert (arrived == made, arrived == made[::-1]) == (order == "created", order == "reverse")


def test_only_some_held_webhooks_may_go(hooked: StandInHandle, receiver: Receiver) -> None:
    hooked.control("settings", webhook_delivery="hold")
    _refund(hooked)
    wanted = hooked.client().v1.events.list({"type": "refund.created"}).data[0].id
    assert hooked.control("webhooks/release", only=[wanted])["released"] == 1
    hooked.wait_for_webhooks()
    assert receiver.types() == ["refund.created"]


def test_switched_off_webhooks_are_never_sent_but_listed_and_can_be_resent(
    hooked: StandInHandle, receiver: Receiver
) -> None:
    hooked.control("settings", webhook_delivery="off")
    _refund(hooked)
    hooked.wait_for_webhooks()
    assert receiver.got == []
    listed = hooked.client().v1.events.list({"types": ["refund.created", "refund.failed"]}).data
    assert [event.type for event in listed] == ["refund.created"]
    assert hooked.client().v1.events.retrieve(listed[0].id).id == listed[0].id
    for _ in range(2):
        assert hooked.control(f"events/{listed[0].id}/resend", "POST")["queued"] == 1
    hooked.wait_for_webhooks()
    assert receiver.types() == ["refund.created", "refund.created"]


def test_an_endpoint_gets_only_the_events_it_wants(stand_in: StandInHandle, receiver: Receiver) -> None:
    client = stand_in.client()
    for endpoint in client.v1.webhook_endpoints.list().data:
        client.v1.webhook_endpoints.delete(endpoint.id)
    made = client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["refund.created"]})
    _refund(stand_in)
    stand_in.wait_for_webhooks()
    assert made.secret is not None
    assert [event.type for event in receiver.events(made.secret)] == ["refund.created"]
    assert "secret" not in client.v1.webhook_endpoints.retrieve(made.id)
    client.v1.webhook_endpoints.delete(made.id)


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "http://127.0.0.1.example.com/", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"]
)
def test_nothing_is_ever_sent_to_another_machine(stand_in: StandInHandle, url: str) -> None:
    with pytest.raises(ControlRefused, match="this machine only"):
        stand_in.set_webhook(url)
