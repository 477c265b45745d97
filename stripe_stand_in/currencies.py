"""Stripe's currencies: which there are, how many decimals each has, and which amounts are refused.

Source: docs.stripe.com/currencies. Stripe's table is not ISO 4217: ISK and UGX have no decimals in life and two in the API.
"""

from __future__ import annotations

from .errors import ApiError

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
TWO_DECIMAL = frozenset(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc "
    "cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd "
    "kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr "
    "pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs wst xcd "
    "xcg yer zar zmw".split()
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL

SYMBOLS = {
    "gbp": "£",
    "eur": "€",
    "usd": "$",
    "jpy": "¥",
    "inr": "₹",
    "krw": "₩",
    "cad": "CA$",
    "aud": "A$",
    "brl": "R$",
}

# The least that can be charged; refunds have no least amount beyond one minor unit.
MINIMUM_CHARGE = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "huf": 17500, "cad": 50, "aud": 50, "chf": 50, "inr": 50}
MAXIMUM_CHARGE = 99_999_999


def exponent(currency: str) -> int:
    """How many decimals an amount of ``currency`` (lower case) has in the API."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def step(currency: str) -> int:
    """Amounts must be a multiple of this: 10 for three-decimal currencies, 100 for ISK and UGX, else 1."""
    if currency in THREE_DECIMAL:
        return 10
    return 100 if currency in ("isk", "ugx") else 1


def show(amount: int, currency: str) -> str:
    """``2001`` of ``gbp`` as ``£20.01``: the form Stripe's own sentences use."""
    digits = exponent(currency)
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**digits)
    number = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency.upper()}"


def check_amount(amount: int, currency: str) -> None:
    """Stripe's limits on what is charged. Raises `amount_too_small`, `amount_too_large` or a wrong last digit."""
    least = MINIMUM_CHARGE.get(currency, 1)
    if amount < least:
        raise ApiError(
            f"Amount must be at least {show(least, currency)} {currency}", code="amount_too_small", param="amount"
        )
    if amount > MAXIMUM_CHARGE:
        most = show(MAXIMUM_CHARGE, currency)
        raise ApiError(f"Amount must be no more than {most} {currency}", code="amount_too_large", param="amount")
    check_step(amount, currency, "amount")


def check_step(amount: int, currency: str, param: str) -> None:
    """Three-decimal amounts end in 0, ISK and UGX in 00 [docs.stripe.com/currencies]."""
    if amount % step(currency):
        raise ApiError(
            f"Invalid integer: {amount}. Amounts in {currency.upper()} must be a multiple of {step(currency)}.",
            param=param,
        )
