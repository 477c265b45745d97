"""The ``portal`` format of an order: what the API takes and what JSON and JSON Lines files hold.

In: JSON. Out: `OrderIn.to_incoming()`. Invariants: amounts are whole minor units, never strings or floats; an unknown key is
refused, so that a misspelled one is not lost; every text fits the database. Never: a default that guesses an amount.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from portal.errors import Invalid
from portal.ids import is_text
from portal.money import is_currency
from portal.orders.incoming import (
    MAX_AMOUNT,
    MAX_LINES,
    MAX_QUANTITY,
    MAX_REF,
    MAX_SKU,
    Extra,
    IncomingLine,
    IncomingOrder,
    IncomingPayment,
    IncomingVariant,
)
from portal.orders.keys import MAX_NUMBER_KEY, hidden_sign, number_key


def _storable(text: str) -> str:
    if not is_text(text):
        raise ValueError("contains a sign that no database can hold (NUL or half a surrogate pair)")
    return text


def _number(text: str) -> str:
    if not 0 < len(number_key(text)) <= MAX_NUMBER_KEY:
        raise ValueError("is no order number: nothing is left of it without spaces and #")
    if sign := hidden_sign(text):
        raise ValueError(f"has the hidden character {sign}; leave it out")
    return text


def _email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if text and (not local or not domain or any(sign.isspace() for sign in text)):
        raise ValueError("is no e-mail address; leave it empty when the customer gave none")
    return text


def _written(value: object) -> object:
    # Pydantic would read a number as seconds since 1970; nobody who writes a number here means that.
    if not isinstance(value, str):
        raise ValueError("is no text; write a moment like 2026-10-01T08:26:00Z")
    return value


def _currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError("is no ISO 4217 code in capitals such as GBP")
    return code


Text40 = Annotated[str, Field(max_length=40), AfterValidator(_storable)]
Text100 = Annotated[str, Field(max_length=100), AfterValidator(_storable)]
Text200 = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Text300 = Annotated[str, Field(max_length=300), AfterValidator(_storable)]
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT, strict=True)]
Count = Annotated[int, Field(ge=0, le=MAX_QUANTITY, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
Tags = Annotated[list[Text100], Field(max_length=250)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class VariantListed(_Strict):
    """An article that can be sent in exchange for the line. ``price`` counts as the line's ``unit_price`` does.

    ``stock`` is taken when the article is new here; later counts come by ``PUT /api/v1/variants/{sku}``.
    """

    sku: Annotated[str, Field(min_length=1, max_length=MAX_SKU), AfterValidator(_storable)]
    label: Text200 = ""
    price: Amount
    stock: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)] = 0


class LineIn(_Strict):
    """One order line. ``tax`` is the tax of all units as it was charged in the end, after every discount.

    ``charged`` is needed only when the line's amount is not ``unit_price`` x ``quantity`` (a unit price that was rounded for
    showing): what all units came to before discounts. It differs from the product by less than one minor unit for each unit.
    """

    id: Annotated[str, Field(min_length=1, max_length=MAX_REF), AfterValidator(_storable)]
    sku: Annotated[str, Field(max_length=MAX_SKU), AfterValidator(_storable)] = ""
    name: Text300 = ""
    variant: Text200 = ""
    """What tells it from its siblings: ``Navy, size L``."""
    product: Text100 = ""
    """Groups the variants of one product; an exchange stays inside it."""
    vendor: Text100 = ""
    category: Text100 = ""
    type: Text100 = ""
    tags: Tags = Field(default_factory=list)
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)]
    unit_price: Amount
    charged: Amount | None = None
    discount: Amount = 0
    """The line's own discount; with the tax in it when ``tax_included``."""
    tax: Amount = 0
    tax_included: Flag = True
    discountable: Flag = True
    """False keeps the order's ``discount`` off this line (a gift card, say)."""
    shipped_at: Moment | None = None
    delivered_at: Moment | None = None
    returned: Count = 0
    """Units that went back, were refunded or canceled in the shop's own system."""
    weight_g: Annotated[int, Field(ge=0, le=10_000_000, strict=True)] | None = None
    """One unit, in grams."""
    hazardous: Flag | None = None
    variants: Annotated[list[VariantListed], Field(max_length=500)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> LineIn:
        product = self.unit_price * self.quantity
        if self.charged is not None and abs(self.charged - product) >= max(self.quantity, 1):
            raise ValueError(
                f"charged is {self.charged}, too far from {self.quantity} x {self.unit_price} = {product}; "
                "a rounded unit price differs by less than one minor unit for each unit"
            )
        if self.variants and not self.product:
            raise ValueError("variants need the line's product, which groups them")
        return self

    def to_incoming(self) -> IncomingLine:
        """The line, normalised."""
        facts: dict[str, Any] = {
            name: value for name in ("weight_g", "hazardous") if (value := getattr(self, name)) is not None
        }
        return IncomingLine(
            ref=self.id,
            sku=self.sku,
            name=self.name,
            quantity=self.quantity,
            unit_price_minor=self.unit_price,
            list_minor=self.unit_price * self.quantity if self.charged is None else self.charged,
            discount_minor=self.discount,
            tax_minor=self.tax,
            tax_included=self.tax_included,
            discountable=self.discountable,
            variant=self.variant,
            product=self.product,
            vendor=self.vendor,
            category=self.category,
            type=self.type,
            tags=tuple(self.tags),
            shipped_at=self.shipped_at,
            delivered_at=self.delivered_at,
            units_gone=self.returned,
            facts=facts,
            variants=tuple(IncomingVariant(each.sku, each.label, each.price, each.stock) for each in self.variants),
        )


class PaymentIn(_Strict):
    """Money that was captured. ``provider`` is ``stripe`` or what took it: ``gift_card``, ``paypal``, ``cash`` …"""

    provider: Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_storable)] = "stripe"
    payment_intent: Annotated[str, Field(min_length=3, max_length=80), AfterValidator(_storable)] | None = None
    captured: Amount
    refunded: Amount = 0
    """What went back before the import or without this portal."""
    method: Annotated[str, Field(max_length=60), AfterValidator(_storable)] = ""
    """What the customer calls it: ``Visa ending 4242``."""
    reference: Annotated[str, Field(max_length=120), AfterValidator(_storable)] = ""


class CustomerIn(_Strict):
    """Who bought. ``id`` is the customer's number in the shop's own system."""

    id: Annotated[str, Field(max_length=64), AfterValidator(_storable)] = ""
    name: Text200 = ""
    tags: Tags = Field(default_factory=list)


class AddressIn(_Strict):
    """Where the goods went. ``country`` is ISO 3166 alpha-2."""

    name: Text200 = ""
    lines: Annotated[list[Text200], Field(max_length=8)] = Field(default_factory=list)
    city: Text100 = ""
    region: Text100 = ""
    postcode: Annotated[str, Field(max_length=32), AfterValidator(_storable)] = ""
    country: Annotated[str, Field(pattern="^([A-Z]{2})?$")] = ""


class ShippingIn(_Strict):
    """Outbound shipping as charged, its tax included in ``amount``."""

    amount: Amount = 0
    tax: Amount = 0


class ExtraIn(_Strict):
    """A charge that is neither goods nor shipping, its tax included in ``amount``."""

    kind: Annotated[str, Field(pattern="^(duties|tip|fee)$")]
    name: Text100 = ""
    amount: Amount
    tax: Amount = 0


class OrderIn(_Strict):
    """One order. ``total`` is what was charged; when it is left out it is lines + shipping + extras. A difference is kept
    apart as rounding."""

    number: Annotated[
        str, Field(min_length=1, max_length=MAX_NUMBER_KEY), AfterValidator(_storable), AfterValidator(_number)
    ]
    placed_at: Moment
    email: Annotated[str, Field(max_length=320), AfterValidator(_storable), AfterValidator(_email)] = ""
    currency: Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_currency)]
    customer: CustomerIn = Field(default_factory=CustomerIn)
    locale: Annotated[str, Field(max_length=20), AfterValidator(_storable)] = ""
    channel: Annotated[str, Field(max_length=60), AfterValidator(_storable)] = ""
    ship_to: AddressIn = Field(default_factory=AddressIn)
    tags: Tags = Field(default_factory=list)
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=MAX_LINES)]
    discount: Amount = 0
    """The order's discount, not contained in any line's; spread over the discountable lines."""
    shipping: ShippingIn = Field(default_factory=ShippingIn)
    extras: Annotated[list[ExtraIn], Field(max_length=20)] = Field(default_factory=list)
    total: Amount | None = None
    payments: Annotated[list[PaymentIn], Field(max_length=50)] = Field(default_factory=list)
    discount_codes: Tags | None = None
    payment_method: Text40 | None = None
    is_gift: Flag | None = None
    is_business: Flag | None = None
    fulfilment: Annotated[str, Field(pattern="^(unfulfilled|partial|fulfilled)$")] | None = None

    def to_incoming(self) -> IncomingOrder:
        """The order, normalised."""
        named = ("discount_codes", "payment_method", "is_gift", "is_business", "fulfilment")
        facts = {name: value for name in named if (value := getattr(self, name)) is not None}
        return IncomingOrder(
            number=self.number,
            placed_at=self.placed_at,
            currency=self.currency,
            lines=tuple(line.to_incoming() for line in self.lines),
            payments=tuple(
                IncomingPayment(
                    each.provider, each.captured, each.payment_intent, each.reference, each.method, each.refunded
                )
                for each in self.payments
            ),
            email=self.email,
            discount_minor=self.discount,
            shipping_minor=self.shipping.amount,
            shipping_tax_minor=self.shipping.tax,
            extras=tuple(Extra(each.kind, each.name, each.amount, each.tax) for each in self.extras),
            total_minor=self.total,
            customer_ref=self.customer.id,
            customer_name=self.customer.name or self.ship_to.name,
            customer_tags=tuple(self.customer.tags),
            locale=self.locale,
            channel=self.channel,
            ship_to=self.ship_to.model_dump(),
            tags=tuple(self.tags),
            facts=facts,
        )


def read_order(data: object) -> IncomingOrder:
    """One order of the ``portal`` format. Raises `Invalid` with a JSON pointer for each field that is wrong."""
    try:
        return OrderIn.model_validate(data).to_incoming()
    except ValidationError as error:
        found = {pointer_of(each["loc"]): _say(each) for each in error.errors(include_url=False, include_input=False)}
        raise Invalid("; ".join(f"{pointer} {message}" for pointer, message in found.items()), found) from None


def pointer_of(location: tuple[int | str, ...]) -> str:
    """A pydantic location as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:60] for part in location)


_SAYINGS = {
    "missing": "is missing",
    "extra_forbidden": "is no key of an order; leave it out or correct its spelling",
    "int_type": "is no whole number; amounts are minor units such as 1299",
    "timezone_aware": "has no time zone; write it like 2026-10-01T08:26:00Z",
}


def _say(error: Any) -> str:
    known = _SAYINGS.get(error["type"])
    if known:
        return known
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
