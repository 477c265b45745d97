"""Queuing a notice with its event, and sending it once.

A notice is queued in the transaction of its event and sent by a job: claim (short transaction) -> draw, render and hand over
(no transaction) -> settle (short transaction). What is sent stays sent. If the process dies between the server's "accepted" and
the settling, the job runs again and the same mail goes out with the same Message-ID, which mail servers and programs drop.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import Select, delete, select, update

from portal import clock, ids, jobs, timeline
from portal.config import Config
from portal.db import Database, Event, Tx
from portal.errors import PortalError, UpstreamError
from portal.labels import service as labels
from portal.notices import context as facts
from portal.notices.links import gift_link, status_link
from portal.notices.mailer import Attachment, Mailer, OutgoingMail
from portal.notices.mime import domain_of
from portal.notices.models import Notice
from portal.notices.render import render
from portal.orders.models import Order
from portal.returns.queries import is_told_to_buyer

log = structlog.get_logger(__name__)

KINDS = (
    "withdrawn",
    "under_review",
    "asked",
    "booked",
    "refused",
    "canceled",
    "expired",
    "part_received",
    "received",
    "refund_sent",
    "refund_failed",
    "refund_needs_you",
    "refund_late",
    "goodwill_sent",
    "payment_released",
    "closed_unpaid",
    "credit_issued",
    "exchange_sent",
)
QUEUED, SENDING, SENT, FAILED = "queued", "sending", "sent", "failed"
IN_ORDER_FOR = timedelta(minutes=5)
"""So long a notice waits for one of the same return that was queued before it: nothing that is stuck holds up the rest."""
LOOK_AGAIN = timedelta(seconds=1)


class Post(labels.Printing, Protocol):
    """What sending needs; `flow.Ports` has it."""

    @property
    def config(self) -> Config: ...
    @property
    def mailer(self) -> Mailer: ...


def queue(tx: Tx, kind: str, event: Event, *, to_buyer: bool = False) -> int | None:
    """Write the notice ``kind`` about ``event`` and freeze its facts; the one that is there when there is one.

    ``to_buyer`` makes a second one for the order's address, if the return's mails go to another. None when nobody can be told:
    no return, or no e-mail address. Raises ValueError for a kind that does not exist.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no notice {kind!r}")
    key = f"{event.id}:{kind}"
    if event.return_id is None:
        about_gift = event.refund_id is not None and kind in facts.ABOUT_GIFTS
        return _queue_gift(tx, kind, event, key) if about_gift else None
    if kind == facts.GIFT:
        return None
    return_ = labels.return_in_hand(tx.session, event.return_id)
    first, then = return_.email, return_.order.email
    to = ((then or first) if kind == facts.CREDIT or to_buyer else (first or then)).strip()
    if not to or (to_buyer and is_told_to_buyer(return_)):
        return None
    if to_buyer:
        key = f"{key}:buyer"
    made = tx.write_new(
        Notice,
        key=key,
        kind=kind,
        return_id=return_.id,
        refund_id=event.refund_id,
        to=to,
        locale=return_.locale or return_.order.locale,
        context=facts.freeze(tx, kind, event, return_, second=to_buyer),
        # Only the settings know the domain; it is added at the first try and stays.
        message_id=ids.new_token(),
        queued_at=tx.at,
    )
    return made or tx.session.scalar(select(Notice.id).where(Notice.key == key))


def is_told(tx: Tx, kind: str, event: Event) -> bool:
    """Whether this was told of the event's refund before, by another event."""
    of_refund = (
        Notice.refund_id == event.refund_id,
        Notice.kind == kind,
        Notice.return_id.is_not_distinct_from(event.return_id),
    )
    return tx.session.scalar(select(Notice.id).where(*of_refund).limit(1)) is not None


def _queue_gift(tx: Tx, kind: str, event: Event, key: str) -> int | None:
    """The notice of money that was given without a return: it names the order, and nothing else of it."""
    order = tx.session.get(Order, event.order_id)
    to = order.email.strip() if order is not None else ""
    context = facts.freeze_gift(tx, kind, event, order) if order is not None and to else None
    if order is None or context is None:
        return None
    made = tx.write_new(
        Notice,
        key=key,
        kind=kind,
        return_id=None,
        refund_id=event.refund_id,
        to=to,
        locale=order.locale,
        context=context,
        message_id=ids.new_token(),
        queued_at=tx.at,
    )
    return made or tx.session.scalar(select(Notice.id).where(Notice.key == key))


def call_back(tx: Tx, return_id: int) -> bool:
    """Drop what was to be told of a decision on the return and has not left; True when nothing of it was told or is leaving."""
    of_decision = (Notice.return_id == return_id, Notice.kind.in_(("booked", "refused")))
    latest = tx.session.scalar(select(Notice.id).where(*of_decision).order_by(Notice.id.desc()).limit(1))
    dropped = tx.session.execute(delete(Notice).where(Notice.id == latest, Notice.status == QUEUED))
    return latest is None or bool(dropped.rowcount)  # type: ignore[attr-defined]


def send(post: Post, notice_id: int) -> None:
    """Job: send one notice, unless it was sent or refused for good before.

    Raises `jobs.Later` while an earlier notice of the same return is still to leave: a customer reads things in their order.
    Raises `UpstreamError` (retryable) when the mail server is away or wants it later. What it refuses for good (no such mailbox)
    makes the notice ``failed``, which the timeline shows to staff.
    """
    notice = _claim(post, notice_id)
    if notice is None:
        return
    try:
        mail = _compose(post, notice)
        post.mailer.send(mail)
    except UpstreamError as error:
        if error.retryable:
            _settle(post.database, notice, QUEUED, error=f"{error.code}: {error.staff_message}")
            raise
        _settle(post.database, notice, FAILED, error=f"{error.code}: {error.staff_message}")
        return
    _settle(post.database, notice, SENT, subject=mail.subject)
    _draw_slip(post, notice)


def _claim(post: Post, notice_id: int) -> Notice | None:
    """The notice, ours to send. One that is ``sending`` was left by a process that died: jobs have one holder at a time."""
    with post.database.transaction() as tx:
        notice = tx.session.get(Notice, notice_id, with_for_update=True)
        if notice is None or notice.status in (SENT, FAILED):
            return None
        if tx.session.scalar(_before(notice, tx.at)) is not None:
            raise jobs.Later(tx.at + LOOK_AGAIN, "A mail about something earlier leaves first.")
        notice.status = SENDING
        if "@" not in notice.message_id:
            notice.message_id = f"<{notice.message_id}@{domain_of(post.config.mail_from)}>"
        tx.session.flush()
    return notice


def _before(notice: Notice, at: datetime) -> Select[int]:
    """What is to leave before it: an earlier notice of the same return that has not left and was not tried in vain."""
    return (
        select(Notice.id)
        .where(
            Notice.return_id == notice.return_id,
            Notice.id < notice.id,
            Notice.status.in_((QUEUED, SENDING)),
            Notice.error == "",
            Notice.queued_at > at - IN_ORDER_FOR,
        )
        .limit(1)
    )


def _settle(database: Database, notice: Notice, status: str, *, subject: str = "", error: str = "") -> None:
    with database.transaction() as tx:
        values: dict[str, Any] = {"status": status, "error": error[:2000]}
        if status == SENT:
            values |= {"subject": subject, "sent_at": tx.at}
        changed = tx.session.execute(
            update(Notice).where(Notice.id == notice.id, Notice.status == SENDING).values(**values)
        ).rowcount  # type: ignore[attr-defined]
        if changed and status != QUEUED:
            timeline.record(
                tx,
                f"notice.{status}",
                return_id=notice.return_id,
                refund_id=notice.refund_id,
                why=error[:500],
                data={"kind": notice.kind, "notice": notice.id},
            )


def _compose(post: Post, notice: Notice) -> OutgoingMail:
    rma = str(notice.context["rma"])
    attached = _label(post, notice)
    text = render(
        notice.kind,
        notice.context,
        shop=post.shop,
        wanted_locale=notice.locale,
        base_url=post.config.base_url,
        link=_link(post.config, rma, str(notice.context.get("gift") or "")),
        label_attached=bool(attached),
        now=clock.now(),
    )
    domain = notice.message_id.rpartition("@")[2]
    # Mails of one return hang together; so do those of an order that have none.
    thread = rma or f"order-{notice.refund_id}"
    return OutgoingMail(
        to=notice.to,
        from_=post.config.mail_from,
        reply_to=post.shop.email,
        subject=text.subject,
        text=text.text,
        html=text.html,
        message_id=notice.message_id,
        thread=f"<{thread}@{domain}",
        language=text.language,
        at=clock.now(),
        attachments=attached,
    )


def _link(config: Config, rma: str, gift: str) -> str:
    """The page that says more: of the return, else of the gift."""
    if rma:
        return status_link(config, rma)
    return gift_link(config, gift) if gift else config.base_url


def _draw_slip(post: Post, notice: Notice) -> None:
    """Once the mail that offers the packing slip has left, staff learn what the slip cannot show; no mail waits for that."""
    if notice.kind != "booked":
        return
    rma = str(notice.context["rma"])
    try:
        labels.print_slip(post, rma)
    except PortalError as error:
        log.info("a packing slip is not drawn ahead", rma=rma, error=error.message)


def _label(post: Post, notice: Notice) -> tuple[Attachment, ...]:
    if notice.kind != "booked" or "label" not in notice.context:
        return ()
    rma = str(notice.context["rma"])
    try:
        pdf = labels.print_label(post, rma)
    except UpstreamError as error:
        if error.retryable:
            raise
        log.warning("a label could not be drawn; the mail goes without it", rma=rma, error=error.staff_message)
        return ()
    except PortalError as error:
        # Canceled meanwhile, or an address that cannot be printed: the page of the return says more.
        log.info("a mail goes without its label", rma=rma, error=error.message)
        return ()
    return (Attachment(f"return-label-{rma}.pdf", "application/pdf", pdf),)
