"""The stand-in for Stripe, started once for these tests, and the small shop on either database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.db import Database
from tests.stages.refunds.world import World
from tests.stand_in_fixture import StandInHandle, running_stand_in


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandInHandle]:
    with running_stand_in() as handle:
        yield handle


@pytest.fixture
def stripe_side(stand_in: StandInHandle) -> StandInHandle:
    stand_in.reset()
    stand_in.control("faults", "DELETE")
    stand_in.control("requests", "DELETE")
    return stand_in


@pytest.fixture
def pg_world(pg_database: Database, stripe_side: StandInHandle) -> World:
    """On PostgreSQL alone, for races."""
    return World(pg_database, stripe_side)


@pytest.fixture
def quick_world(database: Database, stripe_side: StandInHandle) -> World:
    """On SQLite alone, for long tables of cases."""
    return World(database, stripe_side)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    """On both databases."""
    found: World = request.getfixturevalue("quick_world" if request.param == "sqlite" else "pg_world")
    return found
