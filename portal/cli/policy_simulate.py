"""`portal policy simulate`: what a policy would have changed on past orders and returns. Changes nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import click

from portal import clock
from portal.cli.context import ports
from portal.cli.orders import Bar
from portal.cli.policy import load_policy_file, policy, read_policy_text
from portal.money import Money
from portal.policy.tally import ANSWERS, MONEY, Comparison
from portal.policybook.service import get_version, load_book, load_version
from portal.policybook.simulation import Sample, Simulation, telling_day
from portal.returns.simulation import simulate as try_on_the_past

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ANSWERS = {"accept": "accepted", "review": "to a person", "refuse": "refused"}
_MONEY = {
    "refund": "refunded",
    "credit": "store credit",
    "exchange": "exchanged",
    "fees": "fees kept",
    "waiting": "for a person to decide",
}
SHOWN = 20


@policy.command()
@click.argument("file", type=_FILE)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Orders placed from this day on; those of a year by default."
)
@click.option(
    "--sample", type=click.IntRange(1), metavar="N", help="About N of these orders, evenly chosen; all by default."
)
@click.option(
    "--against",
    type=click.IntRange(1),
    metavar="VERSION",
    help="Compare with this version; the one in force by default.",
)
@click.option("--years", type=click.IntRange(0, 20), default=0, help="Move every date on so many years.")
@click.option(
    "--asked-after",
    type=click.IntRange(0, 3650),
    help="Days after delivery at which sold lines are asked about; the last day of the longest window that changes by default.",
)
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
def simulate(
    file: Path,
    since: datetime | None,
    sample: int | None,
    against: int | None,
    years: int,
    asked_after: int | None,
    processes: int,
    as_json: bool,
) -> None:
    """Try FILE on past orders and returns: the old answer against the new, counts and money. Changes nothing.

    Past returns are asked again with the facts that were stored with them. Every sold line is asked about on its own, for a
    change of mind and for a fault. Money is what is given without a person; what a person decides stands apart.
    """
    loaded = load_policy_file(file)
    database, now = ports().database, clock.now()
    first = since.date() if since else clock.local_date(now, ports().shop.timezone) - timedelta(days=365)
    with database.read() as session:
        version = against or load_book(session).current(now)[0]
        before = load_version(get_version(session, version))
    day = telling_day(before, loaded) if asked_after is None else asked_after
    with Bar() as bar:
        found = try_on_the_past(
            database,
            read_policy_text(file),
            against=version,
            sample=Sample(first, sample, years, day),
            progress=bar,
            processes=processes,
        )
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    for line in report(found):
        click.echo(line)


def report(found: Simulation) -> list[str]:
    """The result as lines for a person."""
    sample = found.sample
    moved = f", dates moved on {sample.years} year{'' if sample.years == 1 else 's'}" if sample.years else ""
    chosen = f"about {sample.orders:,} chosen, " if sample.orders else ""
    lines = [
        f"“{found.name}” {found.content_hash[:12]} against version {found.against}",
        f"tried on {found.orders:,} orders placed since {sample.since}{moved} ({chosen}{found.lines:,} lines, "
        f"{found.returns:,} returns)",
    ]
    if found.requests.asked:
        lines += ["", f"past returns, {found.requests.asked:,} lines", *_table(found.requests)]
        lines.append(f"  {found.changed_returns:,} returns change")
        for change in found.changes[:SHOWN]:
            answers = ", ".join(f"line {line}: {a} -> {b}" for line, a, b in change.lines)
            before, after = Money(change.before_minor, change.currency), Money(change.after_minor, change.currency)
            lines.append(f"    {change.rma}  {before} -> {after}  {answers}".rstrip())
        if found.changed_returns > SHOWN:
            lines.append(f"    … and {found.changed_returns - SHOWN:,} more; --json lists up to 1,000")
    for title, comparison in (
        (f"sold lines, sent back for a change of mind {sample.asked_after} days after delivery", found.ordinary),
        ("the same lines, sent back as faulty", found.fault),
    ):
        lines += ["", title, *_table(comparison)]
        lines.append(f"  last day later for {comparison.later:,} lines, earlier for {comparison.earlier:,}")
    for example in found.examples:
        turned = ", ".join(f"{name} {a} -> {b}" for name, (a, b) in example.answers.items() if a != b)
        lines.append(f"  for example order {example.order} line {example.line} ({example.name}): {turned}")
    lines += [
        f"  “{name}” holds for no order of these; check its words against those of your goods" for name in found.unused
    ]
    return lines


def _table(comparison: Comparison) -> list[str]:
    rows = [("", "before", "after", "change")]
    before, after = comparison.before, comparison.after
    for answer in ANSWERS:
        was, now = before.answers[answer], after.answers[answer]
        rows.append((_ANSWERS[answer], f"{was:,}", f"{now:,}", f"{now - was:+,}"))
    for currency in sorted({*before.money, *after.money}):
        for name in MONEY:
            was = before.money.get(currency, {}).get(name, 0)
            now = after.money.get(currency, {}).get(name, 0)
            if was or now:
                change = Money(now - was, currency)
                sign = "+" if now > was else ""
                rows.append((_MONEY[name], str(Money(was, currency)), str(Money(now, currency)), f"{sign}{change}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
