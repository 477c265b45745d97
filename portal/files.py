"""Port to where files are kept: labels, slips and photos.

In: bytes under an unguessable key. Out: the same bytes. Never: a key made of what somebody typed.
"""

from __future__ import annotations

from typing import Protocol


class Files(Protocol):
    """A folder or a bucket. A key is ``<kind>/<unguessable name>.<ext>``."""

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``; the same key again replaces it, never half of it."""

    def get(self, key: str) -> bytes:
        """The bytes, or `NotFound`."""

    def delete(self, key: str) -> None:
        """Forget the key; an unknown one is no error."""
