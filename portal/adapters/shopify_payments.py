"""What was paid for a Shopify order, and what went back.

In: an order's JSON; its ``transactions`` when they were exported with it, else its financial status. Out: payments.
Invariants: without transactions nothing is said about which gateway took how much; a refunded order has nothing left.
Never: more refunded than captured.
Source: shopify.dev/docs/api/admin-rest, resources Transaction (kind, status, parent_id) and Order (financial_status).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portal.adapters.order_amounts import identifier, minor, objects, part, wrong
from portal.orders.incoming import IncomingPayment
from portal.orders.texts import clean

_PAID = frozenset({"paid", "partially_refunded", "refunded"})
Json = Mapping[str, Any]


def payments_of(data: Json, currency: str, total_minor: int) -> tuple[IncomingPayment, ...]:
    """The order's payments in minor units of ``currency``. Raises `Invalid` for one in another currency."""
    known = [each for each in objects(data, "transactions") if each.get("status") == "success"]
    taken = [each for each in known if each.get("kind") in ("sale", "capture")]
    went_back = [each for each in known if each.get("kind") == "refund"]
    ids = {each.get("id") for each in went_back}
    for refund in objects(data, "refunds"):
        went_back += [
            each
            for each in objects(refund, "transactions")
            if each.get("kind") == "refund" and each.get("status") == "success" and each.get("id") not in ids
        ]
    taken += _authorized(known)
    if not taken:
        return _by_status(data, currency, total_minor, sum(_amount(each, currency) for each in went_back))
    payments, own = _by_intent([(_payment(each, currency), _ids(each)) for each in taken])
    for refund in went_back:
        _give_back(payments, own, refund, _amount(refund, currency))
    return tuple(payments)


def _ids(transaction: Json) -> set[str]:
    return {str(transaction.get("id")), str(transaction.get("parent_id"))}


def _authorized(known: list[Json]) -> list[Json]:
    """Authorizations of Stripe that were neither captured nor voided: returns of them are captured for less, or canceled."""
    ended = {str(each.get("parent_id")) for each in known if each.get("kind") in ("capture", "void")}
    return [
        each
        for each in known
        if each.get("kind") == "authorization" and str(each.get("id")) not in ended and _intent(each) is not None
    ]


def _by_intent(
    found: list[tuple[IncomingPayment, set[str]]],
) -> tuple[list[IncomingPayment], list[set[str]]]:
    """One payment for all captures of one intent, which is one payment at Stripe."""
    payments: list[IncomingPayment] = []
    own: list[set[str]] = []
    for payment, ids in found:
        same = [at for at, each in enumerate(payments) if payment.payment_intent == each.payment_intent is not None]
        if same:
            at = same[0]
            payments[at] = replace(payments[at], captured_minor=payments[at].captured_minor + payment.captured_minor)
            own[at] |= ids
        else:
            payments.append(payment)
            own.append(ids)
    return payments, own


def _amount(transaction: Json, currency: str) -> int:
    given = transaction.get("currency")
    if given is not None and given != currency:
        raise wrong("/transactions/currency", f"is {given}, and the order was charged in {currency}")
    return max(minor(transaction.get("amount"), currency, "/transactions/amount"), 0)


def _intent(transaction: Json) -> str | None:
    receipt = part(transaction, "receipt")
    candidates = (receipt.get("payment_intent_id"), receipt.get("payment_intent"), transaction.get("authorization"))
    return next((each for each in candidates if isinstance(each, str) and each.startswith("pi_")), None)


def _payment(transaction: Json, currency: str) -> IncomingPayment:
    card, intent = part(transaction, "payment_details"), _intent(transaction)
    brand, digits = clean(card.get("credit_card_company"), 30), clean(card.get("credit_card_number"), 30)[-4:]
    gateway = clean(transaction.get("gateway"), 20)
    return IncomingPayment(
        provider="stripe" if intent else gateway or "external",
        captured_minor=_amount(transaction, currency),
        payment_intent=intent,
        reference=identifier(transaction.get("id"), 120, "/transactions/id"),
        method=f"{brand} ending {digits}" if brand and digits.isdigit() else gateway,
    )


def _give_back(payments: list[IncomingPayment], own: list[set[str]], refund: Json, amount: int) -> None:
    """Count a refund against the payment it names, else against the same gateway's, else against any with room."""
    parent, gateway = str(refund.get("parent_id")), clean(refund.get("gateway"), 20)
    order = sorted(
        range(len(payments)),
        key=lambda at: (parent not in own[at], gateway not in (payments[at].provider, payments[at].method), at),
    )
    for at in order:
        room = payments[at].captured_minor - payments[at].refunded_minor
        share = min(room, amount)
        payments[at] = replace(payments[at], refunded_minor=payments[at].refunded_minor + share)
        amount -= share


def _by_status(data: Json, currency: str, total_minor: int, back: int) -> tuple[IncomingPayment, ...]:
    status = data.get("financial_status")
    if status in _PAID:
        captured = total_minor
    elif status == "partially_paid":
        captured = max(total_minor - minor(data.get("total_outstanding"), currency, "/total_outstanding"), 0)
    else:
        captured = 0
    if not captured:
        return ()
    names = [clean(name, 40) for name in data.get("payment_gateway_names") or [data.get("gateway")] if name]
    refunded = captured if status == "refunded" else min(back, captured)
    provider = names[0][:20] if len(names) == 1 else "external"
    return (IncomingPayment(provider, captured, method=clean(", ".join(names), 60), refunded_minor=refunded),)
