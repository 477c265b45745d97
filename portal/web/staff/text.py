"""The reader's language, typed: what `flask_babel` gives is text, which its own signatures don't say."""

from __future__ import annotations

from flask_babel import gettext as _gettext
from flask_babel import ngettext as _ngettext


def _(message: str, **values: object) -> str:
    """``message`` in the reader's language, its named places filled."""
    return str(_gettext(message, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """The form of the message for ``num``, which fills the place of that name."""
    return str(_ngettext(one, many, num, **values))
