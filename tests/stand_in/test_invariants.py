"""Whatever is done in whatever order: the sums stay true. And the objects have the fields that stripe-python knows."""

from __future__ import annotations

import contextlib
from typing import Any, get_args

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stand_in_fixture import ControlRefused, StandInHandle

PAID = 1000
_STEP = st.one_of(
    st.tuples(st.just("refund"), st.integers(1, 700)),
    st.tuples(st.just("by hand"), st.integers(1, 700)),
    st.tuples(st.sampled_from(["succeeded", "failed", "canceled", "pending"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["dispute", "win", "lose"]), st.just(0)),
    st.tuples(st.just("balance"), st.integers(0, 1500)),
    st.tuples(st.just("next pending"), st.just(0)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEP, min_size=1, max_size=14))
def test_refunds_never_sum_to_more_than_was_paid_and_every_penny_is_booked(
    stand_in: StandInHandle, steps: list[tuple[str, int]]
) -> None:
    stand_in.reset()
    paid = stand_in.pay(PAID)
    for what, number in steps:
        # A refusal is an answer too; the sums below must hold all the same.
        with contextlib.suppress(ControlRefused, stripe.InvalidRequestError):
            _do(stand_in, paid.id, what, number)
        (charge,) = stand_in.control("charges")["data"]
        refunds = stand_in.refunds()
        holding = [refund for refund in refunds if refund["status"] not in ("failed", "canceled")]
        assert charge["amount_refunded"] == sum(refund["amount"] for refund in holding) <= PAID
        assert charge["refunded"] == (charge["amount_refunded"] == PAID)
        booked = {row["id"]: row["amount"] for row in stand_in.control("balance_transactions")["data"]}
        for refund in refunds:
            out, back = refund["balance_transaction"], refund.get("failure_balance_transaction")
            assert booked.get(out, 0) == (-refund["amount"] if out else 0)
            assert booked.get(back, 0) == (refund["amount"] if back else 0)
            assert bool(back) == bool(out and refund not in holding)
            assert bool(out) or refund.get("pending_reason") == "insufficient_funds" or refund not in holding


def _do(stand_in: StandInHandle, payment: str, what: str, number: int) -> None:
    refunds = stand_in.refunds()
    disputes = stand_in.control("disputes", "GET")["data"]
    if what == "refund":
        stand_in.client().v1.refunds.create({"payment_intent": payment, "amount": number})
    elif what == "by hand":
        stand_in.control("refunds", payment_intent=payment, amount=number)
    elif what == "dispute":
        stand_in.control("disputes", payment_intent=payment)
    elif what in ("win", "lose") and disputes:
        stand_in.control(f"disputes/{disputes[-1]['id']}", status="won" if what == "win" else "lost")
    elif what == "balance":
        stand_in.control("balance", currency="gbp", available=number)
    elif what == "next pending":
        stand_in.control("settings", next_refunds=["pending"])
    elif refunds and what in ("succeeded", "failed", "canceled", "pending"):
        stand_in.control(f"refunds/{refunds[number % len(refunds)]['id']}", status=what)


@pytest.mark.parametrize(
    "kind",
    [stripe.PaymentIntent, stripe.Charge, stripe.Refund, stripe.BalanceTransaction, stripe.Dispute, stripe.Event],
)
def test_objects_have_every_field_that_stripe_python_says_is_never_null(stand_in: StandInHandle, kind: Any) -> None:
    paid = stand_in.pay(2000)
    stand_in.client().v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    stand_in.control("disputes", payment_intent=paid.id)
    client = stand_in.client().v1
    services = [
        client.payment_intents,
        client.charges,
        client.refunds,
        client.balance_transactions,
        client.disputes,
        client.events,
    ]
    shown = next(item for service in services for item in service.list().data if isinstance(item, kind))
    own = kind.__annotations__
    needed = {name for name, hint in own.items() if name.islower() and type(None) not in get_args(hint)}
    assert needed - set(shown.to_dict()) == set()
