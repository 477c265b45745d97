"""Writing orders: one by one for the API, a thousand at a time for an import, by the same rules.

In: incoming orders in the command's transaction. Out: `PutResult` or the reason why not, for each.
Invariants: an order is known by its number's key; the same content changes nothing; the number of statements does not grow with
the unchanged and new orders of a batch.
Never: an order of another source overwritten.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import JSON, Connection, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, PortalError
from portal.orders import stock
from portal.orders.changes import change_orders
from portal.orders.incoming import IncomingOrder
from portal.orders.keys import email_key
from portal.orders.models import Order, OrderLine, Payment
from portal.orders.prepare import Prepared, line_columns, order_columns, payment_columns, prepare

COPY_FROM = 200
"""From this many lines on PostgreSQL takes them by COPY."""
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


class PutResult(NamedTuple):
    """What happened to one order: ``created``, ``updated`` or ``unchanged``."""

    order_id: int
    number: str
    outcome: str


def put_order(tx: Tx, incoming: IncomingOrder) -> PutResult:
    """Create or update one order. Raises `Invalid` (pointers) or `Conflict` when what is known forbids the change."""
    found = put_many(tx, [prepare(incoming)])[0]
    if isinstance(found, PortalError):
        raise found
    return found


def put_many(tx: Tx, batch: Sequence[Prepared]) -> list[PutResult | PortalError]:
    """Create or update orders of different numbers; one answer each, in their order. What is refused changes nothing."""
    known = _known(tx, batch)
    wrong, shared = _paid_by_others(
        tx, [ready for ready in batch if ready.key not in known or known[ready.key][1] != ready.digest]
    )
    answers: dict[str, PutResult | PortalError] = dict(wrong)
    new = [ready for ready in batch if ready.key not in known and ready.key not in answers]
    made = _create(tx, new)
    if len(made) < len(new):
        # Somebody else created some of them at this very moment; they are waited for, and then they are known.
        known |= _known(tx, [ready for ready in new if ready.key not in made])
    changed: list[tuple[int, Prepared]] = []
    for ready in batch:
        if ready.key in answers:
            continue
        if ready.key in made:
            answers[ready.key] = PutResult(made[ready.key], ready.order.number, CREATED)
            continue
        order_id, digest, source, replaces = known[ready.key]
        if digest == ready.digest:
            answers[ready.key] = PutResult(order_id, ready.order.number, UNCHANGED)
        elif replaces is not None:
            answers[ready.key] = Conflict(
                f"{ready.order.number} is a replacement order of this portal", state="replacement"
            )
        elif source != ready.order.source:
            answers[ready.key] = Conflict(
                f"{ready.order.number} is known from `{source}` already and is not overwritten from `{ready.order.source}`",
                state=source,
            )
        else:
            changed.append((order_id, ready))
    for (order_id, ready), outcome in zip(changed, change_orders(tx, changed), strict=True):
        if isinstance(outcome, PortalError):
            answers[ready.key] = outcome
        else:
            answers[ready.key] = PutResult(order_id, ready.order.number, UPDATED if outcome else UNCHANGED)
    for key, intent in shared:
        answer = answers[key]
        if isinstance(answer, PutResult) and answer.outcome != UNCHANGED:
            about = {"payment_intent": intent}
            timeline.record(tx, "payment.shared", order_id=answer.order_id, data={**about, "job": about})
    stock.list_with_orders(tx, [ready.order for ready in batch if _wrote(answers[ready.key])])
    return [answers[ready.key] for ready in batch]


def known_keys(tx_or_session: Any, keys: Sequence[str]) -> set[str]:
    """Those of the number keys that an order has."""
    return set(tx_or_session.scalars(select(Order.number_key).where(Order.number_key.in_(keys))))


def _wrote(answer: PutResult | PortalError) -> bool:
    return isinstance(answer, PutResult) and answer.outcome != UNCHANGED


def _known(tx: Tx, batch: Sequence[Prepared]) -> dict[str, tuple[int, str, str, int | None]]:
    columns = (Order.number_key, Order.id, Order.content_hash, Order.source, Order.replaces_return_id)
    query = select(*columns).where(Order.number_key.in_([ready.key for ready in batch]))
    return {
        key: (order_id, digest, source, replaces)
        for key, order_id, digest, source, replaces in tx.session.execute(query)
    }


def _paid_by_others(tx: Tx, batch: Sequence[Prepared]) -> tuple[dict[str, Conflict], list[tuple[str, str]]]:
    """Orders that name a payment of another customer's order: their returns would be paid with that customer's money.

    A source that splits an order gives its parts the same payment, and the same customer. Those, with that payment, are the
    second answer, and so is an order that names one twice: only Stripe knows whether the parts together say what was captured.
    """
    named = {
        payment.payment_intent: None for ready in batch for payment in ready.order.payments if payment.payment_intent
    }
    if not named:
        return {}, []
    query = (
        select(Payment.payment_intent, Order.number_key, Order.email_key)
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.payment_intent.in_(list(named)))
    )
    holders: dict[str, dict[str, str]] = {}
    for intent, key, email in tx.session.execute(query):
        holders.setdefault(intent or "", {})[key] = email
    wrong: dict[str, Conflict] = {}
    shared: list[tuple[str, str]] = []
    for ready in batch:
        mine = email_key(ready.order.email)
        for payment in ready.order.payments:
            others = holders.setdefault(payment.payment_intent or "", {})
            if payment.payment_intent and any(key != ready.key and email != mine for key, email in others.items()):
                wrong[ready.key] = Conflict(
                    f"payment `{payment.payment_intent}` belongs to an order of another customer; "
                    "name the payment of this order, or leave it out",
                    state="payment",
                )
        if ready.key not in wrong:
            for intent, rows in Counter(payment.payment_intent or "" for payment in ready.order.payments).items():
                holders[intent][ready.key] = mine
                # Two captures of one payment are two rows of one order, and together no more than was captured either.
                if intent and (len(holders[intent]) > 1 or rows > 1):
                    shared.append((ready.key, intent))
    return wrong, shared


def _create(tx: Tx, new: Sequence[Prepared]) -> dict[str, int]:
    """Insert what is new. Gives the ids of those that were really new, by key."""
    if not new:
        return {}
    connection = tx.session.connection()
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        make(_table(Order)).on_conflict_do_nothing(index_elements=["number_key"]).returning(Order.id, Order.number_key)
    )
    once = {"content_hash": "", "replaces_return_id": None, "imported_at": tx.at, "updated_at": tx.at}
    rows = [{**order_columns(ready), **once, "content_hash": ready.digest} for ready in new]
    made = {key: order_id for order_id, key in connection.execute(statement, rows)}
    lines: list[dict[str, Any]] = []
    payments: list[dict[str, Any]] = []
    for ready in new:
        if ready.key not in made:
            continue
        owner = {"order_id": made[ready.key]}
        for position, (line, amounts) in enumerate(zip(ready.order.lines, ready.frozen.lines, strict=True), start=1):
            lines.append({**owner, "units_held": 0, **line_columns(line, amounts, position)})
        for position, payment in enumerate(ready.order.payments, start=1):
            columns = payment_columns(payment, position, ready.order.currency)
            payments.append({**owner, "refunding_minor": 0, "disputed_at": None, **columns})
    if lines:
        _insert_lines(connection, lines)
    if payments:
        connection.execute(insert(_table(Payment)), payments)
    return made


def _insert_lines(connection: Connection, lines: Sequence[dict[str, Any]]) -> None:
    table = _table(OrderLine)
    if connection.dialect.name == "sqlite" or len(lines) < COPY_FROM:
        connection.execute(insert(table), lines)
        return
    # An order book is almost all lines, and COPY takes them several times faster than INSERT does.
    names = list(lines[0])
    is_json = [isinstance(table.c[name].type, JSON) for name in names]
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY order_line ({', '.join(names)}) FROM STDIN") as copy:
        for line in lines:
            values = zip(line.values(), is_json, strict=True)
            copy.write_row([json.dumps(value) if as_json else value for value, as_json in values])
    cursor.close()


def _table(model: type[Order] | type[OrderLine] | type[Payment]) -> Table:
    return cast(Table, model.__table__)


__all__ = ["CREATED", "UNCHANGED", "UPDATED", "PutResult", "known_keys", "put_many", "put_order"]
