"""Port: the way a finished mail leaves the house.

In: a frozen `OutgoingMail`. Out: nothing, or `portal.errors.UpstreamError`: ``retryable`` when the same mail may go later,
not ``retryable`` when this mail will never be taken (the address does not exist).
Invariants: the Message-ID is the caller's and stays the same on every try. Never: a second copy for the same Message-ID where
the other side lets us see that it has the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the mail."""

    file_name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """One mail to one person, complete.

    ``from_`` is an address with or without a name (``Wren & Harbour <returns@shop.example>``), ``to`` and ``reply_to`` are bare
    addresses. ``message_id`` and ``thread`` are in angle brackets; ``thread`` is what all mails of one return refer to, so that
    mail programs can show them together. ``at`` becomes the Date header.
    """

    to: str
    from_: str
    subject: str
    text: str
    html: str
    message_id: str
    at: datetime
    reply_to: str = ""
    thread: str = ""
    language: str = ""
    attachments: tuple[Attachment, ...] = ()


class Mailer(Protocol):
    """A mail server or a folder."""

    def send(self, mail: OutgoingMail) -> None:
        """Hand the mail over; returns once the other side has taken responsibility for it. Raises `UpstreamError`."""
        ...
