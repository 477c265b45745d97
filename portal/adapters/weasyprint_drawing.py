"""What all papers share: the one printer of a process, the templates, texts made printable, words in the reader's language.

In: HTML of our own templates, texts of any origin. Out: PDF bytes, printable texts. Invariants: one font configuration in a
process, behind a lock (a new one leaks 0.2 MB each time, a shared one without a lock corrupts memory). Never: a fetch. The only
addresses the renderer may open are ``data:`` addresses.
"""

from __future__ import annotations

import gettext
import os
import threading
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from portal.adapters.noto_fonts import NotoFonts
from portal.errors import UpstreamError

_ROOT = Path(__file__).resolve().parents[2]
FONTS = _ROOT / "static" / "fonts" / "pdf"
TEMPLATES = _ROOT / "templates" / "pdf"
_LONGEST_TEXT = 500

_drawing = threading.Lock()
_Doc = TypeVar("_Doc")


@dataclass(frozen=True, slots=True)
class Row:
    """Text set in one row, and its size in dots."""

    text: str
    size: int


def environment(templates: Path = TEMPLATES) -> Environment:
    """The templates of papers: everything that is put into them is escaped, and a missing value is an error."""
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


class Cleaned:
    """Makes the texts of one document printable and remembers what that took."""

    def __init__(self, fonts: NotoFonts) -> None:
        self._fonts = fonts
        self.missing: set[str] = set()
        self.shortened: tuple[str, ...] = ()

    def clean(self, value: _Doc) -> _Doc:
        """``value`` with every text in it, however deep, made printable."""
        return self._clean(value)  # type: ignore[no-any-return]

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            printable, missing = self._fonts.printable(value[:_LONGEST_TEXT])
            self.missing |= missing
            if len(value) > _LONGEST_TEXT:
                self.shortened += (value,)
            return printable
        if isinstance(value, tuple):
            return tuple(map(self._clean, value))
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: self._clean(getattr(value, field.name)) for field in fields(value)})
        return value

    def row(self, text: str, sizes: tuple[int, ...], width: int, *, bold: bool) -> Row:
        """``text`` in one row, at the largest size that fits."""
        size, cut = self._fonts.one_row(text, sizes, width, bold=bold)
        return Row(self._noted(text, cut), size)

    def rows(self, text: str, size: int, width: int, rows: int) -> str:
        """``text`` in at most so many rows of plain type."""
        return self._noted(text, self._fonts.cut(text, size, width, rows, bold=False))

    def _noted(self, text: str, cut: str) -> str:
        if cut != text:
            self.shortened += (text,)
        return cut


@cache
def _printer() -> tuple[Any, Any, Any]:
    # Loaded with the first page, because WeasyPrint costs 400 ms and 40 MB that most processes never need. Fontconfig reads
    # its variable while the configuration is made; it is put back so that no child process is left with our four families.
    before = os.environ.get("FONTCONFIG_FILE")
    os.environ["FONTCONFIG_FILE"] = str(FONTS / "fonts.conf")
    try:
        from weasyprint import HTML
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher

        fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False, fail_on_errors=True)
        return HTML, FontConfiguration(), fetcher
    finally:
        if before is None:
            del os.environ["FONTCONFIG_FILE"]
        else:
            os.environ["FONTCONFIG_FILE"] = before


@cache
def _sheet(css: str) -> Any:
    from weasyprint import CSS

    return CSS(string=css, url_fetcher=_printer()[2], font_config=_printer()[1])


def draw(html: str, css: str = "") -> bytes:
    """The PDF of a page of ours. Raises `UpstreamError`, whatever goes wrong."""
    with _drawing:
        try:
            page, fonts, fetcher = _printer()
            sheets = [_sheet(css)] if css else []
            pdf: bytes = page(string=html, url_fetcher=fetcher).write_pdf(stylesheets=sheets, font_config=fonts)
        except Exception as error:
            raise _failed(error) from error
        except BaseException as error:
            # WeasyPrint's refusal to fetch is not an `Exception`: uncaught it would end the worker.
            if type(error).__name__ != "FatalURLFetchingError":
                raise
            raise _failed(error) from error
    return pdf


def _failed(error: BaseException) -> UpstreamError:
    return UpstreamError(
        "document_failed",
        retryable=False,
        public_message="We couldn't make this document. Your return is safe.",
        staff_message=f"The document could not be drawn: {type(error).__name__}: {error}",
    )


def in_language(catalogue: gettext.NullTranslations) -> dict[str, Any]:
    """``_`` and ``ngettext`` for a template; named places may be filled with markup of ours."""

    def fill(message: str, values: dict[str, object]) -> str:
        if any(isinstance(value, Markup) for value in values.values()):
            return escape(message) % values
        return message % values if values else message

    def translate(message: str, **values: object) -> str:
        return fill(catalogue.gettext(message), values)

    def count(one: str, many: str, num: int) -> str:
        return fill(catalogue.ngettext(one, many, num), {"num": num})

    return {"_": translate, "ngettext": count}
