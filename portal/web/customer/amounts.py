"""The rows of a quote as the customer's pages show them. The quote is the one that is booked and paid.

In: quotes and the names of their lines. Out: rows of words and formatted amounts. Invariant: the rows above a total sum to it.
Never: an amount computed anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from portal.notices.breakdown import item_name, part_words, tax_name, taxes_delivery
from portal.orders.models import Order
from portal.policy.decision import Decision
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT, Quote, QuotePart
from portal.policy.terms import ReturnShipping
from portal.refunds.queries import Piece
from portal.web.customer.base import money, ports, speech
from portal.web.customer.words import _

_PRICE = ("item", "discount", "tax")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``kind`` is empty, ``gain``, ``total`` or ``note``."""

    term: str
    amount: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Pot:
    """What goes to one place: the rows and their total."""

    pot: str
    title: str
    rows: tuple[Row, ...]
    total_minor: int

    def with_total(self, currency: str) -> list[Row]:
        """The rows and the total below them."""
        return [*self.rows, Row(self.title, money(self.total_minor, currency), "total")]


def tax_words() -> str:
    """How the shop's country calls the tax in a price."""
    return tax_name(ports().shop.country, speech())


def _includes(parts: Iterable[QuotePart]) -> str:
    # It is the tax in what was paid, also where less than that comes back.
    if taxes_delivery(parts):
        return _("Price and delivery include %(tax)s", tax=tax_words())
    return _("The price includes %(tax)s", tax=tax_words())


def pay_to(order: Order, *, knows_buyer: bool) -> str:
    """Where a refund goes: ``Visa ending 4242``; several ways are named together, an unknown one in plain words.

    Who knows only the postcode may have got a present, and reads nothing of the buyer's card.
    """
    if not knows_buyer:
        return _stranger_words([payment.method for payment in order.payments])
    known = dict.fromkeys(speech().goes_to(payment.method, payment.provider) for payment in order.payments)
    return together(known) or _("the way you paid")


def paid_to(pieces: Iterable[Piece]) -> str:
    """Where the refunds of a return go by now, as `pieces_for` names it; empty before any is planned."""
    return together(dict.fromkeys(piece.label for piece in pieces if piece.kind == "refund"))


def together(names: Collection[str]) -> str:
    """``Jumper, Shirt and Socks``."""
    *first, last = names or ("",)
    return _("%(first)s and %(last)s", first=", ".join(first), last=last) if first else last


def pieces_for(pieces: Iterable[Piece], *, knows_buyer: bool) -> tuple[Piece, ...]:
    """The parts of the money with the names of the ways, and the banks' references, that this session may read."""
    return tuple(_told(piece, knows_buyer=knows_buyer) if piece.kind == "refund" else piece for piece in pieces)


def _told(piece: Piece, *, knows_buyer: bool) -> Piece:
    if knows_buyer:
        return replace(piece, label=speech().goes_to(piece.method, piece.provider))
    # By which way it was paid in place of the card is the buyer's own business, but it was not the card.
    label = speech().goes_to("", "other") if piece.by_hand else _stranger_words([piece.method])
    return replace(piece, label=label, bank_reference="", reference_status="")


def _stranger_words(methods: Sequence[str]) -> str:
    # Only a card's name ends in figures.
    cards = bool(methods) and all(method[-1:].isdigit() for method in methods)
    return _("the card that paid") if cards else _("the way it was paid")


def item_rows(quote: Quote, decision: Decision, resolution: str, *, alone: bool) -> list[Row]:
    """How the amount for one item was worked out: price, discount, fees, bonus, total, then the tax in it.

    Where the item is not ``alone``, the label is said to be the whole return's, so that nobody counts it for each."""
    currency = quote.currency
    rows = [
        Row(
            _term(part, currency) if alone or part.kind != "return_shipping" else label_once(),
            money(part.amount_minor, currency, signed=_gains(part)),
            _kind(part),
        )
        for part in quote.all_parts()
        if part.amount_minor or part.kind == "item"
    ]
    if resolution == STORE_CREDIT and label_is_free(decision, resolution):
        label = Row(_("Return label (free with store credit)"), money(0, currency))
        at = next((index for index, row in enumerate(rows) if row.kind == "gain"), len(rows))
        rows.insert(at, label)
    title = _("Store credit") if resolution == STORE_CREDIT else _("Refund")
    rows.append(Row(title, money(quote.total.minor, currency), "total"))
    if quote.tax_minor:
        rows.append(Row(_includes(quote.all_parts()), money(quote.tax_minor, currency), "note"))
    return rows


def label_once() -> str:
    """How the label is called on the page of one item of several."""
    return _("Return label, once for the whole return")


def label_is_free(decision: Decision, resolution: str) -> bool:
    """True when others pay for the label and this outcome does not."""
    terms: ReturnShipping | None = decision.value("return_shipping")
    charged = terms is not None and terms.paid_by == "customer" and (terms.amount or terms.bp)
    return bool(charged and terms is not None and (resolution in terms.free_for or resolution == EXCHANGE))


def _gains(part: QuotePart) -> bool:
    return part.kind in ("credit_bonus", "outbound_shipping")


def _kind(part: QuotePart) -> str:
    return "gain" if part.kind == "credit_bonus" else ""


def _term(part: QuotePart, currency: str) -> str:
    params = part.params
    match part.kind:
        case "item":
            quantity = int(params.get("quantity", 1))
            return _("Item price") if quantity == 1 else _("Price of %(count)s", count=quantity)
        case "credit_bonus" if params.get("bonus_bp"):
            return _(
                "%(percent)s bonus on %(amount)s",
                percent=speech().percent(int(params["bonus_bp"])),
                amount=money(int(params.get("of_minor", 0)), currency),
            )
        case "credit_bonus":
            return _("Bonus")
        case _other:
            return part_words(part.kind, params, speech())


def pots(quote: Quote, names: Mapping[str, str], refund_to: str) -> list[Pot]:
    """The two groups of a whole return: each item with what it is worth after discounts, then fees and bonus."""
    found = []
    for pot, title in ((STORE_CREDIT, _("Store credit")), (REFUND, _("Refund to %(method)s", method=refund_to))):
        rows: list[Row] = []
        for line in quote.lines:
            if line.resolution == EXCHANGE:
                continue
            parts = [part for part in line.parts if part.into == pot]
            worth = sum(part.amount_minor for part in parts if part.kind in _PRICE)
            if parts:
                name = item_name(names.get(line.line, _("Item")), "", line.quantity, speech())
                rows.append(Row(name, money(worth, quote.currency)))
                rows += _rest(parts, quote.currency)
        rows += _rest([part for part in quote.parts if part.into == pot], quote.currency)
        if rows:
            total = quote.credit_total if pot == STORE_CREDIT else quote.refund_total
            found.append(Pot(pot, title, tuple(rows), total.minor))
    return found


def _rest(parts: Iterable[QuotePart], currency: str) -> list[Row]:
    rows = []
    for part in parts:
        if part.kind not in _PRICE and part.kind != "replacement" and part.amount_minor:
            bonus = part.kind == "credit_bonus" and part.params.get("bonus_bp")
            percent = speech().percent(int(part.params["bonus_bp"])) if bonus else ""
            term = _("%(percent)s credit bonus", percent=percent) if bonus else _term(part, currency)
            rows.append(Row(term, money(part.amount_minor, currency, signed=_gains(part)), _kind(part)))
    return rows


def gives_nothing() -> str:
    """What is said where a label or fees take all that the items are worth."""
    return _("After label and fees nothing is left to pay out.")


def tax_note(quote: Quote) -> str:
    """``Prices are after your discount and include £22.95 VAT.``"""
    exchanged = {line.line for line in quote.lines if line.resolution == EXCHANGE}
    discounted = any(
        part.kind == "discount" and part.amount_minor and part.line not in exchanged for part in quote.all_parts()
    )
    if not quote.tax_minor:
        return _("Prices are after your discount.") if discounted else ""
    params = {"amount": money(quote.tax_minor, quote.currency), "tax": tax_words()}
    if taxes_delivery(quote.all_parts()):
        if discounted:
            return _("Prices are after your discount and, with the delivery, include %(amount)s %(tax)s.", **params)
        return _("Prices and delivery include %(amount)s %(tax)s.", **params)
    if discounted:
        return _("Prices are after your discount and include %(amount)s %(tax)s.", **params)
    return _("Prices include %(amount)s %(tax)s.", **params)


def line_total(quote: Quote, line: str) -> int:
    """What one line gives; what the whole return bears is taken off where no other line shares it."""
    mine = quote.line(line)
    pot = STORE_CREDIT if mine.resolution == STORE_CREDIT else REFUND
    sharing = [each for each in quote.lines if each.resolution == mine.resolution]
    shared = sum(part.amount_minor for part in quote.parts if part.into == pot) if len(sharing) == 1 else 0
    return mine.total_minor + (shared if mine.resolution != EXCHANGE else 0)


def compared(offers: Sequence[tuple[str, Quote, Decision]], *, alone: bool) -> list[tuple[str, list[str], str]]:
    """The rows of the table that lays outcomes side by side: name, one cell per outcome, class of the row."""
    kinds = (
        (_("Item price"), ("item",)),
        (_("Discount"), ("discount",)),
        (_("Tax"), ("tax",)),
        (_("Restocking fee"), ("restocking_fee",)),
        (_("Return label") if alone else label_once(), ("return_shipping",)),
        (_("Delivery costs"), ("outbound_shipping",)),
        (_("Bonus"), ("credit_bonus",)),
    )
    rows = []
    for name, wanted in kinds:
        cells, moved = [], False
        for resolution, quote, decision in offers:
            amount = sum(part.amount_minor for part in quote.all_parts() if part.kind in wanted)
            gains = wanted[0] in ("credit_bonus", "outbound_shipping")
            if amount:
                cells.append(money(amount, quote.currency, signed=gains))
            elif wanted[0] == "return_shipping":
                cells.append(_("Free") if not decision.value("keep_item") else "—")
            else:
                cells.append("—")
            moved = moved or bool(amount) or (wanted[0] == "return_shipping" and label_is_free(decision, resolution))
        if moved:
            rows.append((name, cells, ""))
    total = [
        _("Exchange") if resolution == EXCHANGE else money(quote.total.minor, quote.currency)
        for resolution, quote, _decision in offers
    ]
    rows.append((_("You get"), total, "is-total"))
    if any(quote.tax_minor for _resolution, quote, _decision in offers):
        taxes = [
            money(quote.tax_minor, quote.currency) if quote.tax_minor and resolution != EXCHANGE else "—"
            for resolution, quote, _decision in offers
        ]
        parts = [part for _resolution, quote, _decision in offers for part in quote.all_parts()]
        rows.append((_includes(parts), taxes, "is-note"))
    return rows
