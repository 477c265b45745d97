"""The rows of a quote in words: "Brushed flannel shirt, Moss check, L", "Your share of the discount", "Return label".

In: a frozen quote, the names of its lines, a `Speech`. Out: rows with formatted amounts, one group for each pot.
Invariants: the rows of a group sum to its total, as frozen; a row of nothing is left out. Never: an amount computed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.money import Money
from portal.notices.speech import Speech
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT, Quote, QuotePart

POTS = (REFUND, STORE_CREDIT)
_NO_VAT = frozenset({"US", "CA", "AU", "NZ", "SG", "IN", "JP", "HK", "MY", "BR"})
"""Countries whose tax on sales goes by another name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``kind`` is empty or ``total``."""

    term: str
    amount: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one pot, without the row of the total, which the caller words."""

    pot: str
    rows: tuple[Row, ...]
    total: Money
    tax_minor: int
    items: int
    """How many different articles are in it."""
    with_delivery: bool
    """The tax of the delivery is in ``tax_minor``."""


def groups(quote: Quote, names: Mapping[str, str], speech: Speech) -> list[Group]:
    """What goes back to payments and what becomes store credit, each with its rows; a pot without rows is left out.

    Lines that are exchanged sum to nothing and have no rows here.
    """
    exchanged = {line.line for line in quote.lines if line.resolution == EXCHANGE}
    found = []
    for pot in POTS:
        parts = [part for part in quote.all_parts() if part.into == pot and part.line not in exchanged]
        rows = tuple(row for part in parts if (row := row_of(part, quote.currency, names, speech)) is not None)
        if rows:
            total = Money(sum(part.amount_minor for part in parts), quote.currency)
            tax = sum(part.tax_minor for part in parts)
            items = len({part.line for part in parts if part.kind == "item"})
            found.append(Group(pot, rows, total, tax, items, taxes_delivery(parts)))
    return found


def tax_name(country: str, speech: Speech) -> str:
    """How the shop's ``country`` calls the tax in a price."""
    return speech.gettext("tax") if country in _NO_VAT else speech.gettext("VAT")


def taxes_delivery(parts: Iterable[QuotePart]) -> bool:
    """Whether the tax in these parts is also that of the delivery: then it is not in the price of the items alone."""
    return any(part.kind == "outbound_shipping" and part.tax_minor for part in parts)


def row_of(part: QuotePart, currency: str, names: Mapping[str, str], speech: Speech) -> Row | None:
    """One part in words; None for a part that moves nothing."""
    if not part.amount_minor and part.kind != "item":
        return None
    return Row(
        _term(part, names, speech), speech.money(part.amount_minor, currency, signed=part.kind == "credit_bonus")
    )


def item_name(name: str, variant: str, quantity: int, speech: Speech) -> str:
    """``Brushed flannel shirt, Moss check, L × 2``."""
    full = f"{name}, {variant}" if variant and name else name or variant
    if quantity == 1:
        return full
    return speech.gettext("%(name)s × %(count)s") % {"name": full, "count": quantity}


def units_of(name: str, count: int, quantity: int, speech: Speech, variant: str = "") -> str:
    """``1 of 2 × Mug`` where these are not all the units of the line; else as `item_name`."""
    if count == quantity:
        return item_name(name, variant, count, speech)
    name = item_name(name, variant, 1, speech)
    return speech.gettext("%(count)s of %(all)s × %(name)s") % {"count": count, "all": quantity, "name": name}


def _term(part: QuotePart, names: Mapping[str, str], speech: Speech) -> str:
    if part.kind == "item":
        name = names.get(part.line or "", speech.gettext("Item"))
        return item_name(name, "", int(part.params.get("quantity", 1)), speech)
    return part_words(part.kind, part.params, speech)


def part_words(kind: str, params: Mapping[str, Any], speech: Speech) -> str:
    """What a part of a quote is, but for the price of an item: one wording for pages, mails and credit notes."""
    _ = speech.gettext
    match kind:
        case "discount":
            return _("Your share of the discount")
        case "tax":
            return _("Tax")
        case "inspection" | "adjustment":
            return _taken_off(kind, params, speech)
        case "restocking_fee" if params.get("fee_bp"):
            return _("Restocking fee (%(percent)s)") % {"percent": speech.percent(params["fee_bp"])}
        case "restocking_fee":
            return _("Restocking fee")
        case "credit_bonus" if params.get("bonus_bp"):
            return _("%(percent)s credit bonus") % {"percent": speech.percent(params["bonus_bp"])}
        case "credit_bonus":
            return _("Credit bonus")
        case "return_shipping":
            return _("Return label")
        case "outbound_shipping":
            return _("Delivery costs you paid")
        case "goodwill":
            return _("Goodwill")
        case "waived":
            return _("Closed without payment")
        case "noted":
            return _("Credited with the credit note")
        case "corrected":
            return _("Corrected before")
        case _other:
            return _("Changed by our team")


def _taken_off(kind: str, params: Mapping[str, Any], speech: Speech) -> str:
    _ = speech.gettext
    found = ", ".join(condition_words(each, speech) for each in params.get("found", ()))
    share = speech.percent(10_000 - int(params["worth_bp"])) if params.get("worth_bp") else ""
    if kind == "adjustment" and int(params.get("amount_minor", 0)) > int(params.get("instead_of_minor", 0)):
        return _("Added by our team")
    if found and share:
        return _("Taken off: %(found)s (%(percent)s)") % {"found": found, "percent": share}
    if found:
        return _("Taken off: %(found)s") % {"found": found}
    return _("Taken off by our team") if kind == "adjustment" else _("Taken off after our check")


def condition_words(condition: str, speech: Speech) -> str:
    """What was found of goods that came back, in a word or two."""
    _ = speech.gettext
    return {
        "as_new": _("as new"),
        "opened": _("opened"),
        "used": _("used or worn"),
        "damaged": _("damaged"),
        "wrong_item": _("another item came"),
        "missing": _("missing from the parcel"),
    }.get(condition, condition)


def why_less(less: Mapping[str, Any], names: Mapping[str, str], speech: Speech) -> list[str]:
    """Sentences for what `returns.payable.shortfall` found; ``names`` by line."""
    _ = speech.gettext
    said = [
        _("%(item)s: %(found)s, so nothing is refunded for it.")
        % {
            "item": units_of(names.get(ref, ref), count, quantity, speech),
            "found": condition_words(condition, speech),
        }
        for ref, condition, count, quantity in less.get("found", ())
    ]
    match less.get("delivery"):
        case "missing":
            said.append(_("Your delivery costs go back only when the whole order does, and not all of it came back."))
        case "kept":
            said.append(
                _("Your delivery costs go back only when the whole order does, and a part of it stayed with you.")
            )
    return said


def sum_of(found: Sequence[Group], pot: str) -> Money | None:
    """The total of one pot, if it is among the groups."""
    return next((group.total for group in found if group.pot == pot), None)
