"""An order as it comes in from any system, and the freezing of what was charged. Pure.

In: amounts as the source states them, integers of the currency's minor unit. Out: `Frozen`, the amounts that are kept for good.
Invariants: lines + shipping + extras + rounding = total charged; an order discount is spread by largest remainder (weights: a
line's amount after its own discount; ties by position); tax and discounts are read, never recomputed. Never: a float, a guess.
Source of the rules: the house's money rules, "Amounts".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from portal.errors import Invalid
from portal.money import is_currency, spread
from portal.orders.keys import MAX_NUMBER_KEY, hidden_sign, number_key

MAX_AMOUNT = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""
MAX_QUANTITY = 1_000_000
MAX_LINES = 5_000
MAX_REF, MAX_SKU = 64, 100
_PAYMENT_INTENT = re.compile("[A-Za-z0-9_-]{3,80}")
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000


@dataclass(frozen=True, slots=True)
class IncomingVariant:
    """An article that can be sent in exchange for one of the line's product."""

    sku: str
    label: str
    price_minor: int
    stock: int


@dataclass(frozen=True, slots=True)
class IncomingLine:
    """n units of one article. ``list_minor`` and ``discount_minor`` count as the shop shows prices: with their tax when
    ``tax_included``, else without; ``tax_minor`` is the tax that was charged for the line in the end."""

    ref: str
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    list_minor: int
    discount_minor: int = 0
    tax_minor: int = 0
    tax_included: bool = True
    discountable: bool = True
    """Whether an order discount is spread over this line too."""
    variant: str = ""
    product: str = ""
    vendor: str = ""
    category: str = ""
    type: str = ""
    tags: tuple[str, ...] = ()
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    units_gone: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    variants: tuple[IncomingVariant, ...] = ()


@dataclass(frozen=True, slots=True)
class IncomingPayment:
    """Money that was captured for the order. ``refunded_minor`` went back by other means than this portal."""

    provider: str
    captured_minor: int
    payment_intent: str | None = None
    reference: str = ""
    method: str = ""
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Extra:
    """A charge that is neither goods nor shipping: ``duties``, ``tip``, ``fee``. The amount contains its tax."""

    kind: str
    name: str
    amount_minor: int
    tax_minor: int = 0


@dataclass(frozen=True, slots=True)
class IncomingOrder:
    """One purchase, normalised. ``total_minor`` is what the source says was charged; None when it says nothing."""

    number: str
    placed_at: datetime
    currency: str
    lines: tuple[IncomingLine, ...]
    payments: tuple[IncomingPayment, ...] = ()
    email: str = ""
    source: str = "portal"
    discount_minor: int = 0
    shipping_minor: int = 0
    shipping_tax_minor: int = 0
    extras: tuple[Extra, ...] = ()
    total_minor: int | None = None
    customer_ref: str = ""
    customer_name: str = ""
    customer_tags: tuple[str, ...] = ()
    locale: str = ""
    channel: str = ""
    ship_to: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class LineAmounts(NamedTuple):
    """What was charged for all units of a line: ``list_minor - discount_minor = gross_minor``, which contains ``tax_minor``."""

    list_minor: int
    discount_minor: int
    order_discount_minor: int
    gross_minor: int
    tax_minor: int


class Frozen(NamedTuple):
    """The amounts of an order, for good."""

    lines: tuple[LineAmounts, ...]
    extras_minor: int
    rounding_minor: int
    total_minor: int


def freeze(order: IncomingOrder) -> Frozen:
    """What was charged, per line. Raises `Invalid` with a JSON pointer for each thing that makes no sense."""
    wrong = _problems(order)
    if wrong:
        raise Invalid(_sentence(wrong), wrong)
    shares = _spread_discount(order)
    lines = []
    for index, (line, share) in enumerate(zip(order.lines, shares, strict=True)):
        taxes_on_top = 0 if line.tax_included else line.tax_minor
        discount = line.discount_minor + share
        gross = line.list_minor - discount + taxes_on_top
        if line.tax_minor > gross:
            wrong[f"/lines/{index}/tax"] = (
                f"is {line.tax_minor}, more than the {gross} that was charged; give the tax after all discounts"
            )
        lines.append(LineAmounts(line.list_minor + taxes_on_top, discount, share, gross, line.tax_minor))
    extras = sum(extra.amount_minor for extra in order.extras)
    counted = sum(line.gross_minor for line in lines) + order.shipping_minor + extras
    total = counted if order.total_minor is None else order.total_minor
    if max(counted, total) > MAX_AMOUNT:
        wrong["/lines"] = "come to more than can be counted exactly"
    if wrong:
        raise Invalid(_sentence(wrong), wrong)
    return Frozen(tuple(lines), extras, total - counted, total)


def _spread_discount(order: IncomingOrder) -> tuple[int, ...]:
    if not order.discount_minor:
        return (0,) * len(order.lines)
    weights = [line.list_minor - line.discount_minor if line.discountable else 0 for line in order.lines]
    if order.discount_minor > sum(weights):
        message = f"is {order.discount_minor}, more than the {sum(weights)} of the lines it is spread over"
        raise Invalid(f"/discount {message}", {"/discount": message})
    return spread(order.discount_minor, weights)


def _sentence(wrong: Mapping[str, str]) -> str:
    return "; ".join(f"{pointer} {message}" for pointer, message in wrong.items())


def _problems(order: IncomingOrder) -> dict[str, str]:
    wrong: dict[str, str] = {}
    key = number_key(order.number)
    if not key or max(len(key), len(order.number)) > MAX_NUMBER_KEY:
        wrong["/number"] = f"is no order number of 1 to {MAX_NUMBER_KEY} signs"
    elif sign := hidden_sign(order.number):
        wrong["/number"] = f"has the hidden character {sign}; leave it out"
    if not is_currency(order.currency):
        wrong["/currency"] = f"`{order.currency[:20]}` is no ISO 4217 code such as `GBP`"
    _moment(order.placed_at, "/placed_at", wrong)
    _amount(order.discount_minor, "/discount", wrong)
    _amount(order.shipping_minor, "/shipping/amount", wrong)
    if not 0 <= order.shipping_tax_minor <= order.shipping_minor:
        wrong["/shipping/tax"] = f"is not between 0 and the shipping charged, {order.shipping_minor}"
    if order.total_minor is not None:
        _amount(order.total_minor, "/total", wrong)
    for index, extra in enumerate(order.extras):
        if not 0 <= extra.tax_minor <= extra.amount_minor <= MAX_AMOUNT:
            wrong[f"/extras/{index}"] = "has an amount below zero or a tax that is no part of it"
    for index, payment in enumerate(order.payments):
        at = f"/payments/{index}"
        _amount(payment.captured_minor, f"{at}/captured", wrong)
        if payment.payment_intent is not None and not _PAYMENT_INTENT.fullmatch(payment.payment_intent):
            # Cut or cleaned it could be the id of somebody else's payment.
            wrong[f"{at}/payment_intent"] = (
                f"`{payment.payment_intent[:20]}…` is no id of a payment (3 to 80 letters, digits, _)"
            )
        if not 0 <= payment.refunded_minor <= payment.captured_minor:
            wrong[f"{at}/refunded"] = f"is not between 0 and what was captured, {payment.captured_minor}"
    _lines(order, wrong)
    return wrong


def _lines(order: IncomingOrder, wrong: dict[str, str]) -> None:
    if not 1 <= len(order.lines) <= MAX_LINES:
        wrong["/lines"] = f"are {len(order.lines)}; an order has 1 to {MAX_LINES}"
        return
    seen: set[str] = set()
    for index, line in enumerate(order.lines):
        # One comparison for the usual case; which field it was is found out only when something is wrong.
        if (
            0 < line.quantity <= MAX_QUANTITY
            and 0 <= line.units_gone <= line.quantity
            and 0 <= line.discount_minor <= line.list_minor <= MAX_AMOUNT
            and 0 <= line.tax_minor <= MAX_AMOUNT
            and 0 <= line.unit_price_minor <= MAX_AMOUNT
            and 0 < len(line.ref) <= MAX_REF
            and len(line.sku) <= MAX_SKU
            and line.ref not in seen
            and line.delivered_at is None
            and line.shipped_at is None
        ):
            seen.add(line.ref)
            continue
        _line(line, f"/lines/{index}", line.ref in seen, wrong)
        seen.add(line.ref)


def _line(line: IncomingLine, at: str, twice: bool, wrong: dict[str, str]) -> None:
    if not 0 < len(line.ref) <= MAX_REF:
        wrong[f"{at}/id"] = f"has {len(line.ref)} signs; give it 1 to {MAX_REF}"
    elif twice:
        wrong[f"{at}/id"] = f"`{line.ref}` is used by another line too"
    if len(line.sku) > MAX_SKU:
        wrong[f"{at}/sku"] = f"has {len(line.sku)} signs, more than {MAX_SKU}"
    if not 0 < line.quantity <= MAX_QUANTITY:
        wrong[f"{at}/quantity"] = f"is {line.quantity}; give 1 to {MAX_QUANTITY}"
    if not 0 <= line.units_gone <= max(line.quantity, 0):
        wrong[f"{at}/returned"] = f"is {line.units_gone}, not between 0 and the quantity {line.quantity}"
    _amount(line.unit_price_minor, f"{at}/unit_price", wrong)
    _amount(line.list_minor, f"{at}/charged", wrong)
    _amount(line.tax_minor, f"{at}/tax", wrong)
    if not 0 <= line.discount_minor <= line.list_minor:
        wrong[f"{at}/discount"] = f"is {line.discount_minor}, not between 0 and the line's amount {line.list_minor}"
    for name in ("shipped_at", "delivered_at"):
        moment = getattr(line, name)
        if moment is not None:
            _moment(moment, f"{at}/{name}", wrong)


def _amount(minor: int, pointer: str, wrong: dict[str, str]) -> None:
    if not 0 <= minor <= MAX_AMOUNT:
        wrong[pointer] = f"is {minor}; give minor units from 0 to {MAX_AMOUNT}"


def _moment(moment: datetime, pointer: str, wrong: dict[str, str]) -> None:
    if moment.tzinfo is None:
        wrong[pointer] = "has no time zone; write it like 2026-10-01T08:26:00Z"
    elif not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        wrong[pointer] = f"is not between the years {EARLIEST_YEAR} and {LATEST_YEAR}"
