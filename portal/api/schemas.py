"""The shapes of the API, as in the contract. Amounts are minor units; moments are ISO 8601 with a zone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, EmailStr, Field

from portal.policy.reasons import REASONS
from portal.policy.terms import METHODS, RESOLUTIONS

CONDITIONS = ("as_new", "opened", "used", "damaged", "wrong_item", "missing")
DISPOSITIONS = ("restock", "refurbish", "return_to_vendor", "recycle", "donate", "dispose", "missing")


def _printable(text: str) -> str:
    # No database stores a NUL in text, and a lone surrogate is no character.
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("remove the unprintable characters")
    return text


Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Prose = Annotated[str, Field(max_length=4000), AfterValidator(_printable)]


class Model(BaseModel):
    """A body: unknown keys are refused, so that a misspelled one is not lost in silence."""

    model_config = ConfigDict(extra="forbid")


class Amount(BaseModel):
    """Money in the currency's minor unit."""

    amount: int
    currency: str


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str | None = None
    state: str | None = None
    errors: list[dict[str, str]] | None = None
    decision: dict[str, Any] | None = None


class WishIn(Model):
    """n units of one order line."""

    line: Word
    quantity: Annotated[int, Field(ge=1, le=1_000_000_000)]
    reason: Literal[tuple(REASONS)]  # type: ignore[valid-type]
    resolution: Literal[tuple(RESOLUTIONS)] = "refund"  # type: ignore[valid-type]
    note: Prose = ""
    exchange_sku: Word | None = None
    photos: Annotated[int, Field(ge=0, le=100)] = 0
    answers: dict[Word, bool | int | Prose] = Field(default_factory=dict, max_length=50)


class DecisionIn(Model):
    """What is asked of the policy."""

    order: Word
    lines: Annotated[list[WishIn], Field(min_length=1, max_length=1000)]
    at: AwareDatetime | None = None


class ReturnIn(Model):
    """A return to open."""

    order: Word
    lines: Annotated[list[WishIn], Field(min_length=1, max_length=1000)]
    email: EmailStr | None = None
    note: Prose = ""
    ship_with: Literal[tuple(METHODS)] | None = None  # type: ignore[valid-type]


class NoteIn(Model):
    """What staff do, with a note for the team and a message for the customer."""

    note: Prose = ""
    message: Prose = ""
    expected: Annotated[str | int | None, Field(description="The status or version you saw; another one is a 409.")] = (
        None
    )


class CountIn(Model):
    """Goods that were counted."""

    line: Word
    quantity: Annotated[int, Field(ge=0, le=1_000_000_000)]
    condition: Literal[CONDITIONS] = "as_new"
    disposition: Literal[DISPOSITIONS] | None = None
    note: Prose = ""


class CountsIn(Model):
    """A receipt or an inspection. Without ``lines`` everything announced came as new."""

    lines: Annotated[list[CountIn], Field(max_length=1000)] | None = None
    note: Prose = ""
    expected: str | int | None = None


class VariantIn(Model):
    """An article that can be sent in exchange."""

    product: Word
    name: Annotated[str, Field(max_length=300), AfterValidator(_printable)] = ""
    label: Annotated[str, Field(max_length=200), AfterValidator(_printable)] = ""
    price: Annotated[int, Field(ge=0, le=2**53)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    stock: Annotated[int, Field(ge=0, le=2**31)]


class Open(BaseModel):
    """An answer; later releases may add keys."""

    model_config = ConfigDict(extra="allow")


class VariantOut(Open):
    """An article that can be sent in exchange. ``available`` is stock less what booked exchanges hold."""

    sku: str
    product: str
    label: str
    price: Amount
    stock: int
    available: int


class DecidedLine(Open):
    """The policy's answer for one line."""

    line: str
    answer: Literal["accept", "review", "refuse"]
    causes: list[dict[str, Any]]
    terms: dict[str, Any]
    quote: dict[str, Any]


class DecisionOut(Open):
    """The policy's answer. Nothing was changed."""

    lines: list[DecidedLine]
    quote: dict[str, Any]


class OrderOut(Open):
    """An order, with the units left to return per line."""

    number: str
    currency: str
    lines: list[dict[str, Any]]
    payments: list[dict[str, Any]]


class OrdersOut(Open):
    """A page of orders."""

    orders: list[OrderOut]
    next: str | None


class ReturnOut(Open):
    """A return."""

    rma: str
    status: str
    quote: dict[str, Any]


class ReturnsOut(Open):
    """A page of returns."""

    returns: list[ReturnOut]
    next: str | None


class RefundOut(Open):
    """One movement of money back to one payment."""

    id: str
    status: str
    amount: Amount
    payment_intent: str | None
    stripe_refund_id: str | None
    failure_reason: str | None


class RefundsOut(Open):
    """A page of refunds."""

    refunds: list[RefundOut]
    next: str | None = None


class PageQuery(Model):
    """Where to go on in a list."""

    cursor: Annotated[str | None, Field(max_length=200)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ReturnsQuery(PageQuery):
    """Which returns."""

    status: Annotated[str | None, Field(max_length=20)] = None
    order: Annotated[str | None, Field(max_length=100)] = None
    email: Annotated[str | None, Field(max_length=320)] = None


class OrdersQuery(PageQuery):
    """Which orders. ``replacements`` lists those that send out an exchange."""

    replacements: bool = False
    email: Annotated[str | None, Field(max_length=320)] = None


class RefundsQuery(PageQuery):
    """Which refunds."""

    status: Annotated[str | None, Field(max_length=20)] = None
