"""Money as integers of the currency's minor unit, and the three ways it is ever divided.

In: integers and ISO 4217 codes. Out: `Money` and tuples of integers.
Invariants: no float, no rounding that is not named; whatever is divided sums to what went in.
Never: a conversion between currencies; two currencies in one sum raise `CurrencyMismatch`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import total_ordering

from babel.core import get_global

# ISO 4217 minor units as in CLDR's supplemental data (the digits of the currency, not its cash rounding). Where CLDR shows
# fewer digits than ISO because nobody uses the coins (HUF, TWD, UAH …), the ISO figure is what payment systems count in.
_ISO_TWO_WHERE_CLDR_IS_COARSER = frozenset(
    "AFN ALL AMD COP CRC CZK DKK GYD HUF IDR IRR KPW LAK LBP LUF MMK MNT MRU MUR NOK PKR RSD RUB SEK SLE SLL SOS STD STN "
    "SYP TWD TZS UZS YER ZMK".split()
)
_DIGITS = get_global("currency_fractions")


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were compared or added."""


def exponent(currency: str) -> int:
    """How many decimal digits the currency's minor unit has: 2 for GBP, 0 for JPY, 3 for KWD."""
    if currency in _ISO_TWO_WHERE_CLDR_IS_COARSER:
        return 2
    digits: int = _DIGITS.get(currency, _DIGITS["DEFAULT"])[0]
    return digits


def is_currency(code: str) -> bool:
    """True for a current or historic ISO 4217 code in upper case."""
    return code in get_global("all_currencies")


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency, in its minor unit (pence, yen, fils)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"an amount is a whole number of minor units, not {self.minor!r}")

    @classmethod
    def parse(cls, text: str) -> Money:
        """``300 GBP`` or ``GBP 3.50`` as money. Raises ValueError with the fix in its sentence."""
        match = re.fullmatch(r"\s*(?:(?P<c1>[A-Z]{3})\s*)?(?P<n>-?\d+(?:\.\d+)?)(?:\s*(?P<c2>[A-Z]{3}))?\s*", text)
        if not match or bool(match["c1"]) == bool(match["c2"]):
            raise ValueError(f"`{text}` is no amount; write it like `300 GBP`")
        return cls.from_decimal(match["n"], match["c1"] or match["c2"])

    @classmethod
    def from_decimal(cls, amount: str | Decimal | int, currency: str) -> Money:
        """A decimal amount in major units as money; more digits than the currency has are refused, never rounded."""
        if not is_currency(currency):
            raise ValueError(f"`{currency}` is no ISO 4217 currency")
        try:
            scaled = Decimal(amount).scaleb(exponent(currency))
        except InvalidOperation:
            raise ValueError(f"`{amount}` is no amount") from None
        if not scaled.is_finite() or scaled != scaled.to_integral_value():
            raise ValueError(f"`{amount}` has more digits than {currency} has")
        return cls(int(scaled), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be compared or added")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    def to_json(self) -> dict[str, object]:
        """The wire form of `contract.md`: minor units and the code."""
        return {"amount": self.minor, "currency": self.currency}


def spread(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """``amount`` over ``weights`` by largest remainder, ties to the earlier position; sums exactly to ``amount``.

    Weights are not negative. When all are zero the whole amount falls on the first one, so that nothing is lost.
    """
    if not weights:
        if amount:
            raise ValueError("there is nothing to spread the amount over")
        return ()
    if min(weights) < 0:
        raise ValueError("weights are not negative")
    if amount < 0:
        return tuple(-share for share in spread(-amount, weights))
    total = sum(weights)
    if total == 0:
        return (amount, *(0 for _ in weights[1:]))
    shares = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda position: (-remainders[position], position))
    for position in order[: amount - sum(shares)]:
        shares[position] += 1
    return tuple(shares)


def units_worth(amount: int, quantity: int, first: int, last: int) -> int:
    """What units ``first``..``last`` (counted from 1, both included) of ``quantity`` are worth by cumulative floor.

    The first k units are worth floor(amount * k / quantity), so that any order of returns sums to ``amount``.
    """
    if not 1 <= first <= last <= quantity:
        raise ValueError(f"units {first} to {last} are not among 1 to {quantity}")
    return amount * last // quantity - amount * (first - 1) // quantity


def share_bp(amount: int, basis_points: int) -> int:
    """``basis_points`` ten-thousandths of ``amount``, half a unit rounded up (away from zero for the shop's customer)."""
    if amount < 0:
        return -share_bp(-amount, basis_points)
    return (amount * basis_points + 5_000) // 10_000
