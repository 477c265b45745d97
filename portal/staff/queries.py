"""Reading people: who signed in, who may own a question."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.staff.models import Role, SignIn, User
from portal.staff.permissions import allows
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


def list_people(session: Session) -> list[tuple[int, str]]:
    """Id and name of everybody who may own a question, by name."""
    query = select(User.id, User.name, User.email).where(User.active).order_by(User.name, User.id)
    return [(row.id, row.name or row.email) for row in session.execute(query)]


def list_who_may(session: Session, permission: str) -> list[tuple[int, str]]:
    """Id and name of everybody who signs in and has the permission, by name."""
    query = select(User).where(User.active).order_by(User.name, User.id)
    found = session.scalars(query).all()
    return [
        (each.id, each.name or each.email) for each in found if allows([role.name for role in each.roles], permission)
    ]


def _one(session: Session, *where: object) -> User | None:
    query = select(User).where(*where).options(joinedload(User.roles))  # type: ignore[arg-type]
    return session.scalars(query).unique().first()
