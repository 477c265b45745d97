"""Tokens of programs: made once, stored as a digest, checked at every call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from portal import ids
from portal.db import Tx
from portal.errors import Invalid
from portal.staff.models import ApiToken
from portal.staff.queries import find_by_email

RESOURCES = ("orders", "decisions", "returns", "refunds")
SCOPES = (*(f"{resource}:{access}" for resource in RESOURCES for access in ("read", "write")), "admin")
PREFIX = "rp_"


@dataclass(frozen=True, slots=True)
class Caller:
    """The program behind a call."""

    token_id: int
    name: str
    scopes: frozenset[str]
    owner_id: int | None = None
    """The member of staff who answers for what it decides."""

    def may(self, scope: str) -> bool:
        """``write`` includes ``read`` of the same resource; ``admin`` includes everything."""
        resource, _, access = scope.partition(":")
        return bool(self.scopes & {"admin", scope}) or (access == "read" and f"{resource}:write" in self.scopes)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(tx: Tx, *, name: str, scopes: Iterable[str], owner: str = "") -> str:
    """Make a token and return it; it cannot be read again later. ``owner`` is the address of the member of staff who answers for
    what it decides; empty for a program that nobody works with by hand.

    Raises `Invalid` for an unknown scope, an empty name, or an owner who is no active member of staff.
    """
    wanted = sorted(set(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES] or (not wanted and ["none"]):
        raise Invalid(f"Unknown scope {', '.join(unknown)}.", {"scope": f"choose from {', '.join(SCOPES)}"})
    if not 0 < len(name) <= 120:
        raise Invalid("A token needs a name.", {"name": "say which program uses it, in at most 120 characters"})
    person = find_by_email(tx.session, owner) if owner else None
    if owner and (person is None or not person.active):
        raise Invalid(
            f"No active member of staff has the address {owner[:80]}.",
            {"owner": "name somebody who signs in (portal staff add), or leave it out"},
        )
    token = PREFIX + ids.new_token()
    tx.session.add(
        ApiToken(
            name=name,
            digest=_digest(token),
            scopes=wanted,
            created_at=tx.at,
            owner_id=person.id if person else None,
        )
    )
    return token


def revoke(tx: Tx, *, name: str) -> int:
    """Revoke every living token of this name; how many there were."""
    found = tx.session.execute(
        update(ApiToken).where(ApiToken.name == name, ApiToken.revoked_at.is_(None)).values(revoked_at=tx.at)
    )
    return found.rowcount  # type: ignore[attr-defined, no-any-return]


_LIVING = select(ApiToken.id, ApiToken.name, ApiToken.scopes, ApiToken.owner_id).where(
    ApiToken.digest == bindparam("digest"), ApiToken.revoked_at.is_(None)
)


def find_caller(connection: Connection, token: str) -> Caller | None:
    """Whose token this is; None for one that is unknown or revoked.

    Every call asks, so that a token ends the moment it is revoked; a bare connection does it in a quarter of a session's time.
    """
    row = connection.execute(_LIVING, {"digest": _digest(token)}).first()
    return None if row is None else Caller(row.id, row.name, frozenset(row.scopes), row.owner_id)
