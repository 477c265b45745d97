"""`portal policy …`: check a policy file, and run the cases beside it. Commands that need the database join the same group."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.cli.context import ports
from portal.cli.orders import Bar
from portal.errors import ConfigError
from portal.policy.analysis import analyse
from portal.policy.cases import load_cases, run_case
from portal.policy.diagnostics import NOTE, WARNING, Diagnostic, PolicyErrors, render
from portal.policy.document import MAX_BYTES
from portal.policy.editors import schema_text
from portal.policy.facts import Facts
from portal.policy.loader import Policy, load_policy
from portal.returns.against import findings
from portal.returns.past import sold_facts
from portal.shop import load as load_shop

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Read, try and publish the return policy."""


def read_policy_text(path: Path) -> str:
    """The text of a policy file, not more of it than a policy can have. Raises ClickException with the fix."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        # A cut at the limit may fall inside a letter; then the size is what the loader should complain about.
        if len(raw) > MAX_BYTES:
            return raw.decode("utf-8", "replace")
        raise click.ClickException(f"{path}: not UTF-8 at byte {error.start + 1}; save the file as UTF-8") from None


def load_policy_file(path: Path) -> Policy:
    """The policy of a file. Prints every error as a compiler does and exits with 1 when there is one."""
    try:
        return load_policy(read_policy_text(path), str(path))
    except PolicyErrors as errors:
        click.echo(errors.rendered(), err=True)
        count = sum(each.severity == "error" for each in errors.diagnostics)
        click.echo(f"\n{path}: {count} error{'' if count == 1 else 's'}", err=True)
        raise click.exceptions.Exit(1) from None


def _sold_to(file: Path) -> tuple[str, ...]:
    """The countries of the shop whose ``shop.yaml`` stands beside its policy; none where there is no such file."""
    beside = file.with_name("shop.yaml")
    if beside == file or not beside.is_file():
        return ()
    try:
        return load_shop(beside).sold_to
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@policy.command()
@click.argument("file", type=_FILE)
@click.option(
    "--sells-to", "countries", multiple=True, help="A country of delivery, like GB; looks for terms below its law."
)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Also look for rules that no order placed since then could use."
)
def check(file: Path, countries: tuple[str, ...], since: datetime | None) -> None:
    """Say everything that is wrong with FILE. Exits with 1 on an error; warnings alone are no error.

    Where the shop's database can be reached, its orders and versions are looked at too, as if FILE started now.
    Without --sells-to, the countries are those of the shop's settings (`sells_to` of a shop.yaml beside FILE). With --since, the
    rules are tried on every line sold since that day, whatever the customer might have asked for.
    """
    loaded = load_policy_file(file)
    countries = countries or _sold_to(file)
    beside = _beside(loaded)
    past: list[tuple[Facts, int]] = []
    if since is not None:
        with Bar() as bar:
            past = sold_facts(ports().database, loaded, since.date(), bar)
    found = (*loaded.warnings, *analyse(loaded, countries=countries, past=past), *(beside or ()))
    told = in_order(found)
    for each in told:
        click.echo(render(each, loaded.source) + "\n")
    rules = len(loaded.rules)
    counts = ((kind, sum(each.severity == kind for each in told)) for kind in (WARNING, NOTE))
    said = "".join(f", {count} {kind}{'' if count == 1 else 's'}" for kind, count in counts if count)
    click.echo(f"{file}: ok, {rules} rule{'' if rules == 1 else 's'}{said}, {loaded.content_hash[:12]}")
    if not countries:
        click.echo(
            "not held against any law: there is no shop.yaml beside it; name the countries sold to, --sells-to GB"
        )
    if beside is None:
        click.echo("not held against the shop’s orders and versions: its database can’t be reached from here")


def in_order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings as they are met when the file is read."""
    return sorted(found, key=lambda each: (each.line, each.column))


def _beside(loaded: Policy) -> list[Diagnostic] | None:
    """What the shop's orders and versions say against a policy that would start now; None where no database can be reached."""
    try:
        with ports().database.read() as session:
            return findings(session, loaded, now := clock.now(), now)
    except (ConfigError, click.UsageError, SQLAlchemyError):
        return None


def cases_path(file: Path) -> Path:
    """Where the cases of a policy stand: ``default.yaml`` has ``default.cases.yaml`` beside it."""
    return file.with_name(f"{file.stem}.cases{file.suffix}")


@policy.command()
def schema() -> None:
    """Print the JSON Schema of policies, cases and laws for editors; `policies/schema.json` is this."""
    click.echo(schema_text(), nl=False)


@policy.command()
@click.argument("file", type=_FILE)
def test(file: Path) -> None:
    """Run the cases beside FILE. Exits with 1 when one of them fails."""
    loaded = load_policy_file(file)
    beside = cases_path(file)
    if not beside.is_file():
        raise click.ClickException(f"{beside} does not exist; write the cases of the policy there")
    try:
        cases = load_cases(read_policy_text(beside), loaded, str(beside))
    except PolicyErrors as errors:
        click.echo(errors.rendered(), err=True)
        raise click.exceptions.Exit(1) from None
    failed = 0
    for case in cases:
        differences = run_case(loaded, case)
        failed += bool(differences)
        click.echo(f"{'FAIL' if differences else 'ok  '} {case.name}")
        for difference in differences:
            click.echo(f"       {beside}:{case.line}: {difference}")
    click.echo(f"{len(cases) - failed} of {len(cases)} cases hold")
    if failed:
        raise click.exceptions.Exit(1)


# These need the database; importing them hangs them on the group.
import portal.cli.policy_book  # noqa: E402
import portal.cli.policy_explain  # noqa: E402
import portal.cli.policy_replay  # noqa: E402
import portal.cli.policy_simulate  # noqa: E402, F401
