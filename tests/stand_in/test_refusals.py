"""What refuses a payment or a refund, word for word, and that a refusal changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stand_in_fixture import StandInHandle

SPENT = "Charge {charge} has already been refunded."
TOO_MUCH = "Refund amount (£20.01) is greater than unrefunded amount on charge (£20.00)"
REFUSALS: list[tuple[str, dict[str, Any], str | None, str | None, str]] = [
    ("more than the charge", {"amount": 2001}, None, "amount", TOO_MUCH),
    ("no whole number", {"amount": "abc"}, "parameter_invalid_integer", "amount", "Invalid integer: abc"),
    ("a fraction", {"amount": "0.004"}, "parameter_invalid_integer", "amount", "Invalid integer: 0.004"),
    ("an exponent", {"amount": "1e3"}, "parameter_invalid_integer", "amount", "Invalid integer: 1e3"),
    ("a number longer than any", {"amount": "9" * 40}, "parameter_invalid_integer", "amount", "Invalid integer: "),
    ("nothing", {"amount": 0}, "parameter_invalid_integer", "amount", "greater than or equal to 1"),
    ("less than nothing", {"amount": -1000}, "parameter_invalid_integer", "amount", "greater than or equal to 1"),
    ("an empty amount", {"amount": ""}, "parameter_invalid_empty", "amount", "empty string for 'amount'"),
    ("a parameter that is none", {"ammount": 1}, "parameter_unknown", "ammount", "Received unknown parameter: ammount"),
    ("two of them", {"a": 1, "b": 1}, "parameter_unknown", "a", "Received unknown parameters: a, b"),
    ("a reason of one's own", {"reason": "too_small"}, None, "reason", "Invalid reason: must be one of duplicate,"),
    ("an object for a number", {"amount": {"x": 1}}, "parameter_invalid_integer", "amount", "Invalid integer"),
    ("long metadata", {"metadata": {"k": "x" * 501}}, None, "metadata", "up to 500 characters"),
    ("a long metadata key", {"metadata": {"k" * 41: "x"}}, None, "metadata", "up to 40 characters"),
    ("too much metadata", {"metadata": {str(n): "x" for n in range(51)}}, None, "metadata", "50 keys"),
    ("another charge", {"charge": "ch_other"}, None, "charge", "does not belong"),
    ("a currency", {"currency": "gbp"}, None, "currency", "cash balance"),
    ("a transfer that is none", {"reverse_transfer": True}, None, "reverse_transfer", "connected account"),
    ("an unknown expansion", {"expand": ["metadata"]}, "parameter_unknown", "expand", "cannot be expanded"),
]


@pytest.mark.parametrize(("name", "params", "code", "param", "message"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_refund_is_refused_as_stripe_refuses_it(
    stand_in: StandInHandle, name: str, params: dict[str, Any], code: str | None, param: str | None, message: str
) -> None:
    paid = stand_in.pay(2000)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stand_in.client().v1.refunds.create({"payment_intent": paid.id, **params})
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, param)
    assert message in str(refused.value.user_message)
    assert refused.value.request_id is not None
    assert stand_in.refunds() == []


@pytest.mark.parametrize("by", ["payment_intent", "charge"])
def test_a_spent_charge_is_already_refunded(stand_in: StandInHandle, by: str) -> None:
    paid = stand_in.pay(2000)
    target = paid.id if by == "payment_intent" else paid.latest_charge.id
    for amount in (1500, None):  # without an amount: all that is left
        params = {by: target} if amount is None else {by: target, "amount": amount}
        refund = stand_in.client().v1.refunds.create(params)
    assert refund.amount == 500
    with pytest.raises(stripe.InvalidRequestError, match="has already been refunded") as refused:
        stand_in.client().v1.refunds.create({by: target, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    charge = stand_in.client().v1.charges.retrieve(paid.latest_charge.id)
    assert (charge.amount_refunded, charge.refunded) == (2000, True)


def test_what_is_left_is_said_in_the_charge_s_currency(stand_in: StandInHandle) -> None:
    for amount, currency, first, more, message in [
        (2000, "gbp", 500, 1501, "(£15.01) is greater than unrefunded amount on charge (£15.00)"),
        (2000, "eur", 500, 1501, "(€15.01) is greater than unrefunded amount on charge (€15.00)"),
        (9899, "jpy", 500, 9400, "(¥9,400) is greater than unrefunded amount on charge (¥9,399)"),
        (10000, "kwd", 10, 10000, "(10.000 KWD) is greater than unrefunded amount on charge (9.990 KWD)"),
    ]:
        paid = stand_in.pay(amount, currency)
        stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": first})
        with pytest.raises(stripe.InvalidRequestError) as refused:
            stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": more})
        assert message in str(refused.value.user_message)


@pytest.mark.parametrize(
    ("currency", "paid", "good", "bad", "step"),
    [("kwd", 12340, 2340, 2345, 10), ("isk", 50000, 500, 550, 100), ("ugx", 50000, 500, 501, 100)],
)
def test_special_currencies_want_round_amounts(
    stand_in: StandInHandle, currency: str, paid: int, good: int, bad: int, step: int
) -> None:
    intent = stand_in.pay(paid, currency)
    assert stand_in.client().v1.refunds.create({"payment_intent": intent.id, "amount": good}).amount == good
    with pytest.raises(stripe.InvalidRequestError, match=f"multiple of {step}") as refused:
        stand_in.client().v1.refunds.create({"payment_intent": intent.id, "amount": bad})
    assert refused.value.param == "amount"
    with pytest.raises(stripe.InvalidRequestError, match=f"multiple of {step}"):
        stand_in.pay(paid + 1, currency)


@pytest.mark.parametrize("state", ["unconfirmed", "authorized", "canceled", "declined"])
def test_money_that_was_never_taken_cannot_be_refunded(stand_in: StandInHandle, state: str) -> None:
    client = stand_in.client()
    if state == "unconfirmed":
        intent = client.v1.payment_intents.create({"amount": 2000, "currency": "gbp"})
    elif state == "declined":
        intent = client.v1.payment_intents.create(
            {"amount": 2000, "currency": "gbp", "allowed_payment_method_types": ["card"]}
        )
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    else:
        intent = stand_in.pay(2000, capture_method="manual")
        if state == "canceled":
            client.v1.payment_intents.cancel(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    expected = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
    assert (refused.value.code, refused.value.user_message) == (None, expected)


def test_a_charged_back_charge_is_not_refunded_again(stand_in: StandInHandle) -> None:
    paid = stand_in.pay(2000, payment_method="pm_card_createDispute")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stand_in.client().v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_disputed"
    assert refused.value.user_message == f"Charge {paid.latest_charge.id} has been charged back; cannot issue a refund."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.v1.refunds.create({"payment_intent": "pi_none"}), "No such payment_intent: 'pi_none'"),
        (lambda c: c.v1.refunds.create({"charge": "ch_none"}), "No such charge: 'ch_none'"),
        (lambda c: c.v1.refunds.retrieve("re_none"), "No such refund: 're_none'"),
        (lambda c: c.v1.refunds.list({"starting_after": "re_none"}), "No such refund: 're_none'"),
        (lambda c: c.v1.payment_intents.confirm("pi_none"), "No such payment_intent: 'pi_none'"),
        (lambda c: c.v1.charges.retrieve("ch_none"), "No such charge: 'ch_none'"),
    ],
)
def test_what_is_not_there_is_resource_missing(client: stripe.StripeClient, call: Any, message: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        call(client)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert refused.value.user_message == message


def test_neither_payment_nor_charge_is_a_missing_parameter(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent or charge") as refused:
        client.v1.refunds.create({"amount": 100})
    assert refused.value.code == "parameter_missing"


@pytest.mark.parametrize("key", ["sk_test_other", ""])
def test_a_wrong_or_missing_key_is_401(stand_in: StandInHandle, key: str) -> None:
    if key:
        wrong = stripe.StripeClient(key, base_addresses={"api": stand_in.url})
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided"):
            wrong.v1.refunds.list()
    else:
        import requests

        answer = requests.get(f"{stand_in.url}/v1/refunds", timeout=5)
        assert answer.status_code == 401
        assert "did not provide an API key" in answer.json()["error"]["message"]


def test_the_key_may_come_as_basic_authentication(stand_in: StandInHandle) -> None:
    import requests

    answer = requests.get(f"{stand_in.url}/v1/refunds", auth=(stand_in.key, ""), timeout=5)
    assert (answer.status_code, answer.json()["object"]) == (200, "list")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"amount": 2000}, "parameter_missing", "Missing required param: currency."),
        ({"currency": "gbp"}, "parameter_missing", "Missing required param: amount."),
        ({"amount": 29, "currency": "gbp"}, "amount_too_small", "Amount must be at least £0.30 gbp"),
        ({"amount": 100_000_000, "currency": "gbp"}, "amount_too_large", "no more than £999,999.99 gbp"),
        ({"amount": 2000, "currency": "xyz"}, None, "Invalid currency: xyz"),
        (
            {"amount": 2000, "currency": "gbp", "payment_method_types": ["card"]},
            "parameter_unknown",
            "payment_method_types",
        ),
        ({"amount": 2000, "currency": "gbp", "payment_method": "pm_none"}, "resource_missing", "No such PaymentMethod"),
        (
            {"amount": 2000, "currency": "gbp", "payment_method": "pm_card_visa", "confirm": True},
            None,
            "you must provide a `return_url`",
        ),
    ],
)
def test_payments_are_refused_as_stripe_refuses_them(
    client: stripe.StripeClient, params: dict[str, Any], code: str | None, message: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)
    assert refused.value.code == code
    assert message in str(refused.value.user_message)


def test_an_address_that_is_none_is_404(stand_in: StandInHandle) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        stand_in.client().v1.coupons.list()
    assert refused.value.http_status == 404
