"""What becomes of a refund: pending, failed late, canceled, waiting for balance, disputed, and where the money is then."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stand_in_fixture import ControlRefused, StandInHandle, running_stand_in


def _refund(
    stand_in: StandInHandle, token: str = "pm_card_visa", amount: int = 500, paid: int = 2000, **more: Any
) -> Any:
    intent = stand_in.pay(paid, "jpy" if token == "pm_konbini" else "gbp", payment_method=token)
    return stand_in.client().v1.refunds.create({"payment_intent": intent.id, "amount": amount, **more})


def _left(stand_in: StandInHandle, refund: Any) -> int:
    charge = stand_in.client().v1.charges.retrieve(refund.charge)
    return charge.amount - charge.amount_refunded


@pytest.mark.parametrize(
    ("token", "status", "prefix", "details"),
    [
        ("pm_card_visa", "succeeded", "re_", "card"),
        ("pm_card_refundFail", "succeeded", "re_", "card"),
        ("pm_card_pendingRefund", "pending", "re_", "card"),
        ("pm_sepa_debit", "pending", "pyr_", "sepa_debit"),
        ("pm_konbini", "requires_action", "pyr_", "konbini"),
    ],
)
def test_a_refund_starts_as_its_payment_method_does(
    stand_in: StandInHandle, token: str, status: str, prefix: str, details: str
) -> None:
    refund = _refund(stand_in, token, metadata={"return_id": "7"}, reason="requested_by_customer")
    assert (refund.status, refund.id.startswith(prefix), refund.destination_details.type) == (status, True, details)
    assert (refund.metadata["return_id"], refund.reason, refund.amount) == ("7", "requested_by_customer", 500)
    assert refund.customer is None
    assert refund.payment_method.startswith("pm_")
    assert ("pending_reason" in refund) is (status == "pending")
    assert _left(stand_in, refund) == 1500


def test_a_pending_refund_succeeds_and_a_refund_to_a_dead_card_fails_after_the_set_time(
    stand_in: StandInHandle,
) -> None:
    stand_in.control("settings", settle_after=60)
    pending, doomed = _refund(stand_in, "pm_card_pendingRefund"), _refund(stand_in, "pm_card_refundFail")
    assert stand_in.control("clock", seconds=30)["happened"] == 0
    assert stand_in.control("clock", seconds=31)["happened"] == 2
    retrieve = stand_in.client().v1.refunds.retrieve
    after = retrieve(pending.id)
    assert (after.status, "pending_reason" in after) == ("succeeded", False)
    failed = retrieve(doomed.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert (failed.failure_balance_transaction.amount, failed.failure_balance_transaction.type) == (
        500,
        "refund_failure",
    )
    assert _left(stand_in, doomed) == 2000


def test_time_alone_settles_without_a_control_call() -> None:
    with running_stand_in(settle_after=0) as own:
        refund = _refund(own, "pm_card_pendingRefund")
        own.set_webhook("http://127.0.0.1:9/none")
        for _ in range(2000):
            if own.client().v1.refunds.retrieve(refund.id).status == "succeeded":
                return
        raise AssertionError("the refund stayed pending")


@pytest.mark.parametrize("reason", ["lost_or_stolen_card", "declined", "merchant_request", "unknown"])
def test_a_failed_refund_gives_its_amount_back_and_never_revives(stand_in: StandInHandle, reason: str) -> None:
    refund = _refund(stand_in, amount=2000)
    failed = stand_in.control(f"refunds/{refund.id}", status="failed", failure_reason=reason)
    assert (failed["failure_reason"], _left(stand_in, refund)) == (reason, 2000)
    with pytest.raises(ControlRefused, match="stays so"):
        stand_in.control(f"refunds/{refund.id}", status="succeeded")
    assert stand_in.client().v1.refunds.create({"payment_intent": refund.payment_intent}).amount == 2000


def test_some_accounts_refuse_to_refund_a_card_that_failed_once(stand_in: StandInHandle) -> None:
    stand_in.control("settings", refund_after_failure="refuse")
    refund = _refund(stand_in)
    stand_in.control(f"refunds/{refund.id}", status="failed")
    with pytest.raises(stripe.InvalidRequestError, match="A previous attempt to refund"):
        stand_in.client().v1.refunds.create({"payment_intent": refund.payment_intent})


def test_only_a_refund_that_waits_for_the_customer_can_be_canceled_or_expire(stand_in: StandInHandle) -> None:
    client = stand_in.client()
    canceled = client.v1.refunds.cancel(_refund(stand_in, "pm_konbini", instructions_email="a@example.com").id)
    assert (canceled.status, canceled.failure_reason, canceled.next_action) == ("canceled", "merchant_request", None)
    assert _left(stand_in, canceled) == 2000
    waiting = _refund(stand_in, "pm_konbini", instructions_email="a@example.com")
    assert waiting.next_action.display_details.email_sent.email_sent_to == "a@example.com"
    assert client.v1.test_helpers.refunds.expire(waiting.id).status == "failed"
    for token in ("pm_card_visa", "pm_card_pendingRefund"):
        with pytest.raises(stripe.InvalidRequestError, match="not requires_action"):
            client.v1.refunds.cancel(_refund(stand_in, token).id)


def test_only_metadata_changes_and_keys_merge(stand_in: StandInHandle) -> None:
    client = stand_in.client()
    refund = _refund(stand_in, metadata={"a": "1", "b": "2"})
    assert client.v1.refunds.update(refund.id, {"metadata": {"b": "", "c": "3"}}).metadata.to_dict() == {
        "a": "1",
        "c": "3",
    }
    assert client.v1.refunds.update(refund.id, {"metadata": ""}).metadata.to_dict() == {}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: amount"):
        client.v1.refunds.update(refund.id, {"amount": 1})


def test_an_empty_balance_keeps_card_refunds_waiting_until_there_is_money(stand_in: StandInHandle) -> None:
    first = stand_in.pay(2000)
    stand_in.control("balance", currency="gbp", available=300)
    refund = stand_in.client().v1.refunds.create({"payment_intent": first.id, "amount": 500})
    assert (refund.status, refund.pending_reason, refund.balance_transaction) == ("pending", "insufficient_funds", None)
    assert _left(stand_in, refund) == 1500
    stand_in.control("balance", currency="gbp", available=499)
    assert stand_in.client().v1.refunds.retrieve(refund.id).status == "pending"
    stand_in.pay(100)  # a sale brings the balance above what is wanted
    paid_out = stand_in.client().v1.refunds.retrieve(refund.id)
    assert (paid_out.status, paid_out.balance_transaction is not None) == ("succeeded", True)
    assert stand_in.client().v1.balance.retrieve().available[0].amount == 99


def test_a_refund_that_waited_for_balance_then_goes_the_way_of_its_card(stand_in: StandInHandle) -> None:
    stand_in.control("settings", settle_after=60)
    pending, doomed = (
        stand_in.pay(500, payment_method="pm_card_pendingRefund"),
        stand_in.pay(500, payment_method="pm_card_refundFail"),
    )
    stand_in.control("balance", currency="gbp", available=0)
    made = [stand_in.client().v1.refunds.create({"payment_intent": paid.id}) for paid in (pending, doomed)]
    stand_in.control(f"refunds/{made[0].id}", status="pending")  # asking for what it is changes nothing
    for advance, expected in [
        (0, [("pending", "insufficient_funds"), ("pending", "insufficient_funds")]),
        (0, [("pending", "processing"), ("succeeded", None)]),
        (61, [("succeeded", None), ("failed", None)]),
    ]:
        stand_in.control("clock", seconds=advance)
        assert [(one["status"], one.get("pending_reason")) for one in stand_in.refunds()] == expected
        stand_in.control("balance", currency="gbp", available=1000)


def test_an_empty_balance_fails_other_refunds_and_may_refuse_at_once(stand_in: StandInHandle) -> None:
    debit, card = stand_in.pay(2000, payment_method="pm_sepa_debit"), stand_in.pay(2000)
    stand_in.control("balance", currency="gbp", available=0)
    failed = stand_in.client().v1.refunds.create({"payment_intent": debit.id})
    assert (failed.status, failed.failure_reason, _left(stand_in, failed)) == ("failed", "insufficient_funds", 2000)
    stand_in.control("settings", short_balance="refuse")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stand_in.client().v1.refunds.create({"payment_intent": card.id})
    assert refused.value.code == "balance_insufficient"


def test_a_dispute_fails_the_refunds_that_were_pending(stand_in: StandInHandle) -> None:
    refund = _refund(stand_in, "pm_card_pendingRefund")
    stand_in.control("disputes", payment_intent=refund.payment_intent, reason="product_not_received")
    after = stand_in.client().v1.refunds.retrieve(refund.id)
    assert (after.status, after.failure_reason) == ("failed", "charge_for_pending_refund_disputed")


def test_the_bank_s_reference_arrives_later_and_a_reversal_has_none(stand_in: StandInHandle) -> None:
    stand_in.control("settings", reference_after=7 * 86400)
    refund = _refund(stand_in)
    card = refund.destination_details.card
    assert (card.type, card.reference_status, "reference" in card) == ("refund", "pending", False)
    stand_in.control("clock", seconds=7 * 86400 + 1)
    card = stand_in.client().v1.refunds.retrieve(refund.id).destination_details.card
    assert (card.reference_status, card.reference_type) == ("available", "acquirer_reference_number")
    assert len(card.reference) == 23
    stand_in.control("settings", reversal_within=3600)
    reversal = _refund(stand_in).destination_details.card
    assert (reversal.type, "reference" in reversal) == ("reversal", False)


def test_the_next_refunds_become_what_was_asked_for(stand_in: StandInHandle) -> None:
    stand_in.control("settings", next_refunds=["pending", "requires_action", "failed"])
    assert [_refund(stand_in).status for _ in range(4)] == ["pending", "requires_action", "failed", "succeeded"]


def test_every_movement_is_a_balance_transaction(stand_in: StandInHandle) -> None:
    refund = _refund(stand_in)
    stand_in.control(f"refunds/{refund.id}", status="failed")
    rows = stand_in.client().v1.balance_transactions.list({"expand": ["data.source"]}).data
    assert [(row.type, row.amount) for row in rows] == [("refund_failure", 500), ("refund", -500), ("charge", 2000)]
    assert [row.source.id for row in rows[:2]] == [refund.id, refund.id]
    only = stand_in.client().v1.balance_transactions.list({"type": "refund"}).data
    assert [row.amount for row in only] == [-500]


def test_a_refund_by_hand_follows_the_same_rules_and_names_no_request(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    made = stand_in.control("refunds", payment_intent=paid.id, amount=1500)
    assert (made["status"], made["metadata"]) == ("succeeded", {})
    with pytest.raises(ControlRefused, match="greater than unrefunded amount"):
        stand_in.control("refunds", payment_intent=paid.id, amount=501)
    event = stand_in.client().v1.events.list({"type": "refund.created"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)
