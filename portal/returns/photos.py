"""Port: making a safe picture of what somebody uploaded.

In: the bytes and the name of an upload. Out: an `Encoded` picture that this program wrote itself, or `Invalid` with what to do.
Invariants: nothing of the upload but its pixels survives: no place, no camera, no second file hidden behind the first; turned
upright; no side longer than `MAX_SIDE`. Never: trust in a name, an ending or a declared type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from portal.errors import Invalid

MAX_BYTES = 10 * 1024 * 1024
KINDS = "JPEG, PNG, WebP or HEIC"
"""What can be read, as pages and errors name it."""
MAX_PER_LINE = 3
MAX_UNSENT = 60
"""Photos of one order that no return has yet, in all browsers together: nobody fills the disk with wishes that are never sent."""
MAX_AT_ONCE = 9
"""Photos in one form: each of them takes the server up to a second."""
MAX_SIDE = 2000
MAX_PIXELS = {"JPEG": 64_000_000, "HEIF": 50_000_000, "WEBP": 25_000_000, "PNG": 25_000_000}
"""More than any phone takes in one photo of 10 MB. Only a JPEG is made small while it is decoded; the others stand in memory
whole."""
MAX_LENGTH = 20_000
"""Longer than any panorama. Each row of a picture costs memory of its own, however narrow it is."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture ready to be stored and shown. ``media_type`` is always ``image/jpeg``."""

    data: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture that is in storage under ``key``, an unguessable name, and no row knows of yet."""

    key: str
    file_name: str
    picture: Encoded


class Photos(Protocol):
    """Reads JPEG, PNG, WebP and HEIC."""

    def reencode(self, data: bytes, file_name: str) -> Encoded:
        """The picture in ``data``, written anew. Raises `Invalid`; its message names the file and the way out."""
        ...


def check_unsent(present: int, added: int) -> None:
    """Refuse more than `MAX_UNSENT` photos for one order before its return is sent. Raises `Invalid`."""
    if present + added > MAX_UNSENT:
        message = (
            f"This order has {present} photos that were not sent with a return, and {MAX_UNSENT} is the most. "
            "Send your return with the photos that it has"
        )
        raise Invalid(message, {"photos": message})


def check_count(present: int, added: int) -> None:
    """Refuse more than `MAX_PER_LINE` photos for one item. Raises `Invalid`."""
    if present + added > MAX_PER_LINE:
        message = f"You can add up to {MAX_PER_LINE} photos for each item"
        raise Invalid(message, {"photos": message})
