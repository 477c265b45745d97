"""The shop's accent as a button that everybody can read (DESIGN.md, "Merchant accent"). Pure.

In: one colour. Out: the button's colour and the colour of its words, at least 4.5:1 (WCAG 2.2). Never: a second accent.
"""

from __future__ import annotations

WHITE, INK = "#ffffff", "#142022"
READABLE = 4.5


def on_accent(accent: str) -> tuple[str, str]:
    """The accent and the words on it: white if that can be read, else ink; where neither can, the accent is darkened."""
    for words in (WHITE, INK):
        if contrast(accent, words) >= READABLE:
            return accent.lower(), words
    channels = _channels(accent)
    for step in range(99, 0, -1):
        darker = "#" + "".join(f"{channel * step // 100:02x}" for channel in channels)
        if contrast(darker, WHITE) >= READABLE:
            return darker, WHITE
    return INK, WHITE


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
