"""Port to where files are kept: labels, slips and photos.

In: bytes under an unguessable key. Out: the same bytes. Never: a key that shows what somebody typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from portal.errors import NotFound, UpstreamError

log = structlog.get_logger(__name__)

_KEY = re.compile(r"[a-z]+/[A-Za-z0-9_-]{8,}\.[a-z0-9]+", re.ASCII)


def check_key(key: str) -> None:
    """Refuse anything but ``<kind>/<unguessable name>.<ext>``. Raises ValueError: such a key is a bug or an attack, no typo."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a file")


class Files(Protocol):
    """A folder or a bucket. A key is ``<kind>/<unguessable name>.<ext>``."""

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``; the same key again replaces it, never half of it."""

    def get(self, key: str) -> bytes:
        """The bytes, or `NotFound`."""

    def delete(self, key: str) -> None:
        """Forget the key; an unknown one is no error."""


def drawn_once(files: Files, key: str, draw: Callable[[], bytes]) -> bytes:
    """The paper under ``key``; one that nobody has drawn yet, or that the storage has lost, is drawn and kept."""
    try:
        return files.get(key)
    except NotFound:
        paper = draw()
    keep(files, key, paper)
    return paper


def keep(files: Files, key: str, paper: bytes) -> None:
    """Keep a paper that can be drawn again; who asked gets it also where it cannot be kept."""
    try:
        files.put(key, paper)
    except (OSError, UpstreamError) as error:
        log.warning("a paper could not be kept", key=key, error=str(error))


def forget_files(files: Files, keys: Iterable[str]) -> None:
    """Forget all of them; what is gone already is no error, so that it may be done again after it broke off."""
    for key in keys:
        files.delete(key)
