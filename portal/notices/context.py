"""Freezing the facts of a moment, so that a mail that goes out late still tells the truth of its event.

In: an event inside its transaction. Out: JSON: amounts in minor units, moments in UTC, days as ISO dates, texts as they were.
Invariants: rendering reads nothing but this and the shop's settings. Never: a secret, a link with a key, a card number, nor what
Stripe or staff said among themselves.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Event, Tx
from portal.labels import service as labels
from portal.orders.models import Order
from portal.policy.decision import REFUSE
from portal.policy.quote import Quote
from portal.refunds import ledger
from portal.refunds.models import Refund
from portal.refunds.queries import BANK_DAYS, MoneyView, Piece, money_of_return, pieces_of
from portal.refunds.refusals import explain
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted, gives_away, keeps_item, lowered_lines, message_of, shortfall
from portal.returns.queries import is_told_to_buyer
from portal.returns.questions import is_sum_open
from portal.returns.reopening import REOPENED
from portal.reviews.models import Review
from portal.reviews.service import ASKED_US, DISPUTE, POLICY, REFUND_FAILED, UNDECIDED, open_reviews
from portal.timeline import TimelineEntry
from portal.wording import masked_email

ABOUT_REFUNDS = frozenset({"refund_sent", "refund_failed", "refund_needs_you", "refund_late", "payment_released"})
GIFT = "goodwill_sent"
CREDIT = "credit_issued"
"""Brings the code, which is money: it goes to the order's address, whoever else is told of the return."""
ABOUT_GIFTS = (ABOUT_REFUNDS - {"refund_sent"}) | {GIFT}
"""What is told of money that was given without a return; each names the order and leads to the gift's page."""
WITH_MONEY = ABOUT_REFUNDS | {"withdrawn", "booked", "part_received", "received", "credit_issued", "exchange_sent"}
WITH_MESSAGE = frozenset({"asked", "booked", "refused"})
AFTER_THE_CHECK = frozenset({"refund_sent", "credit_issued", "exchange_sent"})
"""Bring the message of who has lowered the amount, or has decided about goods that came: no other mail tells that decision."""
# The questions to staff whose deadline a notice tells to the customer.
_PROMISED_BY = {"under_review": (POLICY, ASKED_US), "refund_failed": (REFUND_FAILED, DISPUTE)}


def freeze(tx: Tx, kind: str, event: Event, return_: Return, *, second: bool = False) -> dict[str, Any]:
    """Everything that the notice ``kind`` says about ``return_`` as it is now; ``second`` is the buyer's beside another."""
    session, order = tx.session, return_.order
    to_buyer = is_told_to_buyer(return_) or kind == CREDIT or second
    context: dict[str, Any] = {
        "at": tx.at.isoformat(),
        "rma": return_.rma,
        "order": order.number,
        "name": (order.customer_name or str((order.ship_to or {}).get("name") or ""))[:120] if to_buyer else "",
        "currency": return_.currency,
        "status": return_.status,
        "refund_when": return_.refund_when,
        "ship_with": return_.ship_with,
        "ship_by_on": return_.ship_by_on.isoformat() if return_.ship_by_on else None,
        "arrived": return_.received_at is not None,
        "lines": [_line(line) for line in return_.lines],
    }
    if kind in WITH_MESSAGE:
        context["message"] = (event.data or {}).get("message", "")
    if kind in AFTER_THE_CHECK:
        context["message"] = _about_the_money(session, return_)
    if second or (kind == CREDIT and not is_told_to_buyer(return_)):
        context["told_besides"] = masked_email(return_.email)
    if kind == "closed_unpaid":
        context["unpaid"] = (event.data or {})["amount"]
        context["disputed"] = bool((event.data or {}).get("disputed"))
        money = money_of_return(session, return_.id)
        context["paid"] = 0 if money.never_charged else money.paid.minor
    if kind in _PROMISED_BY:
        context["answer_by"] = _iso(_deadline(session, return_, event, _PROMISED_BY[kind]))
    if kind == "booked":
        context["by_staff"] = (event.data or {}).get("by") == "staff"
        context["place"] = labels.place_in_warehouse(return_)
        if label := labels.label_words(session, return_.id):
            context["label"] = label
    if kind == "under_review":
        # What was told of a decision that was taken back is no longer true: the customer may hold a label.
        asked = {line.order_line.ref: line.note for line in return_.lines if line.answer == REFUSE}
        context["lines"] = [each | {"asked": asked.get(each["line"], "")} for each in context["lines"]]
        context["taken_back"] = (event.data or {}).get("from", "") if event.what == "return.reopened" else ""
    if kind == "canceled":
        context["by_staff"] = (event.data or {}).get("by") == "staff"
    sum_open = kind == "received" and is_sum_open(return_, open_reviews(session, return_.id))
    if kind in WITH_MONEY and not sum_open:
        context["quote"] = return_.quote
        context["less"] = shortfall(return_)
        money = money_of_return(session, return_.id)
        context["pieces"] = _pieces(money, to_buyer=to_buyer)
        if kind in ABOUT_REFUNDS and money.open.minor > money.under_way.minor:
            context["rest"] = _rest(session, return_)
    if kind in ABOUT_REFUNDS and event.refund_id is None:
        # What staff paid beside every payment has no row of its own, and no number.
        context |= {"refund": "", "another_way": True}
    elif kind in ABOUT_REFUNDS:
        refund = session.get_one(Refund, event.refund_id)
        context["refund"] = refund.public_id
        context["another_way"] = bool(refund.paid_elsewhere_by)
        if kind == "refund_failed":
            context |= _failure(refund)
    return context


_ABOUT_THE_MONEY = ("return.authorized", "return.inspected", REOPENED)


def _about_the_money(session: Session, return_: Return) -> str:
    """What staff wrote to the customer when they accepted the goods, and when they set the lower amounts that stand.

    What was found without a question has no message of its own; an amount that is said again keeps its reason.
    """
    if not return_.message and all(line.amount_minor is None for line in return_.lines):
        return ""
    of_return = (TimelineEntry.return_id == return_.id, TimelineEntry.what.in_(_ABOUT_THE_MONEY))
    reasons: dict[str, str] = {}
    amounts: dict[str, int] = {}
    of_goods = ""
    for entry in session.scalars(select(TimelineEntry).where(*of_return).order_by(TimelineEntry.id)):
        data = entry.data or {}
        message = data.get("message", "") if data.get("by") == "staff" else ""
        if entry.what == REOPENED:
            amounts, reasons = {}, {}
        elif entry.what == "return.inspected":
            of_goods = message
        changed = dict((data.get("amounts") or {}).items() - amounts.items())
        amounts |= changed
        if message:
            reasons |= dict.fromkeys(changed, message)
    lowered = lowered_lines(return_)
    said = (*(reason for ref, reason in reasons.items() if ref in lowered), of_goods)
    return "\n".join(dict.fromkeys(filter(None, said)))


def freeze_gift(tx: Tx, kind: str, event: Event, order: Order) -> dict[str, Any] | None:
    """What the notice ``kind`` says of a goodwill refund; None for a refund that is none, such as one made outside the portal."""
    refund = tx.session.get_one(Refund, event.refund_id)
    if refund.goodwill is None:
        return None
    context: dict[str, Any] = {
        "at": tx.at.isoformat(),
        "rma": "",
        "gift": refund.goodwill.public_id,
        "order": order.number,
        "name": (order.customer_name or str((order.ship_to or {}).get("name") or ""))[:120],
        "currency": refund.currency,
        "status": "",
        "refund_when": "",
        "ship_with": "",
        "ship_by_on": None,
        "arrived": False,
        "lines": [],
        "quote": Quote(refund.currency, ()).to_json(),
        "pieces": [_piece(each) for each in pieces_of(tx.session, [refund], BANK_DAYS)],
        "refund": refund.public_id,
        "another_way": bool(refund.paid_elsewhere_by),
    }
    if kind == "refund_failed":
        query = select(Review.due_at).where(Review.refund_id == refund.id, Review.status.in_(UNDECIDED))
        context["answer_by"] = _iso(tx.session.scalar(query.order_by(Review.due_at).limit(1)))
        context |= _failure(refund)
    return context


def _rest(session: Session, return_: Return) -> int:
    """What is owed beside every refund, once that is a question to staff; before that it may be about to be sent."""
    asked = any(each.refund_id is None for each in open_reviews(session, return_.id, REFUND_FAILED, DISPUTE))
    return max(ledger.unsent(session, return_.id), 0) if asked else 0


def _failure(refund: Refund) -> dict[str, Any]:
    meaning = explain(refund.failure_code)
    return {"told": meaning.told, "disputed": meaning.disputed}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _line(line: ReturnLine) -> dict[str, Any]:
    article = line.order_line
    frozen: dict[str, Any] = {
        "line": article.ref,
        "name": article.name or article.sku or article.ref,
        "variant": article.variant,
        "quantity": line.quantity,
        "of": article.quantity,
        "resolution": line.resolution,
        "status": line.status,
        "keeps_item": keeps_item(line),
        "counted": accounted(line),
        "received": line.received_quantity,
        "condition": line.condition,
        "gives_away": gives_away(line),
        "say": message_of(line),
    }
    if line.answer == REFUSE:
        causes = line.decision["causes"]
        frozen["causes"] = [
            {"code": cause["code"], "rule": cause["rule"], "params": cause.get("params", {})} for cause in causes
        ]
    return frozen


def _deadline(session: Session, return_: Return, event: Event, kinds: tuple[str, ...]) -> datetime | None:
    query = select(Review.due_at).where(
        Review.return_id == return_.id, Review.kind.in_(kinds), Review.status.in_(UNDECIDED)
    )
    if event.refund_id is not None:
        query = query.where(Review.refund_id == event.refund_id)
    return session.scalar(query.order_by(Review.due_at).limit(1))


def _pieces(money: MoneyView, *, to_buyer: bool) -> list[dict[str, Any]]:
    """Each way on which the customer gets something; the buyer's card, its bank's reference and a code for the buyer alone."""
    told = money.pieces if to_buyer else [_of_somebody(piece) for piece in money.pieces]
    return [_piece(piece) for piece in told]


def _of_somebody(piece: Piece) -> Piece:
    if piece.kind == "store_credit":
        return replace(piece, label="")
    return replace(piece, method="", bank_reference="", reference_status="") if piece.kind == "refund" else piece


def _piece(piece: Piece) -> dict[str, Any]:
    """A refund's ``to`` is the name of the card or account, or empty where only the ``provider`` is known."""
    frozen: dict[str, Any] = {"kind": piece.kind, "state": piece.state}
    if piece.amount is not None:
        frozen |= piece.amount.to_json()
    if piece.kind == "refund":
        frozen |= {
            "refund": piece.refund,
            "to": piece.method,
            "provider": piece.provider,
            "bank_reference": piece.bank_reference,
            "reference_status": piece.reference_status,
            "sent_at": _iso(piece.sent_at),
            "counted_on": piece.counted_on.isoformat() if piece.counted_on else None,
        }
        if piece.charged is not None:
            frozen["charged"] = piece.charged.minor
    else:
        frozen["label"] = piece.label
    if piece.order_number:
        frozen["order"] = piece.order_number
    return frozen
