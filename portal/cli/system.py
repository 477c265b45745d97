"""Running the portal: database, server, worker, and a look at everything it needs."""

from __future__ import annotations

import os
import subprocess
import sys

import click
from sqlalchemy import text

from portal import edge, migrations
from portal.cli.context import ports
from portal.errors import PortalError


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the schema up to this release. Safe to repeat."""
    found = ports()
    if found.database.is_sqlite:
        path = found.database.engine.url.database
        if path:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # noqa: PTH103, PTH120
    migrations.upgrade(found.database.engine)
    click.echo(f"database at {migrations.head()}")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=os.cpu_count() or 1, show_default="one per core", type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Serve the pages and the API with gunicorn, behind a proxy that buffers."""
    found = ports()
    found.database.dispose()
    arguments = ["--bind", f"{host}:{port}", "--workers", str(workers), "--worker-class", "sync", "--timeout", "30"]
    arguments += ["--max-requests", "20000", "--max-requests-jitter", "2000", "--no-control-socket"]
    arguments += ["--log-level", "warning", "portal.bootstrap:create_app()"]
    sys.exit(subprocess.call([sys.executable, "-m", "gunicorn", *arguments]))  # noqa: S603


@click.command()
@click.option("--until-idle", is_flag=True, help="End when nothing is left to do.")
@click.option("--name", default=None, help="Stable over restarts; several workers need several names.")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64))
def worker(until_idle: bool, name: str | None, threads: int) -> None:
    """Do the work that leaves a request: refunds, mails, labels, reconciliation."""
    from portal.worker import Worker

    hand = Worker(ports(), name=name, threads=threads)
    if until_idle:
        hand.run_until_idle()
    else:
        hand.run_forever()


@click.command()
def doctor() -> None:
    """Look at everything the portal needs: one line each, ok or what to do."""
    try:
        found = ports()
    except PortalError as error:
        for line in error.message.splitlines():
            click.echo(f"settings    {line}")
        sys.exit(1)
    lines = [("settings", "ok")]
    lines += list(edge.readiness(found.database, found.schema_head).items())
    lines.append(("stripe", found.gateway.check()))
    lines.append(("mail", found.mailer.check()))
    lines.append(("files", found.files.check()))
    lines.append(("documents", found.documents.check()))
    lines.append(("policy", _policy(found.database)))
    for name, what in lines:
        click.echo(f"{name:<12}{what}")
    if any(what != "ok" for _, what in lines):
        sys.exit(1)


def _policy(database: object) -> str:
    from portal.db import Database

    assert isinstance(database, Database)  # noqa: S101
    with database.read() as session:
        count = session.scalar(text("SELECT count(*) FROM policy_version"))
    return "ok" if count else "no policy is published; run `portal policy publish policies/default.yaml`"
