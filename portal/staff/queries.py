"""Reading people: who signed in, who may own a question."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.staff.models import Role, SignIn, User, roles_users
from portal.staff.permissions import allowed, allows
from portal.staff.service import token_hash


def find_by_email(session: Session, email: str) -> User | None:
    """The member of staff with this address, whatever its case."""
    return _one(session, User.email == email.strip().casefold())


def find_signed_in(session: Session, uniquifier: str, token: str, *, begun_after: datetime) -> User | None:
    """Who holds this cookie, if the sign-in has not ended, is not too old, and the person is still active: one query."""
    sign_in = (
        select(SignIn.user_id)
        .where(SignIn.token_hash == token_hash(token), SignIn.ended_at.is_(None), SignIn.begun_at > begun_after)
        .scalar_subquery()
    )
    return _one(session, User.fs_uniquifier == uniquifier, User.active, User.id == sign_in)


def find_by_uniquifier(session: Session, uniquifier: str) -> User | None:
    """The member of staff that a cookie names, signed in or not."""
    return _one(session, User.fs_uniquifier == uniquifier)


def find_role(session: Session, name: str) -> Role | None:
    """The role of this name."""
    return session.scalar(select(Role).where(Role.name == name))


def list_who_may(session: Session, permission: str) -> list[tuple[int, str]]:
    """Id and name of everybody who signs in and has the permission, by name: one query."""
    query = (
        select(User.id, User.name, User.email, Role.name)
        .join(roles_users, roles_users.c.user_id == User.id)
        .join(Role, Role.id == roles_users.c.role_id)
        .where(User.active)
        .order_by(User.name, User.id)
    )
    known = [(id_, name or email) for id_, name, email, role in session.execute(query) if allows([role], permission)]
    return list(dict.fromkeys(known))


def list_with_roles(session: Session, permission: str) -> list[tuple[int, str, tuple[str, ...]]]:
    """Id, name and roles of everybody who signs in and has the permission, by name: two queries."""
    found = session.scalars(select(User).where(User.active).order_by(User.name, User.id))
    known = [(user.id, user.name or user.email, tuple(role.name for role in user.roles)) for user in found]
    return [each for each in known if permission in allowed(each[2])]


def _one(session: Session, *where: object) -> User | None:
    query = select(User).where(*where).options(joinedload(User.roles))  # type: ignore[arg-type]
    return session.scalars(query).unique().first()
