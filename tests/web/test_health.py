"""What machines that watch the portal are told, and by which status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import text

from portal import bootstrap, clock, jobs
from portal.config import Config
from portal.db import Database
from portal.flow import Ports

Open = Callable[[Database], FlaskClient]


@pytest.fixture
def ports(database: Database, tmp_path: Path) -> Ports:
    """Everything real, over a database without migrations and without a worker."""
    made = bootstrap.make_ports(
        Config(
            secret_key="s" * 40,
            database_url=database.url,
            stripe_api_key="sk_test_unused",
            mail_url=f"file:{tmp_path / 'mail'}",
            storage_url=f"file:{tmp_path / 'files'}",
        )
    )
    made.database.dispose()
    return replace(made, database=database)


@pytest.fixture
def client(ports: Ports) -> FlaskClient:
    """Somebody who watches."""
    return bootstrap.create_app(ports=ports).test_client()


def migrate(ports: Ports, revision: str) -> None:
    """Say that the database has this revision."""
    with ports.database.transaction() as tx:
        tx.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        tx.session.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def test_a_portal_with_database_migrations_and_worker_is_ready(client: FlaskClient, ports: Ports) -> None:
    migrate(ports, ports.schema_head)
    jobs.beat(ports.database, "worker-1")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"database": "ok", "migrations": "ok", "worker": "ok"})


def test_a_database_behind_its_migrations_is_not_ready_and_says_what_to_do(client: FlaskClient, ports: Ports) -> None:
    migrate(ports, "older")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "portal db upgrade" in answer.json["migrations"]


@pytest.mark.parametrize(("silent", "status"), [(29, 200), (31, 503)])
def test_a_worker_that_is_silent_for_half_a_minute_is_missed(
    client: FlaskClient, ports: Ports, silent: int, status: int
) -> None:
    migrate(ports, ports.schema_head)
    start = clock.now()
    with time_machine.travel(start, tick=False):
        jobs.beat(ports.database, "worker-1")
    with time_machine.travel(start + timedelta(seconds=silent), tick=False):
        answer = client.get("/readyz")
    assert answer.status_code == status
    assert (answer.json["worker"] == "ok") == (status == 200)


def test_no_worker_at_all_is_not_ready(client: FlaskClient, ports: Ports) -> None:
    migrate(ports, ports.schema_head)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["database"]) == (503, "ok")
    assert "portal worker" in answer.json["worker"]


def test_without_its_database_the_portal_lives_but_is_not_ready(ports: Ports, tmp_path: Path) -> None:
    down = Database(f"sqlite:///{tmp_path / 'nowhere' / 'portal.sqlite3'}")
    client = bootstrap.create_app(ports=replace(ports, database=down)).test_client()
    assert (client.get("/healthz").status_code, client.get("/healthz").json) == (200, {"status": "ok"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["database"]) == (503, "cannot be reached")


def test_metrics_are_prometheus_text_with_what_waits(client: FlaskClient, ports: Ports) -> None:
    jobs.beat(ports.database, "worker-1")
    with ports.database.transaction() as tx:
        jobs.enqueue(tx, "send_notice", {}, key="one")
        jobs.enqueue(tx, "send_notice", {}, key="two")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(values["portal_reviews_open"]) == 0
    assert sum(float(value) for name, value in values.items() if name.startswith("portal_jobs{")) == 2
    assert 0 <= float(values["portal_worker_silence_seconds"]) < 60


def test_metrics_without_any_worker_say_for_ever(client: FlaskClient) -> None:
    assert "portal_worker_silence_seconds +Inf" in client.get("/metrics").text


def test_with_a_token_set_metrics_answer_only_whoever_sends_it(ports: Ports) -> None:
    token = "m" * 32
    client = bootstrap.create_app(ports=replace(ports, config=replace(ports.config, metrics_token=token))).test_client()
    for sent in ("", "Bearer", f"Bearer {token[:-1]}", f"Basic {token}", "Bearer \xfc"):
        refused = client.get("/metrics", headers={"Authorization": sent} if sent else {})
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer"), sent
        assert "portal_" not in refused.text
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nobody_keeps_these_answers_and_no_cookie_is_set(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
