"""The days for which a version's promises are certain, whatever was published in whichever order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from portal.config import ROOT
from portal.db import Database
from portal.policybook import service
from portal.policybook.promises import find_promises
from portal.shop import load
from tests.stages.returns.trade import POLICY

SHOP = load(ROOT / "policies" / "shop.yaml")
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


def publish(database: Database, starts: list[int]) -> None:
    """One version for each start, so many days from now; they are published in this order, long before."""
    for number, days in enumerate(starts, 1):
        text = POLICY.replace("Test shop", f"Version {number}")
        with database.transaction(at=NOW - timedelta(days=90)) as tx:
            at = (NOW + timedelta(days=days)).replace(hour=0)
            service.publish(tx, text, filename="x.yaml", author="Maya Okafor", effective_at=at)


NOVEMBER_13, NOVEMBER_20 = date(2026, 11, 13), date(2026, 11, 20)


@pytest.mark.parametrize(
    ("starts", "days_on", "told"),
    [
        ([-20], 0, (1, None, None)),
        ([-20, 3], 0, (1, None, NOVEMBER_13)),
        ([-20, 3, 3], 0, (1, None, NOVEMBER_13)),  # the third takes the place of the second
        ([-20, -7, 3], 0, (2, date(2026, 11, 3), NOVEMBER_13)),
        # The first one binds whatever was ordered before every start, and takes its own turn later.
        ([10, 3], 0, (1, None, NOVEMBER_13)),
        ([10, 3], 5, (2, NOVEMBER_13, NOVEMBER_20)),
        ([10, 3], 12, (1, NOVEMBER_20, None)),
        ([10], 0, (1, None, None)),
        ([10, 10], 12, (2, NOVEMBER_20, None)),
    ],
)
def test_a_version_promises_for_the_days_on_which_it_binds(
    database: Database, starts: list[int], days_on: int, told: tuple[int, date | None, date | None]
) -> None:
    publish(database, starts)
    with database.read() as session:
        found = find_promises(session, SHOP, NOW + timedelta(days=days_on))
    assert found is not None
    assert (found.number, found.purchase.since, found.purchase.before) == told
