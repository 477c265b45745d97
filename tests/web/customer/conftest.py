"""A real shop behind a test client: real database, services, river and documents, the shipped policy, and a fixed day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from portal import bootstrap, web
from portal.config import ROOT, Config
from portal.db import Database
from portal.flow import Ports, make_river
from portal.web import customer as customer_pages
from portal.web import render, security
from tests.web.customer.desk import Customer, Desk

SECRET = "not-a-secret-but-long-enough-for-the-tests"


@pytest.fixture
def moment() -> Iterator[time_machine.Coordinates]:
    """Tuesday 17 November 2026, 14:32, the day on which the sample customer books."""
    with time_machine.travel("2026-11-17T14:32:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture(scope="session")
def whole(one_sqlite: Database) -> Ports:
    """Everything real but Stripe, which no page of a customer calls; what it needs to read is read once."""
    made = bootstrap.make_ports(Config(secret_key=SECRET, database_url=one_sqlite.url))
    made.database.dispose()
    return replace(made, database=one_sqlite)


@pytest.fixture
def ports(whole: Ports, database: Database, tmp_path: Path) -> Ports:
    """The shop with everything outside of the program kept in the test's own folder."""
    config = replace(whole.config, mail_url=f"file:{tmp_path / 'mail'}", storage_url=f"file:{tmp_path / 'files'}")
    database.river = make_river(whole.shop)
    return replace(whole, config=config, mailer=bootstrap.make_mailer(config), files=bootstrap.make_files(config))


@pytest.fixture(scope="session")
def site(whole: Ports) -> Flask:
    """The web app as `portal.web` puts it together, with the customer's side of it; its templates are compiled once."""
    made = Flask(
        "portal", root_path=str(ROOT), static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates")
    )
    made.secret_key = SECRET
    security.set_up(made, whole.config)
    web.csrf.init_app(made)
    render.set_up(made, whole)
    customer_pages.register(made, whole)
    return made


@pytest.fixture
def app(site: Flask, ports: Ports) -> Flask:
    """The app over this test's database."""
    site.extensions["portal"] = ports
    return site


@pytest.fixture
def desk(ports: Ports, app: Flask, moment: time_machine.Coordinates) -> Desk:
    """The shop with its shipped policy."""
    made = Desk(ports, app, moment)
    made.publish((ROOT / "policies" / "default.yaml").read_text(encoding="utf-8"))
    return made


@pytest.fixture
def customer(desk: Desk) -> Callable[[], Customer]:
    """Makes customers, each in a browser of their own."""
    return lambda: Customer(desk.app.test_client())
