"""`portal policy replay`: every stored decision made once more from its facts and its version, and compared."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from portal.cli.context import ports
from portal.cli.orders import Bar
from portal.cli.policy import policy
from portal.returns.days import first_day
from portal.returns.replay import replay as make_again


@policy.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Returns booked from this day on; all when left out.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(since: datetime | None, as_json: bool) -> None:
    """Make every stored decision again from its stored facts and the version that it names, and compare. Changes nothing.

    Exit code 0 for "0 differences", 1 otherwise.
    """
    found = ports()
    start = None if since is None else first_day(since.date(), ZoneInfo(found.shop.timezone))
    with Bar() as bar:
        result = make_again(found.database, since=start, progress=bar)
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
    else:
        for each in result.listed:
            click.echo(f"{each.rma} line {each.position}: {', '.join(each.what)}")
        if result.different > len(result.listed):
            click.echo(f"… and {result.different - len(result.listed):,} more")
        if result.reworded:
            click.echo(f"{result.reworded:,} say the same in other words: this release words its sentences anew")
        decisions = "decision" if result.decisions == 1 else "decisions"
        differences = "difference" if result.different == 1 else "differences"
        click.echo(f"{result.decisions:,} {decisions}, {result.different:,} {differences}")
    if result.different:
        raise SystemExit(1)
