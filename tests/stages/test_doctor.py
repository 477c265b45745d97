"""``portal doctor``: a line for each thing the portal needs, and what to do about the one that is wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from portal import migrations
from portal.adapters.folder_files import FolderFiles
from portal.cli.system import doctor
from portal.db import Database


def run(database: Database, folder: Path, trouble: list[str]) -> Result:
    app = Flask("portal")
    app.extensions["portal"] = SimpleNamespace(
        database=database,
        schema_head=migrations.head(),
        config=SimpleNamespace(
            stripe_api_key="", stripe_webhook_secrets=(), mail_url=f"file:{folder}/mail", storage_url=f"file:{folder}"
        ),
        files=FolderFiles(folder / "files"),
        documents=SimpleNamespace(check=lambda: trouble),
    )
    return CliRunner().invoke(doctor, [], obj=ScriptInfo(create_app=lambda: app))


def test_each_thing_has_one_line_that_says_ok_or_what_to_do(database: Database, tmp_path: Path) -> None:
    done = run(database, tmp_path, ["Fonts are missing. Put the shipped files back."])
    said = {line[:12].rstrip(): line[12:] for line in done.stdout.splitlines()}
    assert done.exit_code == 1
    assert said["settings"] == said["database"] == said["mail"] == said["files"] == "ok"
    assert said["stripe"] == "no key; set PORTAL_STRIPE_API_KEY"
    assert said["fonts"] == "Fonts are missing. Put the shipped files back."
    assert said["migrations"] == "behind; run `portal db upgrade`", "these tables were laid without migrations"
    assert "portal policy publish" in said["policy"]
    assert "fonts       ok" in run(database, tmp_path, []).stdout.splitlines()
