"""What is owed for a return: the one place that payout, page and document ask.

`payable_quote(session, return_) -> policy.quote.Quote` is an ordinary `Quote` in the return's currency: ``refund_total`` goes
back to the payments, ``credit_total`` becomes store credit, ``lines`` and ``parts`` explain both (an ``exchange`` sums to zero).
It is what `Return.quote` holds: what the customer was shown at booking, frozen anew by `reprice` whenever staff change an amount
or refuse a line, and whenever goods are missing, graded or refused. A return that was rejected, canceled or has expired owes
nothing: an empty quote.

Only lines of status ``accepted`` or ``review`` are in it. Parts of kind ``adjustment`` are amounts that staff have changed; less
than was quoted comes off the bonus of a store credit first (``bonus_minor`` in its ``params``), then off the price of the goods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from portal.money import Money
from portal.policy import quote as money
from portal.policy.decision import Decision, stored_value
from portal.policy.quote import FULL_BP, LineQuote, Quote, QuoteLine, QuotePart, ShippingPaid
from portal.policy.terms import Grade
from portal.returns import units
from portal.returns.lifecycle import ENDED
from portal.returns.models import Return, ReturnLine

COUNTING = ("accepted", "review")
NOT_PAID = frozenset({"missing", "wrong_item"})
"""What did not come is not paid, unless the policy grades it or staff set an amount. Without it the order is not back in full,
whatever the policy gives for it, and delivery that goes back with a full return stays."""


def payable_quote(session: Session, return_: Return) -> Quote:
    """What is owed for the return now. Costs no query; ``session`` is the return's own."""
    if return_.status in ENDED:
        return Quote(return_.currency, ())
    return Quote.from_json(return_.quote)


def goods_outstanding(return_: Return) -> int:
    """How many units still have to come: announced, not kept by the customer, not yet counted (found missing counts)."""
    return sum(line.quantity - accounted(line) for line in expected_lines(return_))


def expected_lines(return_: Return) -> list[ReturnLine]:
    """The lines whose goods come back: what was not refused, and what the customer does not keep."""
    return [line for line in return_.lines if line.status in COUNTING and not keeps_item(line)]


def accounted(line: ReturnLine) -> int:
    """Units of the line that were counted, present or missing."""
    counted: int = sum((line.found or {}).values())
    return max(counted, line.received_quantity)


def keeps_item(line: ReturnLine) -> bool:
    """True when the policy lets the customer keep these goods."""
    return bool(line.decision["terms"]["keep_item"]["value"])


def gives_away(line: ReturnLine) -> bool:
    """True when the customer is asked to give these goods away in place of sending them."""
    return keeps_item(line) and bool(line.decision["terms"].get("donate", {}).get("value"))


def mark_given_away(line: ReturnLine) -> None:
    """Write down where an accepted line's goods go, as a warehouse would, if its customer gives them away."""
    if line.status == "accepted" and gives_away(line):
        line.disposition = "donate"


def message_of(line: ReturnLine) -> str:
    """What the policy tells the customer about this item; empty when it says nothing."""
    return str(line.decision["terms"].get("message", {}).get("value") or "")


def grades(line: ReturnLine) -> Mapping[str, Grade]:
    """What the policy says about conditions found on inspection; empty when it says nothing."""
    return stored_value(line.decision, "on_inspection") or {}


def shortfall(return_: Return) -> dict[str, Any]:
    """Why less is owed than was agreed, beside what a part of the quote says of itself; nothing of a return that has ended.

    ``found`` are units that the quote does not pay because they did not come, as ``[line, condition, units, of how many]``.
    ``delivery`` says why delivery costs that were promised with a full return have lapsed: ``missing`` where not all of it came
    back, ``kept`` where a part was not taken back, empty where they have not lapsed.
    """
    if return_.status in ENDED:
        return {"found": [], "delivery": ""}
    quote = Quote.from_json(return_.quote)
    found = [
        [line.order_line.ref, condition, count, line.quantity]
        for line in return_.lines
        if line.status in COUNTING
        for condition, count in _unpaid(line, quote)
    ]
    promised = Quote.from_json(return_.basis.get("shown", return_.quote)).parts
    kinds = ({part.kind for part in parts} for parts in (promised, quote.parts))
    lapsed = [("outbound_shipping" in each) for each in kinds] == [True, False]
    why = "missing" if any(map(_did_not_come, return_.lines)) else "kept"
    return {"found": found, "delivery": why if lapsed else ""}


def _did_not_come(line: ReturnLine) -> bool:
    """True when units of the line are not back and should be."""
    return line.status in COUNTING and not keeps_item(line) and not NOT_PAID.isdisjoint(line.found or {})


def _unpaid(line: ReturnLine, quote: Quote) -> Iterator[tuple[str, int]]:
    """The units of the line that the quote leaves out, by what was found of them; none where money had gone ahead of the count,
    or where staff have given something for them."""
    quoted = _quoted(quote, line)
    left = line.quantity - quoted.quantity
    given = {
        condition
        for part in quoted.parts
        if part.kind == "adjustment" and part.amount_minor > 0
        for condition in part.params.get("found", ())
    }
    # What never came was left out first, at the arrival; what else was found came out later.
    for condition in sorted(NOT_PAID - given - grades(line).keys()):
        if count := min((line.found or {}).get(condition, 0), left):
            left -= count
            yield condition, count


def _quoted(quote: Quote, line: ReturnLine) -> LineQuote:
    """What is quoted for the line: no unit and nothing where it is left out."""
    found = (each for each in quote.lines if each.line == line.order_line.ref)
    return next(found, LineQuote(line.order_line.ref, line.resolution, 0, ()))


def left_at_home(return_: Return, line: ReturnLine) -> int:
    """How many units of the line did not come and were not paid: the last of those that it holds, which may come back later.

    The quote is what was executed. Where more was given than the units are worth that came, staff have paid for the rest too.
    """
    found = sum(count for condition, count in (line.found or {}).items() if condition in NOT_PAID)
    if not found or line.status not in COUNTING:
        return 0
    quoted = _quoted(Quote.from_json(return_.quote), line)
    came = min(quoted.quantity, line.quantity)
    given = sum(part.amount_minor - part.bonus_minor for part in quoted.parts)
    kept, _ = units.take(_ranges(line), came)
    return min(found, line.quantity - came) if given <= units.worth(line.order_line, kept).gross_minor else 0


def lowered_lines(return_: Return) -> set[str]:
    """The refs of the lines for which staff have set less than was quoted."""
    parts = Quote.from_json(return_.quote).all_parts()
    return {part.line for part in parts if part.kind == "adjustment" and part.amount_minor < 0 and part.line}


WITHDRAWN = "withdrawn"
"""Marks in `Return.basis` that the customer has withdrawn from the contract: no reason was given, and the one that the policy was
asked with is nobody's words."""


SET_FOR = "set_for"
"""What had been found when staff set an amount, in `Return.basis` by the line's ref: only that is named as its cause."""


def set_amount(line: ReturnLine, amount_minor: int, *, of_goods: bool) -> None:
    """Give this for the line, in minor units. ``of_goods`` says that it is given for the goods as they were found."""
    if line.amount_minor == amount_minor:
        return
    line.amount_minor = amount_minor
    known = grades(line)
    worth_less = [
        condition
        for condition in (line.found or {} if of_goods else ())
        if (known[condition].bp != FULL_BP if condition in known else condition != "as_new")
    ]
    basis = line.return_.basis
    line.return_.basis = {**basis, SET_FOR: {**basis.get(SET_FOR, {}), line.order_line.ref: worth_less}}


def basis_json(
    shipping: ShippingPaid, *, full_return: bool, fee_charged: bool, timezone: str, withdrawn: bool = False
) -> dict[str, Any]:
    """`Return.basis` of a booking."""
    return {
        **({WITHDRAWN: True} if withdrawn else {}),
        "shipping": {"amount": shipping.amount_minor, "tax": shipping.tax_minor},
        "full_return": full_return,
        "fee_charged": fee_charged,
        "timezone": timezone,
    }


def price(return_: Return, instead: Mapping[int, str] | None = None) -> Quote:
    """The quote of the return as its lines stand now: without refused lines, for what was found, with staff's amounts.

    ``instead`` asks what it would be if these lines, by id, had another resolution.
    """
    basis = return_.basis
    lines: list[QuoteLine] = []
    whole = bool(basis["full_return"])
    for line in return_.lines:
        if line.status not in COUNTING:
            whole = False
            continue
        whole = whole and not _did_not_come(line)
        lines += _groups(line, (instead or {}).get(line.id, line.resolution))
    quoted = money.quote(
        lines,
        return_.currency,
        shipping=ShippingPaid(basis["shipping"]["amount"], basis["shipping"]["tax"]),
        full_return=whole,
        fee_already_charged=bool(basis["fee_charged"]),
        ship_with=return_.ship_with,
    )
    by_ref = {line.order_line.ref: line for line in return_.lines}
    priced_lines = _merged([_named(each, by_ref[each.line]) for each in quoted.lines])
    final = tuple(
        _adjusted(priced_lines.get(ref) or LineQuote(ref, line.resolution, 0, ()), line)
        for ref, line in by_ref.items()
        if ref in priced_lines or (line.status in COUNTING and line.amount_minor)
    )
    return _never_below_zero(replace(quoted, lines=final))


def _never_below_zero(quoted: Quote) -> Quote:
    """The label takes at most what is there after staff have set an amount: a total is never below zero (docs/money.md)."""
    parts: list[QuotePart] = []
    for part in quoted.parts:
        if part.kind == "return_shipping":
            beside = (*(each for line in quoted.lines for each in line.parts), *quoted.parts)
            room = sum(each.amount_minor for each in beside if each.into == part.into and each.kind != part.kind)
            if room + part.amount_minor < 0:
                full = part.params.get("full_minor", -part.amount_minor)
                part = replace(part, amount_minor=-max(room, 0), params={**part.params, "full_minor": full})
        parts.append(part)
    return replace(quoted, parts=tuple(parts))


def reprice(return_: Return) -> tuple[Money, Money]:
    """Freeze the quote anew; gives the total before and after. What was shown at booking stays in ``basis``.

    Once the payout is planned nothing changes any more: the quote is what was executed, also where money went ahead of goods
    that turned out otherwise.
    """
    was = Quote.from_json(return_.quote)
    if return_.payout_planned_at is not None:
        return was.total, was.total
    now = price(return_)
    if now != was:
        if "shown" not in return_.basis:
            return_.basis = {**return_.basis, "shown": return_.quote}
        return_.quote = now.to_json()
    return was.total, now.total


def _groups(line: ReturnLine, resolution: str) -> list[QuoteLine]:
    """The line as the quote wants it, one entry for each share of the price that is still given."""
    decision = Decision.from_json(line.decision)
    worths = {FULL_BP: line.quantity} if not line.found or keeps_item(line) else _worths(line, decision)
    ranges = _ranges(line)
    if units.size(ranges) < sum(worths.values()):
        ranges = ((1, line.quantity),)
    found = []
    for bp, count in sorted(worths.items(), reverse=True):
        taken, ranges = units.take(ranges, count)
        cost = units.worth(line.order_line, taken)
        if count == line.quantity:
            # The whole line is worth what was frozen when it was booked.
            cost = units.worth(line.order_line, taken, gross=line.gross_minor, tax=line.tax_minor)
        if count:
            found.append(
                QuoteLine(
                    line.order_line.ref,
                    count,
                    cost.gross_minor,
                    cost.tax_minor,
                    cost.list_minor,
                    cost.discount_minor,
                    resolution,
                    decision.terms,
                    worth_bp=bp,
                )
            )
    return found


def _named(quoted: LineQuote, line: ReturnLine) -> LineQuote:
    """What a check took off says of how many units, and what was found: the conditions that are worth so much."""
    known = grades(line)

    def named(part: QuotePart) -> QuotePart:
        if part.kind != "inspection":
            return part
        found = [each for each in line.found or {} if each in known and known[each].bp == part.params["worth_bp"]]
        return replace(part, params={**part.params, "found": found, "quantity": quoted.quantity})

    return replace(quoted, parts=tuple(named(part) for part in quoted.parts))


def _worths(line: ReturnLine, decision: Decision) -> dict[int, int]:
    known: Mapping[str, Grade] = decision.value("on_inspection") or {}
    found: dict[int, int] = {}
    counted = line.found or {}
    waiting = line.quantity - sum(counted.values())
    for condition, count in [*counted.items(), ("as_new", max(waiting, 0))]:
        if condition in known:
            bp = known[condition].bp
        elif condition in NOT_PAID:
            continue
        else:
            bp = FULL_BP
        found[bp] = found.get(bp, 0) + count
    return found


def _ranges(line: ReturnLine) -> tuple[units.Range, ...]:
    """The line's units in order; those it held last, if it has given them back."""
    held = [each for each in line.units if each.released_at is None]
    if not held:
        last = max((each.released_at for each in line.units if each.released_at is not None), default=None)
        held = [each for each in line.units if each.released_at == last]
    return tuple(sorted((each.first, each.last) for each in held))


def _merged(lines: Sequence[LineQuote]) -> dict[str, LineQuote]:
    """One entry per order line, whatever its units turned out to be worth."""
    found: dict[str, LineQuote] = {}
    for line in lines:
        before = found.get(line.line)
        if before is None:
            found[line.line] = line
        else:
            found[line.line] = replace(
                before, quantity=before.quantity + line.quantity, parts=_joined(before.parts, line.parts)
            )
    return found


def _joined(before: Sequence[QuotePart], more: Sequence[QuotePart]) -> tuple[QuotePart, ...]:
    parts = list(before)
    for part in more:
        for index, known in enumerate(parts):
            if known.kind == part.kind and part.kind in ("item", "discount", "tax", "replacement"):
                params = dict(known.params)
                if "quantity" in params:
                    params["quantity"] += part.params["quantity"]
                parts[index] = replace(
                    known,
                    amount_minor=known.amount_minor + part.amount_minor,
                    tax_minor=known.tax_minor + part.tax_minor,
                    params=params,
                )
                break
        else:
            parts.append(part)
    return tuple(parts)


def _set_for(line: ReturnLine, *, lowered: bool) -> list[str]:
    """What had been found when staff set the amount; units that are worth nothing already are no cause to take off more."""
    found: list[str] = line.return_.basis.get(SET_FOR, {}).get(line.order_line.ref, [])
    known = grades(line)
    return [each for each in found if not lowered or (known[each].bp > 0 if each in known else each not in NOT_PAID)]


def _adjusted(quoted: LineQuote, line: ReturnLine) -> LineQuote:
    if line.amount_minor is None or line.amount_minor == quoted.total_minor:
        return quoted
    difference = line.amount_minor - quoted.total_minor
    # What is taken off comes off the gift first; only what is left of it comes off the price of the goods.
    bonus = sum(part.bonus_minor for part in quoted.parts)
    of_bonus = -min(bonus, max(-difference, 0))
    tax = quoted.tax_minor
    if difference != of_bonus:
        # The tax in an amount that a person has set is its share of the tax that was charged, half a unit rounded up.
        gross, goods = line.gross_minor, max(line.amount_minor - bonus - of_bonus, 0)
        tax = (line.tax_minor * goods * 2 + gross) // (gross * 2) if gross else 0
    part = QuotePart(
        "adjustment",
        difference,
        tax - quoted.tax_minor,
        {
            "amount_minor": line.amount_minor,
            "instead_of_minor": quoted.total_minor,
            **({"bonus_minor": of_bonus} if of_bonus else {}),
            **({"found": found} if (found := _set_for(line, lowered=difference < 0)) else {}),
        },
        quoted.line,
        money.STORE_CREDIT if line.resolution == money.STORE_CREDIT else money.REFUND,
    )
    return replace(quoted, parts=(*quoted.parts, part))
