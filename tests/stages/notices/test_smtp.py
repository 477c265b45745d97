"""The SMTP mailer against a real server that behaves, refuses, is busy, and vanishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from portal.adapters.smtp_mailer import Server, SmtpMailer, read_url
from portal.errors import ConfigError, UpstreamError
from tests.live import free_port
from tests.stages.notices.test_mime import MAIL


@dataclass
class PostOffice:
    """Answers from a script, one for each try; ``250 OK`` once it is used up."""

    rcpt: list[str] = field(default_factory=list)
    sender: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    vanish_after_data: int = 0
    accepted: list[Envelope] = field(default_factory=list)
    tries: int = 0
    port: int = 0

    async def handle_MAIL(self, _s: SMTP, _c: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        self.tries += 1
        if self.sender:
            return self.sender.pop(0)
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(self, _s: SMTP, _c: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.data:
            return self.data.pop(0)
        self.accepted.append(envelope)
        if self.vanish_after_data:
            self.vanish_after_data -= 1
            server.transport.abort()
            await asyncio.sleep(0)
        return "250 OK"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    yield from serve(PostOffice())


def serve(office: PostOffice, **options: Any) -> Iterator[PostOffice]:
    office.port = free_port()
    options.setdefault("enable_SMTPUTF8", False)
    controller = Controller(office, hostname="127.0.0.1", port=office.port, **options)
    controller.start()
    yield office
    controller.stop()


def mailer(office: PostOffice, credentials: str = "", **options: Any) -> SmtpMailer:
    return SmtpMailer(f"smtp://{credentials}127.0.0.1:{office.port}", timeout=3, **options)


def refusal(office: PostOffice, **changes: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        mailer(office).send(replace(MAIL, **changes))
    return caught.value


def test_a_mail_arrives_as_it_was_sent(office: PostOffice) -> None:
    mailer(office).send(MAIL)
    (envelope,) = office.accepted
    assert (envelope.mail_from, envelope.rcpt_tos) == ("returns@wrenandharbour.example", ["priya.nair@example.com"])
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["Subject"] == "Your £54.10 refund is on its way"
    assert message["Message-ID"] == "<one@wrenandharbour.example>"
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "application/pdf",
    ]


@pytest.mark.parametrize("step", ["sender", "rcpt", "data"])
def test_a_server_that_is_busy_gets_the_same_mail_later(office: PostOffice, step: str) -> None:
    getattr(office, step).append("451 4.3.0 Try again later")
    error = refusal(office)
    assert (error.retryable, error.code) == (True, "smtp_451")
    mailer(office).send(MAIL)
    assert len(office.accepted) == 1


@pytest.mark.parametrize(
    ("step", "answer", "said"),
    [("rcpt", "550 5.1.1 No such mailbox", "No such mailbox"), ("data", "554 5.7.1 Looks like spam", "Looks like spam"),
     ("sender", "552 5.3.4 Too large", "Too large")],
)  # fmt: skip
def test_what_is_refused_for_good_is_not_tried_again_and_staff_read_why(
    office: PostOffice, step: str, answer: str, said: str
) -> None:
    getattr(office, step).append(answer)
    error = refusal(office)
    assert not error.retryable
    assert said in error.staff_message
    assert said not in error.public_message


def test_a_refusal_of_the_shop_s_own_address_waits_for_the_setting_to_be_mended(office: PostOffice) -> None:
    office.sender.append("553 5.7.1 Sender not allowed")
    assert refusal(office).retryable


def test_a_drop_after_the_last_byte_is_tried_again_with_the_same_message_id(office: PostOffice) -> None:
    office.vanish_after_data = 1
    assert refusal(office).retryable
    mailer(office).send(MAIL)
    ids = [message_from_bytes(e.content)["Message-ID"] for e in office.accepted if isinstance(e.content, bytes)]
    assert ids == ["<one@wrenandharbour.example>"] * 2


def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(UpstreamError) as caught:
        SmtpMailer(f"smtp://127.0.0.1:{free_port()}", timeout=1).send(MAIL)
    assert (caught.value.retryable, caught.value.code) == (True, "no_answer")


def test_a_server_that_will_not_say_good_bye_has_the_mail_all_the_same() -> None:
    class Rude(PostOffice):
        async def handle_QUIT(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:
            server.transport.abort()
            return "421 Leave me alone"

    for office in serve(Rude()):
        mailer(office).send(MAIL)
        assert len(office.accepted) == 1


def test_other_scripts_in_subject_name_and_domain_arrive(office: PostOffice) -> None:
    mailer(office).send(
        replace(
            MAIL,
            subject="Ваше повернення ✓ రిటర్న్",
            from_="Крамниця «Вітер» <returns@straße.example>",
            to="a@bücher.example",
        )
    )
    (envelope,) = office.accepted
    assert (envelope.mail_from, envelope.rcpt_tos) == ("returns@xn--strae-oqa.example", ["a@xn--bcher-kva.example"])
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["Subject"] == "Ваше повернення ✓ రిటర్న్"
    assert message["From"].addresses[0].display_name == "Крамниця «Вітер»"


def test_an_address_in_another_script_needs_a_server_that_knows_them(office: PostOffice) -> None:
    error = refusal(office, to="жук@example.com")
    assert (error.retryable, error.code) == (False, "needs_smtputf8")
    assert "SMTPUTF8" in error.staff_message
    assert office.tries == 0


def test_an_address_in_another_script_reaches_a_server_that_knows_them() -> None:
    for office in serve(PostOffice(), enable_SMTPUTF8=True):
        mailer(office).send(replace(MAIL, to="жук@example.com"))
        assert office.accepted[0].rcpt_tos == ["жук@example.com"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_wrong_password_is_ours_to_mend_and_loses_no_mail() -> None:
    def check(_s: SMTP, _c: Session, _e: Envelope, _m: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=data.password == b"right p@ss", handled=False)

    options = {"auth_required": True, "auth_require_tls": False, "authenticator": check}
    for office in serve(PostOffice(), **options):
        with pytest.raises(UpstreamError) as caught:
            mailer(office, "shop:wrong@").send(MAIL)
        assert (caught.value.retryable, caught.value.code) == (True, "smtp_535")
        assert "wrong" not in caught.value.staff_message
        mailer(office, "shop:right%20p%40ss@").send(MAIL)
        assert len(office.accepted) == 1


def test_a_mail_never_goes_in_the_clear_where_encryption_was_asked_for(office: PostOffice) -> None:
    with pytest.raises(UpstreamError) as caught:
        SmtpMailer(f"smtp://127.0.0.1:{office.port}?tls=1", timeout=3).send(MAIL)
    assert (caught.value.retryable, caught.value.code) == (True, "not_supported")
    assert office.tries == 0


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", Server("localhost", 25, "none")),
        ("smtp://mail.example.com:2525", Server("mail.example.com", 2525, "none")),
        ("smtp://u:p@mail.example.com?tls=1", Server("mail.example.com", 587, "starttls", "u", "p")),
        ("smtp://u%40x:p%2F@mail.example.com:26/?tls=1", Server("mail.example.com", 26, "starttls", "u@x", "p/")),
        ("smtps://u:p@mail.example.com", Server("mail.example.com", 465, "direct", "u", "p")),
        ("smtp://u:p@127.0.0.1:25", Server("127.0.0.1", 25, "none", "u", "p")),
    ],
)
def test_the_setting_says_where_and_how(url: str, server: Server) -> None:
    assert read_url(url) == server


@pytest.mark.parametrize(
    "url",
    ["smtp://", "smtp://host:port", "http://host", "smtp://host/path", "smtp://host?tsl=1", "smtp://host?tls=yes",
     "smtp://user:pass@mail.example.com"],
)  # fmt: skip
def test_a_wrong_setting_stops_the_start_with_the_fix(url: str) -> None:
    with pytest.raises(ConfigError, match="PORTAL_MAIL_URL"):
        read_url(url)
