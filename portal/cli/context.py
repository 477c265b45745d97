"""What a command works with: the app's ports, made when the command first asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask.cli import ScriptInfo

if TYPE_CHECKING:
    from portal.flow import Ports


def ports() -> Ports:
    """The ports of the app that this command line belongs to. Raises `ConfigError` when a setting is wrong."""
    info = click.get_current_context().ensure_object(ScriptInfo)
    found: Ports = info.load_app().extensions["portal"]
    return found
