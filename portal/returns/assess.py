"""What a wish would lead to: decision and money per line. Changes nothing; booking runs the very same function.

In: an order, wishes, and the policy book. Out: `Assessment`: facts, decision and units of each line, and one quote for all.
Invariants: a wish that makes no sense is `Invalid` with a pointer per field; a policy's "no" is a value; the number of queries
does not depend on the number of lines. Never: a write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.errors import Invalid
from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy import quote as money
from portal.policy.binding import Bound
from portal.policy.decision import REFUSE, REVIEW, Cause, Decision
from portal.policy.facts import AnswerValue, CustomerFacts, Facts, OrderFacts
from portal.policy.quote import Quote, QuoteLine, ShippingPaid
from portal.policy.reasons import CHANGED_MIND, FAULTS, REASONS
from portal.policy.terms import METHODS, RESOLUTIONS
from portal.policybook.service import Book
from portal.returns import facts as gather
from portal.returns import units
from portal.returns.models import UnitRange
from portal.returns.parcel import parcel
from portal.returns.units import Range, Worth

EARLIEST_YEAR, LATEST_YEAR = 1970, 2200
MAX_UNITS = 1_000_000_000
"""More than any line has; keeps a number that a client sends inside what the database can hold."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the customer wants for ``quantity`` units of the order line ``line`` (its ``ref``)."""

    line: str
    quantity: int
    reason: str
    resolution: str
    note: str = ""
    exchange_sku: str | None = None
    photos: int = 0
    """How many photos were given."""
    answers: Mapping[str, AnswerValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineAssessment:
    """One wish with everything that booking freezes: facts, decision, units and what was charged for them."""

    wish: Wish
    order_line: OrderLine
    facts: Facts
    decision: Decision
    units: tuple[Range, ...]
    worth: Worth

    @property
    def gross_minor(self) -> int:
        """What was charged for these units, in minor units, tax included."""
        return self.worth.gross_minor

    @property
    def tax_minor(self) -> int:
        """The tax in it."""
        return self.worth.tax_minor

    @property
    def keeps_item(self) -> bool:
        """True when the goods need not come back."""
        return bool(self.decision.value("keep_item"))


@dataclass(frozen=True, slots=True)
class Basis:
    """What a quote is made of besides its lines. Stored with the return as ``Return.basis``."""

    shipping: ShippingPaid
    full_return: bool
    fee_charged: bool
    timezone: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """All wishes together. ``policy_number`` is the version that decided: the one that binds the order, or the newest later one
    that was kinder to a line (each line's decision has the hash of its own). ``quote`` covers every line, also those that the
    policy refuses, so that staff see what a yes would cost."""

    order: Order
    policy_number: int
    lines: tuple[LineAssessment, ...]
    quote: Quote
    basis: Basis
    ship_with: tuple[str, ...]
    """The ways to send the parcel that every travelling line allows, in the policy's order; empty when nothing travels."""

    @property
    def answer(self) -> str:
        """The strictest answer of all lines: refuse, review or accept."""
        answers = {line.decision.answer for line in self.lines}
        return REFUSE if REFUSE in answers else REVIEW if REVIEW in answers else "accept"

    @property
    def travelling(self) -> tuple[LineAssessment, ...]:
        """The lines whose goods are sent back."""
        return tuple(line for line in self.lines if not line.keeps_item)


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What the item page says about one order line.

    ``state``: ``returnable``, ``only_faulty`` (only reasons that are the shop's fault), ``no``, ``already_returned``.
    ``return_by``/``return_by_on`` and ``causes`` are those of a change of mind; ``by_reason`` holds the decision for one unit
    and every reason, asked without a resolution.
    """

    order_line: OrderLine
    units_left: int
    state: str
    return_by: datetime | None
    return_by_on: date | None
    causes: tuple[Cause, ...]
    by_reason: Mapping[str, Decision]
    worth: Worth | None
    """What the next free unit cost; None when no unit is left."""
    facts: Facts | None
    """What was asked for a change of mind; None when no unit is left."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything about the order that all its lines share."""

    order: Order
    bound: Bound
    book: Book
    order_facts: OrderFacts
    customer: CustomerFacts
    is_consumer: bool
    before: gather.Earlier
    held: Mapping[int, Sequence[Range]]
    at: datetime

    def free(self, line: OrderLine) -> list[Range]:
        return units.free(line.quantity - line.units_gone, self.held.get(line.id, ()))


def _know(session: Session, book: Book, order: Order, at: datetime) -> _Known:
    bound = book.bound(order.placed_at)
    before = gather.earlier(session, order)
    return _Known(
        order,
        bound,
        book,
        gather.order_facts(order, before),
        gather.customer_facts(session, order, book.asks(bound), at),
        gather.is_consumer(order),
        before,
        held_ranges(session, order.lines),
        at,
    )


def held_ranges(session: Session, lines: Sequence[OrderLine]) -> dict[int, list[Range]]:
    """The ranges that returns hold, by order line: one query, none when nothing is held."""
    ids = [line.id for line in lines if line.units_held]
    found: dict[int, list[Range]] = {}
    if ids:
        query = select(UnitRange.order_line_id, UnitRange.first, UnitRange.last).where(
            UnitRange.order_line_id.in_(ids), UnitRange.released_at.is_(None)
        )
        for line_id, first, last in session.execute(query):
            found.setdefault(line_id, []).append((first, last))
    return found


def assess(
    session: Session,
    book: Book,
    order: Order,
    wishes: Sequence[Wish],
    *,
    at: datetime,
    ship_with: str | None = None,
) -> Assessment:
    """Decide and quote the wishes at the moment ``at``. Raises `Invalid` with JSON pointers for what makes no sense."""
    if ship_with is not None and ship_with not in METHODS:
        raise Invalid("This way to send it is not known.", {"/ship_with": f"choose one of {', '.join(METHODS)}"})
    if at.tzinfo is None or not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise Invalid(
            "This moment can't be asked about.",
            {"/at": f"give a time zone and a year from {EARLIEST_YEAR} to {LATEST_YEAR}"},
        )
    chosen = _check(order, wishes)
    known = _know(session, book, order, at)
    taken = [_take(known, index, wish, line) for index, (wish, line) in enumerate(zip(wishes, chosen, strict=True))]
    value = Money(sum(worth.gross_minor for _, worth in taken), order.currency)
    count = sum(wish.quantity for wish in wishes)
    full = count == _units_left(order)
    lines, decided_by = [], [known.bound.version.number]
    for wish, line, (ranges, worth) in zip(wishes, chosen, taken, strict=True):
        asked = Facts(
            order=known.order_facts,
            customer=known.customer,
            item=gather.item_facts(order, line),
            quantity=wish.quantity,
            line_value=Money(worth.gross_minor, order.currency),
            return_value=value,
            return_items=count,
            return_is_full=full,
            reason=wish.reason,
            answers=dict(wish.answers),
            evidence=wish.photos,
            resolution=wish.resolution,
            method=ship_with,
            at=at,
            is_consumer=known.is_consumer,
        )
        number, decision = book.decide(known.bound, asked)
        decided_by.append(number)
        lines.append(LineAssessment(wish, line, asked, decision, ranges, worth))
    before = known.before
    basis = Basis(
        ShippingPaid(
            max(order.shipping_minor - before.shipping_minor, 0),
            max(order.shipping_tax_minor - before.shipping_tax_minor, 0),
        ),
        full,
        before.fee_charged,
        known.bound.version.policy.timezone,
    )
    quoted = money.quote(
        [quote_line(line.wish, line.worth, line.decision) for line in lines],
        order.currency,
        shipping=basis.shipping,
        full_return=full,
        fee_already_charged=basis.fee_charged,
        ship_with=ship_with,
    )
    methods = parcel(line.decision for line in lines).methods
    return Assessment(order, max(decided_by), tuple(lines), quoted, basis, methods)


def quote_line(wish: Wish, worth: Worth, decision: Decision) -> QuoteLine:
    """One line as the quote wants it."""
    return QuoteLine(
        wish.line,
        wish.quantity,
        worth.gross_minor,
        worth.tax_minor,
        worth.list_minor,
        worth.discount_minor,
        wish.resolution,
        decision.terms,
    )


def _check(order: Order, wishes: Sequence[Wish]) -> list[OrderLine]:
    """The order line of each wish. Every mistake is named at once, each with its pointer."""
    if not wishes:
        raise Invalid("Choose at least one item.", {"/lines": "name at least one line with its quantity"})
    by_ref = {line.ref: line for line in order.lines}
    wrong: dict[str, str] = {}
    chosen: list[OrderLine] = []
    seen: set[str] = set()
    for index, wish in enumerate(wishes):
        at = f"/lines/{index}"
        line = by_ref.get(wish.line)
        if line is None:
            wrong[f"{at}/line"] = f"this order has no line `{wish.line[:64]}`"
        elif wish.line in seen:
            wrong[f"{at}/line"] = "this line is named twice; put all its units into one entry"
        else:
            seen.add(wish.line)
            chosen.append(line)
        if line is not None and not 0 < wish.quantity <= MAX_UNITS:
            wrong[f"{at}/quantity"] = "choose at least 1"
        elif line is not None and wish.quantity > line.units_left:
            wrong[f"{at}/quantity"] = _too_many(line)
        if wish.reason not in REASONS:
            wrong[f"{at}/reason"] = f"choose one of {', '.join(REASONS)}"
        if wish.resolution not in RESOLUTIONS:
            wrong[f"{at}/resolution"] = f"choose one of {', '.join(RESOLUTIONS)}"
    if wrong:
        raise Invalid("Some of this can't be returned as asked.", wrong)
    return chosen


def _too_many(line: OrderLine) -> str:
    left = line.units_left
    return f"only {left} of {line.quantity} can still be returned" if left else "all of these are in a return already"


def _take(known: _Known, index: int, wish: Wish, line: OrderLine) -> tuple[tuple[Range, ...], Worth]:
    ranges, _ = units.take(known.free(line), wish.quantity)
    return ranges, units.worth(line, ranges)


def line_options(session: Session, book: Book, order: Order, *, at: datetime) -> list[LineOptions]:
    """What the item page says about every line of the order, one decision per line and reason."""
    known = _know(session, book, order, at)
    only_one = _units_left(order) == 1
    return [_options(known, line, only_one) for line in order.lines]


def _units_left(order: Order) -> int:
    return sum(line.units_left for line in order.lines)


def _options(known: _Known, line: OrderLine, only_one: bool) -> LineOptions:
    left = line.units_left
    if left <= 0:
        return LineOptions(line, 0, "already_returned", None, None, (), {}, None, None)
    ranges, _ = units.take(known.free(line), 1)
    worth = units.worth(line, ranges)
    value = Money(worth.gross_minor, known.order.currency)
    asked = Facts(
        order=known.order_facts,
        customer=known.customer,
        item=gather.item_facts(known.order, line),
        quantity=1,
        line_value=value,
        return_value=value,
        return_items=1,
        return_is_full=only_one,
        evidence=0,
        at=known.at,
        is_consumer=known.is_consumer,
    )
    by_reason = known.book.decide_each_reason(known.bound, asked)
    plain = by_reason[CHANGED_MIND]
    if any(not decision.refused for reason, decision in by_reason.items() if reason not in FAULTS):
        state = "returnable"
    elif any(not by_reason[reason].refused for reason in FAULTS):
        state = "only_faulty"
    else:
        state = "no"
    return LineOptions(
        line, left, state, plain.return_by, plain.return_by_on, plain.causes, by_reason, worth,
        asked.asking(reason=CHANGED_MIND),
    )  # fmt: skip
