"""What each role may do. Pure.

In: the names of somebody's roles. Out: permissions, by name. Invariant: every page names the permission it needs, and a role has
only what stands here. Never: a permission that is stored with a person.
"""

from __future__ import annotations

from collections.abc import Iterable

SEE_QUEUE = "see_queue"  # the exceptions, their search and their export
SEE_RETURNS = "see_returns"  # a return with its items, photos and papers
SEE_CUSTOMERS = "see_customers"  # how often a customer has bought and returned
DECIDE = "decide"  # approve, ask, deny, cancel; notes and owners
OVERRULE = "overrule"  # approve what the policy refuses, change an amount, take a "no" back
RECEIVE = "receive"  # count and inspect parcels
SEE_REFUNDS = "see_refunds"
REPAIR_REFUNDS = "repair_refunds"  # try again, record a payment made elsewhere
SEE_POLICY = "see_policy"  # the rules as sentences, and the versions
EDIT_POLICY = "edit_policy"  # change the draft
PUBLISH_POLICY = "publish_policy"  # make a version of the draft, or of an earlier one
EXCEED_CAP = "exceed_cap"  # send a refund that is above the daily cap
UNDO_REFUNDS = "undo_refunds"  # take a refund back before it is sent
SECOND_REFUNDS = "second_refunds"  # be the second person of a large refund
GIVE_GOODWILL = "give_goodwill"  # refund without a return
STOP_REFUNDS = "stop_refunds"  # stop all refunds of the shop, and let them flow again
MANAGE_STAFF = "manage_staff"

PERMISSIONS = (
    SEE_QUEUE,
    SEE_RETURNS,
    SEE_CUSTOMERS,
    DECIDE,
    OVERRULE,
    RECEIVE,
    SEE_REFUNDS,
    REPAIR_REFUNDS,
    SEE_POLICY,
    EDIT_POLICY,
    PUBLISH_POLICY,
    EXCEED_CAP,
    UNDO_REFUNDS,
    SECOND_REFUNDS,
    GIVE_GOODWILL,
    STOP_REFUNDS,
    MANAGE_STAFF,
)

_WAREHOUSE = frozenset({SEE_RETURNS, RECEIVE})
_AGENT = _WAREHOUSE | {SEE_QUEUE, SEE_CUSTOMERS, DECIDE, SEE_REFUNDS, UNDO_REFUNDS, SEE_POLICY}
_LEAD = _AGENT | {
    OVERRULE,
    REPAIR_REFUNDS,
    EXCEED_CAP,
    SECOND_REFUNDS,
    GIVE_GOODWILL,
    STOP_REFUNDS,
    EDIT_POLICY,
    PUBLISH_POLICY,
}
_MERCHANT = frozenset({SEE_RETURNS, SEE_POLICY, EDIT_POLICY, PUBLISH_POLICY})

ROLES: dict[str, frozenset[str]] = {
    "owner": _LEAD | {MANAGE_STAFF},
    "lead": _LEAD,
    "agent": _AGENT,
    "merchant": _MERCHANT,
    "warehouse": _WAREHOUSE,
}
"""Role -> what it may do. The names are stored with people and never change their meaning."""


def allowed(roles: Iterable[str]) -> frozenset[str]:
    """Everything that somebody with these roles may do; a role that is not known any more gives nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def allows(roles: Iterable[str], permission: str) -> bool:
    """Whether one of the roles has the permission. Raises KeyError for a permission that does not exist: that is a bug."""
    if permission not in PERMISSIONS:
        raise KeyError(permission)
    return permission in allowed(roles)
