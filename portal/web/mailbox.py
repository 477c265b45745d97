"""The mailbox of `make run`: what the portal has sent, to be read without any mail server.

In: the folder that `adapters.folder_mailer` writes. Out: a list, one mail, its HTML part in a sandbox, its attachments.
Invariants: it exists only where mail goes into a folder and the portal is reached on this machine alone; a mail's HTML has a
policy of its own that runs and loads nothing. Never: in production; a file that is not in the folder's own listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, make_response, render_template

from portal.config import LOCAL_HOSTS
from portal.flow import Ports

SHOWN = 200
_PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
# Mails carry their styles inside, because many mail programs know no other. Here alone that is allowed.
_MAIL_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        f"sandbox {_SANDBOX}",
    )
)
_HEAD = re.compile(r"<head>", re.I)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file in a mail; ``number`` is its place, from 1."""

    number: int
    file_name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, read."""

    name: str
    subject: str
    sender: str
    to: str
    at: datetime
    text: str
    html: str
    attachments: tuple[Attached, ...]


def register(app: Flask, ports: Ports) -> None:
    """Give ``app`` the mailbox, if mail goes into a folder and nobody but this machine reaches the portal."""
    config = ports.config
    if config.mail_url.startswith("file:") and urlsplit(config.base_url).hostname in LOCAL_HOSTS:
        app.register_blueprint(make_mailbox(Path(config.mail_url.removeprefix("file:"))))


def make_mailbox(folder: Path) -> Blueprint:
    """The pages under ``/mailbox/`` for the mails in ``folder``."""
    pages = Blueprint("mailbox", __name__, url_prefix="/mailbox")

    def find(name: str) -> Mail:
        path = next((each for each in _listing(folder) if each.stem == name), None)
        if path is None:
            abort(404)
        return _read(path)

    def page(template: str, **context: object) -> Response:
        response = make_response(render_template(template, **context))
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        return response

    @pages.get("/")
    def index() -> Response:
        newest = sorted(_listing(folder), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
        return page("mailbox/index.html", mails=[_read(path) for path in newest[:SHOWN]], more=len(newest) > SHOWN)

    @pages.get("/<name>")
    def mail(name: str) -> Response:
        return page("mailbox/mail.html", mail=find(name), sandbox=_SANDBOX)

    @pages.get("/<name>/html")
    def html(name: str) -> Response:
        # A link in a mail opens in place of the mailbox, not inside its frame.
        response = make_response(_HEAD.sub('<head><base target="_top">', find(name).html, count=1))
        response.headers["Content-Security-Policy"] = _MAIL_POLICY
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    @pages.get("/<name>/attachments/<int:number>")
    def attachment(name: str, number: int) -> Response:
        found = next((each for each in find(name).attachments if each.number == number), None)
        if found is None:
            abort(404)
        response = make_response(found.data)
        response.headers["Content-Type"] = "application/octet-stream"
        if found.media_type == "application/pdf":
            response.headers["Content-Type"] = found.media_type
        response.headers.set("Content-Disposition", "attachment", filename=found.file_name)
        return response

    return pages


def _listing(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.eml") if not path.name.startswith("."))


def _read(path: Path) -> Mail:
    with path.open("rb") as file:
        message = BytesParser(EmailMessage, policy=policy.default).parse(file)
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    try:
        at = parsedate_to_datetime(str(message["Date"]))
    except ValueError:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Mail(
        name=path.stem,
        subject=str(message["Subject"] or ""),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        at=at,
        text=text.get_content() if text is not None else "",
        html=html.get_content() if html is not None else "",
        attachments=tuple(
            Attached(number, part.get_filename() or f"file-{number}", part.get_content_type(), _bytes(part))
            for number, part in enumerate(message.iter_attachments(), start=1)
        ),
    )


def _bytes(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
