"""Tables as files that a spreadsheet opens without doing what a customer wrote into them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flask import Response, stream_with_context

SENT_AT_ONCE = 1 << 16
"""So many signs leave together."""
_BREAKS = "\t\n\r"
# A full-width sign is a sign too, where a spreadsheet is set to East Asian input. Where the comma is the decimal sign,
# spreadsheets split rows at semicolons, also inside quotes, so that the middle of a text may begin a cell.
_FORMULA = re.compile(rf"""(^|[;{_BREAKS}])(\s*)(["']*[=+\-@|%\uff01-\uff5e])""")


def cell(value: object) -> str:
    """``value`` as text that no spreadsheet takes for a formula: what could begin one gets an apostrophe in front, as OWASP
    advises."""
    text = "" if value is None else str(value)
    text = text.replace("\x00", "")
    if text[:1] in tuple(_BREAKS) and text.strip():
        return f"'{text}"
    return _FORMULA.sub(r"\1'\2\3", text)


def answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file to download: UTF-8 with the mark that Excel looks for, one line per row. It leaves while ``rows`` are read."""
    response = Response(stream_with_context(_lines(head, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    yield codecs.BOM_UTF8
    out = io.StringIO()
    writer = csv.writer(out)
    for row in chain([head], rows):
        writer.writerow([cell(each) for each in row])
        if out.tell() >= SENT_AT_ONCE:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()
