"""Reading amounts, times and texts out of other systems' JSON.

In: parsed JSON (numbers with a point are `Decimal`). Out: minor units, aware moments, clean text; `Invalid` with a JSON pointer.
Invariants: amounts go from decimal text to minor units exactly; where a source counts finer than its currency the rounding is
half up, per amount, and what the amounts then lack of the total shows as the order's rounding. Never: a float.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from portal.errors import Invalid
from portal.money import exponent, is_currency
from portal.orders.incoming import MAX_AMOUNT
from portal.orders.texts import clean


def wrong(pointer: str, message: str) -> Invalid:
    """The error for one field."""
    return Invalid(f"{pointer} {message}", {pointer: message})


def identifier(value: Any, length: int, pointer: str) -> str:
    """Text that names one thing, of at most ``length`` signs. A longer one is refused: cut it could name another."""
    text = clean(value, sys.maxsize)
    if len(text) > length:
        raise wrong(pointer, f"has {len(text)} signs, more than {length}")
    return text


def currency_of(value: Any, pointer: str) -> str:
    """An ISO 4217 code."""
    code = value.upper() if isinstance(value, str) else ""
    if not is_currency(code):
        raise wrong(pointer, "is no ISO 4217 currency")
    return code


def minor(value: Any, currency: str, pointer: str) -> int:
    """A decimal amount in major units (text or number; empty is 0) as minor units, half up. May be negative."""
    return half_up(fine_minor(value, currency, pointer))


def half_up(amount: Decimal) -> int:
    """Minor units with a fraction as a whole number; a half counts up, away from zero."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def fine_minor(value: Any, currency: str, pointer: str) -> Decimal:
    """The same with its fraction of a minor unit kept, for prices that are multiplied before they are rounded."""
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong(pointer, "is no amount")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value).scaleb(exponent(currency))
    except InvalidOperation:
        raise wrong(pointer, f"`{str(value)[:40]}` is no amount") from None
    if not amount.is_finite() or abs(amount) > MAX_AMOUNT:
        raise wrong(pointer, f"`{str(value)[:40]}` is no amount that can be counted exactly")
    return amount


def count(value: Any, pointer: str) -> int:
    """A whole number, also one that is written ``2.0`` or ``"2"``."""
    if not isinstance(value, bool) and isinstance(value, str | int | Decimal):
        try:
            number = Decimal(value)
            if number == number.to_integral_value() and abs(number) < 10**12:
                return int(number)
        except InvalidOperation:
            pass
    raise wrong(pointer, "is no whole number")


def moment(value: Any, pointer: str, zone: str = "UTC") -> datetime:
    """An ISO 8601 moment; one without a zone is of ``zone``."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise wrong(pointer, "is no moment like 2026-10-01T08:26:00Z")
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def objects(parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The JSON objects of a list; an absent list is empty. Raises `Invalid` when it is something else."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise wrong(f"/{key}", "is no list of objects")
    return value


def part(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A JSON object; an absent one is empty."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
