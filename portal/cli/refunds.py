"""``portal refunds``: money on this side held against money on the other, and the switch that stops all of it.

In: how far back, or why. Out: "0 differences", or one line each and exit code 1. Never: a refund; those come from returns and
gifts alone.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import click

from portal import clock
from portal.cli.context import ports
from portal.db import Actor
from portal.errors import Invalid
from portal.refunds import gate
from portal.refunds.reconcile import catch_up
from portal.refunds.report import LOOK_BACK, compare, run

Answer = TypeVar("Answer")


@click.group()
def refunds() -> None:
    """Refunds at Stripe."""


@refunds.command()
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How far back all of Stripe's refunds are listed [default: 35]."
)
@click.option("--keep", is_flag=True, help="Store the report, so that staff see it, as the nightly run does.")
@click.option(
    "--take-in",
    is_flag=True,
    help="First take over what Stripe has and this database does not: after a restored backup.",
)
def reconcile(days: int | None, keep: bool, take_in: bool) -> None:
    """Compare every refund with Stripe, both ways, check the books, and print what differs.

    Exit code 0 for "0 differences", 1 otherwise.
    """
    found = ports()
    back = timedelta(days=days) if days else LOOK_BACK
    if take_in:
        click.echo(f"Taken in: {catch_up(found.database, found.gateway, back)}")
    since = clock.now() - back
    report = (
        run(found.database, found.gateway, since=since) if keep else compare(found.database, found.gateway, since=since)
    )
    for difference in report.differences:
        place = difference.payment_intent or difference.refund
        click.echo(f"{place}: {difference.sentence} [{difference.what}]")
    for note in report.notes:
        click.echo(f"Note: {note}")
    click.echo(
        f"Compared {report.refunds} refunds on {report.payments} Stripe payments, and {report.listed} that Stripe lists "
        f"since {report.since:%Y-%m-%d %H:%M} UTC."
    )
    count = len(report.differences)
    click.echo(f"{count} difference{'' if count == 1 else 's'}")
    if count:
        raise SystemExit(1)


@refunds.command()
@click.argument("reason")
def stop(reason: str) -> None:
    """Send no refund any more, of any return, until `resume`. REASON is shown to everybody who signs in."""
    with ports().database.transaction(_operator()) as tx:
        _turned(lambda: gate.stop(tx, reason))
    click.echo("stopped: no refund is sent; everything waits")


@refunds.command()
@click.argument("reason")
def resume(reason: str) -> None:
    """Let refunds flow again; what waits goes out now."""
    with ports().database.transaction(_operator()) as tx:
        waiting = _turned(lambda: gate.resume(tx, reason))
    click.echo(f"flowing: {waiting} waiting jobs go on")


@refunds.command()
def status() -> None:
    """Say whether refunds flow. Exit code 1 while they are stopped."""
    with ports().database.read() as session:
        found = gate.read(session)
    if found.stopped_at is None:
        click.echo("flowing")
        return
    click.echo(f"stopped since {found.stopped_at:%Y-%m-%d %H:%M} UTC by {found.stopped_by}: {found.reason}")
    raise SystemExit(1)


def _operator() -> Actor:
    return Actor("staff", f"{getpass.getuser()} (command line)")


def _turned(turn: Callable[[], Answer]) -> Answer:
    try:
        return turn()
    except Invalid as wrong:
        raise click.ClickException(wrong.fields.get("reason", wrong.message)) from wrong
