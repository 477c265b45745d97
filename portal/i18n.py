"""Languages outside of a request: catalogues of ``translations/`` and which one a reader gets.

In: a locale as an order or a browser gave it (`en-GB`). Out: a catalogue, and a locale whose language is shipped.
Invariants: words, dates and amounts of one text are always in the same language; English is the source and always there.
Never: a guess at a language that is not shipped.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from babel.support import NullTranslations, Translations

from portal import wording
from portal.config import ROOT

FOLDER = ROOT / "translations"
SOURCE = "en"


@lru_cache(maxsize=8)
def languages(folder: Path = FOLDER) -> frozenset[str]:
    """The languages that can be written: English, and every compiled catalogue (``translations/te/LC_MESSAGES/messages.mo``)."""
    return frozenset({SOURCE, *(path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/messages.mo"))})


def reader(wanted: str, shop_locale: str, folder: Path = FOLDER) -> str:
    """The locale for a reader who asked for ``wanted`` (may be empty): theirs if its language is shipped, else the shop's.

    A wish for the bare language of the shop (``en`` in a British shop) is the shop's own locale, as on the pages.
    """
    shops = wording.locale_of(shop_locale)
    found = wording.locale_of(wanted, str(shops))
    known = languages(folder)
    if not {str(found), found.language} & known or (found.language == shops.language and not found.territory):
        return str(shops)
    return str(found)


@lru_cache(maxsize=64)
def catalogue(locale: str, folder: Path = FOLDER) -> NullTranslations:
    """The catalogue for ``locale``: its own, else its language's; one that changes nothing for English."""
    found = wording.locale_of(locale)
    return Translations.load(str(folder), [str(found), found.language])
