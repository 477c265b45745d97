"""A real shop behind a test client: real database, services, river and documents, the shipped policy, and a fixed day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine
from apiflask import APIFlask

from portal import bootstrap, rows
from portal.config import ROOT, Config
from portal.flow import Ports
from tests.web.customer.desk import Customer, Desk

SECRET = "not-a-secret-but-long-enough-for-the-tests"


@pytest.fixture
def moment() -> Iterator[time_machine.Coordinates]:
    """Tuesday 17 November 2026, 14:32, the day on which the sample customer books."""
    with time_machine.travel("2026-11-17T14:32:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    """Everything real but Stripe, which no page of a customer calls."""
    config = Config(
        secret_key=SECRET,
        database_url=f"sqlite:///{tmp_path / 'portal.sqlite3'}",
        storage_url=f"file:{tmp_path / 'files'}",
        mail_url=f"file:{tmp_path / 'mail'}",
    )
    made = bootstrap.make_ports(config, pool_size=20)
    rows.metadata.create_all(made.database.write_engine)
    yield made
    made.database.dispose()


@pytest.fixture
def app(ports: Ports) -> APIFlask:
    """The whole web app, CSRF protection included."""
    made = bootstrap.create_app(ports=ports)
    made.config["PROPAGATE_EXCEPTIONS"] = False
    return made


@pytest.fixture
def desk(ports: Ports, app: APIFlask, moment: time_machine.Coordinates) -> Desk:
    """The shop with its shipped policy."""
    made = Desk(ports, app, moment)
    made.publish((ROOT / "policies" / "default.yaml").read_text(encoding="utf-8"))
    return made


@pytest.fixture
def customer(desk: Desk) -> Callable[[], Customer]:
    """Makes customers, each in a browser of their own."""
    return lambda: Customer(desk.app.test_client())
