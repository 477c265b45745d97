"""``portal refunds``: money on this side held against money on the other.

In: how far back. Out: "0 differences", or one line each and exit code 1. Never: a change of money; the worker's reconciler makes
those.
"""

from __future__ import annotations

from datetime import timedelta

import click

from portal import clock
from portal.cli.context import ports
from portal.refunds.report import compare, run


@click.group()
def refunds() -> None:
    """Refunds at Stripe."""


@refunds.command()
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How far back all of Stripe's refunds are listed [default: 35]."
)
@click.option("--keep", is_flag=True, help="Store the report, so that staff see it, as the nightly run does.")
def reconcile(days: int | None, keep: bool) -> None:
    """Compare every refund with Stripe, both ways, check the books, and print what differs.

    Exit code 0 for "0 differences", 1 otherwise.
    """
    found = ports()
    since = clock.now() - timedelta(days=days) if days else None
    report = (
        run(found.database, found.gateway, since=since) if keep else compare(found.database, found.gateway, since=since)
    )
    for difference in report.differences:
        place = difference.payment_intent or difference.refund
        click.echo(f"{place}: {difference.sentence} [{difference.what}]")
    click.echo(
        f"Compared {report.refunds} refunds on {report.payments} Stripe payments, and {report.listed} that Stripe lists "
        f"since {report.since:%Y-%m-%d %H:%M} UTC."
    )
    count = len(report.differences)
    click.echo(f"{count} difference{'' if count == 1 else 's'}")
    if count:
        raise SystemExit(1)
