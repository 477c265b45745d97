"""Goods arrive, are counted, and are looked at.

A receipt adds up over several parcels and days. When every announced unit is accounted for, the return is received. Goods that
are not as agreed put a question to staff before money goes, unless the policy grades the condition itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select

from portal import ids, timeline
from portal.db import Tx
from portal.errors import Invalid
from portal.money import Money
from portal.orders.models import Variant
from portal.policy.terms import CONDITIONS
from portal.receiving import differences
from portal.receiving import disposition as goods
from portal.receiving.disposition import MISSING, RESTOCK
from portal.receiving.models import Receipt
from portal.returns import claims, lifecycle, texts
from portal.returns.decisions import ship
from portal.returns.holding import lock_return
from portal.returns.lifecycle import Effect
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import (
    accounted,
    expected_lines,
    goods_outstanding,
    reprice,
)
from portal.reviews import service as reviews

DECIDE_WITHIN_HOURS = 24
WITHOUT_SCAN = "It arrived without a scan on the way."
"""Why a return was on its way though no carrier said so."""
MAX_KEY = 100
_ON_RECEIPT = ("received", "inspected")


@dataclass(frozen=True, slots=True)
class Count:
    """``quantity`` units of an order line (``line`` is its ref) in one condition; ``disposition`` None means the usual one."""

    line: str
    quantity: int
    condition: str
    disposition: str | None = None
    note: str = ""

    @property
    def goes(self) -> str:
        """Where these units go."""
        return self.disposition or goods.usual(self.condition)


def receive(
    tx: Tx,
    rma: str,
    counts: Sequence[Count],
    *,
    command_key: str,
    note: str = "",
    decide_within_hours: int = DECIDE_WITHIN_HOURS,
) -> Return:
    """Count what has arrived; the same ``command_key`` again counts nothing.

    Several receipts add up, never above what was announced (`Invalid` with a pointer per count). Once all is accounted for the
    return is ``received``: money that waits for the receipt flows, for what came. Where a condition is not as agreed and the
    policy does not grade it, a review of kind ``receipt`` is opened and the money waits for `returns.service.authorize` or
    `refuse`.
    """
    note = texts.note(note, "note")
    return_ = lock_return(tx, rma)
    if _is_repeated(tx, return_, command_key):
        return return_
    status = return_.status
    if status != lifecycle.AUTHORIZED and lifecycle.step(status, lifecycle.RECEIVE).effect is not Effect.MOVE:
        raise lifecycle.refusal(status, lifecycle.RECEIVE)
    by_line = _check(return_, counts)
    if not counts:
        raise Invalid("Nothing was counted.", {"/lines": "name at least one line with its quantity and condition"})
    for ref, found in by_line.items():
        line = _line(return_, ref)
        total = accounted(line) + sum(count.quantity for _, count in found)
        if total > line.quantity:
            raise Invalid(
                "More was counted than was announced.",
                {f"/lines/{found[0][0]}/quantity": f"at most {line.quantity - accounted(line)} more can be received"},
            )
    if status == lifecycle.AUTHORIZED:
        ship(tx, return_, why=WITHOUT_SCAN)
    _write(tx, return_, counts, command_key, "received")
    in_parts = any(accounted(line) for line in return_.lines)
    shelved: list[tuple[ReturnLine, int]] = []
    for ref, found in by_line.items():
        line = _line(return_, ref)
        _found(line, _added(line.found or {}, [count for _, count in found]), [count for _, count in found])
        shelved.append((line, sum(count.quantity for _, count in found if count.goes == RESTOCK)))
    _restock(tx, shelved)
    data: dict[str, Any] = {"counts": _counts_json(counts)}
    if goods_outstanding(return_):
        tx.session.flush()
        timeline.record(
            tx, "return.partly_received", return_id=return_.id, order_id=return_.order_id, why=note, data=data
        )
        return return_
    for line in return_.lines:
        _scale_amount(line, line.quantity)
    return_.status = lifecycle.move(return_.status, lifecycle.RECEIVE)
    return_.received_at = tx.at
    was, now = reprice(return_)
    data |= _change(was, now)
    asks = (
        return_.refund_when == "received" and return_.payout_planned_at is None and differences.put_a_question(return_)
    )
    if asks:
        # Money that would go on receipt now waits for a person, which is what an inspection is.
        return_.refund_when = "inspected"
    tx.session.flush()
    # The question stands before the event moves money or a replacement.
    why = differences.ask_staff(tx, return_, was, now, decide_within_hours) if asks else ""
    differences.look_at_paid(tx, return_, decide_within_hours)
    if in_parts and not claims.was_paid_ahead(return_):
        # Whether the rest comes was perhaps asked; what it is like is another question.
        claims.settle(tx, return_, "The rest has come.")
    timeline.record(tx, "return.received", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    if asks:
        differences.record(tx, return_, why)
    return return_


def inspect(
    tx: Tx,
    rma: str,
    counts: Sequence[Count],
    *,
    command_key: str,
    note: str = "",
    decide_within_hours: int = DECIDE_WITHIN_HOURS,
) -> Return:
    """Say in which condition the received goods really are; the same ``command_key`` again changes nothing.

    ``counts`` replace, line by line, what was noted at arrival and name all units that came (`Invalid` otherwise); lines left out
    stay as noted. As agreed, or graded by the policy: the return is inspected and money that waits for it flows. Otherwise a
    review of kind ``receipt`` is opened and the money waits for a person; so it does, whatever is found, while a payout that
    was taken back is to be decided again.
    """
    note = texts.note(note, "note")
    return_ = lock_return(tx, rma)
    if _is_repeated(tx, return_, command_key):
        return return_
    again = return_.status == lifecycle.INSPECTED and bool(
        reviews.open_reviews(tx.session, return_.id, reviews.RECEIPT)
    )
    if not again and lifecycle.step(return_.status, lifecycle.INSPECT).effect is not Effect.MOVE:
        raise lifecycle.refusal(return_.status, lifecycle.INSPECT)
    by_line = _check(return_, counts)
    for ref, found in by_line.items():
        line = _line(return_, ref)
        if sum(count.quantity for _, count in found) != line.received_quantity:
            raise Invalid(
                "The inspection has to name every unit that came.",
                {f"/lines/{found[0][0]}/quantity": f"{line.received_quantity} of this line were received"},
            )
    _write(tx, return_, counts, command_key, "inspected")
    shelved: list[tuple[ReturnLine, int]] = []
    for ref, found in by_line.items():
        line = _line(return_, ref)
        came = line.received_quantity
        missing = {MISSING: line.found[MISSING]} if line.found and MISSING in line.found else {}
        _found(line, _added(missing, [count for _, count in found]), [count for _, count in found])
        _scale_amount(line, came)
        shelved.append(
            (line, sum(count.quantity for _, count in found if count.goes == RESTOCK) - line.restocked_quantity)
        )
    _restock(tx, shelved)
    return_.status = lifecycle.INSPECTED if again else lifecycle.move(return_.status, lifecycle.INSPECT)
    return_.inspected_at = tx.at
    was, now = reprice(return_)
    data = {"counts": _counts_json(counts), **_change(was, now)}
    tx.session.flush()
    differences.look_at_paid(tx, return_, decide_within_hours)
    if return_.payout_planned_at is None and return_.refund_when in _ON_RECEIPT and differences.put_a_question(return_):
        timeline.record(tx, "return.questioned", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
        differences.record(tx, return_, differences.ask_staff(tx, return_, was, now, decide_within_hours))
        return return_
    for review in reviews.open_reviews(tx.session, return_.id, reviews.RECEIPT):
        if reviews.DECIDE_AGAIN not in (review.data or {}):
            reviews.settle(tx, review, reviews.SETTLED, note=note)
    timeline.record(tx, "return.inspected", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    return return_


_REPEATED = (
    select(Receipt.id)
    .where(Receipt.return_line_id.in_(bindparam("lines", expanding=True)), Receipt.command_key == bindparam("key"))
    .limit(1)
)
_WRITE = insert(cast(Table, Receipt.__table__))


def _is_repeated(tx: Tx, return_: Return, command_key: str) -> bool:
    if not 0 < len(command_key) <= MAX_KEY or not ids.is_text(command_key):
        raise Invalid("The command has no usable key.", {"command_key": f"use 1 to {MAX_KEY} characters"})
    if not any(line.found for line in return_.lines):
        # Nothing was counted yet, so nothing can be repeated.
        return False
    wanted = {"lines": [line.id for line in return_.lines], "key": f"{command_key}:0"}
    return tx.session.connection().scalar(_REPEATED, wanted) is not None


def _check(return_: Return, counts: Sequence[Count]) -> dict[str, list[tuple[int, Count]]]:
    """The counts by line, each with its position. Every mistake is named at once."""
    known = {line.order_line.ref: line for line in expected_lines(return_)}
    wrong: dict[str, str] = {}
    found: dict[str, list[tuple[int, Count]]] = {}
    for index, count in enumerate(counts):
        at = f"/lines/{index}"
        if count.line not in known:
            wrong[f"{at}/line"] = "this return expects no such line"
        if type(count.quantity) is not int or not 0 < count.quantity <= 1_000_000_000:
            wrong[f"{at}/quantity"] = "count at least 1"
        if count.condition not in CONDITIONS:
            wrong[f"{at}/condition"] = f"choose one of {', '.join(CONDITIONS)}"
        elif count.disposition is not None and count.disposition not in goods.DISPOSITIONS:
            wrong[f"{at}/disposition"] = f"choose one of {', '.join(goods.DISPOSITIONS)}"
        elif not goods.fits(count.condition, count.goes):
            wrong[f"{at}/disposition"] = "goods that are missing go nowhere, and only those"
        texts.note(count.note, f"{at}/note")
        found.setdefault(count.line, []).append((index, count))
    if wrong:
        raise Invalid("This can't be counted.", wrong)
    return found


def _line(return_: Return, ref: str) -> ReturnLine:
    return next(line for line in return_.lines if line.order_line.ref == ref)


def _write(tx: Tx, return_: Return, counts: Sequence[Count], command_key: str, stage: str) -> None:
    written = [
        {
            "return_line_id": _line(return_, count.line).id,
            "command_key": f"{command_key}:{index}",
            "stage": stage,
            "quantity": count.quantity,
            "condition": count.condition,
            "disposition": count.goes,
            "note": count.note.strip(),
            "at": tx.at,
            "by": tx.actor.name,
        }
        for index, count in enumerate(counts)
    ]
    if written:
        tx.session.connection().execute(_WRITE, written)


def _added(before: Mapping[str, int], counts: Sequence[Count]) -> dict[str, int]:
    found = dict(before)
    for count in counts:
        found[count.condition] = found.get(count.condition, 0) + count.quantity
    return found


def _found(line: ReturnLine, found: dict[str, int], counts: Sequence[Count]) -> None:
    line.found = found
    line.received_quantity = sum(number for condition, number in found.items() if condition != MISSING)
    line.condition = goods.worst(found)
    line.disposition = next(
        (count.goes for count in reversed(counts) if count.condition == line.condition), line.disposition
    )


_VARIANTS = (
    select(Variant)
    .where(Variant.sku.in_(bindparam("skus", expanding=True)))
    .order_by(Variant.sku)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def _restock(tx: Tx, changes: Sequence[tuple[ReturnLine, int]]) -> None:
    """Move the stock by the units that go back to the shelf; units that never left it are not counted into it again."""
    moved = [
        (line, change)
        for line, change in changes
        if change and (line.order_line.shipped_at is not None or line.order_line.delivered_at is not None)
    ]
    if not moved:
        return
    listed = tx.session.scalars(_VARIANTS, {"skus": sorted({line.order_line.sku for line, _ in moved})})
    known = {variant.sku: variant for variant in listed}
    for line, change in moved:
        variant = known.get(line.order_line.sku)
        if variant is not None and variant.stock + change >= variant.reserved:
            variant.stock += change
            variant.updated_at = tx.at
            line.restocked_quantity += change


def _scale_amount(line: ReturnLine, units_before: int) -> None:
    """An amount that staff set for all units shrinks with the units that came."""
    if line.amount_minor is not None and line.received_quantity < units_before:
        line.amount_minor = line.amount_minor * line.received_quantity // units_before


def _change(was: Money, now: Money) -> dict[str, Any]:
    return {} if was == now else {"was": was.to_json(), "now": now.to_json()}


def _counts_json(counts: Sequence[Count]) -> list[dict[str, Any]]:
    return [
        {"line": each.line, "quantity": each.quantity, "condition": each.condition, "disposition": each.goes}
        for each in counts
    ]
