"""A mail as the wire wants it: MIME parts and headers that nothing a customer typed can break out of.

In: an `OutgoingMail`. Out: `email.message.EmailMessage`. Invariants: one recipient; no header holds a line break.
Never: a guess at an address that is none.
"""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

from email_validator import EmailNotValidError, validate_email

from portal.errors import UpstreamError
from portal.notices.mailer import OutgoingMail

LONGEST_SUBJECT = 200
_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BLANKS = re.compile(r"\s+")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._-]+@[A-Za-z0-9.-]+>")


def one_line(text: str) -> str:
    """``text`` without anything that could end a header, blanks made single, at most `LONGEST_SUBJECT` characters."""
    line = _BLANKS.sub(" ", _BREAKING.sub(" ", text)).strip()
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"


def wire_address(address: str) -> str:
    """A bare address as servers know it: a domain in another script becomes its ASCII form.

    A name before the @ that is not ASCII is left as it is and needs a server with SMTPUTF8. Raises `UpstreamError`, not
    retryable, for what is no address.
    """
    local, _at, domain = address.rpartition("@")
    if domain == "localhost" and re.fullmatch(r"[A-Za-z0-9._+-]{1,64}", local):
        return address
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise UpstreamError(
            "bad_address",
            retryable=False,
            public_message="We couldn’t send an e-mail to this address.",
            staff_message=f"`{one_line(address)}` is no e-mail address: {error}",
        ) from None
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"


def is_international(address: str) -> bool:
    """True when the address can only travel between servers that speak SMTPUTF8."""
    return not address.isascii()


def sender_address(from_: str) -> str:
    """The bare address in ``Name <address>``."""
    return parseaddr(from_)[1]


def domain_of(from_: str) -> str:
    """The domain in ``Name <address>``, in ASCII; what a Message-ID ends with."""
    return wire_address(sender_address(from_)).rpartition("@")[2].lower()


def compose(mail: OutgoingMail) -> EmailMessage:
    """The message with its text part, its HTML part and its attachments. Raises `UpstreamError` for what is no address."""
    to = wire_address(mail.to)
    message = EmailMessage(policy=SMTPUTF8 if is_international(to) else SMTP)
    message["Subject"] = one_line(mail.subject)
    message["From"] = _named(mail.from_)
    message["To"] = _address("", to)
    if mail.reply_to:
        message["Reply-To"] = _address("", wire_address(mail.reply_to))
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = _message_id(mail.message_id)
    if mail.thread:
        message["References"] = _message_id(mail.thread)
    if mail.language:
        message["Content-Language"] = one_line(mail.language)
    # RFC 3834: nobody's out-of-office note answers a notice.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_clean(mail.text), cte="quoted-printable")
    message.add_alternative(_clean(mail.html), subtype="html", cte="quoted-printable")
    for attachment in mail.attachments:
        maintype, _slash, subtype = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.data, maintype=maintype, subtype=subtype, filename=one_line(attachment.file_name)
        )
    return message


def _address(name: str, address: str) -> Address:
    # Address() splits and quotes by itself; given as parts, nothing in the name can become a second address.
    local, _at, domain = address.rpartition("@")
    return Address(one_line(name), local, domain)


def _named(from_: str) -> Address:
    name, address = parseaddr(from_)
    return _address(name, wire_address(address))


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise ValueError(f"`{text!r}` is no Message-ID")
    return text


def _clean(text: str) -> str:
    # Half of a surrogate pair cannot be encoded; it comes from broken imports and must not hold the mail back.
    return text.encode("utf-8", "replace").decode("utf-8")
