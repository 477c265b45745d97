"""Tables as files that a spreadsheet opens without doing what a customer wrote into them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

_BEGINS_A_FORMULA = frozenset("=+-@|%")


def cell(value: object) -> str:
    """``value`` as text that no spreadsheet takes for a formula: such a text gets an apostrophe in front, as OWASP advises."""
    text = "" if value is None else str(value)
    text = text.replace("\x00", "")
    first = text.lstrip()[:1]
    # A full-width sign is a sign too, where a spreadsheet is set to East Asian input.
    dangerous = first in _BEGINS_A_FORMULA or "\uff01" <= first <= "\uff5e" or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if first and dangerous else text


def answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file to download: UTF-8 with the mark that Excel looks for, one line per row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([cell(each) for each in head])
    writer.writerows([cell(each) for each in row] for row in rows)
    response = Response(out.getvalue().encode("utf-8-sig"), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
