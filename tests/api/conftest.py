"""The real app, one for each module of tests. Tests share a database and no order, because numbers are fresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from apiflask import APIFlask

from portal import bootstrap
from portal.config import ROOT, Config
from portal.flow import Ports
from portal.policybook import service as policybook
from portal.refunds.gateway import Gateway
from tests.api.client import Api
from tests.blank import lay_tables, trust_the_machine


class NoGateway:
    """No call of the API calls Stripe; whoever does is found out."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a request called the gateway: {name}")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Everything real but Stripe."""
    folder = tmp_path_factory.mktemp("api")
    made = bootstrap.make_ports(
        Config(
            secret_key="s" * 40,
            database_url=f"sqlite:///{folder / 'portal.sqlite3'}",
            stripe_api_key="sk_test_unused",
            stripe_webhook_secrets=("whsec_test",),
            mail_url=f"file:{folder / 'mail'}",
            storage_url=f"file:{folder / 'files'}",
            log_level="WARNING",
        )
    )
    lay_tables(made.database)
    trust_the_machine(made.database)
    with made.database.transaction() as tx:
        policybook.ensure_first(tx, ROOT / "policies" / "default.yaml")
    yield replace(made, gateway=cast(Gateway, NoGateway()))
    made.database.dispose()


@pytest.fixture(scope="module")
def app(ports: Ports) -> APIFlask:
    """The whole app, pages included."""
    return bootstrap.create_app(ports=ports)


@pytest.fixture(scope="module")
def api(app: APIFlask, ports: Ports) -> Api:
    """A program with an admin token."""
    return Api(app, ports)
