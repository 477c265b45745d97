"""Forms that came after their author's sign-in had ended: kept for that person alone, for a day.

In: who wrote it, where it goes, its fields. Out: an unguessable token that is worth nothing to anybody else. Never: a command;
what is kept is shown again and nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal import clock, ids
from portal.db import Database, Tx
from portal.staff.models import KeptForm

LIFE = timedelta(days=1)


def keep(tx: Tx, user_id: int, *, path: str, page: str, fields: Sequence[tuple[str, str]]) -> str:
    """Keep the form that was sent to ``path`` from the page ``page``; its token."""
    token = ids.new_token()
    found = [[name, value] for name, value in fields]
    tx.session.add(KeptForm(token=token, user_id=user_id, path=path, page=page, fields=found, kept_at=tx.at))
    tx.session.flush()
    return token


def find(session: Session, token: str, user_id: int) -> KeptForm | None:
    """The form, for who wrote it and while it is young."""
    young = KeptForm.kept_at > clock.now() - LIFE
    return session.scalar(select(KeptForm).where(KeptForm.token == token[:64], KeptForm.user_id == user_id, young))


def forget(database: Database) -> None:
    """Delete what nobody came back for."""
    with database.transaction() as tx:
        tx.session.execute(delete(KeptForm).where(KeptForm.kept_at <= tx.at - LIFE))
