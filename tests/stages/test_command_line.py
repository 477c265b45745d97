"""The command line before anything is set."""

from __future__ import annotations

from click.testing import CliRunner

from portal import cli
from portal.errors import ConfigError


def unset() -> None:
    raise ConfigError("PORTAL_SECRET_KEY is missing")


def test_help_lists_the_commands_without_any_setting_and_a_command_says_which_is_missing() -> None:
    group = cli.make_group(unset)  # type: ignore[arg-type]
    shown = CliRunner().invoke(group, ["--help"])
    assert shown.exit_code == 0
    assert "Traceback" not in shown.output
    for command in cli.COMMANDS:
        assert f"\n  {command.name} " in shown.stdout
    refused = CliRunner().invoke(group, ["db", "upgrade"])
    assert refused.exit_code != 0
    assert "PORTAL_SECRET_KEY is missing" in refused.output
    assert "Traceback" not in refused.output
