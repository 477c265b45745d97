"""Fields of the editor's forms, and the reading of single values: money, shares, days, dates, weights, lists.

In: what a form holds, as names and lists of texts. Out: typed values, or a sentence at the field that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias, TypeVar

from portal.money import Money, is_currency
from portal.policy import schema
from portal.policy.document import Findings, Scalar
from portal.policy.pieces import fill, plain
from portal.web.staff.money import with_point, without_thousands
from portal.web.staff.text import _

Data: TypeAlias = dict[str, list[str]]
Value = TypeVar("Value")
Options: TypeAlias = Sequence[tuple[str, str] | tuple[str, Sequence[tuple[str, str]]]]
"""Value and words of each option; or the name of a group, and its options."""


@dataclass(frozen=True, slots=True)
class Field:
    """One control. ``kind`` is text, number, date, select, checks, area or check; with ``refresh`` others depend on it."""

    id: str
    label: str
    kind: str = "text"
    values: Sequence[str] = ()
    options: Options = ()
    hint: str = ""
    width: str = ""
    affix: str = ""
    refresh: bool = False

    @property
    def value(self) -> str:
        """What the control holds."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True, slots=True)
class Holder:
    """A part of what a form holds; what is wrong in it is collected in ``errors``, by the id of the field."""

    data: Mapping[str, list[str]]
    errors: dict[str, str] = field(default_factory=dict)
    prefix: str = ""

    def at(self, prefix: str) -> Holder:
        """The part whose names begin so."""
        return Holder(self.data, self.errors, self.prefix + prefix)

    def get(self, name: str, default: str = "") -> str:
        """What one control holds, without blanks around it."""
        found = self.data.get(self.prefix + name)
        return found[0].strip() if found else default

    def all(self, name: str) -> list[str]:
        """Everything that is ticked."""
        return list(self.data.get(self.prefix + name, ()))

    def fail(self, name: str, message: str) -> None:
        """Say what is wrong with a control; the first thing that is said stays."""
        self.errors.setdefault(self.prefix + name, message)

    def field(self, name: str, label: str, kind: str = "text", **more: Any) -> Field:
        """The control with what it holds now."""
        return Field(self.prefix + name, label, kind, self.data.get(self.prefix + name, []), **more)

    def _read(
        self, name: str, reader: Callable[..., Value | None], message: str, text: str | None = None
    ) -> Value | None:
        """The value as the language itself reads it; ``message`` is said when it does not."""
        found = reader(Scalar(self.get(name) if text is None else text, False, 1, 1), Findings("form"))
        if found is None:
            self.fail(name, message)
        return found

    def text(self, name: str, message: str, longest: int = schema.MAX_TEXT) -> str | None:
        """A text that is not empty."""
        if len(self.get(name)) > longest:
            self.fail(name, _("Use at most %(count)s characters", count=longest))
            return None
        return self._read(name, schema.read_text, message)

    def number(self, name: str, message: str, highest: int = schema.MAX_COUNT) -> int | None:
        """A whole number."""
        return self._read(name, lambda node, findings: schema.read_number(node, findings, highest=highest), message)

    def days(self, name: str) -> int | None:
        """A number of days."""
        return self.number(name, _("Enter a number of days, like 30"), schema.MAX_DAYS)

    def day(self, name: str) -> date | None:
        """A day of the calendar."""
        return self._read(name, schema.read_date, _("Enter a date, like 2026-11-30"))

    def share(self, name: str) -> int | None:
        """Basis points of a percentage."""
        text = with_point(self.get(name).removesuffix("%").strip())
        return self._read(name, schema.read_share, _("Enter a percentage from 0 to 100, like 12.5"), f"{text}%")

    def weight(self, name: str, unit: str) -> int | None:
        """Grams."""
        typed, grams = self.get(name), self.get(unit, "g")
        number = with_point(typed, whole=grams == "g")
        if number is None:
            self.fail(name, _("Enter a weight that can be read one way only, like 1200 or 1.2"))
            return None
        return self._read(name, schema.read_weight, _("Enter a weight, like 500 g or 2.5 kg"), f"{number} {grams}")

    def money(self, name: str, currency: str) -> Money | None:
        """An amount in the currency beside it."""
        code = self.get(currency).upper()
        # Read as a decimal point, a comma between thousands would make 1,200 a single pound.
        typed = self.get(name)
        amount = with_point(typed) or without_thousands(typed)
        found = self._read(
            name, schema.read_money, _("Enter an amount, like 3.50"), f"{amount} {code if is_currency(code) else 'GBP'}"
        )
        return found if self.currency(currency) else None

    def country(self, name: str) -> str | None:
        """Two letters of a country."""
        message = _("Enter the two letters of a country, like GB")
        code = self._read(name, schema.read_country, message, self.get(name).upper())
        if code is not None and code not in schema.COUNTRIES:
            self.fail(name, message)
            return None
        return code

    def currency(self, name: str) -> str | None:
        """Three letters of a currency."""
        code = self.get(name).upper()
        if not is_currency(code):
            self.fail(name, _("Enter the three letters of a currency, like GBP"))
            return None
        return code

    def zone(self, name: str) -> str | None:
        """A time zone."""
        return self._read(name, schema.read_zone, _("Enter a time zone, like Europe/London"))

    def pattern(self, name: str) -> str | None:
        """A regular expression that the language allows."""
        findings = Findings("form")
        found = schema.read_pattern(Scalar(self.get(name), False, 1, 1), findings)
        if found is None:
            self.fail(name, _("Enter a simpler pattern: %(why)s", why=findings.found[0].message))
        return found

    def lines(self, name: str) -> list[str]:
        """One value on each line."""
        return list(dict.fromkeys(line.strip() for line in self.get(name).splitlines() if line.strip()))

    def word(self, name: str, words: Sequence[str], message: str) -> str | None:
        """One of the words of a list."""
        found = self.get(name)
        if found not in words:
            self.fail(name, message)
            return None
        return found

    def words(self, name: str, words: Sequence[str], message: str) -> tuple[str, ...] | None:
        """Some of the words, at least one, in the order in which they came."""
        found = tuple(dict.fromkeys(word for word in self.all(name) if word in words))
        if not found:
            self.fail(name, message)
            return None
        return found


def spoken(message: str) -> str:
    """A phrase of a sentence as a choice in a form: ``[don’t accept it]`` is "Don’t accept it"."""
    text = plain(fill(_(message)))
    return text[:1].upper() + text[1:]


def decimal(money: Money) -> str:
    """An amount as it is typed."""
    return str(money.decimal)


def percentage(bp: int) -> str:
    """Basis points as they are typed: ``12.5``."""
    whole, rest = divmod(bp, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else str(whole)
