"""Files in a folder of this machine: `portal.files.Files`.

In: bytes under a key. Out: the same bytes. Invariants: a file is whole or not there, also after a power cut; nothing is read
or written outside the folder. Never: a key that walks upwards.
"""

from __future__ import annotations

import os
from pathlib import Path

from portal.errors import NotFound
from portal.files import check_key
from portal.ids import new_token


class FolderFiles:
    """One file for each key, in a folder for each kind."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def put(self, key: str, data: bytes) -> None:
        """See `Files.put`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.parent / f".{new_token()}.part"
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def get(self, key: str) -> bytes:
        """See `Files.get`."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound("This file is not there any more.") from None

    def delete(self, key: str) -> None:
        """See `Files.delete`."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.folder / key
