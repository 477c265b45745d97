"""What this session may see: orders and returns whose customer has proved to know them, for two hours.

In: a matched look-up or a mailed link. Out: grants in the signed session cookie. Invariants: a grant runs out by the clock; the
cookie holds at most `KEPT` of each. Never: a name, an address or an amount in the cookie, which is signed but readable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import session

from portal import clock
from portal.orders.keys import number_key

VALID = timedelta(hours=2)
KEPT = 6
_ORDERS, _RETURNS = "orders", "returns"


@dataclass(frozen=True, slots=True)
class Grant:
    """One order that this session may see. ``draft`` opens what was chosen so far; empty before the first choice."""

    key: str
    draft: str = ""
    by_email: bool = False
    """Proved by the order's e-mail. Who knows only the postcode may have got a present, and sees no address of the giver."""
    reason: str = ""
    """A reason to begin with, given by the entry that was taken (withdrawal)."""


def _now() -> int:
    return int(clock.now().timestamp())


def _living(name: str) -> dict[str, Any]:
    found = session.get(name)
    if not isinstance(found, dict):
        return {}
    oldest = _now() - int(VALID.total_seconds())
    return {key: value for key, value in found.items() if isinstance(value, list) and value and value[0] > oldest}


def _keep(name: str, living: dict[str, Any]) -> None:
    newest = sorted(living.items(), key=lambda item: item[1][0])[-KEPT:]
    session[name] = dict(newest)


def grant_order(number: str, *, by_email: bool, reason: str = "") -> Grant:
    """Let this session see the order from now on; an unfinished draft of it stays."""
    key = number_key(number)
    living = _living(_ORDERS)
    before = living.get(key)
    made = Grant(key, before[1] if before else "", by_email or bool(before and before[2]), reason)
    living[key] = [_now(), made.draft, made.by_email, made.reason]
    _keep(_ORDERS, living)
    return made


def order_grant(number: str) -> Grant | None:
    """The grant for the order, if this session has a living one."""
    key = number_key(number)
    found = _living(_ORDERS).get(key)
    return Grant(key, found[1], found[2], found[3]) if found else None


def keep_draft(grant: Grant, token: str) -> Grant:
    """Remember the draft that belongs to the grant; its time goes on running."""
    living = _living(_ORDERS)
    if grant.key in living:
        living[grant.key] = [living[grant.key][0], token, grant.by_email, grant.reason]
        _keep(_ORDERS, living)
    return replace(grant, draft=token)


def draft_tokens() -> frozenset[str]:
    """The drafts that this session may open."""
    return frozenset(value[1] for value in _living(_ORDERS).values() if value[1])


def grant_return(rma: str) -> None:
    """Let this session see the return from now on."""
    living = _living(_RETURNS)
    living[rma] = [_now()]
    _keep(_RETURNS, living)


def may_see_return(rma: str, order_number: str) -> bool:
    """True when the return itself or its order was opened in this session."""
    return rma in _living(_RETURNS) or number_key(order_number) in _living(_ORDERS)
