"""The portal's minor units and Stripe's, which are not always the same.

In: an integer in one and the currency. Out: the integer in the other. Invariants: exact both ways; what does not fit is refused
with a sentence. Never: a rounding, a float.
Source: docs.stripe.com/currencies. Stripe's table is not ISO 4217: ISK and UGX have no coins in life and two digits in the API,
always 00; amounts in three-digit currencies end in 0.
"""

from __future__ import annotations

from portal.money import Money, exponent
from portal.wording import said

_ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
# Stripe lists UGX among the zero-decimal ones too; its special case, of two digits that are 00, wins.
_WHOLE_WITH_TWO_DIGITS = frozenset("ISK UGX".split())


class AmountNotPayable(ValueError):
    """Stripe cannot move this amount exactly; the message says which step it needs."""


def stripe_exponent(currency: str) -> int:
    """How many decimal digits an amount of ``currency`` has in Stripe's API. HUF and TWD have two for payments and refunds."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def stripe_step(currency: str) -> int:
    """Stripe's amounts in ``currency`` are multiples of this, counted in Stripe's own unit."""
    if currency in _THREE_DECIMAL:
        return 10
    return 100 if currency in _WHOLE_WITH_TWO_DIGITS else 1


def to_stripe(minor: int, currency: str) -> int:
    """The portal's minor units as Stripe's integer. Raises `AmountNotPayable` when there is none."""
    more, fewer = _factors(currency)
    amount, rest = divmod(minor * more, fewer)
    if rest or amount % stripe_step(currency):
        raise AmountNotPayable(
            f"{said(Money(minor, currency))} cannot be paid by Stripe, which moves {currency} in steps of {_step(currency)}"
        )
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's integer as the portal's minor units. Raises `AmountNotPayable` when it is between two of them."""
    more, fewer = _factors(currency)
    minor, rest = divmod(amount * fewer, more)
    if rest:
        raise AmountNotPayable(f"Stripe's amount {amount} {currency} is no whole number of the currency's minor unit")
    return minor


def _factors(currency: str) -> tuple[int, int]:
    """Stripe's integer is minor units times the first, divided by the second; one of them is 1."""
    stripe, ours = 10 ** stripe_exponent(currency), 10 ** exponent(currency)
    return max(stripe // ours, 1), max(ours // stripe, 1)


def _step(currency: str) -> str:
    """The smallest amount of ``currency`` that Stripe moves, as a person writes it."""
    more, fewer = _factors(currency)
    return str(Money(max(stripe_step(currency) * fewer // more, 1), currency))
