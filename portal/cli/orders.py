"""Orders on the command line: bring an order book in."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import click
from tqdm import tqdm

from portal import clock
from portal.cli.context import ports
from portal.db import Actor, Database
from portal.orders.importer import OF_GOODS, ImportReport, import_file
from portal.orders.source import UnreadableFile
from portal.policybook.service import load_book

FORMATS = ("portal", "shopify", "woocommerce", "retail-csv")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_LONGEST = timedelta(days=3650)


class Duration(click.ParamType[timedelta]):
    """A length of time such as ``2d``, ``36h`` or ``1w``."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it, or fail with what it should look like."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,6})([wdhm])", str(value).strip())
        length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
        if length is None or length > _LONGEST:
            self.fail(f"`{value}` is no length of time; write it like 2d, 36h or 1w", param, ctx)
        return length


class Bar:
    """A progress bar on standard error; none where that is no terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Move on to ``done`` of ``total`` rows."""
        if self._bar is None:
            self._bar = tqdm(total=total, unit=" rows", unit_scale=True, file=sys.stderr, disable=None, mininterval=0.2)
        self._bar.update(done - self._bar.n)


@click.group()
def orders() -> None:
    """Orders."""


@orders.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), help="What the file holds; found out when left out.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@click.option(
    "--delivered-after",
    type=Duration(),
    metavar="2d",
    help="Set the delivery of lines that have none: so long after the order.",
)
@click.option("--pay-with-stripe", is_flag=True, help="Pay each new order with Stripe's test card. Needs a test key.")
def import_(
    file: Path, format_: str | None, dry_run: bool, delivered_after: timedelta | None, pay_with_stripe: bool
) -> None:
    """Import every order in FILE, plain or gzip.

    Bad rows are named and the rest is kept; a file that is not what it says is refused whole (exit code 2). Running it again
    changes nothing. Exit code 1: there were bad rows and not one good order.
    """
    found = ports()
    maker = found.payment_maker() if pay_with_stripe else None
    try:
        with Bar() as bar:
            report = import_file(
                found.database,
                file,
                found.order_sources,
                format=format_,
                zone=found.shop.timezone,
                delivered_after=delivered_after,
                maker=maker,
                dry_run=dry_run,
                progress=bar,
                actor=Actor("system", "Order import"),
            )
    except UnreadableFile as error:
        click.echo(f"refused: {error.message}", err=True)
        sys.exit(2)
    for line in [*summary(report), *_untold(found.database, report)]:
        click.echo(line)
    for row in report.bad:
        click.echo(str(row), err=True)
    if report.bad_count > len(report.bad):
        click.echo(f"… and {report.bad_count - len(report.bad)} more bad rows", err=True)
    if report.bad_count and not report.good:
        sys.exit(1)


def summary(report: ImportReport) -> list[str]:
    """What an import did, as lines for a person."""
    counts = [f"{report.outcomes[name]:,} {name}" for name in ("created", "updated", "unchanged")]
    would = "dry run, nothing was written: " if report.dry_run else ""
    lines = [
        f"{would}{report.file} ({report.format}, {report.rows:,} rows)",
        f"orders      {', '.join(counts)}; {report.lines:,} lines",
    ]
    if report.paid:
        lines.append(f"paid        {report.paid:,} orders, with Stripe's test card")
    lines += [f"skipped     {count:,} {kind}" for kind, count in report.skipped.most_common()]
    lines += [f"noted       {count:,} {kind}" for kind, count in report.notes.most_common()]
    if report.bad_count:
        lines.append(f"bad rows    {report.bad_count:,}")
    return lines


def _untold(database: Database, report: ImportReport) -> list[str]:
    """What the policy in force asks of goods and none of these says, for nobody would see that a rule is never heard."""
    missing = [name for name in OF_GOODS if name not in report.told] if report.lines else []
    with database.read() as session:
        live = load_book(session).live(clock.now())
    if not missing or live is None:
        return []
    asked = {each.fact for each in live.policy.comparisons()}
    what_then = {"tags": "its rules on tags hold for none of these goods"}
    return [
        f"not told    item.{name}, which the policy asks for: {what_then.get(name, 'a person decides where its rules need it')}"
        for name in missing
        if f"item.{name}" in asked
    ]
