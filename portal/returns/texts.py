"""What people type, before it is stored. Pure.

In: text from outside. Out: the text, trimmed, or `Invalid` naming the field. Never: a change to what somebody meant.
"""

from __future__ import annotations

from portal import ids
from portal.errors import Invalid

MAX_NOTE = 4_000


def note(text: str, field: str, longest: int = MAX_NOTE) -> str:
    """``text`` without blanks around it. Raises `Invalid` for ``field`` when it is too long or unreadable."""
    text = text.strip()
    if len(text) > longest:
        raise Invalid("This text is too long.", {field: f"use at most {longest} characters; these are {len(text)}"})
    if not ids.is_text(text):
        raise Invalid("This text can't be read.", {field: "leave out characters that are no text"})
    return text
