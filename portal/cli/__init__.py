"""The command line: ``portal …``, and the same commands as ``flask --app app …``.

In: arguments. Out: one command each, an exit code, lines a person can act on.
Invariants: a command that writes is one transaction, as a page is. Never: a traceback for a wrong argument; a rule of the trade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import FlaskGroup

from portal import __version__
from portal.cli.access import staff, token
from portal.cli.orders import orders
from portal.cli.policy import policy
from portal.cli.refunds import refunds
from portal.cli.system import db, doctor, serve, worker
from portal.errors import PortalError

COMMANDS = (db, doctor, orders, policy, refunds, serve, staff, token, worker)


def register(app: Flask) -> None:
    """Give ``flask --app app`` the portal's commands."""
    for command in COMMANDS:
        app.cli.add_command(command)


class PortalGroup(FlaskGroup):
    """Flask's group without its own commands, and with errors as lines instead of tracebacks."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The portal's own commands: help makes no app, which settings that are still missing would keep from being made."""
        return sorted(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the portal is printed line by line, exit code 2."""
        try:
            return super().invoke(ctx)
        except PortalError as error:
            raise click.ClickException(error.message) from None


def make_group(create_app: Callable[[], Flask]) -> click.Group:
    """The command ``portal``. The app is made when a command first needs it: help and ``policy check`` need no settings."""
    group = PortalGroup(
        name="portal",
        help="Returns and refunds for an online shop. Settings are environment variables, PORTAL_…",
        create_app=create_app,
        add_default_commands=False,
        add_version_option=False,
        load_dotenv=False,
    )
    for command in COMMANDS:
        group.add_command(command)
    return click.version_option(__version__, prog_name="portal")(group)
