"""THE RIVER: what happens next. Read this first.

Every change in the portal is one event on the timeline (`timeline.record`). `RIVER` says, for each event, what is written in
the same transaction and which jobs are enqueued with it. `JOBS` says which function does a job. Nothing else connects stages:
upstream only records, downstream is only called from here.

    order -> policy decision -> return -> label -> receipt of goods -> refund -> notice
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from portal import jobs, kept
from portal.config import Config
from portal.db import Database, Event, Tx
from portal.files import Files, forget_files
from portal.labels import service as labels
from portal.labels.documents import Codes, Documents
from portal.notices import service as notices
from portal.notices.mailer import Mailer
from portal.orders.payments import PaymentMaker, no_payment_maker
from portal.orders.source import OrderSource
from portal.receiving import rest
from portal.refunds import (
    captured,
    corrections,
    credit_notes,
    disputes,
    elsewhere,
    exchange,
    late,
    payout,
    reconcile,
    release,
    report,
    settle,
    submit,
    webhooks,
)
from portal.refunds.credit_notes import CreditNotePapers
from portal.refunds.gateway import Captures, Gateway
from portal.returns import claims, drafts, expiry, simulation
from portal.returns.photos import Photos
from portal.shop import Shop
from portal.staff import forms


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the program that a stage may need, made once by `bootstrap`."""

    config: Config
    shop: Shop
    database: Database
    gateway: Gateway
    captures: Captures
    mailer: Mailer
    documents: Documents
    credit_note_papers: CreditNotePapers
    codes: Codes
    photos: Photos
    files: Files
    schema_head: str
    """The newest migration of this release, to be compared with what the database has."""
    order_sources: Mapping[str, OrderSource] = field(default_factory=dict)
    """The formats that orders can be imported from, by name."""
    payment_maker: Callable[[], PaymentMaker] = no_payment_maker
    """Makes what pays imported orders with test money; raises `ConfigError` without a test key."""


Step = Callable[[Tx, Event, Shop], None]


MAIL_WAITS = timedelta(seconds=1)
"""Mails start a moment later than the rest: drawing a label for one never stands before somebody's money or next page."""


def tell(kind: str, *, to_buyer: bool = False) -> Step:
    """A step that queues the notice ``kind`` and the job that sends it; ``to_buyer`` a second one where others get the first."""

    def step(tx: Tx, event: Event, shop: Shop) -> None:
        notice_id = notices.queue(tx, kind, event, to_buyer=to_buyer)
        if notice_id is not None:
            args, key = {"notice": notice_id}, f"{event.id}:notice:{kind}{':buyer' if to_buyer else ''}"
            jobs.enqueue(tx, "send_notice", args, key=key, run_at=tx.at + MAIL_WAITS)

    return step


def tell_sent(kind: str) -> Step:
    """Tell once that a refund was sent: when it has succeeded, with the bank's reference; what takes the place of one that failed
    as soon as it is accepted, so that the failure is not the last that its customer hears for days."""

    def step(tx: Tx, event: Event, shop: Shop) -> None:
        if event.what == "refund.accepted" and not settle.is_another_try(tx, event.refund_id):
            return
        # Of any other this is the first that is told: it costs no query.
        if not (settle.takes_the_place(tx, event.refund_id) and notices.is_told(tx, kind, event)):
            tell(kind)(tx, event, shop)

    return step


def tell_of_review(tx: Tx, event: Event, shop: Shop) -> None:
    """Tell that a person looks first. Of a withdrawal it is told with its confirmation, which stands whatever they find."""
    if not (event.data or {}).get("withdrawal"):
        tell("under_review")(tx, event, shop)


def tell_beside(tx: Tx, event: Event, shop: Shop) -> None:
    """Tell what staff paid beside every payment; each part that was charged to a payment is told as that refund."""
    if (event.data or {}).get("beside"):
        tell("refund_sent")(tx, event, shop)


def tell_of_closing(tx: Tx, event: Event, shop: Shop) -> None:
    """Tell what is not paid; where nothing was open beside what is under way, there is nothing to tell."""
    if (event.data or {}).get("amount"):
        tell("closed_unpaid")(tx, event, shop)


def tell_otherwise(tx: Tx, event: Event, shop: Shop) -> None:
    """Put right what was told of a decision that was taken back: a mail that has not left is called back; after one that has, or
    that leaves at this moment, the customer reads that a person looks at it again."""
    if event.return_id is not None and not notices.call_back(tx, event.return_id):
        tell("under_review")(tx, event, shop)


def then(job: str, *, after: timedelta = timedelta(0)) -> Step:
    """A step that enqueues ``job`` for the event's refund or return."""

    def step(tx: Tx, event: Event, shop: Shop) -> None:
        args = {"return": event.return_id, "refund": event.refund_id, **(event.data or {}).get("job", {})}
        jobs.enqueue(tx, job, args, key=f"{event.id}:{job}", run_at=tx.at + after)

    return step


def pay_when(moment: str) -> Step:
    """A step that plans the payout if the return's policy pays at this ``moment``."""

    def step(tx: Tx, event: Event, shop: Shop) -> None:
        if event.return_id is not None:
            payout.plan_when_due(tx, event.return_id, moment, shop)

    return step


def credit_note(tx: Tx, event: Event, shop: Shop) -> None:
    """Have the credit note issued once the first part of a return's money, or of a gift, has left for good."""
    of = f"{event.return_id}" if event.return_id is not None else f"refund:{event.refund_id}"
    args = {"return": event.return_id, "refund": event.refund_id}
    jobs.enqueue(tx, "issue_credit_note", args, key=f"credit-note:{of}", run_at=tx.at + MAIL_WAITS)


def credit_note_of_rest(tx: Tx, event: Event, shop: Shop) -> None:
    """Have the credit note issued of what is left of a gift once the rest was taken back."""
    if event.return_id is None:
        credit_note(tx, event, shop)


def label(tx: Tx, event: Event, shop: Shop) -> None:
    """Give the return its label, if goods travel on one."""
    if event.return_id is not None:
        labels.make_label(tx, event.return_id, shop)


def reserve(tx: Tx, event: Event, shop: Shop) -> None:
    """Hold stock for the exchanges of a booked return; raises `Conflict` when it has gone."""
    if event.return_id is not None:
        exchange.reserve(tx, event.return_id)


def let_go(tx: Tx, event: Event, shop: Shop) -> None:
    """Give held stock back."""
    if event.return_id is not None:
        exchange.release(tx, event.return_id)


def keep_what_was_given(tx: Tx, event: Event, shop: Shop) -> None:
    """Refuse that less was captured than was given back, store credit included; raises `Conflict`."""
    if event.order_id is not None and (event.data or {}).get("captured_lowered"):
        payout.check_captured(tx.session, event.order_id)


def count_other_hands(tx: Tx, event: Event, shop: Shop) -> None:
    """Count what was refunded by hand against what the order has captured by now."""
    if event.order_id is not None:
        elsewhere.count_again(tx, event.order_id)


def close_when_settled(tx: Tx, event: Event, shop: Shop) -> None:
    """Close the return once goods are in and every part of its money has succeeded."""
    if event.return_id is not None:
        payout.close_when_settled(tx, event.return_id)


def look_before_credit(tx: Tx, event: Event, shop: Shop) -> None:
    """Ask Stripe in time what was captured of payments that store credit is given for, and whether they are disputed: the order
    says so only, and of credit, unlike of a refund, Stripe never hears."""
    if event.return_id is not None:
        for intent in captured.to_look_at(tx.session, event.return_id):
            for job in ("look_at_captured", "look_at_dispute"):
                jobs.enqueue(tx, job, {"payment_intent": intent}, key=f"{event.id}:{job}:{intent}")


def replace(tx: Tx, event: Event, shop: Shop) -> None:
    """Send what is held for an exchange: the question that had held it back has ended."""
    if event.return_id is not None:
        payout.send_replacements(tx, event.return_id, shop)


def resume(tx: Tx, event: Event, shop: Shop) -> None:
    """Plan what was due while something held the money back."""
    if event.return_id is not None:
        payout.resume(tx, event.return_id, shop)


RIVER: dict[str, tuple[Step, ...]] = {
    "order.updated": (keep_what_was_given, count_other_hands),
    "payment.shared": (then("look_at_captured"),),
    # a wish becomes a return
    "return.booked": (reserve, look_before_credit),
    # Who bought must hear who has withdrawn, also where updates go to another address.
    "return.withdrawn": (tell("withdrawn"), tell("withdrawn", to_buyer=True)),
    "return.review_opened": (tell_of_review,),
    "return.asked": (tell("asked"),),
    "return.authorized": (label, tell("booked"), pay_when("authorized")),
    "return.rejected": (let_go, tell("refused")),
    "return.canceled": (let_go, tell("canceled")),
    "return.expired": (let_go, tell("expired")),
    "return.reinstated": (reserve,),
    "return.reopened": (reserve, tell_otherwise),
    "return.resolution_changed": (resume, look_before_credit),
    # goods travel and arrive
    "return.in_transit": (pay_when("in_transit"),),
    "return.partly_received": (tell("part_received"),),
    "return.received": (tell("received"), pay_when("received")),
    "return.inspected": (pay_when("inspected"),),
    # money goes back
    "payout.planned": (),
    "credit.issued": (credit_note, tell("credit_issued"), close_when_settled),
    "exchange.ordered": (tell("exchange_sent"), close_when_settled),
    "refund.planned": (then("submit_refund"),),
    "refund.let_through": (then("submit_refund"),),
    "refund.seconded": (then("submit_refund"),),
    "refund.needs_customer": (tell("refund_needs_you"),),
    "refund.uncaptured": (then("release_payment"),),
    "refund.released": (tell("payment_released"), close_when_settled),
    "refund.accepted": (
        tell_sent("refund_sent"),
        tell_sent("goodwill_sent"),
        then("check_refund", after=timedelta(hours=1)),
    ),
    "refund.late": (tell("refund_late"),),
    "refund.unknown": (then("check_refund", after=timedelta(seconds=5)),),
    "refund.succeeded": (credit_note, tell_sent("refund_sent"), tell_sent("goodwill_sent"), close_when_settled),
    "refund.taken_back": (credit_note_of_rest,),
    "refund.given_up": (then("correct_credit_note"),),
    "refund.failed": (tell("refund_failed"),),
    "refund.paid_elsewhere": (credit_note, tell("refund_sent"), tell("goodwill_sent"), close_when_settled),
    "money.paid_elsewhere": (credit_note, tell_beside, replace, close_when_settled),
    "money.waived": (then("correct_credit_note"), tell_of_closing, replace, close_when_settled),
    # goods that were paid ahead did not come, and staff leave it at that
    "claim.ended": (resume,),
    # a chargeback held money back and has ended well
    "dispute.closed": (resume,),
}


def make_river(shop: Shop) -> Callable[[Tx, Event], None]:
    """The river of one shop, to be given to its `Database`."""

    def run(tx: Tx, event: Event) -> None:
        for step in RIVER.get(event.what, ()):
            step(tx, event, shop)

    return run


def limits(shop: Shop) -> submit.Limits:
    """What the shop lets go, and when."""
    rules = shop.refunds
    undo = timedelta(minutes=rules.undo_minutes)
    return submit.Limits(rules.per_day, shop.timezone, undo, rules.second_above_minor)


@dataclass(frozen=True, slots=True)
class Work:
    """How a job is done. ``give_up_after`` attempts it is buried and staff see it.

    ``quiet`` ones draw, mail or compute for long and never call Stripe: a process of its own does them, so that nobody's money
    waits for a picture.
    """

    run: Callable[[Ports, dict[str, Any]], None]
    give_up_after: int = 20
    quiet: bool = False


JOBS: dict[str, Work] = {
    "issue_credit_note": Work(
        lambda ports, args: credit_notes.issue_and_draw(ports, args["return"], args.get("refund")), quiet=True
    ),
    "correct_credit_note": Work(
        lambda ports, args: corrections.correct_and_draw(ports, args["return"], args["refund"]), quiet=True
    ),
    # 120 tries are four days, as long as mail servers themselves keep trying.
    "send_notice": Work(lambda ports, args: notices.send(ports, int(args["notice"])), give_up_after=120, quiet=True),
    "submit_refund": Work(
        lambda ports, args: submit.submit(ports.database, ports.gateway, int(args["refund"]), limits(ports.shop))
    ),
    "release_payment": Work(
        lambda ports, args: release.release(ports.database, ports.gateway, ports.captures, int(args["refund"]))
    ),
    "check_refund": Work(lambda ports, args: reconcile.check(ports.database, ports.gateway, int(args["refund"]))),
    "simulate_policy": Work(
        lambda ports, args: simulation.run(ports.database, int(args["simulation"])), give_up_after=3, quiet=True
    ),
    "forget_photos": Work(lambda ports, args: forget_files(ports.files, args["keys"]), quiet=True),
    "look_at_dispute": Work(
        lambda ports, args: disputes.look_again(ports.database, ports.gateway, str(args["payment_intent"]))
    ),
    "look_at_captured": Work(
        lambda ports, args: captured.look(ports.database, ports.gateway, str(args["payment_intent"]))
    ),
    "work_stripe_event": Work(lambda ports, args: webhooks.work(ports.database, ports.gateway, str(args["event"]))),
    "reconcile_night": Work(lambda ports, args: report.nightly(ports.database, ports.gateway)),
}

QUIET = frozenset(name for name, work in JOBS.items() if work.quiet)

# What runs by the clock, whether or not anything has happened: name -> (every, what).
SCHEDULE: dict[str, tuple[timedelta, Callable[[Ports], object]]] = {
    "reconcile_refunds": (timedelta(minutes=5), lambda ports: reconcile.sweep(ports.database, ports.gateway)),
    # Comparing a whole account takes its time, so the clock only writes the night's job.
    "plan_reconciliation": (timedelta(hours=1), lambda ports: report.plan_night(ports.database, ports.shop.timezone)),
    "raise_late_refunds": (
        timedelta(hours=1),
        lambda ports: late.raise_late(ports.database, ports.shop.bank_days.most, ports.shop.timezone),
    ),
    "forget_old_jobs": (timedelta(hours=24), lambda ports: jobs.forget(ports.database)),
    "forget_kept_forms": (timedelta(hours=1), lambda ports: forms.forget(ports.database)),
    "forget_kept_pages": (timedelta(hours=1), lambda ports: kept.forget(ports.database)),
    "forget_drafts": (timedelta(hours=24), lambda ports: drafts.forget(ports.database)),
    "expire_returns": (timedelta(hours=1), lambda ports: expiry.expire_due(ports.database)),
    "ask_for_the_rest": (
        timedelta(hours=1),
        lambda ports: rest.ask_overdue(ports.database, ports.shop.decide_within_hours),
    ),
    "ask_for_paid_goods": (
        timedelta(hours=1),
        lambda ports: claims.ask_overdue(ports.database, ports.shop.decide_within_hours),
    ),
}
