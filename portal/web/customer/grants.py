"""What this session may see: orders and returns whose customer has proved to know them, for two hours.

In: a matched look-up or a mailed link. Out: grants in the signed session cookie. Invariants: a grant runs out by the clock; the
cookie holds at most `KEPT` of each. Never: a name, an address or an amount in the cookie, which is signed but readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import session

from portal import clock, kept
from portal.orders.keys import number_key

VALID = kept.FOR_CUSTOMERS
"""Also as long as a page of a customer's is kept."""
KEPT = 6
_ORDERS, _RETURNS, _DRAFTS = "orders", "returns", "drafts"


@dataclass(frozen=True, slots=True)
class Grant:
    """One order that this session may see. ``draft`` opens what was chosen so far; empty before the first choice."""

    key: str
    draft: str = ""
    by_email: bool = False
    """Proved by the order's e-mail. Who knows only the postcode may have got a present, and sees no address of the giver."""


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


def grant_order(number: str, *, by_email: bool) -> Grant:
    """Let this session see the order from now on. An unfinished draft of it, made in this browser, is found again."""
    key = number_key(number)
    living = _living(_ORDERS)
    before = living.get(key)
    living[key] = [_now(), by_email or bool(before and before[1])]
    _keep(_ORDERS, living)
    return Grant(key, _drafts().get(key, ""), living[key][1])


def order_grant(number: str) -> Grant | None:
    """The grant for the order, if this session has a living one."""
    key = number_key(number)
    found = _living(_ORDERS).get(key)
    return Grant(key, _drafts().get(key, ""), found[1]) if found else None


def _drafts() -> dict[str, str]:
    found = session.get(_DRAFTS)
    return found if isinstance(found, dict) else {}


def keep_draft(grant: Grant, token: str) -> None:
    """Remember the draft of the grant's order. It outlives the grant, but opens nothing without one."""
    others = {key: value for key, value in _drafts().items() if key != grant.key}
    session[_DRAFTS] = {**dict(list(others.items())[1 - KEPT :]), grant.key: token}


def draft_tokens() -> frozenset[str]:
    """The drafts that this session may open now."""
    return frozenset(_drafts().get(key, "") for key in _living(_ORDERS)) - {""}


def grant_return(rma: str, *, by_email: bool, by_link: bool = False) -> None:
    """Let this session see the return from now on; or the gift, whose number (``gw_…``) no return has.

    ``by_email``: opened by the key that was mailed to the buyer, or proved by the order's e-mail. ``by_link``: opened by the
    mailed key, to whomever it was mailed.
    """
    living = _living(_RETURNS)
    before = living.get(rma)
    living[rma] = [_now(), by_email or _by_email(before), by_link or _by_link(before)]
    _keep(_RETURNS, living)


def may_see_return(rma: str, order_number: str) -> bool:
    """True when the return itself or its order was opened in this session."""
    return rma in _living(_RETURNS) or number_key(order_number) in _living(_ORDERS)


def knows_buyer(rma: str, order_number: str) -> bool:
    """True when the return (or gift) or its order was opened by e-mail, so that what is the buyer's alone may be shown."""
    return _by_email(_living(_RETURNS).get(rma)) or _by_email(_living(_ORDERS).get(number_key(order_number)))


def has_link(rma: str) -> bool:
    """True when the return was opened by the link in its mails: they go to whom its booking named."""
    return _by_link(_living(_RETURNS).get(rma))


def _by_link(found: list[Any] | None) -> bool:
    return found is not None and len(found) > 2 and bool(found[2])


def until(rma: str, order_number: str) -> int:
    """When the first of the rights ends (Unix time) by which this session may see the return (empty for none) or its order; for
    neither, as long as a new right would last."""
    begun = [
        living[key][0]
        for living, key in ((_living(_RETURNS), rma), (_living(_ORDERS), number_key(order_number)))
        if key in living
    ]
    return int(min(begun, default=_now()) + VALID.total_seconds())


def _by_email(found: list[Any] | None) -> bool:
    # A cookie from before this was remembered holds the time alone.
    return found is not None and len(found) > 1 and bool(found[1])
