"""Credit notes drawn by WeasyPrint: `portal.refunds.credit_notes.CreditNotePapers`.

In: a frozen `CreditNoteDoc`. Out: an A4 PDF from ``templates/pdf/credit_note.html``. Invariants: the figures are those of the
document, written in its locale; text stays text. Never: a sum made here.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable

from babel.dates import format_date
from babel.numbers import format_decimal
from markupsafe import Markup

from portal import wording
from portal.adapters.noto_fonts import shipped_fonts
from portal.adapters.weasyprint_drawing import FONTS, Cleaned, draw, environment, in_language
from portal.labels.addresses import country_name, postal_lines
from portal.labels.documents import Rendered
from portal.notices.breakdown import part_words
from portal.notices.speech import Speech
from portal.refunds.credit_notes import CreditNoteDoc


class WeasyprintCreditNotes:
    """Draws credit notes with the fonts and the fences of the other papers."""

    def __init__(self, translations: Callable[[str], gettext.NullTranslations]) -> None:
        self._translations = translations
        self._template = environment().get_template("credit_note.html")

    def credit_note_pdf(self, doc: CreditNoteDoc) -> Rendered:
        """See `CreditNotePapers.credit_note_pdf`."""
        text = Cleaned(shipped_fonts(FONTS))
        locale = wording.locale_of(doc.locale)
        catalogue = self._translations(doc.locale)
        words = in_language(catalogue)
        doc = text.clean(doc)
        speech = Speech(str(locale), "UTC", catalogue.gettext, catalogue.ngettext)
        buyer = postal_lines(doc.buyer, country=country_name(doc.buyer.country, doc.locale), joined=True)
        html = self._template.render(
            words,
            doc=doc,
            lang=str(locale).replace("_", "-"),
            rows=[(row, row.text or part_words(row.kind, row.params, speech)) for row in doc.rows],
            money=lambda minor: wording.money(minor, doc.currency, str(locale)),
            number=lambda value: format_decimal(value, locale=locale),
            day=lambda value: format_date(value, "long", locale=locale),
            buyer=[line.text for line in buyer],
            page=Markup('<span class="page"></span>'),
            pages=Markup('<span class="pages"></span>'),
        )
        return Rendered(draw(html), frozenset(text.missing), text.shortened)
