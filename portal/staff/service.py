"""People come, change and go; they sign in and out."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import timedelta
from typing import Literal

from argon2 import PasswordHasher
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, select, update

from portal import ids, timeline
from portal.db import Tx
from portal.errors import Invalid, NotFound
from portal.staff.models import Role, SignIn, User
from portal.staff.permissions import ROLES

PASSWORD_MIN, PASSWORD_MAX = 12, 200
NORMAL_FORM: Literal["NFKD"] = "NFKD"
"""What Flask-Security brings a typed password into before it compares; the same sign typed on two keyboards is one sign."""
KEEP_SIGN_INS = timedelta(days=30)

# Argon2id with RFC 9106's second choice (64 MiB, three passes), which are also the parameters that Flask-Security asks for.
_hasher = PasswordHasher()


def put_user(tx: Tx, *, email: str, role: str, name: str, password: str) -> str:
    """Add a member of staff (``added``), or give one who is there this role, name and password (``changed``).

    A new password ends every sign-in of that person. Raises `Invalid` naming the field.
    """
    address, wrong = _address(email)
    if role not in ROLES:
        wrong["role"] = f"choose one of {', '.join(sorted(ROLES))}"
    if problem := password_problem(password, address):
        wrong["password"] = problem
    if len(name) > 120 or not ids.is_text(name):
        wrong["name"] = "use at most 120 characters of text"
    if wrong:
        raise Invalid("; ".join(f"{field}: {what}" for field, what in wrong.items()), wrong)
    user = find_user(tx, address)
    outcome = "added" if user is None else "changed"
    if user is None:
        user = User(email=address, name="", active=True, fs_uniquifier=ids.new_token(), created_at=tx.at)
        tx.session.add(user)
    user.name = name.strip() or user.name or _name_of(address)
    user.roles = [_role(tx, role)]
    user.password = hash_password(password)
    user.fs_uniquifier = ids.new_token()
    user.active = True
    tx.session.flush()
    _end_sign_ins(tx, user)
    timeline.record(tx, f"staff.{outcome}", data={"user": user.id, "name": user.name, "role": role})
    return outcome


def set_active(tx: Tx, *, email: str, active: bool) -> User:
    """Let somebody in again, or put them out: they are signed out at their next request. Raises `NotFound`."""
    user = find_user(tx, email.strip().casefold())
    if user is None:
        raise NotFound("There is no such member of staff.")
    if user.active != active:
        user.active = active
        _end_sign_ins(tx, user)
        what = "staff.activated" if active else "staff.deactivated"
        timeline.record(tx, what, data={"user": user.id, "name": user.name})
    return user


def find_user(tx: Tx, address: str) -> User | None:
    """The member of staff with this address, in lower case."""
    return tx.session.scalar(select(User).where(User.email == address))


def hash_password(password: str) -> str:
    """Argon2id of the password in its normal form; what Flask-Security verifies."""
    return _hasher.hash(unicodedata.normalize(NORMAL_FORM, password))


def password_problem(password: str, address: str = "") -> str | None:
    """What is wrong with a password, or None. Length is what counts; signs of every kind are welcome."""
    normal = unicodedata.normalize(NORMAL_FORM, password)
    if len(normal) < PASSWORD_MIN:
        return f"use at least {PASSWORD_MIN} characters"
    if len(normal) > PASSWORD_MAX or not ids.is_text(password):
        return f"use at most {PASSWORD_MAX} characters of text"
    if len(set(normal)) < 5 or (address and normal.casefold() in (address, address.partition("@")[0])):
        return "choose one that is harder to guess"
    return None


def sign_in(tx: Tx, user_id: int) -> str:
    """Begin a sign-in; the token that belongs into the cookie. Only its hash is kept."""
    token = ids.new_token()
    tx.session.execute(delete(SignIn).where(SignIn.user_id == user_id, SignIn.begun_at < tx.at - KEEP_SIGN_INS))
    tx.session.add(SignIn(user_id=user_id, token_hash=token_hash(token), begun_at=tx.at))
    tx.session.flush()
    return token


def sign_out(tx: Tx, token: str) -> None:
    """End the sign-in of this token. An unknown or ended one changes nothing."""
    tx.session.execute(
        update(SignIn).where(SignIn.token_hash == token_hash(token), SignIn.ended_at.is_(None)).values(ended_at=tx.at)
    )


def token_hash(token: str) -> str:
    """How a sign-in's token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _end_sign_ins(tx: Tx, user: User) -> None:
    tx.session.execute(
        update(SignIn).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None)).values(ended_at=tx.at)
    )


def _address(email: str) -> tuple[str, dict[str, str]]:
    try:
        found = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return "", {"email": f"`{email[:80]}` is no e-mail address"}
    return found.normalized.casefold(), {}


def _name_of(address: str) -> str:
    """``maya.okafor@…`` as ``Maya Okafor``."""
    words = address.partition("@")[0].replace(".", " ").replace("_", " ").replace("-", " ").split()
    return " ".join(word.capitalize() for word in words)[:120] or address[:120]


def _role(tx: Tx, name: str) -> Role:
    role = tx.session.scalar(select(Role).where(Role.name == name))
    if role is None:
        role = Role(name=name)
        tx.session.add(role)
    return role
