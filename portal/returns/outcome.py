"""What staff give in place of what the customer chose, above all of an exchange whose replacement can't be sent.

Who may overrule the policy gives what they find right; others what the policy offers, and hand the rest to somebody who may.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, Forbidden, Invalid
from portal.policy.decision import stored_value
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT
from portal.returns import lifecycle, texts
from portal.returns.holding import Expected, check_expected, lock_return, touch
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING, reprice
from portal.reviews import service as reviews
from portal.reviews.models import Review


def change_resolution(
    tx: Tx, rma: str, *, line: str, resolution: str, note: str, overrule: bool = False, expected: Expected = None
) -> Return:
    """Staff give a refund or store credit in place of an exchange (the replacement is out of stock, say). Needs a ``note``.

    Who may ``overrule`` the policy changes any wish, also into what the policy does not offer for the line. Raises `Conflict`
    when money is on its way or the return has ended, `Invalid` for an unknown line or resolution, `Forbidden` beyond the policy.
    """
    note = texts.note(note, "note")
    return_ = lock_return(tx, rma)
    check_expected(return_, expected)
    found = next((each for each in return_.lines if each.order_line.ref == line and each.status in COUNTING), None)
    wrong = {}
    if found is None:
        wrong["line"] = "this return has no such open line"
    if resolution not in (REFUND, STORE_CREDIT):
        wrong["resolution"] = f"choose {REFUND} or {STORE_CREDIT}"
    if not note:
        wrong["note"] = "say why; staff and the record need it"
    if wrong or found is None:
        raise Invalid("The outcome can't be changed like this.", wrong)
    if return_.payout_planned_at is not None or return_.status in (*lifecycle.ENDED, lifecycle.CLOSED):
        raise Conflict("Money for this return was sent or is not owed any more.", state=return_.status)
    if found.resolution == resolution:
        return return_
    if resolution not in outcomes(found, overrule=overrule):
        raise Forbidden(
            "The policy does not offer this in place of what the customer chose. Ask somebody who may overrule it."
        )
    before, found.resolution = found.resolution, resolution
    for review in reviews.open_reviews(tx.session, return_.id, reviews.OUT_OF_STOCK):
        reviews.settle(tx, review, reviews.SETTLED, note=note)
    was, now = reprice(return_)
    touch(return_)
    tx.session.flush()
    data = {"line": line, "from": before, "to": resolution, "was": was.to_json(), "now": now.to_json()}
    timeline.record(
        tx, "return.resolution_changed", return_id=return_.id, order_id=return_.order_id, why=note, data=data
    )
    return return_


def outcomes(line: ReturnLine, *, overrule: bool) -> tuple[str, ...]:
    """What staff may give in place of the line's resolution: anything for who may ``overrule``, else what the policy offers
    in place of an exchange."""
    other = tuple(each for each in (REFUND, STORE_CREDIT) if each != line.resolution)
    if overrule:
        return other
    offered = stored_value(line.decision, "resolutions") if line.decision and line.resolution == EXCHANGE else None
    return tuple(each for each in other if each in (offered or ()))


def hand_over(tx: Tx, rma: str, leads: Sequence[int], *, decide_within_hours: int) -> Review:
    """An exchange can't be sent and the policy offers nothing in its place: put that to one of ``leads``, accounts of people who
    may overrule it; the one with the fewest open questions gets it. The second click changes nothing.

    Raises `Conflict` when nobody may overrule the policy, or when money was sent or the return has ended.
    """
    return_ = lock_return(tx, rma)
    known = reviews.open_reviews(tx.session, return_.id, reviews.OUT_OF_STOCK)
    if known and known[0].owner_id in leads:
        return known[0]
    if return_.payout_planned_at is not None or return_.status in (*lifecycle.ENDED, lifecycle.CLOSED):
        raise Conflict("Money for this return was sent or is not owed any more.", state=return_.status)
    if not leads:
        raise Conflict("Nobody of the shop may overrule the policy. An owner gives that role.")
    missing = ", ".join(
        line.exchange_sku or line.order_line.name
        for line in return_.lines
        if line.resolution == EXCHANGE and line.status in COUNTING
    )
    if not missing:
        raise Conflict("Nothing of this return is to be exchanged.", state=return_.status)
    review = reviews.open_review(
        tx,
        kind=reviews.OUT_OF_STOCK,
        why=f"{missing} can't be sent in exchange. {tx.actor.name} asks what to give instead.",
        return_id=return_.id,
        due_at=tx.at + timedelta(hours=decide_within_hours),
    )
    reviews.assign(tx, review.id, reviews.least_busy(tx.session, leads))
    return review
