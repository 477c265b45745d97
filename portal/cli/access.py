"""Who may come in: people of the shop and programs."""

from __future__ import annotations

import click

from portal.api import tokens
from portal.cli.context import ports
from portal.staff import permissions, service


@click.group()
def staff() -> None:
    """People of the shop."""


@staff.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(sorted(permissions.ROLES)), help="What the person may do.")
@click.option("--name", default="", help="Shown to colleagues; made from the address when left out.")
@click.password_option(help="At least 12 characters; asked for when left out.")
def add(email: str, role: str, name: str, password: str) -> None:
    """Add a member of staff, or change role and password of one who is there."""
    with ports().database.transaction() as tx:
        outcome = service.put_user(tx, email=email, role=role, name=name, password=password)
    click.echo(f"{email}: {outcome}, role {role}")


@staff.command("deactivate")
@click.argument("email")
def deactivate(email: str) -> None:
    """Put a member of staff out: every sign-in of theirs ends now, and none is let in again."""
    _set_active(email, active=False)


@staff.command("activate")
@click.argument("email")
def activate(email: str) -> None:
    """Let a member of staff in again, with the role and password of before."""
    _set_active(email, active=True)


def _set_active(email: str, *, active: bool) -> None:
    with ports().database.transaction() as tx:
        address = service.set_active(tx, email=email, active=active).email
    click.echo(f"{address}: {'active' if active else 'deactivated, signed out everywhere'}")


@click.group()
def token() -> None:
    """Keys of programs that use the API."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice(tokens.SCOPES),
    help="May be given several times.",
)
@click.option(
    "--owner", default="", metavar="EMAIL", help="Who answers for what it decides, and is never its second person."
)
def create(name: str, scopes: tuple[str, ...], owner: str) -> None:
    """Make a token and print it alone; it is shown this once."""
    with ports().database.transaction() as tx:
        click.echo(tokens.create(tx, name=name, scopes=scopes, owner=owner))


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Make every token of this name useless at once."""
    with ports().database.transaction() as tx:
        click.echo(f"{tokens.revoke(tx, name=name)} revoked")
