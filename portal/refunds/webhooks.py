"""Stripe's messages: stored once, worked on later, and never believed more than as a hint to look.

In: raw bytes with a signature. Out: a stored row and one job; the job looks at the object at Stripe. Invariants: a message
counts once by its id; order, copies and age do not matter, because the worker reads the state of now; a message nobody knows
is worked with a sentence that says so. Never: an amount or a status taken from a message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from portal import clock, ids, jobs
from portal.db import Database, Tx
from portal.errors import Invalid, UpstreamError
from portal.refunds import disputes, reconcile
from portal.refunds.gateway import Gateway
from portal.refunds.models import StripeEvent
from portal.refunds.settle import STRIPE
from portal.refunds.signatures import is_signed

MAX_BODY = 512 * 1024
WAIT_FOR_OURS = timedelta(minutes=1)


class Rejected(Invalid):
    """A message that Stripe did not sign just now, or that is no message. Nothing was stored."""

    status = 400
    code = "bad_signature"


def store(database: Database, secrets: Sequence[str], raw_body: bytes, signature_header: str, now: datetime) -> bool:
    """Keep a signed message once and enqueue its work. False when it was known already. Raises `Rejected`.

    A database that is down raises; the answer is then a 5xx and Stripe sends the message again.
    """
    if len(raw_body) > MAX_BODY or not is_signed(raw_body, signature_header or "", secrets, now):
        raise Rejected("The signature does not fit the body, or it is too old.")
    event = _read(raw_body)
    payload = event["data"]["object"]
    with database.transaction(STRIPE, at=now) as tx:
        new = _insert(
            tx,
            {
                "event_id": event["id"],
                "type": event["type"],
                "object_id": str(payload.get("id") or "")[:80],
                "payload": event,
                "received_at": now,
                "outcome": "",
            },
        )
        if new:
            jobs.enqueue(tx, "work_stripe_event", {"event": event["id"]}, key=f"stripe:{event['id']}")
    return new


def _read(raw_body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(raw_body, parse_constant=_no_number)
        fits = (
            isinstance(event["id"], str)
            and 0 < len(event["id"]) <= 80
            and isinstance(event["type"], str)
            and 0 < len(event["type"]) <= 60
            and isinstance(event["data"]["object"], dict)
            and _is_text(event)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        fits = False
    if not fits:
        raise Rejected("The body is signed but is no event with an id, a type and an object.")
    found: dict[str, Any] = event
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _is_text(value: object) -> bool:
    """Whether every database can hold all texts of a JSON value."""
    if isinstance(value, dict):
        return all(_is_text(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or ids.is_text(value)


def _insert(tx: Tx, values: dict[str, Any]) -> bool:
    make = sqlite.insert if tx.session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = make(StripeEvent).values(**values).on_conflict_do_nothing(index_elements=["event_id"])
    return tx.session.execute(statement.returning(StripeEvent.event_id)).first() is not None


def work(database: Database, gateway: Gateway, event_id: str) -> None:
    """Look at Stripe for what the message hints at. Safe to repeat; raises `jobs.Later` when Stripe cannot be reached."""
    with database.read() as session:
        event = session.get(StripeEvent, event_id)
        if event is None or event.worked_at is not None:
            return
        subject: dict[str, Any] = event.payload["data"]["object"]
    try:
        outcome = _look(database, gateway, subject)
    except UpstreamError as error:
        if not error.retryable:
            outcome = f"Stripe refused to show it: {error.code}: {error.staff_message}"
        else:
            pause = timedelta(seconds=error.retry_after or 30)
            raise jobs.Later(clock.now() + pause, f"{error.code}: {error.staff_message}") from error
    with database.transaction(STRIPE) as tx:
        worked = tx.session.get_one(StripeEvent, event_id)
        worked.worked_at, worked.outcome = tx.at, outcome


def _look(database: Database, gateway: Gateway, subject: dict[str, Any]) -> str:
    kind = subject.get("object")
    if kind == "refund" and isinstance(subject.get("id"), str):
        seen = reconcile.Seen()
        began = clock.now()
        view = gateway.read_refund(subject["id"])
        if reconcile.is_known(database, view):
            reconcile.take_in(database, view, seen, read_at=began)
        else:
            # Made by hand: the list shows whether it is money at all, and what else was done there.
            seen = reconcile.look_at_payment(database, gateway, view.payment_intent)
    elif kind == "charge" and isinstance(subject.get("payment_intent"), str):
        seen = reconcile.look_at_payment(database, gateway, subject["payment_intent"])
    elif kind == "dispute" and isinstance(subject.get("payment_intent"), str):
        return disputes.look(database, gateway, subject["payment_intent"])
    else:
        return f"nothing to do about a {kind or 'thing without a name'}"
    if seen.waiting:
        why = f"{', '.join(seen.waiting)} must wait until our own refund of that payment is settled"
        raise jobs.Later(clock.now() + WAIT_FOR_OURS, why)
    return str(seen)
