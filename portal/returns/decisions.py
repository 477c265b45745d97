"""What happens to a booked return: people decide, parcels move.

Every command locks the order row, reads the return anew and moves it along `lifecycle`. ``expected`` is the version or the status
that the caller saw; another one is a `Conflict` with the state found. The same person's second click is the first one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import clock, timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid
from portal.orders.models import Variant
from portal.policy.decision import REFUSE as POLICY_REFUSES
from portal.policy.decision import Decision
from portal.policy.quote import EXCHANGE
from portal.returns import lifecycle, shipping, texts
from portal.returns.holding import Expected, check_expected, hold_again, lock_return, release, release_last
from portal.returns.lifecycle import Effect
from portal.returns.models import Return, ReturnLine
from portal.returns.parcel import parcel
from portal.returns.payable import (
    COUNTING,
    accounted,
    goods_outstanding,
    left_at_home,
    mark_given_away,
    price,
    reprice,
    set_amount,
)
from portal.reviews import service as reviews
from portal.timeline import TimelineEntry


def authorize(
    tx: Tx,
    rma: str,
    *,
    note: str = "",
    message: str = "",
    expected: Expected = None,
    lines: Collection[str] | None = None,
    amounts: Mapping[str, int] | None = None,
    preview: bool = False,
) -> Return:
    """Say yes. Which yes depends on what is open: to a wish under review, to goods that differ from what was agreed (the money
    then follows), or to a return that was rejected or has expired and is taken back.

    ``lines`` (order line refs) approves only these and refuses the others, which needs a ``message``: the reason that the
    customer gets. ``amounts`` sets what a line gives, in minor units, at most what was paid for its units (or the quoted amount
    where a bonus makes it higher), and needs a ``note``; a lower one a ``message`` too.
    ``message`` is for the customer, ``note`` for staff. ``preview`` is for a caller that undoes the transaction and only shows
    what would be given: the reason for what is left out is not asked for yet.
    """
    message, note = texts.note(message, "message"), texts.note(note, "note")
    return_ = lock_return(tx, rma)
    said: dict[str, Any] = {"lines": sorted(lines) if lines is not None else None, "amounts": dict(amounts or {})}
    goods = _goods_question(tx, return_)
    goods_back = return_.status == lifecycle.REJECTED and return_.received_at is not None
    command = lifecycle.ACCEPT_GOODS if goods or goods_back else lifecycle.AUTHORIZE
    event = "return.inspected" if command == lifecycle.ACCEPT_GOODS else "return.authorized"
    if not _goes_on(tx, return_, command, ("return.authorized", "return.inspected"), expected, said):
        return return_
    taken_back = return_.status in lifecycle.ENDED
    staying = ended_with_it(return_) if taken_back else [line for line in return_.lines if line.status in COUNTING]
    chosen = _chosen(staying, lines)
    if len(chosen) < len(staying) and not message and not preview:
        raise Invalid("Some items are left out.", {"message": "say why they are denied; the customer reads this"})
    _check_amounts(return_, chosen, amounts or {}, note, message)
    if command == lifecycle.ACCEPT_GOODS:
        _take_from_stock(tx, [line for line in staying if line not in chosen])
    for line in staying:
        if line not in chosen:
            line.status = "refused"
            release(tx, line)
            continue
        if taken_back:
            hold_again(tx, line)
        line.status = "accepted"
        mark_given_away(line)
        if amounts and line.order_line.ref in amounts:
            set_amount(line, amounts[line.order_line.ref], of_goods=command == lifecycle.ACCEPT_GOODS)
    return_.status = lifecycle.move(return_.status, command)
    was, now = reprice(return_)
    if taken_back or len(chosen) < len(staying):
        now = shipping.share(tx, return_.order, acting=return_) or now
    data: dict[str, Any] = {"by": "staff", "message": message, **said}
    if was != now:
        data |= {"was": was.to_json(), "now": now.to_json()}
    if refused := [line.order_line.ref for line in return_.lines if line.status == "refused"]:
        data["refused"] = refused
    if overruled := [line.order_line.ref for line in chosen if line.answer == POLICY_REFUSES]:
        data["overruled"] = overruled
    if message or taken_back or command == lifecycle.AUTHORIZE:
        # A second yes without a word leaves what was said with the first one, which may be the reason for an amount.
        return_.message = message
    if taken_back:
        timeline.record(tx, "return.reinstated", return_id=return_.id, order_id=return_.order_id, why=note)
    if command == lifecycle.AUTHORIZE:
        _start(tx, return_, chosen)
    else:
        return_.inspected_at = tx.at
    _settle(tx, return_, reviews.APPROVED, message, note)
    tx.session.flush()
    timeline.record(tx, event, return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    return return_


def _start(tx: Tx, return_: Return, chosen: Iterable[ReturnLine]) -> None:
    one = parcel(Decision.from_json(line.decision) for line in chosen)
    return_.authorized_at = tx.at
    return_.refund_when = one.refund_when
    if not one.travels:
        return_.ship_with = ""
        return_.ship_by_on = None
    elif one.ship_by_days is not None:
        return_.ship_by_on = clock.local_date(tx.at, return_.basis["timezone"]) + timedelta(days=one.ship_by_days)


def _chosen(lines: list[ReturnLine], refs: Collection[str] | None) -> list[ReturnLine]:
    if refs is None:
        return lines
    known = {line.order_line.ref for line in lines}
    if unknown := sorted(set(refs) - known):
        raise Invalid("These lines are not open in this return.", {"lines": f"no open line {', '.join(unknown)[:200]}"})
    if not refs:
        raise Invalid("Nothing would be approved.", {"lines": "name at least one line, or refuse the return"})
    return [line for line in lines if line.order_line.ref in refs]


def _check_amounts(
    return_: Return, chosen: list[ReturnLine], amounts: Mapping[str, int], note: str, message: str
) -> None:
    if not amounts:
        return
    wrong: dict[str, str] = {}
    by_ref = {line.order_line.ref: line for line in chosen}
    quoted = {line.line: line.total_minor for line in price(return_).lines}
    for ref, amount in amounts.items():
        line = by_ref.get(ref)
        if line is None:
            wrong[f"amounts/{ref}"] = "this line is not among the approved ones"
        elif line.resolution == EXCHANGE:
            wrong[f"amounts/{ref}"] = "an exchange has no amount; choose a refund for it first"
        elif type(amount) is not int or not 0 <= amount <= max(line.gross_minor, quoted.get(ref, 0)):
            most = max(line.gross_minor, quoted.get(ref, 0))
            wrong[f"amounts/{ref}"] = (
                f"choose from 0 to {most} (minor units of {return_.currency}), what was paid for it"
            )
    if not note:
        wrong["note"] = "say why the amount is changed; staff and the record need it"
    if not message and any(amount < quoted.get(ref, 0) for ref, amount in amounts.items() if type(amount) is int):
        wrong["message"] = "say why it is less; the customer reads this"
    if wrong:
        raise Invalid("The amount can't be changed like this.", wrong)


def overrules(session: Session, return_: Return) -> bool:
    """Whether a yes to this return goes against what the policy says of it, or takes a "no" or an expiry back."""
    return return_.status in lifecycle.ENDED or bool(reviews.open_reviews(session, return_.id, reviews.ASKED_US))


def refuse(tx: Tx, rma: str, *, message: str = "", note: str = "", expected: Expected = None) -> Return:
    """Say no, to a wish or to goods that have arrived; the units are the customer's again and nothing is owed.

    ``message`` is what the customer reads. Raises `Conflict` once money is on its way.
    """
    message, note = texts.note(message, "message"), texts.note(note, "note")
    return_ = lock_return(tx, rma)
    arrived = return_.status in (lifecycle.RECEIVED, lifecycle.INSPECTED)
    command = lifecycle.REFUSE_GOODS if arrived else lifecycle.REFUSE
    if not _goes_on(tx, return_, command, ("return.rejected",), expected, None):
        return return_
    if return_.payout_planned_at is not None:
        raise Conflict("Money for this return is on its way. It can't be denied any more.", state=return_.status)
    data: dict[str, Any] = {"by": "staff", "message": message, "goods": arrived}
    if arrived and (taken := _take_from_stock(tx, return_.lines)):
        data["stock"] = taken
    _end(tx, return_, command, "refused")
    return_.message = message
    _settle(tx, return_, reviews.REFUSED, message, note)
    tx.session.flush()
    timeline.record(tx, "return.rejected", return_id=return_.id, order_id=return_.order_id, why=note, data=data)
    return return_


def cancel(tx: Tx, rma: str, *, by: str, note: str = "", expected: Expected = None) -> Return:
    """The return is called off before any of it has come; ``by`` says who wishes it (customer, staff). Units are free again.

    Raises `Conflict` once the parcel is on its way, some of it has arrived, or money has been sent in advance.
    """
    note = texts.note(note, "note")
    return_ = lock_return(tx, rma)
    if not _goes_on(tx, return_, lifecycle.CANCEL, ("return.canceled",), expected, None):
        return return_
    if (refused := _stays(return_)) is not None:
        raise refused
    _end(tx, return_, lifecycle.CANCEL, "canceled")
    _settle(tx, return_, reviews.SETTLED, "", note)
    tx.session.flush()
    timeline.record(tx, "return.canceled", return_id=return_.id, order_id=return_.order_id, why=note, data={"by": by})
    return return_


def can_be_canceled(return_: Return) -> bool:
    """Whether the return may be called off as it is now."""
    return lifecycle.step(return_.status, lifecycle.CANCEL).effect is Effect.MOVE and _stays(return_) is None


def _stays(return_: Return) -> Conflict | None:
    if any(accounted(line) for line in return_.lines):
        return Conflict("Some of it has arrived already, so it can't be canceled any more.", state=return_.status)
    if return_.payout_planned_at is not None:
        return Conflict("Money for this return is on its way, so it can't be canceled any more.", state=return_.status)
    return None


def expire(tx: Tx, rma: str) -> Return:
    """The goods were never sent. Nothing happens when they are on their way by now, or when money was sent in advance."""
    return_ = lock_return(tx, rma)
    late = lifecycle.step(return_.status, lifecycle.EXPIRE).effect is not Effect.MOVE
    if late or return_.payout_planned_at is not None or any(accounted(line) for line in return_.lines):
        return return_
    _end(tx, return_, lifecycle.EXPIRE, "canceled")
    tx.session.flush()
    timeline.record(tx, "return.expired", return_id=return_.id, order_id=return_.order_id)
    return return_


def mark_in_transit(tx: Tx, rma: str, *, note: str = "") -> Return:
    """The carrier has the parcel. Repeated, or later than the goods themselves, it changes nothing.

    Raises `Conflict` for a return that is handed in at a shop: no carrier ever has it.
    """
    note = texts.note(note, "note")
    return_ = lock_return(tx, rma)
    found = lifecycle.step(return_.status, lifecycle.SHIP)
    if found.effect in (Effect.DOUBLE, Effect.IGNORED):
        return return_
    if found.effect is Effect.INVALID or goods_outstanding(return_) == 0:
        raise lifecycle.refusal(return_.status, lifecycle.SHIP)
    if return_.ship_with == "shop":
        raise Conflict("It is handed in at a shop, so no carrier has it. Nothing was changed.", state=return_.status)
    ship(tx, return_, why=note)
    return return_


def ship(tx: Tx, return_: Return, *, why: str = "") -> None:
    """Move a locked return to ``in_transit``; the receipt of goods that no carrier has announced does the same."""
    return_.status = lifecycle.move(return_.status, lifecycle.SHIP)
    tx.session.flush()
    timeline.record(tx, "return.in_transit", return_id=return_.id, order_id=return_.order_id, why=why)


def close(tx: Tx, return_: Return) -> None:
    """Everything is done: goods in (or kept), money complete. The caller has locked the order; repeated, it changes nothing.

    Units that did not come and were not paid are the customer's to send another time.
    """
    if lifecycle.step(return_.status, lifecycle.CLOSE).effect is Effect.DOUBLE:
        return
    return_.status = lifecycle.move(return_.status, lifecycle.CLOSE)
    return_.closed_at = tx.at
    for line in return_.lines:
        release_last(tx, line, left_at_home(return_, line))
    _stock_is_settled(tx, return_)
    tx.session.flush()
    timeline.record(tx, "return.closed", return_id=return_.id, order_id=return_.order_id)


def _goes_on(
    tx: Tx,
    return_: Return,
    command: str,
    events: tuple[str, ...],
    expected: Expected,
    said: Mapping[str, Any] | None,
) -> bool:
    """True when the command moves the return, False when this very person has done it already; else `Conflict`."""
    found = lifecycle.step(return_.status, command)
    if found.effect is Effect.DOUBLE and _did(tx, return_, events, said):
        return False
    if found.effect is not Effect.MOVE:
        raise lifecycle.refusal(return_.status, command)
    check_expected(return_, expected)
    return True


def _did(tx: Tx, return_: Return, events: tuple[str, ...], said: Mapping[str, Any] | None) -> bool:
    entry = tx.session.scalar(
        select(TimelineEntry)
        .where(TimelineEntry.return_id == return_.id, TimelineEntry.what.in_(events))
        .order_by(TimelineEntry.id.desc())
        .limit(1)
    )
    if entry is None or (entry.actor_kind, entry.actor_name, entry.actor_id) != (
        tx.actor.kind,
        tx.actor.name,
        tx.actor.id,
    ):
        return False
    before = entry.data or {}
    return said is None or all((before.get(key) or None) == (value or None) for key, value in said.items())


def _goods_question(tx: Tx, return_: Return) -> bool:
    arrived = return_.status in (lifecycle.RECEIVED, lifecycle.INSPECTED)
    return arrived and bool(reviews.open_reviews(tx.session, return_.id, reviews.RECEIPT))


def _settle(tx: Tx, return_: Return, status: str, message: str, note: str) -> None:
    for review in reviews.open_reviews(tx.session, return_.id, *reviews.ON_THE_RETURN):
        reviews.settle(tx, review, status, message, note)


def _end(tx: Tx, return_: Return, command: str, line_status: str) -> None:
    for line in return_.lines:
        release(tx, line)
        if line.status in COUNTING:
            line.status = line_status
    return_.status = lifecycle.move(return_.status, command)
    _stock_is_settled(tx, return_)
    shipping.share(tx, return_.order)


def _stock_is_settled(tx: Tx, return_: Return) -> None:
    """Nobody has to say any more what is given in place of an exchange."""
    if all(line.resolution != EXCHANGE for line in return_.lines):
        return
    for review in reviews.open_reviews(tx.session, return_.id, reviews.OUT_OF_STOCK):
        reviews.settle(tx, review, reviews.SETTLED)


def ended_with_it(return_: Return) -> list[ReturnLine]:
    """The lines whose units were given back when the return itself ended; one that staff had refused before stays refused."""
    released = {
        line.id: max((each.released_at for each in line.units if each.released_at), default=None)
        for line in return_.lines
    }
    ended_at = max((moment for moment in released.values() if moment), default=None)
    return [line for line in return_.lines if released[line.id] == ended_at]


def _take_from_stock(tx: Tx, lines: Iterable[ReturnLine]) -> dict[str, int]:
    """Goods that go back to the customer leave the stock that their arrival had raised, as far as it is not promised."""
    taken: dict[str, int] = {}
    for line in lines:
        if not line.restocked_quantity:
            continue
        sku, count = line.order_line.sku, line.restocked_quantity
        lowered = tx.session.execute(
            update(Variant)
            .where(Variant.sku == sku, Variant.stock - count >= Variant.reserved)
            .values(stock=Variant.stock - count, updated_at=tx.at)
        )
        if lowered.rowcount:  # type: ignore[attr-defined]
            taken[sku] = -count
            line.restocked_quantity = 0
    return taken
