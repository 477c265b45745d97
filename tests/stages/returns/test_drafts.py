"""Drafts are forgotten on both databases, however many there are, and nothing that a return has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import Database
from portal.jobs import Job
from portal.returns import drafts
from portal.returns.models import Draft, Photo
from portal.returns.photos import Encoded, Stored
from tests.stages.returns.trade import BOOKED, add_order, book_return, look, open_shop, rows


def test_old_drafts_go_with_their_photos_in_as_many_steps_as_it_takes(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "BATCH", 2)
    policy = open_shop(any_database)
    order_id = add_order(any_database)
    rma = book_return(any_database, policy, order_id)
    line = look(any_database, rma).lines[0]

    def begin(photo: str, at: timedelta = timedelta(0), *, booked: bool = False) -> None:
        with any_database.transaction(at=BOOKED + at) as tx:
            draft = drafts.create(tx, order_id)
            given = Stored(photo, photo, Encoded(b"", "image/jpeg", 1, 1))
            row = Photo.of(given, tx.at, order_line_id=line.order_line_id, draft_id=draft.id)
            tx.session.add(row)
            if booked:
                drafts.mark_booked(tx, draft.token, look(any_database, rma))
                row.return_line_id = line.id

    for number in range(5):
        begin(f"old-{number}")
    begin("of the return", booked=True)
    begin("young", timedelta(minutes=2))
    drafts.forget(any_database, at=BOOKED + drafts.LIFE + timedelta(minutes=1))
    assert set(rows(any_database, select(Photo.key))) == {"of the return", "young"}
    assert len(rows(any_database, select(Draft.id))) == 2
    jobs = rows(any_database, select(Job.args).where(Job.name == "forget_photos"))
    assert sorted(key for args in jobs for key in args["keys"]) == [f"old-{number}" for number in range(5)]
