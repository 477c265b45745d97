"""The one function that makes the money of a return: the page shows it, the payout executes it, the document prints it.

In: amounts frozen at import for exactly the units that come back, and the terms of their decisions. Out: a `Quote`.
Invariants: integers of the order's currency; parts sum to totals; fees are negative and never push a total below zero (a
clipped fee keeps its full amount in ``params``); a return costs the customer one label at most.
Never: tax or discount recomputed from a rate; a conversion between currencies; a rounding that costs the customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from portal.money import Money, share_bp
from portal.policy.decision import Term
from portal.policy.terms import Fee, ReturnShipping

REFUND, STORE_CREDIT, EXCHANGE = "refund", "store_credit", "exchange"
FULL_BP = 10_000
WITHOUT_LABEL = ("shop", "own")


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """n units of one order line: what was charged for exactly those units, and what was decided.

    ``gross_minor`` is what was paid after all discounts with tax, ``tax_minor`` the tax in it. ``list_minor`` and
    ``discount_minor`` (not negative) only explain it to the reader; where they do not add up to the gross amount, the tax
    on top is shown as its own part. ``worth_bp`` is what an inspection left of the price, in basis points. Units of one order
    line that were found in different conditions are several values with the same ``line``.
    """

    line: str
    quantity: int
    gross_minor: int
    tax_minor: int
    list_minor: int
    discount_minor: int
    resolution: str
    terms: Mapping[str, Term]
    worth_bp: int = FULL_BP


@dataclass(frozen=True, slots=True)
class ShippingPaid:
    """Outbound shipping that is still refundable: amount with tax, and the tax in it, in minor units."""

    amount_minor: int = 0
    tax_minor: int = 0


@dataclass(frozen=True, slots=True)
class QuotePart:
    """One row of the breakdown. ``into`` is the pot it counts for; ``line`` is None for what belongs to the whole return.

    Kinds of rows of a line: ``item`` is the price of the units before discounts, ``discount`` their share of all discounts,
    ``tax`` the tax on top where prices are shown without it, ``inspection`` what was taken off after the goods were looked at,
    ``adjustment`` the difference to an amount that a person of the shop has set, ``restocking_fee``, ``credit_bonus``, and
    ``replacement`` the worth that goes into the replacement of an exchange. Of the whole return: ``return_shipping`` is the
    label, once, ``outbound_shipping`` what the customer paid to have the order sent, with its own tax.
    """

    kind: str
    amount_minor: int
    tax_minor: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    line: str | None = None
    into: str = REFUND

    @property
    def bonus_minor(self) -> int:
        """How much of the amount is a gift, no price given back; an ``adjustment`` names its share in ``params``."""
        return self.amount_minor if self.kind == "credit_bonus" else int(self.params.get("bonus_minor", 0))

    def to_json(self, currency: str) -> dict[str, Any]:
        out: dict[str, Any] = {
            "kind": self.kind,
            "amount": self.amount_minor,
            "currency": currency,
            "tax": self.tax_minor,
            "into": self.into,
        }
        if self.line is not None:
            out["line"] = self.line
        if self.params:
            out["params"] = dict(self.params)
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> QuotePart:
        return cls(data["kind"], data["amount"], data["tax"], data.get("params", {}), data.get("line"), data["into"])


def _sum(parts: Iterable[QuotePart]) -> int:
    return sum(part.amount_minor for part in parts)


@dataclass(frozen=True, slots=True)
class LineQuote:
    """The parts of one line without what the whole return bears."""

    line: str
    resolution: str
    quantity: int
    parts: tuple[QuotePart, ...]

    @property
    def total_minor(self) -> int:
        return _sum(self.parts)

    @property
    def tax_minor(self) -> int:
        """The tax included in the line's total."""
        return sum(part.tax_minor for part in self.parts)

    def to_json(self, currency: str) -> dict[str, Any]:
        return {
            "line": self.line,
            "resolution": self.resolution,
            "quantity": self.quantity,
            "total": {"amount": self.total_minor, "currency": currency},
            "parts": [part.to_json(currency) for part in self.parts],
        }


@dataclass(frozen=True, slots=True)
class Quote:
    """What the customer gets. ``parts`` are those of the whole return (label, outbound shipping)."""

    currency: str
    lines: tuple[LineQuote, ...]
    parts: tuple[QuotePart, ...] = ()

    def all_parts(self) -> tuple[QuotePart, ...]:
        """Every row, lines first."""
        return tuple(part for line in self.lines for part in line.parts) + self.parts

    def _pot(self, pot: str) -> Money:
        return Money(_sum(part for part in self.all_parts() if part.into == pot), self.currency)

    @property
    def refund_total(self) -> Money:
        """What goes back to the payments."""
        return self._pot(REFUND)

    @property
    def credit_total(self) -> Money:
        """What becomes store credit."""
        return self._pot(STORE_CREDIT)

    @property
    def bonus_minor(self) -> int:
        """What of the store credit is a gift on top of what was paid; never more than the credit itself."""
        given = sum(part.bonus_minor for part in self.all_parts() if part.into == STORE_CREDIT)
        return max(min(given, self.credit_total.minor), 0)

    @property
    def total(self) -> Money:
        return Money(_sum(self.all_parts()), self.currency)

    @property
    def tax_minor(self) -> int:
        """The tax included in the total, as it was charged ("Includes £22.95 VAT")."""
        return sum(part.tax_minor for part in self.all_parts())

    def line(self, line: str) -> LineQuote:
        """The quote of one line. Raises KeyError for a line that is not in it."""
        for each in self.lines:
            if each.line == line:
                return each
        raise KeyError(line)

    def to_json(self) -> dict[str, Any]:
        """The shape of the contract (``total``, ``parts``), both pots, and the lines it can be rebuilt from."""
        return {
            "total": self.total.to_json(),
            "refund_total": self.refund_total.to_json(),
            "credit_total": self.credit_total.to_json(),
            "tax": {"amount": self.tax_minor, "currency": self.currency},
            "parts": [part.to_json(self.currency) for part in self.all_parts()],
            "lines": [line.to_json(self.currency) for line in self.lines],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Quote:
        """The quote that `to_json` wrote."""
        return cls(
            data["total"]["currency"],
            tuple(
                LineQuote(
                    line["line"],
                    line["resolution"],
                    line["quantity"],
                    tuple(QuotePart.from_json(part) for part in line["parts"]),
                )
                for line in data["lines"]
            ),
            tuple(QuotePart.from_json(part) for part in data["parts"] if "line" not in part),
        )


def quote(
    lines: Sequence[QuoteLine],
    currency: str,
    *,
    shipping: ShippingPaid = ShippingPaid(),
    full_return: bool = False,
    fee_already_charged: bool = False,
    ship_with: str | None = None,
) -> Quote:
    """What these lines give back, part by part.

    ``shipping`` is what is still refundable of the outbound shipping (pass nothing once it was refunded). ``full_return``
    says that after this return nothing of the order stays with the customer. ``fee_already_charged`` says that an earlier
    return of the order bore the label; it matters to policies that charge ``once_per: order``. ``ship_with`` is the way
    chosen; where the shop makes no label (``shop``, ``own``) there is none to pay. Before the choice pass nothing: the
    label is counted, so that the sum can only rise.
    """
    quoted = tuple(_quote_line(line, currency) for line in lines)
    outbound = _outbound(lines, shipping, full_return)
    parts = list(outbound)
    if ship_with not in WITHOUT_LABEL:
        parts += _label(lines, quoted, outbound, currency, fee_already_charged)
    return Quote(currency, quoted, tuple(parts))


def _value(line: QuoteLine, term: str) -> Any:
    found = line.terms.get(term)
    return None if found is None else found.value


def _quote_line(line: QuoteLine, currency: str) -> LineQuote:
    into = STORE_CREDIT if line.resolution == STORE_CREDIT else REFUND
    parts: list[QuotePart] = []

    def add(kind: str, amount: int, tax: int = 0, **params: Any) -> None:
        parts.append(QuotePart(kind, amount, tax, params, line.line, into))

    add("item", line.list_minor, line.tax_minor, quantity=line.quantity)
    if line.discount_minor:
        add("discount", -line.discount_minor)
    on_top = line.gross_minor - line.list_minor + line.discount_minor
    if on_top:
        add("tax", on_top)
    worth = line.gross_minor
    if line.worth_bp != FULL_BP:
        # What stays is rounded, half up, and the rest is taken off: the half penny falls to the customer.
        worth = share_bp(line.gross_minor, line.worth_bp)
        add(
            "inspection",
            worth - line.gross_minor,
            share_bp(line.tax_minor, line.worth_bp) - line.tax_minor,
            worth_bp=line.worth_bp,
        )
    if line.resolution == EXCHANGE:
        add("replacement", -worth, -sum(part.tax_minor for part in parts))
        return LineQuote(line.line, line.resolution, line.quantity, tuple(parts))
    fee = _restocking(_value(line, "restocking_fee"), worth, line.quantity, currency)
    if fee is not None:
        parts.append(replace(fee, line=line.line, into=into))
        worth += fee.amount_minor
    if line.resolution == STORE_CREDIT and _value(line, "credit_bonus"):
        bonus = share_bp(worth, _value(line, "credit_bonus"))
        if bonus:
            add("credit_bonus", bonus, bonus_bp=_value(line, "credit_bonus"), of_minor=worth)
    return LineQuote(line.line, line.resolution, line.quantity, tuple(parts))


def _restocking(fee: Fee | None, worth: int, quantity: int, currency: str) -> QuotePart | None:
    if fee is None:
        return None
    if fee.amount is None:
        kept = share_bp(worth, max(FULL_BP - fee.bp, 0))
        return QuotePart("restocking_fee", kept - worth, 0, {"fee_bp": fee.bp}) if fee.bp else None
    if fee.amount.currency != currency:
        # The decision is `review` because of it (cause `fee_currency`); staff see the row and decide.
        return QuotePart("restocking_fee", 0, 0, {"not_charged": fee.amount.to_json()})
    full = fee.amount.minor * quantity
    return QuotePart("restocking_fee", -min(full, worth), 0, _clipped(full, worth)) if full else None


def _clipped(full: int, room: int) -> dict[str, Any]:
    return {"full_minor": full} if full > room else {}


def _outbound(lines: Sequence[QuoteLine], shipping: ShippingPaid, full_return: bool) -> tuple[QuotePart, ...]:
    """Outbound shipping goes back once: when a line's policy always gives it, or when the whole order comes back for money."""
    paying = [line for line in lines if line.resolution != EXCHANGE]
    always = [line for line in paying if _value(line, "outbound_shipping") == "always"]
    whole = (
        full_return
        and len(paying) == len(lines)
        and all(_value(line, "outbound_shipping") == "full_return" for line in lines)
    )
    granting = always or (paying if whole else [])
    if not granting or shipping.amount_minor <= 0:
        return ()
    into = REFUND if any(line.resolution == REFUND for line in granting) else STORE_CREDIT
    return (QuotePart("outbound_shipping", shipping.amount_minor, shipping.tax_minor, {}, None, into),)


def _label(
    lines: Sequence[QuoteLine],
    quoted: Sequence[LineQuote],
    outbound: Sequence[QuotePart],
    currency: str,
    fee_already_charged: bool,
) -> list[QuotePart]:
    """The customer's share of the label, once. Where lines differ, the smallest fee of those that bear one is taken."""
    chargeable: dict[ReturnShipping, int] = {}
    pots: set[str] = set()
    for line, priced in zip(lines, quoted, strict=True):
        terms: ReturnShipping | None = _value(line, "return_shipping")
        if (
            terms is None
            or terms.paid_by != "customer"
            or line.resolution in terms.free_for
            or line.resolution == EXCHANGE  # no money moves that it could be taken from
            or _value(line, "keep_item")
            or (terms.once_per == "order" and fee_already_charged)
        ):
            continue
        if terms.amount is None and terms.bp is None:
            continue  # the customer posts the parcel and pays the carrier
        chargeable[terms] = chargeable.get(terms, 0) + priced.total_minor
        pots.add(line.resolution)
    if not chargeable:
        return []
    foreign = [terms.amount for terms in chargeable if terms.amount is not None and terms.amount.currency != currency]
    if foreign:
        # The decision is `review` because of it (cause `fee_currency`); staff see the row and decide.
        into = REFUND if REFUND in pots else STORE_CREDIT
        return [QuotePart("return_shipping", 0, 0, {"not_charged": foreign[0].to_json()}, None, into)]
    full = min(
        terms.amount.minor if terms.amount is not None else share_bp(worth, terms.bp or 0)
        for terms, worth in chargeable.items()
    )
    rows: list[QuotePart] = []
    left = full
    for pot in (REFUND, STORE_CREDIT):
        if pot not in pots:
            continue
        room = _sum(part for line in quoted for part in line.parts if part.into == pot)
        room += _sum(part for part in outbound if part.into == pot)
        taken = min(left, max(room, 0))
        left -= taken
        if taken:
            rows.append(QuotePart("return_shipping", -taken, 0, {}, None, pot))
    if left > 0:
        if not rows:
            rows = [QuotePart("return_shipping", 0, 0, {}, None, REFUND if REFUND in pots else STORE_CREDIT)]
        rows[-1] = replace(rows[-1], params={"full_minor": full})
    return rows
