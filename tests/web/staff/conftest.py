"""The staff's pages over a real database, real services and the real river; people of every role who can sign in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Table

from portal import bootstrap, config
from portal.config import Config
from portal.db import Database
from portal.flow import Ports, make_river
from portal.policybook.service import Book
from portal.refunds.gateway import Gateway
from portal.rows import metadata
from portal.shop import RefundLimits
from portal.staff import service
from portal.timeline import TimelineEntry
from portal.web import csrf, render, security, staff
from tests.blank import lay_tables
from tests.stages.returns.trade import open_shop
from tests.web.staff.browser import PASSWORD, Browser
from tests.web.staff.shop import NOW, Shop

PEOPLE = {
    "owner": ("ines@wren.example", "Ines Moreau"),
    "lead": ("maya@wren.example", "Maya Okafor"),
    "agent": ("jonas@wren.example", "Jonas Berg"),
    "merchant": ("nora@wren.example", "Nora Wren"),
    "warehouse": ("ben@wren.example", "Ben Whitlock"),
}

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
Roster = list[tuple[Table, list[dict[str, Any]]]]


class NoGateway:
    """The staff's pages never call Stripe; whoever does is found out."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a page called the gateway: {name}")


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap parameters for the people of these tests, so that making them takes no second."""
    monkeypatch.setattr(service, "_hasher", QUICK_HASHER)


@pytest.fixture(scope="session")
def whole(one_sqlite: Database) -> Ports:
    """The shop of the shipped policies over the database of these tests; what it needs to read is read once."""
    made = bootstrap.make_ports(
        Config(
            secret_key="s" * 40,
            database_url=one_sqlite.url,
            base_url="http://localhost",
            stripe_api_key="sk_test_unused",
        )
    )
    made.database.dispose()
    return replace(made, database=one_sqlite, gateway=cast(Gateway, NoGateway()))


@pytest.fixture
def ports(whole: Ports, database: Database, tmp_path: Path) -> Ports:
    """The shop with everything outside of the program kept in the test's own folder."""
    config = replace(whole.config, mail_url=f"file:{tmp_path / 'mail'}", storage_url=f"file:{tmp_path / 'files'}")
    database.river = make_river(whole.shop)
    mailer, files = bootstrap.make_mailer(config), bootstrap.make_files(config)
    return replace(whole, config=config, mailer=mailer, files=files)


QUICK = {"argon2__time_cost": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1}


def limited(ports: Ports, most: int) -> Browser:
    """An agent's browser in a shop where agents give at most so many pounds at once."""
    limits = RefundLimits(limits={"agent": {"GBP": Decimal(most)}})
    browser = Browser(make_app(replace(ports, shop=ports.shop.model_copy(update={"refunds": limits}))))
    browser.sign_in("jonas@wren.example")
    return browser


class Compiled(BytecodeCache):
    """Templates compiled once for all apps of these tests."""

    kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session")
def site(whole: Ports) -> Flask:
    """The app with the pages of the staff, and hashes that cost nothing. Its templates are compiled once."""
    return make_app(whole, SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=QUICK)


@pytest.fixture
def app(site: Flask, ports: Ports) -> Flask:
    """The app over this test's shop."""
    site.extensions["portal"] = ports
    return site


def make_app(ports: Ports, **settings: Any) -> Flask:
    """An app with the pages of the staff alone."""
    made = Flask("portal", root_path=str(config.ROOT), static_folder=str(config.ROOT / "static"),
                 template_folder=str(config.ROOT / "templates"))  # fmt: skip
    made.extensions["portal"] = ports
    made.config.update(settings)
    made.secret_key = ports.config.secret_key
    made.jinja_options = {**made.jinja_options, "bytecode_cache": Compiled()}
    security.set_up(made, ports.config)
    csrf.init_app(made)
    render.set_up(made, ports)
    staff.register(made, ports)
    return made


@pytest.fixture(scope="session")
def roster(tmp_path_factory: pytest.TempPathFactory) -> Roster:
    """The rows of one person of each role, made once as the portal makes them and copied into each test's database."""
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('people') / 'portal.sqlite3'}")
    lay_tables(made)
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(NOW, tick=False), made.transaction() as tx:
        patch.setattr(service, "_hasher", QUICK_HASHER)
        for role, (email, name) in PEOPLE.items():
            service.put_user(tx, email=email, role=role, name=name, password=PASSWORD)
    with made.read() as session:
        found = [(table, session.execute(table.select()).mappings().all()) for table in metadata.sorted_tables]
    made.dispose()
    # The timeline may have entries already and goes on from there.
    own = TimelineEntry.__table__
    return [
        (table, [{name: each[name] for name in each if (table, name) != (own, "id")} for each in all_])
        for table, all_ in found
        if all_
    ]


@pytest.fixture
def people(database: Database, roster: Roster, quick_hashes: None) -> dict[str, tuple[str, str]]:
    """One person of each role."""
    with database.write_engine.begin() as connection:
        for table, found in roster:
            connection.execute(table.insert(), found)
    return PEOPLE


@pytest.fixture
def book(database: Database) -> Book:
    """The published policy of these tests."""
    return open_shop(database)


@pytest.fixture
def stranger(app: Flask, people: object) -> Browser:
    """A browser that nobody has signed in with."""
    return Browser(app)


@pytest.fixture
def sign_in(app: Flask, people: dict[str, tuple[str, str]]) -> Callable[[str], Browser]:
    """A browser of a person with this role."""

    def of(role: str) -> Browser:
        browser = Browser(app)
        browser.sign_in(people[role][0])
        return browser

    return of


@pytest.fixture
def owner(sign_in: Callable[[str], Browser]) -> Browser:
    return sign_in("owner")


@pytest.fixture
def lead(sign_in: Callable[[str], Browser]) -> Browser:
    return sign_in("lead")


@pytest.fixture
def agent(sign_in: Callable[[str], Browser]) -> Browser:
    return sign_in("agent")


@pytest.fixture
def warehouse(sign_in: Callable[[str], Browser]) -> Browser:
    return sign_in("warehouse")


@pytest.fixture(autouse=True)
def friday() -> Iterator[time_machine.Traveller]:
    """Staff pages are at Friday 20 November 2026, 10:15 in Bristol."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def shop(database: Database, ports: Ports, book: Book) -> Shop:
    """Orders and returns to work on."""
    return Shop(database, book)
