"""What came otherwise than was agreed: whether somebody has to say something about it, and the question that is put to them.

In: a return whose goods were counted, its order locked. Out: an open question with a heading and what was found of each item.
Invariants: what the policy grades itself puts no question, nor does what staff have given up. Never: money; it waits or flows by
the event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from portal import timeline
from portal.db import Tx
from portal.money import Money
from portal.receiving import disposition as goods
from portal.receiving.disposition import MISSING, Verdict
from portal.returns import claims
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, grades, payable_quote, price
from portal.reviews import service as reviews
from portal.wording import said

GIVEN_UP = "rest_given_up"
"""Marks in `Return.basis` that staff know which units never came: these put no question any more (see `rest`)."""
_WHY = {
    goods.OPENED: "Opened on arrival",
    goods.USED: "Used or worn on arrival",
    goods.DAMAGED: "Damaged on arrival",
    goods.WRONG_ITEM: "Wrong item in the parcel",
    goods.MISSING: "Not everything was in the parcel",
}


def put_a_question(return_: Return) -> bool:
    """Whether a person has to say something about what came."""
    return bool(_asking(return_))


def ask_staff(tx: Tx, return_: Return, was: Money, now: Money, decide_within_hours: int) -> str:
    """Put the question, and give its heading; ``was`` and ``now`` are the totals before and after the count."""
    asking = _asking(return_)
    why, _rows = _differences(asking)
    # What puts no question, because somebody has given it up, is a part of what the total became all the same.
    lost = [line for line in return_.lines if line.status in COUNTING and (line.found or {}).get(MISSING)]
    _why, rows = _differences([line for line in return_.lines if line in asking or line in lost])
    total = f"The total would change from {said(was)} to {said(now)}" if was != now else ""
    reviews.open_review(
        tx,
        kind=reviews.RECEIPT,
        why=why,
        fact=_fact(rows, total),
        return_id=return_.id,
        data={"lines": [line.order_line.ref for line in asking], "was": was.to_json(), "now": now.to_json()},
        due_at=tx.at + timedelta(hours=decide_within_hours),
    )
    return why


def record(tx: Tx, return_: Return, why: str) -> None:
    """Write the question on the timeline, after what was counted."""
    timeline.record(
        tx, "review.opened", return_id=return_.id, order_id=return_.order_id, why=why, data={"kind": reviews.RECEIPT}
    )


def look_at_paid(tx: Tx, return_: Return, decide_within_hours: int) -> None:
    """Goods that were paid ahead and are not as agreed are staff's to know; those that are answer the question themselves."""
    if not claims.was_paid_ahead(return_):
        return
    due, paid = price(return_).total, payable_quote(tx.session, return_).total
    if not _asking(return_) and due == paid:
        claims.settle(tx, return_, "The goods have come as agreed.")
        return
    why, rows = _differences(_asking(return_, Verdict.QUESTION, Verdict.GRADED))
    total = f"For what came {said(due)} would be owed, and {said(paid)} went ahead" if due != paid else ""
    claims.ask(tx, return_, f"Paid ahead. {why}", _fact(rows, total), decide_within_hours)


def _asking(return_: Return, *verdicts: Verdict) -> list[ReturnLine]:
    """The lines with one of these verdicts; those that a person has to say something about if none is named."""
    wanted = verdicts or (Verdict.QUESTION,)
    # Staff who have given the rest up know that it is missing (`rest`).
    known = {MISSING} if return_.basis.get(GIVEN_UP) else set()
    return [
        line
        for line in return_.lines
        if line.status in COUNTING
        and goods.verdict({name: n for name, n in (line.found or {}).items() if name not in known}, grades(line))
        in wanted
    ]


def _differences(asking: Sequence[ReturnLine]) -> tuple[str, list[str]]:
    """Why these lines put a question, as a heading, and what was found of each."""
    worst = goods.worst({line.condition: 1 for line in asking if line.condition}) or goods.DAMAGED
    rows = [
        f"{line.order_line.name or line.order_line.sku or line.order_line.ref}: "
        + ", ".join(f"{number} {condition.replace('_', ' ')}" for condition, number in (line.found or {}).items())
        for line in asking
    ]
    return _WHY.get(worst, "Not as agreed on arrival"), rows


def _fact(rows: Sequence[str], total: str) -> str:
    return ". ".join(each for each in ("; ".join(rows), total) if each)
