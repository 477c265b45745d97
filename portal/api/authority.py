"""What the program behind a call may decide: as much as its owner on the staff's pages.

In: the caller and the return as it is. Out: nothing, or `Forbidden`. Invariants: a token with an owner has the roles that the
person has now, and none once the person has left; one without an owner is the shop's own and may what the role ``owner`` may.
Limits and permissions are those of the pages. Never: a limit that a program passes and its owner does not.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from portal.api.base import caller, ports
from portal.db import Tx
from portal.errors import Forbidden
from portal.money import Money
from portal.returns.decisions import overrules
from portal.returns.models import Return
from portal.staff import permissions as may
from portal.staff.models import User

UNOWNED = ("owner",)
"""The roles of a token that is nobody's: whoever runs the portal has made it at the command line."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""A program that says "now" by its own clock has not asked for another day."""
SAYS = (
    "The owner of the token needs the permission for it that its page needs{more}; a token without an owner may what the role "
    "`owner` may. Otherwise 403, and nothing is changed."
)


def roles(session: Session) -> tuple[str, ...]:
    """The roles that the caller acts with. Raises `Forbidden` when its owner has left."""
    owner_id = caller().owner_id
    if owner_id is None:
        return UNOWNED
    owner = session.get_one(User, owner_id)
    if not owner.active:
        raise Forbidden(
            "The owner of this token is no longer an active member of staff. Make a token for somebody who is."
        )
    return tuple(role.name for role in owner.roles)


def check_may(session: Session, permission: str) -> None:
    """Raises `Forbidden` when the caller lacks the permission."""
    if not may.allows(roles(session), permission):
        raise Forbidden(f"The role of this token's owner lacks the permission `{permission}`. Nothing was changed.")


def check_rank(session: Session, return_: Return) -> None:
    """Raises `Forbidden` when approving this return overrules the policy or takes a "no" back, and the caller may not."""
    check_may(session, may.DECIDE)
    if overrules(session, return_):
        check_may(session, may.OVERRULE)


def check_moment(tx: Tx, at: datetime | None) -> None:
    """Raises `Forbidden` when a return is to be decided as of a moment that is over, which can pass every time limit of the
    policy, and the caller may not overrule the policy."""
    if at is None or at >= tx.at - CLOCKS_DIFFER or may.allows(roles(tx.session), may.OVERRULE):
        return
    raise Forbidden(
        "The role of this token's owner may not overrule the policy, so not decide as of an earlier moment. Nothing was booked.",
        {"/at": "leave it out to decide as of now, or use a token of somebody who may overrule the policy"},
    )


def check_limit(session: Session, total: Money) -> None:
    """Raises `Forbidden` when the caller approves less than ``total`` at once."""
    most = ports().shop.refunds.limit_minor(roles(session), total.currency)
    if most is not None and total.minor > most:
        said = Money(most, total.currency)
        raise Forbidden(f"The role of this token's owner approves at most {said}. Nothing was changed.")
