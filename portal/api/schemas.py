"""What the API takes, as in the contract. Amounts are minor units; moments are ISO 8601 with a zone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from portal.ids import is_text
from portal.orders.incoming import MAX_QUANTITY
from portal.policy.reasons import REASONS
from portal.policy.terms import CONDITIONS, METHODS, RESOLUTIONS
from portal.receiving.disposition import DISPOSITIONS
from portal.refunds.lifecycle import STATUSES as REFUND_STATUSES
from portal.refunds.listing import MAX_PAGE as MAX_REFUNDS
from portal.returns.lifecycle import STATUSES

MAX_TEXT = 4000


def _printable(text: str) -> str:
    if not is_text(text):
        raise ValueError("contains a sign that no database can hold (NUL or half a surrogate pair)")
    return text


def _email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if text and (not local or not domain or any(sign.isspace() for sign in text)):
        raise ValueError("is no e-mail address; leave it out to use that of the order")
    return text


def _answer(value: Any) -> bool | int | str:
    # One check for the three kinds, so that an error points at the answer and not at a branch of a union.
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return _printable(value)
    raise ValueError(f"send true, false, a whole number, or a text of at most {MAX_TEXT} signs")


def _seen(value: Any) -> str | int | None:
    if value is None or (isinstance(value, str) and len(value) <= 20):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    raise ValueError("send the status or the version that you saw")


Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Prose = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_printable)]
Address = Annotated[str, Field(max_length=320), AfterValidator(_printable), AfterValidator(_email)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Answer = Annotated[
    Any,
    PlainValidator(_answer),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "integer", "exclusiveMinimum": -(2**53), "exclusiveMaximum": 2**53},
                {"type": "string", "maxLength": MAX_TEXT},
            ]
        }
    ),
]
Expected = Annotated[
    Any,
    PlainValidator(_seen),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 20},
                {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**53},
                {"type": "null"},
            ],
            "description": "The status or the version that you saw; when it is another one by now, the answer is 409.",
        }
    ),
]


class Body(BaseModel):
    """A body: unknown keys are refused, so that a misspelled one is not lost in silence; `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class WishIn(Body):
    """n units of one order line. ``photos`` counts only for a decision; what a return needs is what was uploaded."""

    line: Annotated[Word, Field(description="The `id` of the order line")]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    reason: Literal[tuple(REASONS)]  # type: ignore[valid-type]
    resolution: Literal[tuple(RESOLUTIONS)] = "refund"  # type: ignore[valid-type]
    note: Prose = ""
    exchange_sku: Annotated[Word | None, Field(description="The variant to send instead")] = None
    photos: Annotated[int, Field(ge=0, le=100)] = 0
    answers: Annotated[dict[Word, Answer], Field(description="What the customer said to the policy's questions")] = (
        Field(default_factory=dict, max_length=50)
    )


class DecisionIn(Body):
    """What is asked of the policy."""

    order: Annotated[Word, Field(description="The order's number")]
    lines: Annotated[list[WishIn], Field(min_length=1, max_length=1000)]
    at: Annotated[AwareDatetime | None, Field(description="Decide as of this moment; now when it is left out")] = None
    ship_with: Annotated[
        Literal[tuple(METHODS)] | None,  # type: ignore[valid-type]
        Field(description="How the parcel travels; a return without it takes the first way that the policy offers"),
    ] = None


class DecisionAskedIn(DecisionIn):
    """What is asked of the policy, and whether it says what would have changed its answers."""

    what_if: Annotated[
        bool, Field(description="Also answer what would have changed each line's answer; for 20 lines at most")
    ] = False


class ReturnIn(DecisionIn):
    """A return to open."""

    email: Annotated[
        Address | None,
        Field(description="The order's own address, another one is a 422; who gets the mails where the order has none"),
    ] = None
    note: Prose = ""


class NoteIn(Body):
    """What staff do: ``note`` is for the team, ``message`` for the customer."""

    note: Prose = ""
    message: Prose = ""
    expected: Expected = None


class CountIn(Body):
    """Goods that were counted."""

    line: Annotated[Word, Field(description="The `id` of the order line")]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    condition: Literal[tuple(CONDITIONS)] = "as_new"  # type: ignore[valid-type]
    disposition: Annotated[
        Literal[tuple(DISPOSITIONS)] | None,  # type: ignore[valid-type]
        Field(description="Where the units go; the usual place for their condition when it is left out"),
    ] = None
    note: Prose = ""


class CountsIn(Body):
    """A receipt or an inspection. Without ``lines``, everything announced came as new."""

    lines: Annotated[list[CountIn] | None, Field(max_length=1000)] = None
    note: Prose = ""
    expected: Expected = None


class VariantIn(Body):
    """An article that can be sent in exchange: for one of its ``product``, at its price or what `exchange_bonus` adds to it."""

    product: Word
    name: Annotated[str, Field(max_length=300), AfterValidator(_printable)] = ""
    label: Name = ""
    price: Annotated[int, Field(ge=0, lt=2**53)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    stock: Annotated[int, Field(ge=0, lt=2**31)]


class PageQuery(BaseModel):
    """Where to go on in a list, and how far."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[
        str | None, Field(pattern="^[A-Za-z0-9_=-]{1,60}$", description="The `next` of the page before")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ReturnsQuery(PageQuery):
    """Which returns."""

    status: Literal[tuple(STATUSES)] | None = None  # type: ignore[valid-type]
    order: Annotated[str | None, Field(max_length=100, description="An order's number")] = None
    email: Annotated[str | None, Field(max_length=320)] = None


class OrdersQuery(PageQuery):
    """Which orders."""

    replacements: Annotated[bool, Field(description="Only those that send out an exchange")] = False
    email: Annotated[str | None, Field(max_length=320)] = None


class RefundsQuery(PageQuery):
    """Which refunds."""

    limit: Annotated[int, Field(ge=1, le=MAX_REFUNDS)] = 50
    status: Literal[tuple(REFUND_STATUSES)] | None = None  # type: ignore[valid-type]
    order: Annotated[str | None, Field(max_length=100, description="An order's number")] = None
    email: Annotated[str | None, Field(max_length=320)] = None
