"""Sending one refund to the gateway: claim (short transaction), call, settle (short transaction).

In: the id of a committed row. Out: its row with the answer, or `jobs.Later`. Invariants: the stored parameters and key are
sent unchanged on every try; two tries never run at once, neither of one refund nor of one payment; killed anywhere, the
next run ends with one refund. Never: a new key, a call once the key may be forgotten, a call inside a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from portal import clock, jobs
from portal.db import Database, Tx
from portal.errors import UpstreamError
from portal.orders.models import Payment
from portal.refunds import gate, lifecycle, reconcile, settle, two_people
from portal.refunds.captured import NOT_ENOUGH
from portal.refunds.gateway import Gateway, RefundRequest
from portal.refunds.models import Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import is_stripe, lock_refund
from portal.reviews import service as reviews
from portal.shop import DailyCap

LEASE = timedelta(seconds=30)
"""Longer than a try can last (3 s to connect, 20 s to answer): after that whoever sent it is dead."""
KEY_LIFE = timedelta(hours=23)
"""Stripe keeps a key for at least 24 hours; an hour is left for a clock that is wrong."""
LONGEST_PAUSE = timedelta(minutes=15)
WHILE_DISPUTED = timedelta(hours=1)

UNCAPTURED = frozenset({"not_captured", "refused"})
"""A refusal without a code may say that the payment was not captured; reading the payment tells."""
# "There is not that much left" may mean that this very refund was made: look before believing it.
LOOK_FIRST = NOT_ENOUGH | {"idempotency_error"}


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A row in the hands of this process. ``before`` is the status in which it was found."""

    request: RefundRequest
    before: str
    attempts: int
    expired: bool
    aged: bool
    """Planned longer ago than a key lives, and never sent as far as this database knows, which may be a restored backup: the
    gateway's list is read before anything is sent."""

    @property
    def fresh(self) -> bool:
        """No earlier try may have had an effect."""
        return self.before == lifecycle.PLANNED


@dataclass(frozen=True, slots=True)
class Limits:
    """What may leave in a day, the zone whose midnight begins it, and what staff get time and a second person for."""

    per_day: DailyCap = field(default_factory=DailyCap)
    zone: str = "UTC"
    undo: timedelta = timedelta(0)
    """How long a prepared refund waits before it is sent for the first time."""
    second_above: two_people.Above = two_people.never
    """The amount of a currency, in minor units, above which a second person is needed; None for never."""


def submit(database: Database, gateway: Gateway, refund_id: int, limits: Limits = Limits()) -> None:
    """Send the refund, once. Does nothing when it has been answered already, or is above the day's cap and waits for staff.

    Raises `jobs.Later` when it is not its turn or the outcome is not known yet; the same call is then safe to repeat.
    """
    claimed = _claim(database, refund_id, limits)
    if claimed is None:
        return
    if claimed.expired:
        _look_or_ask(database, gateway, refund_id)
        return
    try:
        if claimed.aged and _found(database, gateway, refund_id):
            return
        view = gateway.create_refund(claimed.request)
    except UpstreamError as error:
        _settle_error(database, gateway, refund_id, claimed, error)
        return
    with database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        settle.take_over(tx, refund, payment, view)


def _claim(database: Database, refund_id: int, limits: Limits) -> _Claimed | None:
    with database.transaction() as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        elsewise = refund.held_at is not None or refund.way != settle.REFUND
        if refund.status not in lifecycle.SENDABLE or not is_stripe(payment) or elsewise:
            return None
        if refund.status == lifecycle.PLANNED and (
            why := two_people.is_needed(tx, refund, payment, limits.second_above)
        ):
            settle.hold_back(tx, refund, payment, reviews.SECOND_PERSON, why)
            return None
        wait = wait_until(tx, refund, payment) or _time_to_undo(tx, refund, limits.undo)
        if wait is None:
            why = gate.above_cap(tx, refund, limits.per_day, limits.zone) if refund.status == lifecycle.PLANNED else ""
            if why:
                settle.hold_back(tx, refund, payment, reviews.DAILY_CAP, why)
                return None
            before = refund.status
            begun = refund.first_submitted_at
            expired = begun is not None and tx.at - begun > KEY_LIFE
            if not expired:
                refund.status = lifecycle.SUBMITTED
                refund.submitted_at = tx.at
                refund.first_submitted_at = begun or tx.at
                refund.attempts += 1
            request = RefundRequest.from_params(refund.params, refund.idempotency_key)
            aged = begun is None and tx.at - refund.planned_at > KEY_LIFE
            return _Claimed(request, before, refund.attempts, expired, aged)
    raise jobs.Later(*wait)


# An order that its source has split has a row in each part for the one payment.
_BUSY = (
    select(Refund.submitted_at)
    .where(
        Refund.payment_id.in_(select(Payment.id).where(Payment.payment_intent == bindparam("payment_intent"))),
        Refund.id != bindparam("refund"),
        Refund.status == lifecycle.SUBMITTED,
        Refund.submitted_at > bindparam("since", type_=Refund.first_submitted_at.type),
    )
    .limit(1)
)


def _time_to_undo(tx: Tx, refund: Refund, undo: timedelta) -> tuple[datetime, str] | None:
    until = refund.planned_at + undo
    first = refund.status == lifecycle.PLANNED and refund.attempts == 0
    return (until, "staff may still take it back") if first and tx.at < until else None


def wait_until(tx: Tx, refund: Refund, payment: Payment) -> tuple[datetime, str] | None:
    """When to come back, and why; None when it is this refund's turn."""
    at = tx.at
    closed = gate.read(tx.session).opens_at(at)
    if closed is not None:
        return closed
    if refund.status == lifecycle.SUBMITTED and refund.submitted_at and refund.submitted_at > at - LEASE:
        return refund.submitted_at + LEASE, "another worker is sending it"
    if payment.disputed_at is not None and refund.status == lifecycle.PLANNED:
        return at + WHILE_DISPUTED, "the payment is disputed"
    wanted = {"payment_intent": payment.payment_intent, "refund": refund.id, "since": at - LEASE}
    busy = tx.session.connection().scalar(_BUSY, wanted)
    # Stripe locks the charge while it refunds it; queueing here spares both sides a refusal.
    return (at + timedelta(seconds=1), "another refund of the payment is being sent") if busy else None


def _settle_error(
    database: Database, gateway: Gateway, refund_id: int, claimed: _Claimed, error: UpstreamError
) -> None:
    pause = pause_after(claimed.attempts, error)
    if error.code in LOOK_FIRST or (not error.retryable and not claimed.fresh):
        try:
            if _found(database, gateway, refund_id):
                return
        except UpstreamError as second:
            # The refusal is not believed before the list was read; the row waits as what it is, a try without answer.
            error = UpstreamError(
                error.code,
                retryable=True,
                public_message=error.public_message,
                staff_message=f"{error.staff_message} (and the refunds could not be listed: {second.code})",
                effect_unknown=True,
            )
    with database.transaction(STRIPE) as tx:
        refund, payment = lock_refund(tx.session, refund_id)
        if refund.status != lifecycle.SUBMITTED or refund.attempts != claimed.attempts:
            # Somebody else has brought the answer, or holds the row by now.
            return
        words = {"code": error.code, "sentence": error.staff_message}
        if error.effect_unknown:
            settle.doubt(tx, refund, payment, first=claimed.before != lifecycle.UNKNOWN, **words)
            if not error.retryable:
                settle.ask_staff(
                    tx, refund, f"Stripe has seen this refund's key with other content: {error.staff_message}"
                )
        elif error.retryable:
            settle.give_back(tx, refund, sure=claimed.fresh, **words)
        elif error.code in UNCAPTURED:
            settle.give_free(tx, refund, payment, **words)
            return
        else:
            settle.lose(tx, refund, payment, status=lifecycle.FAILED, code=error.code, sentence=error.staff_message)
            if error.code in NOT_ENOUGH:
                args = {"payment_intent": payment.payment_intent}
                jobs.enqueue(tx, "look_at_captured", args, key=f"{refund.public_id}:look_at_captured")
            return
        settle.ask_if_stuck(tx, refund)
    raise jobs.Later(clock.now() + pause, f"{error.code}: {error.staff_message}")


def pause_after(attempts: int, error: UpstreamError) -> timedelta:
    """How long to wait after this many tries: as long as Stripe asks, else twice as long each time, up to `LONGEST_PAUSE`."""
    if error.retry_after is not None:
        return timedelta(seconds=max(error.retry_after, 0.5))
    return min(timedelta(seconds=2.0 ** min(attempts - 1, 12)), LONGEST_PAUSE)


def _found(database: Database, gateway: Gateway, refund_id: int) -> bool:
    """Whether the gateway's list has it; its row has taken that over then."""
    reconcile.look(database, gateway, refund_id)
    with database.read() as session:
        return session.get_one(Refund, refund_id).status not in lifecycle.SENDABLE


def _look_or_ask(database: Database, gateway: Gateway, refund_id: int) -> None:
    """The key may be forgotten: sending again could pay twice. Look, and ask staff if there is nothing to see."""
    try:
        if _found(database, gateway, refund_id):
            return
    except UpstreamError as error:
        with database.transaction(STRIPE) as tx:
            refund, _payment = lock_refund(tx.session, refund_id)
            if refund.status in lifecycle.SENDABLE:
                # A look in vain counts as a try: a key that is too old is not sent any more.
                refund.attempts += 1
                refund.failure_code, refund.failure_reason = error.code[:60], error.staff_message
                settle.ask_if_stuck(tx, refund)
        raise jobs.Later(clock.now() + LONGEST_PAUSE, f"{error.code}: {error.staff_message}") from error
    with database.transaction() as tx:
        refund, _payment = lock_refund(tx.session, refund_id)
        if refund.status in lifecycle.SENDABLE:
            refund.status = lifecycle.UNKNOWN
            settle.ask_staff(
                tx,
                refund,
                "A refund was sent a day ago and Stripe never answered. It is not among the payment's refunds. "
                "Look at the payment in Stripe, then declare it unsent and send a new one, or record how it was paid.",
            )
