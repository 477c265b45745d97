"""Rows of people, of their sign-ins and of programs' tokens.

The names of the first two classes are those that Flask-Security expects.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_security.core import RoleMixin, UserMixin
from sqlalchemy import Column, ForeignKey, Index, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base

roles_users = Table(
    "roles_users",
    Base.metadata,
    Column("user_id", ForeignKey("user.id"), primary_key=True),
    Column("role_id", ForeignKey("role.id"), primary_key=True),
)


class Role(Base, RoleMixin):
    """A named set of permissions (`permissions.ROLES` gives each its list)."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    description: Mapped[str | None] = mapped_column(String(200))
    permissions: Mapped[list[Any] | None]
    """Flask-Security's own field; not used, so that a permission is never stored with a role."""


class User(Base, UserMixin):
    """A member of staff."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    """In lower case; what is typed at sign-in is lowered too."""
    name: Mapped[str] = mapped_column(String(120), default="")
    password: Mapped[str | None] = mapped_column(String(255))
    """Argon2id, with its own salt and parameters."""
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """What the session cookie names the person by. Drawn anew with a new password, which ends every sign-in."""
    created_at: Mapped[datetime]
    roles: Mapped[list[Role]] = relationship(secondary=roles_users, lazy="selectin")  # type: ignore[assignment]


class SignIn(Base):
    """One sign-in of one person, from the password to the sign-out. A cookie that was copied is worth nothing after it."""

    __tablename__ = "sign_in"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token in the cookie."""
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class KeptForm(Base):
    """A form that came after its author's sign-in had ended. It is shown to that person again, and carried out by nobody."""

    __tablename__ = "kept_form"
    __table_args__ = (Index("ix_kept_form_kept_at", "kept_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    path: Mapped[str] = mapped_column(String(1000))
    """Where the form goes."""
    page: Mapped[str] = mapped_column(String(1000))
    """Where it was written."""
    fields: Mapped[list[Any]]
    """``[name, value]`` as the browser sent them, in its order."""
    kept_at: Mapped[datetime]


class ApiToken(Base):
    """A program's key. Only its SHA-256 is stored; it is 256 random bits, so no slow hash is needed."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    """Whose hands the program is in: what it decides is a decision of this person's where two have to decide."""
