"""Text of other systems, made fit for the database, for pages, mails and tables. Pure.

In: any value. Out: text that every database can hold, no longer than its column, in one line, that shows what it says.
Never: a change to text that fits already.
"""

from __future__ import annotations

import re

from portal.ids import is_text

_BREAKS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
# The joiners stay: letters of India and families of emoji are made with them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f]")


def in_one_line(text: str) -> str:
    """``text`` with a space for line breaks and tabs, and without control characters and signs that turn its direction: in a
    mail or a table they make one name look like another, or like a line of its own."""
    return text if text.isprintable() else _UNSEEN.sub("", _BREAKS.sub(" ", text)).strip()


def clean(value: object, length: int) -> str:
    """``value`` as text of at most ``length`` signs; None is empty. NUL and halves of surrogate pairs are left out."""
    if value is None:
        return ""
    text = str(value).strip()
    if not is_text(text):
        text = "".join(sign for sign in text if is_text(sign))
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def split_tags(value: object) -> tuple[str, ...]:
    """Tags as a list, or as the text with commas that shop systems use."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(text for part in parts if (text := clean(part, 100)))
