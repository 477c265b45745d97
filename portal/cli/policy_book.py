"""`portal policy publish` and `portal policy explain`: the commands of the policy book that need the database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from portal import clock
from portal.cli.context import ports
from portal.cli.policy import load_policy_file, policy, read_policy_text
from portal.db import Actor
from portal.errors import NotFound
from portal.orders.queries import get_order
from portal.policy.explain import cause_message, staff_message, trace
from portal.policy.reasons import REASONS
from portal.policy.terms import RESOLUTIONS
from portal.policybook import service
from portal.returns.assess import Wish, assess

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@policy.command()
@click.argument("file", type=_FILE)
@click.option("--note", default="", help="Why; kept with the version.")
@click.option("--author", default="Command line", show_default=True, help="Who publishes.")
def publish(file: Path, note: str, author: str) -> None:
    """Publish FILE as the next version. It binds orders placed from now on; earlier orders keep their own."""
    load_policy_file(file)
    with ports().database.transaction(Actor("staff", author)) as tx:
        known = len(service.list_versions(tx.session))
        version = service.publish(tx, read_policy_text(file), filename=str(file), author=author, note=note)
        said = f"version {version.number}, {version.content_hash[:12]}"
        if len(service.list_versions(tx.session)) == known:
            click.echo(f"{file}: is {said} already; nothing was published")
        else:
            click.echo(f"{file}: published as {said}")


@policy.command()
@click.argument("order")
@click.argument("line")
@click.option("--reason", type=click.Choice(tuple(REASONS)), required=True, help="Why it comes back.")
@click.option("--resolution", type=click.Choice(RESOLUTIONS), default="refund", show_default=True)
@click.option("--quantity", type=click.IntRange(1), default=1, show_default=True)
@click.option("--at", "moment", type=click.DateTime(), help="Ask as of this moment (UTC); now when left out.")
def explain(order: str, line: str, reason: str, resolution: str, quantity: int, moment: datetime | None) -> None:
    """Say what the policy answers for LINE of ORDER, why, and which rule set what. Changes nothing."""
    at = clock.now() if moment is None else moment.replace(tzinfo=UTC)
    with ports().database.read() as session:
        found = get_order(session, order)
        if all(each.ref != line for each in found.lines):
            lines = ", ".join(f"{each.ref} ({each.name or each.sku})" for each in found.lines[:20])
            raise NotFound(f"order {found.number} has no line `{line}`; it has {lines}")
        book = service.load_book(session)
        said = assess(session, book, found, [Wish(line, quantity, reason, resolution)], at=at)
        one = said.lines[0]
        click.echo(f"{found.number} line {line}: {one.decision.answer}")
        click.echo(
            f"policy version {said.policy_number}, “{one.decision.policy_name}”, {one.decision.policy_hash[:12]}"
        )
        for cause in (*one.decision.causes, *one.decision.requires):
            click.echo(f"- {staff_message(cause)}")
            click.echo(f"  the customer reads: {cause_message(cause)}")
        if one.decision.return_by_on is not None:
            click.echo(f"until {one.decision.return_by_on.isoformat()}")
        rows = [("Setting", "Result", "Set by", "Instead of")]
        for row in trace(one.decision):
            instead = "; ".join(f"{result} ({rule})" for result, rule in row.instead_of)
            rows.append((row.label, row.result, row.set_by, instead))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        click.echo("")
        for row_ in rows:
            cells = [cell.ljust(width) for cell, width in zip(row_, widths, strict=False)]
            click.echo("  ".join([*cells, row_[3]]).rstrip())
        click.echo("")
        for part in said.quote.all_parts():
            click.echo(f"{part.kind:<20}{part.amount_minor:>12} {said.quote.currency} (minor units)")
        click.echo(f"{'total':<20}{said.quote.total}")
