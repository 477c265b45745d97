"""The ledger is only ever added to: the database itself refuses everything else, however its tables were made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from portal import migrations, rows
from portal.db import Database
from portal.refunds.models import LedgerEntry
from tests.stages.refunds.world import World
from tests.stand_in_fixture import StandInHandle


@pytest.fixture(params=["models", "migrations"])
def made_by(request: pytest.FixtureRequest) -> Callable[[Database], None]:
    """Tables as tests make them, and as a shop gets them."""
    if request.param == "models":
        return lambda database: rows.metadata.create_all(database.write_engine)
    return lambda database: migrations.upgrade(database.engine)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path) -> Database:  # type: ignore[no-untyped-def]
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    make: Callable[[], str] = request.getfixturevalue("make_pg")
    return Database(make())


CHANGES = [
    update(LedgerEntry).values(amount_minor=LedgerEntry.amount_minor + 1),
    update(LedgerEntry).values(cause="somebody else"),
    delete(LedgerEntry),
    text("UPDATE ledger_entry SET amount_minor = 0"),
    text("DELETE FROM ledger_entry"),
]


def test_a_row_of_the_ledger_is_never_changed_or_removed(
    empty: Database, made_by: Callable[[Database], None], stripe_side: StandInHandle
) -> None:
    made_by(empty)
    world = World(empty, stripe_side)
    world.paid_return(5000)
    before = _ledger(empty)
    assert [amount for _id, _account, amount in before] == [5000, 5000], "owed and reserved"
    for change in CHANGES:
        with pytest.raises(DBAPIError, match="never changed or removed"), empty.transaction() as tx:
            tx.session.execute(change)
        assert _ledger(empty) == before, str(change)
    world.work()
    assert _ledger(empty)[:2] == before, "what follows is added"
    assert len(_ledger(empty)) == 4
    empty.dispose()


def _ledger(database: Database) -> list[tuple[int, str, int]]:
    with database.read() as session:
        query = session.query(LedgerEntry).order_by(LedgerEntry.id)
        return [(entry.id, entry.account, entry.amount_minor) for entry in query]
