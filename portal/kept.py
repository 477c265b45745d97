"""Pages that answer a form, kept for who sent it: a form is answered by an address, never by a page that a browser can only show
again by sending the form again.

In: a page, and whose it is. Out: a token for the address. Invariants: only who sent the form gets the page, a member of staff for
a day, a customer for as long as a look-up opens a session; of one person only the newest are there. Never: a customer's page to
whoever has its token alone; the session that sent the form holds it, and for how long (`web.customer.kept`).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, and_, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import ids
from portal.db import Base, Database, Tx

FOR_STAFF = timedelta(days=1)
FOR_CUSTOMERS = timedelta(hours=2)
MOST = 20
"""So many pages of one member of staff; the older ones go. Of a customer the session knows which they are."""


class KeptPage(Base):
    """A page that answered somebody's form: the browser shows it by its address and sends no form twice."""

    __tablename__ = "kept_page"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    """Whose it is; empty for a customer's, whose session holds the token."""
    status: Mapped[int]
    """The HTTP status that the page has."""
    body: Mapped[bytes]
    """The HTML, compressed by zlib."""
    at: Mapped[datetime] = mapped_column(index=True)


def keep(tx: Tx, user_id: int | None, status: int, html: str, *, over: Collection[str] = ()) -> str:
    """Keep the page and give its token. Without ``user_id`` it is a customer's, whose older pages ``over`` (tokens) go."""
    older = select(KeptPage.id).where(KeptPage.user_id == user_id).order_by(KeptPage.id.desc()).offset(MOST - 1)
    going = list(tx.session.scalars(older)) if user_id is not None else []
    if going or over:
        tx.session.execute(delete(KeptPage).where(or_(KeptPage.id.in_(going), KeptPage.token.in_(over))))
    token = ids.new_token()
    body = zlib.compress(html.encode())
    tx.session.add(KeptPage(token=token, user_id=user_id, status=status, body=body, at=tx.at))
    tx.session.flush()
    return token


def find(session: Session, user_id: int | None, token: str, at: datetime) -> tuple[int, str] | None:
    """Status and HTML of a page that this person's form was answered with; None when it is over or somebody else's."""
    young = KeptPage.at > at - (FOR_CUSTOMERS if user_id is None else FOR_STAFF)
    found = session.scalar(
        select(KeptPage).where(KeptPage.token == token, KeptPage.user_id.is_not_distinct_from(user_id), young)
    )
    return None if found is None else (found.status, zlib.decompress(found.body).decode())


def forget(database: Database) -> None:
    """Delete the pages that nobody gets any more."""
    with database.transaction() as tx:
        of_customers = and_(KeptPage.user_id.is_(None), KeptPage.at <= tx.at - FOR_CUSTOMERS)
        tx.session.execute(delete(KeptPage).where(or_(KeptPage.at <= tx.at - FOR_STAFF, of_customers)))
