"""What the policy says, without changing anything."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from portal import clock
from portal.api.answers import DecisionOut
from portal.api.base import answer, api, call, perform, ports
from portal.api.idempotency import key_of
from portal.api.orders import readable
from portal.api.schemas import DecisionAskedIn, WishIn
from portal.errors import Invalid
from portal.orders import queries
from portal.policy.counterfactual_words import staff_sentence
from portal.policybook.service import load_book
from portal.returns.assess import Assessment, Wish, assess
from portal.returns.explaining import changes_of_wish

EXAMPLE = {
    "order": "WH-20418",
    "lines": [{"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"}],
}

MOST_EXPLAINED = 20
"""Explaining a line takes about a hundred decisions."""


def to_wish(wish: WishIn) -> Wish:
    """A wish as the service takes it."""
    return Wish(
        wish.line,
        wish.quantity,
        wish.reason,
        wish.resolution,
        wish.note,
        wish.exchange_sku,
        wish.photos,
        wish.answers,
    )


def assessment_json(found: Assessment) -> dict[str, Any]:
    """An assessment in the contract's shape."""
    lines = []
    for line in found.lines:
        decided = line.decision.to_json()
        quoted = found.quote.line(line.wish.line)
        decided["line"] = line.wish.line
        decided["quote"] = quoted.to_json(found.quote.currency)
        lines.append(decided)
    return {"lines": lines, "quote": found.quote.to_json(), "policy_version": found.policy_number}


@api.post("/decisions")
@call("decisions:read", body=DecisionAskedIn, answers=DecisionOut, example=EXAMPLE)
def decide(data: DecisionAskedIn) -> Response:
    """What the policy says to these wishes, with causes, terms and money. Changes nothing."""

    def decided(session: Session) -> dict[str, Any]:
        order = queries.get_order(session, readable(data.order))
        wishes = [to_wish(wish) for wish in data.lines]
        at = data.at or clock.now()
        book = load_book(session)
        found = assess(session, book, order, wishes, at=at, ship_with=data.ship_with)
        said = assessment_json(found)
        if data.what_if:
            for shown, line in zip(said["lines"], found.lines, strict=True):
                shown["what_if"] = [
                    {**each.to_json(), "sentence": staff_sentence(each)} for each in changes_of_wish(book, order, line)
                ]
        return said

    if data.what_if and len(data.lines) > MOST_EXPLAINED:
        raise Invalid(
            "What would have changed the answer is worked out for a few lines at a time.",
            {"/lines": f"send at most {MOST_EXPLAINED} lines with `what_if`"},
        )

    if key_of(request) is not None:
        # Only the answer is written, so that the same key gives it again even when the order has changed meanwhile.
        return perform(lambda tx: (200, decided(tx.session)))
    with ports().database.read() as session:
        return answer(decided(session))
