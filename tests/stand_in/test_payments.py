"""PaymentIntents and charges: the ways a payment is taken, held, captured in part, declined and canceled."""

from __future__ import annotations

import pytest
import stripe

from tests.stand_in_fixture import ControlRefused, StandInHandle


def test_a_payment_is_shown_with_the_fields_a_portal_reads(stand_in: StandInHandle) -> None:
    customer = stand_in.client().v1.customers.create({"email": "ada@example.com"})
    paid = stand_in.pay(
        2000, description="Order 1001", metadata={"order": "1001"}, customer=customer.id,
        expand=["latest_charge.balance_transaction", "customer", "payment_method"],
    )  # fmt: skip
    assert (paid.status, paid.amount_received, paid.currency, paid.description) == (
        "succeeded",
        2000,
        "gbp",
        "Order 1001",
    )
    charge = paid.latest_charge
    assert (charge.paid, charge.captured, charge.amount_captured, charge.refunded) == (True, True, 2000, False)
    assert charge.payment_method_details.card.last4 == "4242"
    assert (charge.balance_transaction.amount, charge.balance_transaction.type) == (2000, "charge")
    assert charge.metadata["order"] == "1001"
    assert paid.customer.email == "ada@example.com"
    assert paid.payment_method.card.brand == "visa"
    assert stand_in.client().v1.payment_methods.retrieve(paid.payment_method.id).id == paid.payment_method.id


def test_create_then_confirm_equals_both_at_once(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 2000, "currency": "gbp", "allowed_payment_method_types": ["card"]}
    )
    assert intent.status == "requires_payment_method"
    confirmed = client.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_mastercard", "return_url": "https://example.com"}
    )
    assert (confirmed.status, confirmed.payment_method_types) == ("succeeded", ["card"])
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.payment_intents.confirm(intent.id)
    assert again.value.code == "payment_intent_unexpected_state"


def test_a_decline_is_402_and_leaves_a_failed_charge(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 2000, "currency": "gbp", "allowed_payment_method_types": ["card"]}
    )
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    after = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (after.status, after.latest_charge.status) == ("requires_payment_method", "failed")
    # The next try succeeds; the failed charge stays, and a refund by PaymentIntent picks the one that took money.
    client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    charges = client.v1.charges.list({"payment_intent": intent.id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]
    assert client.v1.refunds.create({"payment_intent": intent.id}).charge == charges.data[0].id


def test_manual_capture_holds_then_takes(stand_in: StandInHandle) -> None:
    held = stand_in.pay(2000, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 2000, 0)
    taken = stand_in.client().v1.payment_intents.capture(held.id)
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 2000, 0)


def test_a_partial_capture_looks_as_if_the_rest_were_refunded(stand_in: StandInHandle) -> None:
    held = stand_in.pay(20675, capture_method="manual")
    client = stand_in.client()
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 20300, "expand": ["latest_charge"]})
    charge = taken.latest_charge
    assert (taken.amount, taken.amount_received) == (20675, 20300)
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded, charge.refunded) == (
        20675,
        20300,
        375,
        False,
    )
    released = client.v1.refunds.list({"payment_intent": held.id}).data
    assert [(one.amount, one.balance_transaction) for one in released] == [(375, None)]
    with pytest.raises(stripe.InvalidRequestError, match=r"£203\.01"):
        client.v1.refunds.create({"payment_intent": held.id, "amount": 20301})
    assert client.v1.refunds.create({"payment_intent": held.id}).amount == 20300


def test_more_than_was_held_cannot_be_captured(stand_in: StandInHandle) -> None:
    held = stand_in.pay(2000, capture_method="manual")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stand_in.client().v1.payment_intents.capture(held.id, {"amount_to_capture": 2001})
    assert refused.value.code == "amount_too_large"


@pytest.mark.parametrize(
    ("state", "allowed"), [("new", True), ("confirmable", True), ("held", True), ("paid", False), ("canceled", False)]
)
def test_a_payment_is_canceled_only_before_it_succeeded(stand_in: StandInHandle, state: str, allowed: bool) -> None:
    client = stand_in.client()
    if state in ("new", "confirmable"):
        token = {"payment_method": "pm_card_visa"} if state == "confirmable" else {}
        intent = client.v1.payment_intents.create({"amount": 2000, "currency": "gbp", **token})
    else:
        intent = stand_in.pay(2000, capture_method="automatic" if state == "paid" else "manual")
    if state == "canceled":
        client.v1.payment_intents.cancel(intent.id)
    if allowed:
        ended = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "requested_by_customer"})
        assert (ended.status, ended.cancellation_reason) == ("canceled", "requested_by_customer")
    else:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.cancel(intent.id)
        assert refused.value.code == "payment_intent_unexpected_state"


def test_a_card_that_wants_its_owner_waits_for_him(stand_in: StandInHandle) -> None:
    for passed, status in ((True, "succeeded"), (False, "requires_payment_method")):
        intent = stand_in.pay(2000, payment_method="pm_card_authenticationRequired")
        assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
        assert stand_in.control(f"payment_intents/{intent.id}/authenticate", passed=passed)["status"] == status
    with pytest.raises(stripe.CardError) as absent:
        stand_in.pay(2000, payment_method="pm_card_authenticationRequired", off_session=True)
    assert absent.value.code == "authentication_required"


def test_a_card_number_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError, match="unsafe"):
        client.v1.payment_intents.create(
            {
                "amount": 2000,
                "currency": "gbp",
                "payment_method_data": {"type": "card", "card": {"number": "4242424242424242"}},
            }
        )


def test_lists_page_by_cursor_both_ways_and_tell_whether_there_is_more(stand_in: StandInHandle) -> None:
    client = stand_in.client()
    paid, other = stand_in.pay(2000), stand_in.pay(500)
    made = [client.v1.refunds.create({"payment_intent": paid.id, "amount": 100}).id for _ in range(12)]
    client.v1.refunds.create({"payment_intent": other.id})
    newest_first = made[::-1]
    first = client.v1.refunds.list({"payment_intent": paid.id})
    assert ([one.id for one in first.data], first.has_more) == (newest_first[:10], True)
    rest = client.v1.refunds.list({"payment_intent": paid.id, "starting_after": newest_first[9]})
    assert ([one.id for one in rest.data], rest.has_more) == (newest_first[10:], False)
    back = client.v1.refunds.list({"payment_intent": paid.id, "ending_before": newest_first[10], "limit": 3})
    assert ([one.id for one in back.data], back.has_more) == (newest_first[7:10], True)
    walked = client.v1.refunds.list({"charge": paid.latest_charge.id, "limit": 5}).auto_paging_iter()
    assert [one.id for one in walked] == newest_first
    assert len(client.v1.refunds.list({"limit": 100}).data) == 13
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal to 100"):
        client.v1.refunds.list({"limit": 101})


def test_lists_are_narrowed_by_time(stand_in: StandInHandle) -> None:
    client = stand_in.client()
    paid = stand_in.pay(2000)
    old = client.v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    stand_in.control("clock", seconds=3600)
    new = client.v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    middle = old.created + 1800
    for created, expected in [
        ({"gte": middle}, [new.id]), ({"lt": middle}, [old.id]), (old.created, [old.id]), ({"gt": new.created}, []),
        ({"gte": old.created, "lte": new.created}, [new.id, old.id]),
    ]:  # fmt: skip
        found = client.v1.refunds.list({"created": created})
        assert [one.id for one in found.data] == expected


def test_lists_expand_what_their_items_point_at(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000)
    stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    listed = (
        stand_in.client()
        .v1.refunds.list({"expand": ["data.charge.payment_intent", "data.balance_transaction"]})
        .data[0]
    )
    assert isinstance(listed.charge, stripe.Charge)
    assert isinstance(listed.charge.payment_intent, stripe.PaymentIntent)
    assert isinstance(listed.balance_transaction, stripe.BalanceTransaction)
    assert listed.balance_transaction.amount == -100


@pytest.mark.parametrize(
    ("token", "charged_back", "status"),
    [
        ("pm_card_createDispute", True, "needs_response"),
        ("pm_card_createDisputeInquiry", False, "warning_needs_response"),
    ],
)
def test_a_chargeback_forbids_refunds_and_an_inquiry_does_not(
    stand_in: StandInHandle, token: str, charged_back: bool, status: str
) -> None:
    paid = stand_in.pay(2000, payment_method=token)
    dispute = stand_in.client().v1.disputes.list({"payment_intent": paid.id}).data[0]
    assert (dispute.status, dispute.is_charge_refundable, dispute.amount) == (status, not charged_back, 2000)
    if charged_back:
        with pytest.raises(stripe.InvalidRequestError, match="charged back"):
            stand_in.client().v1.refunds.create({"payment_intent": paid.id})
    else:
        assert stand_in.client().v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"


def test_a_dispute_that_was_won_lets_refunds_through_again(stand_in: StandInHandle) -> None:
    for end, refundable in (("won", True), ("lost", False)):
        paid = stand_in.pay(2000)
        dispute = stand_in.control("disputes", payment_intent=paid.id)
        assert stand_in.control(f"disputes/{dispute['id']}", status=end)["is_charge_refundable"] is refundable
        if refundable:
            assert stand_in.client().v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"
        else:
            with pytest.raises(stripe.InvalidRequestError, match="charged back"):
                stand_in.client().v1.refunds.create({"payment_intent": paid.id})
        with pytest.raises(ControlRefused, match="is closed"):
            stand_in.control(f"disputes/{dispute['id']}", status="needs_response")
