"""Translation with types: what the pages say in code goes through these two."""

from __future__ import annotations

import flask_babel


def _(message: str, **values: object) -> str:
    """The message in the reader's language, its named places filled in."""
    return str(flask_babel.gettext(message, **values))


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """The form that goes with ``count``, which the message calls ``%(num)s``."""
    return str(flask_babel.ngettext(one, many, count, **values))


__all__ = ["_", "ngettext"]
