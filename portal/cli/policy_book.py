"""`portal policy publish|diff|versions|export|rollback`: the book of versions from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from portal import clock, wording
from portal.cli.context import ports
from portal.cli.policy import in_order, load_policy_file, policy, read_policy_text
from portal.db import Actor
from portal.policy.analysis import analyse
from portal.policy.binding import Version
from portal.policy.diagnostics import WARNING, Diagnostic, render
from portal.policy.diff import Difference, diff, kind_words
from portal.policy.explain import rule_words
from portal.policy.loader import Policy, load_policy
from portal.policybook import service, versions
from portal.returns.against import findings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_START = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_INSTEAD = click.option(
    "--instead-of", type=click.IntRange(1), metavar="VERSION", help="Take the place and the start of a version to come."
)


@policy.command()
@click.argument("file", type=_FILE)
@click.option(
    "--start", type=click.DateTime(_START), help="When it starts, in the shop's time zone; now when left out."
)
@_INSTEAD
@click.option("--note", default="", help="What changed; kept with the version.")
@click.option("--author", default="Command line", show_default=True, help="Who publishes.")
def publish(file: Path, start: datetime | None, instead_of: int | None, note: str, author: str) -> None:
    """Publish FILE as the next version. It binds orders placed from its start on; earlier orders keep their own.

    Every warning that has to be ticked on the page is printed as an error is; `portal policy check` says them before.
    """
    if start is not None and instead_of is not None:
        raise click.UsageError("give --start or --instead-of, not both")
    loaded = load_policy_file(file)
    starts = None if start is None else start.replace(tzinfo=ZoneInfo(ports().shop.timezone))
    with ports().database.transaction(Actor("staff", author)) as tx:
        book = service.load_book(tx.session)
        if instead_of is not None:
            starts = versions.start_in_place_of(tx.session, instead_of, tx.at)
        before = book.live(starts or tx.at)
        warnings = _warnings(tx.session, loaded, tx.at, starts or tx.at)
        version = service.publish(
            tx, read_policy_text(file), filename=str(file), author=author, note=note, effective_at=starts
        )
        said = f"version {version.number}, {version.content_hash[:12]}"
        if version.number <= book.newest:
            click.echo(f"{file}: is {said} already; nothing was published")
            return
        for each in warnings:
            click.echo(render(each, loaded.source) + "\n", err=True)
        click.echo(f"{file}: published as {said}{_from(version.effective_at, tx.at)}")
        _changes(loaded, before, book.coming(version.effective_at))
        _ends(versions.forgetful(service.load_book(tx.session), version.number, tx.at))


@policy.command()
@click.argument("number", type=click.IntRange(1))
@_INSTEAD
@click.option("--note", required=True, help="Why; kept with the version.")
@click.option("--author", default="Command line", show_default=True, help="Who publishes.")
def rollback(number: int, instead_of: int | None, note: str, author: str) -> None:
    """Publish a copy of version NUMBER as the next version."""
    with ports().database.transaction(Actor("staff", author)) as tx:
        book = service.load_book(tx.session)
        version = versions.roll_back(tx, number, author=author, note=note, instead_of=instead_of)
        click.echo(
            f"version {number}: published again as version {version.number}, {version.content_hash[:12]}"
            f"{_from(version.effective_at, tx.at)}"
        )
        _changes(service.load_version(version), book.live(version.effective_at), book.coming(version.effective_at))
        _ends(versions.forgetful(service.load_book(tx.session), version.number, tx.at))


def _warnings(session: Session, loaded: Policy, at: datetime, starts: datetime) -> list[Diagnostic]:
    found = (*loaded.warnings, *analyse(loaded, countries=ports().shop.sold_to), *findings(session, loaded, at, starts))
    return [each for each in in_order(found) if each.severity == WARNING]


def _changes(loaded: Policy, before: Version | None, coming: Sequence[Version]) -> None:
    """What a version changes in the one that would have been in force at its start, and what takes over from it."""
    if before is not None:
        click.echo(f"what changes from version {before.number}:")
        _print(diff(loaded, before.policy))
    if coming:
        click.echo(
            f"version {coming[0].number} still starts on {_moment(coming[0].effective_at)} and holds from then on"
        )


def _ends(follows: tuple[Version, Policy] | None) -> None:
    """What ends with the start of a version that was published before and does not have it."""
    if follows is not None:
        coming, with_it = follows
        click.echo(f"and these changes end, because version {coming.number} does not have them:")
        _print(diff(with_it, load_policy(coming.policy.source)))


def _from(starts: datetime, now: datetime) -> str:
    return "" if starts <= now else f", in force from {_moment(starts)}"


def _moment(at: datetime) -> str:
    """In the shop's own time, in words."""
    zone = ports().shop.timezone
    return f"{wording.moment(at, zone)} ({zone})"


@policy.command("versions")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_versions(as_json: bool) -> None:
    """List the published versions, the one that starts last first. Moments are in the shop's time zone."""
    with ports().database.read() as session:
        found, _count = versions.heads(session, clock.now())
    if as_json:
        click.echo(json.dumps({"versions": [each.to_json() for each in found]}, indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("nothing was published yet; publish a policy with `portal policy publish FILE`")
    for each in found:
        since = wording.moment(each.since, ports().shop.timezone)
        line = f"{each.number:>4}  {each.state:<9} {since:<22}  {each.content_hash[:12]}  {each.author}"
        click.echo(f"{line}: {each.note}" if each.note else line)


@policy.command()
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write this file instead of printing.")
def export(number: int | None, output: Path | None) -> None:
    """Give back version NUMBER (the one in force when left out) as the file that was published, comments and all."""
    with ports().database.read() as session:
        version = versions.find_version(session, clock.now(), number)
        text, said, content_hash = version.source, f"version {version.number}", version.content_hash
    if load_policy(text, said).content_hash != content_hash:
        click.echo(
            f"{said}: this release reads the laws it names as they are today; published again, it is another version",
            err=True,
        )
    if output is None:
        click.echo(text.encode("utf-8"), nl=False)
        return
    output.write_bytes(text.encode("utf-8"))
    click.echo(f"{output}: {said}, {content_hash[:12]}")


@policy.command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def compare(old: str, new: str, as_json: bool) -> None:
    """Say in sentences what B changes in A. Each is a file, or the number of a published version."""
    before, after = _policy(old), _policy(new)
    found = diff(after, before)
    if as_json:
        said = {
            "before": {"name": before.name, "hash": before.content_hash},
            "after": {"name": after.name, "hash": after.content_hash},
            "differences": [each.to_json() for each in found],
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    _print(found)


def _policy(wanted: str) -> Policy:
    """The policy of a file or of a version. A file whose name is a number is meant with its folder: ``./3``."""
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        with ports().database.read() as session:
            return service.load_version(service.get_version(session, int(wanted)))
    if not Path(wanted).is_file():
        raise click.ClickException(f"{wanted}: neither a file nor the number of a version")
    return load_policy_file(Path(wanted))


def _print(found: tuple[Difference, ...]) -> None:
    """Each difference under its heading: ``-`` what was said, ``+`` what is said now."""
    if not found:
        click.echo("No difference: both give the same answers in the same words.")
    for each in found:
        click.echo(kind_words(each.kind) + (f": {rule_words(each.rule)}" if each.rule is not None else ""))
        for sign, text in (("-", each.before), ("+", each.after)):
            if text:
                click.echo(f"  {sign} {text}")
