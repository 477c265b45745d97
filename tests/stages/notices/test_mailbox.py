"""The mailbox of a trial run shows every mail, runs nothing that is in one, and does not exist in production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel

from portal.adapters.folder_mailer import FolderMailer
from portal.config import ROOT, Config
from portal.notices.mailer import Attachment, OutgoingMail
from portal.web import mailbox

MAIL = OutgoingMail(
    to="priya.nair@example.com",
    from_="Wren & Harbour <returns@wrenandharbour.example>",
    subject="Your £54.10 refund is on its way",
    text="We sent £54.10.",
    html="<!doctype html><html><head><title>x</title></head><body><p>We sent £54.10.</p></body></html>",
    message_id="<one@wrenandharbour.example>",
    at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    attachments=(Attachment("return-label-R-7K4Q92M.pdf", "application/pdf", b"%PDF-1.7 label"),),
)


@pytest.fixture
def make_client(tmp_path: Path) -> Callable[..., FlaskClient]:
    def make(**settings: str) -> FlaskClient:
        config = Config(secret_key="x" * 32, mail_url=f"file:{tmp_path / 'mail'}", **settings)  # type: ignore[arg-type]
        app = Flask("mailbox", root_path=str(ROOT), template_folder="templates", static_folder="static")
        app.secret_key = "x"
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        app.jinja_env.filters["moment"] = lambda moment: moment.isoformat()
        app.context_processor(lambda: {"shop": {"name": "Wren & Harbour"}})
        Babel(app)
        mailbox.register(app, SimpleNamespace(config=config))  # type: ignore[arg-type]
        return app.test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient], tmp_path: Path) -> FlaskClient:
    FolderMailer(tmp_path / "mail").send(MAIL)
    return make_client()


def test_an_empty_mailbox_says_what_will_appear(make_client: Callable[..., FlaskClient]) -> None:
    assert "No e-mail was sent yet" in make_client().get("/mailbox/").text


def test_it_lists_the_newest_first_and_shows_every_part(client: FlaskClient, tmp_path: Path) -> None:
    FolderMailer(tmp_path / "mail").send(replace(MAIL, subject="Later", message_id="<two@wrenandharbour.example>"))
    listing = client.get("/mailbox/").text
    assert listing.index("Later") < listing.index("Your £54.10 refund")
    page = client.get("/mailbox/one@wrenandharbour.example").text
    assert "We sent £54.10." in page
    assert "priya.nair@example.com" in page
    assert 'sandbox="allow-popups' in page
    assert "allow-scripts" not in page
    assert "allow-same-origin" not in page
    label = client.get("/mailbox/one@wrenandharbour.example/attachments/1")
    assert label.data == b"%PDF-1.7 label"
    assert label.headers["Content-Disposition"] == "attachment; filename=return-label-R-7K4Q92M.pdf"
    assert label.headers["Content-Type"] == "application/pdf"


def test_a_mail_s_html_runs_and_loads_nothing_and_its_links_leave_the_frame(client: FlaskClient) -> None:
    html = client.get("/mailbox/one@wrenandharbour.example/html")
    rules = html.headers["Content-Security-Policy"]
    assert "default-src 'none'" in rules
    assert "script-src" not in rules
    assert "sandbox allow-popups" in rules
    assert "allow-scripts" not in rules
    assert "frame-ancestors 'self'" in rules
    assert '<head><base target="_top">' in html.text


def test_pages_around_a_mail_allow_no_style_inside(client: FlaskClient) -> None:
    for path in ("/mailbox/", "/mailbox/one@wrenandharbour.example"):
        assert "unsafe-inline" not in client.get(path).headers["Content-Security-Policy"]


def test_a_file_that_calls_itself_html_is_downloaded_not_shown(
    make_client: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    evil = Attachment("evil.html", "text/html", b"<script>alert(1)</script>")
    FolderMailer(tmp_path / "mail").send(replace(MAIL, attachments=(evil,)))
    answer = make_client().get("/mailbox/one@wrenandharbour.example/attachments/1")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path", ["/mailbox/..%2f..%2fsecrets", "/mailbox/none", "/mailbox/none/html", "/mailbox/none/attachments/1"]
)
def test_what_is_not_listed_is_not_there(client: FlaskClient, tmp_path: Path, path: str) -> None:
    (tmp_path / "secrets.eml").write_text("Subject: secret")
    assert client.get(path).status_code == 404


def test_an_attachment_that_is_none_is_not_there(client: FlaskClient) -> None:
    assert client.get("/mailbox/one@wrenandharbour.example/attachments/2").status_code == 404


def test_what_a_subject_says_is_escaped(make_client: Callable[..., FlaskClient], tmp_path: Path) -> None:
    FolderMailer(tmp_path / "mail").send(replace(MAIL, subject="<script>alert(1)</script>"))
    for path in ("/mailbox/", "/mailbox/one@wrenandharbour.example"):
        assert "<script>alert" not in make_client().get(path).text


@pytest.mark.parametrize(
    "settings",
    [{"base_url": "https://returns.example.com"}, {"mail_url": "smtp://mail.example.com:587?tls=1"}],
    ids=["reached from outside", "mail goes to a server"],
)
def test_it_does_not_exist_in_production(tmp_path: Path, settings: dict[str, str]) -> None:
    values = {"mail_url": f"file:{tmp_path}", "base_url": "http://127.0.0.1:8000"} | settings
    app = Flask("mailbox")
    mailbox.register(app, SimpleNamespace(config=Config(secret_key="x" * 32, **values)))  # type: ignore[arg-type]
    assert app.test_client().get("/mailbox/").status_code == 404
