"""Running the portal: database, server, worker, and a look at everything it needs."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from sqlalchemy import func, select

from portal import config as settings
from portal import edge, ids
from portal.cli.context import ports
from portal.db import Database
from portal.errors import PortalError, UpstreamError
from portal.policybook.models import PolicyVersion

if TYPE_CHECKING:
    from portal.flow import Ports


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
    from portal import migrations

    migrations.upgrade(found.database.engine)
    click.echo(f"database at {migrations.head()}")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=os.cpu_count() or 1, show_default="one per core", type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Serve the pages and the API with gunicorn, behind a proxy that buffers."""
    # Only the settings are judged here; the server makes the app.
    settings.load()
    arguments = ["--config", "python:portal.serving", "--bind", f"{host}:{port}", "--workers", str(workers)]
    arguments.append("portal.bootstrap:create_app()")
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments])  # noqa: S606


@click.command()
@click.option("--until-idle", is_flag=True, help="End when nothing is left to do.")
@click.option("--name", default=None, help="Stable over restarts; several workers need several names.")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--beside", default=None, hidden=True, type=int, help="The worker whose quiet jobs this process does.")
def worker(until_idle: bool, name: str | None, threads: int, beside: int | None) -> None:
    """Do the work that leaves a request: refunds, mails, labels, reconciliation.

    Labels and mails are done by a second process, which the worker starts and ends itself.
    """
    from portal.worker import Beside, Worker, end_with

    # Pages go first, then money, then what is drawn and mailed: nobody waits for the processor behind a label.
    os.nice(5)
    if until_idle:
        Worker(ports(), name=name, threads=threads).run_until_idle()
    elif beside is not None:
        end_with(beside)
        os.nice(10)
        Worker(ports(), name=name, threads=threads, lane="quiet").run_forever()
    else:
        hand = Worker(ports(), name=name, threads=threads, lane="urgent")
        hand.run_forever(Beside(hand.name, threads))


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
    lines.append(("stripe", _stripe(found)))
    lines.append(("mail", _mail(found)))
    lines.append(("files", _files(found)))
    lines.append(("fonts", "; ".join(found.documents.check()) or "ok"))
    lines.append(("policy", _policy(found.database)))
    for name, what in lines:
        click.echo(f"{name:<12}{what}")
    if any(what != "ok" for _, what in lines):
        sys.exit(1)


def _stripe(found: Ports) -> str:
    """One harmless call that needs the permission refunds need."""
    if not found.config.stripe_api_key:
        return "no key; set PORTAL_STRIPE_API_KEY"
    if not found.config.stripe_webhook_secrets:
        return "no webhook secret; set PORTAL_STRIPE_WEBHOOK_SECRET (without it nobody hears of disputes)"
    try:
        found.gateway.check()
    except UpstreamError as error:
        return f"{error.code}: {error.staff_message}"
    return "ok"


def _mail(found: Ports) -> str:
    """Opens a connection to the mail server, or looks whether the folder can be written."""
    url = urlsplit(found.config.mail_url)
    if url.scheme == "file":
        folder = Path(found.config.mail_url.removeprefix("file:"))
        near = next((each for each in (folder, *folder.parents) if each.exists()), folder)
        return "ok" if os.access(near, os.W_OK) else f"{folder} cannot be written"
    try:
        with socket.create_connection((url.hostname or "", url.port or 587), timeout=5):
            return "ok"
    except OSError as error:
        return f"{url.hostname} does not answer: {error}"


def _files(found: Ports) -> str:
    """Writes a file, reads it back and deletes it."""
    key = f"doctor/{ids.new_code(12)}.txt"
    try:
        found.files.put(key, b"ok")
        read = found.files.get(key)
        found.files.delete(key)
    except (OSError, PortalError) as error:
        return f"{found.config.storage_url} cannot be used: {error}"
    return "ok" if read == b"ok" else "what was written is not what is read"


def _policy(database: Database) -> str:
    with database.read() as session:
        count = session.scalar(select(func.count()).select_from(PolicyVersion))
    return "ok" if count else "no policy is published; run `portal policy publish policies/default.yaml`"
