"""Text of other systems, made fit for the database. Pure.

In: any value. Out: text that every database can hold, no longer than its column. Never: a change to text that fits already.
"""

from __future__ import annotations

from portal.ids import is_text


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
