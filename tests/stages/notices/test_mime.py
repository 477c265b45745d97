"""A composed mail holds what it was given, and nothing that anybody typed can end a header or add a recipient."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.adapters.folder_mailer import FolderMailer
from portal.errors import UpstreamError
from portal.notices.mailer import Attachment, OutgoingMail
from portal.notices.mime import LONGEST_SUBJECT, compose, domain_of, one_line, wire_address

MAIL = OutgoingMail(
    to="priya.nair@example.com",
    from_="Wren & Harbour <returns@wrenandharbour.example>",
    reply_to="help@wrenandharbour.example",
    subject="Your £54.10 refund is on its way",
    text="We sent £54.10.\n",
    html="<p>We sent £54.10.</p>\n",
    message_id="<one@wrenandharbour.example>",
    thread="<R-7K4Q92M@wrenandharbour.example>",
    language="en-GB",
    at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    attachments=(Attachment("return-label-R-7K4Q92M.pdf", "application/pdf", b"%PDF-1.7"),),
)
NAUGHTY: list[str] = json.loads((Path(__file__).parents[2] / "data/print/naughty-strings.json").read_text("utf-8"))


def read(mail: OutgoingMail) -> EmailMessage:
    found = message_from_bytes(compose(mail).as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_mail_says_what_it_was_given() -> None:
    found = read(MAIL)
    assert found["Subject"] == "Your £54.10 refund is on its way"
    assert found["From"] == "Wren & Harbour <returns@wrenandharbour.example>"
    assert found["To"] == "priya.nair@example.com"
    assert found["Reply-To"] == "help@wrenandharbour.example"
    assert found["Message-ID"] == "<one@wrenandharbour.example>"
    assert found["References"] == "<R-7K4Q92M@wrenandharbour.example>"
    assert found["Date"] == "Tue, 24 Nov 2026 09:30:00 +0000"
    assert found["Auto-Submitted"] == "auto-generated"
    text, html = found.get_body(("plain",)), found.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == ["We sent £54.10."]
    assert html.get_content().splitlines() == ["<p>We sent £54.10.</p>"]
    (label,) = found.iter_attachments()
    assert (label.get_filename(), label.get_content_type()) == ("return-label-R-7K4Q92M.pdf", "application/pdf")
    assert label.get_content() == b"%PDF-1.7"


def test_every_line_on_the_wire_is_short_and_ascii() -> None:
    data = compose(replace(MAIL, text="ü" * 5000, html="<p>" + "ß" * 5000, subject="té " * 60)).as_bytes()
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "text", [*NAUGHTY[::7], "a\r\nBcc: evil@example.com", "a\nb", "a\u2028b", "\ud800", "a\x00b\x85c"]
)
def test_no_text_ends_a_header_or_adds_one(text: str) -> None:
    found = read(replace(MAIL, subject=text, language=text))
    assert found.keys().count("Subject") == 1
    assert found["Bcc"] is None
    assert found["To"] == "priya.nair@example.com"
    assert "\n" not in found["Subject"]


@given(st.text(max_size=400))
def test_a_subject_is_one_line_of_bearable_length(text: str) -> None:
    line = one_line(text)
    assert len(line) <= LONGEST_SUBJECT
    assert len(line.splitlines()) <= 1
    assert line == one_line(line)


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b@c.com", "a@example.com\r\nBcc: evil@example.com", "a@example.com, evil@example.com",
     "Evil <evil@example.com>", "a b@example.com", "a@example..com", "a@-example.com", "@example.com", "a@\ud800.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused_for_good_before_anything_is_sent(address: str, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as caught:
        FolderMailer(tmp_path).send(replace(MAIL, to=address))
    assert not caught.value.retryable
    assert caught.value.code == "bad_address"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("priya@example.com", "priya@example.com"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("жук@example.com", "жук@example.com"),
        ("returns@localhost", "returns@localhost"),
    ],
)
def test_a_domain_in_any_script_becomes_what_servers_know(address: str, wire: str) -> None:
    assert wire_address(address) == wire
    assert domain_of(f"Shop <{address}>") == wire.rpartition("@")[2]


def test_an_address_in_another_script_reaches_the_folder_whole(tmp_path: Path) -> None:
    FolderMailer(tmp_path).send(replace(MAIL, to="жук@example.com"))
    (path,) = tmp_path.iterdir()
    assert message_from_bytes(path.read_bytes(), policy=policy.SMTPUTF8)["To"] == "жук@example.com"


def test_a_folder_holds_one_file_for_each_message_however_often_it_is_sent(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path / "mail")
    mailer.send(MAIL)
    before = (tmp_path / "mail" / "one@wrenandharbour.example.eml").read_bytes()
    mailer.send(replace(MAIL, text="again"))
    mailer.send(replace(MAIL, message_id="<two@wrenandharbour.example>"))
    assert sorted(path.name for path in (tmp_path / "mail").iterdir()) == [
        "one@wrenandharbour.example.eml",
        "two@wrenandharbour.example.eml",
    ]
    assert (tmp_path / "mail" / "one@wrenandharbour.example.eml").read_bytes() == before


@pytest.mark.parametrize("message_id", ["", "one", "<../../evil@x>", "<a@b>\r\nBcc: evil@example.com", "<a b@c>"])
def test_a_message_id_that_is_none_is_a_bug_and_says_so(message_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no Message-ID"):
        FolderMailer(tmp_path).send(replace(MAIL, message_id=message_id))


def test_a_folder_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UpstreamError) as caught:
        FolderMailer(tmp_path / "file").send(MAIL)
    assert caught.value.retryable
