"""``portal refunds``: money on this side held against money on the other.

In: nothing. Out: "0 differences", or one line each and exit code 1. Never: a change; the worker's reconciler makes those.
"""

from __future__ import annotations

import click

from portal.cli.context import ports
from portal.refunds.report import compare


@click.group()
def refunds() -> None:
    """Refunds at Stripe."""


@refunds.command()
def reconcile() -> None:
    """Compare every refund with Stripe, both ways, and print what differs."""
    found = ports()
    report = compare(found.database, found.gateway)
    for difference in report.differences:
        click.echo(f"{difference.payment_intent}: {difference.sentence} [{difference.what}]")
    count = len(report.differences)
    click.echo(
        f"{count} difference{'' if count == 1 else 's'} in {report.refunds} refunds of {report.payments} Stripe payments"
    )
    if count:
        raise SystemExit(1)
