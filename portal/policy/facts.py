"""Everything a policy may ask about n units of one order line, for one reason and one wished resolution.

In: values that the caller gathered. Out: frozen `Facts`, to and from JSON without loss.
Invariants: moments are aware; ``None`` always means "unknown", an empty tuple means "known to be none".
Never: a default that guesses. What is not given is unknown, and a rule that asks for it sends the line to a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from portal.money import Money

AnswerValue: TypeAlias = str | bool | int


class _Unchanged:
    """The type of `UNCHANGED`, which tells "keep what is there" from "make it unknown"."""


UNCHANGED: Final = _Unchanged()


def _refuse_naive(owner: object, *names: str) -> None:
    for name in names:
        moment = getattr(owner, name)
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{type(owner).__name__}.{name} needs a time zone")


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What is known about the order. One value is shared by all lines of it."""

    number: str | None = None
    placed_at: datetime | None = None
    country: str | None = None  # ISO 3166-1 alpha-2 of the delivery address
    region: str | None = None
    channel: str | None = None
    currency: str | None = None  # ISO 4217, the currency that was charged
    total: Money | None = None
    tags: tuple[str, ...] | None = None
    discount_codes: tuple[str, ...] | None = None
    discount_percent_bp: int | None = None  # all discounts together, as basis points of the price before them
    payment_method: str | None = None
    returns_so_far: int | None = None
    is_gift: bool | None = None
    is_business: bool | None = None
    fulfilment: str | None = None  # unfulfilled | partial | fulfilled
    last_delivered_at: datetime | None = None  # when the last of its goods came; None until all of them have

    def __post_init__(self) -> None:
        _refuse_naive(self, "placed_at", "last_delivered_at")


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What is known about the buyer."""

    tags: tuple[str, ...] | None = None
    email: str | None = None
    orders: int | None = None
    returns: int | None = None
    return_rate_bp: int | None = None  # units returned of units bought, in basis points
    refunded_90_days: Money | None = None
    kept_items: int | None = None
    credit_received: Money | None = None
    failed_inspections: int | None = None


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known about the order line's goods and the parcel that brought them."""

    sku: str | None = None
    product: str | None = None
    vendor: str | None = None
    type: str | None = None
    category: str | None = None
    tags: tuple[str, ...] | None = None
    price: Money | None = None  # one unit before discounts, tax as the shop shows it
    paid: Money | None = None  # one unit after all discounts, tax included, rounded down
    discounted: bool | None = None
    quantity: int | None = None  # units bought on the line
    weight_g: int | None = None  # one unit, in grams
    hazardous: bool | None = None
    is_exchange: bool | None = None  # came as the replacement of an exchange
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None

    def __post_init__(self) -> None:
        _refuse_naive(self, "shipped_at", "delivered_at")


@dataclass(frozen=True, slots=True)
class Facts:
    """One question to the policy: these units, this reason, this wish, asked at this moment."""

    order: OrderFacts = OrderFacts()
    customer: CustomerFacts = CustomerFacts()
    item: ItemFacts = ItemFacts()
    quantity: int | None = None  # units asked for: line.quantity
    line_value: Money | None = None  # what was paid for those units
    return_value: Money | None = None  # what was paid for everything in this return
    return_items: int | None = None  # units in this return
    return_is_full: bool | None = None  # true when nothing of the order stays with the customer
    reason: str | None = None
    answers: Mapping[str, AnswerValue] | None = None
    evidence: int | None = 0  # photos given so far
    resolution: str | None = None
    method: str | None = None
    at: datetime | None = None  # the moment of asking
    is_consumer: bool | None = None

    def __post_init__(self) -> None:
        _refuse_naive(self, "at")

    def asking(
        self,
        *,
        reason: str | _Unchanged | None = UNCHANGED,
        resolution: str | _Unchanged | None = UNCHANGED,
        quantity: int | _Unchanged | None = UNCHANGED,
        line_value: Money | _Unchanged | None = UNCHANGED,
        return_value: Money | _Unchanged | None = UNCHANGED,
        return_items: int | _Unchanged | None = UNCHANGED,
        return_is_full: bool | _Unchanged | None = UNCHANGED,
        answers: Mapping[str, AnswerValue] | _Unchanged | None = UNCHANGED,
        evidence: int | _Unchanged | None = UNCHANGED,
        method: str | _Unchanged | None = UNCHANGED,
        at: datetime | _Unchanged | None = UNCHANGED,
    ) -> Facts:
        """The same line with another question. What is not named stays; order, customer and item are shared, not copied."""
        keep = UNCHANGED
        return Facts(
            self.order,
            self.customer,
            self.item,
            self.quantity if quantity is keep else quantity,  # type: ignore[arg-type]
            self.line_value if line_value is keep else line_value,  # type: ignore[arg-type]
            self.return_value if return_value is keep else return_value,  # type: ignore[arg-type]
            self.return_items if return_items is keep else return_items,  # type: ignore[arg-type]
            self.return_is_full if return_is_full is keep else return_is_full,  # type: ignore[arg-type]
            self.reason if reason is keep else reason,  # type: ignore[arg-type]
            self.answers if answers is keep else answers,  # type: ignore[arg-type]
            self.evidence if evidence is keep else evidence,  # type: ignore[arg-type]
            self.resolution if resolution is keep else resolution,  # type: ignore[arg-type]
            self.method if method is keep else method,  # type: ignore[arg-type]
            self.at if at is keep else at,  # type: ignore[arg-type]
            self.is_consumer,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is unknown is left out. Moments are UTC, money is ``{"amount", "currency"}``."""
        return _to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """The facts that `to_json` wrote. Raises ValueError for a key or a value that no facts have."""
        groups = {
            "order": _from_json(OrderFacts, data.get("order", {}), "order"),
            "customer": _from_json(CustomerFacts, data.get("customer", {}), "customer"),
            "item": _from_json(ItemFacts, data.get("item", {}), "item"),
        }
        own = {key: value for key, value in data.items() if key not in groups}
        # Zero photos is the default of the dataclass; in the stored form a missing key means "unknown".
        own.setdefault("evidence", None)
        facts: Facts = _from_json(cls, own, "facts", groups)
        return facts

    def to_bytes(self) -> bytes:
        """`to_json` in canonical form: sorted keys, no blanks, UTF-8."""
        return canonical(self.to_json())


def canonical(value: object) -> bytes:
    """JSON with one spelling only, so that equal values are equal bytes and can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


_GROUPS = (OrderFacts, CustomerFacts, ItemFacts)


def _to_json(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in fields(value):
        here = getattr(value, field.name)
        if here is None:
            continue
        if isinstance(here, _GROUPS):
            inner = _to_json(here)
            if inner:
                out[field.name] = inner
        elif isinstance(here, Money):
            out[field.name] = here.to_json()
        elif isinstance(here, datetime):
            out[field.name] = here.astimezone(UTC).isoformat().replace("+00:00", "Z")
        elif isinstance(here, tuple):
            out[field.name] = list(here)
        elif isinstance(here, Mapping):
            out[field.name] = dict(here)
        else:
            out[field.name] = here
    return out


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    return value


def _read_int(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("is not a whole number")
    return value


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("is neither true nor false")
    return value


def _read_money(value: Any) -> Money:
    if not isinstance(value, Mapping) or set(value) != {"amount", "currency"}:
        raise ValueError('is not like {"amount": 1299, "currency": "GBP"}')
    return Money(_read_int(value["amount"]), _read_text(value["currency"]))


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_read_text(value))
    if moment.tzinfo is None:
        raise ValueError("needs a time zone")
    return moment


def _read_texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("is not a list of texts")
    return tuple(_read_text(each) for each in value)


def _read_answers(value: Any) -> dict[str, AnswerValue]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str | int) for each in value.values()):
        raise ValueError("is not a mapping of answers")
    return {_read_text(key): each for key, each in value.items()}


_READERS = {
    "str | None": _read_text,
    "int | None": _read_int,
    "bool | None": _read_bool,
    "Money | None": _read_money,
    "datetime | None": _read_moment,
    "tuple[str, ...] | None": _read_texts,
    "Mapping[str, AnswerValue] | None": _read_answers,
}


def _from_json(cls: Any, data: Any, where: str, given: Mapping[str, Any] | None = None) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"`{where}` is not a mapping")
    known = {field.name: str(field.type) for field in fields(cls)}
    values: dict[str, Any] = dict(given or {})
    for key, value in data.items():
        if key not in known:
            raise ValueError(f"`{where}.{key}` is no fact")
        if value is None:
            values[key] = None
            continue
        try:
            values[key] = _READERS[known[key]](value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"`{where}.{key}` {error}") from None
    return cls(**values)
