"""Stripe as the maker of test payments for an imported order book.

In: an amount in the portal's minor units, and a key. Out: the id of a PaymentIntent that succeeded; `UpstreamError` otherwise.
Invariants: the key of the account is a test key, or nothing is made at all; no redirects; the same idempotency key pays once.
Never: real money, telemetry.
"""

from __future__ import annotations

import stripe

from portal.adapters.stripe_money import AmountNotPayable, to_stripe
from portal.errors import ConfigError, UpstreamError
from portal.orders.payments import Paid

stripe.enable_telemetry = False

METHOD, METHOD_LABEL = "pm_card_visa", "Visa ending 4242"
TEST_KEYS = ("sk_test_", "rk_test_")
NEUTRAL = "The test payment could not be made."


class StripePayments:
    """Creates and confirms PaymentIntents with Stripe's test card."""

    def __init__(self, api_key: str, api_base: str) -> None:
        """Raises `ConfigError` unless the key is a test key."""
        if not api_key.startswith(TEST_KEYS):
            raise ConfigError(
                "--pay-with-stripe makes payments with a test card, so it needs a test key: "
                "set PORTAL_STRIPE_API_KEY to one that begins with sk_test_ or rk_test_"
            )
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")},
            # Repeating is safe: every request carries the order's own idempotency key.
            max_network_retries=3,
            http_client=stripe.RequestsClient(timeout=(3.0, 20.0)),
        )

    def pay(self, amount_minor: int, currency: str, order_number: str, *, key: str) -> Paid:
        """See `PaymentMaker`."""
        try:
            intent = self._client.v1.payment_intents.create(
                {
                    "amount": to_stripe(amount_minor, currency),
                    "currency": currency.lower(),
                    "payment_method": METHOD,
                    "confirm": True,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "metadata": {"order": order_number},
                },
                {"idempotency_key": key},
            )
        except AmountNotPayable as error:
            raise _refused("amount", str(error)) from None
        except stripe.StripeError as error:
            raise _refused(error.code or "refused", error.user_message or str(error)) from error
        if intent.status != "succeeded":
            raise _refused(intent.status, f"the payment is `{intent.status}` instead of `succeeded`")
        return Paid(intent.id, METHOD_LABEL)


def _refused(code: str, sentence: str) -> UpstreamError:
    return UpstreamError(code, retryable=False, public_message=NEUTRAL, staff_message=sentence)
