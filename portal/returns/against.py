"""What speaks against a policy besides its own text: what the shop's orders never tell, and days before it starts.

In: a policy, the shop's database. Out: findings at its rules. Invariants: page and command say the same. Never: a write.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.policy.beside import early
from portal.policy.beside import untold as never_told
from portal.policy.diagnostics import Diagnostic
from portal.policy.loader import Policy
from portal.policybook.service import load_book
from portal.returns.untold import untold


def findings(session: Session, policy: Policy, at: datetime, starts: datetime | None) -> list[Diagnostic]:
    """What is found ``at`` this moment of a policy that ``starts`` then; None: no start is chosen, so nothing is said of days."""
    found = [*never_told(policy, *untold(session, policy, at))]
    if starts is not None:
        live = load_book(session).live(starts)
        found += early(policy, None if live is None else live.policy, starts.astimezone(policy.zone).date())
    return found
