"""Over which payments an amount goes back. Pure.

In: an amount and what each payment still has. Out: one share per payment, and what nobody can pay.
Invariants: shares are positive, never above what a payment has, and with the remainder sum to the amount; what a service
counts in steps (three-decimal currencies move in tens) is met exactly. Never: a share rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.money import exponent


@dataclass(frozen=True, slots=True)
class Pot:
    """A payment that money can go back to: minor units it still has, and the step its service pays in."""

    payment_id: int
    available_minor: int
    step: int = 1


@dataclass(frozen=True, slots=True)
class Share:
    """``amount_minor`` of the sum goes to this payment."""

    payment_id: int
    amount_minor: int


def step_of(currency: str) -> int:
    """The smallest amount Stripe moves, in minor units: a hundredth of the currency, so ten for those of three decimals.

    Source: docs.stripe.com/currencies, three-decimal currencies: the last digit is 0.
    """
    step: int = 10 ** max(exponent(currency) - 2, 0)
    return step


def payable(amount_minor: int, step: int) -> int:
    """The part of ``amount_minor`` that can be paid in whole steps. The rest is carried to the order's next payout, so that
    all payouts of an order still sum to what was paid (which is itself a multiple of the step)."""
    return amount_minor // step * step


def allocate(amount_minor: int, pots: Sequence[Pot], order: str = "as_paid") -> tuple[tuple[Share, ...], int]:
    """Shares by payment and the remainder that no payment can cover.

    ``pots`` are in the order of payment; ``order`` is ``as_paid`` or ``reverse``. Each payment is emptied before the next is
    touched, so that a customer sees as few movements as possible. Raises ValueError for a negative amount.
    """
    if amount_minor < 0:
        raise ValueError("a payout is never negative")
    if order not in ("as_paid", "reverse"):
        raise ValueError(f"`{order}` is no order of payments; there are as_paid and reverse")
    left = amount_minor
    shares: list[Share] = []
    for pot in pots if order == "as_paid" else tuple(reversed(pots)):
        share = payable(min(left, max(pot.available_minor, 0)), pot.step)
        if share > 0:
            shares.append(Share(pot.payment_id, share))
            left -= share
    return tuple(shares), left
