"""Amounts, dates and moments as people read them, in their locale. Shared by pages, mails and papers.

In: minor units, dates, aware moments, a locale (`en_GB`). Out: text. Invariant: an amount reads the same everywhere.
Never: a rounding, but in `whole_money`; a date without its zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, get_currency_name

from portal.money import Money, exponent

MINUS = "\N{MINUS SIGN}"


@lru_cache(maxsize=256)
def locale_of(text: str, default: str = "en_GB") -> Locale:
    """``en-GB`` or ``en_GB`` as a locale; ``default`` when nobody knows it."""
    try:
        return Locale.parse(text.replace("-", "_")) if text else Locale.parse(default)
    except (ValueError, UnknownLocaleError):
        return Locale.parse(default)


@lru_cache(maxsize=256)
def _pattern(locale: str, digits: int) -> str:
    # The locale's own pattern with exactly the currency's digits: CLDR shows fewer where coins are out of use.
    found: str = locale_of(locale).currency_formats["standard"].pattern
    head, point, _ = found.partition(".")
    return head if not point else head + ("." + "0" * digits if digits else "") + found[len(head) + 3 :]


def money(minor: int, currency: str, locale: str = "en_GB", *, signed: bool = False) -> str:
    """``−£3.50``: symbol first where the locale has it so, a true minus before it; ``signed`` also writes the plus."""
    amount = Money(abs(minor), currency).decimal
    text = format_currency(
        amount, currency, _pattern(locale, exponent(currency)), locale_of(locale), currency_digits=False
    )
    return (MINUS if minor < 0 else "+" if signed and minor else "") + _spaced(text)


def said(amount: Money) -> str:
    """``£541.00``: an amount inside a sentence that a stage writes for staff, in English as those are."""
    return money(amount.minor, amount.currency)


def _spaced(text: str) -> str:
    """``KWD 12.345``: where a currency has letters alone for a symbol, CLDR sets it off with a space that does not break."""
    return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", "\N{NO-BREAK SPACE}", text)


def whole_money(minor: int, currency: str, locale: str = "en_GB", *, signed: bool = False) -> str:
    """``£3,055``: whole units, half up, for figures that are looked at and not paid (simulations, analytics)."""
    unit = 10 ** exponent(currency)
    amount = (abs(minor) * 2 + unit) // (unit * 2)
    text = format_currency(amount, currency, _pattern(locale, 0), locale_of(locale), currency_digits=False)
    return (MINUS if minor < 0 and amount else "+" if signed and minor > 0 and amount else "") + _spaced(text)


def _english(locale: Locale) -> bool:
    return locale.language == "en"


def day(value: date, locale: str = "en_GB") -> str:
    """``12 November 2026``."""
    found = locale_of(locale)
    return format_date(value, "d MMMM y" if _english(found) else "long", found)


def weekday(value: date, locale: str = "en_GB") -> str:
    """``Tuesday 1 December 2026``, for deadlines."""
    found = locale_of(locale)
    return format_date(value, "EEEE d MMMM y" if _english(found) else "full", found)


def short_day(value: date, locale: str = "en_GB") -> str:
    """``Sat 28 Nov 2026``."""
    found = locale_of(locale)
    return format_date(value, "EEE d MMM y" if _english(found) else "medium", found)


def moment(value: datetime, zone: str, locale: str = "en_GB") -> str:
    """``Tue 17 Nov 2026, 14:32``, in the shop's zone."""
    found = locale_of(locale)
    pattern = "EEE d MMM y, HH:mm" if _english(found) else "medium"
    return format_datetime(value.astimezone(ZoneInfo(zone)), pattern, locale=found)


def clock_time(value: datetime, zone: str) -> str:
    """``14:32``, in the shop's zone."""
    return value.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def masked_email(email: str) -> str:
    """Enough of an address to be recognised by those who know it: ``p•••@example.com``."""
    return f"{email[:1]}•••@{email.rpartition('@')[2]}" if "@" in email else email


def country(code: str, locale: str = "en_GB") -> str:
    """``Germany`` of ``DE``; the code where the locale has no name for it."""
    return str(locale_of(locale).territories.get(code, code))


def currency(code: str, locale: str = "en_GB") -> str:
    """``British pounds`` of ``GBP``, as an amount of several is called; the code where the locale has no name for it."""
    return str(get_currency_name(code, count=2, locale=locale_of(locale)))


def language_name(locale: str) -> str:
    """The language's own name for itself: ``English (UK)``."""
    found = locale_of(locale)
    if str(found) == "en_GB":
        return "English (UK)"
    return (found.get_display_name(found) or str(found)).capitalize()
