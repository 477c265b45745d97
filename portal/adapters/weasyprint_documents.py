"""Papers drawn by WeasyPrint: `portal.labels.documents.Documents`.

In: the frozen documents of the port. Out: PDF bytes from the templates in ``templates/pdf``.
Invariants: one font configuration in a process, behind a lock (a new one leaks 0.2 MB each time, a shared one without a lock
corrupts memory); text stays text; codes are bitmaps of whole dots.
Never: a fetch. The only addresses the renderer may open are the ``data:`` addresses that this module writes.
"""

from __future__ import annotations

import base64
import gettext
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal
from markupsafe import Markup

from portal.adapters.noto_fonts import font_files, shipped_fonts
from portal.adapters.weasyprint_drawing import FONTS, TEMPLATES, Cleaned, Row, draw, environment, in_language
from portal.adapters.weasyprint_layout import lay_out
from portal.adapters.zxing_codes import ZxingCodes
from portal.errors import Invalid
from portal.ids import group
from portal.labels.addresses import Address, country_name, postal_lines
from portal.labels.documents import LabelDoc, Rendered, SlipDoc

_FRAME_TOP = 28
_FRAME_INNER = 754
_RULE = 3
_QR_ROOM = 221
_BAR_MODULE = 3  # dots: 0.375 mm
_QR_MODULE = 7  # dots: 0.875 mm, the least whole number of dots that is 0.8 mm or more
_SLIP_QR_MODULE = 10

MOST_ROWS = 60
"""Items that a slip lists, three pages of them. Each row takes tens of milliseconds, and somebody waits for the paper; the
warehouse scans the code and sees them all."""


@dataclass(frozen=True, slots=True)
class _Picture:
    url: str
    width: int


class WeasyprintDocuments:
    """Draws labels and slips. Cheap to make; WeasyPrint itself is loaded with the first page.

    ``translations`` gives the catalogue for a locale, by default none (English).
    """

    def __init__(
        self,
        translations: Callable[[str], gettext.NullTranslations] = lambda locale: gettext.NullTranslations(),
        *,
        fonts: Path = FONTS,
        templates: Path = TEMPLATES,
    ) -> None:
        self._translations = translations
        self._folder = fonts
        self._codes = ZxingCodes()
        self._templates = environment(templates)
        self._templates.filters["dots"] = _dots
        self._templates.globals.update(type=_type, place=_place, span=_span, br="\n")
        self._label_css = (templates / "label.css").read_text("utf-8")

    def label_pdf(self, doc: LabelDoc) -> Rendered:
        """See `Documents.label_pdf`."""
        fonts = shipped_fonts(self._folder)
        locale = _locale(doc.locale)
        barcode = self._barcode("tracking", doc.tracking, _FRAME_INNER)
        qr = self._qr("rma", doc.rma, _QR_MODULE, _QR_ROOM)
        words = in_language(self._translations(doc.locale))
        text = Cleaned(fonts)
        doc = text.clean(doc)
        abroad = _abroad(doc.sender, doc.recipient)
        sender = [
            line.text for line in postal_lines(doc.sender, country=_country(doc.sender, doc, abroad), joined=True)
        ]
        recipient = postal_lines(doc.recipient, country=_country(doc.recipient, doc, abroad))
        code_at = next((at for at, line in enumerate(recipient) if line.has_postcode), -1)
        layout = lay_out(fonts, sender, [line.text for line in recipient], code_at, _FRAME_TOP)
        text.shortened += layout.shortened
        right = 180 if doc.sort_code else 0
        items = words["ngettext"]("%(num)s item", "%(num)s items", doc.items)
        order = words["_"]("Order %(order)s, %(items)s", order=doc.order_number, items=items)
        due = format_skeleton("yMMMd", doc.send_by, locale=locale) if doc.send_by else ""
        groups = doc.tracking_text or tracking_groups(doc.tracking)
        html = self._templates.get_template("label.html").render(
            words,
            doc=doc,
            lang=str(locale).replace("_", "-"),
            layout=layout,
            carrier=text.row(doc.carrier.upper(), (44, 38, 32, 26, 20), 720 - right, bold=True),
            service=text.row(doc.service, (24, 20), 720 - right, bold=True),
            sort_code=text.row(doc.sort_code, (92, 76, 60, 48, 36, 28, 20), 150, bold=True),
            send_by=text.row(due, (36, 32, 28, 24, 20), 240, bold=True),
            parcel=text.row(doc.parcel, (24, 20), 240, bold=False),
            rma=text.row(doc.rma, (60, 48, 40, 32, 26, 20), 500, bold=True),
            order=text.row(order, (24, 20), 500, bold=False),
            tracking=text.row(groups, (32, 28, 24, 20), 640, bold=True),
            bars_top=30 if layout.bars > 200 else 22,
            barcode=barcode,
            qr=qr,
        )
        return Rendered(draw(html, self._label_css), frozenset(text.missing), text.shortened)

    def slip_pdf(self, doc: SlipDoc) -> Rendered:
        """See `Documents.slip_pdf`."""
        if doc.paper not in ("A4", "Letter"):
            raise Invalid(f"There is no paper {doc.paper}.", {"paper": "Use A4 or Letter."})
        fonts = shipped_fonts(self._folder)
        locale = _locale(doc.locale)
        barcode = self._barcode("rma", doc.rma, 1400)
        qr = self._qr("rma", doc.rma, _SLIP_QR_MODULE, 600)
        words = in_language(self._translations(doc.locale))
        translate = words["_"]
        text = Cleaned(fonts)
        doc = text.clean(doc)
        doc = replace(doc, contact=text.rows(doc.contact, 26, 1380, 2))
        abroad = _abroad(doc.sender, doc.recipient)
        steps = doc.steps or (
            translate("Keep the tags on. Put the items and this page in one strong bag or box."),
            translate("Show your QR code at the drop-off, or tape on the label. Cover any old labels."),
            translate("Keep the receipt until you get your money."),
        )
        html = self._templates.get_template("slip.html").render(
            words,
            doc=doc,
            lang=str(locale).replace("_", "-"),
            count=sum(item.quantity for item in doc.items),
            more=sum(item.quantity for item in doc.items[MOST_ROWS:]),
            most=MOST_ROWS,
            number=lambda value: format_decimal(value, locale=locale),
            booked_on=format_date(doc.booked_on, "long", locale=locale),
            send_by=_deadline(doc.send_by, locale) if doc.send_by else "",
            sender=[
                line.text for line in postal_lines(doc.sender, country=_country(doc.sender, doc, abroad), joined=True)
            ],
            recipient=[
                line.text
                for line in postal_lines(doc.recipient, country=_country(doc.recipient, doc, abroad), joined=True)
            ],
            steps=steps,
            page=Markup('<span class="page"></span>'),
            pages=Markup('<span class="pages"></span>'),
            barcode=barcode,
            qr=qr,
        )
        return Rendered(draw(html), frozenset(text.missing), text.shortened)

    def missing_glyphs(self, text: str) -> frozenset[str]:
        """See `Documents.missing_glyphs`."""
        return shipped_fonts(self._folder).missing(text)

    def check(self) -> list[str]:
        """See `Documents.check`."""
        absent = [path.name for path in font_files(self._folder) if not path.is_file()]
        if absent:
            return [f"Fonts are missing in {self._folder}: {', '.join(absent)}. Put the shipped files back."]
        try:
            from weasyprint.text.ffi import harfbuzz_subset
        except (ImportError, OSError) as error:
            return [f"WeasyPrint cannot be loaded ({error}). Install libpango-1.0-0 and libpangoft2-1.0-0."]
        if not harfbuzz_subset:
            # WeasyPrint only whispers a DeprecationWarning, and every label takes eight times as long.
            return ["libharfbuzz-subset0 is missing: labels would take eight times as long. Install it."]
        return []

    def _barcode(self, field: str, code: str, room: int) -> _Picture:
        return _picture(self._codes.code128_grey, field, code, _BAR_MODULE, room)

    def _qr(self, field: str, code: str, module: int, room: int) -> _Picture:
        return _picture(self._codes.qr_grey, field, code, module, room)


def _picture(draw: Callable[[str, int], tuple[bytes, int]], field: str, code: str, module: int, room: int) -> _Picture:
    try:
        png, width = draw(code, module)
    except Invalid as error:
        raise Invalid(f"`{code[:60]}` cannot be printed as a code.", {field: error.fields["text"]}) from error
    if width > room:
        raise Invalid(f"`{code[:60]}` is too long for a code on this paper.", {field: "Use a shorter one."})
    return _Picture("data:image/png;base64," + base64.b64encode(png).decode("ascii"), width)


def tracking_groups(code: str) -> str:
    """A tracking code in groups for the eye: ``NW 7K4Q 92MB GB``, ``RR 123 456 785 GB``."""
    match = re.fullmatch(r"([A-Z]{2})(\w+)([A-Z]{2})", code)
    if not match:
        return group(code)
    return f"{match[1]} {group(match[2], 3 if len(match[2]) % 4 and len(match[2]) % 3 == 0 else 4)} {match[3]}"


def _dots(dots: int) -> str:
    return f"{dots * 0.125:g}mm"


def _type(size: int, height: int) -> str:
    return f"font-size: {_dots(size)}; line-height: {_dots(height)}"


def _span(row: Row, height: int, end: str = "", tag: str = "span") -> Markup:
    # A line's end stands inside its element: between two elements it would be a box of its own to lay out.
    return Markup('<{0} style="{1}">{2}{3}</{0}>').format(tag, _type(row.size, height), row.text, end)


def _place(top: int, end: int) -> str:
    # Tops are counted from the page's edge, CSS counts from inside the frame's line. Each row ends below the next one's.
    return f"top: {_dots(top - _FRAME_TOP - _RULE)}; height: {_dots(end - top)}"


def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise Invalid(f"There is no locale `{name}`.", {"locale": "Use a name such as en_GB."}) from error


def _deadline(day: date, locale: Locale) -> str:
    # English deadlines are written without CLDR's comma: "Tuesday 1 December 2026".
    text = format_date(day, "full", locale=locale)
    return text.replace(", ", " ", 1) if str(locale) == "en_GB" else text


def _abroad(sender: Address, recipient: Address) -> bool:
    here, there = sender.country.strip().upper(), recipient.country.strip().upper()
    return bool(here and there and here != there)


def _country(address: Address, doc: LabelDoc | SlipDoc, abroad: bool) -> str:
    return country_name(address.country, doc.locale) if abroad else ""
