"""The shop: its name, warehouse, carrier and links, as the merchant writes them in ``shop.yaml`` beside the policies.

In: a YAML file. Out: a frozen `Shop`. Invariant: what is missing or misspelled stops the start with one line each.
Never: a secret; those are settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, EmailStr, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portal.errors import ConfigError
from portal.money import Money, is_currency

CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Warehouse(_Frozen):
    """Where parcels go."""

    name: str
    lines: tuple[str, ...]
    city: str
    region: str = ""
    postcode: str
    country: str = Field(min_length=2, max_length=2)


class Store(_Frozen):
    """A shop of the merchant's where goods are handed in."""

    name: str
    lines: tuple[str, ...]
    city: str
    postcode: str
    hours: str = ""
    """When it is open, as customers read it: ``Mon to Sat 10 to 18``."""

    @property
    def address(self) -> str:
        """``3 Quay Street, Bristol BS1 4DJ``."""
        return ", ".join((*self.lines, f"{self.city} {self.postcode}"))


class Carrier(_Frozen):
    """Who brings parcels back under the shop's own contract."""

    name: str
    service: str
    code_prefix: str = Field(min_length=2, max_length=2, pattern="^[A-Z]{2}$")
    sort_code: str = ""
    drop_off: str = "drop-off point"
    find_url: str = ""
    """A page that finds the next drop-off; ``{postcode}`` in it becomes the customer's."""


class Links(_Frozen):
    """Pages of the shop's own site. An empty one is not shown."""

    shop: str = ""
    privacy: str = ""
    contact: str = ""
    help: str = ""


def _caps(value: dict[str, Decimal]) -> dict[str, Decimal]:
    for currency, amount in value.items():
        if not is_currency(currency):
            raise ValueError(f"`{currency}` is no ISO 4217 currency")
        if Money.from_decimal(str(amount), currency).minor <= 0:
            raise ValueError(f"the cap of {currency} is not above zero")
    return value


def _minor(amounts: Mapping[str, Decimal], currency: str) -> int | None:
    found = amounts.get(currency)
    return None if found is None else Money.from_decimal(str(found), currency).minor


RoleName = Literal["owner", "lead", "agent", "merchant", "warehouse"]
"""The roles of `staff.permissions`, which is further down the river."""


class DailyCap(_Frozen):
    """What the portal sends by itself between two midnights of the shop; what is above waits for staff."""

    count: int | None = Field(default=None, ge=1)
    """How many refunds; None for any number."""
    amounts: dict[str, Decimal] = {}
    """How much by currency, in its main unit; a currency that is not named has no cap."""

    @field_validator("amounts")
    @classmethod
    def _fits(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        return _caps(value)

    def __bool__(self) -> bool:
        return self.count is not None or bool(self.amounts)

    def most_minor(self, currency: str) -> int | None:
        """How much of this currency, in minor units; None for any amount."""
        return _minor(self.amounts, currency)


class RefundLimits(_Frozen):
    """How fast and how much the portal refunds by itself."""

    per_second: float = Field(default=20.0, gt=0, le=100)
    """Calls to Stripe, all workers together. Stripe allows 25 to one address of its API (docs.stripe.com/rate-limits)."""
    per_day: DailyCap = DailyCap()
    undo_minutes: int = Field(default=0, ge=0, le=1440)
    """How long a prepared refund waits before it is sent, so that staff can take it back; 0 sends at once."""
    second_person_above: dict[str, Decimal] = {}
    """By currency, in its main unit: what gives more waits for a second person. A currency that is not named needs none."""
    limits: dict[RoleName, dict[str, Decimal]] = {}
    """By role and currency: the most that somebody of the role approves or gives at once. What is not named has no limit."""

    @field_validator("second_person_above")
    @classmethod
    def _fits(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        return _caps(value)

    @field_validator("limits")
    @classmethod
    def _of_amounts(cls, value: dict[RoleName, dict[str, Decimal]]) -> dict[RoleName, dict[str, Decimal]]:
        for amounts in value.values():
            _caps(amounts)
        return value

    def second_above_minor(self, currency: str) -> int | None:
        """Above this a second person is needed, in minor units; None for never."""
        return _minor(self.second_person_above, currency)

    def limit_minor(self, roles: Iterable[str], currency: str) -> int | None:
        """The most that somebody with these roles gives at once, in minor units; the kindest of several. None for any amount."""
        by_role = {str(role): amounts for role, amounts in self.limits.items()}
        found = [_minor(by_role.get(role, {}), currency) for role in roles]
        most = [each for each in found if each is not None]
        return max(most) if found and len(most) == len(found) else None


class BankDays(_Frozen):
    """From ``least`` to ``most`` working days; one number in ``shop.yaml`` means exactly so many.

    Stripe names 5 to 10 business days until a refund stands on a statement (docs.stripe.com/refunds).
    """

    least: int = Field(default=5, ge=1, le=60)
    most: int = Field(default=10, ge=1, le=60)

    @model_validator(mode="before")
    @classmethod
    def _one_number(cls, value: object) -> object:
        return {"least": value, "most": value} if type(value) is int else value

    @model_validator(mode="after")
    def _in_order(self) -> BankDays:
        if self.least > self.most:
            raise ValueError(f"`least` ({self.least}) is more than `most` ({self.most})")
        return self


class CreditNotes(_Frozen):
    """Who issues credit notes, and how they are numbered."""

    series: str = Field(default="CN-{year}-", max_length=30, pattern=r"^[A-Za-z0-9/ _.-]*(\{year\})?[A-Za-z0-9/ _.-]*$")
    """What stands before the running number; ``{year}`` is the year of issue in the shop's calendar, and counts anew with it."""
    seller: tuple[str, ...] = ()
    """Name and address of the seller, line by line; the shop's name and the warehouse if left out."""
    tax_number: str = ""

    def series_of(self, day: date) -> str:
        """The series of notes that are issued on this day."""
        return self.series.replace("{year}", str(day.year))


class Shop(_Frozen):
    """What customers see of the merchant."""

    name: str
    email: EmailStr
    timezone: str
    currency: str
    country: str = Field(min_length=2, max_length=2)
    sells_to: tuple[CountryCode, ...] = ()
    """Countries of delivery, ISO 3166-1 alpha-2, for the policy's page and search engines; ``country`` is always one."""
    locale: str = "en_GB"
    order_hint: str = ""
    """An example of an order number, shown under the look-up field: ``WH-20418``."""
    accent: str = Field(default="#0B5A6A", pattern="^#[0-9A-Fa-f]{6}$")
    decide_within_hours: int = Field(default=24, ge=1)
    """How soon staff answer a review; the queue's deadline."""
    undo_decision_minutes: int = Field(default=10, ge=0, le=60)
    """How long who decided a return can take the decision back, as long as no parcel travels and no money is prepared; 0: not."""
    check_within_days: int = Field(default=2, ge=1)
    """How soon goods are inspected after arrival, told to customers."""
    bank_days: BankDays = BankDays()
    """How many working days banks take to show a refund, told to customers."""
    tender_order: Literal["as_paid", "reverse"] = "as_paid"
    """Which of several payments is paid back first."""
    refunds: RefundLimits = RefundLimits()
    credit_notes: CreditNotes = CreditNotes()
    warehouse: Warehouse
    shops: tuple[Store, ...] = ()
    """Where goods can be handed in. Without one, customers are not offered to."""
    carrier: Carrier
    links: Links = Links()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"`{value}` is no time zone; write one like `Europe/London`")
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if not is_currency(value):
            raise ValueError(f"`{value}` is no ISO 4217 currency")
        return value

    @property
    def sold_to(self) -> tuple[str, ...]:
        """Every country of delivery, the shop's own first."""
        return tuple(dict.fromkeys((self.country, *self.sells_to)))


def load(path: Path) -> Shop:
    """Read ``shop.yaml``. Raises `ConfigError` with one line for each thing that is wrong."""
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return Shop.model_validate(document or {})
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; copy policies/shop.yaml of the portal and change it") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise ConfigError("\n".join(lines)) from None
