"""What somebody may do about one return now: decide it, end what could not be paid, and everything else that a button does.

In: a return with its open questions, and who looks. Out: what the cards of its page offer, in words; nothing where nothing may be
done. Never: a rule of its own; each command checks again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from portal.money import Money
from portal.policy.quote import EXCHANGE, Quote
from portal.refunds import exchange
from portal.refunds import shortage as short
from portal.returns import lifecycle
from portal.returns.decisions import can_be_canceled
from portal.returns.models import Return
from portal.returns.payable import COUNTING, goods_outstanding
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.web.staff import money, words
from portal.web.staff.base import Me, above_limit, ports


def decision(return_: Return, open_: list[Review], quote: Quote, who: Me) -> dict[str, Any] | None:
    """What the decision card offers, or None when there is nothing to decide here."""
    here = [review for review in open_ if review.kind in questions.ON_THE_RETURN]
    # What was taken back while the goods travel is decided when they have come.
    if not here or not who.may(may.DECIDE) or return_.status == lifecycle.IN_TRANSIT:
        return None
    refused_by_policy = any(review.kind == questions.ASKED_US for review in here)
    gives, button = money.approve_words(quote)
    lines = [line for line in return_.lines if line.status in COUNTING]
    by_ref = {each.line: each.total_minor for each in quote.lines}
    above = above_limit(quote.total)
    return {
        "gives": gives,
        "total": words.amount(quote.total.minor, quote.currency),
        "button": button,
        "may_approve": (who.may(may.OVERRULE) or not refused_by_policy) and (above is None or len(lines) > 1),
        "overruling": refused_by_policy and not who.may(may.OVERRULE),
        "above": above,
        "may_change": who.may(may.OVERRULE) and any(line.resolution != EXCHANGE for line in lines),
        "may_ask": any(review.status == questions.OPEN for review in here),
        "goods": return_.status in lifecycle.ARRIVED,
        "about": words.name_of(lines[0].order_line) if len(lines) == 1 else "",
        "lines": [
            {
                "ref": line.order_line.ref,
                "id": line.id,
                "name": words.name_of(line.order_line),
                "changeable": line.resolution != EXCHANGE,
                "amount": money.plain_amount(by_ref.get(line.order_line.ref, 0), return_.currency),
                "most": words.amount(max(line.gross_minor, by_ref.get(line.order_line.ref, 0)), return_.currency),
            }
            for line in lines
        ],
    }


def seniors(session: Session, total: Money, who: Me) -> list[tuple[int, str]]:
    """Who, by id and name, may approve ``total`` where the person who looks may not."""
    limits, found = ports().shop.refunds, []
    for id_, name, roles in people.list_with_roles(session, may.DECIDE):
        most = limits.limit_minor(roles, total.currency)
        if id_ != who.id and (most is None or total.minor <= most):
            found.append((id_, name))
    return found


def shortage(session: Session, return_: Return, open_: list[Review], who: Me) -> dict[str, Any] | None:
    """What may be done about money that could not be sent; None when nothing of this kind is asked, or somebody may not."""
    asked = [each for each in open_ if each.refund_id is None and each.kind in short.KINDS]
    if not asked or not who.may(may.REPAIR_REFUNDS):
        return None
    left, money_left = short.amount(session, return_), short.in_money(session, return_)
    return {
        "amount": words.amount(left.minor, left.currency),
        "minor": left.minor,
        "in_money": words.amount(money_left.minor, money_left.currency),
        "in_money_minor": money_left.minor,
        "disputed": any(each.kind == questions.DISPUTE for each in asked),
        "replacement": exchange.has_held(session, return_.id),
    }


def repairers(session: Session, open_: list[Review], who: Me) -> list[str] | None:
    """Who may end a question about money of the whole return that the person who looks may not; None where there is none."""
    asked = any(each.refund_id is None and each.kind in short.KINDS for each in open_)
    if not asked or who.may(may.REPAIR_REFUNDS):
        return None
    return [name for _id, name in people.list_who_may(session, may.REPAIR_REFUNDS)]


def more(return_: Return, open_: list[Review], who: Me) -> dict[str, Any]:
    """What else may be done to this return now."""
    decide, status = who.may(may.DECIDE), return_.status
    out_of_stock = any(review.kind == questions.OUT_OF_STOCK for review in open_)
    return {
        "ship": decide
        and status == lifecycle.AUTHORIZED
        and return_.ship_with != "shop"
        and goods_outstanding(return_) > 0,
        "cancel": decide and can_be_canceled(return_),
        "reinstate": who.may(may.OVERRULE) and status in (lifecycle.REJECTED, lifecycle.EXPIRED),
        "receive": who.may(may.RECEIVE) and (status in lifecycle.TRAVELLING and goods_outstanding(return_) > 0),
        # Where money does not wait for a check, what came is counted in its condition already.
        "inspect": who.may(may.RECEIVE) and status == lifecycle.RECEIVED and return_.refund_when == lifecycle.INSPECTED,
        "out_of_stock": out_of_stock,
        "note": decide or who.may(may.RECEIVE),
    }
