"""`portal policy explain`: what the policy answers for one line of an order, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from portal import clock
from portal.cli.context import ports
from portal.cli.policy import policy
from portal.errors import NotFound
from portal.orders.queries import get_order
from portal.policy.explain import cause_message, staff_message, trace
from portal.policy.reasons import REASONS
from portal.policy.terms import RESOLUTIONS
from portal.policybook import service
from portal.returns.assess import Wish, assess


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
