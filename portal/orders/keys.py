"""What look-up compares: the same text for every way in which people type the same thing.

In: text as typed. Out: a key. Invariant: stored keys and asked keys are made by the same functions. Never: an error; text that
makes no sense becomes a key that nothing has.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NUMBER_KEY, MAX_EMAIL_KEY, MAX_POSTCODE_KEY = 64, 320, 32


def _without_blanks(text: str) -> str:
    # NFKC folds the full-width digits and the hard spaces that come with a copied number. Signs that nobody sees (zero-width
    # space, direction marks, the byte order mark) are category Cf, control characters Cc.
    folded = unicodedata.normalize("NFKC", text)
    return "".join(
        sign for sign in folded if not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )


def number_key(text: str) -> str:
    """An order number without spaces, case and leading ``#``; empty when nothing is left."""
    if text.isascii() and text.isalnum():
        return text.upper()
    return _without_blanks(text).lstrip("#").upper()


def hidden_sign(text: str) -> str:
    """The first sign that nobody sees or that turns the text around (``U+202E``); empty when there is none.

    Such a number looks like another one on a page and in a mail, and nobody could type it.
    """
    if text.isascii() and text.isprintable():
        return ""
    hidden = ("Cc", "Cf", "Zl", "Zp")
    return next((f"U+{ord(sign):04X}" for sign in text if unicodedata.category(sign) in hidden), "")


def signs(text: str) -> str:
    """The letters and figures of an order number, in capitals: hyphens, dashes, dots and blanks say nothing."""
    letters = (sign for sign in unicodedata.normalize("NFKC", text).upper() if sign.isalnum())
    return "".join(str(unicodedata.decimal(sign, sign)) for sign in letters)


def lookup_key(text: str) -> str:
    """What every way of typing one number shares: the figures of a number that is letters and then figures (``20418`` of
    ``WH-20418``), else its `signs`. Two numbers may share it; which of them is meant, `lookup` decides."""
    whole = signs(text)
    figures = re.fullmatch(r"[^\W\d_]*([0-9]+)", whole)
    return figures[1] if figures else whole or number_key(text)


def email_key(text: str) -> str:
    """An e-mail address without outer and inner blanks and without case."""
    if text.isascii() and text.isprintable():
        return text.replace(" ", "").lower()[:MAX_EMAIL_KEY]
    return _without_blanks(text).lower()[:MAX_EMAIL_KEY]


def postcode_key(text: str) -> str:
    """A postcode without spaces, hyphens and case."""
    return "".join(sign for sign in _without_blanks(text).upper() if sign.isalnum())[:MAX_POSTCODE_KEY]
