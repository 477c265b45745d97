"""Tables as files that a spreadsheet opens without doing what a customer wrote into them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from flask import Response

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
    """A CSV file to download: UTF-8 with the mark that Excel looks for, one line per row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([cell(each) for each in head])
    writer.writerows([cell(each) for each in row] for row in rows)
    response = Response(out.getvalue().encode("utf-8-sig"), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
