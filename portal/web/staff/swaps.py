"""The part of a return's page that gives money or credit in place of an exchange: only what the role may do is offered."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT
from portal.returns import lifecycle
from portal.returns import service as returns
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, price
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.web.staff.base import Me, limit_minor
from portal.web.staff.text import _


def swaps(session: Session, return_: Return, who: Me) -> dict[str, Any] | None:
    """What ``who`` may give for each exchanged line, and who may give the rest; None when there is nothing to change."""
    lines = [line for line in return_.lines if line.resolution == EXCHANGE and line.status in COUNTING]
    over = return_.payout_planned_at is not None or return_.status in (*lifecycle.ENDED, lifecycle.CLOSED)
    if over or not lines or not who.may(may.DECIDE):
        return None
    words = {REFUND: _("Refund"), STORE_CREDIT: _("Store credit")}
    offers, missing = [], False
    for line in lines:
        mine = [each for each in returns.outcomes(line, overrule=who.may(may.OVERRULE)) if _inside(return_, line, each)]
        missing = missing or len(mine) < len(words)
        if mine:
            offers.append((line, [(each, words[each]) for each in mine]))
    others = [each for each in people.list_who_may(session, may.OVERRULE) if each[0] != who.id] if missing else []
    return {
        "offers": offers,
        "missing": missing,
        "others": [name for _id, name in others],
        "hand_over": missing and bool(others) and not who.may(may.OVERRULE),
    }


def _inside(return_: Return, line: ReturnLine, resolution: str) -> bool:
    """Whether the return would stay inside the limit of the role."""
    most = limit_minor(return_.currency)
    return most is None or price(return_, {line.id: resolution}).total.minor <= most
