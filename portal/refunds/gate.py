"""The gate that every refund passes before it is sent: a switch that stops all of them, silence that Stripe has asked for, and
what may leave in a day.

In: one row of the database, read in the transaction that claims a refund. Out: whether it goes, and when to come back.
Invariants: after a stop is committed no refund is claimed any more, by whatever worker; what is above the day's cap is counted
under a lock, so that two workers never both pass with the last pound. Never: a row that is dropped; it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal import jobs, timeline
from portal.db import Database, Tx
from portal.errors import Invalid
from portal.money import Money
from portal.refunds import lifecycle
from portal.refunds.models import Refund, RefundGate
from portal.refunds.settle import ELSEWHERE
from portal.shop import DailyCap
from portal.wording import said

THE_ONE = 1
SENDING_JOBS = ("submit_refund", "release_payment")
WHILE_STOPPED = timedelta(minutes=5)
"""How often a waiting job looks whether it may go; resuming calls all of them at once."""
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Gate:
    """How the gate stands. ``stopped_at`` is None while refunds flow."""

    stopped_at: datetime | None = None
    stopped_by: str = ""
    reason: str = ""
    quiet_until: datetime | None = None

    def opens_at(self, at: datetime) -> tuple[datetime, str] | None:
        """When to come back, and why; None when something may be sent at the moment ``at``."""
        if self.stopped_at is not None:
            return at + WHILE_STOPPED, f"all refunds are stopped: {self.reason}"
        if self.quiet_until is not None and self.quiet_until > at:
            return self.quiet_until, "Stripe has asked for silence"
        return None


_GATE = select(RefundGate.stopped_at, RefundGate.stopped_by, RefundGate.reason, RefundGate.quiet_until).where(
    RefundGate.id == THE_ONE
)
_ROW = select(RefundGate).where(RefundGate.id == THE_ONE).with_for_update().execution_options(populate_existing=True)


def read(session: Session) -> Gate:
    """The gate as it stands now: one query."""
    found = session.connection().execute(_GATE).one_or_none()
    return Gate(*found) if found is not None else Gate()


def stop(tx: Tx, reason: str) -> None:
    """Send nothing more, of any return, until somebody resumes. A second stop keeps the first one's moment and adds its reason.

    A request that is on the wire at this very moment still reaches Stripe. Raises `Invalid` without a reason.
    """
    reason = _reason(reason)
    row = _locked(tx)
    row.stopped_at = row.stopped_at or tx.at
    row.stopped_by, row.reason = tx.actor.name, reason
    tx.session.flush()
    timeline.record(tx, "refunds.stopped", why=reason)


def resume(tx: Tx, reason: str) -> int:
    """Let refunds flow again; those that wait go now. Returns how many jobs; nothing happens when they flow already."""
    reason = _reason(reason)
    row = _locked(tx)
    if row.stopped_at is None:
        return 0
    row.stopped_at, row.stopped_by, row.reason = None, "", ""
    tx.session.flush()
    timeline.record(tx, "refunds.resumed", why=reason)
    return jobs.hurry(tx, *SENDING_JOBS)


def be_quiet(database: Database, until: datetime) -> None:
    """Stripe has asked for silence: no worker sends anything before ``until``. A shorter silence never ends a longer one."""
    with database.transaction() as tx:
        row = _locked(tx)
        row.quiet_until = max(row.quiet_until or until, until)


_OF_TODAY = (
    Refund.first_submitted_at >= bindparam("since", type_=Refund.first_submitted_at.type),
    Refund.status.not_in(lifecycle.LOST),
    Refund.cause != ELSEWHERE,
    # Tried in vain and then paid by hand: the portal has sent nothing.
    Refund.paid_elsewhere_by == "",
    Refund.id != bindparam("refund"),
)
_SAME_CURRENCY = case((Refund.currency == bindparam("currency"), Refund.amount_minor), else_=0)
_SENT = select(func.count(), func.coalesce(func.sum(_SAME_CURRENCY), 0)).select_from(Refund).where(*_OF_TODAY)


def above_cap(tx: Tx, refund: Refund, cap: DailyCap, zone: str) -> str:
    """Why ``refund`` does not fit into what may leave today, as a sentence for staff; empty when it fits or was let through.

    Counted is what the portal has sent since the shop's midnight, unless it failed. Holds the gate's row until the transaction
    ends.
    """
    if not cap or refund.let_through_by:
        return ""
    _locked(tx)
    since = datetime.combine(tx.at.astimezone(ZoneInfo(zone)).date(), time.min, ZoneInfo(zone))
    # The gate's row was read through the session, so what this command has changed is written by now.
    asked = {"since": since, "refund": refund.id, "currency": refund.currency}
    count, total = tx.session.connection().execute(_SENT, asked).one()
    if cap.count is not None and count >= cap.count:
        return f"{count} refunds have left today, and the shop’s cap is {cap.count}."
    most = cap.most_minor(refund.currency)
    if most is not None and total + refund.amount_minor > most:
        gone, whole = said(Money(int(total), refund.currency)), said(Money(most, refund.currency))
        return f"{gone} has left today, and the shop’s cap is {whole}."
    return ""


def _locked(tx: Tx) -> RefundGate:
    make = sqlite.insert if tx.session.get_bind().dialect.name == "sqlite" else postgresql.insert
    found = tx.session.scalar(_ROW)
    if found is None:
        values = {"id": THE_ONE, "stopped_by": "", "reason": ""}
        tx.session.execute(make(RefundGate).values(**values).on_conflict_do_nothing(index_elements=["id"]))
        found = tx.session.scalars(_ROW).one()
    return found


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise Invalid("Say why.", {"reason": "Write why, for your colleagues."})
    if len(text) > MAX_REASON:
        raise Invalid("The reason is too long.", {"reason": f"Write at most {MAX_REASON} characters."})
    return text
