"""Mail through a server: `portal.notices.mailer.Mailer` over SMTP.

In: ``smtp://user:pass@host:587?tls=1`` (STARTTLS, required) or ``smtps://…`` (TLS from the start), and mails.
Out: the server's acceptance. Invariants: a password never travels in the clear to another machine; what is refused for good
is told apart from what may work later. Never: a mail handed over twice in one call.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from portal.config import LOCAL_HOSTS
from portal.errors import ConfigError, UpstreamError
from portal.notices.mailer import OutgoingMail
from portal.notices.mime import compose, is_international, sender_address, wire_address

TIMEOUT = 30.0
"""Seconds for each step of the conversation."""
_TOO_LARGE = 552


@dataclass(frozen=True, slots=True)
class Server:
    """Where the mail server is and how it is spoken to. ``tls`` is ``none``, ``starttls`` or ``direct``."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = ""


def read_url(url: str) -> Server:
    """The server of ``PORTAL_MAIL_URL``. Raises `ConfigError` with the fix."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("PORTAL_MAIL_URL is no address like `smtp://user:pass@host:587?tls=1`") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/"):
        raise ConfigError("PORTAL_MAIL_URL is no address like `smtp://user:pass@host:587?tls=1`")
    options = parse_qs(parts.query, keep_blank_values=True)
    if set(options) - {"tls"} or options.get("tls", ["1"])[-1] not in ("0", "1"):
        raise ConfigError("PORTAL_MAIL_URL knows one option after the question mark: `tls=1` or `tls=0`")
    plain = "starttls" if options.get("tls", ["0"])[-1] == "1" else "none"
    tls = "direct" if parts.scheme == "smtps" else plain
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and tls == "none" and parts.hostname not in LOCAL_HOSTS:
        raise ConfigError("PORTAL_MAIL_URL sends the password in the clear; add `?tls=1` or use `smtps://`")
    usual = {"direct": 465, "starttls": 587, "none": 25}[tls]
    return Server(parts.hostname, port or usual, tls, user, password)


class SmtpMailer:
    """Opens one connection for each mail: a job sends one, and a connection kept open is one that has gone when needed."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT, context: ssl.SSLContext | None = None) -> None:
        self._server = read_url(url)
        self._timeout = timeout
        self._context = context

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`. A drop after the last byte leaves it open whether the server took the mail."""
        to, sender = wire_address(mail.to), wire_address(sender_address(mail.from_))
        message = compose(mail)
        try:
            server = self._connect()
            try:
                if is_international(to) and not server.has_extn("smtputf8"):
                    raise _refused(
                        "needs_smtputf8",
                        f"The mail server cannot deliver to `{to}`: it does not support addresses in other scripts (SMTPUTF8).",
                    )
                server.send_message(message, sender, [to])
            finally:
                _hang_up(server)
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            raise _answered(code, reason, final=code >= 500) from error
        except smtplib.SMTPDataError as error:
            raise _answered(error.smtp_code, error.smtp_error, final=error.smtp_code >= 500) from error
        except smtplib.SMTPResponseException as error:
            # Greeting, sign-in and sender are about us: the shop mends the setting and the mail still goes. Only a mail
            # that is too large stays so.
            raise _answered(error.smtp_code, error.smtp_error, final=error.smtp_code == _TOO_LARGE) from error
        except smtplib.SMTPNotSupportedError as error:
            raise _later("not_supported", f"The mail server lacks what is needed: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise _later("no_answer", f"{self._server.host}:{self._server.port}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        at = self._server
        context = self._context or ssl.create_default_context()
        server: smtplib.SMTP
        if at.tls == "direct":
            server = smtplib.SMTP_SSL(at.host, at.port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=self._timeout)
        try:
            if at.tls == "starttls":
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if at.user:
                server.login(at.user, at.password)
        except BaseException:
            server.close()
            raise
        return server


def _hang_up(server: smtplib.SMTP) -> None:
    # Whatever the server answers to a good-bye, it has the mail already: an error here would send it a second time.
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _answered(code: int, reason: bytes | str, *, final: bool) -> UpstreamError:
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    sentence = f"The mail server answered {code} {' '.join(text.split())[:300]}"
    return _refused(f"smtp_{code}", sentence) if final else _later(f"smtp_{code}", sentence)


def _refused(code: str, sentence: str) -> UpstreamError:
    return UpstreamError(
        code,
        retryable=False,
        public_message="We couldn’t send an e-mail to this address.",
        staff_message=sentence,
    )


def _later(code: str, sentence: str) -> UpstreamError:
    return UpstreamError(
        code,
        retryable=True,
        public_message="The e-mail couldn’t be sent yet. We’ll try again.",
        staff_message=sentence,
    )
