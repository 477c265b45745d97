"""Where things stand on the 102 x 152 mm label, in dots of 1/8 mm (203 dpi), as `DESIGN.md` 10 and its picture 12 say.

In: the lines of both addresses. Out: type sizes, row heights and the lines as they will be set.
Invariants: nothing is smaller than 20 dots, the bars are at least 200 dots (25 mm) high, the rows fill the frame.
Never: a line of an address over another one or over a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from portal.adapters.noto_fonts import NotoFonts

FROM_WIDTH = 446
TO_WIDTH = 706

_HEADER = 136
_FROM, _TO, _CODE = 159, 287, 350
_WAREHOUSE = 228
_SPARE = 60  # what the barcode's row can give: 32 dots of its bars and 28 of the white around them
_FROM_LEAST = 237  # heading and seven rows of the smallest type
_FROM_EDGE, _TO_EDGE = 55, 61  # heading and padding of the two cells


@dataclass(frozen=True, slots=True)
class Step:
    """Type size and line height, plain and for the line with the postcode."""

    size: int
    height: int
    code_size: int
    code_height: int


_FROM_STEPS = (Step(25, 32, 25, 32), Step(22, 28, 22, 28), Step(20, 26, 20, 26))
_TO_STEPS = (
    Step(42, 50, 60, 66),
    Step(36, 44, 52, 58),
    Step(32, 40, 46, 52),
    Step(28, 35, 40, 46),
    Step(24, 30, 34, 40),
    Step(20, 26, 28, 34),
)
# Largest type first. The recipient's is worth twice the sender's, and 29 mm of bars in place of 25 a step and a half of it.
_PREFERENCE = sorted(
    (
        (spare, to_at, from_at)
        for spare in (0, _SPARE)
        for to_at in range(len(_TO_STEPS))
        for from_at in range(len(_FROM_STEPS))
    ),
    key=lambda choice: (2 * choice[1] + choice[2] + (3 if choice[0] else 0), choice[1]),
)


@dataclass(frozen=True, slots=True)
class Block:
    """An address ready to print. The line at ``code_at`` holds the postcode (-1 when none does)."""

    step: Step
    lines: tuple[str, ...]
    code_at: int = -1

    @property
    def parts(self) -> list[tuple[bool, list[str]]]:
        """The lines in runs of one type: whether the run is the postcode's line, and its lines."""
        runs = groupby(enumerate(self.lines), key=lambda line: line[0] == self.code_at)
        return [(code, [text for _, text in run]) for code, run in runs]


@dataclass(frozen=True, slots=True)
class LabelLayout:
    """Tops of the rows in dots from the page's edge, the height of the bars, and the two addresses.

    ``shortened`` are the lines that were cut or left out, as they were given.
    """

    from_top: int
    to_top: int
    code_top: int
    warehouse_top: int
    bars: int
    sender: Block
    recipient: Block
    shortened: tuple[str, ...] = ()


def lay_out(
    fonts: NotoFonts, sender: Sequence[str], recipient: Sequence[str], code_at: int, frame_top: int
) -> LabelLayout:
    """The largest type in which both addresses fit; the barcode's row gives way before a line is cut.

    ``code_at`` is the position of the recipient's line with the postcode, or -1.
    """
    small = [Block(step, tuple(sender)) for step in _FROM_STEPS]
    large = [Block(step, tuple(recipient), code_at) for step in _TO_STEPS]
    from_height = cache(lambda at: _from_height(fonts, small[at]))
    to_height = cache(lambda at: _to_height(fonts, large[at]))
    fit = next(
        (
            (spare, to_at, from_at)
            for spare, to_at, from_at in _PREFERENCE
            if from_height(from_at) + to_height(to_at) <= _FROM + _TO + spare
        ),
        None,
    )
    lost: tuple[str, ...] = ()
    if fit:
        spare, to_at, from_at = fit
        above, below = small[from_at], large[to_at]
    else:
        # The recipient is what the carrier reads: its address stays whole as long as the sender keeps seven rows.
        spare, room = _SPARE, _FROM + _TO + _SPARE
        below = next((block for at, block in enumerate(large) if to_height(at) + _FROM_LEAST <= room), large[-1])
        lost_below: tuple[str, ...] = ()
        if below is large[-1]:
            below, lost_below = _squeeze(fonts, below, TO_WIDTH, room - _FROM_LEAST - _TO_EDGE, bold=True)
        left = room - _to_height(fonts, below) - _FROM_EDGE
        above, lost_above = _squeeze(fonts, small[-1], FROM_WIDTH, left, bold=False)
        lost = lost_above + lost_below
    from_top = frame_top + _HEADER
    return LabelLayout(
        from_top=from_top,
        to_top=from_top + _from_height(fonts, above),
        code_top=from_top + _FROM + _TO + spare,
        warehouse_top=from_top + _FROM + _TO + _CODE,
        bars=200 if spare else 232,
        sender=above,
        recipient=below,
        shortened=lost,
    )


def _from_height(fonts: NotoFonts, block: Block) -> int:
    return max(_FROM, _FROM_EDGE + _height(fonts, block, FROM_WIDTH, bold=False))


def _to_height(fonts: NotoFonts, block: Block) -> int:
    return _TO_EDGE + _height(fonts, block, TO_WIDTH, bold=True)


def _height(fonts: NotoFonts, block: Block, width: int, *, bold: bool) -> int:
    height, step = 0, block.step
    for position, line in enumerate(block.lines):
        size, high = (step.code_size, step.code_height) if position == block.code_at else (step.size, step.height)
        height += fonts.rows(line, size, width, bold=bold) * (high + -(-fonts.growth(line) * size // 1000))
    return height


def _squeeze(fonts: NotoFonts, block: Block, width: int, room: int, *, bold: bool) -> tuple[Block, tuple[str, ...]]:
    """``block`` within ``room`` dots, and the lines that paid for it.

    The longest lines give rows first; then street lines go, the lowest first. The name and the last two lines stay.
    """
    # Every row is counted at the larger type, so that the postcode's line is never the one that is too high.
    step = block.step
    high = step.code_height + max(-(-fonts.growth(line) * step.code_size // 1000) for line in block.lines)
    most = max(room // high, 1)
    rows = {at: fonts.rows(line, step.code_size, width, bold=bold) for at, line in enumerate(block.lines)}
    while sum(rows.values()) > most and (len(rows) > 1 or max(rows.values()) > 1):
        longest = max(rows, key=rows.__getitem__)
        if rows[longest] > 1:
            rows[longest] -= 1
        else:
            del rows[sorted(rows)[-3 if len(rows) > 3 else -1]]
    cut = {at: fonts.cut(block.lines[at], step.code_size, width, count, bold=bold) for at, count in rows.items()}
    code_at = list(cut).index(block.code_at) if block.code_at in cut else -1
    lost = tuple(line for at, line in enumerate(block.lines) if cut.get(at) != line)
    return Block(step, tuple(cut.values()), code_at), lost
