"""Pages that answer a form, kept for who sent it: a form is answered by an address, never by a page that a browser can only show
again by sending the form again.

In: a page and whose it is. Out: a token for the address. Invariants: only who sent the form gets the page; a day later it is
gone, and of one person only the newest are there. Never: a customer's page to
whoever has its token alone; the session that sent the form holds it (`web.customer.kept`).
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from portal import ids
from portal.db import Tx
from portal.staff.models import KeptPage

FOR = timedelta(days=1)
MOST = 20
"""So many pages of one person; the older ones go."""


def keep(tx: Tx, user_id: int | None, status: int, html: str) -> str:
    """Keep the page and give its token; what is over goes. Without ``user_id`` it is a customer's."""
    mine = select(KeptPage.id).where(KeptPage.user_id == user_id).order_by(KeptPage.id.desc()).offset(MOST - 1)
    over = list(tx.session.scalars(mine)) if user_id is not None else []
    tx.session.execute(delete(KeptPage).where(or_(KeptPage.at <= tx.at - FOR, KeptPage.id.in_(over))))
    token = ids.new_token()
    body = zlib.compress(html.encode())
    tx.session.add(KeptPage(token=token, user_id=user_id, status=status, body=body, at=tx.at))
    tx.session.flush()
    return token


def find(session: Session, user_id: int | None, token: str, at: datetime) -> tuple[int, str] | None:
    """Status and HTML of a page that this person's form was answered with; None when it is over or somebody else's."""
    found = session.scalar(
        select(KeptPage).where(
            KeptPage.token == token, KeptPage.user_id.is_not_distinct_from(user_id), KeptPage.at > at - FOR
        )
    )
    return None if found is None else (found.status, zlib.decompress(found.body).decode())
