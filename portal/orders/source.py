"""Files that hold orders, of whatever system (port), and what every reader of them needs.

In: a path. Out: a `Reading` that yields orders and bad rows one by one.
Invariants: a file that is not what it says is refused whole, by `open`, before anything is written; a bad row is named by file
and line, and the rest goes on; memory does not grow with the file, except for a JSON document, which has no rows to stop at.
Never: a guess at what a row may have meant.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from portal.errors import Invalid
from portal.orders.incoming import IncomingOrder

HEAD = 65_536
GZIP = b"\x1f\x8b"


class UnreadableFile(Invalid):
    """The file as a whole is not what it says; nothing of it was imported."""


class BadRow(NamedTuple):
    """Something in the file that could not become an order, and why."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class FoundOrder(NamedTuple):
    """An order and the line it begins on."""

    order: IncomingOrder
    line: int


@dataclass(slots=True)
class Reading:
    """A file being read. ``skipped`` (rows by kind) and ``notes`` (rows by what was done to them) fill while it is."""

    rows: int
    """How many there are, for progress."""
    items: Iterator[FoundOrder | BadRow]
    done: int = 0
    """How many were read so far."""
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


class OrderSource(Protocol):
    """One format."""

    name: str
    """What ``--format`` calls it."""

    def sniff(self, head: str) -> bool:
        """Whether a file that begins like this (some 65,000 signs) is of this format."""
        ...

    def open(self, path: Path, zone: str) -> Reading:
        """Begin to read. Times without a zone are of ``zone``. Raises `UnreadableFile`."""
        ...


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """The file as UTF-8 text, unpacked when it is gzip. What goes wrong while it is read becomes `UnreadableFile`."""
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == GZIP
        if packed:
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as unpacked:
                yield unpacked
        else:
            with path.open(encoding="utf-8-sig", newline="") as plain:
                yield plain
    except FileNotFoundError:
        raise UnreadableFile(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path} is a folder; name one file") from None
    except UnicodeDecodeError:
        raise UnreadableFile(f"{path} is no UTF-8 text; export it again as UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableFile(f"{path} is a damaged gzip file; copy it again") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}") from None


def read_head(path: Path) -> str:
    """The beginning of the file. Raises `UnreadableFile`."""
    with open_text(path) as file:
        head = file.read(HEAD)
    if not head.strip():
        raise UnreadableFile(f"{path} is empty")
    if "\x00" in head:
        raise UnreadableFile(f"{path} is a binary file, not orders as text")
    return head


def choose(sources: dict[str, OrderSource], path: Path, name: str | None) -> OrderSource:
    """The source for the file: the one named, if the file is of that format, else the one whose format it is."""
    head = read_head(path)
    if name is not None:
        if name not in sources:
            raise UnreadableFile(f"`{name}` is no known format; known are {', '.join(sources)}")
        if not sources[name].sniff(head):
            raise UnreadableFile(f"{path} does not hold orders in the format `{name}`")
        return sources[name]
    for source in sources.values():
        if source.sniff(head):
            return source
    raise UnreadableFile(f"{path} holds orders in none of the known formats ({', '.join(sources)})")
