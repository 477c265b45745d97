"""Sentences in pieces: words and values apart, so that a page can put a chip behind a value and strike out the one before.

In: translated messages and the values for their places. Out: `Pieces`. Invariant: put together, the pieces are the sentence.
Never: HTML; a word of its own but "and" and "or".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from portal.policy.explain import Wording


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sentence. ``value`` marks what the merchant chose; ``old`` is what stood there before, to be struck out."""

    text: str
    value: bool = False
    old: str | None = None


Pieces: TypeAlias = tuple[Piece, ...]
_PLACE = re.compile(r"%\((\w+)\)s|%%|\[|\]")


def plain(pieces: Pieces) -> str:
    """The sentence as text, without what was struck out."""
    return "".join(piece.text for piece in pieces)


def fill(message: str, **values: Pieces | str) -> Pieces:
    """A translated message with its places filled. What stands within ``[`` and ``]`` becomes one piece that is a value."""
    out: list[Piece] = []
    inside: list[Piece] | None = None
    start = 0
    for match in _PLACE.finditer(message):
        target = out if inside is None else inside
        target.append(Piece(message[start : match.start()]))
        start = match.end()
        if match[0] == "[":
            inside = []
        elif match[0] == "]":
            out.append(Piece(plain(tuple(inside or ())), value=True))
            inside = None
        elif match[0] == "%%":
            target.append(Piece("%"))
        else:
            value = values[match[1]]
            target.extend((Piece(value),) if isinstance(value, str) else value)
    return _smooth([*out, Piece(message[start:])])


def _smooth(pieces: Sequence[Piece]) -> Pieces:
    """Without empty pieces, neighbours that are no values put together."""
    out: list[Piece] = []
    for piece in pieces:
        if not piece.text and piece.old is None:
            continue
        if out and out[-1] == Piece(out[-1].text) and piece == Piece(piece.text):
            out[-1] = Piece(out[-1].text + piece.text)
        else:
            out.append(piece)
    return tuple(out)


def listed(parts: Sequence[Pieces], wording: Wording, *, last: str = "and") -> Pieces:
    """``A, B and C``."""
    if len(parts) < 2:
        return parts[0] if parts else ()
    first: list[Piece] = []
    for part in parts[:-1]:
        first += [*([Piece(", ")] if first else []), *part]
    _ = wording.gettext
    joined = {
        "and": _("%(first)s and %(last)s"),
        "or": _("%(first)s or %(last)s"),
        "comma or": _("%(first)s, or %(last)s"),
    }[last]
    return fill(joined, first=tuple(first), last=parts[-1])


def listed_words(words: Sequence[str], wording: Wording, *, last: str = "or") -> str:
    return plain(listed([(Piece(word),) for word in words], wording, last=last))


def with_old(new: Pieces, old: Pieces) -> Pieces:
    """The new clause with the old values struck out: value by value where the words are the same, else the whole clause."""
    same_words = len(new) == len(old) and all(
        a.value == b.value and (a.value or a.text == b.text) for a, b in zip(new, old, strict=True)
    )
    if not same_words:
        return (Piece("", old=plain(old)), Piece(" "), *new)
    return tuple(
        Piece(a.text, a.value, old=b.text if a.value and a.text != b.text else None)
        for a, b in zip(new, old, strict=True)
    )
