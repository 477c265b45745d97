"""What the shipped Noto files can print, and how wide it gets.

In: any text at all. Out: text that is safe on paper, the characters that had to go, widths.
Invariants: what `printable` returns has a glyph in both faces and holds no control and no direction marks.
Never: a box on paper in place of a letter without anybody being told.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont

FAMILIES = ("NotoSans", "NotoSansTelugu", "NotoSansGujarati", "NotoSansSinhala")
STAND_IN = "…"

# Joiners shape Indic letters and have no ink of their own: fonts need not have them.
_INKLESS = frozenset("\u200c\u200d")
# More than two accents on one letter are ornament ("zalgo") that would run over the lines above and below.
_MOST_ACCENTS = 2


class NotoFonts:
    """The character maps and advance widths of the eight files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._regular, tilts = _measure(folder, "Regular")
        self._bold, _ = _measure(folder, "Bold")
        self._growth = {sign: abs(tilt - tilts["A"]) for sign, tilt in tilts.items() if tilt != tilts["A"]}

    def missing(self, text: str) -> frozenset[str]:
        """The characters of ``text`` that cannot be printed, after compatible forms were tried."""
        return self.printable(text)[1]

    def printable(self, text: str) -> tuple[str, frozenset[str]]:
        """``text`` with each run of unprintable characters as an ellipsis, and those characters.

        Ligatures, full-width letters and the like become their plain forms (NFKC) when only those have a glyph. Control and
        direction characters are dropped: they have no ink, and turned-round text on a label is a way to
        misroute a parcel.
        """
        kept: list[str] = []
        missing: set[str] = set()
        accents = 0
        for sign in unicodedata.normalize("NFC", text):
            if unicodedata.combining(sign) >= 200:
                accents += 1
                if accents > _MOST_ACCENTS:
                    continue
            else:
                accents = 0
            category = unicodedata.category(sign)
            if category in ("Cc", "Zl", "Zp", "Zs"):
                kept.append(" ")
            elif self._has(sign):
                kept.append(sign)
            elif category != "Cf" and not unicodedata.name(sign, "").startswith("VARIATION SELECTOR"):
                plain = unicodedata.normalize("NFKC", sign)
                if all(map(self._has, plain)):
                    kept.append(plain)
                    continue
                missing.add(sign)
                if kept[-1:] != [STAND_IN]:
                    kept.append(STAND_IN)
        return re.sub(" +", " ", "".join(kept)).strip(), frozenset(missing)

    def width(self, text: str, *, bold: bool) -> int:
        """The sum of the advances in thousandths of an em.

        An upper bound, as kerning and conjuncts only narrow it.
        """
        advances = self._bold if bold else self._regular
        return sum(advances.get(sign, 0) for sign in text)

    def growth(self, text: str) -> int:
        """By how many thousandths of an em a row of ``text`` is higher than the line height says.

        A font whose letters sit lower than Noto Sans moves the base line, and the row grows by as much.
        """
        return max((self._growth.get(sign, 0) for sign in text), default=0)

    def rows(self, text: str, size: int, width: int, *, bold: bool) -> int:
        """How many rows of ``width`` dots ``text`` needs, broken between words and inside words longer than a row."""
        room = width * 1000 // size
        blank = self.width(" ", bold=bold)
        rows, used = 1, 0
        for word in text.split(" "):
            long = self.width(word, bold=bold)
            if used and used + blank + long <= room:
                used += blank + long
                continue
            rows += 1 if used else 0
            # A broken word leaves up to one sign of each row unused; one sign is at most an em and a half.
            per_row = max(room - 1500, 1) if long > room else room
            rows += (long - 1) // per_row if long else 0
            used = long % per_row or min(long, per_row)
        return rows

    def cut(self, text: str, size: int, width: int, rows: int, *, bold: bool) -> str:
        """``text`` if it fits in ``rows`` rows, else as much of its start as does, with an ellipsis."""
        if self.rows(text, size, width, bold=bold) <= rows:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.rows(_clip(text, middle), size, width, bold=bold) <= rows:
                low = middle
            else:
                high = middle - 1
        return _clip(text, low)

    def one_row(self, text: str, sizes: Sequence[int], width: int, *, bold: bool) -> tuple[int, str]:
        """The largest of ``sizes`` (falling) that sets ``text`` in one row, and the text; cut at the smallest."""
        for size in sizes:
            if self.width(text, bold=bold) * size <= width * 1000:
                return size, text
        return sizes[-1], self.cut(text, sizes[-1], width, 1, bold=bold)

    def _has(self, sign: str) -> bool:
        return sign in _INKLESS or (sign in self._regular and sign in self._bold and unicodedata.category(sign) != "Cf")


@cache
def shipped_fonts(folder: Path) -> NotoFonts:
    """The fonts of ``folder``, read once in a process (about 50 ms)."""
    return NotoFonts(folder)


def font_files(folder: Path) -> Iterable[Path]:
    """The eight files that must be there."""
    return (folder / f"{family}-{face}.ttf" for family in FAMILIES for face in ("Regular", "Bold"))


def _clip(text: str, length: int) -> str:
    return text[:length].rstrip(" ,;\u200c\u200d") + STAND_IN


def _measure(folder: Path, face: str) -> tuple[dict[str, int], dict[str, int]]:
    """Per character: its advance, and half of what its font reaches further up than down, both in thousandths of an em."""
    advances: dict[str, int] = {}
    tilts: dict[str, int] = {}
    for family in FAMILIES:
        with TTFont(folder / f"{family}-{face}.ttf", lazy=True) as font:
            scale = font["head"].unitsPerEm
            tilt = (font["hhea"].ascent + font["hhea"].descent) * 500 // scale
            metrics = font["hmtx"].metrics
            for point, glyph in font.getBestCmap().items():
                if chr(point) not in advances:
                    advances[chr(point)] = metrics[glyph][0] * 1000 // scale
                    tilts[chr(point)] = tilt
    return advances, tilts
